/* What a survey asks. Its own questions are asked one after another, each until its keys fit; an answer is written down
 * as soon as it is given, so that who hangs up in the middle has answered what he answered. With an extension the call
 * goes to the dialplan instead, where menus (ivr) branch as they like and `dialler_answer` keeps what they found. */
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/keys/digits.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "dialler/dialler_i.h"

#include <stdio.h>
#include <string.h>

enum { ANSWER_MAX = 200 };

static CO int answer_keep(struct dl_call *k, const char *question, const char *answer)
{
	struct event *e;
	int st = dl_keep_answer(k, question, answer);
	if (st)
		log_error("dialler: an answer of call %s is not written down: %s", k->id, status_text(st));
	if ((e = dl_event(k->c, "answer"))) {
		event_add(e, "Dialler-Call-ID", k->id);
		event_add(e, "Dialler-Number", k->n->number);
		event_add(e, "Dialler-Question", question);
		event_add(e, "Dialler-Answer", answer);
		event_add(e, "Unique-ID", k->uuid);
		event_fire(e);
	}
	return st;
}

/* ST_NOTFOUND: nothing that fits. */
static CO int ask(struct dl_call *k, const struct dl_question *q)
{
	char pattern[64];
	struct leg_digits_ask a = {.tries = q->tries, .bad_prompt = k->c->s.wrong_sound, .regexp = pattern};
	a.digits.prompt = q->sound;
	a.digits.terminators = strchr(q->digits, '#') ? "" : "#";
	leg_digits_limit(&a.digits, q->min, q->max, q->timeout_ms, 0);
	snprintf(pattern, sizeof(pattern), "^[%s]{%u,%u}$", q->digits, q->min, q->max);
	int st = leg_digits_ask(k->leg, &a);
	return st ? st : answer_keep(k, q->name, a.digits.digits);
}

void dl_survey(struct dl_call *k)
{
	struct xml_doc *held = mem_ref(k->c->s.doc); /* a reload may take the questions */
	const struct dl_settings *s = &k->c->s;
	struct dl_question q[DL_QUESTIONS_MAX];
	size_t count = s->question_count, given = 0;
	const char *thanks = s->thanks, *greeting = s->greeting;
	int st = ST_OK;
	memcpy(q, s->questions, count * sizeof(*q));
	k->connected_us = k->answered_us;
	if (*s->extension && !count) {
		k->result = "completed";
		if (leg_transfer(k->leg, s->extension, "XML", s->context))
			leg_hangup(k->leg, CAUSE_SWITCH_CONGESTION);
		mem_unref(held);
		return;
	}
	if (!leg_exec_adopt(k->leg)) {
		if (*greeting)
			st = leg_play(k->leg, greeting, "none", NULL);
		for (size_t i = 0; i < count && st != ST_HANGUP && st != ST_CANCELLED && leg_is_ready(k->leg); i++) {
			st = ask(k, &q[i]);
			given += !st;
		}
		if (leg_is_ready(k->leg) && *thanks)
			(void)leg_play(k->leg, thanks, "none", NULL);
		bool is_here = leg_is_ready(k->leg);
		leg_exec_release(k->leg);
		if (is_here)
			leg_hangup(k->leg, CAUSE_NORMAL_CLEARING);
	} else {
		leg_hangup(k->leg, CAUSE_NORMAL_TEMPORARY_FAILURE);
	}
	k->result = given == count ? "completed" : given ? "partial" : "hangup";
	mem_unref(held);
}

/* dialler_answer QUESTION ANSWER, of a menu or a dialplan: both may be what the caller pressed. */
int app_dialler_answer(struct leg *leg, const char *data)
{
	struct app_words w;
	struct dl_call *k = dl_call_of(leg);
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);
	if (!st && (!k || w.n < 2 || strlen(w.w[0]) > DL_QUESTION_MAX || strlen(w.w[1]) > ANSWER_MAX)) {
		leg_log(leg, LOG_ERR, "dialler_answer: %s",
		    !k ? "not a call of a campaign" : "needs a question (at most 32 characters) and an answer (200)");
		st = ST_INVAL;
	}
	if (!st) {
		mem_ref(k);
		st = answer_keep(k, w.w[0], w.w[1]);
		mem_unref(k);
	}
	app_words_fini(&w);
	return st;
}
