/* A profile while it runs: addresses resolved, stack and sockets opened, names it answers for; the list of running
 * profiles; start and stop. A profile that cannot bind is one line in the log and the others go on. What it serves is
 * its parts' and its hooks' affair. */
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/sound/media.h"
#include "core/value/self.h"
#include "endpoint/sip/profile/profile_i.h"
#include "text/xml.h"
#include "trace/trace.h"

#include <string.h>
#include <strings.h>

/* What is there, and what is there besides it. */
#define ALLOW_TEXT(rel, presence) \
	"INVITE, ACK, BYE, CANCEL, OPTIONS, MESSAGE, INFO, UPDATE, REGISTER, REFER, " rel "NOTIFY" presence
static const char *const allow_texts[2][2] = {
    {ALLOW_TEXT("", ""), ALLOW_TEXT("", ", PUBLISH, SUBSCRIBE")},
    {ALLOW_TEXT("PRACK, ", ""), ALLOW_TEXT("PRACK, ", ", PUBLISH, SUBSCRIBE")},
};

static struct {
	const struct profile_hooks *hooks;
	struct list running; /* by name as FreeSWITCH lists them */
	bool is_tracing;     /* all of them */
	bool is_capturing;
} profiles = {.running = {{&profiles.running.head, &profiles.running.head}}};

void profiles_init(const struct profile_hooks *h)
{
	profiles.hooks = h;
}

static void profile_dtor(void *obj)
{
	struct profile *p = obj;
	digest_server_free(p->digest);
	hash_free(p->failures);
	hash_free(p->default_password_told);
	mem_free(p->sip_ip), mem_free(p->rtp_ip), mem_free(p->ext_sip_ip), mem_free(p->ext_rtp_ip);
	mem_free(p->url), mem_free(p->bind_url);
	mem_free(p->part_block);
	profile_conf_fini(&p->conf);
}

/* "1.2.3.4", "::1", "auto", "" and the forms that need the network's help, of which the text after the colon is taken
 * when it is an address. */
static ON_CTL char *ip_resolve(const struct profile *p, const char *what, const char *text, const char *otherwise)
{
	struct addr a;
	char host[ADDR_TEXT_MAX];
	const char *colon = strchr(text, ':');
	if (!*text || !strcasecmp(text, "auto") || profile_ext_is_asked(text)) /* that is known later */
		return mem_strdup(otherwise);
	if (addr_parse(&a, sv_of(text), 0) == ST_OK ||
	    (colon && !strncasecmp(text, "autonat:", 8) && addr_parse(&a, sv_of(colon + 1), 0) == ST_OK))
		return mem_strdup(addr_host(&a, host));
	log_warning("sofia: profile %s: %s \"%s\" is no address; %s is used", p->conf.name, what, text, otherwise);
	return mem_strdup(otherwise);
}

static bool is_v6(const char *host)
{
	return strchr(host, ':') != NULL;
}

void profile_urls_make(struct profile *p)
{
	struct buf b;
	mem_free(p->url), mem_free(p->bind_url);
	const char *host = p->ext_sip_ip, *l = is_v6(host) ? "[" : "", *r = *l ? "]" : "";
	unsigned port = p->conf.ext_sip_port ? p->conf.ext_sip_port : addr_port(&p->sip_addr);
	buf_init(&b);
	buf_printf(&b, "sip:%s@%s%s%s:%u", p->conf.contact_user, l, host, r, port);
	p->url = buf_take(&b);
	buf_init(&b);
	l = is_v6(p->sip_ip) ? "[" : "", r = *l ? "]" : "";
	buf_adds(&b, p->url);
	if (*p->conf.ext_sip_ip)
		buf_printf(&b, ";maddr=%s%s%s", l, p->sip_ip, r);
	buf_printf(&b, ";transport=%s", p->has_udp && p->has_tcp ? "udp,tcp" : p->has_tcp ? "tcp" : "udp");
	p->bind_url = buf_take(&b);
}

