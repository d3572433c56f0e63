/* Gateways: accounts of ours at other switches. What <gateway> says, where it stands (registered, reachable), and whose
 * requests are believed to be its.
 *
 *   <gateway> -> gateway_conf.c (parameters) -> gateway.c (made, started, deleted) -> gateway_reg.c: REGISTER, states;
 * gateway_ping.c: OPTIONS; gateway_sub.c: SUBSCRIBE
 *   calls and commands -> gateway_find.c (the table; known addresses), gateway_status.c (rows)
 *
 * Control thread. */
#pragma once
#include "core/registry/api.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/sip/profile/profile.h"
#include "endpoint/sip/uri/uri.h"
#include "loop/loop.h"

/* FreeSWITCH's names (gateway_state_name), except that NONE is never shown. */
enum gateway_state {
	GW_NONE,
	GW_UNREGED,
	GW_TRYING,
	GW_REGISTER,
	GW_REGED,
	GW_UNREGISTER,
	GW_FAILED,
	GW_FAIL_WAIT,
	GW_NOREG,
	GW_DOWN, /* asked to unregister */
	GW_TIMEOUT,
	GW_STATE_COUNT
};
ANY const char *gateway_state_name(enum gateway_state s);

/* The parameters as written, defaults filled in; "" when not given. */
ANY bool gateway_param_is_known(const char *name);
struct gateway_conf {
	char *scheme, *realm, *username, *auth_username, *password, *from_user, *from_domain, *proxy, *register_proxy,
	    *outbound_proxy, *extension, *contact_host, *contact_params, *context, *prefix, *transport, *auth_acl,
	    *cid_type, *ping_user_agent, *reg_id, *redirecting_headers, *isup, *stir_attest;
	char *registers, *has_extension_in_contact, *has_caller_id_in_from, *has_contact_in_ping, *has_distinct_to,
	    *tells_pings, *has_flows; /* ping-monitoring; rfc-5626 */
	char *expire_s, *retry_s, *timeout_s, *ping_s, *ping_max, *ping_min, *register_port; /* numbers as text */
};

enum { GATEWAY_ADDRS_MAX = 16 };
struct gateway { /* counted: the profile's list holds one reference, each call another */
	struct lnode link;
	struct profile *p; /* NULL once deleted or its profile stopped */
	char *name;
	struct gateway_conf conf;
	struct vars *vars_in, *vars_out;
	bool has_realm; /* given, not derived */
	char *proxy_uri /* sip:host[:port] */, *call_uri /* of calls: with a transport that is not the default */;
	char *register_url, *from, *to, *contact, *register_contact, *ping_uri;
	char *learned_realm; /* of the registrar's challenge, when none was given */
	struct sip_dst register_dst, outbound_dst;
	struct addr known[GATEWAY_ADDRS_MAX]; /* where its proxies are, the latest last */
	size_t known_count;
	char *register_route, *outbound_route;
	char *service_route; /* its registrar's (RFC 3608); NULL = none */
	/* registration */
	enum gateway_state state;
	bool is_up;
	struct ltimer timer, ping_timer;
	struct sip_ctx *ctx, *ping_ctx;
	char call_id[UUID_CHARS + 1];
	uint32_t cseq;
	unsigned expire_s, granted_s /* of what was asked for */, retry_s, timeout_s, failures;
	int failed_code;     /* why it waits in FAIL_WAIT */
	int64_t due_us;      /* of timer, for "retry" in status */
	int64_t tried_us;    /* when the latest REGISTER was begun */
	struct addr network; /* where the registrar's latest answer came from */
	bool is_leaving;     /* deleted; only its goodbye is waited for */
	bool is_new;         /* not started yet */
	/* ping */
	unsigned ping_freq_s, ping_max, ping_min, ping_count;
	int64_t ping_due_epoch_s, ping_sent_us;
	double ping_time_ms;
	struct list subs; /* of struct gateway_sub (gateway_sub.c) */
	/* counts */
	int64_t started_us;
	unsigned calls_in, calls_out, failed_in, failed_out;
};

extern const struct profile_part gateway_part;

/* ---- the table (gateway_find.c, gateway.c) ---- */
/* Reads the profile's <gateways>, and those of directory users where its <domains> say parse="true". Those that are
 * there already stay as they are. */
ON_CTL void gateways_load(struct profile *p);
ON_CTL void gateways_address_changed(struct profile *p);     /* their Contacts: registered anew */
ANY const struct list *gateways_of(const struct profile *p); /* struct gateway's link */
/* "[profile::]name"; borrowed, NULL when absent. */
ON_CTL struct gateway *gateway_find(struct sv name);
/* The gateway a request came by: the gw parameter of its URI, or a user of gw+NAME, which anybody may write: believed
 * from the hosts that are the gateway's (gateway_is_at) only. Borrowed; NULL when none of this profile. */
/* Some gateway of a running profile is at that host: it is never banned. */
ON_CTL bool gateway_is_any_at(const struct addr *src);
ON_CTL struct gateway *gateway_of_request(struct profile *p, const struct sip_msg *m, const struct addr *src);
/* A request of ours to the gateway went there and was answered: what comes from that host (on the loopback: and port)
 * is believed to be the gateway's. */
ON_CTL void gateway_addr_learn(struct gateway *g, const struct addr *a);
/* That host is a proxy of the gateway's: numeric in its parameters, or learned. */
ON_CTL bool gateway_has_addr(const struct gateway *g, const struct addr *a);
/* It is, or it is in its gw-auth-acl. */
ON_CTL bool gateway_is_at(const struct gateway *g, const struct addr *src);
/* The Route of a call by it: the configured proxy's, else its registrar's; NULL = none. Borrowed. */
ON_CTL const char *gateway_route(const struct gateway *g);
/* sofia/gateway/NAME/NUMBER: fills t's uri and gives the gateway (borrowed). */
ON_CTL int gateway_target(struct sofia_target *t, struct gateway **out, enum cause *cause);
/* Credentials for a challenge: of the gateway's own realm from anywhere, of another one when it comes from an address
 * of the gateway's (gateway_has_addr). */
ON_CTL bool gateway_credentials(struct gateway *g, const struct sip_challenge *ch, struct sip_credentials *out);

/* ---- gateway_sub.c ---- */
/* A NOTIFY outside of calls: true when it belongs to a subscription of a gateway of the profile; it is answered then.
 */
ON_CTL bool gateway_notify_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m);

/* ---- gateway_status.c ---- */
ON_CTL int gateway_status(struct buf *out, struct sv name, bool is_xml);
/* The rows of `sofia status` and xmlstatus below a profile's own. */
ON_CTL void gateway_rows_put(struct profile *p, struct buf *out, bool is_xml);
/* profile NAME register|unregister|killgw|startgw|gwlist: true when the verb was one of those. */
ON_CTL bool gateway_profile_cmd(struct api_call *c, struct profile *p, struct sv verb, struct sv arg);
int gateway_cmd(struct api_call *c);
