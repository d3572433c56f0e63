/* Relays over real sockets: headers, payload types, source learning and its attackers, transcoding, digits, closing in
 * every state, ports running out, two media threads. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "codec/codec.h"
#include "peer.h"
#include "rtp/telev.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define A (&peers[0])
#define B (&peers[1])
#define X (&peers[2])

static int wait_packets(struct peer *p, size_t count)
{
	role_assert_ctl();
	return pump(has_packets, &(struct want){.p = p, .count = count}, 4000);
}

static int wait_report(struct peer *p, enum media_report_kind kind, size_t count)
{
	role_assert_ctl();
	return pump(has_report, &(struct want){.p = p, .kind = kind, .count = count}, 4000);
}

static int test_both_ways(void)
{
	role_assert_ctl();
	uint8_t a[160], b[160];
	memset(a, 0x11, sizeof(a)), memset(b, 0x22, sizeof(b));
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 20; i++) {
		a[0] = (uint8_t)i;
		peer_send(A, 0, i == 0, (uint16_t)(65530 + i), 1000 + 160u * (unsigned)i, a, sizeof(a));
		peer_send(B, 0, false, (uint16_t)(100 + i), 160u * (unsigned)i, b, sizeof(b));
		EXPECT_INT(wait_packets(B, (size_t)i + 1), 0);
		EXPECT_INT(wait_packets(A, (size_t)i + 1), 0);
	}
	EXPECT_INT(expect_continuous(B, 0), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	for (int i = 0; i < 20; i++) {
		EXPECT_INT(B->kept[i].n, 160);
		EXPECT_INT(B->kept[i].payload[0], i);
		EXPECT_INT(B->kept[i].payload[1], 0x11);
		EXPECT_INT(B->kept[i].ts - B->kept[0].ts, 160 * i);
		EXPECT_INT(B->kept[i].is_marked, i == 0);
		EXPECT_INT(A->kept[i].payload[7], 0x22);
	}
	EXPECT(B->kept[0].ssrc != A->ssrc);           /* our own */
	EXPECT(addr_eq(&B->kept[0].from, &B->local)); /* symmetric */
	EXPECT_INT(wait_report(A, MEDIA_R_FIRST_PACKET, 1), 0);
	EXPECT_INT(mstream_stats_ask(A->s), ST_OK);
	EXPECT_INT(wait_report(A, MEDIA_R_STATS, 2), 0);
	const struct media_stats *st = &report_last(A, MEDIA_R_STATS)->stats;
	EXPECT_INT(st->in_packets, 20);
	EXPECT_INT(st->in_media_packets, 20);
	EXPECT_INT(st->out_packets, 20);
	EXPECT_INT(st->in_lost_packets, 0);
	EXPECT_INT(st->in_bytes, 20 * 172);
	EXPECT_INT(mstream_idle(A->s), ST_OK);
	return room_stop();
}

/* Control has joined them and told the phone, and its iteration, at whose end the media thread is woken, goes on: the
 * phone's first packet finds them joined. */
static int test_first_packet(void)
{
	role_assert_ctl();
	uint8_t a[160] = {7}, got[300];
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 20; i++) {
		struct pollfd fd = {.fd = B->fd, .events = POLLIN};
		EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
		peer_send(A, 0, false, (uint16_t)(10 + i), 1600 + 160u * (unsigned)i, a, sizeof(a));
		EXPECT_INT(poll(&fd, 1, 4000), 1);
		EXPECT_INT(recv(B->fd, got, sizeof(got), 0), 172);
		EXPECT_INT(mstream_idle(A->s), ST_OK);
		EXPECT_INT(settle(), 0);
	}
	return room_stop();
}

static int test_loss_and_new_source(void)
{
	role_assert_ctl();
	uint8_t a[160] = {1};
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	peer_send(A, 0, true, 10, 1600, a, 160);
	peer_send(A, 0, false, 11, 1760, a, 160);
	peer_send(A, 0, false, 13, 2080, a, 160); /* 12 was lost */
	EXPECT_INT(wait_packets(B, 3), 0);
	EXPECT_INT((uint16_t)(B->kept[2].seq - B->kept[1].seq), 2);
	EXPECT_INT(B->kept[2].ts - B->kept[1].ts, 320);
	A->ssrc = 0xabcdef; /* the phone begins a new stream */
	peer_send(A, 0, false, 50000, 99999, a, 160);
	peer_send(A, 0, false, 50001, 99999 + 160, a, 160);
	EXPECT_INT(wait_packets(B, 5), 0);
	EXPECT_INT((uint16_t)(B->kept[3].seq - B->kept[2].seq), 1);
	EXPECT(B->kept[3].ts - B->kept[2].ts >= 160 && B->kept[3].ts - B->kept[2].ts < 8000);
	EXPECT(B->kept[3].is_marked);
	EXPECT(B->kept[3].ssrc == B->kept[0].ssrc);
	EXPECT_INT(B->kept[4].ts - B->kept[3].ts, 160);
	/* Nonsense and foreign payload types do not get through. */
	peer_send_raw(A, "x", 1);
	peer_send_raw(A, "\x80\x00garbage", 9);
	peer_send_raw(A, "\xbf\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00", 13);
	peer_send(A, 77, false, 50002, 100319, a, 160);
	peer_send(A, 0, false, 50003, 100479, a, 160);
	EXPECT_INT(wait_packets(B, 6), 0);
	EXPECT_INT((uint16_t)(B->kept[5].seq - B->kept[4].seq), 2);
	return room_stop();
}

