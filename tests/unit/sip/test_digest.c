/* Digest: the RFCs' examples, the server's nonces over time, counts, a full table. */
#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "sip/digest.h"
#include <stdio.h>
#include <string.h>

static int test_vectors(void)
{
	char ha1[65], out[65];
	/* RFC 2617 3.5 */
	digest_ha1(DIGEST_MD5, SV("Mufasa"), SV("testrealm@host.com"), SV("Circle Of Life"), ha1);
	EXPECT_STR(ha1, "939e7578ed9e3c518a452acee763bce9");
	digest_response(DIGEST_MD5, ha1, SV("dcd98b7102dd2f0e8b11d0f600bfb0c093"), SV("00000001"), SV("0a4f113b"),
	    SV("auth"), SV("GET"), SV("/dir/index.html"), out);
	EXPECT_STR(out, "6629fae49393a05397450978507c4ef1");
	/* RFC 7616 3.9.1 */
	digest_ha1(DIGEST_MD5, SV("Mufasa"), SV("http-auth@example.org"), SV("Circle of Life"), ha1);
	digest_response(DIGEST_MD5, ha1, SV("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"), SV("00000001"),
	    SV("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"), SV("auth"), SV("GET"), SV("/dir/index.html"), out);
	EXPECT_STR(out, "8ca523f5e9506fed4657c9700eebdbec");
	digest_ha1(DIGEST_SHA256, SV("Mufasa"), SV("http-auth@example.org"), SV("Circle of Life"), ha1);
	digest_response(DIGEST_SHA256, ha1, SV("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"), SV("00000001"),
	    SV("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"), SV("auth"), SV("GET"), SV("/dir/index.html"), out);
	EXPECT_STR(out, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
	return 0;
}

static void challenge(struct digest_server *d, char *nonce /* 80 */, enum digest_algorithm alg)
{
	struct buf b;
	buf_init(&b);
	digest_challenge_put(d, &b, false, "lab", alg, false, NULL);
	const char *at = strstr(b.p, "nonce=\"") + 7;
	snprintf(nonce, 80, "%.*s", (int)strcspn(at, "\""), at);
	buf_fini(&b);
}

struct answer {
	const char *nonce, *password, *nc, *user, *uri, *extra;
	enum digest_algorithm alg;
	bool no_qop;
};

static enum digest_result check_from(struct digest_server *d, const struct answer *a, const struct addr *src)
{
	static struct sip_hdr hdrs[32];
	struct sip_msg m;
	struct buf b;
	char ha1[65], r[65];
	const char *user = a->user ? a->user : "1000", *uri = a->uri ? a->uri : "sip:lab",
	           *nc = a->nc ? a->nc : "00000001";
	struct digest_secret secret = {.password = "secret"};
	digest_ha1(a->alg, sv_of(user), SV("lab"), sv_of(a->password ? a->password : "secret"), ha1);
	digest_response(a->alg, ha1, sv_of(a->nonce), sv_of(nc), SV("cn"), a->no_qop ? SV_NONE : SV("auth"),
	    SV("REGISTER"), sv_of(uri), r);
	buf_init(&b);
	buf_printf(&b,
	    "REGISTER sip:lab SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@lab>;tag=1\r\nTo: "
	    "<sip:a@lab>\r\nCall-ID: x\r\n"
	    "CSeq: 1 REGISTER\r\nAuthorization: Digest username=\"%s\", realm=\"lab\", nonce=\"%s\", uri=\"%s\", "
	    "response=\"%s\"%s%s%s%s%s\r\n\r\n",
	    user, a->nonce, uri, r, a->alg == DIGEST_SHA256 ? ", algorithm=SHA-256" : "",
	    a->no_qop ? "" : ", qop=auth, cnonce=\"cn\", nc=", a->no_qop ? "" : nc, a->extra ? ", " : "",
	    a->extra ? a->extra : "");
	enum digest_result res = sip_msg_parse(&m, hdrs, 32, b.p, b.n, 0)
	                             ? (enum digest_result) - 1
	                             : digest_check(d, &m, false, "lab", &secret, src);
	buf_fini(&b);
	return res;
}

static enum digest_result check(struct digest_server *d, const struct answer *a)
{
	return check_from(d, a, NULL);
}

static int test_server(void)
{
	struct digest_server *d;
	char n[80], n2[80];
	clock_fake_start(1700000000000000LL);
	EXPECT_INT(digest_server_new(&d, &(struct digest_config){.nonce_life_us = 10000000}), 0);
	challenge(d, n, DIGEST_MD5);
	challenge(d, n2, DIGEST_SHA256);
	EXPECT(strcmp(n, n2));
	EXPECT_INT(check(d, &(struct answer){n, .password = "wrong"}), DIGEST_BAD);
	EXPECT_INT(check(d, &(struct answer){n, .uri = "nonsense"}), DIGEST_BAD);
	EXPECT_INT(check(d, &(struct answer){n, .no_qop = true}), DIGEST_MALFORMED);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "1"}), DIGEST_MALFORMED);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000000"}), DIGEST_MALFORMED);
	EXPECT_INT(check(d, &(struct answer){n, .extra = "realm=\"lab\""}), DIGEST_MALFORMED);
	EXPECT_INT(check(d, &(struct answer){n, .extra = "algorithm=MD5-sess"}), DIGEST_BAD);
	EXPECT_INT(check(d, &(struct answer){n}), DIGEST_OK);
	EXPECT_INT(check(d, &(struct answer){n}), DIGEST_REPLAY);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000005"}), DIGEST_OK);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000003"}), DIGEST_OK); /* overtaken on the way */
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000003"}), DIGEST_REPLAY);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "000000ff"}), DIGEST_OK);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000004"}), DIGEST_REPLAY);
	EXPECT_INT(check(d, &(struct answer){n2, .alg = DIGEST_SHA256}), DIGEST_OK);
	EXPECT_INT(
	    check(d, &(struct answer){"0000000000000000aaaaaaaa00000000000000000000000000000000"}), DIGEST_STALE);
	EXPECT_INT(check(d, &(struct answer){"someone else's"}), DIGEST_STALE);
	clock_fake_advance(11000000);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000100"}), DIGEST_STALE);
	EXPECT_INT(check(d, &(struct answer){n, .nc = "00000100", .password = "wrong"}), DIGEST_BAD);
	EXPECT_INT((int)digest_computed_count(d), 14);
	digest_server_free(d);
	clock_fake_stop();
	return 0;
}

