/* Two legs that hear each other. A bridge is two references and a callback; the media thread does the work. It ends
 * once, by bridge_leave of either side (teardown, transfer, a new bridge), and what becomes of the second leg is
 * decided there. */
#include "core/bridge/bridge.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge_core.h"
#include "core/bridge/bridge_i.h"
#include "core/event/event.h"
#include "core/keys/keys_core.h"
#include "core/leg/hold.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "core/registry/limits.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/run/transfer.h"
#include "core/sound/media.h"
#include "core/sound/play.h"
#include "core/sound/sound_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <string.h>
#include <strings.h>

struct leg *leg_partner(const struct leg *leg)
{
	struct leg *other = leg->peer;

	if (!other)
		other = leg_find(vars_get(leg->vars, "originate_signal_bond"));
	if (!other)
		other = leg_find(vars_get(leg->vars, "signal_bond"));
	return other != leg ? other : NULL;
}

static ON_CTL void set_pair_vars(struct leg *leg, struct leg *peer)
{
	leg_var_set(leg, "last_bridge_to", peer->uuid);
	leg_var_set(leg, "bridge_channel", peer->name);
	leg_var_set(leg, "bridge_uuid", peer->uuid);
	leg_var_set(leg, "bridge_to", peer->uuid);
	leg_var_set(leg, "signal_bond", peer->uuid);
}

void bridge_pair_vars(struct leg *a, struct leg *b)
{
	set_pair_vars(a, b);
	set_pair_vars(b, a);
	leg_var_set(a, "last_bridge_role", "originator");
}

void bridge_fire_pair(struct leg *a, struct leg *b, enum event_id id)
{
	struct event *e;

	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	event_add(e, "Bridge-A-Unique-ID", a->uuid);
	event_add(e, "Bridge-B-Unique-ID", b->uuid);
	leg_event_headers(a, e);
	event_fire(e);
}

/* What each side's phone shows as the other party. */
static ON_CTL void fire_update(struct leg *leg, struct leg *peer)
{
	const struct leg_profile *p = leg->profile;
	/* A dialled leg that runs applications of its own has had its two ids exchanged. */
	bool is_callee = leg->is_outbound && !leg_is_cid_flipped(leg);
	const char *name = is_callee ? p->caller_id_name : p->callee_id_name;
	const char *number = is_callee ? p->caller_id_number : p->callee_id_number;
	struct event *e;

	if (!name || !*name)
		name = number;
	const char *before = leg_var(leg, "last_sent_callee_id_number");
	if (before && number && strcmp(before, number) != 0 && leg->ops && leg->ops->display)
		leg->ops->display(leg, name, number); /* another one than it talked to before */
	if (name)
		leg_var_set(leg, "last_sent_callee_id_name", name);
	if (number)
		leg_var_set(leg, "last_sent_callee_id_number", number);
	leg->callee_sent_profile = p->index;
	if (!event_is_wanted(EVENT_CALL_UPDATE, NULL) || !(e = event_new(EVENT_CALL_UPDATE, NULL)))
		return;
	event_add(e, "Direction", "SEND");
	if (name)
		event_add(e, "Sent-Callee-ID-Name", name);
	if (number)
		event_add(e, "Sent-Callee-ID-Number", number);
	event_add(e, "Bridged-To", peer->uuid);
	leg_event_headers(leg, e);
	event_fire(e);
}

static ON_CTL void other_set(struct leg *leg, struct leg *peer, bool is_originator)
{
	if (leg->other && leg->other->uuid && !strcmp(leg->other->uuid, peer->uuid))
		return;
	leg_profile_free(leg->other);
	leg->other = peer->profile ? leg_profile_dup(peer->profile) : NULL;
	leg->other_is_originator = is_originator;
	if (leg->other)
		leg->other->is_originator_side = true;
}

/* bridge_pre_execute_SIDE_app of who made the bridge, with _data: run on that side, which comes back to the bridge. */
static ON_CTL void pre_execute(struct leg *maker, struct leg *leg, const char *app_var, const char *data_var)
{
	char *app = vars_get(maker->vars, app_var) ? leg_text_dup(maker, app_var) : NULL, *data;

	if (!app)
		return;
	data = leg_text_dup(maker, data_var);
	leg_exec_request(leg, &(struct leg_exec_request){.app = app, .data = data ? data : "", .priority = 1});
	mem_free(app);
	mem_free(data);
}

