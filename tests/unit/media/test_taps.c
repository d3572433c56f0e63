/* What looks into sound or changes it: levels, spies who listen and whisper, displaced sound, watches for tones, energy
 * and digits, masked records. Every phone says a tone of its own; who hears which is measured where it arrives. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "codec/codec.h"
#include "dsp/dtmf.h"
#include "dsp/mix.h"
#include "ear.h"
#include "file/file.h"
#include "peer.h"
#include "rtp/telev.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A (&peers[0])
#define B (&peers[1])
#define C (&peers[2])
#define D (&peers[3])
enum { WAIT_MS = 8000 };

static int wait_report(struct peer *p, enum media_report_kind kind, size_t count)
{
	role_assert_ctl();
	return pump(has_report, &(struct want){.p = p, .kind = kind, .count = count}, WAIT_MS);
}

static bool is_quiet(void *arg)
{
	const struct peer *p = arg;
	int64_t now = clock_mono_us();
	return !p->count || now - p->kept[p->count - 1].at_us > 150000;
}
/* Until no packet has come for a while. */
static int falls_quiet(struct peer *p)
{
	role_assert_ctl();
	return pump(is_quiet, p, WAIT_MS);
}

/* A and B talk to each other, the others are there. */
static int call(unsigned threads, size_t count)
{
	role_assert_ctl();
	EXPECT_INT(room_start(threads, count), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	for (size_t i = 0; i < count; i++)
		peers[i].is_sending = true, peers[i].hz = hz_all[i];
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(hears(B, "A"), 0);
	return 0;
}

/* Packets of A arrive at B as they were sent: the relay is direct again. */
static int is_direct(void)
{
	role_assert_ctl();
	static const uint8_t mark[160] = {[3] = 0x7b, [77] = 0x3d};
	A->is_sending = false;
	EXPECT_INT(settle(), 0);
	pump_ms(90);
	B->count = 0;
	for (int i = 0; i < 3; i++) {
		peer_send(A, 0, false, A->seq++, A->ts += 160, mark, 160);
		EXPECT_INT(pump(has_packets, &(struct want){.p = B, .count = (size_t)i + 1}, WAIT_MS), 0);
		EXPECT(!memcmp(B->kept[i].payload, mark, 160));
	}
	A->is_sending = true, A->next_us = 0;
	return 0;
}

static int test_level(void)
{
	role_assert_ctl();
	struct media_level l = {.steps = {2, 0}};
	EXPECT_INT(call(1, 2), 0);
	EXPECT_INT(mstream_set_level(A->s, &l), ST_OK);
	EXPECT(hears_level(B, HZ_A, 2.3 * 8000));
	EXPECT_INT(hears(A, "B"), 0);
	l = (struct media_level){.steps = {-4, -2}};
	EXPECT_INT(mstream_set_level(A->s, &l), ST_OK);
	EXPECT(hears_level(B, HZ_A, 0.2 * 8000));
	EXPECT(hears_level(A, HZ_B, 0.6 * 8000));
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	l = (struct media_level){.mute = {1, 0}};
	EXPECT_INT(mstream_set_level(A->s, &l), ST_OK);
	EXPECT_INT(hears(B, ""), 0);
	int16_t s[8000];
	EXPECT(newest(B, s) == 800 && mix_level_abs(s, 800) == 0);
	l.mute[0] = 200;
	EXPECT_INT(mstream_set_level(A->s, &l), ST_OK);
	pump_ms(300);
	EXPECT(newest(B, s) == 800 && mix_level_abs(s, 800) > 10); /* soft noise */
	EXPECT_INT(hears(B, ""), 0);
	EXPECT_INT(mstream_set_level(A->s, &(struct media_level){0}), ST_OK);
	EXPECT_INT(hears(B, "A"), 0);
	EXPECT_INT(is_direct(), 0);
	EXPECT_INT(report_count(A, MEDIA_R_TAP_DONE), 1);
	return room_stop();
}

static int test_spy(void)
{
	role_assert_ctl();
	uint32_t c, d;
	unsigned hear = MEDIA_SPY_READ | MEDIA_SPY_WRITE;
	EXPECT_INT(call(1, 4), 0);
	EXPECT_INT(mstream_spy(C->s, C->s, hear, NULL), ST_INVAL);
	EXPECT_INT(mstream_spy(B->s, A->s, hear, NULL), ST_INVAL); /* it talks to somebody */
	EXPECT_INT(mstream_spy(C->s, A->s, hear, &c), ST_OK);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(is_direct(), 0); /* who only listens changes nothing */
	EXPECT_INT(mstream_spy_set(A->s, c, MEDIA_SPY_READ), ST_OK);
	EXPECT_INT(hears(C, "A"), 0);
	EXPECT_INT(mstream_spy_set(A->s, c, MEDIA_SPY_WRITE), ST_OK);
	EXPECT_INT(hears(C, "B"), 0);
	EXPECT_INT(mstream_spy_set(A->s, c, hear | MEDIA_WHISPER_READ), ST_OK);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(hears(C, "AB"), 0); /* and not himself */
	EXPECT_INT(mstream_spy_set(A->s, c, hear | MEDIA_WHISPER_WRITE), ST_OK);
	EXPECT_INT(hears(A, "BC"), 0);
	EXPECT_INT(hears(B, "A"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(mstream_spy_set(A->s, c, hear | MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE), ST_OK);
	EXPECT_INT(hears(A, "BC"), 0);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(mstream_spy(D->s, A->s, hear, &d), ST_OK); /* a second one */
	EXPECT_INT(hears(D, "ABC"), 0);
	EXPECT_INT(mstream_spy_set(A->s, d, hear | MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE), ST_OK);
	EXPECT_INT(hears(C, "ABD"), 0); /* everybody hears everybody else */
	EXPECT_INT(hears(A, "BCD"), 0);
	EXPECT_INT(hears(B, "ACD"), 0);
	EXPECT_INT(hears(D, "ABC"), 0);
	EXPECT_INT(mstream_spy_set(A->s, d, hear), ST_OK);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(mstream_tap_stop(A->s, c), ST_OK);
	EXPECT_INT(wait_report(C, MEDIA_R_TAP_DONE, 1), 0);
	EXPECT_INT(report_last(C, MEDIA_R_TAP_DONE)->status, ST_CANCELLED);
	EXPECT_INT(falls_quiet(C), 0);
	EXPECT_INT(hears(D, "AB"), 0);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(is_direct(), 0);
	EXPECT_INT(mstream_spy(C->s, A->s, hear, &c), ST_OK);
	EXPECT_INT(hears(C, "AB"), 0);
	mstream_close(A->s); /* the target goes: its listeners are told */
	EXPECT_INT(wait_report(C, MEDIA_R_TAP_DONE, 2), 0);
	EXPECT_INT(wait_report(D, MEDIA_R_TAP_DONE, 1), 0);
	return room_stop();
}

/* On a phone that talks to nobody, and on one that hears a play. */
static int test_spy_alone(void)
{
	role_assert_ctl();
	uint32_t id;
	EXPECT_INT(room_start(1, 3), 0);
	A->is_sending = C->is_sending = true;
	A->hz = HZ_A, C->hz = HZ_C;
	EXPECT_INT(mstream_spy(C->s, A->s, MEDIA_SPY_READ | MEDIA_SPY_WRITE | MEDIA_WHISPER_WRITE, &id), ST_OK);
	EXPECT_INT(hears(C, "A"), 0);
	EXPECT_INT(hears(A, "C"), 0);
	EXPECT_INT(mstream_play(A->s, "tone_stream://v=-9.1;%(60000,0,1750)", -1, NULL), ST_OK);
	EXPECT_INT(hears(A, "CS"), 0);
	EXPECT_INT(hears(C, "AS"), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(mstream_echo(A->s, 0), ST_OK);
	EXPECT_INT(mstream_play_stop(A->s, 0), ST_OK);
	EXPECT_INT(hears(A, "AC"), 0);
	EXPECT_INT(mstream_spy_set(A->s, id, MEDIA_SPY_READ), ST_OK);
	EXPECT_INT(hears(A, "A"), 0);
	mstream_close(C->s); /* the listener goes */
	EXPECT_INT(wait_report(C, MEDIA_R_CLOSED, 1), 0);
	EXPECT_INT(hears(A, "A"), 0);
	return room_stop();
}

/* Listener and target come from different threads; the target moves while it is heard. */
static int test_spy_moves(void)
{
	role_assert_ctl();
	uint32_t id;
	EXPECT_INT(room_start(2, 4), 0);
	for (size_t i = 0; i < 4; i++)
		peers[i].is_sending = true, peers[i].hz = hz_all[i];
	EXPECT(mstream_thread_index(A->s) != mstream_thread_index(B->s));
	struct peer *c = mstream_thread_index(C->s) == mstream_thread_index(B->s) ? D : C;
	const char *hears_c = c == C ? "BC" : "BD";
	EXPECT(mstream_thread_index(c->s) != mstream_thread_index(B->s));
	EXPECT_INT(mstream_spy(c->s, B->s, MEDIA_SPY_READ | MEDIA_WHISPER_WRITE, &id), ST_OK);
	EXPECT_INT(hears(c, "B"), 0);
	EXPECT_INT(hears(B, hears_c + 1), 0);
	for (int i = 0; i < 3; i++) {
		EXPECT_INT(mstream_relay(A->s, B->s), ST_OK); /* moves one of them */
		EXPECT_INT(hears(A, "B"), 0);
		EXPECT_INT(hears(B, c == C ? "AC" : "AD"), 0);
		EXPECT_INT(hears(c, "B"), 0);
		EXPECT_INT(mstream_idle(A->s), ST_OK);
		struct peer *other = c == C ? D : C;
		EXPECT_INT(mstream_relay(other->s, B->s), ST_OK);
		EXPECT_INT(hears(c, "B"), 0);
		EXPECT_INT(mstream_idle(other->s), ST_OK);
	}
	return room_stop();
}

static struct media_params wide(const struct peer *p)
{
	struct media_params m = peer_params(p);
	m.send = m.recv = (struct media_codec){
	    .name = "L16", .pt = 97, .clock_hz = 16000, .rate_hz = 16000, .channels = 1, .ptime_ms = 10};
	m.dtmf_send_pt = m.dtmf_recv_pt = -1;
	return m;
}

/* A speaks L16 at 16 kHz, B PCMA, C PCMU; then the spy speaks L16, and a codec changes under him. */
static int test_codecs(void)
{
	role_assert_ctl();
	uint32_t id;
	EXPECT_INT(room_start(1, 3), 0);
	struct media_params a = wide(A), b = peer_params(B), c;
	memcpy(b.send.name, "PCMA", 5), b.send.pt = 8, b.recv = b.send;
	EXPECT_INT(mstream_set_params(A->s, &a), ST_OK);
	EXPECT_INT(mstream_set_params(B->s, &b), ST_OK);
	A->is_wide = true, A->pt = 97, B->is_alaw = true, B->pt = 8;
	for (size_t i = 0; i < 3; i++)
		peers[i].is_sending = true, peers[i].hz = hz_all[i];
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(mstream_spy(C->s, A->s, 15, &id), ST_OK);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(A, "BC"), 0);
	EXPECT_INT(mstream_set_level(B->s, &(struct media_level){.steps = {0, -2}}), ST_OK);
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(mstream_set_level(B->s, &(struct media_level){0}), ST_OK);
	c = wide(C), a = peer_params(A);
	EXPECT_INT(mstream_set_params(C->s, &c), ST_OK);
	EXPECT_INT(mstream_set_params(A->s, &a), ST_OK);
	C->is_wide = true, C->pt = 97, A->is_wide = false, A->pt = 0;
	EXPECT_INT(hears(C, "AB"), 0);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(A, "BC"), 0);
	/* What the engine does not know cannot be listened to. */
	memcpy(c.send.name, "SILK", 5), c.recv = c.send;
	EXPECT_INT(mstream_set_params(C->s, &c), ST_OK);
	EXPECT_INT(wait_report(C, MEDIA_R_TAP_DONE, 1), 0);
	EXPECT_INT(report_last(C, MEDIA_R_TAP_DONE)->status, ST_UNSUPPORTED);
	EXPECT_INT(mstream_spy(A->s, C->s, 1, NULL), ST_INVAL);
	EXPECT_INT(mstream_idle(A->s), ST_OK);
	EXPECT_INT(mstream_spy(A->s, C->s, 1, NULL), ST_UNSUPPORTED);
	EXPECT_INT(mstream_set_level(C->s, &(struct media_level){.steps = {1, 0}}), ST_UNSUPPORTED);
	return room_stop();
}

static int test_displace(void)
{
	role_assert_ctl();
	const char *tone = "tone_stream://v=-9.1;%(60000,0,1750)";
	struct media_displace_conf conf = {.on_write = true};
	uint32_t id, second;
	EXPECT_INT(call(1, 2), 0);
	EXPECT_INT(mstream_displace(A->s, tone, &conf, 1, &id), ST_OK);
	EXPECT_INT(hears(A, "S"), 0);
	EXPECT_INT(hears(B, ""), 0); /* FreeSWITCH's way: the other side is silent */
	EXPECT_INT(mstream_tap_stop(A->s, id), ST_OK);
	EXPECT_INT(hears(A, "B"), 0);
	EXPECT_INT(hears(B, "A"), 0);
	conf.is_mixed = true;
	EXPECT_INT(mstream_displace(A->s, tone, &conf, 1, &id), ST_OK);
	EXPECT_INT(hears(A, "BS"), 0);
	EXPECT_INT(hears(B, "A"), 0);
	conf = (struct media_displace_conf){.on_read = true, .is_mixed = true};
	EXPECT_INT(mstream_displace(A->s, "tone_stream://v=-9.1;%(60000,0,1000)", &conf, 1, &second), ST_OK);
	EXPECT_INT(hears(B, "AC"), 0);
	EXPECT_INT(hears(A, "BS"), 0);
	EXPECT_INT(mstream_tap_stop(A->s, id), ST_OK);
	EXPECT_INT(mstream_tap_stop(A->s, second), ST_OK);
	conf = (struct media_displace_conf){.on_read = true, .on_write = true};
	EXPECT_INT(mstream_displace(A->s, tone, &conf, 1, &id), ST_OK);
	EXPECT_INT(hears(A, "S"), 0);
	EXPECT_INT(hears(B, "S"), 0);
	EXPECT_INT(mstream_tap_stop(A->s, id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_DONE, 4), 0);
	EXPECT_INT(is_direct(), 0);
	/* Its end, a limit, a file that is not there. */
	conf = (struct media_displace_conf){.on_write = true};
	EXPECT_INT(mstream_displace(A->s, "tone_stream://%(300,0,1750)", &conf, 1, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_DONE, 5), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_DONE)->status, ST_OK);
	conf.limit_ms = 300;
	EXPECT_INT(mstream_displace(A->s, tone, &conf, -1, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_DONE, 6), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_DONE)->status, ST_OK);
	EXPECT_INT(mstream_displace(A->s, "/nosuch.wav", &conf, 1, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_DONE, 7), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_DONE)->status, ST_NOTFOUND);
	EXPECT_INT(report_count(A, MEDIA_R_PLAY_DONE), 0);
	EXPECT_INT(is_direct(), 0);
	/* A long one comes in pieces; stopped before it is ready; closed while it plays. */
	conf.limit_ms = 0;
	EXPECT_INT(mstream_displace(A->s, "tone_stream://v=-9.1;%(90000,0,1750)", &conf, 1, &id), ST_OK);
	EXPECT_INT(hears(A, "S"), 0);
	pump_ms(2200);
	EXPECT_INT(hears(A, "S"), 0);
	EXPECT_INT(mstream_displace(B->s, tone, &conf, 1, &id), ST_OK);
	EXPECT_INT(mstream_tap_stop(B->s, id), ST_OK);
	EXPECT_INT(mstream_displace(B->s, tone, &conf, 1, &id), ST_OK);
	return room_stop();
}

