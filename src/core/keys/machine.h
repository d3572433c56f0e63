/* A parser of keys: bindings of digit strings or regular expressions, in realms of which one is active, and the keys
 * pressed so far. Pure: the caller owns the clock and says when time is over. FreeSWITCH's dmachine: an exact match
 * that no longer binding begins with is found at once, one that could go on when time is over, a regular expression
 * when time is over unless it is the realm's only binding. */
#pragma once
#include "base/str.h"

enum { DIGITS_BOUND_MAX = 127 };

struct digit_machine;
enum digit_verdict {
	DIGITS_WAIT,    /* more may come */
	DIGITS_MATCH,   /* found: the machine is empty again */
	DIGITS_NO_MATCH /* they belong to nobody: given back, the machine is empty again */
};
struct digit_found {
	char digits[DIGITS_BOUND_MAX + 1]; /* matched, or not */
	void *data;                        /* of the binding; NULL without a match */
};

typedef void (*digit_free_fn)(void *data);
int digit_machine_new(struct digit_machine **out, digit_free_fn free_fn);
void digit_machine_free(struct digit_machine *m);
/* digits: a string of keys, or "~" and a regular expression. data is taken when ST_OK. A binding of the same digits is
 * replaced. The realm becomes active when the binding is new in it. ST_INVAL, ST_LIMIT, ST_PARSE: a bad expression. */
int digit_machine_bind(struct digit_machine *m, const char *realm, const char *digits, void *data);
int digit_machine_set_realm(struct digit_machine *m, const char *realm); /* ST_NOTFOUND */
/* Keys that end the input of the active realm. */
int digit_machine_set_terminators(struct digit_machine *m, const char *keys);
void digit_machine_clear_realm(struct digit_machine *m, const char *realm); /* none is active when it was */
bool digit_machine_has_realm(const struct digit_machine *m);                /* one is active */
bool digit_machine_has_digits(const struct digit_machine *m);
enum digit_verdict digit_machine_feed(struct digit_machine *m, char digit, struct digit_found *found);
/* Nothing came for the time one waits between keys. */
enum digit_verdict digit_machine_timeout(struct digit_machine *m, struct digit_found *found);
