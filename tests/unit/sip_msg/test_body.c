/* Which part of a body is the session description, and whether something in it had to be understood. */
#include "harness.h"
#include "sip/msg/msg.h"
#include <stdio.h>
#include <string.h>

static int test_bodies(void)
{
	static const struct {
		const char *headers, *body, *sdp; /* sdp NULL: none */
		bool is_unknown;
	} cases[] = {
	    {"Content-Type: application/sdp", "v=0\r\n", "v=0\r\n", false},
	    {"c: Application/SDP;charset=utf-8", "v=0\r\n", "v=0\r\n", false},
	    {"X: y", "v=0\r\n", "v=0\r\n", false}, /* no type: taken for one */
	    {"X: y", "", NULL, false},
	    {"Content-Type: application/foo", "v=0\r\n", NULL, true},
	    {"Content-Type: application/foo\r\nContent-Disposition: x;handling=optional", "v=0\r\n", NULL, false},
	    {"Content-Type: application/foo\r\nContent-Disposition: x;handling=required", "v=0\r\n", NULL, true},
	    {"Content-Type: application/sdp\r\nContent-Encoding: gzip", "v=0\r\n", NULL, true},
	    {"Content-Type: application/sdp\r\nContent-Encoding: identity", "v=0\r\n", "v=0\r\n", false},
	    {"Content-Type: application/sdp\r\nContent-Disposition: early-session", "v=0\r\n", NULL, true},
	    /* parts */
	    {"Content-Type: multipart/mixed;boundary=b",
	        "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n", "v=0\r\n", false},
	    {"Content-Type: multipart/mixed; boundary=\"b b\"",
	        "x\r\n--b b \r\nContent-Type: a/b\r\n\r\n1\r\n--b b\r\ncontent-type:application/sdp\r\n\r\nv=0\r\n--b "
	        "b--",
	        "v=0", false},
	    {"Content-Type: multipart/mixed;boundary=b", "--b\nContent-Type: application/sdp\n\nv=0\n--b--\n", "v=0",
	        false},
	    {"Content-Type: multipart/mixed;boundary=b", "--b\r\n\r\ntext\r\n--b--", NULL, true},
	    {"Content-Type: multipart/mixed;boundary=b",
	        "--b\r\nContent-Type: a/b\r\nContent-Disposition: s;handling=optional\r\n\r\n1\r\n--b--", NULL, false},
	    {"Content-Type: multipart/mixed;boundary=b",
	        "--b\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--b--", NULL,
	        true},
	    {"Content-Type: multipart/alternative;boundary=b",
	        "--b\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--b\r\nContent-Type: "
	        "application/sdp\r\n\r\nv=2\r\n--b--",
	        "v=2", false},
	    {"Content-Type: multipart/mixed;boundary=b",
	        "--b\r\nContent-Type: application/sdp\r\n\r\nv=1\r\n--b\r\nContent-Type: "
	        "application/sdp\r\n\r\nv=2\r\n--b--",
	        "v=1", false},
	    {"Content-Type: multipart/mixed;boundary=o",
	        "--o\r\nContent-Type: multipart/related;boundary=i\r\n\r\n--i\r\nContent-Type: "
	        "application/sdp\r\n\r\nv=3\r\n"
	        "--i--\r\n--o--",
	        "v=3", false},
	    /* broken */
	    {"Content-Type: multipart/mixed", "--b\r\n\r\nv=0\r\n--b--", NULL, true},
	    {"Content-Type: multipart/mixed;boundary=", "--\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n----", NULL,
	        true},
	    {"Content-Type: multipart/mixed;boundary=b", "--b--", NULL, true},
	    {"Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp", NULL, true},
	    {"Content-Type: multipart/mixed;boundary=b", "--b\r\nContent-Type: application/sdp\r\n\r\nv=0 is not ended",
	        NULL, true},
	    {"Content-Type: multipart/mixed;boundary=b", "--b\r\n--b\r\n--b--", NULL, true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
		struct sip_msg m;
		char text[2048], got[256], want[256];
		int n = snprintf(text, sizeof(text),
		    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		    "<sip:c@d>\r\n"
		    "Call-ID: 1\r\nCSeq: 1 INVITE\r\n%s\r\n\r\n%s",
		    cases[i].headers, cases[i].body);
		EXPECT_INT(sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, text, (size_t)n, 0), ST_OK);
		snprintf(got, sizeof(got), "%zu: %.*s %d", i, SVF(m.sdp), m.has_unknown_body);
		snprintf(want, sizeof(want), "%zu: %s %d", i, cases[i].sdp ? cases[i].sdp : "", cases[i].is_unknown);
		EXPECT_STR(got, want);
	}
	return 0;
}

/* Many parts, many levels: bounded, and no session description is looked for behind the bounds. */
static int test_bounds(void)
{
	static char text[64 * 1024];
	struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_msg m;
	int n = snprintf(text, sizeof(text),
	    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n"
	    "Call-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n");
	for (int i = 0; i < 100; i++)
		n += snprintf(
		    text + n, sizeof(text) - (size_t)n, "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\nx\r\n");
	n += snprintf(text + n, sizeof(text) - (size_t)n, "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--");
	EXPECT_INT(sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, text, (size_t)n, 0), ST_OK);
	EXPECT_INT(m.sdp.n, 0);
	EXPECT(m.has_unknown_body);
	return 0;
}

static void part_list(const struct sip_part *part, void *arg)
{
	buf_printf(arg, "%.*s|%.*s|%.*s;", SVF(part->ctype), SVF(part->disposition), SVF(part->bytes));
}

static int test_each(void)
{
	static const char body[] =
	    "--b\r\nContent-Type: a/b;c=d\r\nContent-Disposition: x\r\n\r\none\r\n--b\r\n"
	    "Content-Type: application/sdp\r\n\r\nv=0\r\n--b\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\neA==\r\n--b\r\n"
	    "Content-Type: multipart/mixed;boundary=i\r\n\r\n--i\r\n\r\ntwo\r\n--i--\r\n--b--\r\n";
	char text[2048];
	struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	struct sip_msg m;
	struct buf got;
	for (int is_multipart = 0; is_multipart < 2; is_multipart++) {
		int n = snprintf(text, sizeof(text),
		    "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
		    "<sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContent-Type: %s\r\n\r\n%s",
		    is_multipart ? "multipart/mixed;boundary=b" : "text/plain", body);
		EXPECT_INT(sip_msg_parse(&m, hdrs, SIP_MSG_HDRS_MAX, text, (size_t)n, 0), ST_OK);
		buf_init(&got);
		buf_adds(&got, "");
		sip_body_each(&m, part_list, &got);
		EXPECT_STR(got.p ? got.p : "", is_multipart ? "a/b;c=d|x|one;text/plain||two;" : "");
		buf_fini(&got);
	}
	return 0;
}

TEST_MAIN({"bodies", test_bodies}, {"bounds", test_bounds}, {"each", test_each})
