/* Users that only the XML handler knows, and those whose passwords an authenticator knows: a request with a digest
 * answer waits, its transaction and a copy of it held, while the handler's script and then the authenticator are asked;
 * then it goes the way that it would have gone at once. Retransmissions meet the transaction meanwhile. How many wait
 * is bounded; a request beyond that is asked to come again. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "core/registry/authenticator.h"
#include "core/value/vars.h"
#include "endpoint/sip/module_i.h"
#include "loop/co.h"

enum { WAITING_MAX = 100, ASKING_MAX = 1000 }; /* asking: an authenticator only */
static unsigned waiting, asking;

struct held {
	struct profile *p;
	struct sip_stx *tx;
	struct sip_msg *m;
	char *user, *domain;
	bool is_asking; /* counted there */
	request_fn go;
};

static ON_CTL void add(struct event *e, const char *name, struct sv value)
{
	char *text = value.n ? sv_dup(value) : NULL;
	if (text)
		event_add(e, name, text);
	mem_free(text);
}

/* What FreeSWITCH tells a handler of a login. */
static ON_CTL struct event *params_of(const struct held *h, const struct sip_auth *a)
{
	const struct sip_msg *m = h->m;
	struct event *e = event_new(EVENT_REQUEST_PARAMS, NULL);
	struct sip_nameaddr contact;
	char host[ADDR_TEXT_MAX];

	if (!e)
		return NULL;
	event_add(e, "action", "sip_auth");
	event_add(e, "sip_profile", h->p->conf.name);
	add(e, "sip_user_agent", sip_msg_value_named(m, "User-Agent"));
	add(e, "sip_auth_username", a->username);
	add(e, "sip_auth_realm", a->realm);
	add(e, "sip_auth_nonce", a->nonce);
	add(e, "sip_auth_uri", a->uri);
	if (!sip_msg_contact(m, &contact)) {
		add(e, "sip_contact_user", contact.uri.user);
		add(e, "sip_contact_host", contact.uri.host);
	}
	add(e, "sip_to_user", m->to.uri.user);
	add(e, "sip_to_host", m->to.uri.host);
	event_add(e, "sip_via_protocol", sip_transport_facts(sip_stx_transport(h->tx))->param);
	add(e, "sip_from_user", m->from.uri.user);
	add(e, "sip_from_host", m->from.uri.host);
	add(e, "sip_call_id", m->call_id);
	add(e, "sip_request_user", m->ruri.user);
	add(e, "sip_request_host", m->ruri.host);
	add(e, "sip_auth_qop", a->qop);
	add(e, "sip_auth_cnonce", a->cnonce);
	add(e, "sip_auth_nc", a->nc);
	add(e, "sip_auth_response", a->response);
	add(e, "sip_auth_method", m->method_text);
	event_addf(e, "client_port", "%u", addr_port(sip_stx_peer(h->tx)));
	event_add(e, "key", "id");
	event_add(e, "user", h->user);
	event_add(e, "domain", h->domain);
	event_add(e, "ip", addr_host(sip_stx_peer(h->tx), host));
	return e;
}

static ON_CTL void held_free(struct held *h)
{
	*(h->is_asking ? &asking : &waiting) -= 1;
	sip_stx_unref(h->tx);
	mem_unref(h->p);
	mem_unref(h->m);
	mem_free(h->user);
	mem_free(h->domain);
	mem_free(h);
}

static ON_CTL bool answer_of(struct profile *p, const struct sip_msg *m, struct buf *realm, struct sip_auth *out)
{
	buf_init(realm);
	auth_realm_put(p, m, realm);
	return realm->p && !realm->failed && !digest_answer_get(m, m->method != SIP_REGISTER, buf_sv(realm), out) &&
	       out->username.n;
}

