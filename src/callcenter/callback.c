/* Call-backs: a caller gives up his line and keeps his place. His member stays in the queue without a leg; when an
 * agent is free for him that agent is reserved and the caller's phone is rung; who answers is in the application again,
 * at his old place, bound to the agent who waits for him. Who does not answer is tried again later, so often as
 * callback-tries says.
 *
 *   key, or a command -> cc_callback_keep / _new -> in the line -> cc_callback_begin: agent Reserved, coroutine dials
 *        -> answers: callcenter QUEUE on that leg -> cc_callback_returning -> he joins, the agent is free for him
 *        -> does not: the agent is free again; later once more, or never
 *
 * The number comes from outside: it is digits (and + * #), and goes into callback-contact as data. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/event/event.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "text/json.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	CALLBACKS_MAX = 10000 /* of a queue */,
	CLOSED_LOOK_US = 60000000,
	STICK_S = 2,
	DIALS_MAX = 500,
	DIAL_MAX_S = 600
};
static unsigned running_count;

unsigned cc_callbacks_running(void)
{
	return running_count;
}

/* ---- what is asked for ---- */

bool cc_callback_can(const struct cc_queue *q, const char *number)
{
	size_t n = number ? strlen(number) : 0, digits = n ? strspn(number + (*number == '+'), "0123456789*#") : 0;
	return q->s.callback_contact && n >= 2 && n <= CC_NUMBER_CHARS && digits == n - (*number == '+') &&
	       q->plus.callback_count < CALLBACKS_MAX;
}

struct naming {
	char *number;
};

static const char *lookup(const char *name, void *arg)
{
	const struct naming *n = arg;
	return strcasecmp(name, "cc_callback_number") ? NULL : n->number;
}

/* The dial string, with the number as data. */
static ON_CTL char *contact_make(const struct cc_queue *q, struct leg *leg, const char *number)
{
	struct naming n = {.number = mark_dup(number)};
	char *contact = NULL;
	if (!n.number || expand_with(leg, lookup, &n, q->s.callback_contact, &contact))
		contact = NULL;
	mem_free(n.number);
	return contact;
}

static ON_CTL void tell(const struct cc_member *m, const char *action)
{
	struct event *e = cc_event(NULL, m->queue, action);
	if (!e)
		return;
	cc_event_member(e, m, "");
	event_add(e, "CC-Callback-Number", m->plus.callback->number);
	event_addf(e, "CC-Callback-Tries", "%" PRId64, m->plus.callback->tries);
	event_fire(e);
}

static ON_CTL void callback_free(struct cc_callback *c)
{
	mem_free(c->number);
	mem_free(c->contact);
	mem_unref(c->agent);
	mem_free(c);
}

static ON_CTL bool attach(struct cc_member *m, const char *number, const char *contact)
{
	struct cc_callback *c = mem_zalloc(sizeof(*c));
	if (!c)
		return false;
	c->number = mem_strdup(number);
	c->contact = contact ? mem_strdup(contact) : NULL;
	c->asked_s = cc_now_s();
	if (!c->number || !c->contact) {
		callback_free(c);
		return false;
	}
	m->plus.callback = c;
	m->queue->plus.callback_count++;
	return true;
}

static ON_CTL void line_up(struct cc_member *m)
{
	m->is_left = true; /* nobody is rung for him as he is */
	m->session[0] = 0;
	cc_member_state_set(m, CC_MEMBER_WAITING, NULL);
	(void)cc_order_add(&m->queue->line, &m->place);
	cc_serve(m->queue);
}

bool cc_callback_keep(struct cc_member *m, struct leg *leg)
{
	const char *wanted = vars_get(leg->vars, "cc_callback_number");
	char *number = mem_strdup(wanted && *wanted ? wanted : m->cid_number);
	char *contact = number && !m->queue->is_gone && cc_callback_can(m->queue, number)
	                    ? contact_make(m->queue, leg, number)
	                    : NULL;
	bool is_kept = m->plus.callback || (contact && attach(m, number, contact)); /* called back, and asks again */
	mem_free(number);
	mem_free(contact);
	if (!is_kept)
		return false;
	line_up(m);
	tell(m, "callback-queued");
	cc_plus_keep_callback(m);
	return true;
}

int cc_callback_new(struct cc_queue *q, const char *number, const char *name, struct cc_member **out)
{
	if (!q->s.callback_contact || !cc_callback_can(q, number))
		return ST_INVAL;
	char *contact = contact_make(q, NULL, number);
	struct cc_member *m = contact ? cc_member_add(q, name, number) : NULL;
	int st = m && attach(m, number, contact) ? ST_OK : ST_NOMEM;
	mem_free(contact);
	if (st) {
		if (m)
			cc_member_del(m);
		return st;
	}
	line_up(m);
	tell(m, "callback-queued");
	cc_plus_keep_callback(m);
	cc_tell_count(q);
	*out = m;
	return ST_OK;
}

