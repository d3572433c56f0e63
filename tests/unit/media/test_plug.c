/* Plug-ins of a stream on real sockets: a transform of the test's own that signs and scrambles, a finder that believes
 * whoever knocks by STUN; and streams without ports. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/role.h"
#include "base/status.h"
#include "file/file.h"
#include "media/rt/rt.h"
#include "peer.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define A (&peers[0])
#define B (&peers[1])
#define X (&peers[2])
enum { WAIT_MS = 8000, TAG_BYTES = 4, HZ_A = 440, HZ_B = 1000 };

static atomic_int live_count, rtcp_count, dtls_count;

/* ---- a transform: the payload is scrambled, four bytes behind sign everything */
struct seal {
	struct rt_crypt base;
	uint8_t key;
};

static void sign(uint8_t key, const uint8_t *p, size_t n, uint8_t tag[TAG_BYTES])
{
	uint32_t sum = key * 2654435761u;
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ p[i]) * 16777619u;
	memcpy(tag, &sum, TAG_BYTES);
}

static void scramble(uint8_t key, uint8_t *p, size_t n)
{
	for (size_t i = 12; i < n; i++)
		p[i] ^= key;
}

static int seal_protect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	uint8_t key = ((struct seal *)c)->key;
	rtcp_count += is_rtcp;
	scramble(key, p, n);
	sign(key, p, n, p + n);
	return (int)n + TAG_BYTES;
}

static int seal_unprotect(struct rt_crypt *c, bool is_rtcp, uint8_t *p, size_t n)
{
	uint8_t key = ((struct seal *)c)->key, tag[TAG_BYTES];
	if (n < TAG_BYTES)
		return ST_PARSE;
	n -= TAG_BYTES;
	sign(key, p, n, tag);
	if (memcmp(tag, p + n, TAG_BYTES) != 0)
		return ST_DENIED;
	scramble(key, p, n);
	return (int)n;
}

static void seal_packet(struct rt_crypt *c, struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t n)
{
	role_assert_media();
	dtls_count++;
	rt_stream_plug_tell(s, MEDIA_PLUG_CRYPT);
}

static void seal_free(struct rt_crypt *c)
{
	live_count--;
	mem_free(c);
}

static const struct rt_crypt_ops seal_ops = {
    .name = "seal", .protect = seal_protect, .unprotect = seal_unprotect, .packet = seal_packet, .free = seal_free};

static struct rt_crypt *seal_new(uint8_t key)
{
	struct seal *s = mem_zalloc(sizeof(*s));
	s->base.ops = &seal_ops, s->key = key;
	live_count++;
	return &s->base;
}

/* One packet for A's stream, sealed with this key, with byte flip changed on the way. */
static void send_sealed(struct peer *from, uint8_t key, uint8_t text, size_t flip)
{
	struct seal s = {{&seal_ops}, key};
	uint8_t p[200];
	rtp_write_header(p, false, 0, A->seq, A->ts, A->ssrc);
	A->seq++, A->ts += 160;
	memset(p + 12, text, 160);
	int n = seal_protect(&s.base, false, p, 172);
	if (flip)
		p[flip] ^= 1;
	(void)!sendto(from->fd, p, (size_t)n, 0, &A->to.sa, addr_len(&A->to));
}

static int wait_packets(struct peer *p, size_t count)
{
	role_assert_ctl();
	return pump(has_packets, &(struct want){.p = p, .count = count}, WAIT_MS);
}

static int stats_of(struct peer *p, struct media_stats *out)
{
	role_assert_ctl();
	EXPECT_INT(settle(), 0);
	*out = report_last(p, MEDIA_R_STATS)->stats;
	return 0;
}

/* A handshake's first bytes, from a host that nobody named. */
static int stranger_knocks(void)
{
	struct addr at = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT_INT(addr_parse(&at, SV("127.0.0.77"), 0), ST_OK);
	EXPECT_INT(bind(fd, &at.sa, addr_len(&at)), 0);
	EXPECT_INT(sendto(fd, "\x16\xfe\xfd", 3, 0, &A->to.sa, addr_len(&A->to)), 3);
	close(fd);
	return 0;
}

