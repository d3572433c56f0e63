/* Character classes of RFC 3261 25.1 and small scanners shared by this room's files. */
#pragma once
#include "base/str.h"
#include "sip/msg/msg.h"

enum {
	CH_TOKEN = 1,
	CH_USER = 2,
	CH_HOST = 4,
	CH_UPARAM = 8,
	CH_HEX = 16,
	CH_LWS = 32,
	CH_UHDR = 64,
	CH_UNRESERVED = 128
};
extern const uint8_t sip_chars[256];

static inline bool ch_is(char c, unsigned mask)
{
	return (sip_chars[(uint8_t)c] & mask) != 0;
}
/* A byte that stands in no header value: all control bytes but the tabulator. */
static inline bool ch_is_control(char c)
{
	return ((uint8_t)c < 0x20 && c != '\t') || c == 0x7f;
}
static inline const char *ch_skip_lws(const char *p, const char *end)
{
	while (p < end && ch_is(*p, CH_LWS))
		p++;
	return p;
}
static inline const char *ch_span(const char *p, const char *end, unsigned mask)
{
	while (p < end && ch_is(*p, mask))
		p++;
	return p;
}
static inline struct sv sv_between(const char *p, const char *end)
{
	return (struct sv){p, (size_t)(end - p)};
}
static inline struct sv ch_trim(const char *p, const char *end)
{
	p = ch_skip_lws(p, end);
	while (end > p && ch_is(end[-1], CH_LWS))
		end--;
	return sv_between(p, end);
}
/* p is behind the opening quote; returns the closing one, NULL when it is missing. */
const char *ch_quote_end(const char *p, const char *end);
/* host [":" port] from p: sets host and port (0 when absent) and returns what follows; NULL when it is malformed.
 * Blanks around the colon are taken when lws is true. */
const char *ch_hostport(const char *p, const char *end, bool lws, struct sv *host, bool *is_ipv6, uint16_t *port);

enum { PARAM_END, PARAM_OK, PARAM_BAD };
/* One parameter at it->rest. PARAM_BAD also for what is no parameter list. */
int sip_params_step(struct sip_params_it *it, char sep);
/* Decimal digits up to a bound; false for anything else. Values beyond max give max when clamp is set. */
bool ch_decimal(struct sv v, uint64_t max, bool clamp, uint64_t *out);
/* body.c: fills sdp and has_unknown_body. */
void sip_body_read(struct sip_msg *m);
