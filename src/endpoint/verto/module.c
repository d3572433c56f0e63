/* mod_verto: profiles, commands, tables. */
#include "core/registry/module.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/registry/endpoint.h"
#include "core/value/self.h"
#include "endpoint/verto/verto_i.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct verto_profile *verto_profiles;

static const struct conf_desc confs[] = {
    {"verto.conf", "detach-timeout-sec", "number", "s", "120", "a call whose client is gone waits so long for it"},
    {"verto.conf", "max-connections", "number", NULL, "20000", "in all"},
    {"verto.conf", "max-connections-per-address", "number", NULL, "500", "of one address"},
    {"verto.conf", "profiles/profile", "name", "", "", "addresses that clients come to, and what they get"},
    {"verto.conf", "profiles/profile/apply-candidate-acl", "list", NULL, "wan.auto",
        "media goes to these addresses only"},
    {"verto.conf", "profiles/profile/auto-jitterbuffer-msec", "text", NULL, "", "as jitterbuffer_msec"},
    {"verto.conf", "profiles/profile/bind-local", "address", NULL, "", "address:port; with secure=\"true\" over TLS"},
    {"verto.conf", "profiles/profile/blind-reg", "bool", NULL, "false", "whoever is in no directory may come, too"},
    {"verto.conf", "profiles/profile/context", "text", NULL, "public",
        "of users without a user_context or verto-context"},
    {"verto.conf", "profiles/profile/dialplan", "text", NULL, "XML", "of users without a verto-dialplan"},
    {"verto.conf", "profiles/profile/ext-rtp-ip", "address", NULL, "rtp-ip", "named in SDP"},
    {"verto.conf", "profiles/profile/force-register-domain", "text", NULL, "", "the domain of every login"},
    {"verto.conf", "profiles/profile/inbound-codec-string", "list", NULL, "opus,PCMU,PCMA", "of calls from clients"},
    {"verto.conf", "profiles/profile/local-network", "list", NULL, "localnet.auto",
        "addresses that are told rtp-ip, not ext-rtp-ip"},
    {"verto.conf", "profiles/profile/outbound-codec-string", "list", NULL, "opus,PCMU,PCMA", "of calls to clients"},
    {"verto.conf", "profiles/profile/rtp-ip", "address", NULL, "", "media is sent and received here"},
    {"verto.conf", "profiles/profile/secure-combined", "file", NULL, "wss.pem",
        "certificate and key of the TLS addresses"},
    {"verto.conf", "profiles/profile/secure-key", "file", NULL, "", "the key, when it is in a file of its own"},
    {"verto.conf", "profiles/profile/userauth", "bool", NULL, "true", "false: no password is asked for"},
    {"verto.conf", "ws-origins", "list", NULL, "", "pages of these origins may connect; empty: all"},
    {NULL},
};

const char *verto_param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("verto.conf"), "settings"), name, d->fallback);
	return "";
}

/* ---- profiles ------------------------------------------------------------------------------------------------ */

static ON_CTL void profile_free(struct verto_profile *p)
{
	for (unsigned i = 0; i < p->bind_count; i++)
		verto_bind_close(&p->binds[i]);
	char *const texts[] = {p->name, p->rtp_host, p->advertise_host, p->inbound_codecs, p->outbound_codecs,
	    p->context, p->dialplan, p->force_domain, p->candidate_acl, p->local_acl, p->jitterbuffer};
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		mem_free(texts[i]);
	mem_free(p);
}

static char *text_of(const struct xml_node *x, const char *name, const char *otherwise)
{
	const char *v = config_param(x, name, otherwise);
	return v && *v ? mem_strdup(v) : NULL;
}

static ON_CTL void binds_open(struct verto_profile *p, const struct xml_node *x)
{
	char path[600];
	const char *combined = config_param(x, "secure-combined", ""), *certs = globals_get("certs_dir");
	if (!*combined) {
		snprintf(path, sizeof(path), "%s/wss.pem", certs ? certs : ".");
		combined = path;
	}
	const char *key = config_param(x, "secure-key", "");
	const struct tls_conf tls = {.name = p->name, .cert_path = combined, .key_path = *key ? key : NULL};
	xml_each(x, "param", b)
	{
		if (strcasecmp(xml_attr_or(b, "name", ""), "bind-local") != 0)
			continue;
		bool is_secure = str_is_true(xml_attr_or(b, "secure", ""));
		(void)verto_bind_open(p, xml_attr_or(b, "value", ""), is_secure ? &tls : NULL);
	}
}

