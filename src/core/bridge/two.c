/* Joining two legs that exist: for a script, which waits until it is over, and for uuid_bridge. */
#include "base/mem.h"
#include "base/status.h"
#include "core/bridge/bridge.h"
#include "core/bridge/bridge_core.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/registry/app.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/run/run_core.h"
#include "core/sound/sound_core.h"
#include "core/value/cause.h"

/* ---- a script's bridge ---- */

static void wait_bridge_done(struct leg *a, struct leg *b, void *arg)
{
	struct co_wait *w = arg;
	role_assert_ctl();
	exec_set_joined(a, false);
	exec_set_joined(b, false);
	if (leg_is_up(a))
		bridge_after(a);
	co_signal(w, ST_OK);
}

int bridge_wait(struct leg *a, struct leg *b)
{
	struct co_wait over = {0};
	int st = leg_is_up(a) && leg_is_up(b) ? ST_OK : ST_HANGUP;

	if (!st && !b->is_answered && !b->is_early)
		st = leg_pre_answer(b);
	if (!st && !a->is_answered)
		st = b->is_answered ? leg_answer(a) : leg_pre_answer(a);
	if (!st)
		st = bridge_join(a, b, wait_bridge_done, &over);
	if (st)
		return st;
	exec_set_joined(a, true);
	exec_set_joined(b, true);
	co_wait(&over, -1);
	return ST_OK;
}

/* ---- uuid_bridge ---- */

static void two_done(struct leg *a, struct leg *b, void *arg)
{
	role_assert_ctl();
	/* what was behind it in the leg's list goes on; mostly that is nothing, then the leg ends */
	if (!bridge_after(a) && exec_has_more(a) && !leg_var_is_true(a, "hangup_after_bridge")) {
		leg_state_input(a, IN_EXECUTE);
		leg_state_run(a);
	} else if (!exec_is_rerouted(a)) {
		leg_hangup(a, CAUSE_NORMAL_CLEARING);
	}
	leg_exec_resume(a, NULL);
}

/* A leg that was dialled is the callee of whoever it talks to, any other the caller. */
static ON_CTL bool is_callee(const struct leg *leg)
{
	return leg->is_outbound && !leg_is_cid_flipped(leg);
}

/* The other party, as its events, records and phone show it, is whom it is joined with now. */
static ON_CTL void id_show(struct leg *leg, const struct leg *partner)
{
	struct leg_profile *p = leg->profile;
	const struct leg_profile *of = partner->profile;

	if (!p || !of)
		return;
	leg_profile_set(is_callee(leg) ? &p->caller_id_name : &p->callee_id_name,
	    is_callee(partner) ? of->callee_id_name : of->caller_id_name);
	leg_profile_set(is_callee(leg) ? &p->caller_id_number : &p->callee_id_number,
	    is_callee(partner) ? of->callee_id_number : of->caller_id_number);
}

void bridge_show_ids(struct leg *a, struct leg *b)
{
	id_show(a, b);
	id_show(b, a);
	leg_note_reached(a, b);
}

/* The application A runs after uuid_bridge took it out of what it did; data is B's uuid. */
static int app_uuid_bridge(struct leg *leg, const char *data)
{
	struct leg *b;
	int st;

	role_assert_co();
	b = leg_find(data);
	if (!b || b == leg || !leg_is_up(b))
		return ST_NOTFOUND;
	mem_ref(b);
	st = leg_pre_answer(b);
	if (!st)
		st = leg_pre_answer(leg);
	if (!st && b->is_answered)
		st = leg_answer(leg);
	if (!st && b->state == CS_RESET) {
		leg_state_input(b, IN_SOFT_EXECUTE);
		leg_state_run(b);
	}
	if (!st) {
		bridge_show_ids(leg, b);
		st = bridge_join(leg, b, two_done, NULL);
	}
	if (!st &&
	    (leg_var_is_true(leg, "bypass_media_after_bridge") || leg_var_is_true(b, "bypass_media_after_bridge")))
		bypass_when_possible(leg);
	if (st && leg_is_up(b))
		leg_hangup(b, cause_of_media(st, CAUSE_NORMAL_CLEARING));
	mem_unref(b);
	return st ? st : APP_DETACHED;
}

int bridge_two(struct leg *a, struct leg *b)
{
	if (!leg_is_up(a) || !leg_is_up(b))
		return ST_HANGUP;
	exec_pass_reset(b);
	exec_hibernate_after(b);
	if (a == b) /* FreeSWITCH takes it: the leg leaves its bridge and is left waiting */
		return ST_OK;
	leg_note_transfer(a, "uuid_br:%s", b->uuid);
	leg_note_transfer(b, "uuid_br:%s", a->uuid);
	exec_pass_reset(a);
	exec_run_after(a, "uuid_bridge", b->uuid);
	return ST_OK;
}

int bridge_two_within(struct leg *a, struct leg *b)
{
	if (!leg_is_ready(a) || !leg_is_up(b) || a == b)
		return ST_HANGUP;
	int st = exec_add_first(a, "uuid_bridge", b->uuid);
	if (st)
		return st;
	exec_pass_reset(b);
	exec_hibernate_after(b);
	leg_note_transfer(a, "uuid_br:%s", b->uuid);
	leg_note_transfer(b, "uuid_br:%s", a->uuid);
	exec_pass_reset(a);
	leg_exec_restart(a);
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"uuid_bridge", "Bridge to an existing channel", "<uuid>", 0, app_uuid_bridge},
    {0},
};
const struct module bridge_module = {.abi = MODULE_ABI, .name = "CORE_BRIDGE", .apps = apps};
