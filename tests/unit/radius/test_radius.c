/* Packets by the examples of RFC 2865, the forms of RFC 5090, what is no packet, what is not proved, names and values
 * of attributes, lines of the spool. */
#include "base/mem.h"
#include "harness.h"
#include "radius/radius_i.h"

#include <stdio.h>
#include <string.h>

/* RFC 2865 section 7.1: nemo's telnet, password arctangent, secret xyzzy5461. */
static const uint8_t nemo[] = {0x01, 0x00, 0x00, 0x38, 0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd, 0x83, 0xd5,
    0xcb, 0x98, 0xf4, 0x22, 0x7a, 0x01, 0x06, 0x6e, 0x65, 0x6d, 0x6f, 0x02, 0x12, 0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4,
    0x13, 0xce, 0x31, 0x96, 0xe4, 0x3f, 0x78, 0x2a, 0x0a, 0xee, 0x04, 0x06, 0xc0, 0xa8, 0x01, 0x10, 0x05, 0x06, 0x00,
    0x00, 0x00, 0x03};
static const uint8_t let_in[] = {0x02, 0x00, 0x00, 0x26, 0x86, 0xfe, 0x22, 0x0e, 0x76, 0x24, 0xba, 0x2a, 0x10, 0x05,
    0xf6, 0xbf, 0x9b, 0x55, 0xe0, 0xb2, 0x06, 0x06, 0x00, 0x00, 0x00, 0x01, 0x0f, 0x06, 0x00, 0x00, 0x00, 0x00, 0x0e,
    0x06, 0xc0, 0xa8, 0x01, 0x03};
static const struct sv secret = {"xyzzy5461", 9};

static int test_rfc2865(void) NO_ROLE_CHECK
{
	struct rad_packet p, q;
	uint8_t hidden[RAD_PASSWORD_MAX_BYTES], copy[sizeof(let_in)];
	struct sv v;
	uint32_t n;

	EXPECT_INT(rad_parse(&p, nemo, sizeof(nemo)), ST_OK);
	EXPECT_INT(p.code, RAD_ACCESS_REQUEST);
	EXPECT(rad_find(p.attrs, 0, RAD_USER_NAME, &v) && sv_is(v, "nemo"));
	EXPECT(rad_find_u32(p.attrs, 0, RAD_NAS_PORT, &n) && n == 3);
	EXPECT(!rad_find(p.attrs, 9, 1, &v));
	EXPECT_INT(rad_password_hide(SV("arctangent"), secret, p.authenticator, hidden), 16);
	EXPECT(rad_find(p.attrs, 0, RAD_USER_PASSWORD, &v) && v.n == 16 && !memcmp(v.p, hidden, 16));
	EXPECT_INT(rad_parse(&q, let_in, sizeof(let_in)), ST_OK);
	EXPECT_INT(rad_answer_check(&q, p.authenticator, secret), RAD_PROVED_WEAKLY);
	EXPECT_INT(rad_answer_check(&q, p.authenticator, SV("another")), RAD_FORGED);
	memcpy(copy, let_in, sizeof(copy));
	copy[sizeof(copy) - 1] ^= 1;
	EXPECT_INT(rad_parse(&q, copy, sizeof(copy)), ST_OK);
	EXPECT_INT(rad_answer_check(&q, p.authenticator, secret), RAD_FORGED);
	return 0;
}

static int test_passwords(void) NO_ROLE_CHECK
{
	uint8_t out[RAD_PASSWORD_MAX_BYTES];
	char text[130];
	memset(text, 'x', sizeof(text));
	EXPECT_INT(rad_password_hide(SV_NONE, secret, nemo + 4, out), 16);
	EXPECT_INT(rad_password_hide((struct sv){text, 17}, secret, nemo + 4, out), 32);
	EXPECT_INT(rad_password_hide((struct sv){text, 128}, secret, nemo + 4, out), 128);
	EXPECT_INT(rad_password_hide((struct sv){text, 129}, secret, nemo + 4, out), 0);
	return 0;
}

