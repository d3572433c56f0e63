/* Subscriptions of a gateway (<subscriptions> of its configuration): one SUBSCRIBE dialog each, begun when the gateway
 * can be used, refreshed before it runs out, begun anew after retry-seconds when it is refused or ended. What NOTIFY
 * brings is told as NOTIFY_IN and nothing else is made of it. A NOTIFY belongs to the subscription whose Call-ID and
 * tag it names; both are random, so nobody but who was asked can know them. RFC 6665 section 4.1. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "endpoint/sip/gateway/gateway_i.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>

enum { SUBS_MAX = 16, TAG_CHARS = 16, ROUTES_MAX = 16, EXPIRES_MAX_S = 7 * 86400, LAST_CSEQ_NONE = 0 };
struct gateway_sub { /* of the gateway's list */
	struct lnode link;
	struct gateway *g;
	char *event, *content_type;
	unsigned expire_s, retry_s;
	/* the dialog; "" and NULL before it stands */
	char call_id[UUID_CHARS + 1], tag[TAG_CHARS + 1];
	char *remote_tag, *target, *route;
	uint32_t cseq, their_cseq;
	bool is_active;
	struct sip_ctx *ctx;
	struct ltimer timer;
};

/* ---- configuration ---- */

static const char *text_of(const struct xml_node *node, const char *name, const char *fallback)
{
	const char *own = xml_attr(node, name);
	xml_each(node, "param", p) if (!strcmp(xml_attr_or(p, "name", ""), name)) return xml_attr_or(
	    p, "value", fallback);
	return own ? own : fallback;
}

static unsigned seconds_of(const struct xml_node *node, const char *name, unsigned fallback)
{
	uint32_t n;
	const char *text = text_of(node, name, "");
	return sv_u32(sv_of(text), &n) == ST_OK && n >= 5 && n <= EXPIRES_MAX_S ? n : fallback;
}

static ON_CTL void sub_free(struct gateway_sub *u)
{
	list_remove(&u->link);
	mem_free(u->event), mem_free(u->content_type);
	mem_free(u->remote_tag), mem_free(u->target), mem_free(u->route);
	mem_free(u);
}

static ON_CTL void sub_add(struct gateway *g, const struct xml_node *node)
{
	const char *event = text_of(node, "event", ""), *type = text_of(node, "content-type", "");
	struct gateway_sub *u;
	if (!sip_is_token(sv_of(event)) || (*type && !sip_is_value(sv_of(type)))) {
		log_error("sofia: gateway %s: a subscription (%s:%u) needs an event; content-type is one line", g->name,
		    node->file ? node->file : "", node->line);
		return;
	}
	if (!(u = mem_zalloc(sizeof(*u))))
		return;
	u->g = g;
	u->event = mem_strdup(event);
	u->content_type = mem_strdup(type);
	u->expire_s = seconds_of(node, "expire-seconds", seconds_of(node, "expires", 3600));
	u->retry_s = seconds_of(node, "retry-seconds", 30);
	list_push(&g->subs, &u->link);
	if (!u->event || !u->content_type)
		sub_free(u);
}

void gateway_subs_read(struct gateway *g, const struct xml_node *node)
{
	unsigned n = 0;
	xml_each(xml_child(node, "subscriptions"), "subscription", s)
	{
		if (n++ == SUBS_MAX) {
			log_error("sofia: gateway %s: only the first %d subscriptions are made", g->name, SUBS_MAX);
			return;
		}
		sub_add(g, s);
	}
}

void gateway_subs_free(struct gateway *g)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	list_each (&g->subs, it, tmp)
		sub_free(list_entry(it, struct gateway_sub, link));
}

/* ---- SUBSCRIBE ---- */

static ON_CTL void sub_send(struct gateway_sub *u, unsigned expires_s);

static void on_due(void *arg)
{
	struct gateway_sub *u = arg;
	role_assert_ctl();
	sub_send(u, u->expire_s);
}

static ON_CTL void due_in(struct gateway_sub *u, unsigned seconds)
{
	loop_timer_set(&u->timer, clock_us_of_s(seconds), "sofia.gateway.subscription", on_due, u);
}

