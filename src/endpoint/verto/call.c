/* Calls: the endpoint that their legs have, and what the client is told. A call is of a session; while that has no
 * connection, the leg lives on for detach-timeout-sec. SDP goes through core's media untouched; the client is a
 * browser, so what we offer is WebRTC. What the client asks of them: request.c. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/verto/call_i.h"
#include "text/mark.h"

#include <stdlib.h>
#include <string.h>

static struct hash *calls; /* uuid -> struct verto_call, of every session */

size_t verto_call_count(void)
{
	return calls ? hash_count(calls) : 0;
}

static ON_CTL bool is_of(const struct verto_call *c, const struct verto_line *l)
{
	return l->is_authed && !strcmp(c->sessid, l->sessid) && !strcmp(c->user, l->user) &&
	       !strcmp(c->domain, l->domain);
}

static ON_CTL struct verto_line *line_of(const struct verto_call *c)
{
	struct verto_line *l = c ? verto_line_of(c->sessid) : NULL;
	return l && is_of(c, l) ? l : NULL;
}

size_t verto_calls_of(const struct verto_line *l)
{
	struct hash_it it = {0};
	size_t n = 0;
	while (hash_next(calls, &it))
		n += is_of(it.value, l);
	return n;
}

struct leg *verto_leg_of(struct verto_line *l, const char *call_id)
{
	const struct verto_call *c = hash_get(calls, sv_of(call_id));
	return c && is_of(c, l) && leg_is_up(c->leg) ? c->leg : NULL;
}

struct verto_line *verto_line_of_call(const char *uuid)
{
	return calls ? line_of(hash_get(calls, sv_of(uuid))) : NULL;
}

static void call_free(struct verto_call *c)
{
	mem_free(c->user);
	mem_free(c->domain);
	mem_free(c);
}

struct verto_call *verto_call_new(struct leg *leg, const struct verto_line *l)
{
	struct verto_call *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	c->leg = leg;
	c->user = mem_strdup(l->user), c->domain = mem_strdup(l->domain);
	memcpy(c->sessid, l->sessid, sizeof(c->sessid));
	snprintf(c->uuid, sizeof(c->uuid), "%s", leg->uuid);
	if (!c->user || !c->domain || hash_set(calls, sv_of(c->uuid), c)) {
		call_free(c);
		return NULL;
	}
	leg->endpoint = c;
	return c;
}

int verto_call_media_init(struct leg *leg, const struct verto_line *l)
{
	const struct verto_profile *p = l->profile;
	const struct leg_media_conf conf = {.rtp_host = p->rtp_host,
	    .advertise_host = p->advertise_host,
	    .inbound_codecs = p->inbound_codecs,
	    .outbound_codecs = p->outbound_codecs,
	    .negotiation = "generous",
	    .dtmf_pt = 101,
	    .cn_pt = -1,
	    .candidate_acl = p->candidate_acl,
	    .local_acl = p->local_acl,
	    .jitterbuffer = p->jitterbuffer};
	int st = leg_media_init(leg, &conf);
	if (!st)
		leg_media_signal(leg, &l->addr, 1);
	return st;
}

/* ---- what we tell the client --------------------------------------------------------------------------------- */

static ON_CTL bool tell_begin(const struct verto_call *c, const char *method, struct verto_out *o)
{
	struct verto_line *l = line_of(c);
	if (!l)
		return false;
	verto_request_begin(o, l, method);
	jw_kv_str(&o->w, "callID", c->uuid);
	return true;
}

/* What a page may know of the call: the variables that begin so. */
static ON_CTL void variables_put(struct json_writer *w, struct leg *leg)
{
	const char *name, *value;
	size_t at = 0;
	jw_key(w, "variables");
	jw_begin_object(w);
	while (vars_next_named(leg->vars, SV("verto_h_"), &at, &name, &value)) {
		char *plain = mark_strip_dup(sv_of(value));
		if (plain)
			jw_kv_str(w, name, plain);
		mem_free(plain);
	}
	jw_end_object(w);
}

