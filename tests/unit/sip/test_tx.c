/* Transactions: retransmissions absorbed, final responses repeated, timers, CANCEL, merged requests, bad requests. */
#include "peer.h"
#include <stdio.h>

#define HEAD(method, branch, cseq) \
	method " sip:1000@127.0.0.1:@L SIP/2.0\n" \
	       "Via: SIP/2.0/UDP 127.0.0.1:@P;rport;branch=z9hG4bK" branch "\n" \
	       "Max-Forwards: 70\n" \
	       "From: \"A\" <sip:1000@127.0.0.1>;tag=ftag\n" \
	       "To: <sip:1000@127.0.0.1>\n" \
	       "Call-ID: c1@lab\n" \
	       "CSeq: " cseq "\n"
#define END "Content-Length: 0\n\n"

static int test_non_invite(void)
{
	struct rig r;
	struct sip_stack_stats st;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, &(struct sip_stack_config){.user_agent = "T/1"}), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("REGISTER", "r1", "1 REGISTER") END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK\r\n"));
	EXPECT(peer_has(&r.p, ";branch=z9hG4bKr1;received=127.0.0.1\r\n"));
	EXPECT(peer_has(&r.p, "User-Agent: T/1\r\n"));
	EXPECT(peer_has(&r.p, "To: <sip:1000@127.0.0.1>;tag="));
	EXPECT(peer_has(&r.p, "CSeq: 1 REGISTER\r\n"));
	char rport[32], first[sizeof(r.p.in)];
	snprintf(rport, sizeof(rport), ";rport=%u;", r.p.port);
	EXPECT(peer_has(&r.p, rport));
	memcpy(first, r.p.in, r.p.n + 1);
	/* the retransmission is answered by the same bytes and not told */
	EXPECT_INT(peer_send(&r.p, HEAD("REGISTER", "r1", "1 REGISTER") END), 0);
	EXPECT(peer_recv(&r.p));
	EXPECT_STR(r.p.in, first);
	EXPECT_INT(r.request_count, 1);
	/* timer J ends it: then the same request is new */
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.server_transactions, 1);
	rig_advance_ms(&r, 32100);
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.server_transactions, 0);
	rig_close(&r);
	return 0;
}

static int test_invite_error(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("INVITE", "i1", "1 INVITE") END), 0);
	EXPECT(!peer_recv(&r.p));
	rig_advance_ms(&r, 210);
	EXPECT(peer_expect(&r.p, "SIP/2.0 100 Trying"));
	EXPECT(!peer_has(&r.p, "To: <sip:1000@127.0.0.1>;tag="));
	EXPECT_INT(sip_stx_reply(r.tx, 404, NULL, "X-Why: no\r\n", NULL, SV_NONE), 0);
	EXPECT_INT(sip_stx_reply(r.tx, 404, NULL, NULL, NULL, SV_NONE), ST_INVAL);
	EXPECT(peer_expect(&r.p, "SIP/2.0 404 Not Found"));
	EXPECT(peer_has(&r.p, "X-Why: no\r\n"));
	/* timer G: 500 ms, then 1 s, until the ACK */
	EXPECT(!peer_recv(&r.p));
	rig_advance_ms(&r, 510);
	EXPECT(peer_expect(&r.p, "SIP/2.0 404"));
	rig_advance_ms(&r, 900);
	EXPECT(!peer_recv(&r.p));
	rig_advance_ms(&r, 110);
	EXPECT(peer_expect(&r.p, "SIP/2.0 404"));
	EXPECT_INT(peer_send(&r.p, HEAD("ACK", "i1", "1 ACK") END), 0);
	rig_advance_ms(&r, 4000);
	EXPECT(!peer_recv(&r.p));
	rig_advance_ms(&r, 1100);
	struct sip_stack_stats st;
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.server_transactions, 0);
	rig_close(&r);
	return 0;
}