static ON_CTL void profile_open(const struct xml_node *x)
{
	struct verto_profile *p = mem_zalloc(sizeof(*p)), **tail = &verto_profiles;
	const char *rtp = config_param(x, "rtp-ip", ""), *own = globals_get("local_ip_v4");
	if (!p)
		return;
	p->name = mem_strdup(xml_attr_or(x, "name", ""));
	p->rtp_host = mem_strdup(*rtp ? rtp : own ? own : "127.0.0.1");
	p->advertise_host = text_of(x, "ext-rtp-ip", "");
	p->inbound_codecs = text_of(x, "inbound-codec-string", "opus,PCMU,PCMA");
	p->outbound_codecs = text_of(x, "outbound-codec-string", "opus,PCMU,PCMA");
	p->context = text_of(x, "context", "public");
	p->dialplan = text_of(x, "dialplan", "XML");
	p->force_domain = text_of(x, "force-register-domain", "");
	p->candidate_acl = text_of(x, "apply-candidate-acl", "");
	p->local_acl = text_of(x, "local-network", "");
	p->jitterbuffer = text_of(x, "auto-jitterbuffer-msec", "");
	p->wants_password = str_is_true(config_param(x, "userauth", "true"));
	p->is_blind = str_is_true(config_param(x, "blind-reg", "false"));
	if (!p->name || !*p->name || !p->rtp_host || !p->inbound_codecs || !p->outbound_codecs || !p->context ||
	    !p->dialplan) {
		log_error("%s:%u: a profile needs a name", x->file ? x->file : "verto.conf", x->line);
		profile_free(p);
		return;
	}
	binds_open(p, x);
	while (*tail)
		tail = &(*tail)->next;
	*tail = p;
}

/* ---- commands ------------------------------------------------------------------------------------------------ */

static const char usage[] = "USAGE:\n--------------------------------------------------------------------------------\n"
                            "verto [status|xmlstatus]\nverto help\n"
                            "--------------------------------------------------------------------------------\n";
static const char line80[] =
    "=================================================================================================\n";

static ON_CTL size_t clients_each(void (*fn)(struct verto_line *l, struct buf *out), struct buf *out)
{
	struct lnode *n, *tmp;
	size_t count = 0;
	list_each (&verto_lines, n, tmp) {
		struct verto_line *l = list_entry(n, struct verto_line, link);
		if (!l->is_authed)
			continue;
		fn(l, out);
		count++;
	}
	return count;
}

static void row_print(struct verto_line *l, struct buf *out)
{
	char name[400];
	role_assert_ctl();
	snprintf(name, sizeof(name), "%.100s::%.100s@%.100s", l->profile->name, l->user, l->domain);
	buf_printf(out, "%25s\t%s\t%40s\t%s (%s)\n", name, " client", l->peer, "CONN_REG", l->is_secure ? "WSS" : "WS");
}

static ON_CTL void status_print(struct buf *out)
{
	size_t profiles = 0;
	buf_printf(out, "%s\t   %s\t%40s\t%s\n%s", "Name", "Type", "Data", "State", line80);
	for (const struct verto_profile *p = verto_profiles; p; p = p->next) {
		for (unsigned i = 0; i < p->bind_count; i++) {
			char data[ADDR_TEXT_MAX + 8];
			snprintf(data, sizeof(data), "%s:%s", p->binds[i].is_secure ? "wss" : "ws", p->binds[i].name);
			buf_printf(out, "%25s\t%s\t%40s\t%s\n", p->name, "profile", data, "RUNNING");
		}
		profiles++;
	}
	size_t clients = clients_each(row_print, out);
	buf_printf(out, "%s%zu profile%s , %zu client%s\n", line80, profiles, profiles == 1 ? "" : "s", clients,
	    clients == 1 ? "" : "s");
}

static ON_CTL void xml_put(struct buf *out, const char *tag, const char *text)
{
	buf_printf(out, "<%s>", tag);
	(void)xml_escape(out, sv_of(text), false);
	buf_printf(out, "</%s>\n", tag);
}

static void xml_client(struct verto_line *l, struct buf *out)
{
	char name[300];
	role_assert_ctl();
	snprintf(name, sizeof(name), "%.100s@%.100s", l->user, l->domain);
	buf_adds(out, "<client>\n");
	xml_put(out, "profile", l->profile->name);
	xml_put(out, "name", name);
	xml_put(out, "type", "client");
	xml_put(out, "data", l->peer);
	xml_put(out, "state", l->is_secure ? "CONN_REG (WSS)" : "CONN_REG (WS)");
	buf_adds(out, "</client>\n");
}

