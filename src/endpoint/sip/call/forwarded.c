/* Who redirected a call. In: the latest Diversion (RFC 5806), or the entry of History-Info (RFC 7044) before the one
 * that led here, becomes the redirecting number (RDNIS). Out: a call whose leg has one, because it was transferred or
 * forwarded here, or came so, and one that follows a 3xx, says so in the form that is asked for: redirecting-headers of
 * the profile or the gateway, sip_redirecting_headers of the leg. FreeSWITCH only hands on what came: so does "none".
 */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"

#include <string.h>
#include <strings.h>

enum { ENTRIES_MAX = 32, INDEX_MAX = 64 };
enum { FORM_NONE, FORM_DIVERSION, FORM_HISTORY, FORM_BOTH };

static bool form_parse(const char *text, int *out)
{
	static const char *const names[] = {"none", "diversion", "history-info", "both"};
	for (int i = 0; text && i < (int)ARRAY_COUNT(names); i++)
		if (!strcasecmp(text, names[i])) {
			*out = i;
			return true;
		}
	return false;
}

static ON_CTL int form_of(struct call *c)
{
	int form = FORM_NONE;
	if (form_parse(leg_var(c->leg, "sip_redirecting_headers"), &form))
		return form;
	if (c->gateway && form_parse(c->gateway->conf.redirecting_headers, &form))
		return form;
	form_parse(c->p->conf.redirecting_headers, &form);
	return form;
}

/* ---- reasons: RFC 5806's words and RFC 4458's causes ---- */

static const struct reason {
	const char *word;
	unsigned cause;
} reasons[] = {{"unconditional", 302}, {"user-busy", 486}, {"no-answer", 408}, {"unavailable", 503},
    {"deflection", 480}, {"unknown", 404}, {"time-of-day", 302}, {"do-not-disturb", 480}, {"follow-me", 302},
    {"out-of-service", 503}, {"away", 480}};

static const struct reason *reason_of(struct sv word)
{
	for (size_t i = 0; i < ARRAY_COUNT(reasons); i++)
		if (sv_isi(word, reasons[i].word))
			return &reasons[i];
	return NULL;
}

static const struct reason *reason_of_cause(uint32_t cause)
{
	for (size_t i = 0; i < ARRAY_COUNT(reasons); i++)
		if (reasons[i].cause == cause)
			return &reasons[i];
	return NULL;
}

/* ---- in ---- */

struct redirecting {
	struct sv user; /* escaped */
	const struct reason *reason;
};

static bool diversion_read(const struct sip_msg *m, struct redirecting *out)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	struct sv word;
	sip_list_start(&it, m, SIP_HDR_DIVERSION);
	if (!sip_list_next(&it) || sip_nameaddr_parse(&na, it.item) < 0 || !na.uri.user.n)
		return false;
	*out = (struct redirecting){.user = na.uri.user};
	if (sip_param_get(na.params, ';', "reason", &word))
		out->reason = reason_of(word);
	return true;
}

/* "Reason=SIP%3Bcause%3D302" among an address's headers. */
static const struct reason *uri_reason(struct sv headers)
{
	struct sv one, name, value, params, number;
	const struct reason *found = NULL;
	struct buf text;
	uint32_t n;
	while (headers.n && !found) {
		sv_split(headers, '&', &one, &headers);
		if (!sv_split(one, '=', &name, &value) || !sv_isi(name, "Reason"))
			continue;
		buf_init(&text);
		sip_unescape(&text, value);
		sv_split(buf_sv(&text), ';', &one, &params);
		if (sip_param_get(params, ';', "cause", &number) && sv_u32(sv_trim(number), &n) == ST_OK)
			found = reason_of_cause(n);
		buf_fini(&text);
	}
	return found;
}

static bool history_read(const struct sip_msg *m, struct redirecting *out)
{
	struct sip_list_it it;
	struct sip_nameaddr na, before = {.is_star = false};
	size_t n = 0;
	sip_list_start(&it, m, SIP_HDR_HISTORY_INFO);
	for (struct sip_nameaddr last = before; n < ENTRIES_MAX && sip_list_next(&it); last = na, n++) {
		if (sip_nameaddr_parse(&na, it.item) < 0)
			return false;
		before = last;
	}
	if (n < 2 || !before.uri.user.n)
		return false;
	*out = (struct redirecting){.user = before.uri.user, .reason = uri_reason(before.uri.headers)};
	return true;
}

void forwarded_in(struct call *c, const struct sip_msg *m, struct leg_profile *lp)
{
	struct redirecting r;
	struct buf user;
	int form = FORM_NONE;
	if (!c->is_believed)
		return;
	form_parse(c->p->conf.redirecting_headers, &form);
	if (!((form & FORM_DIVERSION) && diversion_read(m, &r)) && !((form & FORM_HISTORY) && history_read(m, &r)))
		return;
	buf_init(&user);
	sip_unescape(&user, r.user);
	if (user.n && !user.failed)
		leg_profile_set(&lp->rdnis, user.p);
	if (r.reason)
		leg_var_set(c->leg, "sip_redirecting_reason", r.reason->word);
	buf_fini(&user);
}

