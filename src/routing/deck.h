/* Rate decks in memory: which carriers have a price for a number, found in microseconds whatever their number of rates.
 * A deck is made aside, row by row, and put in the old one's place when it is whole; a look-up sees one or the other.
 *
 *   prefix -> key (1 and its digits, as a number) -> open addressing -> first rate -> next rate of the same prefix ...
 *
 * A look-up asks for each prefix of the number, the longest first. Plain data of one thread. */
#pragma once
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

enum { DECK_DIGITS_MAX = 18, DECK_RATES_MAX = 20000000, DECK_CARRIERS_MAX = 10000 };
struct deck;

struct deck_carrier {
	char *name, *id;        /* the id of the operator's table */
	uint32_t first_gateway; /* UINT32_MAX: none */
};
struct deck_gateway {
	char *prefix, *suffix, *codec;
	uint32_t share;     /* of calls, beside others of the same price; 1 unless said */
	uint32_t max_calls; /* 0: no bound */
	uint32_t next;      /* of its carrier */
};
struct deck_rate {
	double rate, intrastate, intralata; /* < 0: it has none */
	double quality, reliability;
	int64_t start_s, end_s; /* wall seconds; it counts from start to end */
	uint32_t carrier;       /* deck_carrier_at */
	uint32_t profile;
	uint16_t lead_strip, trail_strip;
	bool is_lrn;
	uint32_t text_at; /* deck_text: prefix, suffix and cid, each ended by a zero byte */
	uint32_t next;
	uint64_t key;
};

int deck_new(struct deck **out);
void deck_free(struct deck *d); /* NULL is fine */
/* ST_FULL beyond DECK_CARRIERS_MAX; ST_EXISTS: the id is there. */
int deck_carrier_add(struct deck *d, struct sv id, struct sv name);
/* ST_NOTFOUND: no such carrier. */
int deck_gateway_add(struct deck *d, struct sv carrier_id, struct sv prefix, struct sv suffix, struct sv codec,
    uint32_t share, uint32_t max_calls);
/* r: carrier, text_at, next and key are set here. ST_NOTFOUND: no such carrier; ST_INVAL: digits is none or longer than
 * DECK_DIGITS_MAX; ST_FULL. */
int deck_rate_add(struct deck *d, struct sv digits, struct sv carrier_id, struct sv prefix, struct sv suffix,
    struct sv cid, struct deck_rate r);

/* The rates of a number's prefixes, the longest prefix first, those of one in the order they were added: at most max of
 * them. digits[i]: how many digits rate i's prefix has. */
size_t deck_find(const struct deck *d, const char *number, const struct deck_rate **out, uint8_t *digits, size_t max);
const struct deck_carrier *deck_carrier_at(const struct deck *d, uint32_t i);
const struct deck_gateway *deck_gateway_at(const struct deck *d, uint32_t i);     /* NULL behind the last */
const char *deck_text(const struct deck *d, const struct deck_rate *r, int part); /* 0 prefix, 1 suffix, 2 cid */
size_t deck_rate_count(const struct deck *d);
size_t deck_carrier_count(const struct deck *d);
