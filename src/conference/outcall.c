/* Calls that a room makes: dial, bgdial, conference_set_auto_outcall, bridge:. Who answers runs the application
 * conference with the room's name, as a caller would. While it rings the room may go; whoever answers then begins it
 * anew. */
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/dial/originate.h"
#include "core/run/exec.h"
#include "loop/co.h"
#include "text/mark.h"
#include <string.h>

static ON_CTL int send_in(struct leg *leg, const struct conf_outcall *o)
{
	struct buf data;
	int st = ST_OK;
	buf_init(&data);
	buf_printf(&data, "%s+flags{%s}", o->name, o->flags);
	leg_exec_clear(leg);
	if (o->announce && *o->announce)
		st = leg_exec_add(leg, "playback", o->announce, "conference");
	if (!st)
		st = data.p ? leg_exec_add(leg, "conference", data.p, "conference") : ST_NOMEM;
	if (!st)
		leg_exec_resume(leg, NULL);
	buf_fini(&data);
	return st;
}

static ON_CTL void tell_result(const struct conf_outcall *o, enum cause cause, const char *uuid)
{
	struct event *e = o->room && o->job_uuid ? conf_event_new(o->room, "bgdial-result") : NULL;
	if (!e)
		return;
	event_add(e, "Action", "bgdial-result");
	event_add(e, "Result", cause_name(cause));
	event_add(e, "Job-UUID", *o->job_uuid ? o->job_uuid : NULL);
	event_add(e, "Peer-UUID", uuid && *uuid ? uuid : NULL);
	event_fire(e);
}

int conf_outcall(const struct conf_outcall *o, enum cause *cause, char uuid[UUID_CHARS + 1])
{
	struct leg *leg = NULL;
	char *cid_name = mem_strdup(o->cid_name), *cid_number = mem_strdup(o->cid_number); /* the room's may change */
	struct originate_conf conf = {.originator = o->originator,
	    .dialstring = o->dialstring,
	    .caller_id_name = cid_name,
	    .caller_id_number = cid_number,
	    .timeout_s = o->timeout_s};
	*uuid = 0;
	int st = originate_run(&conf, &leg, cause);
	mem_free(cid_name);
	mem_free(cid_number);
	if (st && *cause == CAUSE_NONE)
		*cause = CAUSE_NORMAL_TEMPORARY_FAILURE;
	if (!st) {
		*cause = CAUSE_SUCCESS;
		memcpy(uuid, leg->uuid, UUID_CHARS + 1);
	}
	tell_result(o, *cause, uuid);
	if (!st) {
		st = send_in(leg, o);
		if (st)
			leg_hangup(leg, CAUSE_DESTINATION_OUT_OF_ORDER);
	}
	mem_unref(leg);
	return st;
}

/* ---- on a coroutine of its own ---- */

struct job {
	struct conf_outcall o;
	struct conf_room *room; /* used while it rings, so that its caller does not lose it */
	char *name, *dialstring, *flags, *cid_name, *cid_number, *job_uuid, *announce;
};

static ON_CTL void job_free(struct job *j)
{
	if (j->room)
		conf_room_leave(j->room);
	mem_free(j->name);
	mem_free(j->dialstring);
	mem_free(j->flags);
	mem_free(j->cid_name);
	mem_free(j->cid_number);
	mem_free(j->job_uuid);
	mem_free(j->announce);
	mem_free(j);
}

static void job_run(void *arg)
{
	struct job *j = arg;
	enum cause cause = CAUSE_NONE;
	char uuid[UUID_CHARS + 1];
	role_assert_co();
	conf_outcall(&j->o, &cause, uuid);
	job_free(j);
}

int conf_outcall_spawn(const struct conf_outcall *o)
{
	struct job *j = mem_zalloc(sizeof(*j));
	if (!j)
		return ST_NOMEM;
	j->o = *o;
	if (o->room) {
		j->room = mem_ref(o->room);
		j->room->user_count++;
	}
	j->o.name = j->name = mem_strdup(o->name);
	j->o.dialstring = j->dialstring = mem_strdup(o->dialstring);
	j->o.flags = j->flags = mem_strdup(o->flags ? o->flags : "");
	j->o.cid_name = j->cid_name = mem_strdup(o->cid_name);
	j->o.cid_number = j->cid_number = mem_strdup(o->cid_number);
	j->o.job_uuid = j->job_uuid = mem_strdup(o->job_uuid);
	j->o.announce = j->announce = mem_strdup(o->announce);
	j->o.originator = NULL;
	if (!j->name || !j->dialstring || !j->flags || co_spawn("conference outcall", job_run, j, NULL)) {
		job_free(j);
		return ST_NOMEM;
	}
	return ST_OK;
}
