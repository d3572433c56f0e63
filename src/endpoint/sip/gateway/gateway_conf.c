/* What a <gateway> says: its parameters as written, defaults filled in, and what follows from them: URIs, addresses,
 * times. Nothing here looks at other gateways. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "endpoint/sip/gateway/gateway_i.h"
#include "endpoint/sip/profile/profile_tls.h"
#include "text/digest.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define T(name, field, fallback) \
	{ \
		name, offsetof(struct gateway_conf, field), fallback \
	}
static const struct gw_param {
	const char *name;
	size_t at;
	const char *fallback; /* NULL: another name of one above, or "" by that one */
} params[] = {
    T("scheme", scheme, "Digest"),
    T("realm", realm, ""),
    T("username", username, ""),
    T("auth-username", auth_username, ""),
    T("password", password, ""),
    T("from-user", from_user, ""),
    T("from-domain", from_domain, ""),
    T("proxy", proxy, ""),
    T("register-proxy", register_proxy, ""),
    T("outbound-proxy", outbound_proxy, ""),
    T("extension", extension, ""),
    T("extension-in-contact", has_extension_in_contact, "false"),
    T("contact-host", contact_host, ""),
    T("contact-params", contact_params, ""),
    T("context", context, ""),
    T("destination-prefix", prefix, ""),
    T("register-transport", transport, "udp"),
    T("gw-auth-acl", auth_acl, ""),
    T("register", registers, "true"),
    T("caller-id-in-from", has_caller_id_in_from, "false"),
    T("contact-in-ping", has_contact_in_ping, "false"),
    T("distinct-to", has_distinct_to, "false"),
    T("expire-seconds", expire_s, "3600"),
    T("retry-seconds", retry_s, "30"),
    T("retry_seconds", retry_s, NULL),
    T("timeout-seconds", timeout_s, "60"),
    T("ping", ping_s, ""),
    T("ping-max", ping_max, "1"),
    T("ping-min", ping_min, "1"),
    T("register-proxy-port", register_port, ""),
    T("cid-type", cid_type, ""),
    T("redirecting-headers", redirecting_headers, ""),
    T("isup", isup, ""),
    T("ping-user-agent", ping_user_agent, ""),
    T("options-user-agent", ping_user_agent, NULL),
    T("ping-monitoring", tells_pings, "false"),
    T("rfc-5626", has_flows, "false"),
    T("reg-id", reg_id, "1"),
};
#undef T

static char **field_of(struct gateway_conf *c, const struct gw_param *p)
{
	return (char **)(void *)((char *)c + p->at);
}

static void text_set(char **field, const char *value)
{
	char *copy = mem_strdup(value);
	mem_free(*field);
	*field = copy;
}

void gateway_conf_free(struct gateway *g)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (params[i].fallback)
			mem_free(*field_of(&g->conf, &params[i]));
	mem_free(g->proxy_uri), mem_free(g->register_url), mem_free(g->from), mem_free(g->to);
	mem_free(g->contact), mem_free(g->register_route), mem_free(g->outbound_route), mem_free(g->service_route);
	mem_free(g->call_uri), mem_free(g->register_contact), mem_free(g->ping_uri);
	vars_free(g->vars_in);
	vars_free(g->vars_out);
}

/* ---- reading ---- */

bool gateway_param_is_known(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (!strcasecmp(params[i].name, name))
			return true;
	return false;
}

static void params_read(struct gateway *g, const struct xml_node *node)
{
	for (size_t i = 0; i < ARRAY_COUNT(params); i++)
		if (params[i].fallback)
			text_set(field_of(&g->conf, &params[i]), params[i].fallback);
	xml_each(node, "param", p)
	{
		const char *name = xml_attr_or(p, "name", ""), *value = xml_attr_or(p, "value", "");
		size_t i = 0;
		while (i < ARRAY_COUNT(params) && strcasecmp(params[i].name, name) != 0)
			i++;
		if (i == ARRAY_COUNT(params))
			log_debug("sofia: gateway %s: parameter %s (%s:%u) is not known", g->name, name,
			    p->file ? p->file : "", p->line);
		else if (!sip_is_value(sv_of(value)))
			log_warning("sofia: gateway %s: parameter %s has a line break", g->name, name);
		else
			text_set(field_of(&g->conf, &params[i]), value);
	}
}

static void vars_read(struct gateway *g, const struct xml_node *node)
{
	xml_each(xml_child(node, "variables"), "variable", v)
	{
		const char *name = xml_attr(v, "name"), *value = xml_attr_or(v, "value", "");
		const char *direction = xml_attr_or(v, "direction", "");
		if (!name || !*name)
			continue;
		if (strcasecmp(direction, "outbound") != 0)
			vars_set(g->vars_in, name, value);
		if (strcasecmp(direction, "inbound") != 0)
			vars_set(g->vars_out, name, value);
	}
}

