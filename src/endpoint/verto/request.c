/* What a client asks of its calls: verto.invite makes one, verto.answer, attach, bye, modify and info are about one of
 * its session. Every word of it is from outside: names of variables are prefixed and plain, numbers and values data. */
#include "base/mem.h"
#include "core/bridge/bridge.h"
#include "core/conf/dir.h"
#include "core/keys/dtmf.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include "endpoint/verto/call_i.h"
#include "text/mark.h"

#include <string.h>

enum { CALLS_OF_SESSION_MAX = 50 };

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
	int st = verto_calls_of(l) >= CALLS_OF_SESSION_MAX ? ST_LIMIT : leg_new(&leg, &verto_ops, false, call_id);
	if (st) {
		invite_refuse(l, id, st == ST_EXISTS ? "callID is in use" : "no more calls", CAUSE_SWITCH_CONGESTION);
		return;
	}
	struct verto_call *c = verto_call_new(leg, l);
	struct leg_profile *p = caller_profile(l, dialog);
	snprintf(name, sizeof(name), "verto.rtc/%.100s", verto_text(dialog, "destination_number"));
	leg_set_name(leg, name);
	if (p)
		leg_set_profile(leg, p);
	st = c && p ? verto_call_media_init(leg, l) : ST_NOMEM;
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
	struct verto_call *c = leg->endpoint;
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
	struct verto_call *c = leg->endpoint;
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

static ON_CTL void hold_set(struct verto_call *c, bool is_held)
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

/* The page offers its media anew: an ICE restart when its network has changed, another line, a hold. NULL: answered. An
 * offer of ours that it has not answered (verto.attach) is none any more. */
static ON_CTL const char *media_update(struct verto_line *l, struct leg *leg, const json_t *params, struct buf *answer)
{
	struct verto_call *c = leg->endpoint;
	const char *sdp = verto_text(params, "sdp");

	if (!*sdp)
		return "SDP missing";
	if (!leg->is_answered)
		return "the call is not answered";
	if (c->is_offered_again)
		leg_media_offer_unsent(leg);
	c->is_offered_again = false;
	leg_media_signal(leg, &l->addr, 1);
	return leg_media_reoffer(leg, sv_of(sdp), answer) ? "its media fits nothing that is spoken here" : NULL;
}

static ON_CTL void modify(struct verto_line *l, struct leg *leg, const json_t *params, const json_t *id)
{
	struct verto_call *c = leg->endpoint;
	const char *action = verto_text(params, "action"), *failed = NULL, *done = NULL;
	struct verto_out o;
	struct buf answer;
	buf_init(&answer);
	if (!strcmp(action, "hold") || !strcmp(action, "unhold") || !strcmp(action, "toggleHold")) {
		hold_set(c, action[0] == 't' ? !c->is_held : action[0] == 'h');
	} else if (!strcmp(action, "updateMedia")) {
		failed = media_update(l, leg, params, &answer);
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
		if (answer.n)
			jw_kv_str(&o.w, "sdp", answer.p);
		jw_kv_str(&o.w, "holdState", c->is_held ? "held" : "active");
	}
	verto_reply_end(&o, !failed);
	buf_fini(&answer);
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
