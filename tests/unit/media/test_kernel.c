/* A flow's row in the kernel: what it is told, and what comes back into the flow. */
#include "base/clock.h"
#include "harness.h"
#include "media/rt/kernel_i.h"
#include "media/rt/relay_bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <string.h>

static struct rt_stream from, dest;
static struct rt_flow in, out;

static void flows_make(void)
{
	memset(&from, 0, sizeof(from)), memset(&dest, 0, sizeof(dest));
	memset(&in, 0, sizeof(in)), memset(&out, 0, sizeof(out));
	from.f = &in, in.s = &from, dest.f = &out, out.s = &dest;
	in.recv_pt = 8, out.send_pt = 0, in.in_packets = 7, in.in_bytes = 7 * 172, in.in_media = 5;
	rtp_source_init(&from.seq, 0x01020304, 8000);
	(void)rtp_source_update(&from.seq, 65534, 1000, 1000000);
	out.out = (struct rt_out){.packets = 3,
	    .bytes = 480,
	    .ssrc = 0x0a0b0c0d,
	    .ts = 5000,
	    .seq = 9,
	    .is_anchored = true,
	    .was_started = true,
	    .src_ssrc = 0x01020304,
	    .src_seq = 65534,
	    .seq_offset = 11,
	    .ts_offset = 4000};
}

static int test_filled(void)
{
	struct kernel_row r;
	memset(&r, 0xee, sizeof(r));
	role_set(ROLE_MEDIA);
	role_assert_media();
	flows_make();
	kernel_row_fill(&r, &in, &out);
	EXPECT(r.in_ssrc == htonl(0x01020304) && r.out_ssrc == htonl(0x0a0b0c0d));
	EXPECT(r.in_pt == 8 && r.out_pt == 0);
	EXPECT(r.seq == 65534 && r.seq_offset == 11 && r.ts_offset == 4000);
	EXPECT(r.packets == 0 && r.bytes == 0 && r.clock_hz == 8000);
	return 0;
}

/* Four packets, over the end of the sequence numbers. */
static int test_folded(void)
{
	struct kernel_row r = {0};
	role_set(ROLE_MEDIA);
	role_assert_media();
	flows_make();
	kernel_row_fill(&r, &in, &out);
	r.packets = 4, r.bytes = 4 * 172, r.seq = 2, r.ts = 1640, r.last_us = 1080000, r.jitter_q4 = 16;
	kernel_row_fold(&r, &in, &out);
	EXPECT(in.in_packets == 11 && in.in_media == 9 && in.in_bytes == 11 * 172);
	EXPECT(in.last_in_us == 1080000);
	EXPECT(from.seq.seq_max == 2 && from.seq.cycles == 65536 && from.seq.received == 5);
	EXPECT(rtp_source_lost(&from.seq) == 0);
	EXPECT(rtp_source_jitter_us(&from.seq) == 125);
	EXPECT(out.out.packets == 7 && out.out.bytes == 480 + 4 * 160);
	EXPECT(out.out.seq == 13 && out.out.ts == 5640 && out.out.src_seq == 2 && out.out.at_us == 1080000);
	/* the next one by the socket goes on from there */
	EXPECT(rtp_source_update(&from.seq, 3, 1800, 1100000) == RTP_SEQ_OK && rtp_source_lost(&from.seq) == 0);
	return 0;
}

static int test_nothing_came(void)
{
	struct kernel_row r = {0};
	role_set(ROLE_MEDIA);
	role_assert_media();
	flows_make();
	kernel_row_fill(&r, &in, &out);
	kernel_row_fold(&r, &in, &out);
	EXPECT(in.in_packets == 7 && out.out.seq == 9 && out.out.ts == 5000 && from.seq.received == 1);
	return 0;
}

/* ---- the programs, on packets of the test's own (BPF_PROG_TEST_RUN) */
enum { IP_AT = 14, UDP_AT = 34, RTP_AT = 42, FRAME = RTP_AT + 172 };
static struct bpf_object *object;
static int rows_fd;
static uint8_t frame[FRAME], made[FRAME];
static const struct program {
	const char *name;
	int up, gone;
} programs[] = {{"relay", TC_ACT_UNSPEC, TC_ACT_REDIRECT}, {"relay_xdp", XDP_PASS, XDP_REDIRECT}};
enum { TC, XDP };

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16), put16(p + 2, v & 0xffff);
}
static unsigned sum_of(const uint8_t *p, size_t n, unsigned sum)
{
	for (size_t i = 0; i < n; i += 2)
		sum += (unsigned)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}
