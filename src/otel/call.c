/* From events to spans. What is open of a leg lies in a table by its uuid, from CS_INIT to
 * CHANNEL_HANGUP_COMPLETE: the leg itself, and within it the invite (until it is answered or over), the hunt (a
 * dialplan is asked), each application, and media (from its first sound to the end). A leg that was dialled hangs below
 * the application of its caller that runs then. A trace that came in a header is gone on with where the profile trusts
 * it (otel_traceparent). A registration is a tree of its own, from its challenge to its end. Everything is bounded. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "otel/otel_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEGS_MAX = 20000, APPS_MAX = 8, REGISTRATIONS_MAX = 2048 };
struct open_app {
	struct span span;
	char uuid[UUID_CHARS + 1];
};
struct open_leg {
	struct span leg, invite, hunt, media;
	struct open_app apps[APPS_MAX]; /* nested, the innermost last */
	size_t app_count;
};
static struct {
	struct hash *legs;          /* uuid -> open_leg */
	struct hash *registrations; /* Call-ID -> int64_t: when it was asked to log in */
	struct event_sub *sub;
} traced;

static bool is_sampled_by_chance(void)
{
	return otel_conf.ratio >= 1 || rand_u32() < otel_conf.ratio * UINT32_MAX;
}

/* ---- legs ---- */

static const struct span *parent_of(const struct open_leg *caller)
{
	for (size_t i = caller->app_count; i--;)
		if (caller->apps[i].span.is_open)
			return &caller->apps[i].span;
	return &caller->leg;
}

/* A trace that is gone on with. False: it is not to be traced. */
static ON_CTL bool root_begin(struct open_leg *o, const struct leg *leg, int64_t now_us)
{
	const char *header = vars_get(leg->vars, "otel_traceparent");
	struct span from = {.is_open = true};
	bool is_sampled;
	enum span_kind kind = leg->is_outbound ? SPAN_CLIENT : SPAN_SERVER;
	if (header && !otel_traceparent_parse(sv_of(header), from.trace_id, from.id, &is_sampled)) {
		if (!is_sampled)
			return false;
		span_begin(&o->leg, "leg", kind, &from, now_us);
		return true;
	}
	if (!is_sampled_by_chance())
		return false;
	span_begin(&o->leg, "leg", kind, NULL, now_us);
	return true;
}

static ON_CTL void vars_put(struct leg *leg, const struct open_leg *o)
{
	leg_var_set(leg, "otel_trace_id", o->leg.trace_id);
	leg_var_set(leg, "otel_span_id", o->leg.id);
	if (leg->is_outbound && otel_conf.propagates)
		leg_var_setf(leg, "sip_h_traceparent", "00-%s-%s-01", o->leg.trace_id, o->leg.id);
}

static ON_CTL void on_create(const char *uuid, int64_t now_us)
{
	struct leg *leg = leg_find(uuid);
	if (!leg || hash_count(traced.legs) >= LEGS_MAX)
		return;
	const struct open_leg *caller =
	    strcmp(leg->call_uuid, uuid) != 0 ? hash_get(traced.legs, sv_of(leg->call_uuid)) : NULL;
	bool is_of_untraced = !caller && strcmp(leg->call_uuid, uuid) != 0 && leg_find(leg->call_uuid);
	struct open_leg *o = is_of_untraced ? NULL : mem_zalloc(sizeof(*o));
	if (!o)
		return;
	if (caller)
		span_begin(&o->leg, "leg", SPAN_CLIENT, parent_of(caller), now_us);
	else if (!root_begin(o, leg, now_us)) {
		mem_free(o);
		return;
	}
	if (hash_set(traced.legs, sv_of(uuid), o)) {
		mem_free(o);
		return;
	}
	span_begin(&o->invite, "invite", leg->is_outbound ? SPAN_CLIENT : SPAN_SERVER, &o->leg, now_us);
	vars_put(leg, o);
}

static ON_CTL void on_state(struct open_leg *o, const struct event *e, int64_t now_us)
{
	const char *state = event_get(e, "Channel-State");
	if (!state)
		return;
	bool is_inbound = o->leg.kind == SPAN_SERVER; /* the others pass that state and hunt nothing */
	if (!strcmp(state, "CS_ROUTING") && is_inbound && !o->hunt.is_open)
		span_begin(&o->hunt, "hunt", SPAN_INTERNAL, &o->leg, now_us);
	else if (strcmp(state, "CS_ROUTING") != 0 && o->hunt.is_open) {
		const char *const a[] = {"dialplan.context", event_get(e, "Caller-Context"), "dialplan.destination",
		    otel_conf.tells_numbers ? event_get(e, "Caller-Destination-Number") : NULL, NULL};
		span_end(&o->hunt, now_us, NULL, a);
	}
}

