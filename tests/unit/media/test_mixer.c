/* Rooms on real sockets and threads: each hears the others and not himself, whatever the codecs, packet times and
 * threads; levels, mute and deaf, relations, sounds to all and to one, records of all, members that leave in every way.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "file/file.h"
#include "meeting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int each_hears_the_others(unsigned threads, const struct mroom_conf *conf)
{
	role_assert_ctl();
	EXPECT_INT(gather(threads, 4, conf), 0);
	EXPECT_INT(hears(A, "BCD"), 0);
	EXPECT_INT(hears(B, "ACD"), 0);
	EXPECT_INT(hears(C, "ABD"), 0);
	EXPECT_INT(hears(D, "ABC"), 0);
	for (uint32_t id = 1; id <= 4; id++)
		EXPECT_INT(wait_told(MROOM_TALK, id, true), 0);
	for (int i = 0; i < 4; i++)
		EXPECT_INT(expect_continuous(&peers[i], 0), 0);
	return scatter();
}

static int test_mix_minus(void)
{
	role_assert_ctl();
	return each_hears_the_others(1, &(struct mroom_conf){8000, 20, 0});
}

static int test_threads(void)
{
	role_assert_ctl();
	return each_hears_the_others(3, &(struct mroom_conf){8000, 20, 0});
}

static int test_other_rate(void)
{
	role_assert_ctl();
	return each_hears_the_others(2, &(struct mroom_conf){16000, 20, 0});
}

static int test_other_interval(void)
{
	role_assert_ctl();
	return each_hears_the_others(1, &(struct mroom_conf){8000, 30, 0});
}

/* A wide one with packets of 10 ms, one in A-law: decoded, resampled, cut to their own packets. */
static int test_codecs(void)
{
	role_assert_ctl();
	struct mroom_conf conf = {16000, 20, 0};
	EXPECT_INT(room_start(2, 3), 0);
	struct media_params wide = peer_params(A), alaw = peer_params(B);
	A->is_wide = true;
	wide.send = wide.recv = (struct media_codec){"L16", 97, 16000, 16000, 1, 10};
	A->pt = 97;
	B->is_alaw = true, B->pt = 8;
	alaw.send = alaw.recv = (struct media_codec){"PCMA", 8, 8000, 8000, 1, 20};
	EXPECT_INT(mstream_set_params(A->s, &wide), ST_OK);
	EXPECT_INT(mstream_set_params(B->s, &alaw), ST_OK);
	EXPECT_INT(meet(3, &conf), 0);
	EXPECT_INT(hears(A, "BC"), 0);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	/* another codec in the middle */
	struct media_params p = peer_params(B);
	B->is_alaw = false, B->pt = 0;
	EXPECT_INT(mstream_set_params(B->s, &p), ST_OK);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	return scatter();
}