/* Who waits to hear that a blind transfer reached somebody. */
static ON_CTL void transferred(struct leg *a, struct leg *b)
{
	if (b->is_answered)
		leg_transfer_told(a, true);
	if (a->is_answered)
		leg_transfer_told(b, true);
}

int bridge_join(struct leg *a, struct leg *b, bridge_done_fn done, void *arg)
{
	struct bridge *br;
	int st;

	if (!leg_is_up(a) || !leg_is_up(b))
		return ST_HANGUP;
	if (a == b || a->peer || b->peer)
		return ST_BUSY;
	st = leg_media_join(a, b);
	if (st)
		return st;
	br = mem_zalloc(sizeof(*br));
	if (!br) {
		if (leg_media_stream(a))
			mstream_idle(leg_media_stream(a));
		return ST_NOMEM;
	}
	br->a = mem_ref(a), br->b = mem_ref(b), br->done = done, br->arg = arg;
	bridge_put(br);
	leg_dtmf_bridged(a);
	leg_dtmf_bridged(b);
	leg_record_check(a);
	leg_record_check(b);
	limits_count_bridged();
	other_set(a, b, false);
	other_set(b, a, true);
	if (a->profile)
		a->profile->times.bridged = clock_wall_us();
	if (b->profile)
		b->profile->times.bridged = clock_wall_us();
	memcpy(b->call_uuid, a->call_uuid, sizeof(b->call_uuid));
	leg_var_set(b, "call_uuid", b->call_uuid);
	bridge_fire_pair(a, b, EVENT_CHANNEL_BRIDGE);
	/* FreeSWITCH's order: the event shows neither side's bridge variables yet, and only A remembers a role. */
	set_pair_vars(a, b);
	set_pair_vars(b, a);
	leg_state_input(b, IN_EXCHANGE);
	leg_state_run(b);
	leg_hooks_run(a, LEG_HOOK_BRIDGED);
	leg_hooks_run(b, LEG_HOOK_BRIDGED);
	fire_update(b, a);
	fire_update(a, b);
	leg_var_set(a, "last_bridge_role", "originator");
	if (a->ops && a->ops->on_bridge)
		a->ops->on_bridge(a);
	if (b->ops && b->ops->on_bridge)
		b->ops->on_bridge(b);
	transferred(a, b);
	pre_execute(a, a, "bridge_pre_execute_aleg_app", "bridge_pre_execute_aleg_data");
	pre_execute(a, b, "bridge_pre_execute_bleg_app", "bridge_pre_execute_bleg_data");
	vars_settle(a->vars); /* now they talk, for minutes */
	vars_settle(b->vars);
	return ST_OK;
}

/* FreeSWITCH's bridge_hangup_cause: how the other one ended; a called party that said goodbye itself has none. */
static ON_CTL void set_end_cause(struct leg *leg, struct leg *peer)
{
	if (!leg->is_ended_by_far || !leg->is_outbound)
		leg_var_set(leg, "bridge_hangup_cause", cause_name(peer->cause ? peer->cause : CAUSE_NORMAL_CLEARING));
}

/* What a leg remembers of how its peer left. */
static ON_CTL void set_end_vars(struct leg *leg, struct leg *peer)
{
	const char *proto;

	leg_var_set(leg, "bridge_to", NULL);
	if (leg_is_up(peer))
		return;
	leg_var_set(leg, "last_bridge_hangup_cause", cause_name(peer->cause));
	proto = vars_get(peer->vars, "proto_specific_hangup_cause");
	if (proto)
		leg_var_set(leg, "last_bridge_proto_specific_hangup_cause", proto);
}

void bridge_end_vars(struct leg *leg, struct leg *peer)
{
	set_end_vars(leg, peer);
	set_end_cause(leg, peer);
}

bool bridge_transfer_after(struct leg *leg, const char *var_name)
{
	char *spec = vars_get(leg->vars, var_name) ? leg_text_dup(leg, var_name) : NULL;
	struct sv exten, dialplan, context;
	char *text[3];

	if (!spec)
		return false;
	const char *quote = *spec == '\'' ? strrchr(spec + 1, '\'') : NULL;
	if (quote && (!quote[1] || quote[1] == ':')) { /* 'app:data,app':inline */
		exten = (struct sv){spec + 1, (size_t)(quote - spec - 1)};
		dialplan = sv_of(quote[1] ? quote + 2 : "");
	} else {
		sv_split(sv_of(spec), ':', &exten, &dialplan);
	}
	sv_split(dialplan, ':', &dialplan, &context);
	text[0] = sv_dup(exten), text[1] = sv_dup(dialplan), text[2] = sv_dup(context);
	leg_var_set(leg, var_name, NULL);
	leg_transfer(leg, text[0], text[1], text[2]);
	for (int i = 0; i < 3; i++)
		mem_free(text[i]);
	mem_free(spec);
	return true;
}

