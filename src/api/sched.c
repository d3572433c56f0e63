/* Tasks for later: sched_api, sched_hangup, sched_transfer, sched_broadcast, sched_del, unsched_api. Each is a timer of
 * the loop and a row of `show tasks`; all of one group (for calls: the uuid) can be deleted together. */
#include "api/api_i.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/principal.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "loop/loop.h"
#include "text/mark.h"

#include <stdio.h>
#include <stdlib.h>

enum { TASK_MAX_COUNT = 10000 };
static const int64_t second_max = 10000000000; /* some centuries: no sum or product of it runs over */

struct task {
	struct lnode link;
	struct ltimer timer;
	unsigned id;
	int64_t due_epoch, repeat_s;
	const char *desc;
	void (*run)(struct task *t);
	char *group;
	char *arg[4];          /* owned */
	struct principal *who; /* who may not do everything planned it, a reference; NULL: all is allowed */
};
static struct list tasks = {{&tasks.head, &tasks.head}};
static unsigned last_id, task_count;

static ON_CTL void task_fire(const struct task *t, enum event_id id)
{
	struct event *e;
	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	event_addf(e, "Task-ID", "%u", t->id);
	event_add(e, "Task-Desc", t->desc);
	event_add(e, "Task-Group", t->group ? t->group : "");
	event_addf(e, "Task-Runtime", "%lld", (long long)t->due_epoch);
	event_fire(e);
}

static ON_CTL void task_free(struct task *t)
{
	task_fire(t, EVENT_DEL_SCHEDULE);
	loop_timer_cancel(&t->timer);
	list_remove(&t->link);
	task_count--;
	mem_free(t->group);
	mem_unref(t->who);
	for (size_t i = 0; i < sizeof(t->arg) / sizeof(t->arg[0]); i++)
		mem_free(t->arg[i]);
	mem_free(t);
}

static void on_due(void *arg)
{
	role_assert_ctl();
	struct task *t = arg;
	if (t->repeat_s > 0) {
		t->due_epoch = clock_wall_us() / 1000000 + t->repeat_s;
		loop_timer_set(&t->timer, clock_us_of_s(t->repeat_s), "api.task", on_due, t);
		t->run(t);
		task_fire(t, EVENT_RE_SCHEDULE);
		return;
	}
	loop_timer_cancel(&t->timer);
	list_remove(&t->link);
	t->run(t);
	list_push(&tasks, &t->link);
	task_free(t);
}

/* "+5" in five seconds, "@5" every five seconds, else an epoch second; arguments are copied. NULL when there are too
 * many. */
static ON_CTL struct task *task_add(
    const char *when, const char *desc, const char *group, void (*run)(struct task *t), char *const *arg, int arg_count)
{
	int64_t now = clock_wall_us() / 1000000,
	        n = str_number(when + (*when == '+' || *when == '@'), -second_max, second_max);
	struct task *t = task_count < TASK_MAX_COUNT ? mem_zalloc(sizeof(*t)) : NULL;
	if (!t)
		return NULL;
	int64_t delay = *when == '+' || *when == '@' ? n : n - now;
	t->id = ++last_id;
	t->due_epoch = now + (delay > 0 ? delay : 0);
	t->repeat_s = *when == '@' && n > 0 ? n : 0;
	t->desc = desc;
	t->run = run;
	t->group = mem_strdup(group);
	for (int i = 0; i < arg_count && i < 4; i++)
		t->arg[i] = mem_strdup(arg[i]);
	list_push(&tasks, &t->link);
	task_count++;
	task_fire(t, EVENT_ADD_SCHEDULE);
	loop_timer_set(&t->timer, clock_us_of_s(delay), "api.task", on_due, t);
	return t;
}

void api_task_each(void (*fn)(unsigned id, const char *desc, const char *group, int64_t epoch, void *arg), void *arg)
{
	struct lnode *it, *tmp;
	list_each (&tasks, it, tmp) {
		struct task *t = list_entry(it, struct task, link);
		fn(t->id, t->desc, t->group ? t->group : "", t->due_epoch, arg);
	}
}

/* ---- what tasks do --------------------------------------------------------------------------------------------- */
static void on_api_done(int status, struct sv reply, void *arg) {}

static void run_api(struct task *t)
{
	role_assert_ctl();
	const char *line = t->arg[0] ? t->arg[0] : ""; /* with marks; a command named from outside is not found */
	char *cmd = mem_strndup(line, strcspn(line, " "));
	if (cmd)
		api_spawn_for(
		    t->who, cmd, line + strlen(cmd) + strspn(line + strlen(cmd), " "), NULL, on_api_done, NULL);
	mem_free(cmd);
}

static void run_hangup(struct task *t)
{
	role_assert_ctl();
	struct leg *leg = leg_find(t->arg[0]);
	mark_strip_in_place(t->arg[1]);
	if (leg && t->arg[1] && t->arg[2] && !strcasecmp(t->arg[2], "bleg"))
		leg = leg->peer;
	if (leg)
		leg_hangup(leg, t->arg[1] ? cause_parse(t->arg[1]) : CAUSE_ALLOTTED_TIMEOUT);
}