static int test_crypt(void)
{
	role_assert_ctl();
	struct media_stats st;
	uint8_t unsealed[164];
	EXPECT_INT(room_start(1, 3), 0);
	struct media_params m = peer_params(A);
	m.source_mode = MEDIA_SOURCE_OFF; /* A is signalled and silent; X is his phone behind a translator */
	m.is_rtcp_mux = true;
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_set_crypt(A->s, seal_new(7)), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	/* who cannot seal is neither heard nor learned, however often he tries */
	uint8_t plain[160] = {0};
	for (int i = 0; i < 20; i++)
		(void)!sendto(B->fd, plain, sizeof(plain), 0, &A->to.sa, addr_len(&A->to)), plain[0] = 0x80;
	for (int i = 0; i < 20; i++)
		send_sealed(B, 8, 0x22, 0);
	EXPECT_INT(settle(), 0);
	for (int i = 0; i < 10; i++) {
		send_sealed(X, 7, 0x33, 0);
		pump_ms(70);
	}
	EXPECT_INT(pump(has_report, &(struct want){.p = A, .kind = MEDIA_R_LEARNED, .count = 1}, WAIT_MS), 0);
	EXPECT_INT(report_count(A, MEDIA_R_LEARNED), 1);
	EXPECT(addr_eq(&report_last(A, MEDIA_R_LEARNED)->addr, &X->addr));
	for (size_t i = 0; i < B->count; i++)
		EXPECT(B->kept[i].n == 160 && B->kept[i].payload[0] == 0x33 && B->kept[i].payload[159] == 0x33);
	EXPECT_INT(stats_of(A, &st), 0);
	uint64_t taken = st.in_media_packets;
	EXPECT(taken > 0 && taken <= 5);
	EXPECT_INT(B->count, taken);
	EXPECT_INT(st.in_wrong_source_packets + st.in_skip_packets, 40 + 10 - taken); /* by these it was learned */
	/* changed on the way: header, payload, tag */
	for (size_t flip = 1; flip < 176; flip += 25)
		send_sealed(X, 7, 0x44, flip);
	EXPECT_INT(stats_of(A, &st), 0);
	EXPECT_INT(st.in_media_packets, taken);
	/* back to A: sealed */
	B->seq = 100;
	memset(unsealed, 0x55, sizeof(unsealed));
	peer_send(B, 0, false, B->seq, B->ts, unsealed, 160);
	EXPECT_INT(wait_packets(X, 1), 0);
	EXPECT(X->kept[0].n == 164 && X->kept[0].payload[0] == (0x55 ^ 7));
	EXPECT_INT(A->count, 0);
	/* DTLS goes to it (a stranger's to nobody) and control is told; STUN goes to nobody */
	EXPECT_INT(stranger_knocks(), 0);
	(void)!sendto(X->fd, "\x16\xfe\xfd", 3, 0, &A->to.sa, addr_len(&A->to));
	(void)!sendto(X->fd, "\x00\x01\x00\x00xxxxxxxxxxxxxxxxxxxx", 24, 0, &A->to.sa, addr_len(&A->to));
	EXPECT_INT(stats_of(A, &st), 0);
	EXPECT_INT(dtls_count, 1);
	EXPECT_INT(report_count(A, MEDIA_R_PLUG), 1);
	EXPECT_INT(report_last(A, MEDIA_R_PLUG)->bits, MEDIA_PLUG_CRYPT);
	/* other keys: at once, and the old ones are worth nothing */
	B->count = 0;
	EXPECT_INT(mstream_set_crypt(A->s, seal_new(9)), ST_OK);
	EXPECT_INT(settle(), 0);
	send_sealed(X, 7, 0x66, 0);
	send_sealed(X, 9, 0x77, 0);
	EXPECT_INT(wait_packets(B, 1), 0);
	EXPECT(B->kept[0].payload[0] == 0x77);
	/* and plain again */
	EXPECT_INT(mstream_set_crypt(A->s, NULL), ST_OK);
	EXPECT_INT(settle(), 0);
	EXPECT_INT(live_count, 0);
	X->to = A->to;
	peer_send(X, 0, false, A->seq, A->ts, unsealed, 160);
	EXPECT_INT(wait_packets(B, 2), 0);
	EXPECT(B->kept[1].payload[0] == 0x55);
	EXPECT_INT(mstream_set_crypt(A->s, seal_new(9)), ST_OK);
	EXPECT_INT(room_stop(), 0);
	EXPECT_INT(rtcp_count, 1); /* the BYE, on the one socket */
	EXPECT_INT(live_count, 0);
	return 0;
}

/* ---- a finder: whoever knocked last by STUN is the far side, and is told so */
struct door {
	struct rt_finder base;
	struct addr inside;
};

static void door_follow(const struct rt_finder *n, struct rt_stream *s)
{
	const struct door *d = (const struct door *)n;
	rt_stream_target_set(s, &d->inside, &d->inside);
}

static bool door_takes_rtp(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const struct rtp_packet *k)
{
	const struct door *d = (const struct door *)n;
	return addr_is_set(&d->inside) && addr_eq(from, &d->inside);
}

static bool door_takes_rtcp(const struct rt_finder *n, struct rt_stream *s, const struct addr *from, uint32_t ssrc)
{
	return false;
}

