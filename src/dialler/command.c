/* `dialler ...`. Words that name campaigns and agents are looked up and compared, never run; a file is named by an
 * operator with full rights only. With json as its first word a command answers in JSON, which HTTP passes on. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/app_words.h"
#include "dialler/dialler_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = 16, REASON_MAX = 200, NAME_MAX_BYTES = 200 };
struct request {
	struct api_call *c;
	const struct app_words *w;
	int at; /* w->w[at] is the verb */
	bool is_json;
	struct dl_campaign *campaign; /* a reference; of verbs that name one */
};
struct verb {
	const char *name;
	int least; /* words behind it */
	bool names_campaign;
	int (*fn)(struct request *r); /* CO */
	const char *usage;
};

static const char *word(const struct request *r, int i)
{
	return r->at + i < r->w->n ? r->w->w[r->at + i] : NULL;
}

static ON_CTL int say(struct request *r, int st, const char *text)
{
	buf_printf(r->c->out, "%s %s\n", st ? "-ERR" : "+OK", st && !text ? dl_why(st) : text ? text : "");
	return ST_OK;
}

/* Rows of JSON around what put writes. */
static ON_CTL void rows_begin(struct request *r, struct json_writer *w)
{
	jw_init(w, r->c->out, false);
	jw_begin_object(w);
	jw_key(w, "rows");
	jw_begin_array(w);
}

static ON_CTL void rows_end(struct json_writer *w, int64_t count)
{
	jw_end_array(w);
	jw_kv_int(w, "row_count", count);
	jw_end_object(w);
}

/* ---- campaigns ---- */

static CO int do_list(struct request *r)
{
	struct dl_campaign *all[DL_CAMPAIGNS_MAX];
	struct lnode *it, *tmp;
	struct json_writer w;
	size_t count = 0;
	list_each (dl_campaigns(), it, tmp)
		if (count < DL_CAMPAIGNS_MAX)
			all[count++] = mem_ref(list_entry(it, struct dl_campaign, link));
	if (r->is_json)
		rows_begin(r, &w);
	for (size_t i = 0; i < count; i++) {
		struct dl_campaign *c = all[i];
		if (r->is_json)
			dl_report_campaign(&w, c, false);
		else
			buf_printf(r->c->out, "%s|%s|%s|%u|%u|%u\n", c->name, dl_mode_name(c->s.mode),
			    dl_state_name(c->state), c->counts[DL_BEGINS] + c->counts[DL_RINGING],
			    c->counts[DL_WAITING] + c->counts[DL_SCREENED], c->counts[DL_TALKING]);
		mem_unref(c);
	}
	if (r->is_json)
		rows_end(&w, (int64_t)count);
	else
		buf_printf(r->c->out, "+OK %zu campaigns (name|mode|state|ringing|waiting|talking)\n", count);
	return ST_OK;
}

static CO int do_show(struct request *r)
{
	struct json_writer w;
	jw_init(&w, r->c->out, !r->is_json);
	dl_report_campaign(&w, r->campaign, true);
	buf_adds(r->c->out, "\n");
	return ST_OK;
}

static CO int do_explain(struct request *r)
{
	dl_explain(r->campaign, r->c->out);
	return ST_OK;
}

static CO int do_start(struct request *r)
{
	if (!r->campaign->is_recovered) {
		r->campaign->wants_start = true;
		return say(r, ST_OK, "as soon as its figures are back from the database");
	}
	return say(r, dl_campaign_state_set(r->campaign, DL_RUNNING), NULL);
}

static CO int do_pause(struct request *r)
{
	if (r->campaign->state != DL_RUNNING)
		return say(r, ST_INVAL, "it does not run");
	return say(r, dl_campaign_state_set(r->campaign, DL_PAUSED), NULL);
}

static CO int do_resume(struct request *r)
{
	if (r->campaign->state != DL_PAUSED)
		return say(r, ST_INVAL, "it is not paused");
	return say(r, dl_campaign_state_set(r->campaign, DL_RUNNING), NULL);
}

static CO int do_stop(struct request *r)
{
	r->campaign->wants_start = false;
	return say(r, dl_campaign_state_set(r->campaign, DL_STOPPED), NULL);
}