static void run_transfer(struct task *t)
{
	role_assert_ctl();
	struct leg *leg = leg_find(t->arg[0]);
	if (leg)
		leg_transfer(leg, t->arg[1], t->arg[2], t->arg[3]);
}

static void run_broadcast(struct task *t)
{
	role_assert_ctl();
	api_broadcast(t->arg[0], t->arg[1], t->arg[2] ? t->arg[2] : "aleg");
}

/* ---- commands -------------------------------------------------------------------------------------------------- */
static ON_CTL bool may_plan(struct api_call *c, const char *line)
{
	char *cmd = mem_strndup(line, strcspn(line, " "));
	bool is_fine = cmd && principal_may_run(c->who, cmd);
	mem_free(cmd);
	if (!is_fine)
		buf_adds(c->out, "-ERR permission denied\n");
	return is_fine;
}

int api_sched_api(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (!st && w.n < 3) {
		const struct api_desc *d = api_find("sched_api");
		buf_printf(c->out, "-ERR Invalid syntax. USAGE: %s\n", d ? d->syntax : "");
	} else if (!st) {
		/* who may not do everything is asked again when it is due, for his line as he wrote it */
		char *line = c->who ? w.w[2] : w.m[2];
		size_t n = strlen(line);
		if (n && line[n - 1] == '&')
			line[n - 1] = 0;
		if (!may_plan(c, line))
			goto out;
		struct task *t = task_add(w.w[0], "sched_api_function", w.w[1], run_api, &line, 1);
		if (t)
			t->who = mem_ref((struct principal *)c->who);
		if (t)
			buf_printf(c->out, "+OK Added: %u\n", t->id);
		else
			buf_adds(c->out, "-ERR Too many tasks\n");
	}
out:
	api_words_fini(&w);
	return st;
}

/* "TIME UUID ...": what follows the uuid keeps its marks. */
static ON_CTL struct task *task_add_for(struct api_words *w, const char *desc, void (*run)(struct task *t))
{
	w->m[1] = w->w[1];
	return task_add(w->w[0], desc, w->w[1], run, &w->m[1], w->n - 1);
}

static ON_CTL int sched_leg(
    struct api_call *c, const char *cmd, const char *desc, int needed, void (*run)(struct task *t), const char *done)
{
	struct api_words w;
	int st = api_words_init(&w, c, 5);
	if (!st && w.n < needed)
		api_usage(c, cmd);
	else if (!st && api_leg(c, w.w[1]) && (run != run_transfer || *w.w[2] || api_usage(c, cmd)) &&
	         (run != run_transfer || api_place_check(c, &w, 2)))
		buf_adds(c->out, task_add_for(&w, desc, run) ? done : "-ERR Too many tasks\n");
	api_words_fini(&w);
	return st;
}

int api_sched_hangup(struct api_call *c)
{
	role_assert_ctl();
	return sched_leg(c, "sched_hangup", "sch_hangup_callback", 1, run_hangup, "+OK\n");
}

int api_sched_transfer(struct api_call *c)
{
	role_assert_ctl();
	return sched_leg(c, "sched_transfer", "sch_transfer_callback", 2, run_transfer, "+OK\n");
}

int api_sched_broadcast(struct api_call *c)
{
	role_assert_ctl();
	struct api_words w;
	int st = api_words_init(&w, c, 4);
	if (!st && w.n < 3)
		api_usage(c, "sched_broadcast");
	else if (!st && api_broadcast_check(c, &w, 2)) /* whether there is such a leg shows when it is due */
		buf_adds(c->out, task_add_for(&w, "sch_broadcast_callback", run_broadcast) ? "+OK Message scheduled\n"
		                                                                           : "-ERR Too many tasks\n");
	api_words_fini(&w);
	return st;
}

static ON_CTL unsigned delete_tasks(const char *name)
{
	struct lnode *it, *tmp;
	unsigned count = 0;
	uint32_t id = 0;
	bool is_id = !sv_u32(sv_of(name), &id);
	list_each (&tasks, it, tmp) {
		struct task *t = list_entry(it, struct task, link);
		if (is_id ? t->id != id : !t->group || strcmp(t->group, name))
			continue;
		task_free(t);
		count++;
	}
	return count;
}

/* What was planned for a call goes with it. */
static void on_leg_gone(struct leg *leg, void *arg)
{
	role_assert_ctl();
	if (task_count)
		delete_tasks(leg->uuid);
}

void api_task_start(void)
{
	leg_hook_add(LEG_HOOK_DESTROY, on_leg_gone, NULL);
}

void api_task_fini(void)
{
	struct lnode *it, *tmp;
	leg_hook_del(LEG_HOOK_DESTROY, on_leg_gone, NULL);
	list_each (&tasks, it, tmp)
		task_free(list_entry(it, struct task, link));
}

int api_sched_del(struct api_call *c)
{
	role_assert_ctl();
	return buf_printf(c->out, "+OK Deleted: %u\n", delete_tasks(c->args));
}

int api_unsched_api(struct api_call *c)
{
	role_assert_ctl();
	char id[12];
	snprintf(id, sizeof(id), "%u", (unsigned)str_number(c->args, 0, UINT32_MAX));
	if (!strcmp(id, "0"))
		return ST_OK;
	return api_text(c, delete_tasks(id) ? "+OK\n" : "-ERR No such id\n");
}
