/* A profile's certificates and the listeners that need them. Files are FreeSWITCH's: agent.pem (else tls.pem) for TLS,
 * wss.pem (else wss.crt and wss.key) for secure WebSocket, cafile.pem the authorities, sni/NAME.pem further names. A
 * worker reads them, and makes tls.pem or wss.pem where there is none; then the stack gets what came of it and listens.
 * The same again at `reloadcert`: who connects from then on sees the new ones; what cannot be read leaves the old ones.
 * Until the first reading is done, connections of ours wait in the stack. */
#include "endpoint/sip/profile/profile_tls.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/ready.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "net/cert.h"
#include "net/tls_ctx.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct profile_tls {              /* the part */
	struct addr tls, ws, wss; /* bound; unset: not listening */
	bool is_loading, wants_again, was_loaded;
};
static const struct profile_slot slot = {"tls", sizeof(struct profile_tls)};
static const char ready_name[] = "TLS certificates";
static struct event_sub *sub;
static unsigned start_count; /* readings that the start of the switch waits for */

static struct profile_tls *tls_of(const struct profile *p)
{
	return profile_slot_of(p, &slot);
}

/* ---- reading, on a worker ---- */

struct load {
	struct profile *p; /* a reference; not touched on the worker */
	char *folder, *passphrase, *ciphers, *versions, *in_subjects, *names[CERT_NAMES_MAX];
	unsigned verify, depth, session_s;
	bool checks_no_date, wants_tls, wants_wss, is_at_start;
	struct tls_ctx *tls, *wss;
	char *tls_why, *wss_why; /* why there is none */
};

static ON_CTL void load_free(struct load *l)
{
	mem_unref(l->p);
	mem_free(l->folder), mem_free(l->passphrase), mem_free(l->ciphers), mem_free(l->versions);
	mem_free(l->in_subjects), mem_free(l->tls_why), mem_free(l->wss_why);
	for (size_t i = 0; i < CERT_NAMES_MAX; i++)
		mem_free(l->names[i]);
	mem_unref(l->tls);
	mem_unref(l->wss);
	mem_free(l);
}

static char *path_of(const struct load *l, const char *name)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "%s/%s", l->folder, name);
	return buf_take(&b);
}

static bool is_there(const struct load *l, const char *name)
{
	char *path = path_of(l, name);
	bool answer = path && !access(path, F_OK);
	mem_free(path);
	return answer;
}

/* cert: what there is of the candidates, else the last one, made. */
static struct tls_ctx *ctx_read(
    const struct load *l, const char *cert, const char *key, enum cert_kind kind, char **why_out)
{
	char *cert_path = path_of(l, cert), *key_path = key ? path_of(l, key) : NULL, *ca = path_of(l, "cafile.pem"),
	     *sni = path_of(l, "sni");
	struct tls_ctx *ctx = NULL;
	struct buf why;
	buf_init(&why);
	struct tls_conf conf = {.name = cert,
	    .cert_path = cert_path,
	    .key_path = key_path,
	    .ca_path = ca,
	    .sni_folder = sni,
	    .passphrase = l->passphrase,
	    .ciphers = l->ciphers,
	    .versions = l->versions,
	    .in_subjects = l->in_subjects,
	    .verify = l->verify,
	    .verify_depth = l->depth,
	    .session_life_s = l->session_s,
	    .checks_no_date = l->checks_no_date};
	int st = cert_ensure(cert_path, kind, (const char *const *)l->names, NULL);
	if (st)
		buf_printf(&why, "there is no %s", cert_path);
	else
		tls_ctx_new(&ctx, &conf, &why);
	*why_out = ctx ? NULL : buf_take(&why);
	buf_fini(&why);
	mem_free(cert_path), mem_free(key_path), mem_free(ca), mem_free(sni);
	return ctx;
}

static void load_run(void *arg)
{
	struct load *l = arg;
	role_assert_work();
	if (l->wants_tls)
		l->tls = ctx_read(l, is_there(l, "agent.pem") ? "agent.pem" : "tls.pem", NULL, CERT_RSA, &l->tls_why);
	bool is_split = !is_there(l, "wss.pem") && is_there(l, "wss.crt") && is_there(l, "wss.key");
	if (l->wants_wss)
		l->wss =
		    ctx_read(l, is_split ? "wss.crt" : "wss.pem", is_split ? "wss.key" : NULL, CERT_EC, &l->wss_why);
}

/* ---- listening ---- */

