/* The agent's life: pairs come (signalled, or learned from checks), the best that is waiting is asked at a pace, the
 * best that works is where media goes, and the controlling side nominates it. With one component every pair may be
 * tried at once, so that nothing is ever frozen (RFC 8445 section 6.1.2.6). Packets are in check.c. */
#include "base/check.h"
#include "ice/agent_i.h"
#include <string.h>

const char *ice_kind_name(enum ice_kind k)
{
	static const char *const names[] = {"host", "srflx", "prflx", "relay"};
	return names[k];
}
const char *ice_state_name(enum ice_state s)
{
	static const char *const names[] = {"new", "checking", "connected", "completed", "failed", "lost"};
	return names[s];
}
uint32_t ice_priority(enum ice_kind k, uint16_t preference)
{
	static const uint8_t types[] = {[ICE_HOST] = 126, [ICE_PRFLX] = 110, [ICE_SRFLX] = 100, [ICE_RELAY] = 0};
	return (uint32_t)types[k] << 24 | (uint32_t)preference << 8 | 255;
}

static void copy_text(char *out, size_t cap, struct sv v)
{
	size_t n = v.n < cap - 1 ? v.n : cap - 1;
	if (n)
		memcpy(out, v.p, n);
	out[n] = 0;
}

void ice_agent_init(struct ice_agent *a, const struct ice_conf *c)
{
	*a = (struct ice_agent){.send = c->send,
	    .send_relayed = c->send_relayed,
	    .random = c->random,
	    .arg = c->arg,
	    .is_lite = c->is_lite,
	    .is_controlling = c->is_controlling,
	    .local_priority = ice_priority(ICE_HOST, 65535),
	    .relay_priority = ice_priority(ICE_RELAY, 65535)};
	copy_text(a->ufrag, sizeof(a->ufrag), sv_of(c->ufrag));
	stun_key_set(&a->key, c->pwd, strlen(c->pwd));
	a->random(&a->tie_breaker, sizeof(a->tie_breaker));
}

/* ---- pairs ---- */

/* Section 6.1.2.3: G is the controlling side's candidate. */
uint64_t ice_pair_priority(const struct ice_agent *a, uint32_t remote, bool is_relayed)
{
	uint32_t local = is_relayed ? a->relay_priority : a->local_priority;
	uint64_t g = a->is_controlling ? local : remote, d = a->is_controlling ? remote : local;
	return (g < d ? g : d) << 32 | ((g > d ? g : d) << 1) | (g > d);
}

void ice_send(const struct ice_agent *a, bool is_relayed, const struct addr *to, const uint8_t *p, size_t n)
{
	if (!is_relayed)
		a->send(to, p, n, a->arg);
	else if (a->send_relayed)
		a->send_relayed(to, p, n, a->arg);
}

struct ice_pair *ice_pair_find(struct ice_agent *a, const struct addr *remote, bool is_relayed)
{
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++)
		if (a->pairs[i].state && a->pairs[i].is_relayed == is_relayed && addr_eq(&a->pairs[i].remote, remote))
			return &a->pairs[i];
	return NULL;
}

/* Signalled ones have the first rows, those by the relay as many after them, learned ones the rest. */
static struct ice_pair *row_free(struct ice_agent *a, enum ice_kind kind, bool is_relayed)
{
	size_t from = kind == ICE_PRFLX ? 2 * ICE_REMOTES_MAX : is_relayed ? ICE_REMOTES_MAX : 0;
	size_t to = kind == ICE_PRFLX ? ICE_PAIRS_MAX : from + ICE_REMOTES_MAX;
	struct ice_pair *oldest = NULL;

	for (size_t i = from; i < to; i++) {
		struct ice_pair *p = &a->pairs[i];
		if (!p->state)
			return p;
		if (kind == ICE_PRFLX && p->state != ICE_PAIR_VALID && p != a->selected &&
		    (!oldest || p->valid_us < oldest->valid_us))
			oldest = p;
	}
	return oldest;
}

