/* originate and bgapi. originate dials on the command's own coroutine, then gives the answered leg an application or a
 * place in the dialplan; the reply is sent when the first leg answers (or gives early media that counts), not when it
 * is bridged. */
#include "core/dial/originate.h"
#include "api/api_i.h"
#include "core/door/door.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "text/mark.h"

#include <stdlib.h>

static const char *given(const struct api_words *w, int i)
{
	return w->n > i && *w->w[i] && strcasecmp(w->w[i], "undef") ? w->w[i] : NULL;
}

/* "&app(args)" as in &park(): args end at the first closing parenthesis. */
struct action {
	char *app, *args; /* with marks */
	struct buf checked;
};

/* False, after writing an error: it is refused. */
static ON_CTL bool action_read(struct api_call *c, const struct api_words *w, struct action *a)
{
	const char *why = "";
	char *args;
	*a = (struct action){.app = (c->who ? w->w[1] : w->m[1]) + 1};
	buf_init(&a->checked);
	args = strchr(a->app, '(');
	if (args) {
		*args++ = 0;
		args[strcspn(args, ")")] = 0;
	}
	a->args = args ? args : "";
	if (!c->who)
		return true;
	buf_adds(&a->checked, "");
	if (principal_put_app(&a->checked, a->app, a->args, &why))
		return api_refuse(c, why);
	a->args = a->checked.p;
	return true;
}

static ON_CTL int run_app(struct leg *leg, const struct action *a)
{
	leg_exec_clear(leg);
	int st = leg_exec_add(leg, a->app, a->args, a->app);
	if (!st)
		leg_exec_resume(leg, NULL);
	return st;
}

int api_originate(struct api_call *c)
{
	struct api_words w;
	struct action action = {NULL};
	struct leg *leg = NULL;
	enum cause cause = CAUSE_NONE;
	role_assert_co();
	int st = api_words_init(&w, c, 10);
	if (st)
		goto out;
	if (w.n < 2 || w.n > 7) {
		api_usage(c, "originate");
		goto out;
	}
	bool is_app = *w.w[1] == '&' && w.w[1][1];
	if (!api_word_check(c, &w, 0, API_DOOR_DIAL) ||
	    !(is_app ? action_read(c, &w, &action) : api_place_check(c, &w, 1)))
		goto out;
	const char *timeout = given(&w, 6);
	struct originate_conf conf = {.dialstring = w.m[0],
	    .caller_id_name = given(&w, 4),
	    .caller_id_number = given(&w, 5),
	    .timeout_s = timeout ? (unsigned)atoi(timeout) : 0};
	if (originate_run(&conf, &leg, &cause)) {
		buf_printf(c->out, "-ERR %s\n", cause_name(cause));
		goto out;
	}
	buf_printf(c->out, "+OK %s\n", leg->uuid);
	if (is_app) {
		run_app(leg, &action);
	} else {
		const char *dialplan = given(&w, 2) ? w.m[2] : NULL, *context = given(&w, 3) ? w.m[3] : NULL;
		leg_transfer(leg, w.m[1], dialplan ? dialplan : "XML", context ? context : "default");
	}
out:
	mem_unref(leg);
	buf_fini(&action.checked);
	api_words_fini(&w);
	return st;
}

struct job {
	char uuid[UUID_CHARS + 1];
	char *cmd, *args;
};

static void job_free(struct job *j)
{
	mem_free(j->cmd);
	mem_free(j->args);
	mem_free(j);
}

static void on_job_done(int status, struct sv reply, void *arg)
{
	role_assert_ctl();
	struct job *j = arg;
	mark_strip_in_place(j->args);
	api_job_event(j->uuid, j->cmd, j->args, status, reply);
	job_free(j);
}

int api_bgapi(struct api_call *c)
{
	role_assert_ctl();
	const char *line = api_own_text(c);
	size_t n = strcspn(line, " ");
	if (!n)
		return api_text(c, "-ERR Invalid syntax\n");
	struct job *j = mem_zalloc(sizeof(*j));
	if (!j)
		return ST_NOMEM;
	uuid_make(j->uuid);
	j->cmd = mem_strndup(line, n);
	j->args = mem_strdup(line + n + strspn(line + n, " "));
	if (j->cmd && !principal_may_run(c->who, j->cmd)) {
		job_free(j);
		return api_text(c, "-ERR permission denied\n");
	}
	buf_printf(c->out, "+OK Job-UUID: %s\n", j->uuid);
	if (j->cmd && j->args && !api_spawn_for(c->who, j->cmd, j->args, j->uuid, on_job_done, j))
		return ST_OK;
	job_free(j);
	return ST_NOMEM;
}
