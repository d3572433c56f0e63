/* Calls: the client's requests about them, and the endpoint that its legs have. A call is of a session; while that has
 * no connection, the leg lives on for detach-timeout-sec. SDP goes through core's media untouched; the client is a
 * browser, so what we offer is WebRTC. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "core/keys/dtmf.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/verto/verto_i.h"
#include "text/mark.h"

#include <stdlib.h>
#include <string.h>

enum { CALLS_OF_SESSION_MAX = 50 };
struct call {
	struct leg *leg; /* borrowed: the leg's endpoint */
	char sessid[VERTO_SESSID_CHARS + 1], uuid[UUID_CHARS + 1], originator[UUID_CHARS + 1];
	char *user, *domain; /* whose session it is: its id alone is nobody's right */
	struct ltimer detached;
	bool has_sdp;      /* our answer or early media went to the client */
	bool is_said_over; /* the client ended it: it is told nothing */
	bool is_held;
	bool is_offered_again; /* by verto.attach, and the answer is awaited */
};
static struct hash *calls; /* uuid -> struct call, of every session */

size_t verto_call_count(void)
{
	return calls ? hash_count(calls) : 0;
}

static ON_CTL bool is_of(const struct call *c, const struct verto_line *l)
{
	return l->is_authed && !strcmp(c->sessid, l->sessid) && !strcmp(c->user, l->user) &&
	       !strcmp(c->domain, l->domain);
}

static ON_CTL struct verto_line *line_of(const struct call *c)
{
	struct verto_line *l = c ? verto_line_of(c->sessid) : NULL;
	return l && is_of(c, l) ? l : NULL;
}

static ON_CTL size_t count_of(const struct verto_line *l)
{
	struct hash_it it = {0};
	size_t n = 0;
	while (hash_next(calls, &it))
		n += is_of(it.value, l);
	return n;
}

struct leg *verto_leg_of(struct verto_line *l, const char *call_id)
{
	const struct call *c = hash_get(calls, sv_of(call_id));
	return c && is_of(c, l) && leg_is_up(c->leg) ? c->leg : NULL;
}

struct verto_line *verto_line_of_call(const char *uuid)
{
	return calls ? line_of(hash_get(calls, sv_of(uuid))) : NULL;
}

static void call_free(struct call *c)
{
	mem_free(c->user);
	mem_free(c->domain);
	mem_free(c);
}

static ON_CTL struct call *call_new(struct leg *leg, const struct verto_line *l)
{
	struct call *c = mem_zalloc(sizeof(*c));
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

static ON_CTL int media_init(struct leg *leg, const struct verto_line *l)
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
	    .jitterbuffer = p->jitterbuffer,
	    .passes_telephone_event = true};
	int st = leg_media_init(leg, &conf);
	if (!st)
		leg_media_signal(leg, &l->addr, 1);
	return st;
}

/* ---- what we tell the client --------------------------------------------------------------------------------- */

static ON_CTL bool tell_begin(const struct call *c, const char *method, struct verto_out *o)
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
	struct call *c = leg->endpoint;
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
	struct call *c = leg->endpoint;
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
	struct call *c = leg->endpoint;
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
	struct call *c = call_new(leg, l);
	leg_set_profile(leg, p);
	leg_var_set(leg, "verto_user", l->user);
	leg_var_set(leg, "verto_host", l->domain);
	leg_var_set(leg, "verto_profile_name", l->profile->name);
	if (c && t->originator)
		snprintf(c->originator, sizeof(c->originator), "%s", t->originator->uuid);
	leg_var_set(leg, "media_webrtc", "true");
	st = c ? media_init(leg, l) : ST_NOMEM;
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
	struct call *c = leg->endpoint;
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

/* ---- from the client ----------------------------------------------------------------------------------------- */

static bool is_uuid(const char *s)
{
	if (strlen(s) != UUID_CHARS)
		return false;
	for (size_t i = 0; i < UUID_CHARS; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23,
		     is_hex = strchr("0123456789abcdef", s[i]) != NULL;
		if (is_dash ? s[i] != '-' : !is_hex)
			return false;
	}
	return true;
}

static ON_CTL void invite_refuse(struct verto_line *l, const json_t *id, const char *why, enum cause cause)
{
	struct verto_out o;
	verto_reply_begin(&o, l, id, true);
	jw_kv_str(&o.w, "message", why);
	jw_kv_int(&o.w, "causeCode", cause);
	jw_kv_str(&o.w, "cause", cause_name(cause));
	jw_kv_str(&o.w, "message", "CALL ERROR"); /* twice, as FreeSWITCH writes it */
	jw_kv_int(&o.w, "code", -32002);
	verto_reply_end(&o, false);
}

