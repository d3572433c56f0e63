/* ICE lines: candidates by a table, a browser's offer read, ours written, a trickled fragment. */
#include "base/check.h"
#include "base/mem.h"
#include "harness.h"
#include "sdp/ice.h"
#include <string.h>

static int test_candidates(void)
{
	static const struct {
		const char *text;
		bool is_taken;
		enum sdp_ice_kind kind;
	} rows[] = {
	    {"1 1 UDP 2130706431 10.0.0.5 5000 typ host", true, SDP_ICE_HOST},
	    {"a+/9 1 udp 1 2001:db8::1 65535 typ srflx raddr :: rport 9 generation 0", true, SDP_ICE_SRFLX},
	    {"1 1 udp 5 192.0.2.1 1 TYP RELAY raddr 0.0.0.0 rport 0", true, SDP_ICE_RELAY},
	    {"1 2 udp 5 192.0.2.1 1 typ host", false, SDP_ICE_HOST}, /* the other component */
	    {"1 1 tcp 5 192.0.2.1 9 typ host tcptype active", false, SDP_ICE_HOST},
	    {"1 1 udp 5 3e5b7f0a-1b0f-4a8f.local 5000 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp 5 192.0.2.1 0 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp 5 192.0.2.1 65536 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp 0 192.0.2.1 5 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp 4294967296 192.0.2.1 5 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp -1 192.0.2.1 5 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp 5 192.0.2.1 5 typ other", false, SDP_ICE_HOST},
	    {"123456789012345678901234567890123 1 udp 5 192.0.2.1 5 typ host", false, SDP_ICE_HOST},
	    {"1 1 udp 5 192.0.2.1 5", false, SDP_ICE_HOST},
	    {"", false, SDP_ICE_HOST},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct sdp_ice_candidate c;
		if (sdp_ice_candidate_read(sv_of(rows[i].text), &c) != rows[i].is_taken ||
		    (rows[i].is_taken && c.kind != rows[i].kind)) {
			test_fail(__FILE__, __LINE__, "row %zu: %s", i, rows[i].text);
			return -1;
		}
	}
	return 0;
}

#define HEAD "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define PWD "0123456789012345678901"
#define OFFER \
	HEAD "a=group:BUNDLE 0 v1\r\nm=audio 9 RTP/AVPF 0 101\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:101 " \
	     "telephone-event/8000\r\n" \
	     "a=ice-ufrag:Hk4A\r\na=ice-pwd:" PWD \
	     "\r\na=ice-options:trickle renomination\r\na=mid:0\r\na=rtcp-mux\r\n" \
	     "a=candidate:1 1 udp 5 192.0.2.1 5 typ host\r\na=candidate:2 1 udp 5 x.local 5 typ host\r\n"

static int test_answer(void)
{
	struct sdp_codecs prefs;
	struct sdp_running run = {0};
	struct sdp_plan plan;
	struct sdp_ice_local l = {.ufrag = SV("OurFragmentOf16c"),
	    .pwd = SV("OurPasswordOf24Characters"),
	    .mid = SV("0"),
	    .is_bundled = true,
	    .is_lite = true,
	    .count = 2};
	struct sdp_policy p = {.prefs = &prefs,
	    .host = SV("198.51.100.1"),
	    .port = 4000,
	    .dir = SDP_SENDRECV,
	    .is_rtcp_mux_allowed = true,
	    .ice = &l};
	struct buf out;
	struct sdp *s;
	struct sdp_ice ice;

	l.v[0].host = SV("10.0.0.1"), l.v[0].port = 4000, l.v[0].priority = 7, l.v[0].kind = SDP_ICE_HOST;
	l.v[1].host = SV("198.51.100.1"), l.v[1].port = 4000, l.v[1].priority = 6, l.v[1].kind = SDP_ICE_SRFLX;
	EXPECT_INT(sdp_codecs_parse(SV("PCMU"), &prefs, NULL, NULL), ST_OK);
	buf_init(&out);
	EXPECT_INT(sdp_answer_make(SV(OFFER), &p, &run, &plan, &out), ST_OK);
	EXPECT(plan.is_rtcp_mux && !plan.is_hold && plan.local_dir == SDP_SENDRECV);
	EXPECT(strstr(out.p, "a=group:BUNDLE 0\r\na=ice-lite\r\nm=audio 4000 RTP/AVPF 0"));
	EXPECT(strstr(out.p, "a=rtcp-mux\r\na=mid:0\r\na=ice-ufrag:OurFragmentOf16c\r\n"));
	EXPECT(strstr(out.p, "a=candidate:1 1 udp 7 10.0.0.1 4000 typ host\r\n"));
	EXPECT(strstr(out.p, "a=candidate:2 1 udp 6 198.51.100.1 4000 typ srflx raddr 0.0.0.0 rport 9\r\n"));
	EXPECT_INT(sdp_parse_new(buf_sv(&out), &s), ST_OK);
	EXPECT(sdp_ice_read(s, 0, &ice) && ice.is_lite && ice.is_bundled && ice.count == 2);
	mem_free(s);
	buf_fini(&out);
	/* without ICE of ours 0.0.0.0 is a hold as ever */
	run = (struct sdp_running){0}, p.ice = NULL;
	EXPECT_INT(sdp_answer_plan(SV(OFFER), &p, &run, &plan), ST_OK);
	EXPECT(plan.is_hold);
	return 0;
}

static int test_read(void)
{
	struct sdp_ice ice;
	struct sdp *s;
	char *text;

	EXPECT_INT(sdp_parse_new(SV(OFFER), &s), ST_OK);
	EXPECT(sdp_ice_read(s, 0, &ice) && ice.is_bundled && !ice.is_lite);
	EXPECT(sv_is(ice.ufrag, "Hk4A") && sv_is(ice.mid, "0") && ice.count == 1 && ice.passed_over == 1);
	mem_free(s);
	static const char *const bad[] = {"a=ice-ufrag:abc\r\na=ice-pwd:" PWD "\r\n",
	    "a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n", "a=ice-ufrag:ab:cd\r\na=ice-pwd:" PWD "\r\n",
	    "a=ice-ufrag:abcd\r\n", "a=ice-pwd:" PWD "\r\n"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		EXPECT_INT(sdp_frag_parse(sv_of(bad[i]), &text, &s), ST_OK);
		EXPECT(!sdp_ice_read(s, -1, &ice));
		mem_free(s);
		mem_free(text);
	}
	EXPECT_INT(sdp_frag_parse(SV("a=ice-ufrag:abcd\r\na=ice-pwd:" PWD "\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
	                             "a=candidate:1 1 udp 5 192.0.2.1 5 typ host\r\na=end-of-candidates\r\n"),
	               &text, &s),
	    ST_OK);
	EXPECT(sdp_ice_read(s, 0, &ice) && ice.count == 1);
	mem_free(s);
	mem_free(text);
	EXPECT_INT(sdp_frag_parse(SV("no line"), &text, &s), ST_PARSE);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
	    {"candidates", test_candidates}, {"answer", test_answer}, {"read", test_read}};
	return test_main(argc, argv, cases, ARRAY_COUNT(cases));
}
