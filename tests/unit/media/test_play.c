/* What the switch itself sends and keeps: echo, delayed echo, tones, files, sequences, local streams, plays on top of a
 * relay, records of one and both sides. Checked where it arrives: frequency, level, time, numbering. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "codec/codec.h"
#include "dsp/mix.h"
#include "file/file.h"
#include "peer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define A (&peers[0])
#define B (&peers[1])
static int16_t pcm[400000];

static int wait_packets(struct peer *p, size_t count)
{
	role_assert_ctl();
	return pump(has_packets, &(struct want){.p = p, .count = count}, 15000);
}

static int wait_report(struct peer *p, enum media_report_kind kind, size_t count)
{
	role_assert_ctl();
	return pump(has_report, &(struct want){.p = p, .kind = kind, .count = count}, 15000);
}

static char dir[] = P_tmpdir "/tandem-test-XXXXXX";
static const char *tmp(const char *name)
{
	static char path[4][128];
	static int i;
	if (strstr(dir, "XXXXXX") && !mkdtemp(dir))
		return NULL;
	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static void cleanup(void)
{
	char cmd[200];
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	if (!strstr(dir, "XXXXXX"))
		(void)!system(cmd);
}

static int wav_make(const char *path, double hz, double seconds, unsigned rate) NO_ROLE_CHECK
{
	struct file_writer *w;
	struct file_writer_conf conf = {.rate_hz = rate, .channels = 1};
	EXPECT_INT(file_writer_open(&w, path, &conf, NULL), ST_OK);
	for (size_t at = 0, n = (size_t)(seconds * rate); at < n; at += 1000) {
		int16_t s[1000];
		for (size_t i = 0; i < 1000; i++)
			s[i] = (int16_t)(8000 * sin(2 * M_PI * hz * (double)(at + i) / rate));
		EXPECT_INT(file_writer_write(w, s, n - at < 1000 ? n - at : 1000), ST_OK);
	}
	EXPECT_INT(file_writer_close(w, NULL), ST_OK);
	return 0;
}

static int wav_read(const char *path, struct file_pcm *out) NO_ROLE_CHECK
{
	EXPECT_INT(file_read_all(path, 8000, 8000 * 60, out, NULL), ST_OK);
	return 0;
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_THREAD__
enum { IS_TIMED = 0 }; /* threads wait for each other there */
#else
enum { IS_TIMED = 1 };
#endif

/* No frame came more than 40 ms after the one before. */
static int expect_no_gap(const struct peer *p, size_t from)
{
	if (!IS_TIMED)
		return 0;
	for (size_t i = from + 1; i < p->count; i++)
		EXPECT(p->kept[i].at_us - p->kept[i - 1].at_us < 40000 + 2 * pump_stall_us);
	return 0;
}

static int test_echo(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mstream_echo(A->s, 0), ST_OK);
	EXPECT_INT(settle(), 0);
	A->is_sending = true, A->hz = 500;
	EXPECT_INT(wait_packets(A, 30), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT(A->sent_count - A->count <= 2);
	EXPECT(peer_samples(A, 0, 0, false, pcm, 80000) > 4000 && tone_share(pcm, 4000, 500) > 0.95);
	return room_stop();
}

static int test_delayed_echo(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mstream_echo(A->s, 300), ST_OK);
	EXPECT_INT(settle(), 0);
	int64_t start = clock_mono_us();
	A->is_sending = true, A->hz = 500;
	EXPECT_INT(wait_packets(A, 1), 0);
	int64_t took = A->kept[0].at_us - start;
	struct mctl_thread_counts c;
	EXPECT_INT(mctl_thread_counts(0, &c), ST_OK);
	/* Both ends may have been kept from running: by the clock it comes that much later. */
	EXPECT(took > 280000 && took < 360000 + 2 * pump_stall_us + (int64_t)c.tick_late_max_us);
	EXPECT_INT(wait_packets(A, 30), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(expect_no_gap(A, 0), 0);
	EXPECT(peer_samples(A, 0, 0, false, pcm, 80000) > 4000 && tone_share(pcm, 4000, 500) > 0.95);
	return room_stop();
}

