/* DTLS-SRTP (RFC 5763, 5764, 6347): an association as steps over datagrams in memory, on OpenSSL. No sockets, no
 * threads: whoever holds it feeds it what came and sends what it gives. A step may take a millisecond (signatures): not
 * for the control loop. One thread at a time. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "srtp/srtp.h"

/* Our own certificate and what goes with it; counted (mem_ref, mem_unref), shared by all associations. */
struct dtls_ident;
/* From path, key and certificate in PEM; made there when it is missing (ECDSA P-256). Blocks. ST_IO, ST_INVAL: *why
 * says what of it (appended). */
ANY int dtls_ident_new(struct dtls_ident **out, const char *path, struct buf *why);
ANY const char *dtls_ident_print(const struct dtls_ident *i); /* "sha-256 AB:CD:..." as a=fingerprint says it */

enum dtls_hash { DTLS_SHA256, DTLS_SHA384, DTLS_SHA512 };
enum { DTLS_PRINT_MAX = 64, DTLS_PRINTS_MAX = 4, DTLS_DATAGRAM_MAX = 2040, DTLS_MTU = 1200 };
struct dtls_print {
	enum dtls_hash hash;
	uint8_t bytes[DTLS_PRINT_MAX]; /* as many as the hash has */
};
ANY size_t dtls_hash_bytes(enum dtls_hash h);

struct dtls_conf {
	struct dtls_ident *ident; /* a reference is taken */
	bool is_client;
	unsigned mtu;       /* of what is sent; 0 = DTLS_MTU */
	size_t print_count; /* the far side's certificate is one of these, or nothing is agreed on; at least one */
	struct dtls_print prints[DTLS_PRINTS_MAX];
};
enum dtls_state {
	DTLS_UNDER_WAY,
	DTLS_UP,     /* the certificate is the right one, and there are keys */
	DTLS_FAILED, /* dtls_why */
	DTLS_CLOSED  /* was up, and the far side said good-bye */
};
ANY const char *dtls_state_name(enum dtls_state s);

/* Before anything of OpenSSL is used, once a process: the pages of a handshake's buffer go back to the system with it.
 * False: it was used already, and they do not. */
ANY bool dtls_memory_start(void);

struct dtls;
ANY int dtls_new(struct dtls **out, const struct dtls_conf *c); /* ST_INVAL: no fingerprint; ST_NOMEM */
ANY void dtls_free(struct dtls *d);                             /* NULL is fine; wipes */
/* One datagram, which may be damaged in any way; n 0: nothing came, a client begins and what is late is sent again.
 * What is to be sent is appended to out as datagrams, each behind its length (two bytes, the high one first). */
ANY enum dtls_state dtls_step(struct dtls *d, const uint8_t *p, size_t n, struct buf *out);
/* When the next empty step is due, microseconds from now; -1: none is. */
ANY int64_t dtls_due_us(const struct dtls *d);
/* DTLS_UP only. key_out: of what we send; SRTP_KEY_MAX each. */
ANY void dtls_keys(const struct dtls *d, enum srtp_suite *suite, uint8_t *key_out, uint8_t *key_in);
ANY void dtls_close(struct dtls *d, struct buf *out); /* says good-bye when it is up */
/* DTLS_UP, and the far side has our last flight: lets go of OpenSSL's part, some 30 kB. It stays up, with its keys and
 * its good-bye; of what comes only an alert that ends it is read, anything else is passed over. False: not now (it is
 * not up, or there is no memory). */
ANY bool dtls_settle(struct dtls *d);
ANY const char *dtls_why(const struct dtls *d); /* static or its own; "" */
/* The next datagram of what a step gave; false at the end. */
ANY bool dtls_out_next(struct sv *rest, struct sv *datagram);
