/* The room's streams as a bench has them: PCMU or another codec on loopback, numbers 101 for digits, and a control loop
 * that runs while one waits. */
#include "base/mem.h"
#include "base/role.h"
#include "loop/loop.h"
#include "rig.h"

struct mstream *rig_stream[RIG_STREAMS_MAX];
const struct media_codec rig_pcmu = {.name = "PCMU", .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20};

static void on_report(struct mstream *s, const struct media_report *r, void *arg) {}

static void timer_over(void *arg)
{
	role_assert_ctl();
	loop_stop();
}

void rig_room_wait(int ms)
{
	role_assert_ctl();
	struct ltimer t = {0};
	loop_timer_set(&t, ms * INT64_C(1000), "bench", timer_over, NULL);
	loop_run();
}

int64_t rig_room_cpu(void)
{
	role_assert_ctl();
	return (int64_t)mctl_cpu_ns();
}

void rig_room_begin(unsigned threads)
{
	struct mctl_conf conf = {.thread_count = threads, .port_min = 10000, .port_max = 32000};
	if (mctl_start(&conf))
		rig_die("mctl_start");
}

void rig_room_stream(int i, const struct media_codec *codec, struct rt_crypt *crypt)
{
	struct media_params m = {.send = *codec,
	    .recv = *codec,
	    .dtmf_send_pt = 101,
	    .dtmf_recv_pt = 101,
	    .cn_pt = -1,
	    .may_send = true,
	    .may_recv = true,
	    .source_mode = MEDIA_SOURCE_NAT};
	struct addr local;
	(void)addr_parse(&m.remote_rtp, SV("127.0.0.1"), rig->phone_port[i]);
	(void)addr_parse(&local, SV("127.0.0.1"), 0);
	if (mstream_open(&rig_stream[i], &local, i & 1 ? rig_stream[i - 1] : NULL, on_report, NULL) ||
	    (crypt && mstream_set_crypt(rig_stream[i], crypt)) || mstream_set_params(rig_stream[i], &m))
		rig_die("mstream_open");
	rig->relay_port[i] = addr_port(&local);
}

void rig_room_relay(int i)
{
	if (mstream_relay(rig_stream[i - 1], rig_stream[i]))
		rig_die("mstream_relay");
}

void rig_room_end(void)
{
	for (int i = 0; i < rig_streams; i++) {
		mstream_close(rig_stream[i]);
		mem_unref(rig_stream[i]);
	}
	mctl_stop();
}
