/* REFER outside of a call, where the profile takes it (refer-outside-of-calls): from accounts only, and about what is
 * theirs. With Target-Dialog (RFC 4538) it is about a call of the account's and means what it would mean inside it.
 * Sent to the account's own address it asks that its phones ring and call the number (RFC 5359 2.19); the outcome is
 * told by one NOTIFY, unless Refer-Sub: false (RFC 4488). What it names is a number, in the account's own context. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/run/api.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <string.h>

enum { DIALS_MAX = 100, NUMBER_MAX_CHARS = 64 };

/* Whom the NOTIFY goes to: the dialog that the REFER made. */
struct told {
	struct profile *p; /* a reference */
	char *uri, *from, *to, *call_id, *event;
	struct sip_dst dst;
	bool is_wanted;
};
static unsigned dial_count;

static void told_fini(struct told *t)
{
	mem_unref(t->p);
	mem_free(t->uri), mem_free(t->from), mem_free(t->to), mem_free(t->call_id), mem_free(t->event);
}

static ON_CTL int told_init(struct told *t, struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct sip_nameaddr contact;
	struct buf from;
	char event[32];
	*t = (struct told){.p = mem_ref(p), .is_wanted = !sv_isi(sip_msg_value_named(m, "Refer-Sub"), "false")};
	if (sip_msg_contact(m, &contact) < 0 || contact.is_star)
		return ST_PARSE;
	buf_init(&from);
	buf_printf(&from, "<%.*s>;tag=%s", SVF(m->to.uri.text), sip_stx_to_tag(tx));
	snprintf(event, sizeof(event), "refer;id=%u", m->cseq);
	t->uri = sv_dup(contact.uri.text), t->from = buf_take(&from), t->to = sv_dup(sip_msg_value(m, SIP_HDR_FROM));
	t->call_id = sv_dup(m->call_id), t->event = mem_strdup(event);
	t->dst.transport = sip_stx_transport(tx);
	t->dst.addr = *sip_stx_peer(tx); /* whoever sent it gets it, behind whatever router */
	return t->uri && t->from && t->to && t->call_id && t->event ? ST_OK : ST_NOMEM;
}

static ON_CTL void tell(struct told *t, const char *status)
{
	struct buf headers, body;
	if (!t->is_wanted || !t->p->stack)
		return;
	buf_init(&headers), buf_init(&body);
	buf_printf(&headers, "Event: %s\r\nSubscription-State: terminated;reason=noresource\r\n", t->event);
	buf_printf(&body, "SIP/2.0 %s\r\n", status);
	const struct sip_request_params rp = {.method = "NOTIFY",
	    .uri = t->uri,
	    .from = t->from,
	    .to = t->to,
	    .call_id = t->call_id,
	    .contact = "",
	    .headers = headers.p,
	    .ctype = "message/sipfrag;version=2.0",
	    .body = buf_sv(&body),
	    .dst = t->dst};
	if (!headers.failed && !body.failed && sip_request_send(NULL, t->p->stack, &rp, NULL, NULL))
		log_notice("sofia: %s: NOTIFY of a REFER cannot be sent", t->p->conf.name);
	buf_fini(&headers), buf_fini(&body);
}

static ON_CTL void take(struct profile *p, struct sip_stx *tx, const struct told *t)
{
	struct buf b, uri;
	buf_init(&b), buf_init(&uri);
	if (sip_stack_contact_uri(p->stack, NULL, sip_stx_transport(tx), sip_stx_peer(tx), &uri) == ST_OK)
		buf_printf(&b, "Contact: <%s>\r\n", uri.p);
	buf_adds(&b, t->is_wanted ? "Expires: 60\r\n" : "Refer-Sub: false\r\n");
	sip_stx_reply(tx, 202, NULL, b.p, NULL, SV_NONE);
	buf_fini(&b), buf_fini(&uri);
}

/* ---- about a call ---- */

/* A phone of the account is its far end. */
static ON_CTL bool is_of(const struct call *c, const struct auth *who)
{
	const char *user = leg_var(c->leg, c->is_outbound ? "dialed_user" : "sip_auth_username"),
	           *domain = leg_var(c->leg, c->is_outbound ? "dialed_domain" : "sip_auth_realm");
	const char *id = c->is_outbound ? dir_user_id(who->user) : who->username;
	return user && id && !strcmp(user, id) && domain && sv_isi(sv_of(domain), dir_user_domain(who->user));
}