static int test_cancel(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("CANCEL", "x9", "1 CANCEL") END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 481 "));
	EXPECT_INT(peer_send(&r.p, HEAD("INVITE", "i2", "2 INVITE") END), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("CANCEL", "i2", "2 CANCEL") END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 200 OK"));
	EXPECT(peer_has(&r.p, "CSeq: 2 CANCEL"));
	EXPECT(peer_expect(&r.p, "SIP/2.0 487 "));
	EXPECT(peer_has(&r.p, "CSeq: 2 INVITE"));
	EXPECT(sip_stx_is_done(r.tx));
	EXPECT_INT(sip_stx_reply(r.tx, 200, NULL, NULL, NULL, SV_NONE), ST_INVAL);
	rig_close(&r);
	return 0;
}

static int test_checks(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"OPTIONS sip:a@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa1\nMax-Forwards: "
	     "70\nRequire: 100rel, nosuch\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: q1\nCSeq: 1 OPTIONS\n\n",
	        "SIP/2.0 420 "},
	    {"MESSAGE sip:a@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa2\nMax-Forwards: 0\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: q2\nCSeq: 1 MESSAGE\n\n",
	        "SIP/2.0 483 "},
	    {"OPTIONS http://a SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa3\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: q3\nCSeq: 1 OPTIONS\n\n",
	        "SIP/2.0 416 "},
	    {"BYE sip:a@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa4\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>;tag=2\nCall-ID: q4\nCSeq: 1 BYE\n\n",
	        "SIP/2.0 481 "},
	    {"OPTIONS sip:a@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa5\nCall-ID: q5\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: q5\nCSeq: 1 OPTIONS\n\n",
	        "SIP/2.0 400 Duplicate Call-ID\r\n"},
	    {"OPTIONS sip:a@127.0.0.1 SIP/3.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa6\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: q6\nCSeq: 1 OPTIONS\n\n",
	        "SIP/2.0 505 "},
	    {"ACK sip:a@127.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:@P;branch=z9hG4bKa7\n"
	     "From: <sip:a@b>;tag=1\nTo: <sip:a@b>\nCall-ID: q7\nCSeq: 1 ACK\n\n",
	        NULL},
	    {"garbage\n\n", NULL},
	};
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(peer_send(&r.p, cases[i].text), 0);
		if (cases[i].want)
			EXPECT(peer_expect(&r.p, cases[i].want));
		else
			EXPECT(!peer_recv(&r.p));
	}
	EXPECT_INT(r.malformed_count, 3);
	EXPECT_INT(r.request_count, 0);
	rig_close(&r);
	return 0;
}

static int test_merged(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("INVITE", "m1", "5 INVITE") END), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("INVITE", "m2", "5 INVITE") END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 482 "));
	EXPECT_INT(r.request_count, 1);
	rig_close(&r);
	return 0;
}

static int test_client_timers(void)
{
	struct rig r;
	char uri[64];
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	snprintf(uri, sizeof(uri), "sip:x@127.0.0.1:%u", r.p.port);
	struct sip_request_params p = {.method = "OPTIONS", .uri = uri, .from = "sip:me@here", .contact = ""};
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	EXPECT(peer_expect(&r.p, "OPTIONS sip:x@127.0.0.1:"));
	char contact[64];
	snprintf(contact, sizeof(contact), "<sip:tandem@127.0.0.1:%u>", addr_port(&r.addr));
	EXPECT_STR(peer_header(&r.p, "Contact"), contact);
	/* E: 500, 1000, 2000, 4000, 4000 ... F at 32 s: 11 copies in all */
	int copies = 1;
	for (int i = 0; i < 33; i++) {
		rig_advance_ms(&r, 1000);
		while (peer_recv(&r.p))
			copies++;
	}
	EXPECT_INT(copies, 11);
	EXPECT_INT(r.response_code, 408);
	EXPECT_INT(r.response_count, 1);
	/* answered: no more copies, told once though the response comes twice */
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	EXPECT(peer_expect(&r.p, "OPTIONS"));
	EXPECT_INT(peer_reply(&r.p, 200, "t", "", NULL), 0);
	EXPECT_INT(peer_reply(&r.p, 200, "t", "", NULL), 0);
	EXPECT_INT(r.response_count, 2);
	EXPECT_INT(r.response_code, 200);
	rig_advance_ms(&r, 5100);
	struct sip_stack_stats st;
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.client_transactions, 0);
	rig_close(&r);
	return 0;
}

static bool credentials(const struct sip_challenge *ch, struct sip_credentials *out, void *arg)
{
	(*(int *)arg)++;
	if (!sv_is(ch->realm, "lab"))
		return false;
	out->user = SV("1000");
	out->password = SV("secret");
	return true;
}

