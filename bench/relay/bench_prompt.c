/* What a prompt costs that many callers hear at once: one file of speech-like sound, played for ever to N streams of
 * one codec (PCMU, 50 packets a second of 172 bytes), against a bare loop that sends the same packets at the same pace
 * (a wheel of 2 ms, as the room has) by connected sockets; CPU time of the sending thread per packet, and their ratio.
 * The phones, in another process on another core, only take what comes. The two take turns. Usage: bench_prompt
 * [callers [seconds [rounds]]]. One line of JSON. */
#include "base/role.h"
#include "loop/loop.h"
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROMPT_SECONDS = 20, RATE_HZ = 8000, SLOT_US = 2000, FRAME_US = 20000, SLOTS = FRAME_US / SLOT_US };
static char prompt[64];

/* Callers are heard before they listen, so that the room knows them and its sockets are connected, as the bare loop's.
 */
static int phone_make(int i, struct rig_phone *phone, uint8_t *p)
{
	return atomic_load(&rig->is_measuring) ? 0 : rig_make_plain(i, phone, p);
}

static enum rig_taken phone_take(int i, const struct rig_phone *phone, const uint8_t *p, size_t n)
{
	return n == RIG_PACKET ? RIG_COUNTED : RIG_ODD;
}

static void put_le(FILE *f, uint32_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		fputc((int)(v >> 8 * i & 0xff), f);
}

static void prompt_make(void)
{
	uint32_t bytes = PROMPT_SECONDS * RATE_HZ * 2, noise = 1;
	snprintf(prompt, sizeof(prompt), "/tmp/bench_prompt.%d.wav", (int)getpid());
	FILE *f = fopen(prompt, "wb");
	if (!f)
		rig_die(prompt);
	fwrite("RIFF", 1, 4, f), put_le(f, 36 + bytes, 4), fwrite("WAVEfmt ", 1, 8, f), put_le(f, 16, 4);
	put_le(f, 1, 2), put_le(f, 1, 2), put_le(f, RATE_HZ, 4), put_le(f, 2 * RATE_HZ, 4), put_le(f, 2, 2);
	put_le(f, 16, 2), fwrite("data", 1, 4, f), put_le(f, bytes, 4);
	for (uint32_t i = 0; i < bytes / 2; i++) {
		noise = noise * 1664525 + 1013904223;
		put_le(f, (uint32_t)((int32_t)(noise >> 19) - 4096 + (int32_t)(i % 80) * 60) & 0xffff, 2);
	}
	if (fclose(f))
		rig_die(prompt);
}

/* ---- the sends alone ---- */
static int bare_fd[RIG_STREAMS_MAX];
static uint32_t bare_round;
static uint64_t out_at[2], bare_sent; /* packets sent when the clock was read; what has come may still wait there */
static int64_t cpu_at[2];

static void slot_send(unsigned slot)
{
	static uint8_t sound[RATE_HZ];
	uint8_t p[RIG_PACKET];
	for (int i = (int)slot; i < rig_streams; i += SLOTS) {
		rig_header(p, 0, (uint16_t)bare_round, bare_round * 160, (uint32_t)i + 1);
		memcpy(p + 12, sound + bare_round % 50 * 160, 160);
		bare_sent += send(bare_fd[i], p, sizeof(p), MSG_DONTWAIT | MSG_NOSIGNAL) == RIG_PACKET;
	}
}

static void bare_wait(int ms)
{
	int64_t begin = rig_clock(CLOCK_MONOTONIC), slots = ms * INT64_C(1000) / SLOT_US;
	for (int64_t at = 0; at < slots; at++) {
		int64_t left = begin + at * SLOT_US * 1000 - rig_clock(CLOCK_MONOTONIC);
		if (left > 0) {
			struct timespec t = {.tv_nsec = left};
			nanosleep(&t, NULL);
		}
		slot_send((unsigned)(at % SLOTS));
		bare_round += at % SLOTS == SLOTS - 1;
	}
}

static int64_t clock_kept(int64_t cpu, uint64_t out)
{
	cpu_at[0] = cpu_at[1], out_at[0] = out_at[1];
	cpu_at[1] = cpu, out_at[1] = out;
	return cpu;
}

static int64_t bare_cpu(void)
{
	return clock_kept(rig_thread_cpu(), bare_sent);
}

/* The room tells its packets four times a second: a hundredth of a stretch of 20 s is not known. */
static int64_t room_cpu(void)
{
	size_t streams, ports;
	uint64_t in, out, dropped;
	role_assert_ctl();
	mctl_counts(&streams, &ports, &in, &out, &dropped);
	return clock_kept(rig_room_cpu(), out);
}

static struct rig_figures measured(void (*wait)(int ms), int64_t (*cpu)(void))
{
	struct rig_figures f = rig_measure(wait, cpu);
	f.sent = out_at[1] - out_at[0];
	f.cpu_ns = (double)(cpu_at[1] - cpu_at[0]) / (double)(f.sent ? f.sent : 1);
	return f;
}

static struct rig_figures bare_run(void)
{
	for (int i = 0; i < rig_streams; i++) {
		bare_fd[i] = rig_socket(&rig->relay_port[i]);
		rig_connect(bare_fd[i], rig->phone_port[i]);
	}
	rig_switch();
	struct rig_figures f = measured(bare_wait, bare_cpu);
	rig_switch();
	for (int i = 0; i < rig_streams; i++)
		close(bare_fd[i]);
	return f;
}

static struct rig_figures room_run(void)
{
	uint32_t id;
	role_assert_ctl();
	rig_room_begin(1);
	for (int i = 0; i < rig_streams; i++)
		rig_room_stream(i, &rig_pcmu, NULL);
	rig_switch();
	for (int i = 0; i < rig_streams; i++) {
		if (mstream_play(rig_stream[i], prompt, -1, &id))
			rig_die("mstream_play");
		if (i % 50 == 0) /* callers come one after another */
			rig_room_wait(20);
	}
	struct rig_figures f = measured(rig_room_wait, room_cpu);
	rig_switch();
	rig_room_end();
	return f;
}

int main(int argc, char **argv)
{
	static const struct rig_hooks hooks = {.make = phone_make, .take = phone_take};
	struct rig_figures bare = {0}, room = {0};
	int rounds = argc > 3 ? atoi(argv[3]) : 2;
	if (!rig_options(argc, argv) || rounds < 1) {
		fprintf(stderr, "usage: bench_prompt [callers (2..%d) [seconds [rounds]]]\n", RIG_STREAMS_MAX);
		return 2;
	}
	prompt_make();
	rig_begin(&hooks, 1);
	if (loop_init())
		rig_die("loop_init");
	for (int i = 0; i < rounds; i++) {
		struct rig_figures b = bare_run(), r = room_run();
		rig_add(&bare, &b, rounds);
		rig_add(&room, &r, rounds);
	}
	rig_end();
	unlink(prompt);
	printf("{\"bench\":\"prompt\",\"callers\":%d,\"seconds\":%d,\"rounds\":%d,\"expected\":%d,", rig_streams,
	    rig_seconds, rounds, rig_streams * 50 * rig_seconds * rounds);
	rig_print("bare", &bare);
	printf(",");
	rig_print("room", &room);
	printf(",\"ratio\":%.2f}\n", room.cpu_ns / bare.cpu_ns);
	loop_fini();
	return 0;
}
