/* Shared in the room.
 *
 *   leg, command, authenticator -> attributes -> client.c: server, socket, identifier, tries -> answer or a status
 *   leg's life -> acct.c: records -> spool.c: journal, queue -> client.c
 *   Disconnect-Request, CoA-Request -> dae.c -> leg */
#pragma once
#include "base/list.h"
#include "core/leg/leg.h"
#include "core/registry/authenticator.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "net/dns.h"
#include "radius/dict.h"
#include "radius/packet.h"

struct udp;
struct rad_request;
struct xml_node;
enum rad_kind { RAD_AUTH, RAD_ACCT, RAD_KIND_COUNT };
enum { RAD_SERVERS_MAX = 16, RAD_CLIENTS_MAX = 64, RAD_FIELDS_MAX = 64, RAD_SOCKETS_MAX = 16, RAD_IDS = 256 };
enum { RAD_VSA_CISCO = 1, RAD_VSA_ASTERISK = 2, RAD_VSA_FREESWITCH = 4 };

/* ---- configuration (conf.c): read at the load -------------------------------------------------------------------- */
struct rad_field { /* an attribute and what it is made from, or what becomes of it */
	struct rad_dict what;
	char *text; /* a template, or a variable's name */
};
struct rad_fields {
	size_t count;
	struct rad_field rows[RAD_FIELDS_MAX];
};
struct rad_client { /* who may send Disconnect- and CoA-Requests */
	char *name, *secret;
	char *cidr;
	bool needs_message_authenticator;
	uint64_t asked, acked, naked, refused;
};
struct rad_conf {
	char *nas_identifier, *bind_ip, *default_password, *coa_ip;
	struct addr nas_ip; /* unset: none is told */
	int64_t auth_timeout_us;
	unsigned vendors; /* RAD_VSA_ */
	bool has_rfc5090, has_sterman;
	bool has_a, has_b, starts_at_setup, has_unanswered, tells_switch, needs_timestamp;
	unsigned interim_s, interim_min_s, coa_port, window_s, spool_max_mb, spool_memory, sockets_max, in_flight_max;
	struct rad_fields request, accounting, reply;
	size_t client_count;
	struct rad_client clients[RAD_CLIENTS_MAX];
};
extern struct rad_conf rad_conf;
ON_CTL int rad_conf_read(void); /* and the servers, by rad_server_add */
ON_CTL void rad_conf_free(void);

/* ---- servers and requests (client.c) ---------------------------------------------------------------------------- */
struct rad_socket {
	struct rad_port *port;
	struct udp *udp;
	unsigned next_id, used_count;
	struct rad_request *requests[RAD_IDS];
	uint8_t before[RAD_IDS]
	              [RAD_AUTH_BYTES]; /* of the request that had the identifier last: its answer may be late */
};
struct rad_counts {
	uint64_t sent, again, answered, accepted, rejected, timeouts, forged, unproved, strange, died;
};
/* What a server does on one of its ports. */
struct rad_port {
	struct rad_server *server;
	enum rad_kind kind;
	uint16_t number; /* 0: it does not serve this */
	struct addr addr;
	size_t socket_count;
	struct rad_socket *sockets[RAD_SOCKETS_MAX];
	int64_t dead_until_us; /* 0: it is alive */
	int64_t heard_us;      /* of its last proved answer; 0: never */
	bool is_on_trial;      /* it was dead; one request finds out */
	bool is_unproved_told, is_forged_told;
	struct ltimer probe;
	struct rad_request *probing;
	struct rad_counts counts;
	unsigned waiting; /* requests under way */
};
struct rad_server {
	char *name, *host, *secret;
	int64_t timeout_us, dead_us, probe_us;
	unsigned tries;
	bool needs_message_authenticator, has_status;
	struct dns_ask *asking;
	struct rad_port ports[RAD_KIND_COUNT];
};
ON_CTL int rad_server_add(const struct rad_server *s, const uint16_t ports[RAD_KIND_COUNT]); /* its strings are taken */
ON_CTL int rad_servers_start(void);
ON_CTL void rad_servers_stop(void); /* requests under way end with ST_CANCELLED */
ON_CTL size_t rad_server_count(void);
ON_CTL struct rad_server *rad_server_at(size_t i);
ON_CTL bool rad_is_served(enum rad_kind kind); /* a server is configured for it */
ON_CTL bool rad_is_alive(enum rad_kind kind);  /* one whose address is known and that is not dead */

/* The answer, valid during the call. status: ST_OK; ST_TIMEOUT: nobody answered; ST_NOTFOUND: no server serves this;
 * ST_FULL; ST_LIMIT: too long; ST_CANCELLED. answer is NULL unless ST_OK. */