static int test_tone(void)
{
	role_assert_ctl();
	uint32_t id = 0;
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mstream_play(A->s, "{loops=-1}tone_stream://%(251,0,1004)", 1, &id), ST_OK);
	EXPECT_INT(wait_packets(A, 60), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(expect_no_gap(A, 0), 0);
	EXPECT(A->kept[0].is_marked && !A->kept[1].is_marked);
	for (size_t i = 1; i < 60; i++)
		EXPECT_INT(A->kept[i].ts - A->kept[i - 1].ts, 160);
	EXPECT(peer_samples(A, 0, 0, false, pcm, 80000) >= 9600);
	EXPECT(tone_share(pcm, 8000, 1004) > 0.98);
	EXPECT_INT(mstream_play_stop(A->s, id + 1), ST_OK); /* somebody else's */
	pump_ms(50);
	EXPECT_INT(report_count(A, MEDIA_R_PLAY_DONE), 0);
	EXPECT_INT(mstream_play_stop(A->s, id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_CANCELLED);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->id, id);
	/* The pace: 50 a second. */
	int64_t span = A->kept[A->count - 1].at_us - A->kept[0].at_us;
	double ms = (double)span / 1000 / (double)(A->count - 1);
	EXPECT(!IS_TIMED || (ms > 19.5 && ms < 20.5));
	return room_stop();
}

/* Other packet times than 20 ms: the right size at the right pace. */
static int test_paces(void)
{
	role_assert_ctl();
	static const uint16_t times[] = {10, 15, 30, 40};
	EXPECT_INT(room_start(1, 1), 0);
	for (size_t i = 0; i < 4; i++) {
		struct media_params m = peer_params(A);
		m.send.ptime_ms = times[i];
		EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
		EXPECT_INT(mstream_play(A->s, "silence_stream://5000,1400", 1, NULL), ST_OK);
		EXPECT_INT(settle(), 0);
		pump_ms(50);
		peer_clear(A);
		EXPECT_INT(wait_packets(A, 900u / times[i]), 0);
		EXPECT_INT(expect_continuous(A, 0), 0);
		for (size_t j = 0; j < A->count; j++)
			EXPECT_INT(A->kept[j].n, 8 * times[i]);
		double ms = (double)(A->kept[A->count - 1].at_us - A->kept[0].at_us) / 1000 / (double)(A->count - 1);
		EXPECT(!IS_TIMED || fabs(ms - times[i]) < 0.05 * times[i]);
	}
	struct mctl_thread_counts c;
	EXPECT_INT(mctl_thread_count(), 1);
	EXPECT_INT(mctl_thread_counts(1, &c), ST_NOTFOUND);
	EXPECT_INT(mctl_thread_counts(0, &c), ST_OK);
	EXPECT_INT(c.streams, 1);
	EXPECT(c.ticks > 80 && c.ticks < 600); /* one each packet time of the last 3.6 s, and some before */
	EXPECT(c.tick_late_us >= c.tick_late_max_us && (!IS_TIMED || c.tick_late_us / c.ticks < 10000));
	EXPECT(c.rtp_out > 100 && c.commands_fill <= c.commands_cap && c.cpu_ns > 0);
	size_t n = peer_samples(A, 0, 0, false, pcm, 8000);
	EXPECT(n > 6000 && mix_level_abs(pcm, 6000) > 0 && mix_level_abs(pcm, 6000) < 500); /* noise, soft */
	return room_stop();
}

static void clip_count(const char *type, size_t live, size_t bytes, void *arg)
{
	if (!strcmp(type, "media.clip"))
		*(size_t *)arg = live;
}

/* Two who begin before either has read the file hear one copy of it. */
static int test_file_at_once(void)
{
	role_assert_ctl();
	size_t clips = 0;
	EXPECT_INT(wav_make(tmp("c.wav"), 440, 2, 8000), 0);
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_play(A->s, tmp("c.wav"), -1, NULL), ST_OK);
	EXPECT_INT(mstream_play(B->s, tmp("c.wav"), -1, NULL), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_BEGUN, 1), 0);
	EXPECT_INT(wait_report(B, MEDIA_R_PLAY_BEGUN, 1), 0);
	mem_each_type(clip_count, &clips);
	EXPECT_INT(clips, 1);
	EXPECT_INT(wait_packets(B, 40), 0);
	EXPECT(peer_samples(B, 0, 0, false, pcm, 8000) >= 6000 && tone_share(pcm, 6000, 440) > 0.95);
	cleanup();
	return room_stop();
}

