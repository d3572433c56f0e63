/* What follows "sofia/" in a dial string, taken apart without looking anything up: PROFILE/user@host,
 * PROFILE/sip:...;fs_path=, PROFILE/user%domain, gateway/NAME/number. */
#include "base/mem.h"
#include "endpoint/sip/sofia_i.h"
#include "text/url.h"

#include <string.h>

void sofia_target_fini(struct sofia_target *t)
{
	mem_free(t->uri), mem_free(t->fs_path), mem_free(t->user), mem_free(t->host);
	mem_free(t->looked_up), mem_free(t->looked_up_host);
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

static int uri_take(struct sofia_target *t, struct sv text)
{
	struct sip_uri u;
	struct buf b;
	int st = ST_PARSE;
	buf_init(&b);
	bool has_scheme = sv_startsi(text, SV("sip:")) || sv_startsi(text, SV("sips:"));
	buf_printf(&b, "%s%.*s", has_scheme ? "" : "sip:", SVF(text));
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
	t->user = sv_dup(user);
	t->host = sv_dup(host);
	return t->user && t->host ? ST_OK : ST_NOMEM;
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
			t.profile = SV_NONE;
			sv_split(rest, '/', &t.gateway, &rest);
			t.user = sv_dup(rest);
			t.host = sv_dup(SV_NONE);
			st = t.gateway.n && rest.n ? ST_OK : ST_PARSE;
			goto done;
		}
	} else if (sv_find(data, '@') == data.n && sv_split(data, '/', &t.profile, &rest)) {
		/* PROFILE/sip:host, PROFILE/user%domain, PROFILE/user */
	}
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
		dst->transport = transport ? transport : SIP_UDP;
}