static int test_pt_mapping(void)
{
	role_assert_ctl();
	uint8_t a[4] = {9, 8, 7, 6};
	EXPECT_INT(room_start(1, 2), 0);
	struct media_params pa = peer_params(A), pb = peer_params(B);
	pa.send = pa.recv = (struct media_codec){
	    .name = "SILK", .pt = 96, .clock_hz = 48000, .rate_hz = 48000, .channels = 2, .ptime_ms = 20};
	pb.send = pb.recv = pa.recv;
	pb.send.pt = 111, pb.recv.pt = 111;
	EXPECT_INT(mstream_set_params(A->s, &pa), ST_OK);
	EXPECT_INT(mstream_set_params(B->s, &pb), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	peer_send(A, 96, false, 1, 0, a, 4);
	peer_send(B, 111, false, 1, 0, a, 3);
	EXPECT_INT(wait_packets(B, 1), 0);
	EXPECT_INT(wait_packets(A, 1), 0);
	EXPECT_INT(B->kept[0].pt, 111);
	EXPECT_INT(B->kept[0].n, 4);
	EXPECT_INT(A->kept[0].pt, 96);
	EXPECT_INT(A->kept[0].payload[2], 7);
	/* SILK and PCMU cannot be joined here. */
	struct media_params other = peer_params(B);
	EXPECT_INT(mstream_set_params(B->s, &other), ST_OK);
	EXPECT_INT(mstream_idle(A->s), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_UNSUPPORTED);
	return room_stop();
}

/* Somebody else's packets neither reach the call (inject) nor turn its sound to him (bleed). */
static int test_strict_source(void)
{
	role_assert_ctl();
	uint8_t good[160] = {1}, bad[160] = {66};
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(peer_open(X), 0);
	X->to = A->local;
	for (int i = 0; i < 8; i++) /* before anything is negotiated with this address */
		peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 30; i++) {
		peer_send(X, 0, false, (uint16_t)(1000 + i), 160u * (unsigned)i, bad, 160);
		peer_send(A, 0, false, (uint16_t)i, 160u * (unsigned)i, good, 160);
		peer_send(B, 0, false, (uint16_t)i, 160u * (unsigned)i, good, 160);
		EXPECT_INT(wait_packets(B, (size_t)i + 1), 0);
	}
	pump_ms(50);
	EXPECT_INT(B->count, 30);
	for (size_t i = 0; i < B->count; i++)
		EXPECT_INT(B->kept[i].payload[0], 1);
	EXPECT_INT(X->count, 0);
	EXPECT_INT(A->count, 30);
	return room_stop();
}

static int learning_params(struct peer *p, const char *signalled_host)
{
	role_assert_ctl();
	struct media_params m = peer_params(p);
	m.source_mode = MEDIA_SOURCE_NAT;
	m.is_remote_hidden = true;
	EXPECT_INT(addr_parse(&m.remote_rtp, sv_of(signalled_host), 9), ST_OK);
	EXPECT_INT(mstream_set_params(p->s, &m), ST_OK);
	return 0;
}

static int test_learns_and_locks(void)
{
	role_assert_ctl();
	uint8_t good[160] = {1}, bad[160] = {66};
	EXPECT_INT(room_start(1, 0), 0);
	for (int i = 0; i < 2; i++) {
		EXPECT_INT(peer_open(&peers[i]), 0);
		EXPECT_INT(peer_stream(&peers[i], NULL), 0);
	}
	EXPECT_INT(peer_params_set(B), 0);
	EXPECT_INT(peer_open(X), 0);
	X->to = A->local;
	EXPECT_INT(learning_params(A, "127.0.0.99"), 0); /* a phone behind NAT signals what nobody can reach */
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	/* Shots out of order from an attacker do not make him believed, whatever their number. */
	for (int i = 0; i < 20; i++)
		peer_send(X, 0, false, (uint16_t)(i * 7), 0, bad, 160);
	for (int i = 0; i < 10; i++)
		peer_send(A, 0, false, (uint16_t)i, 160u * (unsigned)i, good, 160);
	EXPECT_INT(wait_report(A, MEDIA_R_LEARNED, 1), 0);
	EXPECT(addr_eq(&report_last(A, MEDIA_R_LEARNED)->addr, &A->addr));
	struct addr where;
	EXPECT(mstream_peer_addr(A->s, &where) && addr_eq(&where, &A->addr));
	EXPECT_INT(wait_packets(B, 6), 0);
	for (int i = 0; i < 30; i++) /* too late: locked */
		peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
	peer_send(B, 0, false, 1, 0, good, 160);
	EXPECT_INT(wait_packets(A, 1), 0);
	/* Equal parameters keep the lock. */
	EXPECT_INT(learning_params(A, "127.0.0.99"), 0);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 10; i++)
		peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
	peer_send(A, 0, false, 10, 1600, good, 160);
	EXPECT_INT(wait_packets(B, 7), 0);
	pump_ms(30);
	for (size_t i = 0; i < B->count; i++)
		EXPECT_INT(B->kept[i].payload[0], 1);
	EXPECT_INT(X->count, 0);
	/* Another signalled address opens the window again: the phone moved to X's place. */
	EXPECT_INT(learning_params(A, "127.0.0.98"), 0);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 6; i++)
		peer_send(X, 0, false, (uint16_t)(500 + i), 160u * (unsigned)i, good, 160);
	EXPECT_INT(wait_report(A, MEDIA_R_LEARNED, 2), 0);
	EXPECT(addr_eq(&report_last(A, MEDIA_R_LEARNED)->addr, &X->addr));
	return room_stop();
}

