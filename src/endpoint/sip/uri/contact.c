/* What a phone gave as its Contact is text from outside that becomes part of a dial string: here it is written so that
 * it stays one address. Whatever a dial string, a variable or a list reads as their own is escaped or refused. */
#include "endpoint/sip/uri/uri.h"

#include <string.h>

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c && strchr("-._~", c));
}

/* Means nothing to dial strings, variables and lists. */
static bool is_plain(char c)
{
	return is_unreserved(c) || (c && strchr("!*+&=/;?()%", c));
}

static void escape(struct buf *out, struct sv text, bool (*is_kept)(char c))
{
	static const char hex[] = "0123456789ABCDEF";
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = (uint8_t)text.p[i];
		if (is_kept((char)c)) {
			buf_addc(out, (char)c);
			continue;
		}
		buf_addc(out, '%');
		buf_addc(out, hex[c >> 4]);
		buf_addc(out, hex[c & 15]);
	}
}

void contact_escape(struct buf *out, struct sv text)
{
	escape(out, text, is_unreserved);
}

static int params_render(struct sv params, bool keeps_ours, struct buf *out)
{
	struct sv one;
	while (params.n) {
		sv_split(params, ';', &one, &params);
		if (!one.n || (!keeps_ours && sv_startsi(one, SV("fs_"))))
			continue;
		for (size_t i = 0; i < one.n; i++)
			if (!is_plain(one.p[i]) && one.p[i] != ':')
				return ST_INVAL;
		buf_printf(out, ";%.*s", SVF(one));
	}
	return ST_OK;
}

int contact_render(const struct sip_uri *u, bool keeps_ours, struct buf *out, const char **why)
{
	struct buf b;
	int st = ST_INVAL;
	buf_init(&b);
	*why = "no sip address";
	if ((u->scheme != SIP_SCHEME_SIP && u->scheme != SIP_SCHEME_SIPS) || !u->host.n)
		goto done;
	buf_adds(&b, u->scheme == SIP_SCHEME_SIPS ? "sips:" : "sip:");
	escape(&b, u->user, is_plain);
	if (u->password.n) {
		buf_addc(&b, ':');
		escape(&b, u->password, is_plain);
	}
	buf_printf(&b, u->is_ipv6 ? "%s[%.*s]" : "%s%.*s", u->user.n ? "@" : "", SVF(u->host));
	if (u->port)
		buf_printf(&b, ":%u", u->port);
	*why = "a parameter with characters that need escaping";
	if (params_render(u->params, keeps_ours, &b) < 0)
		goto done;
	*why = "\":_:\" in it";
	if (b.p && strstr(b.p, ":_:"))
		goto done;
	st = b.failed ? ST_NOMEM : buf_addv(out, buf_sv(&b));
done:
	buf_fini(&b);
	return st;
}

bool contact_is_rendered(struct sv target)
{
	struct sip_uri u;
	struct buf b;
	const char *why;
	buf_init(&b);
	bool is_same = sip_uri_parse(&u, target) == ST_OK && contact_render(&u, true, &b, &why) == ST_OK &&
	               sv_eq(buf_sv(&b), target);
	buf_fini(&b);
	return is_same;
}
