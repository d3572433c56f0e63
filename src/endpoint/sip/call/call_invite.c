/* The INVITE of an outbound call: our offer, who calls and who is called, and what variables change of it
 * (sip_invite_*, sip_h_*, sip_route_uri ...). */
#include "base/log.h"
#include "base/mem.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "text/mark.h"
#include "trace/trace.h"

#include <string.h>

/* The gateway that sip_use_gateway names: a call to any address answers with its account, by its rules. A name from
 * outside names none. */
static ON_CTL struct gateway *gateway_named(struct call *c)
{
	struct buf scratch;
	buf_init(&scratch);
	const char *name = c->leg ? vars_text(c->leg->vars, "sip_use_gateway", &scratch) : NULL;
	struct gateway *g = name && *name && !mark_has(sv_of(name)) ? gateway_find(sv_of(name)) : NULL;
	if (name && *name && !g)
		leg_log(c->leg, LOG_WARNING, "sip_use_gateway names no gateway of the configuration");
	buf_fini(&scratch);
	return g;
}

static bool on_challenge(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	struct call *c = arg;
	role_assert_ctl();
	const char *user = c->leg ? leg_var(c->leg, "sip_auth_username") : NULL,
	           *password = c->leg ? leg_var(c->leg, "sip_auth_password") : NULL;
	struct gateway *named = gateway_named(c);
	if (named)
		return gateway_credentials(named, ch, out);
	if (!user || !*user || !password)
		return c->gateway && call_gateway_credentials(c, ch, out);
	*out = (struct sip_credentials){.user = sv_of(user), .password = sv_of(password)};
	return true;
}

static ON_CTL void from_uri_put(struct call *c, struct buf *b)
{
	const struct leg_profile *lp = c->leg->profile;
	const char *domain = leg_var(c->leg, "sip_invite_domain");
	const char *host = leg_var(c->leg, "sip_from_host");
	const char *number = lp->hides_number ? "anonymous" : lp->caller_id_number;
	buf_adds(b, "sip:");
	sip_escape_user(b, sv_of(number && *number ? number : c->p->conf.contact_user));
	if (host)
		domain = host;
	call_verstat_put(c, b);
	buf_addc(b, '@');
	call_host_put(c, b, domain && *domain ? domain : c->p->ext_sip_ip);
}

static void to_uri_put(const char *uri, struct buf *b)
{
	/* The address itself, without the request's transport and flow parameters. */
	struct sip_uri u;
	if (sip_uri_parse(&u, sv_of(uri)) == ST_OK && u.params.n)
		buf_addv(b, sv_sub(u.text, 0, (size_t)(u.params.p - u.text.p) - 1));
	else
		buf_adds(b, uri);
}

static ON_CTL void vars_dialled(struct call *c)
{
	const char *at = strchr(c->uri, ':');
	leg_var_setf(c->leg, "sip_outgoing_contact_uri", "<%s>", sip_call_local_contact(c->sip));
	leg_var_set(c->leg, "sip_req_uri", at ? at + 1 : c->uri);
	leg_var_set(c->leg, "sofia_profile_name", c->p->conf.name);
	leg_var_set(c->leg, "recovery_profile_name", c->p->conf.name);
	leg_var_set(c->leg, "sofia_profile_url", c->p->url);
	leg_var_set(c->leg, "sip_local_network_addr", c->p->ext_sip_ip);
	struct sip_uri u;
	if (at && sip_uri_parse(&u, sv_of(c->uri)) == ST_OK)
		leg_var_setf(c->leg, "sip_to_host", u.port ? "%.*s:%u" : "%.*s", SVF(u.host), u.port);
	leg_var_set(c->leg, "sip_from_host", c->p->ext_sip_ip);
}

/* A variable that may go into a header; NULL when it is unset, empty or not allowed there. */
static ON_CTL const char *var_value(struct call *c, const char *name)
{
	const char *v = vars_get(c->leg->vars, name);
	if (!v || !*v)
		return NULL;
	if (!sip_is_value(sv_of(v))) {
		leg_log(c->leg, LOG_WARNING, "variable %s is no header value and is left out", name);
		return NULL;
	}
	return v;
}

static ON_CTL void invite_headers(struct call *c, struct buf *b)
{
	const char *alert = var_value(c, "alert_info");
	struct buf host;
	buf_adds(b, "X-FS-Support: update_display,send_info\r\n");
	if (leg_var_is_true(c->leg, "sip_auto_answer")) {
		buf_init(&host);
		call_host_put(c, &host, c->p->ext_sip_ip);
		buf_printf(b, "Call-Info: <sip:%s>;answer-after=0\r\n", host.p ? host.p : "");
		buf_fini(&host);
	}
	if (alert)
		sip_put_hdr(b, "Alert-Info", sv_of(alert));
	forwarded_put(c, b);
	call_headers_put(c, b, "sip_h_");
	call_identity_put(c, b, false);
	session_timer_ask_put(c, b);
}

