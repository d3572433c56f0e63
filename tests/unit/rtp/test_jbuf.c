/* The jitter buffer against senders that are simulated: each case is a network, and what of it must come out. The
 * quality model by known values. */
#include "base/check.h"
#include "harness.h"
#include "rtp/jbuf.h"
#include "rtp/quality.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME = 160, PACKETS = 1500, ARRIVALS_MAX = 2 * PACKETS };

struct network {
	const char *name;
	unsigned jitter_ms, loss_percent, burst, late_percent /* by 25 ms */, twice_percent;
	int skew_ppm;
	unsigned silent_every, silent_for; /* packets: DTX */
	/* of the frames played: packets at least, lost and waited for at most, in thousandths of what was sent */
	unsigned played_min, lost_max, waits_max;
	unsigned delay_max_ms;
};
struct arrival {
	int64_t at_us;
	unsigned n;
};
static struct arrival arrivals[ARRIVALS_MAX];

static uint32_t seed;
static unsigned roll(unsigned below)
{
	seed = seed * 1664525u + 1013904223u;
	return (unsigned)((uint64_t)(seed >> 8) * below >> 24);
}
static int by_time(const void *a, const void *b)
{
	const struct arrival *x = a, *y = b;
	return x->at_us < y->at_us ? -1 : x->at_us > y->at_us ? 1 : (int)x->n - (int)y->n;
}
static bool is_silent(const struct network *w, unsigned n)
{
	return w->silent_every && n % w->silent_every >= w->silent_every - w->silent_for;
}
static size_t arrive(const struct network *w)
{
	size_t count = 0;
	unsigned bad = 0;
	for (unsigned n = 0; n < PACKETS; n++) {
		int64_t at = (int64_t)n * 20000 * (1000000 - w->skew_ppm) / 1000000 +
		             (w->jitter_ms ? roll(w->jitter_ms * 1000) : 0);
		if (bad)
			bad--;
		else if (roll(100 * (w->burst ? w->burst : 1)) < w->loss_percent)
			bad = w->burst ? w->burst : 1;
		if (bad || is_silent(w, n))
			continue;
		if (roll(100) < w->late_percent)
			at += 25000;
		arrivals[count++] = (struct arrival){at, n};
		if (roll(100) < w->twice_percent)
			arrivals[count++] = (struct arrival){at + 3000, n};
	}
	qsort(arrivals, count, sizeof(*arrivals), by_time);
	return count;
}

struct played {
	unsigned packets, lost, waits, none, faster;
	unsigned delay_ms; /* of the last packet */
};
/* Every frame that comes out is newer than the one before, and has its own bytes. */
static int play(struct jbuf *j, size_t count, uint32_t ts0, struct played *p)
{
	size_t at = 0;
	int last = -1;
	memset(p, 0, sizeof(*p));
	for (int64_t now = 5000; now < (int64_t)(PACKETS + 20) * 20000; now += 20000) {
		for (; at < count && arrivals[at].at_us <= now; at++) {
			unsigned n = arrivals[at].n;
			uint8_t bytes[FRAME];
			memset(bytes, (int)(n & 255), sizeof(bytes));
			/* numbers skip what was not sent for loss, not for silence: the tables below know */
			struct jbuf_packet k = {
			    bytes, sizeof(bytes), ts0 + n * FRAME, 7, (uint16_t)(n + 65000), n == 0};
			(void)jbuf_put(j, &k, now);
		}
		struct jbuf_out o;
		switch (jbuf_get(j, now, &o)) {
		case JBUF_PACKET: {
			int n = (int)((o.packet.ts - ts0) / FRAME);
			EXPECT(n > last);
			EXPECT(o.packet.n == FRAME && o.packet.payload[0] == (n & 255) &&
			       o.packet.payload[FRAME - 1] == (n & 255));
			last = n;
			p->packets++, p->faster += o.is_faster;
			p->delay_ms = (unsigned)(now / 1000) - (unsigned)n * 20;
			if (o.is_faster) /* the owner plays it in half the time */
				now -= 10000;
			break;
		}
		case JBUF_LOST:
			p->lost++;
			break;
		case JBUF_WAIT:
			p->waits++;
			break;
		case JBUF_NONE:
			p->none++;
			break;
		}
	}
	return 0;
}