struct ice_pair *ice_pair_add(
    struct ice_agent *a, enum ice_kind kind, const struct addr *remote, uint32_t priority, bool is_relayed)
{
	struct ice_pair *p = row_free(a, kind, is_relayed);
	if (!p)
		return NULL;
	*p = (struct ice_pair){.state = ICE_PAIR_WAITING,
	    .kind = kind,
	    .remote = *remote,
	    .is_relayed = is_relayed,
	    .remote_priority = priority,
	    .priority = ice_pair_priority(a, priority, is_relayed),
	    .valid_us = a->now_us};
	return p;
}

static bool is_usable(const struct addr *at)
{
	if (!addr_is_set(at) || !addr_port(at) || addr_is_any(at))
		return false;
	return at->sa.sa_family != AF_INET || (ntohl(at->in4.sin_addr.s_addr) >> 28) < 14; /* no group, no broadcast */
}

static int candidate_add(
    struct ice_agent *a, enum ice_kind kind, const struct addr *at, uint32_t priority, bool is_relayed)
{
	struct ice_pair *p = ice_pair_find(a, at, is_relayed);
	if (p) { /* it was learned before it was told */
		p->remote_priority = priority;
		p->priority = ice_pair_priority(a, priority, is_relayed);
		if (p->kind == ICE_PRFLX)
			p->kind = kind;
		return ST_EXISTS;
	}
	if (!ice_pair_add(a, kind == ICE_PRFLX ? ICE_HOST : kind, at, priority, is_relayed))
		return ST_FULL;
	if (a->state == ICE_FAILED)
		a->state = ICE_CHECKING, a->patience_us = a->now_us + ICE_PATIENCE_US;
	return ST_OK;
}

int ice_agent_candidate_add(
    struct ice_agent *a, enum ice_kind kind, const struct addr *at, uint32_t priority, int64_t now_us)
{
	a->now_us = now_us;
	if (!is_usable(at))
		return ST_INVAL;
	if (a->send_relayed)
		(void)candidate_add(a, kind, at, priority, true);
	return candidate_add(a, kind, at, priority, false);
}

/* ---- credentials ---- */

/* What was used goes on for as long as the far side consented to it, which nobody asks any more; of an older one that
 * never renews its consent to a lite agent, as long from now. What is held already has its time. */
static void hold(struct ice_agent *a)
{
	const struct ice_pair *s = a->selected;

	if (!s)
		return;
	a->held = s->remote;
	a->is_held_relayed = s->is_relayed;
	a->held_until_us = (a->is_lite && !a->is_renewing ? a->now_us : s->consent_us) + ICE_CONSENT_LOST_US;
}

static void begin_anew(struct ice_agent *a)
{
	hold(a);
	memset(a->pairs, 0, sizeof(a->pairs));
	a->selected = NULL;
	a->first_valid_us = 0;
	a->is_relay_lost = a->is_renewing = false;
	a->state = a->has_remote ? ICE_CHECKING : ICE_NEW;
	a->patience_us = a->now_us + ICE_PATIENCE_US;
}

void ice_agent_restart(struct ice_agent *a, const char *ufrag, const char *pwd, int64_t now_us)
{
	a->now_us = now_us;
	memcpy(a->old_ufrag, a->ufrag, sizeof(a->old_ufrag));
	a->old_key = a->key;
	copy_text(a->ufrag, sizeof(a->ufrag), sv_of(ufrag));
	stun_key_set(&a->key, pwd, strlen(pwd));
	a->has_remote = false;
	a->remote_ufrag[0] = 0;
	begin_anew(a);
}

