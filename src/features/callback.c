/* Call-back on busy, on no answer, and when a phone comes back (CCBS, CCNR, CCNL of a telephone network): a user who
 * did not reach another asks for it (callback_app.c), and is called when the other can be reached and he is free
 * himself; when he takes that call it goes on as his own call of that number, through his dialplan. What is asked for
 * is a feature of the table, "callback:NUMBER", so it outlives a restart, is told, listed and cleared like any other.
 *
 *   table.c -> callback_note -> list -> run: one coroutine, woken by a lamp of one of the two (presence), a change of
 *                                       features, or the nearest moment (free long enough, asked too long ago)
 *
 * Free is who has no call that lamps would show. For a busy one nobody saw in a call (his phone alone knew) some time
 * counts in place of it; after no answer he must have been in a call meanwhile: somebody is there. Who asked first is
 * called first, and nobody else of those who wait for the same user until that call is over. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "features/features_i.h"
#include "loop/co.h"
#include "presence/presence.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_US = 15000000, SETTLE_US = 5000000, CALLS_MAX = 200, CALLBACKS_MAX = 10000 };
struct callback {
	struct lnode link;
	char *user, *name; /* user@domain, callback:NUMBER */
	char reason[16];
	int64_t until_s;                /* wall clock */
	struct feature_user *from, *to; /* NULL: not looked for yet */
	struct presence_watch at_from, at_to;
	bool is_known, is_gone, is_calling, was_in_call;
	int64_t free_us;    /* monotonic, since when both are free; 0: they are not */
	int64_t settled_us; /* not before: another one was just called back to the same user */
	int64_t due_us;     /* monotonic; 0: nothing to wait for but a change */
};
struct callback_call {
	char *user, *name;
	bool is_joined;
};
static struct list callbacks;
static struct co_wait changed;
static bool is_on, is_running;
static unsigned callback_count, call_count;

static ON_CTL void tell(const struct feature_user *u, const char *name, const char *action)
{
	struct event *e;
	log_info("call-back of %s@%s (%s): %s", feature_user_id(u), feature_user_domain(u), name, action);
	if (!event_is_wanted(EVENT_CUSTOM, "features::callback") ||
	    !(e = event_new(EVENT_CUSTOM, "features::callback")))
		return;
	event_add(e, "Callback-User", feature_user_id(u));
	event_add(e, "Callback-Domain", feature_user_domain(u));
	event_add(e, "Callback-Number", strchr(name, ':') + 1);
	event_add(e, "Callback-Action", action);
	event_fire(e);
}

/* ---- the list ---- */

static ON_CTL void callback_free(struct callback *c)
{
	list_remove(&c->link);
	presence_watch_del(&c->at_from);
	presence_watch_del(&c->at_to);
	feature_user_free(c->from);
	feature_user_free(c->to);
	mem_free(c->user);
	mem_free(c->name);
	mem_free(c);
	callback_count--;
}

static ON_CTL struct callback *find(struct sv user, struct sv name)
{
	struct lnode *n, *tmp;
	list_each (&callbacks, n, tmp) {
		struct callback *c = list_entry(n, struct callback, link);
		if (!c->is_gone && sv_isi(user, c->user) && sv_isi(name, c->name))
			return c;
	}
	return NULL;
}

/* Who asked first is in front: after a restart by the moment until which it holds. */
static ON_CTL void place(struct callback *c)
{
	struct lnode *at = callbacks.head.prev;
	while (at != &callbacks.head && list_entry(at, struct callback, link)->until_s > c->until_s)
		at = at->prev;
	list_insert(&c->link, at, at->next);
}

