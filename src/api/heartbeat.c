/* uuid_session_heartbeat: SESSION_HEARTBEAT of one leg every so many seconds, by a timer of the loop. The table holds
 * the leg's uuid, not the leg: the first beat after its end finds none and goes. */
#include "api/api_i.h"
#include "base/hash.h"
#include "loop/loop.h"

#include <stdlib.h>

enum { SECONDS_MIN = 1, SECONDS_MAX = 86400, SECONDS_DEFAULT = 60 };
struct beat {
	struct ltimer timer;
	int64_t period_us;
	char uuid[UUID_CHARS + 1];
};
static struct hash *beats;

static void beat_free(void *value)
{
	struct beat *b = value;
	role_assert_ctl();
	loop_timer_cancel(&b->timer);
	mem_free(b);
}

static void on_beat(void *arg)
{
	struct beat *b = arg;
	struct leg *leg;
	role_assert_ctl();
	leg = leg_find(b->uuid);
	if (!leg || !leg_is_up(leg)) {
		hash_del(beats, sv_of(b->uuid));
		return;
	}
	loop_timer_set(&b->timer, b->period_us, "session heartbeat", on_beat, b);
	leg_event(leg, EVENT_SESSION_HEARTBEAT);
}

static ON_CTL int beat_set(const struct leg *leg, int seconds)
{
	struct beat *b;
	int st = beats ? ST_OK : hash_new(&beats, 0, beat_free);
	if (st)
		return st;
	hash_del(beats, sv_of(leg->uuid));
	if (seconds <= 0)
		return ST_OK;
	b = mem_zalloc(sizeof(*b));
	if (!b)
		return ST_NOMEM;
	memcpy(b->uuid, leg->uuid, sizeof(b->uuid));
	b->period_us = (seconds < SECONDS_MIN      ? SECONDS_MIN
	                   : seconds > SECONDS_MAX ? SECONDS_MAX
	                                           : seconds) *
	               1000000LL;
	st = hash_set(beats, sv_of(b->uuid), b);
	if (st) {
		mem_free(b);
		return st;
	}
	loop_timer_set(&b->timer, b->period_us, "session heartbeat", on_beat, b);
	return ST_OK;
}

void on_session_heartbeat(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	const char *text = w->n > 1 && !strcasecmp(w->w[1], "sched") ? (w->n > 2 ? w->w[2] : NULL)
	                   : w->n > 1                                ? w->w[1]
	                                                             : NULL;
	role_assert_ctl();
	int seconds = text && !(str_is_true(text) && !atoi(text)) ? atoi(text) : SECONDS_DEFAULT;
	buf_adds(c->out, beat_set(leg, seconds) ? "-ERR out of memory\n" : "+OK\n");
}

void api_heartbeat_fini(void)
{
	hash_free(beats);
	beats = NULL;
}
