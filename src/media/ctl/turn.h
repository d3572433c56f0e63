/* Allocations at a TURN server (RFC 8656), held ready: an offer is made at once, and a server takes its time, so a few
 * are asked for beforehand and who makes an offer takes one of them. A server that is dead costs the offers made
 * meanwhile their relayed candidate, and nothing else. */
#pragma once
#include "media/rt/ice.h"

enum { MTURN_READY_MAX = 64 };
struct mturn;
struct mturn_conf {         /* borrowed for the call */
	const char *server; /* HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp], turns:HOST[:PORT] (RFC 7065) */
	const char *username, *password;
	/* Shared with the server (coturn: use-auth-secret): user name and password are made of it anew for each
	 * allocation, good for a day; password is not looked at, username may be "". NULL or "": none. One that is not
	 * taken within half a day is replaced. */
	const char *secret;
	const char *ca_file; /* turns: whose signatures count; NULL or "": those the system trusts */
	const char *from;    /* our numeric address */
	unsigned ready;      /* so many at a time, 1 to MTURN_READY_MAX */
};
/* ST_PARSE: no such server; ST_UNSUPPORTED: another transport than UDP, TCP, TLS; ST_INVAL: no user name or password,
 * or they are too long.
 */
ON_CTL int mturn_open(struct mturn **out, const struct mturn_conf *conf);
ON_CTL void mturn_close(struct mturn *m); /* gives back what was not taken, and the reference; NULL is fine */
/* One that is up, the caller's; NULL: there is none now, or m is NULL or closed. */
ON_CTL struct rt_turn *mturn_take(struct mturn *m);
