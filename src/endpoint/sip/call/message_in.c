/* MESSAGE that comes: who sends it (access list, digest, both as a call's), how many of his there were in this second,
 * then one event for core, whose headers are FreeSWITCH's. Everything in it is the sender's word. What a switch of this
 * very process sent comes back as a loop and is refused. 202 says that it was taken, not that it arrived. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "core/registry/chat.h"
#include "endpoint/sip/call/call_i.h"
#include "endpoint/sip/call/message.h"
#include "endpoint/sip/gateway/gateway.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX_BYTES = 64 << 10, SENDERS_MAX = 10000, HEADERS_MAX = 16, NAME_MAX_CHARS = 80 };

/* ---- how many in this second, by sender ---- */

struct message_rate {
	int64_t second;
	struct hash *counts; /* sender -> how many, as a pointer; of this second only */
	uint64_t refused;
};

static int rate_open(struct profile *p, void *mine)
{
	return hash_new(&((struct message_rate *)mine)->counts, 0, NULL);
}

static void rate_stop(struct profile *p, void *mine)
{
	struct message_rate *r = mine;

	role_assert_ctl();
	hash_free(r->counts);
	r->counts = NULL;
	message_out_stop(p);
}

static const struct profile_slot slot = {"messages", sizeof(struct message_rate)};
const struct profile_part message_part = {.slot = &slot, .open = rate_open, .stop = rate_stop};

uint64_t messages_refused(const struct profile *p)
{
	return ((const struct message_rate *)profile_slot_of(p, &slot))->refused;
}

/* A table that is full counts the rest as one sender. */
static ON_CTL bool is_over_rate(struct profile *p, struct sv sender)
{
	struct message_rate *r = profile_slot_of(p, &slot);
	int64_t second = clock_mono_us() / 1000000;
	uintptr_t n;

	if (!p->conf.messages_per_sender || !r->counts)
		return false;
	if (second != r->second) {
		hash_free(r->counts);
		r->second = second, r->counts = NULL;
		if (hash_new(&r->counts, 0, NULL))
			return true;
	}
	if (hash_count(r->counts) >= SENDERS_MAX && !hash_get(r->counts, sender))
		sender = SV("*");
	n = (uintptr_t)hash_get(r->counts, sender) + 1;
	if (hash_set(r->counts, sender, (void *)n) || n > p->conf.messages_per_sender) {
		r->refused++;
		return true;
	}
	return false;
}

/* ---- who ---- */

/* False: answered. */
static ON_CTL bool sender_check(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct auth *who)
{
	if (!p->conf.auths_messages && !auth_has_answer(p, m))
		return true;
	if (*p->conf.inbound_acl && acl_allows(sv_of(p->conf.inbound_acl), sip_stx_peer(tx), NULL, NULL)) {
		sip_stx_trust(tx);
		return true;
	}
	if (auth_check(p, tx, m, who) != AUTH_OK)
		return false;
	if (!identity_is_refused(p, m, who))
		return true;
	sip_stx_reply_once(tx, 403, "From Is Not The Account", NULL);
	return false;
}

static ON_CTL bool rate_check(struct profile *p, struct sip_stx *tx, const struct auth *who)
{
	char host[ADDR_TEXT_MAX];
	struct buf sender;

	buf_init(&sender);
	if (who->user)
		buf_printf(&sender, "%s@%s", dir_user_id(who->user), dir_user_domain(who->user));
	else
		buf_adds(&sender, addr_host(sip_stx_peer(tx), host));
	bool is_over = sender.failed || is_over_rate(p, buf_sv(&sender));
	buf_fini(&sender);
	if (is_over)
		sip_stx_reply_once(tx, 503, "Too Many Messages", "Retry-After: 1\r\n");
	return !is_over;
}

/* ---- the event ---- */

static ON_CTL void add_sv(struct event *e, const char *name, struct sv value)
{
	char *text = sv_dup(value);

	event_add(e, name, text ? text : "");
	mem_free(text);
}

static ON_CTL void add_user(struct event *e, const char *name, struct sv escaped)
{
	struct buf b;

	buf_init(&b);
	sip_unescape(&b, escaped);
	event_add(e, name, b.p ? b.p : "");
	buf_fini(&b);
}

static ON_CTL void add_address(struct event *e, const char *name, const char *user, const char *host)
{
	if (user && *user)
		event_addf(e, name, "%s@%s", user, host);
	else
		event_add(e, name, host);
}

/* X- headers but those that switches say to each other: what a plan may look at, and what goes on. */
static ON_CTL void add_custom(struct event *e, const struct sip_msg *m)
{
	char name[NAME_MAX_CHARS];

	for (size_t i = 0, n = 0; i < m->hdr_count && n < HEADERS_MAX; i++) {
		struct sv h = m->hdrs[i].name;
		if (!sv_startsi(h, SV("X-")) || sv_startsi(h, SV("X-FS-")) || h.n + sizeof("sip_h_") > sizeof(name))
			continue;
		snprintf(name, sizeof(name), "sip_h_%.*s", SVF(h));
		add_sv(e, name, m->hdrs[i].value);
		n++;
	}
}

