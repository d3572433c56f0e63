/* The rules of a campaign that need no telephony: what a number is, when it may be called, when again. Pure. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "text/tz.h"

enum { RULE_NUMBER_MIN = 3, RULE_NUMBER_MAX = 20, RULE_PREFIX_MAX = 15, RULE_RESULT_MAX = 31, RULE_WINDOWS_MAX = 32 };

struct rule_plan {                                      /* of numbers; NULL or "": none */
	const char *country, *international, *national; /* "86", "00", "0" */
};
/* The number as digits: separators (blanks . - / parentheses) go; with a country "+" or the international prefix go and
 * the national one becomes the country. ST_PARSE: it is none; *why says it, a constant. */
ANY int rule_number(struct sv text, const struct rule_plan *plan, char out[RULE_NUMBER_MAX + 1], const char **why);

struct rule_window { /* local time; days: bit 0 is Sunday */
	uint8_t days;
	uint16_t begin_min, end_min; /* of the day, begin < end <= 1440 */
};
struct rule_windows { /* none: always */
	struct rule_window w[RULE_WINDOWS_MAX];
	unsigned count;
};
/* "mon-fri 09:00-20:00, sat 10:00-14:00"; "" is always. A window over midnight is made of two. ST_PARSE, ST_LIMIT. */
ANY int rule_windows_parse(struct sv text, struct rule_windows *out);
/* now_s when it may be called then, else the first second when it may. */
ANY int64_t rule_windows_next(const struct rule_windows *w, const struct tz *zone, int64_t now_s);

struct rule_retry {
	char result[RULE_RESULT_MAX + 1]; /* "busy", "USER_BUSY", "default" */
	int64_t after_s;
	unsigned tries; /* not again once so many calls were made; 0: never again */
};
/* The rule for a result: that of the cause, else of the result, else "default"; NULL: none. */
ANY const struct rule_retry *rule_retry_find(
    const struct rule_retry *rules, size_t count, const char *result, const char *cause);
/* The longest of all: nobody is called again before, whatever became of a call. */
ANY int64_t rule_retry_longest_s(const struct rule_retry *rules, size_t count);

enum { RULE_RATE_PARTS = 5 };
struct rule_rate { /* how many began lately: by quarters of a second, a whole second and the one that runs */
	int64_t part;
	unsigned count[RULE_RATE_PARTS];
};
/* How many began in the last second (up to a quarter more is counted, so that no second has more than is allowed). */
ANY unsigned rule_rate_get(struct rule_rate *r, int64_t mono_us);
ANY void rule_rate_add(struct rule_rate *r, int64_t mono_us);

/* The entry with the longest prefix of number; NULL: none. Each entry begins with its prefix as char[]. */
ANY const void *rule_prefix_find(const void *entries, size_t count, size_t each_bytes, const char *number);
