/* The walk of packets through a media thread, without the thread: two streams that are joined, of codecs and with what
 * lies between (jitter buffer, comfort noise, digits as tones, RED, parity, echo) by the first two bytes; then packets,
 * each behind two bytes that say to whom, how much later, and whether it is raw bytes or a payload behind a head that
 * fits. Nothing is written past the end, everything is given back. Parser: media/rt (flow.c, red.c, pass.c, fec.c,
 * fec_out.c, dtmf.c, jitter.c, comfort.c, xcode.c, rtcp.c) */
#include "base/check.h"
#include "base/mem.h"
#include "loop/mailbox.h"
#include "media/rt/rt_i.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PT_RED = 63, PT_FEC = 62, PT_DTMF = 101, PT_CN = 13, ROWS = 4, TICK_US = 20000, TICKS_MAX = 25 };
static const struct media_codec codecs[] = {
    {.name = "PCMU", .pt = 0, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20},
    {.name = "PCMA", .pt = 8, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 30},
    {.name = "G722", .pt = 9, .clock_hz = 8000, .rate_hz = 16000, .channels = 1, .ptime_ms = 20},
    {.name = "opus", .pt = 96, .clock_hz = 48000, .rate_hz = 16000, .channels = 2, .ptime_ms = 20},
    {.name = "GSM", .pt = 3, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20},
    {.name = "H264", .pt = 97, .clock_hz = 90000, .rate_hz = 90000, .channels = 1},
    {.name = "nobody", .pt = 98, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20}};
enum { CODEC_COUNT = sizeof(codecs) / sizeof(codecs[0]), H264 = 5 };

static struct rt_thread *t;
static int far_ends[2];
static uint16_t seq;
static uint32_t ts;

static void thread_make(void)
{
	t = mem_new(sizeof(*t), NULL, "fuzz.thread");
	CHECK(t && !mailbox_new(&t->reports, 64) && !mailbox_new(&t->box, 64));
	t->flow_free = FLOW_NONE;
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		list_init(&t->wheel[i]);
	list_init(&t->reporting);
	list_init(&t->leaving);
	list_init(&t->rooms);
	t->flows = mem_zalloc(ROWS * sizeof(*t->flows));
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	CHECK(t->flows && t->epoll_fd >= 0);
	t->now_us = 1000000;
}

ON_MEDIA static void tell(
    struct rt_stream *s, enum rt_cmd_kind kind, void *ptr, void *ptr2, struct rt_stream *peer, uint32_t number)
{
	struct rt_cmd c = {.kind = kind, .s = s, .peer = peer, .ptr = ptr, .ptr2 = ptr2, .number = number};
	stream_cmd(t, &c);
}

