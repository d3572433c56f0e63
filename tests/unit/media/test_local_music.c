/* What a local stream plays: chimes that break in at their time while the music goes on below, the most that is heard
 * of one, the volume, two channels; the same at any place of the stream's clock. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "file/file.h"
#include "harness.h"
#include "media/ctl/local_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HZ = 8000, MUSIC = 4 * HZ, CHIME_LEVEL = -5000, STEP = 4 };
static char dir[] = P_tmpdir "/tandem-test-XXXXXX";

static const char *at(const char *name)
{
	static char path[2][128];
	static int i;
	i = !i;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

/* Its samples tell their place: music counts them; a chime is a level. */
ON_WORK static int wav_make(const char *path, int level, size_t count, unsigned channels)
{
	struct file_writer *w;
	struct file_writer_conf conf = {.rate_hz = HZ, .channels = channels};
	static int16_t s[2 * MUSIC];
	for (size_t i = 0; i < count; i++)
		for (unsigned c = 0; c < channels; c++)
			s[i * channels + c] = (int16_t)(c ? 77 : level ? level : (int)i);
	EXPECT_INT(file_writer_open(&w, path, &conf, NULL), ST_OK);
	EXPECT_INT(file_writer_write(w, s, count), ST_OK);
	return file_writer_close(w, NULL);
}

static int begin(unsigned music_channels)
{
	role_set(ROLE_WORK);
	role_assert_work();
	if (strstr(dir, "XXXXXX"))
		EXPECT(mkdtemp(dir));
	(void)mkdir(at("music"), 0700);
	EXPECT_INT(wav_make(at("music/1.wav"), 0, MUSIC, music_channels), 0);
	EXPECT_INT(wav_make(at("chime.wav"), CHIME_LEVEL, HZ, 1), 0);
	return wav_make(at("long.wav"), 2 * CHIME_LEVEL, 3 * HZ, 1);
}

ON_WORK static int end(struct lmusic *m)
{
	char cmd[200];
	lmusic_close(m);
	mem_free(m->chime.list);
	mem_free(m->dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static struct lmusic *music(const char *chimes, int64_t ago_us)
{
	static struct lmusic m;
	m = (struct lmusic){
	    .dir = mem_strdup(at("music")), .channels = 1, .rate_hz = HZ, .clock_us = clock_mono_us() - ago_us};
	atomic_init(&m.volume_db, 0);
	m.chime.list = mem_strdup(chimes);
	m.chime.every_s = 2;
	return &m;
}

static int16_t pcm[20 * HZ];
ON_WORK static int read_all(struct lmusic *m, size_t n)
{
	for (size_t got = 0; got < n;)
		got += lmusic_read(m, pcm + got * m->channels, n - got < 500 ? n - got : 500);
	return 0;
}

/* Two seconds of music, the chime, music from where it would be, the other chime cut at two seconds; then the first
 * again. */
static int check_from(int16_t first)
{
	for (size_t i = 0; i < 9 * HZ - (size_t)first; i++) {
		size_t place = i + (size_t)first, in = place % (7 * HZ);
		int want = in >= 2 * HZ && in < 3 * HZ ? CHIME_LEVEL
		           : in >= 5 * HZ              ? 2 * CHIME_LEVEL
		                                       : (int)(place % MUSIC);
		if ((in + STEP) % HZ <
		    2 * STEP) /* the clock is in microseconds: a seam is where it is, give or take one */
			continue;
		if (abs(pcm[i] - want) > 2) {
			test_fail(__FILE__, __LINE__, "sample %zu is %d, not %d", i, pcm[i], want);
			return -1;
		}
	}
	return 0;
}

static int test_chimes(void)
{
	char list[300];
	EXPECT_INT(begin(1), 0);
	role_assert_work();
	snprintf(list, sizeof(list), "%s,%s", at("chime.wav"), at("long.wav"));
	struct lmusic *m = music(list, 0);
	m->chime.max_s = 2;
	EXPECT_INT(lmusic_open(m), ST_OK);
	EXPECT_INT(read_all(m, 9 * HZ), 0);
	EXPECT(pcm[0] < HZ / 2); /* it took no half second to look at the files */
	EXPECT_INT(check_from(pcm[0]), 0);
	return end(m);
}

/* A listener who comes later, within music and within a chime, hears what the others hear. */
static int test_later(void)
{
	char list[300];
	EXPECT_INT(begin(1), 0);
	role_assert_work();
	snprintf(list, sizeof(list), "%s,%s", at("chime.wav"), at("long.wav"));
	for (int ago_s = 1; ago_s < 13; ago_s += 2) {
		struct lmusic *m = music(list, ago_s * 1000000 + 100000);
		m->chime.max_s = 2;
		EXPECT_INT(lmusic_open(m), ST_OK);
		EXPECT_INT(read_all(m, HZ / 4), 0);
		int64_t place = (m->start_us - m->clock_us) * HZ / 1000000, in = place % (7 * HZ);
		int want = in >= 2 * HZ && in < 3 * HZ ? CHIME_LEVEL
		           : in >= 5 * HZ              ? 2 * CHIME_LEVEL
		                                       : (int)(place % MUSIC);
		EXPECT(abs(pcm[0] - want) <= STEP);
		lmusic_close(m);
		mem_free(m->chime.list), mem_free(m->dir);
	}
	struct lmusic *m = music(at("nowhere.wav"), 0); /* which cannot be played: music alone */
	EXPECT_INT(lmusic_open(m), ST_OK);
	EXPECT_INT(read_all(m, 3 * HZ), 0);
	EXPECT(abs(pcm[3 * HZ - 1] - pcm[0] - 3 * HZ + 1) <= 1);
	return end(m);
}

static int test_volume_and_two(void)
{
	EXPECT_INT(begin(2), 0);
	role_assert_work();
	struct lmusic *m = music(NULL, 0);
	m->channels = 2;
	EXPECT_INT(lmusic_open(m), ST_OK);
	EXPECT_INT(read_all(m, HZ), 0);
	EXPECT(pcm[2] - pcm[0] == 1 && pcm[1] == 77 && pcm[2 * HZ - 1] == 77);
	int16_t was = pcm[2 * HZ - 2];
	atomic_store(&m->volume_db, -20);
	EXPECT_INT(read_all(m, 100), 0);
	EXPECT(abs(pcm[0] - was / 10) <= 1 && pcm[1] == 8);
	atomic_store(&m->volume_db, 50);
	EXPECT_INT(read_all(m, 100), 0);
	EXPECT_INT(pcm[0], INT16_MAX);
	return end(m);
}

TEST_MAIN({"chimes break in, the music goes on below", test_chimes},
    {"who comes later is where the others are", test_later}, {"volume, two channels", test_volume_and_two})