int ice_agent_remote_set(struct ice_agent *a, struct sv ufrag, struct sv pwd, bool is_lite, int64_t now_us)
{
	a->now_us = now_us;
	if (ufrag.n < 4 || ufrag.n > ICE_UFRAG_MAX || pwd.n < 22 || pwd.n > ICE_PWD_MAX)
		return ST_INVAL;
	if (a->has_remote && sv_is(ufrag, a->remote_ufrag))
		return ST_EXISTS;
	if (a->has_remote)
		begin_anew(a);
	copy_text(a->remote_ufrag, sizeof(a->remote_ufrag), ufrag);
	stun_key_set(&a->remote_key, pwd.p, pwd.n);
	if (is_lite && !a->is_lite) /* the full one of the two controls (section 6.1.1) */
		a->is_controlling = true;
	else if (a->is_lite && !is_lite)
		a->is_controlling = false;
	a->has_remote = true;
	if (a->state == ICE_NEW || a->state == ICE_FAILED)
		a->state = ICE_CHECKING;
	a->patience_us = now_us + ICE_PATIENCE_US;
	ice_select(a);
	return ST_OK;
}

/* ---- what is selected ---- */

static bool is_working(const struct ice_agent *a, const struct ice_pair *p)
{
	return p->state == ICE_PAIR_VALID || (a->is_lite && p->was_heard && p->state);
}
static bool is_consented(const struct ice_agent *a, const struct ice_pair *p)
{
	return a->now_us - p->consent_us < ICE_CONSENT_LOST_US;
}
/* RFC 7675: nothing is sent where nobody consented for so long. */
static bool may_be_used(const struct ice_agent *a, const struct ice_pair *p)
{
	return is_working(a, p) && (is_consented(a, p) || (a->is_lite && !a->is_renewing));
}
static bool is_better(const struct ice_agent *a, const struct ice_pair *p, const struct ice_pair *than)
{
	if (is_consented(a, p) != is_consented(a, than)) /* only a lite agent uses any that is not */
		return is_consented(a, p);
	if (p->is_nominated != than->is_nominated)
		return p->is_nominated;
	return p->priority > than->priority;
}

void ice_select(struct ice_agent *a)
{
	struct ice_pair *best = NULL;

	if (!a->has_remote || a->state == ICE_LOST)
		return;
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		struct ice_pair *p = &a->pairs[i];
		if (may_be_used(a, p) && (!best || is_better(a, p, best)))
			best = p;
	}
	if (best && a->is_controlling && a->selected && a->selected->is_nominated && may_be_used(a, a->selected))
		best = a->selected; /* nominated once is used until a restart */
	a->selected = best;
	if (!best) {
		if (a->state == ICE_CONNECTED || a->state == ICE_COMPLETED) /* it worked, and is looked for again */
			a->state = ICE_CHECKING, a->patience_us = a->now_us + ICE_PATIENCE_US;
		return;
	}
	if (!a->first_valid_us)
		a->first_valid_us = a->now_us;
	memset(&a->held, 0, sizeof(a->held));
	a->state = best->is_nominated ? ICE_COMPLETED : ICE_CONNECTED;
	if (best->is_nominated)
		a->old_ufrag[0] = 0;
	if (!a->is_lite && !best->ask_us)
		best->ask_us = best->consent_us + ICE_CONSENT_US;
}

const struct ice_pair *ice_agent_selected(const struct ice_agent *a)
{
	return a->selected;
}
const struct addr *ice_agent_target(const struct ice_agent *a)
{
	if (a->state == ICE_LOST)
		return NULL;
	return a->selected ? &a->selected->remote : addr_is_set(&a->held) ? &a->held : NULL;
}
bool ice_agent_target_is_relayed(const struct ice_agent *a)
{
	return a->selected ? a->selected->is_relayed : addr_is_set(&a->held) && a->is_held_relayed;
}

static bool is_proven(const struct ice_agent *a, const struct addr *from, bool is_relayed)
{
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		const struct ice_pair *p = &a->pairs[i];
		if (p->state && p->is_relayed == is_relayed && is_working(a, p) && addr_eq(&p->remote, from))
			return true;
	}
	return addr_is_set(&a->held) && a->is_held_relayed == is_relayed && addr_eq(&a->held, from);
}
bool ice_agent_is_proven(const struct ice_agent *a, const struct addr *from)
{
	return is_proven(a, from, false);
}
bool ice_agent_is_relay_proven(const struct ice_agent *a, const struct addr *from)
{
	return is_proven(a, from, true);
}

