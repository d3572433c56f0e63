/* What follows "sofia/" in a dial string, taken apart without looking anything up: PROFILE/user@host,
 * PROFILE/sip:...;fs_path=, PROFILE/user%domain, gateway/NAME/number. It is cut where the configuration wrote the
 * separators; what came from outside (text/mark.h) is escaped in the user part, and elsewhere must look like part of a
 * host or a parameter. */
#include "base/mem.h"
#include "endpoint/sip/uri/uri.h"
#include "text/mark.h"
#include "text/url.h"

#include <string.h>

void sofia_target_fini(struct sofia_target *t)
{
	mem_free(t->uri), mem_free(t->fs_path), mem_free(t->user), mem_free(t->host);
	mem_free(t->looked_up), mem_free(t->looked_up_host), mem_free(t->name);
	mem_free(t->registered);
	memset(t, 0, sizeof(*t));
}

/* Copies the URI without the parameters that are only for us, which are told in t. */
static int uri_clean(struct sofia_target *t, const struct sip_uri *u)
{
	struct buf b, path;
	struct sip_params_it it = {.rest = u->params};
	size_t head = u->params.n    ? (size_t)(u->params.p - u->text.p) - 1
	              : u->headers.p ? (size_t)(u->headers.p - u->text.p) - 1 /* none in a request URI */
	                             : u->text.n;
	buf_init(&b);
	buf_init(&path);
	buf_addv(&b, sv_sub(u->text, 0, head));
	while (sip_params_next(&it, ';')) {
		if (sv_isi(it.name, "fs_path")) {
			url_decode(&path, it.value);
			continue;
		}
		if (sv_isi(it.name, "fs_nat")) {
			t->is_nat = !sv_isi(it.value, "no");
			continue;
		}
		buf_printf(&b, ";%.*s", SVF(it.name));
		if (it.has_value)
			buf_printf(&b, "=%.*s", SVF(it.value));
	}
	if (path.n && sip_is_value(buf_sv(&path)))
		t->fs_path = buf_take(&path);
	buf_fini(&path);
	t->uri = buf_take(&b);
	return t->uri ? ST_OK : ST_NOMEM;
}

static bool is_one_of(char c, const char *others)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr(others, c));
}

/* The text without marks: what is from outside is escaped in a user part (up to the configuration's last '@', or all of
 * it), and fails with ST_PARSE where it cannot be part of a host or a parameter. */
static int plain_put(struct buf *out, struct sv text, bool is_user_without_at)
{
	struct mark_it it = {.rest = text};
	size_t user_end = is_user_without_at ? text.n : 0;

	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '@')
			user_end = i;
	while (mark_next(&it)) {
		bool is_user = text.n - it.rest.n <= user_end;
		if (!it.is_outside || is_one_of(it.byte, is_user ? "-_.!~*'()+" : "-_.:[]~+%"))
			buf_addc(out, it.byte);
		else if (is_user)
			buf_printf(out, "%%%02X", (unsigned char)it.byte);
		else
			return ST_PARSE;
	}
	return out->failed ? ST_NOMEM : ST_OK;
}

void sofia_uri_put_text(struct buf *out, const struct sip_uri *u)
{
	mark_put(out, u->user);
	if (u->user.n)
		buf_addc(out, '@');
	if (u->is_ipv6)
		buf_addc(out, '[');
	mark_put(out, u->host);
	if (u->is_ipv6)
		buf_addc(out, ']');
	if (u->port)
		buf_printf(out, ":%u", u->port);
}

