/* Redirection. In: a 300, 301, 302 or 305 to our INVITE is told in variables and followed: to another address by a new
 * INVITE of the same leg, to a number of our own domain (or with manual-redirect) by the caller's dialplan;
 * outbound_redirect_fatal ends the leg instead. Out: the applications redirect and deflect. */
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dir.h"
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "endpoint/sip/call/call_i.h"
#include "text/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CONTACTS_MAX = 32, REDIRECTS_MAX = 10 };

/* ---- in ---- */

static ON_CTL void var_put(struct leg *leg, const char *name, struct sv value)
{
	char *copy = value.n ? sv_dup(value) : NULL;
	if (leg && copy)
		leg_var_set(leg, name, copy);
	mem_free(copy);
}

static ON_CTL void var_put_n(struct leg *leg, const char *prefix, unsigned n, struct sv value)
{
	char name[48];
	snprintf(name, sizeof(name), "%s_%u", prefix, n);
	var_put(leg, name, value);
}

/* The configuration's word, with marks; to be freed. */
static ON_CTL char *word_or(struct leg *leg, const char *name, const char *fallback)
{
	char *own = leg_text_dup(leg, name);
	if (own && *own)
		return own;
	mem_free(own);
	return mem_strdup(fallback);
}

struct redirect {
	struct call *c;
	struct leg *a; /* the caller's leg, or NULL */
	struct sip_nameaddr first;
	struct buf dialstring;
	unsigned count;
};

/* One contact in the variables of both legs. */
static ON_CTL void contact_note(struct redirect *r, const struct sip_nameaddr *na)
{
	struct leg *legs[2] = {r->c->leg, r->a};
	struct buf dial;
	const char *why;
	char name[48];

	buf_init(&dial);
	char *profile = word_or(r->c->leg, "sip_redirect_profile", r->c->p->conf.name);
	buf_printf(&dial, "sofia/%s/", profile ? profile : "");
	mem_free(profile);
	if (contact_render(&na->uri, false, &dial, &why) < 0) {
		leg_log(r->c->leg, LOG_NOTICE, "a Contact it redirects to is left out of dial strings: %s", why);
		buf_clear(&dial);
	}
	for (size_t i = 0; i < 2; i++) {
		if (!legs[i])
			continue;
		if (!r->count)
			var_put(legs[i], "sip_redirected_to", na->text);
		var_put_n(legs[i], "sip_redirect_contact", r->count, na->text);
		var_put_n(legs[i], "sip_redirect_contact_user", r->count, na->uri.user);
		var_put_n(legs[i], "sip_redirect_contact_host", r->count, na->uri.host);
		var_put_n(legs[i], "sip_redirect_contact_params", r->count, na->uri.params);
		snprintf(name, sizeof(name), "sip_redirect_dialstring_%u", r->count);
		leg_var_set_text(legs[i], name, dial.p);
	}
	if (r->dialstring.n && dial.n)
		buf_addc(&r->dialstring, leg_var_is_true(r->c->leg, "sip_redirect_fork") ? ',' : '|');
	buf_addv(&r->dialstring, buf_sv(&dial));
	buf_fini(&dial);
	if (!r->count++)
		r->first = *na;
}

static ON_CTL void contacts_note(struct redirect *r, const struct sip_msg *msg)
{
	const struct sip_hdr *by = sip_msg_hdr(msg, SIP_HDR_DIVERSION);
	struct leg *legs[2] = {r->c->leg, r->a};
	struct sip_list_it it;
	struct sip_nameaddr na;

	sip_list_start(&it, msg, SIP_HDR_CONTACT);
	while (r->count < CONTACTS_MAX && sip_list_next(&it))
		if (sip_nameaddr_parse(&na, it.item) == ST_OK && !na.is_star)
			contact_note(r, &na);
	for (size_t i = 0; i < 2 && r->count; i++) {
		if (!legs[i])
			continue;
		leg_var_setf(legs[i], "sip_redirect_count", "%u", r->count);
		leg_var_set_text(legs[i], "sip_redirect_dialstring", r->dialstring.p);
		if (by)
			var_put(legs[i], "sip_redirected_by", by->value);
	}
}

