/* `sofia status` and `sofia xmlstatus`: the list of profiles, one profile, its registrations. Rows of a profile are a
 * table of label, XML tag and a function that writes the value; both forms are printed from it. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/registry/api.h"
#include "core/value/self.h"
#include "endpoint/sip/module_i.h"
#include "text/json.h"
#include "text/xml.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char line[] =
    "=================================================================================================\n";

/* ---- one profile ---- */

static const char *or_na(const char *s)
{
	return s && *s ? s : "N/A";
}
static const char *truth(bool b)
{
	return b ? "true" : "false";
}

#define ROW(name) static void row_##name(const struct profile *p, struct buf *b)
ROW(name)
{
	buf_adds(b, p->conf.name);
}
ROW(domain)
{
	buf_adds(b, or_na(p->conf.domain_attr));
}
ROW(auto_nat)
{
	buf_adds(b, "false");
}
ROW(db)
{
	if (*p->conf.dbname)
		buf_adds(b, p->conf.dbname);
	else
		buf_printf(b, "sofia_reg_%s", p->conf.name);
}
ROW(pres_hosts)
{
	buf_adds(b, p->conf.presence_hosts);
}
ROW(dialplan)
{
	buf_adds(b, or_na(p->conf.dialplan));
}
ROW(context)
{
	buf_adds(b, or_na(p->conf.context));
}
ROW(realm)
{
	buf_adds(b, p->conf.challenge_realm);
}
ROW(rtp_ip)
{
	buf_adds(b, p->rtp_ip);
}
ROW(ext_rtp_ip)
{
	buf_adds(b, p->ext_rtp_ip);
}
ROW(sip_ip)
{
	buf_adds(b, p->sip_ip);
}
ROW(ext_sip_ip)
{
	buf_adds(b, *p->conf.ext_sip_ip ? p->ext_sip_ip : "");
}
ROW(url)
{
	buf_adds(b, p->url);
}
ROW(bind_url)
{
	buf_adds(b, p->bind_url);
}
ROW(tls_url)
{
	profile_tls_url_put(p, SIP_TLS, b);
}
ROW(tls_bind_url)
{
	profile_tls_bind_url_put(p, SIP_TLS, b);
}
ROW(ws_bind_url)
{
	profile_tls_bind_url_put(p, SIP_WS, b);
}
ROW(wss_bind_url)
{
	profile_tls_bind_url_put(p, SIP_WSS, b);
}
ROW(hold_music)
{
	buf_adds(b, or_na(p->conf.hold_music));
}
ROW(outbound_proxy)
{
	buf_adds(b, or_na(p->conf.outbound_proxy));
}
ROW(codecs_in)
{
	buf_adds(b, p->conf.inbound_codecs);
}
ROW(codecs_out)
{
	buf_adds(b, p->conf.outbound_codecs);
}
ROW(tel_event)
{
	buf_printf(b, "%u", p->conf.rfc2833_pt);
}
ROW(dtmf_mode)
{
	buf_adds(b, p->conf.dtmf_type);
}
ROW(cng)
{
	buf_printf(b, "%u", p->conf.cng_pt);
}
ROW(session_to)
{
	buf_printf(b, "%u", p->conf.session_timeout_s);
}
ROW(max_dialog)
{
	buf_printf(b, "%u", p->conf.max_proceeding);
}
ROW(max_rps)
{
	buf_printf(b, "%u", p->conf.max_rps);
}
ROW(nomedia)
{
	buf_adds(b, truth(p->conf.is_nomedia));
}
ROW(late_neg)
{
	buf_adds(b, truth(p->conf.is_late_negotiation));
}
ROW(proxy_media)
{
	buf_adds(b, truth(p->conf.is_proxy_media));
}
ROW(nat)
{
	buf_adds(b, truth(p->conf.is_aggressive_nat));
}
ROW(calls_in)
{
	buf_printf(b, "%" PRIu64, profile_calls_of(p)->in);
}
ROW(failed_in)
{
	buf_printf(b, "%" PRIu64, profile_calls_of(p)->failed_in);
}
ROW(calls_out)
{
	buf_printf(b, "%" PRIu64, profile_calls_of(p)->out);
}
ROW(failed_out)
{
	buf_printf(b, "%" PRIu64, profile_calls_of(p)->failed_out);
}
ROW(registrations)
{
	buf_printf(b, "%zu", reg_table_count(reg_table_of(p)));
}

