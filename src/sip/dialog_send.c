/* Messages of a dialog: requests with its head, our Contact and the next CSeq, responses with our Contact; where they
 * go; credentials for challenges to them; and what a response ends. */
#include "sip/sip_i.h"

static void contact_bare(struct sip_dialog *d, struct buf *out)
{
	if (d->contact) {
		buf_adds(out, d->contact);
		return;
	}
	const char *user = d->contact_user ? d->contact_user : d->stack->cfg.contact_user;
	bool is_sips = d->is_sips || (d->far.target && sv_startsi(sv_of(d->far.target), SV("sips:")));
	buf_adds(out, is_sips ? "<sips:" : "<sip:");
	sip_escape_user(out, sv_of(user));
	/* The mark brings the transport along, except the default one: a caller is told that too, as FreeSWITCH does.
	 */
	buf_adds(out, "@" SIP_SELF_MARK_TEXT);
	if (!d->is_uac && d->transport == SIP_TRANSPORT_DEFAULT)
		buf_printf(out, ";transport=%s", sip_transport_facts(SIP_TRANSPORT_DEFAULT)->param);
	buf_addc(out, '>');
}

void sip_dialog_contact_put(struct sip_dialog *d, struct buf *out)
{
	const char *params = d->contact_params;
	bool is_after = params && *params == '~', closes;

	contact_bare(d, out);
	if (!params || !params[is_after])
		return;
	closes = !is_after && !out->failed && out->n && out->p[out->n - 1] == '>';
	if (closes)
		out->n--;
	params += is_after;
	buf_printf(out, *params == ';' ? "%s%s" : ";%s%s", params, closes ? ">" : "");
}

void sip_dialog_contact_line(struct sip_dialog *d, struct buf *out)
{
	buf_adds(out, "Contact: ");
	sip_dialog_contact_put(d, out);
	buf_adds(out, "\r\n");
}

void sip_dialog_choose_dst(const struct sip_dialog *d, const char *hop, struct sip_dst *dst)
{
	bool is_open = !d->far.route_set && sip_conn_find(d->stack, (enum sip_transport)d->transport, &d->remote);
	bool is_refused = d->has_own_names_only && sip_uri_needs_name(hop);
	if (d->use_source_address || is_open || is_refused) {
		dst->addr = d->remote;
		dst->transport = (enum sip_transport)d->transport;
		dst->is_flow_only =
		    d->use_source_address && d->transport >= SIP_TLS; /* where it listens nobody knows */
	}
}

bool sip_dialog_is_reachable(const struct sip_dialog *d)
{
	bool is_by_ws = d->transport == SIP_WS || d->transport == SIP_WSS;
	bool is_by_conn = !d->far.route_set && (is_by_ws || (d->use_source_address && d->transport >= SIP_TLS));
	return !is_by_conn || sip_conn_find(d->stack, (enum sip_transport)d->transport, &d->remote);
}

/* ---- a part beside, or in place of, the session description ---- */

int sip_dialog_add_part(struct sip_dialog *d, const struct sip_part *part)
{
	if (!part) {
		mem_free(d->part_text);
		d->part_text = NULL;
		return ST_OK;
	}
	if (!sip_is_value(part->ctype) || !part->ctype.n || !sip_is_value(part->disposition))
		return ST_INVAL;
	size_t n = part->ctype.n + part->disposition.n + part->bytes.n;
	char *text = mem_alloc(n + 1), *at = text;
	if (!text)
		return ST_NOMEM;
	const struct sv *from[] = {&part->ctype, &part->disposition, &part->bytes};
	struct sv *to[] = {&d->part.ctype, &d->part.disposition, &d->part.bytes};
	for (size_t i = 0; i < ARRAY_COUNT(from); i++) {
		if (from[i]->n)
			memcpy(at, from[i]->p, from[i]->n);
		*to[i] = (struct sv){at, from[i]->n};
		at += from[i]->n;
	}
	mem_free(d->part_text);
	d->part_text = text;
	return ST_OK;
}

/* What a message has instead of what it was given. */
struct dressed {
	struct buf headers, ctype, body;
};

static void dressed_fini(struct dressed *w)
{
	buf_fini(&w->headers), buf_fini(&w->ctype), buf_fini(&w->body);
}

/* With the part that waits: beside a session description, else as the body itself. It is taken. */
static void dress(struct sip_dialog *d, struct dressed *w, const char **headers, const char **ctype, struct sv *body)
{
	if (!d->part_text)
		return;
	if (body->n) {
		sip_put_multipart(&w->ctype, &w->body, *body, &d->part, 1);
	} else {
		buf_addv(&w->ctype, d->part.ctype);
		buf_addv(&w->body, d->part.bytes);
		buf_adds(&w->headers, *headers ? *headers : "");
		if (d->part.disposition.n)
			sip_put_hdr(&w->headers, "Content-Disposition", d->part.disposition);
		*headers = w->headers.p ? w->headers.p : *headers;
	}
	mem_free(d->part_text);
	d->part_text = NULL;
	if (w->ctype.failed || w->body.failed || w->headers.failed || !w->body.n)
		return;
	*ctype = w->ctype.p;
	*body = buf_sv(&w->body);
}