static ON_CTL bool host_is_ours(const struct profile *p, struct sv host)
{
	return sv_isi(host, p->sip_ip) || sv_isi(host, p->ext_sip_ip) || dir_domain_exists(host);
}

/* The caller goes where the contact's user leads in our own dialplan; the called leg is over. */
static ON_CTL void caller_transfer(struct redirect *r, const char *dialplan, const char *context)
{
	struct buf user, text;
	struct leg *a = mem_ref(r->a);

	buf_init(&text);
	buf_init(&user);
	sip_unescape(&user, r->first.uri.user);
	leg_log(r->c->leg, LOG_DEBUG, "Redirect: Transfering to %s %s %s", user.n ? user.p : "",
	    dialplan ? dialplan : "", context ? context : "");
	leg_hangup(r->c->leg, CAUSE_REDIRECTION_TO_NEW_DESTINATION);
	mark_put(&text, buf_sv(&user));
	if (text.n && !text.failed)
		leg_transfer(a, text.p, dialplan, context);
	buf_fini(&text);
	buf_fini(&user);
	mem_unref(a);
}

/* The address itself, without the headers it may ask for. */
static struct sv uri_bare(const struct sip_uri *u)
{
	return u->headers.p ? sv_sub(u->text, 0, (size_t)(u->headers.p - u->text.p) - 1) : u->text;
}

/* A new INVITE to the contact, by the same leg. */
static ON_CTL int follow(struct redirect *r)
{
	struct call *c = r->c;
	char *uri;

	if (r->first.uri.scheme == SIP_SCHEME_OTHER || !r->first.uri.host.n)
		return ST_INVAL;
	if (++c->redirect_count > REDIRECTS_MAX) {
		leg_log(c->leg, LOG_WARNING, "redirected %d times: a loop", REDIRECTS_MAX);
		return ST_LIMIT;
	}
	uri = sv_dup(uri_bare(&r->first.uri));
	if (!uri)
		return ST_NOMEM;
	if (!c->to_uri)
		c->to_uri = c->uri;
	else
		mem_free(c->uri);
	c->uri = uri;
	mem_free(c->route);
	c->route = NULL;
	memset(&c->dst, 0, sizeof(c->dst));
	c->is_nat = false;
	c->is_closed = false;
	leg_log(c->leg, LOG_NOTICE, "redirected to %s", c->uri);
	return call_out_invite(c->leg);
}

static ON_CTL bool redirect_take(struct redirect *r, int code)
{
	struct leg *b = r->c->leg;
	int st;

	if (leg_var_is_true(b, "outbound_redirect_fatal")) {
		leg_var_setf(b, "proto_specific_hangup_cause", "sip:%d", code);
		leg_hangup(b, CAUSE_REQUESTED_CHAN_UNAVAIL);
		return true;
	}
	if (!r->count)
		return false;
	if (r->a && r->c->p->conf.is_manual_redirect) {
		if (leg_var(b, "outbound_redirect_info")) {
			leg_hangup(b, CAUSE_REDIRECTION_TO_NEW_DESTINATION);
			return true;
		}
		char *dialplan = word_or(b, "sip_redirect_dialplan", "XML"),
		     *context = word_or(b, "sip_redirect_context", "redirected");
		if (dialplan && context)
			caller_transfer(r, dialplan, context);
		mem_free(dialplan);
		mem_free(context);
		return true;
	}
	if (r->a && host_is_ours(r->c->p, r->first.uri.host)) {
		caller_transfer(r, NULL, NULL);
		return true;
	}
	st = follow(r);
	if (st) {
		leg_var_set(b, "endpoint_disposition", "REDIRECT_ERROR");
		leg_hangup(b, st == ST_LIMIT ? CAUSE_EXCHANGE_ROUTING_ERROR : CAUSE_DESTINATION_OUT_OF_ORDER);
	}
	return true;
}

