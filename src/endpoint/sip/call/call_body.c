/* Bodies beside the session description, from leg to leg. Each part of an INVITE's multipart body becomes an element
 * "type:bytes" of the leg's sip_multipart, as data; whom that leg dials takes the variable along (unless
 * sip_copy_multipart is false), and each element of a leg's sip_multipart goes with its own INVITE, whoever set it: so
 * a dialplan sees, changes, drops and adds parts. FreeSWITCH's form, its "~" for header lines included, which counts
 * only where the configuration wrote it. ISUP has a room of its own (call_isup.c). An INFO or MESSAGE of a call goes to
 * the other side where proxy-info, proxy-info-content-types, proxy-message or the leg's variables say so: how many
 * wait for their answer is bounded. */
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/value/vars.h"
#include "endpoint/sip/call/call_i.h"
#include "isup/isup.h"
#include "text/mark.h"

#include <string.h>

static const char variable[] = "sip_multipart";
enum { PARTS_MAX = 8, BYTES_MAX = 32 << 10, TYPE_MAX = 128, PASSED_MAX = 8, PASSED_BYTES_MAX = 64 << 10 };

struct call *call_originator(const struct call *c)
{
	struct leg *a = c->originator_uuid ? leg_find(c->originator_uuid) : NULL;
	return a && leg_is_up(a) && a->ops == call_endpoint() ? call_of(a) : NULL;
}

struct call *call_partner(const struct call *c)
{
	struct leg *other = c->leg ? leg_partner(c->leg) : NULL;
	bool is_ours = other && (!other->peer || other->peer == c->leg) && other->ops == call_endpoint();
	return is_ours ? call_of(other) : NULL;
}

static struct sv type_of(struct sv ctype)
{
	struct sv type, params;
	sv_split(ctype, ';', &type, &params);
	return sv_trim(type);
}

/* Of the telephone network (RFC 3204): what a phone says there could pass for a carrier's word. */
static bool is_of_network(struct sv ctype)
{
	struct sv type = type_of(ctype);
	return sv_isi(type, "application/isup") || sv_isi(type, "application/qsig");
}

/* ---- INVITE in ---- */

struct taking {
	struct call *c;
	size_t count, bytes;
};

static void part_take(const struct sip_part *part, void *arg)
{
	struct taking *t = arg;
	struct sv type = type_of(part->ctype);
	struct buf b;
	role_assert_ctl();
	if (is_of_network(type) || !type.n || type.n > TYPE_MAX || memchr(type.p, ':', type.n) || !part->bytes.n)
		return;
	bool is_text = !memchr(part->bytes.p, 0, part->bytes.n);
	if (!is_text || t->count == PARTS_MAX || part->bytes.n > BYTES_MAX - t->bytes) {
		leg_log(t->c->leg, LOG_NOTICE, "a part of their INVITE is left out: %.*s, %zu bytes%s", SVF(type),
		    part->bytes.n, is_text ? ", which is too much" : ", no text");
		return;
	}
	buf_init(&b);
	mark_put(&b, type);
	buf_addc(&b, ':');
	mark_put(&b, part->bytes);
	if (!b.failed && vars_push(t->c->leg->vars, variable, b.p) == ST_OK)
		t->count++, t->bytes += part->bytes.n;
	buf_fini(&b);
}

void body_invite_in(struct call *c, const struct sip_msg *m)
{
	struct taking t = {.c = c};
	sip_body_each(m, part_take, &t);
}

/* ---- INVITE out ---- */

void body_invite_pass(struct call *c, struct leg *a)
{
	const char *copy = leg_var(a, "sip_copy_multipart");
	if ((!copy || str_is_true(copy)) && !vars_get(c->leg->vars, variable))
		vars_copy_one(c->leg->vars, variable, a->vars, variable);
}

/* Behind "~": header lines, an empty one, the bytes. */
static void lines_cut(char *text, struct sip_part *out)
{
	out->lines = text;
	out->bytes = SV_NONE;
	for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		if (end != at && !(end == at + 1 && *at == '\r'))
			continue;
		*at = 0;
		out->bytes = sv_of(end + 1);
		return;
	}
}

/* One element, whose bytes out points into once they are *text (the caller's to free); false: it is no part. */
static ON_CTL bool part_parse(struct call *c, const char *marked, struct sip_part *out, char **text)
{
	struct sv type, rest;
	bool has_lines = sv_split(sv_of(marked), ':', &type, &rest) && sv_starts(rest, SV("~"));
	bool is_part = (*text = mark_strip_dup(sv_of(marked))) && sv_split(sv_of(*text), ':', &type, &rest);
	type = is_part ? sv_trim(type) : SV_NONE;
	if (!type.n || type.n > TYPE_MAX || !memchr(type.p, '/', type.n) || !sip_is_value(type)) {
		leg_log(c->leg, LOG_WARNING, "an element of %s does not begin with type/subtype: and is left out",
		    variable);
		return false;
	}
	*out = (struct sip_part){.ctype = type, .bytes = rest};
	if (has_lines)
		lines_cut(*text + (rest.p - *text) + 1, out);
	return true;
}