static int test_file(void)
{
	role_assert_ctl();
	uint32_t id = 0;
	EXPECT_INT(wav_make(tmp("a.wav"), 440, 1.01, 8000), 0);
	EXPECT_INT(wav_make(tmp("b.wav"), 1000, 0.5, 16000), 0);
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_play(A->s, tmp("a.wav"), 2, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	const struct media_report *r = report_last(A, MEDIA_R_PLAY_DONE);
	EXPECT_INT(r->status, ST_OK);
	EXPECT_INT(r->id, id);
	EXPECT_INT(r->samples, 2 * 8080);
	pump_ms(10);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(A->count, 101); /* 16160 samples, no gap between the turns */
	EXPECT(peer_samples(A, 0, 0, false, pcm, 80000) >= 16160 && tone_share(pcm, 8000, 440) > 0.95);
	/* A row of files, another codec, another rate; the prompt comes from the cache. */
	struct media_params m = peer_params(B);
	memcpy(m.send.name, "PCMA", 5), m.send.pt = 8;
	char row[400];
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	snprintf(row, sizeof(row), "file_string://%s!silence_stream://200!%s", tmp("b.wav"), tmp("a.wav"));
	EXPECT_INT(mstream_play(B->s, row, 1, NULL), ST_OK);
	EXPECT_INT(wait_report(B, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(B, MEDIA_R_PLAY_DONE)->status, ST_OK);
	size_t n = peer_samples(B, 0, 8, true, pcm, 80000);
	EXPECT(n >= 4000 + 1600 + 8080);
	EXPECT(tone_share(pcm, 3900, 1000) > 0.9);
	EXPECT(mix_level_abs(pcm + 4100, 1400) < 50);
	EXPECT(tone_share(pcm + 5700, 7000, 440) > 0.9);
	/* A tune from a file. */
	FILE *tune = fopen(tmp("tune.ttml"), "w");
	EXPECT(tune && fprintf(tune, "%%(200,0,440)\r\n%%(200,0,1000)\n") > 0 && !fclose(tune));
	snprintf(row, sizeof(row), "{loops=2}tone_stream://path=%s;loops=2", tmp("tune.ttml"));
	peer_clear(B);
	EXPECT_INT(mstream_play(B->s, row, 1, NULL), ST_OK);
	EXPECT_INT(wait_report(B, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(B, MEDIA_R_PLAY_DONE)->status, ST_OK);
	n = peer_samples(B, 0, 8, true, pcm, 80000);
	EXPECT(n >= 12800 && n < 13200 && tone_share(pcm + 11300, 1400, 1000) > 0.9);
	/* What is not there is told. */
	EXPECT_INT(mstream_play(A->s, tmp("none.wav"), 1, NULL), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 2), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_NOTFOUND);
	EXPECT_INT(mstream_play(A->s, "relative.wav", 1, NULL), ST_INVAL);
	EXPECT(mctl_source_exists("tone_stream://%(1,1,1)") && !mctl_source_exists("nonsense://x"));
	cleanup();
	return room_stop();
}

/* The finder: asked once for each missing part; answers late, with nothing, or to nobody. */
static struct {
	char name[6][200];
	mctl_found_fn found[6];
	void *arg[6];
	size_t count;
} asked;

static int find_later(const char *name, uint32_t rate_hz, mctl_found_fn found, void *arg)
{
	role_assert_ctl();
	if (strstr(name, "refused") || asked.count == 6 || rate_hz != 8000)
		return ST_NOTFOUND;
	snprintf(asked.name[asked.count], sizeof(asked.name[0]), "%s", name);
	asked.found[asked.count] = found;
	asked.arg[asked.count++] = arg;
	return ST_OK;
}

static bool was_asked(void *arg)
{
	return asked.count >= *(size_t *)arg;
}

static int wait_asked(size_t count)
{
	role_assert_ctl();
	return pump(was_asked, &count, 15000);
}

static int test_finder(void)
{
	role_assert_ctl();
	asked.count = 0;
	EXPECT_INT(wav_make(tmp("found.wav"), 440, 0.5, 8000), 0);
	EXPECT_INT(room_start(1, 2), 0);
	mctl_set_finder(find_later);
	EXPECT(mctl_source_exists("tts://a|b|c"));
	EXPECT_INT(
	    mstream_play(A->s, "file_string:///nosuch/one.wav!tts://x|y|hello!/nosuch/refused.wav", 1, NULL), ST_OK);
	EXPECT_INT(wait_asked(2), 0);
	EXPECT_STR(asked.name[0], "/nosuch/one.wav");
	EXPECT_STR(asked.name[1], "tts://x|y|hello");
	asked.found[1](ST_IO, NULL, asked.arg[1]);
	asked.found[0](ST_OK, tmp("found.wav"), asked.arg[0]);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_OK);
	EXPECT(peer_samples(A, 0, 0, false, pcm, 80000) >= 4000 && tone_share(pcm, 4000, 440) > 0.95);
	/* Nothing is found: told. Stopped while asked: told at once, the answer goes to nobody. */
	EXPECT_INT(mstream_play(A->s, "tts://x|y|refused", 1, NULL), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 2), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_NOTFOUND);
	EXPECT_INT(mstream_play(A->s, "/nosuch/two.wav", 1, NULL), ST_OK);
	EXPECT_INT(wait_asked(3), 0);
	EXPECT_INT(mstream_play_stop(A->s, 0), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 3), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_CANCELLED);
	/* A stream that is closed does not wait for it either. */
	EXPECT_INT(mstream_play(B->s, "/nosuch/three.wav", 1, NULL), ST_OK);
	EXPECT_INT(wait_asked(4), 0);
	mstream_close(B->s);
	EXPECT_INT(wait_report(B, MEDIA_R_CLOSED, 1), 0);
	asked.found[2](ST_OK, tmp("found.wav"), asked.arg[2]);
	asked.found[3](ST_OK, tmp("found.wav"), asked.arg[3]);
	/* It is known from then on, until the finder is set anew. */
	EXPECT_INT(mstream_play(A->s, "/nosuch/one.wav", 1, NULL), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 4), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_OK);
	EXPECT_INT(asked.count, 4);
	mctl_set_finder(find_later);
	EXPECT_INT(mstream_play(A->s, "/nosuch/one.wav", 1, NULL), ST_OK);
	EXPECT_INT(wait_asked(5), 0);
	asked.found[4](ST_OK, tmp("found.wav"), asked.arg[4]);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 5), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_OK);
	mctl_set_finder(NULL);
	EXPECT(!mctl_source_exists("tts://a|b|c"));
	cleanup();
	return room_stop();
}

