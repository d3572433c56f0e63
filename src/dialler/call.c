/* A call of a campaign, from the claim to its result: one coroutine.
 *
 *   claim (keep.c) -> dial -> failed: by its cause
 *                          -> answered -> a machine? -> connected to own agents, to a queue, or asked (survey.c)
 *                                                    -> hung up -> result, retry rule -> written down, told
 *
 * An answered call that no agent has within abandon-after counts as abandoned, once, also when somebody comes later or
 * the customer gives up before. Nobody waits longer than wait-max. Who talks with whom is seen by the bridge's hooks,
 * so that a queue's agents count as own ones do. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "dialler/csv.h"
#include "dialler/dialler_i.h"
#include "loop/co.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	END_TRIES = 43200,
	END_PAUSE_US = 2000000 /* a day: nothing new begins meanwhile */,
	AGENT_WAIT_US = 60000000,
	BEEP_WAIT_US = 20000000,
	BEEP_US = 800000
};
static struct hash *by_leg; /* uuid -> call, borrowed */

struct dl_call *dl_call_of(const struct leg *leg)
{
	return by_leg ? hash_get(by_leg, sv_of(leg->uuid)) : NULL;
}

void dl_call_state_set(struct dl_call *k, enum dl_call_state s)
{
	dl_talk_pass(k->c);
	k->c->counts[k->state]--;
	k->c->counts[s]++;
	k->state = s;
}

/* ---- dialling ---- */

static ON_CTL enum cause number_cause(const struct dl_call *k)
{
	return k->is_cancelled ? CAUSE_MANAGER_REQUEST : k->cause;
}

static const char *result_of(enum cause cause)
{
	switch (cause) {
	case CAUSE_USER_BUSY:
	case CAUSE_BUSY_EVERYWHERE:
		return "busy";
	case CAUSE_NO_ANSWER:
	case CAUSE_NO_USER_RESPONSE:
	case CAUSE_ALLOTTED_TIMEOUT:
	case CAUSE_PROGRESS_TIMEOUT:
	case CAUSE_SUBSCRIBER_ABSENT:
	case CAUSE_USER_NOT_REGISTERED:
		return "no-answer";
	case CAUSE_UNALLOCATED_NUMBER:
	case CAUSE_INVALID_NUMBER_FORMAT:
	case CAUSE_NUMBER_CHANGED:
	case CAUSE_DOES_NOT_EXIST_ANYWHERE:
	case CAUSE_NO_ROUTE_DESTINATION:
		return "bad-number";
	case CAUSE_CALL_REJECTED:
	case CAUSE_DECLINE:
	case CAUSE_UNWANTED:
		return "rejected";
	case CAUSE_NORMAL_CIRCUIT_CONGESTION:
	case CAUSE_SWITCH_CONGESTION:
	case CAUSE_REQUESTED_CHAN_UNAVAIL:
		return "congestion";
	case CAUSE_MANAGER_REQUEST:
		return "cancelled";
	default:
		return "failed";
	}
}

/* The list's columns as variables of the leg: data, whatever they say. */
static ON_CTL int fields_put(struct vars *v, const char *fields)
{
	json_t *o = NULL, *value;
	const char *key;
	int st = json_parse(&o, sv_of(fields), 0, NULL);
	if (!st && json_is_object(o)) {
		json_object_foreach(o, key, value)
		{
			char name[16 + LIST_NAME_MAX];
			snprintf(name, sizeof(name), "dialler_field_%s", key);
			if (!st && json_is_string(value))
				st = vars_set_outside(v, name, json_string_value(value));
		}
	}
	json_decref(o);
	return st == ST_PARSE ? ST_OK : st;
}

static ON_CTL int vars_of(const struct dl_call *k, struct vars *v)
{
	int st = vars_set(v, "dialler_campaign", k->c->name);
	if (!st)
		st = vars_set(v, "dialler_call_id", k->id);
	if (!st)
		st = vars_set_outside(v, "dialler_number", k->n->number);
	if (!st && *k->n->name)
		st = vars_set_outside(v, "dialler_name", k->n->name);
	if (!st)
		st = vars_setf(v, "dialler_attempt", "%u", k->attempt);
	if (!st && k->agent)
		st = vars_set_outside(v, "dialler_agent", k->agent->name);
	if (!st)
		st = vars_set(v, "ignore_early_media", "true");
	return st ? st : fields_put(v, k->n->fields);
}

