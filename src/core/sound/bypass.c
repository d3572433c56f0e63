/* Bypass: the two phones of a bridge send media to each other, we keep the signalling (FreeSWITCH's bypass_media and
 * uuid_media). A call may begin so (each side is given the other's SDP as it came), or be sent there and back while it
 * stands, by re-INVITEs (RFC 3725's way: first one side with what the other has, then the other with the answer). A
 * phone's own re-INVITE in bypass is passed on and answered with what the other phone said. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_core.h"
#include "core/sound/sound_i.h"
#include "core/value/cause.h"
#include <string.h>

bool leg_media_is_bypassed(const struct leg *leg)
{
	return sound_of(leg)->media && sound_of(leg)->media->bypass != BYPASS_NONE;
}

bool leg_bypass_is_moving(const struct leg *leg)
{
	return sound_of(leg)->media &&
	       (sound_of(leg)->media->bypass == BYPASS_GOING || sound_of(leg)->media->bypass == BYPASS_COMING);
}

static ON_CTL struct leg *bypassed_peer(const struct leg *leg)
{
	struct leg *peer = leg->peer;
	return peer && leg_media_is_bypassed(peer) ? peer : NULL;
}

/* What goes past us is as secret as the phones say: where one of them must not be spoken to in the clear, both must
 * say so of every line. */
static ON_CTL bool is_too_plain(struct leg *leg, struct leg *peer, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;

	m->is_bypass_secure |= media_secure_is_demanded(leg) || (peer && media_secure_is_demanded(peer));
	if (!m->is_bypass_secure || sdp_is_secured(sdp))
		return false;
	leg_log(leg, LOG_NOTICE,
	    "bypass: what the phone says of media is not encrypted, and rtp_secure_media is mandatory for one of the "
	    "two");
	return true;
}

/* What the phone said is what its peer's phone is told. */
static ON_CTL int keep_remote(struct leg *leg, struct sv sdp)
{
	if (is_too_plain(leg, leg->peer, sdp))
		return ST_UNSUPPORTED;
	int st = proxy_is_on(leg) ? proxy_heard(leg, sdp) : ST_OK;
	if (!st)
		st = media_keep_remote(sound_of(leg)->media, sdp, false);
	if (!st)
		leg_var_share(leg, "switch_r_sdp", sound_of(leg)->media->remote_sdp);
	return st;
}

/* What the phone is told: what the other one said, with our address where media is proxied. */
static ON_CTL int keep_local(struct leg *leg, struct sv sdp)
{
	struct buf b;
	int st = ST_OK;
	buf_init(&b);
	if (proxy_is_on(leg) && sdp.n)
		st = proxy_put(leg, sdp, &b);
	if (!st)
		st = media_share_text(&sound_of(leg)->media->local_sdp, b.n ? buf_sv(&b) : sdp);
	if (!st)
		leg_var_share(leg, "rtp_local_sdp_str", sound_of(leg)->media->local_sdp);
	buf_fini(&b);
	return st;
}

static ON_CTL struct sv local_of(const struct leg *leg)
{
	return sv_of(sound_of(leg)->media->local_sdp);
}

static ON_CTL struct sv remote_of(const struct leg *leg)
{
	return sv_of(sound_of(leg)->media->remote_sdp);
}

/* ---- a call that begins in bypass ---- */

static ON_CTL bool is_wanted(struct leg *leg, struct leg *originator)
{
	struct leg_media *m = originator ? sound_of(originator)->media : NULL;

	if (!m || (!m->remote_sdp && !m->is_offerless) || m->is_negotiated || (m->stream && !m->is_proxied) ||
	    !originator->ops->reinvite || !leg->ops->reinvite)
		return false;
	if (!m->is_proxied &&
	    (m->bypass == BYPASS_ON || m->is_bypass_default || leg_var_is_true(originator, "bypass_media")))
		return true;
	return m->remote_sdp && (m->is_proxied || proxy_is_wanted(originator));
}

/* An offer that is not encrypted, or that nobody has made yet, is answered by us where encryption is demanded: each
 * leg has its own then. */
bool bypass_is_wanted(struct leg *leg, struct leg *originator)
{
	if (!is_wanted(leg, originator))
		return false;
	if (!media_secure_is_demanded(leg) && !media_secure_is_demanded(originator))
		return true;
	if (sound_of(originator)->media->remote_sdp && sdp_is_secured(sv_of(sound_of(originator)->media->remote_sdp)))
		return true;
	leg_log(originator, LOG_NOTICE,
	    "media stays here: rtp_secure_media is mandatory for one of the two legs, and the caller's offer is not "
	    "encrypted");
	return false;
}

