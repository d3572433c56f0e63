/* The carrier "sip": a message goes to each contact its `to` is registered with, in the profile that the message, the
 * address (profile/user@host) or its host names. A program's message may go to any address; one that came from a phone
 * to registered ones only. The headers sip_h_... of the message go with it. How many are under way is bounded. */
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/registry/chat.h"
#include "endpoint/sip/call/call_i.h"
#include "endpoint/sip/call/message.h"
#include "endpoint/sip/reg/reg.h"

#include <string.h>
#include <strings.h>

enum { UNDER_WAY_MAX = 5000 };

/* One message, on its way to one or more contacts. */
struct sending {
	unsigned waiting;
	int code; /* the best so far */
	chat_done_fn done;
	void *arg;
};
struct request {
	struct lnode link;
	struct profile *p; /* borrowed: it ends them when it stops */
	struct sip_ctx *ctx;
	struct sending *s;
};
static struct list under_way;
static size_t under_way_count;

static ON_CTL void request_end(struct request *r, int code)
{
	struct sending *s = r->s;

	list_remove(&r->link);
	under_way_count--;
	mem_free(r);
	if (!s->code || (code < 300 && s->code >= 300))
		s->code = code;
	if (--s->waiting)
		return;
	if (s->done)
		s->done(s->code < 300 ? ST_OK : ST_IO, s->code, s->arg);
	mem_free(s);
}

static void on_response(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	role_assert_ctl();
	if (code >= 200)
		request_end(arg, code);
}

void message_out_stop(struct profile *p)
{
	struct lnode *it, *tmp;

	if (!under_way_count)
		return;
	list_each (&under_way, it, tmp) {
		struct request *r = list_entry(it, struct request, link);
		if (r->p != p)
			continue;
		sip_request_cancel(r->ctx);
		request_end(r, 503);
	}
}

/* ---- what a request has ---- */

static ON_CTL const char *value(const struct event *e, const char *name)
{
	const char *text = event_get(e, name);
	return text && *text && sip_is_value(sv_of(text)) ? text : NULL;
}

static ON_CTL void headers_put(const struct event *e, struct buf *b)
{
	const char *name, *text;

	buf_printf(b, "X-FS-Sending-Message: %s\r\n", event_identity.core_uuid ? event_identity.core_uuid : "");
	for (size_t i = 0; i < event_header_count(e); i++) {
		event_header_at(e, i, &name, &text);
		if (strncasecmp(name, "sip_h_", 6) == 0 && sip_is_token(sv_of(name + 6)) &&
		    !call_header_is_structural(sv_of(name + 6)))
			sip_put_hdr(b, name + 6, sv_of(text));
	}
}

/* Who it is from, as the sender's phone said it, or made of his address. */
static ON_CTL void from_put(const struct event *e, const struct profile *p, struct buf *b)
{
	const char *full = value(e, "from_full"), *from = event_get(e, "from");
	struct sip_nameaddr na;
	struct sv rest = sv_of(from ? from : ""), user, host;
	struct buf uri;

	if (full && sip_nameaddr_parse(&na, sv_of(full)) == ST_OK) {
		buf_adds(b, full);
		return;
	}
	if (sv_split(rest, '/', &user, &host))
		rest = host;
	if (sv_startsi(rest, SV("sip:")))
		rest = sv_sub(rest, 4, rest.n);
	if (!sv_split(rest, '@', &user, &host) || !sip_is_host(host))
		user = rest.n && sv_find(rest, '@') == rest.n ? rest : user, host = sv_of(p->ext_sip_ip);
	buf_init(&uri);
	buf_adds(&uri, "sip:");
	sip_escape_user(&uri, user);
	buf_printf(&uri, "%s%.*s", user.n ? "@" : "", SVF(host));
	sip_put_nameaddr(b, user, buf_sv(&uri));
	buf_fini(&uri);
}

/* ---- to whom ---- */

static ON_CTL int send_one(struct profile *p, const struct event *e, const char *target, const char *from,
    const char *headers, struct sending *s)
{
	const char *type = value(e, "type");
	struct sofia_target t;
	char *route = NULL;
	struct buf to;
	int st = sofia_target_parse(&t, sv_of(target));

	if (st)
		return st;
	buf_init(&to);
	buf_printf(&to, "\"\" <%s>", t.uri);
	struct sip_request_params rp = {.method = "MESSAGE",
	    .uri = t.uri,
	    .from = from,
	    .to = to.p,
	    .headers = headers,
	    .ctype = type ? type : "text/html",
	    .body = event_body(e),
	    .dst = {.transport = t.transport}};
	sofia_target_route(&t, &route, &rp.dst);
	rp.route = route;
	struct request *r = mem_zalloc(sizeof(*r));
	st = to.failed || !r ? ST_NOMEM : sip_request_send(&r->ctx, p->stack, &rp, on_response, r);
	if (!st) {
		r->p = p, r->s = s;
		list_push(&under_way, &r->link);
		under_way_count++, s->waiting++;
	} else {
		mem_free(r);
	}
	buf_fini(&to);
	mem_free(route);
	sofia_target_fini(&t);
	return st;
}