static void user_var(const char *name, const char *value, void *arg)
{
	role_assert_ctl();
	leg_var_set_text(arg, name, value);
}

static ON_CTL void directory_vars(struct leg *leg, const struct verto_line *l)
{
	struct dir_user *u = NULL;
	if (dir_user_find(sv_of(l->user), sv_of(l->domain), &u))
		return;
	dir_user_each_var(u, user_var, leg);
	mem_unref(u);
}

/* What a page says of itself and of the call; every value is from outside, and so is the name behind the prefix. */
static ON_CTL void page_vars(struct leg *leg, const char *prefix, const json_t *object)
{
	const char *key;
	json_t *value;
	int n = 0;
	json_object_foreach((json_t *)object, key, value)
	{
		char name[80];
		size_t plain = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
		if (!json_is_string(value) || !plain || key[plain] || plain > 48 || n++ >= 50)
			continue;
		snprintf(name, sizeof(name), "%s%s", prefix, key);
		leg_var_set(leg, name, json_string_value(value));
	}
}

static ON_CTL struct leg_profile *caller_profile(const struct verto_line *l, const json_t *dialog)
{
	struct leg_profile *p = leg_profile_new();
	char *login = NULL;
	struct buf b;
	if (!p)
		return NULL;
	buf_init(&b);
	buf_printf(&b, "%s@%s", l->user, l->domain);
	login = buf_take(&b);
	const char *number = verto_text(dialog, "caller_id_number"), *to = verto_text(dialog, "destination_number");
	leg_profile_set(&p->username, login);
	leg_profile_set(&p->dialplan, l->dialplan ? l->dialplan : l->profile->dialplan);
	leg_profile_set(&p->context, l->context);
	leg_profile_set(&p->caller_id_name, verto_text(dialog, "caller_id_name"));
	leg_profile_set(&p->caller_id_number, *number ? number : l->user);
	leg_profile_set(&p->callee_id_name, verto_text(dialog, "remote_caller_id_name"));
	leg_profile_set(&p->callee_id_number, verto_text(dialog, "remote_caller_id_number"));
	leg_profile_set(&p->ani, *number ? number : l->user);
	leg_profile_set(&p->source, "mod_verto");
	char host[ADDR_TEXT_MAX];
	addr_host(&l->addr, host);
	leg_profile_set(&p->network_addr, host);
	leg_profile_destination_outside(p, *to ? to : "service");
	mem_free(login);
	return p;
}

static ON_CTL void describe(struct leg *leg, const struct verto_line *l, const json_t *dialog)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "%s@%s", l->user, l->domain);
	leg_var_set(leg, "jsock_uuid_str", l->sessid);
	leg_var_set(leg, "verto_user", b.p);
	leg_var_set(leg, "presence_id", b.p);
	leg_var_set(leg, "verto_client_address", l->peer);
	leg_var_set(leg, "chat_proto", "verto");
	leg_var_set(leg, "verto_host", l->domain);
	leg_var_set(leg, "event_channel_cookie", l->sessid);
	leg_var_set(leg, "verto_profile_name", l->profile->name);
	leg_var_set(leg, "user_name", l->user);
	leg_var_set(leg, "domain_name", l->domain);
	directory_vars(leg, l);
	leg_var_set(leg, "verto_remote_caller_id_name", verto_text(dialog, "remote_caller_id_name"));
	leg_var_set(leg, "verto_remote_caller_id_number", verto_text(dialog, "remote_caller_id_number"));
	page_vars(leg, "verto_svar_", l->user_vars);
	page_vars(leg, "verto_dvar_", json_object_get(dialog, "userVariables"));
	buf_fini(&b);
}

