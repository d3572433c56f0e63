/* Commands: run on a coroutine each and answered when they end (POST /v1/commands/NAME), or as jobs whose end is asked
 * for later (/v1/jobs) and told by BACKGROUND_JOB as after bgapi. Both are bounded in number. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/run/api.h"
#include "web/web_i.h"

#include <stdio.h>
#include <string.h>

enum { JOBS_MAX = 1000, JOB_REPLY_MAX_BYTES = 1 << 20 };

/* ---- running one ---- */
struct running {
	struct http_exchange *x; /* a reference */
	web_done_fn done;
	void *arg;
};
static size_t running_count;

size_t web_running_count(void)
{
	return running_count;
}

static void on_done(int status, struct sv reply, void *arg)
{
	struct running *r = arg;
	role_assert_ctl();
	running_count--;
	r->done(r->x, status, reply, r->arg);
	mem_unref(r->x);
	mem_free(r);
}

void web_command_run(struct http_exchange *x, const struct principal *who, const char *name, const char *args,
    web_done_fn done, void *arg)
{
	struct running *r = NULL;
	int st = ST_FULL;
	if (running_count < web_conf.max_running_commands) {
		r = mem_zalloc(sizeof(*r));
		st = r ? ST_OK : ST_NOMEM;
	}
	if (!st) {
		*r = (struct running){.x = mem_ref(x), .done = done, .arg = arg};
		st = api_spawn_for(who, name, args, NULL, on_done, r);
		if (st)
			mem_unref(r->x);
	}
	if (!st) {
		running_count++;
		return;
	}
	mem_free(r);
	http_exchange_header(x, "Retry-After", "1");
	web_problem(x, 503, "too many commands are running");
	done(x, ST_FULL, SV_NONE, arg);
}

bool web_reply_is_refusal(struct sv reply, struct sv *why)
{
	static const struct sv refusal = {"-ERR permission denied", 22};
	if (!sv_starts(reply, refusal))
		return false;
	*why = sv_trim(sv_sub(reply, 5, reply.n));
	return true;
}

bool web_reply_is_error(struct sv reply, struct sv *text)
{
	static const char *const marks[] = {"-ERROR", "-ERR", "-USAGE:"};
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (sv_starts(reply, sv_of(marks[i]))) {
			*text = i == 2 ? sv_trim(reply) : sv_trim(sv_sub(reply, strlen(marks[i]), reply.n));
			return true;
		}
	*text = sv_trim(reply);
	return false;
}

static void outcome_put(struct json_writer *w, struct sv reply)
{
	struct sv error;
	bool is_error = web_reply_is_error(reply, &error);
	jw_kv_str(w, "status", is_error ? "error" : "ok");
	jw_key(w, "reply");
	jw_sv(w, reply);
	jw_key(w, "error");
	if (is_error)
		jw_sv(w, error);
	else
		jw_null(w);
}

bool web_command_check(struct web_call *c, const char *name)
{
	if (!api_find(name))
		web_problem(c->x, 404, "there is no command %s", name);
	else if (!web_command_allowed(c->role == WEB_AGENT ? WEB_READ : c->role, name))
		web_problem(c->x, 403, "the role %s may not run %s", web_role_name(c->role), name);
	else
		return true;
	return false;
}

/* It is his phone's, or what that is bridged to. */
static ON_CTL bool is_own_leg(const struct web_call *c, const struct leg *leg)
{
	char own[2 * SESSION_USER_MAX];
	if (!c->session || !*c->session->user)
		return false;
	snprintf(own, sizeof(own), "%s@%s", c->session->user, c->session->domain);
	const char *id = vars_get(leg->vars, "presence_id");
	if (id && !strcasecmp(id, own))
		return true;
	id = leg->peer ? vars_get(leg->peer->vars, "presence_id") : NULL;
	return id && !strcasecmp(id, own);
}

bool web_leg_command_check(struct web_call *c, const char *name, const struct leg *leg)
{
	if (c->role != WEB_AGENT || !api_find(name) || !web_command_allowed(WEB_AGENT, name))
		return web_command_check(c, name);
	if (!leg || is_own_leg(c, leg))
		return true;
	web_problem(c->x, 403, "the role agent may act on the calls of its own phone only");
	return false;
}

/* The args member; false when it was answered. */
static ON_CTL bool args_get(struct web_call *c, const char **args)
{
	const json_t *value = json_object_get(c->body, "args");
	*args = value && !json_is_null(value) ? json_string_value(value) : "";
	if (!*args)
		web_problem(c->x, 400, "args must be a string");
	return *args != NULL;
}

static void command_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct json_writer w;
	struct buf b;
	struct sv why;
	char *name = arg;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		goto out;
	if (web_reply_is_refusal(reply, &why)) {
		web_problem(x, 403, "%s: %.*s", name, SVF(why));
		goto out;
	}
	if (status == ST_NOTFOUND) {
		web_problem(x, 404, "there is no command %s", name);
		goto out;
	}
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "command", name);
	outcome_put(&w, reply);
	jw_end_object(&w);
	web_reply_json(x, 200, &b);
out:
	mem_free(name);
}

void web_command_answer(const struct web_call *c, const char *name, const char *args)
{
	char *kept = mem_strdup(name);
	if (kept)
		web_command_run(c->x, c->who, name, args, command_done, kept);
	else
		web_problem(c->x, 503, "out of memory");
}

void web_command(struct web_call *c)
{
	const char *args;
	if (web_command_check(c, c->param) && args_get(c, &args))
		web_command_answer(c, c->param, args);
}

