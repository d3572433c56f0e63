/* A client of the event socket: one connection, its commands one at a time, its events and log lines in a bounded
 * queue. It knows neither the commands nor the log nor the outbound socket: what they do is given as ops.
 *
 *   in:   socket -> reader (text/stanza.h) -> one request at a time -> ops.on_request (cmd/)
 *   out:  replies, never dropped > queue of events and log lines, bounded (queue.h) -> staged chunks -> socket
 *
 * Control thread. */
#pragma once
#include "base/list.h"
#include "base/log.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "esl/client/filter.h"
#include "esl/client/queue.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/login_delay.h"
#include "net/tcp.h"
#include "text/stanza.h"

struct esl_client;
struct esl_rights;
struct hash;
struct leg;

/* ---- what stands above (module.c) ---- */
struct esl_client_ops { /* none is NULL */
	/* Runs a request: replies, or marks the client busy until esl_client_resume. Takes what r holds. */
	void (*on_request)(struct esl_client *c, struct stanza *r);
	/* The client ends, or its connection has: once or twice, the second time with nothing left to do. */
	void (*on_gone)(struct esl_client *c);
	void (*on_log_level)(void); /* a client's level changed, or a client left */
	bool (*may_hear)(const struct esl_client *c, const char *event /* or its subclass */);
};
ON_CTL void esl_clients_init(const struct esl_client_ops *ops); /* borrowed; before the first client */

struct esl_conf {
	char password[128];
	size_t max_queue_bytes;
	unsigned max_clients, max_clients_per_host;
	int64_t login_timeout_us, first_us;
};
extern struct esl_conf esl_conf;
extern struct conn_limit *esl_limit;
extern struct login_delay *esl_login_delay;
ON_CTL int esl_limits_open(void); /* makes both, by esl_conf */
ON_CTL void esl_limits_close(void);

/* ---- a client ---- */
struct esl_client {
	struct lnode link;
	struct tcp_conn *conn; /* NULL once closed */
	struct conn_guard guard;
	struct stanza_reader reader;
	struct esl_queue queue; /* events and log lines */
	struct buf replies;     /* replies not yet staged */
	struct buf staged;      /* bytes on their way into the connection */
	size_t staged_sent;
	struct ldefer flush;
	struct ltimer timer; /* login deadline, later the deadline of closing */
	bool is_authed, is_busy, is_ending, is_processing, is_listening;
	unsigned stranger_count;   /* commands before login */
	struct ltimer login_timer; /* a login waits for its turn */
	char *login_args;          /* and what it says */
	bool is_login_of_user;
	struct event_sub *sub; /* NULL until the first `event` */
	enum event_format format;
	bool wants[EVENT_ID_COUNT];
	struct hash *subclasses; /* names after CUSTOM */
	struct esl_filters filters;
	enum log_level log_level;  /* LOG_DISABLE: none */
	uint64_t log_from;         /* the first line since it asked for any */
	struct esl_rights *rights; /* of a user of the directory, a reference; NULL: everything is allowed */
	char id[64];               /* "127.0.0.1:54321" */
	/* the outbound socket */
	bool is_outbound, is_async, is_full, is_open /* the connection stands */, is_connected /* the server said so */;
	bool is_attached; /* the application has detached: the server holds the leg */
	bool resumes, lingers, diverts, holds_events /* until the reply to what waits */;
	int linger_s, open_status; /* linger_s -1: for ever */
	struct leg *leg;           /* a reference; NULL for inbound ones and when it is over */
	struct lnode leg_link;
	uint64_t frame; /* the application, by core's number */
	char leg_uuid[UUID_CHARS + 1];
	struct ldefer leg_over;
};

ON_CTL void esl_client_accept(struct tcp_conn *conn); /* borrows */
ON_CTL void esl_client_reject(struct tcp_conn *conn); /* the ACL's refusal */
ON_CTL void esl_client_end_all(void);                 /* the disconnect notice to everybody */
ON_CTL size_t esl_client_count(void);
ON_CTL void esl_client_each(void (*fn)(struct esl_client *c, void *arg), void *arg);
/* A command/reply. */
ON_CTL void esl_client_reply(struct esl_client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Raw reply bytes: a whole frame. */
ON_CTL void esl_client_send(struct esl_client *c, struct sv frame);
ON_CTL void esl_client_api_response(struct esl_client *c, struct sv body);
/* Says goodbye, sends what is queued, closes. */
ON_CTL void esl_client_end(struct esl_client *c);
/* A command that waits is over: reads on. */
ON_CTL void esl_client_resume(struct esl_client *c);
/* Queues a frame of shared text; false when it was dropped, by the queue's rules. */
ON_CTL bool esl_client_queue(struct esl_client *c, void *ref, struct sv body, const char *ctype);
ON_CTL int esl_client_subscribe(struct esl_client *c); /* makes c->sub */
ON_CTL void esl_client_unsubscribe(struct esl_client *c);

/* Begins a connection of the outbound socket; the caller gets a reference. open_status and is_open tell how it went,
 * and the leg is woken then. */
ON_CTL int esl_client_connect(struct esl_client **out, const struct addr *dst, int64_t timeout_us);
ON_CTL void esl_client_drop(struct esl_client *c); /* closes without a word */
/* As esl_client_end, but what is queued goes out before the notice. */
ON_CTL void esl_client_end_after_events(struct esl_client *c);
ON_CTL void esl_client_linger(struct esl_client *c); /* the leg is over: the notice, and the end later */
ON_CTL void esl_client_event(struct esl_client *c, struct event *e); /* past wishes and filters */