/* A comes to L16 at 16 kHz, and back to PCMU, while sound is displaced: it goes on, and ends when it would have. */
static int test_displace_rate(void)
{
	role_assert_ctl();
	const struct media_displace_conf confs[] = {{.on_write = true, .is_mixed = true, .limit_ms = 3000},
	    {.on_read = true, .on_write = true}, {.on_read = true, .is_mixed = true}};
	const char *const at_a[] = {"BS", "S", "B"}, *const at_b[] = {"A", "S", "AS"};
	EXPECT_INT(call(1, 2), 0);
	for (size_t i = 0; i < 3; i++) {
		uint32_t id;
		int64_t begun_us = clock_mono_us();
		EXPECT_INT(
		    mstream_displace(A->s,
		        i == 2 ? "tone_stream://v=-9.1;%(90000,0,1750)" : "tone_stream://v=-9.1;%(600,0,1750);loops=-1",
		        &confs[i], 1, &id),
		    ST_OK);
		EXPECT_INT(hears(A, at_a[i]), 0);
		struct media_params a = wide(A);
		EXPECT_INT(mstream_set_params(A->s, &a), ST_OK);
		A->is_wide = true, A->pt = 97;
		EXPECT_INT(hears(A, at_a[i]), 0);
		EXPECT_INT(hears(B, at_b[i]), 0);
		a = peer_params(A);
		EXPECT_INT(mstream_set_params(A->s, &a), ST_OK);
		A->is_wide = false, A->pt = 0;
		EXPECT_INT(hears(A, at_a[i]), 0);
		EXPECT_INT(hears(B, at_b[i]), 0);
		EXPECT_INT(report_count(A, MEDIA_R_TAP_DONE), i);
		if (i)
			EXPECT_INT(mstream_tap_stop(A->s, id), ST_OK);
		EXPECT_INT(wait_report(A, MEDIA_R_TAP_DONE, i + 1), 0);
		EXPECT_INT(report_last(A, MEDIA_R_TAP_DONE)->status, i ? ST_CANCELLED : ST_OK);
		EXPECT(i || clock_mono_us() - begun_us > 2900000);
		EXPECT_INT(hears(A, "B"), 0);
	}
	return room_stop();
}

