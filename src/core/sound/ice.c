/* ICE of a leg. Whether it is used is decided with each offer and answer of ours (an offer has ICE where the leg is to
 * be a browser's or the variable asks for candidates, an answer where the offer has it); then the agent is started as
 * the stream's finder, and what the far side says goes to it as candidates. Those that our configuration does not let
 * us send to (apply-candidate-acl) are left out here: a list of candidates is a stranger asking us to knock at
 * addresses of his choice. What the agent finds comes back as reports: variables, the log. */
#include "base/mem.h"
#include "base/rand.h"
#include "core/conf/acl.h"
#include "core/leg/leg.h"
#include "core/sound/ice_i.h"
#include "core/sound/media.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include "media/ctl/turn.h"
#include <stdio.h>
#include <string.h>

#define ACL_DEFAULT "wan.auto"

void media_ice_fini(struct leg_media *m)
{
	if (m->ice) {
		m->was_ice |= m->ice->is_agreed;
		loop_timer_cancel(&m->ice->again);
		ice_restart_drop(m->ice);
		mice_free(m->ice->mice);
	}
	mem_free(m->ice);
	m->ice = NULL;
}

/* The far side does not speak it: whom to believe is found as ever. */
static ON_CTL void drop(struct leg_media *m)
{
	if (m->stream && !m->is_closing && m->ice && m->ice->mice)
		(void)mstream_set_finder(m->stream, NULL);
	media_ice_fini(m);
	m->was_ice = false;
}

static bool is_in_text(struct sv sdp)
{
	return sdp.n && memmem(sdp.p, sdp.n, "ice-ufrag", 9) != NULL;
}

/* ---- ours ---- */

struct mturn *sound_turn_open(const struct sound_turn_conf *c)
{
	struct mturn_conf conf = {.server = c->server,
	    .username = c->username,
	    .password = c->password,
	    .secret = c->secret,
	    .ca_file = c->ca_file,
	    .from = c->from,
	    .ready = c->ready};
	struct mturn *m = NULL;
	int st = mturn_open(&m, &conf);

	if (st)
		log_error("%s: turn-server \"%s\": %s", c->owner, c->server,
		    st == ST_INVAL ? "turn-username and turn-password, or turn-secret, are needed, of 1 to 128 bytes"
		    : st == ST_UNSUPPORTED ? "TURN is spoken over UDP, TCP (?transport=tcp), TLS (turns:) and DTLS "
		                             "(turns:...?transport=udp)"
		    : st == ST_PARSE ? "it is to be HOST[:PORT], turn:HOST[:PORT][?transport=tcp] or turns:HOST[:PORT]"
		                     : status_text(st));
	return st ? NULL : m;
}

void sound_turn_close(struct mturn *m)
{
	mturn_close(m);
}

void ice_credentials_make(struct media_ice_conf *c)
{
	rand_token(c->ufrag, ICE_UFRAG_CHARS);
	rand_token(c->pwd, ICE_PWD_CHARS);
}

static void candidate_add(struct sdp_ice_local *l, const char *host, uint16_t port, enum ice_kind kind)
{
	static const enum sdp_ice_kind kinds[] = {
	    [ICE_HOST] = SDP_ICE_HOST, [ICE_SRFLX] = SDP_ICE_SRFLX, [ICE_RELAY] = SDP_ICE_RELAY};
	l->v[l->count].host = sv_of(host);
	l->v[l->count].port = port;
	l->v[l->count].kind = kinds[kind];
	l->v[l->count++].priority = ice_priority(kind, 65535);
}

/* What is said of it: the address it is bound to, and the one that a translator shows for it. */
static ON_CTL void local_fill(struct leg_media *m, const struct ice_said *said)
{
	struct leg_ice *i = m->ice;
	struct sdp_ice_local *l = &i->local;

	*l = (struct sdp_ice_local){.ufrag = sv_of(said->conf.ufrag),
	    .pwd = sv_of(said->conf.pwd),
	    .mid = sv_of(i->mid),
	    .msid = sv_of(i->msid),
	    .track = media_kind_name(m->kind)[0],
	    .is_lite = said->conf.is_lite,
	    .is_trickle = true,
	    .is_bundled = l->is_bundled};
	candidate_add(l, m->first->texts->rtp_host, addr_port(&m->local), ICE_HOST);
	if (strcmp(m->first->texts->advertise_host, m->first->texts->rtp_host) != 0)
		candidate_add(l, m->first->texts->advertise_host, addr_port(&m->local), ICE_SRFLX);
	if (said->relay_host[0])
		candidate_add(l, said->relay_host, said->relay_port, ICE_RELAY);
}