/* The trunk's dial string with the number in it. */
static ON_CTL char *dial_dup(const struct dl_trunk *t, const char *number)
{
	static const char place[] = "${number}";
	struct buf b;
	buf_init(&b);
	const char *rest = t->dial, *at;
	while ((at = strstr(rest, place))) {
		buf_add(&b, rest, (size_t)(at - rest));
		mark_put(&b, sv_of(number));
		rest = at + sizeof(place) - 1;
	}
	buf_adds(&b, rest);
	char *out = b.failed ? NULL : buf_take(&b);
	buf_fini(&b);
	return out;
}

static CO void dial(struct dl_call *k)
{
	struct dl_trunk *t = dl_trunk_find(k->trunk);
	struct vars *v = NULL;
	char *text = t ? dial_dup(t, k->n->number) : NULL;
	struct originate_conf conf = {.dialstring = text,
	    .timeout_s = k->c->s.ring_s,
	    .ticket = &k->ticket,
	    .caller_id_number = k->caller_id_text,
	    .caller_id_name = k->caller_name};
	k->cause = CAUSE_SWITCH_CONGESTION;
	dl_call_state_set(k, DL_RINGING);
	k->dialled_mono_us = clock_mono_us();
	pace_answers_begin(&k->c->answers, k->dialled_mono_us);
	dl_hour_of(k->c, k->started_us)->dialled++;
	dl_tell_call(k, "call-start");
	if (text && !k->is_cancelled && !vars_new(&v) && !vars_of(k, v)) {
		enum cause cause = CAUSE_NONE;
		conf.vars = v;
		int st = originate_run(&conf, &k->leg, &cause);
		k->cause = !st ? CAUSE_NONE : cause != CAUSE_NONE ? cause : CAUSE_NORMAL_TEMPORARY_FAILURE;
	}
	vars_free(v);
	mem_free(text);
}

/* ---- answered ---- */

static ON_CTL bool is_up(const struct dl_call *k)
{
	return k->leg && !k->is_over && leg_is_up(k->leg);
}

void dl_call_abandoned(struct dl_call *k)
{
	if (k->is_abandoned)
		return;
	k->is_abandoned = true;
	dl_hour_of(k->c, k->started_us)->abandoned++;
	dl_tell_call(k, "call-abandoned");
}

/* Once a call; the first counts. */
static ON_CTL void answer_count(struct dl_call *k, enum pace_end end)
{
	if (!k->is_counted)
		pace_answers_end(&k->c->answers, k->dialled_mono_us, clock_mono_us(), end);
	k->is_counted = true;
}

static ON_CTL void live(struct dl_call *k)
{
	k->is_live = true;
	answer_count(k, PACE_ANSWERED);
	dl_hour_of(k->c, k->started_us)->answered++;
}

/* An application of another module, which may not be loaded. */
static ON_CTL bool app_is_there(const char *name, const struct dl_call *k)
{
	if (app_find(name))
		return true;
	leg_log(k->leg, LOG_ERR, "dialler: campaign %s: there is no application %s: its module is not loaded",
	    k->c->name, name);
	return false;
}

/* Until a machine's beep is over, or when none is heard its greeting surely is. The beep is known by its beginning. */
static CO void beep_wait(struct dl_call *k)
{
	int64_t now_us = clock_mono_us(), until_us = now_us + BEEP_WAIT_US;
	bool is_heard = false;
	int st = ST_OK;
	if (!app_is_there("avmd_start", k) || leg_exec_app(k->leg, "avmd_start", ""))
		return;
	while (is_up(k) && (!st || st == ST_TIMEOUT) && now_us < until_us) {
		if (!is_heard && str_is_true(vars_get(k->leg->vars, "avmd_detect"))) {
			is_heard = true;
			until_us = now_us + BEEP_US;
		}
		st = leg_wait(k->leg, 100000);
		now_us = clock_mono_us();
	}
}

/* True: a machine, and the call is over. */
static CO bool machine_met(struct dl_call *k)
{
	struct dl_settings *s = &k->c->s;
	char data[32];
	bool is_machine = false;
	if (s->machine == DL_MACHINE_OFF || !app_is_there("amd", k) || leg_exec_adopt(k->leg))
		return false;
	dl_call_state_set(k, DL_SCREENED);
	snprintf(data, sizeof(data), "%u", s->amd_max_ms);
	if (!leg_exec_app(k->leg, "amd", "") && is_up(k))
		(void)leg_exec_app(k->leg, "waitforresult", data);
	if (is_up(k)) {
		const char *result = vars_get(k->leg->vars, "amd_result");
		is_machine = result && !strcmp(result, "MACHINE") && s->machine != DL_MACHINE_CONNECT;
		if (result && !strcmp(result, "MACHINE"))
			leg_var_set(k->leg, "dialler_machine", "true");
	}
	if (is_machine && s->machine == DL_MACHINE_MESSAGE) {
		beep_wait(k);
		if (is_up(k))
			(void)dl_play(k->c, k->leg, k->c->s.machine_sound);
	}
	leg_exec_release(k->leg);
	if (is_machine) {
		k->result = "machine";
		if (is_up(k))
			leg_hangup(k->leg, CAUSE_NORMAL_CLEARING);
	}
	return is_machine;
}

