/* "fifo NAME[,NAME..] out": a consumer takes the next caller, or waits for one, until it has had enough. It takes by
 * unlinking him from the queue, waits until he is there (in.c), has his leg for the time of the bridge, and reports how
 * long that was. With "nowait" it serves one caller, or none, and goes on in its dialplan. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/sound/play.h"
#include "core/sound/tap.h"
#include "core/value/vars.h"
#include "fifo/fifo_i.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { QUEUES_MAX = 16, SERVICE_LIMIT_US = 600000000 };
struct service {
	struct leg *leg;
	struct fifo *queue[QUEUES_MAX];
	unsigned queue_count;
	bool waits, is_listed, has_left;
	char *announce, *music, *exit_keys;
	const char *outbound_uuid; /* of the member that it is, owned; NULL: none */
	struct fifo_consumer me;
};

/* ---- whom ---- */

/* names: with marks; what is from outside parts nothing and has no importance */
static ON_CTL void queues_read(struct service *s, const char *names)
{
	struct sv rest = sv_of(names), one, name, importance;
	while (rest.n && s->queue_count < QUEUES_MAX) {
		sv_split(rest, ',', &one, &rest);
		bool has_importance = sv_split(sv_trim(one), '!', &name, &importance);
		char *plain = mark_strip_dup(name), *number = has_importance ? mark_strip_dup(importance) : NULL;
		struct fifo *f;
		if (plain && !fifo_get(plain, &f)) {
			if (number)
				f->importance = (int)str_number(number, 0, 1000000);
			s->queue[s->queue_count++] = f;
		}
		mem_free(plain);
		mem_free(number);
	}
}

/* Is a's caller to be served before b's, by fifo_strategy? Without one the more important queue, else the one that was
 * named first. */
static ON_CTL bool is_before(const char *strategy, const struct fifo_caller *a, const struct fifo_caller *b)
{
	if (strategy && !strcasecmp(strategy, "waiting_longer"))
		return a->since_us < b->since_us;
	if (strategy && !strcasecmp(strategy, "more_ppl") && a->fifo->caller_count != b->fifo->caller_count)
		return a->fifo->caller_count > b->fifo->caller_count;
	return a->fifo->importance > b->fifo->importance;
}

static ON_CTL struct fifo_caller *next_caller(struct service *s)
{
	const char *uuid = vars_get(s->leg->vars, "fifo_bridge_uuid"),
	           *order = vars_get(s->leg->vars, "fifo_pop_order"),
	           *strategy = vars_get(s->leg->vars, "fifo_strategy");
	struct fifo_caller *best = NULL;
	for (unsigned i = 0; i < s->queue_count; i++) {
		struct fifo_caller *c = fifo_caller_next(s->queue[i], uuid, order);
		if (c && (!best || is_before(strategy, c, best)))
			best = c;
	}
	return best;
}

/* ---- waiting ---- */

static bool idle_goes_on(struct leg *leg, void *arg)
{
	struct service *s = arg;
	char digit;
	role_assert_co();
	while (!s->has_left && leg_dtmf_take(leg, &digit, NULL))
		s->has_left = strchr(s->exit_keys, digit) != NULL;
	return !s->has_left && !next_caller(s);
}

static CO int idle(struct service *s)
{
	struct leg_watch watch = {idle_goes_on, s};
	int st = ST_OK;
	s->me.status = "WAITING";
	s->me.target[0] = 0;
	if (s->music) {
		st = leg_play_watched(s->leg, s->music, &watch);
		if (st && st != ST_HANGUP && st != ST_CANCELLED) {
			mem_free(s->music);
			s->music = NULL;
			st = ST_OK;
		}
	} else if (idle_goes_on(s->leg, s)) {
		st = leg_wait(s->leg, -1);
	}
	return st;
}

/* ---- one call ---- */

static ON_CTL void consumer_headers(const struct service *s, struct event *e)
{
	if (!s->outbound_uuid)
		return;
	event_add(e, "FIFO-Consumer-Outbound-ID", s->outbound_uuid);
	event_addf(e, "FIFO-Consumer-Use-Count", "%u", fifo_use_count(s->outbound_uuid));
}