struct rt_turn *ice_relay_take(struct leg_media *m, struct ice_said *said)
{
	const char *wish = vars_get(m->leg->vars, "ice_relay");
	struct rt_turn *w;

	if (!m->first->turn || said->conf.is_lite || (wish && *wish && !str_is_true(wish)))
		return NULL;
	w = mturn_take(m->first->turn);
	if (!w) {
		leg_log(m->leg, LOG_INFO, "ICE: no relayed address is ready");
		return NULL;
	}
	addr_host(&w->client.relayed, said->relay_host);
	said->relay_port = addr_port(&w->client.relayed);
	return w;
}

static ON_CTL int begin(struct leg_media *m, bool is_controlling)
{
	struct leg *leg = m->leg;
	int st;

	if (!m->ice && !(m->ice = mem_zalloc(sizeof(*m->ice))))
		return ST_NOMEM;
	if (m->ice->mice)
		return ST_OK;
	struct ice_said *said = &m->ice->said;
	ice_credentials_make(&said->conf);
	if (m != m->first && m->first->ice) /* one stream, so that they are heard and seen together */
		memcpy(m->ice->msid, m->first->ice->msid, sizeof(m->ice->msid));
	else
		rand_token(m->ice->msid, ICE_UFRAG_CHARS);
	said->conf.is_lite = leg_var_is_true(leg, "ice_lite");
	said->conf.is_controlling = is_controlling && !said->conf.is_lite;
	struct rt_turn *turn = ice_relay_take(m, said);
	st = mstream_ice_start(m->stream, &said->conf, turn, &m->ice->mice);
	if (st)
		media_ice_fini(m);
	return st;
}

bool media_ice_may_send(const struct leg_media *m)
{
	return !m->ice || !m->ice->is_agreed || m->ice->state == ICE_CONNECTED || m->ice->state == ICE_COMPLETED;
}

bool media_is_webrtc(struct leg *leg)
{
	return leg_var_is_true(leg, "media_webrtc");
}

/* The line that would be answered. */
static ON_CTL bool read_offer(struct sv sdp, const char *kind, struct sdp_ice *ice, struct sdp **s)
{
	if (sdp_parse_new(sdp, s))
		return false;
	for (size_t i = 0; i < (*s)->media_count; i++)
		if (sv_isi((*s)->media[i].kind, kind) && (*s)->media[i].port)
			return sdp_ice_read(*s, (int)i, ice);
	return false;
}

/* Before bypass, or in it: who spoke it is offered it when media comes back. */
static ON_CTL bool was_agreed(const struct leg_media *m)
{
	if (m->is_negotiated || m->was_ice)
		return !m->is_negotiated;
	return (m->first->bypass || m->ice /* offered so */) && is_in_text(sv_of(m->first->remote_sdp)) &&
	       !leg_var_is_true(m->leg, "ignore_sdp_ice");
}

/* Under the name that the line had there. */
static ON_CTL void mid_keep(struct leg_media *m)
{
	struct sdp_ice *theirs = mem_alloc(sizeof(*theirs));
	struct sdp *s = NULL;

	if (theirs && m->first->remote_sdp &&
	    read_offer(sv_of(m->first->remote_sdp), media_kind_name(m->kind), theirs, &s)) {
		snprintf(m->ice->mid, sizeof(m->ice->mid), "%.*s", SVF(theirs->mid));
		m->ice->local.is_bundled = theirs->is_bundled && m == m->first;
	}
	mem_free(theirs);
	mem_free(s);
}