/* Until it is hung up; who waits too long for an agent hears why and goes. */
static CO void wait_end(struct dl_call *k)
{
	int64_t abandon_us = k->answered_mono_us + clock_us_of_ms(k->c->s.abandon_after_ms),
	        max_us = k->answered_mono_us + clock_us_of_ms(k->c->s.wait_max_ms);
	while (is_up(k)) {
		int64_t now_us = clock_mono_us(), wait_us = -1;
		if (!k->connected_us && now_us >= abandon_us)
			dl_call_abandoned(k);
		if (!k->connected_us && !k->is_joined && now_us >= max_us)
			break;
		if (!k->connected_us)
			wait_us = (k->is_abandoned ? max_us : abandon_us) - now_us;
		if (k->is_joined && k->is_abandoned)
			wait_us = -1; /* the agent's coroutine has it, and tells */
		(void)co_wait(&k->change, wait_us);
	}
	if (!is_up(k) || k->connected_us)
		return;
	list_remove(&k->in_waiting);
	const char *sound = k->c->s.abandon_sound;
	if (*k->c->s.queue) { /* out of the queue first */
		struct buf b;
		buf_init(&b);
		buf_adds(&b, "m:^:");
		if (*sound)
			buf_printf(&b, "playback:%s^", sound);
		buf_adds(&b, "hangup");
		if (b.failed || strchr(sound, '^') || leg_transfer(k->leg, b.p, "inline", NULL))
			leg_hangup(k->leg, CAUSE_NORMAL_CLEARING);
		buf_fini(&b);
	} else if (!leg_exec_adopt(k->leg)) {
		(void)dl_play(k->c, k->leg, sound);
		leg_exec_release(k->leg);
		leg_hangup(k->leg, CAUSE_NORMAL_CLEARING);
	} else {
		leg_hangup(k->leg, CAUSE_NORMAL_CLEARING);
	}
	while (is_up(k))
		(void)co_wait(&k->change, -1);
}

static ON_CTL void to_queue(struct dl_call *k)
{
	leg_exec_clear(k->leg);
	if (!app_is_there("callcenter", k) || leg_exec_add(k->leg, "callcenter", k->c->s.queue, NULL) ||
	    leg_exec_add(k->leg, "hangup", "", NULL))
		leg_hangup(k->leg, CAUSE_SWITCH_CONGESTION);
	else
		leg_exec_resume(k->leg, NULL);
}

static CO void answered(struct dl_call *k)
{
	k->answered_us = clock_wall_us();
	k->answered_mono_us = clock_mono_us();
	snprintf(k->uuid, sizeof(k->uuid), "%s", k->leg->uuid);
	pace_mean_add(&k->c->ring_ms, &k->c->ring_samples, (double)(k->answered_mono_us - k->dialled_mono_us) / 1000);
	if (!by_leg || hash_set(by_leg, sv_of(k->uuid), k)) {
		leg_hangup(k->leg, CAUSE_SWITCH_CONGESTION);
		return;
	}
	k->is_over = !leg_is_up(k->leg);
	dl_tell_call(k, "call-answered");
	bool is_machine = is_up(k) && machine_met(k);
	if (is_machine)
		answer_count(k, PACE_NOT_ANSWERED);
	if (!is_machine && is_up(k)) {
		live(k);
		if (k->c->s.mode == DL_SURVEY) {
			dl_call_state_set(k, DL_TALKING);
			dl_survey(k);
		} else {
			dl_call_state_set(k, DL_WAITING);
			if (k->agent && (k->agent->state != DL_HELD || !k->agent->leg)) { /* he left */
				mem_unref(k->agent);
				k->agent = NULL;
			}
			if (k->agent) {
				k->agent->call = k;
				dl_agent_state_set(k->agent, DL_TALKS);
				leg_wake(k->agent->leg);
			} else if (*k->c->s.queue && k->c->s.mode != DL_PREVIEW) {
				to_queue(k);
			} else {
				list_push(&k->c->waiting, &k->in_waiting);
				dl_campaign_give(k->c);
			}
			wait_end(k);
		}
	}
	while (is_up(k))
		(void)co_wait(&k->change, -1);
	if (k->leg->cause)
		k->cause = k->leg->cause;
	hash_del(by_leg, sv_of(k->uuid));
	list_remove(&k->in_waiting);
	if (k->connected_mono_us) {
		dl_talk_pass(k->c);
		pace_talks_end(&k->c->talks);
	}
	if (k->is_live && !k->connected_us && k->c->s.mode != DL_SURVEY)
		dl_call_abandoned(k);
	if (!k->result)
		k->result = k->connected_us ? "answered" : k->is_abandoned ? "abandoned" : "hangup";
}

