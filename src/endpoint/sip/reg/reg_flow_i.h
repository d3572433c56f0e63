/* Which contacts came by which stream (TCP, TLS, WS): so that its end is known to each at once. */
#pragma once
#include "endpoint/sip/reg/reg_table.h"

struct reg_flows;
ON_CTL int reg_flows_new(struct reg_flows **out);
ON_CTL void reg_flows_free(struct reg_flows *f); /* empty */
ON_CTL void reg_flows_enter(struct reg_flows *f, struct reg *r); /* datagrams: nothing happens */
ON_CTL void reg_flows_leave(struct reg_flows *f, struct reg *r); /* harmless when it is in none */
/* struct reg's flow_link; NULL: none. Gone with its last member. */
ON_CTL struct list *reg_flows_find(struct reg_flows *f, const char *proto, const char *ip, unsigned port);