void callback_note(struct sv user, struct sv name, const char *value)
{
	struct callback *c = is_on ? find(user, name) : NULL;
	struct sv until, reason;
	uint64_t s = 0;
	sv_split(sv_of(value), ' ', &until, &reason);
	if (!is_on)
		return;
	if (c && !*value)
		c->is_gone = true;
	if (!c && *value && callback_count < CALLBACKS_MAX && (c = mem_zalloc(sizeof(*c)))) {
		callback_count++;
		c->user = sv_dup(user);
		c->name = sv_dup(name);
		c->is_gone = !c->user || !c->name;
		c->until_s = sv_u64(until, &s) ? 0 : (int64_t)s;
		place(c);
	}
	if (c && *value) {
		c->until_s = sv_u64(until, &s) ? 0 : (int64_t)s;
		snprintf(c->reason, sizeof(c->reason), "%.*s", SVF(sv_trim(reason)));
	}
	callback_look();
}

void callback_look(void)
{
	if (is_running && !list_empty(&callbacks))
		co_signal(&changed, ST_OK);
}

static void on_presence(struct presence_watch *w)
{
	role_assert_ctl();
	(void)w;
	callback_look();
}

/* ---- when ---- */

static ON_CTL void watch(struct presence_watch *w, const struct feature_user *u)
{
	struct sv at = sv_of(feature_phone_of(u));
	if (w->entity && sv_isi(at, w->entity->user))
		return;
	presence_watch_del(w);
	(void)presence_watch_add(w, SV_NONE, at, sv_of(feature_user_domain(u)), on_presence);
}

/* Somebody is being called back to the same user, or the same user is being called. */
static ON_CTL bool is_taken(const struct callback *mine)
{
	struct lnode *n, *tmp;
	list_each (&callbacks, n, tmp) {
		const struct callback *c = list_entry(n, struct callback, link);
		if (c != mine && c->is_calling && c->to &&
		    (!strcasecmp(c->user, mine->user) ||
		        (!strcasecmp(feature_user_id(c->to), feature_user_id(mine->to)) &&
		            !strcasecmp(feature_user_domain(c->to), feature_user_domain(mine->to)))))
			return true;
	}
	return false;
}

static ON_CTL bool is_reachable(const struct feature_user *u)
{
	return presence_is_reachable(sv_of(feature_phone_of(u)), sv_of(feature_user_domain(u)));
}

/* Reckons free_us and due_us anew. */
static ON_CTL void reckon(struct callback *c, int64_t now_us)
{
	bool is_unreachable = !strcmp(c->reason, "unreachable"), is_noanswer = !strcmp(c->reason, "noanswer");
	const char *after = "callback-delay";
	c->due_us = 0;
	watch(&c->at_from, c->from);
	watch(&c->at_to, c->to);
	c->was_in_call = c->was_in_call || feature_is_in_call(c->at_to.entity, false);
	if (feature_is_in_call(c->at_to.entity, true) || feature_is_in_call(c->at_from.entity, true) ||
	    feature_is_on(c->to, "dnd") || (is_unreachable && !is_reachable(c->to))) {
		c->free_us = 0;
		return;
	}
	if (!c->free_us)
		c->free_us = now_us;
	if (!c->was_in_call && is_noanswer)
		return;
	if (!c->was_in_call && !is_unreachable)
		after = "callback-retry-after";
	c->due_us = c->free_us + clock_us_of_s(str_number(feature_param(after), 0, 86400));
	if (c->due_us < c->settled_us)
		c->due_us = c->settled_us;
}

/* ---- the call ---- */

/* It goes on as the user's own call. */
static CO int join(struct leg *leg, const struct feature_user *u, const char *number)
{
	char *exten = mark_dup(number);
	const char *context = feature_user_var(u, "user_context");
	struct buf who;
	buf_init(&who);
	buf_printf(&who, "%s@%s", feature_user_id(u), feature_user_domain(u));
	int st = exten && !who.failed ? leg_exec_adopt(leg) : ST_NOMEM;
	if (!st) {
		if (leg->profile) {
			leg_profile_set(&leg->profile->caller_id_number, feature_user_id(u));
			leg_profile_set(&leg->profile->caller_id_name, feature_user_id(u));
		}
		(void)leg_exec_app(leg, "set_user", who.p); /* the directory's own spelling */
		leg_var_set(leg, "user_name", feature_user_id(u));
		leg_var_set(leg, "domain_name", feature_user_domain(u));
		leg_var_setf(leg, "feature_callback", "%s@%s", number, feature_user_domain(u));
		st = leg_transfer(leg, exten, "XML", context ? context : "default");
		leg_exec_release(leg);
	}
	buf_fini(&who);
	mem_free(exten);
	return st;
}