static int test_signalled_wins(void)
{
	role_assert_ctl();
	uint8_t good[160] = {1}, bad[160] = {66};
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(peer_open(X), 0);
	X->to = A->local;
	struct media_params m = peer_params(A);
	m.source_mode = MEDIA_SOURCE_NAT;
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 4; i++) /* one too few */
		peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
	peer_send(A, 0, false, 77, 0, good, 160);
	for (int i = 4; i < 20; i++)
		peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
	peer_send(B, 0, false, 1, 0, good, 160);
	EXPECT_INT(wait_packets(A, 1), 0);
	pump_ms(30);
	EXPECT_INT(B->count, 1);
	EXPECT_INT(B->kept[0].payload[0], 1);
	EXPECT_INT(X->count, 0);
	EXPECT_INT(report_count(A, MEDIA_R_LEARNED), 0);
	return room_stop();
}

static uint64_t wrong_count(struct peer *p)
{
	role_assert_ctl();
	(void)settle();
	return report_last(p, MEDIA_R_STATS)->stats.in_wrong_source_packets;
}

/* A stranger's flood of a socket that may still hear others ends in the kernel, and the right ones come through. */
static int test_strangers_flood(void)
{
	role_assert_ctl();
	uint8_t good[160] = {1}, bad[160] = {66};
	struct addr elsewhere;
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(peer_open(X), 0);
	close(X->fd); /* from another host than A's */
	EXPECT_INT(addr_parse(&elsewhere, SV("127.0.0.66"), 0), ST_OK);
	X->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	EXPECT_INT(bind(X->fd, &elsewhere.sa, addr_len(&elsewhere)), 0);
	X->to = A->local;
	struct media_params m = peer_params(A);
	m.source_mode = MEDIA_SOURCE_NAT;
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 50; i++)
			peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
		EXPECT_INT(settle(), 0);
	}
	uint64_t wrong = wrong_count(A);
	EXPECT(wrong >= 64 && wrong < 200); /* of 1,000 */
	for (int i = 0; i < 100; i++)
		peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
	peer_send(A, 0, false, 1, 0, good, 160);
	EXPECT_INT(wait_packets(B, 1), 0);
	EXPECT_INT(wrong_count(A), wrong);
	EXPECT_INT(B->kept[0].payload[0], 1);
	/* RTCP the same. */
	struct addr rtcp = A->local;
	addr_set_port(&rtcp, (uint16_t)(addr_port(&rtcp) + 1));
	X->to = rtcp;
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 50; i++)
			peer_send(X, 0, false, (uint16_t)i, 160u * (unsigned)i, bad, 160);
		EXPECT_INT(settle(), 0);
	}
	EXPECT(wrong_count(A) - wrong >= 64 && wrong_count(A) - wrong < 200);
	return room_stop();
}

static struct media_params alaw_params(const struct peer *p)
{
	struct media_params m = peer_params(p);
	memcpy(m.send.name, "PCMA", 5), memcpy(m.recv.name, "PCMA", 5);
	m.send.pt = m.recv.pt = 8;
	return m;
}

