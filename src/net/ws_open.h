/* The opening handshake of WebSocket (RFC 6455 4), both sides, for a protocol that runs inside it. Texts in, texts out:
 * the owner moves the bytes. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "net/ws.h"

struct http_request;
/* Answers a request to open: appends the answer to out. ST_OK: 101, WebSocket begins behind the request; else out is a
 * refusal, after which the connection is to be closed. protocol: the subprotocol that is spoken here, which the client
 * must offer; NULL: none is. origins: those (comma-separated) whose pages may open one; NULL or "": all. */
ANY int ws_open_answer(const struct http_request *q, const char *protocol, const char *origins, struct buf *out);

enum { WS_OPEN_HEAD_MAX_BYTES = 8 << 10 };
#define WS_KEY_CHARS 24
/* Appends a request to open, with a fresh key. protocol NULL: no subprotocol; headers: whole lines, or NULL. */
ANY void ws_open_request(struct buf *out, const char *host, const char *path, const char *protocol, const char *headers,
    char key[WS_KEY_CHARS + 1]);
/* Looks at what came back so far. ST_OK: opened, WebSocket begins after *used bytes; ST_AGAIN: more is needed (never
 * for over WS_OPEN_HEAD_MAX_BYTES); ST_DENIED: another answer, *code is its HTTP status (0 = none); ST_PARSE. */
ANY int ws_open_answered(struct sv in, const char *key, const char *protocol, size_t *used, int *code);
