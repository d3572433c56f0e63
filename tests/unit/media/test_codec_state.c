/* A codec that remembers (each value is the difference to a guess from the sample before), on real streams: whatever
 * listens to a stream or speaks on it, its packets go through one decoder and one encoder, once. Whoever decoded a
 * packet twice, or encoded past the stream's encoder, would be heard at once. */
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "file/file.h"
#include "peer.h"
#include "step.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A (&peers[0])
#define B (&peers[1])
enum { PT = 96, HZ_A = 430 /* no whole periods in a packet */, HZ_B = 710, HZ_PLAY = 990, WAIT_MS = 8000 };

static int step_params(struct peer *p, const char *fmtp)
{
	role_assert_ctl();
	static const struct media_codec codec = {
	    .name = "STEP", .pt = PT, .clock_hz = 8000, .rate_hz = 8000, .channels = 1, .ptime_ms = 20};
	struct media_params m = peer_params(p);
	m.send = m.recv = codec;
	m.fmtp = fmtp;
	return mstream_set_params(p->s, &m);
}

/* A speaks STEP, B PCMU; both begin at the value the format parameters say. */
static int call(void)
{
	role_assert_ctl();
	EXPECT_INT(codec_add(&step), ST_OK);
	EXPECT_INT(room_start(2, 2), 0);
	EXPECT_INT(step_params(A, "start=500"), ST_OK);
	EXPECT_INT(codec_enc_open(&A->enc, &step, "start=500"), ST_OK);
	A->pt = PT;
	A->hz = HZ_A, B->hz = HZ_B;
	return 0;
}

/* All that A got so far, decoded from the first packet on; how many samples. */
static size_t decoded(int16_t *out, size_t cap)
{
	struct codec_dec d = {0};
	size_t n = 0;
	if (codec_dec_open(&d, &step, "start=500"))
		return 0;
	for (size_t i = 0; i < A->count; i++) {
		int got =
		    A->kept[i].pt == PT ? codec_decode(&d, A->kept[i].payload, A->kept[i].n, out + n, cap - n) : 0;
		n += got > 0 ? (size_t)got : 0;
	}
	codec_dec_close(&d);
	return n;
}

struct tone {
	double hz, level;
};
static bool a_hears(void *arg)
{
	const struct tone *t = arg;
	static int16_t s[400 * PEER_KEPT];
	size_t n = decoded(s, sizeof(s) / sizeof(s[0]));
	return n > 1600 && tone_share(s + n - 1600, 1600, t->hz) > 0.97;
}
static bool b_hears(void *arg)
{
	const struct tone *t = arg;
	static int16_t s[160 * PEER_KEPT];
	size_t n = peer_samples(B, 0, 0, false, s, sizeof(s) / sizeof(s[0]));
	if (n < 1600 || tone_share(s + n - 1600, 1600, t->hz) < 0.97)
		return false;
	double rms = 0;
	for (size_t i = n - 1600; i < n; i++)
		rms += (double)s[i] * s[i] / 1600;
	return rms > t->level * t->level * 0.4 && rms < t->level * t->level * 0.6;
}

static int wav_read(const char *path, struct file_pcm *out) NO_ROLE_CHECK
{
	char err[FILE_ERR_MAX];
	return file_read_all(path, 8000, 800000, out, err);
}

