/* The finder of a stream whose far side speaks ICE. The agent answers checks between two packets and asks its own on
 * the stream's ticks (while there is something to ask), consent on the house-keeping of once a second. Only addresses
 * that have proven themselves are heard, RTP and handshakes alike; packets go where the agent says, which may be
 * nowhere. The socket stays open, as checks may come from anywhere: what is no STUN of ours costs a comparison. */
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "media/rt/ice.h"
#include "media/rt/rt_i.h"
#include <string.h>

struct ice_finder {
	struct rt_finder base;
	struct ice_agent agent;
	struct rt_stream *s;  /* during a call */
	struct rt_turn *turn; /* NULL: no relay of ours */
	struct rt_ring *events;
	enum ice_state told_state;
	struct addr told_remote;
};
enum told_kind { TOLD_REMOTE, TOLD_RESTART };
struct ice_told {
	struct rt_told base;
	enum told_kind kind;
	struct rt_turn *turn; /* until the finder has it */
	union {
		struct media_ice_remote remote;
		struct media_ice_conf conf;
	};
};

static struct ice_finder *of(const struct rt_finder *n)
{
	return (struct ice_finder *)n;
}

static void agent_send(const struct addr *to, const uint8_t *p, size_t n, void *arg)
{
	struct ice_finder *f = arg;
	(void)!sendto(f->s->f->fd, p, n, MSG_DONTWAIT, &to->sa, addr_len(to));
}

static void agent_send_relayed(const struct addr *to, const uint8_t *p, size_t n, void *arg)
{
	struct ice_finder *f = arg;
	(void)turn_bytes_send(f->turn, to, p, n);
}

/* ---- what it found ---- */

ON_MEDIA static void target_set(struct rt_stream *s, const struct addr *to, bool is_turned)
{
	struct addr rtp = {0}, rtcp;
	if (to)
		rtp = *to;
	rtcp = rtp;
	if (to && !s->params.is_rtcp_mux && s->rtcp_fd >= 0) {
		if (addr_is_set(&s->params.remote_rtcp) && addr_eq_host(&s->params.remote_rtcp, to))
			rtcp = s->params.remote_rtcp;
		else
			addr_set_port(&rtcp, (uint16_t)(addr_port(to) + 1));
	}
	bool is_same =
	    addr_is_set(&rtp) == addr_is_set(&s->remote_rtp) && (!addr_is_set(&rtp) || addr_eq(&rtp, &s->remote_rtp));
	is_same &= s->is_turned == is_turned;
	s->is_turned = is_turned;
	rt_stream_target_set(s, &rtp, &rtcp);
	if (is_same)
		return;
	stream_plan(s);
	if (s->peer && s->peer != s)
		stream_plan(s->peer);
	if (to)
		report_flag(s, PEND_LEARNED);
}

ON_MEDIA static void tell(struct ice_finder *f, struct rt_stream *s)
{
	const struct ice_pair *p = ice_agent_selected(&f->agent);
	struct addr remote = {0};
	if (p)
		remote = p->remote;
	bool is_same = addr_is_set(&remote) == addr_is_set(&f->told_remote) &&
	               (!addr_is_set(&remote) || addr_eq(&remote, &f->told_remote));
	if (is_same && f->agent.state == f->told_state)
		return;
	union {
		struct media_ice_event e;
		uint64_t bytes[RT_ICE_RECORD_BYTES / 8];
	} u = {.bytes = {0}};
	u.e.state = f->told_state = f->agent.state;
	u.e.kind = p ? p->kind : ICE_HOST;
	u.e.remote = f->told_remote = remote;
	rt_ring_write(f->events, &u, sizeof(u));
	rt_stream_plug_tell(s, MEDIA_PLUG_FINDER);
}