int media_ice_offer(struct leg_media *m, struct media_policy *q)
{
	struct leg *leg = m->leg;
	bool is_back = was_agreed(m);
	bool is_wanted = is_back || media_is_webrtc(leg) || leg_var_is_true(leg, "add_ice_candidates");
	bool has_mux = is_wanted || leg_var_is_true(leg, "rtcp_mux");

	if (m->first->is_wired)
		return ST_OK;
	q->p.is_rtcp_mux_offered = has_mux || (m->ice && m->ice->is_agreed);
	if (m->is_negotiated ? !(m->ice && m->ice->is_agreed) : !is_wanted)
		return ST_OK;
	int st = begin(m, true);
	if (st)
		return st;
	if (!m->ice->mid[0] && is_back)
		mid_keep(m);
	if (!m->ice->mid[0] && media_is_webrtc(leg))
		snprintf(m->ice->mid, sizeof(m->ice->mid), "%u", m->kind), m->ice->local.is_bundled = m == m->first;
	local_fill(m, ice_said_in_offer(m->ice));
	q->p.ice = &m->ice->local;
	return ST_OK;
}

int media_ice_ride(struct leg_media *m, struct media_policy *q, struct sv mid)
{
	const struct leg_ice *first = m->first->ice;

	if (!first || (!m->ice && !(m->ice = mem_zalloc(sizeof(*m->ice)))))
		return first ? ST_NOMEM : ST_UNSUPPORTED;
	if (mid.n)
		snprintf(m->ice->mid, sizeof(m->ice->mid), "%.*s", SVF(mid));
	m->ice->local = first->local;
	m->ice->local.mid = sv_of(m->ice->mid);
	m->ice->local.track = media_kind_name(m->kind)[0];
	q->p.ice = &m->ice->local;
	q->p.is_rtcp_mux_offered = true;
	return ST_OK;
}

int media_ice_answer(struct leg_media *m, struct media_policy *q, struct sv offer)
{
	struct leg *leg = m->leg;
	struct sdp_ice *theirs = NULL;
	struct sdp *s = NULL;
	int st = ST_OK;

	if (m->first->is_wired || leg_var_is_true(leg, "ignore_sdp_ice"))
		return ST_OK;
	if (is_in_text(offer) && !(theirs = mem_alloc(sizeof(*theirs))))
		return ST_NOMEM;
	if (!theirs || !read_offer(offer, media_kind_name(m->kind), theirs, &s))
		goto out;
	st = begin(m, theirs->is_lite);
	if (st)
		goto out;
	snprintf(m->ice->mid, sizeof(m->ice->mid), "%.*s", SVF(theirs->mid));
	m->ice->local.is_bundled = theirs->is_bundled && m == m->first;
	local_fill(m, ice_said_to(m, theirs));
	q->p.ice = &m->ice->local;
out:
	mem_free(theirs);
	mem_free(s);
	return st;
}

void media_ice_bundle_back(struct leg_media *first)
{
	if (first->ice && first->ice->is_agreed)
		first->ice->local.is_bundled = first->ice->is_bundle_agreed;
}

/* ---- theirs ---- */

static ON_CTL bool may_be_asked(const struct leg_media *m, const struct addr *a)
{
	const struct addr *from = &m->first->signal_from;
	if (addr_is_set(from) && addr_eq_host(a, from) && !addr_is_loopback(from))
		return true; /* he asks us to knock at his own door */
	return acl_allows(
	    sv_of(*m->first->texts->candidate_acl ? m->first->texts->candidate_acl : ACL_DEFAULT), a, NULL, NULL);
}

static ON_CTL int theirs_tell(struct leg_media *m, const struct sdp_ice *theirs)
{
	static const enum ice_kind kinds[] = {[SDP_ICE_HOST] = ICE_HOST,
	    [SDP_ICE_SRFLX] = ICE_SRFLX,
	    [SDP_ICE_PRFLX] = ICE_PRFLX,
	    [SDP_ICE_RELAY] = ICE_RELAY};
	struct leg *leg = m->leg;
	struct media_ice_remote *r = mem_zalloc(sizeof(*r));
	size_t refused = 0;
	int st;

	if (!r)
		return ST_NOMEM;
	snprintf(r->ufrag, sizeof(r->ufrag), "%.*s", SVF(theirs->ufrag));
	snprintf(r->pwd, sizeof(r->pwd), "%.*s", SVF(theirs->pwd));
	r->is_lite = theirs->is_lite;
	for (size_t i = 0; i < theirs->count && r->count < ICE_REMOTES_MAX; i++) {
		struct addr at;
		if (addr_parse(&at, theirs->v[i].host, theirs->v[i].port) || at.sa.sa_family != m->local.sa.sa_family)
			continue;
		if (!may_be_asked(m, &at)) {
			refused++;
			continue;
		}
		r->v[r->count++] = (struct media_ice_candidate){
		    .addr = at, .kind = kinds[theirs->v[i].kind], .priority = theirs->v[i].priority};
	}
	leg_log(leg, LOG_DEBUG,
	    "ICE: %zu candidates of theirs, %zu not allowed by apply-candidate-acl, %zu passed over", r->count, refused,
	    theirs->passed_over);
	st = mstream_ice_remote(m->stream, r);
	memcpy(m->ice->remote_ufrag, r->ufrag, sizeof(r->ufrag));
	mem_free(r);
	return st;
}

