/* The headers an event gets from a leg: basic channel data, the caller profile, the other leg's profile, and on the
 * events where FreeSWITCH does it, all variables. */
#include "core/event/event.h"
#include "base/check.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/leg/leg_i.h"
#include "core/registry/limits.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Events that carry variables. */
static const bool has_vars[EVENT_ID_COUNT] = {
    [EVENT_CHANNEL_CREATE] = true,
    [EVENT_CHANNEL_ORIGINATE] = true,
    [EVENT_CHANNEL_UUID] = true,
    [EVENT_CHANNEL_ANSWER] = true,
    [EVENT_CHANNEL_PARK] = true,
    [EVENT_CHANNEL_UNPARK] = true,
    [EVENT_CHANNEL_BRIDGE] = true,
    [EVENT_CHANNEL_UNBRIDGE] = true,
    [EVENT_CHANNEL_PROGRESS] = true,
    [EVENT_CHANNEL_PROGRESS_MEDIA] = true,
    [EVENT_CHANNEL_HANGUP] = true,
    [EVENT_CHANNEL_HANGUP_COMPLETE] = true,
    [EVENT_CHANNEL_EXECUTE] = true,
    [EVENT_CHANNEL_EXECUTE_COMPLETE] = true,
    [EVENT_CHANNEL_DESTROY] = true,
    [EVENT_CHANNEL_HOLD] = true,
    [EVENT_CHANNEL_UNHOLD] = true,
    [EVENT_CHANNEL_DATA] = true,
    [EVENT_REQUEST_PARAMS] = true,
    [EVENT_SESSION_HEARTBEAT] = true,
    [EVENT_API] = true,
    [EVENT_RECORD_START] = true,
    [EVENT_RECORD_STOP] = true,
    [EVENT_PLAYBACK_START] = true,
    [EVENT_PLAYBACK_STOP] = true,
    [EVENT_CALL_UPDATE] = true,
    [EVENT_MEDIA_BUG_START] = true,
    [EVENT_MEDIA_BUG_STOP] = true,
    [EVENT_TEXT] = true,
    [EVENT_CUSTOM] = true,
};

static ON_CTL void add_if(struct event *e, const char *name, const char *value)
{
	if (value && *value)
		event_add(e, name, value);
}

static ON_CTL const char *answer_state(const struct leg *leg)
{
	return !leg_is_up(leg) ? "hangup" : leg->is_answered ? "answered" : leg->is_early ? "early" : "ringing";
}

/* Bits a second of a codec, as FreeSWITCH's tables say. */
static unsigned bit_rate(const struct media_codec *c)
{
	if (!strcasecmp(c->name, "L16"))
		return c->rate_hz * 16 * c->channels;
	if (!strcasecmp(c->name, "opus"))
		return 0;
	return 64000;
}

static const char *read_name(const struct leg *leg, const struct media_codec *c)
{
	return leg_i(leg)->is_read_linear ? "L16" : c->name;
}
static unsigned read_bit_rate(const struct leg *leg, const struct media_codec *c)
{
	return leg_i(leg)->is_read_linear ? c->rate_hz * 16 : bit_rate(c);
}

static ON_CTL void add_codec(struct leg *leg, struct event *e)
{
	const struct media_codec *c = leg->codec;

	if (!c)
		return;
	event_add(e, "Channel-Read-Codec-Name", read_name(leg, c));
	event_addf(e, "Channel-Read-Codec-Rate", "%u", c->rate_hz);
	event_addf(e, "Channel-Read-Codec-Bit-Rate", "%u", read_bit_rate(leg, c));
	event_add(e, "Channel-Write-Codec-Name", c->name);
	event_addf(e, "Channel-Write-Codec-Rate", "%u", c->rate_hz);
	event_addf(e, "Channel-Write-Codec-Bit-Rate", "%u", bit_rate(c));
}

/* presence_data_cols: "name:name": these variables, told with the state. */
static ON_CTL void add_presence_cols(struct leg *leg, struct event *e)
{
	const char *cols = vars_get(leg->vars, "presence_data_cols");
	struct sv rest = sv_of(cols), one;
	char name[68];
	if (!cols || !*cols)
		return;
	event_add(e, "Presence-Data-Cols", cols);
	for (unsigned i = 0; rest.n && i < 32; i++) {
		sv_split(rest, ':', &one, &rest);
		if (!one.n || one.n > 64)
			continue;
		snprintf(name, sizeof(name), "PD-%.*s", SVF(one));
		add_if(e, name, leg_var(leg, name + 3));
	}
}