static int test_ulaw_alaw(void)
{
	role_assert_ctl();
	static int16_t pcm[80000];
	EXPECT_INT(room_start(1, 2), 0);
	struct media_params m = alaw_params(B);
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = true, A->hz = 440;
	B->is_sending = true, B->hz = 1000, B->is_alaw = true, B->pt = 8;
	EXPECT_INT(wait_packets(B, 50), 0);
	EXPECT_INT(wait_packets(A, 40), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	EXPECT_INT(B->kept[3].pt, 8);
	EXPECT_INT(A->kept[3].pt, 0);
	size_t n = peer_samples(B, 0, 8, true, pcm, 80000);
	EXPECT(n > 4000 && tone_share(pcm, 4000, 440) > 0.95);
	n = peer_samples(A, 0, 0, false, pcm, 80000);
	EXPECT(n > 4000 && tone_share(pcm, 4000, 1000) > 0.95);
	return room_stop();
}

/* Packet times and rates that differ go through the queue. */
static int test_repacketised(void)
{
	role_assert_ctl();
	static int16_t pcm[80000];
	EXPECT_INT(room_start(1, 2), 0);
	struct media_params m = alaw_params(B);
	m.send.ptime_ms = 30;
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = true, A->hz = 440;
	EXPECT_INT(wait_packets(B, 30), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	for (size_t i = 1; i < B->count; i++) {
		EXPECT_INT(B->kept[i].n, 240);
		EXPECT_INT(B->kept[i].ts - B->kept[i - 1].ts, 240);
	}
	EXPECT(peer_samples(B, 0, 8, true, pcm, 80000) > 4000 && tone_share(pcm, 4000, 440) > 0.95);
	/* L16 at 16 kHz: rate and clock double. */
	m = peer_params(B);
	m.send = m.recv = (struct media_codec){
	    .name = "L16", .pt = 97, .clock_hz = 16000, .rate_hz = 16000, .channels = 1, .ptime_ms = 10};
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	pump_ms(60);
	size_t from = B->count;
	EXPECT_INT(wait_packets(B, from + 30), 0);
	for (size_t i = from + 1; i < B->count; i++) {
		EXPECT_INT(B->kept[i].pt, 97);
		EXPECT_INT(B->kept[i].n, 320);
		EXPECT_INT(B->kept[i].ts - B->kept[i - 1].ts, 160);
	}
	return room_stop();
}

static void send_digit(struct peer *p, char digit, uint32_t ts, int packets, int ends)
{
	uint8_t b[TELEV_PAYLOAD_BYTES];
	for (int i = 1; i <= packets + ends; i++) {
		int steps = i > packets ? packets : i;
		struct telev_event e = {.event = (uint8_t)telev_of_digit(digit),
		    .volume_dbm0 = 10,
		    .is_end = i > packets,
		    .duration = (uint16_t)(160 * steps)};
		telev_write(b, &e);
		peer_send(p, 101, i == 1, p->seq++, ts, b, sizeof(b));
	}
}

static int test_digits_once_and_relayed(void)
{
	role_assert_ctl();
	uint8_t a[160] = {0};
	EXPECT_INT(room_start(1, 2), 0);
	struct media_params m = peer_params(B);
	m.dtmf_send_pt = m.dtmf_recv_pt = 96;
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	peer_send(A, 0, false, A->seq++, 8000, a, 160);
	send_digit(A, '5', 8160, 5, 3);
	send_digit(A, '#', 9600, 5, 3);
	send_digit(A, '1', 11200, 5, 0); /* its end is lost */
	peer_send(A, 0, false, A->seq++, 13000, a, 160);
	EXPECT_INT(wait_packets(B, 23), 0);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 3), 0);
	pump_ms(300);
	EXPECT_INT(report_count(A, MEDIA_R_DTMF), 3);
	char got[8] = "";
	size_t n = 0;
	for (size_t i = 0; i < A->report_count; i++)
		if (A->reports[i].kind == MEDIA_R_DTMF && n < 7)
			got[n++] = A->reports[i].digit;
	EXPECT_STR(got, "5#1");
	EXPECT_INT(report_last(A, MEDIA_R_DTMF)->duration, 800);
	EXPECT_INT(B->count, 23);
	for (size_t i = 1; i < 22; i++)
		EXPECT_INT(B->kept[i].pt, 96);
	for (size_t i = 1; i < 9; i++)
		EXPECT(B->kept[i].ts == B->kept[1].ts);
	EXPECT_INT(B->kept[1].ts - B->kept[0].ts, 160);
	EXPECT_INT(B->kept[22].ts - B->kept[0].ts, 5000);
	EXPECT_INT(expect_continuous(B, 0), 0);
	return room_stop();
}

/* The same digits, but told only; one whose beginning went through goes through to its end. */
static int test_digits_captured(void)
{
	role_assert_ctl();
	uint8_t a[160] = {0}, event[4];
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	struct telev_event e = {.event = 3, .volume_dbm0 = 10, .duration = 160};
	telev_write(event, &e);
	peer_send(A, 101, true, A->seq++, 800, event, 4);
	EXPECT_INT(wait_packets(B, 1), 0);
	EXPECT_INT(mstream_capture_dtmf(A->s, true), ST_OK);
	EXPECT_INT(settle(), 0);
	e.is_end = true, e.duration = 320;
	telev_write(event, &e);
	peer_send(A, 101, false, A->seq++, 800, event, 4);
	EXPECT_INT(wait_packets(B, 2), 0);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 1), 0);
	EXPECT(!report_last(A, MEDIA_R_DTMF)->is_captured);
	send_digit(A, '*', 8160, 5, 3);
	send_digit(A, '1', 9600, 5, 0); /* its end is lost */
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 3), 0);
	EXPECT_INT(report_last(A, MEDIA_R_DTMF)->digit, '1');
	EXPECT_INT(report_last(A, MEDIA_R_DTMF)->duration, 800);
	EXPECT(report_last(A, MEDIA_R_DTMF)->is_captured);
	peer_send(A, 0, false, A->seq++, 13000, a, 160);
	EXPECT_INT(wait_packets(B, 3), 0); /* sound goes on */
	EXPECT_INT(B->kept[2].pt, 0);
	EXPECT_INT(mstream_capture_dtmf(A->s, false), ST_OK);
	EXPECT_INT(settle(), 0);
	send_digit(A, '2', 16000, 5, 3);
	EXPECT_INT(wait_packets(B, 11), 0);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 4), 0);
	EXPECT(!report_last(A, MEDIA_R_DTMF)->is_captured);
	return room_stop();
}