/* "proto+user": where a message for a user of another kind goes, of the carriers that phones may name. */
static ON_CTL struct sv proto_of(struct sv *user)
{
	struct sv proto, rest;

	if (!sv_split(*user, '+', &proto, &rest) || !rest.n)
		return SV("sip");
	const struct chat_ops *ops = chat_carrier_find(proto);
	if (!ops || !ops->is_outside)
		return SV("sip");
	*user = rest;
	return sv_of(ops->proto);
}

static ON_CTL struct event *event_make(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const struct auth *who, struct leg *leg)
{
	struct event *e = event_new(EVENT_MESSAGE, NULL);
	struct sv to_user = m->to.uri.user, proto = proto_of(&to_user);
	char host[ADDR_TEXT_MAX];
	bool is_replaced = profile_conf_from_check(&p->conf) == FROM_REPLACE && identity_is_others(p, m, who);
	const struct reg *gruu; /* whose phone the address is: no other of the user's gets it */
	(void)gruu_find(&m->ruri, &gruu);

	if (!e)
		return NULL;
	if (leg)
		leg_event_headers(leg, e);
	event_add(e, "login", p->url);
	event_add(e, "proto", "sip");
	event_add(e, "to_proto", "sip");
	struct buf user, to;
	buf_init(&user), buf_init(&to);
	if (is_replaced)
		buf_adds(&user, dir_user_id(who->user));
	else
		sip_unescape(&user, m->from.uri.user);
	char *from_host = is_replaced ? mem_strdup(dir_user_domain(who->user)) : sv_dup(m->from.uri.host);
	char *to_host = gruu ? mem_strdup(gruu->host) : sv_dup(m->to.uri.host);
	to_user = gruu ? sv_of(gruu->user) : to_user;
	sip_unescape(&to, to_user);
	add_address(e, "from", user.p, from_host ? from_host : "");
	event_add(e, "from_user", user.p ? user.p : "");
	event_add(e, "from_host", from_host);
	add_user(e, "to_user", to_user);
	event_add(e, "to_host", to_host);
	event_add(e, "from_sip_ip", addr_host(sip_stx_peer(tx), host));
	event_addf(e, "from_sip_port", "%u", addr_port(sip_stx_peer(tx)));
	add_address(e, "to", to.p, to_host ? to_host : "");
	event_add(e, "subject", "SIMPLE MESSAGE");
	event_add(e, "context", p->conf.context);
	add_sv(e, "type", m->content_type.n ? m->content_type : SV("text/plain"));
	if (is_replaced)
		event_addf(e, "from_full", "<sip:%s@%s>", user.p, from_host ? from_host : "");
	else
		add_sv(e, "from_full", sip_msg_value(m, SIP_HDR_FROM));
	event_add(e, "sip_profile", p->conf.name);
	add_custom(e, m);
	add_sv(e, "dest_proto", gruu ? SV("sip") : proto);
	if (gruu)
		event_add(e, "to_instance", gruu->instance);
	event_set_body(e, m->body);
	buf_fini(&user), buf_fini(&to);
	mem_free(from_host), mem_free(to_host);
	return e;
}

/* ---- the request ---- */

static ON_CTL void say_taken(struct profile *p, struct sip_stx *tx, struct sip_call *sc)
{
	int code = p->conf.says_200_to_messages ? 200 : 202;
	struct buf b, uri;

	if (sc) {
		sip_call_reply(sc, tx, code, NULL, NULL, NULL, SV_NONE);
		return;
	}
	buf_init(&b), buf_init(&uri);
	if (sip_stack_contact_uri(p->stack, NULL, sip_stx_transport(tx), sip_stx_peer(tx), &uri) == ST_OK)
		buf_printf(&b, "Contact: <%s>\r\n", uri.p);
	sip_stx_reply(tx, code, NULL, b.p, NULL, SV_NONE);
	buf_fini(&b), buf_fini(&uri);
}

static ON_CTL bool is_own(const struct sip_msg *m)
{
	struct sv by = sip_msg_value_named(m, "X-FS-Sending-Message");
	return by.n && event_identity.core_uuid && sv_is(by, event_identity.core_uuid);
}

void message_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct sip_call *sc, struct leg *leg)
{
	struct auth who = {0};
	struct event *e;

	role_assert_ctl();
	if (m->body.n > BODY_MAX_BYTES) {
		sip_stx_reply_once(tx, 413, NULL, NULL);
		return;
	}
	if (is_own(m)) {
		sip_stx_reply_once(tx, 482, "Loop Detected", NULL);
		return;
	}
	if (sender_check(p, tx, m, &who) && rate_check(p, tx, &who) && (sc || !gruu_refused(p, tx, m))) {
		if (!(e = event_make(p, tx, m, &who, leg))) {
			sip_stx_reply_once(tx, 500, NULL, NULL);
		} else if (chat_send(e, NULL, NULL) == ST_FULL) {
			sip_stx_reply_once(tx, 503, "Too Many Messages", "Retry-After: 1\r\n");
		} else {
			say_taken(p, tx, sc);
		}
		mem_unref(e);
	}
	auth_fini(&who);
}