/* ---- the relay ---- */

void ice_agent_relay_set(struct ice_agent *a, ice_send_fn send_relayed)
{
	a->send_relayed = send_relayed;
}

static bool has_hope(const struct ice_agent *a)
{
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++)
		if (a->pairs[i].state == ICE_PAIR_WAITING || a->pairs[i].state == ICE_PAIR_ASKED)
			return true;
	return false;
}

void ice_agent_relay_lost(struct ice_agent *a, int64_t now_us)
{
	bool did_work = a->state == ICE_CONNECTED || a->state == ICE_COMPLETED;

	a->now_us = now_us;
	a->send_relayed = NULL;
	if (a->is_held_relayed)
		memset(&a->held, 0, sizeof(a->held));
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		struct ice_pair *p = &a->pairs[i];
		if (!p->state || !p->is_relayed)
			continue;
		if (a->selected == p)
			a->selected = NULL;
		memset(p, 0, sizeof(*p));
	}
	ice_select(a);
	a->is_relay_lost = did_work && !a->selected;
}

/* It worked by the relay, and the pairs that were still asked do not work either. */
static void run_relay_lost(struct ice_agent *a)
{
	if (!a->is_relay_lost)
		return;
	if (!a->selected && !has_hope(a))
		a->state = ICE_LOST;
	a->is_relay_lost = !a->selected && a->state == ICE_CHECKING;
}

/* ---- what is due ---- */

static struct ice_pair *next_waiting(struct ice_agent *a)
{
	struct ice_pair *best = NULL;
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		struct ice_pair *p = &a->pairs[i];
		if (!(p->state == ICE_PAIR_WAITING || (p->state == ICE_PAIR_VALID && p->is_triggered)))
			continue;
		if (!best || p->is_triggered > best->is_triggered ||
		    (p->is_triggered == best->is_triggered && p->priority > best->priority))
			best = p;
	}
	return best;
}

/* A check without an answer: once more, or given up. */
static bool run_asked(struct ice_agent *a)
{
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		struct ice_pair *p = &a->pairs[i];
		bool is_out = p->state == ICE_PAIR_ASKED || (p->state == ICE_PAIR_VALID && p->is_nominating);
		if (!is_out || p->due_us > a->now_us)
			continue;
		if (p->tries < ICE_TRIES_MAX) {
			ice_check_send(a, p, p->is_nominating);
			return true;
		}
		p->state = p->state == ICE_PAIR_VALID ? ICE_PAIR_WAITING : ICE_PAIR_FAILED; /* it worked: anew */
		p->is_nominating = p->is_nominated = false;
		ice_select(a);
	}
	return false;
}

/* The best that works, once better ones had their time. */
static bool run_nominate(struct ice_agent *a)
{
	struct ice_pair *s = a->selected;
	if (!a->is_controlling || a->is_lite || !s || s->is_nominated || s->is_nominating)
		return false;
	if (a->now_us < a->first_valid_us + ICE_NOMINATE_US)
		for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
			const struct ice_pair *p = &a->pairs[i];
			if (p->priority > s->priority && (p->state == ICE_PAIR_WAITING || p->state == ICE_PAIR_ASKED))
				return false;
		}
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++)
		if (a->pairs[i].is_nominating)
			return false;
	s->tries = 0;
	ice_check_send(a, s, true);
	return true;
}

/* Where nobody consented since the restart, however many there were (RFC 7675). Checks go on. */
static void run_held(struct ice_agent *a)
{
	if (!addr_is_set(&a->held) || a->now_us < a->held_until_us)
		return;
	memset(&a->held, 0, sizeof(a->held));
	if (a->state == ICE_NEW || a->state == ICE_CHECKING)
		a->state = ICE_FAILED;
}

