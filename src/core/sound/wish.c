/* What was asked of a leg's session while another INVITE of its dialog was under way (ours, theirs, a 491 that is
 * waited out): another offer, media past us or back. It was promised, and is done when the dialogs it needs are free.
 * Of wishes that contradict each other the last one counts. */
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_core.h"
#include "core/value/vars.h"

static const char *const names[] = {"nothing", "another offer", "media past us", "media back here"};

static ON_CTL struct leg_media *media_of(const struct leg *leg)
{
	return leg ? sound_of(leg)->media : NULL;
}

static ON_CTL void forget(struct leg *leg)
{
	if (media_of(leg))
		media_of(leg)->wish = MEDIA_WISH_NONE;
}

static ON_CTL bool is_wished(const struct leg *leg, enum media_wish wish)
{
	return media_of(leg) && media_of(leg)->wish == wish;
}

/* Either of the two tells by leg_media_owed: also one whose dialog is free and is told of it in a moment. */
static ON_CTL bool is_awaited(struct leg *leg)
{
	return leg && leg->ops && leg->ops->await_free && leg->ops->await_free(leg);
}

static ON_CTL bool is_pair_awaited(struct leg *leg)
{
	bool is_one = is_awaited(leg);
	return is_awaited(leg->peer) || is_one;
}

static ON_CTL bool is_stream_closing(const struct leg *leg)
{
	return media_of(leg) && media_of(leg)->is_closing;
}

static ON_CTL bool may_offer(const struct leg *leg)
{
	const struct leg_media *m = media_of(leg);
	bool is_here = m && (m->bypass == BYPASS_COMING || (!m->bypass && m->is_negotiated));
	return is_here && leg->is_answered && leg->ops && leg->ops->reinvite;
}

static ON_CTL int reneg(struct leg *leg)
{
	return !may_offer(leg) ? ST_INVAL : is_awaited(leg) ? ST_BUSY : media_reneg(leg);
}

/* Both dialogs, before the first of the two is told anything: halfway there nobody would hear. */
static ON_CTL int away(struct leg *leg)
{
	int st = bypass_check(leg);
	if (st)
		return st == ST_EXISTS ? ST_OK : st;
	return is_pair_awaited(leg) ? ST_BUSY : bypass_start(leg);
}

static ON_CTL int back(struct leg *leg)
{
	struct leg *peer = leg->peer;

	if (!leg_media_is_bypassed(leg) && !(peer && leg_media_is_bypassed(peer)))
		return ST_OK;
	if (!leg->is_answered)
		return ST_INVAL;
	if (is_stream_closing(leg) || (peer && is_stream_closing(peer)) || is_pair_awaited(leg))
		return ST_BUSY;
	return leg_bypass_end(leg);
}

/* Does it or keeps it. What is not there yet comes: a free dialog, or the end of a stream. */
static ON_CTL int wish(struct leg *leg, enum media_wish what)
{
	int st = what == MEDIA_WISH_OFFER ? reneg(leg) : what == MEDIA_WISH_AWAY ? away(leg) : back(leg);

	if (st != ST_BUSY ||
	    !(is_pair_awaited(leg) || is_stream_closing(leg) || (leg->peer && is_stream_closing(leg->peer))))
		return st;
	media_of(leg)->wish = what;
	return ST_OK;
}

int leg_media_reneg(struct leg *leg, const char *codecs)
{
	bool is_going = is_wished(leg, MEDIA_WISH_AWAY) || is_wished(leg->peer, MEDIA_WISH_AWAY);
	bool is_coming =
	    leg_media_is_bypassed(leg) && (is_wished(leg, MEDIA_WISH_BACK) || is_wished(leg->peer, MEDIA_WISH_BACK));

	if (is_going || !(is_coming || may_offer(leg)))
		return ST_INVAL; /* as it would be after what waits */
	if (codecs && *codecs)
		leg_var_set(leg, "codec_string", codecs);
	return is_coming ? ST_OK /* by an offer, too */ : wish(leg, MEDIA_WISH_OFFER);
}

int leg_bypass_ask(struct leg *leg, bool is_away)
{
	struct leg *peer = leg->peer;
	bool was_wished = is_wished(leg, MEDIA_WISH_AWAY) || is_wished(peer, MEDIA_WISH_AWAY);
	bool is_here = !leg_media_is_bypassed(leg) && !(peer && leg_media_is_bypassed(peer));

	if (is_away) {
		int st = bypass_check(leg);
		if (st && st != ST_EXISTS && st != ST_BUSY)
			return st; /* what was wished before is as it was */
	} else if (is_here && !was_wished) {
		return ST_INVAL;
	}
	forget(leg), forget(peer);
	if (!is_away && media_of(leg))
		media_of(leg)->is_bypass_due = false;
	return wish(leg, is_away ? MEDIA_WISH_AWAY : MEDIA_WISH_BACK);
}

bool media_is_wished(const struct leg *leg)
{
	return (media_of(leg) && media_of(leg)->wish) || (media_of(leg->peer) && media_of(leg->peer)->wish);
}

void bypass_when_possible(struct leg *leg)
{
	if (!media_of(leg))
		return;
	int st = away(leg);
	media_of(leg)->is_bypass_due = st && st != ST_UNSUPPORTED;
}

void leg_media_acknowledged(struct leg *leg)
{
	if (media_of(leg) && media_of(leg)->is_bypass_due)
		bypass_when_possible(leg);
}

static ON_CTL void owed(struct leg *leg)
{
	struct leg_media *m = media_of(leg);

	if (!m || !leg_is_up(leg))
		return;
	leg_media_acknowledged(leg); /* and what else it waited for */
	enum media_wish what = m->wish;
	if (!what)
		return;
	m->wish = MEDIA_WISH_NONE;
	int st = wish(leg, what);
	if (st)
		leg_log(leg, LOG_WARNING, "%s, which had to wait, cannot be had: %s", names[what], status_text(st));
	leg_wake(leg);
}

void leg_media_owed(struct leg *leg)
{
	owed(leg);
	if (leg->peer)
		owed(leg->peer);
}

void media_wishes_drop(struct leg *leg)
{
	if (!media_of(leg))
		return;
	media_of(leg)->is_bypass_due = false;
	if (!is_wished(leg, MEDIA_WISH_OFFER))
		forget(leg);
}