void cc_callback_restore(struct cc_queue *q, const char *const *row)
{
	struct lnode *it, *tmp;
	list_each (&q->abandoned, it, tmp) { /* he is there as one of the last run, too */
		struct cc_member *old = list_entry(it, struct cc_member, in_abandoned);
		if (!strcmp(old->uuid, row[2]))
			cc_member_del(old);
	}
	struct cc_member *m = strlen(row[2]) < sizeof(m->uuid) && q->plus.callback_count < CALLBACKS_MAX
	                          ? cc_member_add(q, row[10], row[9])
	                          : NULL;
	if (!m)
		return;
	snprintf(m->uuid, sizeof(m->uuid), "%s", row[2]);
	if (!attach(m, row[3], row[4])) {
		cc_member_del(m);
		return;
	}
	m->plus.callback->tries = str_number(row[5], 0, 1000000);
	m->plus.callback->asked_s = str_number(row[6], 0, INT64_MAX / 4000000);
	m->system_s = m->joined_s = str_number(row[7], 0, INT64_MAX / 4000000);
	m->base_score = str_number(row[8], -1000000000, 1000000000);
	cc_member_place(m);
	line_up(m);
}

static ON_CTL void agent_release(struct cc_callback *c)
{
	struct cc_agent *a = c->agent;
	c->agent = NULL;
	if (a && !a->is_gone && a->state == CC_RESERVED)
		cc_agent_state_set(a, a->status == CC_ON_DEMAND ? CC_IDLE : CC_WAITING);
	mem_unref(a);
}

void cc_callback_drop(struct cc_member *m)
{
	struct cc_callback *c = m->plus.callback;
	if (!c)
		return;
	cc_plus_forget_callback(m);
	m->plus.callback = NULL;
	m->queue->plus.callback_count--;
	originate_stop(&m->plus.ticket, CAUSE_ORIGINATOR_CANCEL);
	agent_release(c);
	callback_free(c);
}

/* ---- his turn ---- */

bool cc_callback_is_due(const struct cc_member *m, int64_t now_us)
{
	struct cc_callback *c = m->plus.callback;
	if (!c || m->leg || c->is_ringing || c->next_us > now_us || running_count >= DIALS_MAX)
		return false;
	if (!cc_is_open(m->queue)) {
		c->next_us = now_us + CLOSED_LOOK_US;
		return false;
	}
	return true;
}

static CO enum cause dial(struct cc_member *m, const char *queue, const char *contact, struct leg **leg)
{
	int64_t seconds = m->queue->s.callback_ring_s;
	struct vars *vars = NULL;
	enum cause cause = CAUSE_SWITCH_CONGESTION;
	struct originate_conf conf = {.dialstring = contact,
	    .timeout_s = seconds > 0 && seconds < DIAL_MAX_S ? (unsigned)seconds : DIAL_MAX_S,
	    .ticket = &m->plus.ticket};
	if (!vars_new(&vars) && !vars_set(vars, "cc_callback_uuid", m->uuid) &&
	    !vars_set_outside(vars, "cc_queue", queue) && !vars_set(vars, "cc_side", "member") &&
	    !vars_set(vars, "ignore_early_media", "true")) {
		conf.vars = vars;
		cause = CAUSE_NONE;
		if (originate_run(&conf, leg, &cause) && cause == CAUSE_NONE)
			cause = CAUSE_NORMAL_TEMPORARY_FAILURE;
	}
	vars_free(vars);
	return cause;
}

static ON_CTL void unreached(struct cc_member *m)
{
	struct cc_callback *c = m->plus.callback;
	if (!c || m->is_deleted || !c->is_ringing)
		return;
	c->is_ringing = c->is_answered = false;
	struct cc_queue *q = m->queue;
	if (c->tries >= q->s.callback_tries) {
		tell(m, "callback-failed");
		cc_note_left(m, CC_OUTCOME_CALLBACK_FAILED);
		cc_member_del(m);
		cc_tell_count(q);
		return;
	}
	c->next_us = clock_mono_us() + clock_us_of_s(m->queue->s.callback_retry_s);
	tell(m, "callback-unanswered");
	cc_plus_keep_callback(m);
	line_up(m);
	agent_release(c);
}

static void callback_main(void *arg)
{
	struct cc_member *m = arg;
	struct leg *leg = NULL;
	role_assert_co();
	char *queue = mem_strdup(m->queue->name),
	     *contact = m->plus.callback ? mem_strdup(m->plus.callback->contact) : NULL;
	enum cause cause = queue && contact ? dial(m, queue, contact, &leg) : CAUSE_SWITCH_CONGESTION;
	struct cc_callback *c =
	    m->is_deleted || m->queue->is_gone ? NULL : m->plus.callback; /* NULL: he is not wanted */
	if (leg && (cause != CAUSE_NONE || !c || !leg_is_up(leg))) {
		leg_hangup(leg, CAUSE_ORIGINATOR_CANCEL);
		leg = mem_unref(leg);
	}
	if (leg && c) {
		c->is_answered = true;
		if (leg->profile) {
			leg_profile_set(&leg->profile->caller_id_number, m->cid_number);
			leg_profile_set(&leg->profile->caller_id_name, m->cid_name);
		}
		leg_exec_clear(leg);
		if (leg_exec_add(leg, "callcenter", queue, NULL)) {
			leg_hangup(leg, CAUSE_NORMAL_TEMPORARY_FAILURE);
			unreached(m);
		} else {
			leg_exec_resume(leg, NULL);
		}
	} else {
		unreached(m);
	}
	mem_unref(leg);
	mem_free(queue);
	mem_free(contact);
	running_count--;
	mem_unref(m);
}