bool bridge_after(struct leg *leg)
{
	if (!leg_is_up(leg) || exec_is_rerouted(leg))
		return true;
	if (str_is_true(vars_get(leg->vars, "park_after_bridge"))) {
		exec_park_after(leg);
		return true;
	}
	return bridge_transfer_after(leg, "transfer_after_bridge");
}

/* Why the called leg ends when its caller leaves: one that still rings (bridged in early media) is cancelled. */
static ON_CTL enum cause cause_of_leaving(const struct leg *b)
{
	return b->is_answered ? CAUSE_NORMAL_CLEARING : CAUSE_ORIGINATOR_CANCEL;
}

void bridge_leave(struct leg *leg)
{
	struct bridge *br = bridged_of(leg)->bridge;
	struct leg *a, *b;

	bridge_aside_leave(leg);
	if (!br || br->is_ending)
		return;
	br->is_ending = true;
	loop_timer_cancel(&br->answer_timer);
	a = br->a, b = br->b;
	bridge_hold_music(a, false);
	bridge_hold_music(b, false);
	bridge_take(br);
	leg_dtmf_capture_check(a);
	leg_dtmf_capture_check(b);
	leg_record_check(a);
	leg_record_check(b);
	bypass_unbridged(a);
	bypass_unbridged(b);
	set_end_vars(a, b);
	set_end_vars(b, a);
	set_end_cause(a, b);
	if (leg_is_up(a) && leg_media_stream(a))
		mstream_idle(leg_media_stream(a));
	else if (leg_is_up(b) && leg_media_stream(b))
		mstream_idle(leg_media_stream(b));
	/* FreeSWITCH's order: when A left, B's hang-up is told before the unbridging. */
	if (!br->is_consultation && !leg_is_up(a) && !bridge_after(b))
		leg_hangup(b, cause_of_leaving(b));
	set_end_cause(b, a);
	bridge_fire_pair(a, b, EVENT_CHANNEL_UNBRIDGE);
	leg_hooks_run(a, LEG_HOOK_UNBRIDGED);
	leg_hooks_run(b, LEG_HOOK_UNBRIDGED);
	if (br->done)
		br->done(a, b, br->arg);
	if (!br->is_consultation && !bridge_after(b))
		leg_hangup(b, cause_of_leaving(b));
	leg_wake(a); /* what runs on them may look at their bridge */
	leg_wake(b);
	mem_unref(a);
	mem_unref(b);
	mem_free(br);
}

static void hold_suspend(struct leg *leg, bool plays_music)
{
	struct bridge *br = bridged_of(leg)->bridge;

	role_assert_ctl();
	if (br && plays_music)
		bridge_hold_music(leg, true);
	if (!br || br->is_ending || br->is_consultation)
		return;
	if (!br->suspended_by && leg_media_stream(leg))
		mstream_idle(leg_media_stream(leg));
	br->suspended_by |= br->a == leg ? BRIDGE_A : BRIDGE_B;
}

static void hold_resume(struct leg *leg, bool played_music)
{
	struct bridge *br = bridged_of(leg)->bridge;

	role_assert_ctl();
	if (played_music)
		bridge_hold_music(leg, false);
	if (!br || br->is_ending || !(br->suspended_by & (br->a == leg ? BRIDGE_A : BRIDGE_B)))
		return;
	br->suspended_by &= ~(unsigned)(br->a == leg ? BRIDGE_A : BRIDGE_B);
	if (!br->suspended_by && leg_is_up(br->a) && leg_is_up(br->b))
		leg_media_join(br->a, br->b);
}

void bridge_music(struct leg *of, struct leg *to, bool is_on)
{
	struct buf scratch;
	const char *music;

	if (!leg_media_stream(to))
		return;
	if (!is_on) {
		if (bridged_of(to)->hold_play_id)
			mstream_play_stop(leg_media_stream(to), bridged_of(to)->hold_play_id);
		bridged_of(to)->hold_play_id = 0;
		return;
	}
	buf_init(&scratch);
	music = leg_text(of, "temp_hold_music", &scratch);
	if (!music)
		music = leg_text(of, "hold_music", &scratch);
	if (!music)
		music = leg_media_hold_music(of);
	if (music && strncasecmp(music, "silence", 7) && strcasecmp(music, "indicate_hold")) {
		char *source = leg_source_full(to, music);
		if (source)
			mstream_play(leg_media_stream(to), source, -1, &bridged_of(to)->hold_play_id);
		mem_free(source);
	}
	buf_fini(&scratch);
}

