/* Applications that run other things: another extension, a task for later. Tasks are the commands' own (sched_*), asked
 * for through the registry with this leg's uuid. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/api.h"
#include "core/run/exec.h"
#include <string.h>

/* exten [dialplan [context]] */
int app_execute_extension(struct leg *leg, const char *data)
{
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 3);

	role_assert_co();
	if (st || !w.n) {
		leg_log(leg, LOG_ERR, "execute_extension: usage: <extension> <dialplan> <context>");
		st = ST_INVAL;
	} else {
		st = leg_exec_extension(leg, w.m[0], w.m[1], w.m[2]);
		if (st == ST_NOTFOUND)
			leg_log(leg, LOG_WARNING, "execute_extension: nothing matches %s", w.w[0]);
	}
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}

/* The command name with "TIME uuid REST"; data is "TIME REST". */
static ON_CTL int sched(struct leg *leg, const char *command, const char *data)
{
	struct sv when, rest;
	struct buf args, reply;
	int st;

	sv_split(sv_trim(sv_of(leg_exec_text(leg, data))), ' ', &when, &rest);
	if (!when.n)
		return ST_INVAL;
	buf_init(&args);
	buf_init(&reply);
	buf_printf(&args, "%.*s %s %.*s", SVF(when), leg->uuid, SVF(sv_trim(rest)));
	while (args.n && args.p[args.n - 1] == ' ')
		args.p[--args.n] = 0;
	st = api_run(command, args.p, leg, &reply);
	if (st || !sv_starts(buf_sv(&reply), SV("+OK")))
		leg_log(leg, LOG_ERR, "%s: %s", command, st ? status_text(st) : reply.p ? reply.p : "no reply");
	buf_fini(&args);
	buf_fini(&reply);
	return st;
}

int app_sched_hangup(struct leg *leg, const char *data)
{
	role_assert_co();
	return sched(leg, "sched_hangup", data);
}

int app_sched_transfer(struct leg *leg, const char *data)
{
	role_assert_co();
	return sched(leg, "sched_transfer", data);
}

int app_sched_broadcast(struct leg *leg, const char *data)
{
	role_assert_co();
	return sched(leg, "sched_broadcast", data);
}

/* [group]: without one, this leg's */
int app_sched_cancel(struct leg *leg, const char *data)
{
	struct buf reply;
	int st;

	role_assert_co();
	buf_init(&reply);
	st = api_run("sched_del", data && *data ? data : leg->uuid, leg, &reply);
	buf_fini(&reply);
	return st;
}