/* Whom From and To name: texts for sip_call_invite, and the buffers they live in. */
struct party {
	struct buf uri, display;
};

static void party_fini(struct party *p)
{
	buf_fini(&p->uri);
	buf_fini(&p->display);
}

/* A whole name-addr of a variable: its URI and display name. ST_NOTFOUND: unset or broken. */
static ON_CTL int party_full(struct call *c, struct party *p, const char *name)
{
	const char *v = var_value(c, name);
	struct sip_nameaddr na;

	if (!v)
		return ST_NOTFOUND;
	if (sip_nameaddr_parse(&na, sv_of(v)) < 0) {
		leg_log(c->leg, LOG_WARNING, "variable %s is no address: %s", name, v);
		return ST_NOTFOUND;
	}
	buf_addv(&p->uri, na.uri.text);
	sip_unquote(&p->display, na.display);
	return ST_OK;
}

/* A URI of a variable, with or without its brackets. */
static ON_CTL int party_uri(struct call *c, struct party *p, const char *name)
{
	const char *v = var_value(c, name);
	struct sip_nameaddr na;

	if (!v || sip_nameaddr_parse(&na, sv_of(v)) < 0)
		return ST_NOTFOUND;
	return buf_addv(&p->uri, na.uri.text);
}

static ON_CTL void params_put(struct call *c, struct buf *b, const char *name)
{
	const char *v = var_value(c, name);
	if (v && !sip_is_uri_params(sv_of(v + (*v == ';'))))
		leg_log(c->leg, LOG_WARNING, "variable %s is no list of parameters and is left out: %s", name, v);
	else if (v)
		buf_printf(b, *v == ';' ? "%s" : ";%s", v);
}

static ON_CTL void from_make(struct call *c, struct party *from)
{
	const struct leg_profile *lp = c->leg->profile;
	const char *display = var_value(c, "sip_from_display");

	if (party_full(c, from, "sip_force_full_from") == ST_OK || party_full(c, from, "sip_invite_full_from") == ST_OK)
		return;
	if (party_uri(c, from, "sip_invite_from_uri") < 0 && party_uri(c, from, "sip_from_uri") < 0) {
		if (c->gateway)
			call_gateway_from_put(c, &from->uri);
		else
			from_uri_put(c, &from->uri);
	}
	params_put(c, &from->uri, "sip_invite_from_params");
	if (lp->hides_name)
		display = "Anonymous";
	else if (!display)
		display = lp->caller_id_name;
	buf_adds(&from->display, display ? display : "");
}

static ON_CTL void to_make(struct call *c, struct party *to)
{
	const char *display = var_value(c, "sip_to_display");

	if (party_full(c, to, "sip_force_full_to") == ST_OK || party_full(c, to, "sip_invite_full_to") == ST_OK)
		return;
	if (party_uri(c, to, "sip_invite_to_uri") < 0)
		to_uri_put(c->to_uri ? c->to_uri : c->uri, &to->uri);
	params_put(c, &to->uri, "sip_invite_to_params");
	buf_adds(&to->display, display ? display : "");
}

static ON_CTL void request_uri_make(struct call *c, struct party *uri)
{
	if (c->redirect_count || party_uri(c, uri, "sip_invite_req_uri") < 0)
		buf_adds(&uri->uri, c->uri);
	if (leg_var_is_true(c->leg, "sip_auto_answer") && !vars_get(c->leg->vars, "sip_invite_params"))
		buf_adds(&uri->uri, ";intercom=true");
	params_put(c, &uri->uri, "sip_invite_params");
}

/* Route: the gateway's or the registered Path, else what variables say. */
static ON_CTL const char *route_of(struct call *c, struct buf *b)
{
	const char *v = var_value(c, "sip_invite_route_uri");

	if (c->route)
		return c->route;
	if (!v)
		v = var_value(c, "sip_route_uri");
	if (!v || c->redirect_count)
		return NULL;
	buf_printf(b, *v == '<' ? "%s" : "<%s>", v);
	return b->p;
}

static ON_CTL uint32_t cseq_of(struct call *c)
{
	const char *v = c->redirect_count ? NULL : vars_get(c->leg->vars, "sip_invite_cseq");
	uint32_t n = 0;

	if (v && (sv_u32(sv_of(v), &n) || !n || n > INT32_MAX)) {
		leg_log(c->leg, LOG_WARNING, "variable sip_invite_cseq is no number from 1 to 2147483647: %s", v);
		n = 0;
	}
	return n;
}

