/* A profile: one SIP stack with its addresses, its parameters and who may use it. It knows neither registrations nor
 * gateways nor calls: they are parts that the module gives it, and requests go to whom the module names.
 *
 *   sofia.conf -> profile_conf_parse -> profile_start: addresses, parts' open, stack, listeners, parts' start
 *   request -> transport -> transaction -> dialog -> usage (src/sip) -> call/, when it is inside a call;
 *                                  else -> hooks.on_request (request.c) -> reg/ | call/ | an answer
 *   profile_stop: parts' stop, the last first, then the stack
 *
 * Control thread. */
#pragma once
#include "base/list.h"
#include "base/log.h"
#include "base/role.h"
#include "endpoint/sip/profile/profile_conf.h"
#include "loop/loop.h"
#include "net/addr.h"
#include "sip/digest.h"
#include "sip/sip.h"
#include "trace/trace.h"

struct dir_user;
struct hash;
struct profile;

/* ---- what stands above (module.c) ---- */
/* What a room keeps for each profile: a zeroed block, found again by its slot. */
struct profile_slot {
	const char *name;
	size_t bytes;
};
/* And what it does at its times. Any function may be NULL; mine is the block. */
struct profile_part {
	const struct profile_slot *slot;
	int (*open)(struct profile *p, void *mine);   /* before it listens; a failure keeps it down */
	void (*start)(struct profile *p, void *mine); /* it listens */
	/* Its stack is about to close; or it did not come to listen: no start was called, and open may have failed. */
	void (*stop)(struct profile *p, void *mine);
};
enum { PROFILE_PARTS_MAX = 16 };
struct profile_hooks {
	const struct profile_part *const *parts; /* ended by NULL; stopped in the opposite order */
	void (*on_request)(struct sip_stack *s, struct sip_stx *tx, const struct sip_msg *m, void *profile);
	void (*on_conn_closed)(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *profile);
	void (*on_address)(struct profile *p); /* ext_sip_ip is another one; may be NULL */
};
ON_CTL void profiles_init(const struct profile_hooks *h); /* borrowed; before the first start */
ANY void *profile_slot_of(const struct profile *p, const struct profile_slot *slot); /* never NULL */

/* ---- a profile ---- */
struct profile { /* counted */
	struct lnode link;
	struct profile_conf conf;
	struct sip_stack *stack;                         /* NULL once it is stopped */
	struct addr sip_addr;                            /* bound */
	char *sip_ip, *rtp_ip, *ext_sip_ip, *ext_rtp_ip; /* resolved; ext_* equal the others when not given */
	char *url, *bind_url;
	bool has_udp, has_tcp, is_tracing, is_capturing, is_paused, is_asking_ext, is_mapped;
	struct mturn *turn; /* allocations of its turn-server; NULL: none */
	struct ltimer ext_timer;
	int64_t started_us;
	/* auth.c */
	struct digest_server *digest;
	struct hash *failures; /* source host -> struct auth_failures */
	struct hash *default_password_told;
	void *parts[PROFILE_PARTS_MAX];
	void *part_block;
};
ON_CTL int profile_start(struct profile_conf *conf /* taken */, struct profile **out);
ON_CTL void profile_stop(struct profile *p); /* ends what its parts hold, gives up the list's reference */
/* By name, alias or (domain) alias=true; NULL. */
ON_CTL struct profile *profile_find(struct sv name);
ON_CTL struct profile *profile_find_exact(struct sv name);
ON_CTL struct profile *profile_first(void); /* the one meant when none is named: internal, else the first */
ON_CTL struct profile *profile_next(const struct profile *p /* NULL: the first */); /* of the running ones, by name */
ON_CTL int profiles_start_all(const struct xml_node *conf); /* those whose port is in use wait for it */
ON_CTL void profiles_stop_all(void);
/* The profile's node of the running configuration; NULL when there is none. */
ON_CTL const struct xml_node *profile_conf_node(struct sv name);
ON_CTL void profile_retry_cancel(struct sv name); /* it does not wait for its port any more */
/* Names the profile answers for besides its own: fn for each. */
ON_CTL void profile_each_alias(
    struct profile *p, void (*fn)(struct profile *p, const char *alias, void *arg), void *arg);
ON_CTL bool profile_has_alias(const struct profile *p, struct sv name);

/* ---- requests outside of calls (send.c) ---- */
/* dst is the address that a registered phone's messages came from. Over a stream only its connection leads there: a
 * phone that cannot be connected to (is_nat) is sent to over that or not at all; for another one dst is cleared when
 * the connection is gone, so that its Contact counts. */
ON_CTL void profile_flow_choose(const struct profile *p, bool is_nat, struct sip_dst *dst);
struct profile_request {
	const char *method, *target; /* target: as sofia_target_parse takes it */
	const char *from, *to;
	const char *headers, *ctype; /* whole lines; NULL = none */
	struct sv body;
};
/* One request whose answer nobody waits for. A failure to send is logged. */
ON_CTL int profile_request_send(struct profile *p, const struct profile_request *r);