/* Numbers that are done with one of these results are new again; their time of retry stays. */
static CO int do_recycle(struct request *r)
{
	static const char *const usual[] = {
	    "busy", "no-answer", "machine", "abandoned", "congestion", "failed", "cancelled", "interrupted", "hangup"};
	struct sv p[WORDS + 1] = {sv_of(r->campaign->name)};
	struct buf text;
	size_t n = 1;
	int64_t changed = 0;
	char told[64];
	for (int i = 2; word(r, i) && n < WORDS; i++)
		p[n++] = sv_of(word(r, i));
	for (size_t i = 0; n == 1 + i && !word(r, 2) && i < sizeof(usual) / sizeof(usual[0]); i++)
		p[n++] = sv_of(usual[i]);
	buf_init(&text);
	buf_adds(
	    &text, "UPDATE dialler_numbers SET state='new',tries=0 WHERE campaign=$1 AND state='done' AND result IN (");
	for (size_t i = 1; i < n; i++)
		buf_printf(&text, "%s$%zu", i > 1 ? "," : "", i + 1);
	buf_adds(&text, ")");
	int st = text.failed ? ST_NOMEM : dl_run(text.p, p, n, &changed);
	buf_fini(&text);
	r->campaign->looked_us = 0;
	dl_campaign_kick(r->campaign);
	snprintf(told, sizeof(told), "%lld numbers", (long long)changed);
	return say(r, st, st ? NULL : told);
}

/* ---- lists ---- */

static ON_CTL void import_tell(struct request *r, int st, const struct dl_import *m)
{
	struct json_writer w;
	if (r->is_json && !st) {
		jw_init(&w, r->c->out, false);
		jw_begin_object(&w);
		jw_kv_int(&w, "imported", (int64_t)m->imported);
		jw_kv_int(&w, "duplicates", (int64_t)m->duplicates);
		jw_kv_int(&w, "bad", (int64_t)m->bad_count);
		jw_key(&w, "errors");
		jw_raw(&w, m->errors.n ? buf_sv(&m->errors) : SV("[]"));
		jw_end_object(&w);
		return;
	}
	buf_printf(r->c->out, "%s %zu imported, %zu duplicates, %zu bad lines%s%s\n", st ? "-ERR" : "+OK", m->imported,
	    m->duplicates, m->bad_count, st ? ": " : "", st ? m->why : "");
	json_t *errors = NULL, *one;
	size_t i;
	if (m->errors.n && !json_parse(&errors, buf_sv(&m->errors), 0, NULL))
		json_array_foreach(errors, i, one) buf_printf(r->c->out, "line %lld: %s\n",
		    (long long)json_integer_value(json_object_get(one, "line")),
		    json_string_value(json_object_get(one, "why")));
	json_decref(errors);
}

static ON_CTL void import_event(const struct dl_campaign *c, const struct dl_import *m)
{
	struct event *e = dl_event(c, "import");
	if (!e)
		return;
	event_addf(e, "Dialler-Imported", "%zu", m->imported);
	event_addf(e, "Dialler-Duplicates", "%zu", m->duplicates);
	event_addf(e, "Dialler-Bad", "%zu", m->bad_count);
	event_fire(e);
}

static ON_CTL bool may_name_file(struct request *r, int i)
{
	if (!r->c->who && !mark_has(sv_of(r->w->m[r->at + i])))
		return true;
	say(r, ST_DENIED, "the file is for an operator to name");
	return false;
}

static CO int do_import(struct request *r)
{
	struct dl_import m;
	const char *path = word(r, 2), *slash = strrchr(path, '/');
	if (!may_name_file(r, 2))
		return ST_OK;
	int st = dl_import(r->campaign, slash ? slash + 1 : path, path, NULL, &m);
	import_tell(r, st, &m);
	if (!st)
		import_event(r->campaign, &m);
	dl_import_fini(&m);
	return ST_OK;
}

/* text CAMPAIGN LIST, and the CSV behind the first line's end. */
static CO int do_text(struct request *r)
{
	struct dl_import m;
	const char *csv = strchr(r->c->args, '\n');
	if (!csv)
		return say(r, ST_INVAL, "the list stands behind the first line");
	int st = dl_import(r->campaign, word(r, 2), NULL, mem_strdup(csv + 1), &m);
	import_tell(r, st, &m);
	if (!st)
		import_event(r->campaign, &m);
	dl_import_fini(&m);
	return ST_OK;
}