static ON_CTL void invite(struct verto_line *l, const json_t *params, const json_t *id)
{
	const json_t *dialog = json_object_get(params, "dialogParams");
	const char *sdp = verto_text(params, "sdp"), *call_id = verto_text(dialog, "callID");
	struct leg *leg = NULL;
	struct verto_out o;
	char name[128];
	if (!json_is_object(dialog)) {
		invite_refuse(l, id, "Dialog data missing", CAUSE_INVALID_MSG_UNSPECIFIED);
		return;
	}
	if (!*call_id || !is_uuid(call_id) || !*sdp) {
		invite_refuse(l, id, *call_id && is_uuid(call_id) ? "SDP missing" : "callID missing",
		    CAUSE_INVALID_MSG_UNSPECIFIED);
		return;
	}
	int st = count_of(l) >= CALLS_OF_SESSION_MAX ? ST_LIMIT : leg_new(&leg, &verto_ops, false, call_id);
	if (st) {
		invite_refuse(l, id, st == ST_EXISTS ? "callID is in use" : "no more calls", CAUSE_SWITCH_CONGESTION);
		return;
	}
	struct call *c = call_new(leg, l);
	struct leg_profile *p = caller_profile(l, dialog);
	snprintf(name, sizeof(name), "verto.rtc/%.100s", verto_text(dialog, "destination_number"));
	leg_set_name(leg, name);
	if (p)
		leg_set_profile(leg, p);
	st = c && p ? media_init(leg, l) : ST_NOMEM;
	if (!st) {
		describe(leg, l, dialog);
		st = leg_media_remote_offer(leg, sv_of(sdp));
	}
	if (st) {
		if (c)
			c->is_said_over = true;
		invite_refuse(l, id, "its media fits nothing that is spoken here", CAUSE_INCOMPATIBLE_DESTINATION);
		leg_hangup(leg, cause_of_media(st, CAUSE_INCOMPATIBLE_DESTINATION));
		return;
	}
	verto_reply_begin(&o, l, id, false);
	jw_kv_str(&o.w, "message", "CALL CREATED");
	jw_kv_str(&o.w, "callID", call_id);
	verto_reply_end(&o, true);
	if (leg_start(leg) && leg_is_up(leg))
		leg_hangup(leg, CAUSE_SWITCH_CONGESTION);
}

static ON_CTL void no_call(struct verto_line *l, const json_t *id, const char *call_id, const char *action)
{
	struct verto_out o;
	verto_reply_begin(&o, l, id, true);
	jw_kv_str(&o.w, "callID", call_id);
	if (action)
		jw_kv_str(&o.w, "action", action);
	jw_kv_str(&o.w, "message", "CALL DOES NOT EXIST");
	jw_kv_int(&o.w, "code", -32002);
	verto_reply_end(&o, false);
}

static ON_CTL void answered(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id)
{
	struct verto_out o;
	int st = leg->is_outbound && !leg->is_answered ? leg_media_remote_answer(leg, sv_of(verto_text(params, "sdp")))
	                                               : ST_INVAL;
	if (st == ST_INVAL) {
		verto_reply_text(l, id, true, "the call cannot be answered", -32002);
		return;
	}
	verto_reply_begin(&o, l, id, false);
	verto_reply_end(&o, true);
	if (st)
		leg_hangup(leg, cause_of_media(st, CAUSE_INCOMPATIBLE_DESTINATION));
	else
		leg_mark_answered(leg);
}

/* The answer to the offer that attach_offer made: media anew, of the page that is there now. */
static ON_CTL void attached(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id)
{
	struct call *c = leg->endpoint;
	const char *sdp = verto_text(params, "sdp");
	struct verto_out o;
	int st = c->is_offered_again && *sdp ? leg_media_late_answer(leg, sv_of(sdp)) : ST_INVAL;
	if (st) {
		verto_reply_text(l, id, true, *sdp ? "no media was offered for it" : "SDP missing", -32002);
		return;
	}
	c->is_offered_again = false;
	verto_reply_begin(&o, l, id, false);
	jw_kv_str(&o.w, "callID", c->uuid);
	jw_kv_str(&o.w, "message", "CALL ATTACHED");
	verto_reply_end(&o, true);
}

static ON_CTL void bye(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id)
{
	struct call *c = leg->endpoint;
	const char *text = verto_text(params, "cause");
	json_int_t code = json_integer_value(json_object_get(params, "causeCode"));
	enum cause cause = *text                     ? cause_parse(text)
	                   : code > 0 && code < 1000 ? (enum cause)code
	                                             : CAUSE_NORMAL_CLEARING;
	struct verto_out o;
	if (!strcmp(cause_name(cause), "NONE"))
		cause = CAUSE_NORMAL_CLEARING;
	c->is_said_over = true;
	verto_reply_begin(&o, l, id, false);
	jw_kv_str(&o.w, "callID", c->uuid);
	jw_kv_str(&o.w, "message", "CALL ENDED");
	jw_kv_int(&o.w, "causeCode", cause);
	jw_kv_str(&o.w, "cause", cause_name(cause));
	verto_reply_end(&o, true);
	leg_hangup(leg, cause);
}

