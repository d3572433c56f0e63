/* The call centre beyond mod_callcenter's tables: live figures, agents, call-backs, history, and a supervisor at an
 * agent's call. All by the commands callcenter_report and callcenter_config, put together here from words that are
 * checked first. */
#include "base/mem.h"
#include "core/conf/config.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 128 };

/* What stays one word of a command, and no mark of its language. */
static bool is_word(const char *s, const char *more)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = s ? strlen(s) : 0;
	if (!n || n > WORD_MAX)
		return false;
	for (; *s; s++)
		if (!strchr(plain, *s) && !strchr(more, *s))
			return false;
	return true;
}

/* A quoted word: names of queues and agents may have blanks. */
static bool is_name(const char *s)
{
	size_t n = s ? strlen(s) : 0;
	if (!n || n > WORD_MAX)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || strchr("'\"\\|`$", *s))
			return false;
	return true;
}

static ON_CTL bool was_refused(struct http_exchange *x, int status, struct sv reply)
{
	struct sv error;
	if (!http_exchange_is_open(x))
		return true;
	if (status == ST_NOTFOUND)
		web_problem(x, 503, "mod_callcenter is not loaded");
	else if (web_reply_is_error(reply, &error))
		web_problem(x, 422, "%.*s", SVF(error));
	else
		return false;
	return true;
}

/* ---- reports ---- */

static void json_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	if (was_refused(x, status, reply))
		return;
	web_reply_rows(x, reply);
}

static void csv_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	if (was_refused(x, status, reply))
		return;
	http_exchange_header(x, "Content-Disposition", "attachment; filename=\"callcenter.csv\"");
	http_exchange_header(x, "X-Content-Type-Options", "nosniff");
	http_exchange_reply(x, 200, "text/csv; charset=utf-8", reply);
}

/* A parameter of the query into value; false: it is none of these. */
static ON_CTL bool query_get(struct web_call *c, const char *name, struct buf *value, bool (*is_good)(const char *s))
{
	buf_clear(value);
	if (http_query_get(c->q, name, value) || !value->n)
		return true;
	return !memchr(value->p, 0, value->n) && is_good(value->p);
}

static bool is_moment(const char *s)
{
	return is_word(s, "-:");
}

static bool is_plain(const char *s)
{
	return is_word(s, "_");
}

static ON_CTL void report_run(struct web_call *c, struct buf *args)
{
	struct buf value;
	buf_init(&value);
	bool is_good = query_get(c, "queue", &value, is_name);
	if (is_good && value.n)
		buf_printf(args, " '%s'", value.p);
	is_good = is_good && query_get(c, "format", &value, is_plain);
	bool is_csv = is_good && value.n && !strcmp(value.p, "csv");
	buf_adds(args, is_csv ? " csv" : " json");
	if (!is_good || (value.n && !is_csv && strcmp(value.p, "json")))
		web_problem(c->x, 400, "queue must be a queue's name; format is json or csv");
	else if (args->failed)
		web_problem(c->x, 503, "out of memory");
	else
		web_command_run(c->x, NULL, "callcenter_report", args->p, is_csv ? csv_done : json_done, NULL);
	buf_fini(&value);
}

void web_callcenter_live(struct web_call *c)
{
	struct buf args;
	buf_init(&args);
	buf_adds(&args, "live");
	report_run(c, &args);
	buf_fini(&args);
}

void web_callcenter_agents(struct web_call *c)
{
	struct buf args, name;
	buf_init(&args);
	buf_init(&name);
	if (!query_get(c, "agent", &name, is_name)) {
		web_problem(c->x, 400, "agent must be an agent's name");
	} else {
		if (name.n)
			buf_printf(&args, "agent '%s'", name.p);
		else
			buf_adds(&args, "agents");
		report_run(c, &args);
	}
	buf_fini(&name);
	buf_fini(&args);
}

void web_callcenter_callbacks(struct web_call *c)
{
	struct buf args;
	buf_init(&args);
	buf_adds(&args, "callbacks");
	report_run(c, &args);
	buf_fini(&args);
}

void web_callcenter_history(struct web_call *c)
{
	static const char *const words[] = {"by", "from", "to"};
	struct buf args, value;
	bool is_good = true;
	buf_init(&args);
	buf_init(&value);
	buf_adds(&args, "history");
	for (size_t i = 0; i < 3 && is_good; i++) {
		is_good = query_get(c, words[i], &value, i ? is_moment : is_plain) && value.n;
		if (is_good)
			buf_printf(&args, " %s", value.p);
	}
	if (is_good)
		report_run(c, &args);
	else
		web_problem(c->x, 400,
		    "by (queue, agent, hour, calls, misses, status, codes), from and to (2026-11-27, 2026-11-27T08:00 "
		    "or "
		    "seconds) are needed");
	buf_fini(&value);
	buf_fini(&args);
}

