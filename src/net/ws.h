/* WebSocket, both sides of RFC 6455 after the handshake (net/ws_open.h), over the wslay library: bytes in, whole
 * messages out, and back. No sockets here: the owner moves the bytes. Answers pings, echoes the close handshake, checks
 * masks, UTF-8 and sizes. One of these belongs to one thread, whichever its owner has. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct ws;
struct ws_handlers {
	/* A whole message; valid during the call. */
	void (*on_message)(struct ws *w, bool is_text, struct sv message, void *arg);
	/* Takes bytes for the wire. Not ST_OK: they were not taken (nothing is sent until ws_flush). */
	int (*send)(struct ws *w, struct sv bytes, void *arg);
};
#define WS_ACCEPT_CHARS 28
/* Sec-WebSocket-Accept for a Sec-WebSocket-Key; ST_PARSE when the key is not 16 bytes in base64. */
ANY int ws_accept_key(struct sv key, char out[WS_ACCEPT_CHARS + 1]);
/* Longer messages end the connection with code 1009. */
ANY int ws_server_new(struct ws **out, size_t max_message_bytes, const struct ws_handlers *h, void *arg);
ANY int ws_client_new(struct ws **out, size_t max_message_bytes, const struct ws_handlers *h, void *arg);
ANY void ws_set_max_message(struct ws *w, size_t bytes); /* of the messages to come */
ANY void ws_free(struct ws *w);                          /* not from within its own handlers; NULL is fine */
/* ST_OK, or ST_CLOSED when the protocol is over: its goodbye went to send, the connection is to be closed. */
ANY int ws_feed(struct ws *w, const char *p, size_t n);
/* Goes on with what send refused. */
ANY int ws_flush(struct ws *w);
ANY int ws_send_text(struct ws *w, struct sv text);    /* queues a copy; ST_CLOSED after a close */
ANY int ws_send_binary(struct ws *w, struct sv bytes); /* the same */
ANY int ws_ping(struct ws *w);
/* Begins the close handshake (codes of RFC 6455 7.4; reason up to 123 bytes). */
ANY void ws_close(struct ws *w, uint16_t code, const char *reason);
ANY size_t ws_queued_bytes(const struct ws *w); /* what waits here for send */
ANY size_t ws_held_bytes(const struct ws *w);   /* of a message that is still coming, about */
