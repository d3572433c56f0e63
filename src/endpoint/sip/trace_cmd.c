/* `sofia trace` and `sofia ladder`, and the settings of tracing in sofia.conf's global_settings. Who may run certain
 * commands only gets no credentials to see. */
#include "base/log.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/value/self.h"
#include "endpoint/sip/module_i.h"
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>

static const char trace_usage[] =
    "-ERR Usage: sofia trace [address <CIDR>|call <uuid|Call-ID>|gateway <name>|off <id|all>|list]\n";

static bool gateway_is(struct sv name, const struct addr *a)
{
	role_assert_ctl();
	const struct gateway *g = gateway_find(name);
	return g && gateway_has_addr(g, a);
}

static size_t bytes_of(const struct xml_node *settings)
{
	const char *name = "sip-ladder-bytes", *text = config_param(settings, name, "8388608");
	char at[CONFIG_AT_CHARS];
	uint32_t n;
	if (sv_u32(sv_of(text), &n) || n > (64u << 20)) {
		log_warning("sofia: %s%s \"%s\" is no number up to 67108864; it is 8388608",
		    config_param_at(settings, name, at), name, text);
		n = 8 << 20;
	}
	return n;
}

void sofia_trace_start(const struct xml_node *settings)
{
	const char *why = NULL, *server = config_param(settings, "capture-server", "");
	char at[CONFIG_AT_CHARS];
	if (trace_ring_set(bytes_of(settings)))
		log_error("sofia: out of memory: no ladders are kept");
	if (trace_collector_set(server, core_hostname(), &why))
		log_error("sofia: %scapture-server: %s", config_param_at(settings, "capture-server", at),
		    why); /* not its value: that has a password */
	trace_filter_gateway_set(gateway_is);
	trace_on_change(profiles_trace_update);
}

void sofia_trace_stop(void)
{
	const char *why;
	trace_on_change(NULL);
	trace_filter_del(0);
	trace_collector_set(NULL, NULL, &why);
	trace_ring_set(0);
}

/* ---- sofia trace ---- */

static ON_CTL int list_put(struct buf *out)
{
	static const char *const kinds[] = {"", "address", "call", "gateway"};
	const struct trace_filter *f;
	for (size_t i = 0; (f = trace_filter_at(i)); i++)
		buf_printf(out, "%u %s %s %llu\n", f->id, kinds[f->kind], f->text, (unsigned long long)f->hits);
	return out->n ? ST_OK : buf_adds(out, "+OK nothing is traced\n");
}

static ON_CTL const char *call_id_of(struct sv uuid)
{
	char text[UUID_CHARS + 1];
	if (uuid.n != UUID_CHARS)
		return NULL;
	snprintf(text, sizeof(text), "%.*s", SVF(uuid));
	struct leg *leg = leg_find(text);
	return leg ? vars_get(leg->vars, "sip_call_id") : NULL;
}

int trace_cmd_run(struct api_call *c, struct sv verb, struct sv what)
{
	enum trace_filter_kind kind = sv_isi(verb, "address")   ? TRACE_F_ADDRESS
	                              : sv_isi(verb, "call")    ? TRACE_F_CALL
	                              : sv_isi(verb, "gateway") ? TRACE_F_GATEWAY
	                                                        : TRACE_F_NONE;
	unsigned id;
	uint32_t n = 0;
	if (!verb.n || sv_isi(verb, "list"))
		return list_put(c->out);
	if (sv_isi(verb, "off") && (sv_isi(what, "all") || (!sv_u32(what, &n) && n)))
		return buf_adds(c->out, trace_filter_del(n) || !n ? "+OK\n" : "-ERR there is no such trace\n");
	if (kind == TRACE_F_NONE || !what.n)
		return buf_adds(c->out, trace_usage);
	if (kind == TRACE_F_GATEWAY && !gateway_find(what))
		return buf_adds(c->out, "-ERR there is no such gateway\n");
	int st = trace_filter_add(kind, what, call_id_of(what), &id);
	if (st)
		return buf_printf(c->out, "-ERR %s\n",
		    st == ST_PARSE  ? "this is no address and no network"
		    : st == ST_FULL ? "there are too many; `sofia trace off ID` ends one"
		                    : status_text(st));
	return buf_printf(c->out, "+OK trace %u is on\n", id);
}

/* ---- sofia ladder ---- */

int ladder_cmd_run(struct api_call *c, struct sv what, struct sv how)
{
	struct sv keys[2] = {what};
	const char *call_id = call_id_of(what);
	int st;
	if (!what.n)
		return buf_adds(c->out, "-ERR Usage: sofia ladder <uuid|Call-ID> [json]\n");
	if (call_id)
		keys[1] = sv_of(call_id);
	if (sv_isi(how, "json"))
		st = trace_ladder_json(c->out, keys, call_id ? 2 : 1, c->who != NULL);
	else
		st = trace_ladder_text(c->out, keys, call_id ? 2 : 1);
	return st == ST_OK         ? ST_OK
	       : st == ST_NOTFOUND ? buf_adds(c->out, "-ERR nothing of this call is kept\n")
	                           : buf_printf(c->out, "-ERR %s\n", status_text(st));
}
