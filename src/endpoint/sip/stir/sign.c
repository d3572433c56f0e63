/* The Identity of an INVITE that goes out. A signature of P-256 takes some 50 us, so it is made where the INVITE is. */
#include "base/clock.h"
#include "endpoint/sip/stir/attest_i.h"

#include <stdio.h>
#include <string.h>

/* Both lines. */
static ON_CTL int lines_put(struct buf *lines, const struct stir_claims *c)
{
	time_t now = (time_t)c->iat_s;
	char date[64];
	struct tm tm;
	struct buf identity;
	buf_init(&identity);
	int st = stir_identity_make(&identity, c, stir_settings()->key);
	if (!st) {
		gmtime_r(&now, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		st = buf_printf(lines, "Date: %s\r\nIdentity: %s\r\n", date, identity.p);
		stir_counts.signed_count++;
	}
	buf_fini(&identity);
	return st;
}

int stir_sip_sign(struct buf *lines, char attest, struct sv orig, struct sv dest, const char *origid)
{
	const struct stir_settings *s = stir_settings();
	char from[STIR_TN_MAX], to[STIR_TN_MAX];
	struct stir_claims c = {.attest = attest,
	    .orig = from,
	    .dest = to,
	    .origid = origid,
	    .url = s->url,
	    .iat_s = clock_wall_us() / 1000000};
	if (!s->key || !s->url || !*s->url)
		return ST_UNSUPPORTED;
	if (attest < 'A' || attest > 'C' || !stir_number(orig, from) || !stir_number(dest, to))
		return ST_INVAL;
	return lines_put(lines, &c);
}

int stir_sip_divert(struct buf *lines, struct sv came, struct sv orig, struct sv dest)
{
	const struct stir_settings *s = stir_settings();
	struct stir_identity id;
	struct stir_passport p;
	char from[STIR_TN_MAX], own[STIR_TN_MAX], by[STIR_TN_MAX], to[STIR_TN_MAX], was[STIR_TN_MAX];
	if (!s->key || !s->url || !*s->url)
		return ST_UNSUPPORTED;
	if (stir_identity_parse(&id, came) || stir_passport_parse(&p, id.token, NULL) || p.kind != STIR_SHAKEN ||
	    !p.dest_count || !stir_number(dest, to) || !stir_number(sv_of(p.orig), from) || !stir_number(orig, own) ||
	    strcmp(own, from) || !stir_number(sv_of(p.dests[0]), by))
		return ST_INVAL;
	for (size_t i = 0; i < p.dest_count; i++)
		if (stir_number(sv_of(p.dests[i]), was) && !strcmp(was, to))
			return ST_NOTFOUND;
	struct stir_claims c = {.orig = from, .dest = to, .div = by, .url = s->url, .iat_s = clock_wall_us() / 1000000};
	return lines_put(lines, &c);
}
