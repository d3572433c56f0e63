/* Wake-up calls. One coroutine knows when the next of all is due and sleeps until then, a few seconds at most, so that
 * it sees a wall clock that was set: what was due meanwhile rings at once, if it is not over wake-grace late (then it
 * is told as missed); what rang already does not ring again when the clock goes back. Each call is a coroutine of its
 * own: it rings the user's phones, plays wake-sound and the time, and takes a key as "I am awake"; otherwise it tries
 * again later. How each went is told as CUSTOM features::wake. */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/zone.h"
#include "core/dial/originate.h"
#include "core/event/event.h"
#include "core/keys/digits.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/say.h"
#include "core/value/cause.h"
#include "features/features_i.h"
#include "loop/co.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_US = 15000000, CALLS_MAX = 200, STEP_S = 3600, DAY_S = 86400 };

struct wake { /* as of the last look at the table */
	struct lnode link;
	char *user, *name, *value;
	int64_t due_s, rang_s; /* wall clock; due_s -1: to be reckoned, 0: never; rang_s: the time it rang for */
	bool is_seen, has_rung;
};
struct wake_call {
	char *user, *name;
	int64_t due_s;
};
static struct list wakes;
static struct co_wait changed;
static bool is_on, is_dirty, is_running;
static unsigned call_count;
static int64_t looked_s; /* wall clock of the last look */

static void wake_free(struct wake *w)
{
	mem_free(w->user);
	mem_free(w->name);
	mem_free(w->value);
	mem_free(w);
}

static ON_CTL void tell(const char *user, const char *name, const char *action, unsigned attempt, int64_t due_s)
{
	struct event *e;
	char stamp[CLOCK_STAMP_CHARS];
	log_info("wake-up of %s (%s): %s", user, clock_stamp(due_s, stamp), action);
	if (!event_is_wanted(EVENT_CUSTOM, "features::wake") || !(e = event_new(EVENT_CUSTOM, "features::wake")))
		return;
	event_add(e, "Wake-User", user);
	event_add(e, "Wake-Name", name);
	event_add(e, "Wake-Action", action);
	event_addf(e, "Wake-Epoch", "%" PRId64, due_s);
	if (attempt)
		event_addf(e, "Wake-Attempt", "%u", attempt);
	event_fire(e);
}

/* ---- the call ---- */

/* With a leg that answered: true when somebody says that he is awake. */
static CO bool speak(struct leg *leg)
{
	struct leg_digits d = {.prompt = feature_param("wake-sound"), .terminators = ""};
	struct leg_play_end end = {.terminators = "any"};
	struct say_request now = {.type = "CURRENT_TIME", .method = "PRONOUNCED", .text = ""};
	char epoch[24];
	if (leg_exec_adopt(leg))
		return false;
	snprintf(epoch, sizeof(epoch), "%" PRId64, clock_wall_us() / 1000000);
	now.text = epoch;
	leg_digits_limit(&d, 1, 1, 10000, 0);
	int st = leg_digits_read(leg, &d);
	if (st != ST_HANGUP)
		(void)leg_say(leg, &now, &end);
	if (!d.count && leg_is_up(leg) && !end.digit)
		(void)leg_digits_collect(leg, &d);
	bool is_awake = d.count || end.digit || !strcmp(feature_param("wake-confirm"), "false");
	leg_exec_release(leg);
	leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	return is_awake;
}

static CO bool ring(const struct wake_call *w, unsigned attempt)
{
	struct leg *leg = NULL;
	enum cause cause = CAUSE_NONE;
	char *target = mem_alloc(strlen(w->user) + 6);
	bool is_awake = false;
	if (!target)
		return false;
	snprintf(target, strlen(w->user) + 6, "user/%s", w->user); /* the directory's own spelling */
	struct originate_conf conf = {.dialstring = target,
	    .caller_id_name = "wake-up",
	    .caller_id_number = feature_param("wake-number"),
	    .timeout_s = (unsigned)atoi(feature_param("wake-ring-time"))};
	tell(w->user, w->name, "ringing", attempt, w->due_s);
	int st = originate_run(&conf, &leg, &cause);
	mem_free(target);
	if (!st && leg) {
		tell(w->user, w->name, "answered", attempt, w->due_s);
		is_awake = speak(leg);
	}
	mem_unref(leg);
	return is_awake;
}