ON_MEDIA static void run(struct ice_finder *f, struct rt_stream *s)
{
	int64_t now_us = s->t->now_us;
	if (f->turn && f->turn->client.state == TURN_FAILED && f->agent.send_relayed)
		ice_agent_relay_lost(&f->agent, now_us);
	int64_t due_us = ice_agent_run(&f->agent, now_us);
	const struct addr *to = ice_agent_target(&f->agent);
	bool is_turned = to && f->turn && ice_agent_target_is_relayed(&f->agent);
	target_set(s, to, is_turned);
	if (is_turned)
		turn_channel_want(&f->turn->client, to);
	if (f->turn) {
		int64_t turn_due_us = turn_run(&f->turn->client, now_us);
		due_us = turn_due_us < due_us ? turn_due_us : due_us;
		if (f->turn->client.state == TURN_FAILED && f->agent.send_relayed)
			due_us = now_us;
	}
	tell(f, s);
	if (due_us < now_us + 900000) /* else the house-keeping does */
		tick_need(s, TICK_FINDER);
	else
		tick_done(s, TICK_FINDER);
	f->s = NULL;
}

/* ---- the table ---- */

static void ice_follow(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	struct ice_finder *f = of(n);
	s->f->is_connected = s->is_drain_due = false;
	f->s = s;
	if (f->turn)
		turn_enter(s, f->turn);
	run(f, s);
}

static bool is_proven(const struct rt_finder *n, const struct rt_stream *s, const struct addr *from)
{
	const struct ice_agent *a = &of(n)->agent;
	return s->is_by_turn ? ice_agent_is_relay_proven(a, from) : ice_agent_is_proven(a, from);
}

static bool ice_takes_rtp(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const struct rtp_packet *k)
{
	role_assert_media();
	if ((addr_is_set(&s->remote_rtp) && s->is_turned == s->is_by_turn && addr_eq(from, &s->remote_rtp)) ||
	    is_proven(n, s, from))
		return true;
	s->in_wrong++, s->t->dropped++; /* no filter, as source_wrong() has: checks may come from anywhere */
	return false;
}

static bool ice_takes_rtcp(const struct rt_finder *n, struct rt_stream *s, const struct addr *from, uint32_t ssrc)
{
	role_assert_media();
	return addr_is_set(&s->remote_rtp) && addr_eq_host(from, &s->remote_rtp);
}

static bool ice_vouches(const struct rt_finder *n, const struct rt_stream *s, const struct addr *from)
{
	role_assert_media();
	return is_proven(n, s, from);
}

static void ice_refused(const struct rt_finder *n, struct rt_stream *s, bool is_rtcp)
{
	role_assert_media();
	s->in_wrong++, s->t->dropped++;
}

static void ice_packet(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t count)
{
	role_assert_media();
	struct ice_finder *f = of(n);
	f->s = s;
	if (s->is_by_turn)
		ice_agent_relayed_packet(&f->agent, from, p, count, s->t->now_us);
	else
		ice_agent_packet(&f->agent, from, p, count, s->t->now_us);
	run(f, s);
}

static void ice_due(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	of(n)->s = s;
	run(of(n), s);
}

/* A new fragment: of the peers of the old one only the one that is still sent to is of use. */
static void peers_leave(struct ice_finder *f)
{
	const struct addr *to = ice_agent_target(&f->agent);
	turn_peers_leave(&f->turn->client, to && ice_agent_target_is_relayed(&f->agent) ? to : NULL);
}

static void remote_told(struct ice_finder *f, const struct media_ice_remote *r, int64_t now_us)
{
	int st = ice_agent_remote_set(&f->agent, sv_of(r->ufrag), sv_of(r->pwd), r->is_lite, now_us);
	char where[ADDR_TEXT_MAX];

	if (st == ST_INVAL)
		return;
	if (st == ST_OK && f->turn)
		peers_leave(f);
	for (size_t i = 0; i < r->count; i++) {
		const struct media_ice_candidate *c = &r->v[i];
		st = ice_agent_candidate_add(&f->agent, c->kind, &c->addr, c->priority, now_us);
		if (st != ST_FULL && st != ST_INVAL && f->turn && turn_peer_add(&f->turn->client, &c->addr) == ST_FULL)
			log_warning(
			    "media: TURN: no row for %s: it is not reached by the relay", addr_text(&c->addr, where));
	}
}

