/* What a relay costs between two codecs: N calls of PCMU and of another codec through the media room, against plain
 * relays of the same number of streams, and against the codecs alone: the bare libraries, a decoder and an encoder for
 * each call as the room has them, worked on in turn so that their memory is as cold. CPU time of the media thread per
 * packet; the goal is said of (plain relay + codecs). Resampling between 8 and 16 kHz is the relay's. The three take
 * turns. Usage: bench_transcode G722|opus [streams [seconds [rounds]]]. One line of JSON. */
#include "../codec/bare.h"
#include "base/role.h"
#include "loop/loop.h"
#include "rig.h"

#include <spandsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FRAMES = 50, SAMPLES_MAX = 320, ULAW = 160, KIND_PLAIN = 0, KIND_CODEC, HEADER = 12 };
static const struct media_codec others[] = {
    {.name = "G722", .pt = 9, .clock_hz = 8000, .rate_hz = 16000, .channels = 1, .ptime_ms = 20},
    {.name = "opus", .pt = 96, .clock_hz = 48000, .rate_hz = 8000, .channels = 2, .ptime_ms = 20}};
static const struct media_codec *other;
static const struct bare *bare;
static int16_t sound[FRAMES * SAMPLES_MAX];
static uint8_t ulaw[FRAMES][ULAW], coded[FRAMES][1000];
static int coded_bytes[FRAMES];

static void sound_make(void)
{
	int samples = (int)bare->rate_hz / 50;
	void *enc = bare->enc(bare->rate_hz);
	bare_speech(sound, FRAMES * ULAW, 8000);
	for (int i = 0; i < FRAMES * ULAW; i++)
		ulaw[i / ULAW][i % ULAW] = linear_to_ulaw(sound[i]);
	bare_speech(sound, (size_t)(FRAMES * samples), bare->rate_hz);
	for (int i = 0; i < FRAMES; i++)
		coded_bytes[i] = bare->encode(enc, sound + i * samples, samples, coded[i]);
}

/* ---- the phones: even ones have PCMU, the others the codec ---- */

static int phone_make(int i, struct rig_phone *phone, uint8_t *p)
{
	if (rig->kind == KIND_PLAIN)
		return rig_make_plain(i, phone, p);
	int at = phone->seq++ % FRAMES, n = i & 1 ? coded_bytes[at] : ULAW;
	phone->ts += i & 1 ? other->clock_hz / 50 : ULAW;
	rig_header(p, i & 1 ? other->pt : 0, phone->seq, phone->ts, 0x10000u + (uint32_t)i);
	memcpy(p + HEADER, i & 1 ? coded[at] : ulaw[at], (size_t)n);
	return HEADER + n;
}

static enum rig_taken phone_take(int i, const struct rig_phone *phone, const uint8_t *p, size_t n)
{
	if (rig->kind == KIND_PLAIN)
		return rig_take_plain(i, phone, p, n);
	return (p[1] & 0x7f) == (i & 1 ? other->pt : 0) ? RIG_COUNTED : RIG_ODD;
}

/* ---- the codecs alone: nanoseconds a packet ---- */

static double codecs_ns(void)
{
	static void *enc[RIG_STREAMS_MAX / 2], *dec[RIG_STREAMS_MAX / 2];
	volatile int sink; /* so that nothing is left out */
	int calls = rig_streams / 2, samples = (int)bare->rate_hz / 50;
	int16_t pcm[5760];
	uint8_t out[1500];

	for (int c = 0; c < calls; c++)
		if (!enc[c])
			enc[c] = bare->enc(bare->rate_hz), dec[c] = bare->dec(bare->rate_hz);
	int64_t begin = rig_thread_cpu();
	for (int f = 0; f < FRAMES; f++)
		for (int c = 0; c < calls; c++) {
			for (int i = 0; i < ULAW; i++)
				pcm[i] = ulaw_to_linear(ulaw[f][i]);
			sink = pcm[f];
			sink = bare->encode(enc[c], sound + f * samples, samples, out);
			bare->decode(dec[c], coded[f], coded_bytes[f], pcm);
			for (int i = 0; i < ULAW; i++)
				out[i] = linear_to_ulaw(pcm[i]);
			sink = out[f];
		}
	(void)sink;
	return (double)(rig_thread_cpu() - begin) / (2.0 * FRAMES * calls);
}

static struct rig_figures room_run(int kind)
{
	role_assert_ctl();
	rig_room_begin(1);
	for (int i = 0; i < rig_streams; i++) {
		rig_room_stream(i, kind == KIND_CODEC && i & 1 ? other : &rig_pcmu, NULL);
		if (i & 1)
			rig_room_relay(i);
	}
	rig_room_wait(100);
	atomic_store(&rig->kind, kind);
	rig_switch();
	struct rig_figures f = rig_measure(rig_room_wait, rig_room_cpu);
	rig_switch();
	rig_room_end();
	return f;
}

int main(int argc, char **argv)
{
	static const struct rig_hooks hooks = {.make = phone_make, .take = phone_take};
	struct rig_figures plain = {0}, coded_sum = {0};
	double alone_ns = 0;
	int rounds = argc > 4 ? atoi(argv[4]) : 2;

	for (size_t i = 0; argc > 1 && i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(argv[1], others[i].name))
			other = &others[i];
	if (!other || !rig_options(argc - 1, argv + 1) || rounds < 1) {
		fprintf(
		    stderr, "usage: bench_transcode G722|opus [streams (2..%d) [seconds [rounds]]]\n", RIG_STREAMS_MAX);
		return 2;
	}
	bare = bare_of(other->name, other->rate_hz);
	sound_make();
	rig_begin(&hooks, 1);
	if (loop_init())
		rig_die("loop_init");
	for (int i = 0; i < rounds; i++) {
		struct rig_figures p = room_run(KIND_PLAIN), c = room_run(KIND_CODEC);
		rig_add(&plain, &p, rounds);
		rig_add(&coded_sum, &c, rounds);
		alone_ns += codecs_ns() / rounds;
	}
	rig_end();
	printf("{\"bench\":\"transcode\",\"codec\":\"%s\",\"streams\":%d,\"seconds\":%d,\"rounds\":%d,", other->name,
	    rig_streams, rig_seconds, rounds);
	rig_print("plain", &plain);
	printf(",");
	rig_print("transcoded", &coded_sum);
	printf(",\"codecs_ns\":%.0f,\"ratio\":%.2f}\n", alone_ns, coded_sum.cpu_ns / (plain.cpu_ns + alone_ns));
	loop_fini();
	return 0;
}
