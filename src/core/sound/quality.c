/* What a call was like, from counters and the far side's reports, in FreeSWITCH's variables: loss, its bursts, jitter,
 * round trip, and the E-model's estimate of what a listener would say (rtp/quality.h). docs/media.md explains each. */
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"

enum { INTERVAL_MIN_MS = 1000, INTERVAL_MAX_MS = 60000, DELAY_MIN_MS = 20 };

unsigned media_rtcp_interval_ms(struct leg *leg)
{
	const char *v = vars_get(leg->vars, "rtcp_audio_interval_msec");
	uint32_t ms = sound_of(leg)->media->rtcp_interval_ms;
	if (v && *v && sv_u32(sv_of(v), &ms)) {
		leg_log(leg, LOG_WARNING, "rtcp_audio_interval_msec: \"%s\" is no number", v);
		ms = sound_of(leg)->media->rtcp_interval_ms;
	}
	return !ms ? 0 : ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : ms > INTERVAL_MAX_MS ? INTERVAL_MAX_MS : ms;
}

void media_quality(const struct media_stats *s, const char *codec, struct quality_in *in, struct quality_out *out)
{
	uint64_t expected = s->in_packets + s->in_lost_packets;
	double loss = expected ? (double)s->in_lost_packets / (double)expected : 0;

	*in = (struct quality_in){.codec = codec,
	    .loss = loss,
	    .burst = s->in_bursts ? (double)s->in_lost_packets / (double)s->in_bursts * (1 - loss) : 1,
	    .delay_ms = (double)s->round_trip_us / 2000 + (s->jb.depth_ms ? s->jb.depth_ms : DELAY_MIN_MS),
	    .is_concealed = 1 /* by us, or by the phone that it is relayed to */};
	quality_rate(in, out);
}

/* What the far side tells of what it hears (RFC 3611). */
static ON_CTL void media_vars_xr(struct leg *leg, const struct xr_voip *v)
{
	media_var_hundredths(leg, "rtp_xr_loss_percentage", v->loss * 100.0 / 256);
	media_var_hundredths(leg, "rtp_xr_discard_percentage", v->discard * 100.0 / 256);
	leg_var_set_int(leg, "rtp_xr_round_trip_ms", v->round_trip_ms);
	leg_var_set_int(leg, "rtp_xr_end_system_delay_ms", v->end_delay_ms);
	leg_var_set_int(leg, "rtp_xr_jb_nominal_ms", v->jb_ms);
	leg_var_set_int(leg, "rtp_xr_jb_max_ms", v->jb_max_ms);
	if (v->r != XR_NONE)
		leg_var_set_int(leg, "rtp_xr_r_factor", v->r);
	if (v->mos_lq != XR_NONE)
		media_var_hundredths(leg, "rtp_xr_mos_lq", v->mos_lq / 10.0);
	if (v->mos_cq != XR_NONE)
		media_var_hundredths(leg, "rtp_xr_mos_cq", v->mos_cq / 10.0);
}

void media_vars_quality(struct leg *leg, const struct media_stats *s)
{
	const struct leg_media *m = sound_of(leg)->media;
	struct quality_in in;
	struct quality_out q;

	media_quality(s, m ? m->codec.name : NULL, &in, &q);
	media_var_hundredths(leg, "rtp_audio_in_jitter_burst_rate", in.burst > 1 ? 1 - 1 / in.burst : 0);
	media_var_hundredths(leg, "rtp_audio_in_quality_percentage", q.r > 93.2 ? 100 : q.r * 100 / 93.2);
	media_var_hundredths(leg, "rtp_audio_in_mos", q.mos);
	if (s->has_xr)
		media_vars_xr(leg, &s->xr);
	if (!s->round_trip_max_us && !s->out_lost_packets && !s->out_jitter_us)
		return; /* the far side reported nothing */
	leg_var_set_int(leg, "rtp_audio_round_trip_ms", s->round_trip_us / 1000);
	leg_var_set_int(leg, "rtp_audio_round_trip_max_ms", s->round_trip_max_us / 1000);
	leg_var_set_int(leg, "rtp_audio_out_lost_packet_count", (int64_t)s->out_lost_packets);
	media_var_hundredths(leg, "rtp_audio_out_jitter_ms", (double)s->out_jitter_us / 1000);
}