bool cc_callback_begin(struct cc_member *m, struct cc_tier *t)
{
	struct cc_callback *c = m->plus.callback;
	running_count++;
	if (co_spawn("callcenter call-back", callback_main, mem_ref(m), NULL)) {
		running_count--;
		mem_unref(m);
		return false;
	}
	cc_order_del(&m->queue->line, &m->place);
	c->is_ringing = true;
	c->tries++;
	c->agent = mem_ref(t->agent);
	cc_member_state_set(m, CC_MEMBER_TRYING, t->agent->name);
	cc_agent_offered(t->agent);
	cc_agent_state_set(t->agent, CC_RESERVED);
	cc_plus_keep_callback(m);
	tell(m, "callback-ringing");
	return true;
}

static ON_CTL struct cc_member *ringing_of(struct cc_queue *q, const struct leg *leg)
{
	const char *uuid = q && q->plus.callback_count ? vars_get(leg->vars, "cc_callback_uuid") : NULL;
	for (struct lnode *it = q ? q->members.head.next : NULL; uuid && it != &q->members.head; it = it->next) {
		struct cc_member *m = list_entry(it, struct cc_member, link);
		if (m->plus.callback && m->plus.callback->is_ringing && !strcmp(m->uuid, uuid))
			return m;
	}
	return NULL;
}

struct cc_member *cc_callback_returning(struct cc_queue *q, struct leg *leg)
{
	struct cc_member *m = ringing_of(q, leg);
	if (!m)
		return NULL;
	struct cc_callback *c = m->plus.callback;
	struct cc_agent *a = c->agent;
	c->is_ringing = c->is_answered = false;
	tell(m, "callback-answered");
	if (a && !a->is_gone)
		cc_pick_stick(m, a, STICK_S);
	agent_release(c);
	return m;
}

/* He answered, and was gone before he was in the queue. */
void cc_callback_hangup(struct leg *leg, void *arg)
{
	role_assert_ctl();
	if (!vars_get(leg->vars, "cc_callback_uuid"))
		return;
	const char *name = vars_get(leg->vars, "cc_queue");
	struct cc_member *m = name ? ringing_of(cc_queue_find(name), leg) : NULL;
	if (m && m->plus.callback->is_answered)
		unreached(m);
}

/* ---- reports ---- */

static ON_CTL void one_put(struct json_writer *w, struct buf *out, const struct cc_member *m)
{
	const struct cc_callback *c = m->plus.callback;
	size_t place = m->place.is_in ? cc_order_index(&m->queue->line, &m->place) + 1 : 0;
	if (!w) {
		buf_printf(out, "%s|%s|%s|%" PRId64 "|%" PRId64 "|%zu|%s\n", m->queue->name, m->uuid, c->number,
		    c->asked_s, c->tries, place,
		    c->is_ringing ? "ringing"
		    : m->leg      ? "talking"
		                  : "waiting");
		return;
	}
	jw_begin_object(w);
	jw_kv_str(w, "queue", m->queue->name);
	jw_kv_str(w, "uuid", m->uuid);
	jw_kv_str(w, "number", c->number);
	jw_kv_str(w, "name", m->cid_name);
	jw_kv_int(w, "asked", c->asked_s);
	jw_kv_int(w, "tries", c->tries);
	jw_kv_int(w, "place", (int64_t)place);
	jw_kv_str(w, "state", c->is_ringing ? "ringing" : m->leg ? "talking" : "waiting");
	jw_end_object(w);
}

void cc_callbacks_put(struct buf *out, const struct cc_queue *only, bool is_json)
{
	struct json_writer w;
	struct lnode *at, *next, *it, *tmp;
	jw_init(&w, out, false);
	if (is_json)
		jw_begin_array(&w);
	else
		buf_adds(out, "queue|uuid|number|asked|tries|place|state\n");
	list_each (cc_queues(), at, next) {
		struct cc_queue *q = list_entry(at, struct cc_queue, link);
		if (!q->plus.callback_count || (only && q != only))
			continue;
		list_each (&q->members, it, tmp) {
			const struct cc_member *m = list_entry(it, struct cc_member, link);
			if (m->plus.callback)
				one_put(is_json ? &w : NULL, out, m);
		}
	}
	if (is_json)
		jw_end_array(&w);
	else
		buf_adds(out, "+OK\n");
}
