/* Who may hold connections at a door (SIP over TCP, event socket, HTTP), and what each may hold: counted by address and
 * in all, with a deadline for the first whole message and for every later one from its first byte, a budget of buffered
 * bytes by address and in all, and an account of the control thread's time. A connection begins silent; it has spoken
 * when a whole message came, and is trusted when it has logged in. Where a bound is reached the oldest silent one makes
 * room, then the one that spoke longest ago; a trusted one never. One object a door; its guards are embedded in the
 * connections. Addresses are counted by host, those of IPv6 by /64. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include "loop/loop.h"
#include "net/addr.h"

enum conn_class { CONN_SILENT, CONN_SPOKEN, CONN_TRUSTED, CONN_CLASS_COUNT };
/* Why a connection has to go. */
enum conn_end {
	CONN_END_NONE,
	CONN_END_ROOM,  /* it made room for another */
	CONN_END_LATE,  /* no whole message in time */
	CONN_END_BYTES, /* its address, or all, held more bytes than they may */
	CONN_END_SHARE  /* it used more than its share of the control thread */
};
struct conn_limit_conf {
	const char *name; /* of the door, for the log; must outlive the limit */
	size_t max_count, max_count_per_host;
	size_t max_bytes, max_bytes_per_host; /* buffered, in both directions */
	int64_t first_us;                     /* from the connection to its first whole message; 0 = no deadline */
	int64_t message_us;                   /* from a later message's first byte to its end; 0 = no deadline */
	bool keeps_spoken;    /* at the bound of an address those that have spoken stay, and the new one is refused */
	bool is_trusted_free; /* what trusted ones buffer is not counted here */
};
struct conn_limit_counts {
	size_t count, silent_count, bytes;
	uint64_t refused;                          /* for want of room */
	uint64_t made_room, late, starved, greedy; /* closed, by conn_end */
};
struct conn_limit;
struct conn_host;
/* Called once, the guard is left already: close the connection at once (tcp_conn_abort). */
typedef void (*conn_end_fn)(enum conn_end why, void *arg);

struct conn_guard { /* zero-initialised: not entered, and every call is harmless */
	struct conn_limit *limit;
	struct conn_host *host;
	struct lnode all_link, host_link, any_link; /* among those of its class; any: silent ones of every door */
	struct lnode hold_all_link, hold_host_link; /* while it holds bytes */
	size_t bytes;
	uint8_t class;
	bool is_in_message, has_progress;
	struct ltimer timer;
	int64_t window_us; /* when it began; 0 = none */
	int64_t used_ns, wasted_ns;
	unsigned greedy_windows;
	conn_end_fn fn;
	void *arg;
};

ON_CTL int conn_limit_new(struct conn_limit **out, const struct conn_limit_conf *conf);
ON_CTL void conn_limit_free(struct conn_limit *l); /* every guard has left; NULL is fine */
ON_CTL void conn_limit_set(struct conn_limit *l, const struct conn_limit_conf *conf); /* for those to come */
ON_CTL void conn_limit_counts(const struct conn_limit *l, struct conn_limit_counts *out);
/* One more from peer: makes room where it must. ST_LIMIT: there is none, and it was counted and told. Outgoing ones are
 * entered with is_trusted and always fit. */
ON_CTL int conn_guard_enter(
    struct conn_guard *g, struct conn_limit *l, const struct addr *peer, bool is_trusted, conn_end_fn fn, void *arg);
ON_CTL void conn_guard_leave(struct conn_guard *g);
/* A whole message came (not merely bytes): it has spoken, its deadline is over. */
ON_CTL void conn_guard_message(struct conn_guard *g);
ON_CTL void conn_guard_trust(struct conn_guard *g);
ANY bool conn_guard_is_trusted(const struct conn_guard *g);
/* What it buffers now, and whether that is the begin of a message. The guard's owner may be ended within: ST_CLOSED. */
ON_CTL int conn_guard_hold(struct conn_guard *g, size_t bytes, bool is_in_message);
/* The control thread's time a call for this connection took; net/tcp.c tells it. Time without a whole message is waste.
 */
ON_CTL void conn_guard_used(struct conn_guard *g, int64_t ns);
ANY int64_t conn_cpu_ns(void); /* what this thread has used */
/* Out of descriptors: ends the silent connection that is oldest at any door. False: there is none. */
ON_CTL bool conn_limit_relieve(void);
/* May a line be logged about this address now? One a minute each, and not over 60 a minute in all. */
ON_CTL bool conn_limit_may_tell(struct conn_limit *l, const struct addr *peer);
ANY const char *conn_end_text(enum conn_end why);
