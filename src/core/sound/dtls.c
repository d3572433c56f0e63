/* DTLS-SRTP of a leg: who is offered it and whose offer of it is taken, and an association for each that was agreed on.
 * An association lasts as long as both sides say the same: another certificate, another a=tls-id or roles that changed
 * mean a new one (RFC 8842), another ICE session does not. The stream is told to refuse everything before it is told
 * where to send, so that nothing goes out in the clear; a leg that was secured so is not offered or answered less. A
 * handshake that fails ends the call: there is nothing to be heard in it. */
#include "media/ctl/dtls.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "sdp/dtls.h"
#include <stdio.h>
#include <string.h>

struct leg_dtls {
	struct mdtls *assoc; /* NULL: nothing is agreed on yet */
	struct sdp_dtls_local local;
	enum sdp_setup role;
	struct sdp_dtls theirs; /* without views */
	char *tls_id;
};

void sound_dtls_start(void)
{
	char path[4096];
	int n = snprintf(path, sizeof(path), "%s/dtls-srtp.pem", core_dirs()->certs);
	mctl_dtls_start(n < (int)sizeof(path) ? path : "dtls-srtp.pem");
}

void sound_dtls_stop(void)
{
	mctl_dtls_stop();
}

void media_dtls_fini(struct leg_media *m)
{
	if (!m->dtls)
		return;
	m->was_dtls |= m->dtls->assoc != NULL;
	mdtls_free(m->dtls->assoc);
	mem_free(m->dtls->tls_id);
	mem_free(m->dtls);
	m->dtls = NULL;
}

/* ---- what is said ---- */

static ON_CTL bool is_forbidden(struct leg *leg)
{
	const char *v = vars_get(leg->vars, "webrtc_enable_dtls");
	return v && *v && !str_is_true(v);
}

static ON_CTL int local_fill(struct leg_media *m, struct media_policy *q, bool is_only)
{
	struct leg *leg = m->leg;
	const char *print = mctl_dtls_print();

	if (!print) {
		leg_log(leg, LOG_ERR, "DTLS-SRTP: there is no certificate of ours (dtls-srtp.pem)");
		return ST_UNSUPPORTED;
	}
	if (!m->dtls && !(m->dtls = mem_zalloc(sizeof(*m->dtls))))
		return ST_NOMEM;
	m->dtls->local = (struct sdp_dtls_local){.print = sv_of(print), .is_only = is_only};
	q->p.dtls = &m->dtls->local;
	return ST_OK;
}

/* The line that would be answered: the first with a fingerprint. */
static ON_CTL bool offer_read(const struct sdp *s, const char *kind, struct sdp_dtls *theirs)
{
	for (size_t i = 0; i < s->media_count; i++)
		if (sv_isi(s->media[i].kind, kind) && s->media[i].port &&
		    !sv_startsi(s->media[i].proto, SV("RTP/AVP")) && sdp_dtls_read(s, (int)i, theirs, NULL))
			return true;
	return false;
}

/* Before bypass, or in it: the line that comes back is no less. */
static ON_CTL bool was_agreed(const struct leg_media *m)
{
	struct sv said = sv_of(m->first->remote_sdp);
	struct sdp_dtls theirs;
	struct sdp *s = NULL;

	if (m->is_negotiated || m->was_dtls || !said.n || !(m->first->bypass || m->dtls /* offered so */) ||
	    !memmem(said.p, said.n, "fingerprint", 11))
		return m->was_dtls;
	bool is_said = !sdp_parse_new(said, &s) && offer_read(s, media_kind_name(m->kind), &theirs);
	mem_free(s);
	return is_said;
}

int media_dtls_offer(struct leg_media *m, struct media_policy *q)
{
	struct leg *leg = m->leg;
	bool is_agreed = m->dtls && m->dtls->assoc;
	bool is_wanted =
	    !is_forbidden(leg) && (media_is_webrtc(leg) || leg_var_is_true(leg, "rtp_use_dtls") || was_agreed(m));

	if (m->first->is_wired || !(m->is_negotiated ? is_agreed : is_wanted))
		return ST_OK;
	int st = local_fill(m, q, true);
	if (st || !m->dtls)
		return st;
	m->dtls->local.is_offered = true;
	q->p.is_rtcp_mux_offered = true;
	return ST_OK;
}