/* What is asked for while the file is still being read holds once it plays. */
static int test_set_before_it_plays(void)
{
	role_assert_ctl();
	EXPECT_INT(wav_make(tmp("a.wav"), 440, 1.01, 8000), 0);
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mstream_play_set(A->s, MEDIA_PLAY_SEEK_TO, 800), ST_NOTFOUND);
	EXPECT_INT(mstream_play(A->s, tmp("a.wav"), 1, NULL), ST_OK);
	EXPECT_INT(mstream_play_set(A->s, MEDIA_PLAY_SEEK_TO, 800), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_OK);
	EXPECT(A->count >= 9 && A->count <= 13); /* 210 ms of 1010 */
	cleanup();
	return room_stop();
}

static int test_long_file(void)
{
	role_assert_ctl();
	EXPECT_INT(wav_make(tmp("long.wav"), 440, 65, 8000), 0);
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mstream_play(A->s, tmp("long.wav"), 1, NULL), ST_OK);
	EXPECT_INT(wait_packets(A, 300), 0); /* 6 s: more than the ring holds */
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT(peer_samples(A, 0, 0, false, pcm, 80000) >= 47840);
	EXPECT(tone_share(pcm, 16000, 440) > 0.95);
	EXPECT(tone_share(pcm + 30000, 16000, 440) > 0.95);
	mstream_close(A->s); /* with the file open */
	EXPECT_INT(wait_report(A, MEDIA_R_CLOSED, 1), 0);
	cleanup();
	return room_stop();
}

/* When, after a moment, the tone of 440 Hz gave way to the one of 1000 Hz. */
static int64_t turn_us(const struct peer *p, int64_t after_us)
{
	bool was_low = false;
	for (size_t i = 0; i < p->count; i++) {
		int16_t x[160];
		for (int k = 0; k < 160; k++)
			x[k] = g711_ulaw_decode(p->kept[i].payload[k]);
		bool is_low = tone_share(x, 160, 440) > 0.5;
		if (was_low && !is_low && p->kept[i].at_us > after_us + 100000)
			return p->kept[i].at_us;
		was_low = is_low;
	}
	return 0;
}