static ON_CTL void dialog_forget(struct gateway_sub *u)
{
	mem_free(u->remote_tag), mem_free(u->target), mem_free(u->route);
	u->remote_tag = u->target = u->route = NULL;
	u->their_cseq = LAST_CSEQ_NONE;
	u->call_id[0] = 0;
	u->is_active = false;
}

/* It is over; begun anew later. */
static ON_CTL void sub_failed(struct gateway_sub *u, int code)
{
	log_warning("sofia: gateway %s: the subscription to %s has ended [%d]; tried again in %u seconds", u->g->name,
	    u->event, code, u->retry_s);
	dialog_forget(u);
	due_in(u, u->retry_s);
}

/* The far end's tag, Contact and, backwards, its Record-Routes (RFC 3261 12.1.2). */
static ON_CTL void dialog_take(struct gateway_sub *u, const struct sip_msg *resp)
{
	struct sip_nameaddr contact;
	struct sip_list_it it;
	struct sv routes[ROUTES_MAX];
	struct buf b;
	size_t n = 0;
	if (u->remote_tag || !resp->to_tag.n || sip_msg_contact(resp, &contact) < 0 || contact.is_star)
		return;
	u->remote_tag = sv_dup(resp->to_tag);
	u->target = sv_dup(contact.uri.text);
	sip_list_start(&it, resp, SIP_HDR_RECORD_ROUTE);
	while (n < ROUTES_MAX && sip_list_next(&it))
		routes[n++] = it.item;
	buf_init(&b);
	while (n--)
		buf_printf(&b, "%s%.*s", b.n ? ", " : "", SVF(routes[n]));
	u->route = b.n ? buf_take(&b) : NULL;
	buf_fini(&b);
}

static void on_subscribed(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct gateway_sub *u = arg;
	role_assert_ctl();
	if (code < 200)
		return;
	u->cseq = sip_ctx_cseq(ctx);
	u->ctx = NULL;
	if (resp)
		gateway_addr_learn(u->g, sip_ctx_remote_addr(ctx));
	if (code >= 300 || !resp) {
		sub_failed(u, code);
		return;
	}
	dialog_take(u, resp);
	u->is_active = true;
	int64_t s = resp->expires_s > 0 && resp->expires_s < u->expire_s ? resp->expires_s : u->expire_s;
	due_in(u, (unsigned)(s > 60 ? s - 15 : s > 4 ? s - 2 : s > 0 ? s : 1));
}

static bool on_challenge(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	role_assert_ctl();
	return gateway_credentials(((struct gateway_sub *)arg)->g, ch, out);
}

static ON_CTL int sub_request(struct gateway_sub *u, unsigned expires_s, struct buf *b)
{
	struct gateway *g = u->g;
	const char *address = u->remote_tag ? u->target : g->register_url;
	struct buf from, to;
	buf_init(&from);
	buf_init(&to);
	buf_printf(&from, "%s;tag=%s", g->from, u->tag);
	buf_printf(&to, "<%s>%s%s", g->to, u->remote_tag ? ";tag=" : "", u->remote_tag ? u->remote_tag : "");
	struct sip_request_params rp = {.method = "SUBSCRIBE",
	    .uri = address,
	    .from = from.p,
	    .to = to.p,
	    .call_id = u->call_id,
	    .cseq = ++u->cseq,
	    .contact = g->contact,
	    .route = u->remote_tag ? u->route : g->register_route,
	    .headers = b->p,
	    .dst = g->register_dst,
	    .credentials = on_challenge,
	    .credentials_arg = u};
	int st = from.failed || to.failed || b->failed ? ST_NOMEM
	                                               : sip_request_send(expires_s ? &u->ctx : NULL, g->p->stack, &rp,
	                                                     expires_s ? on_subscribed : NULL, u);
	buf_fini(&from);
	buf_fini(&to);
	return st;
}

