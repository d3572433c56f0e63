/* Private to the room: the client object, its commands, the log forwarder, the settings. */
#pragma once
#include "base/list.h"
#include "base/log.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "core/registry/module.h"
#include "core/registry/principal.h"
#include "esl/filter.h"
#include "esl/queue.h"
#include "loop/loop.h"
#include "net/conn_limit.h"
#include "net/login_delay.h"
#include "net/tcp.h"
#include "text/stanza.h"

struct hash;

struct esl_conf {
	char password[128];
	size_t max_queue_bytes;
	unsigned max_clients, max_clients_per_host;
	int64_t login_timeout_us, first_us;
};
extern struct esl_conf esl_conf;
/* Both from module.c, while it is loaded. */
extern struct conn_limit *esl_limit;
extern struct login_delay *esl_login_delay;
ON_CTL int esl_limits_open(void); /* makes them, by esl_conf */
ON_CTL void esl_limits_close(void);

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

/* ---- client.c ---- */
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

/* ---- outbound.c ---- */
extern const struct app_desc esl_apps[];
ON_CTL int esl_outbound_start(void);
ON_CTL void esl_outbound_stop(void);
/* The client ends: its leg hangs up, or goes on. Does nothing the second time. */
ON_CTL void esl_outbound_release(struct esl_client *c);
/* Hands e to the servers that asked for the leg's events; false: nobody did. */
ON_CTL bool esl_outbound_divert(const struct leg *leg, struct event *e);
ON_CTL void esl_cmd_connect(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_getvar(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_resume(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_linger(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_nolinger(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_divert(struct esl_client *c, const struct stanza *r, const char *args);
/* ---- lookup.c ---- */
/* Numeric or a name, which may wait a few seconds. */
CO int esl_lookup(struct leg *leg, const char *host, uint16_t port, struct addr *out);

/* ---- rights.c: what a user of the directory may do (userauth) ---- */
struct dir_user;
struct esl_rights { /* counted */
	/* Lists of words, "all" stands for everything: commands; events he gets; what he may ask a leg by sendmsg, with
	 * which applications; subclasses of CUSTOM he may send. */
	char *api, *events, *sendmsg, *applications, *sendevent;
	char *user, *domain;
	enum { ESL_LEGS_OWN, ESL_LEGS_DOMAIN, ESL_LEGS_ALL } legs; /* whose calls sendmsg reaches */
	bool has_log;
	struct principal *who; /* NULL: every command is allowed */
};
/* Reads them from the user's parameters, or else the domain's; what is not there is not allowed (but events, and the
 * command show, as in FreeSWITCH). NULL: no memory. */
ON_CTL struct esl_rights *esl_rights_new(const struct dir_user *u, struct sv user, struct sv domain);
/* Each is true for a client without such rights. */
ON_CTL bool esl_may_hear(const struct esl_client *c, const char *event);
ON_CTL bool esl_may_tell(const struct esl_client *c, const struct leg *leg, const char *verb);
/* The data of an application for a leg, with marks, to be freed with mem_free; NULL, after the reply: refused. */
ON_CTL char *esl_app_data(struct esl_client *c, const char *app, const char *data);
/* That event, with those headers; false, after the reply: refused. */
ON_CTL bool esl_may_send(struct esl_client *c, enum event_id id, const char *subclass, const struct stanza *r);
ON_CTL void esl_client_denied(struct esl_client *c); /* the reply */
/* A parameter of the user, or else of his domain. */
ON_CTL const char *esl_user_param(const struct dir_user *u, struct sv domain, const char *name);

/* ---- cmd.c ---- */
ON_CTL void esl_cmd_run(struct esl_client *c, struct stanza *r);
/* Is name in a list of words separated by spaces or commas ("all": yes)? NULL list: yes. */
ANY bool esl_list_has(const char *list, struct sv name);
ANY bool esl_list_names(const char *list, struct sv name); /* the word itself, "all" is none */
/* ---- sendmsg.c ---- */
ON_CTL void esl_cmd_sendmsg(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_sendevent(struct esl_client *c, const struct stanza *r, const char *args);
/* ---- events.c ---- */
ON_CTL void esl_cmd_event(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_nixevent(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_noevents(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_myevents(struct esl_client *c, const struct stanza *r, const char *args);
ON_CTL void esl_cmd_filter(struct esl_client *c, const struct stanza *r, const char *args);

/* ---- logs.c: lines of the log to clients that asked ---- */
ON_CTL int esl_logs_start(void);
ON_CTL void esl_logs_stop(void);
ON_CTL void esl_logs_update(void); /* a client's level changed, or a client left */
