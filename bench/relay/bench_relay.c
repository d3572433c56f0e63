/* What a relayed packet costs: the same load (N streams, 50 packets a second of 172 bytes, sent and received by another
 * process on another core) through a bare epoll loop of connected sockets and through the media room's relays; CPU time
 * of the relaying thread per packet, their ratio, and the delay each adds. The two take turns, so that noise meets
 * both. With srtp behind the numbers the room runs once more with encryption on both legs, the phones seal what they
 * send, and what opening and sealing alone take is measured too. Usage: bench_relay [streams [seconds [rounds
 * [srtp]]]]. One line of JSON. */
#include "base/rand.h"
#include "base/role.h"
#include "loop/loop.h"
#include "media/rt/crypt.h"
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum side { SIDE_BARE, SIDE_ROOM, SIDE_SRTP, SIDE_COUNT };
enum { TAG = 10, KIND_PLAIN = 0, KIND_SEALED };
static const enum srtp_suite suite = SRTP_AES_CM_128_HMAC_SHA1_80;
static uint8_t key_in[RIG_STREAMS_MAX][SRTP_KEY_MAX], key_out[RIG_STREAMS_MAX][SRTP_KEY_MAX]; /* of the relay */

/* ---- the phones ---- */

static void phone_begin(int i, struct rig_phone *phone)
{
	struct srtp *seal;
	if (srtp_new(&seal, suite, key_in[i]))
		rig_die("srtp_new");
	phone->own = seal;
}

static int phone_make(int i, struct rig_phone *phone, uint8_t *p)
{
	int n = rig_make_plain(i, phone, p);
	return rig->kind == KIND_SEALED ? srtp_seal(phone->own, p, (size_t)n) : n;
}

static enum rig_taken phone_take(int i, const struct rig_phone *phone, const uint8_t *p, size_t n)
{
	if (rig->kind == KIND_SEALED)
		return n == RIG_PACKET + TAG ? RIG_COUNTED : RIG_ODD;
	return rig_take_plain(i, phone, p, n);
}

/* ---- the bare loop ---- */
static int bare_ep, bare_fd[RIG_STREAMS_MAX];

static void bare_wait(int ms)
{
	int64_t end = rig_clock(CLOCK_MONOTONIC) + ms * INT64_C(1000000);
	while (rig_clock(CLOCK_MONOTONIC) < end) {
		struct epoll_event ev[256];
		int n = epoll_wait(bare_ep, ev, 256, 10);
		for (int i = 0; i < n; i++) {
			uint8_t p[2048];
			int at = (int)ev[i].data.u32;
			ssize_t got = recv(bare_fd[at], p, sizeof(p), 0);
			if (got > 0)
				(void)!send(bare_fd[at ^ 1], p, (size_t)got, 0);
		}
	}
}

static struct rig_figures bare_run(void)
{
	bare_ep = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < rig_streams; i++) {
		bare_fd[i] = rig_socket(&rig->relay_port[i]);
		rig_connect(bare_fd[i], rig->phone_port[i]);
		struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
		(void)epoll_ctl(bare_ep, EPOLL_CTL_ADD, bare_fd[i], &ev);
	}
	rig_switch();
	struct rig_figures f = rig_measure(bare_wait, rig_thread_cpu);
	rig_switch();
	for (int i = 0; i < rig_streams; i++)
		close(bare_fd[i]);
	close(bare_ep);
	return f;
}

static struct rig_figures room_run(bool is_sealed)
{
	role_assert_ctl();
	rig_room_begin(1);
	for (int i = 0; i < rig_streams; i++) {
		struct rt_crypt *crypt = NULL;
		if (is_sealed && rt_crypt_srtp_new(&crypt, suite, key_out[i], key_in[i]))
			rig_die("rt_crypt_srtp_new");
		rig_room_stream(i, &rig_pcmu, crypt);
		if (i & 1)
			rig_room_relay(i);
	}
	rig_room_wait(100);
	atomic_store(&rig->kind, is_sealed ? KIND_SEALED : KIND_PLAIN);
	rig_switch();
	struct rig_figures f = rig_measure(rig_room_wait, rig_room_cpu);
	rig_switch();
	rig_room_end();
	atomic_store(&rig->kind, KIND_PLAIN);
	return f;
}

/* Opening and sealing of one packet, nothing else; the same contexts as the room's, one after another. */
static double primitives_ns(void)
{
	enum { PACKETS = 200000 };
	struct srtp *far, *in, *out;
	int64_t spent = 0;
	if (srtp_new(&far, suite, key_in[0]) || srtp_new(&in, suite, key_in[0]) || srtp_new(&out, suite, key_out[0]))
		rig_die("srtp_new");
	for (int i = 0; i < PACKETS; i++) {
		uint8_t p[RIG_PACKET + SRTP_TAIL_MAX] = {0x80, 0, (uint8_t)(i >> 8), (uint8_t)i};
		int n = srtp_seal(far, p, RIG_PACKET);
		int64_t begin = rig_thread_cpu();
		n = srtp_open(in, p, (size_t)n);
		if (n != RIG_PACKET || srtp_seal(out, p, (size_t)n) != RIG_PACKET + TAG)
			rig_die("srtp");
		spent += rig_thread_cpu() - begin;
	}
	int64_t begin = rig_thread_cpu();
	for (int i = 0; i < PACKETS; i++)
		(void)rig_thread_cpu();
	spent -= rig_thread_cpu() - begin;
	srtp_free(far), srtp_free(in), srtp_free(out);
	return (double)spent / PACKETS;
}

int main(int argc, char **argv)
{
	static const struct rig_hooks hooks = {phone_begin, phone_make, phone_take};
	int rounds = argc > 3 ? atoi(argv[3]) : 2;
	bool has_srtp = argc > 4 && !strcmp(argv[4], "srtp");
	if (!rig_options(argc, argv) || rounds < 1) {
		fprintf(stderr, "usage: bench_relay [streams (2..%d) [seconds [rounds [srtp]]]]\n", RIG_STREAMS_MAX);
		return 2;
	}
	rand_bytes(key_in, sizeof(key_in));
	rand_bytes(key_out, sizeof(key_out));
	rig_begin(&hooks, 1);
	if (loop_init())
		rig_die("loop_init");
	struct rig_figures sum[SIDE_COUNT] = {0};
	for (int i = 0; i < rounds; i++) {
		struct rig_figures bare = bare_run(), room = room_run(false);
		rig_add(&sum[SIDE_BARE], &bare, rounds);
		rig_add(&sum[SIDE_ROOM], &room, rounds);
		if (!has_srtp)
			continue;
		struct rig_figures sealed = room_run(true);
		rig_add(&sum[SIDE_SRTP], &sealed, rounds);
	}
	rig_end();
	printf("{\"bench\":\"relay\",\"streams\":%d,\"packets_per_s\":%d,\"seconds\":%d,\"rounds\":%d,", rig_streams,
	    rig_streams * 50, rig_seconds, rounds);
	rig_print("bare", &sum[SIDE_BARE]);
	printf(",");
	rig_print("room", &sum[SIDE_ROOM]);
	if (has_srtp) {
		double both = primitives_ns();
		printf(",");
		rig_print("srtp", &sum[SIDE_SRTP]);
		printf(",\"primitives_ns\":%.0f,\"srtp_ratio\":%.2f", both,
		    sum[SIDE_SRTP].cpu_ns / (sum[SIDE_ROOM].cpu_ns + both));
	}
	printf(",\"ratio\":%.2f}\n", sum[SIDE_ROOM].cpu_ns / sum[SIDE_BARE].cpu_ns);
	loop_fini();
	return 0;
}