static void send_pcm(struct peer *p, const int16_t *s, size_t n) NO_ROLE_CHECK
{
	uint8_t b[160];
	for (size_t at = 0; at + 160 <= n; at += 160) {
		for (size_t i = 0; i < 160; i++)
			b[i] = g711_ulaw_encode(s[at + i]);
		peer_send(p, 0, false, p->seq++, p->ts += 160, b, 160);
		pump_ms(20);
	}
}

static int test_watches(void)
{
	role_assert_ctl();
	uint32_t id, other;
	static int16_t s[4000];
	EXPECT_INT(call(1, 2), 0);
	struct media_tone_conf both = {.freqs_hz = {HZ_A, 620}, .freq_count = 2},
	                       one = {.freqs_hz = {HZ_A}, .freq_count = 1},
	                       of_b = {.freqs_hz = {HZ_B}, .freq_count = 1, .on_write = true};
	EXPECT_INT(mstream_detect_tone(A->s, &both, &other), ST_OK); /* only half of it is there */
	EXPECT_INT(mstream_detect_tone(A->s, &one, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_EVENT, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_EVENT)->id, id);
	EXPECT_INT(mstream_detect_tone(A->s, &of_b, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_EVENT, 2), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_EVENT)->id, id);
	one.hits = 3, one.sleep_frames = 5;
	int64_t from = clock_mono_us();
	EXPECT_INT(mstream_detect_tone(A->s, &one, &id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_EVENT, 3), 0);
	EXPECT(clock_mono_us() - from > 200000); /* three hits, 100 ms apart at least */
	/* Silence after sound; sound. */
	struct media_energy_conf silence = {.wants_silence = true, .level = 200, .hits = 10, .listen_hits = 5};
	EXPECT_INT(mstream_detect_energy(A->s, &silence, &id), ST_OK);
	pump_ms(300);
	EXPECT_INT(report_count(A, MEDIA_R_TAP_EVENT), 3); /* it sounds */
	A->is_sending = false;
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_EVENT, 4), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_EVENT)->id, id);
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_DONE, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_TAP_DONE)->status, ST_OK);
	struct media_energy_conf sound = {.level = 200, .hits = 5};
	EXPECT_INT(mstream_detect_energy(A->s, &sound, &id), ST_OK);
	pump_ms(300);
	EXPECT_INT(report_count(A, MEDIA_R_TAP_EVENT), 4);
	A->is_sending = true, A->next_us = 0;
	EXPECT_INT(wait_report(A, MEDIA_R_TAP_EVENT, 5), 0);
	A->is_sending = false;
	/* Digits in the audio. */
	struct dtmf_gen gen;
	EXPECT_INT(mstream_detect_dtmf(A->s, true), ST_OK);
	EXPECT_INT(dtmf_gen_start(&gen, 8000, '7', 120, 100), ST_OK);
	memset(s, 0, sizeof(s));
	(void)dtmf_gen_read(&gen, s, 4000);
	send_pcm(A, s, 3200);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 1), 0);
	EXPECT_INT(report_last(A, MEDIA_R_DTMF)->digit, '7');
	EXPECT(report_last(A, MEDIA_R_DTMF)->is_inband);
	/* two packets lost in the middle of one: it is one digit all the same */
	EXPECT_INT(dtmf_gen_start(&gen, 8000, '0', 160, 100), ST_OK);
	memset(s, 0, sizeof(s));
	(void)dtmf_gen_read(&gen, s, 4000);
	send_pcm(A, s, 480);
	A->seq = (uint16_t)(A->seq + 2), A->ts += 320;
	send_pcm(A, s + 800, 2400);
	EXPECT_INT(dtmf_gen_start(&gen, 8000, '8', 120, 100), ST_OK);
	(void)dtmf_gen_read(&gen, s, 4000);
	send_pcm(A, s, 1600);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 3), 0);
	EXPECT_INT(report_last(A, MEDIA_R_DTMF)->digit, '8');
	EXPECT_INT(mstream_detect_dtmf(A->s, false), ST_OK);
	EXPECT_INT(mstream_tap_stop(A->s, other), ST_OK);
	EXPECT_INT(mstream_tap_stop(A->s, 999), ST_NOTFOUND);
	return room_stop();
}