/* What the authenticator says; the request then goes on with it. */
static CO void ask_and_go(struct held *h)
{
	struct authenticator_question q;
	struct sip_auth a;
	struct vars *vars = NULL;
	char host[ADDR_TEXT_MAX];
	const char *name = auth_authenticator_of(h->p, h->tx, h->m, &a);

	if (!name) {
		h->go(h->p, h->tx, h->m);
		return;
	}
	const struct sip_uri *who = h->m->method == SIP_REGISTER ? &h->m->to.uri : &h->m->from.uri;
	q = (struct authenticator_question){.username = a.username,
	    .realm = a.realm,
	    .nonce = a.nonce,
	    .method = h->m->method_text,
	    .uri = a.uri,
	    .response = a.response,
	    .qop = a.qop,
	    .cnonce = a.cnonce,
	    .nc = a.nc,
	    .algorithm = a.algorithm,
	    .opaque = a.opaque,
	    .user = who->user,
	    .host = who->host,
	    .domain = h->domain,
	    .profile = h->p->conf.name,
	    .network_addr = addr_host(sip_stx_peer(h->tx), host)};
	char *copy = mem_strdup(name); /* the directory may be another before the answer is here */
	int st = vars_new(&vars);
	if (!st)
		st = authenticator_ask(copy, &q, vars);
	if (st == ST_NOTFOUND)
		log_error("sofia: %s: there is no authenticator \"%s\": is its module loaded?", h->p->conf.name, copy);
	if (h->p->stack && !sip_stx_is_done(h->tx)) {
		auth_verdict_set(h->tx, st, vars);
		h->go(h->p, h->tx, h->m);
		auth_verdict_set(NULL, ST_OK, NULL);
	}
	vars_free(vars);
	mem_free(copy);
}

static void held_main(void *arg)
{
	struct held *h = arg;
	struct sip_auth answer;
	struct event *params = NULL;
	struct buf realm;

	role_assert_co();
	int st = ST_OK;
	if (dir_has_handler() && dir_user_needs_load(sv_of(h->user), sv_of(h->domain))) {
		if (answer_of(h->p, h->m, &realm, &answer))
			params = params_of(h, &answer);
		buf_fini(&realm);
		st = dir_user_load(sv_of(h->user), sv_of(h->domain), params);
		mem_unref(params);
	}
	if (h->p->stack && !sip_stx_is_done(h->tx)) {
		struct dir_user *filed = NULL;
		if (st && st != ST_NOTFOUND && dir_user_find(sv_of(h->user), sv_of(h->domain), &filed))
			sip_stx_reply_once(h->tx, 503, NULL, "Retry-After: 2\r\n"); /* nobody knows whether he exists */
		else
			ask_and_go(h);
		mem_unref(filed);
	}
	held_free(h);
}

bool request_waits(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, request_fn go)
{
	struct sip_auth answer;
	struct buf realm;
	struct held *h = NULL;

	if (!dir_has_handler() && !authenticator_is_any())
		return false;
	bool is_answer = answer_of(p, m, &realm, &answer);
	struct sv domain = *p->conf.force_register_domain ? sv_of(p->conf.force_register_domain) : buf_sv(&realm);
	bool needs_load = is_answer && dir_has_handler() && dir_user_needs_load(answer.username, domain);
	struct sip_auth asked;
	if (!is_answer || (!needs_load && !auth_authenticator_of(p, tx, m, &asked))) {
		buf_fini(&realm);
		return false;
	}
	bool has_room = needs_load ? waiting < WAITING_MAX : asking < ASKING_MAX;
	if (has_room && (h = mem_zalloc(sizeof(*h)))) {
		*(needs_load ? &waiting : &asking) += 1;
		*h = (struct held){.p = mem_ref(p),
		    .tx = sip_stx_ref(tx),
		    .m = sip_msg_dup(m),
		    .user = sv_dup(answer.username),
		    .domain = sv_dup(domain),
		    .is_asking = !needs_load,
		    .go = go};
	}
	buf_fini(&realm);
	if (!h || !h->m || !h->user || !h->domain || co_spawn("sip user", held_main, h, NULL)) {
		sip_stx_reply_once(tx, 503, NULL, "Retry-After: 1\r\n");
		if (h)
			held_free(h);
	}
	return true;
}