static ON_CTL void sdp_put(struct json_writer *w, const struct buf *sdp)
{
	jw_key(w, "sdp");
	jw_sv(w, buf_sv(sdp));
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void ids_put(struct json_writer *w, const struct leg *leg)
{
	const struct leg_profile *p = leg->profile;
	jw_kv_str(w, "caller_id_name", or_empty(p->caller_id_name));
	jw_kv_str(w, "caller_id_number", or_empty(p->caller_id_number));
	jw_kv_str(w, "callee_id_name", or_empty(p->callee_id_name));
	jw_kv_str(w, "callee_id_number", or_empty(p->callee_id_number));
	jw_kv_str(w, "display_direction", leg->is_outbound ? "outbound" : "inbound");
}

/* Our answer, in verto.media or verto.answer; the second of the two goes without. */
static ON_CTL int answer_tell(struct leg *leg, struct leg *near, const char *method, bool is_always)
{
	struct verto_call *c = leg->endpoint;
	struct verto_out o;
	struct buf sdp;
	if (!c)
		return ST_CLOSED;
	if (c->has_sdp && !is_always)
		return ST_OK;
	buf_init(&sdp);
	int st = leg_media_answer(leg, near, &sdp);
	if (!st && tell_begin(c, method, &o)) {
		if (!c->has_sdp)
			sdp_put(&o.w, &sdp);
		variables_put(&o.w, leg);
		verto_request_end(&o);
		c->has_sdp = true;
	}
	buf_fini(&sdp);
	return st;
}

static int op_pre_answer(struct leg *leg, struct leg *near)
{
	role_assert_ctl();
	return answer_tell(leg, near, "verto.media", false);
}

static int op_answer(struct leg *leg, struct leg *near)
{
	role_assert_ctl();
	return answer_tell(leg, near, "verto.answer", true);
}

static int op_ring_ready(struct leg *leg)
{
	role_assert_ctl();
	return ST_OK; /* the client rings by itself until media or the answer comes */
}

static int op_display(struct leg *leg, const char *name, const char *number)
{
	struct verto_out o;
	role_assert_ctl();
	if (!tell_begin(leg->endpoint, "verto.display", &o))
		return ST_CLOSED;
	jw_kv_str(&o.w, "display_name", or_empty(name));
	jw_kv_str(&o.w, "display_number", or_empty(number));
	ids_put(&o.w, leg);
	verto_request_end(&o);
	return ST_OK;
}

static void op_on_hangup(struct leg *leg)
{
	struct verto_call *c = leg->endpoint;
	struct verto_out o;
	role_assert_ctl();
	if (!c || c->is_said_over || !tell_begin(c, "verto.bye", &o))
		return;
	jw_kv_int(&o.w, "causeCode", leg->cause);
	jw_kv_str(&o.w, "cause", cause_name(leg->cause));
	verto_request_end(&o);
}

static void op_on_destroy(struct leg *leg)
{
	struct verto_call *c = leg->endpoint;
	role_assert_ctl();
	if (!c)
		return;
	leg->endpoint = NULL;
	loop_timer_cancel(&c->detached);
	if (calls)
		(void)hash_take(calls, sv_of(c->uuid));
	call_free(c);
}

/* ---- to the client: verto.rtc/u:SESSID, verto.rtc/USER@DOMAIN ------------------------------------------------ */

static ON_CTL struct verto_line *line_of_target(const char *data)
{
	struct lnode *n, *tmp;
	struct sv user, domain;
	if (!strncmp(data, "u:", 2))
		return verto_line_of(data + 2);
	sv_split(sv_of(data), '@', &user, &domain);
	list_each (&verto_lines, n, tmp) {
		struct verto_line *l = list_entry(n, struct verto_line, link);
		if (l->is_authed && sv_is(user, l->user) && (!domain.n || sv_isi(domain, l->domain)))
			return l;
	}
	return NULL;
}

static int op_outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	struct leg *leg = NULL;
	char name[128];
	role_assert_ctl();
	struct verto_line *l = line_of_target(t->data);
	*cause = CAUSE_USER_NOT_REGISTERED;
	if (!l)
		return ST_NOTFOUND;
	*cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	struct leg_profile *p = t->profile ? leg_profile_dup(t->profile) : leg_profile_new();
	int st = p ? leg_new(&leg, &verto_ops, true, t->vars ? vars_get(t->vars, "origination_uuid") : NULL) : ST_NOMEM;
	if (st) {
		leg_profile_free(p);
		return st;
	}
	leg_profile_destination_outside(p, l->user);
	leg_profile_set(&p->source, "mod_verto");
	snprintf(name, sizeof(name), "verto.rtc/%.100s", t->data);
	leg_set_name(leg, name);
	struct verto_call *c = verto_call_new(leg, l);
	leg_set_profile(leg, p);
	leg_var_set(leg, "verto_user", l->user);
	leg_var_set(leg, "verto_host", l->domain);
	leg_var_set(leg, "verto_profile_name", l->profile->name);
	if (c && t->originator)
		snprintf(c->originator, sizeof(c->originator), "%s", t->originator->uuid);
	leg_var_set(leg, "media_webrtc", "true");
	st = c ? verto_call_media_init(leg, l) : ST_NOMEM;
	if (st) {
		leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
		return st;
	}
	*cause = CAUSE_NONE;
	*out = leg;
	return ST_OK;
}

