/* Who asks for a jitter buffer: the variable jitterbuffer_msec when media is agreed on (a profile's
 * auto-jitterbuffer-msec sets it), the application and the command later. LEN[:MAX[:DRIFT]], each in milliseconds or,
 * with a p behind it, in packets. Here the text becomes numbers; the buffer is media's (media/rt/jitter.c). */
#include "base/check.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"

#include <inttypes.h>

enum { LEN_MIN_MS = 20, LEN_MAX_MS = 10000, MAX_PACKETS = 50 /* FreeSWITCH's, where MAX is not given */ };

static int one_ms(struct sv word, unsigned ptime_ms, unsigned *out)
{
	uint32_t n;
	bool is_packets = word.n && (word.p[word.n - 1] | 0x20) == 'p';
	if (is_packets)
		word.n--;
	if (sv_u32(word, &n) || n > LEN_MAX_MS)
		return ST_PARSE;
	*out = is_packets ? n * ptime_ms : n;
	return ST_OK;
}

/* ST_PARSE: no such form; ST_INVAL: out of range. "0" is no buffer. */
static int conf_parse(struct sv text, unsigned ptime_ms, struct media_jitter_conf *out)
{
	unsigned *const fields[] = {&out->len_ms, &out->max_ms, &out->drift_ms};
	struct sv rest = sv_trim(text), word;
	for (size_t i = 0; rest.n; i++) {
		sv_split(rest, ':', &word, &rest);
		if (i == ARRAY_COUNT(fields) || one_ms(word, ptime_ms, fields[i]))
			return ST_PARSE;
	}
	if (!out->len_ms)
		return text.n ? ST_OK : ST_PARSE;
	if (out->len_ms < LEN_MIN_MS || out->len_ms > LEN_MAX_MS)
		return ST_INVAL;
	if (out->max_ms < out->len_ms)
		out->max_ms = out->max_ms ? out->len_ms : MAX_PACKETS * ptime_ms;
	if (out->max_ms < out->len_ms)
		out->max_ms = out->len_ms;
	if (out->max_ms > LEN_MAX_MS)
		out->max_ms = LEN_MAX_MS;
	return ST_OK;
}

static ON_CTL int apply(struct leg *leg, const char *text)
{
	struct leg_media *m = sound_of(leg)->media;
	struct media_jitter_conf conf = {.conceals = true};
	unsigned ptime_ms = m && m->codec.ptime_ms ? m->codec.ptime_ms : 20;
	int st = conf_parse(sv_of(text), ptime_ms, &conf);
	const char *conceals = vars_get(leg->vars, "rtp_jitter_buffer_plc");

	if (st) {
		leg_log(leg, LOG_WARNING,
		    "jitterbuffer_msec: \"%s\": LEN[:MAX[:DRIFT]] in milliseconds, or packets (3p); LEN %d to %d, 0: "
		    "none",
		    text, LEN_MIN_MS, LEN_MAX_MS);
		return st;
	}
	if (!m || !leg_media_stream(leg))
		return ST_OK; /* when there is one */
	conf.is_paused = m->is_jitter_paused;
	conf.tells = leg_var_is_true(leg, "fire_jb_events");
	conf.has_bridges = leg_var_is_true(leg, "rtp_jitter_buffer_during_bridge");
	conf.conceals = !conceals || leg_var_is_true(leg, "rtp_jitter_buffer_plc");
	st = mstream_set_jitter(leg_media_stream(leg), &conf);
	if (st)
		leg_log(leg, LOG_WARNING, "jitterbuffer_msec: \"%s\" cannot be had with this codec", text);
	return st;
}

void media_jitter_apply(struct leg *leg)
{
	const char *text = vars_get(leg->vars, "jitterbuffer_msec");
	if (text && *text)
		(void)apply(leg, text);
}

int leg_jitter_set(struct leg *leg, const char *text)
{
	int st = apply(leg, text);
	if (!st)
		leg_var_set(leg, "jitterbuffer_msec", text);
	return st;
}

int leg_jitter_pause(struct leg *leg, bool is_paused)
{
	struct leg_media *m = sound_of(leg)->media;
	if (!m)
		return ST_INVAL;
	m->is_jitter_paused = is_paused;
	media_jitter_apply(leg);
	return ST_OK;
}

void media_vars_jitter(struct leg *leg, const struct media_stats *s)
{
	unsigned frame = s->jb.frame_ms;
	if (!frame)
		return;
	leg_var_set_int(leg, "rtp_jb_size_ms", s->jb.depth_ms);
	leg_var_set_int(leg, "rtp_jb_max_ms", s->jb.depth_max_ms);
	leg_var_set_int(leg, "rtp_jb_expand_ms", (int64_t)((s->jb.waits + s->jb.slower) * frame));
	leg_var_set_int(leg, "rtp_jb_acceleration_ms", (int64_t)(s->jb.faster * frame));
	leg_var_set_int(leg, "rtp_jb_lost_count", (int64_t)s->jb.lost);
	leg_var_set_int(leg, "rtp_jb_late_count", (int64_t)s->jb.late);
	leg_var_set_int(leg, "rtp_jb_reset_count", (int64_t)s->jb.resets);
}

void media_jitter_tell(struct leg_media *m, const struct media_stats *s)
{
	static const char SUBCLASS[] = "tandem::jitterbuffer";
	unsigned frame = s->jb.frame_ms;
	struct event *e;
	if (!m->is_jitter_asked || !frame)
		return;
	m->is_jitter_asked = false;
	if (!event_is_wanted(EVENT_CUSTOM, SUBCLASS) || !(e = event_new(EVENT_CUSTOM, SUBCLASS)))
		return;
	leg_event_headers(m->leg, e);
	event_addf(e, "JB-Size-Ms", "%u", s->jb.depth_ms);
	event_addf(e, "JB-Max-Ms", "%u", s->jb.depth_max_ms);
	event_addf(e, "JB-Expand-Ms", "%" PRIu64, (s->jb.waits + s->jb.slower) * frame);
	event_addf(e, "JB-Acceleration-Ms", "%" PRIu64, s->jb.faster * frame);
	event_addf(e, "JB-Lost-Count", "%" PRIu64, s->jb.lost);
	event_addf(e, "JB-Late-Count", "%" PRIu64, s->jb.late);
	event_addf(e, "JB-Dropped-Count", "%" PRIu64, s->jb.dropped);
	event_addf(e, "JB-Reset-Count", "%" PRIu64, s->jb.resets);
	event_fire(e);
}