static ON_CTL void listen_on(struct profile *p, enum sip_transport t, const struct addr *bind, struct addr *bound)
{
	char text[ADDR_TEXT_MAX];
	int st = sip_stack_listen(p->stack, t, bind, bound);
	if (st)
		log_error("sofia: profile %s cannot listen for %s on %s: %s", p->conf.name, sip_transport_name(t),
		    addr_text(bind, text), status_text(st));
	else
		log_notice("sofia: profile %s: %s on %s", p->conf.name, sip_transport_name(t), addr_text(bound, text));
}

/* "ip:port", ":port" and "port": of the profile's address where none is named. */
static ON_CTL void listen_binding(struct profile *p, enum sip_transport t, const char *text, struct addr *bound)
{
	struct addr bind;
	struct sv v = sv_trim(sv_of(text));
	uint32_t port;
	struct sv number = v.n && v.p[0] == ':' ? sv_sub(v, 1, SIZE_MAX) : v;
	int st = sv_u32(number, &port) == ST_OK && port <= UINT16_MAX
	             ? addr_parse(&bind, sv_of(p->sip_ip), (uint16_t)port)
	             : addr_parse_hostport(&bind, v, 0);
	if (st < 0)
		log_error("sofia: profile %s: %s-binding \"%s\" is no ip:port", p->conf.name,
		    sip_transport_facts(t)->param, text);
	else
		listen_on(p, t, &bind, bound);
}

static unsigned tls_port_of(const struct profile *p)
{
	unsigned own = addr_port(&p->sip_addr);
	return p->conf.tls_port || !own ? p->conf.tls_port : own + 1u;
}

static ON_CTL void listen_tls(struct profile *p, struct profile_tls *t)
{
	struct addr bind;
	unsigned port = tls_port_of(p);
	if (port > UINT16_MAX || addr_parse(&bind, sv_of(p->sip_ip), (uint16_t)port) < 0)
		log_error("sofia: profile %s: tls-sip-port %u is no port", p->conf.name, port);
	else
		listen_on(p, SIP_TLS, &bind, &t->tls);
}

static ON_CTL void take(struct profile *p, enum sip_transport t, struct tls_ctx *ctx, const char *why, bool was_loaded)
{
	if (why)
		log_error("sofia: profile %s: %s: %s%s", p->conf.name, sip_transport_name(t), why,
		    was_loaded ? "; what it had before stays" : "");
	if (ctx || !was_loaded)
		sip_stack_set_tls(p->stack, t, ctx);
}

static ON_CTL int load_start(struct profile *p);

static void load_done(int status, void *arg)
{
	struct load *l = arg;
	struct profile *p = l->p;
	role_assert_ctl();
	if (l->is_at_start && !--start_count)
		core_ready_release(ready_name);
	struct profile_tls *t = p->stack ? tls_of(p) : NULL;
	if (!t || status) {
		load_free(l);
		return;
	}
	t->is_loading = false;
	if (l->wants_tls)
		take(p, SIP_TLS, l->tls, l->tls_why, t->was_loaded);
	if (l->wants_wss)
		take(p, SIP_WSS, l->wss, l->wss_why, t->was_loaded);
	if (l->tls && !addr_is_set(&t->tls))
		listen_tls(p, t);
	if (l->wss && !addr_is_set(&t->wss))
		listen_binding(p, SIP_WSS, p->conf.wss_binding, &t->wss);
	if (t->was_loaded && (l->tls || l->wss))
		log_notice("sofia: profile %s: the certificates are read again", p->conf.name);
	t->was_loaded = true;
	if (t->wants_again)
		load_start(p);
	load_free(l);
}