/* One number, and a name: what is known already is due again ("add" of a survey behind each call). */
static CO int do_add(struct request *r)
{
	char number[RULE_NUMBER_MAX + 1], name[NAME_MAX_BYTES + 1] = "";
	const char *why = "";
	int64_t changed = 0;
	if (rule_number(sv_of(word(r, 2)), &dl_conf.plan, number, &why))
		return say(r, ST_INVAL, why);
	for (int i = 3; word(r, i); i++)
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "%s%s", *name ? " " : "", word(r, i));
	int st = dl_keep_add(r->campaign, number, name, &changed);
	r->campaign->looked_us = 0;
	dl_campaign_kick(r->campaign);
	return say(r, !st && !changed ? ST_EXISTS : st,
	    st        ? NULL
	    : changed ? number
	              : "the campaign has this number already, and it is not done");
}

static CO int dnc_change(struct request *r, const char *number, const char *campaign, bool is_add)
{
	struct store_number d;
	char reason[REASON_MAX + 1] = "";
	for (int i = 4; is_add && word(r, i); i++)
		snprintf(
		    reason + strlen(reason), sizeof(reason) - strlen(reason), "%s%s", *reason ? " " : "", word(r, i));
	struct sv p[] = {
	    sv_of(number), sv_of(campaign), sv_of(reason), store_number_put(&d, clock_wall_us() / 1000000)};
	int64_t changed = 0;
	int st =
	    is_add
	        ? dl_run(
	              "INSERT INTO dialler_dnc (number,campaign,reason,added_s) VALUES ($1,$2,$3,CAST($4 AS BIGINT)) "
	              "ON CONFLICT (number,campaign) DO UPDATE SET reason=excluded.reason",
	              p, 4, &changed)
	        : dl_run("DELETE FROM dialler_dnc WHERE number=$1 AND campaign=$2", p, 2, &changed);
	return say(r, !st && !changed ? ST_NOTFOUND : st, st ? NULL : changed ? "" : "no such number");
}

/* dnc list [NUMBER] | add NUMBER [CAMPAIGN|all [REASON]] | del NUMBER [CAMPAIGN] | import FILE [CAMPAIGN] */
static CO int do_dnc(struct request *r)
{
	const char *what = word(r, 1), *campaign = word(r, 3) && strcmp(word(r, 3), "all") != 0 ? word(r, 3) : "",
	           *why = "";
	char number[RULE_NUMBER_MAX + 1] = "";
	if (*campaign && !dl_campaign_find(campaign))
		return say(r, ST_NOTFOUND, "no such campaign");
	if (!strcmp(what, "import") && word(r, 2)) {
		struct dl_import m;
		if (!may_name_file(r, 2))
			return ST_OK;
		int st = dl_import_dnc(campaign, word(r, 2), &m);
		import_tell(r, st, &m);
		dl_import_fini(&m);
		return ST_OK;
	}
	if (word(r, 2) && rule_number(sv_of(word(r, 2)), &dl_conf.plan, number, &why))
		return say(r, ST_INVAL, why);
	if (!strcmp(what, "list")) {
		struct json_writer w;
		int64_t count = 0;
		rows_begin(r, &w);
		int st = dl_report_dnc(&w, number, &count);
		rows_end(&w, count);
		buf_adds(r->c->out, "\n");
		return st;
	}
	bool is_add = !strcmp(what, "add");
	if (!*number || (!is_add && strcmp(what, "del") != 0))
		return say(r, ST_INVAL,
		    "dnc list [<number>] | add|del <number> [<campaign>|all [<reason>]] | import <file> [<campaign>]");
	return dnc_change(r, number, campaign, is_add);
}

/* ---- results ---- */

static CO int do_results(struct request *r)
{
	struct json_writer w;
	int64_t limit = 50, offset = 0, count = 0;
	if ((word(r, 2) && sv_i64(sv_of(word(r, 2)), &limit)) || (word(r, 3) && sv_i64(sv_of(word(r, 3)), &offset)) ||
	    limit < 1 || limit > 1000 || offset < 0)
		return say(r, ST_INVAL, "results <campaign> [<count up to 1000> [<offset>]]");
	rows_begin(r, &w);
	int st = dl_report_calls(&w, r->campaign, limit, offset, &count);
	rows_end(&w, count);
	buf_adds(r->c->out, "\n");
	return st;
}