ON_MEDIA static void relay_change(struct ice_finder *f, struct rt_stream *s, struct rt_turn *turn)
{
	turn_leave(s);
	rt_turn_free(f->turn);
	f->turn = turn;
	ice_agent_relay_set(&f->agent, agent_send_relayed);
	turn_enter(s, turn);
}

static void ice_told(const struct rt_finder *n, struct rt_stream *s, struct rt_told *told)
{
	role_assert_media();
	struct ice_told *m = (struct ice_told *)told;
	struct ice_finder *f = of(n);
	f->s = s;
	if (m->kind == TOLD_REMOTE)
		remote_told(f, &m->remote, s->t->now_us);
	else
		ice_agent_restart(&f->agent, m->conf.ufrag, m->conf.pwd, s->t->now_us);
	if (m->turn)
		relay_change(f, s, m->turn), m->turn = NULL;
	run(f, s);
}

static void ice_leave(const struct rt_finder *n, struct rt_stream *s)
{
	role_assert_media();
	tick_done(s, TICK_FINDER);
	turn_leave(s);
	source_filter_reset(s);
}

static void ice_free(struct rt_finder *n)
{
	mem_unref(of(n)->events);
	rt_turn_free(of(n)->turn);
	mem_free(n);
}

static const struct rt_finder_ops ice_ops = {.name = "ice",
    .follow = ice_follow,
    .takes_rtp = ice_takes_rtp,
    .takes_rtcp = ice_takes_rtcp,
    .vouches = ice_vouches,
    .refused = ice_refused,
    .packet = ice_packet,
    .tick = ice_due,
    .house = ice_due,
    .told = ice_told,
    .leave = ice_leave,
    .free = ice_free};

int rt_finder_ice_new(
    struct rt_finder **out, const struct media_ice_conf *c, struct rt_turn *turn, struct rt_ring *events)
{
	struct ice_finder *f = mem_zalloc(sizeof(*f));
	if (!f)
		return ST_NOMEM;
	struct ice_conf conf = {.is_lite = c->is_lite,
	    .is_controlling = c->is_controlling,
	    .ufrag = c->ufrag,
	    .pwd = c->pwd,
	    .send = agent_send,
	    .send_relayed = turn ? agent_send_relayed : NULL,
	    .random = rand_bytes,
	    .arg = f};
	f->base.ops = &ice_ops;
	f->turn = turn;
	f->events = mem_ref(events);
	ice_agent_init(&f->agent, &conf);
	*out = &f->base;
	return ST_OK;
}

/* ---- messages ---- */

static void told_free(struct rt_told *t)
{
	rt_turn_free(((struct ice_told *)t)->turn);
	mem_free(t);
}

static int told_new(struct ice_told **out, enum told_kind kind)
{
	struct ice_told *m = mem_zalloc(sizeof(*m));
	if (!m)
		return ST_NOMEM;
	m->base.free = told_free;
	m->kind = kind;
	*out = m;
	return ST_OK;
}

int rt_ice_remote_new(struct rt_told **out, const struct media_ice_remote *r)
{
	struct ice_told *m;
	int st = told_new(&m, TOLD_REMOTE);
	if (st)
		return st;
	m->remote = *r;
	*out = &m->base;
	return ST_OK;
}

int rt_ice_restart_new(struct rt_told **out, const struct media_ice_conf *c, struct rt_turn *turn)
{
	struct ice_told *m;
	int st = told_new(&m, TOLD_RESTART);
	if (st)
		return st;
	m->conf = *c;
	m->turn = turn;
	*out = &m->base;
	return ST_OK;
}