static void call_run(void *arg)
{
	role_assert_co();
	struct wake_call *w = arg;
	unsigned tries = (unsigned)atoi(feature_param("wake-tries")), attempt = 1;
	int64_t after_us = clock_us_of_s(atoi(feature_param("wake-retry-after")));
	bool is_awake = ring(w, attempt);
	while (!is_awake && attempt < tries && is_on && co_sleep(after_us) == ST_OK && is_on)
		is_awake = ring(w, ++attempt);
	tell(w->user, w->name, is_awake ? "awake" : "failed", attempt, w->due_s);
	if (!is_awake)
		log_warning("wake-up of %s: nobody said that he is awake, %u times", w->user, attempt);
	mem_free(w->user);
	mem_free(w->name);
	mem_free(w);
	call_count--;
}

static CO void call_begin(const struct wake *w)
{
	struct wake_call *c = call_count < CALLS_MAX ? mem_zalloc(sizeof(*c)) : NULL;
	if (c)
		*c = (struct wake_call){mem_strdup(w->user), mem_strdup(w->name), w->due_s};
	if (c && c->user && c->name) {
		call_count++;
		if (!co_spawn("wake-up", call_run, c, NULL))
			return;
		call_count--;
	}
	if (c) {
		mem_free(c->user);
		mem_free(c->name);
		mem_free(c);
	}
	tell(w->user, w->name, "failed", 0, w->due_s);
}

/* ---- when ---- */

/* The user's zone, else the configuration's, else the machine's (false). */
static CO bool zone_of(const struct feature_user *u, struct tz *zone)
{
	const char *name = feature_user_var(u, "timezone");
	char copy[64];
	if (!name || !*name)
		name = feature_param("timezone");
	snprintf(copy, sizeof(copy), "%s", name);
	return *copy && zone_find(copy, zone) == ST_OK;
}

/* Its next time after the given one; "once" becomes a day. */
static CO void reckon(struct wake *w, int64_t after_s)
{
	struct feature_user *u;
	struct tz zone;
	char dated[FEATURE_VALUE_MAX];
	w->due_s = 0;
	if (feature_user_find(sv_of(w->user), SV_NONE, &u))
		return; /* he is not in the directory (any more) */
	const struct tz *z = zone_of(u, &zone) ? &zone : NULL;
	w->due_s = feature_wake_next(sv_of(w->value), after_s, z);
	if (w->due_s && strstr(w->value, "once") && !feature_wake_dated(sv_of(w->value), w->due_s, z, dated)) {
		char *copy = mem_strdup(dated);
		if (copy) {
			mem_free(w->value);
			w->value = copy;
			(void)feature_set(u, sv_of(w->name), dated, "wake");
		}
	}
	feature_user_free(u);
}

static CO void over(const struct wake *w)
{
	struct feature_user *u;
	if (feature_user_find(sv_of(w->user), SV_NONE, &u))
		return;
	(void)feature_set(u, sv_of(w->name), NULL, "wake");
	feature_user_free(u);
}

static ON_CTL struct wake *find(struct sv user, const char *name)
{
	struct lnode *n, *tmp;
	list_each (&wakes, n, tmp) {
		struct wake *w = list_entry(n, struct wake, link);
		if (sv_isi(user, w->user) && !strcmp(w->name, name))
			return w;
	}
	return NULL;
}

static void on_wake(struct sv user, const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	struct wake *w = find(user, name);
	if (w && !strcmp(w->value, value)) {
		w->is_seen = true;
		return;
	}
	if (!w && (w = mem_zalloc(sizeof(*w)))) {
		w->user = sv_dup(user), w->name = mem_strdup(name);
		list_push(&wakes, &w->link);
	}
	if (!w)
		return;
	mem_free(w->value);
	w->value = mem_strdup(value);
	w->is_seen = w->user && w->name && w->value;
	w->due_s = -1; /* to be reckoned */
}