static ON_CTL void info(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id)
{
	const char *digits = verto_text(params, "dtmf");
	struct verto_out o;
	for (int i = 0; digits[i] && i < 64; i++)
		leg_dtmf_received(leg, digits[i], 0, DTMF_ENDPOINT);
	verto_reply_begin(&o, l, id, false);
	if (*digits)
		jw_kv_str(&o.w, "message", "SENT");
	verto_reply_end(&o, true);
}

static ON_CTL void hold_set(struct call *c, bool is_held)
{
	if (c->is_held == is_held || !c->leg->is_answered)
		return;
	c->is_held = is_held;
	leg_mark_held(c->leg, is_held);
}

/* Whom it talks to goes to an extension: the client's words, data. NULL: done. */
static ON_CTL const char *transfer(struct leg *leg, const char *to)
{
	struct leg *peer = leg->peer;
	char *text = peer && *to ? mark_dup(to) : NULL;
	if (!peer)
		return "call is not bridged";
	int st = text ? leg_transfer(peer, text, NULL, NULL) : ST_INVAL;
	mem_free(text);
	return st ? "the destination is missing" : NULL;
}

static ON_CTL void modify(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id)
{
	struct call *c = leg->endpoint;
	const char *action = verto_text(params, "action"), *failed = NULL, *done = NULL;
	struct verto_out o;
	if (!strcmp(action, "hold") || !strcmp(action, "unhold") || !strcmp(action, "toggleHold")) {
		hold_set(c, action[0] == 't' ? !c->is_held : action[0] == 'h');
	} else if (!strcmp(action, "transfer")) {
		failed = transfer(leg, verto_text(params, "destination"));
		done = "CALL TRANSFERRED";
	} else if (!strcmp(action, "replace")) {
		struct leg *other = verto_leg_of(l, verto_text(params, "replaceCallID"));
		struct leg *a = leg->peer, *b = other ? other->peer : NULL;
		failed = !other             ? "CALL DOES NOT EXIST"
		         : !a || !b         ? "call is not bridged"
		         : bridge_two(a, b) ? "they cannot be joined"
		                            : NULL;
		done = "CALL TRANSFERRED";
	}
	verto_reply_begin(&o, l, id, failed != NULL);
	jw_kv_str(&o.w, "callID", c->uuid);
	jw_kv_str(&o.w, "action", action);
	if (failed) {
		jw_kv_str(&o.w, "message", failed);
		jw_kv_int(&o.w, "code", -32002);
	} else {
		if (done)
			jw_kv_str(&o.w, "message", done);
		jw_kv_str(&o.w, "holdState", c->is_held ? "held" : "active");
	}
	verto_reply_end(&o, !failed);
}

bool verto_call_request(struct verto_line *l, const char *method, const json_t *params, const json_t *id)
{
	static const struct {
		const char *method;
		void (*fn)(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id);
	} methods[] = {{"verto.answer", answered}, {"verto.attach", attached}, {"verto.bye", bye},
	    {"verto.modify", modify}, {"verto.info", info}};
	const char *call_id = verto_text(json_object_get(params, "dialogParams"), "callID");
	if (!strcmp(method, "verto.invite")) {
		invite(l, params, id);
		return true;
	}
	if (!strcmp(method, "verto.info") && json_object_get(params, "msg"))
		return false; /* a text message: channel.c */
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		if (strcmp(method, methods[i].method) != 0)
			continue;
		struct leg *leg = verto_leg_of(l, call_id);
		if (leg) {
			mem_ref(leg);
			methods[i].fn(l, leg, params, id);
			mem_unref(leg);
		} else {
			no_call(l, id, call_id, !strcmp(method, "verto.modify") ? verto_text(params, "action") : NULL);
		}
		return true;
	}
	return false;
}

/* ---- sessions without a connection --------------------------------------------------------------------------- */

static void on_detached(void *arg)
{
	struct call *c = arg;
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
		struct call *c = it.value;
		if (is_of(c, l) && leg_is_up(c->leg))
			loop_timer_set(&c->detached, clock_us_of_s(st ? 120 : s), "verto detached", on_detached, c);
	}
}

/* A page that was loaded anew has no media of its call: it gets an offer, which it answers by verto.attach. Who does
 * not has the call without media, as before. */
static ON_CTL void attach_offer(struct call *c, struct verto_line *l)
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
		struct call *c = it.value;
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