struct parts {
	struct sip_part at[PARTS_MAX + 1]; /* ISUP besides */
	char *texts[PARTS_MAX];
	size_t count, text_count;
};

static ON_CTL void parts_of_variable(struct call *c, struct parts *out)
{
	struct buf scratch;
	const char *name = variable, *one;
	bool is_array = vars_is_array(c->leg->vars, name);
	size_t i = 0, bytes = 0;
	if (!vars_get(c->leg->vars, name))
		return;
	buf_init(&scratch);
	for (; (one = is_array ? vars_element(c->leg->vars, name, i, &scratch)
	              : i      ? NULL
	                       : vars_text(c->leg->vars, name, &scratch));
	     i++) {
		size_t n = mark_length(sv_of(one));
		if (i == PARTS_MAX || n > BYTES_MAX + TYPE_MAX - bytes) {
			leg_log(
			    c->leg, LOG_WARNING, "%s has more than goes with an INVITE; the rest is left out", name);
			break;
		}
		bytes += n;
		if (part_parse(c, one, &out->at[out->count], &out->texts[out->text_count++]))
			out->count++;
	}
	buf_fini(&scratch);
}

bool body_invite_make(struct call *c, struct sv sdp, struct buf *ctype, struct buf *body)
{
	uint8_t isup[ISUP_BYTES_MAX];
	struct parts parts = {.count = 0};
	bool has_isup = isup_invite_part(c, isup, &parts.at[0]);
	parts.count = has_isup;
	parts_of_variable(c, &parts);
	if (has_isup && parts.count == 1 && !sdp.n) {
		buf_addv(ctype, parts.at[0].ctype);
		buf_addv(body, parts.at[0].bytes);
	} else if (parts.count) {
		sip_put_multipart(ctype, body, sdp, parts.at, parts.count);
	}
	for (size_t i = 0; i < parts.text_count; i++)
		mem_free(parts.texts[i]);
	return !ctype->failed && !body->failed && body->n;
}

/* ---- INFO and MESSAGE ---- */

static void on_passed_answer(struct sip_ctx *ctx, int code, const struct sip_msg *resp, void *arg)
{
	struct call *to = arg;
	role_assert_ctl();
	if (code >= 200 && to->passed_count)
		to->passed_count--;
}

/* As it came, headers left here. ST_LIMIT: too much waits for its answer. */
static ON_CTL int request_pass(struct call *to, const char *method, const struct sip_msg *m)
{
	struct sv disposition = sip_msg_value(m, SIP_HDR_CONTENT_DISPOSITION);
	struct buf ctype, headers;
	if (to->passed_count >= PASSED_MAX || m->body.n > PASSED_BYTES_MAX)
		return ST_LIMIT;
	buf_init(&ctype);
	buf_init(&headers);
	buf_addv(&ctype, m->content_type);
	if (disposition.n)
		sip_put_hdr(&headers, "Content-Disposition", disposition);
	int st = ctype.failed || headers.failed
	             ? ST_NOMEM
	             : sip_call_request(to->sip, method, headers.p, ctype.p, m->body, on_passed_answer, to);
	to->passed_count += st == ST_OK;
	buf_fini(&ctype);
	buf_fini(&headers);
	return st;
}

static ON_CTL struct call *pass_to(struct call *c, const struct sip_msg *m)
{
	struct call *to = call_partner(c);
	bool is_open = to && to->sip && !to->is_closed && sip_call_state(to->sip) == SIP_CALL_CONFIRMED;
	struct sip_part part;
	bool is_kept = sip_body_part(m, "application/isup", &part) || sip_body_part(m, "application/qsig", &part);
	return is_open && !is_kept ? to : NULL;
}

bool body_request_passed(struct call *c, struct sip_call *sc, struct sip_stx *tx, const struct sip_msg *m)
{
	bool is_info = m->method == SIP_INFO;
	bool is_asked = is_info ? c->p->conf.passes_info || leg_var_is_true(c->leg, "sip_proxy_info")
	                        : c->p->conf.passes_messages || leg_var_is_true(c->leg, "sip_proxy_message");
	struct call *to = is_asked ? pass_to(c, m) : NULL;
	if (!to)
		return false;
	if (request_pass(to, is_info ? "INFO" : "MESSAGE", m) == ST_OK)
		sip_call_reply(sc, tx, is_info ? 200 : 202, NULL, NULL, NULL, SV_NONE);
	else
		sip_call_reply(sc, tx, 503, NULL, "Retry-After: 1\r\n", NULL, SV_NONE);
	return true;
}

/* "all", or media types with commas between. */
static bool is_listed(struct sv list, struct sv type)
{
	struct sv one;
	while (list.n) {
		sv_split(list, ',', &one, &list);
		one = sv_trim(one);
		if (sv_isi(one, "all") || (one.n && sv_eqi(one, type)))
			return true;
	}
	return false;
}

void body_info_copied(struct call *c, const struct sip_msg *m)
{
	struct call *to =
	    is_listed(sv_of(c->p->conf.passed_info_types), type_of(m->content_type)) ? pass_to(c, m) : NULL;
	if (to && request_pass(to, "INFO", m) < 0)
		leg_log(c->leg, LOG_NOTICE, "an INFO does not go on to the other side: too many wait for their answer");
}
