/* The dialler's routes: each is a command `dialler json ...` of words that are checked first, and its JSON goes out as
 * it is. 503 while mod_dialler is not loaded. */
#include "base/mem.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

/* One word of a command line, whatever it says else. */
static bool is_word(const char *s)
{
	size_t n = s ? strlen(s) : 0;
	if (!n || n > 128)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f || strchr("\"'\\", s[i]))
			return false;
	return true;
}

static void done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv text;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (status == ST_NOTFOUND) {
		web_problem(x, 503, "the module that knows of these is not loaded");
		return;
	}
	if (web_reply_is_error(reply, &text) || status) {
		if (status)
			web_problem(x, 503, "dialler: %s", status_text(status));
		else
			web_problem(x, sv_starts(text, SV("no such")) ? 404 : 422, "%.*s", SVF(text));
		return;
	}
	struct buf b;
	buf_init(&b);
	if (sv_starts(text, SV("{"))) {
		buf_addv(&b, text);
	} else {
		struct json_writer w;
		jw_init(&w, &b, false);
		jw_begin_object(&w);
		jw_kv_str(&w, "status", "ok");
		jw_key(&w, "reply");
		jw_sv(&w, sv_starts(text, SV("+OK")) ? sv_trim(sv_sub(text, 3, text.n)) : text);
		jw_end_object(&w);
	}
	web_reply_json(x, 200, &b);
}

static void done_empty(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv text;
	role_assert_ctl();
	if (http_exchange_is_open(x) && !status && !web_reply_is_error(reply, &text))
		http_exchange_reply(x, 204, "text/plain", SV_NONE);
	else
		done(x, status, reply, arg);
}

static ON_CTL void ask(struct web_call *c, web_done_fn fn, struct buf *args)
{
	if (args->failed)
		web_problem(c->x, 503, "out of memory");
	else
		web_command_run(c->x, NULL, "dialler", args->p, fn, NULL);
	buf_fini(args);
}

/* A member of the body that is a word; NULL: none, or it was answered (is_bad). */
static ON_CTL const char *member(struct web_call *c, const char *name, bool *is_bad)
{
	const json_t *v = json_object_get(c->body, name);
	const char *s = json_string_value(v);
	if (!v || json_is_null(v) || (s && !*s))
		return NULL;
	if (is_word(s))
		return s;
	web_problem(c->x, 400, "%s must be one word", name);
	*is_bad = true;
	return NULL;
}

static ON_CTL bool param_check(struct web_call *c)
{
	if (is_word(c->param))
		return true;
	web_problem(c->x, 404, "there is none of that name");
	return false;
}

void web_campaigns(struct web_call *c)
{
	web_command_run(c->x, NULL, "dialler", "json list", done, NULL);
}

static ON_CTL void about(struct web_call *c, const char *verb)
{
	struct buf args;
	if (!param_check(c))
		return;
	buf_init(&args);
	buf_printf(&args, "json %s %s", verb, c->param);
	ask(c, done, &args);
}

void web_campaign(struct web_call *c)
{
	about(c, "show");
}

void web_campaign_agents(struct web_call *c)
{
	about(c, "agents");
}

void web_campaign_answers(struct web_call *c)
{
	about(c, "answers");
}

void web_campaign_do(struct web_call *c)
{
	static const char *const actions[] = {"start", "pause", "resume", "stop", "recycle", NULL};
	bool is_bad = false;
	const char *action = member(c, "action", &is_bad);
	struct buf args;
	int i = 0;
	if (is_bad || !param_check(c))
		return;
	while (actions[i] && (!action || strcmp(actions[i], action) != 0))
		i++;
	if (!actions[i]) {
		web_problem(c->x, 400, "action must be start, pause, resume, stop or recycle");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "json %s %s", actions[i], c->param);
	const json_t *results = json_object_get(c->body, "results"), *one;
	for (size_t k = 0; i == 4 && k < json_array_size(results) && k < 12; k++) {
		one = json_array_get(results, k);
		if (is_word(json_string_value(one)))
			buf_printf(&args, " %s", json_string_value(one));
	}
	ask(c, done, &args);
}

