/* Metrics of media: of the media threads as they run, and of streams at their end, when their statistics come. */
#include "core/registry/metrics.h"
#include "base/clock.h"
#include "core/sound/media.h"
#include "core/sound/media_i.h"
#include "media/ctl/dtls.h"
#include <stdio.h>

enum { JITTER_STEPS_COUNT = 8, MOS_STEPS_COUNT = 6 };
static const double mos_steps[MOS_STEPS_COUNT] = {2, 2.5, 3, 3.6, 4, 4.3};
static const double jitter_steps_s[JITTER_STEPS_COUNT] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2};
static struct {
	uint64_t received, lost, sent, wrong_source, jitter_counts[JITTER_STEPS_COUNT + 1];
	double jitter_sum_s;
	uint64_t mos_counts[MOS_STEPS_COUNT + 1], late, concealed;
	double mos_sum;
} ended;

static ON_CTL void mos_ended(const struct media_stats *s, const char *codec)
{
	struct quality_in in;
	struct quality_out q;
	size_t step = 0;
	media_quality(s, codec, &in, &q);
	while (step < MOS_STEPS_COUNT && q.mos > mos_steps[step])
		step++;
	ended.mos_counts[step]++;
	ended.mos_sum += q.mos;
}

void sound_metrics_ended(const struct media_stats *s, const char *codec)
{
	size_t step = 0;
	double jitter_s = (double)s->in_jitter_us / 1e6;
	ended.received += s->in_packets;
	ended.lost += s->in_lost_packets;
	ended.sent += s->out_packets;
	ended.wrong_source += s->in_wrong_source_packets;
	ended.late += s->jb.late, ended.concealed += s->jb.lost + s->jb.waits;
	if (!s->in_packets)
		return;
	mos_ended(s, codec);
	while (step < JITTER_STEPS_COUNT && jitter_s > jitter_steps_s[step])
		step++;
	ended.jitter_counts[step]++;
	ended.jitter_sum_s += jitter_s;
}

enum { E_RECEIVED, E_LOST, E_SENT, E_WRONG, E_LATE, E_CONCEALED, E_JITTER, E_MOS };
static void fill_ended(struct metric_out *out, int which)
{
	const uint64_t values[] = {
	    ended.received, ended.lost, ended.sent, ended.wrong_source, ended.late, ended.concealed};
	struct metric_histogram h = {JITTER_STEPS_COUNT, jitter_steps_s, ended.jitter_counts, ended.jitter_sum_s};
	struct metric_histogram mos = {MOS_STEPS_COUNT, mos_steps, ended.mos_counts, ended.mos_sum};
	role_assert_ctl();
	if (which == E_JITTER)
		metric_put_histogram(out, &h, NULL);
	else if (which == E_MOS)
		metric_put_histogram(out, &mos, NULL);
	else
		metric_put(out, (double)values[which], NULL);
}

enum {
	M_STREAMS,
	M_IN,
	M_OUT,
	M_DROPPED,
	M_TICKS,
	M_TICKS_LATE,
	M_LATE,
	M_LATE_MAX,
	M_CPU,
	M_MOVES,
	M_KERNEL_FLOWS,
	M_KERNEL,
	M_XDP
};
static void fill_media(struct metric_out *out, int which)
{
	struct mctl_thread_counts t;
	role_assert_ctl();
	for (unsigned i = 0; !mctl_thread_counts(i, &t); i++) {
		const double values[] = {(double)t.streams, (double)t.rtp_in, (double)t.rtp_out, (double)t.rtp_dropped,
		    (double)t.ticks, (double)t.ticks_late, (double)t.tick_late_us / 1e6,
		    (double)t.tick_late_max_us / 1e6, (double)t.cpu_ns / 1e9, (double)t.moves, (double)t.kernel_flows,
		    (double)t.kernel_packets, (double)t.kernel_xdp_packets};
		char name[16];
		snprintf(name, sizeof(name), "%u", i);
		metric_put(out, values[which], "thread", name, NULL);
	}
}

static void fill_records(struct metric_out *out, int which)
{
	role_assert_ctl();
	metric_put(out, (double)(which ? mctl_records_failed() : mctl_record_lost_samples()), NULL);
}

