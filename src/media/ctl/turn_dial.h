/* A connection to a TURN server, over TCP, TLS or DTLS: begun, waited for, and given to who asked; the public-key work
 * of its handshake is a worker's. */
#pragma once
#include "net/dial.h"

struct turn_dial;
/* conn: the caller's; NULL: it failed, and why says why (valid during the call). */
typedef void (*turn_dial_fn)(struct dial_conn *conn, const char *why, void *arg);
struct turn_dial_conf { /* borrowed for the call */
	const struct addr *from, *to;
	const struct dial_trust *trust; /* NULL: plain TCP; of datagrams: DTLS */
	const char *host;               /* whose certificate it is to be */
	int64_t timeout_us;             /* handshake included */
};
/* fn is called once, never from inside. ST_IO: it cannot even begin (errno). */
ON_CTL int turn_dial_begin(struct turn_dial **out, const struct turn_dial_conf *conf, turn_dial_fn fn, void *arg);
ON_CTL void turn_dial_cancel(struct turn_dial *d); /* fn is not called any more; NULL is fine */
