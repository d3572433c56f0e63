/* A stream's association from the handshake to the end of the time in which something may have to be sent again, by a
 * clock that the test moves: the phone is OpenSSL behind a socket of its own. Before that time the last flight is sent
 * again to who did not get it; afterwards nothing is answered, what comes is counted and harmless, packets go on, and
 * good-bye is still said, and heard. */
#include "base/clock.h"
#include "base/mem.h"
#include "dtls/dtls.h"
#include "media/ctl/dtls.h"
#include "peer.h"
#include "srtp/srtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define A (&peers[0])
#define B (&peers[1])
enum { WAIT_MS = 8000, PACKET = 172, CLIENT_S = 60, SERVER_S = 240 };

/* The phone's end of DTLS, the far side of A's stream. */
static struct phone {
	struct dtls_ident *ident;
	struct dtls *d;
	enum dtls_state state;
	struct buf out, last; /* last: what it sent before it was up */
	unsigned got;
	bool is_deaf; /* as soon as the switch's end is up: its last flight is lost */
} phone;
static struct peer at; /* where the phone is: no one of `peers`, whose packets pump() takes */
static struct mdtls *assoc;
static size_t told; /* reports of A's stream that were passed on */
static char folder[64], path[96];

static void print_of(const char *ident, struct dtls_print *p)
{
	const char *text = strchr(ident, ' ') + 1;
	p->hash = DTLS_SHA256;
	for (size_t k = 0; k < 32; k++)
		p->bytes[k] = (uint8_t)strtoul(text + 3 * k, NULL, 16);
}

static void datagrams_send(const struct buf *b)
{
	struct sv rest = buf_sv(b), one;
	while (dtls_out_next(&rest, &one))
		(void)!sendto(at.fd, one.p, one.n, 0, &A->to.sa, addr_len(&A->to));
}

static void phone_step(const uint8_t *p, size_t n)
{
	enum dtls_state before = phone.state;
	phone.state = dtls_step(phone.d, p, n, &phone.out);
	if (phone.out.n && before == DTLS_UNDER_WAY) {
		buf_clear(&phone.last);
		buf_add(&phone.last, phone.out.p, phone.out.n);
	}
	datagrams_send(&phone.out);
	buf_clear(&phone.out);
}

/* One turn of the phone and of whoever holds the association. */
ON_CTL static void turn(void)
{
	uint8_t p[2048];
	ssize_t n;
	bool is_deaf = phone.is_deaf && mdtls_state(assoc) == DTLS_UP;
	while ((n = recv(at.fd, p, sizeof(p), MSG_DONTWAIT)) > 0)
		if (!is_deaf && p[0] >= 20 && p[0] < 64) /* RFC 7983 */
			phone.got++, phone_step(p, (size_t)n);
	if (!is_deaf && phone.state == DTLS_UNDER_WAY)
		phone_step(NULL, 0); /* OpenSSL's timer is the real clock's */
	size_t plugs = report_count(A, MEDIA_R_PLUG);
	if (plugs > told && assoc)
		mdtls_heard(assoc);
	told = plugs;
}

static bool is_certified(void *arg)
{
	role_assert_ctl();
	return mctl_dtls_print() != NULL;
}

static bool is_up(void *arg)
{
	role_assert_ctl();
	turn();
	return mdtls_state(assoc) == DTLS_UP && (phone.is_deaf || phone.state == DTLS_UP);
}

static bool is_idle(void *arg)
{
	role_assert_ctl();
	struct mdtls_counts n;
	mctl_dtls_counts(&n);
	return !n.steps_running && !n.steps_waiting;
}

static bool is_closed(void *arg)
{
	role_assert_ctl();
	turn();
	return phone.state == DTLS_CLOSED;
}

static void on_state(struct mdtls *d, enum dtls_state state, void *arg)
{
	(*(unsigned *)arg)++;
}
static unsigned state_count;