static ON_CTL void add_basic(struct leg *leg, struct event *e)
{
	const char *direction = leg->is_outbound ? "outbound" : "inbound";

	event_add(e, "Channel-State", leg_state_name(leg->running_state));
	event_add(e, "Channel-Call-State", leg_callstate_name(leg->callstate));
	event_addf(e, "Channel-State-Number", "%d", (int)leg->state);
	add_if(e, "Channel-Name", leg->name);
	event_add(e, "Unique-ID", leg->uuid);
	add_if(e, "Session-External-ID", vars_get(leg->vars, "origination_external_id"));
	event_add(e, "Call-Direction", direction);
	event_add(e, "Presence-Call-Direction", direction);
	event_add(e, "Channel-HIT-Dialplan", leg->hit_dialplan ? "true" : "false");
	if (leg->running_state != CS_NEW)
		add_if(e, "Channel-Presence-ID", vars_get(leg->vars, "presence_id"));
	add_if(e, "Channel-Presence-Data", vars_get(leg->vars, "presence_data"));
	add_presence_cols(leg, e);
	event_add(e, "Channel-Call-UUID", leg->call_uuid);
	event_add(e, "Answer-State", answer_state(leg));
	if (leg->cause)
		event_add(e, "Hangup-Cause", cause_name(leg->cause));
	add_codec(leg, e);
}

/* Every header of a profile; two spellings, because names must be literals to be cheap. */
struct profile_names {
	const char *direction, *logical, *text[16], *rdnis, *chan_name, *index, *time[11], *screen, *hide_name,
	    *hide_number;
};
#define PROFILE_NAMES(p) \
	{ \
		p "-Direction", p "-Logical-Direction", \
		    {p "-Username", p "-Dialplan", p "-Caller-ID-Name", p "-Caller-ID-Number", \
		        p "-Orig-Caller-ID-Name", p "-Orig-Caller-ID-Number", p "-Callee-ID-Name", \
		        p "-Callee-ID-Number", p "-Network-Addr", p "-ANI", p "-ANI-II", p "-Destination-Number", \
		        p "-Unique-ID", p "-Source", p "-Transfer-Source", p "-Context"}, \
		    p "-RDNIS", p "-Channel-Name", p "-Profile-Index", \
		    {p "-Profile-Created-Time", p "-Channel-Created-Time", p "-Channel-Answered-Time", \
		        p "-Channel-Progress-Time", p "-Channel-Progress-Media-Time", p "-Channel-Hangup-Time", \
		        p "-Channel-Transfer-Time", p "-Channel-Resurrect-Time", p "-Channel-Bridged-Time", \
		        p "-Channel-Last-Hold", p "-Channel-Hold-Accum"}, \
		    p "-Screen-Bit", p "-Privacy-Hide-Name", p "-Privacy-Hide-Number" \
	}
static const struct profile_names caller_names = PROFILE_NAMES("Caller"), other_names = PROFILE_NAMES("Other-Leg"),
                                  channel_names = PROFILE_NAMES("Channel"), hunt_names = PROFILE_NAMES("Hunt");

static ON_CTL void add_profile(struct event *e, const struct leg_profile *p, const struct profile_names *n)
{
	const char *text[16] = {p->username, p->dialplan, p->caller_id_name, p->caller_id_number,
	    p->orig_caller_id_name, p->orig_caller_id_number, p->callee_id_name, p->callee_id_number, p->network_addr,
	    p->ani, p->aniii, p->destination_number, p->uuid, p->source, p->transfer_source, p->context};
	const struct leg_times *t = &p->times;
	int64_t times[11] = {t->profile_created, t->created, t->answered, t->progress, t->progress_media, t->hungup,
	    t->transferred, t->resurrected, t->bridged, t->last_hold, t->hold_accum};

	event_add(e, n->direction, p->is_outbound ? "outbound" : "inbound");
	event_add(e, n->logical, p->is_originator_side ? "inbound" : "outbound");
	for (size_t i = 0; i < ARRAY_COUNT(text); i++)
		add_if(e, n->text[i], text[i]);
	add_if(e, n->rdnis, p->rdnis);
	add_if(e, n->chan_name, p->chan_name);
	if (n != &other_names)
		event_addf(e, n->index, "%u", p->index);
	for (size_t i = 0; i < ARRAY_COUNT(times); i++)
		event_addf(e, n->time[i], "%lld", (long long)times[i]);
	event_add(e, n->screen, p->has_screen ? "true" : "false");
	event_add(e, n->hide_name, p->hides_name ? "true" : "false");
	event_add(e, n->hide_number, p->hides_number ? "true" : "false");
}