static void door_refused(const struct rt_finder *n, struct rt_stream *s, bool is_rtcp) {}

static void door_packet(
    const struct rt_finder *n, struct rt_stream *s, const struct addr *from, const uint8_t *p, size_t count)
{
	struct door *d = (struct door *)n;
	d->inside = *from;
	rt_stream_target_set(s, from, from);
	rt_stream_send(s, from, p, count);
}

static void door_free(struct rt_finder *n)
{
	live_count--;
	mem_free(n);
}

static const struct rt_finder_ops door_ops = {.name = "door",
    .follow = door_follow,
    .takes_rtp = door_takes_rtp,
    .takes_rtcp = door_takes_rtcp,
    .refused = door_refused,
    .packet = door_packet,
    .free = door_free};

static int knock(struct peer *p, uint8_t first)
{
	role_assert_ctl();
	uint8_t stun[24] = {first, 1}, got[64];
	(void)!sendto(p->fd, stun, sizeof(stun), 0, &A->to.sa, addr_len(&A->to));
	for (int64_t end = clock_mono_us() + 5000000; clock_mono_us() < end;)
		if (recv(p->fd, got, sizeof(got), MSG_DONTWAIT) == sizeof(stun))
			return memcmp(got, stun, sizeof(stun)) ? -1 : 0;
	return -1;
}

static int test_finder(void)
{
	role_assert_ctl();
	struct door *d = mem_zalloc(sizeof(*d));
	uint8_t b[160] = {1};
	EXPECT_INT(room_start(1, 3), 0);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	d->base.ops = &door_ops;
	live_count++;
	struct media_params m = peer_params(A);
	m.remote_rtp = (struct addr){0};
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_set_finder(A->s, &d->base), ST_OK);
	EXPECT_INT(settle(), 0);
	X->to = A->to;
	for (int i = 0; i < 12; i++) { /* nobody has knocked */
		peer_send(A, 0, false, A->seq++, A->ts += 160, b, 160);
		peer_send(X, 0, false, X->seq++, X->ts += 160, b, 160);
	}
	EXPECT_INT(settle(), 0);
	pump_ms(20);
	EXPECT_INT(B->count, 0);
	EXPECT_INT(knock(X, 0), 0);
	peer_send(A, 0, false, A->seq++, A->ts += 160, b, 160);
	peer_send(X, 0, false, X->seq++, X->ts += 160, b, 160);
	EXPECT_INT(wait_packets(B, 1), 0);
	EXPECT_INT(knock(A, 64), 0); /* by channel data as well */
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	peer_send(X, 0, false, X->seq++, X->ts += 160, b, 160);
	peer_send(A, 0, false, A->seq++, A->ts += 160, b, 160);
	EXPECT_INT(wait_packets(B, 2), 0);
	EXPECT_INT(settle(), 0);
	pump_ms(20);
	EXPECT_INT(B->count, 2);
	/* back to what signalling says */
	EXPECT_INT(mstream_set_finder(A->s, NULL), ST_OK);
	EXPECT_INT(peer_params_set(A), 0);
	EXPECT_INT(settle(), 0);
	EXPECT_INT(live_count, 0);
	peer_send(A, 0, false, A->seq++, A->ts += 160, b, 160);
	EXPECT_INT(wait_packets(B, 3), 0);
	return room_stop();
}

/* ---- streams without ports */
struct wired {
	struct mstream *s;
	size_t done_count;
	bool is_closed;
};
static struct wired wired[2];

static void on_wired(struct mstream *s, const struct media_report *r, void *arg)
{
	struct wired *w = arg;
	w->done_count += r->kind == MEDIA_R_PLAY_DONE;
	w->is_closed |= r->kind == MEDIA_R_CLOSED;
}

static int wired_open(struct wired *w)
{
	role_assert_ctl();
	*w = (struct wired){0};
	EXPECT_INT(mstream_open_wired(&w->s, NULL, on_wired, w), ST_OK);
	struct media_params m = peer_params(A);
	m.remote_rtp = home_addr();
	addr_set_port(&m.remote_rtp, 9);
	EXPECT_INT(mstream_set_params(w->s, &m), ST_OK);
	return 0;
}

static bool is_over(void *arg)
{
	return ((struct wired *)arg)->is_closed;
}

static int wired_close(struct wired *w)
{
	role_assert_ctl();
	mstream_close(w->s);
	EXPECT_INT(pump(is_over, w, WAIT_MS), 0);
	w->s = mem_unref(w->s);
	return 0;
}

static size_t ports_free(void)
{
	role_assert_ctl();
	size_t streams, ports;
	uint64_t n;
	mctl_counts(&streams, &ports, &n, &n, &n);
	return ports;
}

