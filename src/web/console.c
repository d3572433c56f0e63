/* What the console asks beside the views: click to dial, the phones of the directory, conferences, parked calls, what a
 * dialplan would do for a number, what is wrong with the configuration. Commands are put together here from words that
 * are checked first. */
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "loop/co.h"
#include "proc/shell.h"
#include "text/xml.h"
#include "web/web_i.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHECK_MAX_BYTES = 1 << 20 };
static bool is_checking; /* one at a time */

static bool is_word(const char *s, const char *more)
{
	static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = s ? strlen(s) : 0;
	if (!n || n > 128)
		return false;
	for (; *s; s++)
		if (!strchr(plain, *s) && !strchr(more, *s))
			return false;
	return true;
}

/* ---- click to dial: one's own phone rings, and who answers it is sent to the number ---- */
static void dial_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct json_writer w;
	struct buf b;
	struct sv text;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (web_reply_is_refusal(reply, &text)) {
		web_problem(x, 403, "originate: %.*s", SVF(text));
		return;
	}
	if (web_reply_is_error(reply, &text)) {
		web_problem(x, 422, "the phone did not answer: %.*s", SVF(text));
		return;
	}
	if (sv_starts(text, SV("+OK ")))
		text = sv_sub(text, 4, text.n);
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "uuid");
	jw_sv(&w, text);
	jw_end_object(&w);
	web_reply_json(x, 201, &b);
}

/* Whose phone: one's own; a supervisor may name another. False: it was answered. */
static ON_CTL bool dial_phone(struct web_call *c, const char **user, const char **domain)
{
	const char *phone = json_string_value(json_object_get(c->body, "phone")), *own_domain = globals_get("domain");
	bool has_own = c->session && *c->session->user;
	*user = phone && *phone ? phone : has_own ? c->session->user : NULL;
	*domain = c->session && *c->session->domain ? c->session->domain : own_domain ? own_domain : "";
	if (!*user) {
		web_problem(c->x, 400, "phone is needed: who signed in with a token has none of his own");
		return false;
	}
	if (c->role < WEB_OPERATOR && (!has_own || strcmp(*user, c->session->user))) {
		web_problem(c->x, 403, "the role %s may dial from its own phone only", web_role_name(c->role));
		return false;
	}
	if (!is_word(*user, "_.+-*") || !is_word(*domain, "_.:-[]")) {
		web_problem(c->x, 400, "phone must be a user of the directory");
		return false;
	}
	return true;
}

void web_dial(struct web_call *c)
{
	const char *number = json_string_value(json_object_get(c->body, "number")), *user, *domain, *context;
	struct dir_user *u = NULL;
	struct buf args;
	if (!dial_phone(c, &user, &domain))
		return;
	if (!is_word(number, "_.+-*#@")) {
		web_problem(c->x, 400, "number must be one that can be dialled: letters, digits and + - . * # _ @");
		return;
	}
	if (!web_leg_command_check(c, "originate", NULL))
		return;
	if (dir_user_find(sv_of(user), sv_of(domain), &u)) {
		web_problem(c->x, 404, "there is no user %s", user);
		return;
	}
	context = dir_user_var(u, "user_context");
	buf_init(&args);
	buf_printf(&args,
	    "{origination_caller_id_name=Dial,origination_caller_id_number=%s,ignore_early_media=true}user/%s@%s %s "
	    "XML %s",
	    number, user, domain, number, is_word(context, "_.-") ? context : "default");
	mem_unref(u);
	if (args.failed)
		web_problem(c->x, 503, "out of memory");
	else
		web_command_run(c->x, c->who, "originate", args.p, dial_done, NULL);
	buf_fini(&args);
}

/* ---- tables of commands: a line of names, then a line a row, columns parted by '|'; "+OK" at the end ---- */
static bool is_shown(const char *const *shown, struct sv name)
{
	if (!shown)
		return name.n > 0;
	for (; *shown; shown++)
		if (sv_is(name, *shown))
			return true;
	return false;
}

static void row_put(struct json_writer *w, struct sv names, struct sv cells, const char *const *shown)
{
	struct sv name, value;
	bool has_name = true, has_value = true;
	jw_begin_object(w);
	while (has_name) {
		has_name = sv_split(names, '|', &name, &names);
		value = SV_NONE;
		if (has_value)
			has_value = sv_split(cells, '|', &value, &cells);
		if (is_shown(shown, name)) {
			jw_key_sv(w, name);
			jw_sv(w, value);
		}
	}
	jw_end_object(w);
}

/* arg: names of the columns that are told, ended by NULL; NULL: all. */
static void table_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv line, names = SV_NONE;
	struct json_writer w;
	struct buf b;
	int64_t count = 0;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (status == ST_NOTFOUND) {
		web_problem(x, 503, "the module that knows of these is not loaded");
		return;
	}
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "rows");
	jw_begin_array(&w);
	for (bool more = reply.n > 0; more;) {
		more = sv_split(reply, '\n', &line, &reply);
		line = sv_trim(line);
		if (!line.n || sv_starts(line, SV("+OK")) || sv_starts(line, SV("-ERR")))
			continue;
		if (!names.n) {
			names = line;
			continue;
		}
		row_put(&w, names, line, arg);
		count++;
	}
	jw_end_array(&w);
	jw_kv_int(&w, "row_count", count);
	jw_end_object(&w);
	web_reply_json(x, 200, &b);
}

void web_phones(struct web_call *c)
{
	static const char *const shown[] = {"userid", "domain", "group", "contact", "callgroup",
	    "effective_caller_id_name", "effective_caller_id_number", NULL};
	web_command_run(c->x, NULL, "list_users", "", table_done, (void *)shown);
}