static ON_CTL int listen_on(struct profile *p)
{
	struct addr bind;
	char text[ADDR_TEXT_MAX];
	struct sv params = sv_of(p->conf.bind_params), transports;
	bool wants_udp = true, wants_tcp = true;
	if (addr_parse(&bind, sv_of(p->sip_ip), (uint16_t)p->conf.sip_port) < 0)
		return ST_INVAL;
	if (sip_param_get(params, ';', "transport", &transports) && transports.n) {
		struct sv one;
		wants_udp = wants_tcp = false;
		while (transports.n) {
			sv_split(transports, ',', &one, &transports);
			wants_udp |= sv_isi(one, "udp");
			wants_tcp |= sv_isi(one, "tcp");
		}
	}
	p->sip_addr = bind;
	wants_udp &= !p->conf.is_tls_only, wants_tcp &= !p->conf.is_tls_only;
	int st = ST_OK;
	if (wants_udp && (st = sip_stack_listen(p->stack, SIP_UDP, &bind, &p->sip_addr)) < 0)
		goto done;
	p->has_udp = wants_udp;
	if (wants_tcp &&
	    (st = sip_stack_listen(p->stack, SIP_TCP, &p->sip_addr, p->has_udp ? NULL : &p->sip_addr)) == ST_OK)
		p->has_tcp = true;
	else if (wants_tcp && p->has_udp) {
		log_warning("sofia: profile %s: no TCP on %s (%s)", p->conf.name, addr_text(&p->sip_addr, text),
		    status_text(st));
		st = ST_OK;
	}
done:
	if (st < 0 && is_v6(p->sip_ip) && !addr_is_loopback(&bind))
		log_warning("sofia: profile %s: %s: %s; without IPv6 it stays off", p->conf.name,
		    addr_text(&bind, text), status_text(st));
	else if (st < 0)
		log_error(
		    "sofia: profile %s cannot listen on %s: %s", p->conf.name, addr_text(&bind, text), status_text(st));
	return st;
}

static bool is_outside(struct sip_stack *s, const struct addr *dst, void *arg)
{
	role_assert_ctl();
	return profile_is_outside(arg, dst);
}

static const char *supported_text(const struct profile_conf *c)
{
	if (c->has_100rel)
		return c->has_timer ? "100rel, timer, path, replaces" : "100rel, path, replaces";
	return c->has_timer ? "timer, path, replaces" : "path, replaces";
}

static ON_CTL int stack_open(struct profile *p)
{
	const struct profile_conf *c = &p->conf;
	bool has_own_rport;
	(void)profile_conf_rport(c, &has_own_rport);
	struct sip_stack_config cfg = {.user_agent = *c->user_agent ? c->user_agent : "Tandem/" TANDEM_VERSION,
	    .allow = allow_texts[c->has_100rel][profile_conf_has_presence(c)],
	    .allow_events = !profile_conf_has_presence(c) ? NULL
	                    : c->has_shared_lines
	                        ? "presence, dialog, message-summary, sla, include-session-description, refer, "
	                          "call-info, line-seize"
	                        : "presence, dialog, message-summary, sla, include-session-description, refer",
	    .supported = supported_text(c),
	    .contact_user = c->contact_user,
	    .external_host = strcmp(p->ext_sip_ip, p->sip_ip) ? p->ext_sip_ip : NULL,
	    .external_port = (uint16_t)c->ext_sip_port,
	    .t1_ms = (int)c->t1_ms,
	    .t2_ms = (int)c->t2_ms,
	    .t4_ms = (int)c->t4_ms,
	    .timer_b_ms = (int)c->t1x64_ms,
	    .max_transactions_per_host = c->max_transactions_per_host,
	    .answer_factor = c->udp_answer_factor < 100 ? c->udp_answer_factor : 100,
	    .overload_ms = (int)(c->overload_ms < 60000 ? c->overload_ms : 60000),
	    .max_conns = c->tcp_max_conns,
	    .max_conns_per_host = c->tcp_max_conns_per_host,
	    .conn_message_ms = (int)clock_ms_of_s(c->tcp_message_s < 3600 ? c->tcp_message_s : 3600),
	    .max_conn_bytes = c->tcp_max_bytes,
	    .max_conn_bytes_per_host = c->tcp_max_bytes_per_host,
	    .max_stranger_bytes = c->tcp_stranger_bytes,
	    .has_tls = c->has_tls || *c->wss_binding,
	    .tls_connect_ms = (int)(c->tls_connect_ms < 600000 ? c->tls_connect_ms : 600000),
	    .ws_origins = c->ws_origins,
	    .has_no_naptr = c->has_no_naptr,
	    .has_no_srv = c->has_no_srv,
	    .has_no_503_failover = c->has_no_srv_503,
	    .udp_max_bytes = c->udp_max_bytes,
	    .rport = profile_conf_rport(c, &has_own_rport),
	    .has_no_own_rport = !has_own_rport,
	    .conn_ping_ms = (int)(c->tcp_keepalive_ms < 86400000 ? c->tcp_keepalive_ms : 86400000),
	    .conn_pong_ms = (int)(c->tcp_pong_ms < 86400000 ? c->tcp_pong_ms : 86400000)};
	struct sip_stack_handlers h = {.on_request = profiles.hooks->on_request,
	    .on_conn_closed = profiles.hooks->on_conn_closed,
	    .is_outside = is_outside,
	    .on_trace = trace_in,
	    .is_barred = border_is_barred,
	    .is_unwanted = border_is_unwanted,
	    .on_overload = border_on_overload};
	struct digest_config d = {.nonce_life_us = clock_us_of_s(c->nonce_ttl_s),
	    .nonce_max_uses = c->max_auth_validity,
	    .accepts_no_qop = true};
	int st = digest_server_new(&p->digest, &d);
	if (!st)
		st = sip_stack_new(&p->stack, &cfg, &h, p);
	if (!st)
		border_filters_set(p);
	return st;
}