/* ---- messages in the log ---- */
ON_CTL void profile_trace_set(struct profile *p, bool is_on);
ON_CTL void profiles_trace_set(bool is_on);                 /* of all, now and later */
ON_CTL void profiles_trace_level_set(enum log_level level); /* they are written with it */
/* To the capture server (trace/trace.h). */
ON_CTL void profile_capture_set(struct profile *p, bool is_on);
ON_CTL void profiles_capture_set(bool is_on);
/* The stacks tell of their messages to whoever wants them: after anything of that has changed. */
ON_CTL void profiles_trace_update(void);

/* ---- messages of an address, a call, a gateway, in the log (trace_filter.c) ---- */
enum trace_filter_kind { TRACE_F_NONE, TRACE_F_ADDRESS, TRACE_F_CALL, TRACE_F_GATEWAY };
enum { TRACE_FILTERS_MAX = 16, TRACE_FILTER_CHARS = 128 };
struct trace_filter {
	unsigned id;
	enum trace_filter_kind kind;
	char text[TRACE_FILTER_CHARS]; /* CIDR; uuid or Call-ID; name */
	struct trace_calls calls;      /* of a call */
	uint64_t hits;
};
/* ST_FULL; ST_PARSE: no address; ST_EXISTS. uuid, call_id: of the leg that is meant, where there is one, or NULL. */
ON_CTL int trace_filter_add(enum trace_filter_kind kind, struct sv text, const char *call_id, unsigned *id);
ON_CTL bool trace_filter_del(unsigned id);                   /* 0: all */
ON_CTL const struct trace_filter *trace_filter_at(size_t i); /* NULL at the end */
/* Who knows whether an address is a gateway's: a room above. */
ON_CTL void trace_filter_gateway_set(bool (*fn)(struct sv name, const struct addr *a));

/* ---- authentication (auth.c) ---- */
struct auth {
	struct dir_user *user;  /* reference, or NULL (blind, access list) */
	char *username, *realm; /* owned; NULL without digest */
	struct vars *vars;      /* what an authenticator says of the call, or NULL; owned */
	bool is_unlisted;       /* only the authenticator knows him: user is like another one of the directory */
};
enum auth_outcome {
	AUTH_NONE,
	AUTH_OK,
	AUTH_CHALLENGED, /* answered: 401 or 407 */
	AUTH_REFUSED     /* answered: 400 or 403 */
};
ON_CTL enum auth_outcome auth_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct auth *out);
ON_CTL void auth_fini(struct auth *a);
/* Who is to be asked about this request instead of the directory (core/registry/authenticator.h): its user's or the
 * profile's authenticator, when it has an answer to a nonce of ours that could be right. NULL: nobody. Borrowed. */
ON_CTL const char *auth_authenticator_of(
    struct profile *p, const struct sip_stx *tx, const struct sip_msg *m, struct sip_auth *answer);
/* What it said of that request: auth_check goes by it. tx NULL: it is forgotten; a request that has an authenticator
 * and no verdict is refused. vars: borrowed until then. */
ON_CTL void auth_verdict_set(const struct sip_stx *tx, int status, struct vars *vars);
ON_CTL void auth_failed_count(struct profile *p, const struct addr *src); /* a failed answer, never a challenge */
/* The same of a request, and the ban list hears of it (guard/guard.h). */
ON_CTL void auth_failed_tell(struct profile *p, const struct sip_stx *tx, const struct sip_msg *m);
ON_CTL uint64_t auth_failures_of(struct profile *p, const struct addr *src);
/* The challenges for a realm, in every algorithm of the profile: whole lines. to: whom they go to. */
ON_CTL void auth_challenge_put(
    struct profile *p, const char *realm, bool is_proxy, bool is_stale, const struct addr *to, struct buf *out);
/* An answer to a challenge of ours is in it: auth_check has something to look at. */
ON_CTL bool auth_has_answer(const struct profile *p, const struct sip_msg *m);
/* The realm we ask for. Appended to out. */
ON_CTL void auth_realm_put(const struct profile *p, const struct sip_msg *m, struct buf *out);

/* ---- who and what passes (border.c) ---- */
ON_CTL void border_filters_set(struct profile *p); /* of p->conf, to the stack: again when that has changed */
/* user-agent-filter (a profile's or user's; NULL or "": none) lets this REGISTER through. */
ON_CTL bool border_agent_may_register(const char *filter, const struct sip_msg *m);

/* ---- NAT (nat.c) ---- */
/* Not in local-network-acl: it is told the ext- addresses. */
ON_CTL bool profile_is_outside(const struct profile *p, const struct addr *a);
/* True when a contact is not where its messages come from and cannot be reached as written. */
ON_CTL bool nat_is_behind(const struct profile *p, const struct sip_uri *contact, const struct sip_via *via,
    const struct addr *src, enum sip_transport t);
