/* Restarts of a leg's ICE, theirs and ours: new credentials of both sides, and all is found anew. */
#include "core/leg/leg.h"
#include "core/sound/ice_i.h"
#include "core/sound/media.h"
#include "core/value/vars.h"

enum { RESTART_TRIES = 3, RESTART_AGAIN_US = 10000000 };

/* ---- theirs ---- */

/* Another fragment than before is a restart (RFC 8839 section 4.4.1.1.1). */
int ice_restart_if_asked(struct leg_media *m, const struct sdp_ice *theirs)
{
	struct leg_ice *i = m->ice;
	if (!i->remote_ufrag[0] || sv_is(theirs->ufrag, i->remote_ufrag))
		return ST_OK;
	i->remote_ufrag[0] = 0;
	ice_credentials_make(i);
	return mstream_ice_restart(m->stream, &i->conf, NULL);
}

/* ---- a restart of ours: no pair is left that works ---- */

static void on_again(void *arg);

static ON_CTL int lines_restart(struct leg_media *m)
{
	int st = ST_OK;
	for (; m && !st; m = m->next) {
		if (!m->ice || !m->ice->mice)
			continue;
		m->ice->remote_ufrag[0] = 0;
		ice_credentials_make(m->ice);
		st = mstream_ice_restart(m->stream, &m->ice->conf, ice_relay_take(m));
	}
	return st;
}

/* Offers new credentials, and another relayed address where one is ready, in a re-INVITE. */
static ON_CTL void restart(struct leg_media *first)
{
	struct leg *leg = first->leg;
	struct leg_ice *i = first->ice;
	struct buf sdp;
	int st;

	if (!i->restarts_left || loop_timer_is_set(&i->again) || !leg->is_answered || !leg->ops || !leg->ops->reinvite)
		return;
	i->restarts_left--;
	buf_init(&sdp);
	st = lines_restart(first);
	if (!st)
		st = leg_media_own_reoffer(leg, first->is_held_by_us, &sdp);
	if (!st)
		st = leg->ops->reinvite(leg, buf_sv(&sdp));
	buf_fini(&sdp);
	if (st)
		leg_log(leg, LOG_INFO, "ICE: a restart could not be offered: %s", status_text(st));
	else
		leg_log(leg, LOG_INFO, "ICE: a restart is offered");
	if (st && i->restarts_left)
		loop_timer_set(&i->again, RESTART_AGAIN_US, "ice.again", on_again, first);
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
	else if (state == ICE_FAILED && i->restarts_left && !loop_timer_is_set(&i->again))
		loop_timer_set(&i->again, RESTART_AGAIN_US, "ice.again", on_again, m->first);
}