int bypass_offer(struct leg *leg, struct leg *originator, struct buf *out)
{
	struct leg_media *m = sound_of(originator)->media;
	bool is_secure = media_secure_is_demanded(leg) || media_secure_is_demanded(originator);
	int st;

	if (!m->remote_sdp && !leg->ops->reinvite_ack)
		return ST_UNSUPPORTED;
	m->is_bypass_secure |= is_secure;
	sound_of(leg)->media->is_bypass_secure |= is_secure;
	if (!m->remote_sdp) { /* nor do we: the called one offers, the caller answers in its ACK */
		sound_of(leg)->media->bypass = m->bypass = BYPASS_ON;
		sound_of(leg)->media->is_ack_owed = true;
		return ST_OK;
	}
	if (m->is_proxied ||
	    (m->bypass != BYPASS_ON && !m->is_bypass_default && !leg_var_is_true(originator, "bypass_media"))) {
		st = proxy_start(originator, NULL);
		if (!st)
			st = proxy_start(leg, originator);
		if (!st)
			st = proxy_heard(originator, sv_of(m->remote_sdp));
		if (st)
			return st;
	}
	st = keep_local(leg, remote_of(originator));
	if (st)
		return st;
	sound_of(leg)->media->bypass = sound_of(originator)->media->bypass = BYPASS_ON;
	return buf_adds(out, sound_of(leg)->media->local_sdp);
}

bool bypass_answer(struct leg *leg, struct leg *near, struct buf *out, int *st)
{
	struct leg_media *m = sound_of(leg)->media;

	if (near && leg_media_is_bypassed(near) && sound_of(near)->media->remote_sdp) {
		*st = keep_local(leg, remote_of(near));
	} else if (m->local_sdp) { /* said already, and an answer stands */
		*st = ST_OK;
	} else { /* answered by ourselves after all */
		m->bypass = BYPASS_NONE;
		return false;
	}
	if (!*st)
		*st = buf_adds(out, m->local_sdp);
	return true;
}

int bypass_remote_answer(struct leg *leg, struct sv sdp)
{
	return keep_remote(leg, sdp);
}

/* ---- there ---- */

static ON_CTL void close_stream(struct leg *leg)
{
	sound_of(leg)->media->is_negotiated = false;
	leg->codec = NULL;
	leg_media_fini(leg);
}

/* The phone is told what the other one said, on as many lines as it has had. */
static ON_CTL int go(struct leg *leg, struct sv said)
{
	const struct sv before[] = {local_of(leg), remote_of(leg)};
	struct buf told;
	int st;

	buf_init(&told);
	st = sdp_lines_keep(said, before, ARRAY_COUNT(before), &told);
	if (!st)
		st = leg->ops->reinvite(leg, buf_sv(&told));
	if (!st) {
		(void)keep_local(leg, buf_sv(&told));
		sound_of(leg)->media->bypass = BYPASS_GOING;
	}
	buf_fini(&told);
	return st;
}

/* One encrypted leg beside a plain one, or one of which neither can be said: their phones have no keys in common. */
static ON_CTL bool are_unlike(struct leg *leg, struct leg *peer)
{
	bool is_secured = sdp_is_secured(sv_of(sound_of(leg)->media->remote_sdp)) &&
	                  sdp_is_secured(sv_of(sound_of(peer)->media->remote_sdp));

	if (is_secured || (!media_secure_is_on(leg) && !media_secure_is_on(peer) && !media_secure_is_demanded(leg) &&
	                      !media_secure_is_demanded(peer)))
		return false;
	leg_log(leg, LOG_NOTICE, "media stays here: one of the two legs is encrypted and the other is not");
	return true;
}

int bypass_check(struct leg *leg)
{
	struct leg *peer = leg->peer;

	if (!sound_of(leg)->media || !peer || !sound_of(peer)->media || !sound_of(peer)->media->remote_sdp ||
	    !leg->ops->reinvite || !peer->ops->reinvite || !leg->is_answered || !peer->is_answered)
		return ST_INVAL;
	if (leg_bypass_is_moving(leg) || leg_bypass_is_moving(peer))
		return ST_BUSY;
	if (leg_media_is_bypassed(leg) && leg_media_is_bypassed(peer))
		return ST_EXISTS;
	return are_unlike(leg, peer) ? ST_UNSUPPORTED : ST_OK;
}

int bypass_start(struct leg *leg)
{
	return go(leg, remote_of(leg->peer));
}