static unsigned seconds_of(const char *text, unsigned least, unsigned otherwise)
{
	uint32_t n;
	return sv_u32(sv_of(text), &n) == ST_OK && n >= least ? n : otherwise;
}

static const char *without_scheme(const char *uri)
{
	return strncasecmp(uri, "sip:", 4) ? uri : uri + 4;
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	buf_init(&b);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	return buf_take(&b);
}

/* A proxy is an address to send to when it is numeric, a Route otherwise. */
static void proxy_read(const char *text, enum sip_transport transport, struct sip_dst *dst, char **route)
{
	struct sip_uri u;
	if (!*text)
		return;
	char *uri = format("sip:%s", without_scheme(text));
	if (uri && sip_uri_parse(&u, sv_of(uri)) == ST_OK) {
		enum sip_transport own = sip_uri_transport(&u);
		enum sip_transport t = own ? own : transport;
		if (addr_parse(&dst->addr, u.host, u.port ? u.port : sip_transport_facts(t)->default_port) == ST_OK)
			dst->transport = t;
		else
			*route = format("<%s%s>", uri, sip_uri_param(&u, "lr", NULL) ? "" : ";lr");
	}
	mem_free(uri);
}

/* RFC 5626 4.1: the same instance after every restart, and another one for each account. */
static ON_CTL char *flow_contact_make(const struct gateway *g)
{
	uint8_t md5[DIGEST_MD5_BYTES];
	char hex[DIGEST_HEX_CHARS(DIGEST_MD5_BYTES) + 1],
	    *text = format("%s/%s/%s", core_switchname(), g->p->conf.name, g->name);
	uint32_t id;
	if (sv_u32(sv_of(g->conf.reg_id), &id) < 0 || !id) {
		log_warning("sofia: gateway %s: reg-id %s is no number from 1; it is 1 now", g->name, g->conf.reg_id);
		id = 1;
	}
	if (!text)
		return NULL;
	digest_md5(text, strlen(text), md5);
	digest_hex(md5, sizeof(md5), hex);
	mem_free(text);
	return format("%s;reg-id=%u;+sip.instance=\"<urn:uuid:%.8s-%.4s-%.4s-%.4s-%.12s>\"", g->contact, id, hex,
	    hex + 8, hex + 12, hex + 16, hex + 20);
}

static ON_CTL char *contact_make(const struct gateway *g)
{
	const struct gateway_conf *c = &g->conf;
	const struct profile *p = g->p;
	const char *host = p->ext_sip_ip;
	enum sip_transport t = sip_transport_of(sv_of(c->transport));
	unsigned own_port = profile_tls_port(p, t);
	unsigned port = p->conf.ext_sip_port && t <= SIP_TCP ? p->conf.ext_sip_port : own_port;
	if (!strcasecmp(c->contact_host, "sip-ip"))
		host = p->sip_ip, port = own_port;
	else if (*c->contact_host)
		host = c->contact_host;
	bool is_v6 = strchr(host, ':') && *host != '[', is_exten = str_is_true(c->has_extension_in_contact);
	return format("<sip:%s%s@%s%s%s:%u%s%s;transport=%s;gw=%s>", is_exten ? "" : "gw+",
	    is_exten ? c->extension : g->name, is_v6 ? "[" : "", host, is_v6 ? "]" : "", port,
	    *c->contact_params ? ";" : "", c->contact_params, c->transport, g->name);
}

bool gateway_contact_remake(struct gateway *g)
{
	char *fresh = contact_make(g);
	bool is_new = fresh && strcmp(fresh, g->contact);
	if (is_new) {
		char *old = g->contact;
		g->contact = fresh, fresh = old;
	}
	mem_free(fresh);
	return is_new;
}

/* The proxy (taken) with that port where it names none. */
static char *with_port(char *proxy, const char *port)
{
	struct sip_uri u;
	char *uri = format("sip:%s", without_scheme(proxy)), *out = NULL;
	uint32_t n;
	if (uri && sv_u32(sv_of(port), &n) == ST_OK && n && n < 65536 && sip_uri_parse(&u, sv_of(uri)) == ST_OK &&
	    !u.port)
		out = format(u.is_ipv6 ? "[%.*s]:%u%s%.*s" : "%.*s:%u%s%.*s", SVF(u.host), n, u.params.n ? ";" : "",
		    SVF(u.params));
	mem_free(uri);
	if (!out)
		return proxy;
	mem_free(proxy);
	return out;
}

