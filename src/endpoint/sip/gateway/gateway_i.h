/* What this room's files share. Arrows: gateway_status -> gateway -> gateway_reg <-> gateway_ping,
 * gateway_sub -> gateway_find, gateway -> gateway_conf. */
#pragma once
#include "endpoint/sip/gateway/gateway.h"

/* What a profile has of them. */
struct gateways {
	struct list list;
	struct list leaving; /* deleted; their goodbye is not answered yet */
};
extern const struct profile_slot gateway_slot;
ANY struct gateways *gateways_in(const struct profile *p);

/* ---- gateway_conf.c ---- */
/* Reads the parameters of node and what follows from them. ST_INVAL: something needed is missing; it is in the log. */
ON_CTL int gateway_conf_read(struct gateway *g, const struct xml_node *node);
ON_CTL bool gateway_contact_remake(struct gateway *g); /* true: it is another one */
ANY void gateway_conf_free(struct gateway *g);

/* ---- gateway_find.c ---- */
ON_CTL struct gateway *gateway_find_in(struct profile *p, struct sv name);
ON_CTL void gateway_addrs_init(struct gateway *g); /* those written as numbers are known from the start */
ON_CTL void gateway_left(struct gateway *g);       /* out of its profile; gives back the list's reference */

/* ---- gateway_reg.c: the state table ---- */
enum gateway_in {
	GW_IN_NONE,
	GW_IN_DUE,        /* the timer */
	GW_IN_OK,         /* 2xx */
	GW_IN_REFUSED,    /* anything else */
	GW_IN_REGISTER,   /* somebody asks */
	GW_IN_UNREGISTER, /* the same */
	GW_IN_COUNT
};
struct gateway_outcome {
	int code;
	struct sv phrase;
};
ON_CTL void gateway_input(struct gateway *g, enum gateway_in in, const struct gateway_outcome *o /* may be NULL */);
/* CUSTOM sofia::gateway_state. */
ON_CTL void gateway_state_tell(struct gateway *g, const struct gateway_outcome *o /* may be NULL */);
ON_CTL void gateway_start(struct gateway *g);
/* No timer and no request is left. A registered one says goodbye: with is_leaving true while the answer is awaited
 * (then gateway_left ends it), or, when the stack closes, without waiting. */
ON_CTL void gateway_stop(struct gateway *g, bool is_stack_closing);
ON_CTL void gateway_register(struct gateway *g);
ON_CTL void gateway_unregister(struct gateway *g);

/* ---- gateway_route.c ---- */
ON_CTL void gateway_service_route_take(struct gateway *g, const struct sip_msg *resp); /* of a 2xx to REGISTER */
/* ---- gateway_ping.c ---- */
ON_CTL void gateway_ping_start(struct gateway *g); /* the next one, after its time */
ON_CTL void gateway_ping_stop(struct gateway *g);

/* ---- gateway_sub.c ---- */
ON_CTL void gateway_subs_read(struct gateway *g, const struct xml_node *node);
/* The gateway can be used: what is not subscribed yet is now. */
ON_CTL void gateway_subs_start(struct gateway *g);
/* Ends those that stand, with a SUBSCRIBE of no time unless the stack is closing. */
ON_CTL void gateway_subs_stop(struct gateway *g, bool is_stack_closing);
ON_CTL void gateway_subs_free(struct gateway *g);

/* ---- gateway.c ---- */
ON_CTL void gateway_delete(struct gateway *g, bool is_stack_closing);