static CO int do_answers(struct request *r)
{
	struct json_writer w;
	int64_t count = 0;
	rows_begin(r, &w);
	int st = dl_report_answers(&w, r->campaign, &count);
	rows_end(&w, count);
	buf_adds(r->c->out, "\n");
	return st;
}

/* ---- agents ---- */

static CO int do_agents(struct request *r)
{
	struct lnode *it, *tmp;
	struct json_writer w;
	if (r->is_json)
		rows_begin(r, &w);
	list_each (&r->campaign->agents, it, tmp) {
		const struct dl_agent *a = list_entry(it, struct dl_agent, link);
		if (r->is_json)
			dl_report_agent(&w, a);
		else
			buf_printf(r->c->out, "%s|%s|%u|%s\n", a->name, dl_agent_state_name(a->state), a->calls,
			    a->call && a->call->n ? a->call->n->number
			    : a->shown            ? a->shown->number
			                          : "");
	}
	if (r->is_json)
		rows_end(&w, r->campaign->agent_count);
	else
		buf_printf(r->c->out, "+OK %u agents (name|state|calls|number)\n", r->campaign->agent_count);
	return ST_OK;
}

/* A number is shown to the agent, who calls or skips it. */
static CO int next(struct request *r, struct dl_agent *a)
{
	struct dl_campaign *c = r->campaign;
	struct dl_trunk *trunk;
	struct json_writer w;
	if (c->s.mode != DL_PREVIEW || c->state != DL_RUNNING)
		return say(r, ST_INVAL, "not a preview campaign that runs");
	if (!a->shown) {
		dl_hopper_fill(c);
		struct dl_number *n = dl_hopper_take(c, &trunk);
		if (n && (a->shown || a->is_gone)) /* asked twice meanwhile */
			dl_hopper_back(c, n);
		else
			a->shown = n;
	}
	if (!a->shown)
		return say(r, ST_NOTFOUND, "no number is due");
	if (!r->is_json)
		buf_adds(r->c->out, "+OK ");
	jw_init(&w, r->c->out, false);
	if (r->is_json) {
		jw_begin_object(&w);
		jw_kv_str(&w, "status", "ok");
		jw_kv_str(&w, "reply", a->shown->number);
		jw_key(&w, "number");
	}
	dl_report_number(&w, a->shown);
	if (r->is_json)
		jw_end_object(&w);
	buf_adds(r->c->out, "\n");
	return ST_OK;
}

static CO int dial(struct request *r, struct dl_agent *a)
{
	struct dl_campaign *c = r->campaign;
	struct dl_number *n = a->shown;
	struct dl_trunk *trunk = n ? dl_trunk_for(c, n->number) : NULL;
	if (!n || c->state != DL_RUNNING)
		return say(r, ST_INVAL, n ? "the campaign does not run" : "no number is shown: next");
	if (!trunk)
		return say(r, ST_FULL, "no trunk has room for that number");
	int64_t now_s = clock_wall_us() / 1000000;
	if (rule_windows_next(&c->s.windows, n->zone, now_s) > now_s)
		return say(r, ST_DENIED, "its window is closed");
	int st = a->is_up ? ST_OK : dl_agent_login(a);
	if (st)
		return say(r, st, "the agent has no contact");
	if (a->state != DL_FREE && a->state != DL_CALLING)
		return say(r, ST_BUSY, "the agent is not free");
	a->shown = NULL;
	if (a->state == DL_FREE)
		dl_agent_state_set(a, DL_HELD);
	st = dl_call_start(c, n, trunk, a);
	if (st && a->state == DL_HELD)
		dl_agent_state_set(a, DL_FREE);
	return say(r, st, NULL);
}

/* Not this one now: later, by the rule "skipped" or the default one. */
static CO int skip(struct request *r, struct dl_agent *a)
{
	struct dl_campaign *c = r->campaign;
	struct dl_number *n = a->shown;
	if (!n)
		return say(r, ST_INVAL, "no number is shown");
	const struct rule_retry *rule = rule_retry_find(c->s.retries, c->s.retry_count, "skipped", NULL);
	a->shown = NULL;
	int st = dl_keep_later(c, n->number, clock_wall_us() / 1000000 + (rule ? rule->after_s : 3600));
	dl_number_drop(c, n);
	return say(r, st, NULL);
}