/* ---- out ---- */

/* Of the leg, or of who dials it. */
static ON_CTL const char *either(struct call *c, const char *name)
{
	struct leg *a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
	const char *v = vars_get(c->leg->vars, name);
	return v || !a ? v : vars_get(a->vars, name);
}

/* The number that redirected: whom we called before a 3xx, else the leg's. */
static ON_CTL void number_put(struct call *c, struct buf *b)
{
	const struct leg_profile *lp = c->leg->profile;
	struct sip_uri u;
	if (c->redirect_count && c->to_uri && sip_uri_parse(&u, sv_of(c->to_uri)) == ST_OK && u.user.n)
		sip_unescape(b, u.user);
	else if (lp->rdnis)
		buf_adds(b, lp->rdnis);
}

/* It stands on top of what came and goes on (headers.c): nothing has been redirected since. */
static ON_CTL bool is_told_already(struct call *c, const char *number)
{
	const char *came = vars_get(c->leg->vars, "sip_h_Diversion");
	struct sip_list_it it;
	struct sip_nameaddr na;
	struct buf user;
	if (!came)
		return false;
	sip_list_start_value(&it, sv_of(came));
	if (!sip_list_next(&it) || sip_nameaddr_parse(&na, it.item) < 0)
		return false;
	buf_init(&user);
	sip_unescape(&user, na.uri.user);
	bool is_same = user.n && !strcmp(user.p, number);
	buf_fini(&user);
	return is_same;
}

static ON_CTL void address_put(struct call *c, const char *number, struct buf *b)
{
	buf_adds(b, "sip:");
	sip_escape_user(b, sv_of(number));
	buf_addc(b, '@');
	call_domain_put(c, b);
}

static ON_CTL void diversion_put(struct call *c, const char *number, const struct reason *why, struct buf *b)
{
	if (is_told_already(c, number))
		return;
	buf_adds(b, "Diversion: <");
	address_put(c, number, b);
	buf_printf(
	    b, ">;reason=%s;counter=1;privacy=%s\r\n", why->word, c->leg->profile->hides_number ? "full" : "off");
}

/* The index of the last entry of what came; false when there is none that counts. */
static bool last_index(const char *came, struct sv *out)
{
	struct sip_list_it it;
	struct sip_nameaddr na;
	size_t n = 0;
	*out = SV_NONE;
	sip_list_start_value(&it, sv_of(came));
	while (sip_list_next(&it)) {
		if (n++ == ENTRIES_MAX || sip_nameaddr_parse(&na, it.item) < 0 ||
		    !sip_param_get(na.params, ';', "index", out))
			return false;
	}
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] != '.' && (out->p[i] < '0' || out->p[i] > '9'))
			return false;
	return n && !it.is_bad && out->n && out->n < INDEX_MAX;
}

/* What came goes on, with one entry more for where the call goes now. */
static ON_CTL void history_put(struct call *c, const char *number, const struct reason *why, struct buf *b)
{
	const char *came = either(c, "sip_history_info");
	struct sip_uri u;
	struct sv index, target = sv_of(c->uri);
	if (vars_get(c->leg->vars, "sip_h_History-Info")) /* the dialplan's own, or copied as it came */
		return;
	if (sip_uri_parse(&u, target) == ST_OK && u.params.n)
		target = sv_sub(target, 0, (size_t)(u.params.p - target.p) - 1);
	bool has_came = came && sip_is_nameaddr_list(sv_of(came)) && last_index(came, &index);
	if (!has_came && !*number)
		return;
	buf_adds(b, "History-Info: ");
	if (has_came) {
		buf_printf(b, "%s, <%.*s>;index=%.*s.1;%s=%.*s\r\n", came, SVF(target), SVF(index),
		    *number ? "mp" : "rc", SVF(index));
		return;
	}
	buf_addc(b, '<');
	address_put(c, number, b);
	buf_printf(b, "?Reason=SIP%%3Bcause%%3D%u>;index=1, <%.*s>;index=1.1;mp=1\r\n", why->cause, SVF(target));
}

void forwarded_put(struct call *c, struct buf *b)
{
	int form = form_of(c);
	struct buf number;
	if (form == FORM_NONE)
		return;
	const struct reason *why = reason_of(sv_of(either(c, "sip_redirecting_reason")));
	if (!why)
		why = reason_of(c->redirect_count ? SV("deflection") : SV("unconditional"));
	buf_init(&number);
	number_put(c, &number);
	const char *text = number.n && !number.failed ? number.p : "";
	if ((form & FORM_DIVERSION) && *text)
		diversion_put(c, text, why, b);
	if (form & FORM_HISTORY)
		history_put(c, text, why, b);
	buf_fini(&number);
}
