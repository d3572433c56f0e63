/* Running commands: at once (api_run), or on a coroutine of their own with the reply handed to a callback (api_spawn);
 * for who may run certain ones only by the same way (api_run_for, api_spawn_for), with the check in front and his text
 * marked. */
#include "core/run/api.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "text/mark.h"
#include <string.h>

static ON_CTL void fire_api(const char *cmd, const char *args, struct leg *leg)
{
	struct event *e;

	if (!event_is_wanted(EVENT_API, NULL) || !(e = event_new(EVENT_API, NULL)))
		return;
	if (cmd)
		event_add(e, "API-Command", cmd);
	if (args && *args)
		event_add(e, "API-Command-Argument", args);
	if (leg)
		leg_event_headers(leg, e);
	event_fire(e);
}

/* Blanks and line ends around the arguments are nobody's, but where a line is typed. */
static struct sv args_trim(const struct api_desc *api, const char *text)
{
	static const char blanks[] = " \t\n\v\r";
	struct sv args = sv_of(text);

	if (!strcmp(api->name, "console_complete"))
		return args;
	while (args.n && strchr(blanks, args.p[0]))
		args = sv_sub(args, 1, args.n);
	while (args.n && strchr(blanks, args.p[args.n - 1]))
		args.n--;
	return args;
}

/* Takes traced in place of the text, if there is one. */
static void traced_take(char **text, char *traced)
{
	if (!traced)
		return;
	mem_free(*text);
	*text = traced;
}

/* A client has often heard of a call what it says in a command: of the one that it names by its uuid ("uuid:U" of eval
 * and expand); where it names none, of any. */
static ON_CTL void trace(char **text, const char *plain)
{
	bool is_named = false;
	struct sv word, rest = sv_of(plain);
	char uuid[UUID_CHARS + 1];

	for (int i = 0; i < 3 && rest.n; i++) {
		sv_split(rest, ' ', &word, &rest);
		if (sv_startsi(word, SV("uuid:")))
			word = sv_sub(word, 5, word.n);
		if (word.n != UUID_CHARS)
			continue;
		memcpy(uuid, word.p, word.n);
		uuid[word.n] = 0;
		struct leg *leg = leg_find(uuid);
		if (leg)
			traced_take(text, leg_text_traced(leg, *text));
		is_named |= leg != NULL;
	}
	if (!is_named)
		traced_take(text, leg_text_traced_any(*text));
}

static ON_CTL int call_run(const char *cmd, const struct api_desc *api, struct api_call *call)
{
	const char *given = call->text;
	struct sv args = args_trim(api, given);
	char *text = sv_dup(args), *plain = mark_strip_dup(args);
	int st;

	if (text && plain && !call->leg && strcmp(api->name, "json")) /* its requests do it, each for itself */
		trace(&text, plain);
	if (!plain || !text) {
		mem_free(text);
		mem_free(plain);
		return ST_NOMEM;
	}
	call->text = text;
	call->args = plain;
	fire_api(cmd, plain, call->leg);
	st = api_invoke(api, call);
	call->text = given, call->args = NULL;
	mem_free(plain);
	mem_free(text);
	return st;
}

/* The command with its reply as people see it. */
static ON_CTL int call_plain(const char *cmd, const struct api_desc *api, struct api_call *call)
{
	struct buf *out = call->out;
	size_t before = out->n;
	int st = call_run(cmd, api, call);

	if (call->is_reply_text && out->n > before)
		out->n = before + mark_strip_in_place(out->p + before);
	return st;
}

/* The command's row; ST_NOTFOUND, or ST_DENIED when it may wait and nothing here can. */
static ON_CTL int command_find(const char *cmd, const struct api_desc **api)
{
	*api = api_find(cmd);
	if (!*api)
		return ST_NOTFOUND;
	return ((*api)->flags & API_MAY_WAIT) && !co_self() ? ST_DENIED : ST_OK;
}

/* For somebody who may not do everything: is it one of his commands? Then text is data. */
static ON_CTL int call_for(const char *cmd, const struct api_desc *api, struct api_call *call)
{
	char *marked;
	int st;

	if (!call->who)
		return call_plain(cmd, api, call);
	if (!principal_may_run(call->who, api->name)) {
		log_warning("%s may not run the command %s", call->who->name, api->name);
		return buf_adds(call->out, "-ERR permission denied\n") ? ST_NOMEM : ST_OK;
	}
	marked = principal_data_dup(call->text, " ");
	if (!marked)
		return ST_NOMEM;
	call->text = marked;
	st = call_plain(cmd, api, call);
	mem_free(marked);
	return st;
}

int api_run_for(const struct principal *who, const char *cmd, const char *args, struct leg *leg, struct buf *out)
{
	struct api_call call = {.text = args ? args : "", .who = who, .leg = leg, .out = out};
	const struct api_desc *api;
	int st = command_find(cmd, &api);

	return st ? st : call_for(cmd, api, &call);
}

