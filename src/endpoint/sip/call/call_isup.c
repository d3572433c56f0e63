/* SIP-I: ISUP beside SIP (RFC 3204, ITU-T Q.1912.5). What a side that may send it puts into INVITE, 18x, 200, a
 * refusal, BYE or INFO goes on to the other side of the call as it came ("pass"); with "map" the switch takes part: it
 * reads cause, calling party's category and redirecting number, and writes IAM, ACM, ANM and REL of its own where it
 * has none to hand on. Who may: isup of the gateway ("pass" without it) or the profile ("none" without it). A phone's
 * ISUP goes nowhere: it could say any calling number to a carrier. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "isup/isup.h"

#include <string.h>
#include <strings.h>

static const char media_type[] = "application/isup";
enum isup_mode { MODE_NONE, MODE_PASS, MODE_MAP };

static bool mode_parse(const char *text, enum isup_mode *out)
{
	static const char *const names[] = {[MODE_NONE] = "none", [MODE_PASS] = "pass", [MODE_MAP] = "map"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		if (!strcasecmp(text, names[i])) {
			*out = (enum isup_mode)i;
			return true;
		}
	return false;
}

static ON_CTL enum isup_mode mode_of(const struct call *c)
{
	enum isup_mode mode = c->gateway ? MODE_PASS : MODE_NONE;
	if (c->gateway && mode_parse(c->gateway->conf.isup, &mode))
		return mode;
	if (strcasecmp(c->p->conf.isup, "none") != 0)
		mode_parse(c->p->conf.isup, &mode);
	return mode;
}

/* Neither leg's dialplan says that bodies stay here. */
static ON_CTL bool may_copy(struct leg *leg)
{
	const char *v = leg ? leg_var(leg, "sip_copy_multipart") : NULL;
	return !v || str_is_true(v);
}

/* Takes ISUP and has shown that it speaks it. */
static ON_CTL bool takes_part(const struct call *c)
{
	return c && c->sip && !c->is_closed && c->speaks_isup && mode_of(c) != MODE_NONE && may_copy(c->leg);
}

/* The part of a message of c's far side, when it may send one; bounded. */
static ON_CTL bool part_of(struct call *c, const struct sip_msg *m, struct sip_part *out)
{
	if (mode_of(c) == MODE_NONE || !sip_body_part(m, media_type, out))
		return false;
	if (out->bytes.n > ISUP_BYTES_MAX || out->ctype.n + out->disposition.n > 512) {
		leg_log(c->leg, LOG_WARNING, "an ISUP part of %zu bytes is left out", out->bytes.n);
		return false;
	}
	c->speaks_isup = true;
	return true;
}

static int part_read(struct isup_msg *m, const struct sip_part *part)
{
	return isup_parse(m, (const uint8_t *)part->bytes.p, part->bytes.n);
}

/* ---- what the fields are called outside ---- */

static const struct {
	uint8_t code;
	const char *name;
} categories[] = {{0, "unknown"}, {1, "operator-french"}, {2, "operator-english"}, {3, "operator-german"},
    {4, "operator-russian"}, {5, "operator-spanish"}, {0x0a, "ordinary"}, {0x0b, "priority"}, {0x0c, "data"},
    {0x0d, "test"}, {0x0f, "payphone"}};
static const char *const reasons[] = {
    "unknown", "user-busy", "no-answer", "unconditional", "deflection", "deflection", "unavailable"};

static ON_CTL void category_set(struct leg *leg, uint8_t code)
{
	for (size_t i = 0; i < ARRAY_COUNT(categories); i++)
		if (categories[i].code == code) {
			leg_var_set(leg, "isup_calling_party_category", categories[i].name);
			return;
		}
	leg_var_setf(leg, "isup_calling_party_category", "%u", code);
}

/* By name or number. */
static bool category_of(const char *text, uint8_t *out)
{
	uint32_t n;
	for (size_t i = 0; text && i < ARRAY_COUNT(categories); i++)
		if (!strcasecmp(text, categories[i].name)) {
			*out = categories[i].code;
			return true;
		}
	if (!text || sv_u32(sv_of(text), &n) < 0 || n > 255)
		return false;
	*out = (uint8_t)n;
	return true;
}

static ON_CTL const char *either(struct call *c, const char *name)
{
	struct call *a = call_originator(c);
	const char *v = vars_get(c->leg->vars, name);
	return v || !a ? v : vars_get(a->leg->vars, name);
}

/* ---- INVITE in ---- */

static ON_CTL void keep(struct call *c, const struct sip_part *part)
{
	size_t n = part->ctype.n + part->disposition.n + part->bytes.n;
	char *at = mem_alloc(n + 1);
	if (!at)
		return;
	mem_free(c->isup_text);
	c->isup_text = at;
	memcpy(at, part->ctype.p, part->ctype.n);
	c->isup.ctype = (struct sv){at, part->ctype.n}, at += part->ctype.n;
	if (part->disposition.n)
		memcpy(at, part->disposition.p, part->disposition.n);
	c->isup.disposition = (struct sv){at, part->disposition.n}, at += part->disposition.n;
	if (part->bytes.n)
		memcpy(at, part->bytes.p, part->bytes.n);
	c->isup.bytes = (struct sv){at, part->bytes.n};
}

