/* A client's connection, over TCP, TLS, or DTLS (of UDP), for a thread that polls by itself: nothing here waits,
 * nothing here knows a loop. The owner watches dial_fd for what he is told to wait for. (The control loop has tcp.h and
 * tls.h.) One connection belongs to one thread at a time. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "net/addr.h"
#include <stdbool.h>
#include <stddef.h>

/* Whom to believe; counted, atomically, read-only once made. */
struct dial_trust;
/* Reads the authorities from a file or directory (NULL: the system's): blocks. ST_IO. */
ON_WORK int dial_trust_new(struct dial_trust **out, const char *ca_path);
/* The same for DTLS 1.2: what is opened with it is a socket of UDP, its reads and writes are whole datagrams. */
ON_WORK int dial_trust_datagram_new(struct dial_trust **out, const char *ca_path);
/* A certificate and its key (PEM; the same file may have both) for a server that asks for one: blocks. Before the first
 * dial_open with it. ST_IO: they cannot be read, or do not belong together. */
ON_WORK int dial_trust_own(struct dial_trust *t, const char *cert_path, const char *key_path);

enum { DIAL_READ = 1, DIAL_WRITE = 2, DIAL_ERROR_MAX = 160 };
/* What of the server's certificate is not looked at. */
enum { DIAL_SKIPS_ALL = 1, DIAL_SKIPS_NAME = 2, DIAL_SKIPS_TIME = 4 };
struct dial_conn;
/* Begins to connect. from: our address, NULL = any; trust NULL: plain. host: the name asked for and (unless skips has
 * it) proven by the certificate; an address when it is one. ST_IO. */
ANY int dial_open(struct dial_conn **out, const struct addr *from, const struct addr *to,
    const struct dial_trust *trust, const char *host, unsigned skips);
ANY int dial_fd(const struct dial_conn *c);
/* Goes on with connecting and the handshake. ST_OK: it stands; ST_AGAIN: wait for *want; ST_IO: dial_error says why. */
ANY int dial_step(struct dial_conn *c, unsigned *want);
ANY bool dial_is_datagram(const struct dial_conn *c);
/* Of a handshake of datagrams: when a step is due though nothing came, microseconds from now; -1: none is. */
ANY int64_t dial_due_us(const struct dial_conn *c);
/* Bytes moved, ST_AGAIN (wait for *want), ST_CLOSED by the far side, ST_IO. A datagram that is not taken is gone. */
ANY int dial_read(struct dial_conn *c, void *p, size_t n, unsigned *want);
ANY int dial_write(struct dial_conn *c, const void *p, size_t n, unsigned *want);
/* It stands, and packets go over it from now on: what TLS needs for reading and writing is kept, not made each time. */
ANY void dial_keep(struct dial_conn *c);
ANY bool dial_has_more(const struct dial_conn *c);     /* there is something to read that the socket does not tell of */
ANY const char *dial_error(const struct dial_conn *c); /* never NULL */
ANY void dial_close(struct dial_conn *c);              /* NULL is fine */