ON_CTL static int assoc_start(bool is_client, bool is_deaf)
{
	struct dtls_conf c = {.print_count = 1, .is_client = !is_client};
	struct buf why;
	char own[128];

	memset(&phone, 0, sizeof(phone));
	told = 0, state_count = 0, phone.is_deaf = is_deaf;
	strcpy(folder, "/tmp/test_dtls_settle.XXXXXX");
	EXPECT(mkdtemp(folder) != NULL);
	snprintf(path, sizeof(path), "%s/dtls-srtp.pem", folder);
	snprintf(own, sizeof(own), "%s/phone.pem", folder);
	mctl_dtls_start(path);
	EXPECT_INT(pump(is_certified, NULL, WAIT_MS), 0);
	buf_init(&why);
	EXPECT_INT(dtls_ident_new(&phone.ident, own, &why), 0);
	buf_fini(&why);
	unlink(path);
	unlink(own);
	rmdir(folder);

	EXPECT_INT(peer_open(&at), 0);
	struct media_params m = peer_params(&at);
	m.is_rtcp_mux = true;
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	EXPECT_INT(settle(), 0);
	buf_init(&phone.out);
	buf_init(&phone.last);
	c.ident = phone.ident;
	print_of(mctl_dtls_print(), &c.prints[0]);
	EXPECT_INT(dtls_new(&phone.d, &c), 0);
	c.is_client = is_client;
	print_of(dtls_ident_print(phone.ident), &c.prints[0]);
	EXPECT_INT(mstream_dtls_start(A->s, &c, &at.addr, on_state, &state_count, &assoc), 0);
	mdtls_go(assoc);
	EXPECT_INT(pump(is_up, NULL, WAIT_MS), 0);
	EXPECT_INT(state_count, 1);
	return 0;
}

ON_CTL static int assoc_stop(void)
{
	dtls_free(phone.d);
	mem_unref(phone.ident);
	buf_fini(&phone.out);
	buf_fini(&phone.last);
	phone.d = NULL;
	peer_close(&at);
	mctl_dtls_stop();
	return room_stop();
}

/* So many datagrams that were not looked at. */
ON_CTL static int wrong_count(uint64_t *out)
{
	EXPECT_INT(settle(), 0);
	*out = report_last(A, MEDIA_R_STATS)->stats.in_wrong_source_packets;
	return 0;
}

ON_CTL static int pass_s(int64_t s)
{
	clock_fake_advance(s * 1000000);
	for (int i = 0; i < 3; i++)
		loop_run_nowait();
	return settle();
}

/* Packets of both directions, under the keys there were from the beginning. */
static struct srtp *phone_out;
ON_CTL static int packet_passes(uint8_t text)
{
	uint8_t p[PACKET + SRTP_TAIL_MAX];
	struct want w = {.p = B, .count = B->count + 1};
	rtp_write_header(p, false, 0, A->seq++, A->ts += 160, A->ssrc);
	memset(p + 12, text, PACKET - 12);
	int n = srtp_seal(phone_out, p, PACKET);
	EXPECT(n > PACKET);
	EXPECT_INT(sendto(at.fd, p, (size_t)n, 0, &A->to.sa, addr_len(&A->to)), n);
	EXPECT_INT(pump(has_packets, &w, WAIT_MS), 0);
	EXPECT_INT(B->kept[B->count - 1].payload[0], text);
	return 0;
}