/* The list follows the table. */
static ON_CTL void follow(void)
{
	struct lnode *n, *tmp;
	is_dirty = false;
	list_each (&wakes, n, tmp)
		list_entry(n, struct wake, link)->is_seen = false;
	feature_kind_each("wake", on_wake, NULL);
	list_each (&wakes, n, tmp) {
		struct wake *w = list_entry(n, struct wake, link);
		if (!w->is_seen) {
			list_remove(n);
			wake_free(w);
		}
	}
}

/* Those that are due ring; when the clock was set back every time is reckoned anew. */
static CO void look(int64_t now_s)
{
	int64_t grace_s = atoi(feature_param("wake-grace"));
	bool was_set_back = looked_s && now_s < looked_s - STEP_S;
	struct lnode *n, *tmp;
	looked_s = now_s;
	list_each (&wakes, n, tmp) {
		struct wake *w = list_entry(n, struct wake, link);
		if (w->due_s > 0 && w->due_s <= now_s) {
			if (now_s - w->due_s <= grace_s)
				call_begin(w);
			else
				tell(w->user, w->name, "missed", 0, w->due_s);
			w->rang_s = w->due_s;
			w->due_s = -1;
			w->has_rung = true;
		} else if (was_set_back) {
			if (w->rang_s > now_s + DAY_S)
				w->rang_s = 0; /* it rang in a future that was none */
			w->due_s = -1;
		}
	}
}

static ON_CTL struct wake *unreckoned(void)
{
	struct lnode *n, *tmp;
	list_each (&wakes, n, tmp) {
		if (list_entry(n, struct wake, link)->due_s < 0)
			return list_entry(n, struct wake, link);
	}
	return NULL;
}

/* Waits within; only this coroutine changes the list. One that will never be due again goes. */
static CO void reckon_all(int64_t now_s)
{
	struct wake *w;
	while ((w = unreckoned())) {
		reckon(w, now_s > w->rang_s ? now_s : w->rang_s);
		if (!w->due_s && w->has_rung)
			over(w);
	}
}

static ON_CTL int64_t until_next(int64_t now_us)
{
	int64_t wait_us = LOOK_US;
	struct lnode *n, *tmp;
	list_each (&wakes, n, tmp) {
		const struct wake *w = list_entry(n, struct wake, link);
		int64_t left_us = clock_us_of_s(w->due_s) - now_us;
		if (w->due_s > 0 && left_us < wait_us)
			wait_us = left_us > 1000 ? left_us : 1000;
	}
	return wait_us;
}

static void run(void *arg)
{
	role_assert_co();
	while (is_on) {
		if (is_dirty)
			follow();
		look(clock_wall_us() / 1000000);
		reckon_all(clock_wall_us() / 1000000);
		if (is_dirty)
			continue;
		int st = co_wait_or_stop(&changed, list_first(&wakes) ? until_next(clock_wall_us()) : -1);
		if (st == ST_CANCELLED)
			break;
	}
	is_running = false;
	while (list_first(&wakes)) {
		struct wake *w = list_entry(list_first(&wakes), struct wake, link);
		list_remove(&w->link);
		wake_free(w);
	}
}

void wake_changed(void)
{
	is_dirty = true;
	if (is_running)
		co_signal(&changed, ST_OK);
}

void wake_list(struct buf *out)
{
	char stamp[CLOCK_STAMP_CHARS];
	struct lnode *n, *tmp;
	buf_adds(out, "user,name,value,next\n");
	list_each (&wakes, n, tmp) {
		const struct wake *w = list_entry(n, struct wake, link);
		buf_printf(
		    out, "%s,%s,%s,%s\n", w->user, w->name, w->value, w->due_s > 0 ? clock_stamp(w->due_s, stamp) : "");
	}
}

int wake_start(void)
{
	is_on = is_dirty = true;
	if (is_running) /* stopped a moment ago: it goes on, its list follows the new table */
		return ST_OK;
	list_init(&wakes);
	is_running = true;
	looked_s = 0;
	int st = co_spawn("wake-ups", run, NULL, NULL);
	if (st)
		is_on = is_running = false;
	return st;
}

int wake_stop(void)
{
	if (call_count)
		return ST_BUSY;
	is_on = false;
	if (is_running)
		co_signal(&changed, ST_OK);
	return ST_OK;
}