/* ---- its end ---- */

static ON_CTL bool is_final(const char *result)
{
	static const char *const names[] = {"answered", "completed", "bad-number", "rejected", NULL};
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], result))
			return true;
	return false;
}

static CO void end_write(struct dl_call *k)
{
	const struct dl_settings *s = &k->c->s;
	const struct rule_retry *rule = rule_retry_find(s->retries, s->retry_count, k->result, cause_name(k->cause));
	/* of what is final only a rule of its own name makes another call */
	bool is_done = k->attempt >= s->tries_max || !rule || k->attempt >= rule->tries ||
	               (is_final(k->result) && !strcasecmp(rule->result, "default"));
	int64_t next_s = k->ended_us / 1000000 + (rule ? rule->after_s : 0);
	for (int i = 0; i < END_TRIES; i++) {
		int st = dl_keep_end(k, is_done ? "done" : "retry", next_s);
		if (!st || st == ST_UNSUPPORTED || st == ST_CANCELLED || co_sleep(END_PAUSE_US))
			return; /* the next start finds it as it was claimed */
	}
	k->c->is_unsure = true;
}

/* The agent who was held for it is free again, unless he talks to somebody. */
static ON_CTL void agent_release(struct dl_call *k)
{
	struct dl_agent *a = k->agent;
	if (a && a->call == k)
		a->call = NULL;
	if (a && a->state == DL_HELD)
		dl_agent_state_set(a, DL_FREE);
}

static CO bool claim(struct dl_call *k)
{
	int64_t longest_s = rule_retry_longest_s(k->c->s.retries, k->c->s.retry_count);
	k->started_us = clock_wall_us();
	int st = dl_keep_claim(k, k->started_us / 1000000 + longest_s);
	if (st == ST_DENIED) {
		k->result = "dnc";
		dl_tell_call(k, "call-end");
	} else if (st && st != ST_EXISTS) {
		k->c->is_unsure = true; /* it may be claimed all the same */
	}
	return st == ST_OK;
}

/* Preview: he who calls is on line first. */
static CO bool agent_comes(struct dl_call *k)
{
	struct dl_agent *a = k->agent;
	int64_t until_us = clock_mono_us() + AGENT_WAIT_US;
	while (k->c->s.mode == DL_PREVIEW && a && a->state == DL_CALLING && clock_mono_us() < until_us)
		if (co_sleep(50000))
			return false;
	if (k->c->s.mode != DL_PREVIEW || !a)
		return true;
	if (a->state != DL_FREE && a->state != DL_HELD)
		return false;
	dl_agent_state_set(a, DL_HELD);
	return true;
}

static void call_main(void *arg)
{
	struct dl_call *k = arg;
	struct dl_campaign *c = k->c;
	role_assert_co();
	if (agent_comes(k) && !k->is_cancelled && claim(k)) {
		dial(k);
		bool is_answered = k->leg != NULL;
		if (is_answered)
			answered(k);
		else
			k->result = result_of(number_cause(k));
		k->ended_us = clock_wall_us();
		answer_count(k, k->is_cancelled ? PACE_CANCELLED : PACE_NOT_ANSWERED);
		agent_release(k);
		dl_load_add(k->trunk, k->n->number, false);
		dl_talk_pass(c);
		c->counts[k->state]--; /* no line any more, while its end is written */
		dl_campaign_kick(c);
		end_write(k);
		dl_tell_call(k, "call-end");
	} else {
		agent_release(k);
		dl_load_add(k->trunk, k->n->number, false);
		c->counts[k->state]--;
	}
	list_remove(&k->link);
	dl_number_drop(c, k->n);
	k->n = NULL;
	dl_campaign_kick(c);
	mem_unref(k);
}

