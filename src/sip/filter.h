/* Which methods and headers pass a profile: lists of patterns ("X-*", "Call-Info", "SUBSCRIBE"), by direction. A denied
 * method is refused, a denied header's lines are taken out of the message's text, so that nobody behind sees them. What
 * makes a message work (Via, From, To, Contact, Authorization, Require, Event ...) always passes, and so do ACK, CANCEL
 * and BYE. Pure. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "sip/msg/msg.h"

struct sip_filter_lists { /* comma-separated patterns with * and ?; NULL or "" = none. Deny goes before allow. */
	const char *allow_methods, *deny_methods;
	const char *allow_headers, *deny_headers;
};
/* "*" any number of characters, "?" one; case does not count. Bounded: no pattern costs more than its length times the
 * text's. */
ANY bool sip_pattern_fits(struct sv pattern, struct sv text);
ANY bool sip_patterns_fit(const char *list, struct sv text);
ANY bool sip_filter_is_set(const struct sip_filter_lists *f);
ANY bool sip_filter_has_headers(const struct sip_filter_lists *f);
ANY bool sip_filter_takes_method(const struct sip_filter_lists *f, struct sv method);
/* name: as it stands in the message, full or compact. */
ANY bool sip_filter_takes_header(const struct sip_filter_lists *f, struct sv name);
/* The message without the lines of denied headers, their folds included; body as it is. True: something was taken out;
 * false: nothing was, and out holds nothing to use. */
ANY bool sip_filter_strip(const struct sip_filter_lists *f, const char *p, size_t n, struct buf *out);
