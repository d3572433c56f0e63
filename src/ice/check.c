/* The agent's packets. A check of theirs: it names our fragment, or nothing is done with it; it is signed with our
 * password, or is answered by a refusal at most; then roles are settled (section 7.3.1.1), it is answered, and the pair
 * it came by is asked in turn. An answer to ours: it has the number of a check that is out, is signed with their
 * password and comes from where we asked. Everything else is counted. */
#include "ice/agent_i.h"
#include <string.h>

void ice_check_send(struct ice_agent *a, struct ice_pair *p, bool is_nominating)
{
	char name[ICE_UFRAG_MAX + 1 + ICE_UFRAG_CHARS + 1];
	size_t remote = strlen(a->remote_ufrag), local = strlen(a->ufrag);
	int64_t rto = (int64_t)ICE_RTO_US << (p->tries < 5 ? p->tries : 5);
	struct stun_out o;

	if (!p->tries)
		a->random(p->txid, sizeof(p->txid));
	memcpy(name, a->remote_ufrag, remote);
	name[remote] = ':';
	memcpy(name + remote + 1, a->ufrag, local);
	stun_begin(&o, STUN_REQUEST, STUN_BINDING, p->txid);
	stun_put(&o, STUN_A_USERNAME, name, remote + 1 + local);
	stun_put_u64(&o, a->is_controlling ? STUN_A_CONTROLLING : STUN_A_CONTROLLED, a->tie_breaker);
	/* less than any other way of ours: a far side that learns it by this takes it last */
	stun_put_u32(
	    &o, STUN_A_PRIORITY, p->is_relayed ? ice_priority(ICE_RELAY, 65535) : ice_priority(ICE_PRFLX, 65535));
	if (is_nominating)
		stun_put(&o, STUN_A_USE_CANDIDATE, NULL, 0);
	stun_end(&o, &a->remote_key, true);
	p->is_nominating = is_nominating;
	p->is_sent_controlling = a->is_controlling;
	p->tries++;
	p->due_us = a->now_us + (rto < ICE_RTO_MAX_US ? rto : ICE_RTO_MAX_US);
	if (p->state != ICE_PAIR_VALID)
		p->state = ICE_PAIR_ASKED;
	a->counts.checks_out++;
	if (!o.failed)
		ice_send(a, p->is_relayed, &p->remote, o.p, o.n);
}

/* ---- their checks ---- */

static void refuse(struct ice_agent *a, const struct addr *to, const struct stun_msg *m, unsigned code,
    const char *reason, const struct stun_key *key)
{
	struct stun_out o;
	stun_begin(&o, STUN_ERROR, STUN_BINDING, m->txid);
	stun_put_error(&o, code, reason);
	if (code == 420) {
		uint8_t unknown[2] = {(uint8_t)(m->unknown >> 8), (uint8_t)m->unknown};
		stun_put(&o, STUN_A_UNKNOWN, unknown, sizeof(unknown));
	}
	stun_end(&o, key, true);
	ice_send(a, a->was_relayed, to, o.p, o.n);
}

static void roles_change(struct ice_agent *a)
{
	a->is_controlling = !a->is_controlling;
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		struct ice_pair *p = &a->pairs[i];
		p->priority = ice_pair_priority(a, p->remote_priority, p->is_relayed);
		p->is_nominating = false;
	}
}

/* False: it was told to change its role. */
static bool roles_settle(
    struct ice_agent *a, const struct addr *from, const struct stun_msg *m, const struct stun_key *key)
{
	bool is_ours_larger = a->tie_breaker >= m->tie_breaker;
	bool is_conflict = a->is_controlling ? m->is_controlling : m->is_controlled;

	if (!is_conflict || a->is_lite) /* a lite agent is controlled by whoever is full */
		return true;
	if (a->is_controlling == is_ours_larger) {
		refuse(a, from, m, 487, "Role Conflict", key);
		return false;
	}
	roles_change(a);
	return true;
}

static void answer(struct ice_agent *a, const struct addr *to, const struct stun_msg *m, const struct stun_key *key)
{
	struct stun_out o;
	stun_begin(&o, STUN_SUCCESS, STUN_BINDING, m->txid);
	stun_put_addr(&o, STUN_A_XOR_MAPPED, to);
	stun_end(&o, key, true);
	ice_send(a, a->was_relayed, to, o.p, o.n);
}

static void pair_heard(struct ice_agent *a, const struct addr *from, const struct stun_msg *m)
{
	struct ice_pair *p = ice_pair_find(a, from, a->was_relayed);

	if (!p)
		p = ice_pair_add(a, ICE_PRFLX, from, m->priority, a->was_relayed);
	if (!p)
		return;
	p->was_heard = true;
	if (a->is_lite)
		p->consent_us = a->now_us;
	if (a->is_lite && a->first_valid_us && a->now_us - a->first_valid_us >= ICE_RENEWED_US)
		a->is_renewing = true;
	if (m->has_use_candidate && !a->is_controlling)
		p->is_nominated = true;
	if (!a->is_lite && p->state != ICE_PAIR_VALID && p->state != ICE_PAIR_ASKED)
		p->state = ICE_PAIR_WAITING, p->is_triggered = true;
	else if (!a->is_lite && p->state == ICE_PAIR_ASKED) /* the way to us is open: ours may get through now */
		p->due_us = a->now_us, p->tries = p->tries > 1 ? 1 : p->tries;
	else if (!a->is_lite && p != a->selected && a->now_us - p->consent_us >= ICE_CONSENT_US)
		p->is_triggered = true; /* valid long ago: asked again, used when it answers */
	ice_select(a);
}

