/* radius.conf: settings, servers, who may end calls, and which attributes are made from what and become what. Read at
 * the load into one struct; what is wrong is told with its place, and the module does not load with a server or client
 * that has no secret. Secrets are never logged. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/value/self.h"
#include "radius/radius_i.h"

#include <stdio.h>

struct rad_conf rad_conf;

static const char *file_of(const struct xml_node *node)
{
	return node->file ? node->file : "radius.conf";
}

static unsigned number(const struct xml_node *node, const char *name, unsigned otherwise, unsigned low, unsigned high)
{
	const char *text = config_param(node, name, "");
	char at[CONFIG_AT_CHARS];
	uint32_t n;
	if (!*text)
		return otherwise;
	if (sv_u32(sv_of(text), &n) || n < low || n > high) {
		log_warning("radius: %s%s \"%s\" is no number from %u to %u; it is %u", config_param_at(node, name, at),
		    name, text, low, high, otherwise);
		return otherwise;
	}
	return n;
}

static bool truth(const struct xml_node *node, const char *name, const char *otherwise)
{
	return str_is_true(config_param(node, name, otherwise));
}

static ON_CTL int address_read(const struct xml_node *s)
{
	const char *text = config_param(s, "nas-ip-address", "");
	char at[CONFIG_AT_CHARS];
	if (!*text)
		text = core_local_ip4();
	if (!strcmp(text, "none"))
		return ST_OK;
	if (addr_parse(&rad_conf.nas_ip, sv_of(text), 0)) {
		log_error(
		    "radius: %snas-ip-address \"%s\" is no address", config_param_at(s, "nas-ip-address", at), text);
		return ST_INVAL;
	}
	return ST_OK;
}

static ON_CTL unsigned vendors_read(const struct xml_node *s)
{
	struct sv rest = sv_of(config_param(s, "vendor-attributes", "cisco,freeswitch")), one;
	char at[CONFIG_AT_CHARS];
	unsigned vendors = 0;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		unsigned bit = sv_isi(one, "cisco")        ? RAD_VSA_CISCO
		               : sv_isi(one, "asterisk")   ? RAD_VSA_ASTERISK
		               : sv_isi(one, "freeswitch") ? RAD_VSA_FREESWITCH
		                                           : 0;
		if (!bit && one.n && !sv_isi(one, "none"))
			log_warning(
			    "radius: %svendor-attributes: \"%.*s\" is none of cisco, asterisk, freeswitch, none",
			    config_param_at(s, "vendor-attributes", at), SVF(one));
		vendors |= bit;
	}
	return vendors;
}

static ON_CTL int settings_read(const struct xml_node *s)
{
	const char *legs = config_param(s, "legs", "ab");
	char at[CONFIG_AT_CHARS];
	rad_conf.nas_identifier = mem_strdup(config_param(s, "nas-identifier", core_switchname()));
	rad_conf.bind_ip = mem_strdup(config_param(s, "bind-ip", "0.0.0.0"));
	rad_conf.default_password = mem_strdup(config_param(s, "default-password", ""));
	const char *digest = config_param(s, "digest-attributes", "rfc5090,sterman");
	rad_conf.has_sterman = strstr(digest, "sterman") != NULL;
	rad_conf.has_rfc5090 = !rad_conf.has_sterman || strstr(digest, "rfc5090");
	rad_conf.auth_timeout_us = clock_us_of_ms(number(s, "auth-timeout", 5000, 100, 60000));
	rad_conf.has_a = strchr(legs, 'a') != NULL;
	rad_conf.has_b = strchr(legs, 'b') != NULL;
	const char *start = config_param(s, "start-at", "setup");
	rad_conf.starts_at_setup = !strcmp(start, "setup");
	if (!rad_conf.starts_at_setup && strcmp(start, "answer") != 0)
		log_warning("radius: %sstart-at \"%s\" is neither setup nor answer; it is answer",
		    config_param_at(s, "start-at", at), start);
	if (!rad_conf.has_a && !rad_conf.has_b)
		log_warning("radius: %slegs \"%s\" has neither a nor b: there will be no records",
		    config_param_at(s, "legs", at), legs);
	rad_conf.has_unanswered = truth(s, "unanswered", "true");
	rad_conf.tells_switch = truth(s, "accounting-on", "false");
	rad_conf.interim_s = number(s, "interim-interval", 0, 0, 86400);
	rad_conf.interim_min_s = number(s, "interim-minimum", 60, 1, 86400);
	rad_conf.vendors = vendors_read(s);
	rad_conf.sockets_max = number(s, "sockets-max", 4, 1, RAD_SOCKETS_MAX);
	rad_conf.in_flight_max = number(s, "accounting-in-flight", 64, 1, 1024);
	rad_conf.spool_max_mb = number(s, "spool-max", 1024, 1, 1048576);
	rad_conf.spool_memory = number(s, "spool-memory", 20000, 1, 1000000);
	rad_conf.coa_ip = mem_strdup(config_param(s, "coa-ip", "127.0.0.1"));
	rad_conf.coa_port = number(s, "coa-port", 0, 0, 65535);
	rad_conf.window_s = number(s, "coa-window", 300, 1, 86400);
	rad_conf.needs_timestamp = truth(s, "coa-require-event-timestamp", "true");
	return address_read(s);
}

/* ---- attributes ----------------------------------------------------------------------------------------------- */
/* These are the protocol's own; they are put where they belong. */
static bool is_ours(const struct rad_dict *d)
{
	static const uint8_t types[] = {RAD_USER_PASSWORD, 3 /* CHAP */, RAD_STATE, RAD_PROXY_STATE,
	    RAD_ACCT_STATUS_TYPE, RAD_ACCT_DELAY_TIME, RAD_ACCT_SESSION_ID, RAD_EAP_MESSAGE, RAD_MESSAGE_AUTHENTICATOR};
	for (size_t i = 0; i < sizeof(types); i++)
		if (!d->vendor && d->type == types[i])
			return true;
	return false;
}