/* ---- call-backs ---- */

static void callback_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct json_writer w;
	struct buf b;
	role_assert_ctl();
	if (was_refused(x, status, reply))
		return;
	reply = sv_trim(reply);
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "uuid");
	jw_sv(&w, sv_trim(sv_sub(reply, 3, reply.n)));
	jw_end_object(&w);
	web_reply_json(x, 201, &b);
}

static void plain_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	if (!was_refused(x, status, reply))
		http_exchange_reply(x, 204, NULL, SV_NONE);
}

static ON_CTL void config_run(struct web_call *c, struct buf *args, web_done_fn done)
{
	if (args->failed)
		web_problem(c->x, 503, "out of memory");
	else
		web_command_run(c->x, NULL, "callcenter_config", args->p, done, NULL);
	buf_fini(args);
}

void web_callcenter_callback_new(struct web_call *c)
{
	const char *queue = json_string_value(json_object_get(c->body, "queue")),
	           *number = json_string_value(json_object_get(c->body, "number")),
	           *name = json_string_value(json_object_get(c->body, "name"));
	struct buf args;
	if (!is_name(queue) || !is_word(number, "+*#") || (name && *name && !is_name(name))) {
		web_problem(c->x, 400, "queue and number (digits, + * #) are needed; a name has no quotes");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "queue callback '%s' %s '%s'", queue, number, name ? name : "");
	config_run(c, &args, callback_done);
}

void web_callcenter_callback_del(struct web_call *c)
{
	struct buf args;
	if (!is_word(c->param, "-")) {
		web_problem(c->x, 404, "there is no such call-back");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "queue callback_del %s", c->param);
	config_run(c, &args, plain_done);
}

void web_callcenter_send(struct web_call *c)
{
	const char *queue = json_string_value(json_object_get(c->body, "queue")),
	           *uuid = json_string_value(json_object_get(c->body, "uuid"));
	struct buf args;
	if (!is_name(queue) || !is_word(uuid, "-_")) {
		web_problem(c->x, 400, "queue and uuid (of a channel) are needed");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "queue send '%s' %s", queue, uuid);
	config_run(c, &args, plain_done);
}

/* ---- supervisors ---- */

/* {"user": whose phone is rung, one's own without it; "mode": listen, whisper or barge} */
void web_callcenter_monitor(struct web_call *c)
{
	const char *user = json_string_value(json_object_get(c->body, "user")),
	           *mode = json_string_value(json_object_get(c->body, "mode")), *own_domain = globals_get("domain");
	const char *domain = c->session && *c->session->domain ? c->session->domain : own_domain ? own_domain : "";
	struct buf args;
	if (!user && c->session && *c->session->user)
		user = c->session->user;
	if (!is_word(user, "_.+-*") || !is_word(domain, "_.:-[]") || !is_name(c->param) || (mode && !is_plain(mode))) {
		web_problem(c->x, 400, "user must be one of the directory; mode is listen, whisper or barge");
		return;
	}
	buf_init(&args);
	buf_printf(&args, "agent monitor '%s' user/%s@%s %s", c->param, user, domain, mode ? mode : "listen");
	config_run(c, &args, plain_done);
}

/* {"action": available, break or logout; "reason": of the break} */
void web_callcenter_agent_set(struct web_call *c)
{
	const char *action = json_string_value(json_object_get(c->body, "action")),
	           *reason = json_string_value(json_object_get(c->body, "reason"));
	struct buf args;
	bool is_break = action && !strcmp(action, "break"), is_here = action && !strcmp(action, "available"),
	     is_out = action && !strcmp(action, "logout");
	if (!is_name(c->param) || (!is_break && !is_here && !is_out) || (reason && *reason && !is_name(reason))) {
		web_problem(c->x, 400, "action is available, break (with a reason) or logout");
		return;
	}
	buf_init(&args);
	if (is_break)
		buf_printf(&args, "agent pause '%s' '%s'", c->param, reason ? reason : "");
	else if (is_here)
		buf_printf(&args, "agent resume '%s'", c->param);
	else
		buf_printf(&args, "agent set status '%s' 'Logged Out'", c->param);
	config_run(c, &args, plain_done);
}