/* One side has answered what the other had; now the other is told. */
static ON_CTL void go_step(struct leg *leg, int code, struct sv sdp)
{
	struct leg *peer = leg->peer;
	bool is_first = peer && sound_of(peer)->media->bypass == BYPASS_NONE;

	if (code >= 300 || !sdp.n || !peer || keep_remote(leg, sdp)) {
		leg_log(leg, LOG_NOTICE, "bypass refused (%d); media stays here", code);
		sound_of(leg)->media->bypass = BYPASS_ON; /* what it was told may hold already: it is asked back */
		leg_bypass_end(leg);
		return;
	}
	sound_of(leg)->media->bypass = BYPASS_ON;
	if (is_first) {
		int st = go(peer, remote_of(leg));
		if (st == ST_BUSY && !leg_bypass_ask(leg, true)) /* its phone offers something meanwhile: after it */
			return;
		if (st)
			leg_bypass_end(leg);
		return;
	}
	mstream_idle(leg_media_stream(leg));
	close_stream(leg);
	close_stream(peer);
	leg_log(leg, LOG_INFO, "media goes past us now");
	leg_wake(leg);
	leg_wake(peer);
}

/* ---- and back ---- */

/* Lines that the phones said past us stay lines of the dialog. */
static ON_CTL void keep_lines(struct leg_media *m)
{
	struct sdp_running r;

	sdp_running_unpack(m->running, &r);
	sdp_running_passed(&r, sv_of(m->local_sdp));
	sdp_running_passed(&r, sv_of(m->remote_sdp));
	(void)sdp_running_pack(&r, &m->running);
}

static ON_CTL int come_back(struct leg *leg, struct leg *near)
{
	struct buf sdp;
	int st;

	buf_init(&sdp);
	keep_lines(sound_of(leg)->media);
	st = media_own_offer(leg, near, &sdp);
	if (!st) {
		st = leg->ops->reinvite(leg, buf_sv(&sdp));
		if (st)
			leg_media_offer_unsent(leg);
	}
	if (!st)
		sound_of(leg)->media->bypass = BYPASS_COMING;
	buf_fini(&sdp);
	return st;
}

int leg_bypass_end(struct leg *leg)
{
	struct leg *peer = bypassed_peer(leg);
	int st;

	if (!leg_media_is_bypassed(leg))
		return peer ? leg_bypass_end(peer) : ST_OK;
	if (!leg->is_answered)
		return ST_INVAL; /* an early answer cannot be taken back */
	if (sound_of(leg)->media->is_closing || (peer && sound_of(peer)->media->is_closing))
		return ST_BUSY;
	if (leg_bypass_is_moving(leg))
		return sound_of(leg)->media->bypass == BYPASS_COMING ? ST_OK : ST_BUSY;
	st = come_back(leg, NULL);
	if (!st && peer && !leg_bypass_is_moving(peer) && peer->is_answered)
		st = come_back(peer, leg);
	return st;
}

static ON_CTL void come_step(struct leg *leg, int code, struct sv sdp)
{
	struct leg *peer = leg->peer;
	int st = ST_UNSUPPORTED;

	sound_of(leg)->media->bypass = BYPASS_NONE;
	sound_of(leg)->media->is_proxied = sound_of(leg)->media->is_bypass_secure = false;
	if (code < 300 && sdp.n)
		st = leg_media_remote_answer(leg, sdp);
	if (st) {
		leg_log(
		    leg, LOG_WARNING, "media could not be brought back: %s", code < 300 ? status_text(st) : "refused");
		leg_hangup(leg, CAUSE_INCOMPATIBLE_DESTINATION);
		return;
	}
	if (peer && !leg_media_is_bypassed(peer) && leg_media_is_ready(peer) && leg_media_join(leg, peer))
		leg_hangup(leg, CAUSE_INCOMPATIBLE_DESTINATION);
	leg_wake(leg);
}

static ON_CTL bool is_settling_one(const struct leg *leg)
{
	return sound_of(leg)->media->is_closing || sound_of(leg)->media->bypass == BYPASS_GOING;
}

/* It has hardly gone: the streams there were are closing yet (a media thread says when), or one side is still to be
 * told. */
static ON_CTL bool is_settling(const struct leg *leg)
{
	const struct leg *peer = bypassed_peer(leg);
	return leg_media_is_bypassed(leg) && (is_settling_one(leg) || (peer && is_settling_one(peer)));
}