static int test_networks(void)
{
	static const struct network rows[] = {
	    {.name = "clean", .played_min = 1000, .delay_max_ms = 80},
	    {.name = "jitter 20", .jitter_ms = 20, .played_min = 1000, .delay_max_ms = 100},
	    {.name = "jitter 100",
	        .jitter_ms = 100,
	        .played_min = 980,
	        .lost_max = 20,
	        .waits_max = 30,
	        .delay_max_ms = 240},
	    {.name = "loss 5",
	        .loss_percent = 5,
	        .played_min = 900,
	        .lost_max = 90,
	        .waits_max = 20,
	        .delay_max_ms = 140},
	    {.name = "loss 20",
	        .loss_percent = 20,
	        .played_min = 700,
	        .lost_max = 260,
	        .waits_max = 60,
	        .delay_max_ms = 240},
	    {.name = "bursts",
	        .loss_percent = 10,
	        .burst = 5,
	        .played_min = 800,
	        .lost_max = 150,
	        .waits_max = 120,
	        .delay_max_ms = 240},
	    {.name = "late ones",
	        .late_percent = 20,
	        .played_min = 990,
	        .lost_max = 10,
	        .waits_max = 20,
	        .delay_max_ms = 120},
	    {.name = "twice", .twice_percent = 50, .played_min = 1000, .delay_max_ms = 80},
	    {.name = "fast clock", .skew_ppm = 2000, .jitter_ms = 10, .played_min = 1000, .delay_max_ms = 130},
	    {.name = "slow clock",
	        .skew_ppm = -2000,
	        .jitter_ms = 10,
	        .played_min = 1000,
	        .waits_max = 10,
	        .delay_max_ms = 130},
	    {.name = "200 ppm", .skew_ppm = 200, .played_min = 1000, .delay_max_ms = 100},
	    {.name = "everything",
	        .jitter_ms = 60,
	        .loss_percent = 10,
	        .burst = 2,
	        .late_percent = 5,
	        .twice_percent = 5,
	        .skew_ppm = 200,
	        .played_min = 780,
	        .lost_max = 200,
	        .waits_max = 100,
	        .delay_max_ms = 260},
	};
	bool all_good = true;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct network *w = &rows[i];
		struct jbuf *j;
		struct played p;
		struct jbuf_conf c = {
		    .clock_hz = 8000, .frame_ms = 20, .len_ms = 60, .max_ms = 300, .payload_max = 200};
		seed = 4711;
		EXPECT_INT(jbuf_new(&j, &c), ST_OK);
		size_t count = arrive(w);
		int bad = play(j, count, 0xffff0000u, &p);
		jbuf_free(j);
		bool is_good =
		    !bad && p.packets * 1000 >= w->played_min * PACKETS && p.lost * 1000 <= w->lost_max * PACKETS &&
		    p.waits * 1000 <= (w->waits_max ? w->waits_max * PACKETS : 12 * 1000u) /* at its end as well */ &&
		    p.delay_ms <= w->delay_max_ms;
		if (!is_good)
			printf("# %s: %u packets, %u lost, %u waited, %u none, %u faster, delay %u ms\n", w->name,
			    p.packets, p.lost, p.waits, p.none, p.faster, p.delay_ms);
		all_good &= is_good;
	}
	EXPECT(all_good);
	return 0;
}

static int put(struct jbuf *j, uint16_t seq, uint32_t ts, uint32_t ssrc, int64_t now)
{
	uint8_t b[10] = {0};
	struct jbuf_packet k = {b, sizeof(b), ts, ssrc, seq, false};
	return (int)jbuf_put(j, &k, now);
}