struct row {
	const char *label, *tag;
	void (*put)(const struct profile *p, struct buf *b);
	enum sip_transport needs; /* shown where the profile listens there */
};
static const struct row text_rows[] = {
    {"Name", "name", row_name},
    {"Domain Name", "domain-name", row_domain},
    {"Auto-NAT", "auto-nat", row_auto_nat},
    {"DBName", "db-name", row_db},
    {"Pres Hosts", "pres-hosts", row_pres_hosts},
    {"Dialplan", "dialplan", row_dialplan},
    {"Context", "context", row_context},
    {"Challenge Realm", "challenge-realm", row_realm},
    {"RTP-IP", "rtp-ip", row_rtp_ip},
    {"Ext-RTP-IP", "ext-rtp-ip", row_ext_rtp_ip},
    {"SIP-IP", "sip-ip", row_sip_ip},
    {"Ext-SIP-IP", "ext-sip-ip", row_ext_sip_ip},
    {"URL", "url", row_url},
    {"BIND-URL", "bind-url", row_bind_url},
    {"TLS-URL", "tls-url", row_tls_url, SIP_TLS},
    {"TLS-BIND-URL", "tls-bind-url", row_tls_bind_url, SIP_TLS},
    {"WS-BIND-URL", "ws-bind-url", row_ws_bind_url, SIP_WS},
    {"WSS-BIND-URL", "wss-bind-url", row_wss_bind_url, SIP_WSS},
    {"HOLD-MUSIC", "hold-music", row_hold_music},
    {"OUTBOUND-PROXY", "outbound-proxy", row_outbound_proxy},
    {"CODECS IN", "inbound-codecs", row_codecs_in},
    {"CODECS OUT", "outbound-codecs", row_codecs_out},
    {"TEL-EVENT", "tel-event", row_tel_event},
    {"DTMF-MODE", "dtmf-mode", row_dtmf_mode},
    {"CNG", "cng", row_cng},
    {"SESSION-TO", "session-to", row_session_to},
    {"MAX-DIALOG", "max-dialog", row_max_dialog},
    {"MAX-RECV-RPS", "max-recv-rps", row_max_rps},
    {"NOMEDIA", "nomedia", row_nomedia},
    {"LATE-NEG", "late-neg", row_late_neg},
    {"PROXY-MEDIA", "proxy-media", row_proxy_media},
    {"AGGRESSIVENAT", "aggressive-nat", row_nat},
    {"CALLS-IN", "calls-in", row_calls_in},
    {"FAILED-CALLS-IN", "failed-calls-in", row_failed_in},
    {"CALLS-OUT", "calls-out", row_calls_out},
    {"FAILED-CALLS-OUT", "failed-calls-out", row_failed_out},
    {"REGISTRATIONS", "registrations", row_registrations},
};
/* The XML form has the counters in another order. */
static const char *const xml_tail[] = {"calls-in", "calls-out", "failed-calls-in", "failed-calls-out", "registrations"};
enum { ROWS = sizeof(text_rows) / sizeof(text_rows[0]), XML_HEAD_ROWS = ROWS - 5 };

/* Addresses of the outside are shown where the configuration gives them. */
static bool row_is_shown(const struct profile *p, const struct row *r)
{
	if (r->put == row_ext_rtp_ip || r->put == row_ext_sip_ip)
		return *(r->put == row_ext_rtp_ip ? p->conf.ext_rtp_ip : p->conf.ext_sip_ip);
	return r->needs == SIP_TRANSPORT_NONE || profile_tls_is_on(p, r->needs);
}

static void xml_row_put(const struct profile *p, const struct row *r, struct buf *out)
{
	struct buf v;
	if (!row_is_shown(p, r))
		return;
	buf_init(&v);
	r->put(p, &v);
	buf_printf(out, "    <%s>", r->tag);
	xml_escape(out, buf_sv(&v), false);
	buf_printf(out, "</%s>\n", r->tag);
	buf_fini(&v);
}

static void profile_text(const struct profile *p, struct buf *out)
{
	buf_adds(out, line);
	for (size_t i = 0; i < ROWS; i++) {
		if (!row_is_shown(p, &text_rows[i]))
			continue;
		/* FreeSWITCH has a blank less there */
		buf_printf(out, "%-*s\t", text_rows[i].needs == SIP_WS ? 16 : 17, text_rows[i].label);
		text_rows[i].put(p, out);
		buf_addc(out, '\n');
	}
}

static void profile_xml(const struct profile *p, struct buf *out)
{
	buf_adds(out, "  <profile-info>\n");
	for (size_t i = 0; i < XML_HEAD_ROWS; i++)
		xml_row_put(p, &text_rows[i], out);
	for (size_t k = 0; k < sizeof(xml_tail) / sizeof(xml_tail[0]); k++)
		for (size_t i = XML_HEAD_ROWS; i < ROWS; i++)
			if (!strcmp(text_rows[i].tag, xml_tail[k]))
				xml_row_put(p, &text_rows[i], out);
	buf_adds(out, "  </profile-info>\n");
}

