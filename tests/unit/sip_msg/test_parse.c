/* Whole messages: what must parse (odd but valid forms in the spirit of RFC 4475), what must not and with which reason.
 */
#include "base/mem.h"
#include "harness.h"
#include "sip/msg/msg.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FTC(cseq) "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: " cseq "\r\n"
#define VIA "Via: SIP/2.0/UDP h;branch=z9hG4bKa\r\n"
#define OK "OPTIONS sip:c@d SIP/2.0\r\n" VIA FTC("1 OPTIONS")

static const struct {
	const char *name, *text, *error; /* error NULL = parses */
} messages[] = {
    {"plain", OK "\r\n", NULL},
    {"line feeds only",
        "OPTIONS sip:c@d SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: "
        "x\n"
        "CSeq: 1 OPTIONS\n\n",
        NULL},
    {"leading CRLF", "\r\n\r\n" OK "\r\n", NULL},
    {"compact names",
        "OPTIONS sip:c@d SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKa\r\nf:<sip:a@b>;tag=1\r\nt:<sip:c@d>\r\ni:x\r\n"
        "CSeq:1 OPTIONS\r\nl:0\r\n\r\n",
        NULL},
    {"blanks and folds",
        "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\nTO :\r\n sip:vivekg@chair-dnrc.example.com ; "
        "  tag    = 1918181833n\r\n"
        "from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\nMaX-fOrWaRdS: "
        "0068\r\n"
        "Call-ID: wsinv.ndaksdj@192.0.2.1\r\nContent-Length   : 4\r\ncseq: 0009\r\n  INVITE\r\n"
        "Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\ns :\r\nNewFangledHeader:   newfangled "
        "value\r\n continued\r\n"
        "v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n SIP  /    2.0   / UDP  "
        "192.168.255.111   ; branch=\r\n"
        " z9hG4bK30239\r\nm:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\r\n      newvalue ;\r\n  "
        "secondparam ; q = 0.33\r\n\r\nv=0\n",
        NULL},
    {"odd method and user",
        "!interesting-Method0123456789_*+`.%indeed'~ "
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
        "@example.com SIP/2.0\r\nVia: SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~\r\n"
        "To: \"BEL:\\\x07 DEL:\\\x7f\" <sip:1_unusual.URI~@example.com>\r\n"
        "From: token1~` token2'+_ token3*%!.- "
        "<sip:mundane@example.com>;fromParam''~+*_!.-%=\"work\";tag=_token~1'+`*%!-.\r\n"
        "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{\r\nCSeq: 139122385 "
        "!interesting-Method0123456789_*+`.%indeed'~\r\nMax-Forwards: 255\r\n\r\n",
        NULL},
    {"escaped user",
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\r\n" VIA "To: sip:%75se%72@example.com\r\n"
        "From: <sip:I%20have%20spaces@example.net>;tag=938\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\n\r\n",
        NULL},
    {"semicolon in user", "OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n",
        NULL},
    {"no blank before <",
        "OPTIONS sip:c@d SIP/2.0\r\n" VIA
        "From: caller<sip:a@b>;tag=3\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        NULL},
    {"unknown transport",
        "OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UNKNOWN t6.example.com;branch=z9hG4bKa, SIP/2.0/SCTP x\r\n" FTC(
            "1 OPTIONS") "\r\n",
        NULL},
    {"unknown scheme", "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n",
        NULL},
    {"tel",
        "INVITE tel:+358-555-1234567;phone-context=x SIP/2.0\r\n" VIA
        "From: <tel:5551234>;tag=1\r\nTo: <tel:+1(555)123>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
        NULL},
    {"IPv6",
        "OPTIONS sip:a@[2001:db8::10]:5070 SIP/2.0\r\nVia: SIP/2.0/UDP "
        "[2001:db8::9:1]:6000;received=[2001:db8::9:255];branch=z9hG4bKa\r\n" FTC("1 OPTIONS") "\r\n",
        NULL},
    {"no branch",
        "OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: sip:a@b\r\nTo: sip:c@d\r\nCall-ID: x\r\nCSeq: 1 "
        "OPTIONS\r\n\r\n",
        NULL},
    {"response", "SIP/2.0 200 OK\r\n" VIA FTC("1 OPTIONS") "\r\n", NULL},
    {"UTF-8 phrase", "SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe\r\n" VIA FTC("1 OPTIONS") "\r\n", NULL},
    {"empty phrase", "SIP/2.0 100 \r\n" VIA FTC("1 OPTIONS") "\r\n", NULL},
    {"no phrase", "SIP/2.0 100\r\n" VIA FTC("1 OPTIONS") "\r\n", NULL},
    {"bytes after the body", OK "Content-Length: 2\r\n\r\nabINVITE sip:x SIP/2.0\r\n", NULL},
    {"leading zeros", OK "Content-Length: 0000000000000000000\r\nMax-Forwards: 007\r\n\r\n", NULL},
    {"empty header", OK "Subject:\r\nSupported: \r\n\r\n", NULL},
    {"hash in user", "OPTIONS sip:*98#@d SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", NULL},
    {"huge Expires", OK "Expires: 1000000000000000000\r\n\r\n", NULL},

    {"nothing", "", "Empty Message"},
    {"no end of head", OK, "Incomplete Message"},
    {"cut", "OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0", "Incomplete Message"},
    {"no request line", "\r\nOPTIONS\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request Line"},
    {"two blanks", "OPTIONS  sip:c@d SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request Line"},
    {"trailing blanks", "OPTIONS sip:c@d SIP/2.0  \r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request Line"},
    {"angle brackets", "OPTIONS <sip:c@d> SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request URI"},
    {"blank in uri", "OPTIONS sip:c@d; lr SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request Line"},
    {"bad escape", "OPTIONS sip:c%4@d SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request URI"},
    {"bad port", "OPTIONS sip:c@d:65536 SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request URI"},
    {"no host", "OPTIONS sip:c@ SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Request URI"},
    {"version", "OPTIONS sip:c@d SIP/7.0\r\n" VIA FTC("1 OPTIONS") "\r\n", "Version Not Supported"},
    {"other protocol", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "Bad Request Line"},
    {"code too large", "SIP/2.0 4294967301 better not\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Status Line"},
    {"code 700", "SIP/2.0 700 x\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Status Line"},
    {"code 099", "SIP/2.0 099 x\r\n" VIA FTC("1 OPTIONS") "\r\n", "Bad Status Line"},
    {"method mismatch", "OPTIONS sip:c@d SIP/2.0\r\n" VIA FTC("1 INVITE") "\r\n", "CSeq Method Mismatch"},
    {"CSeq too large", "OPTIONS sip:c@d SIP/2.0\r\n" VIA FTC("36893488147419103232 OPTIONS") "\r\n", "Bad CSeq"},
    {"CSeq without method", "OPTIONS sip:c@d SIP/2.0\r\n" VIA FTC("1") "\r\n", "Bad CSeq"},
    {"no Via", "OPTIONS sip:c@d SIP/2.0\r\n" FTC("1 OPTIONS") "\r\n", "Missing Via"},
    {"no From", "OPTIONS sip:c@d SIP/2.0\r\n" VIA "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Missing From"},
    {"no To", "OPTIONS sip:c@d SIP/2.0\r\n" VIA "From: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Missing To"},
    {"no Call-ID", "OPTIONS sip:c@d SIP/2.0\r\n" VIA "From: <sip:c@d>\r\nTo: <sip:c@d>\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Missing Call-ID"},
    {"blank in Call-ID",
        "OPTIONS sip:c@d SIP/2.0\r\n" VIA "From: <sip:c@d>\r\nTo: <sip:c@d>\r\nCall-ID: a b\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Bad Call-ID"},
    {"open quote",
        "OPTIONS sip:c@d SIP/2.0\r\n" VIA
        "To: \"Mr. J. User <sip:j@e>\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Bad To"},
    {"comma in display",
        "OPTIONS sip:c@d SIP/2.0\r\n" VIA
        "From: Bell, A <sip:a@b>;tag=4\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Bad From"},
    {"blank in <>",
        "OPTIONS sip:c@d SIP/2.0\r\n" VIA
        "To: \"W\" < sip:w@e >\r\nFrom: <sip:a@b>;tag=1\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Bad To"},
    {"star in From",
        "OPTIONS sip:c@d SIP/2.0\r\n" VIA "From: *\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        "Bad From"},
    {"empty parameters in Via",
        "OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" FTC("1 OPTIONS") "\r\n", "Bad Via"},
    {"Via port", "OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/UDP h:x;branch=z9hG4bKa\r\n" FTC("1 OPTIONS") "\r\n",
        "Bad Via"},
    {"Max-Forwards", OK "Max-Forwards: 300\r\n\r\n", "Bad Max-Forwards"},
    {"negative length", OK "Content-Length: -999\r\n\r\n", "Bad Content-Length"},
    {"length too large", OK "Content-Length: 9999\r\n\r\nabc", "Content-Length Mismatch"},
    {"length overflow", OK "Content-Length: 18446744073709551617\r\n\r\nabc", "Bad Content-Length"},
    {"two lengths", OK "Content-Length: 0\r\nl: 1\r\n\r\na", "Duplicate Content-Length"},
    {"two Froms", OK "f: <sip:x@y>\r\n\r\n", "Duplicate From"},
    {"two CSeqs", OK "CSEQ: 1 OPTIONS\r\n\r\n", "Duplicate CSeq"},
    {"two Call-IDs", OK "Call-ID: y\r\n\r\n", "Duplicate Call-ID"},
    {"no colon", OK "Subject\r\n\r\n", "Bad Header Line"},
    {"empty name", OK ": x\r\n\r\n", "Bad Header Line"},
};

static int parse(struct sip_msg *m, const char *text)
{
	static struct sip_hdr hdrs[SIP_MSG_HDRS_MAX];
	return sip_msg_parse(m, hdrs, SIP_MSG_HDRS_MAX, text, strlen(text), 0);
}

static int test_table(void)
{
	int bad = 0;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct sip_msg m;
		/* a copy of the exact size: reading beyond it is seen by ASan */
		size_t n = strlen(messages[i].text);
		char *exact = malloc(n + !n);
		struct sip_hdr hdrs[40];
		memcpy(exact, messages[i].text, n);
		int st = sip_msg_parse(&m, hdrs, 40, exact, n, 0);
		const char *got = m.error ? m.error : "none", *want = messages[i].error ? messages[i].error : "none";
		if (strcmp(got, want) || st != (messages[i].error ? ST_PARSE : ST_OK)) {
			test_fail(__FILE__, __LINE__, "%s: error \"%s\", not \"%s\"", messages[i].name, got, want);
			bad = 1;
		}
		free(exact);
	}
	return bad;
}

static int test_fields(void)
{
	struct sip_msg m;
	struct sip_hdr hdrs[40];
	static char text[2048];
	EXPECT_INT(parse(&m, messages[4].text), 0);
	EXPECT(m.has_folds);
	EXPECT(sv_is(m.to_tag, "1918181833n"));
	EXPECT(sv_is(m.from_tag, "98asjd8"));
	EXPECT(sv_is(m.from.display, "J Rosenberg \\\\\\\""));
	EXPECT_INT(m.max_forwards, 68);
	EXPECT_INT(m.cseq, 9);
	EXPECT_INT(m.method, SIP_INVITE);
	EXPECT(sv_is(m.via.branch, "390skdjuw"));
	EXPECT(sv_is(m.via.host, "192.0.2.2"));
	EXPECT_INT(m.via.transport, SIP_UDP);
	EXPECT(sv_is(m.body, "v=0\n"));
	struct sip_list_it it;
	int count = 0;
	struct sip_via v;
	sip_list_start(&it, &m, SIP_HDR_VIA);
	while (sip_list_next(&it)) {
		EXPECT_INT(sip_via_parse(&v, it.item), 0);
		count++;
	}
	EXPECT(!it.is_bad);
	EXPECT_INT(count, 3);
	EXPECT(sv_is(v.branch, "z9hG4bK30239"));
	struct sip_nameaddr c;
	EXPECT_INT(sip_msg_contact(&m, &c), 0);
	EXPECT_INT(sip_nameaddr_q_milli(&c), 330);
	EXPECT(sip_param_get(c.params, ';', "SECONDPARAM", NULL));
	/* unfolded, the same, without a line break in any value */
	strcpy(text, messages[4].text);
	sip_msg_unfold(text, strlen(text));
	EXPECT_INT(sip_msg_parse(&m, hdrs, 40, text, strlen(text), 0), 0);
	EXPECT(!m.has_folds);
	EXPECT(sv_is(m.body, "v=0\n"));
	for (size_t i = 0; i < m.hdr_count; i++)
		EXPECT(sip_is_value(m.hdrs[i].value));
	EXPECT(sv_is(sip_msg_value_named(&m, "newfangledheader"), "newfangled value   continued") ||
	       sv_is(sip_msg_value_named(&m, "newfangledheader"), "newfangled value  continued") ||
	       sv_starts(sip_msg_value_named(&m, "newfangledheader"), SV("newfangled value ")));
	return 0;
}

static int test_answerable(void)
{
	struct sip_msg m;
	EXPECT(parse(&m, OK "Content-Length: 9\r\n\r\n") == ST_PARSE && m.is_answerable && m.error_code == 400);
	EXPECT(parse(&m, "OPTIONS sip:c@d SIP/2.0\r\nVia: nonsense\r\n" FTC("1 OPTIONS") "\r\n") == ST_PARSE &&
	       m.is_answerable && !m.via.text.n);
	EXPECT(parse(&m, "OPTIONS sip:c@d SIP/2.0\r\n" FTC("1 OPTIONS") "\r\n") == ST_PARSE && !m.is_answerable);
	EXPECT(parse(&m, "OPTIONS sip:c@d SIP/2.0\r\n" VIA "CSeq: 1 OPTIONS\r\n\r\n") == ST_PARSE && m.is_answerable);
	EXPECT(parse(&m, "ACK sip:c@d SIP/2.0\r\n" VIA FTC("1 OPTIONS") "\r\n") == ST_PARSE && !m.is_answerable);
	EXPECT(parse(&m, "SIP/2.0 200 OK\r\n" FTC("1 OPTIONS") "\r\n") == ST_PARSE && !m.is_answerable);
	EXPECT(parse(&m, "OPTIONS sip:c@d SIP/9\r\n" VIA FTC("1 OPTIONS") "\r\n") == ST_PARSE && m.is_answerable &&
	       m.error_code == 505);
	return 0;
}

static int test_too_many_headers(void)
{
	struct sip_msg m;
	struct buf b;
	buf_init(&b);
	buf_adds(&b, OK);
	for (int i = 0; i < SIP_MSG_HDRS_MAX - 5; i++)
		buf_adds(&b, "X: y\r\n");
	buf_adds(&b, "\r\n");
	EXPECT_INT(parse(&m, b.p), 0);
	EXPECT_INT(m.hdr_count, SIP_MSG_HDRS_MAX);
	b.n -= 2;
	buf_adds(&b, "X: y\r\n\r\n");
	EXPECT_INT(parse(&m, b.p), ST_PARSE);
	EXPECT_STR(m.error, "Too Many Headers");
	buf_clear(&b);
	buf_adds(&b, OK "Subject: ");
	for (int i = 0; i < 70000; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, "\r\n\r\n");
	EXPECT_INT(parse(&m, b.p), ST_PARSE);
	buf_fini(&b);
	return 0;
}

static int test_dup(void)
{
	struct sip_msg m;
	static char text[2048];
	strcpy(text, OK "Contact: <sip:x@y>\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc");
	EXPECT_INT(parse(&m, text), 0);
	struct sip_msg *d = sip_msg_dup(&m), *h = sip_msg_dup_head(&m);
	EXPECT(d && h);
	memset(text, 'Z', sizeof(text));
	EXPECT(sv_is(d->call_id, "x"));
	EXPECT(sv_is(d->body, "abc"));
	EXPECT(sv_is(d->content_type, "a/b"));
	EXPECT(sv_is(sip_msg_value(d, SIP_HDR_CONTACT), "<sip:x@y>"));
	EXPECT(sv_is(h->via.branch, "z9hG4bKa"));
	EXPECT_INT(h->body.n, 0);
	mem_unref(d);
	mem_unref(h);
	EXPECT_INT(parse(&m, "x\r\n\r\n"), ST_PARSE);
	EXPECT(sip_msg_dup(&m) == NULL);
	return 0;
}

static int test_dup_oom(void)
{
	struct sip_msg m;
	EXPECT_INT(parse(&m, OK "\r\n"), 0);
	struct sip_msg *d = sip_msg_dup(&m);
	EXPECT(d);
	mem_unref(d);
	return 0;
}

static int test_names(void)
{
	for (int i = 1; i < SIP_HDR_COUNT; i++) {
		char lower[40];
		const char *name = sip_hdr_name((enum sip_hdr_id)i);
		EXPECT(*name);
		EXPECT_INT(sip_hdr_id_of(sv_of(name)), i);
		for (size_t k = 0; k <= strlen(name); k++)
			lower[k] = name[k] >= 'A' && name[k] <= 'Z' ? (char)(name[k] | 0x20) : name[k];
		EXPECT_INT(sip_hdr_id_of(sv_of(lower)), i);
		lower[0] = 'q';
		EXPECT_INT(sip_hdr_id_of(sv_of(lower)), SIP_HDR_OTHER);
	}
	static const struct {
		char c;
		enum sip_hdr_id id;
	} compact[] = {{'v', SIP_HDR_VIA}, {'F', SIP_HDR_FROM}, {'t', SIP_HDR_TO}, {'i', SIP_HDR_CALL_ID},
	    {'m', SIP_HDR_CONTACT}, {'L', SIP_HDR_CONTENT_LENGTH}, {'c', SIP_HDR_CONTENT_TYPE},
	    {'e', SIP_HDR_CONTENT_ENCODING}, {'k', SIP_HDR_SUPPORTED}, {'s', SIP_HDR_SUBJECT}, {'o', SIP_HDR_EVENT},
	    {'u', SIP_HDR_ALLOW_EVENTS}, {'r', SIP_HDR_REFER_TO}, {'b', SIP_HDR_REFERRED_BY},
	    {'x', SIP_HDR_SESSION_EXPIRES}, {'z', SIP_HDR_OTHER}};
	for (size_t i = 0; i < sizeof(compact) / sizeof(compact[0]); i++)
		EXPECT_INT(sip_hdr_id_of((struct sv){&compact[i].c, 1}), compact[i].id);
	for (int i = 1; i < SIP_METHOD_COUNT; i++)
		EXPECT_INT(sip_method_of(sv_of(sip_method_name((enum sip_method)i))), i);
	EXPECT_INT(sip_method_of(SV("invite")), SIP_NO_METHOD);
	return 0;
}

TEST_MAIN({"table", test_table}, {"fields", test_fields}, {"answerable", test_answerable},
    {"bounds", test_too_many_headers}, {"dup", test_dup}, {"dup without memory", test_dup_oom, TEST_OOM},
    {"names", test_names})