void isup_invite_in(struct call *c, const struct sip_msg *m, struct leg_profile *lp)
{
	struct sip_part part;
	struct isup_msg iam;
	char number[ISUP_DIGITS_MAX + 2];
	if (!part_of(c, m, &part))
		return;
	keep(c, &part);
	if (mode_of(c) != MODE_MAP)
		return;
	int st = part_read(&iam, &part);
	if (st < 0 || iam.type != ISUP_IAM) {
		leg_log(c->leg, LOG_NOTICE, "the ISUP of their INVITE is no IAM that can be read: %s", status_text(st));
		return;
	}
	category_set(c->leg, iam.category);
	if (iam.redirecting.is_set && *iam.redirecting.digits) {
		isup_number_text(&iam.redirecting, number);
		leg_profile_set(&lp->rdnis, number);
	}
	uint8_t why = isup_redirect_reason(&iam);
	if (iam.has_redirection && why < ARRAY_COUNT(reasons))
		leg_var_set(c->leg, "sip_redirecting_reason", reasons[why]);
}

/* ---- INVITE out ---- */

static uint8_t reason_of(const char *text)
{
	for (size_t i = 0; text && i < ARRAY_COUNT(reasons); i++)
		if (!strcasecmp(text, reasons[i]))
			return (uint8_t)i;
	return 3;
}

/* Who is called by the request URI, who calls by the leg; the rest as the IAM that came has it. */
static ON_CTL bool iam_fill(struct call *c, struct isup_msg *iam)
{
	const struct leg_profile *lp = c->leg->profile;
	struct sip_uri u;
	struct buf user;
	bool is_good;
	buf_init(&user);
	if (sip_uri_parse(&u, sv_of(c->uri)) == ST_OK)
		sip_unescape(&user, u.user);
	is_good = user.n && !user.failed && isup_number_of(&iam->called, user.p);
	buf_fini(&user);
	if (lp->caller_id_number && isup_number_of(&iam->calling, lp->caller_id_number)) {
		iam->calling.presentation = lp->hides_number;
		iam->calling.screening = lp->has_screen ? 3 : 1;
	}
	if (lp->rdnis && isup_number_of(&iam->redirecting, lp->rdnis)) {
		if (!iam->original_called.is_set)
			iam->original_called = iam->redirecting;
		unsigned count = iam->has_redirection && iam->redirection_bytes > 1 ? iam->redirection[1] & 7u : 0;
		isup_redirect_set(
		    iam, reason_of(either(c, "sip_redirecting_reason")), (uint8_t)(count < 5 ? count + 1 : 5));
	}
	category_of(either(c, "isup_calling_party_category"), &iam->category);
	return is_good;
}

static ON_CTL bool iam_make(struct call *c, const struct call *a, uint8_t *bytes, struct sip_part *out)
{
	struct isup_msg iam;
	size_t n;
	bool has_came = a && a->isup_text && part_read(&iam, &a->isup) == ST_OK && iam.type == ISUP_IAM;
	if (!has_came) /* national forward call indicators: interworking met, ISUP not all the way; speech */
		iam = (struct isup_msg){.type = ISUP_IAM, .forward = 0x4801, .category = ISUP_CATEGORY_ORDINARY};
	if (!iam_fill(c, &iam)) {
		leg_log(c->leg, LOG_NOTICE, "no IAM goes with the INVITE: who is called is no number");
		return false;
	}
	if (isup_write(&iam, bytes, ISUP_BYTES_MAX, &n) < 0)
		return false;
	*out = (struct sip_part){.ctype = has_came ? a->isup.ctype : SV("application/isup;version=itu-t92+"),
	    .disposition = SV("signal;handling=optional"),
	    .bytes = {(const char *)bytes, n}};
	return true;
}

bool isup_invite_part(struct call *c, uint8_t *bytes, struct sip_part *out)
{
	const struct call *a = call_originator(c);
	enum isup_mode mode = mode_of(c);
	if (mode == MODE_NONE || !may_copy(c->leg) || (a && !may_copy(a->leg)))
		return false;
	if (mode == MODE_PASS && !(a && a->isup_text))
		return false;
	if (mode == MODE_PASS)
		*out = a->isup;
	else if (!iam_make(c, a, bytes, out))
		return false;
	c->speaks_isup = true;
	return true;
}

/* ---- what the called side says, to who calls ---- */