static bool has_tones(void *arg)
{
	const struct peer *p = arg;
	return level_of(p, 770) > 1000 && level_of(p, 1336) > 1000;
}

/* A telephone-event of A's, five packets and its end. */
static void send_five(struct peer *p) NO_ROLE_CHECK
{
	uint8_t b[4];
	p->ts += 1600;
	for (int i = 1; i <= 8; i++) {
		struct telev_event e = {
		    .event = 5, .volume_dbm0 = 10, .is_end = i > 5, .duration = (uint16_t)(i > 5 ? 1600 : 320 * i)};
		telev_write(b, &e);
		peer_send(p, 101, i == 1, p->seq++, p->ts, b, 4);
	}
}

static int test_generate(void)
{
	role_assert_ctl();
	EXPECT_INT(call(1, 2), 0);
	A->is_sending = false;
	for (int round = 0; round < 2; round++) {
		if (round == 0)
			EXPECT_INT(mstream_generate_dtmf(A->s, true, true), ST_OK);
		else
			EXPECT_INT(mstream_generate_dtmf(B->s, false, true), ST_OK);
		EXPECT_INT(settle(), 0);
		B->count = 0;
		send_five(A);
		EXPECT_INT(pump(has_tones, B, WAIT_MS), 0);
		EXPECT_INT(wait_report(A, MEDIA_R_DTMF, (size_t)round + 1), 0);
		EXPECT_INT(wait_report(B, MEDIA_R_DTMF_SENT, (size_t)round + 1), 0);
		for (size_t i = 0; i < B->count; i++)
			EXPECT_INT(B->kept[i].pt, 0);
		EXPECT_INT(mstream_generate_dtmf(A->s, true, false), ST_OK);
	}
	EXPECT_INT(mstream_generate_dtmf(B->s, false, false), ST_OK);
	EXPECT_INT(settle(), 0);
	B->count = 0;
	send_five(A);
	EXPECT_INT(pump(has_packets, &(struct want){.p = B, .count = 8}, WAIT_MS), 0);
	EXPECT_INT(B->kept[7].pt, 101);
	/* In a changed direction an event is sent anew. */
	EXPECT_INT(mstream_set_level(A->s, &(struct media_level){.steps = {1, 0}}), ST_OK);
	EXPECT_INT(settle(), 0);
	B->count = 0;
	send_five(A);
	EXPECT_INT(wait_report(B, MEDIA_R_DTMF_SENT, 3), 0);
	struct telev_rx rx = {0};
	struct telev_report r;
	unsigned digits = 0;
	for (size_t i = 0; i < B->count; i++)
		if (B->kept[i].pt == 101 && telev_rx_packet(&rx, B->kept[i].payload, 4, B->kept[i].ts, 0, &r))
			digits += r.digit == '5' && r.duration >= 1400 && r.duration <= 1800;
	EXPECT_INT(digits, 1);
	return room_stop();
}

