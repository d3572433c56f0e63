/* What negotiation and the streams tell in channel variables, with FreeSWITCH's names. */
#include "core/leg/leg.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "core/sound/sound_i.h"
#include "core/value/vars.h"
#include <string.h>
#include <strings.h>

enum { STATS_WAIT_US = 500000 };

/* FreeSWITCH names a codec with the module it comes from. */
static const char *codec_module(const char *name)
{
	return !strcasecmp(name, "PCMU") || !strcasecmp(name, "PCMA") ? "CORE_PCM_MODULE."
	       : !strcasecmp(name, "G722")                            ? "mod_spandsp."
	       : !strcasecmp(name, "opus")                            ? "mod_opus."
	                                                              : "";
}

void media_vars_offer(struct leg *leg, const struct sdp_codecs *theirs)
{
	struct buf b;

	buf_init(&b);
	for (size_t i = 0; i < theirs->count; i++) {
		const struct sdp_codec *c = &theirs->v[i];
		buf_adds(&b, i ? "," : "");
		buf_adds(&b, codec_module(c->name));
		buf_adds(&b, c->name);
		buf_printf(&b, "@%uh@%ui", c->rate_hz ? c->rate_hz : c->clock_hz, c->ptime_ms ? c->ptime_ms : 20u);
		if (!strcasecmp(c->name, "PCMU") || !strcasecmp(c->name, "PCMA") || !strcasecmp(c->name, "G722"))
			buf_adds(&b, "@64000b");
		if (c->channels > 1)
			buf_printf(&b, "@%uc", c->channels);
	}
	if (b.n)
		leg_var_set(leg, "ep_codec_string", b.p);
	buf_fini(&b);
}

void media_vars_local(struct leg *leg, const struct leg_media *m, enum sdp_dir dir)
{
	char host[ADDR_TEXT_MAX];

	leg_var_set(leg, "audio_media_flow", sdp_dir_name(dir));
	leg_var_set(leg, "local_media_ip", addr_host(&m->local, host));
	leg_var_set_int(leg, "local_media_port", addr_port(&m->local));
	leg_var_set(leg, "advertised_media_ip", m->texts->advertise_host);
}

void media_vars_plan(struct leg *leg, struct leg_media *m, const struct sdp_plan *plan)
{
	const struct media_codec *c = &m->codec;
	const char *old = vars_get(leg->vars, "read_codec");

	leg_var_set(leg, "remote_audio_media_flow", sdp_dir_name(plan->remote_dir));
	leg_var_set_int(leg, "rtp_audio_recv_pt", plan->recv.pt_recv);
	leg_var_set(leg, "rtp_use_codec_name", c->name);
	leg_var_set_int(leg, "rtp_use_codec_rate", c->rate_hz);
	leg_var_set_int(leg, "rtp_use_codec_ptime", c->ptime_ms);
	leg_var_set_int(leg, "rtp_use_codec_channels", c->channels);
	leg_var_setf(
	    leg, "rtp_last_audio_codec_string", "%s@%uh@%ui@%uc", c->name, c->rate_hz, c->ptime_ms, c->channels);
	if (!old) {
		leg_var_set(leg, "original_read_codec", c->name);
		leg_var_set_int(leg, "original_read_rate", c->rate_hz);
	}
	leg_var_set(leg, "read_codec", c->name);
	leg_var_set_int(leg, "read_rate", c->rate_hz);
	leg_var_set(leg, "write_codec", c->name);
	leg_var_set_int(leg, "write_rate", c->rate_hz);
	(void)media_dtmf_type(leg); /* what is asked for, before it is written over */
	m->dtmf_told = media_dtmf_name(leg);
	leg_var_set(leg, "dtmf_type", m->dtmf_told);
	media_vars_local(leg, m, plan->local_dir);
	leg_var_set(leg, "rtp_use_timer_name", "soft");
	leg_var_set_int(leg, "rtp_use_pt", c->pt);
	if (plan->dtmf_send_pt >= 0) {
		leg_var_set_int(leg, "rtp_2833_send_payload", plan->dtmf_send_pt);
		leg_var_set_int(leg, "rtp_2833_recv_payload", plan->dtmf_recv_pt);
	}
	leg_var_set(leg, "remote_media_ip", plan->remote_host);
	leg_var_set_int(leg, "remote_media_port", plan->remote_port);
}

