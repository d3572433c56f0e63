/* Restarts of a leg's ICE, theirs and ours: new credentials of both sides, and all is found anew (RFC 8445 section 9).
 * What is said of one, in an answer or an offer, is kept beside what is in force until the other side's word for it is
 * in and fits; only then the agent hears of it. So an offer that is refused, theirs or ours, leaves the media as it
 * was: consent is asked for and given under the old credentials.
 *
 *   said anew -> stands: the agent has the new credentials, then theirs
 *             -> dropped: nothing happened; one of ours is tried again */
#include "core/leg/leg.h"
#include "core/sound/ice_i.h"
#include "core/sound/media.h"
#include "core/value/vars.h"

enum { RESTART_TRIES = 3, RESTART_AGAIN_US = 10000000 };

void ice_restart_drop(struct leg_ice *i)
{
	rt_turn_free(i->next_turn);
	i->next_turn = NULL;
	i->anew = ICE_ANEW_NONE;
}

static ON_CTL void anew(struct leg_ice *i, enum ice_anew whose)
{
	ice_restart_drop(i);
	i->next = i->said;
	ice_credentials_make(&i->next.conf);
	i->anew = whose;
}

const struct ice_said *ice_said_in_offer(struct leg_ice *i)
{
	if (i->anew == ICE_ANEW_THEIRS)
		ice_restart_drop(i);
	return i->anew == ICE_ANEW_OURS ? &i->next : &i->said;
}

int ice_restart_stands(struct leg_media *m, bool is_answer)
{
	struct leg_ice *i = m->ice;
	struct rt_turn *turn = i->next_turn;

	if (i->anew != (is_answer ? ICE_ANEW_OURS : ICE_ANEW_THEIRS))
		return ST_OK;
	i->anew = ICE_ANEW_NONE, i->next_turn = NULL;
	int st = mstream_ice_restart(m->stream, &i->next.conf, turn);
	if (!st)
		i->said = i->next, i->remote_ufrag[0] = 0;
	return st;
}

/* ---- ours: no pair is left that works ---- */

static void on_again(void *arg);

static ON_CTL void again_later(struct leg_media *first)
{
	struct leg_ice *i = first->ice;
	if (i->restarts_left && !loop_timer_is_set(&i->again))
		loop_timer_set(&i->again, RESTART_AGAIN_US, "ice.again", on_again, first);
}

/* Another fragment than before is a restart (RFC 8839 section 4.4.1.1.1). One of ours that waits to be offered again
 * (491) has nothing to do with an answer to what is none; one of theirs takes its place, and if that comes to nothing
 * ours is tried later. */
const struct ice_said *ice_said_to(struct leg_media *m, const struct sdp_ice *theirs)
{
	struct leg_ice *i = m->ice;
	bool is_anew = i->remote_ufrag[0] && !sv_is(theirs->ufrag, i->remote_ufrag);

	if (is_anew && i->anew == ICE_ANEW_OURS && m->first->ice)
		again_later(m->first);
	if (is_anew)
		anew(i, ICE_ANEW_THEIRS);
	else if (i->anew == ICE_ANEW_THEIRS)
		ice_restart_drop(i);
	return i->anew == ICE_ANEW_THEIRS ? &i->next : &i->said;
}

static ON_CTL void lines_anew(struct leg_media *m)
{
	for (; m; m = m->next) {
		if (!m->ice || !m->ice->mice)
			continue;
		anew(m->ice, ICE_ANEW_OURS);
		m->ice->next_turn = ice_relay_take(m, &m->ice->next);
	}
}

/* False: nothing of ours waited. */
static ON_CTL bool lines_drop(struct leg_media *m)
{
	bool was_ours = false;
	for (; m; m = m->next) {
		if (!m->ice || m->ice->anew != ICE_ANEW_OURS)
			continue;
		ice_restart_drop(m->ice);
		was_ours = true;
	}
	return was_ours;
}

static bool is_ours_out(const struct leg_media *m)
{
	while (m && !(m->ice && m->ice->anew == ICE_ANEW_OURS))
		m = m->next;
	return m != NULL;
}

static ON_CTL int offer(struct leg_media *first)
{
	struct leg *leg = first->leg;
	bool is_made;
	struct buf sdp;
	int st;

	buf_init(&sdp);
	lines_anew(first);
	st = leg_media_same_reoffer(leg, &sdp);
	is_made = !st;
	if (!st)
		st = leg->ops->reinvite(leg, buf_sv(&sdp));
	buf_fini(&sdp);
	if (st)
		(void)lines_drop(first); /* it is no restart that was refused */
	if (st && is_made)
		leg_media_offer_unsent(leg);
	return st;
}

/* Offers new credentials, and another relayed address where one is ready, in a re-INVITE. */
static ON_CTL void restart(struct leg_media *first)
{
	struct leg *leg = first->leg;
	struct leg_ice *i = first->ice;
	int st;

	if (!i->restarts_left || loop_timer_is_set(&i->again) || !leg->is_answered || !leg->ops || !leg->ops->reinvite)
		return;
	if (is_ours_out(first)) /* of another line */
		return;
	i->restarts_left--;
	st = offer(first);
	if (st)
		leg_log(leg, LOG_INFO, "ICE: a restart could not be offered: %s", status_text(st));
	else
		leg_log(leg, LOG_INFO, "ICE: a restart is offered");
	if (st)
		again_later(first);
}

void media_ice_refused(struct leg_media *first)
{
	if (!lines_drop(first) || !first->ice)
		return;
	leg_log(first->leg, LOG_INFO, "ICE: the restart is refused; it goes on as it was");
	again_later(first);
}

static void on_again(void *arg)
{
	struct leg_media *first = arg;
	role_assert_ctl();
	if (!media_ice_may_send(first) && first->ice->state != ICE_CHECKING)
		restart(first);
}

void ice_restart_if_lost(struct leg_media *m, enum ice_state state)
{
	struct leg_ice *i = m->first->ice;
	const char *wish = vars_get(m->leg->vars, "ice_restart");

	if (!i || !i->is_agreed || (wish && *wish && !str_is_true(wish)))
		return;
	if (m == m->first && (state == ICE_CONNECTED || state == ICE_COMPLETED))
		i->restarts_left = RESTART_TRIES;
	else if (state == ICE_LOST)
		restart(m->first);
	else if (state == ICE_FAILED)
		again_later(m->first);
}
