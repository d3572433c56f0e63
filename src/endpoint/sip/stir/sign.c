/* The Identity of an INVITE that goes out. A signature of P-256 takes some 50 us, so it is made where the INVITE is. */
#include "base/clock.h"
#include "endpoint/sip/stir/attest_i.h"

#include <stdio.h>

int stir_sip_sign(struct buf *lines, char attest, struct sv orig, struct sv dest, const char *origid)
{
	const struct stir_settings *s = stir_settings();
	char from[STIR_TN_MAX], to[STIR_TN_MAX], date[64];
	struct stir_claims c = {.attest = attest,
	    .orig = from,
	    .dest = to,
	    .origid = origid,
	    .url = s->url,
	    .iat_s = clock_wall_us() / 1000000};
	time_t now = (time_t)c.iat_s;
	struct tm tm;
	struct buf identity;
	if (!s->key || !s->url || !*s->url)
		return ST_UNSUPPORTED;
	if (attest < 'A' || attest > 'C' || !stir_number(orig, from) || !stir_number(dest, to))
		return ST_INVAL;
	buf_init(&identity);
	int st = stir_identity_make(&identity, &c, s->key);
	if (!st) {
		gmtime_r(&now, &tm);
		strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		st = buf_printf(lines, "Date: %s\r\nIdentity: %s\r\n", date, identity.p);
		stir_counts.signed_count++;
	}
	buf_fini(&identity);
	return st;
}