/* agent CAMPAIGN login|logout|pause|ready|next|dial|skip NAME */
static CO int do_agent(struct request *r)
{
	const char *what = word(r, 2), *name = word(r, 3);
	struct dl_agent *a = dl_agent_find(r->campaign, name);
	int st = ST_OK;
	if (strlen(name) > DL_NAME_MAX)
		return say(r, ST_INVAL, "no such agent");
	if (!a && (st = dl_agent_put(r->campaign, name, NULL, &a)))
		return say(r, st, "no such agent");
	mem_ref(a);
	if (!strcmp(what, "login")) {
		st = dl_agent_login(a);
		say(r, st, st == ST_EXISTS ? "he is on line already" : NULL);
	} else if (!strcmp(what, "logout")) {
		dl_agent_logout(a);
		say(r, ST_OK, NULL);
	} else if (!strcmp(what, "pause")) {
		dl_agent_rest(a);
		say(r, ST_OK, NULL);
	} else if (!strcmp(what, "ready")) {
		dl_agent_ready(a);
		say(r, ST_OK, NULL);
	} else if (!strcmp(what, "next")) {
		st = next(r, a);
	} else if (!strcmp(what, "dial")) {
		st = dial(r, a);
	} else if (!strcmp(what, "skip")) {
		st = skip(r, a);
	} else {
		say(r, ST_INVAL, "login, logout, pause, ready, next, dial or skip");
	}
	mem_unref(a);
	return st == ST_NOMEM ? st : ST_OK;
}

static CO int do_reload(struct request *r)
{
	return say(r, dl_conf_load(), NULL);
}

static const struct verb verbs[] = {
    {"list", 0, false, do_list, "list"},
    {"show", 1, true, do_show, "show <campaign>"},
    {"explain", 1, true, do_explain, "explain <campaign>"},
    {"start", 1, true, do_start, "start <campaign>"},
    {"pause", 1, true, do_pause, "pause <campaign>"},
    {"resume", 1, true, do_resume, "resume <campaign>"},
    {"stop", 1, true, do_stop, "stop <campaign>"},
    {"recycle", 1, true, do_recycle, "recycle <campaign> [<result> ...]"},
    {"add", 2, true, do_add, "add <campaign> <number> [<name>]"},
    {"import", 2, true, do_import, "import <campaign> <file>"},
    {"text", 2, true, do_text, "text <campaign> <list>, then lines of CSV"},
    {"results", 1, true, do_results, "results <campaign> [<count> [<offset>]]"},
    {"answers", 1, true, do_answers, "answers <campaign>"},
    {"agents", 1, true, do_agents, "agents <campaign>"},
    {"agent", 3, true, do_agent, "agent <campaign> login|logout|pause|ready|next|dial|skip <agent>"},
    {"dnc", 1, false, do_dnc, "dnc list|add|del|import ..."},
    {"reload", 0, false, do_reload, "reload"},
};

static CO int verb_run(struct request *r, const struct verb *v)
{
	int st;
	if (r->w->n - r->at - 1 < v->least) {
		buf_printf(r->c->out, "-USAGE: dialler %s\n", v->usage);
		return ST_OK;
	}
	if (v->names_campaign && !(r->campaign = mem_ref(dl_campaign_find(word(r, 1)))))
		return say(r, ST_NOTFOUND, "no such campaign");
	st = v->fn(r);
	mem_unref(r->campaign);
	return st;
}

int api_dialler(struct api_call *c)
{
	struct app_words w;
	struct request r = {.c = c, .w = &w};
	role_assert_co();
	size_t n = strcspn(c->text, "\n"); /* a list may stand behind the first line */
	char *line = mem_strndup(c->text, n);
	int st = line ? app_words_init(&w, line, WORDS) : ST_NOMEM;
	const struct verb *found = NULL;
	if (line && !st) {
		r.is_json = w.n && !strcmp(w.w[0], "json");
		r.at = r.is_json;
		for (size_t i = 0; r.at < w.n && i < sizeof(verbs) / sizeof(verbs[0]); i++)
			if (!strcmp(verbs[i].name, w.w[r.at]))
				found = &verbs[i];
		if (found)
			st = verb_run(&r, found);
		for (size_t i = 0; !found && i < sizeof(verbs) / sizeof(verbs[0]); i++)
			buf_printf(c->out, "%s dialler %s\n", i ? "       " : "-USAGE:", verbs[i].usage);
	}
	if (line)
		app_words_fini(&w);
	mem_free(line);
	return st;
}
