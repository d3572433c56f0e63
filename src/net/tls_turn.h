/* Whose TLS handshake may be under way: so many in all and of one host (IPv6: /64). One under way costs memory and, at
 * each step, public-key work on a worker; who waits for a turn costs its socket. A handshake keeps its turn as long as
 * its far side answers: where others wait, one that has kept us waiting for a second gives its turn back. Control
 * thread. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "net/addr.h"
#include <stdbool.h>

enum { TLS_TURNS_MAX = 256, TLS_TURNS_PER_HOST = 64 };
struct tls_turn { /* embedded; zero-initialised: none asked for */
	struct lnode link, all_link;
	struct turn_host *host;
	uint8_t state;
	int64_t since_us; /* when it began to wait for its far side */
	void (*granted)(void *arg);
	void (*taken)(void *arg); /* the far side was too slow: close the connection */
	void *arg;
};
/* True: the turn is there at once; else granted comes later. The three are set already. ST_NOMEM counts as none. */
ON_CTL bool tls_turn_ask(struct tls_turn *t, const struct addr *peer);
ON_CTL void tls_turn_waits(struct tls_turn *t, bool is_waiting); /* for its far side */
ON_CTL void tls_turn_leave(struct tls_turn *t);                  /* done, or given up; none is fine */
ON_CTL void tls_turn_counts(size_t *held, size_t *waiting);
