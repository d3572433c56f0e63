/* The rule by which a stream chooses whom it believes (SECURITY.md, "RTP"). An address has a rank: the newest SDP's
 * own, a host that signalling came from or names, any other host (only where the SDP's address cannot be reached from
 * here). A packet's verdict is looked up by the stream's state and by what its sender is to the stream:
 *
 *  - the signalled address is taken at once and wins back whenever it speaks;
 *  - another one is learned by packets in sequence, with one SSRC and the negotiated payload type; a better one
 * replaces a worse one always, an equal one only until the first has settled, and only when that has fallen silent:
 * five packets of a stranger do not lock anybody out;
 *  - an address that signalling has left is never learned. It is heard until the new one speaks, three seconds at most,
 *    because its last packets are on their way while the new SDP is (RFC 3264 section 8.3.1). */
#include "media/rt/source.h"

#include <string.h>

/* What the sender of a packet is. */
enum from { FROM_CURRENT, FROM_SIGNALLED, FROM_LEFT, FROM_BETTER, FROM_EQUAL, FROM_STRANGER, FROM_COUNT };
enum action {
	DROP,
	TAKE,
	ADOPT,
	HEAR,     /* taken while the grace of the old address lasts */
	COUNT,    /* adopted when enough has come */
	COUNT_GAP /* the same, and the current one is silent */
};
static const enum action actions[][FROM_COUNT] = {
    /*                     current signalled left  better equal      stranger */
    [RT_SOURCE_WAITING] = {DROP, ADOPT, HEAR, COUNT, COUNT, DROP},
    [RT_SOURCE_WEAK] = {TAKE, ADOPT, DROP, COUNT, COUNT_GAP, DROP},
    [RT_SOURCE_SETTLED] = {TAKE, ADOPT, DROP, COUNT, DROP, DROP},
    [RT_SOURCE_SPOKEN] = {TAKE, TAKE, DROP, DROP, DROP, DROP},
};

static bool is_set_eq(const struct addr *a, const struct addr *b)
{
	return addr_is_set(a) && addr_is_set(b) && addr_eq(a, b);
}

enum rt_source_state rt_source_state(const struct rt_source *s)
{
	if (s->rank == RT_RANK_NONE)
		return RT_SOURCE_WAITING;
	if (s->rank == RT_RANK_SIGNALLED)
		return RT_SOURCE_SPOKEN;
	return s->is_settled ? RT_SOURCE_SETTLED : RT_SOURCE_WEAK;
}

enum rt_source_rank rt_source_rank_of(const struct rt_source *s, const struct addr *from)
{
	if (is_set_eq(from, &s->signalled))
		return RT_RANK_SIGNALLED;
	if (s->mode == MEDIA_SOURCE_STRICT)
		return RT_RANK_NONE;
	if (addr_is_set(&s->signalled) && addr_eq_host(from, &s->signalled))
		return RT_RANK_HOST;
	for (size_t i = 0; s->hosts && i < MEDIA_SIGNAL_HOSTS_MAX; i++)
		if (addr_is_set(&s->hosts[i]) && addr_eq_host(from, &s->hosts[i]))
			return RT_RANK_HOST;
	return s->is_hidden || s->mode == MEDIA_SOURCE_OFF ? RT_RANK_OTHER : RT_RANK_NONE;
}

const struct addr *rt_source_only(const struct rt_source *s)
{
	if (s->rank == RT_RANK_SIGNALLED || (s->mode == MEDIA_SOURCE_STRICT && addr_is_set(&s->signalled)))
		return &s->signalled;
	return NULL;
}

const struct addr *rt_source_target(const struct rt_source *s)
{
	return s->rank == RT_RANK_NONE ? &s->signalled : &s->current;
}

/* ---- signalling ---- */

static void forget_left(struct rt_source *s, const struct addr *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < RT_SOURCE_LEFT_MAX; i++)
		if (!is_set_eq(&s->left[i], a))
			s->left[kept++] = s->left[i];
	if (kept < RT_SOURCE_LEFT_MAX)
		memset(&s->left[kept], 0, (RT_SOURCE_LEFT_MAX - kept) * sizeof(s->left[0]));
}