/* mod_callcenter's tables; 503 while it is not loaded. */
void web_queues(struct web_call *c)
{
	struct buf which, queue, args;
	buf_init(&which);
	buf_init(&queue);
	buf_init(&args);
	http_query_get(c->q, "list", &which);
	http_query_get(c->q, "queue", &queue);
	struct sv list = which.n ? buf_sv(&which) : SV("queue");
	if (sv_is(list, "member") && is_word(queue.p, "_.-@"))
		buf_printf(&args, "queue list members %s", queue.p);
	else if (sv_is(list, "queue") || sv_is(list, "agent") || sv_is(list, "tier"))
		buf_printf(&args, "%.*s list", SVF(list));
	if (args.n)
		web_command_run(c->x, NULL, "callcenter_config", args.p, table_done, NULL);
	else
		web_problem(c->x, 400, "list must be queue, agent, tier, or member with a queue");
	buf_fini(&args);
	buf_fini(&queue);
	buf_fini(&which);
}

/* ---- conferences, parked calls ---- */
static void conferences_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	web_reply_rows(x, status == ST_NOTFOUND ? SV_NONE : reply);
}

void web_conferences(struct web_call *c)
{
	web_command_run(c->x, NULL, "conference", "json_list", conferences_done, NULL);
}

static void parking_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct xml_doc *doc = NULL;
	struct json_writer w;
	struct buf b;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "rows");
	jw_begin_array(&w);
	if (status != ST_NOTFOUND && !xml_parse(&doc, reply.p ? reply.p : "", reply.n, "valet_info", NULL, 0, NULL))
		xml_each(xml_root(doc), "lot", lot) xml_each(lot, "extension", slot)
		{
			jw_begin_object(&w);
			jw_kv_str(&w, "lot", xml_attr(lot, "name"));
			jw_kv_str(&w, "slot", slot->text);
			jw_kv_str(&w, "uuid", xml_attr(slot, "uuid"));
			jw_end_object(&w);
		}
	jw_end_array(&w);
	jw_end_object(&w);
	mem_unref(doc);
	web_reply_json(x, 200, &b);
}

void web_parking(struct web_call *c)
{
	web_command_run(c->x, NULL, "valet_info", "", parking_done, NULL);
}

/* ---- what a dialplan would do ---- */
static void explain_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv error;
	json_t *whole = NULL;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (status == ST_NOTFOUND)
		web_problem(x, 503, "the command dialplan is not loaded");
	else if (web_reply_is_error(reply, &error))
		web_problem(x, 422, "%.*s", SVF(error));
	else if (json_parse(&whole, sv_trim(reply), HTTP_BODY_MAX_BYTES, NULL))
		web_problem(x, 500, "dialplan explain gave no JSON");
	else
		http_exchange_reply(x, 200, "application/json", sv_trim(reply));
	json_decref(whole);
}

void web_explain(struct web_call *c)
{
	struct buf context, number, caller, args;
	buf_init(&context);
	buf_init(&number);
	buf_init(&caller);
	buf_init(&args);
	http_query_get(c->q, "context", &context);
	http_query_get(c->q, "number", &number);
	http_query_get(c->q, "caller", &caller);
	if (!is_word(context.p, "_.-") || !is_word(number.p, "_.+-*#@") ||
	    (caller.n && !is_word(caller.p, "_.+-*#@"))) {
		web_problem(c->x, 400, "context and number are needed, of letters, digits and + - . * # _ @");
	} else {
		buf_printf(&args, "explain %s %s", context.p, number.p);
		if (caller.n)
			buf_printf(&args, " caller_id_number=%s", caller.p);
		buf_adds(&args, " as json");
		web_command_run(c->x, NULL, "dialplan", args.p ? args.p : "", explain_done, NULL);
	}
	buf_fini(&args);
	buf_fini(&caller);
	buf_fini(&number);
	buf_fini(&context);
}

/* ---- the configuration as it lies on the disk ---- */
/* This program, asked by -check-config in a process of its own: what is wrong comes as file:line:column: reason, a line
 * each, and nothing of the running switch is touched. */
static void check_run(void *arg)
{
	struct http_exchange *x = arg;
	char program[PATH_MAX];
	struct json_writer w;
	struct buf text, b;
	int code = 0, st = ST_IO;
	role_assert_co();
	const struct core_dirs *d = core_dirs();
	buf_init(&text);
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	if (n > 0) {
		program[n] = 0;
		const char *const argv[] = {
		    program, "-check-config", "-base", d->base, "-conf", d->conf, "-log", d->log, "-db", d->db, NULL};
		st = shell_run(
		    &(struct shell_conf){
		        .argv = argv, .output_max_bytes = CHECK_MAX_BYTES, .timeout_s = 60, .is_ours = true},
		    &text, &code);
	}
	if (http_exchange_is_open(x) && st) {
		web_problem(x, 503, "the configuration cannot be checked: %s", status_text(st));
	} else if (http_exchange_is_open(x)) {
		buf_init(&b);
		jw_init(&w, &b, false);
		jw_begin_object(&w);
		jw_kv_bool(&w, "starts", code == 0);
		jw_key(&w, "text");
		jw_sv(&w, buf_sv(&text));
		jw_end_object(&w);
		web_reply_json(x, 200, &b);
	}
	buf_fini(&text);
	mem_unref(x);
	is_checking = false;
}

void web_config_check(struct web_call *c)
{
	if (is_checking) {
		http_exchange_header(c->x, "Retry-After", "2");
		web_problem(c->x, 503, "another check is running");
		return;
	}
	is_checking = true;
	if (co_spawn("http config check", check_run, mem_ref(c->x), NULL)) {
		is_checking = false;
		mem_unref(c->x);
		web_problem(c->x, 503, "out of memory");
	}
}