int leg_bypass_end_wait(struct leg *leg)
{
	enum { WAIT_US = 10000000 };
	int st = ST_OK;

	while (!st && is_settling(leg))
		st = leg_wait(leg, WAIT_US);
	if (!st)
		st = leg_bypass_ask(leg, false);
	while (!st && leg_media_is_bypassed(leg) && (leg_bypass_is_moving(leg) || media_is_wished(leg)))
		st = leg_wait(leg, WAIT_US);
	return leg_is_up(leg) ? st : ST_HANGUP;
}

/* Two legs are about to be bridged and one at least is in bypass: right as they are when each was told the other's SDP;
 * else what is in bypass comes back, and the two are joined then. */
int bypass_join(struct leg *a, struct leg *b)
{
	const struct leg_media *x = sound_of(a)->media, *y = sound_of(b)->media;
	int st = ST_OK;

	if (!x || !y)
		return ST_UNSUPPORTED;
	if (x->is_proxied && y->is_proxied && x->bypass == BYPASS_ON && y->bypass == BYPASS_ON)
		return proxy_join(a, b);
	if ((x->is_offerless && y->is_ack_owed) || (y->is_offerless && x->is_ack_owed))
		return ST_OK; /* the caller's ACK settles it */
	if (x->bypass == BYPASS_ON && y->bypass == BYPASS_ON && x->local_sdp && y->local_sdp && x->remote_sdp &&
	    y->remote_sdp && !strcmp(x->local_sdp, y->remote_sdp) && !strcmp(y->local_sdp, x->remote_sdp))
		return ST_OK;
	if (leg_media_is_bypassed(a))
		st = leg_bypass_end(a);
	if (!st && leg_media_is_bypassed(b))
		st = leg_bypass_end(b);
	return st;
}

/* ---- a phone's own re-INVITE ---- */

/* sendonly, inactive, 0.0.0.0 or :: in its first line of audio. */
static bool is_hold(struct sv sdp)
{
	struct sdp *s;
	bool holds = false;

	if (sdp_parse_new(sdp, &s))
		return false;
	for (size_t i = 0; i < s->media_count; i++) {
		const struct sdp_media *a = &s->media[i];
		if (!a->port || !sv_isi(a->kind, "audio"))
			continue;
		holds = !(a->dir & SDP_RECVONLY) || sdp_is_nowhere(a->conn.host.n ? a->conn.host : s->conn.host);
		break;
	}
	mem_free(s);
	return holds;
}

bool bypass_comes_back(struct leg *leg, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;
	struct leg *peer = bypassed_peer(leg);

	if (m->bypass != BYPASS_ON || m->is_proxied || !peer || leg_bypass_is_moving(peer) || m->is_reoffer_passed ||
	    !peer->is_answered || m->is_closing || sound_of(peer)->media->is_closing ||
	    !(m->comes_back_on_hold || leg_var_is_true(leg, "bypass_media_resume_on_hold")) || !is_hold(sdp))
		return false;
	if (media_stream_open(leg, NULL) || come_back(peer, leg))
		return false;
	m->bypass = BYPASS_NONE;
	return true;
}

void bypass_resumed(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	if (m->goes_after_hold || leg_var_is_true(leg, "bypass_media_after_hold"))
		m->is_bypass_due = true; /* with the ACK */
}

/* The re-INVITE is answered, or nobody waits for the answer any more. */
static ON_CTL void reoffer_end(struct leg_media *m)
{
	m->is_reoffer_passed = m->is_offer_asked = false;
	str_share_end(m->reoffer_sdp);
	m->reoffer_sdp = NULL;
}

/* What the phone says now holds once the other phone has taken it: until then it is only kept aside. */
int bypass_reoffer(struct leg *leg, struct sv sdp)
{
	struct leg *peer = bypassed_peer(leg);
	int st;

	if (!peer || leg_bypass_is_moving(leg) || leg_bypass_is_moving(peer) || sound_of(leg)->media->is_reoffer_passed)
		return ST_BUSY;
	if (is_too_plain(leg, peer, sdp))
		return ST_UNSUPPORTED;
	struct buf told;
	buf_init(&told);
	st = proxy_is_on(peer) ? proxy_put(peer, sdp, &told) : ST_OK;
	if (!st)
		st = media_share_text(&sound_of(leg)->media->reoffer_sdp, sdp);
	if (!st)
		st = peer->ops->reinvite(peer, told.n ? buf_sv(&told) : sdp);
	buf_fini(&told);
	if (st) {
		reoffer_end(sound_of(leg)->media);
		return st == ST_BUSY ? ST_BUSY : ST_UNSUPPORTED;
	}
	sound_of(leg)->media->is_reoffer_passed = true;
	return ST_AGAIN;
}

