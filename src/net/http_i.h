/* What the files of the HTTP server share: a server, its connections, the exchange on one. */
#pragma once
#include "base/list.h"
#include "loop/loop.h"
#include "net/http_server.h"
#include "net/tcp.h"

enum {
	IN_MAX_BYTES = 256 << 10,  /* pipelined ahead; more ends the connection */
	IN_PAUSE_BYTES = 64 << 10, /* reading pauses */
	TCP_OUT_MAX_BYTES = 1 << 20,
	TURN_MAX_REQUESTS = 16,                        /* of one connection at a time: others wait meanwhile */
	REFUSING_MAX_COUNT = 64,                       /* connections that are told why there is no room */
	PIECE_BYTES = 256 << 10,                       /* handed over at a time */
	STREAM_QUEUE_MAX_BYTES = TCP_OUT_MAX_BYTES / 2 /* where on_drain tells */
};

enum stage { STAGE_IDLE, STAGE_HEAD, STAGE_BODY, STAGE_ANSWER, STAGE_STREAM, STAGE_UPGRADED, STAGE_CLOSING };

struct http_conn {
	struct lnode link;
	struct http_server *server;
	struct tcp_conn *tcp;
	struct http_reader *reader;
	struct http_exchange *x; /* a reference; NULL between requests */
	struct conn_guard guard;
	struct buf in, out;
	size_t in_at, out_at;
	enum stage stage;
	bool is_processing, is_last /* closes after the answer */, is_write_watched;
	bool is_held /* the answer waits for its time */, is_refusing /* there is no room for it */;
	struct ltimer timer, turn;
	struct ldefer again;
	uint64_t sent_seen; /* bytes the client had taken when last looked */
	uint64_t queued_bytes_total;
	char host[ADDR_TEXT_MAX];
};
struct http_exchange {
	struct http_conn *conn; /* NULL: the client has gone */
	struct buf headers;
	bool is_answered, is_chunked, is_head_only;
	int64_t delay_us;
	const struct http_stream_handlers *h;
	void *arg;
};
struct http_server {
	struct http_server_conf conf;
	const struct http_handlers *h;
	void *arg;
	struct tcp_listener *listener;
	struct list conns;
	struct conn_limit *limit;
	size_t refusing_count;
	struct http_server_counts counts;
};

/* ---- http_conn.c ---- */
/* A connection of the server's list, which owns it. */
ON_CTL struct http_conn *http_conn_new(struct http_server *s, struct tcp_conn *tcp);
ON_CTL void http_conn_end(struct http_conn *c, bool is_closed_by_peer);
/* What it waits for now, with that stage's deadline. */
ON_CTL void http_conn_stage(struct http_conn *c, enum stage stage);
/* The answer that was made goes out after delay_us. */
ON_CTL void http_conn_hold(struct http_conn *c, int64_t delay_us);
/* Queues bytes; http_conn_flush hands them over. */
ON_CTL int http_conn_out(struct http_conn *c, struct sv v);
ON_CTL void http_conn_flush(struct http_conn *c);
ON_CTL size_t http_conn_waiting_bytes(const struct http_conn *c);
/* The answer is complete: the next request, or the end. */
ON_CTL void http_conn_answer_done(struct http_conn *c);
/* Reads what is buffered soon, not from here: this may be the coroutine of the command that was answered. */
ON_CTL void http_conn_read_on(struct http_conn *c);
/* The request is refused in the owner's form; the connection closes. */
ON_CTL void http_conn_refuse(struct http_conn *c, int status, const char *why);
/* ---- http_exchange.c ---- */
ON_CTL void http_exchange_make(struct http_conn *c); /* c->x, unless it is there; NULL when out of memory */
/* The exchange loses its connection; a stream is told. */
ON_CTL void http_exchange_drop(struct http_conn *c, bool tells);