static void fill_dtls(struct metric_out *out, int which)
{
	struct mdtls_counts n;
	role_assert_ctl();
	mctl_dtls_counts(&n);
	if (which) {
		metric_put(out, (double)(which == 2 ? n.closed : n.steps_running + n.steps_waiting), NULL);
		return;
	}
	metric_put(out, (double)n.up, "result", "up", NULL);
	metric_put(out, (double)(n.failed - n.late), "result", "failed", NULL);
	metric_put(out, (double)n.late, "result", "late", NULL);
}

static void fill_ports(struct metric_out *out, int which)
{
	size_t streams, ports = 0;
	uint64_t in, sent, dropped;
	role_assert_ctl();
	mctl_counts(&streams, &ports, &in, &sent, &dropped);
	metric_put(out, (double)ports, NULL);
}

/* clang-format off */
#define C METRIC_COUNTER, 0
#define G METRIC_GAUGE, 0
static const struct metric_desc table[] = {
    {"tandem_media_streams", G, "RTP streams open, by media thread.", fill_media, M_STREAMS},
    {"tandem_media_rtp_received_packets_total", C, "RTP packets in.", fill_media, M_IN},
    {"tandem_media_rtp_sent_packets_total", C, "RTP packets out.", fill_media, M_OUT},
    {"tandem_media_rtp_dropped_packets_total", C, "RTP packets thrown away.", fill_media, M_DROPPED},
    {"tandem_media_ticks_total", C, "Ticks run.", fill_media, M_TICKS},
    {"tandem_media_ticks_late_total", C, "Of these over 10 ms late.", fill_media, M_TICKS_LATE},
    {"tandem_media_tick_late_seconds_total", C, "How late ticks were, added up.", fill_media, M_LATE},
    {"tandem_media_tick_late_longest_seconds", G, "The latest tick.", fill_media, M_LATE_MAX},
    {"tandem_media_cpu_seconds_total", C, "CPU time of the media thread.", fill_media, M_CPU},
    {"tandem_media_moves_total", C, "Streams that came from another media thread.", fill_media, M_MOVES},
    {"tandem_media_dtls_handshakes_total", C, "DTLS handshakes that are over, by result.", fill_dtls, 0},
    {"tandem_media_dtls_closed_total", C, "DTLS associations that the far side closed.", fill_dtls, 2},
    {"tandem_media_dtls_steps", G, "Steps of DTLS that workers do or that wait for one.", fill_dtls, 1},
    {"tandem_media_kernel_streams", G, "Streams whose packets the kernel relays.", fill_media, M_KERNEL_FLOWS},
    {"tandem_media_kernel_packets_total", C, "RTP packets the kernel relayed.", fill_media, M_KERNEL},
    {"tandem_media_kernel_xdp_packets_total", C, "RTP packets the kernel relayed by XDP.", fill_media, M_XDP},
    {"tandem_media_ports_free", G, "RTP port pairs free.", fill_ports, 0},
    {"tandem_record_lost_samples_total", C, "Samples that recordings lost since the disk stalled for too long.", fill_records, 0},
    {"tandem_record_failed_total", C, "Recordings whose file could not be written.", fill_records, 1},
    {"tandem_rtp_received_packets_total", C, "RTP packets received by streams that ended.", fill_ended, E_RECEIVED},
    {"tandem_rtp_lost_packets_total", C, "Packets they missed.", fill_ended, E_LOST},
    {"tandem_rtp_sent_packets_total", C, "RTP packets they sent.", fill_ended, E_SENT},
    {"tandem_rtp_wrong_source_packets_total", C, "Packets from addresses they did not believe.", fill_ended, E_WRONG},
    {"tandem_rtp_late_packets_total", C, "Packets that came after their time in a jitter buffer.", fill_ended, E_LATE},
    {"tandem_rtp_concealed_frames_total", C, "Frames that jitter buffers made up.", fill_ended, E_CONCEALED},
    {"tandem_rtp_mos", METRIC_HISTOGRAM, 0, "E-model's estimate of streams at their end.", fill_ended, E_MOS},
    {"tandem_rtp_jitter_seconds", METRIC_HISTOGRAM, 0, "Jitter of streams at their end.", fill_ended, E_JITTER},
    {0},
};
/* clang-format on */

int sound_metrics_start(void)
{
	return metrics_add(table);
}

void sound_metrics_stop(void)
{
	metrics_del(table);
}