void web_campaign_list(struct web_call *c)
{
	bool is_bad = false;
	const char *csv = json_string_value(json_object_get(c->body, "csv")), *list = member(c, "list", &is_bad);
	struct buf args;
	if (is_bad || !param_check(c))
		return;
	if (!csv) {
		web_problem(c->x, 400, "csv must be the text of a list");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "json text %s %s\n", c->param, list ? list : "http");
	buf_adds(&args, csv);
	ask(c, done, &args);
}

/* A user of the role agent is the agent of his own name only. */
static ON_CTL bool is_his(const struct web_call *c, const char *agent)
{
	char full[256];
	if (c->role != WEB_AGENT)
		return true;
	if (!c->session || !*c->session->user)
		return false;
	snprintf(full, sizeof(full), "%s@%s", c->session->user, c->session->domain);
	return !strcmp(agent, c->session->user) || !strcmp(agent, full);
}

void web_campaign_agent_do(struct web_call *c)
{
	static const char *const actions[] = {"login", "logout", "pause", "ready", "next", "dial", "skip", NULL};
	bool is_bad = false;
	const char *action = member(c, "action", &is_bad), *agent = is_bad ? NULL : member(c, "agent", &is_bad);
	struct buf args;
	int i = 0;
	if (is_bad || !param_check(c))
		return;
	while (actions[i] && (!action || strcmp(actions[i], action) != 0))
		i++;
	if (!actions[i] || !agent) {
		web_problem(c->x, 400, "agent must be a name; action login, logout, pause, ready, next, dial or skip");
		return;
	}
	if (!is_his(c, agent)) {
		web_problem(c->x, 403, "the role agent may act for its own user only");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "json agent %s %s %s", c->param, actions[i], agent);
	ask(c, done, &args);
}

static ON_CTL int64_t query_number(struct web_call *c, const char *name, int64_t low, int64_t high, int64_t otherwise)
{
	struct buf b;
	int64_t v = otherwise;
	buf_init(&b);
	if (!http_query_get(c->q, name, &b) && (sv_i64(buf_sv(&b), &v) || v < low || v > high))
		v = otherwise;
	buf_fini(&b);
	return v;
}

void web_campaign_results(struct web_call *c)
{
	struct buf args;
	if (!param_check(c))
		return;
	buf_init(&args);
	buf_printf(&args, "json results %s %lld %lld", c->param, (long long)query_number(c, "limit", 1, 1000, 50),
	    (long long)query_number(c, "offset", 0, INT64_MAX, 0));
	ask(c, done, &args);
}

void web_dnc(struct web_call *c)
{
	struct buf args, number;
	buf_init(&args);
	buf_init(&number);
	bool has_number = !http_query_get(c->q, "number", &number) && number.n;
	if (has_number && !is_word(number.p)) {
		web_problem(c->x, 400, "number must be digits");
	} else {
		buf_printf(&args, "json dnc list %s", has_number ? number.p : "");
		ask(c, done, &args);
	}
	buf_fini(&number);
}

void web_dnc_add(struct web_call *c)
{
	bool is_bad = false;
	const char *number = member(c, "number", &is_bad), *campaign = is_bad ? NULL : member(c, "campaign", &is_bad),
	           *reason = json_string_value(json_object_get(c->body, "reason"));
	struct buf args;
	if (is_bad)
		return;
	if (!number || (reason && (strlen(reason) > 200 || strpbrk(reason, "\n\"'\\")))) {
		web_problem(c->x, 400, "number must be digits, reason at most 200 characters without quotes");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "json dnc add %s %s %s", number, campaign ? campaign : "all", reason ? reason : "");
	ask(c, done, &args);
}

void web_dnc_del(struct web_call *c)
{
	struct buf args, campaign;
	if (!param_check(c))
		return;
	buf_init(&args);
	buf_init(&campaign);
	bool has_one = !http_query_get(c->q, "campaign", &campaign) && campaign.n;
	if (has_one && !is_word(campaign.p)) {
		web_problem(c->x, 404, "no such campaign");
	} else {
		buf_printf(&args, "json dnc del %s %s", c->param, has_one ? campaign.p : "all");
		ask(c, done_empty, &args);
	}
	buf_fini(&campaign);
}
