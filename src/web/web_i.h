/* Private to the room: settings, tokens and roles, routes, answers, commands and jobs, the event ring and those who
 * read it. All on the control thread. */
#pragma once
#include "base/list.h"
#include "core/event/event.h"
#include "core/registry/module.h"
#include "core/value/self.h"
#include "net/http_server.h"
#include "net/login_delay.h"
#include "text/json.h"

/* ---- module.c: the settings of http.conf ---- */
struct web_conf {
	char *token_file, *cors_origins, *operator_commands, *agent_commands, *read_commands, *ring_always; /* owned */
	char *console_dir, *phone_urls;                                                                     /* owned */
	int64_t session_idle_us, session_max_us;
	bool is_metrics_open; /* to loopback, without a token */
	unsigned max_running_commands, max_event_clients;
	size_t ring_max_count, ring_max_bytes;
	int64_t ring_linger_us;
	int64_t keep_alive_us; /* a comment or a ping after so long without an event */
};
extern struct web_conf web_conf;
ON_CTL const struct http_server *web_server(void); /* NULL while there is none */
extern struct login_delay *web_login_delay;        /* wrong tokens by address, while the module is loaded */

/* ---- token.c ---- */
enum web_role { WEB_NOBODY, WEB_READ, WEB_AGENT, WEB_OPERATOR, WEB_ADMIN };
ANY const char *web_role_name(enum web_role r);
/* read (read-only), agent, operator (supervisor), admin; ST_PARSE. */
ANY int web_role_parse(const char *text, enum web_role *out);
enum { TOKEN_NAME_MAX = 64 };
/* Reads the file; without one makes it with an admin token, whose text goes to http_admin_token beside it. Blocking. */
ANY int web_tokens_load(const char *path);
ON_CTL void web_tokens_fini(void);
/* The role of a presented token, WEB_NOBODY for a wrong one; *name (borrowed) tells which. Takes as long for each. */
ON_CTL enum web_role web_token_check(struct sv token, const char **name);
/* The role of the token or the session of that name; WEB_NOBODY: there is none (any more). */
ON_CTL enum web_role web_token_role(const char *name);
int web_api_http(struct api_call *c); /* the command `http` */

/* ---- route.c: from a request to its handler ---- */
enum { WEB_SMALL_BODY_BYTES = 8192 };
enum { WEB_PARAMS_MAX = 1, WEB_PARAM_CHARS = 128 };
struct leg;
struct web_route;
struct web_session;
struct web_call {
	struct http_exchange *x; /* borrowed: who answers later takes a reference */
	const struct http_request *q;
	const struct web_route *route;
	enum web_role role;
	const char *token_name;            /* "" without one; a session's name */
	const struct web_session *session; /* borrowed, during the call; NULL: asked with a token */
	struct principal *who;             /* a reference; NULL: the role admin */
	char param[WEB_PARAM_CHARS];       /* what {name} in the path stands for */
	json_t *body;                      /* borrowed; NULL without one */
};
enum {
	WEB_TAKES_BODY = 1,
	WEB_NEEDS_BODY = 2,  /* and that it is a JSON object */
	WEB_QUERY_TOKEN = 4, /* access_token in the query will do: browsers cannot set headers there */
	WEB_STREAM = 8,      /* answers without end: HEAD is answered at once */
	WEB_HIDDEN = 16,     /* not in the description */
	WEB_SMALL_BODY = 32  /* of a length that is told, at most WEB_SMALL_BODY_BYTES: strangers send it */
};
struct web_route {
	const char *method, *path; /* "/v1/jobs/{id}" */
	enum web_role role;        /* WEB_NOBODY: no token needed */
	unsigned flags;
	void (*fn)(struct web_call *c);
	const char *tag, *summary;
	/* For /openapi.json, JSON texts or NULL: parameters (array), schema of the request, description and schema of
	 * the success, its status and type. */
	const char *parameters, *request, *success, *response, *response_type;
	int status;
};
extern const struct http_handlers web_handlers;
extern const struct web_route web_routes[]; /* routes.c; ends with a zero row */
/* False: a page of another origin asks (RFC 6454), and none that cors-origins names. */
ON_CTL bool web_origin_is_allowed(const struct http_request *q);
/* The same, and `*` of cors-origins is not enough: who asks with a cookie is not who wrote the page. */
ON_CTL bool web_origin_is_own(const struct http_request *q);
/* The token's principal (core/registry/principal.h), to be given back; NULL for the role admin, and without memory
 * (then *st).
 */
