/* "fifo NAME in": a caller waits, to music or in silence, with a sound between now and then, until somebody takes him,
 * his time is over, he presses a key or hangs up. Whoever takes him sets caller->consumer and wakes him; he hears the
 * announcement, ends the application and hibernates, and the consumer joins him from there. When the consumer has gone
 * meanwhile he is the first of his slot again. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/vars.h"
#include "fifo/fifo_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CHIMES_MAX = 32, ORBIT_DEFAULT_S = 60, CHIME_DEFAULT_S = 30, SECONDS_MAX = 864000 };
struct wait {
	struct fifo_caller *c;
	char *music, *chimes, *exit_keys; /* music and chimes with marks */
	struct sv chime[CHIMES_MAX];
	unsigned chime_count, chime_at;
	int64_t chime_every_us, chime_us, deadline_us; /* monotonic; 0: none */
	struct ltimer timer;
	bool has_left, is_timed_out, is_chiming;
};

char *fifo_source(struct leg *leg, const struct app_words *w, int i, const char *var)
{
	char *text = w->n > i ? mem_strdup(w->m[i]) : leg_text_dup(leg, var);
	if (text && (!*text || !strcasecmp(text, "undef") || !strcasecmp(text, "silence"))) {
		mem_free(text);
		text = NULL;
	}
	return text;
}

/* ---- waiting ---- */

static void timer_fired(void *arg)
{
	role_assert_ctl();
	leg_wake(arg);
}

static ON_CTL bool chime_is_due(const struct wait *w)
{
	return w->chime_count && !w->is_chiming && clock_mono_us() >= w->chime_us;
}

static ON_CTL void timer_arm(struct wait *w)
{
	int64_t at = w->deadline_us;
	if (w->chime_count && !w->is_chiming && (!at || w->chime_us < at))
		at = w->chime_us;
	if (at)
		loop_timer_set(&w->timer, at - clock_mono_us(), "fifo wait", timer_fired, w->c->leg);
}

static bool goes_on(struct leg *leg, void *arg)
{
	struct wait *w = arg;
	char digit;
	role_assert_co();
	while (!w->has_left && !w->c->consumer && leg_dtmf_take(leg, &digit, NULL))
		w->has_left = w->exit_keys && strchr(w->exit_keys, digit) != NULL;
	w->is_timed_out = w->deadline_us && clock_mono_us() >= w->deadline_us;
	return !w->c->consumer && !w->has_left && !w->is_timed_out && !chime_is_due(w);
}

static CO int wait_more(struct leg *leg, struct wait *w)
{
	struct leg_watch watch = {goes_on, w};
	int st;
	timer_arm(w);
	if (chime_is_due(w)) {
		struct sv one = w->chime[w->chime_at++ % w->chime_count];
		char *source = sv_dup(one);
		w->is_chiming = true;
		timer_arm(w);
		st = source ? leg_play_watched(leg, source, &watch) : ST_NOMEM;
		mem_free(source);
		w->is_chiming = false;
		w->chime_us = clock_mono_us() + w->chime_every_us;
		return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
	}
	if (w->music) {
		st = leg_play_watched(leg, w->music, &watch);
		if (st != ST_HANGUP && st != ST_CANCELLED && st != ST_OK) {
			mem_free(w->music); /* told in the log: he waits in silence */
			w->music = NULL;
			st = ST_OK;
		}
		return st;
	}
	return goes_on(leg, w) ? leg_wait(leg, -1) : ST_OK;
}

/* ST_OK: taken, has_left or is_timed_out. */
static CO int wait_taken(struct leg *leg, struct wait *w)
{
	int st = ST_OK;
	while (!st && !w->c->consumer && !w->has_left && !w->is_timed_out)
		st = wait_more(leg, w);
	loop_timer_cancel(&w->timer);
	return st;
}

/* ---- what the caller's variables say ---- */

static ON_CTL void chimes_read(struct leg *leg, struct wait *w)
{
	struct sv rest, one;
	w->chimes = leg_text_dup(leg, "fifo_chime_list");
	rest = sv_of(w->chimes);
	while (rest.n && w->chime_count < CHIMES_MAX) {
		sv_split(rest, ',', &one, &rest);
		if (one.n)
			w->chime[w->chime_count++] = one;
	}
	int64_t s = str_number(vars_get(leg->vars, "fifo_chime_freq"), 0, SECONDS_MAX);
	w->chime_every_us = clock_us_of_s(s > 0 ? s : CHIME_DEFAULT_S);
	w->chime_us = clock_mono_us() + w->chime_every_us;
}

/* "extension:seconds"; the extension, with marks, to be freed; NULL: none. */
static ON_CTL char *orbit_read(struct leg *leg, int64_t *seconds)
{
	char *text = leg_text_dup(leg, "fifo_orbit_exten"), *colon = text ? strrchr(text, ':') : NULL;
	*seconds = 0;
	if (colon) {
		*colon = 0;
		*seconds = str_number(colon + 1, 0, SECONDS_MAX);
	}
	if (text && *seconds <= 0)
		*seconds = ORBIT_DEFAULT_S;
	return text;
}