/* What is an event's rest only is no key of its own; what goes on behind sound of ours goes on under the event's time.
 */
static int test_digits_across_a_change(void)
{
	role_assert_ctl();
	static const struct telev_event begin = {.event = 3, .volume_dbm0 = 10, .duration = 160},
	                                end = {.event = 3, .volume_dbm0 = 10, .is_end = true, .duration = 320};
	uint8_t a[160] = {0}, first[4], last[4];
	size_t at;
	telev_write(first, &begin);
	telev_write(last, &end);
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(mstream_capture_dtmf(A->s, true), ST_OK);
	EXPECT_INT(settle(), 0);
	peer_send(A, 101, true, A->seq++, 800, first, 4);
	peer_send(A, 101, false, A->seq++, 800, last, 4);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 1), 0);
	EXPECT(report_last(A, MEDIA_R_DTMF)->is_captured); /* control tells it */
	EXPECT_INT(mstream_capture_dtmf(A->s, false), ST_OK);
	EXPECT_INT(settle(), 0);
	peer_send(A, 101, false, A->seq++, 800, last, 4);
	peer_send(A, 101, false, A->seq++, 800, last, 4);
	peer_send(A, 0, false, A->seq++, 1600, a, 160);
	EXPECT_INT(wait_packets(B, 1), 0);
	EXPECT_INT(B->kept[0].pt, 0);

	peer_send(A, 101, true, A->seq++, 8000, first, 4);
	EXPECT_INT(wait_packets(B, 2), 0);
	EXPECT_INT(mstream_play(B->s, "silence_stream://100", 1, NULL), ST_OK);
	EXPECT_INT(wait_report(B, MEDIA_R_PLAY_DONE, 1), 0);
	EXPECT_INT(settle(), 0);
	at = B->count;
	EXPECT(at > 4);
	peer_send(A, 101, false, A->seq++, 8000, last, 4);
	EXPECT_INT(wait_packets(B, at + 1), 0);
	EXPECT_INT(B->kept[at].pt, 101);
	EXPECT(B->kept[at].ts == B->kept[1].ts);
	EXPECT_INT((uint16_t)(B->kept[at].seq - B->kept[at - 1].seq), 1);
	EXPECT_INT(wait_report(A, MEDIA_R_DTMF, 2), 0);
	EXPECT(!report_last(A, MEDIA_R_DTMF)->is_captured);
	return room_stop();
}

