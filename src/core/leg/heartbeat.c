/* SESSION_HEARTBEAT of a leg every so many seconds, and with it a sign of life to the far side when that is wanted. */
#include "base/clock.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <stdlib.h>

enum { SECONDS_MAX = 86400, SECONDS_DEFAULT = 60 };

static void on_beat(void *arg);

static ON_CTL void beat_again(struct leg *leg)
{
	struct leg_full *full = leg_i(leg);
	loop_timer_set(&full->beat_timer, clock_us_of_s(full->beat_s), "session heartbeat", on_beat, leg);
}

static void on_beat(void *arg)
{
	struct leg *leg = arg;
	char text[40];

	role_assert_ctl();
	beat_again(leg);
	leg_event(leg, EVENT_SESSION_HEARTBEAT);
	if (!leg_i(leg)->keeps_alive || !leg->is_answered || !leg->ops->send_info)
		return;
	snprintf(text, sizeof(text), "KEEP-ALIVE %u\n", ++leg_i(leg)->keepalive_count);
	leg->ops->send_info(leg, "text/plain", sv_of(text));
}

void leg_heartbeat(struct leg *leg, int seconds)
{
	if (!leg_is_up(leg))
		return;
	leg_i(leg)->beat_s = seconds > SECONDS_MAX ? SECONDS_MAX : seconds;
	if (seconds <= 0) {
		loop_timer_cancel(&leg_i(leg)->beat_timer);
		return;
	}
	if (str_is_true(vars_get(leg->vars, "heartbeat_fire_on_set")))
		leg_event(leg, EVENT_SESSION_HEARTBEAT);
	beat_again(leg);
}

void leg_keepalive(struct leg *leg, int seconds)
{
	leg_i(leg)->keeps_alive = seconds > 0;
	leg_heartbeat(leg, seconds);
}

void leg_heartbeat_answered(struct leg *leg)
{
	const char *text = vars_get(leg->vars, "enable_heartbeat_events");
	int seconds = text ? atoi(text) : 0;

	if (text && (str_is_true(text) || seconds > 0))
		leg_heartbeat(leg, seconds > 1 || (seconds == 1 && text[0] == '1') ? seconds : SECONDS_DEFAULT);
}
