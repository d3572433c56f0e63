/* "fifo_track_call MEMBER": a call that a member has aside of the queue counts as his until it ends: he is not rung
 * meanwhile beyond his simo, and rests for his lag afterwards. Told as a call of the queue manual_calls. So is what is
 * left of a call by which a member was rung, once his service is over. */
#include "base/clock.h"
#include "base/status.h"
#include "core/event/event.h"
#include "core/value/vars.h"
#include "fifo/fifo_i.h"

#include <inttypes.h>
#include <string.h>

static ON_CTL void tell(struct leg *leg, const char *uuid, const char *action, const struct fifo_talk *talk)
{
	const struct fifo *f = fifo_find(FIFO_MANUAL);
	struct event *e = f ? fifo_event(f, leg, action) : NULL;
	if (!e)
		return;
	if (talk)
		event_add(e, "FIFO-Type", "manual");
	event_add(e, "FIFO-Consumer-Outbound-ID", uuid);
	event_addf(e, "FIFO-Consumer-Use-Count", "%u", fifo_use_count(uuid));
	if (talk) {
		fifo_tell_talk(e, "Consumer", talk, true);
	} else {
		event_add(e, "FIFO-Type", "manual");
		event_add(e, "FIFO-Caller-CID-Name", leg->profile->caller_id_name);
		event_add(e, "FIFO-Caller-CID-Number", leg->profile->caller_id_number);
	}
	event_fire(e);
}

void fifo_track(struct leg *leg, struct fifo_member *m)
{
	if (vars_get(leg->vars, "fifo_tracked_uuid"))
		return;
	m->start_s = clock_wall_us() / 1000000;
	if (leg->is_outbound)
		m->manual_in++;
	else
		m->manual_out++;
	fifo_use_add(m->uuid, 1);
	leg_var_set(leg, "fifo_tracked_uuid", m->uuid);
	leg_var_set_int(leg, "fifo_track_start", clock_wall_us());
	tell(leg, m->uuid, "channel-consumer-start", NULL);
}

int app_fifo_track_call(struct leg *leg, const char *data)
{
	struct fifo_member *m;
	role_assert_co();
	m = fifo_member_find(NULL, data);
	if (!m || vars_get(leg->vars, "fifo_tracked_uuid"))
		leg_log(leg, LOG_ERR, "fifo_track_call: %s", m ? "the call counts already" : "there is no such member");
	else
		fifo_track(leg, m);
	return ST_OK;
}

void fifo_track_end(struct leg *leg, void *arg)
{
	const char *uuid = vars_get(leg->vars, "fifo_tracked_uuid"), *start = vars_get(leg->vars, "fifo_track_start");
	struct fifo_member *m;
	struct fifo_talk talk = {0};
	role_assert_ctl();
	if (!uuid)
		return;
	m = fifo_member_find(NULL, uuid);
	if (!m) { /* logged out meanwhile */
		fifo_use_add(uuid, -1);
		return;
	}
	talk.start_us = str_number(start, 0, INT64_MAX);
	talk.talk_us = clock_wall_us() - talk.start_us;
	fifo_use_add(uuid, -1);
	tell(leg, uuid, "channel-consumer-stop", &talk);
	fifo_member_rest(m, false);
}