ON_CTL static int settles(bool is_client)
{
	uint8_t out[SRTP_KEY_MAX], in[SRTP_KEY_MAX];
	enum srtp_suite suite;
	uint64_t wrong, now;
	struct buf hello;
	unsigned want;

	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(assoc_start(is_client, !is_client), 0);
	clock_fake_start(clock_wall_us());
	EXPECT_INT(wrong_count(&wrong), 0);
	/* a second short of it: it hears, and a server says its last flight again */
	EXPECT_INT(pass_s((is_client ? CLIENT_S : SERVER_S) - 1), 0);
	EXPECT_INT(phone.state, is_client ? DTLS_UP : DTLS_UNDER_WAY);
	turn();
	phone.is_deaf = false;
	EXPECT_INT(pump(is_up, NULL, WAIT_MS), 0);
	dtls_keys(phone.d, &suite, out, in);
	EXPECT_INT(srtp_new(&phone_out, suite, out), ST_OK);
	EXPECT_INT(packet_passes(0x11), 0);
	EXPECT_INT(wrong_count(&now), 0);
	EXPECT_INT(now, wrong);
	EXPECT_INT(pump(is_idle, NULL, WAIT_MS), 0);
	EXPECT_INT(pass_s(2), 0);
	/* nobody hears any more: a flight sent again, a second ClientHello, rubbish, in the packets' way */
	size_t plugs = report_count(A, MEDIA_R_PLUG);
	want = phone.got;
	datagrams_send(&phone.last);
	struct dtls_conf c = {.print_count = 1, .is_client = true, .ident = phone.ident};
	struct dtls *second;
	EXPECT_INT(dtls_new(&second, &c), 0);
	buf_init(&hello);
	(void)dtls_step(second, NULL, 0, &hello);
	EXPECT(hello.n > 0);
	for (int i = 0; i < 40; i++) /* more than a ring would hold */
		datagrams_send(&hello);
	(void)!sendto(at.fd, "\x16\xfe\xfd", 3, 0, &A->to.sa, addr_len(&A->to));
	EXPECT_INT(packet_passes(0x22), 0);
	EXPECT_INT(wrong_count(&now), 0);
	EXPECT(now >= wrong + 42);
	EXPECT_INT(report_count(A, MEDIA_R_PLUG), plugs);
	mdtls_heard(assoc);                          /* as one that was told before */
	EXPECT_INT(pump(is_idle, NULL, WAIT_MS), 0); /* or good-bye is not said: a worker has it */
	EXPECT_INT(pass_s(1000), 0);
	turn();
	EXPECT_INT(phone.got, want);
	EXPECT_INT(mdtls_state(assoc), DTLS_UP);
	EXPECT_INT(state_count, 1);
	EXPECT_INT(packet_passes(0x33), 0);
	dtls_free(second);
	buf_fini(&hello);
	/* good-bye */
	mdtls_free(assoc);
	assoc = NULL;
	EXPECT_INT(pump(is_closed, NULL, WAIT_MS), 0);
	srtp_free(phone_out);
	return assoc_stop();
}

static int test_client(void)
{
	role_assert_ctl();
	return settles(true);
}

static int test_server(void)
{
	role_assert_ctl();
	return settles(false);
}

/* Long after the handshake: alerts that anybody could send change nothing, however many; the phone's own ends it. */
static bool is_over(void *arg)
{
	role_assert_ctl();
	turn();
	return mdtls_state(assoc) == DTLS_CLOSED;
}