static int test_proofs(void) NO_ROLE_CHECK
{
	uint8_t asked[RAD_PACKET_MAX_BYTES], answer[RAD_PACKET_MAX_BYTES], authenticator[RAD_AUTH_BYTES];
	struct rad_packet p, a;
	struct buf attrs;
	struct sv v;
	size_t n, an;

	memcpy(authenticator, nemo + 4, RAD_AUTH_BYTES);
	buf_init(&attrs);
	EXPECT_INT(rad_put(&attrs, RAD_USER_NAME, SV("nemo")), ST_OK);
	EXPECT_INT(
	    rad_request_make(asked, &n, RAD_ACCESS_REQUEST, 7, authenticator, buf_sv(&attrs), secret, SV("secret")),
	    ST_OK);
	EXPECT_INT(rad_parse(&p, asked, n), ST_OK);
	EXPECT(!memcmp(p.authenticator, nemo + 4, RAD_AUTH_BYTES));
	EXPECT_INT(asked[RAD_HEAD_BYTES], RAD_MESSAGE_AUTHENTICATOR); /* nothing can be put before it */
	EXPECT(rad_find(p.attrs, 0, RAD_USER_PASSWORD, &v) && v.n == 16 && memcmp(v.p, "secret", 6) != 0);
	EXPECT_INT(rad_answer_make(answer, &an, RAD_ACCESS_ACCEPT, 7, authenticator, buf_sv(&attrs), secret), ST_OK);
	EXPECT_INT(rad_parse(&a, answer, an), ST_OK);
	EXPECT_INT(rad_answer_check(&a, authenticator, secret), RAD_PROVED);
	for (size_t i = 0; i < an; i++) { /* every byte counts */
		if (i == 2 || i == 3 || i == 21 || (i >= 38 && i < 40))
			continue; /* lengths: no packet any more */
		answer[i] ^= 1;
		EXPECT(rad_parse(&a, answer, an) || rad_answer_check(&a, authenticator, secret) == RAD_FORGED);
		answer[i] ^= 1;
	}
	/* computed authenticators */
	EXPECT_INT(
	    rad_request_make(asked, &n, RAD_ACCT_REQUEST, 9, authenticator, buf_sv(&attrs), secret, SV_NONE), ST_OK);
	EXPECT_INT(rad_parse(&p, asked, n), ST_OK);
	EXPECT_INT(rad_request_check(&p, secret), RAD_PROVED);
	EXPECT_INT(rad_request_check(&p, SV("another")), RAD_FORGED);
	EXPECT(!memcmp(p.authenticator, authenticator, RAD_AUTH_BYTES));
	buf_fini(&attrs);
	return 0;
}

static int test_no_packets(void) NO_ROLE_CHECK
{
	uint8_t b[RAD_PACKET_MAX_BYTES + 10];
	struct rad_packet p;
	memset(b, 0, sizeof(b));
	memcpy(b, nemo, sizeof(nemo));
	for (size_t n = 0; n < sizeof(nemo); n++)
		EXPECT_INT(rad_parse(&p, b, n), ST_PARSE);
	EXPECT_INT(rad_parse(&p, b, sizeof(b)), ST_OK); /* padding */
	EXPECT_INT(p.whole.n, sizeof(nemo));
	b[21] = 0;
	EXPECT_INT(rad_parse(&p, b, sizeof(nemo)), ST_PARSE); /* an attribute of no length */
	b[21] = 1;
	EXPECT_INT(rad_parse(&p, b, sizeof(nemo)), ST_PARSE);
	b[21] = 200;
	EXPECT_INT(rad_parse(&p, b, sizeof(nemo)), ST_PARSE);
	b[21] = 6, b[2] = 0xff;
	EXPECT_INT(rad_parse(&p, b, sizeof(b)), ST_PARSE);
	b[2] = 0, b[3] = 19;
	EXPECT_INT(rad_parse(&p, b, sizeof(b)), ST_PARSE);
	return 0;
}

static int test_vendors(void) NO_ROLE_CHECK
{
	/* two of Cisco's in one attribute; one that is not in the form of RFC 2865 comes whole */
	static const char two[] = "\x1a\x0e\0\0\0\x09\x01\x03"
	                          "a\x17\x05"
	                          "b=c"
	                          "\x1a\x08\0\0\0\x09\x01\x09";
	struct rad_it it = {.rest = {two, sizeof(two) - 1}};
	struct rad_attr a;
	struct buf attrs, text;
	struct rad_dict d;
	struct sv v;

	EXPECT(rad_next(&it, &a) && a.vendor == 9 && a.type == 1 && sv_is(a.value, "a"));
	EXPECT(rad_next(&it, &a) && a.vendor == 9 && a.type == 23 && sv_is(a.value, "b=c"));
	EXPECT(rad_next(&it, &a) && !a.vendor && a.type == RAD_VENDOR_SPECIFIC && a.value.n == 6);
	EXPECT(!rad_next(&it, &a) && !it.rest.n);

	buf_init(&attrs), buf_init(&text);
	EXPECT_INT(rad_dict_find(SV("H323-Credit-Time"), &d), ST_OK);
	EXPECT_INT(rad_dict_put(&attrs, &d, SV("h323-credit-time=90")), ST_OK);
	EXPECT(rad_find(buf_sv(&attrs), 9, 102, &v));
	rad_value_text(&d, v, &text);
	EXPECT_STR(text.p, "90");
	EXPECT_INT(rad_dict_find(SV("Attr-26.22736.101"), &d), ST_OK);
	EXPECT_STR(d.name, "Asterisk-Acc-Code");
	EXPECT_INT(rad_dict_find(SV("Attr-26.9"), &d), ST_NOTFOUND);
	EXPECT_INT(rad_dict_find(SV("Attr-256"), &d), ST_NOTFOUND);
	EXPECT_INT(rad_dict_find(SV("Attr-26"), &d), ST_NOTFOUND);
	EXPECT_INT(rad_dict_find(SV("No-Such"), &d), ST_NOTFOUND);
	EXPECT_INT(rad_dict_find(SV("Session-Timeout"), &d), ST_OK);
	EXPECT_INT(rad_dict_put(&attrs, &d, SV("ten")), ST_PARSE);
	EXPECT_INT(rad_dict_find(SV("Framed-IP-Address"), &d), ST_OK);
	buf_clear(&text);
	rad_value_text(&d, (struct sv){"\x7f\0\0\1", 4}, &text);
	EXPECT_STR(text.p, "127.0.0.1");
	EXPECT_INT(rad_dict_find(SV("Reply-Message"), &d), ST_OK);
	buf_clear(&text);
	rad_value_text(&d, SV("a\r\nb"), &text);
	EXPECT_STR(text.p, "a  b");
	buf_clear(&attrs);
	for (int i = 0; i < 100; i++)
		(void)rad_put(&attrs, 1, (struct sv){(const char *)nemo, 50});
	EXPECT(attrs.n <= RAD_ATTRS_MAX_BYTES && rad_put(&attrs, 1, (struct sv){two, 20}) == ST_LIMIT);
	buf_fini(&attrs), buf_fini(&text);
	return 0;
}

