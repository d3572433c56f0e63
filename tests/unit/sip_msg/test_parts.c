/* The pieces: URIs, addresses, parameters, lists, credentials, stream framing, building. */
#include "base/check.h"
#include "base/mem.h"
#include "harness.h"
#include "sip/msg/msg.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_uri(void)
{
	static const struct {
		const char *text; /* NULL user = must not parse */
		const char *user, *password, *host, *params, *headers;
		int port, scheme;
	} cases[] = {
	    {"sip:alice@atlanta.com", "alice", "", "atlanta.com", "", "", 0, SIP_SCHEME_SIP},
	    {"sip:alice:secretword@atlanta.com;transport=tcp", "alice", "secretword", "atlanta.com", "transport=tcp",
	        "", 0, SIP_SCHEME_SIP},
	    {"SIPS:alice@atlanta.com:5061?subject=project%20x&priority=urgent", "alice", "", "atlanta.com", "",
	        "subject=project%20x&priority=urgent", 5061, SIP_SCHEME_SIPS},
	    {"sip:+1-212-555-1212:1234@gateway.com;user=phone", "+1-212-555-1212", "1234", "gateway.com", "user=phone",
	        "", 0, SIP_SCHEME_SIP},
	    {"sip:[::1]:5070;lr", "", "", "::1", "lr", "", 5070, SIP_SCHEME_SIP},
	    {"sip:alice;day=tuesday@atlanta.com", "alice;day=tuesday", "", "atlanta.com", "", "", 0, SIP_SCHEME_SIP},
	    {"sip:host", "", "", "host", "", "", 0, SIP_SCHEME_SIP},
	    {"tel:+49-30-123;ext=5", "+49-30-123", "", "", "ext=5", "", 0, SIP_SCHEME_TEL},
	    {"urn:service:sos", "", "", "", "", "", 0, SIP_SCHEME_OTHER},
	    {"sip:", NULL},
	    {"sip", NULL},
	    {"", NULL},
	    {":x", NULL},
	    {"sip:a@", NULL},
	    {"sip:@b", NULL},
	    {"sip:a b@c", NULL},
	    {"sip:a@b:", NULL},
	    {"sip:a@b:x", NULL},
	    {"sip:a@b:70000", NULL},
	    {"sip:a@[::1", NULL},
	    {"sip:a@[]", NULL},
	    {"sip:a@[gg::1]", NULL},
	    {"sip:a%zz@b", NULL},
	    {"sip:a%4@b", NULL},
	    {"sip:a@b;x=\"", NULL},
	    {"sip:a@b?<", NULL},
	    {"sip:a@b@c", NULL},
	    {"sip:a@b>", NULL},
	    {"tel:", NULL},
	    {"tel:abcx", NULL},
	    {"1x:y", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sip_uri u = {0};
		size_t n = strlen(cases[i].text);
		char *exact = malloc(n + !n);
		memcpy(exact, cases[i].text, n);
		int st = sip_uri_parse(&u, (struct sv){exact, n});
		if ((st == 0) != (cases[i].user != NULL)) {
			test_fail(__FILE__, __LINE__, "%s: %d", cases[i].text, st);
			return -1;
		}
		if (!st) {
			EXPECT(sv_is(u.user, cases[i].user) && sv_is(u.password, cases[i].password) &&
			       sv_is(u.host, cases[i].host));
			EXPECT(sv_is(u.params, cases[i].params) && sv_is(u.headers, cases[i].headers));
			EXPECT_INT(u.port, cases[i].port);
			EXPECT_INT(u.scheme, cases[i].scheme);
		}
		free(exact);
	}
	return 0;
}

static int test_uri_eq(void)
{
	static const struct {
		const char *a, *b;
		bool want;
	} cases[] = {
	    /* RFC 3261 19.1.4 */
	    {"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp", true},
	    {"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
	    {"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
	    {"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
	        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
	    {"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
	        "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
	    {"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
	    {"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
	    {"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
	    {"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
	    {"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
	    {"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
	    {"sip:a@b", "sips:a@b", false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sip_uri a, b;
		EXPECT_INT(sip_uri_parse(&a, sv_of(cases[i].a)), 0);
		EXPECT_INT(sip_uri_parse(&b, sv_of(cases[i].b)), 0);
		if (sip_uri_eq(&a, &b) != cases[i].want || sip_uri_eq(&b, &a) != cases[i].want) {
			test_fail(__FILE__, __LINE__, "%s and %s", cases[i].a, cases[i].b);
			return -1;
		}
	}
	return 0;
}

static int test_nameaddr(void)
{
	struct sip_nameaddr na;
	EXPECT_INT(sip_nameaddr_parse(&na, SV("\"A \\\"B\\\" <x>\" <sip:a@b;lr>;tag=1;q=0.75;expires=60")), 0);
	EXPECT(sv_is(na.display, "A \\\"B\\\" <x>"));
	EXPECT(sv_is(na.uri.params, "lr"));
	EXPECT(sv_is(na.params, "tag=1;q=0.75;expires=60"));
	EXPECT_INT(sip_nameaddr_q_milli(&na), 750);
	EXPECT_INT(sip_nameaddr_expires_s(&na), 60);
	/* without brackets the parameters are the header's (RFC 3261 20.10) */
	EXPECT_INT(sip_nameaddr_parse(&na, SV(" sip:a@b;transport=tcp ")), 0);
	EXPECT_INT(na.uri.params.n, 0);
	EXPECT(sv_is(na.params, "transport=tcp"));
	EXPECT_INT(sip_nameaddr_parse(&na, SV("*")), 0);
	EXPECT(na.is_star);
	static const char *const bad[] = {"", " ", "<>", "<sip:a@b", "sip:a@b>", "\"x\" sip:a@b", "\"x <sip:a@b>",
	    "<sip:a@b>;;", "<sip:a@b>;", "<sip:a@b>x", "<sip:a@b>;=1", "sip:a@b?x=y", "<sip:a@b>;tag=\"x",
	    "a\"b\" <sip:a@b>"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!sip_nameaddr_parse(&na, sv_of(bad[i]))) {
			test_fail(__FILE__, __LINE__, "%s parses", bad[i]);
			return -1;
		}
	static const struct {
		const char *text;
		int q;
	} qs[] = {{"1", 1000}, {"0", 0}, {"0.5", 500}, {"0.123", 123}, {"1.000", 1000}, {"2", 1000}, {"0.1234", 1000},
	    {"x", 1000}, {"", 1000}};
	for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
		char text[64];
		snprintf(text, sizeof(text), "<sip:a@b>;q=%s", qs[i].text);
		EXPECT_INT(sip_nameaddr_parse(&na, sv_of(text)), 0);
		EXPECT_INT(sip_nameaddr_q_milli(&na), qs[i].q);
	}
	EXPECT_INT(sip_nameaddr_parse(&na, SV("<sip:a@b>;expires=99999999999")), 0);
	EXPECT_INT(sip_nameaddr_expires_s(&na), UINT32_MAX);
	EXPECT_INT(sip_nameaddr_parse(&na, SV("<sip:a@b>;expires=-1")), 0);
	EXPECT_INT(sip_nameaddr_expires_s(&na), -1);
	return 0;
}

static int test_lists(void)
{
	struct sip_list_it it;
	sip_list_start_value(&it, SV("\"a,b\" <sip:x,y@h>;p=\"1,2\" , <sip:z@h> ,c"));
	EXPECT(sip_list_next(&it) && sv_is(it.item, "\"a,b\" <sip:x,y@h>;p=\"1,2\""));
	EXPECT(sip_list_next(&it) && sv_is(it.item, "<sip:z@h>"));
	EXPECT(sip_list_next(&it) && sv_is(it.item, "c"));
	EXPECT(!sip_list_next(&it) && !it.is_bad);
	static const char *const bad[] = {",a", "a,,b", "\"a", "<a", " ,"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		sip_list_start_value(&it, sv_of(bad[i]));
		while (sip_list_next(&it))
			;
		EXPECT(it.is_bad);
	}
	return 0;
}

static int test_auth(void)
{
	struct sip_auth a;
	EXPECT_INT(
	    sip_auth_parse(&a, SV("Digest username=\"bob\",realm=\"b.com\" , nonce=\"n\", uri=\"sip:b.com\",\r\n "
	                          "qop=auth, nc=00000001, cnonce=\"0a\", response=\"ff\", opaque=\"\"")),
	    0);
	EXPECT(sv_is(a.username, "bob") && sv_is(a.realm, "b.com") && sv_is(a.nonce, "n") && sv_is(a.uri, "sip:b.com"));
	EXPECT(sv_is(a.qop, "auth") && sv_is(a.nc, "00000001") && sv_is(a.cnonce, "0a") && sv_is(a.response, "ff"));
	EXPECT(a.opaque.p && !a.opaque.n);
	EXPECT_INT(sip_auth_parse(&a, SV("Basic dTpw")), ST_UNSUPPORTED);
	static const char *const bad[] = {"", "Digest", "Digest ,", "Digest realm", "Digest realm=\"x",
	    "Digest realm=\"a\", realm=\"b\"", "Digest realm=\"a\" nonce=\"b\"", "Digest realm=\"a\",,"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (sip_auth_parse(&a, sv_of(bad[i])) != ST_PARSE) {
			test_fail(__FILE__, __LINE__, "%s parses", bad[i]);
			return -1;
		}
	return 0;
}

#define M1 "OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc"
static int test_frames(void)
{
	struct sip_frame f;
	struct sip_framer fr = {0};
	const char *why = NULL, *two = "\r\n\r\n" M1 "SIP/2.0 200 OK\r\nL :\r\n 0\r\n\r\n";
	size_t n = strlen(M1);
	/* every cut of a message asks for more; then it is there */
	for (size_t i = 0; i < n; i++) {
		char *cut = malloc(i + 1);
		memcpy(cut, M1, i);
		fr = (struct sip_framer){0};
		EXPECT_INT(sip_frame_next(&fr, &f, cut, i, 100, &why), 0);
		EXPECT_INT(f.size, 0);
		free(cut);
	}
	fr = (struct sip_framer){0};
	EXPECT_INT(sip_frame_next(&fr, &f, two, strlen(two), 100, &why), 0);
	EXPECT_INT(f.skip, 4);
	EXPECT_INT(f.size, n);
	EXPECT_INT(sip_frame_next(&fr, &f, two + 4 + n, strlen(two) - 4 - n, 100, &why), 0);
	EXPECT_INT(f.size, strlen(two) - 4 - n);
	EXPECT_INT(sip_frame_next(&fr, &f, "\r\n\r\n", 4, 100, &why), 0);
	EXPECT(f.is_ping && f.skip == 4 && !f.size);
	EXPECT_INT(sip_frame_next(&fr, &f, "\r\n", 2, 100, &why), 0);
	EXPECT(!f.is_ping && !f.skip);
	static const struct {
		const char *text, *why;
	} bad[] = {{"OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n", "Missing Or Bad Content-Length"},
	    {"OPTIONS sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 1\r\n\r\nx", "Missing Or Bad Content-Length"},
	    {"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", "Missing Or Bad Content-Length"},
	    {"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999999999999\r\n\r\n", "Missing Or Bad Content-Length"},
	    {"OPTIONS sip:a SIP/2.0\r\nContent-Length: 101\r\n\r\n", "Body Too Large"}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		fr = (struct sip_framer){0};
		EXPECT_INT(sip_frame_next(&fr, &f, bad[i].text, strlen(bad[i].text), 100, &why), ST_PARSE);
		EXPECT_STR(why, bad[i].why);
	}
	char *big = malloc(SIP_MSG_HEAD_MAX_BYTES);
	memset(big, 'x', SIP_MSG_HEAD_MAX_BYTES);
	fr = (struct sip_framer){0};
	EXPECT_INT(sip_frame_next(&fr, &f, big, SIP_MSG_HEAD_MAX_BYTES, 100, &why), ST_PARSE);
	EXPECT_STR(why, "Header Too Large");
	free(big);
	return 0;
}

static int test_build(void)
{
	struct buf b;
	buf_init(&b);
	sip_put_request_line(&b, SV("INFO"), SV("sip:a@b\r\nX: y"));
	sip_put_hdr(&b, "Subject", SV("a\r\nEvil: 1"));
	sip_put_hdr_u32(&b, "N", 4294967295u);
	sip_put_lines(&b, "A: 1\nnonsense\r\n folded\r\nB:2\r\n: x\r\nC : 3");
	sip_put_nameaddr(&b, SV("say \"x\\\""), SV("sip:a@b"));
	sip_put_body(&b, SV("a/b"), SV("xy"));
	EXPECT_STR(b.p, "INFO sip:a@b  X: y SIP/2.0\r\nSubject: a  Evil: 1\r\nN: 4294967295\r\nA: 1\r\nB:2\r\nC : "
	                "3\r\n\"say \\\"x\\\\\\\"\" <sip:a@b>"
	                "Content-Type: a/b\r\nContent-Length: 2\r\n\r\nxy");
	buf_clear(&b);
	sip_put_status_line(&b, 486, SV_NONE);
	sip_put_status_line(&b, 499, SV("Own"));
	EXPECT_STR(b.p, "SIP/2.0 486 Busy Here\r\nSIP/2.0 499 Own\r\n");
	buf_clear(&b);
	EXPECT_INT(sip_escape_user(&b, SV("a b@c#%\xc3\xa9+1")), 0);
	EXPECT_STR(b.p, "a%20b%40c%23%25%C3%A9+1");
	struct buf u;
	buf_init(&u);
	EXPECT_INT(sip_unescape(&u, buf_sv(&b)), 0);
	EXPECT_STR(u.p, "a b@c#%\xc3\xa9+1");
	buf_clear(&u);
	EXPECT_INT(sip_unquote(&u, SV("a\\\"b\\\\c\\")), 0);
	EXPECT_STR(u.p, "a\"b\\c\\");
	buf_fini(&u);
	buf_fini(&b);
	return 0;
}

/* Text of anybody, in each place it may be put: it ends neither its line, nor its quotes, nor its brackets, and no
 * byte of it is taken for the stack's own mark (\001). */
static int test_build_hostile(void)
{
	static const char all[] = "a\r\nX: 1\rb\nc\001d\177e\t\"\\>,<sip:evil@x>;q=1";
	struct buf b;
	buf_init(&b);
	sip_put_hdr(&b, "X-A", (struct sv){all, sizeof(all)}); /* with its NUL */
	EXPECT_STR(b.p, "X-A: a  X: 1 b c d e\t\"\\>,<sip:evil@x>;q=1 \r\n");
	buf_clear(&b);
	sip_put_status_line(&b, 486, sv_of(all));
	EXPECT_STR(b.p, "SIP/2.0 486 a  X: 1 b c d e\t\"\\>,<sip:evil@x>;q=1\r\n");
	buf_clear(&b);
	sip_put_nameaddr(&b, sv_of(all), SV("sip:a>;b=\"<c d\001\r\n@h"));
	EXPECT_STR(b.p, "\"a  X: 1 b c d e \\\"\\\\>,<sip:evil@x>;q=1\" <sip:a%3E;b=%22%3Cc%20d%01%0D%0A@h>");
	buf_clear(&b);
	sip_put_body(&b, SV("a/b\r\nX: 1"), SV("xy"));
	EXPECT_STR(b.p, "Content-Type: a/b  X: 1\r\nContent-Length: 2\r\n\r\nxy");
	buf_fini(&b);
	return 0;
}

static int test_fitting(void)
{
	static const struct {
		const char *text;
		bool is_host, is_uri_params, is_hdr_params, is_list;
	} cases[] = {
	    {"example.com:5060", true, true, false, true}, /* a URI of a scheme "example.com" */
	    {"[::1]:5060", true, true, false, false},
	    {"::1", false, true, false, false},
	    {"host>", false, false, false, false},
	    {"a b", false, false, false, false},
	    {"a=b;lr", false, true, true, false},
	    {"a=b>;c", false, false, false, false},
	    {"a=\"x;y>\";q=0.1", false, false, true, false},
	    {"a=\"x;y", false, false, false, false},
	    {"a=b,<sip:evil@x>", false, false, false, false},
	    {"a=b?X-H=1", false, false, false, false},
	    {"a=b@c", false, false, false, false},
	    {"a=b\\", false, false, false, false},
	    {"a=[::1]:5", false, true, true, false},
	    {"a=b\r\nX: 1", false, false, false, false},
	    {"<sip:a@b;lr>, \"x\" <sip:c@d>", false, false, false, true},
	    {"sip:a@b c", false, false, false, false},
	    {"<sip:a@b>\r\nX: 1", false, false, false, false},
	    {"<sip:a@b", false, false, false, false},
	    {"*", false, true, true, false},
	    {"", false, false, false, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sv v = sv_of(cases[i].text);
		char got[200], want[200];
		snprintf(got, sizeof(got), "%s: %d %d %d %d", cases[i].text, sip_is_host(v), sip_is_uri_params(v),
		    sip_is_hdr_params(v), sip_is_nameaddr_list(v));
		snprintf(want, sizeof(want), "%s: %d %d %d %d", cases[i].text, cases[i].is_host, cases[i].is_uri_params,
		    cases[i].is_hdr_params, cases[i].is_list);
		EXPECT_STR(got, want);
	}
	EXPECT_INT(sip_is_value(SV("a\tb")), true);
	EXPECT_INT(sip_is_value(SV("a\001b")), false);
	return 0;
}

static int test_transports(void)
{
	static const struct {
		enum sip_transport t;
		const char *token, *param, *put;
		unsigned port;
		bool is_reliable;
	} rows[] = {{SIP_UDP, "UDP", "udp", "", 5060, false}, {SIP_TCP, "TCP", "tcp", ";transport=tcp", 5060, true},
	    {SIP_TLS, "TLS", "tls", ";transport=tls", 5061, true}, {SIP_WS, "WS", "ws", ";transport=ws", 80, true},
	    {SIP_WSS, "WSS", "wss", ";transport=wss", 443, true}, {SIP_TRANSPORT_NONE, "", "", "", 5060, false},
	    {(enum sip_transport)99, "", "", "", 5060, false}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		const struct sip_transport_facts *f = sip_transport_facts(rows[i].t);
		struct buf b;
		buf_init(&b);
		sip_put_transport(&b, rows[i].t);
		EXPECT_STR(f->token, rows[i].token);
		EXPECT_STR(f->param, rows[i].param);
		EXPECT_INT(f->default_port, rows[i].port);
		EXPECT_INT(sip_transport_is_reliable(rows[i].t), rows[i].is_reliable);
		if (rows[i].t < SIP_TRANSPORT_COUNT) {
			EXPECT_INT(sip_transport_of(sv_of(f->param)), rows[i].t);
			EXPECT_STR(b.n ? b.p : "", rows[i].put);
		}
		buf_fini(&b);
	}
	return 0;
}

TEST_MAIN({"transports", test_transports}, {"uri", test_uri}, {"building from hostile text", test_build_hostile},
    {"what fits where", test_fitting}, {"uri equality", test_uri_eq}, {"name-addr", test_nameaddr},
    {"lists", test_lists}, {"credentials", test_auth}, {"frames", test_frames}, {"build", test_build})