static ON_CTL void on_execute(struct open_leg *o, const struct event *e, int64_t now_us)
{
	const char *name = event_get(e, "Application"), *uuid = event_get(e, "Application-UUID");
	char text[64];
	if (!name || !uuid || o->app_count == APPS_MAX)
		return;
	span_end(&o->hunt, now_us, NULL, NULL);
	struct open_app *a = &o->apps[o->app_count];
	snprintf(text, sizeof(text), "application %.50s", name);
	span_begin(&a->span, text, SPAN_INTERNAL, parent_of(o), now_us);
	snprintf(a->uuid, sizeof(a->uuid), "%s", uuid);
	o->app_count++;
}

static ON_CTL void on_execute_complete(struct open_leg *o, const struct event *e, int64_t now_us)
{
	const char *uuid = event_get(e, "Application-UUID"), *response = event_get(e, "Application-Response");
	const char *const a[] = {
	    "application.name", event_get(e, "Application"), "application.response", response, NULL};
	for (size_t i = o->app_count; uuid && i--;)
		if (!strcmp(o->apps[i].uuid, uuid)) {
			span_end(&o->apps[i].span, now_us, NULL, a);
			while (o->app_count && !o->apps[o->app_count - 1].span.is_open)
				o->app_count--;
			return;
		}
}

static ON_CTL void on_media(struct open_leg *o, int64_t now_us)
{
	if (!o->media.is_open)
		span_begin(&o->media, "media", SPAN_INTERNAL, &o->leg, now_us);
}

static ON_CTL void on_answer(struct open_leg *o, const struct event *e, int64_t now_us)
{
	const char *const a[] = {"sip.status", "200", NULL};
	on_media(o, now_us);
	span_end(&o->invite, now_us, NULL, a);
}

static ON_CTL void media_end(struct open_leg *o, const struct event *e, int64_t now_us)
{
	const char *const a[] = {"media.codec", event_get(e, "Channel-Read-Codec-Name"), "#media.in.packets",
	    event_get(e, "variable_rtp_audio_in_packet_count"), "#media.out.packets",
	    event_get(e, "variable_rtp_audio_out_packet_count"), "#media.in.bytes",
	    event_get(e, "variable_rtp_audio_in_raw_bytes"), "media.in.mos", event_get(e, "variable_rtp_audio_in_mos"),
	    NULL};
	span_end(&o->media, now_us, NULL, a);
}

static ON_CTL void on_hangup(struct open_leg *o, const char *uuid, const struct event *e, int64_t now_us)
{
	const char *cause = event_get(e, "Hangup-Cause"), *status = event_get(e, "variable_sip_term_status");
	bool is_normal = !cause || !strcmp(cause, "NORMAL_CLEARING") || !strcmp(cause, "ORIGINATOR_CANCEL") ||
	                 !strcmp(cause, "LOSE_RACE") || !strcmp(cause, "NONE");
	bool tells = otel_conf.tells_numbers;
	const char *const a[] = {"call.uuid", uuid, "call.direction", event_get(e, "Call-Direction"), "call.channel",
	    event_get(e, "Channel-Name"), "call.hangup_cause", cause, "sip.call_id",
	    event_get(e, "variable_sip_call_id"), "#sip.status", status, "call.caller",
	    tells ? event_get(e, "Caller-Caller-ID-Number") : NULL, "call.destination",
	    tells ? event_get(e, "Caller-Destination-Number") : NULL, NULL};
	const char *const invite[] = {"sip.status", status, NULL};
	for (size_t i = o->app_count; i--;)
		span_end(&o->apps[i].span, now_us, NULL, NULL);
	span_end(&o->hunt, now_us, NULL, NULL);
	media_end(o, e, now_us);
	span_end(&o->invite, now_us, is_normal ? NULL : cause, invite);
	span_end(&o->leg, now_us, is_normal ? NULL : cause, a);
	hash_del(traced.legs, sv_of(uuid));
}

/* ---- registrations ---- */

static ON_CTL void on_attempt(const struct event *e, int64_t now_us)
{
	const char *call_id = event_get(e, "call-id");
	struct hash_it it = {0};
	int64_t *at;
	if (!call_id || !(at = mem_alloc(sizeof(*at))))
		return;
	*at = now_us;
	if (hash_count(traced.registrations) >= REGISTRATIONS_MAX && hash_next(traced.registrations, &it))
		hash_del(traced.registrations, it.key);
	if (hash_set(traced.registrations, sv_of(call_id), at))
		mem_free(at);
}