/* A source that is silent for a second and numbers on is not one that lost fifty packets. */
static int test_dtx(void)
{
	struct jbuf *j;
	struct jbuf_out o;
	struct jbuf_stats st;
	struct jbuf_conf c = {.clock_hz = 8000, .frame_ms = 20, .len_ms = 40, .max_ms = 200, .payload_max = 20};
	int64_t now = 0;
	unsigned packets = 0;
	EXPECT_INT(jbuf_new(&j, &c), ST_OK);
	for (unsigned n = 0; n < 200; n++, now += 20000) {
		bool talks = n < 50 || n >= 100;
		if (talks)
			EXPECT_INT(put(j, (uint16_t)(n < 50 ? n : n - 50), n * FRAME, 1, now), JBUF_TAKEN);
		packets += jbuf_get(j, now, &o) == JBUF_PACKET;
	}
	jbuf_stats_get(j, &st);
	jbuf_free(j);
	EXPECT(packets >= 145);
	EXPECT_INT(st.lost, 0);
	EXPECT_INT(st.resets, 0);
	return 0;
}

/* Pauses between words, shorter than those after which it fills anew: that it runs out in them is no measure of the
 * network. So a delay that came of one stall is taken back though nothing but words and pauses follows. */
static int test_short_pauses(void)
{
	struct jbuf *j;
	struct jbuf_out o;
	struct jbuf_stats st;
	struct jbuf_conf c = {.clock_hz = 8000, .frame_ms = 20, .len_ms = 60, .max_ms = 300, .payload_max = 20};
	uint16_t seq = 0;
	unsigned delay_ms = 0, most_ms = 0, held = 0;
	EXPECT_INT(jbuf_new(&j, &c), ST_OK);
	for (unsigned n = 0; n < 1000; n++) {
		int64_t now = (int64_t)n * 20000;
		bool is_stalled = n >= 50 && n < 57;
		if (is_stalled)
			held++;
		for (; !is_stalled && held; held--, seq++)
			EXPECT_INT(put(j, seq, (n - held) * FRAME, 1, now), JBUF_TAKEN);
		if (!is_stalled && (n < 60 || n % 20 < 12))
			EXPECT_INT(put(j, seq++, n * FRAME, 1, now), JBUF_TAKEN);
		enum jbuf_get got = jbuf_get(j, now + 5000, &o);
		while (got == JBUF_PACKET && o.is_faster)
			got = jbuf_get(j, now + 5000, &o);
		if (got == JBUF_PACKET)
			delay_ms = 20 * (n - o.packet.ts / FRAME);
		most_ms = delay_ms > most_ms ? delay_ms : most_ms;
	}
	jbuf_stats_get(j, &st);
	jbuf_free(j);
	EXPECT(most_ms > 120);
	EXPECT(delay_ms >= 40 && delay_ms <= 60);
	EXPECT_INT(st.late, 0);
	EXPECT_INT(st.lost, 0);
	return 0;
}

/* Another source, or a jump of the timestamps, begins anew at once; one stray packet does not. */
static int test_jumps(void)
{
	struct jbuf *j;
	struct jbuf_out o;
	struct jbuf_stats st;
	struct jbuf_conf c = {.clock_hz = 8000, .frame_ms = 20, .len_ms = 40, .max_ms = 200, .payload_max = 20};
	EXPECT_INT(jbuf_new(&j, &c), ST_OK);
	for (unsigned n = 0; n < 10; n++) {
		EXPECT_INT(put(j, (uint16_t)n, n * FRAME, 1, n * 20000), JBUF_TAKEN);
		(void)jbuf_get(j, n * 20000, &o);
	}
	EXPECT_INT(put(j, 777, 0x80000000u, 1, 200000), JBUF_REFUSED);
	EXPECT_INT(put(j, 9, 9 * FRAME, 1, 200000), JBUF_TWICE);
	EXPECT_INT(put(j, 0, 0, 1, 200000), JBUF_LATE);
	EXPECT_INT(put(j, 5000, 123456, 2, 200000), JBUF_TAKEN);
	EXPECT_INT(put(j, 5001, 123456 + FRAME, 2, 220000), JBUF_TAKEN);
	EXPECT_INT(jbuf_get(j, 240000, &o), JBUF_PACKET);
	EXPECT(o.packet.ssrc == 2 && o.packet.seq == 5000);
	for (unsigned n = 0; n < 3; n++)
		(void)put(j, (uint16_t)(100 + n), 0x40000000u + n * FRAME, 2, 240000);
	EXPECT_INT(put(j, 103, 0x40000000u + 3 * FRAME, 2, 260000), JBUF_TAKEN);
	EXPECT_INT(jbuf_get(j, 300000, &o), JBUF_PACKET);
	EXPECT_INT(o.packet.seq, 102);
	jbuf_stats_get(j, &st);
	EXPECT_INT(st.resets, 2);
	uint8_t big[30] = {0};
	struct jbuf_packet k = {big, sizeof(big), 0, 2, 0, false};
	EXPECT_INT(jbuf_put(j, &k, 0), JBUF_REFUSED);
	k.n = 0;
	EXPECT_INT(jbuf_put(j, &k, 0), JBUF_REFUSED);
	jbuf_free(j);
	return 0;
}