static bool hears(void *arg)
{
	struct peer *p = arg;
	static int16_t s[160 * PEER_KEPT];
	size_t n = peer_samples(p, 0, 0, false, s, sizeof(s) / sizeof(s[0]));
	return n > 3200 && tone_share(s + n - 1600, 1600, p == A ? HZ_B : HZ_A) > 0.95;
}

/* A - one end, the other end - B: two relays in two threads, joined by the wire. */
static int test_wired(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(2, 2), 0);
	size_t free_before = ports_free();
	EXPECT_INT(wired_open(&wired[0]), 0);
	EXPECT_INT(wired_open(&wired[1]), 0);
	EXPECT_INT(ports_free(), free_before);
	EXPECT_INT(mstream_wire(wired[0].s, A->s), ST_INVAL);
	EXPECT_INT(mstream_wire(wired[0].s, wired[0].s), ST_INVAL);
	EXPECT_INT(mstream_wire(wired[0].s, wired[1].s), ST_OK);
	EXPECT_INT(mstream_wire(wired[1].s, wired[0].s), ST_EXISTS);
	EXPECT_INT(mstream_relay(A->s, wired[0].s), ST_OK);
	EXPECT_INT(mstream_relay(B->s, wired[1].s), ST_OK);
	EXPECT(mstream_thread_index(A->s) != mstream_thread_index(B->s));
	A->is_sending = B->is_sending = true, A->hz = HZ_A, B->hz = HZ_B;
	EXPECT_INT(pump(hears, A, WAIT_MS), 0);
	EXPECT_INT(pump(hears, B, WAIT_MS), 0);
	EXPECT_INT(expect_continuous(A, 0), 0);
	EXPECT_INT(expect_continuous(B, 0), 0);
	/* an end moves to the other's thread and back, packets on the wire */
	size_t a = A->count;
	EXPECT_INT(mstream_relay(wired[0].s, B->s), ST_OK);
	EXPECT_INT(mstream_relay(wired[1].s, A->s), ST_OK);
	EXPECT_INT(wait_packets(A, a + 20), 0);
	EXPECT_INT(expect_continuous(A, a), 0);
	/* one end goes: the other hears nobody, and does not turn round and round */
	EXPECT_INT(wired_close(&wired[1]), 0);
	EXPECT_INT(settle(), 0);
	uint64_t cpu_ns = mctl_cpu_ns();
	int64_t begin_us = clock_mono_us();
	A->is_sending = B->is_sending = false;
	pump_ms(300);
	EXPECT((mctl_cpu_ns() - cpu_ns) / 1000 < (uint64_t)(clock_mono_us() - begin_us) / 4);
	EXPECT_INT(wired_close(&wired[0]), 0);
	return room_stop();
}

static bool has_played(void *arg)
{
	return ((struct wired *)arg)->done_count > 0;
}

/* Echoes that face each other, and one that faces nobody. */
static int test_wired_ends(void)
{
	role_assert_ctl();
	uint64_t in, out, dropped;
	size_t streams, ports;
	EXPECT_INT(room_start(2, 0), 0);
	EXPECT_INT(wired_open(&wired[0]), 0);
	EXPECT_INT(wired_open(&wired[1]), 0);
	EXPECT_INT(mstream_play(wired[0].s, "tone_stream://%(200,0,440)", 0, NULL), ST_OK);
	EXPECT_INT(pump(has_played, &wired[0], WAIT_MS), 0); /* to nobody, in its time */
	EXPECT_INT(mstream_wire(wired[0].s, wired[1].s), ST_OK);
	EXPECT_INT(mstream_echo(wired[0].s, 0), ST_OK);
	EXPECT_INT(mstream_echo(wired[1].s, 0), ST_OK);
	EXPECT_INT(mstream_play(wired[1].s, "tone_stream://%(200,0,440)", 0, NULL), ST_OK);
	EXPECT_INT(pump(has_played, &wired[1], WAIT_MS), 0);
	pump_ms(1500);
	EXPECT_INT(wired_close(&wired[0]), 0);
	EXPECT_INT(wired_close(&wired[1]), 0);
	mctl_counts(&streams, &ports, &in, &out, &dropped);
	EXPECT(in < 10000); /* a flood is a flood */
	return room_stop();
}

TEST_MAIN({"a transform: learned after it, changed keys, plain again", test_crypt, TEST_LOOP},
    {"a finder of another kind", test_finder, TEST_LOOP}, {"two streams wired to each other", test_wired, TEST_LOOP},
    {"echoes that face each other, or nobody", test_wired_ends, TEST_LOOP})
