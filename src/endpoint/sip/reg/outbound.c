/* What a REGISTER says of how its sender can be reached beyond the Contact's address: flows (RFC 5626: the way it came
 * is the way back, several of one phone), and the proxies on that way (Path, RFC 3327). A flow needs +sip.instance,
 * reg-id, "outbound" in Supported, and a first hop that keeps flows: us, or one that wrote ";ob" in its Path. A stream's
 * end ends its flows; a call that fails on one goes by another (call_flow.c). All of it is the phone's word: bounded,
 * and of the grammar, or refused. */
#include "base/log.h"
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/uri/uri.h"

#include <string.h>

enum { INSTANCE_MAX = 256, PATH_ITEMS_MAX = 8, PATH_MAX_BYTES = 1024 };

/* Of "<urn:uuid:...>" what is between the brackets; empty when it is none. */
struct sv outbound_instance(struct sv value)
{
	if (value.n < 3 || value.n > INSTANCE_MAX || value.p[0] != '<' || value.p[value.n - 1] != '>')
		return SV_NONE;
	struct sv urn = sv_sub(value, 1, value.n - 2);
	for (size_t i = 0; i < urn.n; i++) {
		char c = urn.p[i];
		bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', is_digit = c >= '0' && c <= '9';
		if (!is_letter && !is_digit && (!c || !strchr(":-_.%+=@;$!*'()/?#", c)))
			return SV_NONE;
	}
	return sv_startsi(urn, SV("urn:")) ? urn : SV_NONE;
}

static bool has_proxy(const struct sip_msg *m)
{
	struct sip_list_it it;
	size_t n = 0;
	sip_list_start(&it, m, SIP_HDR_VIA);
	while (n < 2 && sip_list_next(&it))
		n++;
	return n > 1;
}

static bool has_ob_path(const struct sip_msg *m)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	sip_list_start(&it, m, SIP_HDR_PATH);
	while (sip_list_next(&it))
		if (!sip_nameaddr_parse(&na, it.item) && sip_uri_param(&na.uri, "ob", NULL))
			return true;
	return false;
}

int outbound_read(const struct sip_msg *m, const struct sip_nameaddr *contact, struct reg_outbound *out)
{
	struct sv value, id;
	uint32_t n = 0;
	*out = (struct reg_outbound){.instance = SV_NONE};
	if (sip_param_get(contact->params, ';', "+sip.instance", &value))
		out->instance = outbound_instance(value);
	if (!out->instance.n || !sip_param_get(contact->params, ';', "reg-id", &id))
		return 0;
	if (!sip_msg_has_token(m, SIP_HDR_SUPPORTED, "outbound") && !sip_msg_has_token(m, SIP_HDR_REQUIRE, "outbound"))
		return 0;
	if (sv_u32(id, &n) || !n || n > INT32_MAX)
		return 400;
	if (has_proxy(m) && !has_ob_path(m))
		return 439;
	out->reg_id = n;
	return 0;
}

int outbound_path_put(const struct sip_msg *m, struct buf *out, size_t *count)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	size_t start = out->n;
	*count = 0;
	sip_list_start(&it, m, SIP_HDR_PATH);
	while (sip_list_next(&it)) {
		bool is_sip = !sip_nameaddr_parse(&na, it.item) && na.has_brackets && na.uri.host.n &&
		              (na.uri.scheme == SIP_SCHEME_SIP || na.uri.scheme == SIP_SCHEME_SIPS);
		if (!is_sip || ++*count > PATH_ITEMS_MAX)
			return ST_INVAL;
		buf_printf(out, "%s<%.*s>", out->n > start ? "," : "", SVF(na.uri.text));
	}
	return it.is_bad || out->n - start > PATH_MAX_BYTES ? ST_INVAL : out->failed ? ST_NOMEM : ST_OK;
}

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