int api_run(const char *cmd, const char *args, struct leg *leg, struct buf *out)
{
	struct api_call call = {.text = args ? args : "", .leg = leg, .out = out};
	const struct api_desc *api;
	int st = command_find(cmd, &api);

	return st ? st : call_plain(cmd, api, &call);
}

int api_run_text(const char *cmd, const char *args, struct leg *leg, struct buf *out)
{
	struct buf reply;
	struct api_call call = {.text = args ? args : "", .leg = leg, .out = &reply};
	const struct api_desc *api;
	int st = command_find(cmd, &api);

	if (st)
		return st;
	buf_init(&reply);
	reply.max = out->max;
	st = call_run(cmd, api, &call);
	bool is_own = api->flags & API_OWN_REPLY && !mark_has(sv_of(call.text));
	/* a script or a program of the system answers with what it was told of the leg */
	char *traced = leg && reply.n && is_own && !call.is_reply_text ? leg_text_traced(leg, reply.p) : NULL;
	if (!call.is_reply_text && !is_own)
		mark_put(out, buf_sv(&reply));
	else if (traced)
		buf_adds(out, traced);
	else
		buf_addv(out, buf_sv(&reply));
	mem_free(traced);
	buf_fini(&reply);
	return st;
}

struct job {
	struct ldefer start;
	char *cmd, *args, *job_uuid;
	struct principal *who; /* a reference, or NULL */
	struct leg *leg;       /* of a hook: a reference, or NULL */
	struct event *env;     /* the same */
	api_done_fn done;
	void *arg;
};

static void job_free(struct job *j)
{
	mem_free(j->cmd);
	mem_free(j->args);
	mem_free(j->job_uuid);
	mem_unref(j->who);
	mem_unref(j->leg);
	mem_unref(j->env);
	mem_free(j);
}

static void job_main(void *arg)
{
	struct job *j = arg;
	const struct api_desc *api;
	struct buf out;
	int st = ST_NOTFOUND;

	role_assert_co();
	buf_init(&out);
	api = api_find(j->cmd);
	if (api) {
		struct api_call call = {
		    .text = j->args, .who = j->who, .leg = j->leg, .env = j->env, .out = &out, .job_uuid = j->job_uuid};
		st = call_for(j->cmd, api, &call);
	}
	if (j->done)
		j->done(st, buf_sv(&out), j->arg);
	buf_fini(&out);
	job_free(j);
}

static void job_start(void *arg)
{
	struct job *j = arg;

	role_assert_ctl();
	if (!co_spawn("api", job_main, j, NULL))
		return;
	if (j->done)
		j->done(ST_NOMEM, SV_NONE, j->arg);
	job_free(j);
}

int api_spawn(const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg)
{
	return api_spawn_for(NULL, cmd, args, job_uuid, done, arg);
}

/* Takes j, which may be NULL. */
ON_CTL static int spawn(
    struct job *j, const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg)
{
	if (!j)
		return ST_NOMEM;
	j->cmd = mem_strdup(cmd), j->args = mem_strdup(args ? args : ""), j->job_uuid = mem_strdup(job_uuid);
	j->done = done, j->arg = arg;
	if (!j->cmd || !j->args) {
		job_free(j);
		return ST_NOMEM;
	}
	loop_defer(&j->start, "api", job_start, j);
	return ST_OK;
}

int api_spawn_for(
    const struct principal *who, const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg)
{
	struct job *j = mem_zalloc(sizeof(*j));

	if (j)
		j->who = mem_ref((struct principal *)who);
	return spawn(j, cmd, args, job_uuid, done, arg);
}

int api_spawn_hook(struct leg *leg, struct event *env, const char *cmd, const char *args, api_done_fn done, void *arg)
{
	struct job *j = mem_zalloc(sizeof(*j));

	if (j)
		j->leg = mem_ref(leg), j->env = mem_ref(env);
	return spawn(j, cmd, args, NULL, done, arg);
}

void api_job_event(const char *job_uuid, const char *cmd, const char *args, int status, struct sv reply)
{
	api_job_event_of(NULL, job_uuid, cmd, args, status, reply);
}

void api_job_event_of(
    const char *leg_uuid, const char *job_uuid, const char *cmd, const char *args, int status, struct sv reply)
{
	struct event *e = event_new(EVENT_BACKGROUND_JOB, NULL);
	struct buf text;

	if (!e)
		return;
	buf_init(&text);
	event_add(e, "Job-UUID", job_uuid);
	event_add(e, "Job-Command", cmd);
	event_add(e, "Job-Command-Arg", args && *args ? args : NULL);
	event_add(e, "Job-Owner-UUID", leg_uuid);
	if (status == ST_NOTFOUND)
		buf_printf(&text, "-ERR %s Command not found!\n", cmd);
	else
		buf_addv(&text, reply.n ? reply : SV("Command returned no output!"));
	event_set_body(e, buf_sv(&text));
	buf_fini(&text);
	event_fire(e);
}