static CO void to_orbit(struct leg *leg, const char *exten)
{
	char *announce = leg_text_dup(leg, "fifo_orbit_announce"), *dialplan = leg_text_dup(leg, "fifo_orbit_dialplan"),
	     *context = leg_text_dup(leg, "fifo_orbit_context");
	if (announce)
		(void)leg_play(leg, announce, "none", NULL);
	if (leg_is_ready(leg))
		(void)leg_transfer(leg, exten, dialplan, context);
	mem_free(announce);
	mem_free(dialplan);
	mem_free(context);
}

static ON_CTL void stamp_set(struct leg *leg, const char *name)
{
	char stamp[CLOCK_STAMP_CHARS];
	leg_var_set(leg, name, clock_stamp(clock_wall_us() / 1000000, stamp));
}

static ON_CTL unsigned slot_of(struct leg *leg)
{
	return (unsigned)str_number(vars_get(leg->vars, "fifo_priority"), 0, FIFO_SLOTS - 1);
}

static ON_CTL void push(struct leg *leg, struct fifo_caller *c, bool is_back)
{
	unsigned position = 1;
	struct event *e;
	fifo_caller_push(c, is_back);
	for (struct lnode *it = c->fifo->callers.head.next; it != &c->link; it = it->next)
		position++;
	leg_var_set_int(leg, "fifo_position", position);
	leg_var_set_int(leg, "fifo_priority", c->slot);
	leg_var_set(leg, "fifo_status", "WAITING");
	e = fifo_event(c->fifo, leg, "push");
	if (e) {
		event_addf(e, "FIFO-Slot", "%u", c->slot);
		event_fire(e);
	}
	fifo_lamp(c->fifo);
	fifo_wake_consumers(c->fifo);
	fifo_dial_kick();
}

/* He has been taken: his announcement, then he can be joined. false: nobody is there to be joined with any more. */
static CO bool arrive(struct leg *leg, struct fifo_caller *c, const char *announce)
{
	struct leg *consumer = mem_ref(c->consumer);
	if (announce)
		(void)leg_play(leg, announce, "none", NULL);
	bool is_there = leg_is_ready(leg) && leg_is_up(consumer) && c->consumer == consumer;
	if (is_there) {
		c->is_there = true;
		leg_exec_hibernate(leg);
	}
	leg_wake(consumer);
	mem_unref(consumer);
	return is_there;
}

static CO int leave(struct leg *leg, const struct wait *w, const char *exten)
{
	struct fifo *f = w->c->fifo;
	fifo_caller_leave(w->c);
	w->c->is_gone = true;
	if (w->c->consumer)
		leg_wake(w->c->consumer);
	fifo_dial_cancel(w->c);
	leg_var_set(leg, "fifo_status", w->is_timed_out ? "TIMEOUT" : "ABORTED");
	fifo_tell(f, leg, w->is_timed_out ? "timeout" : "abort");
	fifo_lamp(f);
	if (exten && leg_is_ready(leg) &&
	    (w->is_timed_out || (w->has_left && leg_var_is_true(leg, "fifo_caller_exit_to_orbit"))))
		to_orbit(leg, exten);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}

/* "noans": it stays as it is, "early": early media, else it is answered. */
static CO int open_up(struct leg *leg, const char *how)
{
	if (!strcasecmp(how, "noans"))
		return ST_OK;
	return strcasecmp(how, "early") ? leg_answer(leg) : leg_pre_answer(leg);
}

int fifo_in(struct leg *leg, const struct app_words *words)
{
	struct wait w = {0};
	struct fifo *f;
	int64_t orbit_s;
	int st = fifo_get(words->w[0], &f);
	if (!st)
		st = open_up(leg, words->n > 4 ? words->w[4] : "");
	if (!st)
		st = fifo_caller_new(&w.c, f, leg, slot_of(leg));
	if (st)
		return st;
	char *announce = fifo_source(leg, words, 2, "fifo_announce"), *exten = orbit_read(leg, &orbit_s);
	const char *keys = vars_get(leg->vars, "fifo_caller_exit_key");
	w.music = fifo_source(leg, words, 3, "fifo_music");
	w.exit_keys = mem_strdup(keys);
	chimes_read(leg, &w);
	if (exten)
		w.deadline_us = clock_mono_us() + clock_us_of_s(orbit_s);
	stamp_set(leg, "fifo_timestamp");
	stamp_set(leg, "fifo_push_timestamp");
	push(leg, w.c, false);
	for (;;) {
		(void)wait_taken(leg, &w); /* where he is then tells it */
		if (!w.c->consumer || !leg_is_ready(leg)) {
			(void)leave(leg, &w, exten);
			break;
		}
		if (arrive(leg, w.c, announce))
			break;
		if (!leg_is_ready(leg)) {
			(void)leave(leg, &w, NULL);
			break;
		}
		if (!lnode_is_linked(&w.c->link) && !w.c->consumer)
			push(leg, w.c, true);
	}
	mem_free(announce);
	mem_free(exten);
	mem_free(w.music);
	mem_free(w.chimes);
	mem_free(w.exit_keys);
	mem_unref(w.c);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}