/* True: he took it, and is on his way to the number. */
static CO bool ring(const struct feature_user *u, const char *number)
{
	struct leg *leg = NULL;
	enum cause cause = CAUSE_NONE;
	struct buf target;
	buf_init(&target);
	buf_printf(
	    &target, "user/%s@%s", feature_phone_of(u), feature_user_domain(u)); /* the directory's own spelling */
	struct originate_conf conf = {.dialstring = target.failed ? "" : target.p,
	    .caller_id_name = feature_param("callback-name"),
	    .caller_id_number = number,
	    .timeout_s = (unsigned)str_number(feature_param("callback-ring-time"), 1, 300)};
	int st = originate_run(&conf, &leg, &cause);
	buf_fini(&target);
	if (!st && leg)
		st = join(leg, u, number);
	if (st && leg)
		leg_hangup(leg, CAUSE_NORMAL_TEMPORARY_FAILURE);
	bool is_joined = !st && leg;
	mem_unref(leg);
	return is_joined;
}

/* The others who wait for the same user do so until lamps show the call. */
static ON_CTL void settle(const struct callback *done)
{
	struct lnode *n, *tmp;
	list_each (&callbacks, n, tmp) {
		struct callback *c = list_entry(n, struct callback, link);
		if (c->to && done->to && !strcasecmp(feature_user_id(c->to), feature_user_id(done->to)))
			c->settled_us = clock_mono_us() + SETTLE_US;
	}
}

static void call_run(void *arg)
{
	role_assert_co();
	struct callback_call *call = arg;
	struct feature_user *u = NULL;
	const char *number = strchr(call->name, ':') + 1;
	if (!feature_user_find(sv_of(call->user), SV_NONE, &u)) {
		tell(u, call->name, "ringing");
		call->is_joined = ring(u, number);
		tell(u, call->name, call->is_joined ? "joined" : "unanswered");
		struct callback *c = is_on ? find(sv_of(call->user), sv_of(call->name)) : NULL;
		if (c && c->is_calling) {
			settle(c);
			(void)feature_set(u, sv_of(call->name), NULL, "callback");
		}
	}
	feature_user_free(u);
	mem_free(call->user);
	mem_free(call->name);
	mem_free(call);
	call_count--;
	callback_look();
}

static CO void call_begin(struct callback *c)
{
	struct callback_call *call = call_count < CALLS_MAX ? mem_zalloc(sizeof(*call)) : NULL;
	if (!call)
		return; /* again at the next look */
	call->user = mem_strdup(c->user), call->name = mem_strdup(c->name);
	c->is_calling = call->user && call->name;
	if (c->is_calling) {
		call_count++;
		if (!co_spawn("call-back", call_run, call, NULL))
			return;
		call_count--;
		c->is_calling = false;
	}
	mem_free(call->user);
	mem_free(call->name);
	mem_free(call);
}

/* ---- the coroutine ---- */

static ON_CTL struct callback *unknown(void)
{
	struct lnode *n, *tmp;
	list_each (&callbacks, n, tmp) {
		struct callback *c = list_entry(n, struct callback, link);
		if (!c->is_gone && !c->is_known)
			return c;
	}
	return NULL;
}