static ON_CTL void tell_start(const struct service *s, struct fifo *f, struct leg *caller)
{
	struct event *e = fifo_event(f, s->leg, "channel-consumer-start");
	if (e) {
		event_add(e, "FIFO-Type", "onhook");
		if (s->outbound_uuid) {
			event_add(e, "FIFO-Caller-CID-Name", s->leg->profile->caller_id_name);
			event_add(e, "FIFO-Caller-CID-Number", s->leg->profile->caller_id_number);
		}
		consumer_headers(s, e);
		event_fire(e);
	}
	e = fifo_event(f, s->leg, "bridge-consumer-start");
	if (e) {
		consumer_headers(s, e);
		event_fire(e);
	}
	fifo_tell(f, caller, "bridge-caller-start");
}

static ON_CTL void tell_stop(
    const struct service *s, struct fifo *f, struct leg *caller, const struct fifo_talk talks[2])
{
	struct event *e = fifo_event(f, s->leg, "channel-consumer-stop");
	if (e) {
		event_add(e, "FIFO-Type", "onhook");
		consumer_headers(s, e);
		fifo_tell_talk(e, "Consumer", &talks[0], true);
		event_fire(e);
	}
	e = fifo_event(f, s->leg, "bridge-consumer-stop");
	if (e) {
		consumer_headers(s, e);
		event_fire(e);
	}
	e = fifo_event(f, caller, "bridge-caller-stop");
	if (e) {
		fifo_tell_talk(e, "Caller", &talks[1], false);
		event_fire(e);
	}
	fifo_lamp(f);
}

static ON_CTL void mark_roles(struct leg *consumer, struct leg *caller, int64_t start_us)
{
	struct leg *legs[2] = {consumer, caller};
	char stamp[CLOCK_STAMP_CHARS];
	clock_stamp(start_us / 1000000, stamp);
	for (int i = 0; i < 2; i++) {
		leg_var_set(legs[i], "fifo_status", "TALKING");
		leg_var_set(legs[i], "fifo_target", legs[!i]->uuid);
		leg_var_set(legs[i], "fifo_timestamp", stamp);
		leg_var_set_int(legs[i], "fifo_epoch_start_bridge", start_us / 1000000);
		leg_var_set(legs[i], "fifo_role", i ? "caller" : "consumer");
		leg_var_set(legs[i], "fifo_initiated_bridge", "true");
		leg_var_set(legs[i], "fifo_bridge_role", i ? "caller" : "consumer");
	}
	leg_var_set(caller, "fifo_serviced_by", consumer->uuid);
	leg_var_set(caller, "fifo_serviced_uuid", consumer->uuid);
}

static CO void record(struct leg *consumer, struct leg *caller)
{
	char *text = leg_text_dup(consumer, "fifo_record_template"), *path = NULL;
	if (!text)
		text = leg_text_dup(caller, "fifo_record_template");
	if (text && !expand(caller, text, &path) && leg_is_up(consumer) && leg_record_start(consumer, path, 0, NULL))
		leg_log(consumer, LOG_ERR, "fifo: the call cannot be recorded: see fifo_record_template");
	mem_free(path);
	mem_free(text);
}

static ON_CTL int64_t hold_us(const struct leg *leg)
{
	return leg->profile ? leg->profile->times.hold_accum : 0;
}

