/* What commands and HTTP tell of campaigns, as JSON, and the explanation of the pacing for people. */
#include "base/clock.h"
#include "base/hash.h"
#include "dialler/dialler_i.h"

#include <stdio.h>
#include <string.h>

void dl_report_agent(struct json_writer *w, const struct dl_agent *a)
{
	const char *number = a->call && a->call->n ? a->call->n->number : a->shown ? a->shown->number : "";
	jw_begin_object(w);
	jw_kv_str(w, "name", a->name);
	jw_kv_str(w, "contact", a->contact ? a->contact : "");
	jw_kv_str(w, "state", dl_agent_state_name(a->state));
	jw_kv_int(w, "since_s", (clock_mono_us() - a->since_us) / 1000000);
	jw_kv_int(w, "calls", a->calls);
	jw_kv_str(w, "number", number);
	jw_end_object(w);
}

void dl_report_number(struct json_writer *w, const struct dl_number *n)
{
	jw_begin_object(w);
	jw_kv_str(w, "number", n->number);
	jw_kv_str(w, "name", n->name);
	jw_kv_str(w, "zone", n->zone_name);
	jw_kv_int(w, "attempt", n->tries + 1);
	jw_kv_str(w, "last_result", n->last_result);
	jw_key(w, "fields");
	jw_raw(w, *n->fields ? sv_of(n->fields) : SV("{}"));
	jw_end_object(w);
}

struct states {
	int64_t fresh, retry, dialling, done, due;
};

static CO int states_read(const struct dl_campaign *c, struct states *o)
{
	struct store_number d;
	struct sv p[] = {sv_of(c->name), store_number_put(&d, clock_wall_us() / 1000000)}, v[3] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st =
	    dl_sql("SELECT state,COUNT(*),SUM(CASE WHEN state IN ('new','retry') AND next_s<=CAST($2 AS BIGINT) THEN 1 "
	           "ELSE 0 END) FROM dialler_numbers WHERE campaign=$1 GROUP BY state",
	        p, 2, &rows);
	*o = (struct states){0};
	while (!st && store_rows_row(&rows, &at, v, 3)) {
		int64_t n = store_number(v[1]);
		if (sv_is(v[0], "new"))
			o->fresh = n;
		else if (sv_is(v[0], "retry"))
			o->retry = n;
		else if (sv_is(v[0], "dialling"))
			o->dialling = n;
		else
			o->done = n;
		o->due += store_number(v[2]);
	}
	store_rows_fini(&rows);
	return st;
}

static CO void results_put(struct json_writer *w, const struct dl_campaign *c)
{
	struct sv p[] = {sv_of(c->name)}, v[2] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st = dl_sql(
	    "SELECT result,COUNT(*) FROM dialler_calls WHERE campaign=$1 AND ended_us>0 GROUP BY result ORDER BY "
	    "result",
	    p, 1, &rows);
	jw_key(w, "results");
	jw_begin_object(w);
	while (!st && store_rows_row(&rows, &at, v, 2)) {
		jw_key_sv(w, v[0]);
		jw_int(w, store_number(v[1]));
	}
	jw_end_object(w);
	store_rows_fini(&rows);
}

void dl_explain(struct dl_campaign *c, struct buf *out)
{
	char text[600];
	dl_look(c);
	buf_printf(out, "campaign %s: %s, %s\n", c->name, dl_mode_name(c->s.mode), dl_state_name(c->state));
	if (c->s.mode == DL_SURVEY)
		buf_printf(out,
		    "survey: nobody waits for an agent; as many calls as there are lines: %u of %u are up\n",
		    c->in.ringing + c->counts[DL_TALKING], c->s.lines_max);
	else if (pace_explain(&c->in, &c->out, text, sizeof(text)) > 0)
		buf_printf(out, "%s\n", text);
	if (c->s.mode != DL_SURVEY)
		buf_printf(out,
		    "means: %.1f s until an answer, %.0f s of a talk, %.0f s of wrap-up; answered: the last %u calls\n",
		    c->ring_ms / 1000, pace_talks_ms(&c->talks) / 1000.0, c->wrap_ms / 1000, c->answers.samples);
	buf_printf(
	    out, "lines: %u of %u talk; at hand: %u numbers\n", c->counts[DL_TALKING], c->s.lines_max, c->hopper_count);
	if (c->state != DL_RUNNING)
		buf_printf(out, "nobody is called: the campaign is %s\n", dl_state_name(c->state));
	else if (!dl_keep_is_ready())
		buf_adds(out, "nobody is called: the database is not there\n");
	else if (!c->hopper_count)
		buf_adds(out, "nobody is called: no number is due (or its window is closed)\n");
	else if (!dl_trunk_for(c, list_entry(list_first(&c->hopper), struct dl_number, link)->number))
		buf_adds(out, "the first number waits: its trunk or prefix has no room\n");
	if (c->refused)
		buf_printf(out,
		    "no room for %u numbers: nobody may call their prefix (max-calls 0); put off for an hour\n",
		    c->refused);
	for (size_t i = 0; i < dl_conf.trunk_count; i++) {
		const struct dl_trunk *t = &dl_conf.trunks[i];
		buf_printf(out, "trunk %s: %u calls", t->name, t->calls);
		if (t->calls_max)
			buf_printf(out, " of %u", t->calls_max);
		if (t->per_second)
			buf_printf(out, ", at most %u a second", t->per_second);
		buf_adds(out, "\n");
	}
}