static int test_local_stream(void)
{
	role_assert_ctl();
	EXPECT_INT(wav_make(tmp("1.wav"), 440, 1, 8000), 0);
	EXPECT_INT(wav_make(tmp("2.wav"), 1000, 1, 8000), 0);
	EXPECT_INT(room_start(1, 3), 0);
	EXPECT_INT(mctl_local_stream_add("moh", &(struct mctl_local_conf){.dir = dir}), ST_OK);
	EXPECT(mctl_local_stream_exists("moh") && !mctl_local_stream_exists("other"));
	EXPECT_INT(mstream_play(A->s, "local_stream://moh", 1, NULL), ST_OK);
	EXPECT_INT(wait_packets(A, 20), 0);
	EXPECT_INT(mstream_play(B->s, "local_stream://moh/8000", 1, NULL), ST_OK);
	EXPECT_INT(wait_packets(B, 100), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	/* 2 s of B: half of it is each tone; A heard the same at the same time. */
	EXPECT(peer_samples(B, 0, 0, false, pcm, 16000) == 16000);
	double a = tone_share(pcm, 16000, 440), b = tone_share(pcm, 16000, 1000);
	EXPECT(a > 0.15 && b > 0.15 && a + b < 0.7);
	int64_t turn_a = turn_us(A, B->kept[0].at_us), turn_b = turn_us(B, B->kept[0].at_us);
	EXPECT(turn_a && turn_b && llabs(turn_a - turn_b) < 60000 + 2 * pump_stall_us);
	EXPECT_INT(mstream_play(peers[2].s, "local_stream://other", 1, NULL), ST_OK);
	EXPECT_INT(wait_report(&peers[2], MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(&peers[2], MEDIA_R_PLAY_DONE)->status, ST_NOTFOUND);
	/* the listener's rate is looked for first, default last */
	EXPECT_INT(mctl_local_stream_add("other/8000", &(struct mctl_local_conf){.dir = dir}), ST_OK);
	EXPECT_INT(mctl_local_stream_add("other", &(struct mctl_local_conf){.dir = tmp("nowhere")}), ST_OK);
	EXPECT_INT(mctl_local_stream_add("default", &(struct mctl_local_conf){.dir = dir}), ST_OK);
	EXPECT_INT(mstream_play(peers[2].s, "local_stream://other", 1, NULL), ST_OK);
	EXPECT_INT(wait_packets(&peers[2], 20), 0);
	EXPECT_INT(mstream_play_stop(peers[2].s, 0), ST_OK);
	EXPECT_INT(wait_report(&peers[2], MEDIA_R_PLAY_DONE, 2), 0);
	EXPECT_INT(mstream_play(peers[2].s, "local_stream://third", 1, NULL), ST_OK);
	EXPECT_INT(wait_packets(&peers[2], 40), 0);
	EXPECT_INT(mstream_play_stop(A->s, 0), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	cleanup();
	return room_stop();
}

static int test_play_in_relay(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	A->is_sending = true, A->hz = 440;
	EXPECT_INT(wait_packets(B, 20), 0);
	EXPECT_INT(mstream_play(B->s, "tone_stream://%(400,0,1000)", 1, NULL), ST_OK);
	EXPECT_INT(wait_report(B, MEDIA_R_PLAY_DONE, 1), 0);
	size_t at = B->count;
	EXPECT_INT(wait_packets(B, at + 20), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	EXPECT_INT(expect_no_gap(B, 0), 0);
	size_t played = 0;
	for (size_t i = 0; i < B->count; i++) {
		int16_t x[160];
		for (int k = 0; k < 160; k++)
			x[k] = g711_ulaw_decode(B->kept[i].payload[k]);
		if (tone_share(x, 160, 1000) > 0.5)
			played++;
		else
			EXPECT(tone_share(x, 160, 440) > 0.5);
	}
	EXPECT_INT(played, 20);
	/* Timestamps tell the time that passed. */
	const struct kept *first = &B->kept[0], *last = &B->kept[B->count - 1];
	double ms = (double)(last->at_us - first->at_us) / 1000, ts_ms = (double)(last->ts - first->ts) / 8;
	EXPECT(fabs(ms - ts_ms) < 60);
	return room_stop();
}

static int test_play_unsupported(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	struct media_params m = peer_params(A);
	m.send = m.recv = (struct media_codec){
	    .name = "SILK", .pt = 96, .clock_hz = 48000, .rate_hz = 48000, .channels = 2, .ptime_ms = 20};
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_play(A->s, "tone_stream://%(400,0,1000)", 1, NULL), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_UNSUPPORTED);
	struct media_record_conf conf = {.has_read = true};
	EXPECT_INT(mstream_record(A->s, tmp("x.wav"), &conf, NULL), ST_UNSUPPORTED);
	cleanup();
	return room_stop();
}

static int test_play_codec_change(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mstream_play(A->s, "tone_stream://%(1000,0,1000)", -1, NULL), ST_OK);
	EXPECT_INT(wait_packets(A, 20), 0);
	struct media_params m = peer_params(A);
	memcpy(m.send.name, "PCMA", 5), m.send.pt = 8;
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(wait_packets(A, 60), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT(peer_samples(A, 0, 8, true, pcm, 80000) > 4000 && tone_share(pcm, 4000, 1000) > 0.95);
	return room_stop();
}

/* A comes to L16 at 16 kHz, or back to PCMU. */
static int become(bool is_wide)
{
	role_assert_ctl();
	struct media_params m = peer_params(A);
	if (is_wide)
		m.send = m.recv = (struct media_codec){
		    .name = "L16", .pt = 97, .clock_hz = 16000, .rate_hz = 16000, .channels = 1, .ptime_ms = 10};
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	A->is_wide = is_wide, A->pt = is_wide ? 97 : 0;
	return 0;
}

/* The packets of one codec in a row, one after the other. */
static size_t heard(uint8_t pt, int16_t *out)
{
	size_t n = 0;
	for (size_t i = 0; i < A->count; i++) {
		const struct kept *k = &A->kept[i];
		for (size_t j = 0; k->pt == pt && j < 160; j++, n++)
			out[n] = pt ? (int16_t)(k->payload[2 * j] << 8 | k->payload[2 * j + 1])
			            : g711_ulaw_decode(k->payload[j]);
	}
	return n;
}

static double share_at(const int16_t *s, size_t n, uint32_t rate_hz, double hz)
{
	double rms = mix_level_rms(s, n), amp = goertzel_amplitude(s, n, rate_hz, hz);
	return rms < 1 ? 0 : (amp * amp / 2) / (rms * rms);
}

/* It goes on where it was, as loud as it was told to be, and ends when it would have. */
static int test_play_rate_change(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(
	    mstream_play(A->s, "file_string://tone_stream://%(1500,0,1000)!tone_stream://%(1500,0,1000)", 1, NULL),
	    ST_OK);
	EXPECT_INT(mstream_play_set(A->s, MEDIA_PLAY_VOLUME_TO, -2), ST_OK);
	EXPECT_INT(wait_packets(A, 40), 0);
	EXPECT_INT(become(true), 0);
	EXPECT_INT(wait_packets(A, 140), 0);
	EXPECT_INT(become(false), 0);
	EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_OK);
	EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->samples, 24000);
	EXPECT_INT(expect_continuous(A, 0), 0);
	size_t n = heard(97, pcm);
	EXPECT(n > 14000 && share_at(pcm, n, 16000, 1000) > 0.95);
	double loud = mix_level_rms(pcm, n);
	size_t all = n / 2;
	n = heard(0, pcm);
	all += n;
	EXPECT(all > 23500 && all < 24500); /* nothing twice, nothing left out: 3 s */
	EXPECT(share_at(pcm, 6000, 8000, 1000) > 0.95 && share_at(pcm + n - 4000, 3500, 8000, 1000) > 0.95);
	EXPECT(fabs(mix_level_rms(pcm, 6000) / loud - 1) < 0.05);
	return room_stop();
}

/* What comes in pieces, or for ever, and a pause; the codec is another one before it is prepared. */
static int test_play_rate_change_long(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	const char *const sources[] = {"tone_stream://%(90000,0,1000)", "tone_stream://%(400,0,1000);loops=-1"};
	for (size_t i = 0; i < 2; i++) {
		uint32_t id;
		EXPECT_INT(become(i), 0);
		EXPECT_INT(mstream_play(A->s, sources[i], 1, &id), ST_OK);
		EXPECT_INT(become(!i), 0);
		EXPECT_INT(wait_packets(A, 20), 0);
		EXPECT_INT(mstream_play_set(A->s, MEDIA_PLAY_PAUSE, 1), ST_OK);
		EXPECT_INT(become(i), 0);
		EXPECT_INT(settle(), 0);
		peer_clear(A);
		EXPECT_INT(wait_packets(A, 20), 0);
		EXPECT(mix_level_rms(pcm, heard(i ? 97 : 0, pcm)) < 100);
		EXPECT_INT(mstream_play_set(A->s, MEDIA_PLAY_PAUSE, 0), ST_OK);
		EXPECT_INT(become(!i), 0);
		EXPECT_INT(settle(), 0);
		peer_clear(A);
		EXPECT_INT(wait_packets(A, i ? 200 : 500), 0);
		size_t n = heard(i ? 0 : 97, pcm);
		EXPECT(n > 30000 && share_at(pcm + n - 8000, 8000, i ? 8000 : 16000, 1000) > 0.95);
		EXPECT_INT(report_count(A, MEDIA_R_PLAY_DONE), 0); /* since peer_clear */
		EXPECT_INT(mstream_play_stop(A->s, id), ST_OK);
		EXPECT_INT(wait_report(A, MEDIA_R_PLAY_DONE, 1), 0);
		EXPECT_INT(report_last(A, MEDIA_R_PLAY_DONE)->status, ST_CANCELLED);
	}
	return room_stop();
}

static int test_record_read(void)
{
	role_assert_ctl();
	struct file_pcm got = {0};
	uint32_t id = 0;
	EXPECT_INT(room_start(1, 1), 0);
	struct media_record_conf conf = {.has_read = true};
	A->is_sending = true, A->hz = 700;
	int64_t begun_us = clock_mono_us();
	EXPECT_INT(mstream_record(A->s, tmp("r.wav"), &conf, &id), ST_OK);
	pump_ms(1500);
	EXPECT_INT(mstream_record_stop(A->s, id), ST_OK);
	int64_t took_ms = (clock_mono_us() - begun_us) / 1000;
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 1), 0);
	const struct media_report *r = report_last(A, MEDIA_R_RECORD_DONE);
	EXPECT_INT(r->status, ST_OK);
	EXPECT_INT(r->id, id);
	EXPECT_INT(wav_read(tmp("r.wav"), &got), 0);
	EXPECT_INT(got.count, r->samples);
	EXPECT((int64_t)got.count / 8 > took_ms - 100 &&
	       (int64_t)got.count / 8 < took_ms + 150); /* the file's time is the call's */
	EXPECT(tone_share(got.samples + 800, 9600, 700) > 0.95);
	double level = mix_level_rms(got.samples + 800, 9600);
	EXPECT(level > 5300 && level < 6000);
	size_t before = got.count;
	file_pcm_free(&got);
	/* Appended, with a limit. */
	conf.is_append = true, conf.limit_ms = 300;
	EXPECT_INT(mstream_record(A->s, tmp("r.wav"), &conf, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 2), 0);
	EXPECT_INT(report_last(A, MEDIA_R_RECORD_DONE)->samples, 2400);
	EXPECT_INT(wav_read(tmp("r.wav"), &got), 0);
	EXPECT_INT(got.count, before + 2400);
	file_pcm_free(&got);
	/* Ended by silence. */
	conf = (struct media_record_conf){.has_read = true, .silence_level = 200, .silence_ms = 300};
	EXPECT_INT(mstream_record(A->s, tmp("s.wav"), &conf, &id), ST_OK);
	pump_ms(600);
	EXPECT_INT(report_count(A, MEDIA_R_RECORD_DONE), 2);
	A->is_sending = false;
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 3), 0);
	cleanup();
	return room_stop();
}