/* "profile/user@host", "sip:user@host" or "user@host": which profile, user, host. NULL: none carries it. */
static ON_CTL struct profile *recipient(const struct event *e, struct sv *user, struct sv *host)
{
	const char *to = event_get(e, "to"), *named = event_get(e, "sip_profile");
	struct sv rest = sv_of(to ? to : ""), profile;
	struct profile *p = NULL;

	if (sv_split(rest, '/', &profile, &rest)) {
		if (!(p = profile_find(profile)))
			return NULL;
	} else {
		rest = profile;
	}
	if (sv_startsi(rest, SV("sip:")))
		rest = sv_sub(rest, 4, rest.n);
	if (!sv_split(rest, '@', user, host))
		*host = SV_NONE;
	if (!p && named && *named)
		p = profile_find(sv_of(named));
	if (!p && host->n)
		p = profile_find(*host);
	return p ? p : profile_first();
}

static ON_CTL void no_recipient(const struct event *m, const struct profile *p, const char *from)
{
	const char *to = event_get(m, "to"), *named = event_get(m, "sip_profile");
	struct sv user, host = SV_NONE;
	struct event *e;

	log_notice("sofia: MESSAGE: %s is not registered", to ? to : "");
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::error") || !(e = event_new(EVENT_CUSTOM, "sofia::error")))
		return;
	event_add(e, "Error-Type", "chat");
	event_add(e, "Error-Reason", "no recipient");
	event_add(e, "Chat-Send-To", to ? to : "");
	event_add(e, "Chat-Send-From", from);
	sv_split(sv_of(to ? to : ""), '@', &user, &host);
	if (named && *named)
		event_add(e, "Chat-Send-Profile", named);
	else
		event_addf(e, "Chat-Send-Profile", "%.*s", SVF(host));
	event_set_body(e, event_body(m));
	event_fire(e);
}

/* An address that is nobody's here is for programs only: a phone's word, or a page's, must not send to where it likes.
 */
static ON_CTL bool may_go_outside(const struct event *e, const struct profile *p, struct sv host)
{
	struct sv proto = sv_of(event_get(e, "proto"));
	bool is_phones = sv_isi(proto, "sip") || sv_isi(proto, "verto");
	return host.n && !is_phones && !profile_has_alias(p, host) && !profile_find(host) && sip_is_host(host);
}

static ON_CTL int sip_send(struct event *e, chat_done_fn done, void *arg)
{
	const struct reg *regs[REG_CONTACTS_MAX];
	const char *instance =
	    event_get(e, "to_instance"); /* of a GRUU (message_in.c): of the user's phones only that */
	struct sv user, host;
	struct profile *p = recipient(e, &user, &host);
	struct sending *s;
	struct buf from, headers;
	size_t count = 0;
	unsigned sent = 0;

	role_assert_ctl();
	if (!p)
		return ST_NOTFOUND;
	if (under_way_count >= UNDER_WAY_MAX)
		return ST_FULL;
	if (!(s = mem_zalloc(sizeof(*s))))
		return ST_NOMEM;
	*s = (struct sending){.done = done, .arg = arg};
	buf_init(&from), buf_init(&headers);
	from_put(e, p, &from);
	headers_put(e, &headers);
	if (!from.failed && !headers.failed && user.n)
		count =
		    reg_table_find(reg_table_of(p), user, host.n ? host : sv_of(p->ext_sip_ip), regs, REG_CONTACTS_MAX);
	for (size_t i = 0; i < count && i < REG_CONTACTS_MAX; i++)
		sent += (!instance || !strcmp(instance, regs[i]->instance)) &&
		        !send_one(p, e, regs[i]->target, from.p, headers.p, s);
	if (!count && may_go_outside(e, p, host)) {
		struct buf uri;
		buf_init(&uri);
		buf_adds(&uri, "sip:");
		sip_escape_user(&uri, user);
		buf_printf(&uri, "@%.*s", SVF(host));
		sent += !uri.failed && !send_one(p, e, uri.p, from.p, headers.p, s);
		buf_fini(&uri);
	}
	if (!sent) {
		no_recipient(e, p, from.p ? from.p : "");
		mem_free(s);
	}
	buf_fini(&from), buf_fini(&headers);
	return sent ? ST_OK : ST_NOTFOUND;
}

static const struct chat_ops carrier = {.proto = "sip", .is_outside = true, .send = sip_send};

int message_carrier_open(void)
{
	list_init(&under_way);
	return chat_carrier_add(&carrier);
}

void message_carrier_close(void)
{
	chat_carrier_del(&carrier);
}