/* The caller has hibernated: the two talk. */
static CO void talk(struct service *s, struct fifo_caller *c)
{
	struct leg *consumer = s->leg, *caller = c->leg;
	struct fifo_bridge b = {.caller = caller, .consumer = consumer, .start_us = clock_wall_us()};
	int64_t held[2] = {hold_us(consumer), hold_us(caller)}, mono_us;
	int st = leg_exec_adopt(caller);
	if (st) {
		leg_log(consumer, LOG_ERR, "fifo: the caller cannot be had: %s", status_text(st));
		leg_hangup(caller, CAUSE_NORMAL_TEMPORARY_FAILURE);
		return;
	}
	record(consumer, caller);
	bridge_show_ids(consumer, caller);
	mark_roles(consumer, caller, b.start_us);
	fifo_lamp(c->fifo);
	fifo_use_add(s->outbound_uuid, 1);
	list_push(&c->fifo->bridges, &b.link);
	s->me.status = "TALKING";
	s->me.since_us = b.start_us;
	snprintf(s->me.target, sizeof(s->me.target), "%s", caller->uuid);
	tell_start(s, c->fifo, caller);
	mono_us = clock_mono_us();
	st = bridge_wait(consumer, caller);
	if (st && st != ST_HANGUP)
		leg_log(consumer, LOG_ERR, "fifo: %s and %s cannot be joined: %s", consumer->name, caller->name,
		    status_text(st));
	list_remove(&b.link);
	fifo_use_add(s->outbound_uuid, -1);
	mono_us = clock_mono_us() - mono_us;
	struct fifo_talk talks[2] = {
	    {b.start_us, mono_us, hold_us(consumer) - held[0]}, {b.start_us, mono_us, hold_us(caller) - held[1]}};
	s->me.status = "WAITING";
	tell_stop(s, c->fifo, caller, talks);
	bool is_over = leg_is_ready(caller);
	leg_exec_release(caller);
	if (is_over)
		leg_hangup(caller, CAUSE_NORMAL_CLEARING);
}

/* Takes him out of his queue, and serves him. */
static CO void serve(struct service *s, struct fifo_caller *c)
{
	struct leg *consumer = s->leg;
	char *own = leg_text_dup(c->leg, "fifo_override_announce");
	struct event *e;
	mem_ref(c);
	fifo_caller_leave(c);
	if (c->dial_uuid[0] && strcmp(c->dial_uuid, vars_get(consumer->vars, "fifo_originate_uuid") ?: ""))
		fifo_dial_cancel(c);
	c->is_there = false;
	c->consumer = consumer;
	leg_var_set(consumer, "fifo_bridge_uuid", NULL);
	fifo_tell(c->fifo, c->leg, "caller_pop");
	e = fifo_event(c->fifo, consumer, "consumer_pop");
	if (e) {
		event_add(e, "FIFO-Caller-UUID", c->leg->uuid);
		event_fire(e);
	}
	leg_wake(c->leg);
	if (own || s->announce)
		(void)leg_play(consumer, own ? own : s->announce, "none", NULL);
	int st = ST_OK;
	while (!st && leg_is_ready(consumer) && !c->is_there && !c->is_gone && leg_is_up(c->leg))
		st = leg_wait(consumer, SERVICE_LIMIT_US);
	if (c->is_there && leg_is_up(c->leg) && leg_is_ready(consumer)) {
		talk(s, c);
	} else if (c->is_there && leg_is_up(c->leg)) { /* he came and the consumer went: nobody else looks after him */
		leg_hangup(c->leg, CAUSE_NORMAL_CLEARING);
	} else if (c->consumer == consumer && !c->is_gone && leg_is_up(c->leg)) {
		fifo_caller_push(c, true); /* he waits on, first of his slot */
		fifo_wake_consumers(c->fifo);
		leg_wake(c->leg);
	}
	if (c->consumer == consumer)
		c->consumer = NULL; /* borrowed: he may look at it after this leg is gone */
	mem_free(own);
	mem_unref(c);
}

/* ---- between two calls ---- */

struct wrapup {
	const char *key;
	int64_t until_us;
	bool is_over;
};
static bool wrapup_goes_on(struct leg *leg, void *arg)
{
	struct wrapup *w = arg;
	char digit;
	role_assert_co();
	while (!w->is_over && leg_dtmf_take(leg, &digit, NULL))
		w->is_over = w->key && strchr(w->key, digit);
	w->is_over = w->is_over || (w->until_us && clock_mono_us() >= w->until_us);
	return !w->is_over;
}