void media_dtls_ride(struct leg_media *m, struct media_policy *q)
{
	q->p.dtls = m->first->dtls ? &m->first->dtls->local : NULL;
}

static ON_CTL bool goes_on(const struct leg_dtls *d, const struct sdp_dtls *t, enum sdp_setup role)
{
	if (!d->assoc || mdtls_state(d->assoc) == DTLS_FAILED || mdtls_state(d->assoc) == DTLS_CLOSED)
		return false;
	return role == d->role && t->hash == d->theirs.hash && t->count == d->theirs.count &&
	       !memcmp(t->prints, d->theirs.prints, sizeof(t->prints)) && sv_is(t->tls_id, d->tls_id ? d->tls_id : "");
}

int media_dtls_answer(struct leg_media *m, struct media_policy *q, struct sv offer)
{
	struct leg *leg = m->leg;
	bool is_agreed = m->dtls && m->dtls->assoc;
	struct sdp_dtls theirs;
	struct sdp *s = NULL;

	if (m->first->is_wired ||
	    (!is_agreed && (!offer.n || !memmem(offer.p, offer.n, "fingerprint", 11) || is_forbidden(leg))))
		return ST_OK;
	if (!mctl_dtls_print() && !is_agreed)
		leg_log(leg, LOG_ERR, "DTLS-SRTP: there is no certificate of ours (dtls-srtp.pem)");
	int st = mctl_dtls_print() ? local_fill(m, q, is_agreed) : ST_OK;
	if (!st && q->p.dtls && is_agreed && !sdp_parse_new(offer, &s) &&
	    offer_read(s, media_kind_name(m->kind), &theirs) &&
	    goes_on(m->dtls, &theirs, sdp_setup_answer(theirs.setup, m->dtls->role)))
		m->dtls->local.setup_now = m->dtls->role;
	mem_free(s);
	return st;
}

/* ---- what becomes of it ---- */

static ON_CTL void secure_tell(struct leg_media *m, const char *suite)
{
	struct leg *leg = m->leg;
	struct event *e;

	media_vars_secure(m, "true");
	if (m == m->first)
		leg_var_set(leg, "rtp_dtls_suite", suite);
	if (!event_is_wanted(EVENT_CALL_SECURE, NULL) || !(e = event_new(EVENT_CALL_SECURE, NULL)))
		return;
	event_addf(e, "secure_type", "srtp:dtls:%s", suite);
	event_add(e, "caller-unique-id", leg->uuid);
	leg_event_headers(leg, e);
	event_fire(e);
}

static void on_state(struct mdtls *d, enum dtls_state state, void *arg)
{
	struct leg_media *m = arg;
	struct leg *leg = m->leg;

	role_assert_ctl();
	if (m == m->first)
		leg_var_set(leg, "rtp_dtls_state", dtls_state_name(state));
	if (state == DTLS_UP) {
		const char *suite = srtp_suite_name(mdtls_suite(d));
		leg_log(leg, LOG_INFO, "DTLS: up, %s", suite);
		secure_tell(m, suite);
	} else if (state == DTLS_FAILED) {
		leg_log(leg, LOG_WARNING, "DTLS: no keys with %s: %s; %s", leg->name, mdtls_why(d),
		    m == m->first ? "hanging up" : "no video or text");
		if (m == m->first)
			leg_hangup(leg, CAUSE_INCOMPATIBLE_DESTINATION);
	} else {
		media_vars_secure(m, NULL);
		leg_log(leg, LOG_INFO, "DTLS: %s closed it: no media any more", leg->name);
	}
	leg_wake(leg);
}