/* A flood is bounded by max_ms; its newest is what is played. */
static int test_bound(void)
{
	struct jbuf *j;
	struct jbuf_out o;
	struct jbuf_stats st;
	struct jbuf_conf c = {.clock_hz = 8000, .frame_ms = 20, .len_ms = 40, .max_ms = 200, .payload_max = 20};
	EXPECT_INT(jbuf_new(&j, &c), ST_OK);
	for (unsigned n = 0; n < 100; n++)
		(void)put(j, (uint16_t)n, n * FRAME, 1, 0);
	EXPECT_INT(jbuf_get(j, 100000, &o), JBUF_PACKET);
	EXPECT(o.packet.seq >= 88 && o.packet.seq <= 91);
	jbuf_stats_get(j, &st);
	EXPECT(st.depth_max_ms <= 220);
	for (unsigned n = 0; n < 5000; n++) /* a millisecond's worth each */
		(void)put(j, (uint16_t)(100 + n), 100 * FRAME + n, 1, 0);
	EXPECT_INT(jbuf_get(j, 120000, &o), JBUF_PACKET);
	jbuf_free(j);
	return 0;
}

static int test_conf(void)
{
	static const struct jbuf_conf rows[] = {{0}, {8000, 20, 5, 200, 0, 20}, {8000, 20, 60, 40, 0, 20},
	    {8000, 0, 60, 200, 0, 20}, {8000, 20, 60, 20000, 0, 20}, {8000, 20, 60, 200, 0, 0},
	    {8000, 121, 60, 200, 0, 20}};
	struct jbuf *j = NULL;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		EXPECT_INT(jbuf_new(&j, &rows[i]), ST_INVAL);
	return 0;
}

static int test_oom(void)
{
	struct jbuf *j;
	struct jbuf_conf c = {.clock_hz = 48000, .frame_ms = 20, .len_ms = 60, .max_ms = 1000, .payload_max = 1500};
	if (!jbuf_new(&j, &c))
		jbuf_free(j);
	return 0;
}

/* G.107: 93.2 without any impairment is 4.41; what is lost costs more without concealment, in bursts, and with delay.
 */
static int test_quality(void)
{
	struct quality_in in = {.codec = "PCMU", .is_concealed = 1};
	struct quality_out best, q, worse;
	quality_rate(&in, &best);
	EXPECT(best.r > 93.1 && best.r < 93.3 && best.mos > 4.40 && best.mos < 4.42);
	in.loss = 0.05;
	quality_rate(&in, &q);
	EXPECT(q.mos > 3.7 && q.mos < 4.1); /* R 77.4 */
	in.is_concealed = 0;
	quality_rate(&in, &worse);
	EXPECT(worse.mos < q.mos - 0.5);
	in.is_concealed = 1, in.burst = 4;
	quality_rate(&in, &worse);
	EXPECT(worse.mos < q.mos);
	in.burst = 1, in.delay_ms = 400;
	quality_rate(&in, &worse);
	EXPECT(worse.mos < q.mos - 0.5);
	in = (struct quality_in){.codec = "G729", .is_concealed = 1};
	quality_rate(&in, &q);
	EXPECT(q.r > 82.1 && q.r < 82.3);
	in = (struct quality_in){.loss = 7, .delay_ms = 1e9};
	quality_rate(&in, &q);
	EXPECT(q.r == 0 && q.mos == 1);
	return 0;
}

TEST_MAIN({"networks", test_networks}, {"dtx", test_dtx}, {"short pauses", test_short_pauses}, {"jumps", test_jumps},
    {"bound", test_bound}, {"conf", test_conf}, {"oom", test_oom, TEST_OOM}, {"quality", test_quality})