static int test_digits_sent(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = true, A->hz = 440;
	EXPECT_INT(wait_packets(B, 10), 0);
	EXPECT_INT(mstream_send_dtmf(B->s, "12", 100), ST_OK);
	EXPECT_INT(wait_report(B, MEDIA_R_DTMF_SENT, 1), 0);
	EXPECT_INT(wait_packets(B, B->count + 5), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	struct telev_rx rx = {0};
	struct telev_report r;
	char got[8] = "";
	size_t n = 0, first = 0, last = 0;
	for (size_t i = 0; i < B->count; i++) {
		if (B->kept[i].pt != 101)
			continue;
		first = first ? first : i;
		last = i;
		if (telev_rx_packet(&rx, B->kept[i].payload, B->kept[i].n, B->kept[i].ts, B->kept[i].at_us, &r) &&
		    n < 7) {
			got[n++] = r.digit;
			EXPECT(r.duration >= 700 && r.duration <= 1000);
		}
	}
	EXPECT_STR(got, "12");
	EXPECT(B->kept[first].is_marked);
	for (size_t i = first; i <= last; i++)
		EXPECT_INT(B->kept[i].pt, 101); /* no audio between and in the digits */
	/* To who takes no telephone-event: in the audio. */
	struct media_params m = peer_params(B);
	m.dtmf_send_pt = -1;
	A->is_sending = false;
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	pump_ms(50);
	peer_clear(B);
	EXPECT_INT(mstream_send_dtmf(B->s, "5", 200), ST_OK);
	EXPECT_INT(wait_report(B, MEDIA_R_DTMF_SENT, 1), 0);
	static int16_t pcm[8000];
	EXPECT(peer_samples(B, 0, 0, false, pcm, 8000) >= 1440);
	EXPECT(tone_share(pcm, 1440, 770) > 0.25 && tone_share(pcm, 1440, 1336) > 0.25);
	return room_stop();
}

static int test_direction_and_mute(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	A->is_sending = B->is_sending = true, A->hz = B->hz = 400;
	EXPECT_INT(wait_packets(B, 5), 0);
	EXPECT_INT(wait_packets(A, 5), 0);
	struct media_params m = peer_params(B);
	m.may_recv = m.may_send = false; /* B is on hold */
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	pump_ms(60);
	size_t a = A->count, b = B->count;
	pump_ms(100);
	EXPECT_INT(A->count, a);
	EXPECT_INT(B->count, b);
	EXPECT_INT(peer_params_set(B), 0);
	EXPECT_INT(wait_packets(B, b + 5), 0);
	EXPECT_INT(wait_packets(A, a + 5), 0);
	EXPECT_INT((uint16_t)(B->kept[b].seq - B->kept[b - 1].seq), 1);
	EXPECT(B->kept[b].ts - B->kept[b - 1].ts >= 800); /* the time that has passed */
	EXPECT_INT(mstream_mute(B->s, false, true), ST_OK);
	pump_ms(60);
	a = A->count, b = B->count;
	EXPECT_INT(wait_packets(A, a + 5), 0);
	EXPECT_INT(B->count, b);
	return room_stop();
}

static int test_timeout_and_rtcp(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(mstream_set_timeout(A->s, 600), ST_OK);
	A->is_sending = true, A->hz = 440;
	pump_ms(1300);
	EXPECT_INT(report_count(A, MEDIA_R_TIMEOUT), 0);
	A->is_sending = false;
	EXPECT_INT(wait_report(A, MEDIA_R_TIMEOUT, 1), 0);
	pump_ms(100);
	EXPECT_INT(report_count(A, MEDIA_R_TIMEOUT), 1);
	struct mstream *b = B->s;
	mstream_close(b);
	EXPECT_INT(wait_report(B, MEDIA_R_CLOSED, 1), 0);
	pump_ms(20);
	EXPECT(B->rtcp_count >= 1); /* a report and BYE at the end */
	return room_stop();
}

/* Streams on two threads meet on one. */
static int test_two_threads(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(2, 4), 0);
	struct peer *c = &peers[2], *d = &peers[3];
	EXPECT(mstream_thread_index(A->s) != mstream_thread_index(B->s));
	A->is_sending = B->is_sending = true, A->hz = 440, B->hz = 1000;
	EXPECT_INT(mstream_relay(A->s, c->s), ST_OK);
	EXPECT_INT(mstream_relay(B->s, d->s), ST_OK);
	EXPECT_INT(wait_packets(c, 10), 0);
	EXPECT_INT(wait_packets(d, 10), 0);
	for (int i = 0; i < 20; i++) { /* to and fro, with all that a stream has */
		EXPECT_INT(mstream_relay(i & 1 ? A->s : d->s, i & 1 ? d->s : A->s), ST_OK);
		EXPECT_INT(mstream_send_dtmf(d->s, "1", 40), ST_OK);
		EXPECT_INT(mstream_relay(B->s, c->s), ST_OK);
		pump_ms(i % 3);
		EXPECT_INT(mstream_relay(A->s, c->s), ST_OK);
		EXPECT_INT(mstream_relay(B->s, d->s), ST_OK);
		pump_ms(i % 5 * 7);
	}
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	pump_ms(100);
	EXPECT_INT(mstream_thread_index(A->s), mstream_thread_index(B->s));
	size_t a = A->count, b = B->count;
	EXPECT_INT(wait_packets(A, a + 10), 0);
	EXPECT_INT(wait_packets(B, b + 10), 0);
	EXPECT_INT(expect_continuous(A, a), 0);
	EXPECT_INT(expect_continuous(B, b), 0);
	return room_stop();
}

/* Until the media thread has taken so many packets of p. */
static int wait_taken(struct peer *p, unsigned count)
{
	role_assert_ctl();
	for (int tries = 0; tries < 2000; tries++) {
		peers[0].report_count = peers[1].report_count = peers[2].report_count = 0;
		EXPECT_INT(settle(), 0);
		const struct media_stats *st = &report_last(p, MEDIA_R_STATS)->stats;
		if (st->in_packets + st->in_flush_packets >= count)
			return 0;
	}
	return -1;
}