static ON_CTL void list_sorted(struct profile *p)
{
	struct lnode *it, *tmp;
	list_each (&profiles.running, it, tmp) {
		if (strcmp(list_entry(it, struct profile, link)->conf.name, p->conf.name) > 0)
			break;
	}
	list_insert(&p->link, it->prev, it);
}

/* ---- parts ---- */

static size_t part_bytes(const struct profile_part *part)
{
	return (part->slot->bytes + 15) & ~(size_t)15;
}

static ON_CTL int parts_open(struct profile *p)
{
	const struct profile_part *const *parts = profiles.hooks->parts;
	size_t bytes = 0;
	for (size_t i = 0; parts[i]; i++)
		bytes += part_bytes(parts[i]);
	if (!(p->part_block = mem_zalloc(bytes + 1)))
		return ST_NOMEM;
	char *at = p->part_block;
	for (size_t i = 0; parts[i]; i++) {
		CHECK(i < PROFILE_PARTS_MAX);
		p->parts[i] = at;
		at += part_bytes(parts[i]);
		int st = parts[i]->open ? parts[i]->open(p, p->parts[i]) : ST_OK;
		if (st < 0)
			return st;
	}
	return ST_OK;
}

static ON_CTL void parts_start(struct profile *p)
{
	const struct profile_part *const *parts = profiles.hooks->parts;
	for (size_t i = 0; parts[i]; i++)
		if (parts[i]->start)
			parts[i]->start(p, p->parts[i]);
}

/* Those that were opened, or tried to. */
static ON_CTL void parts_stop(struct profile *p)
{
	const struct profile_part *const *parts = profiles.hooks->parts;
	size_t n = 0;
	while (parts[n])
		n++;
	while (n--)
		if (p->parts[n] && parts[n]->stop)
			parts[n]->stop(p, p->parts[n]);
}

void *profile_slot_of(const struct profile *p, const struct profile_slot *slot)
{
	const struct profile_part *const *parts = profiles.hooks->parts;
	size_t i = 0;
	while (parts[i] && parts[i]->slot != slot)
		i++;
	CHECK(parts[i]);
	return p->parts[i];
}

bool profile_is_traced(const struct profile *p)
{
	return p->is_tracing || profiles.is_tracing;
}

bool profile_is_captured(const struct profile *p)
{
	return (p->is_capturing || profiles.is_capturing) && trace_collector_is_set();
}

static ON_CTL void trace_update(struct profile *p)
{
	sip_stack_set_trace(p->stack, p->is_tracing || profiles.is_tracing || trace_filter_at(0) ||
	                                  trace_wants_messages() || profile_is_captured(p));
}

/* ---- start and stop ---- */

