/* What is told of a leg's voice and of its RTCP, where somebody asked: TALK and NOTALK (the profile's vad, or
 * rtp_enable_vad_in), RECV_RTCP_MESSAGE and SEND_RTCP_MESSAGE (fire_rtcp_events). Looking into the voice needs samples:
 * who does not ask does not pay. */
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"

void media_talk_apply(struct leg *leg)
{
	struct leg_media *m = sound_of(leg)->media;
	bool is_on =
	    (m->has_vad || leg_var_is_true(leg, "rtp_enable_vad_in")) && !leg_var_is_true(leg, "rtp_disable_vad_in");
	int st = mstream_detect_voice(m->stream, is_on);
	if (is_on && st)
		leg_log(leg, LOG_WARNING, "no TALK events: %s cannot be decoded here", m->codec.name);
}

void media_talk_tell(struct leg *leg, bool is_talking)
{
	enum event_id id = is_talking ? EVENT_TALK : EVENT_NOTALK;
	struct event *e;
	if (!event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	leg_event_headers(leg, e);
	event_fire(e);
}

void media_rtcp_tell(struct leg *leg, const struct media_rtcp *r)
{
	enum event_id id = r->is_outgoing ? EVENT_SEND_RTCP_MESSAGE : EVENT_RECV_RTCP_MESSAGE;
	struct event *e;
	if (!leg_var_is_true(leg, "fire_rtcp_events") || !event_is_wanted(id, NULL) || !(e = event_new(id, NULL)))
		return;
	event_add(e, "Unique-ID", leg->uuid);
	event_addf(e, "SSRC", "%.8x", r->ssrc);
	if (r->has_sr) {
		event_addf(e, "NTP-Most-Significant-Word", "%u", (unsigned)(r->sr_ntp >> 32));
		event_addf(e, "NTP-Least-Significant-Word", "%u", (unsigned)r->sr_ntp);
		event_addf(e, "RTP-Timestamp", "%u", r->sr_ts);
		event_addf(e, "Sender-Packet-Count", "%u", r->sr_packets);
		event_addf(e, "Octect-Packet-Count", "%u", r->sr_octets); /* sic */
	}
	if (r->has_block) {
		event_addf(e, "Source0-SSRC", "%.8x", r->block_ssrc);
		event_addf(e, "Source0-Fraction", "%u", r->fraction_lost);
		event_addf(e, "Source0-Lost", "%d", r->lost);
		event_addf(e, "Source0-Highest-Sequence-Number-Received", "%u", r->seq_ext);
		event_addf(e, "Source0-Jitter", "%u", r->jitter);
		event_addf(e, "Source0-LSR", "%u", r->lsr);
		event_addf(e, "Source0-DLSR", "%u", r->dlsr);
	}
	event_fire(e);
}
