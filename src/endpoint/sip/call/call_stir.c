/* STIR/SHAKEN in calls. In: where the profile asks for it an INVITE waits, its transaction and a copy of it held, for
 * the verdict on its Identity, at most stir-shaken-verify-timeout; then it goes on with sip_verstat and its like, or is
 * refused as RFC 8224 6.2.2 says. How many wait is bounded: those beyond go on unjudged where the profile only marks,
 * and are asked to come again where it rejects. What the called phone is told (verstat in From and P-Asserted-Identity,
 * TS 24.229) is our own finding only: a stranger's is cut off. Out: Identity and Date of the attestation that the leg,
 * its gateway or its profile names; of a diverted call that keeps its Identity a "div" token. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { WAITING_MAX = 500, APP_TIMEOUT_MS = 5000 };
static unsigned waiting;

enum policy { POLICY_OFF, POLICY_MARK, POLICY_REJECT, POLICY_REQUIRE };

static enum policy policy_of(const struct profile *p)
{
	static const char *const names[] = {"off", "mark", "reject", "require"};
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(p->conf.stir_verify, names[i]))
			return (enum policy)i;
	return str_is_true(p->conf.stir_verify) ? POLICY_MARK : POLICY_OFF;
}

/* ---- in ---- */

static ON_CTL void params_of(struct stir_check_params *out, const struct profile *p, const struct sip_msg *m,
    const struct addr *src, bool is_believed, bool is_by_gateway)
{
	char number[STIR_TN_MAX];
	*out = (struct stir_check_params){.checks_path = -1, .requires_date = -1, .call_id = m->call_id, .src = src};
	for (size_t i = 0; i < m->hdr_count; i++) {
		if (!sv_isi(m->hdrs[i].name, "Identity") && !sv_isi(m->hdrs[i].name, "y"))
			continue;
		if (out->count == STIR_IDENTITIES_MAX)
			out->has_more = true;
		else
			out->identities[out->count++] = m->hdrs[i].value;
	}
	out->date = sip_msg_value(m, SIP_HDR_DATE);
	out->orig = call_identity_number(p, m, is_believed);
	/* a gateway's requests name our Contact; the number is in To */
	bool is_number = stir_number(m->ruri.user, number);
	out->dest = is_by_gateway || !is_number ? m->to.uri.user : m->ruri.user;
}

struct held {
	struct profile *p;
	struct sip_stx *tx;
	struct sip_msg *m;
	struct caller who;
};

static ON_CTL void held_free(struct held *h)
{
	waiting--;
	sip_stx_unref(h->tx);
	mem_unref(h->p);
	mem_unref(h->m);
	mem_unref(h->who.gateway);
	mem_free(h);
}

/* False: it was refused. */
static ON_CTL bool may_pass(struct held *h, const struct stir_verdict *v)
{
	static const struct {
		int code;
		const char *phrase;
	} phrases[] = {{403, "Stale Date"}, {428, "Use Identity Header"}, {436, "Bad Identity Info"},
	    {437, "Unsupported Credential"}, {438, "Invalid Identity Header"}};
	enum policy policy = policy_of(h->p);
	if (v->kind == STIR_V_PASSED || policy <= POLICY_MARK || (v->kind == STIR_V_NONE && policy != POLICY_REQUIRE))
		return true;
	log_notice("sofia: %s: a call of %.*s is refused: %s", h->p->conf.name, SVF(h->m->from.uri.user), v->reason);
	const char *phrase = NULL;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].code == v->code)
			phrase = phrases[i].phrase;
	sip_stx_reply(h->tx, v->code, phrase, NULL, NULL, SV_NONE);
	return false;
}

static void on_verdict(const struct stir_verdict *v, void *arg)
{
	struct held *h = arg;
	role_assert_ctl();
	/* CANCEL, or the profile's end, may have come first */
	if (!h->p->stack || sip_stx_is_done(h->tx) || !may_pass(h, v)) {
		caller_fini(&h->who);
	} else {
		h->who.verdict = v;
		if (h->who.gateway && !h->who.gateway->p) /* deleted meanwhile */
			h->who.gateway = mem_unref(h->who.gateway);
		invite_go(h->p, h->tx, h->m, &h->who);
	}
	held_free(h);
}