/* Bridged in early media, it answered: its peer does too. */
static ON_CTL void bridge_leg_answered(struct leg *leg)
{
	struct leg *peer = leg->peer;

	if (!peer || !leg_is_up(peer) || peer->is_answered || peer->is_outbound)
		return;
	leg_show_callee(peer, leg);
	leg_answer_for(peer, leg);
}

static void answer_timeout(void *arg)
{
	struct bridge *br = arg;

	role_assert_ctl();
	if (br->a->is_answered)
		return;
	leg_log(br->a, LOG_DEBUG, "Answer timeout hit on %s.", br->a->name);
	if (leg_var_is_true(br->a, "continue_on_answer_timeout")) {
		leg_var_set(br->a, "continue_on_fail", "true");
		leg_hangup(br->b, CAUSE_ALLOTTED_TIMEOUT);
	} else {
		leg_hangup(br->a, CAUSE_ALLOTTED_TIMEOUT);
	}
}

void bridge_answer_within(struct leg *a, int seconds)
{
	if (bridged_of(a)->bridge)
		loop_timer_set(&bridged_of(a)->bridge->answer_timer, clock_us_of_s(seconds), "bridge answer timeout",
		    answer_timeout, bridged_of(a)->bridge);
}

/* The holder's hold_music plays to its peer until it comes back. */
void bridge_hold_music(struct leg *leg, bool is_held)
{
	struct leg *peer = leg->peer;

	if (peer)
		bridge_music(leg, peer, is_held);
}

/* ---- the hold, and the part ---- */

static bool hold_leave(struct leg *leg)
{
	role_assert_ctl();
	bridge_leave(leg);
	return true; /* by what its end does (bridge_done_fn) */
}

/* While set aside the two have no peer, but are held all the same. */
static const struct leg_hold_ops joined = {
    .name = "bridge", .leave = hold_leave, .suspend = hold_suspend, .resume = hold_resume, .is_exclusive = true};
static const struct leg_hold_ops aside = {.name = "bridge, aside", .leave = hold_leave};

static ON_CTL void side_set(struct leg *leg, struct bridge *br, struct bridge *br_aside, struct leg *peer)
{
	struct leg_bridged *x = bridged_of(leg);

	x->bridge = br, x->aside = br_aside;
	leg->peer = peer;
	leg_hold_del(leg, &x->hold);
	if (br || br_aside)
		leg_hold_add(leg, &x->hold, br ? &joined : &aside);
}

void bridge_put(struct bridge *br)
{
	side_set(br->a, br, bridged_of(br->a)->aside, br->b);
	side_set(br->b, br, bridged_of(br->b)->aside, br->a);
}

void bridge_take(struct bridge *br)
{
	side_set(br->a, NULL, bridged_of(br->a)->aside, NULL);
	side_set(br->b, NULL, bridged_of(br->b)->aside, NULL);
}

void bridge_put_aside(struct bridge *br)
{
	side_set(br->a, NULL, br, NULL);
	side_set(br->b, NULL, br, NULL);
}

void bridge_take_aside(struct leg *leg)
{
	struct leg_bridged *x = bridged_of(leg);
	side_set(leg, x->bridge, NULL, leg->peer);
}

static void part_answer(struct leg *leg)
{
	role_assert_ctl();
	if (!leg->peer)
		return;
	bridge_leg_answered(leg);
	if (leg->peer)
		transferred(leg, leg->peer);
}

static void part_hold(struct leg *leg, bool is_held)
{
	role_assert_ctl();
	bridge_hold_music(leg, is_held);
}

/* Its media has come while its peer's phone holds. */
static void part_stream(struct leg *leg)
{
	role_assert_ctl();
	if (leg->peer && leg->peer->is_held && leg_media_is_ready(leg) && !bridged_of(leg)->hold_play_id)
		bridge_hold_music(leg->peer, true);
}

static void part_leave(struct leg *leg)
{
	role_assert_ctl();
	bridge_leave(leg);
}

struct leg_part bridge_part = {
    .name = "bridge",
    .on_stream = part_stream,
    .bytes = sizeof(struct leg_bridged),
    .on_answer = part_answer,
    .on_hold = part_hold,
    .on_leave = part_leave,
};