static ON_CTL int load_start(struct profile *p)
{
	const struct profile_conf *c = &p->conf;
	struct profile_tls *t = tls_of(p);
	struct load *l;
	t->wants_again = t->is_loading;
	if (t->is_loading)
		return ST_OK;
	if (!(l = mem_zalloc(sizeof(*l))))
		return ST_NOMEM;
	const char *names[] = {
	    *c->sip_domain ? c->sip_domain : core_hostname(), core_hostname(), p->sip_ip, p->ext_sip_ip};
	l->p = mem_ref(p);
	l->folder = mem_strdup(*c->tls_cert_dir ? c->tls_cert_dir : core_dirs()->certs);
	l->passphrase = mem_strdup(c->tls_passphrase);
	l->ciphers = mem_strdup(c->tls_ciphers);
	l->versions = mem_strdup(c->tls_version);
	l->in_subjects = mem_strdup(c->tls_in_subjects);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		l->names[i] = mem_strdup(names[i]);
	l->depth = c->tls_depth;
	l->session_s = c->tls_timeout_s;
	l->checks_no_date = !c->tls_checks_date;
	l->wants_tls = c->has_tls;
	l->wants_wss = *c->wss_binding;
	if (tls_verify_parse(c->tls_verify_policy, &l->verify))
		l->tls_why = mem_strdup(
		    "tls-verify-policy is none of none, in, out, all, subjects_in, subjects_out, subjects_all");
	if (l->tls_why) { /* not with less than what was asked for */
		log_error("sofia: profile %s: %s: no TLS", c->name, l->tls_why);
		load_free(l);
		return ST_INVAL;
	}
	int st = work_submit(WORK_FILE, "tls certificates", load_run, load_done, l);
	if (st) {
		load_free(l);
		return st;
	}
	t->is_loading = true;
	l->is_at_start = !loop_depth();
	if (l->is_at_start && !start_count++)
		core_ready_hold(ready_name);
	return ST_OK;
}

/* ---- the part ---- */

static void tls_start(struct profile *p, void *mine)
{
	struct profile_tls *t = mine;
	role_assert_ctl();
	if (*p->conf.ws_binding)
		listen_binding(p, SIP_WS, p->conf.ws_binding, &t->ws);
	bool comes = (p->conf.has_tls || *p->conf.wss_binding) && !load_start(p);
	if (!comes || !p->conf.has_tls) /* nobody waits in vain */
		sip_stack_set_tls(p->stack, SIP_TLS, NULL);
	if (!comes || !*p->conf.wss_binding)
		sip_stack_set_tls(p->stack, SIP_WSS, NULL);
}

const struct profile_part profile_tls_part = {.slot = &slot, .start = tls_start};

static const struct addr *addr_of(const struct profile *p, enum sip_transport t)
{
	const struct profile_tls *mine = tls_of(p);
	return t == SIP_TLS ? &mine->tls : t == SIP_WS ? &mine->ws : &mine->wss;
}

bool profile_tls_is_on(const struct profile *p, enum sip_transport t)
{
	return addr_is_set(addr_of(p, t));
}

unsigned profile_tls_port(const struct profile *p, enum sip_transport t)
{
	bool is_here = (t == SIP_TLS || t == SIP_WS || t == SIP_WSS) && profile_tls_is_on(p, t);
	if (t == SIP_TLS && !is_here && p->conf.has_tls) /* it will be */
		return tls_port_of(p);
	return addr_port(is_here ? addr_of(p, t) : &p->sip_addr);
}

static void host_put(struct buf *out, const char *host)
{
	buf_printf(out, strchr(host, ':') ? "[%s]" : "%s", host);
}

static void url_put(const struct profile *p, enum sip_transport t, bool is_sips, struct buf *out)
{
	buf_printf(out, "%s:%s@", is_sips ? "sips" : "sip", p->conf.contact_user);
	host_put(out, p->ext_sip_ip);
	buf_printf(out, ":%u", profile_tls_port(p, t));
}

void profile_tls_url_put(const struct profile *p, enum sip_transport t, struct buf *out)
{
	url_put(p, t, false, out);
}

void profile_tls_bind_url_put(const struct profile *p, enum sip_transport t, struct buf *out)
{
	char host[ADDR_TEXT_MAX];
	url_put(p, t, t != SIP_WS, out);
	if (t == SIP_TLS && *p->conf.ext_sip_ip) { /* not for the others, as recorded */
		buf_adds(out, ";maddr=");
		host_put(out, addr_host(addr_of(p, t), host));
	}
	if (t == SIP_TLS && *p->conf.tls_bind_params)
		buf_printf(out, ";%s", p->conf.tls_bind_params);
	else
		buf_printf(out, ";transport=%s", sip_transport_facts(t)->param);
}

/* ---- reloadcert ---- */

static void on_event(struct event *e, void *arg)
{
	role_assert_ctl();
	for (struct profile *p = profile_next(NULL); p; p = profile_next(p))
		if (p->conf.has_tls || *p->conf.wss_binding)
			load_start(p);
}

int profile_tls_events_start(void)
{
	role_assert_ctl();
	int st = event_sub_new(&sub, on_event, NULL);
	if (!st)
		event_sub_want(sub, EVENT_CERT_RELOAD, true);
	return st;
}

void profile_tls_events_stop(void)
{
	role_assert_ctl();
	if (sub)
		event_sub_free(sub);
	sub = NULL;
}
