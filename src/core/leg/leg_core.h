/* A leg as the rooms of core see it and nobody else. */
#pragma once
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "media/ctl/mctl.h"

/* ---- state.c ---- */
enum leg_input {
	IN_INIT,
	IN_ROUTE,
	IN_EXECUTE,
	IN_SOFT_EXECUTE,
	IN_EXCHANGE,
	IN_PARK,
	IN_CONSUME,
	IN_HIBERNATE,
	IN_RESET,
	IN_HANGUP,
	IN_REPORT,
	IN_DESTROY,
	IN_COUNT
};
/* The state becomes what the table says; CHANNEL_STATE follows when is_run. ST_DENIED where the table has no way. */
ON_CTL int leg_state_input(struct leg *leg, enum leg_input in);
/* running_state follows state: CHANNEL_STATE. */
ON_CTL void leg_state_run(struct leg *leg);
ON_CTL void leg_callstate_set(struct leg *leg, enum leg_callstate s);
ON_CTL void leg_codec_events(struct leg *leg);
/* Ringback tones start or stop playing to the leg: CODEC, when that is news. */
ON_CTL void leg_read_linear(struct leg *leg, bool is_linear);

/* PRESENCE_IN when the leg has a presence_id and somebody listens. */
#define leg_presence(leg, status) leg_presence_at((leg), (status), __func__, __LINE__)
ON_CTL void leg_presence_at(struct leg *leg, const char *status, const char *func, int line);

ON_CTL void leg_flip_cid(struct leg *leg);
ON_CTL void leg_show_callee(struct leg *a, const struct leg *b); /* A learns whom it reached */

ON_CTL void leg_end_go(struct leg *leg); /* something the teardown waits for may be over */
ON_CTL void leg_hooks_run(struct leg *leg, enum leg_hook hook);
ON_CTL void leg_hooks_clear(void);
ON_CTL bool leg_is_cid_flipped(const struct leg *leg); /* leg_flip_cid was */

/* ---- parts, called by the rooms in which the thing happens (part.h) ---- */
struct media_report;
ON_CTL void leg_parts_stream(struct leg *leg);
ON_CTL bool leg_parts_report(struct leg *leg, const struct media_report *r); /* true: a part took it */
ON_CTL void leg_parts_digit(struct leg *leg, char digit);
CO void leg_parts_before_app(struct leg *leg, unsigned app_flags);
ON_CTL void leg_parts_break(struct leg *leg);
ON_CTL void leg_parts_idle(struct leg *leg);

/* ---- digits.c ---- */
/* A key is queued for the application; false: too many are. */
ON_CTL bool leg_digit_push(struct leg *leg, char digit, unsigned duration, enum dtmf_source source);
/* The DTMF event of a key that nobody queues. */
ON_CTL void leg_digit_tell(struct leg *leg, char digit, unsigned duration, enum dtmf_source source);