static int test_mute_deaf_levels(void)
{
	role_assert_ctl();
	struct mroom_member m = plain;
	EXPECT_INT(gather(1, 3, &(struct mroom_conf){8000, 20, 0}), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	m.can_speak = false;
	EXPECT_INT(mroom_set(room, 1, &m), ST_OK);
	EXPECT_INT(hears(C, "B"), 0);
	EXPECT_INT(hears(A, "BC"), 0);
	m.can_speak = true, m.can_hear = false;
	EXPECT_INT(mroom_set(room, 1, &m), ST_OK);
	EXPECT_INT(hears(A, ""), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	m = plain, m.energy_level = 20000; /* nobody is as loud */
	EXPECT_INT(mroom_set(room, 1, &m), ST_OK);
	EXPECT_INT(wait_told(MROOM_TALK, 1, false), 0);
	EXPECT_INT(hears(C, "B"), 0);
	EXPECT_INT(mroom_set(room, 1, &plain), ST_OK);
	m = plain, m.can_hear = true, m.volume_out = -2; /* 0.6 times */
	EXPECT_INT(mroom_set(room, 1, &plain), ST_OK);
	EXPECT_INT(mroom_leave(room, 2), ST_OK);
	EXPECT_INT(mroom_set(room, 3, &m), ST_OK);
	EXPECT(hears_level(C, HZ_A, 8000 * 0.6));
	EXPECT(mroom_score(room, 1) > 1000);
	EXPECT_INT(mroom_set(room, 9, &m), ST_NOTFOUND);
	return scatter();
}

static int test_relations(void)
{
	role_assert_ctl();
	EXPECT_INT(gather(2, 3, &(struct mroom_conf){8000, 20, 0}), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(mroom_relate(room, 1, 3, true), ST_OK); /* C does not hear A */
	EXPECT_INT(hears(C, "B"), 0);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(mroom_relate(room, 2, 3, true), ST_OK);
	EXPECT_INT(hears(C, ""), 0);
	EXPECT_INT(mroom_relate(room, 1, 3, false), ST_OK);
	EXPECT_INT(hears(C, "A"), 0);
	EXPECT_INT(mroom_relate(room, 2, 3, false), ST_OK);
	EXPECT_INT(hears(C, "AB"), 0);
	return scatter();
}

static int test_sounds(void)
{
	role_assert_ctl();
	uint32_t id, other;
	EXPECT_INT(gather(2, 2, &(struct mroom_conf){8000, 20, 0}), 0);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(mroom_play(room, "tone_stream://v=-7;%(60000,0,1750)", 1, false, &id), ST_OK);
	EXPECT_INT(wait_told(MROOM_PLAY_BEGUN, id, false), 0);
	pump_ms(300);
	EXPECT(level_of(A, HZ_SOURCE) > 2000 && level_of(B, HZ_SOURCE) > 2000);
	EXPECT(level_of(A, HZ_B) > 6000 && level_of(A, HZ_A) < 250);
	EXPECT_INT(mroom_play_stop(room, id), ST_OK);
	EXPECT_INT(wait_told(MROOM_PLAY_DONE, id, false), 0);
	EXPECT_INT(hears(A, "B"), 0);
	/* music beside a sound */
	EXPECT_INT(mroom_play(room, "tone_stream://v=-7;%(60000,0,1750)", 1, true, &id), ST_OK);
	EXPECT_INT(mroom_play(room, "tone_stream://v=-7;%(60000,0,1300)", 1, false, &other), ST_OK);
	EXPECT_INT(wait_told(MROOM_PLAY_BEGUN, other, false), 0);
	pump_ms(400);
	EXPECT(level_of(A, HZ_SOURCE) > 2000 && level_of(A, HZ_D) > 2000);
	EXPECT_INT(mroom_play_stop(room, id), ST_OK);
	EXPECT_INT(mroom_play_stop(room, other), ST_OK);
	EXPECT_INT(hears(A, "B"), 0);
	/* to one */
	EXPECT_INT(mroom_play_to(room, 1, "tone_stream://v=-7;%(60000,0,1750)", 1, &id), ST_OK);
	pump_ms(400);
	EXPECT(level_of(A, HZ_SOURCE) > 2000);
	EXPECT_INT(hears(B, "A"), 0);
	EXPECT_INT(mroom_play_stop(room, id), ST_OK);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(mroom_play(room, "/no/such/file.wav", 1, false, &id), ST_OK);
	EXPECT_INT(wait_told(MROOM_PLAY_DONE, id, false), 0);
	return scatter();
}

static NO_ROLE_CHECK int test_record(void)
{
	role_assert_ctl();
	char path[] = "/tmp/tandem-mixer-XXXXXX.wav";
	struct media_record_conf conf = {0};
	struct file_pcm pcm;
	uint32_t id, sound;
	int fd = mkstemps(path, 4);
	EXPECT(fd >= 0);
	close(fd);
	EXPECT_INT(gather(2, 2, &(struct mroom_conf){8000, 20, 0}), 0);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(mroom_play(room, "tone_stream://v=-7;%(60000,0,1750)", 1, false, &sound), ST_OK);
	EXPECT_INT(mroom_record(room, path, &conf, &id), ST_OK);
	pump_ms(1500);
	EXPECT_INT(mroom_record_stop(room, id), ST_OK);
	EXPECT_INT(wait_told(MROOM_RECORD_DONE, id, false), 0);
	role_set(ROLE_WORK);
	int st = file_read_all(path, 8000, 80000, &pcm, NULL);
	role_set(ROLE_CTL);
	EXPECT_INT(st, ST_OK);
	EXPECT(pcm.count > 8000);
	const int16_t *tail = pcm.samples + pcm.count - 2000;
	EXPECT(tone_share(tail, 2000, HZ_A) > 0.2 && tone_share(tail, 2000, HZ_B) > 0.2 &&
	       tone_share(tail, 2000, HZ_SOURCE) > 0.02);
	file_pcm_free(&pcm);
	unlink(path);
	return scatter();
}

static int test_leaving(void)
{
	role_assert_ctl();
	EXPECT_INT(gather(2, 4, &(struct mroom_conf){8000, 20, 0}), 0);
	EXPECT_INT(hears(A, "BCD"), 0);
	EXPECT_INT(mroom_leave(room, 2), ST_OK);
	EXPECT_INT(mroom_leave(room, 2), ST_NOTFOUND);
	EXPECT_INT(hears(A, "CD"), 0);
	mstream_close(C->s); /* hung up in the room */
	EXPECT_INT(wait_told(MROOM_GONE, 3, false), 0);
	EXPECT_INT(hears(A, "D"), 0);
	EXPECT_INT(mroom_join(room, B->s, 2, &plain), ST_OK); /* back */
	EXPECT_INT(hears(A, "BD"), 0);
	EXPECT_INT(mroom_join(room, B->s, 2, &plain), ST_EXISTS);
	D->is_sending = false; /* silent: not a packet */
	EXPECT_INT(wait_told(MROOM_TALK, 4, false), 0);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(hears(D, "AB"), 0);
	/* out and into a relay */
	EXPECT_INT(mroom_leave(room, 1), ST_OK);
	EXPECT_INT(mroom_leave(room, 2), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(hears(A, "B"), 0);
	return scatter();
}

static int test_conf(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 1), 0);
	EXPECT_INT(mroom_open(&room, &(struct mroom_conf){4000, 20, 0}, NULL, NULL), ST_INVAL);
	EXPECT_INT(mroom_open(&room, &(struct mroom_conf){8000, 5, 0}, NULL, NULL), ST_INVAL);
	EXPECT_INT(mroom_open(&room, &(struct mroom_conf){11025, 20, 0}, NULL, NULL), ST_INVAL);
	EXPECT_INT(meet(1, &(struct mroom_conf){48000, 60, 1400}), 0);
	pump_ms(500);
	EXPECT(A->count > 5);
	return scatter();
}

TEST_MAIN({"each hears the others", test_mix_minus, TEST_LOOP}, {"members on three threads", test_threads, TEST_LOOP},
    {"a room at another rate", test_other_rate, TEST_LOOP}, {"a room of longer frames", test_other_interval, TEST_LOOP},
    {"codecs and packet times", test_codecs, TEST_LOOP}, {"mute, deaf, levels", test_mute_deaf_levels, TEST_LOOP},
    {"who does not hear whom", test_relations, TEST_LOOP}, {"sounds to all and to one", test_sounds, TEST_LOOP},
    {"records", test_record, TEST_LOOP}, {"leaving in every way", test_leaving, TEST_LOOP},
    {"what a room may be", test_conf, TEST_LOOP})