static int uri_take(struct sofia_target *t, struct sv text)
{
	struct sip_uri u;
	struct buf b;
	int st;
	buf_init(&b);
	bool has_scheme = sv_startsi(text, SV("sip:")) || sv_startsi(text, SV("sips:"));
	buf_adds(&b, has_scheme ? "" : "sip:");
	if ((st = plain_put(&b, text, false)) < 0)
		goto done;
	st = ST_PARSE;
	if (b.failed || !sip_is_value(buf_sv(&b)) || sip_uri_parse(&u, buf_sv(&b)) < 0 || !u.host.n)
		goto done;
	st = ST_NOMEM;
	t->transport = sip_uri_transport(&u);
	t->user = sv_dup(u.user);
	struct buf host;
	buf_init(&host);
	buf_printf(&host, u.is_ipv6 ? "[%.*s]" : "%.*s", SVF(u.host));
	if (u.port)
		buf_printf(&host, ":%u", u.port);
	t->host = buf_take(&host);
	if (t->user && t->host)
		st = uri_clean(t, &u);
done:
	buf_fini(&b);
	return st;
}

static int lookup_take(struct sofia_target *t, struct sv user, struct sv host)
{
	t->needs_lookup = true;
	t->user = mark_strip_dup(user);
	t->host = mark_strip_dup(host);
	return t->user && t->host ? ST_OK : ST_NOMEM;
}

static int gateway_take(struct sofia_target *t, struct sv text)
{
	struct sv name;
	struct buf user;
	int st;
	sv_split(text, '/', &name, &text);
	buf_init(&user);
	st = name.n && text.n ? plain_put(&user, text, true) : ST_PARSE;
	t->profile = SV_NONE;
	t->name = mark_strip_dup(name);
	t->gateway = sv_of(t->name);
	t->user = st ? NULL : buf_take(&user);
	t->host = sv_dup(SV_NONE);
	buf_fini(&user);
	return st || (t->user && t->host && t->name) ? st : ST_NOMEM;
}

int sofia_target_parse(struct sofia_target *out, struct sv data)
{
	struct sofia_target t = {0};
	struct sv rest = data, user, host;
	int st;
	if (sv_find(data, '/') < sv_find(data, '@') && !sv_startsi(data, SV("sip:")) &&
	    !sv_startsi(data, SV("sips:"))) {
		sv_split(data, '/', &t.profile, &rest);
		if (sv_isi(t.profile, "gateway")) {
			st = gateway_take(&t, rest);
			goto done;
		}
	} else if (sv_find(data, '@') == data.n && sv_split(data, '/', &t.profile, &rest)) {
		/* PROFILE/sip:host, PROFILE/user%domain, PROFILE/user */
	}
	if (t.profile.n)
		t.profile = sv_of(t.name = mark_strip_dup(t.profile));
	if (!rest.n)
		st = t.profile.n ? lookup_take(&t, SV_NONE, SV_NONE) : ST_PARSE;
	else if (sv_startsi(rest, SV("sip:")) || sv_startsi(rest, SV("sips:")))
		st = uri_take(&t, rest);
	else if (sv_find(rest, '@') == rest.n && sv_split(rest, '%', &user, &host))
		st = user.n && host.n ? lookup_take(&t, user, host) : ST_PARSE;
	else if (sv_find(rest, '@') == rest.n && sv_find(rest, ':') == rest.n)
		st = lookup_take(&t, rest, SV_NONE);
	else
		st = uri_take(&t, rest);
done:
	if (st < 0)
		sofia_target_fini(&t);
	else
		*out = t;
	return st;
}

void sofia_target_route(const struct sofia_target *t, char **route, struct sip_dst *dst)
{
	struct sip_uri u;
	struct sv lr;
	if (t->fs_path && *t->fs_path == '<') { /* several proxies */
		*route = sip_is_nameaddr_list(sv_of(t->fs_path)) ? mem_strdup(t->fs_path) : NULL;
		return;
	}
	if (!t->fs_path || sip_uri_parse(&u, sv_of(t->fs_path)) < 0)
		return;
	if (sip_uri_param(&u, "lr", &lr)) {
		struct buf b;
		buf_init(&b);
		buf_printf(&b, "<%s>", t->fs_path);
		*route = buf_take(&b);
		return;
	}
	enum sip_transport transport = sip_uri_transport(&u);
	if (addr_parse(&dst->addr, u.host, u.port ? u.port : 5060) == ST_OK)
		dst->transport = transport ? transport : SIP_TRANSPORT_DEFAULT;
}