static int op_on_init(struct leg *leg)
{
	struct verto_call *c = leg->endpoint;
	struct verto_out o;
	struct buf sdp;
	role_assert_ctl();
	buf_init(&sdp);
	int st = c ? leg_media_offer(leg, *c->originator ? leg_find(c->originator) : NULL, &sdp) : ST_CLOSED;
	if (!st && tell_begin(c, "verto.invite", &o)) {
		variables_put(&o.w, leg);
		sdp_put(&o.w, &sdp);
		ids_put(&o.w, leg);
		verto_request_end(&o);
		leg_mark_ring_ready(leg);
	} else if (!st) {
		st = ST_CLOSED;
	}
	buf_fini(&sdp);
	return st;
}

const struct endpoint_ops verto_ops = {.name = "verto.rtc",
    .operator_dials = OPERATOR_DIALS_DATA,
    .outgoing = op_outgoing,
    .on_init = op_on_init,
    .ring_ready = op_ring_ready,
    .pre_answer = op_pre_answer,
    .answer = op_answer,
    .display = op_display,
    .on_hangup = op_on_hangup,
    .on_destroy = op_on_destroy};

/* ---- sessions without a connection --------------------------------------------------------------------------- */

static void on_detached(void *arg)
{
	struct verto_call *c = arg;
	role_assert_ctl();
	if (leg_is_up(c->leg))
		leg_hangup(c->leg, CAUSE_RECOVERY_ON_TIMER_EXPIRE);
}

void verto_calls_detach(struct verto_line *l)
{
	struct hash_it it = {0};
	uint32_t s;
	if (!l->is_authed || !calls)
		return;
	int st = sv_u32(sv_of(verto_param("detach-timeout-sec")), &s);
	while (hash_next(calls, &it)) {
		struct verto_call *c = it.value;
		if (is_of(c, l) && leg_is_up(c->leg))
			loop_timer_set(&c->detached, clock_us_of_s(st ? 120 : s), "verto detached", on_detached, c);
	}
}

/* A page that was loaded anew has no media of its call: it gets an offer, which it answers by verto.attach. Who does
 * not has the call without media, as before. */
static ON_CTL void attach_offer(struct verto_call *c, struct verto_line *l)
{
	struct verto_out o;
	struct buf sdp;
	if (!c->leg->is_answered)
		return;
	buf_init(&sdp);
	leg_media_signal(c->leg, &l->addr, 1);
	if (!leg_media_offer_asked(c->leg, &sdp) && tell_begin(c, "verto.attach", &o)) {
		variables_put(&o.w, c->leg);
		sdp_put(&o.w, &sdp);
		ids_put(&o.w, c->leg);
		verto_request_end(&o);
		c->is_offered_again = true;
	}
	buf_fini(&sdp);
}

void verto_calls_attach(struct verto_line *l, struct json_writer *w)
{
	struct hash_it it = {0};
	while (hash_next(calls, &it)) {
		struct verto_call *c = it.value;
		if (!is_of(c, l) || !leg_is_up(c->leg) || !loop_timer_is_set(&c->detached))
			continue;
		loop_timer_cancel(&c->detached);
		jw_str(w, c->uuid);
		attach_offer(c, l);
	}
}

int verto_calls_start(void)
{
	return hash_new(&calls, 0, NULL);
}

void verto_calls_stop(void)
{
	hash_free(calls);
	calls = NULL;
}