ON_CTL static int far_bye(bool is_client)
{
	uint8_t out[SRTP_KEY_MAX], in[SRTP_KEY_MAX], p[PACKET + SRTP_TAIL_MAX], forged[39] = {21, 0xfe, 0xfd, 0, 1};
	enum srtp_suite suite;
	struct mdtls_counts before, after;
	uint64_t wrong, now;

	EXPECT_INT(room_start(1, 2), 0);
	EXPECT_INT(assoc_start(is_client, false), 0);
	mctl_dtls_counts(&before);
	clock_fake_start(clock_wall_us());
	dtls_keys(phone.d, &suite, out, in);
	EXPECT_INT(srtp_new(&phone_out, suite, out), ST_OK);
	EXPECT_INT(pass_s((is_client ? CLIENT_S : SERVER_S) + 1), 0);
	EXPECT_INT(packet_passes(0x11), 0);
	EXPECT_INT(wrong_count(&wrong), 0);
	size_t plugs = report_count(A, MEDIA_R_PLUG);
	for (int i = 0; i < 50; i++) { /* what a socket holds */
		forged[12] = i % 2 ? 26 : (uint8_t)i;
		forged[20] = (uint8_t)i;
		(void)!sendto(at.fd, forged, sizeof(forged), 0, &A->to.sa, addr_len(&A->to));
		forged[4] = 0; /* not even of that epoch: dropped where it comes in */
		(void)!sendto(at.fd, forged, sizeof(forged), 0, &A->to.sa, addr_len(&A->to));
		forged[4] = 1;
	}
	EXPECT_INT(packet_passes(0x22), 0);
	EXPECT_INT(pump(is_idle, NULL, WAIT_MS), 0);
	EXPECT_INT(wrong_count(&now), 0);
	EXPECT(now >= wrong + 50);
	turn();
	EXPECT_INT(pump(is_idle, NULL, WAIT_MS), 0);
	EXPECT(report_count(A, MEDIA_R_PLUG) > plugs); /* they were looked at */
	EXPECT_INT(mdtls_state(assoc), DTLS_UP);
	EXPECT_INT(packet_passes(0x33), 0);
	dtls_close(phone.d, &phone.out);
	datagrams_send(&phone.out);
	EXPECT_INT(pump(is_over, NULL, WAIT_MS), 0);
	EXPECT_INT(state_count, 2);
	mctl_dtls_counts(&after);
	EXPECT_INT(after.closed, before.closed + 1);
	/* nothing is taken under its keys any more */
	EXPECT_INT(settle(), 0);
	size_t count = B->count;
	rtp_write_header(p, false, 0, A->seq++, A->ts += 160, A->ssrc);
	int n = srtp_seal(phone_out, p, PACKET);
	EXPECT_INT(sendto(at.fd, p, (size_t)n, 0, &A->to.sa, addr_len(&A->to)), n);
	EXPECT_INT(wrong_count(&now), 0);
	EXPECT_INT(B->count, count);
	mdtls_free(assoc);
	assoc = NULL;
	srtp_free(phone_out);
	return assoc_stop();
}

static int test_far_bye_client(void)
{
	role_assert_ctl();
	return far_bye(true);
}

static int test_far_bye_server(void)
{
	role_assert_ctl();
	return far_bye(false);
}

/* One association is settled and another begins at once: the message for the first is none for the second, which hears.
 * And a stream that is closed with such a message under way. */
static int test_next(void)
{
	role_assert_ctl();
	EXPECT_INT(room_start(2, 2), 0);
	EXPECT_INT(assoc_start(true, false), 0);
	clock_fake_start(clock_wall_us());
	clock_fake_advance((CLIENT_S + 1) * INT64_C(1000000));
	loop_run_nowait(); /* under way to the media thread when the next begins */
	mdtls_free(assoc);
	struct dtls_conf c = {.print_count = 1, .is_client = true};
	EXPECT_INT(pump(is_closed, NULL, WAIT_MS), 0);
	dtls_free(phone.d);
	c.ident = phone.ident;
	print_of(mctl_dtls_print(), &c.prints[0]);
	EXPECT_INT(dtls_new(&phone.d, &c), 0);
	phone.state = DTLS_UNDER_WAY;
	c.is_client = false;
	print_of(dtls_ident_print(phone.ident), &c.prints[0]);
	EXPECT_INT(mstream_dtls_start(A->s, &c, &at.addr, on_state, &state_count, &assoc), 0);
	EXPECT_INT(settle(), 0);
	EXPECT_INT(pump(is_up, NULL, WAIT_MS), 0);
	clock_fake_advance((SERVER_S + 1) * INT64_C(1000000));
	loop_run_nowait();
	mstream_close(A->s); /* with the message in front of it */
	mdtls_free(assoc);
	assoc = NULL;
	return assoc_stop();
}

TEST_MAIN({"as client", test_client, TEST_LOOP}, {"as server", test_server, TEST_LOOP},
    {"good-bye to a client", test_far_bye_client, TEST_LOOP}, {"good-bye to a server", test_far_bye_server, TEST_LOOP},
    {"another association, and a close", test_next, TEST_LOOP})