int sip_dialog_send(struct sip_dialog *d, struct sip_ctx **out, const char *method, const char *headers,
    const char *ctype, struct sv body, bool with_contact, sip_response_fn fn, void *arg)
{
	struct buf b;
	char *hop = NULL;
	enum sip_method id = sip_method_of(sv_of(method));
	if (!sip_is_token(sv_of(method)))
		return ST_INVAL;
	buf_init(&b);
	int st = sip_far_put_request(
	    &d->far, &b, method, d->local_uri, d->local_tag, d->remote_uri, d->call_id, d->local_cseq + 1, &hop);
	if (st)
		goto out;
	if (with_contact)
		sip_dialog_contact_line(d, &b);
	sip_put_common(d->stack, &b, true);
	sip_put_events(d->stack, &b, id == SIP_INVITE ? SIP_NO_METHOD : id);
	struct dressed with = {.headers = {.p = NULL}};
	if (id == SIP_BYE)
		dress(d, &with, &headers, &ctype, &body);
	sip_put_lines(&b, headers);
	sip_put_call_body(&b, sv_of(ctype), body);
	dressed_fini(&with);
	struct ctx_params p = {.text = b.p,
	    .text_n = b.n,
	    .method = id,
	    .cseq = d->local_cseq + 1,
	    .hop = hop,
	    .fn = fn,
	    .arg = arg,
	    .credentials = d->has_credentials ? sip_dialog_credentials : NULL,
	    .credentials_arg = d,
	    .behalf = &d->remote,
	    .dialog = d};
	sip_dialog_choose_dst(d, hop, &p.dst);
	st = b.failed ? ST_NOMEM : sip_ctx_start(out, d->stack, &p);
	if (!st)
		d->local_cseq++;
out:
	mem_free(hop);
	buf_fini(&b);
	return st;
}

static void keep(char **slot, struct sv v)
{
	mem_free(*slot);
	*slot = v.p ? sv_dup(v) : NULL;
}

/* Of the host they were given for; on this machine the host says nothing. */
static bool is_auth_host(const struct sip_dialog *d, const struct addr *from)
{
	if (!addr_is_set(&d->auth_host))
		return true;
	return addr_is_loopback(from) ? addr_eq(&d->auth_host, from) : addr_eq_host(&d->auth_host, from);
}

bool sip_dialog_credentials(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	role_assert_ctl();
	struct sip_dialog *d = arg;
	if (d->auth_realm && sv_is(ch->realm, d->auth_realm) && is_auth_host(d, ch->from)) {
		out->user = sv_of(d->auth_user);
		out->password = sv_of(d->auth_password);
		out->ha1 = sv_of(d->auth_ha1);
		return true;
	}
	if (!d->credentials || !d->credentials(ch, out, d->credentials_arg))
		return false;
	memset(&d->auth_host, 0, sizeof(d->auth_host));
	if (out->is_for_host)
		d->auth_host = *ch->from;
	keep(&d->auth_realm, ch->realm);
	keep(&d->auth_user, out->user);
	keep(&d->auth_password, out->password);
	keep(&d->auth_ha1, out->ha1);
	return true;
}

/* A response of the dialog with Contact (for 101..299) and Record-Route. */
int sip_dialog_answer(struct sip_dialog *d, struct sip_stx *tx, int code, const char *phrase, const char *headers,
    const char *ctype, struct sv body)
{
	struct buf contact, self, full;
	bool is_target = tx->method == SIP_INVITE || tx->method == SIP_UPDATE || tx->method == SIP_REFER ||
	                 tx->method == SIP_OPTIONS || tx->method == SIP_PRACK || tx->method == SIP_SUBSCRIBE;
	bool with_contact = code > 100 && code < 300 && is_target;
	int st;
	buf_init(&contact);
	buf_init(&self);
	buf_init(&full);
	if (with_contact) {
		st = sip_self_put(d->stack, sip_flow_transport(&tx->src.flow), &tx->src.flow.peer, true, &self);
		if (st)
			goto out;
		sip_dialog_contact_put(d, &contact);
		for (size_t i = 0; i < contact.n; i++) {
			if (contact.p[i] == SIP_SELF_MARK)
				buf_addv(&full, buf_sv(&self));
			else
				buf_addc(&full, contact.p[i]);
		}
	}
	struct dressed with = {.headers = {.p = NULL}};
	if (tx->method == SIP_INVITE && (ctype || code >= 300))
		dress(d, &with, &headers, &ctype, &body);
	st = sip_stx_respond(tx, code, phrase, headers, ctype, body, with_contact ? full.p : NULL, with_contact);
	dressed_fini(&with);
out:
	buf_fini(&contact);
	buf_fini(&self);
	buf_fini(&full);
	return st;
}

const char *sip_dialog_local_contact(struct sip_dialog *d)
{
	if (!d->local_contact && d->stack && addr_is_set(&d->remote)) { /* made on first use */
		struct buf b;
		buf_init(&b);
		if (!sip_stack_contact_uri(d->stack, d->contact_user, (enum sip_transport)d->transport, &d->remote, &b))
			d->local_contact = buf_take(&b);
		buf_fini(&b);
	}
	return d->local_contact ? d->local_contact : "";
}

enum sip_end sip_end_of(int code)
{
	static const struct {
		uint16_t code;
		uint8_t end;
	} ends[] = {{404, SIP_END_DIALOG}, {405, SIP_END_USAGE}, {408, SIP_END_USAGE}, {410, SIP_END_DIALOG},
	    {416, SIP_END_DIALOG}, {480, SIP_END_USAGE}, {481, SIP_END_USAGE}, {482, SIP_END_DIALOG},
	    {484, SIP_END_DIALOG}, {485, SIP_END_DIALOG}, {489, SIP_END_USAGE}, {501, SIP_END_USAGE},
	    {502, SIP_END_DIALOG}, {604, SIP_END_DIALOG}};
	for (size_t i = 0; i < ARRAY_COUNT(ends); i++)
		if (ends[i].code == code)
			return (enum sip_end)ends[i].end;
	return SIP_END_NONE;
}