static void run_consent(struct ice_agent *a)
{
	struct ice_pair *s = a->selected;
	uint32_t r;

	if (!s)
		return;
	if (!is_consented(a, s)) {
		ice_select(a);                   /* another may have answered, or been heard, meanwhile */
		if (!a->selected && !a->is_lite) /* who is not asked by us may ask again, and is used again */
			a->state = ICE_LOST;
		return;
	}
	if (a->is_lite || !s->ask_us || a->now_us < s->ask_us || s->is_nominating)
		return;
	a->random(&r, sizeof(r));
	s->ask_us = a->now_us + ICE_CONSENT_US * 8 / 10 + (int64_t)(r % (ICE_CONSENT_US * 4 / 10));
	s->tries = 0;
	ice_check_send(a, s, false);
}

/* A binding indication keeps the way through a translator open (section 11); full agents ask for consent instead. */
static void run_alive(struct ice_agent *a)
{
	const struct addr *to = ice_agent_target(a);
	struct stun_out o;
	uint8_t txid[STUN_TXID_BYTES];

	if (!a->is_lite || !to || a->now_us < a->alive_us)
		return;
	a->alive_us = a->now_us + ICE_ALIVE_US;
	a->random(txid, sizeof(txid));
	stun_begin(&o, STUN_INDICATION, STUN_BINDING, txid);
	stun_end(&o, NULL, true);
	ice_send(a, ice_agent_target_is_relayed(a), to, o.p, o.n);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t next_due(const struct ice_agent *a)
{
	int64_t due = INT64_MAX;
	if (a->state == ICE_CHECKING || (a->state == ICE_NEW && a->patience_us))
		due = a->patience_us;
	if (addr_is_set(&a->held))
		due = sooner(due, a->held_until_us);
	if (!a->has_remote || a->state == ICE_LOST)
		return due;
	for (size_t i = 0; i < ICE_PAIRS_MAX && !a->is_lite; i++) { /* a lite one asks nothing */
		const struct ice_pair *p = &a->pairs[i];
		if (p->state == ICE_PAIR_WAITING || (p->state == ICE_PAIR_VALID && p->is_triggered))
			due = sooner(due, a->pace_us);
		else if (p->state == ICE_PAIR_ASKED || (p->state == ICE_PAIR_VALID && p->is_nominating))
			due = sooner(due, p->due_us);
	}
	if (a->selected && !a->is_lite) {
		due = sooner(due, a->selected->ask_us);
		if (a->is_controlling && !a->selected->is_nominated && !a->selected->is_nominating)
			due = sooner(due, a->now_us + ICE_PACE_US);
	}
	if (a->is_lite && a->selected)
		due = sooner(due, a->alive_us);
	if (a->is_lite && a->selected && is_consented(a, a->selected))
		due = sooner(due, a->selected->consent_us + ICE_CONSENT_LOST_US);
	return due;
}

int64_t ice_agent_run(struct ice_agent *a, int64_t now_us)
{
	a->now_us = now_us;
	run_held(a);
	if (a->state == ICE_NEW && a->patience_us && now_us >= a->patience_us)
		a->state = ICE_FAILED; /* a restart that nothing was said to */
	if (!a->has_remote || a->state == ICE_LOST)
		return next_due(a);
	if (!a->is_lite && now_us >= a->pace_us) {
		struct ice_pair *p = next_waiting(a);
		bool was_sent = true;
		a->pace_us = now_us + ICE_PACE_US;
		if (p && p->is_triggered) {
			p->is_triggered = false, p->tries = 0;
			ice_check_send(a, p, false);
		} else if (!run_asked(a) && !run_nominate(a)) {
			was_sent = p != NULL;
			if (p)
				p->tries = 0, ice_check_send(a, p, false);
		}
		if (!was_sent)
			a->pace_us = now_us;
	}
	run_consent(a);
	run_alive(a);
	run_relay_lost(a);
	if (a->state == ICE_CHECKING && now_us >= a->patience_us)
		a->state = ICE_FAILED;
	return next_due(a);
}
