/* Packets of a room's members: of any length beside frames of any length, lost ones, codecs that remember, codecs of
 * several rates, members that change between listening and talking; what is sent is one sequence all the while. */
#include "base/mem.h"
#include "dsp/mix.h"
#include "meeting.h"
#include "step.h"

#include <stdio.h>
#include <string.h>

enum { PT_STEP = 96, PT_OPUS = 98, WAIT_MS = 8000, HZ_WHOLE = 500 /* whole periods in a millisecond's multiple */ };

/* C listens, talks, and listens again. */
static int change_over(void)
{
	role_assert_ctl();
	C->is_sending = false;
	EXPECT_INT(wait_told(MROOM_TALK, 3, false), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	C->is_sending = true, C->next_us = 0;
	EXPECT_INT(hears(A, "BC"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	C->is_sending = false;
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	return 0;
}

static int any_frames(uint32_t interval_ms)
{
	role_assert_ctl();
	EXPECT_INT(gather(1, 3, &(struct mroom_conf){8000, interval_ms, 0}), 0);
	EXPECT_INT(wait_told(MROOM_TALK, 3, true), 0);
	EXPECT_INT(change_over(), 0);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(expect_continuous(&peers[i], 0), 0);
		for (size_t k = 0; k < peers[i].count; k++)
			EXPECT_INT(peers[i].kept[k].n, 160);
	}
	return scatter();
}

static int test_frames(void)
{
	role_assert_ctl();
	static const uint32_t intervals[] = {10, 30, 60};
	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++)
		EXPECT_INT(any_frames(intervals[i]), 0);
	return 0;
}

/* A second in which no tenth is much weaker than the tone: whether it is, is seen where none of the test's own packets
 * were late. */
struct steady {
	double weakest;
	size_t seen;
};
static bool is_steady(void *arg)
{
	struct steady *s = arg;
	if (B->count <= s->seen || B->count < 5)
		return false;
	s->seen = B->count;
	double level = level_of(B, HZ_WHOLE);
	s->weakest = level < s->weakest ? level : s->weakest;
	if (level < 0.92 * 8000)
		B->count = 0, s->seen = 0;
	return B->count >= 50;
}

static int test_loss(void)
{
	role_assert_ctl();
	struct steady s = {.weakest = 8000};
	EXPECT_INT(gather(1, 2, &(struct mroom_conf){8000, 20, 0}), 0);
	A->hz = HZ_WHOLE, A->lose_every = 10;
	B->count = 0;
	int st = pump(is_steady, &s, WAIT_MS);
	if (st)
		printf("# weakest %.0f\n", s.weakest);
	EXPECT_INT(st, 0);
	/* the stream's own jitter buffer makes it up before the room has to */
	EXPECT_INT(mstream_set_jitter(A->s, &(struct media_jitter_conf){.len_ms = 60, .max_ms = 200, .conceals = true}),
	    ST_OK);
	pump_ms(300);
	B->count = 0, s.seen = 0;
	EXPECT_INT(pump(is_steady, &s, WAIT_MS), 0);
	EXPECT_INT(settle(), 0);
	EXPECT(report_last(A, MEDIA_R_STATS)->stats.jb.taken > 20);
	return scatter();
}

/* ---- a codec that remembers: one encoder for who listens, his own for who talks ---- */

static size_t step_heard(const struct peer *p, int16_t *out, size_t cap)
{
	struct codec_dec d = {0};
	size_t n = 0;
	if (codec_dec_open(&d, &step, NULL))
		return 0;
	for (size_t i = 0; i < p->count; i++) {
		int got = codec_decode(&d, p->kept[i].payload, p->kept[i].n, out + n, cap - n);
		n += got > 0 ? (size_t)got : 0;
	}
	codec_dec_close(&d);
	return n;
}

/* The tones of who and next to nothing else, for a tenth of a second. */
struct clear {
	struct peer *p;
	const char *who;
	double share;
};
static bool is_clear(void *arg)
{
	struct clear *c = arg;
	static int16_t s[400 * PEER_KEPT];
	size_t n = step_heard(c->p, s, sizeof(s) / sizeof(s[0]));
	if (n < 8 * 160)
		return false;
	c->share = 0;
	for (int i = 0; i < 4; i++) {
		double share = tone_share(s + n - 800, 800, hz_all[i]);
		if (!strchr(c->who, "ABCD"[i]) != (share < 0.02))
			return false;
		c->share += share;
	}
	return c->share > 0.97;
}

static int hears_clearly(struct peer *p, const char *who)
{
	role_assert_ctl();
	struct clear c = {.p = p, .who = who};
	p->count = 0;
	int st = pump(is_clear, &c, WAIT_MS);
	if (st)
		printf("# %.3f of the sound is %s\n", c.share, who);
	return st;
}

static int codec_set(struct peer *p, const struct media_codec *codec)
{
	role_assert_ctl();
	struct media_params m = peer_params(p);
	m.send = m.recv = *codec;
	p->pt = codec->pt;
	EXPECT_INT(mstream_set_params(p->s, &m), ST_OK);
	return 0;
}

static int test_remembering(void)
{
	role_assert_ctl();
	static const struct media_codec codec = {
	    .name = "STEP", .pt = PT_STEP, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20};
	struct mroom_member deaf = plain;
	deaf.can_hear = false;
	EXPECT_INT(codec_add(&step), ST_OK);
	EXPECT_INT(room_start(1, 4), 0);
	for (int i = 1; i < 4; i++) {
		EXPECT_INT(codec_set(&peers[i], &codec), 0);
		EXPECT_INT(codec_enc_open(&peers[i].enc, &step, NULL), ST_OK);
	}
	EXPECT_INT(meet(4, &(struct mroom_conf){8000, 20, 0}), 0);
	C->is_sending = D->is_sending = false;
	EXPECT_INT(hears_clearly(C, "AB"), 0);
	EXPECT_INT(hears_clearly(B, "A"), 0);
	/* what a deaf one is sent is not the others' encoder's */
	EXPECT_INT(mroom_set(room, 4, &deaf), ST_OK);
	EXPECT_INT(hears_clearly(C, "AB"), 0);
	C->is_sending = true, C->next_us = 0;
	EXPECT_INT(hears_clearly(B, "AC"), 0);
	EXPECT_INT(hears_clearly(C, "AB"), 0);
	C->is_sending = false;
	EXPECT_INT(hears_clearly(B, "A"), 0);
	EXPECT_INT(hears_clearly(C, "AB"), 0);
	for (int i = 1; i < 4; i++)
		codec_enc_close(&peers[i].enc);
	EXPECT_INT(scatter(), 0);
	EXPECT_INT(step_live_count, 0);
	return 0;
}

/* A codec with more than one rate codes at the room's, or at what it codes for others already. */
static int opus_at(uint32_t rate_hz, uint32_t room_hz, bool is_tapped)
{
	role_assert_ctl();
	struct media_codec codec = {
	    .name = "opus", .pt = PT_OPUS, .clock_hz = 48000, .rate_hz = rate_hz, .channels = 2, .ptime_ms = 20};
	EXPECT_INT(room_start(2, 3), 0);
	EXPECT_INT(codec_set(A, &codec), 0);
	EXPECT_INT(codec_enc_open(&A->enc, codec_find_rate("opus", 48000, 2, 8000), NULL), ST_OK);
	A->clock_times = 6;
	if (is_tapped)
		EXPECT_INT(mstream_set_level(A->s, &(struct media_level){.steps = {1, 0}}), ST_OK);
	EXPECT_INT(meet(3, &(struct mroom_conf){room_hz, 20, 0}), 0);
	EXPECT_INT(wait_told(MROOM_TALK, 1, true), 0);
	B->count = 0;
	for (int i = 0; i < 100 && !(B->count > 10 && level_of(B, HZ_A) > 6000 && level_of(B, HZ_C) > 6000); i++)
		pump_ms(20);
	EXPECT(level_of(B, HZ_A) > 6000 && level_of(B, HZ_C) > 6000 && level_of(B, HZ_B) < 250);
	EXPECT(A->count > 5);
	EXPECT_INT(expect_continuous(A, 0), 0);
	codec_enc_close(&A->enc);
	return scatter();
}

static int test_rates(void)
{
	role_assert_ctl();
	EXPECT_INT(opus_at(48000, 8000, false), 0);
	EXPECT_INT(opus_at(48000, 16000, false), 0);
	EXPECT_INT(opus_at(16000, 48000, true), 0); /* it stays as it is, and is resampled */
	return 0;
}

/* One below its level is not heard, and still has one; it is heard as soon as it is loud. */
static int quiet_in(uint32_t room_hz)
{
	role_assert_ctl();
	struct mroom_member m = plain;
	m.energy_level = 300;
	EXPECT_INT(gather(1, 3, &(struct mroom_conf){room_hz, 20, 0}), 0);
	EXPECT_INT(wait_told(MROOM_TALK, 3, true), 0);
	EXPECT_INT(mroom_set(room, 3, &m), ST_OK);
	C->amplitude = 60;
	EXPECT_INT(wait_told(MROOM_TALK, 3, false), 0);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	uint32_t score = mroom_score(room, 3);
	EXPECT(score > 20 && score < 60);
	C->amplitude = 8000;
	EXPECT_INT(hears(A, "BC"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	for (int i = 0; i < 3; i++)
		EXPECT_INT(expect_continuous(&peers[i], 0), 0);
	return scatter();
}

static int test_quiet(void)
{
	role_assert_ctl();
	EXPECT_INT(quiet_in(8000), 0);
	EXPECT_INT(quiet_in(48000), 0);
	return 0;
}

TEST_MAIN({"frames of all lengths", test_frames, TEST_LOOP}, {"lost packets", test_loss, TEST_LOOP},
    {"codecs that remember", test_remembering, TEST_LOOP}, {"codecs of several rates", test_rates, TEST_LOOP},
    {"one who is quiet", test_quiet, TEST_LOOP})