static unsigned udp_sum(const uint8_t *f) /* 0xffff when it is right */
{
	return sum_of(f + UDP_AT, FRAME - UDP_AT, sum_of(f + IP_AT + 12, 8, 17 + FRAME - UDP_AT));
}

/* 192.0.2.1:4000 to 192.0.2.9:5000, payload type 8, SSRC 0x01020304. */
static void frame_make(uint16_t seq)
{
	memset(frame, 0x11, sizeof(frame));
	put16(frame + 12, 0x0800);
	memcpy(frame + IP_AT, (uint8_t[]){0x45, 0xb8, 0, 200, 0, 1, 0x40, 0, 60, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9},
	    20);
	put16(frame + IP_AT + 10, ~sum_of(frame + IP_AT, 20, 0) & 0xffff);
	put16(frame + UDP_AT, 4000), put16(frame + UDP_AT + 2, 5000), put16(frame + UDP_AT + 4, 180);
	frame[RTP_AT] = 0x80, frame[RTP_AT + 1] = 8;
	put16(frame + RTP_AT + 2, seq), put32(frame + RTP_AT + 4, 1160), put32(frame + RTP_AT + 8, 0x01020304);
	put16(frame + UDP_AT + 6, 0);
	put16(frame + UDP_AT + 6, ~udp_sum(frame) & 0xffff);
}

static bool object_load(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "tandem_test");
	libbpf_set_print(NULL);
	object = bpf_object__open_mem(relay_bpf_object, sizeof(relay_bpf_object), &opts);
	if (!object || bpf_object__load(object))
		return false;
	rows_fd = bpf_object__find_map_fd_by_name(object, "rows");
	return true;
}

static struct kernel_row row_live(void)
{
	struct kernel_row r = {.gate = KERNEL_LIVE,
	    .out_ifindex = 2,
	    .xdp = KERNEL_XDP_OWN,
	    .out_macs = {1, 2, 3, 4, 5, 6},
	    .expires_us = UINT64_MAX,
	    .out_from_ip = htonl(0xc6336401),
	    .out_to_ip = htonl(0xc6336407),
	    .out_from_port = htons(6000),
	    .out_to_port = htons(7000),
	    .out_tos = 0x60,
	    .out_ttl = 64,
	    .key = {htonl(0xc0000201), htonl(0xc0000209), htons(4000), htons(5000)}};
	role_assert_media();
	flows_make();
	kernel_row_fill(&r, &in, &out);
	return r;
}

/* What becomes of the frame with the row as it is; the row afterwards. */
static int run(const struct program *p, struct kernel_row *r)
{
	uint32_t index = 5000;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME, .data_out = made,
	    .data_size_out = FRAME, .repeat = 1);
	int program_fd = bpf_program__fd(bpf_object__find_program_by_name(object, p->name));
	if (bpf_map_update_elem(rows_fd, &index, r, BPF_ANY) || bpf_prog_test_run_opts(program_fd, &opts) ||
	    bpf_map_lookup_elem(rows_fd, &index, r))
		return -100;
	return (int)opts.retval;
}

static int relays(const struct program *p)
{
	bool is_xdp = p == &programs[XDP];
	struct kernel_row r = row_live();
	frame_make(65535);
	EXPECT_INT(run(p, &r), p->gone);
	EXPECT(r.gate == KERNEL_LIVE && r.packets == 1 && r.bytes == 172 && r.seq == 65535 && r.ts == 1160);
	EXPECT(r.tc_packets == !is_xdp && r.xdp == KERNEL_XDP_OWN);
	EXPECT_INT(sum_of(made + IP_AT, 20, 0), 0xffff);
	EXPECT_INT(udp_sum(made), 0xffff);
	EXPECT(!memcmp(made, is_xdp ? (const uint8_t *)r.out_macs : frame, 12));
	EXPECT(!memcmp(made + IP_AT + 12, (uint8_t[]){198, 51, 100, 1, 198, 51, 100, 7}, 8));
	EXPECT(made[IP_AT + 1] == 0x60 && made[IP_AT + 8] == 64);
	uint8_t want[16];
	put16(want, 6000), put16(want + 2, 7000);
	EXPECT(!memcmp(made + UDP_AT, want, 4));
	want[0] = 0x80, want[1] = 0, put16(want + 2, 10), put32(want + 4, 5160), put32(want + 8, 0x0a0b0c0d);
	EXPECT(!memcmp(made + RTP_AT, want, 12));
	EXPECT(!memcmp(made + RTP_AT + 12, frame + RTP_AT + 12, 160));
	return 0;
}

