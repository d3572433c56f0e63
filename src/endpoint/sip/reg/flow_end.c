/* A stream's end ends its flows (outbound.c); a call that fails on one goes by another (call_flow.c). */
#include "base/log.h"
#include "endpoint/sip/reg/reg_i.h"

#include <string.h>

/* ---- the end of a stream ---- */

static void flow_gone(struct reg_table *t, struct reg *r, void *arg)
{
	const struct profile *p = arg;
	role_assert_ctl();
	if (!r->reg_id && !p->conf.unregs_on_socket_close)
		return;
	log_info("sofia: %s: %s@%s: its connection has ended, and with it this registration", p->conf.name, r->user,
	    r->host);
	reg_table_drop(t, r, REG_EXPIRED);
}

void reg_conn_closed(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *arg)
{
	struct profile *p = arg;
	char host[ADDR_TEXT_MAX];
	role_assert_ctl();
	reg_table_each_of_flow(
	    reg_table_of(p), sip_transport_facts(t)->param, addr_host(peer, host), addr_port(peer), flow_gone, p);
}

/* ---- another flow ---- */

struct flow_ask {
	struct sv target;
	struct reg *found;
};

static void target_match(struct reg *r, void *arg)
{
	struct flow_ask *a = arg;
	if (!a->found && sv_is(a->target, r->target))
		a->found = r;
}

const struct reg *reg_flow_failed(struct profile *p, struct sv target)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	struct flow_ask a = {.target = target};
	struct reg_table *t = reg_table_of(p);
	reg_table_each_mut(t, target_match, &a);
	if (!a.found || !a.found->reg_id)
		return NULL;
	size_t n = reg_table_find(t, sv_of(a.found->user), sv_of(a.found->host), regs, REG_CONTACTS_MAX);
	const struct reg *other = NULL;
	for (size_t i = 0; i < n && i < REG_CONTACTS_MAX && !other; i++)
		if (regs[i] != a.found && regs[i]->reg_id && !strcmp(regs[i]->instance, a.found->instance))
			other = regs[i];
	log_info("sofia: %s: a flow of %s@%s has failed%s", p->conf.name, a.found->user, a.found->host,
	    other ? ": another one is tried" : "");
	reg_table_drop(t, a.found, REG_EXPIRED);
	return other;
}