ON_MEDIA static struct rt_stream *stream_make(unsigned which, unsigned codec, unsigned bits)
{
	struct media_params *p = mem_zalloc(sizeof(*p));
	struct rt_coders *coders;
	struct rt_stream *s;
	int pair[2];

	CHECK(p && !socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
	far_ends[which] = pair[1];
	p->send = p->recv = codecs[codec];
	p->remote_rtp.in4.sin_family = AF_INET, p->remote_rtp.in4.sin_port = htons(4000);
	p->remote_rtp.in4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->dtmf_send_pt = p->dtmf_recv_pt = bits & 1 ? PT_DTMF : -1;
	p->cn_pt = bits & 2 && p->send.clock_hz == 8000 ? PT_CN : -1;
	p->kind = codec == H264 ? MEDIA_VIDEO : MEDIA_AUDIO;
	p->may_send = p->may_recv = p->is_rtcp_mux = true;
	if (bits & 4)
		p->red_send = p->red_recv = PT_RED;
	if (p->kind && bits & 4)
		p->fec_send = p->fec_recv = PT_FEC, p->exts[MEDIA_EXT_ABS_TIME] = 2;
	if (p->kind)
		p->fb = MEDIA_FB_NACK | MEDIA_FB_PLI | MEDIA_FB_FIR;
	CHECK(!rt_coders_new(&coders, p) && !rt_stream_new(&s, pair[0], -1, &rt_finder_wired, NULL));
	struct media_params copy = *p;
	tell(s, RT_C_OPEN, NULL, NULL, NULL, 0);
	s->f->out.ssrc = 4 + which, s->f->out.seq = 0, s->f->out.ts = 0; /* an input is the same again */
	tell(s, RT_C_PARAMS, p, coders, NULL, 0);
	struct rt_jitter *j = NULL;
	struct media_jitter_conf jc = {.len_ms = 40, .max_ms = 200, .conceals = true, .has_bridges = bits & 16};
	if (bits & 8 && !copy.kind && !rt_jitter_new(&j, &copy.recv, 1, &jc))
		tell(s, RT_C_JITTER, j, NULL, NULL, 0);
	struct rt_comfort *c = NULL;
	struct media_comfort_conf cc = {.fills = bits & 1, .fill_divisor = 1400, .sends = bits & 2};
	if (bits & 2 && !copy.kind && !rt_comfort_new(&c, &copy, &cc))
		tell(s, RT_C_COMFORT, c, NULL, NULL, 0);
	return s;
}

ON_MEDIA static void reports_take(void)
{
	struct rt_report r;
	size_t n;
	reports_flush(t);
	while (mailbox_take(t->reports, &r, &n))
		if (r.kind == RT_R_CLOSED)
			rt_stream_free(r.s);
}

ON_MEDIA static void later(struct rt_stream *const s[2], unsigned ms)
{
	for (int64_t end = t->now_us + ms * 1000; t->now_us < end;) {
		t->now_us += TICK_US;
		for (int i = 0; i < 2; i++)
			if (s[i]->tick_needs)
				stream_tick(s[i]);
	}
}

ON_MEDIA static void packet(struct rt_stream *s, const uint8_t *p, size_t n, unsigned how)
{
	uint8_t *at = t->packet + RT_PACKET_ROOM;
	if (how & 1 && n > 2) { /* pt, steps, then the payload */
		const uint8_t pts[] = {(uint8_t)s->params.recv.pt, PT_DTMF, PT_CN, PT_RED};
		seq = (uint16_t)(seq + 1 + (p[1] & 7) - (p[1] >> 7) * 9u);
		ts += 160u * (1u + (p[1] >> 3 & 7));
		rtp_write_header(at, p[0] & 128, pts[p[0] & 3], seq, ts, p[0] & 64 ? 7 : 8);
		memcpy(at + RTP_HEADER_BYTES, p + 2, n - 2);
		n += RTP_HEADER_BYTES - 2;
	} else {
		memcpy(at, p, n);
	}
	flow_rtp_in(t, s->f, at, n, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rt_stream *s[2];
	struct rt_xcode *ab = NULL, *ba = NULL;

	role_set(ROLE_MEDIA);
	role_assert_media();
	if (!t)
		thread_make();
	if (size < 4)
		return 0;
	seq = 0, ts = 0;
	unsigned a = data[0] % CODEC_COUNT, b = data[0] / CODEC_COUNT % CODEC_COUNT;
	if ((a == H264) != (b == H264))
		b = a;
	s[0] = stream_make(0, a, data[1]), s[1] = stream_make(1, b, data[2]);
	if (data[3] & 1) {
		tell(s[0], RT_C_ECHO, NULL, NULL, NULL, 0);
	} else if (!rt_xcode_new(&ab, &codecs[a], &codecs[b], 1, data[1] & 8, NULL)) {
		if (!rt_xcode_new(&ba, &codecs[b], &codecs[a], 1, data[2] & 8, NULL))
			tell(s[0], RT_C_RELAY, ab, ba, s[1], 0);
		else
			rt_xcode_free(ab);
	}
	tell(s[0], RT_C_DIGITS, NULL, NULL, NULL, data[3] >> 1 & 7);
	tell(s[1], RT_C_DIGITS, NULL, NULL, NULL, data[3] >> 4 & 7);
	data += 4, size -= 4;
	for (unsigned ticks = 0; size > 2 && ticks < TICKS_MAX; ticks++) {
		unsigned how = data[0];
		size_t n = (size_t)data[1] * 4;
		unsigned ms = how >> 4;
		data += 2, size -= 2;
		n = n < size ? n : size;
		packet(s[how >> 1 & 1], data, n, how);
		later(s, ms * 20);
		data += n, size -= n;
		if (!n)
			break;
	}
	later(s, 100);
	tell(s[0], RT_C_CLOSE, NULL, NULL, NULL, 0);
	tell(s[1], RT_C_CLOSE, NULL, NULL, NULL, 0);
	reports_take();
	CHECK(!t->stream_count && list_empty(&t->reporting));
	close(far_ends[0]), close(far_ends[1]);
	return 0;
}