ON_CTL struct principal *web_principal_new(const struct web_call *c, int *st);
/* Commands a role may run, by the lists of the settings ('*' at the end of a word stands for anything). */
ON_CTL bool web_command_allowed(enum web_role role, const char *name);

/* ---- reply.c ---- */
/* RFC 9457. detail may be NULL. */
ON_CTL void web_problem(struct http_exchange *x, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sends and frees body. */
ON_CTL void web_reply_json(struct http_exchange *x, int status, struct buf *body);
/* 200 with row_count and rows, which are the JSON array that a command replied; another reply has none. */
ON_CTL void web_reply_rows(struct http_exchange *x, struct sv reply);

/* ---- command.c ---- */
/* Runs a command on a coroutine of its own, for who (NULL: everything is allowed); done is called once, also when it
 * could not be begun. */
typedef void (*web_done_fn)(struct http_exchange *x, int status, struct sv reply, void *arg);
ON_CTL void web_command_run(struct http_exchange *x, const struct principal *who, const char *name, const char *args,
    web_done_fn done, void *arg);
/* Is there the command, and may the caller run it? false: it was answered. An agent runs what changes something on his
 * own legs only: leg is the one it is about, or NULL. */
ON_CTL bool web_command_check(struct web_call *c, const char *name);
ON_CTL bool web_leg_command_check(struct web_call *c, const char *name, const struct leg *leg);
/* Runs it and answers {command, status, reply, error}. */
ON_CTL void web_command_answer(const struct web_call *c, const char *name, const char *args);
/* A door of core/registry/principal.h refused: *why is what it said. */
ANY bool web_reply_is_refusal(struct sv reply, struct sv *why);
/* True when a reply begins with -ERR or -USAGE; *text is it without that, trimmed. */
ANY bool web_reply_is_error(struct sv reply, struct sv *text);
ON_CTL void web_command(struct web_call *c);
ON_CTL void web_jobs(struct web_call *c);
ON_CTL void web_job_new(struct web_call *c);
ON_CTL void web_job(struct web_call *c);
ON_CTL void web_jobs_fini(void);
ON_CTL size_t web_running_count(void);

/* ---- view.c, call.c, health.c, openapi.c ---- */
ON_CTL void web_status(struct web_call *c);
ON_CTL void web_show(struct web_call *c); /* calls, channels, registrations: by the path's last word */
ON_CTL void web_gateways(struct web_call *c);
ON_CTL void web_profiles(struct web_call *c);
ON_CTL void web_channel(struct web_call *c);
ON_CTL void web_channel_hangup(struct web_call *c);
ON_CTL void web_channel_command(struct web_call *c);
ON_CTL void web_originate(struct web_call *c);
ON_CTL void web_ladder(struct web_call *c);    /* ladder.c */
ON_CTL void web_voicemail(struct web_call *c); /* voicemail.c */
ON_CTL void web_voicemail_sound(struct web_call *c);
ON_CTL void web_voicemail_delete(struct web_call *c);
ON_CTL void web_healthz(struct web_call *c);
ON_CTL void web_readyz(struct web_call *c);
ON_CTL void web_metrics(struct web_call *c);
extern const struct metric_desc web_metric_table[];
ON_CTL void web_openapi(struct web_call *c);

/* ---- session.c: people of the directory who signed in, by a cookie ---- */
enum { SESSION_CSRF_CHARS = 32, SESSION_USER_MAX = 128 };
struct web_session {
	struct lnode link;
	char name[TOKEN_NAME_MAX];                             /* "@ID user": as a token's, which never begins so */
	char user[SESSION_USER_MAX], domain[SESSION_USER_MAX]; /* "" when it was opened with a token */
	char token_name[TOKEN_NAME_MAX];                       /* which one then; else "" */
	enum web_role role;
	uint8_t sum[32];    /* of the cookie */
	uint8_t secret[32]; /* of the password it was opened with */
	char csrf[SESSION_CSRF_CHARS + 1];
	int64_t opened_us, seen_us; /* loop's clock */
};
/* The session of the request's cookie, NULL for none. Counts as a sign of life. */
ON_CTL const struct web_session *web_session_get(const struct http_request *q);
ON_CTL enum web_role web_session_role(const char *name);
/* True: the request may change something: it has the session's word in X-Tandem-CSRF, and comes from our own page. */
ON_CTL bool web_session_is_intended(const struct web_session *s, const struct http_request *q);
ON_CTL int web_sessions_start(void);
ON_CTL void web_sessions_stop(void); /* ends all */
ON_CTL void web_sessions_end(const char *token_name /* opened with that token; NULL: all */);
ON_CTL size_t web_session_count(void);
ON_CTL void web_session_show(struct web_call *c);
ON_CTL void web_session_open(struct web_call *c);
ON_CTL void web_session_close(struct web_call *c);

/* ---- files.c: the console's files, in memory ---- */
/* Reads the folder; a missing one is no error. On a worker, or before the loop runs. */
struct web_files;
ANY struct web_files *web_files_read(const char *dir);
ON_CTL void web_files_use(struct web_files *f); /* takes it in place of what was there; NULL: none */
ON_CTL void web_files_counts(size_t *count, size_t *bytes);
ON_CTL void web_file(struct web_call *c); /* GET / and /assets/{name} */

/* ---- campaigns.c: the dialler's ---- */
ON_CTL void web_campaigns(struct web_call *c);
ON_CTL void web_campaign(struct web_call *c);
ON_CTL void web_campaign_do(struct web_call *c);
ON_CTL void web_campaign_list(struct web_call *c);
ON_CTL void web_campaign_agents(struct web_call *c);
ON_CTL void web_campaign_agent_do(struct web_call *c);
ON_CTL void web_campaign_results(struct web_call *c);
ON_CTL void web_campaign_answers(struct web_call *c);
ON_CTL void web_dnc(struct web_call *c);
ON_CTL void web_dnc_add(struct web_call *c);
ON_CTL void web_dnc_del(struct web_call *c);

/* ---- console.c: what the console asks beside the views ---- */
ON_CTL void web_dial(struct web_call *c);
ON_CTL void web_phones(struct web_call *c);
ON_CTL void web_queues(struct web_call *c);
ON_CTL void web_conferences(struct web_call *c);
ON_CTL void web_parking(struct web_call *c);
ON_CTL void web_explain(struct web_call *c);
ON_CTL void web_config_check(struct web_call *c);

/* ---- callcenter.c: figures and history, call-backs, supervisors ---- */
ON_CTL void web_callcenter_live(struct web_call *c);
ON_CTL void web_callcenter_agents(struct web_call *c);
ON_CTL void web_callcenter_agent_set(struct web_call *c);
ON_CTL void web_callcenter_monitor(struct web_call *c);
ON_CTL void web_callcenter_callbacks(struct web_call *c);
ON_CTL void web_callcenter_callback_new(struct web_call *c);
ON_CTL void web_callcenter_callback_del(struct web_call *c);
ON_CTL void web_callcenter_send(struct web_call *c);
ON_CTL void web_callcenter_history(struct web_call *c);

/* ---- phone.c: the phone in the page ---- */
ON_CTL void web_phone(struct web_call *c);
/* phone-url: those that are addresses, parted by blanks (to be freed); others are told. */
ON_CTL char *web_phone_urls_read(const char *text);

/* ---- agent.c: an agent of mod_callcenter, by himself ---- */
ON_CTL void web_agent(struct web_call *c);
ON_CTL void web_agent_set(struct web_call *c);

/* ---- log.c: the newest lines of the log ---- */
ON_CTL int web_log_start(void);
ON_CTL void web_log_stop(void);
ON_CTL void web_log(struct web_call *c);

/* ---- media.c: recordings and messages to listen to ---- */
ON_CTL void web_recordings(struct web_call *c);
ON_CTL void web_recording_file(struct web_call *c);
ON_CTL void web_mailbox(struct web_call *c);
ON_CTL void web_mailbox_file(struct web_call *c);
ON_CTL void web_records(struct web_call *c);

/* ---- words.c: pure ---- */
/* The value of the cookie so named in a Cookie header (RFC 6265, 4.2.1), a view into it; SV_NONE. */
ANY struct sv web_cookie_find(struct sv header, const char *wanted);
/* A Range of one part, "bytes=FROM-[TO]" (RFC 9110, 14.2), of n bytes: the first and the last. False: all of it is
 * sent. */
ANY bool web_range_parse(struct sv text, size_t n, size_t *from, size_t *to);
/* One line's cells as an array: "a","b",c with "" for a quote. */
ANY void web_cells_put(struct json_writer *w, struct sv line);

/* ---- ring.c: events kept for those who come back ---- */
struct web_event { /* counted */
	uint64_t seq;
	enum event_id id;
	char *subclass, *uuid; /* or NULL */
	char *frame;           /* as server-sent event */
	size_t frame_bytes, json_at, json_bytes;
};
/* What a reader wants. */
enum { FILTER_SUBCLASSES_MAX = 32, FILTER_TEXT_MAX = 128 };
struct web_filter {
	bool wants[EVENT_ID_COUNT];
	unsigned subclass_count; /* 0 with wants[CUSTOM]: every subclass */
	char subclasses[FILTER_SUBCLASSES_MAX][FILTER_TEXT_MAX];
	char uuid[FILTER_TEXT_MAX]; /* "": of every leg */
};
/* Names separated by commas or spaces; CUSTOM or a subclass (with "::"); SV_NONE: all. ST_NOTFOUND: *wrong (a view into
 * names) is no event; ST_FULL. */
ON_CTL int web_filter_parse(struct web_filter *f, struct sv names, struct sv *wrong);
ON_CTL bool web_filter_passes(const struct web_filter *f, const struct web_event *e);
ON_CTL int web_ring_start(void (*wake)(void));
ON_CTL void web_ring_stop(void);
/* Counted: while somebody wants an event (and for a while after) it is recorded. */
ON_CTL void web_ring_want(const struct web_filter *f, bool is_wanted);
/* Positions grow by one an event; [begin, end) are kept. */
ON_CTL uint64_t web_ring_begin(void);
ON_CTL uint64_t web_ring_end(void);
ON_CTL const struct web_event *web_ring_at(uint64_t pos); /* borrowed */
ON_CTL size_t web_ring_bytes(void);
/* Where to read on after event seq of the run epoch ("": this run's): the position, and what is missing for the filter
 * (gap->reason NULL: nothing). */
struct web_gap {
	uint64_t from, to; /* sequence numbers, both missing */
	const char *reason;
};
ON_CTL uint64_t web_ring_seek(const struct web_filter *f, struct sv epoch, uint64_t seq, struct web_gap *gap);
ON_CTL const char *web_ring_epoch(void);
ON_CTL uint64_t web_ring_lost_seq(void); /* of the newest event that is not kept any more */
/* "SEQ" or "EPOCH.SEQ"; ST_PARSE. */
ANY int web_event_id_parse(struct sv text, struct sv *epoch, uint64_t *seq);

/* ---- stream.c: readers of the ring ---- */
ON_CTL void web_events(struct web_call *c);    /* server-sent events */
ON_CTL void web_events_ws(struct web_call *c); /* WebSocket */
ON_CTL void web_readers_wake(void);
ON_CTL void web_readers_end(const char *token_name /* NULL: all */);
ON_CTL void web_reader_lost(uint64_t pos, const struct web_event *e); /* before the ring drops it */
struct web_reader_info {
	const char *name, *token;
	uint64_t delivered, dropped;
	size_t waiting_bytes;
};
ON_CTL void web_readers_each(void (*fn)(const struct web_reader_info *r, void *arg), void *arg);
ON_CTL size_t web_reader_count(void);
