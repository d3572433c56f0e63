/* See peer.h. */
#include "peer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "codec/codec.h"
#include "dsp/mix.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct peer peers[PEERS_MAX];
int64_t pump_stall_us;

/* An address of 127/8 that no other process has: ports of tests that run beside this one cannot be mixed up with ours,
 * nor can packets that are still under way to a port somebody else had before. */
struct addr home_addr(void)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];
	unsigned pid = (unsigned)getpid(); /* at most 22 bits */
	snprintf(text, sizeof(text), "127.%u.%u.%u", 64 + (pid >> 16), pid >> 8 & 255, pid & 255);
	CHECK(!addr_parse(&a, sv_of(text), 0));
	return a;
}

static int bind_home(struct addr *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, &a->sa, addr_len(a)) || getsockname(fd, &a->sa, &len))
		return -1;
	return fd;
}

int peer_open(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	p->rtcp_fd = -1;
	for (int i = 0; i < 50 && p->rtcp_fd < 0; i++) {
		p->addr = home_addr();
		p->fd = bind_home(&p->addr);
		struct addr rtcp = p->addr;
		addr_set_port(&rtcp, (uint16_t)(addr_port(&p->addr) + 1));
		p->rtcp_fd = bind_home(&rtcp);
		if (p->rtcp_fd < 0)
			close(p->fd);
	}
	p->kept = calloc(PEER_KEPT, sizeof(*p->kept));
	p->ssrc = 0x1000u + (uint32_t)(p - peers), p->ts = 90000, p->seq = 65500; /* wraps soon */
	p->frame = 160;
	return p->rtcp_fd < 0 ? -1 : 0;
}

void peer_close(struct peer *p)
{
	if (!p->kept)
		return;
	close(p->fd);
	close(p->rtcp_fd);
	codec_enc_close(&p->enc);
	free(p->kept);
	memset(p, 0, sizeof(*p));
}

static void on_report(struct mstream *s, const struct media_report *r, void *arg)
{
	struct peer *p = arg;
	if (p->report_count < REPORTS_MAX)
		p->reports[p->report_count++] = *r;
	if (r->kind == MEDIA_R_CLOSED)
		p->is_closed = true;
}

int peer_stream(struct peer *p, struct mstream *near)
{
	p->local = home_addr();
	EXPECT_INT(mstream_open(&p->s, &p->local, near, on_report, p), ST_OK);
	EXPECT(addr_port(&p->local) % 2 == 0);
	p->to = p->local;
	return 0;
}

struct media_params peer_params(const struct peer *p)
{
	static const struct media_codec pcmu = {
	    .name = "PCMU", .pt = 0, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20};
	return (struct media_params){.remote_rtp = p->addr,
	    .send = pcmu,
	    .recv = pcmu,
	    .dtmf_send_pt = 101,
	    .dtmf_recv_pt = 101,
	    .cn_pt = -1,
	    .may_send = true,
	    .may_recv = true};
}

int peer_params_set(struct peer *p)
{
	struct media_params m = peer_params(p);
	EXPECT_INT(mstream_set_params(p->s, &m), ST_OK);
	return 0;
}

int room_start(unsigned threads, size_t peer_count)
{
	struct mctl_conf conf = {.thread_count = threads, .port_min = 21000, .port_max = 22999};
	EXPECT_INT(mctl_start(&conf), ST_OK);
	for (size_t i = 0; i < peer_count; i++) {
		EXPECT_INT(peer_open(&peers[i]), 0);
		EXPECT_INT(peer_stream(&peers[i], NULL), 0);
		EXPECT_INT(peer_params_set(&peers[i]), 0);
	}
	return 0;
}

int settle(void)
{
	for (int i = 0; i < PEERS_MAX; i++) {
		struct want w = {.p = &peers[i], .kind = MEDIA_R_STATS};
		if (!peers[i].s || peers[i].is_closed)
			continue;
		w.count = report_count(w.p, w.kind) + 1;
		EXPECT_INT(mstream_stats_ask(peers[i].s), ST_OK);
		EXPECT_INT(pump(has_report, &w, 4000), 0);
	}
	return 0;
}

static bool all_closed(void *arg)
{
	for (int i = 0; i < PEERS_MAX; i++)
		if (peers[i].s && !peers[i].is_closed)
			return false;
	return true;
}

int room_stop(void)
{
	size_t open, ports;
	uint64_t n;
	for (int i = 0; i < PEERS_MAX; i++)
		if (peers[i].s)
			mstream_close(peers[i].s);
	EXPECT_INT(pump(all_closed, NULL, 5000), 0);
	for (int i = 0; i < PEERS_MAX; i++) {
		peers[i].s = mem_unref(peers[i].s);
		peer_close(&peers[i]);
	}
	mctl_counts(&open, &ports, &n, &n, &n);
	EXPECT_INT(open, 0);
	mctl_stop();
	return 0;
}

void peer_send_raw(struct peer *p, const void *bytes, size_t n)
{
	(void)!sendto(p->fd, bytes, n, 0, &p->to.sa, addr_len(&p->to));
}

void peer_send(struct peer *p, uint8_t pt, bool is_marked, uint16_t seq, uint32_t ts, const void *payload, size_t n)
{
	uint8_t b[600];
	rtp_write_header(b, is_marked, pt, seq, ts, p->ssrc);
	memcpy(b + RTP_HEADER_BYTES, payload, n);
	peer_send_raw(p, b, n + RTP_HEADER_BYTES);
}

void peer_clear(struct peer *p)
{
	p->count = p->report_count = 0;
}

static void coded_frame(struct peer *p, const int16_t *pcm)
{
	uint8_t b[400];
	int n = codec_encode(&p->enc, pcm, p->frame, b, sizeof(b));
	CHECK(n > 0);
	peer_send(p, p->pt, p->sent_count == 0, p->seq++, p->ts, b, (size_t)n);
}