/* fifo_consumer_wrapup_sound; then fifo_consumer_wrapup_time milliseconds pass, or the key is pressed. */
static CO void wrap_up(struct service *s)
{
	struct leg *leg = s->leg;
	char *sound = leg_text_dup(leg, "fifo_consumer_wrapup_sound"),
	     *key = mem_strdup(vars_get(leg->vars, "fifo_consumer_wrapup_key"));
	int64_t ms = str_number(vars_get(leg->vars, "fifo_consumer_wrapup_time"), 0, 86400000);
	struct wrapup w = {.key = key, .until_us = ms ? clock_mono_us() + clock_us_of_ms(ms) : 0};
	struct leg_watch watch = {wrapup_goes_on, &w};
	int st = ST_OK;
	leg_var_set(leg, "fifo_status", "WRAPUP");
	s->me.status = "WRAPUP";
	fifo_tell(s->queue[0], leg, "consumer_wrapup");
	if (sound)
		st = leg_play_watched(leg, sound, &watch);
	while ((key || ms) && st != ST_HANGUP && st != ST_CANCELLED && leg_is_ready(leg) && wrapup_goes_on(leg, &w))
		st = leg_wait(leg, w.until_us ? w.until_us - clock_mono_us() : -1);
	if (leg_is_ready(leg)) {
		leg_var_set(leg, "fifo_status", "WAITING");
		if (key || ms || sound)
			fifo_tell(s->queue[0], leg, "consumer_reentrance");
	}
	mem_free(sound);
	mem_free(key);
}

static CO void run(struct service *s)
{
	struct leg *leg = s->leg;
	int st = ST_OK;
	fifo_tell(s->queue[0], leg, "consumer_start");
	leg_var_set(leg, "fifo_status", "WAITING");
	while (!st && leg_is_ready(leg) && !s->has_left) {
		struct fifo_caller *c = next_caller(s);
		if (c) {
			serve(s, c);
			if (!s->waits)
				break;
			if (leg_is_ready(leg))
				wrap_up(s);
		} else if (s->waits) {
			st = idle(s);
		} else {
			break;
		}
	}
	fifo_tell(s->queue[0], leg, "consumer_stop");
}

static ON_CTL void consumers_link(struct service *s)
{
	s->me = (struct fifo_consumer){.leg = s->leg,
	    .status = "WAITING",
	    .since_us = clock_wall_us(),
	    .queues = s->queue,
	    .queue_count = s->queue_count};
	list_push(&s->queue[0]->consumers, &s->me.link);
	s->queue[0]->consumer_count++;
}

int fifo_out(struct leg *leg, const struct app_words *words)
{
	struct service s = {.leg = leg};
	const char *keys = vars_get(leg->vars, "fifo_consumer_exit_key"), *how = words->n > 2 ? words->w[2] : "wait";
	if (strcasecmp(how, "wait") && strcasecmp(how, "nowait"))
		return ST_INVAL;
	s.waits = !strcasecmp(how, "wait");
	queues_read(&s, words->m[0]);
	int st = s.queue_count ? leg_answer(leg) : ST_INVAL;
	if (st)
		return st;
	s.announce = fifo_source(leg, words, 3, "fifo_announce");
	s.music = fifo_source(leg, words, 4, "fifo_music");
	s.exit_keys = mem_strdup(keys ? keys : "*");
	char *outbound = mem_strdup(vars_get(leg->vars, "fifo_outbound_uuid"));
	s.outbound_uuid = outbound;
	if (s.exit_keys) {
		if (s.waits)
			consumers_link(&s);
		run(&s);
		if (s.waits) {
			list_remove(&s.me.link);
			s.queue[0]->consumer_count--;
		}
	}
	struct fifo_member *m = outbound ? fifo_member_find(NULL, outbound) : NULL;
	if (m) {
		fifo_member_rest(m, false);
		if (leg_is_up(leg))
			fifo_track(leg, m);
	}
	mem_free(outbound);
	mem_free(s.announce);
	mem_free(s.music);
	mem_free(s.exit_keys);
	return leg_is_up(leg) ? ST_OK : ST_HANGUP;
}