/* ---- registrations ---- */

struct reg_print {
	struct buf *out;
	struct sv filter; /* "" = all */
	bool is_exact;    /* user@domain */
	bool is_xml;
	size_t count;
};

static bool reg_fits(const struct reg_print *pr, const struct reg *r)
{
	struct sv user, host;
	if (!pr->filter.n)
		return true;
	if (pr->is_exact || sv_find(pr->filter, '@') < pr->filter.n) {
		sv_split(pr->filter, '@', &user, &host);
		if (sv_is(user, r->user) && (!host.n || sv_isi(host, r->host)))
			return true;
	}
	if (pr->is_exact)
		return false;
	char text[256];
	snprintf(text, sizeof(text), "%.*s", SVF(pr->filter));
	return strstr(r->target, text) || !strcmp(r->call_id, text);
}

static void xml_field(struct buf *out, const char *tag, const char *value)
{
	buf_printf(out, "        <%s>", tag);
	xml_escape(out, sv_of(value), true); /* quotes too, as FreeSWITCH does here */
	buf_printf(out, "</%s>\n", tag);
}

static void reg_print(const struct reg *r, void *arg)
{
	struct reg_print *pr = arg;
	struct buf contact, status;
	char when[32], aor[512], port[12], ping_ms[32];
	const char *ping = r->is_unreachable ? "Unreachable" : "Reachable";
	struct tm tm;
	role_assert_ctl();
	if (!reg_fits(pr, r))
		return;
	time_t at = (time_t)r->expires_epoch_s;
	localtime_r(&at, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	int64_t left = r->expires_epoch_s - clock_wall_us() / 1000000;
	buf_init(&contact);
	buf_init(&status);
	reg_contact_text(r, &contact);
	char proto[8] = "";
	for (size_t i = 0; r->proto[i] && i + 1 < sizeof(proto); i++)
		proto[i] = (char)(r->proto[i] - 32);
	buf_printf(&status, "Registered(%s%s)(unknown) ", proto, r->is_nat ? "-NAT" : "");
	buf_printf(&status, pr->is_xml ? "exp(%s) expsecs(%" PRId64 ")" : "EXP(%s) EXPSECS(%" PRId64 ")", when,
	    left > 0 ? left : 0);
	snprintf(aor, sizeof(aor), "%s@%s", r->user, r->host);
	snprintf(port, sizeof(port), "%u", r->network_port);
	snprintf(ping_ms, sizeof(ping_ms), "%.2f", (double)r->ping_us / 1000);
	pr->count++;
	if (pr->is_xml) {
		buf_adds(pr->out, "    <registration>\n");
		xml_field(pr->out, "call-id", r->call_id);
		xml_field(pr->out, "user", aor);
		xml_field(pr->out, "contact", contact.p);
		xml_field(pr->out, "agent", r->agent);
		xml_field(pr->out, "status", status.p);
		xml_field(pr->out, "ping-status", ping);
		xml_field(pr->out, "ping-time", ping_ms);
		xml_field(pr->out, "host", core_hostname());
		xml_field(pr->out, "network-ip", r->network_ip);
		xml_field(pr->out, "network-port", port);
		xml_field(pr->out, "sip-auth-user", r->auth_user);
		xml_field(pr->out, "sip-auth-realm", r->auth_realm);
		xml_field(pr->out, "mwi-account", aor);
		buf_adds(pr->out, "    </registration>\n");
	} else {
		buf_printf(pr->out,
		    "Call-ID:    \t%s\nUser:       \t%s\nContact:    \t%s\nAgent:      \t%s\nStatus:     \t%s\n"
		    "Ping-Status:\t%s\nPing-Time:\t%s\nHost:       \t%s\nIP:         \t%s\nPort:       \t%s\n"
		    "Auth-User:  \t%s\nAuth-Realm: \t%s\nMWI-Account:\t%s\n\n",
		    r->call_id, aor, contact.p, r->agent, status.p, ping, ping_ms, core_hostname(), r->network_ip, port,
		    r->auth_user, r->auth_realm, aor);
	}
	buf_fini(&contact);
	buf_fini(&status);
}

static ON_CTL int regs_print(struct profile *p, struct buf *out, struct sv filter, bool is_exact, bool is_xml)
{
	struct reg_print pr = {out, filter, is_exact, is_xml, 0};
	if (is_xml)
		buf_adds(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n  <registrations>\n");
	else
		buf_printf(out, "\nRegistrations:\n%s", line);
	reg_table_each(reg_table_of(p), reg_print, &pr);
	return is_xml ? buf_adds(out, "  </registrations>\n</profile>\n")
	              : buf_printf(out, "Total items returned: %zu\n%s", pr.count, line);
}

/* ---- the list ---- */

struct entry {
	const char *name;
	struct profile *p;
	bool is_alias;
};
struct entries {
	struct entry *e;
	size_t n;
};

static void entry_add(struct entries *l, const char *name, struct profile *p, bool is_alias)
{
	struct entry *grown = mem_realloc(l->e, (l->n + 1) * sizeof(*grown));
	if (!grown)
		return;
	l->e = grown;
	grown[l->n++] = (struct entry){name, p, is_alias};
}

static void alias_found(struct profile *p, const char *alias, void *arg)
{
	entry_add(arg, alias, p, true);
}

static int entry_cmp(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* A profile has a line for each kind of door beside the first. */
static const enum sip_transport doors[] = {SIP_TLS, SIP_WS, SIP_WSS};

static ON_CTL void door_url_put(const struct profile *p, enum sip_transport t, struct buf *url)
{
	buf_clear(url);
	if (t == SIP_TLS)
		profile_tls_url_put(p, t, url);
	else
		profile_tls_bind_url_put(p, t, url);
}

/* The list as text has no line for WebSocket, as recorded. */
static ON_CTL void doors_text(const struct entry *e, struct buf *out)
{
	struct buf url;
	if (!profile_tls_is_on(e->p, SIP_TLS))
		return;
	buf_init(&url);
	door_url_put(e->p, SIP_TLS, &url);
	buf_printf(
	    out, "%25s\t%7s\t%42s\tRUNNING (%zu) (TLS)\n", e->name, "profile", url.p, profile_calls_of(e->p)->count);
	buf_fini(&url);
}

static ON_CTL void doors_xml(const struct entry *e, struct buf *out)
{
	struct buf url;
	buf_init(&url);
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		if (!profile_tls_is_on(e->p, doors[i]))
			continue;
		door_url_put(e->p, doors[i], &url);
		buf_adds(out, "<profile>\n<name>");
		xml_escape(out, sv_of(e->name), false);
		buf_adds(out, "</name>\n<type>profile</type>\n<data>");
		xml_escape(out, buf_sv(&url), false);
		buf_printf(out, "</data>\n<state>RUNNING (%zu) (%s)</state>\n</profile>\n",
		    profile_calls_of(e->p)->count, sip_transport_name(doors[i]));
	}
	buf_fini(&url);
}

static ON_CTL void list_text(const struct entries *l, struct buf *out)
{
	size_t profiles = 0, aliases = 0;
	buf_printf(out, "%25s\t%s\t%42s\t%s\n%s", "Name", "   Type", "Data", "State", line);
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->e[i];
		if (e->is_alias) {
			aliases++;
			buf_printf(out, "%25s\t%7s\t%42s\tALIASED\n", e->name, "alias", e->p->conf.name);
			continue;
		}
		profiles++;
		buf_printf(out, "%25s\t%7s\t%42s\tRUNNING (%zu)\n", e->name, "profile", e->p->url,
		    profile_calls_of(e->p)->count);
		doors_text(e, out);
		gateway_rows_put(e->p, out, false);
	}
	buf_printf(out, "%s%zu profile%s %zu alias%s\n", line, profiles, profiles == 1 ? "" : "s", aliases,
	    aliases == 1 ? "" : "es");
}

static ON_CTL void list_xml(const struct entries *l, struct buf *out)
{
	buf_adds(out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profiles>\n");
	for (size_t i = 0; i < l->n; i++) {
		const struct entry *e = &l->e[i];
		const char *tag = e->is_alias ? "alias" : "profile";
		buf_printf(out, "<%s>\n<name>", tag);
		xml_escape(out, sv_of(e->name), false);
		buf_printf(out, "</name>\n<type>%s</type>\n<data>", tag);
		xml_escape(out, sv_of(e->is_alias ? e->p->conf.name : e->p->url), false);
		if (e->is_alias)
			buf_adds(out, "</data>\n<state>ALIASED</state>\n</alias>\n");
		else
			buf_printf(
			    out, "</data>\n<state>RUNNING (%zu)</state>\n</profile>\n", profile_calls_of(e->p)->count);
		if (!e->is_alias) {
			doors_xml(e, out);
			gateway_rows_put(e->p, out, true);
		}
	}
	buf_adds(out, "</profiles>\n");
}

/* ---- the list as JSON: what each profile is, its gateways, and the first rows of its status ---- */

static ON_CTL void json_info(struct json_writer *w, const struct entry *e)
{
	struct buf v;
	buf_init(&v);
	jw_key(w, "info");
	jw_begin_object(w);
	for (size_t i = 1; i < ROWS; i++) { /* without the name */
		const struct row *r = &text_rows[i];
		if (!row_is_shown(e->p, r) && r->put != row_ext_sip_ip) /* that one is there, and empty */
			continue;
		buf_clear(&v);
		r->put(e->p, &v);
		jw_key(w, r->tag);
		if (r->put == row_rtp_ip)
			jw_begin_array(w);
		jw_sv(w, buf_sv(&v));
		if (r->put == row_rtp_ip)
			jw_end_array(w);
		if (r->put == row_domain && e->is_alias)
			jw_kv_str(w, "alias-of", e->p->conf.name);
		if (r->put == row_outbound_proxy)
			break;
	}
	jw_end_object(w);
	buf_fini(&v);
}

static ON_CTL void json_entry(struct json_writer *w, const struct entry *e)
{
	struct lnode *it, *tmp;
	jw_key(w, e->name);
	jw_begin_object(w);
	jw_key(w, "status");
	jw_begin_object(w);
	jw_kv_str(w, "type", e->is_alias ? "alias" : "profile");
	if (e->is_alias) {
		jw_kv_str(w, "data", e->p->conf.name);
		jw_kv_str(w, "state", "ALIASED");
	} else {
		jw_kv_str(w, "state", "RUNNING");
		jw_kv_int(w, "in-use", (int64_t)profile_calls_of(e->p)->count);
		jw_kv_str(w, "data", e->p->url);
	}
	jw_end_object(w);
	if (!e->is_alias && !list_empty(gateways_of(e->p))) {
		jw_key(w, "gateways");
		jw_begin_object(w);
		list_each (gateways_of(e->p), it, tmp) {
			const struct gateway *g = list_entry(it, struct gateway, link);
			jw_key(w, g->name);
			jw_begin_object(w);
			jw_kv_str(w, "type", "gateway");
			jw_kv_str(w, "data", g->to);
			jw_kv_str(w, "state", gateway_state_name(g->state));
			jw_end_object(w);
		}
		jw_end_object(w);
	}
	json_info(w, e);
	jw_end_object(w);
}

static ON_CTL void list_json(const struct entries *l, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out, true);
	jw_begin_object(&w);
	jw_key(&w, "profiles");
	jw_begin_object(&w);
	for (size_t i = 0; i < l->n; i++)
		json_entry(&w, &l->e[i]);
	jw_end_object(&w);
	jw_end_object(&w);
	buf_addc(out, '\n');
}

static ON_CTL int list_print(struct buf *out, void (*put)(const struct entries *l, struct buf *out))
{
	struct entries l = {0};
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p)) {
		entry_add(&l, p->conf.name, p, false);
		profile_each_alias(p, alias_found, &l);
	}
	if (l.n)
		qsort(l.e, l.n, sizeof(*l.e), entry_cmp);
	put(&l, out);
	mem_free(l.e);
	return ST_OK;
}