static int wav_read(const char *path, struct file_pcm *out) NO_ROLE_CHECK
{
	return file_read_all(path, 8000, 8000 * 60, out, NULL);
}

/* The longest stretch of silence, in frames of 20 ms. */
static size_t longest_silence(const struct file_pcm *pcm)
{
	size_t run = 0, longest = 0;
	for (size_t i = 1600; i + 1760 <= pcm->count; i += 160) {
		run = mix_level_abs(pcm->samples + i, 160) > 1000 ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static int test_masked_record(void)
{
	role_assert_ctl();
	enum { STEP_MS = 600, SLACK_MS = 300 };
	char path[] = P_tmpdir "/tandem-taps-XXXXXX.wav";
	int fd = mkstemps(path, 4);
	uint32_t id;
	struct media_record_conf conf = {.has_read = true, .has_write = true};
	struct file_pcm pcm;
	int64_t at[5];
	EXPECT(fd >= 0);
	EXPECT_INT(call(1, 2), 0);
	at[0] = clock_mono_us();
	EXPECT_INT(mstream_record(A->s, path, &conf, &id), ST_OK);
	for (int i = 1; i < 5; i++) { /* as it is, masked, paused, as it is */
		pump_ms(STEP_MS);
		at[i] = clock_mono_us();
		if (i < 4)
			EXPECT_INT(mstream_record_set(A->s, id, i == 1, i == 2), ST_OK);
	}
	EXPECT_INT(mstream_record_stop(A->s, id), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_RECORD_DONE, 1), 0);
	int64_t ms = (int64_t)report_last(A, MEDIA_R_RECORD_DONE)->samples / 8;
	int64_t unpaused_ms = (at[4] - at[3] + at[2] - at[0]) / 1000;
	EXPECT(llabs(ms - unpaused_ms) < SLACK_MS);
	EXPECT_INT(room_stop(), 0);
	EXPECT_INT(wav_read(path, &pcm), 0);
	size_t masked = (size_t)(at[2] - at[1]) / 20000, silent = longest_silence(&pcm);
	file_pcm_free(&pcm);
	(void)remove(path);
	close(fd);
	EXPECT(silent + 8 > masked && silent < masked + 15);
	return 0;
}

/* Everything at once, closed as it is, in any order. */
static int test_closed_in_every_state(void)
{
	role_assert_ctl();
	for (unsigned round = 0; round < 8; round++) {
		uint32_t id;
		struct media_displace_conf conf = {.on_write = true};
		struct media_energy_conf energy = {.level = 100, .hits = 1000};
		struct media_tone_conf tone = {.freqs_hz = {HZ_C}, .freq_count = 1};
		EXPECT_INT(room_start(2, 4), 0);
		for (size_t i = 0; i < 4; i++)
			peers[i].is_sending = true, peers[i].hz = hz_all[i];
		if (round & 1)
			EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
		EXPECT_INT(mstream_spy(C->s, A->s, 15, &id), ST_OK);
		EXPECT_INT(mstream_spy(D->s, A->s, 15, &id), ST_OK);
		EXPECT_INT(mstream_spy(A->s, C->s, 15, &id), round & 1 ? ST_INVAL : ST_OK); /* in a circle */
		EXPECT_INT(mstream_displace(A->s, "tone_stream://%(500,0,300)", &conf, 1, &id), ST_OK);
		EXPECT_INT(mstream_set_level(A->s, &(struct media_level){.steps = {1, 1}}), ST_OK);
		EXPECT_INT(mstream_set_level(C->s, &(struct media_level){.steps = {1, 1}}), ST_OK);
		EXPECT_INT(mstream_detect_energy(D->s, &energy, &id), ST_OK);
		EXPECT_INT(mstream_detect_tone(B->s, &tone, &id), ST_OK);
		EXPECT_INT(mstream_detect_dtmf(B->s, true), ST_OK);
		pump_ms(round & 2 ? 200 : 0);
		if (round & 4)
			mstream_close(peers[round & 3].s);
		if (round & 2)
			EXPECT_INT(mstream_tap_stop(A->s, id), ST_NOTFOUND);
		EXPECT_INT(room_stop(), 0);
	}
	return 0;
}

TEST_MAIN({"levels and mute, and direct again", test_level, TEST_LOOP}, {"spies hear and whisper", test_spy, TEST_LOOP},
    {"a spy on a phone that talks to nobody", test_spy_alone, TEST_LOOP},
    {"spies and threads", test_spy_moves, TEST_LOOP}, {"spies and codecs", test_codecs, TEST_LOOP},
    {"displaced sound", test_displace, TEST_LOOP}, {"displaced sound at another rate", test_displace_rate, TEST_LOOP},
    {"watches: tones, energy, digits", test_watches, TEST_LOOP}, {"digits as tones", test_generate, TEST_LOOP},
    {"records masked and paused", test_masked_record, TEST_LOOP},
    {"closed in every state", test_closed_in_every_state, TEST_LOOP})
