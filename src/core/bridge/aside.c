/* Bridges set aside (core/bridge/aside.h). The struct bridge lives on, out of both legs' sight (neither has a peer);
 * each leg's aside points at it. Either it is put back, or it ends: for the held leg when that leaves, for the holder
 * when it is done. */
#include "core/bridge/aside.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/bridge/bridge_core.h"
#include "core/bridge/bridge_i.h"
#include "core/leg/leg.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include "core/value/cause.h"

static struct leg *held_of(const struct bridge *br)
{
	return br->holder == br->a ? br->b : br->a;
}

int consult_begin(struct leg *holder)
{
	struct bridge *br = bridged_of(holder)->bridge;

	if (!br || br->is_ending || br->is_consultation || bridged_of(holder)->aside)
		return ST_NOTFOUND;
	if (leg_media_stream(holder))
		mstream_idle(leg_media_stream(holder));
	br->holder = holder;
	bridge_music(holder, held_of(br), true);
	bridge_put_aside(br);
	return ST_OK;
}

struct leg *consult_held(const struct leg *holder)
{
	const struct bridge *br = bridged_of(holder)->aside;
	return br && br->holder == holder && !br->is_left ? held_of(br) : NULL;
}

int consult_join(struct leg *holder, struct leg *other, bridge_done_fn done, void *arg)
{
	int st = bridge_join(holder, other, done, arg);
	if (!st)
		bridged_of(holder)->bridge->is_consultation = true;
	return st;
}

/* What the end of a bridge means to one side of it: A's application hears of it, B goes where it was told or hangs up.
 */
static ON_CTL void end_for(struct bridge *br, struct leg *leg)
{
	if (leg == br->a) {
		if (br->done)
			br->done(br->a, br->b, br->arg);
		br->done = NULL;
	} else if (!bridge_after(leg)) {
		leg_hangup(leg, CAUSE_NORMAL_CLEARING);
	}
}

void bridge_aside_leave(struct leg *leg)
{
	struct bridge *br = bridged_of(leg)->aside;

	if (!br || br->holder == leg)
		return;
	bridge_take_aside(leg);
	br->is_left = true;
	bridge_music(br->holder, leg, false);
	bridge_end_vars(br->a, br->b);
	bridge_end_vars(br->b, br->a);
	bridge_fire_pair(br->a, br->b, EVENT_CHANNEL_UNBRIDGE);
	end_for(br, leg);
}

void consult_end(struct leg *holder, bool is_told)
{
	struct bridge *br = bridged_of(holder)->aside;
	struct leg *held;

	if (!br || br->holder != holder)
		return;
	held = held_of(br);
	bridge_take_aside(holder);
	if (br->is_left) {
		end_for(br, holder);
		mem_unref(br->a);
		mem_unref(br->b);
		loop_timer_cancel(&br->answer_timer);
		mem_free(br);
		return;
	}
	bridge_take_aside(held);
	br->holder = NULL;
	bridge_music(holder, held, false);
	bridge_put(br);
	if (!leg_is_up(holder) || !leg_is_up(held) || exec_is_rerouted(holder) || exec_is_rerouted(held) ||
	    (!br->suspended_by && leg_media_join(br->a, br->b))) {
		bridge_leave(holder);
		return;
	}
	bridge_pair_vars(br->a, br->b);
	if (is_told)
		bridge_fire_pair(br->a, br->b, EVENT_CHANNEL_BRIDGE);
}
