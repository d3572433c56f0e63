/* Headers of calls and variables of legs: what of an INVITE or a response is kept, what of a caller's goes on to whom
 * is called (X-, Diversion, User-to-User by themselves; P-, Alert-Info, Call-Info, History-Info, Identity only where
 * the profile or the dialplan names them), which of the called's X- headers come back in our responses, which of a BYE
 * go with the other side's, and which variables become header lines. Identity is identity.c's. */
#include "base/fmt.h"
#include "base/log.h"
#include "base/mem.h"
#include "endpoint/sip/call/call_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { TAKEN_MAX = 64 };
#define BYE_PREFIX "sip_bye_h_"

/* Kept under a name of their own, which is no header's: they go nowhere by themselves. */
static const struct kept {
	const char *hdr, *var;
} kept[] = {{"Call-Info", "sip_call_info"}, {"Alert-Info", "sip_alert_info"}, {"History-Info", "sip_history_info"},
    {"Subject", "sip_subject"}, {"Geolocation", "sip_geolocation"}, {"Identity", "sip_identity"}};

static bool has_word(struct sv list, const char *word)
{
	struct sv one;

	while (list.n) {
		sv_split(list, ',', &one, &list);
		if (sv_isi(sv_trim(one), word))
			return true;
	}
	return false;
}

/* ---- in ---- */

/* The value stays marked as the far side's word until somebody sets the variable again. */
static ON_CTL void received_set(struct leg *leg, const char *name)
{
	const char *value = vars_get(leg->vars, name); /* leg_var_set may have refused it */
	if (value)
		vars_set_received(leg->vars, name, value);
}

static bool is_private(struct sv name)
{
	return name.n > 2 && (name.p[0] | 0x20) == 'p' && name.p[1] == '-';
}

static bool is_taken(const struct sip_hdr *h, bool is_request)
{
	bool is_x = h->name.n > 2 && (h->name.p[0] | 0x20) == 'x' && h->name.p[1] == '-';
	if (h->id == SIP_HDR_P_ASSERTED_IDENTITY || h->id == SIP_HDR_P_PREFERRED_IDENTITY)
		return !is_request; /* of who calls: identity.c */
	if (h->id == SIP_HDR_ALERT_INFO || h->id == SIP_HDR_CALL_INFO)
		return !is_request;
	return is_x || is_private(h->name) || h->id == SIP_HDR_DIVERSION || sv_isi(h->name, "User-to-User");
}