/* A stream that moves loses and doubles nothing. */
static int test_move_loses_nothing(void)
{
	role_assert_ctl();
	uint8_t a[160] = {1};
	EXPECT_INT(room_start(2, 3), 0);
	struct peer *c = &peers[2];
	EXPECT(mstream_thread_index(A->s) == mstream_thread_index(c->s));
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 600; i++) { /* B goes to A's thread and, when A goes to it, the other way */
		peer_send(B, 0, false, (uint16_t)i, 160u * (unsigned)i, a, 160);
		if (i % 50 == 10)
			EXPECT_INT(mstream_relay(i % 100 == 10 ? A->s : c->s, B->s), ST_OK);
		if (i % 20 == 19)
			EXPECT_INT(wait_taken(B, (unsigned)i + 1), 0);
	}
	EXPECT_INT(mstream_idle(B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	const struct media_stats *st = &report_last(B, MEDIA_R_STATS)->stats;
	EXPECT_INT(st->in_packets, 600);
	EXPECT_INT(st->in_lost_packets, 0);
	EXPECT(A->count + c->count > 400);
	return room_stop();
}

static int test_many_opened_and_closed(void)
{
	role_assert_ctl();
	static struct peer many[200];
	size_t ports_before, ports, open;
	uint64_t n;
	EXPECT_INT(room_start(2, 1), 0);
	mctl_counts(&open, &ports_before, &n, &n, &n);
	for (int round = 0; round < 3; round++) {
		memset(many, 0, sizeof(many));
		for (int i = 0; i < 200; i++) {
			EXPECT_INT(peer_stream(&many[i], i & 1 ? many[i - 1].s : NULL), 0);
			many[i].addr = A->addr;
			if (round == 2 && i % 3 == 0)
				continue; /* closed without parameters */
			EXPECT_INT(peer_params_set(&many[i]), 0);
			if (i & 1)
				(void)mstream_relay(many[i].s, many[i - 1].s);
			if (i % 5 == 0)
				EXPECT_INT(mstream_echo(many[i].s, i % 10 ? 100 : 0), ST_OK);
			if (i % 7 == 0)
				EXPECT_INT(mstream_play(many[i].s, "tone_stream://%(1000,0,440)", -1, NULL), ST_OK);
			if (i % 4 == 0)
				EXPECT_INT(mstream_send_dtmf(many[i].s, "123", 0), ST_OK);
		}
		pump_ms(round * 20);
		for (int i = 0; i < 200; i++) {
			struct mstream *s = many[i].s;
			mstream_close(s);
			EXPECT_INT(mstream_echo(s, 0), ST_CLOSED);
			mem_unref(s);
		}
		for (int i = 0; i < 200; i++)
			EXPECT_INT(wait_report(&many[i], MEDIA_R_CLOSED, 1), 0);
		for (int i = 0; i < 200; i++)
			EXPECT(many[i].reports[many[i].report_count - 1].kind == MEDIA_R_CLOSED);
	}
	mctl_counts(&open, &ports, &n, &n, &n);
	EXPECT_INT(open, 1);
	EXPECT_INT(ports, ports_before);
	return room_stop();
}

/* The old kind of hold, and a flood: neither reaches anybody. */
static int test_nowhere_and_flood(void)
{
	role_assert_ctl();
	uint8_t a[160] = {1};
	EXPECT_INT(room_start(1, 2), 0);
	struct media_params m = peer_params(B);
	EXPECT_INT(addr_parse(&m.remote_rtp, SV("0.0.0.0"), 4000), ST_OK);
	EXPECT_INT(mstream_set_params(B->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	struct addr where;
	EXPECT(!mstream_peer_addr(B->s, &where));
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 5; i++)
		peer_send(A, 0, false, (uint16_t)i, 160u * (unsigned)i, a, 160);
	pump_ms(30);
	EXPECT_INT(B->count, 0);
	EXPECT_INT(peer_params_set(B), 0);
	EXPECT_INT(settle(), 0);
	int64_t start = clock_mono_us();
	for (int i = 5; i < 1405; i++) { /* wait_taken counts those over the rate as well */
		peer_send(A, 0, false, (uint16_t)i, 160u * (unsigned)i, a, 160);
		if (i % 40 == 4) /* the socket's buffer is smaller than the flood */
			EXPECT_INT(wait_taken(A, (unsigned)i + 1), 0);
	}
	int64_t rest = 1 + (clock_mono_us() - start) / 1000000;
	const struct media_stats *st = &report_last(A, MEDIA_R_STATS)->stats;
	EXPECT(st->in_packets >= 1000 && (int64_t)st->in_packets <= 1000 * rest);
	pump_ms(30);
	EXPECT_INT(B->count, st->in_packets - 5);
	return room_stop();
}

/* No packets, no work: neither without streams nor with streams that only wait. */
static int test_idle_costs_nothing(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	uint64_t before = mctl_cpu_ns();
	pump_ms(1000);
	uint64_t spent = mctl_cpu_ns() - before;
	if (spent > 2000000)
		fprintf(stderr, "# %llu ns of a second\n", (unsigned long long)spent);
	EXPECT(spent <= 2000000); /* 0.2 % */
	return room_stop();
}

static int test_ports_run_out(void)
{
	role_assert_ctl();
	struct mctl_conf conf = {.thread_count = 1, .port_min = 23001, .port_max = 23009};
	struct peer few[5];
	size_t open, ports;
	uint64_t n;
	memset(few, 0, sizeof(few));
	EXPECT_INT(mctl_start(&conf), ST_OK);
	mctl_counts(&open, &ports, &n, &n, &n);
	EXPECT_INT(ports, 4);
	for (int i = 0; i < 4; i++) {
		EXPECT_INT(peer_stream(&few[i], NULL), 0);
		EXPECT(addr_port(&few[i].local) >= 23002 && addr_port(&few[i].local) <= 23008);
	}
	struct mstream *s = NULL;
	struct addr local = home_addr();
	EXPECT_INT(mstream_open(&s, &local, NULL, NULL, NULL), ST_INVAL);
	mctl_counts(&open, &ports, &n, &n, &n);
	EXPECT_INT(ports, 0);
	struct peer *last = &few[4];
	last->local = home_addr();
	mstream_close(few[1].s);
	EXPECT_INT(wait_report(&few[1], MEDIA_R_CLOSED, 1), 0);
	EXPECT_INT(peer_stream(last, NULL), 0); /* the one that came back */
	EXPECT_INT(addr_port(&last->local), addr_port(&few[1].local));
	struct addr again = last->local;
	EXPECT_INT(mstream_open(&s, &again, NULL, (media_report_fn)(void *)1, NULL), ST_FULL);
	EXPECT(addr_eq(&again, &last->local)); /* unchanged */
	for (int i = 0; i < 5; i++) {
		mstream_close(few[i].s);
		mem_unref(few[i].s);
	}
	mctl_stop(); /* waits for them */
	EXPECT(few[0].is_closed && few[4].is_closed);
	return 0;
}

/* Ports are even, in no order, and one that was given back is not seen again for a while. */
static int test_ports_at_random(void)
{
	role_assert_ctl();
	enum { N = 200 };
	static struct peer many[N];
	static uint8_t used[2000];
	struct mctl_conf conf = {.thread_count = 1, .port_min = 23000, .port_max = 24999};
	unsigned rising = 0, next_door = 0, last = 0;
	EXPECT_INT(mctl_start(&conf), ST_OK);
	for (int i = 0; i < N; i++) {
		EXPECT_INT(peer_stream(&many[i], NULL), 0);
		unsigned port = addr_port(&many[i].local);
		EXPECT(port >= 23000 && port < 25000 && !(port & 1) && !used[port - 23000]);
		used[port - 23000] = 1;
		rising += port > last;
		next_door += port == last + 2 || port + 2 == last;
		last = port;
		if (i % 2) { /* it rests */
			mstream_close(many[i].s);
			EXPECT_INT(wait_report(&many[i], MEDIA_R_CLOSED, 1), 0);
			many[i].s = mem_unref(many[i].s);
		}
	}
	EXPECT(rising > N / 4 && rising < N - N / 4 && next_door < 10);
	for (int i = 0; i < N; i++) {
		if (!many[i].s)
			continue;
		mstream_close(many[i].s);
		mem_unref(many[i].s);
	}
	mctl_stop();
	return 0;
}

TEST_MAIN({"relay both ways: payload, headers, statistics", test_both_ways, TEST_LOOP},
    {"the first packet after the join", test_first_packet, TEST_LOOP},
    {"loss stays loss, a new source is joined on, nonsense is dropped", test_loss_and_new_source, TEST_LOOP},
    {"payload types are mapped; codecs we cannot turn over are refused", test_pt_mapping, TEST_LOOP},
    {"a strange source is neither heard nor fed", test_strict_source, TEST_LOOP},
    {"a source is learned in sequence and locked", test_learns_and_locks, TEST_LOOP},
    {"the signalled address wins", test_signalled_wins, TEST_LOOP},
    {"a stranger's flood ends in the kernel", test_strangers_flood, TEST_LOOP},
    {"PCMU and PCMA", test_ulaw_alaw, TEST_LOOP}, {"other packet times and rates", test_repacketised, TEST_LOOP},
    {"digits: reported once, relayed with their number mapped", test_digits_once_and_relayed, TEST_LOOP},
    {"digits: captured, the peer sees none", test_digits_captured, TEST_LOOP},
    {"digits: across a change", test_digits_across_a_change, TEST_LOOP},
    {"digits: sent as events and in the audio", test_digits_sent, TEST_LOOP},
    {"hold and mute", test_direction_and_mute, TEST_LOOP}, {"time-out and RTCP", test_timeout_and_rtcp, TEST_LOOP},
    {"streams move between threads", test_two_threads, TEST_LOOP},
    {"moving loses nothing", test_move_loses_nothing, TEST_LOOP},
    {"200 streams, closed in every state", test_many_opened_and_closed, TEST_LOOP},
    {"an address that is none; a flood", test_nowhere_and_flood, TEST_LOOP},
    {"idle streams cost nothing", test_idle_costs_nothing, TEST_LOOP},
    {"ports run out and come back", test_ports_run_out, TEST_LOOP},
    {"ports at random, none again at once", test_ports_at_random, TEST_LOOP})