/* RFC 5090 section 6.1's question. */
static int test_rfc5090(void) NO_ROLE_CHECK
{
	const struct authenticator_question q = {.username = SV("12345678"),
	    .realm = SV("example.com"),
	    .nonce = SV("3bada1a0"),
	    .method = SV("INVITE"),
	    .uri = SV("sip:97226491335@example.com"),
	    .response = SV("756933f735fcd93f90a4bbdd5467f263"),
	    .algorithm = SV("md5"),
	    .user = SV("12345678"),
	    .host = SV("example.com")};
	static const struct {
		uint8_t type;
		const char *text;
	} want[] = {{1, "12345678"}, {103, "756933f735fcd93f90a4bbdd5467f263"}, {104, "example.com"}, {105, "3bada1a0"},
	    {108, "INVITE"}, {109, "sip:97226491335@example.com"}, {111, "md5"}, {115, "12345678"},
	    {122, "sip:12345678@example.com"}, {206, "756933f735fcd93f90a4bbdd5467f263"},
	    {207, "\x01\x0d"
	          "example.com"}};
	struct buf b;
	struct sv v;
	role_set(ROLE_CTL);
	buf_init(&b);
	rad_conf.has_rfc5090 = rad_conf.has_sterman = true;
	rad_digest_put(&b, &q);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		EXPECT(rad_find(buf_sv(&b), 0, want[i].type, &v) && sv_is(v, want[i].text));
	EXPECT(!rad_find(buf_sv(&b), 0, RAD_DIGEST_QOP, &v) && !rad_find(buf_sv(&b), 0, RAD_DIGEST_CNONCE, &v));
	buf_clear(&b);
	rad_conf.has_sterman = false;
	rad_digest_put(&b, &q);
	EXPECT(!rad_find(buf_sv(&b), 0, 206, &v) && rad_find(buf_sv(&b), 0, 103, &v));
	memset(&rad_conf, 0, sizeof(rad_conf));
	buf_fini(&b);
	return 0;
}

static int test_lines(void) NO_ROLE_CHECK
{
	struct buf line, attrs;
	char session[40];
	int64_t us;
	static const char *const bad[] = {"", " ", "1 ", "1 s ", "x s AQNh", "-1 s AQNh", "1  AQNh",
	    "1 s AQNhYg==", "1 s !!", "1 0123456789012345678901234567890123456789 AQNh"};
	buf_init(&line), buf_init(&attrs);
	EXPECT_INT(rad_put(&attrs, 1, SV("a")), ST_OK);
	EXPECT_INT(rad_line_put(&line, "uuid", 1234567, buf_sv(&attrs)), ST_OK);
	EXPECT_STR(line.p, "1234567 uuid AQNh\n");
	buf_clear(&attrs);
	EXPECT_INT(rad_line_read(SV("1234567 uuid AQNh"), session, &us, &attrs), ST_OK);
	EXPECT(us == 1234567 && !strcmp(session, "uuid") &&
	       sv_is(buf_sv(&attrs), "\x01\x03"
	                             "a"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&attrs);
		EXPECT_INT(rad_line_read(sv_of(bad[i]), session, &us, &attrs), ST_PARSE);
	}
	buf_fini(&line), buf_fini(&attrs);
	return 0;
}

TEST_MAIN({"rfc2865", test_rfc2865, 0}, {"passwords", test_passwords, 0}, {"proofs", test_proofs, 0},
    {"no packets", test_no_packets, 0}, {"vendors", test_vendors, 0}, {"rfc5090", test_rfc5090, 0},
    {"lines", test_lines, 0})
