/* Applications that change what becomes of the call: answer, ring, bridge, transfer, park, hang up. Each asks core;
 * none knows the protocol. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The far side has its 100 Trying already: the transaction sends it by itself. */
int app_acknowledge_call(struct leg *leg, const char *data)
{
	role_assert_co();
	return ST_OK;
}

int app_answer(struct leg *leg, const char *data)
{
	role_assert_co();
	return leg_answer(leg);
}

int app_pre_answer(struct leg *leg, const char *data)
{
	role_assert_co();
	return leg_pre_answer(leg);
}

int app_ring_ready(struct leg *leg, const char *data)
{
	role_assert_co();
	return leg_ring_ready(leg);
}

int app_hangup(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_hangup(leg, data && *data ? cause_parse(data) : CAUSE_NORMAL_CLEARING);
	return ST_OK;
}

int app_bridge(struct leg *leg, const char *data)
{
	role_assert_co();
	return bridge_app(leg, data);
}

static ON_CTL void transfer_after_bridge(struct leg *leg, const struct app_words *w, int at)
{
	struct buf spec;
	const char *quote = strchr(w->m[at], ':') ? "'" : ""; /* a list of applications has colons of its own */
	buf_init(&spec);
	buf_printf(&spec, "%s%s%s", quote, w->m[at], quote);
	for (int i = at + 1; i < w->n && i < at + 3; i++)
		buf_printf(&spec, ":%s", w->m[i]);
	leg_var_set_text(leg, "transfer_after_bridge", spec.p);
	buf_fini(&spec);
}

/* [-bleg|-both] exten [dialplan [context]]; quotes keep an inline list together */
int app_transfer(struct leg *leg, const char *data)
{
	struct leg *partner;
	bool is_bleg = false, is_both = false;
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 4), at = 0;

	role_assert_co();
	partner = leg_partner(leg);
	if (!st && w.n) {
		is_bleg = !strcasecmp(w.w[0], "-bleg");
		is_both = !strcasecmp(w.w[0], "-both");
		at = is_bleg || is_both;
	}
	if (st || w.n <= at) {
		leg_log(leg, LOG_ERR,
		    "transfer: no extension given; usage: [-bleg|-both] <exten> [<dialplan> [<context>]]");
		app_words_fini(&w);
		return st ? st : ST_INVAL;
	}
	if (at && !partner)
		leg_log(leg, LOG_WARNING, "No B-leg present.");
	else if (is_both && partner == leg->peer)
		transfer_after_bridge(partner, &w, at); /* when this leg goes their bridge ends: else it is hung up */
	else if (at)
		st = leg_transfer(partner, w.m[at], w.m[at + 1], w.m[at + 2]);
	if (!is_bleg && st == ST_OK)
		st = leg_transfer(leg, w.m[at], w.m[at + 1], w.m[at + 2]);
	app_words_fini(&w);
	return st;
}

int app_park(struct leg *leg, const char *data)
{
	role_assert_co();
	leg_idle_sound_begin(leg);
	return leg_park(leg);
}

/* code [phrase], at once. As FreeSWITCH has it: no number is 488, a number that is no status 500. */
int app_respond(struct leg *leg, const char *data)
{
	char *end = NULL;
	long code = data ? strtol(data, &end, 10) : 0;

	role_assert_co();
	if (end == data || !end)
		code = 488;
	else if (code < 100 || code > 699)
		code = 500;
	if (code / 100 == 2)
		return leg_answer(leg);
	if (leg->is_answered || leg->is_outbound || !leg->ops->respond) {
		leg_log(leg, LOG_ERR, "respond: only a caller who is not answered yet can be told %ld", code);
		return ST_INVAL;
	}
	while (end && *end == ' ')
		end++;
	return leg->ops->respond(leg, (int)code, end && end != data && *end ? end : NULL);
}

int app_redirect(struct leg *leg, const char *data)
{
	role_assert_co();
	if (!data || !*data || !leg->ops->redirect)
		return ST_INVAL;
	return leg->ops->redirect(leg, data);
}

int app_wait_for_answer(struct leg *leg, const char *data)
{
	int st = ST_OK;

	role_assert_co();
	while (st == ST_OK && !leg->is_answered)
		st = leg_wait(leg, -1);
	return st;
}