/* What follows from the parameters. ST_INVAL: something needed is missing; it is in the log. */
static ON_CTL int conf_finish(struct gateway *g)
{
	struct gateway_conf *c = &g->conf;
	struct sip_uri u;
	bool registers = str_is_true(c->registers);
	if (registers && (!*c->username || !*c->password)) {
		log_error(
		    "sofia: gateway %s: %s is required to register", g->name, *c->username ? "password" : "username");
		return ST_INVAL;
	}
	if (!*c->username)
		text_set(&c->username, "FreeSWITCH");
	g->has_realm = *c->realm;
	if (!g->has_realm)
		text_set(&c->realm, *c->proxy ? c->proxy : g->name);
	if (!*c->proxy)
		text_set(&c->proxy, c->realm);
	if (!*c->auth_username)
		text_set(&c->auth_username, c->username);
	if (!*c->from_user)
		text_set(&c->from_user, c->username);
	if (!*c->extension)
		text_set(&c->extension, c->username);
	if (!*c->context)
		text_set(&c->context, g->p->conf.context);
	if (*c->contact_params && !sip_is_uri_params(sv_of(c->contact_params))) {
		log_warning(
		    "sofia: gateway %s: contact-params %s is no list of parameters", g->name, c->contact_params);
		text_set(&c->contact_params, "");
	}
	enum sip_transport t = sip_transport_of(sv_of(c->transport));
	if (!sip_stack_has_transport(g->p->stack, t)) {
		log_warning(
		    "sofia: gateway %s: register-transport %s is not there; UDP is used", g->name, c->transport);
		text_set(&c->transport, "udp"), t = SIP_TRANSPORT_DEFAULT;
	}
	g->proxy_uri = format("sip:%s", without_scheme(c->proxy));
	bool is_default = t == SIP_TRANSPORT_DEFAULT;
	const char *domain = *c->from_domain ? c->from_domain : without_scheme(c->proxy);
	const char *name = is_default ? "" : ";transport=", *transport = sip_transport_facts(t)->param;
	g->from = format("<sip:%s@%s%s%s>", c->from_user, domain, name, is_default ? "" : transport);
	g->to = format("sip:%s@%s", c->username, without_scheme(c->proxy));
	g->ping_uri = format("<sip:%s>", domain);
	if (!g->proxy_uri || sip_uri_parse(&u, sv_of(g->proxy_uri)) < 0 || !u.host.n) {
		log_error("sofia: gateway %s: proxy %s is no address", g->name, c->proxy);
		return ST_INVAL;
	}
	bool says_transport = sip_uri_transport(&u) != SIP_TRANSPORT_NONE;
	g->call_uri = says_transport || is_default ? mem_strdup(g->proxy_uri)
	                                           : format("%s;transport=%s", g->proxy_uri, transport);
	g->register_url =
	    format("%s%s%s", g->proxy_uri, says_transport ? "" : ";transport=", says_transport ? "" : transport);
	if (!(g->contact = contact_make(g)))
		return ST_NOMEM;
	g->register_contact = str_is_true(c->has_flows) ? flow_contact_make(g) : mem_strdup(g->contact);
	if (*c->register_port && *c->register_proxy &&
	    !(c->register_proxy = with_port(c->register_proxy, c->register_port)))
		return ST_NOMEM;
	proxy_read(c->register_proxy, t, &g->register_dst, &g->register_route);
	proxy_read(c->outbound_proxy, t, &g->outbound_dst, &g->outbound_route);
	if (!*c->register_proxy)
		proxy_read(c->outbound_proxy, t, &g->register_dst, &g->register_route);
	g->granted_s = g->expire_s = seconds_of(c->expire_s, 5, 3600);
	g->retry_s = seconds_of(c->retry_s, 5, 30);
	g->timeout_s = seconds_of(c->timeout_s, 5, 60);
	if (*c->ping_s) {
		if (!(g->ping_freq_s = seconds_of(c->ping_s, 5, 0)))
			log_error("sofia: gateway %s: ping %s is under five seconds", g->name, c->ping_s);
	}
	if (g->ping_freq_s) {
		g->ping_max = seconds_of(c->ping_max, 1, 1);
		g->ping_min = seconds_of(c->ping_min, 1, 1);
		if (g->ping_min > g->ping_max) {
			log_warning("sofia: gateway %s: ping-min %u is above ping-max %u, which it becomes", g->name,
			    g->ping_min, g->ping_max);
			g->ping_min = g->ping_max;
		}
	}
	g->state = registers ? GW_UNREGED : GW_NOREG;
	g->is_up = !registers;
	return g->register_url && g->from && g->to && g->ping_uri && g->call_uri && g->register_contact ? ST_OK
	                                                                                                : ST_NOMEM;
}

int gateway_conf_read(struct gateway *g, const struct xml_node *node)
{
	if (vars_new(&g->vars_in) < 0 || vars_new(&g->vars_out) < 0)
		return ST_NOMEM;
	params_read(g, node);
	vars_read(g, node);
	return conf_finish(g);
}
