/* Agents, tiers and callers as rows: FreeSWITCH's columns, for reports and for the database. */
#include "callcenter/callcenter_i.h"

#include <inttypes.h>
#include <stdio.h>

const char *const cc_agent_columns[] = {"name", "instance_id", "uuid", "type", "contact", "status", "state",
    "max_no_answer", "wrap_up_time", "reject_delay_time", "busy_delay_time", "no_answer_delay_time",
    "last_bridge_start", "last_bridge_end", "last_offered_call", "last_status_change", "no_answer_count",
    "calls_answered", "talk_time", "ready_time", "external_calls_count", NULL};
const char *const cc_tier_columns[] = {"queue", "agent", "state", "level", "position", NULL};
const char *const cc_member_columns[] = {"queue", "instance_id", "uuid", "session_uuid", "cid_number", "cid_name",
    "system_epoch", "joined_epoch", "rejoined_epoch", "bridge_epoch", "abandoned_epoch", "base_score", "skill_score",
    "serving_agent", "serving_system", "state", NULL};

static void put(struct cc_row *r, int *at, const char *text)
{
	r->cell[(*at)++] = text;
}

static void put_number(struct cc_row *r, int *at, int64_t n)
{
	snprintf(r->number[*at], sizeof(r->number[0]), "%" PRId64, n);
	r->cell[*at] = r->number[*at];
	(*at)++;
}

void cc_agent_row(const struct cc_agent *a, struct cc_row *r)
{
	const int64_t numbers[] = {a->max_no_answer, a->wrap_up_s, a->reject_delay_s, a->busy_delay_s,
	    a->no_answer_delay_s, a->last_bridge_start, a->last_bridge_end, a->last_offered, a->last_status_change,
	    a->no_answer_count, a->calls_answered, a->talk_time_s, a->ready_time, a->external_count};
	int at = 0;
	put(r, &at, a->name);
	put(r, &at, cc_instance());
	put(r, &at, a->uuid);
	put(r, &at, a->type);
	put(r, &at, a->contact);
	put(r, &at, cc_status_name(a->status));
	put(r, &at, cc_state_name(a->state));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		put_number(r, &at, numbers[i]);
}

void cc_tier_row(const struct cc_tier *t, struct cc_row *r)
{
	int at = 0;
	put(r, &at, t->queue->name);
	put(r, &at, t->agent->name);
	put(r, &at, cc_tier_state_name(t->state));
	put_number(r, &at, t->level);
	put_number(r, &at, t->position);
}

void cc_member_row(const struct cc_member *m, struct cc_row *r)
{
	const int64_t numbers[] = {
	    m->system_s, m->joined_s, m->rejoined_s, m->bridged_s, m->abandoned_s, m->base_score, 0};
	bool is_served = m->serving && (m->winner || m->state == CC_MEMBER_ANSWERED);
	int at = 0;
	put(r, &at, m->queue->name);
	put(r, &at, cc_instance());
	put(r, &at, m->uuid);
	put(r, &at, m->session);
	put(r, &at, m->cid_number);
	put(r, &at, m->cid_name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		put_number(r, &at, numbers[i]);
	put(r, &at, m->serving ? m->serving : "");
	put(r, &at, is_served ? cc_instance() : "");
	put(r, &at, cc_member_state_name(m->state));
	put_number(r, &at, cc_member_score(m, cc_now_s()));
}