typedef void (*rad_answer_fn)(int status, const struct rad_packet *answer, void *arg);
/* Asks the servers of a kind in turn. attrs and password are copied; event_us (accounting; 0: none): when what is told
 * of was, for Acct-Delay-Time. deadline_us: from now, for all tries at all servers. fn is called later, once. *out is
 * valid until then and may be NULL. */
struct rad_question {
	enum rad_kind kind;
	struct sv attrs, password; /* password.p NULL: none */
	int64_t event_us, deadline_us;
};
ON_CTL int rad_ask(struct rad_request **out, const struct rad_question *q, rad_answer_fn fn, void *arg);
ON_CTL void rad_cancel(struct rad_request *r); /* fn is not called; NULL is fine */
/* The same from a coroutine. answer's bytes are in *bytes, which the caller initialised. Whoever signals wait otherwise
 * (a hang-up) ends it with that status. */
CO int rad_ask_wait(struct co_wait *wait, const struct rad_question *q, struct buf *bytes, struct rad_packet *answer);

/* ---- authentication and authorisation (auth.c) ------------------------------------------------------------------ */
/* Attributes that every request begins with: who we are. */
ON_CTL int rad_nas_put(struct buf *attrs);
/* Those of a table, expanded on a leg (NULL: without one). */
ON_CTL int rad_fields_put(struct buf *attrs, const struct rad_fields *fields, struct leg *leg);
/* What an answer says becomes the leg's variables and the end of its time. */
ON_CTL void rad_reply_use(struct leg *leg, struct sv attrs);
/* What a digest's question says to a server (RFC 5090, draft-sterman-aaa-sip). */
ON_CTL void rad_digest_put(struct buf *attrs, const struct authenticator_question *q);
int rad_app_auth(struct leg *leg, const char *data);
ON_CTL int rad_auth_start(void); /* the authenticator "radius" */
ON_CTL void rad_auth_stop(void);
ON_CTL unsigned rad_auth_asking_count(void); /* coroutines that wait for an answer */
CO int rad_test(const char *user, const char *password, struct buf *out);

/* ---- accounting (acct.c) ---------------------------------------------------------------------------------------- */
extern struct leg_part rad_part;
ON_CTL int rad_acct_start(void);
ON_CTL void rad_acct_stop(void);
ON_CTL void rad_leg_limit(struct leg *leg, uint32_t seconds); /* it ends so long after its answer, or from now on */
ON_CTL void rad_leg_interim(struct leg *leg, uint32_t seconds);
ON_CTL void rad_leg_class(struct leg *leg, struct sv value); /* comes back in its records (RFC 2865 section 5.25) */
ON_CTL void rad_leg_class_clear(struct leg *leg);
ON_CTL void rad_leg_user(struct leg *leg, struct sv name); /* whom its records name */
ON_CTL const char *rad_leg_user_name(struct leg *leg);     /* borrowed until a variable changes; may be NULL */
/* Somebody waits for an answer on its behalf: its hang-up ends that. NULL: no longer. */
ON_CTL void rad_leg_asking_set(struct leg *leg, struct co_wait *wait);
ON_CTL void rad_leg_end(struct leg *leg); /* an operator's order */

/* ---- records on their way (spool.c) ----------------------------------------------------------------------------- */
struct rad_spool_stats {
	size_t queued_count, sending_count, file_count;
	uint64_t bytes, sent, spooled, lost, refused;
	int64_t oldest_us; /* when the oldest that waits was made; 0: none */
};
ON_CTL int rad_spool_open(void);
ON_CTL void rad_spool_close(void);
ON_CTL bool rad_spool_is_busy(void); /* something is on its way to or from the disk: it cannot be closed yet */
/* A record of a session at a time; in order with others of that session. */
ON_CTL void rad_spool_put(const char *session, int64_t event_us, struct sv attrs);
ON_CTL void rad_spool_go(void); /* a server is alive again */
ON_CTL void rad_spool_stats_get(struct rad_spool_stats *out);
/* One line of the spool, and back; text, pure. ST_PARSE. */
ANY int rad_line_put(struct buf *out, const char *session, int64_t event_us, struct sv attrs);
ANY int rad_line_read(struct sv line, char session[40], int64_t *event_us, struct buf *attrs);

/* ---- Disconnect and CoA (dae.c) --------------------------------------------------------------------------------- */
struct rad_dae_counts {
	uint64_t disconnects, changes, acked, naked, strangers, forged, repeated, late;
};
ON_CTL int rad_dae_start(void);
ON_CTL void rad_dae_stop(void);
ON_CTL void rad_dae_counts_get(struct rad_dae_counts *out);