bool call_stir_waits(struct profile *p, struct sip_stx *tx, const struct sip_msg *m, struct caller *who)
{
	enum policy policy = policy_of(p);
	struct stir_check_params params;
	struct held *h = NULL;
	if (policy == POLICY_OFF)
		return false;
	params_of(&params, p, m, sip_stx_peer(tx), caller_is_believed(p, who, sip_stx_peer(tx)), who->gateway != NULL);
	params.timeout_ms = p->conf.stir_timeout_ms;
	int st = ST_FULL;
	if (waiting < WAITING_MAX && (h = mem_zalloc(sizeof(*h)))) {
		waiting++;
		*h = (struct held){.p = mem_ref(p), .tx = sip_stx_ref(tx), .m = sip_msg_dup(m), .who = *who};
		mem_ref(h->who.gateway);
		if (h->who.acl_name)
			h->who.acl_name = h->who.acl;
		st = h->m ? stir_check_start(NULL, &params, on_verdict, h) : ST_NOMEM;
	}
	if (!st) {
		if (p->conf.is_auto_100)
			sip_stx_reply(tx, 100, NULL, NULL, NULL, SV_NONE);
		return true;
	}
	if (h)
		held_free(h);
	if (policy == POLICY_MARK)
		return false;
	sip_stx_reply_once(tx, 503, NULL, "Retry-After: 2\r\n");
	caller_fini(who);
	return true;
}

void call_stir_vars(struct leg *leg, const struct stir_verdict *v)
{
	const char *verstat = stir_verdict_verstat(v);
	leg_var_set(leg, "sip_verstat", verstat);
	if (v->attest)
		leg_var_setf(leg, "sip_verstat_detailed", "%s-%c", verstat, v->attest);
	else
		leg_var_set(leg, "sip_verstat_detailed", verstat);
	leg_var_set(leg, "sip_verstat_reason", *v->reason ? v->reason : NULL);
	if (v->attest)
		leg_var_setf(leg, "sip_verstat_attest", "%c", v->attest);
	if (*v->origid)
		leg_var_set(leg, "sip_verstat_origid", v->origid);
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::verstat"))
		return;
	struct event *e = event_new(EVENT_CUSTOM, "sofia::verstat");
	if (!e)
		return;
	event_add(e, "Unique-ID", leg->uuid);
	event_add(e, "verstat", verstat);
	event_add(e, "verstat-reason", v->reason);
	event_addf(e, "verstat-code", "%d", v->code);
	event_fire(e);
}

/* ---- the application ---- */

struct app_wait {
	struct co_wait wait;
	struct stir_verdict v;
};

static void app_done(const struct stir_verdict *v, void *arg)
{
	struct app_wait *w = arg;
	role_assert_ctl();
	w->v = *v;
	co_signal(&w->wait, ST_OK);
}

static ON_CTL uint32_t number_var(struct leg *leg, const char *name)
{
	const char *text = leg_var(leg, name);
	uint32_t n = 0;
	return text && !sv_u32(sv_of(text), &n) ? n : 0;
}

int call_stir_app(struct leg *leg, const char *data)
{
	struct call *c = leg->ops == call_endpoint() ? call_of(leg) : NULL;
	const struct sip_msg *m;
	struct stir_check_params params;
	struct app_wait w = {.v = {.kind = STIR_V_NONE}};
	struct stir_check *check;
	role_assert_co();
	m = c && c->sip && !c->is_outbound ? sip_call_invite_msg(c->sip) : NULL;
	if (!m) {
		leg_log(leg, LOG_WARNING, "sofia_stir_shaken_vs: only for a SIP call that came in and is not answered");
		return ST_UNSUPPORTED;
	}
	params_of(&params, c->p, m, sip_call_remote_addr(c->sip), c->is_believed, c->gateway != NULL);
	params.timeout_ms = APP_TIMEOUT_MS;
	params.max_age_s = number_var(leg, "sip_stir_shaken_vs_max_age");
	if (leg_var(leg, "sip_stir_shaken_vs_cert_path_check"))
		params.checks_path = leg_var_is_true(leg, "sip_stir_shaken_vs_cert_path_check");
	if (leg_var(leg, "sip_stir_shaken_vs_require_date"))
		params.requires_date = leg_var_is_true(leg, "sip_stir_shaken_vs_require_date");
	int st = stir_check_start(&check, &params, app_done, &w);
	if (st)
		return st;
	mem_ref(leg);
	if (co_wait(&w.wait, clock_us_of_ms(2 * APP_TIMEOUT_MS)) < 0) {
		stir_check_cancel(check);
		snprintf(w.v.reason, sizeof(w.v.reason), "nobody judged it in time");
		w.v.kind = STIR_V_FAILED, w.v.code = 436;
	}
	st = leg_is_up(leg) ? ST_OK : ST_HANGUP;
	if (!st)
		call_stir_vars(leg, &w.v);
	if (!st && w.v.kind == STIR_V_FAILED && leg_var_is_true(leg, "sip_stir_shaken_vs_hangup_on_fail"))
		call_respond(leg, w.v.code, NULL);
	mem_unref(leg);
	return st;
}