static ON_CTL int invite_send(struct call *c, struct sv sdp)
{
	struct leg *leg = c->leg;
	struct party from = {0}, to = {0}, uri = {0};
	struct buf headers = {0}, route = {0}, ctype = {0}, body = {0};
	const char *mf = leg_var(leg, "max_forwards"), *reliable = leg_var(leg, "sip_enable_100rel");
	char call_id[UUID_CHARS + 1];
	uint32_t hops = 70;
	int st;

	if (mf)
		sv_u32(sv_of(mf), &hops);
	from_make(c, &from);
	to_make(c, &to);
	request_uri_make(c, &uri);
	invite_headers(c, &headers);
	call_stir_sign_put(c, &headers, from.uri.p, uri.uri.p);
	bool has_parts = body_invite_make(c, sdp, &ctype, &body);
	struct sip_invite_params ip = {.uri = uri.uri.p,
	    .to_uri = to.uri.p,
	    .to_display = to.display.p,
	    .from_uri = from.uri.p,
	    .from_display = from.display.p,
	    .contact_user = var_value(c, "sip_contact_user"),
	    .contact = c->gateway ? c->gateway->contact : NULL,
	    .contact_params = var_value(c, "sip_invite_contact_params"),
	    .cseq = cseq_of(c),
	    .reliable = !reliable || !*reliable ? SIP_RELIABLE_AS_STACK
	                : str_is_true(reliable) ? SIP_RELIABLE_ON
	                                        : SIP_RELIABLE_OFF,
	    .route = route_of(c, &route),
	    .call_id = c->redirect_count ? NULL : var_value(c, "sip_invite_call_id"),
	    .headers = headers.p,
	    .sdp = has_parts ? buf_sv(&body) : sdp,
	    .ctype = has_parts ? ctype.p : NULL,
	    .max_forwards = (int)(hops ? hops : 1),
	    .dst = c->dst,
	    .use_source_address = c->is_nat,
	    .credentials = on_challenge,
	    .credentials_arg = c};
	if (c->again_call_id) {
		ip.call_id = c->again_call_id;
		ip.from_tag = c->again_from_tag;
		ip.cseq = c->again_cseq;
	}
	if (!ip.call_id && c->p->conf.uses_uuid_as_callid && !c->redirect_count)
		ip.call_id = leg->uuid;
	if (!ip.call_id) {
		uuid_make(call_id);
		ip.call_id = call_id;
	}
	trace_call_note(
	    sv_of(ip.call_id), leg->uuid, c->originator_uuid ? c->originator_uuid : ""); /* before its first message */
	st = sip_call_invite(&c->sip, c->p->stack, &ip, c->handlers, c);
	party_fini(&from), party_fini(&to), party_fini(&uri);
	buf_fini(&headers), buf_fini(&route), buf_fini(&ctype), buf_fini(&body);
	return st;
}

int call_out_invite(struct leg *leg)
{
	struct call *c = call_of(leg);
	struct leg *a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
	struct buf sdp;
	int st;

	role_assert_ctl();
	buf_init(&sdp);
	st = leg_media_offer(leg, a, &sdp);
	if (!st)
		st = invite_send(c, buf_sv(&sdp));
	buf_fini(&sdp);
	if (st < 0)
		return st;
	mem_ref(c); /* the callbacks' reference */
	vars_dialled(c);
	return ST_OK;
}

int call_out_again(struct call *c, const struct sip_call *before)
{
	c->again_call_id = mem_strdup(sip_call_id(before));
	c->again_from_tag = mem_strdup(sip_call_local_tag(before));
	c->again_cseq = sip_call_local_cseq(before) + 1;
	c->is_closed = false;
	int st = c->again_call_id && c->again_from_tag ? call_out_invite(c->leg) : ST_NOMEM;
	mem_free(c->again_call_id);
	mem_free(c->again_from_tag);
	c->again_call_id = c->again_from_tag = NULL;
	if (st < 0)
		c->is_closed = true;
	return st;
}

/* Who is reached over a WebSocket is a browser, unless the dial string says otherwise. */
static ON_CTL void browser_note(struct call *c)
{
	struct sip_uri u;
	struct sv transport = SV_NONE;

	if (vars_get(c->leg->vars, "media_webrtc"))
		return;
	if (!sip_uri_parse(&u, sv_of(c->uri)))
		(void)sip_uri_param(&u, "transport", &transport);
	if (c->dst.transport == SIP_WS || c->dst.transport == SIP_WSS || sv_isi(transport, "ws") ||
	    sv_isi(transport, "wss"))
		leg_var_set(c->leg, "media_webrtc", "true");
}

int call_out_dial(struct leg *leg)
{
	struct call *c = call_of(leg);
	int st;

	role_assert_ctl();
	browser_note(c);
	st = call_media_init(c);
	return st < 0 ? st : call_out_invite(leg);
}
