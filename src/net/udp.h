/* A UDP socket on the control loop for signalling: batched receive, direct send. Not for RTP. */
#pragma once
#include "base/role.h"
#include "net/addr.h"

struct udp;
/* data is valid during the call and NUL-terminated beyond n. */
typedef void (*udp_recv_fn)(const char *data, size_t n, const struct addr *src, void *arg);
/* rcvbuf_bytes 0 = 4 MiB asked for. ST_IO with the reason logged; ST_EXISTS when the port is in use. */
ON_CTL int udp_open(struct udp **out, const struct addr *bind, size_t rcvbuf_bytes, udp_recv_fn fn, void *arg);
/* Sends at once; ST_AGAIN when the socket buffer is full (the packet is lost: UDP). */
ON_CTL int udp_send(struct udp *u, const struct addr *dst, const void *p, size_t n);
/* How long the datagram that is being handled (within the callback) had waited in the socket, by the kernel's stamp;
 * the handling of those read together with it counts. */
ON_CTL int64_t udp_waited_us(const struct udp *u);
ON_CTL void udp_local(const struct udp *u, struct addr *out);
ON_CTL void udp_close(struct udp *u); /* NULL is fine */