/* The key that it must be signed with: of the fragment it names, NULL: not ours. */
static const struct stun_key *key_of(const struct ice_agent *a, const struct stun_msg *m)
{
	struct sv local, remote;
	sv_split(m->username, ':', &local, &remote);
	if (sv_is(local, a->ufrag))
		return &a->key;
	return a->old_ufrag[0] && sv_is(local, a->old_ufrag) ? &a->old_key : NULL;
}

static bool is_over_rate(struct ice_agent *a)
{
	if (a->now_us - a->rate_since_us >= 1000000)
		a->rate_since_us = a->now_us, a->rate_count = 0;
	return ++a->rate_count > ICE_SIGNED_A_SECOND;
}

static void request_in(struct ice_agent *a, const struct addr *from, const struct stun_msg *m)
{
	const struct stun_key *key = key_of(a, m);
	/* who reads the path and floods in our name does not stop the one in use from consenting */
	bool is_known = a->selected && a->selected->is_relayed == a->was_relayed && addr_eq(from, &a->selected->remote);

	if (!key || !m->integrity_at || (!is_known && is_over_rate(a)) || !stun_is_signed(m, key)) {
		a->counts
		    .refused++; /* nobody who reads our SDP sends such: no answer, so that there is nothing to probe */
		return;
	}
	a->counts.checks_in++;
	if (m->unknown) {
		refuse(a, from, m, 420, "Unknown Attribute", key);
		return;
	}
	if (key == &a->key && !roles_settle(a, from, m, key))
		return;
	answer(a, from, m, key);
	if (key == &a->key && a->state != ICE_LOST)
		pair_heard(a, from, m);
}

/* ---- answers ---- */

static struct ice_pair *pair_asked(struct ice_agent *a, const uint8_t *txid)
{
	for (size_t i = 0; i < ICE_PAIRS_MAX; i++) {
		struct ice_pair *p = &a->pairs[i];
		if ((p->state == ICE_PAIR_ASKED || p->state == ICE_PAIR_VALID) && p->tries &&
		    !memcmp(p->txid, txid, STUN_TXID_BYTES))
			return p;
	}
	return NULL;
}

static void conflict_in(struct ice_agent *a, struct ice_pair *p)
{
	if (p->is_sent_controlling == a->is_controlling)
		roles_change(a);
	a->random(&a->tie_breaker, sizeof(a->tie_breaker));
	if (p->state != ICE_PAIR_VALID)
		p->state = ICE_PAIR_WAITING;
	p->is_triggered = true;
	p->tries = 0;
}

static void answer_in(struct ice_agent *a, const struct addr *from, const struct stun_msg *m)
{
	struct ice_pair *p = a->has_remote ? pair_asked(a, m->txid) : NULL;

	/* 96 bits of a check that is out bound what is looked at */
	if (!p || !stun_is_signed(m, &a->remote_key)) {
		a->counts.refused++;
		return;
	}
	a->counts.answers_in++;
	if (m->class == STUN_ERROR && m->error == 487) {
		conflict_in(a, p);
		return;
	}
	p->tries = 0;
	if (m->class == STUN_ERROR || p->is_relayed != a->was_relayed ||
	    !addr_eq(from, &p->remote)) { /* 7.2.5.2.1: it must come from where we asked */
		if (p->state != ICE_PAIR_VALID)
			p->state = ICE_PAIR_FAILED;
		p->is_nominating = false;
		return;
	}
	p->consent_us = a->now_us;
	if (p->state != ICE_PAIR_VALID)
		p->state = ICE_PAIR_VALID, p->valid_us = a->now_us;
	if (p->is_nominating && a->is_controlling)
		p->is_nominated = true;
	p->is_nominating = false;
	ice_select(a);
}

static void packet(struct ice_agent *a, const struct addr *from, const uint8_t *p, size_t n, int64_t now_us)
{
	struct stun_msg m;

	a->now_us = now_us;
	if (stun_parse(p, n, &m) || m.method != STUN_BINDING) {
		a->counts.refused++;
		return;
	}
	if (m.class == STUN_REQUEST)
		request_in(a, from, &m);
	else if (m.class != STUN_INDICATION)
		answer_in(a, from, &m);
}

void ice_agent_packet(struct ice_agent *a, const struct addr *from, const uint8_t *p, size_t n, int64_t now_us)
{
	a->was_relayed = false;
	packet(a, from, p, n, now_us);
}

void ice_agent_relayed_packet(struct ice_agent *a, const struct addr *from, const uint8_t *p, size_t n, int64_t now_us)
{
	a->was_relayed = true;
	packet(a, from, p, n, now_us);
}