/* ---- to whom is called ---- */

void call_verstat_cut(char *number)
{
	static const char name[] = ";verstat=";
	for (char *p = number; p && (p = strchr(p, ';')); p++)
		if (!strncasecmp(p, name, sizeof(name) - 1)) {
			*p = 0;
			return;
		}
}

void call_verstat_put(struct call *c, struct buf *uri)
{
	static const char *const said[] = {"TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"};
	struct leg *a = c->originator_uuid && !c->gateway ? leg_find(c->originator_uuid) : NULL;
	const char *verstat = a ? vars_get(a->vars, "sip_verstat") : NULL;
	if (!verstat || c->leg->profile->hides_number)
		return;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (!strcmp(said[i], verstat))
			buf_printf(uri, ";verstat=%s", said[i]);
}

/* ---- out ---- */

static ON_CTL char attest_of(struct call *c)
{
	const char *texts[] = {leg_var(c->leg, "sip_stir_shaken_attest"),
	    c->gateway ? c->gateway->conf.stir_attest : NULL, c->p->conf.stir_attest};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (!texts[i] || !*texts[i])
			continue;
		if (!texts[i][1] && strchr("ABCabc", texts[i][0]))
			return (char)(texts[i][0] & ~0x20);
		if (strcasecmp(texts[i], "none"))
			leg_log(c->leg, LOG_WARNING, "the attestation \"%s\" is none of A, B, C", texts[i]);
		return 0;
	}
	return 0;
}

/* A call that goes on with the Identity it came with, to another number than the one that was signed: whoever diverted
 * it was here. True: that is said. What was found to be wrong is not vouched for. */
static ON_CTL bool divert_put(struct call *c, struct buf *headers, struct sv orig, struct sv dest)
{
	struct leg *a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
	const char *came = vars_get(c->leg->vars, "sip_h_identity"),
	           *verstat = a ? vars_get(a->vars, "sip_verstat") : NULL;
	return came && a && !(verstat && !strcmp(verstat, "TN-Validation-Failed")) &&
	       stir_sip_divert(headers, sv_of(came), orig, dest) == ST_OK;
}

void call_stir_sign_put(struct call *c, struct buf *headers, const char *from_uri, const char *to_uri)
{
	const struct leg_profile *lp = c->leg->profile;
	char attest = attest_of(c);
	struct sip_uri from, to;
	if (sip_uri_parse(&from, sv_of(from_uri)) || sip_uri_parse(&to, sv_of(to_uri)))
		return;
	/* who verifies looks at P-Asserted-Identity, else at From */
	bool is_asserted = call_cid_type(c) == CID_PID && lp->caller_id_number && *lp->caller_id_number;
	struct sv orig = is_asserted ? sv_of(lp->caller_id_number) : from.user;
	if (divert_put(c, headers, orig, to.user) || !attest)
		return;
	int st = stir_sip_sign(headers, attest, orig, to.user, c->leg->uuid);
	if (st)
		leg_log(c->leg, LOG_WARNING, "the call is not signed: %s",
		    st == ST_UNSUPPORTED ? "stir-shaken-as-key or stir-shaken-as-url is missing"
		    : st == ST_INVAL     ? "the caller's or the called number is none"
		                         : status_text(st));
}