/* A hole, an old one, the marker, another payload type, SSRC, CSRCs; a row that is free, closed, busy, out of its time,
 * another's, or full for this second: all as if there were no program. */
static int lets_up(const struct program *p)
{
	static const struct {
		int at;
		uint8_t value;
	} changes[] = {{RTP_AT + 3, 0xfd}, {RTP_AT + 2, 0}, {RTP_AT + 1, 0x88}, {RTP_AT + 1, 101}, {RTP_AT + 1, 200},
	    {RTP_AT + 8, 9}, {RTP_AT, 0x81}, {RTP_AT, 0x90}, {RTP_AT, 0xa0}, {RTP_AT, 0}, {IP_AT, 0x46},
	    {IP_AT + 6, 0x20}, {IP_AT + 9, 6}, {IP_AT + 3, 199}, {IP_AT + 10, 0}, {UDP_AT + 1, 0}, {UDP_AT + 5, 19},
	    {IP_AT + 15, 2}, {12, 0x86}};
	struct kernel_row r;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		r = row_live();
		frame_make(65535);
		frame[changes[i].at] = changes[i].value;
		if (changes[i].at >= IP_AT && changes[i].at < UDP_AT && changes[i].at != IP_AT + 10) {
			put16(frame + IP_AT + 10, 0);
			put16(frame + IP_AT + 10, ~sum_of(frame + IP_AT, 20, 0) & 0xffff);
		}
		if (run(p, &r) != p->up)
			test_fail(__FILE__, __LINE__, "%s: change %zu", p->name, i);
		EXPECT(r.packets == 0 && !memcmp(made, frame, FRAME));
	}
	for (int i = 0; i < 6; i++) {
		r = row_live();
		frame_make(65535);
		if (i < 3)
			r.gate = (uint32_t[]){KERNEL_FREE, KERNEL_OFF, KERNEL_BUSY}[i];
		if (i == 3)
			r.expires_us = 1;
		if (i == 4)
			r.key.remote_port = 1;
		if (i == 5)
			r.rate_count = 1000, r.rate_since_us = (uint64_t)clock_mono_us();
		EXPECT_INT(run(p, &r), p->up);
		EXPECT(r.packets == 0);
	}
	return 0;
}

/* What is XDP's alone: the way back through the same interface, checksums that are only begun, rows without a hop. */
static int xdp_alone(void)
{
	const struct program *p = &programs[XDP];
	struct kernel_row r = row_live();
	frame_make(65535);
	r.out_ifindex = 1; /* test runs arrive at the loopback */
	EXPECT_INT(run(p, &r), XDP_TX);
	r = row_live();
	put16(frame + UDP_AT + 6, sum_of(frame + IP_AT + 12, 8, 17 + FRAME - UDP_AT));
	EXPECT_INT(run(p, &r), XDP_REDIRECT);
	EXPECT_INT(udp_sum(made), 0xffff);
	r = row_live();
	put16(frame + UDP_AT + 6, 0);
	EXPECT_INT(run(p, &r), XDP_REDIRECT);
	EXPECT(!made[UDP_AT + 6] && !made[UDP_AT + 7]);
	r = row_live();
	r.xdp = KERNEL_XDP_NONE;
	EXPECT_INT(run(p, &r), XDP_PASS);
	EXPECT(r.packets == 0 && r.xdp == KERNEL_XDP_NONE);
	r = row_live();
	r.xdp = KERNEL_XDP_PROBE;
	EXPECT_INT(run(p, &r), XDP_PASS);
	EXPECT(r.packets == 0 && r.xdp == KERNEL_XDP_OWN && r.gate == KERNEL_LIVE);
	EXPECT_INT(run(p, &r), XDP_REDIRECT);
	return 0;
}

static int test_programs(void)
{
	role_set(ROLE_MEDIA);
	role_assert_media();
	if (!object_load()) {
		bpf_object__close(object);
		test_skip("programs cannot be loaded into the kernel here");
		return 0;
	}
	int failed = 0;
	for (int i = TC; i <= XDP && !failed; i++)
		failed = relays(&programs[i]) || lets_up(&programs[i]);
	failed = failed || xdp_alone();
	bpf_object__close(object);
	return failed;
}

TEST_MAIN({"what a row is told", test_filled, 0}, {"what comes back", test_folded, 0},
    {"nothing came", test_nothing_came, 0}, {"the programs", test_programs, 0})