static int stereo_read(const char *path, int16_t *left, int16_t *right, size_t cap, size_t *count)
{
	uint8_t head[44], b[4];
	FILE *f = fopen(path, "rb");
	EXPECT(f);
	*count = 0;
	bool is_stereo = fread(head, 1, 44, f) == 44 && head[22] == 2;
	while (is_stereo && *count < cap && fread(b, 1, 4, f) == 4) {
		left[*count] = (int16_t)(b[0] | b[1] << 8);
		right[(*count)++] = (int16_t)(b[2] | b[3] << 8);
	}
	fclose(f);
	EXPECT(is_stereo);
	return 0;
}

static int test_record_both(void)
{
	role_assert_ctl();
	static int16_t left[80000], right[80000];
	struct file_pcm got = {0};
	size_t n = 0;
	uint32_t mixed = 0, stereo = 0;
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = B->is_sending = true, A->hz = 440, B->hz = 1000;
	struct media_record_conf conf = {.has_read = true, .has_write = true};
	EXPECT_INT(mstream_record(A->s, tmp("m.wav"), &conf, &mixed), ST_OK);
	conf.is_stereo = true;
	EXPECT_INT(mstream_record(A->s, tmp("st.wav"), &conf, &stereo), ST_OK);
	pump_ms(1000);
	EXPECT_INT(mstream_record_stop(A->s, 0), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 2), 0);
	EXPECT_INT(wav_read(tmp("m.wav"), &got), 0);
	EXPECT(got.count > 7500);
	double a = tone_share(got.samples + 800, 6400, 440), b = tone_share(got.samples + 800, 6400, 1000);
	EXPECT(a > 0.4 && b > 0.4);
	file_pcm_free(&got);
	EXPECT_INT(stereo_read(tmp("st.wav"), left, right, 80000, &n), 0);
	EXPECT(n > 7500);
	EXPECT(tone_share(left + 800, 6400, 440) > 0.95);
	EXPECT(tone_share(right + 800, 6400, 1000) > 0.95);
	cleanup();
	return room_stop();
}