static ON_CTL void xml_print(struct buf *out)
{
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n");
	for (const struct verto_profile *p = verto_profiles; p; p = p->next) {
		for (unsigned i = 0; i < p->bind_count; i++) {
			char data[ADDR_TEXT_MAX + 8];
			snprintf(data, sizeof(data), "%s:%s", p->binds[i].is_secure ? "wss" : "ws", p->binds[i].name);
			buf_adds(out, "<profile>\n");
			xml_put(out, "name", p->name);
			xml_put(out, "type", "profile");
			xml_put(out, "data", data);
			xml_put(out, "state", "RUNNING");
			buf_adds(out, "</profile>\n");
		}
	}
	(void)clients_each(xml_client, out);
	buf_adds(out, "</profiles>\n");
}

int api_verto(struct api_call *c)
{
	role_assert_ctl();
	if (!strcasecmp(c->args, "status"))
		status_print(c->out);
	else if (!strcasecmp(c->args, "xmlstatus"))
		xml_print(c->out);
	else
		buf_adds(c->out, usage);
	return ST_OK;
}

/* The dial string of a user's clients. */
int api_verto_contact(struct api_call *c)
{
	struct lnode *n, *tmp;
	struct sv user, domain;
	bool has_any = false;
	role_assert_ctl();
	sv_split(sv_of(c->args), '@', &user, &domain);
	c->is_reply_text = true; /* session ids are hexadecimal */
	list_each (&verto_lines, n, tmp) {
		struct verto_line *l = list_entry(n, struct verto_line, link);
		if (!l->is_authed || !sv_is(user, l->user) || (domain.n && !sv_isi(domain, l->domain)))
			continue;
		buf_printf(c->out, "%sverto.rtc/u:%s", has_any ? "," : "", l->sessid);
		has_any = true;
	}
	if (!has_any)
		buf_adds(c->out, "error/user_not_registered");
	return ST_OK;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static int load(void)
{
	role_assert_ctl();
	int st = verto_calls_start();
	if (!st)
		st = verto_login_start();
	if (!st)
		st = verto_conn_start();
	if (!st)
		st = verto_channel_start();
	if (st)
		return st;
	xml_each(xml_child(config_conf("verto.conf"), "profiles"), "profile", x) profile_open(x);
	if (!verto_profiles)
		log_warning("verto: verto.conf has no profile");
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	if (verto_call_count())
		return ST_BUSY;
	verto_channel_stop();
	verto_conn_stop();
	verto_login_stop();
	verto_calls_stop();
	while (verto_profiles) {
		struct verto_profile *p = verto_profiles;
		verto_profiles = p->next;
		profile_free(p);
	}
	return ST_OK;
}

static const char *const complete[] = {"verto help", "verto status", "verto xmlstatus", NULL};
static const struct api_desc apis[] = {
    {"verto", "Verto API", "[status|xmlstatus]", 0, api_verto, complete},
    {"verto_contact", "Generate a verto endpoint dialstring", "user@domain", 0, api_verto_contact, NULL},
    {NULL},
};
static const struct endpoint_ops *const endpoints[] = {&verto_ops, NULL};
static const struct var_desc vars[] = {
    {"event_channel_cookie", "text", "the session's id", false, true},
    {"jsock_uuid_str", "text", "the session's id", false, true},
    {"verto_client_address", "text", "where the client is connected from", false, true},
    {"verto_dvar_*", "text", "userVariables of the call, as the page gave them", false, true},
    {"verto_h_*", "text", "told to the client with an invitation, media and an answer", true, false},
    {"verto_host", "text", "domain of the client's user", false, true},
    {"verto_profile_name", "text", "the profile it is connected to", false, true},
    {"verto_remote_caller_id_name", "text", "whom the page says it calls", false, true},
    {"verto_remote_caller_id_number", "text", "and his number", false, true},
    {"verto_svar_*", "text", "userVariables of the login, as the page gave them", false, true},
    {"verto_user", "text", "the client's user", false, true},
    {NULL},
};
extern const struct module mod_verto;
const struct module mod_verto = {.abi = MODULE_ABI,
    .name = "mod_verto",
    .load = load,
    .unload = unload,
    .apis = apis,
    .endpoints = endpoints,
    .vars = vars,
    .confs = confs};