void media_vars_secure(struct leg_media *m, const char *value)
{
	static const char *const names[] = {[MEDIA_AUDIO] = "rtp_secure_media_confirmed_audio",
	    [MEDIA_VIDEO] = "rtp_secure_media_confirmed_video",
	    [MEDIA_TEXT] = "rtp_secure_media_confirmed_text"};
	if (m == m->first)
		leg_var_set(m->leg, "rtp_secure_media_confirmed", value);
	leg_var_set(m->leg, names[m->kind], value);
}

static ON_CTL void set_count(struct leg *leg, const char *name, uint64_t v)
{
	leg_var_set_int(leg, name, (int64_t)v);
}

/* "%.2f" of what is not negative, without a format: a dozen of them end each leg. */
void media_var_hundredths(struct leg *leg, const char *name, double value)
{
	char text[32], *p = text + sizeof(text) - 1;
	uint64_t n = value > 0 ? (uint64_t)(value * 100 + 0.5) : 0;
	*p = 0;
	for (int i = 0; i < 3 || n; i++, n /= 10) {
		if (i == 2)
			*--p = '.';
		*--p = (char)('0' + n % 10);
	}
	leg_var_set(leg, name, p);
}

void media_vars_stats(struct leg *leg, const struct media_stats *s)
{
	uint64_t expected = s->in_packets + s->in_lost_packets;
	double loss = expected ? 100.0 * (double)s->in_lost_packets / (double)expected : 0;

	set_count(leg, "rtp_audio_in_raw_bytes", s->in_bytes);
	set_count(leg, "rtp_audio_in_media_bytes", s->in_bytes);
	set_count(leg, "rtp_audio_in_packet_count", s->in_packets);
	set_count(leg, "rtp_audio_in_media_packet_count", s->in_media_packets);
	set_count(leg, "rtp_audio_in_skip_packet_count", s->in_skip_packets);
	set_count(leg, "rtp_audio_in_jitter_packet_count", s->jb.late + s->jb.waits);
	set_count(leg, "rtp_audio_in_dtmf_packet_count", s->in_dtmf_packets);
	set_count(leg, "rtp_audio_in_cng_packet_count", s->in_cng_packets);
	set_count(leg, "rtp_audio_in_flush_packet_count", s->in_flush_packets);
	set_count(leg, "rtp_audio_in_largest_jb_size", s->jb.frame_ms ? s->jb.depth_max_ms / s->jb.frame_ms : 0);
	media_var_hundredths(leg, "rtp_audio_in_jitter_min_variance", (double)s->in_jitter_us / 1000.0);
	media_var_hundredths(leg, "rtp_audio_in_jitter_max_variance", (double)s->in_jitter_max_us / 1000.0);
	media_var_hundredths(leg, "rtp_audio_in_jitter_loss_rate", loss / 100.0);
	media_var_hundredths(leg, "rtp_audio_in_mean_interval",
	    (double)(sound_of(leg)->media ? sound_of(leg)->media->codec.ptime_ms : 20));
	set_count(leg, "rtp_audio_in_flaw_total", s->in_lost_packets);
	if (s->in_recovered_packets)
		set_count(leg, "rtp_audio_in_recovered_packet_count", s->in_recovered_packets);
	set_count(leg, "rtp_audio_out_raw_bytes", s->out_bytes);
	set_count(leg, "rtp_audio_out_media_bytes", s->out_bytes);
	set_count(leg, "rtp_audio_out_packet_count", s->out_packets);
	set_count(leg, "rtp_audio_out_media_packet_count", s->out_packets);
	set_count(leg, "rtp_audio_out_skip_packet_count", 0);
	set_count(leg, "rtp_audio_out_dtmf_packet_count", s->out_dtmf_packets);
	set_count(leg, "rtp_audio_out_cng_packet_count", s->out_cng_packets);
	set_count(leg, "rtp_audio_rtcp_packet_count", s->rtcp_packets);
	set_count(leg, "rtp_audio_rtcp_octet_count", s->rtcp_octets);
	media_vars_quality(leg, s);
	media_vars_jitter(leg, s);
}

int leg_media_stats_wait(struct leg *leg)
{
	unsigned before = sound_of(leg)->stats_count;
	int st = leg_media_stream(leg) ? mstream_stats_ask(leg_media_stream(leg)) : ST_UNSUPPORTED;

	while (!st && sound_of(leg)->stats_count == before)
		st = leg_wait(leg, STATS_WAIT_US);
	return st;
}