void dl_report_campaign(struct json_writer *w, struct dl_campaign *c, bool is_whole)
{
	struct states s;
	struct dl_hour day;
	struct lnode *it, *tmp;
	struct buf text;
	(void)states_read(c, &s); /* waits: what follows is of one moment */
	dl_look(c);
	dl_day(c, &day);
	jw_begin_object(w);
	jw_kv_str(w, "name", c->name);
	jw_kv_str(w, "mode", dl_mode_name(c->s.mode));
	jw_kv_str(w, "state", dl_state_name(c->state));
	jw_kv_str(w, "queue", c->s.queue);
	jw_kv_int(w, "lines_max", c->s.lines_max);
	jw_kv_int(w, "ringing", c->in.ringing);
	jw_kv_int(w, "waiting", c->counts[DL_WAITING]);
	jw_kv_int(w, "talking", c->counts[DL_TALKING]);
	jw_key(w, "agents");
	jw_begin_object(w);
	jw_kv_int(w, "free", c->s.mode == DL_SURVEY ? 0 : c->in.agents_free);
	jw_kv_int(w, "busy", c->in.agents_busy);
	jw_kv_int(w, "wrap", c->in.agents_wrap);
	jw_end_object(w);
	jw_key(w, "numbers");
	jw_begin_object(w);
	jw_kv_int(w, "new", s.fresh);
	jw_kv_int(w, "retry", s.retry);
	jw_kv_int(w, "dialling", s.dialling);
	jw_kv_int(w, "done", s.done);
	jw_kv_int(w, "due", s.due);
	jw_end_object(w);
	unsigned long long hundredths = day.answered ? 10000ull * day.abandoned / day.answered : 0; /* of a percent */
	jw_key(w, "day");
	jw_begin_object(w);
	jw_kv_int(w, "dialled", day.dialled);
	jw_kv_int(w, "answered", day.answered);
	jw_kv_int(w, "abandoned", day.abandoned);
	jw_key(w, "abandoned_percent");
	jw_real(w, (double)hundredths / 100);
	jw_end_object(w);
	jw_key(w, "abandon_max_percent");
	jw_real(w, c->s.abandon_max_ppm / 1e4);
	jw_kv_str(w, "reason",
	    c->state != DL_RUNNING   ? dl_state_name(c->state)
	    : c->s.mode == DL_SURVEY ? "survey"
	                             : pace_reason_text(c->out.reason));
	if (is_whole) {
		buf_init(&text);
		dl_explain(c, &text);
		jw_kv_str(w, "explain", text.p ? text.p : "");
		buf_fini(&text);
		jw_key(w, "agent_rows");
		jw_begin_array(w);
		list_each (&c->agents, it, tmp)
			dl_report_agent(w, list_entry(it, struct dl_agent, link));
		jw_end_array(w);
		results_put(w, c);
	}
	jw_end_object(w);
}

static int64_t between_ms(int64_t from_us, int64_t to_us)
{
	return from_us && to_us > from_us ? (to_us - from_us) / 1000 : 0;
}

/* What the calls from..to of a campaign have answered: call id -> {question: answer}. */
static CO int answers_read(const struct dl_campaign *c, const struct sv *p, json_t *out)
{
	struct store_rows rows;
	struct sv v[3] = {{0}};
	size_t at = 0;
	int st = dl_sql(
	    "SELECT call_id,question,answer FROM dialler_answers WHERE campaign=$1 AND call_id IN (SELECT id FROM "
	    "dialler_calls WHERE campaign=$1 ORDER BY started_us DESC,id LIMIT CAST($2 AS BIGINT) OFFSET CAST($3 AS "
	    "BIGINT)) ORDER BY at_us,question",
	    p, 3, &rows);
	while (!st && store_rows_row(&rows, &at, v, 3)) {
		json_t *one = json_object_getn(out, v[0].p, v[0].n);
		if (!one && json_object_setn_new(out, v[0].p, v[0].n, one = json_object()))
			st = ST_NOMEM;
		else
			(void)json_object_setn_new(one, v[1].p, v[1].n, json_stringn(v[2].p, v[2].n));
	}
	store_rows_fini(&rows);
	return st;
}

