/* The keys that wait for an application: a queue of 64 in the leg. A key counts (DTMF event, digits_dialed) when it is
 * taken, or when it goes elsewhere; whether it comes here at all is decided in core/keys. */
#include "base/check.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/leg_i.h"
#include <string.h>

enum { DIALED_MAX = 512 };

static const char *const sources[] = {"UNKNOWN", "RTP", "ENDPOINT", "INBAND_AUDIO", "APP", "RTP"};

void leg_digit_tell(struct leg *leg, char digit, unsigned duration, enum dtmf_source source)
{
	struct event *e;

	if (leg_i(leg)->digits_dialed.n < DIALED_MAX && !leg_var_is_true(leg, "sensitive_dtmf"))
		buf_addc(&leg_i(leg)->digits_dialed, digit);
	if (!event_is_wanted(EVENT_DTMF, NULL) || !(e = event_new(EVENT_DTMF, NULL)))
		return;
	leg_event_headers(leg, e);
	event_addf(e, "DTMF-Digit", "%c", digit);
	event_addf(e, "DTMF-Duration", "%u", duration);
	event_add(e, "DTMF-Source", sources[(size_t)source < ARRAY_COUNT(sources) ? source : 0]);
	event_fire(e);
}

bool leg_digit_push(struct leg *leg, char digit, unsigned duration, enum dtmf_source source)
{
	struct leg_full *full = leg_i(leg);

	if (!full->digits)
		full->digits = mem_alloc(DIGITS_MAX * sizeof(*full->digits));
	if (!full->digits || full->digit_count == DIGITS_MAX)
		return false;
	full->digits[full->digit_count++] = (struct leg_digit){digit, (uint8_t)source, (uint16_t)duration};
	return true;
}

bool leg_dtmf_take(struct leg *leg, char *digit, unsigned *duration)
{
	struct leg_full *full = leg_i(leg);
	struct leg_digit d;

	if (!full->digit_count)
		return false;
	d = full->digits[0];
	memmove(full->digits, full->digits + 1, --full->digit_count * sizeof(d));
	leg_digit_tell(leg, d.digit, d.duration, (enum dtmf_source)d.source);
	*digit = d.digit;
	if (duration)
		*duration = d.duration;
	return true;
}

size_t leg_dtmf_count(const struct leg *leg)
{
	return leg_i(leg)->digit_count;
}
void leg_dtmf_flush(struct leg *leg)
{
	leg_i(leg)->digit_count = 0;
}

void leg_digits_last(struct leg *leg)
{
	leg_var_set(leg, "digits_dialed", leg_i(leg)->digits_dialed.n ? leg_i(leg)->digits_dialed.p : "none");
}