static ON_CTL void fields_read(struct rad_fields *f, const struct xml_node *node, const char *what, bool is_made)
{
	xml_each(node, "attribute", a)
	{
		const char *name = xml_attr_or(a, "name", ""), *text = xml_attr_or(a, what, "");
		struct rad_dict d;
		if (f->count == RAD_FIELDS_MAX)
			log_error("%s:%u: more than %d attributes; \"%s\" is left out", file_of(a), a->line,
			    RAD_FIELDS_MAX, name);
		else if (rad_dict_find(sv_of(name), &d))
			log_error("%s:%u: no attribute is called \"%s\" (Attr-25 and Attr-26.9.1 name any by number)",
			    file_of(a), a->line, name);
		else if (is_made && is_ours(&d))
			log_error("%s:%u: %s is not for the configuration to set", file_of(a), a->line, name);
		else if (!*text)
			log_error("%s:%u: attribute %s has no %s", file_of(a), a->line, name, what);
		else
			f->rows[f->count++] = (struct rad_field){d, mem_strdup(text)};
	}
}

static void fields_free(struct rad_fields *f)
{
	for (size_t i = 0; i < f->count; i++)
		mem_free(f->rows[i].text);
}

/* ---- servers and clients -------------------------------------------------------------------------------------- */
static ON_CTL int server_read(const struct xml_node *node)
{
	const char *name = xml_attr_or(node, "name", ""), *host = config_param(node, "host", ""),
	           *secret = config_param(node, "secret", "");
	uint16_t ports[RAD_KIND_COUNT] = {[RAD_AUTH] = (uint16_t)number(node, "auth-port", 1812, 0, 65535),
	    [RAD_ACCT] = (uint16_t)number(node, "acct-port", 1813, 0, 65535)};
	if (!*name || !*host || !*secret) {
		log_error("%s:%u: server \"%s\" has no %s", file_of(node), node->line, name,
		    !*name   ? "name"
		    : !*host ? "host"
		             : "secret");
		return ST_INVAL;
	}
	struct rad_server s = {.name = mem_strdup(name),
	    .host = mem_strdup(host),
	    .secret = mem_strdup(secret),
	    .timeout_us = clock_us_of_ms(number(node, "timeout", 1000, 20, 60000)),
	    .tries = number(node, "tries", 3, 1, 10),
	    .dead_us = clock_us_of_s(number(node, "dead-time", 30, 1, 3600)),
	    .probe_us = clock_us_of_ms(number(node, "probe-interval", 2000, 100, 60000)),
	    .has_status = truth(node, "status-server", "true"),
	    .needs_message_authenticator = truth(node, "require-message-authenticator", "true")};
	int st = rad_server_add(&s, ports);
	if (st) {
		log_error("%s:%u: server %s: %s", file_of(node), node->line, name, status_text(st));
		mem_free(s.name), mem_free(s.host), mem_free(s.secret);
	}
	return st;
}