static ON_CTL void about_call(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const struct auth *who, const struct refer_to *r)
{
	struct dialog_name name, rep;
	struct call *c = dialog_target_parse(&name, sip_msg_value_named(m, "Target-Dialog")) ? call_by_name(&name)
	                                                                                     : NULL,
	            *other = NULL;
	struct told t;
	if (!c || !is_of(c, who)) {
		sip_stx_reply_once(tx, 481, "Call Does Not Exist", NULL);
		return;
	}
	if (leg_var_is_true(c->leg, "deny_refer_requests") || p->conf.has_disabled_transfer) {
		sip_stx_reply_once(tx, 403, NULL, NULL);
		return;
	}
	if (told_init(&t, p, tx, m)) {
		sip_stx_reply_once(tx, 400, "Bad Contact", NULL);
	} else {
		mem_ref(c);
		if (r->replaces && dialog_name_parse(&rep, sv_of(r->replaces)))
			other = call_by_name(&rep);
		take(p, tx, &t);
		int st = refer_do(c, other, m, r);
		tell(&t, st ? "403 Forbidden" : "200 OK");
		if (!st && other && c->leg)
			leg_hangup(c->leg, CAUSE_NORMAL_CLEARING);
		mem_unref(c);
	}
	told_fini(&t);
}

/* ---- click to dial ---- */

static void on_dialled(int status, struct sv reply, void *arg)
{
	struct told *t = arg;
	role_assert_ctl();
	dial_count--;
	tell(t, !status && sv_starts(reply, SV("+OK")) ? "200 OK" : "480 Temporarily Unavailable");
	told_fini(t);
	mem_free(t);
}

/* A number as it may stand in a command: nothing in it is a word of a language. */
static bool is_number(const char *text)
{
	size_t n = strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+*#_.-");
	return n && !text[n] && n <= NUMBER_MAX_CHARS && text[0] != '-';
}

static bool is_name(const char *text)
{
	return text && is_number(text);
}

static ON_CTL void dial(
    struct profile *p, struct sip_stx *tx, const struct sip_msg *m, const struct auth *who, const struct refer_to *r)
{
	const char *id = dir_user_id(who->user), *domain = dir_user_domain(who->user),
	           *context = dir_user_var(who->user, "user_context");
	struct told *t;
	struct buf line;
	if (!context || !*context)
		context = p->conf.context;
	if (!is_number(r->exten) || !is_name(id) || !is_name(domain) || !is_name(context)) {
		sip_stx_reply_once(tx, 403, "No Number To Call", NULL);
		return;
	}
	if (dial_count >= DIALS_MAX || !(t = mem_zalloc(sizeof(*t)))) {
		sip_stx_reply_once(tx, 503, NULL, "Retry-After: 5\r\n");
		return;
	}
	if (told_init(t, p, tx, m)) {
		sip_stx_reply_once(tx, 400, "Bad Contact", NULL);
		told_fini(t);
		mem_free(t);
		return;
	}
	take(p, tx, t);
	buf_init(&line);
	buf_printf(&line,
	    "{origination_caller_id_number=%s,origination_caller_id_name=%s,effective_caller_id_number=%s}user/%s@%s "
	    "%s XML %s",
	    r->exten, r->exten, id, id, domain, r->exten, context);
	dial_count++;
	int st = line.failed ? ST_NOMEM : api_spawn_for(NULL, "originate", line.p, NULL, on_dialled, t);
	buf_fini(&line);
	if (st)
		on_dialled(st, SV_NONE, t);
}

/* The request is for the account itself: its phones. */
static ON_CTL bool is_to_itself(const struct sip_msg *m, const struct auth *who)
{
	char *user = sv_dup(m->ruri.user);
	bool is_same = user && !strcmp(user, dir_user_id(who->user));
	mem_free(user);
	return is_same;
}

void refer_outside_in(struct profile *p, struct sip_stx *tx, const struct sip_msg *m)
{
	struct auth who = {0};
	struct refer_to r = {0};
	role_assert_ctl();
	if (auth_check(p, tx, m, &who) != AUTH_OK)
		goto done;
	if (!p->conf.takes_refer_outside || !who.user)
		sip_stx_reply_once(tx, 403, "REFER Outside Of A Call", NULL);
	else if (!refer_to_parse(&r, sip_msg_value(m, SIP_HDR_REFER_TO)))
		sip_stx_reply_once(tx, 400, "Bad Refer-To", NULL);
	else if (sip_msg_value_named(m, "Target-Dialog").n)
		about_call(p, tx, m, &who, &r);
	else if (is_to_itself(m, &who))
		dial(p, tx, m, &who, &r);
	else
		sip_stx_reply_once(tx, 403, "Not Your Phone", NULL);
done:
	refer_to_fini(&r);
	auth_fini(&who);
}