void call_vars_x_headers(struct call *c, const struct sip_msg *m, const char *prefix)
{
	char name[128];
	size_t taken = 0;
	for (size_t i = 0; i < m->hdr_count && taken < TAKEN_MAX; i++) {
		const struct sip_hdr *h = &m->hdrs[i];
		if (sv_isi(h->name, "X-FS-Support")) {
			c->shows_updates = has_word(h->value, "update_display");
			continue;
		}
		if (!is_taken(h, m->is_request) || h->name.n + strlen(prefix) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%s%.*s", prefix, SVF(h->name));
		call_var_sv(c->leg, name, h->value);
		if (m->is_request && is_private(h->name))
			received_set(c->leg, name);
		taken++;
	}
}

static bool contains(struct sv text, const char *word)
{
	size_t n = strlen(word);
	for (size_t i = 0; i + n <= text.n; i++)
		if (!strncasecmp(text.p + i, word, n))
			return true;
	return false;
}

/* That it be answered at once: by Call-Info (RFC 5373's way has no phones), Alert-Info or the address. */
static bool asks_for_answer(const struct sip_msg *m)
{
	static const char *const alerts[] = {
	    "auto-answer", "auto answer", "alert-autoanswer", "autoanswer", "ring-answer"};
	struct sv alert = sip_msg_value_named(m, "Alert-Info"), yes;
	struct sip_list_it it;
	struct sip_nameaddr na;
	for (sip_list_start(&it, m, SIP_HDR_CALL_INFO); sip_list_next(&it);)
		if (sip_nameaddr_parse(&na, it.item) == ST_OK && sip_param_get(na.params, ';', "answer-after", NULL))
			return true;
	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
		if (contains(alert, alerts[i]))
			return true;
	return sip_param_get(m->ruri.params, ';', "intercom", &yes) && sv_isi(yes, "true");
}

void call_vars_kept(struct call *c, const struct sip_msg *m)
{
	if (asks_for_answer(m))
		leg_var_set(c->leg, "sip_auto_answer_detected", "true");
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		call_var_sv(c->leg, kept[i].var, sip_msg_value_named(m, kept[i].hdr));
	const char *signature = vars_get(c->leg->vars, "sip_identity");
	if (!signature)
		return;
	leg_var_set(c->leg, "sip_h_identity", signature);
	received_set(c->leg, "sip_h_identity");
}

/* ---- from one leg to the next ---- */

static ON_CTL bool may_copy(const struct leg *leg)
{
	const char *copy = vars_get(leg->vars, "sip_copy_custom_headers");
	return !copy || str_is_true(copy);
}

/* X- headers but those that switches say to each other. */
static bool is_custom(struct sv name)
{
	return sv_startsi(name, SV("X-")) && name.n > 2 && !sv_startsi(name, SV("X-FS-"));
}

/* What a message before this one had brought is not this one's. */
static ON_CTL void received_clear(struct leg *leg, const char *prefix)
{
	char name[128];
	const char *n, *v;
	for (size_t i = 0; vars_next_named(leg->vars, sv_of(prefix), &i, &n, &v);) {
		if (!vars_is_received(leg->vars, n) || strlen(n) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%s", n);
		leg_var_set(leg, name, NULL);
		i = 0; /* the others have moved */
	}
}

/* The X- headers of a message as received variables of that leg. */
static ON_CTL void custom_put(struct leg *leg, const struct sip_msg *m, const char *prefix)
{
	char name[128];
	size_t taken = 0;
	for (size_t i = 0; i < m->hdr_count && taken < TAKEN_MAX; i++) {
		const struct sip_hdr *h = &m->hdrs[i];
		if (!is_custom(h->name) || h->name.n + strlen(prefix) >= sizeof(name))
			continue;
		snprintf(name, sizeof(name), "%s%.*s", prefix, SVF(h->name));
		call_var_sv(leg, name, h->value);
		received_set(leg, name);
		taken++;
	}
}

void call_headers_back(struct call *c, const struct sip_msg *resp)
{
	struct leg *a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
	const char *prefix = resp->code < 200 ? "sip_ph_" : "sip_rh_";
	if (!a || !leg_is_up(a) || !may_copy(a) || !may_copy(c->leg))
		return;
	received_clear(a, prefix);
	custom_put(a, resp, prefix);
}

void call_bye_headers_take(struct call *c, const struct sip_msg *bye)
{
	if (c->leg)
		custom_put(c->leg, bye, BYE_PREFIX);
}

void call_bye_headers_pass(struct call *c, struct leg *to)
{
	const struct call *other = to && to->ops == call_endpoint() ? call_of(to) : NULL;
	if (!other || other->is_closed || other->is_bye_said || !may_copy(c->leg) || !may_copy(to))
		return;
	const char *n, *v;
	for (size_t i = 0; vars_next_named(c->leg->vars, SV(BYE_PREFIX), &i, &n, &v);)
		if (!vars_get(to->vars, n))
			vars_copy_one(to->vars, n, c->leg->vars, n);
}

/* "P-Charging-Vector,Alert-Info", "P-*" or "*". */
static bool is_named(struct sv list, const char *name)
{
	struct sv one;
	while (list.n) {
		sv_split(list, ',', &one, &list);
		one = sv_trim(one);
		if (one.n && one.p[one.n - 1] == '*' ? !strncasecmp(one.p, name, one.n - 1) : sv_isi(one, name))
			return true;
	}
	return false;
}

void call_headers_pass(struct call *c, struct leg *a)
{
	const struct call *from = a->ops == call_endpoint() ? call_of(a) : NULL;
	const char *listed = leg_var(a, "sip_copy_headers");
	struct sv list = sv_of(listed ? listed : from ? from->p->conf.copy_headers : "");
	char name[40];
	const char *n, *v;
	if (!may_copy(a))
		return;
	for (size_t i = 0; vars_next_named(a->vars, SV("sip_h_"), &i, &n, &v);) {
		if (strncmp(n, "sip_h_", 6) != 0 || vars_get(c->leg->vars, n))
			continue;
		if (!vars_is_received(a->vars, n) || is_named(list, n + 6))
			leg_var_set(c->leg, n, v);
	}
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		v = vars_get(a->vars, kept[i].var);
		fmt_print(name, sizeof(name), "sip_h_%s", kept[i].hdr);
		if (v && is_named(list, kept[i].hdr) && !vars_get(c->leg->vars, name))
			leg_var_set(c->leg, name, v);
	}
}

/* ---- out ---- */

/* What the stack writes itself and once: a second one would make another message of it. */
bool call_header_is_structural(struct sv name)
{
	switch (sip_hdr_id_of(name)) {
	case SIP_HDR_VIA:
	case SIP_HDR_FROM:
	case SIP_HDR_TO:
	case SIP_HDR_CALL_ID:
	case SIP_HDR_CSEQ:
	case SIP_HDR_CONTACT:
	case SIP_HDR_MAX_FORWARDS:
	case SIP_HDR_CONTENT_LENGTH:
	case SIP_HDR_CONTENT_TYPE:
	case SIP_HDR_RECORD_ROUTE:
		return true;
	default:
		return false;
	}
}

void call_headers_put(struct call *c, struct buf *b, const char *prefix)
{
	const char *name, *value;
	size_t n = strlen(prefix), i = 0;
	if (!c->leg)
		return;
	while (vars_next_named(c->leg->vars, (struct sv){prefix, n}, &i, &name, &value)) {
		if (!sip_is_token(sv_of(name + n)) || call_header_is_structural(sv_of(name + n)))
			leg_log(c->leg, LOG_WARNING, "variable %s names no header that may be added", name);
		else
			sip_put_hdr(b, name + n, sv_of(value));
	}
}