/* How many tenths of a second have the tone at about its level. */
static size_t tenths(const int16_t *s, size_t n, double hz)
{
	size_t count = 0;
	for (size_t at = 0; at + 800 <= n; at += 800)
		count += goertzel_amplitude(s + at, 800, 8000, hz) > 6500;
	return count;
}

/* A recorded phone comes to another sampling rate and back: the file stays at its own, with both sides. */
static int test_record_rate_change(void)
{
	role_assert_ctl();
	static int16_t left[80000], right[80000];
	struct file_pcm got = {0};
	size_t n = 0;
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = B->is_sending = true, A->hz = 440, B->hz = 1000;
	struct media_record_conf conf = {.has_read = true, .has_write = true};
	EXPECT_INT(mstream_record(A->s, tmp("m.wav"), &conf, NULL), ST_OK);
	conf.is_stereo = true;
	EXPECT_INT(mstream_record(A->s, tmp("st.wav"), &conf, NULL), ST_OK);
	EXPECT_INT(mstream_record(B->s, tmp("far.wav"), &(struct media_record_conf){.has_write = true}, NULL), ST_OK);
	pump_ms(800);
	EXPECT_INT(become(true), 0);
	pump_ms(800);
	EXPECT_INT(become(false), 0);
	pump_ms(800);
	EXPECT_INT(mstream_record_stop(A->s, 0), ST_OK);
	EXPECT_INT(mstream_record_stop(B->s, 0), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 2), 0);
	EXPECT_INT(wait_report(B, MEDIA_R_RECORD_DONE, 1), 0);
	EXPECT_INT(stereo_read(tmp("st.wav"), left, right, 80000, &n), 0);
	EXPECT(n > 8 * 2300);
	size_t all = n / 800; /* less those that begin, change and end */
	EXPECT(tenths(left, n, 440) + 5 >= all && tenths(right, n, 1000) + 5 >= all);
	EXPECT_INT(wav_read(tmp("m.wav"), &got), 0);
	EXPECT(tenths(got.samples, got.count, 440) + 5 >= all && tenths(got.samples, got.count, 1000) + 5 >= all);
	file_pcm_free(&got);
	EXPECT_INT(wav_read(tmp("far.wav"), &got), 0);
	EXPECT(tenths(got.samples, got.count, 440) + 5 >= all);
	file_pcm_free(&got);
	cleanup();
	return room_stop();
}