static ON_CTL void add_vars(struct leg *leg, struct event *e)
{
	char header[160];

	for (size_t i = 0; i < vars_count(leg->vars); i++) {
		const char *name, *value;
		vars_at(leg->vars, i, &name, &value);
		snprintf(header, sizeof(header), "variable_%s", name);
		event_add(e, header, value);
	}
}

void leg_event_channel_profile(struct leg *leg, struct event *e)
{
	if (leg->profile)
		add_profile(e, leg->profile, &channel_names);
}

void leg_event_hunt(struct leg *leg, struct event *e)
{
	if (leg->profile)
		add_profile(e, leg->profile, &hunt_names);
}

void leg_event_all(struct leg *leg, struct event *e)
{
	leg_event_headers(leg, e);
	if (!has_vars[event_id(e)])
		add_vars(leg, e);
}

void leg_event_headers(struct leg *leg, struct event *e)
{
	bool is_verbose = vars_get(leg->vars, "verbose_events") && str_is_true(vars_get(leg->vars, "verbose_events"));

	add_basic(leg, e);
	if (leg->profile && leg->running_state != CS_NEW)
		add_profile(e, leg->profile, &caller_names);
	if (leg->other) {
		event_add(e, "Other-Type", leg->other_is_originator ? "originator" : "originatee");
		add_profile(e, leg->other, &other_names);
	}
	if (has_vars[event_id(e)] || is_verbose || core_limits()->are_events_verbose)
		add_vars(leg, e);
}

static void (*record_writer)(struct leg *leg, struct buf *out);

void leg_record_writer_set(void (*fn)(struct leg *leg, struct buf *out))
{
	record_writer = fn;
}

void leg_record_write(struct leg *leg, struct buf *out)
{
	if (record_writer)
		record_writer(leg, out);
}

static ON_CTL void attach_record(struct leg *leg, struct event *e)
{
	struct buf text;

	if (!record_writer || !str_is_true(vars_get(leg->vars, "hangup_complete_with_xml")))
		return;
	buf_init(&text);
	record_writer(leg, &text);
	event_add(e, "CDR-Attached", "xml");
	event_set_body(e, buf_sv(&text));
	buf_fini(&text);
}

void leg_event_at(struct leg *leg, enum event_id id, const char *file, const char *func, int line)
{
	struct event *e;

	if (!event_is_wanted(id, NULL) || !(e = event_new_at(id, NULL, file, func, line)))
		return;
	if (id == EVENT_CHANNEL_HANGUP_COMPLETE)
		event_add(e, "Hangup-Cause", cause_name(leg->cause));
	leg_event_headers(leg, e);
	if (id == EVENT_CHANNEL_HANGUP_COMPLETE)
		attach_record(leg, e);
	event_fire(e);
}

static ON_CTL void fire_read_codec(struct leg *leg)
{
	const struct media_codec *c = leg->codec;
	struct event *e;

	if (!event_is_wanted(EVENT_CODEC, NULL) || !(e = event_new(EVENT_CODEC, NULL)))
		return;
	leg_event_headers(leg, e);
	event_add(e, "channel-read-codec-name", read_name(leg, c));
	event_addf(e, "channel-read-codec-rate", "%u", c->rate_hz);
	event_addf(e, "channel-read-codec-bit-rate", "%u", read_bit_rate(leg, c));
	event_fire(e);
}

static ON_CTL void fire_write_codec(struct leg *leg)
{
	const struct media_codec *c = leg->codec;
	struct event *e;

	if (!event_is_wanted(EVENT_CODEC, NULL) || !(e = event_new(EVENT_CODEC, NULL)))
		return;
	leg_event_headers(leg, e);
	event_add(e, "Channel-Write-Codec-Name", c->name);
	event_addf(e, "Channel-Write-Codec-Rate", "%u", c->rate_hz);
	event_addf(e, "Channel-Write-codec-bit-rate", "%u", bit_rate(c));
	event_fire(e);
}

/* CODEC, read and write, once when the leg's codec is known. */
void leg_codec_events(struct leg *leg)
{
	if (!leg->codec || leg_i(leg)->is_codec_told)
		return;
	leg_i(leg)->is_codec_told = true;
	fire_read_codec(leg);
	fire_write_codec(leg);
}

void leg_read_linear(struct leg *leg, bool is_linear)
{
	if (!leg->codec || leg_i(leg)->is_read_linear == is_linear)
		return;
	leg_i(leg)->is_read_linear = is_linear;
	fire_read_codec(leg);
}