static ON_CTL void sub_send(struct gateway_sub *u, unsigned expires_s)
{
	struct buf b;
	if (u->ctx)
		return;
	if (!u->call_id[0]) {
		uuid_make(u->call_id);
		rand_token(u->tag, TAG_CHARS);
		u->cseq = 1 + rand_below(1u << 24);
	}
	buf_init(&b);
	buf_printf(&b, "Event: %s\r\nExpires: %u\r\n", u->event, expires_s);
	if (*u->content_type)
		sip_put_hdr(&b, "Accept", sv_of(u->content_type));
	if (sub_request(u, expires_s, &b) < 0 && expires_s)
		sub_failed(u, 503);
	buf_fini(&b);
}

void gateway_subs_start(struct gateway *g)
{
	struct lnode *it, *tmp;
	list_each (&g->subs, it, tmp) {
		struct gateway_sub *u = list_entry(it, struct gateway_sub, link);
		if (!u->is_active && !u->ctx)
			sub_send(u, u->expire_s);
	}
}

void gateway_subs_stop(struct gateway *g, bool is_stack_closing)
{
	struct lnode *it, *tmp;
	list_each (&g->subs, it, tmp) {
		struct gateway_sub *u = list_entry(it, struct gateway_sub, link);
		loop_timer_cancel(&u->timer);
		if (u->ctx)
			sip_request_cancel(u->ctx);
		u->ctx = NULL;
		if (u->is_active && u->remote_tag && !is_stack_closing)
			sub_send(u, 0);
		dialog_forget(u);
	}
}

/* ---- NOTIFY ---- */

static ON_CTL struct gateway_sub *sub_of_notify(const struct profile *p, const struct sip_msg *m)
{
	struct lnode *it, *tmp, *sit, *stmp;
	list_each (gateways_of(p), it, tmp) {
		struct gateway *g = list_entry(it, struct gateway, link);
		list_each (&g->subs, sit, stmp) {
			struct gateway_sub *u = list_entry(sit, struct gateway_sub, link);
			if (u->call_id[0] && sv_is(m->call_id, u->call_id) && sv_is(m->to_tag, u->tag) &&
			    (!u->remote_tag || sv_is(m->from_tag, u->remote_tag)))
				return u;
		}
	}
	return NULL;
}

static bool event_is(const struct gateway_sub *u, const struct sip_msg *m)
{
	struct sv package, params;
	sv_split(sip_msg_value(m, SIP_HDR_EVENT), ';', &package, &params);
	return sv_isi(sv_trim(package), u->event);
}

static ON_CTL void notify_tell(const struct gateway_sub *u, const struct sip_msg *m)
{
	const struct profile *p = u->g->p;
	struct event *e;
	if (!event_is_wanted(EVENT_NOTIFY_IN, NULL) || !(e = event_new(EVENT_NOTIFY_IN, NULL)))
		return;
	event_add(e, "event", u->event);
	if (m->body.n)
		event_addf(e, "pl_data", "%.*s", SVF(m->body));
	if (m->content_type.n)
		event_addf(e, "sip_content_type", "%.*s", SVF(m->content_type));
	event_addf(e, "port", "%u", addr_port(&p->sip_addr));
	event_add(e, "module_name", "mod_sofia");
	event_add(e, "profile_name", p->conf.name);
	event_add(e, "profile_uri", p->url);
	event_add(e, "gateway_name", u->g->name);
	event_fire(e);
}

bool gateway_notify_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct gateway_sub *u = sub_of_notify(p, m);
	struct sv state, params;
	if (!u)
		return false;
	if (!event_is(u, m)) {
		sip_stx_reply_once(tx, 489, NULL, NULL);
		return true;
	}
	if (u->their_cseq && m->cseq <= u->their_cseq) { /* RFC 3261 12.2.2 */
		sip_stx_reply_once(tx, 500, "CSeq Is Not Higher", NULL);
		return true;
	}
	u->their_cseq = m->cseq;
	sip_stx_reply_once(tx, 200, NULL, NULL);
	notify_tell(u, m);
	sv_split(sip_msg_value(m, SIP_HDR_SUBSCRIPTION_STATE), ';', &state, &params);
	if (!sv_isi(sv_trim(state), "terminated"))
		return true;
	if (u->ctx)
		sip_request_cancel(u->ctx);
	u->ctx = NULL;
	sub_failed(u, 200);
	return true;
}