int profile_start(struct profile_conf *conf, struct profile **out)
{
	struct profile *p = mem_new(sizeof(*p), profile_dtor, "sofia.profile");
	int st = ST_NOMEM;
	if (!p) {
		profile_conf_fini(conf);
		return ST_NOMEM;
	}
	p->conf = *conf;
	memset(conf, 0, sizeof(*conf));
	p->started_us = clock_mono_us();
	const char *local =
	    strncmp(p->conf.sip_ip, "::", 2) && !is_v6(p->conf.sip_ip) ? core_local_ip4() : core_local_ip6();
	p->sip_ip = ip_resolve(p, "sip-ip", p->conf.sip_ip, local);
	p->rtp_ip = ip_resolve(p, "rtp-ip", p->conf.rtp_ip, p->sip_ip);
	p->ext_sip_ip = ip_resolve(p, "ext-sip-ip", p->conf.ext_sip_ip, p->sip_ip);
	p->ext_rtp_ip = ip_resolve(p, "ext-rtp-ip", p->conf.ext_rtp_ip, p->rtp_ip);
	if (hash_new(&p->failures, 0, mem_free) < 0 || hash_new(&p->default_password_told, 0, NULL) < 0 ||
	    (st = parts_open(p)) < 0 || (st = stack_open(p)) < 0 || (st = listen_on(p)) < 0) {
		parts_stop(p);
		if (p->stack)
			sip_stack_close(p->stack);
		mem_unref(p);
		return st;
	}
	profile_urls_make(p);
	p->is_tracing = p->conf.has_sip_trace;
	p->is_capturing = p->conf.has_sip_capture;
	list_sorted(p);
	trace_update(p);
	log_notice("sofia: profile %s: %s", p->conf.name, p->bind_url);
	parts_start(p);
	profile_ext_start(p);
	struct sound_turn_conf turn = {.owner = p->conf.name,
	    .server = p->conf.turn_server,
	    .username = p->conf.turn_username,
	    .password = p->conf.turn_password,
	    .secret = p->conf.turn_secret,
	    .ca_file = p->conf.turn_ca_file,
	    .from = p->rtp_ip,
	    .ready = p->conf.turn_ready};
	if (*turn.server)
		p->turn = sound_turn_open(&turn);
	if (out)
		*out = p;
	return ST_OK;
}

void profile_stop(struct profile *p)
{
	list_remove(&p->link);
	profile_ext_stop(p);
	parts_stop(p);
	sound_turn_close(p->turn);
	p->turn = NULL;
	sip_stack_close(p->stack);
	p->stack = NULL;
	log_notice("sofia: profile %s is stopped", p->conf.name);
	mem_unref(p);
}

void profile_trace_set(struct profile *p, bool is_on)
{
	p->is_tracing = is_on;
	trace_update(p);
}

void profiles_trace_set(bool is_on)
{
	profiles.is_tracing = is_on;
	profiles_trace_update();
}

void profile_capture_set(struct profile *p, bool is_on)
{
	p->is_capturing = is_on;
	trace_update(p);
}

void profiles_capture_set(bool is_on)
{
	profiles.is_capturing = is_on;
	profiles_trace_update();
}

void profiles_trace_update(void)
{
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p))
		trace_update(p);
}

void profile_address_tell(struct profile *p)
{
	if (profiles.hooks->on_address)
		profiles.hooks->on_address(p);
}

/* ---- names ---- */

struct profile *profile_find_exact(struct sv name)
{
	struct lnode *it, *tmp;
	list_each (&profiles.running, it, tmp) {
		struct profile *p = list_entry(it, struct profile, link);
		if (sv_isi(name, p->conf.name))
			return p;
	}
	return NULL;
}

bool profile_has_alias(const struct profile *p, struct sv name)
{
	for (size_t i = 0; i < p->conf.alias_count; i++)
		if (sv_isi(name, p->conf.aliases[i]))
			return true;
	return p->conf.aliases_all_domains && dir_domain_exists(name);
}

struct profile *profile_find(struct sv name)
{
	struct lnode *it, *tmp;
	struct profile *exact = profile_find_exact(name);
	if (exact)
		return exact;
	list_each (&profiles.running, it, tmp) {
		struct profile *p = list_entry(it, struct profile, link);
		if (profile_has_alias(p, name))
			return p;
	}
	return NULL;
}

struct profile *profile_next(const struct profile *p)
{
	struct lnode *next = p ? p->link.next : profiles.running.head.next;
	return next == &profiles.running.head ? NULL : list_entry(next, struct profile, link);
}

struct profile *profile_first(void)
{
	struct lnode *n = list_first(&profiles.running);
	struct profile *internal = profile_find_exact(SV("internal"));
	return internal ? internal : n ? list_entry(n, struct profile, link) : NULL;
}

struct alias_walk {
	struct profile *p;
	void (*fn)(struct profile *p, const char *alias, void *arg);
	void *arg;
};

static void on_domain(const char *domain, void *arg)
{
	struct alias_walk *w = arg;
	w->fn(w->p, domain, w->arg);
}

void profile_each_alias(struct profile *p, void (*fn)(struct profile *p, const char *alias, void *arg), void *arg)
{
	struct alias_walk w = {p, fn, arg};
	for (size_t i = 0; i < p->conf.alias_count; i++)
		fn(p, p->conf.aliases[i], arg);
	if (p->conf.aliases_all_domains)
		dir_each_domain(on_domain, &w);
}
