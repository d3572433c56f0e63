/* Who is kept out, and who may do how much: bans of addresses that show wrong passwords, rates and numbers of calls by
 * address and user, and limits of calls to expensive destinations. It knows addresses, users and numbers, no SIP: doors
 * (SIP, event socket, HTTP) tell it what failed and ask it before they read. Control thread.
 *
 *   a door -> guard_failed -> ban.c's table -> events, store          guard_is_barred <- a door, before it parses
 *   endpoint -> guard_rate_take / guard_fraud_begin -> rate.c, fraud.c -> yes, or why not
 */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "net/addr.h"

/* Who counts as one: an address of IPv4, a /64 of IPv6 ("2001:db8::/64"), whose owner has all of it. */
#define GUARD_ADDRESS_MAX (ADDR_TEXT_MAX + 4)
ANY const char *guard_address_text(const struct addr *src, char out[GUARD_ADDRESS_MAX]);

/* ---- bans (ban.conf) ---- */
struct guard_failure {
	const char *door;       /* "sip", "event_socket", "http" */
	const struct addr *src; /* whose address it came from */
	struct sv user;         /* whom it wanted to be; may be empty */
	/* The address has shown that it gets our answers: a TCP handshake, or our own nonce for it came back. Others
	 * are counted by nobody: who forges a source would ban its owner. */
	bool is_proved;
};
/* A wrong answer to a challenge, a wrong password, a refused source; never a challenge. */
ON_CTL void guard_failed(const struct guard_failure *f);
ON_CTL void guard_succeeded(const struct addr *src); /* a right password came from there */
/* All of the address is banned: what comes from there is not read. Counted. */
ON_CTL bool guard_is_barred(const struct addr *src);
/* This user is banned at this address; others there are not. */
ON_CTL bool guard_is_user_barred(const struct addr *src, struct sv user);
/* Addresses that are never banned beside ban.conf's allow: the endpoint names its gateways'. NULL: none. */
ON_CTL void guard_exempt_set(bool (*fn)(const struct addr *src));

/* ---- rates and calls at a time ---- */
struct guard_limit {
	unsigned max_now;        /* held at a time; 0 = any number */
	unsigned max_per_minute; /* begun within a minute; 0 = any number */
};
struct guard_hold; /* one that was begun */
/* One more of what (a name of the caller's: "calls of an address internal") for who. ST_LIMIT: *why (a static text)
 * says which bound. out NULL: only the rate counts. Give it back by guard_rate_give. */
ON_CTL int guard_rate_take(
    struct guard_hold **out, const char *what, struct sv who, const struct guard_limit *l, const char **why);
ON_CTL void guard_rate_give(struct guard_hold *h); /* NULL is fine */

/* ---- expensive destinations (fraud.conf) ---- */
struct guard_call; /* a call that is being counted */
/* account begins a call to number. ST_OK with *out NULL: no rule is about the number. ST_DENIED: it is over a limit or
 * blocked; an event and the log say so. */
ON_CTL int guard_fraud_begin(struct guard_call **out, struct sv account, struct sv number);
/* fn when its account goes over its minutes and running calls are to end (fraud.conf, cut-calls): once, from a timer.
 */
ON_CTL void guard_fraud_on_cut(struct guard_call *c, void (*fn)(void *arg), void *arg);
ON_CTL void guard_fraud_answered(struct guard_call *c); /* its minutes begin; NULL is fine */
ON_CTL void guard_fraud_end(struct guard_call *c);      /* NULL is fine */