static ON_CTL int client_read(const struct xml_node *node)
{
	const char *name = xml_attr_or(node, "name", ""), *cidr = config_param(node, "host", ""),
	           *secret = config_param(node, "secret", "");
	struct addr any = {.in4 = {.sin_family = AF_INET}};
	struct buf prefix;
	if (!*name || !*cidr || !*secret || rad_conf.client_count == RAD_CLIENTS_MAX) {
		log_error("%s:%u: client \"%s\" %s", file_of(node), node->line, name,
		    !*name     ? "has no name"
		    : !*cidr   ? "has no host"
		    : !*secret ? "has no secret"
		               : "is one too many");
		return ST_INVAL;
	}
	buf_init(&prefix);
	buf_printf(&prefix, "%s%s", cidr, strchr(cidr, '/') ? "" : strchr(cidr, ':') ? "/128" : "/32");
	if (addr_in_cidr(&any, buf_sv(&prefix)) < 0) {
		log_error(
		    "%s:%u: client %s: \"%s\" is no address and no prefix", file_of(node), node->line, name, cidr);
		buf_fini(&prefix);
		return ST_INVAL;
	}
	rad_conf.clients[rad_conf.client_count++] = (struct rad_client){.name = mem_strdup(name),
	    .secret = mem_strdup(secret),
	    .cidr = buf_take(&prefix),
	    .needs_message_authenticator = truth(node, "require-message-authenticator", "false")};
	return ST_OK;
}

int rad_conf_read(void)
{
	const struct xml_node *conf = config_conf("radius.conf");
	if (!conf) {
		log_error("radius: there is no radius.conf");
		return ST_NOTFOUND;
	}
	int st = settings_read(xml_child(conf, "settings"));
	xml_each(xml_child(conf, "servers"), "server", node) if (!st) st = server_read(node);
	xml_each(xml_child(conf, "clients"), "client", node) if (!st) st = client_read(node);
	fields_read(&rad_conf.request, xml_child(conf, "request"), "value", true);
	fields_read(&rad_conf.accounting, xml_child(conf, "accounting"), "value", true);
	fields_read(&rad_conf.reply, xml_child(conf, "reply"), "variable", false);
	if (!st && !rad_server_count())
		log_warning("radius.conf: there is no server");
	return st;
}

void rad_conf_free(void)
{
	for (size_t i = 0; i < rad_conf.client_count; i++) {
		struct rad_client *c = &rad_conf.clients[i];
		mem_free(c->name), mem_free(c->secret), mem_free(c->cidr);
	}
	fields_free(&rad_conf.request), fields_free(&rad_conf.accounting), fields_free(&rad_conf.reply);
	mem_free(rad_conf.nas_identifier), mem_free(rad_conf.bind_ip), mem_free(rad_conf.default_password);
	mem_free(rad_conf.coa_ip);
	memset(&rad_conf, 0, sizeof(rad_conf));
}
