/* Rate decks and what a call costs by them. Pure: no clock, no database, no thread.
 *
 * Money is whole sub-units, 1/10000 of the currency's minor unit (a cent is 10000), in 64 bits; never a float. A deck
 * set is made aside and put in the old one's place when it is whole; a rate found is copied by who keeps it. */
#pragma once
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

#define RATE_UNIT 10000 /* sub-units of a minor unit */
enum { RATE_DIGITS_MAX = 18, RATE_NAME_MAX = 32, RATE_SECONDS_MAX = 7 * 86400, RATE_COUNT_MAX = 5000000 };
#define RATE_MONEY_MAX (INT64_C(1000000000) * RATE_UNIT) /* of a price or an amount */

struct rate {
	int64_t per_minute, connect;     /* sub-units; connect: once, when it is answered */
	uint32_t minimum_s, increment_s; /* at least so long, then whole steps of so long (>= 1) */
	uint32_t free_s;                 /* of what is counted so, the first seconds cost nothing */
	uint32_t tax_ppm;                /* on all of it, millionths, rounded up */
	int64_t from_s, to_s;            /* the version of the deck: wall seconds, to is not in it; to 0: for ever */
	uint8_t days;                    /* bit 0 Monday ... bit 6 Sunday */
	uint16_t begin_min, end_min;     /* minutes of the day, end not in it; begin > end: over midnight */
};
struct rate_found {
	struct rate rate;
	char prefix[RATE_DIGITS_MAX + 1];
};
struct rate_moment { /* when a call begins, where the deck's bands are meant */
	int64_t wall_s;
	unsigned weekday, minute; /* 0: Monday; of the day */
};
struct rates;

int billing_rates_new(struct rates **out);
void billing_rates_free(struct rates *r); /* NULL is fine */
/* ST_INVAL: a name, prefix (digits) or value out of its range; ST_FULL. */
int billing_rates_add(struct rates *r, struct sv deck, struct sv prefix, const struct rate *rate);
size_t billing_rates_count(const struct rates *r);
/* The longest prefix that has a rate at that moment; of several the youngest version, then the narrowest band.
 * ST_NOTFOUND. */
int billing_rates_find(
    const struct rates *r, struct sv deck, const char *number, struct rate_moment at, struct rate_found *out);

/* What so many seconds cost (0: nothing). Seconds beyond RATE_SECONDS_MAX count as that. Never falls as seconds grow.
 */
int64_t rate_cost(const struct rate *r, int64_t seconds);
/* The most seconds that cost no more than amount; 0: not one. */
int64_t rate_seconds(const struct rate *r, int64_t amount);

/* "12.3456" minor units to sub-units. ST_PARSE: no such number, or more than four decimals; ST_LIMIT. */
int rate_money_parse(struct sv text, int64_t *out);
void rate_money_put(struct buf *out, int64_t amount);

/* A CSV file: the first line names the columns, in any order: prefix and rate (minor units a minute) must be there;
 * connect, minimum, increment, free, tax (per cent), days ("1-5", "67"; 1 Monday), begin and end ("08:00"), from and to
 * (wall seconds) may be. ok for each good line (values valid during the call), bad for each other one: number from 1.
 * ST_PARSE: the first line, told to bad. */
struct rate_csv {
	void (*ok)(unsigned line, struct sv prefix, const struct rate *rate, void *arg);
	void (*bad)(unsigned line, const char *why, void *arg);
	void *arg;
};
int rate_csv_read(struct sv text, const struct rate_csv *to);