void isup_response_in(struct call *c, const struct sip_msg *resp)
{
	struct call *a = call_originator(c);
	struct sip_part part;
	if (part_of(c, resp, &part) && takes_part(a) && may_copy(c->leg))
		a->isup_waits = sip_call_add_part(a->sip, &part) == ST_OK ? ISUP_WAITS_WAY : ISUP_WAITS_NOT;
}

static ON_CTL void message_add(struct call *c, const struct isup_msg *m)
{
	uint8_t bytes[ISUP_BYTES_MAX];
	size_t n;
	if (isup_write(m, bytes, sizeof(bytes), &n) < 0)
		return;
	struct sip_part part = {.ctype = c->isup_text ? c->isup.ctype : SV("application/isup;version=itu-t92+"),
	    .disposition = SV("signal;handling=optional"),
	    .bytes = {(const char *)bytes, n}};
	sip_call_add_part(c->sip, &part);
}

/* A part of the other side waits for the message that is about to go. One of another kind (the REL of a side that was
 * tried before this one) is dropped. */
static ON_CTL bool is_there(struct call *c, int kind)
{
	bool is_fit = (int)c->isup_waits == kind;
	if (c->isup_waits != ISUP_WAITS_NOT && !is_fit)
		sip_call_add_part(c->sip, NULL);
	c->isup_waits = ISUP_WAITS_NOT;
	return is_fit;
}

/* Backward call indicators (3.5): charge, ordinary subscriber, interworking met; free when it rings. */
enum { BACKWARD_RINGING = 0x1601, BACKWARD_NOT_TOLD = 0x1201 };

void isup_answering(struct call *c, int code)
{
	if (is_there(c, ISUP_WAITS_WAY) || !takes_part(c) || mode_of(c) != MODE_MAP)
		return;
	struct isup_msg m = {.has_backward = true, .backward = code == 180 ? BACKWARD_RINGING : BACKWARD_NOT_TOLD};
	if (code < 200 && c->has_isup_acm) {
		m.has_backward = false;
		m.type = ISUP_CPG, m.event = code == 180 ? 1 : 3;
	} else if (code < 200) {
		m.type = ISUP_ACM;
		c->has_isup_acm = true;
	} else {
		m.has_backward = !c->has_isup_acm;
		m.type = c->has_isup_acm ? ISUP_ANM : ISUP_CON;
	}
	message_add(c, &m);
}

/* ---- the end ---- */

void isup_releasing(struct call *c)
{
	if (is_there(c, ISUP_WAITS_END) || !takes_part(c) || mode_of(c) != MODE_MAP)
		return;
	enum cause cause = c->leg->cause;
	struct isup_msg m = {.type = ISUP_REL,
	    .has_cause = true,
	    .cause = cause > 0 && cause < 128           ? (uint8_t)cause
	             : cause == CAUSE_ORIGINATOR_CANCEL ? 16
	                                                : 31,
	    .location = 10 /* network beyond interworking point */};
	message_add(c, &m);
}

void isup_release_in(struct call *c, const struct sip_msg *m, struct call *to)
{
	struct sip_part part;
	if (!c->leg || !part_of(c, m, &part) || !may_copy(c->leg))
		return;
	if (!to)
		to = call_partner(c);
	if (takes_part(to))
		to->isup_waits = sip_call_add_part(to->sip, &part) == ST_OK ? ISUP_WAITS_END : ISUP_WAITS_NOT;
}

void isup_refusal_in(struct call *c, const struct sip_msg *m)
{
	struct call *a = call_originator(c);
	if (a)
		isup_release_in(c, m, a);
}

enum cause isup_cause(struct call *c, const struct sip_msg *m)
{
	struct sip_part part;
	struct isup_msg rel;
	if (!m || !c->leg || mode_of(c) != MODE_MAP || !part_of(c, m, &part) || part_read(&rel, &part) < 0 ||
	    !rel.has_cause)
		return CAUSE_NONE;
	leg_var_setf(c->leg, "isup_cause", "%u", rel.cause);
	leg_var_setf(c->leg, "isup_cause_location", "%u", rel.location);
	return (enum cause)rel.cause;
}

/* ---- INFO ---- */

bool isup_info_in(struct call *c, const struct sip_msg *m)
{
	struct sip_part part;
	struct buf ctype, headers;
	if (!sip_body_part(m, media_type, &part))
		return false;
	struct call *other = part_of(c, m, &part) ? call_partner(c) : NULL;
	if (!takes_part(other) || !may_copy(c->leg))
		return true; /* of no use to anybody here */
	buf_init(&ctype);
	buf_init(&headers);
	buf_addv(&ctype, part.ctype);
	if (part.disposition.n)
		sip_put_hdr(&headers, "Content-Disposition", part.disposition);
	if (!ctype.failed && !headers.failed)
		sip_call_request(other->sip, "INFO", headers.p, ctype.p, part.bytes, NULL, NULL);
	buf_fini(&ctype);
	buf_fini(&headers);
	return true;
}
