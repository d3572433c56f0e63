/* Running commands: at once (api_run), or on a coroutine of their own with the reply handed to a callback (api_spawn).
 */
#include "base/mem.h"
#include "base/status.h"
#include "core/event.h"
#include "core/leg.h"
#include "core/module.h"
#include "loop/co.h"
#include "loop/loop.h"
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

int api_run(const char *cmd, const char *args, struct leg *leg, struct buf *out)
{
	const struct api_desc *api = api_find(cmd);
	struct api_call call = {.args = args ? args : "", .leg = leg, .out = out};

	if (!api)
		return ST_NOTFOUND;
	if ((api->flags & API_MAY_WAIT) && !co_self())
		return ST_DENIED;
	fire_api(cmd, args, leg);
	return module_api_call(api, &call);
}

struct job {
	struct ldefer start;
	char *cmd, *args, *job_uuid;
	api_done_fn done;
	void *arg;
};

static void job_free(struct job *j)
{
	mem_free(j->cmd);
	mem_free(j->args);
	mem_free(j->job_uuid);
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
		struct api_call call = {.args = j->args, .out = &out, .job_uuid = j->job_uuid};
		fire_api(j->cmd, j->args, NULL);
		st = module_api_call(api, &call);
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
	struct job *j = mem_zalloc(sizeof(*j));

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

void api_job_event(const char *job_uuid, const char *cmd, const char *args, int status, struct sv reply)
{
	struct event *e = event_new(EVENT_BACKGROUND_JOB, NULL);
	struct buf text;

	if (!e)
		return;
	buf_init(&text);
	event_add(e, "Job-UUID", job_uuid);
	event_add(e, "Job-Command", cmd);
	event_add(e, "Job-Command-Arg", args && *args ? args : NULL);
	if (status == ST_NOTFOUND)
		buf_printf(&text, "-ERR %s Command not found!\n", cmd);
	else
		buf_addv(&text, reply.n ? reply : SV("Command returned no output!"));
	event_set_body(e, buf_sv(&text));
	buf_fini(&text);
	event_fire(e);
}
