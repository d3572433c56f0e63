/* An HTTP/1.1 server on the control loop: listener, connections, one exchange (a request and its answer) at a time on
 * each; pipelined requests wait in a bounded buffer. Everything a far side can hold is bounded: connections (in all and
 * by address), head, body, time for each, bytes not taken. No TLS yet: it will come below, in net/tcp's shape.
 * Exchanges are counted: valid during the callbacks; who answers later keeps a reference (mem_ref). After the client
 * has gone every call on an exchange is harmless. */
#pragma once
#include "net/addr.h"
#include "net/conn_limit.h"
#include "net/http_reader.h"

struct http_server;
struct http_exchange;
struct http_server_conf {
	struct addr bind;
	/* Strangers' connections (no http_exchange_trust yet) make room at the bound: those that have said nothing,
	 * and, at the bound in all, those that spoke longest ago. What they buffer is bounded, too. */
	size_t max_conns, max_conns_per_host;
	size_t max_stranger_bytes, max_stranger_bytes_per_host; /* 0 = 32 MiB; 4 MiB */
	size_t max_body_bytes;
	int64_t head_timeout_us, body_timeout_us; /* for the whole of it, however it trickles */
	int64_t idle_timeout_us;                  /* between two requests */
	int64_t write_timeout_us;                 /* the client takes not a single byte for so long */
};
struct http_handlers {
	/* false closes the connection without a word. NULL: everybody may. */
	bool (*may_connect)(const struct addr *peer, void *arg);
	/* The head has come, a body is announced and not read yet; may answer (refuse), then the body is not read and
	 * the connection closes. May be NULL. */
	void (*on_head)(struct http_exchange *x, void *arg);
	/* The request is complete: answer now or later. */
	void (*on_request)(struct http_exchange *x, void *arg);
	/* For refusals of requests that cannot be read (400, 408, 413, 414, 431 ...) and of too many connections (503):
	 * answers with a body in the owner's form. */
	void (*on_error)(struct http_exchange *x, int status, const char *why, void *arg);
};
ON_CTL int http_server_open(
    struct http_server **out, const struct http_server_conf *conf, const struct http_handlers *h, void *arg);
ON_CTL void http_server_local(const struct http_server *s, struct addr *out);
/* Stops listening and drops every connection (what is queued is still sent); streams get on_close. */
ON_CTL void http_server_close(struct http_server *s);
struct http_server_counts {
	size_t conns;
	uint64_t accepted, refused, requests, errors, timeouts, bytes_out;
	struct conn_limit_counts limit;
};
ON_CTL void http_server_counts(const struct http_server *s, struct http_server_counts *out);

ON_CTL const struct http_request *http_exchange_request(const struct http_exchange *x);
ON_CTL const struct addr *http_exchange_peer(const struct http_exchange *x);
ON_CTL bool http_exchange_is_open(const struct http_exchange *x); /* the client is there, no answer was begun */
/* A header of the answer to come; bytes that could end a line become spaces. */
ON_CTL void http_exchange_header(struct http_exchange *x, const char *name, const char *value);
ON_CTL void http_exchange_headers_clear(struct http_exchange *x);
/* The client has shown a right token: its connection is no stranger's any more. */
ON_CTL void http_exchange_trust(struct http_exchange *x);
/* The answer goes out so much later, and the connection closes behind it; meanwhile nothing more is read of it. */
ON_CTL void http_exchange_delay(struct http_exchange *x, int64_t delay_us);
/* The whole answer. The body is copied (left out for HEAD, 204 and 304). content_type may be NULL without a body. */
ON_CTL void http_exchange_reply(struct http_exchange *x, int status, const char *content_type, struct sv body);

/* An answer without end, or another protocol. The exchange is kept by the connection until on_close. */
struct http_stream_handlers {
	void (*on_data)(struct http_exchange *x, const char *p, size_t n, void *arg); /* upgraded ones only */
	void (*on_drain)(struct http_exchange *x, void *arg);                         /* there is room again */
	/* The last call: the client left, stopped reading, or the server closes. Not after http_exchange_finish. */
	void (*on_close)(struct http_exchange *x, void *arg);
};
/* 200 and headers; then http_exchange_write sends pieces (chunked on HTTP/1.1). */
ON_CTL void http_exchange_stream(
    struct http_exchange *x, const char *content_type, const struct http_stream_handlers *h, void *arg);
/* 101 and headers (the owner adds those of its protocol); then bytes go both ways unchanged. */
ON_CTL void http_exchange_upgrade(
    struct http_exchange *x, const char *protocol, const struct http_stream_handlers *h, void *arg);
/* ST_FULL: nothing was taken, on_drain tells when to try again. ST_CLOSED: nobody is there. */
ON_CTL int http_exchange_write(struct http_exchange *x, struct sv bytes);
ON_CTL size_t http_exchange_queued_bytes(const struct http_exchange *x);
/* Ends a stream; the connection closes. */
ON_CTL void http_exchange_finish(struct http_exchange *x);