static void tone_frame(struct peer *p)
{
	uint8_t b[400];
	int16_t pcm[400];
	for (unsigned i = 0; i < p->frame; i++) {
		int16_t v = (int16_t)((p->amplitude > 0 ? p->amplitude : 8000) * sin(p->phase));
		pcm[i] = v;
		p->phase += 2 * M_PI * p->hz / (p->is_wide ? 16000 : 8000);
		if (p->is_wide)
			b[2 * i] = (uint8_t)(v >> 8), b[2 * i + 1] = (uint8_t)v;
		else
			b[i] = p->is_alaw ? g711_alaw_encode(v) : g711_ulaw_encode(v);
	}
	if (p->lose_every && p->sent_count % p->lose_every == p->lose_every - 1)
		p->seq++;
	else if (p->enc.ops)
		coded_frame(p, pcm);
	else
		peer_send(p, p->pt, p->sent_count == 0, p->seq++, p->ts, b, p->frame * (p->is_wide ? 2 : 1));
	p->ts += p->frame * (p->clock_times ? p->clock_times : 1);
	p->sent_count++;
}

static void peer_receive(struct peer *p)
{
	uint8_t b[2000];
	struct rtp_packet pk;
	struct addr from;
	socklen_t len = sizeof(from);
	ssize_t n;
	while ((n = recvfrom(p->fd, b, sizeof(b), 0, &from.sa, &len)) > 0) {
		if (p->count == PEER_KEPT || rtp_parse(b, (size_t)n, &pk))
			continue;
		struct kept *k = &p->kept[p->count++];
		*k = (struct kept){.is_marked = pk.is_marked,
		    .pt = pk.pt,
		    .seq = pk.seq,
		    .ts = pk.ts,
		    .ssrc = pk.ssrc,
		    .n = pk.payload_bytes,
		    .at_us = clock_mono_us(),
		    .from = from};
		memcpy(k->payload, pk.payload, k->n < sizeof(k->payload) ? k->n : sizeof(k->payload));
	}
	while (recv(p->rtcp_fd, b, sizeof(b), 0) > 0)
		p->rtcp_count++;
}

int pump(pump_fn fn, void *arg, int timeout_ms)
{
	int64_t last = clock_mono_us(), end = last + timeout_ms * INT64_C(1000);
	for (;;) {
		struct pollfd fds[2 * PEERS_MAX];
		nfds_t n = 0;
		int64_t now = clock_mono_us();
		pump_stall_us = now - last > pump_stall_us ? now - last : pump_stall_us;
		last = now;
		loop_run_nowait();
		for (int i = 0; i < PEERS_MAX; i++) {
			struct peer *p = &peers[i];
			if (!p->kept)
				continue;
			if (p->is_sending && !p->next_us)
				p->next_us = now;
			while (p->is_sending && p->next_us <= now)
				tone_frame(p), p->next_us += p->frame * (p->is_wide ? 1000 : 2000) / 16;
			peer_receive(p);
			fds[n++] = (struct pollfd){.fd = p->fd, .events = POLLIN};
			fds[n++] = (struct pollfd){.fd = p->rtcp_fd, .events = POLLIN};
		}
		if (fn && fn(arg))
			return 0;
		if (now >= end)
			return -1;
		(void)poll(fds, n, 1);
	}
}

void pump_ms(int ms)
{
	(void)pump(NULL, NULL, ms);
}

bool has_packets(void *arg)
{
	const struct want *w = arg;
	return w->p->count >= w->count;
}

size_t report_count(const struct peer *p, enum media_report_kind kind)
{
	size_t n = 0;
	for (size_t i = 0; i < p->report_count; i++)
		n += p->reports[i].kind == kind;
	return n;
}

const struct media_report *report_last(const struct peer *p, enum media_report_kind kind)
{
	for (size_t i = p->report_count; i > 0; i--)
		if (p->reports[i - 1].kind == kind)
			return &p->reports[i - 1];
	return NULL;
}

bool has_report(void *arg)
{
	const struct want *w = arg;
	return report_count(w->p, w->kind) >= w->count;
}

size_t peer_samples(const struct peer *p, size_t from, uint8_t pt, bool is_alaw, int16_t *out, size_t cap)
{
	size_t end = 0;
	bool has_first = false;
	uint32_t first = 0;
	memset(out, 0, cap * sizeof(*out));
	for (size_t i = from; i < p->count; i++) {
		const struct kept *k = &p->kept[i];
		if (k->pt != pt)
			continue;
		if (!has_first)
			first = k->ts, has_first = true;
		size_t at = k->ts - first;
		if (at + k->n > cap)
			continue;
		for (size_t j = 0; j < k->n; j++)
			out[at + j] = is_alaw ? g711_alaw_decode(k->payload[j]) : g711_ulaw_decode(k->payload[j]);
		end = at + k->n > end ? at + k->n : end;
	}
	return end;
}

double tone_share(const int16_t *s, size_t n, double hz)
{
	double rms = mix_level_rms(s, n), amp = goertzel_amplitude(s, n, 8000, hz);
	return rms < 1 ? 0 : (amp * amp / 2) / (rms * rms);
}

int expect_continuous(const struct peer *p, size_t from)
{
	for (size_t i = from + 1; i < p->count; i++) {
		const struct kept *a = &p->kept[i - 1], *b = &p->kept[i];
		EXPECT_INT((uint16_t)(b->seq - a->seq), 1);
		EXPECT(b->ssrc == a->ssrc);
		EXPECT((int32_t)(b->ts - a->ts) >= 0 && (int32_t)(b->ts - a->ts) < 8000);
	}
	return 0;
}
