/* A stream to a TURN server: TCP, or TLS over it, whose handshake is over; or the datagrams of DTLS, each a message.
 * What came is given message by message; what goes out goes out whole or not at all, and is never queued without bound.
 * One owner at a time: control while the allocation waits for a call, then the media thread of the stream. Private to
 * the room but for control's part. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "net/dial.h"
#include <sys/uio.h>

struct turn_wire;
ANY int turn_wire_new(struct turn_wire **out, struct dial_conn *dial); /* dial: taken when ST_OK */
ANY void turn_wire_free(struct turn_wire *w);
ANY int turn_wire_fd(const struct turn_wire *w);
ANY bool turn_wire_is_datagram(const struct turn_wire *w); /* what is sent may be lost, as over UDP */
/* The media thread's epoll waits for it from now on (-1: does not any more), with this tag. */
ANY void turn_wire_watch(struct turn_wire *w, int epoll_fd, uint64_t tag);
/* False: it does not fit (counted), or the connection is over. is_request: of the client's own, which is never sent
 * again, and for which there is room kept. */
ANY bool turn_wire_send(struct turn_wire *w, const struct iovec *v, size_t count, bool is_request);
ANY void turn_wire_flush(struct turn_wire *w); /* goes on with what is left of it, when the socket is writable */
ANY bool turn_wire_is_full(const struct turn_wire *w); /* something is left */
/* Reads once. ST_OK: turn_wire_next, then again while turn_wire_has_more; ST_AGAIN; else *why says why it is over. */
ANY int turn_wire_read(struct turn_wire *w, const char **why);
ANY int turn_wire_next(struct turn_wire *w, struct sv *message, const char **why); /* ST_OK, ST_AGAIN, ST_PARSE */
ANY bool turn_wire_has_more(const struct turn_wire *w);
ANY uint64_t turn_wire_dropped(const struct turn_wire *w);