/* Waits within: only this coroutine frees what is listed. */
static CO void know_all(void)
{
	struct callback *c;
	while (is_on && (c = unknown())) {
		struct feature_user *from = NULL, *to = NULL;
		c->is_known = true;
		if (!feature_user_find(sv_of(c->user), SV_NONE, &from))
			(void)feature_user_find(sv_of(strchr(c->name, ':') + 1), sv_of(feature_user_domain(from)), &to);
		c->from = from, c->to = to;
		if (from && !to)
			(void)feature_set(from, sv_of(c->name), NULL, "callback"); /* there is no such user any more */
		if (!to)
			c->is_gone = true;
	}
}

static CO int64_t look(int64_t now_us, int64_t now_s)
{
	int64_t wait_us = LOOK_US;
	struct lnode *n, *tmp;
	list_each (&callbacks, n, tmp) {
		struct callback *c = list_entry(n, struct callback, link);
		if (c->is_gone || !c->is_known || c->is_calling)
			continue;
		if (now_s >= c->until_s) {
			tell(c->from, c->name, "expired");
			(void)feature_set(c->from, sv_of(c->name), NULL, "callback");
			c->is_gone = true;
			continue;
		}
		reckon(c, now_us);
		if (c->due_us && c->due_us <= now_us) {
			if (is_taken(c))
				continue; /* the end of that call looks again */
			call_begin(c);
		}
		int64_t left_us = clock_us_of_s(c->until_s - now_s);
		if (c->due_us > now_us && c->due_us - now_us < left_us)
			left_us = c->due_us - now_us;
		if (left_us < wait_us)
			wait_us = left_us;
	}
	return wait_us;
}

static ON_CTL void sweep(bool is_all)
{
	struct lnode *n, *tmp;
	list_each (&callbacks, n, tmp) {
		if (is_all || list_entry(n, struct callback, link)->is_gone)
			callback_free(list_entry(n, struct callback, link));
	}
}

static void run(void *arg)
{
	role_assert_co();
	while (is_on) {
		know_all();
		sweep(false);
		int64_t wait_us = look(clock_mono_us(), clock_wall_us() / 1000000);
		if (co_wait_or_stop(&changed, list_empty(&callbacks) ? -1 : wait_us) == ST_CANCELLED)
			break;
	}
	is_running = false;
	sweep(true);
}

void callback_list(struct buf *out)
{
	char stamp[CLOCK_STAMP_CHARS];
	struct lnode *n, *tmp;
	buf_adds(out, "user,number,reason,until,state\n");
	list_each (&callbacks, n, tmp) {
		const struct callback *c = list_entry(n, struct callback, link);
		if (!c->is_gone)
			buf_printf(out, "%s,%s,%s,%s,%s\n", c->user, strchr(c->name, ':') + 1, c->reason,
			    clock_stamp(c->until_s, stamp),
			    c->is_calling ? "calling"
			    : c->due_us   ? "free"
			                  : "waiting");
	}
}

unsigned callback_count_of(const struct feature_user *to)
{
	struct lnode *same, *tmp;
	unsigned n = 0;
	list_each (&callbacks, same, tmp) {
		const struct callback *c = list_entry(same, struct callback, link);
		const char *domain = strchr(c->user, '@');
		n += !c->is_gone && !strcasecmp(strchr(c->name, ':') + 1, feature_user_id(to)) && domain &&
		     !strcasecmp(domain + 1, feature_user_domain(to));
	}
	return n;
}

int callback_start(void)
{
	is_on = true;
	if (is_running) { /* stopped a moment ago: what it had is of the old table */
		struct lnode *n, *tmp;
		list_each (&callbacks, n, tmp)
			list_entry(n, struct callback, link)->is_gone = true;
		return ST_OK;
	}
	list_init(&callbacks);
	callback_count = 0;
	is_running = true;
	int st = co_spawn("call-backs", run, NULL, NULL);
	if (st)
		is_on = is_running = false;
	return st;
}

int callback_stop(void)
{
	if (call_count)
		return ST_BUSY;
	is_on = false;
	if (is_running)
		co_signal(&changed, ST_OK);
	return ST_OK;
}