static void leave(struct rt_source *s, const struct addr *a)
{
	struct addr copy = *a;
	forget_left(s, &copy);
	memmove(&s->left[1], &s->left[0], (RT_SOURCE_LEFT_MAX - 1) * sizeof(s->left[0]));
	s->left[0] = copy;
}

static void unlearn(struct rt_source *s)
{
	s->rank = RT_RANK_NONE;
	s->is_settled = false;
	memset(&s->current, 0, sizeof(s->current));
	memset(s->cands, 0, sizeof(s->cands));
}

static void move(struct rt_source *s, const struct addr *to, int64_t now_us)
{
	bool was_sure = s->rank == RT_RANK_SIGNALLED || s->is_settled;
	if (addr_is_set(&s->signalled))
		leave(s, &s->signalled);
	forget_left(s, to);
	s->signalled = *to;
	s->heard_until_us = 0;
	if (s->rank != RT_RANK_NONE && addr_eq(&s->current, to)) { /* it tells now what was learned before */
		s->rank = RT_RANK_SIGNALLED;
		return;
	}
	if (was_sure)
		s->heard = s->current, s->heard_until_us = now_us + RT_SOURCE_GRACE_US;
	unlearn(s);
}

void rt_source_signal(struct rt_source *s, const struct media_params *p, int64_t now_us)
{
	s->mode = p->source_mode;
	s->is_hidden = p->is_remote_hidden;
	s->hosts = p->signal_hosts;
	if (addr_is_set(&p->remote_rtp) && !is_set_eq(&p->remote_rtp, &s->signalled))
		move(s, &p->remote_rtp, now_us);
	if (s->mode == MEDIA_SOURCE_STRICT && s->rank != RT_RANK_SIGNALLED)
		unlearn(s);
}

/* ---- packets ---- */

static bool is_left(const struct rt_source *s, const struct addr *from, int64_t now_us)
{
	if (now_us < s->heard_until_us && addr_eq(from, &s->heard))
		return true;
	for (size_t i = 0; i < RT_SOURCE_LEFT_MAX && addr_is_set(&s->left[i]); i++)
		if (addr_eq(from, &s->left[i]))
			return true;
	return false;
}

static enum from from_of(const struct rt_source *s, const struct addr *from, enum rt_source_rank rank, int64_t now_us)
{
	if (s->rank != RT_RANK_NONE && addr_eq(from, &s->current))
		return FROM_CURRENT;
	if (rank == RT_RANK_SIGNALLED)
		return FROM_SIGNALLED;
	if (is_left(s, from, now_us))
		return FROM_LEFT;
	if (rank == RT_RANK_NONE || rank < s->rank)
		return FROM_STRANGER;
	return rank > s->rank ? FROM_BETTER : FROM_EQUAL;
}

static void take_current(struct rt_source *s, int64_t now_us)
{
	if (now_us - s->last_us > RT_SOURCE_PAUSE_US)
		s->since_us = now_us;
	if (now_us - s->since_us >= RT_SOURCE_SETTLE_US)
		s->is_settled = true;
	s->last_us = now_us;
}

static void adopt(struct rt_source *s, const struct addr *from, enum rt_source_rank rank, int64_t now_us)
{
	unlearn(s);
	s->current = *from;
	s->rank = rank;
	s->since_us = s->last_us = now_us;
	s->heard_until_us = 0;
}

/* Of candidates, which wait for seconds at most: wraps after 49 days. */
static uint32_t ms_of(int64_t us)
{
	return (uint32_t)(us / 1000);
}

/* Its own, a free one, else the one that has come least far. */
static struct rt_source_candidate *candidate(
    struct rt_source *s, const struct addr *from, enum rt_source_rank rank, int64_t now_us)
{
	struct rt_source_candidate *list = s->cands[rank == RT_RANK_HOST], *weakest = &list[0];
	for (size_t i = 0; i < RT_SOURCE_CANDIDATES; i++) {
		struct rt_source_candidate *c = &list[i];
		if (c->count && addr_eq(&c->addr, from))
			return c;
		if (c->count < weakest->count ||
		    (c->count == weakest->count && (int32_t)(c->last_ms - weakest->last_ms) < 0))
			weakest = c;
	}
	*weakest = (struct rt_source_candidate){.addr = *from, .first_ms = ms_of(now_us)};
	return weakest;
}