static void call_free(void *obj)
{
	struct dl_call *k = obj;
	mem_unref(k->leg);
	mem_unref(k->agent);
	mem_unref(k->c);
}

/* The pool's numbers of the longest prefix, in turn. */
static ON_CTL const struct dl_caller_id *caller_id_of(struct dl_campaign *c, const char *number)
{
	const struct dl_caller_id *best = NULL;
	size_t best_n = 0, count = 0;
	for (int pass = 0; pass < 2; pass++) {
		unsigned turn = count ? c->turn++ % (unsigned)count : 0;
		for (size_t i = 0; *c->s.pool && i < dl_conf.caller_id_count; i++) {
			const struct dl_caller_id *x = &dl_conf.caller_ids[i];
			size_t n = strlen(x->prefix);
			if (strcmp(x->pool, c->s.pool) != 0 || strncmp(x->prefix, number, n) != 0)
				continue;
			if (!pass && (!count || n > best_n))
				best_n = n, count = 0;
			if (!pass)
				count += n == best_n;
			else if (n == best_n && !turn--)
				best = x;
		}
	}
	return best;
}

int dl_call_start(struct dl_campaign *c, struct dl_number *n, struct dl_trunk *t, struct dl_agent *agent)
{
	struct dl_call *k = mem_new(sizeof(*k), call_free, "dialler.call");
	if (!k) {
		dl_number_drop(c, n);
		return ST_NOMEM;
	}
	const struct dl_caller_id *id = caller_id_of(c, n->number);
	k->c = mem_ref(c);
	k->agent = mem_ref(agent);
	k->n = n;
	k->attempt = n->tries + 1;
	snprintf(k->caller_name, sizeof(k->caller_name), "%s", id ? id->name : "");
	snprintf(k->caller_id_text, sizeof(k->caller_id_text), "%s", id ? id->number : "");
	snprintf(k->trunk, sizeof(k->trunk), "%s", t->name);
	uuid_make(k->id);
	list_push(&c->calls, &k->link);
	c->counts[DL_BEGINS]++;
	rule_rate_add(&t->rate, clock_mono_us());
	dl_load_add(t->name, n->number, true);
	int st = co_spawn("dialler call", call_main, k, NULL);
	if (!st)
		return ST_OK;
	c->counts[DL_BEGINS]--;
	dl_load_add(t->name, n->number, false);
	list_remove(&k->link);
	dl_number_drop(c, n);
	mem_unref(k);
	return st;
}

void dl_calls_cancel(struct dl_campaign *c)
{
	struct lnode *it, *tmp;
	list_each (&c->calls, it, tmp) {
		struct dl_call *k = list_entry(it, struct dl_call, link);
		if (k->state != DL_BEGINS && k->state != DL_RINGING)
			continue;
		k->is_cancelled = true;
		originate_stop(&k->ticket, CAUSE_ORIGINATOR_CANCEL);
	}
}

/* ---- what happens to its leg ---- */

static void on_bridged(struct leg *leg, void *arg)
{
	role_assert_ctl();
	struct dl_call *k = dl_call_of(leg);
	if (!k || k->connected_us || k->c->s.mode == DL_SURVEY)
		return;
	k->connected_us = clock_wall_us();
	k->connected_mono_us = clock_mono_us();
	if (k->connected_mono_us > k->answered_mono_us + clock_us_of_ms(k->c->s.abandon_after_ms))
		dl_call_abandoned(k);
	dl_call_state_set(k, DL_TALKING);
	dl_tell_call(k, "call-connected");
	dl_campaign_kick(k->c);
	co_signal(&k->change, ST_OK);
}

static void on_reported(struct leg *leg, void *arg)
{
	role_assert_ctl();
	struct dl_call *k = dl_call_of(leg);
	if (!k)
		return;
	k->is_over = true;
	co_signal(&k->change, ST_OK);
}

int dl_calls_start(void)
{
	int st = hash_new(&by_leg, 0, NULL);
	if (!st)
		st = leg_hook_add(LEG_HOOK_BRIDGED, on_bridged, NULL);
	return st ? st : leg_hook_add(LEG_HOOK_REPORTED, on_reported, NULL);
}

void dl_calls_stop(void)
{
	leg_hook_del(LEG_HOOK_BRIDGED, on_bridged, NULL);
	leg_hook_del(LEG_HOOK_REPORTED, on_reported, NULL);
	hash_free(by_leg);
	by_leg = NULL;
}