int media_ice_apply(struct leg_media *m, struct sv sdp, unsigned line, bool is_answer)
{
	struct sdp_ice *theirs;
	struct sdp *s = NULL;
	int st = ST_OK;

	if (!m->ice || !m->ice->mice)
		return ST_OK;
	theirs = mem_alloc(sizeof(*theirs));
	if (!theirs)
		return ST_NOMEM;
	if (!sdp_parse_new(sdp, &s) && sdp_ice_read(s, (int)line, theirs)) {
		m->ice->is_agreed = true, m->ice->is_bundle_agreed = m->ice->local.is_bundled;
		st = ice_restart_stands(m, is_answer);
		if (!st)
			st = theirs_tell(m, theirs);
	} else {
		drop(m);
	}
	mem_free(theirs);
	mem_free(s);
	return st;
}

int leg_media_trickle(struct leg *leg, struct sv body)
{
	struct leg_media *m = sound_of(leg)->media;
	struct sdp_ice *theirs;
	struct sdp *s = NULL;
	char *text = NULL;
	int st;

	if (!m || !m->ice || !m->ice->is_agreed || !m->stream || m->is_closing)
		return ST_NOTFOUND;
	theirs = mem_alloc(sizeof(*theirs));
	st = theirs ? sdp_frag_parse(body, &text, &s) : ST_NOMEM;
	if (!st) {
		int line = s->media_count ? 0 : -1;
		bool is_read = sdp_ice_read(s, line, theirs);
		while (m && !(is_read && m->ice && sv_is(theirs->ufrag, m->ice->remote_ufrag)))
			m = m->next;
		st = m ? ST_OK : ST_INVAL;
	}
	if (!st)
		st = theirs_tell(m, theirs);
	mem_free(theirs);
	mem_free(s);
	mem_free(text);
	return st;
}

/* ---- what is found ---- */

static ON_CTL void found(struct leg_media *m, const struct media_ice_event *e)
{
	struct leg *leg = m->leg;
	struct leg_ice *i = m->ice;
	char where[ADDR_TEXT_MAX];
	bool is_set = addr_is_set(&e->remote);

	i->state = e->state;
	if (m == m->first)
		leg_var_set(leg, "rtp_ice_state", ice_state_name(e->state));
	if (is_set && m != m->first)
		media_line_vars_remote(m, &e->remote);
	if (is_set && m == m->first) {
		leg_var_set(leg, "rtp_ice_candidate_type", ice_kind_name(e->kind));
		leg_var_set(leg, "remote_media_ip", addr_host(&e->remote, where));
		leg_var_set_int(leg, "remote_media_port", addr_port(&e->remote));
	}
	if (e->state == ICE_FAILED)
		leg_log(leg, LOG_WARNING, "ICE: no candidate of %s can be reached", leg->name);
	else if (e->state == ICE_LOST)
		leg_log(leg, LOG_WARNING, "ICE: %s consents no more: nothing is sent to it", leg->name);
	else
		leg_log(
		    leg, LOG_DEBUG, "ICE: %s %s", ice_state_name(e->state), is_set ? addr_text(&e->remote, where) : "");
	ice_restart_if_lost(m, e->state);
}

void media_ice_report(struct leg_media *m)
{
	struct media_ice_event e;

	while (m->ice && m->ice->mice && mice_next(m->ice->mice, &e))
		found(m, &e);
	media_dtls_go(m);
}