/* What is lost on the way is silence of the right length in the file; closing the stream closes the file first. */
static int test_record_holes(void)
{
	role_assert_ctl();
	struct file_pcm got = {0};
	EXPECT_INT(room_start(1, 1), 0);
	struct media_record_conf conf = {.has_read = true};
	EXPECT_INT(mstream_record(A->s, tmp("h.wav"), &conf, NULL), ST_OK);
	A->is_sending = true, A->hz = 700;
	pump_ms(500);
	A->is_sending = false;
	pump_ms(300);
	A->ts += 15 * 160, A->seq += 15, A->next_us = 0, A->is_sending = true;
	pump_ms(500);
	mstream_close(A->s);
	EXPECT_INT(wait_report(A, MEDIA_R_CLOSED, 1), 0);
	EXPECT_INT(wav_read(tmp("h.wav"), &got), 0);
	EXPECT(got.count > 8 * 1200 && got.count < 8 * 1450);
	size_t quiet = 0;
	for (size_t i = 800; i + 80 < got.count; i += 80)
		quiet += mix_level_abs(got.samples + i, 80) < 50;
	EXPECT(quiet >= 26 && quiet <= 40); /* of 10 ms */
	EXPECT(tone_share(got.samples + 800, 2400, 700) > 0.95);
	EXPECT(tone_share(got.samples + got.count - 3200, 2400, 700) > 0.95);
	file_pcm_free(&got);
	EXPECT_INT(mstream_record(A->s, tmp("h.wav"), &conf, NULL), ST_CLOSED);
	cleanup();
	return room_stop();
}

static int test_record_nowhere(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	struct media_record_conf conf = {.has_read = true};
	EXPECT_INT(mstream_record(A->s, "/proc/nowhere/x.wav", &conf, NULL), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 1), 0); /* without being stopped */
	EXPECT(report_last(A, MEDIA_R_RECORD_DONE)->status < 0);
	return room_stop();
}

TEST_MAIN({"echo", test_echo, TEST_LOOP}, {"delayed echo", test_delayed_echo, TEST_LOOP},
    {"an endless tone: frequency, pace, stop", test_tone, TEST_LOOP},
    {"other packet times, comfort noise", test_paces, TEST_LOOP},
    {"files: turns, rows, cache, errors", test_file, TEST_LOOP},
    {"files: two who begin at once", test_file_at_once, TEST_LOOP},
    {"what is asked for before it plays", test_set_before_it_plays, TEST_LOOP},
    {"files that somebody else finds", test_finder, TEST_LOOP},
    {"a long file comes in pieces", test_long_file, TEST_LOOP},
    {"local streams: one clock", test_local_stream, TEST_LOOP},
    {"a play on top of a relay", test_play_in_relay, TEST_LOOP},
    {"codecs that are only passed through", test_play_unsupported, TEST_LOOP},
    {"the codec changes while something plays", test_play_codec_change, TEST_LOOP},
    {"the rate changes while something plays", test_play_rate_change, TEST_LOOP},
    {"the same, of what comes in pieces or for ever", test_play_rate_change_long, TEST_LOOP},
    {"record: what comes, append, limit, silence", test_record_read, TEST_LOOP},
    {"record: both sides, mixed and stereo", test_record_both, TEST_LOOP},
    {"record: another rate, and back", test_record_rate_change, TEST_LOOP},
    {"record: holes are silence, closing closes the file", test_record_holes, TEST_LOOP},
    {"record: a path that cannot be written", test_record_nowhere, TEST_LOOP})