static int test_relay_and_taps(void)
{
	role_assert_ctl();
	char path[64];
	struct file_pcm got = {0};
	struct media_record_conf conf = {.has_read = true, .has_write = true};
	EXPECT_INT(call(), 0);
	snprintf(path, sizeof(path), "/tmp/step-%d.wav", (int)getpid());
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(mstream_record(A->s, path, &conf, NULL), ST_OK);
	A->is_sending = B->is_sending = true;
	EXPECT_INT(pump(a_hears, &(struct tone){HZ_B, 8000}, WAIT_MS), 0);
	EXPECT_INT(pump(b_hears, &(struct tone){HZ_A, 8000}, WAIT_MS), 0);
	/* levels and listeners on both sides, beside the record */
	EXPECT_INT(mstream_detect_dtmf(A->s, true), ST_OK);
	EXPECT_INT(mstream_set_level(A->s, &(struct media_level){.steps = {-4, 0}}), ST_OK);
	EXPECT_INT(pump(b_hears, &(struct tone){HZ_A, 1600}, WAIT_MS), 0);
	EXPECT_INT(mstream_set_level(A->s, &(struct media_level){{0}, {0}}), ST_OK);
	EXPECT_INT(pump(b_hears, &(struct tone){HZ_A, 8000}, WAIT_MS), 0);
	EXPECT_INT(pump(a_hears, &(struct tone){HZ_B, 8000}, WAIT_MS), 0);
	EXPECT_INT(mstream_record_stop(A->s, 0), ST_OK);
	EXPECT_INT(pump(has_report, &(struct want){.p = A, .kind = MEDIA_R_RECORD_DONE, .count = 1}, WAIT_MS), 0);
	EXPECT_INT(wav_read(path, &got), ST_OK);
	unlink(path);
	EXPECT(got.count > 4000);
	EXPECT(tone_share(got.samples + got.count - 2400, 1600, HZ_A) > 0.4);
	EXPECT(tone_share(got.samples + got.count - 2400, 1600, HZ_B) > 0.4);
	file_pcm_free(&got);
	EXPECT_INT(room_stop(), 0);
	EXPECT_INT(step_live_count, 0);
	return 0;
}

static int test_own_sound(void)
{
	role_assert_ctl();
	uint32_t id;
	EXPECT_INT(call(), 0);
	EXPECT_INT(mstream_play(A->s, "tone_stream://%(10000,0,990);loops=-1", 0, &id), ST_OK);
	EXPECT_INT(pump(a_hears, &(struct tone){HZ_PLAY, 8000}, WAIT_MS), 0);
	EXPECT_INT(mstream_play_stop(A->s, id), ST_OK);
	EXPECT_INT(mstream_relay(B->s, A->s), ST_OK);
	B->is_sending = true;
	EXPECT_INT(pump(a_hears, &(struct tone){HZ_B, 8000}, WAIT_MS), 0);
	EXPECT_INT(mstream_idle(A->s), ST_OK);
	A->is_sending = true;
	EXPECT_INT(mstream_echo(A->s, 200), ST_OK);
	EXPECT_INT(pump(has_packets, &(struct want){.p = A, .count = A->count + 30}, WAIT_MS), 0);
	EXPECT_INT(room_stop(), 0);
	EXPECT_INT(step_live_count, 0);
	return 0;
}

static int test_parameters(void)
{
	role_assert_ctl();
	EXPECT_INT(call(), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = true;
	EXPECT_INT(pump(b_hears, &(struct tone){HZ_A, 8000}, WAIT_MS), 0);
	EXPECT_INT(step_params(A, "nonsense"), ST_UNSUPPORTED); /* what runs goes on */
	EXPECT_INT(step_params(A, "start=500"), ST_OK);         /* the same again is no new beginning */
	EXPECT_INT(settle(), 0);
	B->count = 0;
	EXPECT_INT(pump(b_hears, &(struct tone){HZ_A, 8000}, WAIT_MS), 0);
	EXPECT_INT(step_params(A, "start=-3000"), ST_OK);
	EXPECT_INT(settle(), 0);
	codec_enc_close(&A->enc);
	EXPECT_INT(codec_enc_open(&A->enc, &step, "start=-3000"), ST_OK);
	B->count = 0;
	EXPECT_INT(pump(b_hears, &(struct tone){HZ_A, 8000}, WAIT_MS), 0);
	EXPECT_INT(room_stop(), 0);
	EXPECT_INT(step_live_count, 0);
	return 0;
}

TEST_MAIN({"relayed, recorded, changed, listened to", test_relay_and_taps, TEST_LOOP},
    {"plays, then a relay, then an echo", test_own_sound, TEST_LOOP}, {"format parameters", test_parameters, TEST_LOOP})