static bool has_come_far(
    struct rt_source *s, const struct rt_source_packet *k, enum rt_source_rank rank, int64_t now_us)
{
	if (!k->is_media || k->has_own_ssrc)
		return false;
	struct rt_source_candidate *c = candidate(s, k->from, rank, now_us);
	bool is_next = c->count && c->ssrc == k->ssrc && k->seq == (uint16_t)(c->seq + 1);
	if (!is_next)
		c->count = 0, c->first_ms = ms_of(now_us);
	if (c->count < UINT8_MAX)
		c->count++;
	c->ssrc = k->ssrc, c->seq = k->seq, c->last_ms = ms_of(now_us);
	bool must_wait = addr_is_set(&s->signalled) && !s->is_hidden;
	return c->count >= RT_SOURCE_PACKETS && (!must_wait || ms_of(now_us) - c->first_ms >= RT_SOURCE_WAIT_US / 1000);
}

enum rt_source_verdict rt_source_decide(struct rt_source *s, const struct rt_source_packet *k, int64_t now_us)
{
	enum rt_source_rank rank = rt_source_rank_of(s, k->from);
	enum from from = from_of(s, k->from, rank, now_us);
	enum action action = actions[rt_source_state(s)][from];
	switch (action) {
	case DROP:
		return RT_SOURCE_DROP;
	case TAKE:
		take_current(s, now_us);
		return RT_SOURCE_TAKE;
	case HEAR:
		return now_us < s->heard_until_us && addr_eq(k->from, &s->heard) ? RT_SOURCE_TAKE : RT_SOURCE_DROP;
	case COUNT:
	case COUNT_GAP:
		if (!has_come_far(s, k, rank, now_us) ||
		    (action == COUNT_GAP && now_us - s->last_us < RT_SOURCE_SILENCE_US))
			return RT_SOURCE_DROP;
		break;
	case ADOPT:
		break;
	}
	adopt(s, k->from, rank, now_us);
	return RT_SOURCE_ADOPT;
}

bool rt_source_takes_rtcp(const struct rt_source *s, const struct addr *from, const struct addr *signalled_rtcp,
    bool is_ssrc_known, uint32_t rtp_ssrc, uint32_t rtcp_ssrc)
{
	if (is_set_eq(from, signalled_rtcp))
		return true;
	const struct addr *speaks = rt_source_target(s);
	return is_ssrc_known && rtp_ssrc == rtcp_ssrc && addr_is_set(speaks) && addr_eq_host(from, speaks);
}

int rt_source_allowed(const struct rt_source *s, int64_t now_us, struct addr out[RT_SOURCE_ALLOWED_MAX])
{
	int n = 0;
	bool may_be_others = s->is_hidden || s->mode == MEDIA_SOURCE_OFF;
	bool is_open = s->rank == RT_RANK_NONE || (s->rank == RT_RANK_OTHER && !s->is_settled);
	if (s->mode != MEDIA_SOURCE_STRICT && may_be_others && is_open)
		return -1;
	if (addr_is_set(&s->signalled))
		out[n++] = s->signalled;
	if (s->rank != RT_RANK_NONE)
		out[n++] = s->current;
	else if (now_us < s->heard_until_us)
		out[n++] = s->heard;
	bool may_be_hosts = s->rank < RT_RANK_HOST || (s->rank == RT_RANK_HOST && !s->is_settled);
	if (s->mode == MEDIA_SOURCE_STRICT || !may_be_hosts)
		return n;
	if (addr_is_set(&s->signalled))
		addr_set_port(&out[0], 0);
	for (size_t i = 0; s->hosts && i < MEDIA_SIGNAL_HOSTS_MAX; i++) {
		if (!addr_is_set(&s->hosts[i]))
			continue;
		out[n] = s->hosts[i];
		addr_set_port(&out[n++], 0);
	}
	return n;
}
