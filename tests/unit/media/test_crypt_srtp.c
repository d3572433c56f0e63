/* A stream with SRTP relayed to a plain one, on real sockets. */
#include "base/status.h"
#include "media/rt/crypt.h"
#include "media/rt/rt.h"
#include "peer.h"

#include <string.h>

#define A (&peers[0])
#define B (&peers[1])
enum { WAIT_MS = 8000, PAYLOAD = 160, PACKET = 12 + PAYLOAD, TAG = 10 };

struct keys {
	enum srtp_suite out_suite, in_suite;
	uint8_t out_key[SRTP_KEY_MAX], in_key[SRTP_KEY_MAX];
};
static const struct keys first = {.out_suite = SRTP_AES_CM_128_HMAC_SHA1_80,
    .in_suite = SRTP_AES_CM_128_HMAC_SHA1_80,
    .out_key = {1, 2, 3},
    .in_key = {4, 5, 6}};
static const struct keys second = {.out_suite = SRTP_AEAD_AES_256_GCM,
    .in_suite = SRTP_AEAD_AES_256_GCM,
    .out_key = {7, 8, 9},
    .in_key = {10, 11, 12}};

ON_CTL static int crypt_set(const struct keys *conf)
{
	role_assert_ctl();
	struct rt_crypt *c = NULL;
	EXPECT_INT(rt_crypt_srtp_new(&c, conf->in_suite, conf->out_key, conf->in_key), ST_OK);
	EXPECT_INT(mstream_set_crypt(A->s, c), ST_OK);
	return settle();
}

/* Sealed as A's phone would; the packet is kept in p for a replay. */
ON_CTL static int sealed_send(struct srtp *k, uint8_t text, uint8_t *p)
{
	rtp_write_header(p, false, 0, A->seq, A->ts, A->ssrc);
	A->seq++, A->ts += PAYLOAD;
	memset(p + 12, text, PAYLOAD);
	int n = srtp_seal(k, p, PACKET);
	EXPECT(n > PACKET);
	EXPECT_INT(sendto(A->fd, p, (size_t)n, 0, &A->to.sa, addr_len(&A->to)), n);
	return 0;
}

static int wait_packets(struct peer *p, size_t count)
{
	role_assert_ctl();
	return pump(has_packets, &(struct want){.p = p, .count = count}, WAIT_MS);
}

static int test_relay(void)
{
	role_assert_ctl();
	uint8_t p[PACKET + SRTP_TAIL_MAX], old[PACKET + SRTP_TAIL_MAX];
	struct srtp *phone = NULL;
	EXPECT_INT(srtp_new(&phone, first.in_suite, first.in_key), ST_OK);
	EXPECT_INT(room_start(1, 3), 0);
	struct media_params m = peer_params(A);
	m.is_rtcp_mux = true;
	EXPECT_INT(mstream_set_params(A->s, &m), ST_OK);
	EXPECT_INT(mstream_relay(A->s, B->s), ST_OK);
	/* keys: plain to B; a replay and a packet in the clear are not heard */
	EXPECT_INT(crypt_set(&first), 0);
	EXPECT_INT(sealed_send(phone, 0x22, old), 0);
	EXPECT_INT(sendto(A->fd, old, PACKET + TAG, 0, &A->to.sa, addr_len(&A->to)), PACKET + TAG);
	peer_send(A, 0, false, A->seq++, A->ts += PAYLOAD, p + 12, PAYLOAD);
	EXPECT_INT(sealed_send(phone, 0x33, p), 0);
	EXPECT_INT(wait_packets(B, 2), 0);
	EXPECT(B->kept[0].payload[0] == 0x22 && B->kept[1].payload[0] == 0x33);
	EXPECT(B->kept[1].n == PAYLOAD && B->kept[1].payload[PAYLOAD - 1] == 0x33);
	/* back: with a tag behind, and not as it came */
	memset(p, 0x44, PAYLOAD);
	peer_send(B, 0, false, B->seq++, B->ts += PAYLOAD, p, PAYLOAD);
	EXPECT_INT(wait_packets(A, 1), 0);
	EXPECT_INT(A->kept[0].n, PAYLOAD + TAG);
	EXPECT(memcmp(A->kept[0].payload, p, PAYLOAD) != 0);
	/* other keys: the old ones are worth nothing from then on */
	EXPECT_INT(crypt_set(&second), 0);
	EXPECT_INT(sealed_send(phone, 0x55, p), 0);
	srtp_free(phone);
	EXPECT_INT(srtp_new(&phone, second.in_suite, second.in_key), ST_OK);
	EXPECT_INT(sealed_send(phone, 0x66, p), 0);
	EXPECT_INT(wait_packets(B, 3), 0);
	EXPECT(B->kept[2].payload[0] == 0x66);
	EXPECT_INT(B->count, 3);
	srtp_free(phone);
	return room_stop();
}

TEST_MAIN({"SRTP on one side, RTP on the other; other keys", test_relay, TEST_LOOP})
