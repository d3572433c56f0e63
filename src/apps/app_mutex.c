/* mutex: calls that hold a key one after another, in the order they asked. A key is held until "off", the end of the
 * leg, or nobody else. */
#include "apps/apps_i.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/value/vars.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct holder { /* the first of a key has it, the others wait */
	struct lnode link;
	struct leg *leg; /* borrowed: it leaves at its hang-up */
};
struct mutex {
	struct list holders;
	char *key;
};
static struct hash *mutexes;

static struct holder *first_of(const struct mutex *m)
{
	return list_empty(&m->holders) ? NULL : list_entry(m->holders.head.next, struct holder, link);
}

static struct holder *holder_of(const struct mutex *m, const struct leg *leg)
{
	for (struct lnode *it = m->holders.head.next; it != &m->holders.head; it = it->next) {
		struct holder *h = list_entry(it, struct holder, link);
		if (h->leg == leg)
			return h;
	}
	return NULL;
}

static void mutex_destroy(void *obj)
{
	struct mutex *m = obj;

	while (!list_empty(&m->holders)) {
		struct holder *h = first_of(m);
		list_remove(&h->link);
		mem_free(h);
	}
	mem_free(m->key);
	mem_free(m);
}

/* Leaves the key; the next one has it. The mutex goes with its last holder. */
static ON_CTL void leave(struct mutex *m, const struct leg *leg)
{
	struct holder *h = holder_of(m, leg), *next;
	bool had_it = h && h == first_of(m);

	if (!h)
		return;
	list_remove(&h->link);
	mem_free(h);
	next = first_of(m);
	if (!next)
		hash_del(mutexes, sv_of(m->key));
	else if (had_it)
		leg_wake(next->leg);
}

static ON_CTL void leave_all(const struct leg *leg)
{
	struct hash_it it = {0};

	while (mutexes && hash_next(mutexes, &it))
		leave(it.value, leg);
}

static void hung_up(struct leg *leg, void *arg)
{
	role_assert_ctl();
	leave_all(leg);
}

int mutex_load(void)
{
	int st = hash_new(&mutexes, 0, mutex_destroy);
	return st ? st : leg_hook_add(LEG_HOOK_HANGUP, hung_up, NULL);
}

void mutex_unload(void)
{
	leg_hook_del(LEG_HOOK_HANGUP, hung_up, NULL);
	hash_free(mutexes);
	mutexes = NULL;
}

static ON_CTL int enter(const char *key, struct leg *leg, struct mutex **out)
{
	struct mutex *m = hash_get(mutexes, sv_of(key));
	struct holder *h;

	if (!m) {
		m = mem_zalloc(sizeof(*m));
		if (!m)
			return ST_NOMEM;
		list_init(&m->holders);
		m->key = mem_strdup(key);
		if (!m->key || hash_set(mutexes, sv_of(key), m)) {
			mutex_destroy(m);
			return ST_NOMEM;
		}
	}
	*out = m;
	if (holder_of(m, leg))
		return ST_OK;
	h = mem_zalloc(sizeof(*h));
	if (!h) {
		if (!first_of(m))
			hash_del(mutexes, sv_of(key));
		return ST_NOMEM;
	}
	h->leg = leg;
	list_push(&m->holders, &h->link);
	return ST_OK;
}

struct waiting {
	struct mutex *m;
	int64_t deadline_us; /* 0 = none */
	struct ltimer timer;
	bool has_it, is_timed_out;
};

static void wake(void *arg)
{
	role_assert_ctl();
	leg_wake(arg);
}

static ON_CTL bool look(const struct leg *leg, struct waiting *w)
{
	w->has_it = first_of(w->m)->leg == leg;
	w->is_timed_out = !w->has_it && w->deadline_us && clock_mono_us() >= w->deadline_us;
	return !w->has_it && !w->is_timed_out;
}

static bool still_waits(struct leg *leg, void *arg)
{
	role_assert_co();
	return look(leg, arg);
}

/* Until the key is the leg's; meanwhile mutex_feedback plays. */
static CO int wait_for_key(struct leg *leg, struct waiting *w)
{
	struct leg_watch watch = {still_waits, w};
	const char *timeout = vars_get(leg->vars, "mutex_timeout");
	char *feedback = vars_get(leg->vars, "mutex_feedback") ? leg_text_dup(leg, "mutex_feedback") : NULL;
	long s = timeout ? atol(timeout) : 0;
	int st = ST_OK;

	if (s > 0 && s < 86400) {
		w->deadline_us = clock_mono_us() + clock_us_of_s(s);
		loop_timer_set(&w->timer, clock_us_of_s(s), "mutex timeout", wake, leg);
	}
	while (!st && look(leg, w)) {
		if (feedback && *feedback)
			st = leg_play_watched(leg, feedback, &watch);
		else
			st = leg_wait(leg, -1);
		if (st == ST_NOTFOUND) {
			mem_free(feedback);
			feedback = NULL;
			st = ST_OK;
		}
	}
	loop_timer_cancel(&w->timer);
	mem_free(feedback);
	return st;
}

/* key[ on|off] */
static ON_CTL void to_orbit(struct leg *leg)
{
	char *exten = leg_text_dup(leg, "mutex_orbit_exten"), *dialplan = leg_text_dup(leg, "mutex_orbit_dialplan"),
	     *context = leg_text_dup(leg, "mutex_orbit_context");

	leg_transfer(leg, exten, dialplan, context);
	mem_free(exten);
	mem_free(dialplan);
	mem_free(context);
}

int app_mutex(struct leg *leg, const char *data)
{
	struct waiting w = {0};
	struct app_words words;
	int st = app_words_init(&words, leg_exec_text(leg, data), 2);

	role_assert_co();
	if (st || !words.n) {
		leg_log(leg, LOG_ERR, "mutex: usage: <keyname>[ on|off]");
		st = ST_INVAL;
		goto out;
	}
	if (words.n > 1 && !strcasecmp(words.w[1], "off")) {
		w.m = hash_get(mutexes, sv_of(words.w[0]));
		if (w.m)
			leave(w.m, leg);
		goto out;
	}
	st = enter(words.w[0], leg, &w.m);
	if (st)
		goto out;
	st = wait_for_key(leg, &w);
	if (w.has_it && st != ST_HANGUP)
		goto out;
	w.m = hash_get(mutexes, sv_of(words.w[0])); /* hung up: the hook has left it */
	if (w.m)
		leave(w.m, leg);
	if (w.is_timed_out && vars_get(leg->vars, "mutex_orbit_exten"))
		to_orbit(leg);
	else if (w.is_timed_out)
		leg_log(leg, LOG_WARNING, "mutex: %s did not come free in time", words.w[0]);
out:
	app_words_fini(&words);
	return st == ST_HANGUP || st == ST_INVAL ? st : ST_OK;
}