/* ---- the command ---- */

static struct sv word(struct sv *rest)
{
	struct sv one;
	*rest = sv_trim(*rest);
	sv_split(*rest, ' ', &one, rest);
	return one;
}

int jsonstatus_cmd(struct api_call *c)
{
	role_assert_ctl();
	return list_print(c->out, list_json);
}

int status_cmd(struct api_call *c, struct sv args, bool is_xml)
{
	struct sv kind = word(&args), name = word(&args), what = word(&args);
	if (!kind.n)
		return list_print(c->out, is_xml ? list_xml : list_text);
	if (sv_isi(kind, "gateway"))
		return gateway_status(c->out, name, is_xml);
	if (!sv_isi(kind, "profile"))
		return buf_adds(c->out, "Invalid Syntax!\n");
	struct profile *p = name.n ? profile_find(name) : NULL;
	if (!p)
		return buf_adds(c->out, "Invalid Profile!\n");
	if (sv_isi(what, "reg"))
		return regs_print(p, c->out, word(&args), false, is_xml);
	if (sv_isi(what, "user") && sv_trim(args).n)
		return regs_print(p, c->out, word(&args), true, is_xml);
	if (!is_xml) {
		profile_text(p, c->out);
		return ST_OK;
	}
	buf_adds(c->out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<profile>\n");
	profile_xml(p, c->out);
	return buf_adds(c->out, "</profile>\n");
}