static int test_client_auth(void)
{
	struct rig r;
	char uri[64];
	int asked = 0;
	struct digest_server *d;
	struct buf challenge;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, NULL), 0);
	EXPECT_INT(digest_server_new(&d, NULL), 0);
	snprintf(uri, sizeof(uri), "sip:127.0.0.1:%u", r.p.port);
	struct sip_request_params p = {.method = "REGISTER",
	    .uri = uri,
	    .from = "<sip:1000@lab>",
	    .cseq = 7,
	    .credentials = credentials,
	    .credentials_arg = &asked};
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	EXPECT(peer_expect(&r.p, "REGISTER"));
	buf_init(&challenge);
	digest_challenge_put(d, &challenge, false, "lab", DIGEST_SHA256, false, NULL);
	challenge.n -= 2; /* peer_reply adds its own line ends */
	challenge.p[challenge.n] = '\0';
	buf_adds(&challenge, "\n");
	EXPECT_INT(peer_reply(&r.p, 401, "t", challenge.p, NULL), 0);
	EXPECT(peer_expect(&r.p, "REGISTER"));
	EXPECT_STR(peer_header(&r.p, "CSeq"), "8 REGISTER");
	struct sip_msg m;
	struct sip_hdr hdrs[64];
	EXPECT_INT(sip_msg_parse(&m, hdrs, 64, r.p.in, r.p.n, 0), 0);
	struct digest_secret good = {.password = "secret"}, bad = {.password = "guess"};
	EXPECT_INT(digest_check(d, &m, false, "lab", &bad, NULL), DIGEST_BAD);
	EXPECT_INT(digest_check(d, &m, false, "lab", &good, NULL), DIGEST_OK);
	EXPECT_INT(digest_check(d, &m, false, "lab", &good, NULL), DIGEST_REPLAY);
	EXPECT_INT(digest_check(d, &m, false, "other", &good, NULL), DIGEST_WRONG_REALM);
	EXPECT_INT(digest_check(d, &m, true, "lab", &good, NULL), DIGEST_NO_HEADER);
	EXPECT_INT(r.response_count, 0);
	/* the nonce grew old on the way: once more */
	struct buf stale;
	buf_init(&stale);
	digest_challenge_put(d, &stale, false, "lab", DIGEST_MD5, true, NULL);
	stale.n -= 2;
	stale.p[stale.n] = '\0';
	buf_adds(&stale, "\n");
	EXPECT_INT(peer_reply(&r.p, 401, "t", stale.p, NULL), 0);
	buf_fini(&stale);
	EXPECT(peer_expect(&r.p, "REGISTER"));
	EXPECT_STR(peer_header(&r.p, "CSeq"), "9 REGISTER");
	EXPECT_INT(r.response_count, 0);
	/* refused again with the same realm: the user gets it */
	EXPECT_INT(peer_reply(&r.p, 401, "t", challenge.p, NULL), 0);
	EXPECT_INT(r.response_code, 401);
	EXPECT_INT(r.response_count, 1);
	EXPECT(!peer_recv(&r.p));
	buf_fini(&challenge);
	digest_server_free(d);
	rig_close(&r);
	return 0;
}

/* The rig's may_send allows loopback only; names are not looked up when the configuration says so. */
static int test_denied(void)
{
	struct rig r;
	struct sip_stack_stats st;
	struct sip_request_params p = {.method = "OPTIONS", .uri = "sip:x@192.0.2.1", .from = "sip:me@here"};
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, &(struct sip_stack_config){.numeric_hosts_only = true}), 0);
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), 0);
	EXPECT_INT(r.response_count, 0); /* never from inside */
	rig_pump();
	EXPECT_INT(r.response_code, 503);
	EXPECT_INT(r.response_count, 1);
	p.uri = "sip:x@nowhere.invalid";
	EXPECT_INT(sip_request_send(NULL, r.s, &p, rig_response, &r), ST_NOTFOUND);
	sip_stack_stats_get(r.s, &st);
	EXPECT_INT(st.client_transactions, 0);
	rig_close(&r);
	return 0;
}

static int test_trace_and_shed(void)
{
	struct rig r;
	role_assert_ctl();
	EXPECT_INT(rig_open(&r, &(struct sip_stack_config){.max_transactions = 1}), 0);
	sip_stack_set_trace(r.s, true);
	EXPECT_INT(peer_send(&r.p, HEAD("INVITE", "s1", "1 INVITE") END), 0);
	EXPECT_INT(peer_send(&r.p, HEAD("REGISTER", "s2", "2 REGISTER") END), 0);
	EXPECT(peer_expect(&r.p, "SIP/2.0 503 "));
	EXPECT(peer_has(&r.p, "Retry-After: "));
	EXPECT_INT(r.trace_count, 3);
	EXPECT_INT(r.request_count, 1);
	rig_close(&r);
	return 0;
}

TEST_MAIN({"non-invite server", test_non_invite, TEST_LOOP}, {"invite error", test_invite_error, TEST_LOOP},
    {"cancel", test_cancel, TEST_LOOP}, {"checks", test_checks, TEST_LOOP}, {"merged", test_merged, TEST_LOOP},
    {"client timers", test_client_timers, TEST_LOOP}, {"client auth", test_client_auth, TEST_LOOP},
    {"denied", test_denied, TEST_LOOP}, {"trace and shed", test_trace_and_shed, TEST_LOOP})