/* 0: the usual one. */
static ON_CTL unsigned mtu_of(struct leg *leg)
{
	enum { MIN = 256, MAX = 1500 };
	const char *text = vars_get(leg->vars, "rtp_dtls_mtu");
	uint32_t n;

	if (!text || !*text)
		return 0;
	if (!sv_u32(sv_of(text), &n) && n >= MIN && n <= MAX)
		return n;
	leg_log(leg, LOG_WARNING, "rtp_dtls_mtu: \"%s\" is not from %d to %d", text, MIN, MAX);
	return 0;
}

static ON_CTL int begin(struct leg_media *m, const struct sdp_dtls *theirs, enum sdp_setup role)
{
	static const enum dtls_hash hashes[] = {
	    [SDP_SHA256] = DTLS_SHA256, [SDP_SHA384] = DTLS_SHA384, [SDP_SHA512] = DTLS_SHA512};
	struct leg *leg = m->leg;
	struct leg_dtls *d = m->dtls;
	struct dtls_conf c = {.is_client = role == SDP_SETUP_ACTIVE, .print_count = theirs->count, .mtu = mtu_of(leg)};

	_Static_assert(
	    (int)SDP_PRINTS_MAX == (int)DTLS_PRINTS_MAX && (int)SDP_PRINT_MAX == (int)DTLS_PRINT_MAX, "alike");
	for (size_t i = 0; i < theirs->count; i++) {
		c.prints[i].hash = hashes[theirs->hash];
		memcpy(c.prints[i].bytes, theirs->prints[i], sizeof(c.prints[i].bytes));
	}
	mdtls_free(d->assoc);
	d->assoc = NULL;
	int st = media_keep_text(&d->tls_id, theirs->tls_id);
	if (!st)
		st = mstream_dtls_start(m->stream, &c, &m->first->signal_from, on_state, m, &d->assoc);
	if (st)
		return st;
	d->role = role;
	d->theirs = *theirs;
	d->theirs.tls_id = SV_NONE;
	if (m == m->first)
		leg_var_set(leg, "rtp_dtls_state", dtls_state_name(DTLS_UNDER_WAY));
	media_dtls_answered(m);
	leg_log(leg, LOG_DEBUG, "DTLS: we are %s", c.is_client ? "active" : "passive");
	return ST_OK;
}

int media_dtls_apply(struct leg_media *m, struct sv sdp, const struct sdp_plan *plan, bool is_answer)
{
	struct leg *leg = m->leg;
	struct sdp_dtls theirs;
	struct sdp *s = NULL;
	const char *why = "no session description";

	if (!plan->is_dtls) {
		if (m->dtls && !m->dtls->assoc)
			media_dtls_fini(m);
		return ST_OK;
	}
	int st = sdp_parse_new(sdp, &s);
	if (!st && !sdp_dtls_read(s, plan->line, &theirs, &why))
		st = ST_UNSUPPORTED;
	if (!st && m->dtls) {
		enum sdp_setup role = is_answer ? sdp_setup_accept(theirs.setup)
		                                : sdp_setup_answer(theirs.setup, m->dtls->local.setup_now);
		why = "the answer's a=setup is actpass";
		if (!role)
			st = ST_UNSUPPORTED;
		else if (!goes_on(m->dtls, &theirs, role))
			st = begin(m, &theirs, role), why = "it cannot be begun";
	}
	if (st)
		leg_log(leg, LOG_NOTICE, "DTLS: %s", why);
	mem_free(s);
	return st;
}

void media_dtls_go(struct leg_media *m)
{
	if (m->dtls && m->dtls->assoc && media_ice_may_send(m))
		mdtls_go(m->dtls->assoc);
}

void media_dtls_answered(struct leg_media *m)
{
	if (m->leg->is_answered && m->dtls && m->dtls->assoc)
		mdtls_hurry(m->dtls->assoc);
}

void media_dtls_heard(struct leg_media *m)
{
	if (m->dtls && m->dtls->assoc)
		mdtls_heard(m->dtls->assoc);
}

bool media_dtls_is_under_way(const struct leg_media *m)
{
	return m && !m->is_closing && m->dtls && m->dtls->assoc && mdtls_state(m->dtls->assoc) == DTLS_UNDER_WAY;
}