/* ---- jobs ---- */
struct job {               /* counted: the table, and its command while it runs */
	struct lnode link; /* by age */
	char uuid[UUID_CHARS + 1];
	char *cmd, *args, *reply;
	size_t reply_bytes;
	bool is_done, is_cut;
	int64_t begun_us, ended_us; /* wall */
};
static struct hash *jobs;
static struct list job_list = {{&job_list.head, &job_list.head}};
static size_t job_count;

static void job_free(void *obj)
{
	struct job *j = obj;
	mem_free(j->cmd);
	mem_free(j->args);
	mem_free(j->reply);
}

static ON_CTL void job_forget(struct job *j)
{
	list_remove(&j->link);
	job_count--;
	hash_take(jobs, sv_of(j->uuid));
	mem_unref(j);
}

/* Makes room by forgetting the oldest that is done. */
static ON_CTL bool jobs_make_room(void)
{
	struct lnode *it, *tmp;
	if (job_count < JOBS_MAX)
		return true;
	list_each (&job_list, it, tmp) {
		struct job *j = list_entry(it, struct job, link);
		if (!j->is_done)
			continue;
		job_forget(j);
		return true;
	}
	return false;
}

static ON_CTL void job_put(struct json_writer *w, const struct job *j)
{
	jw_begin_object(w);
	jw_kv_str(w, "job", j->uuid);
	jw_kv_str(w, "command", j->cmd);
	jw_kv_str(w, "args", j->args);
	jw_kv_str(w, "state", j->is_done ? "done" : "running");
	jw_kv_int(w, "begun_us", j->begun_us);
	if (j->is_done) {
		jw_kv_int(w, "ended_us", j->ended_us);
		outcome_put(w, (struct sv){j->reply, j->reply_bytes});
		jw_kv_bool(w, "is_cut", j->is_cut);
	}
	jw_end_object(w);
}

static ON_CTL void job_reply(struct http_exchange *x, int status, const struct job *j)
{
	struct json_writer w;
	struct buf b;
	buf_init(&b);
	jw_init(&w, &b, false);
	job_put(&w, j);
	web_reply_json(x, status, &b);
}

static void job_done(int status, struct sv reply, void *arg)
{
	struct job *j = arg;
	role_assert_ctl();
	if (status == ST_NOTFOUND)
		reply = SV("-ERR Command not found!\n");
	api_job_event(j->uuid, j->cmd, j->args, status, reply);
	j->is_cut = reply.n > JOB_REPLY_MAX_BYTES;
	reply = sv_sub(reply, 0, JOB_REPLY_MAX_BYTES);
	j->reply = sv_dup(reply);
	j->reply_bytes = j->reply ? reply.n : 0;
	j->is_done = true;
	j->ended_us = clock_wall_us();
	running_count--;
	mem_unref(j);
}

static ON_CTL struct job *job_make(const char *cmd, const char *args)
{
	struct job *j = mem_new(sizeof(*j), job_free, "web.job");
	if (!j)
		return NULL;
	uuid_make(j->uuid);
	j->cmd = mem_strdup(cmd), j->args = mem_strdup(args);
	j->begun_us = clock_wall_us();
	if (!j->cmd || !j->args || (!jobs && hash_new(&jobs, 0, NULL)) || hash_set(jobs, sv_of(j->uuid), j))
		return mem_unref(j);
	list_push(&job_list, &j->link);
	job_count++;
	return j;
}

void web_job_new(struct web_call *c)
{
	const char *name = json_string_value(json_object_get(c->body, "command")), *args;
	char place[80];
	if (!name) {
		web_problem(c->x, 400, "command is needed");
		return;
	}
	if (!web_command_check(c, name) || !args_get(c, &args))
		return;
	struct job *j = NULL;
	if (running_count < web_conf.max_running_commands && jobs_make_room())
		j = job_make(name, args);
	if (j && api_spawn_for(c->who, name, args, j->uuid, job_done, mem_ref(j))) {
		mem_unref(j);
		job_forget(j);
		j = NULL;
	}
	if (!j) {
		http_exchange_header(c->x, "Retry-After", "1");
		web_problem(c->x, 503, "too many jobs are running");
		return;
	}
	running_count++;
	snprintf(place, sizeof(place), "/v1/jobs/%s", j->uuid);
	http_exchange_header(c->x, "Location", place);
	job_reply(c->x, 202, j);
}

void web_job(struct web_call *c)
{
	const struct job *j = jobs ? hash_get(jobs, sv_of(c->param)) : NULL;
	if (j)
		job_reply(c->x, 200, j);
	else
		web_problem(c->x, 404, "there is no job %s (any more)", c->param);
}

void web_jobs(struct web_call *c)
{
	struct json_writer w;
	struct buf b;
	struct lnode *it, *tmp;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_int(&w, "row_count", (int64_t)job_count);
	jw_key(&w, "rows");
	jw_begin_array(&w);
	list_each (&job_list, it, tmp) {
		const struct job *j = list_entry(it, struct job, link);
		jw_begin_object(&w);
		jw_kv_str(&w, "job", j->uuid);
		jw_kv_str(&w, "command", j->cmd);
		jw_kv_str(&w, "state", j->is_done ? "done" : "running");
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	web_reply_json(c->x, 200, &b);
}

void web_jobs_fini(void)
{
	struct lnode *it, *tmp;
	list_each (&job_list, it, tmp)
		job_forget(list_entry(it, struct job, link));
	hash_free(jobs);
	jobs = NULL;
}