static ON_CTL void answers_put(struct json_writer *w, const json_t *all, struct sv id)
{
	const char *question;
	json_t *answer, *one = json_object_getn(all, id.p, id.n);
	jw_key(w, "answers");
	jw_begin_object(w);
	json_object_foreach(one, question, answer)
	{
		jw_kv_str(w, question, json_string_value(answer) ? json_string_value(answer) : "");
	}
	jw_end_object(w);
}

int dl_report_calls(struct json_writer *w, const struct dl_campaign *c, int64_t limit, int64_t offset, int64_t *count)
{
	struct store_number d[2];
	struct sv p[] = {sv_of(c->name), store_number_put(&d[0], limit), store_number_put(&d[1], offset)},
	          v[13] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st = dl_sql(
	    "SELECT id,number,attempt,agent,trunk,caller_id,started_us,answered_us,connected_us,ended_us,result,"
	    "cause,leg FROM dialler_calls WHERE campaign=$1 ORDER BY started_us DESC,id LIMIT CAST($2 AS BIGINT) "
	    "OFFSET CAST($3 AS BIGINT)",
	    p, 3, &rows);
	json_t *answers = json_object();
	if (!st)
		st = answers ? answers_read(c, p, answers) : ST_NOMEM;
	for (*count = 0; !st && store_rows_row(&rows, &at, v, 13); ++*count) {
		static const char *const texts[] = {"id", "number", NULL, "agent", "trunk", "caller_id"};
		int64_t started = store_number(v[6]), answered = store_number(v[7]), connected = store_number(v[8]),
		        ended = store_number(v[9]);
		jw_begin_object(w);
		for (int i = 0; i < 6; i++)
			if (texts[i]) {
				jw_key(w, texts[i]);
				jw_sv(w, v[i]);
			}
		jw_kv_int(w, "attempt", store_number(v[2]));
		jw_kv_int(w, "started_s", started / 1000000);
		jw_kv_int(w, "ring_ms", between_ms(started, answered ? answered : ended));
		jw_kv_int(w, "wait_ms", between_ms(answered, connected ? connected : ended));
		jw_kv_int(w, "talk_ms", between_ms(connected, ended));
		jw_key(w, "result");
		jw_sv(w, v[10]);
		jw_key(w, "cause");
		jw_sv(w, v[11]);
		jw_key(w, "uuid");
		jw_sv(w, v[12]);
		answers_put(w, answers, v[0]);
		jw_end_object(w);
	}
	json_decref(answers);
	store_rows_fini(&rows);
	return st;
}

int dl_report_answers(struct json_writer *w, const struct dl_campaign *c, int64_t *count)
{
	struct sv p[] = {sv_of(c->name)}, v[3] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st = dl_sql(
	    "SELECT question,answer,COUNT(*) FROM dialler_answers WHERE campaign=$1 GROUP BY question,answer ORDER "
	    "BY question,answer LIMIT 10000",
	    p, 1, &rows);
	for (*count = 0; !st && store_rows_row(&rows, &at, v, 3); ++*count) {
		jw_begin_object(w);
		jw_key(w, "question");
		jw_sv(w, v[0]);
		jw_key(w, "answer");
		jw_sv(w, v[1]);
		jw_kv_int(w, "count", store_number(v[2]));
		jw_end_object(w);
	}
	store_rows_fini(&rows);
	return st;
}

int dl_report_dnc(struct json_writer *w, const char *number, int64_t *count)
{
	struct sv p[] = {sv_of(number)}, v[4] = {{0}};
	struct store_rows rows;
	size_t at = 0;
	int st =
	    dl_sql("SELECT number,campaign,reason,added_s FROM dialler_dnc WHERE $1='' OR number=$1 ORDER BY added_s "
	           "DESC,number LIMIT 1000",
	        p, 1, &rows);
	for (*count = 0; !st && store_rows_row(&rows, &at, v, 4); ++*count) {
		static const char *const texts[] = {"number", "campaign", "reason"};
		jw_begin_object(w);
		for (int i = 0; i < 3; i++) {
			jw_key(w, texts[i]);
			jw_sv(w, v[i]);
		}
		jw_kv_int(w, "added_s", store_number(v[3]));
		jw_end_object(w);
	}
	store_rows_fini(&rows);
	return st;
}
