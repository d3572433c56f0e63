/* Digit actions (bind_digit_action): what a leg's keys do when they match a binding of the active realm, whatever the
 * leg does otherwise. Two machines a leg: one for what its own phone dials, one for what the other side of its bridge
 * dials. Keys that match nothing go their ordinary way, late. */
#pragma once
#include "core/leg/leg.h"

enum digit_target { DIGITS_OF_SELF = 1, DIGITS_OF_PEER = 2, DIGITS_OF_BOTH = 3 };
struct digit_action {
	const char *realm, *digits; /* "12", or "~" and a regular expression */
	/* "exec:app", "exec[i,H]:app" (H: the other leg hears no music), "api:command", or a header of the event */
	const char *string;
	const char *value;        /* the application's or command's data, or the header's value */
	enum digit_target target; /* whose keys */
	enum digit_target runs_on;
};
/* Strings are copied. Timeouts and terminators are the leg's variables bind_digit_digit_timeout (ms, 1500),
 * bind_digit_input_timeout (ms, none), bda_terminators. ST_INVAL, ST_PARSE, ST_LIMIT. */
ON_CTL int digit_action_bind(struct leg *leg, const struct digit_action *a);
ON_CTL void digit_action_clear(struct leg *leg, const char *realm /* NULL = all */, enum digit_target target);
ON_CTL int digit_action_set_realm(struct leg *leg, const char *realm, enum digit_target target); /* ST_NOTFOUND */