/* A nonce is of the address it was sent to: of another one neither the password is told nor a failure proved. */
static int test_place(void)
{
	struct digest_server *d;
	struct addr a, b;
	struct buf line;
	char n[80];
	EXPECT_INT(addr_parse(&a, SV("192.0.2.1"), 5060), 0);
	EXPECT_INT(addr_parse(&b, SV("192.0.2.2"), 5060), 0);
	EXPECT_INT(digest_server_new(&d, NULL), 0);
	buf_init(&line);
	digest_challenge_put(d, &line, false, "lab", DIGEST_MD5, false, &a);
	const char *at = strstr(line.p, "nonce=\"") + 7;
	snprintf(n, sizeof(n), "%.*s", (int)strcspn(at, "\""), at);
	buf_fini(&line);
	EXPECT(digest_is_given_to(d, sv_of(n), &a));
	EXPECT(!digest_is_given_to(d, sv_of(n), &b));
	EXPECT_INT(check_from(d, &(struct answer){n, .password = "wrong"}, &b), DIGEST_STALE);
	EXPECT_INT(check_from(d, &(struct answer){n}, &b), DIGEST_STALE);
	EXPECT_INT((int)digest_computed_count(d), 0);
	EXPECT_INT(check_from(d, &(struct answer){n, .password = "wrong"}, &a), DIGEST_BAD);
	EXPECT_INT(check_from(d, &(struct answer){n}, &a), DIGEST_OK);
	n[strlen(n) - 1] ^= 1;
	EXPECT(!digest_is_given_to(d, sv_of(n), &a));
	digest_server_free(d);
	return 0;
}

/* What fell out of a full table cannot be replayed. */
static int test_table(void)
{
	struct digest_server *d;
	static char n[64][80];
	clock_fake_start(1700000000000000LL);
	EXPECT_INT(digest_server_new(&d, &(struct digest_config){.nonce_table_slots = 8}), 0);
	for (int i = 0; i < 64; i++) {
		challenge(d, n[i], DIGEST_MD5);
		clock_fake_advance(1000);
	}
	for (int i = 0; i < 64; i++)
		EXPECT_INT(check(d, &(struct answer){n[i]}), DIGEST_OK);
	int again = 0;
	for (int i = 0; i < 64; i++)
		again += check(d, &(struct answer){n[i]}) == DIGEST_OK;
	EXPECT_INT(again, 0);
	digest_server_free(d);
	clock_fake_stop();
	return 0;
}

TEST_MAIN({"vectors", test_vectors}, {"server", test_server}, {"place", test_place}, {"full table", test_table})