bool redirect_in(struct call *c, const struct sip_close *why)
{
	struct redirect r = {.c = c, .a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL};
	bool is_taken;

	if (!c->is_outbound || why->kind != SIP_CLOSE_REJECT || !why->msg ||
	    (why->code != 305 && (why->code < 300 || why->code > 302)))
		return false;
	if (r.a && !leg_is_up(r.a))
		r.a = NULL;
	buf_init(&r.dialstring);
	contacts_note(&r, why->msg);
	is_taken = redirect_take(&r, why->code);
	buf_fini(&r.dialstring);
	return is_taken;
}

/* ---- out ---- */

/* One address as the application gives it: a name-addr, or a URI, whose scheme may be missing. */
static bool is_address(struct sv one)
{
	struct sip_nameaddr na;
	struct sip_uri u;
	struct buf b;
	if (sv_find(one, '<') < one.n)
		return sip_nameaddr_parse(&na, one) == ST_OK && !na.is_star;
	buf_init(&b);
	buf_printf(&b, "sip:%.*s", SVF(one));
	bool is_good = sip_uri_parse(&u, one) == ST_OK || (!b.failed && sip_uri_parse(&u, buf_sv(&b)) == ST_OK);
	buf_fini(&b);
	return is_good;
}

/* The addresses between the commas are such; *first gets the first. */
static bool is_address_list(struct sv uris, struct sv *first)
{
	struct sip_list_it it;
	size_t count = 0;
	for (sip_list_start_value(&it, uris); sip_list_next(&it); count++) {
		if (!is_address(it.item))
			return false;
		if (!count)
			*first = it.item;
	}
	return count && !it.is_bad && sip_is_value(uris);
}

/* One Contact header: each with a q below the one before, so that the order counts. */
static void contacts_put(struct buf *b, struct sv uris)
{
	struct sip_list_it it;
	unsigned n = 0, count = 0, q = 129;

	for (sip_list_start_value(&it, uris); sip_list_next(&it);)
		count++;
	buf_adds(b, "Contact: ");
	for (sip_list_start_value(&it, uris); sip_list_next(&it);) {
		struct sv one = it.item;
		buf_adds(b, n++ ? ", " : "");
		if (sv_find(one, '<') < one.n)
			buf_addv(b, one);
		else
			buf_printf(b, "\"unknown\" <%.*s>", SVF(one));
		if (count > 1 && sv_find(one, '<') == one.n && q)
			buf_printf(b, ";q=0.%03u", q--);
	}
	buf_adds(b, "\r\n");
}

/* "URI[,URI...][ CAUSE]": 302 before the answer, REFER to the first after it. */
int call_redirect(struct leg *leg, const char *uris)
{
	struct call *c = call_of(leg);
	enum cause cause = CAUSE_NORMAL_UNSPECIFIED;
	struct sv where = sv_trim(sv_of(uris)), word, first = SV_NONE;
	struct buf b;
	int st;

	role_assert_ctl();
	if (!c || !c->sip || c->is_closed || !where.n)
		return ST_INVAL;
	if (sv_find(where, '<') == where.n && sv_split(where, ' ', &where, &word)) {
		char *text = sv_dup(sv_trim(word));
		cause = cause_parse(text);
		mem_free(text);
	}
	if (!is_address_list(where, &first)) {
		leg_log(leg, LOG_WARNING, "no address to redirect to: %.*s", SVF(where));
		return ST_INVAL;
	}
	buf_init(&b);
	if (leg->is_answered) {
		bool has_brackets = sv_find(first, '<') < first.n;
		buf_printf(&b, has_brackets ? "Refer-To: %.*s\r\n" : "Refer-To: <%.*s>\r\n", SVF(first));
		buf_printf(&b, "Referred-By: <%s>\r\n", c->p->url);
		st = b.failed ? ST_NOMEM : refer_send(c, b.p);
	} else {
		contacts_put(&b, where);
		c->respond_code = 302;
		st = sip_call_hangup(c->sip, 302, NULL, NULL, b.p);
		leg_hangup(leg, cause);
	}
	buf_fini(&b);
	return st;
}