static ON_CTL void on_register(const struct event *e, const char *error, int64_t now_us)
{
	const char *call_id = event_get(e, "call-id"), *user = event_get(e, "from-user");
	const int64_t *at = call_id ? hash_get(traced.registrations, sv_of(call_id)) : NULL;
	struct span s;
	if (is_sampled_by_chance()) {
		const char *const a[] = {"register.user", user ? user : event_get(e, "to-user"), "register.domain",
		    event_get(e, user ? "from-host" : "to-host"), "register.profile", event_get(e, "profile-name"),
		    "network.peer.address", event_get(e, "network-ip"), "#network.peer.port",
		    event_get(e, "network-port"), "user_agent.original", event_get(e, "user-agent"), "sip.call_id",
		    call_id, "#register.expires", event_get(e, "expires"), NULL};
		span_begin(&s, "register", SPAN_SERVER, NULL, at ? *at : now_us);
		span_end(&s, now_us, error, a);
	}
	if (at)
		hash_del(traced.registrations, sv_of(call_id));
}

/* ---- events ---- */

static ON_CTL void custom(const struct event *e, int64_t now_us)
{
	const char *subclass = event_subclass(e);
	if (!strcmp(subclass, "sofia::register_attempt"))
		on_attempt(e, now_us);
	else if (!strcmp(subclass, "sofia::register"))
		on_register(e, NULL, now_us);
	else
		on_register(e, "refused", now_us);
}

/* Before it dials: CHANNEL_CREATE of an outbound leg comes behind its INVITE. */
static ON_CTL bool is_beginning(const struct event *e)
{
	const char *state = event_id(e) == EVENT_CHANNEL_STATE ? event_get(e, "Channel-State") : NULL;
	return state && !strcmp(state, "CS_INIT");
}

static void on_event(struct event *e, void *arg)
{
	int64_t now_us = clock_wall_us();
	role_assert_ctl();
	const char *uuid = event_get(e, "Unique-ID");
	if (event_id(e) == EVENT_CUSTOM) {
		custom(e, now_us);
		return;
	}
	if (!uuid)
		return;
	struct open_leg *o = hash_get(traced.legs, sv_of(uuid));
	if (!o && is_beginning(e)) {
		on_create(uuid, now_us);
		o = hash_get(traced.legs, sv_of(uuid));
	}
	if (!o)
		return;
	switch ((int)event_id(e)) {
	case EVENT_CHANNEL_STATE:
		on_state(o, e, now_us);
		break;
	case EVENT_CHANNEL_EXECUTE:
		on_execute(o, e, now_us);
		break;
	case EVENT_CHANNEL_EXECUTE_COMPLETE:
		on_execute_complete(o, e, now_us);
		break;
	case EVENT_CHANNEL_PROGRESS_MEDIA:
		on_media(o, now_us);
		break;
	case EVENT_CHANNEL_ANSWER:
		on_answer(o, e, now_us);
		break;
	case EVENT_CHANNEL_HANGUP_COMPLETE:
		on_hangup(o, uuid, e, now_us);
		break;
	default:
		break;
	}
}

int calls_trace_start(void)
{
	static const enum event_id ids[] = {EVENT_CHANNEL_STATE, EVENT_CHANNEL_EXECUTE, EVENT_CHANNEL_EXECUTE_COMPLETE,
	    EVENT_CHANNEL_PROGRESS_MEDIA, EVENT_CHANNEL_ANSWER, EVENT_CHANNEL_HANGUP_COMPLETE};
	static const char *const subclasses[] = {
	    "sofia::register", "sofia::register_attempt", "sofia::register_failure"};
	int st = hash_new(&traced.legs, 0, mem_free);
	if (!st)
		st = hash_new(&traced.registrations, 0, mem_free);
	if (!st)
		st = event_sub_new(&traced.sub, on_event, NULL);
	for (size_t i = 0; !st && i < sizeof(ids) / sizeof(ids[0]); i++)
		event_sub_want(traced.sub, ids[i], true);
	for (size_t i = 0; !st && i < sizeof(subclasses) / sizeof(subclasses[0]); i++)
		event_sub_want_subclass(traced.sub, subclasses[i], true);
	return st;
}

void calls_trace_stop(void)
{
	if (traced.sub)
		event_sub_free(traced.sub);
	hash_free(traced.legs);
	hash_free(traced.registrations);
	memset(&traced, 0, sizeof(traced));
}
