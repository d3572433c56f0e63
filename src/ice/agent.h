/* An ICE agent for one component (RTP with RTCP on the same port), full or lite (RFC 8445), with consent (RFC 7675) and
 * candidates that come late (RFC 8838). Pure and of a fixed size: packets and the time go in, packets go out through
 * send; nothing is allocated, so that it can live on a media thread. One thread at a time owns it.
 *
 * Our own candidates share one socket, and one more may be a TURN server's relay (turn.h), with a way out of its own: a
 * pair is a candidate of theirs and whether it is reached by the relay. How many of these there can be is bounded, and
 * so is the work that a flood can cause: what does not name our fragment is dropped unread, and of those that do only
 * ICE_SIGNED_A_SECOND are looked at. */
#pragma once
#include "ice/stun.h"

enum {
	ICE_UFRAG_MAX = 256, /* characters; RFC 8839 section 5.4 */
	ICE_PWD_MAX = 256,
	ICE_UFRAG_CHARS = 16, /* of our own */
	ICE_PWD_CHARS = 24,
	ICE_REMOTES_MAX = 16,   /* signalled; later ones are left out */
	ICE_REFLEXIVES_MAX = 8, /* learned from checks: the oldest that is of no use gives way */
	ICE_PAIRS_MAX = 2 * ICE_REMOTES_MAX + ICE_REFLEXIVES_MAX,
	ICE_SIGNED_A_SECOND = 200
};
enum ice_kind { ICE_HOST, ICE_SRFLX, ICE_PRFLX, ICE_RELAY };
ANY const char *ice_kind_name(enum ice_kind k); /* "host", "srflx" ... */
/* RFC 8445 section 5.1.2, component 1; preference: 65535 for the only address. */
ANY uint32_t ice_priority(enum ice_kind k, uint16_t preference);

enum ice_state {
	ICE_NEW,       /* no word from the far side yet */
	ICE_CHECKING,  /* no pair works yet */
	ICE_CONNECTED, /* one does: media goes there */
	ICE_COMPLETED, /* and it was nominated */
	ICE_FAILED,    /* none did in 40 s, or while the consent of before a restart lasted; one may yet (RFC 8863) */
	ICE_LOST       /* the far side consents no more: nothing is sent */
};
ANY const char *ice_state_name(enum ice_state s);

enum ice_pair_state { ICE_PAIR_FREE, ICE_PAIR_WAITING, ICE_PAIR_ASKED, ICE_PAIR_VALID, ICE_PAIR_FAILED };
struct ice_pair {
	enum ice_pair_state state;
	enum ice_kind kind;
	struct addr remote;
	uint32_t remote_priority;
	uint64_t priority;
	bool is_relayed;    /* by our relay */
	bool is_triggered;  /* a check of theirs came: ours goes before the others */
	bool is_nominated;  /* by them (we are controlled), or by our check that was answered */
	bool is_nominating; /* the check that is out says USE-CANDIDATE */
	bool is_sent_controlling;
	bool was_heard; /* a signed check came from there (lite: this is all there is) */
	uint8_t tries;  /* sent, of the check that is out */
	uint8_t txid[STUN_TXID_BYTES];
	int64_t due_us;     /* it is sent again, or given up */
	int64_t valid_us;   /* when it became valid; of a reflexive one, when it came */
	int64_t consent_us; /* last answer; we are lite: last check of theirs */
	int64_t ask_us;     /* consent is asked for next; 0 = not */
};

typedef void (*ice_send_fn)(const struct addr *to, const uint8_t *p, size_t n, void *arg);
struct ice_conf {
	bool is_lite, is_controlling;
	const char *ufrag, *pwd;
	ice_send_fn send, send_relayed; /* the second: NULL, or there is a relay */
	void (*random)(void *p, size_t n);
	void *arg; /* of send */
};
struct ice_counts {
	uint64_t checks_in, checks_out, answers_in, refused /* unsigned, of others, too many */;
};
struct ice_agent {
	ice_send_fn send, send_relayed;
	void (*random)(void *p, size_t n);
	void *arg;
	bool was_relayed; /* the packet that is looked at */
	bool is_lite, is_controlling, has_remote;
	enum ice_state state;
	uint64_t tie_breaker;
	uint32_t local_priority, relay_priority;
	char ufrag[ICE_UFRAG_CHARS + 1], old_ufrag[ICE_UFRAG_CHARS + 1]; /* the old one answers until the new works */
	struct stun_key key, old_key, remote_key;
	char remote_ufrag[ICE_UFRAG_MAX + 1];
	struct ice_pair pairs[ICE_PAIRS_MAX];
	struct ice_pair *selected;
	struct addr held;      /* after a restart: where media went, until a pair works */
	int64_t held_until_us; /* or the consent that was given there is over, however many restarts follow */
	bool is_held_relayed, is_relay_lost;
	bool is_renewing; /* we are lite: the far side goes on checking what it uses (RFC 7675), which older ones do not
	                   */
	int64_t now_us, pace_us, first_valid_us, patience_us, alive_us;
	int64_t rate_since_us;
	unsigned rate_count;
	struct ice_counts counts;
};

/* ufrag and pwd (ICE_UFRAG_CHARS, ICE_PWD_CHARS) are copied. */
ANY void ice_agent_init(struct ice_agent *a, const struct ice_conf *c);
/* New credentials of our own for a restart (section 9): checks begin anew; media goes on where it went. */
ANY void ice_agent_restart(struct ice_agent *a, const char *ufrag, const char *pwd, int64_t now_us);
/* There is a relay from here on: pairs with candidates that are added after it may go by it. */
ANY void ice_agent_relay_set(struct ice_agent *a, ice_send_fn send_relayed);
/* It is gone, and its pairs with it: another one that works is used; where there is none, all is
 * lost as soon as none is asked any more (ice_agent_run). */
ANY void ice_agent_relay_lost(struct ice_agent *a, int64_t now_us);
/* The far side's credentials. ST_INVAL: not of a length allowed; ST_EXISTS: those it has. */
ANY int ice_agent_remote_set(struct ice_agent *a, struct sv ufrag, struct sv pwd, bool is_lite, int64_t now_us);
/* One of theirs. ST_EXISTS, ST_FULL, ST_INVAL (no usable address). */
ANY int ice_agent_candidate_add(
    struct ice_agent *a, enum ice_kind kind, const struct addr *at, uint32_t priority, int64_t now_us);
/* A datagram that looks like STUN. */
ANY void ice_agent_packet(struct ice_agent *a, const struct addr *from, const uint8_t *p, size_t n, int64_t now_us);
/* The same, handed on by the relay; from: who sent it there. */
ANY void ice_agent_relayed_packet(
    struct ice_agent *a, const struct addr *from, const uint8_t *p, size_t n, int64_t now_us);
/* What is due. The time of the next call, at the latest; INT64_MAX: none by itself. */
ANY int64_t ice_agent_run(struct ice_agent *a, int64_t now_us);
/* Where media is sent, or NULL: nowhere. */
ANY const struct addr *ice_agent_target(const struct ice_agent *a);
ANY bool ice_agent_target_is_relayed(const struct ice_agent *a);
/* The pair that is used; NULL: none. */
ANY const struct ice_pair *ice_agent_selected(const struct ice_agent *a);
/* It has proven that it hears us there (lite: that it knows our password). */
ANY bool ice_agent_is_proven(const struct ice_agent *a, const struct addr *from);
ANY bool ice_agent_is_relay_proven(const struct ice_agent *a, const struct addr *from); /* it came by the relay */