/* The other phone took what leg's phone said (nothing, where it asked for an offer), and said this. */
static ON_CTL int reoffer_stands(struct leg *leg, struct leg *by, struct sv sdp)
{
	const char *said = sound_of(leg)->media->reoffer_sdp;
	int st = sdp.n ? keep_remote(by, sdp) : ST_UNSUPPORTED;

	if (!st && said)
		st = keep_remote(leg, sv_of(said));
	if (!st && said)
		st = keep_local(by, sv_of(said));
	return st ? st : keep_local(leg, remote_of(by));
}

/* What the other phone said; true: it was an offer, which leg's phone will answer in its ACK. */
static ON_CTL bool reoffer_answered(struct leg *leg, struct leg *by, int code, struct sv sdp)
{
	bool is_offer = sound_of(leg)->media->is_offer_asked && code < 300 && sdp.n;

	if (code < 300 && reoffer_stands(leg, by, sdp))
		code = 488, is_offer = false;
	reoffer_end(sound_of(leg)->media);
	sound_of(by)->media->is_ack_owed = is_offer;
	leg->ops->reinvite_reply(leg, code, code < 300 ? local_of(leg) : SV_NONE);
	return is_offer;
}

/* ---- a phone's re-INVITE without SDP: the other phone's offer goes to it, and its answer back in the ACKs ---- */

int bypass_offer_asked(struct leg *leg)
{
	struct leg *peer = bypassed_peer(leg);
	int st;

	if (leg_bypass_is_moving(leg) || sound_of(leg)->media->is_reoffer_passed)
		return ST_BUSY;
	if (!peer || !peer->ops->reinvite_ack)
		return ST_NOTFOUND;
	if (leg_bypass_is_moving(peer) || sound_of(peer)->media->is_ack_owed)
		return ST_BUSY;
	st = peer->ops->reinvite(peer, SV_NONE);
	if (st)
		return ST_BUSY;
	sound_of(leg)->media->is_reoffer_passed = sound_of(leg)->media->is_offer_asked = true;
	return ST_AGAIN;
}

static ON_CTL void ack_give(struct leg *leg, struct sv sdp)
{
	sound_of(leg)->media->is_ack_owed = false;
	if (leg_is_up(leg) && leg->ops->reinvite_ack)
		(void)leg->ops->reinvite_ack(leg, sdp);
}

int bypass_late_answer(struct leg *leg, struct sv sdp)
{
	struct leg *peer = bypassed_peer(leg);
	int st = sdp.n ? keep_remote(leg, sdp) : ST_NOTFOUND;

	if (!peer || !sound_of(peer)->media->is_ack_owed)
		return st;
	if (!st)
		st = keep_local(peer, remote_of(leg));
	ack_give(peer, local_of(peer)); /* without an answer: where it listened before */
	return st;
}

bool leg_media_owes_answer(const struct leg *leg)
{
	return sound_of(leg)->media && sound_of(leg)->media->is_ack_owed;
}

void bypass_unbridged(struct leg *leg)
{
	media_wishes_drop(leg);
	if (sound_of(leg)->media && sound_of(leg)->media->is_ack_owed)
		ack_give(leg, sv_of(sound_of(leg)->media->local_sdp));
	if (sound_of(leg)->media && sound_of(leg)->media->is_reoffer_passed) {
		reoffer_end(sound_of(leg)->media);
		if (leg_is_up(leg))
			leg->ops->reinvite_reply(leg, 491, SV_NONE);
	}
}

bool leg_media_reinvite_done(struct leg *leg, int code, struct sv sdp)
{
	struct leg_media *m = sound_of(leg)->media;
	struct leg *peer = leg->peer;

	if (!m)
		return false;
	if (peer && sound_of(peer)->media && sound_of(peer)->media->is_reoffer_passed && m->bypass == BYPASS_ON)
		return reoffer_answered(peer, leg, code, sdp);
	if (m->bypass == BYPASS_GOING) {
		go_step(leg, code, sdp);
	} else if (m->bypass == BYPASS_COMING) {
		come_step(leg, code, sdp);
	} else if (code >= 300) {
		leg_log(leg, LOG_NOTICE, "re-INVITE refused: %d", code);
		media_offer_refused(m);
	} else if (media_reinvite_answer(leg, sdp) < 0) {
		leg_log(leg, LOG_WARNING, "the answer to our re-INVITE %s; media stays as it was",
		    sdp.n ? "does not fit" : "is missing");
	}
	return false;
}
