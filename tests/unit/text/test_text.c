/* Regular expressions, JSON, URL and base64 coding, digests: tables of text in and text out. */
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "harness.h"
#include "text/base64.h"
#include "text/digest.h"
#include "text/json.h"
#include "text/re.h"
#include "text/url.h"
#include <stdio.h>
#include <string.h>

static int test_url(void)
{
	static const struct {
		const char *in, *want;
		unsigned flags;
	} rows[] = {
	    {"sip:1000@10.0.0.1;x=y", "sip%3A1000%4010.0.0.1%3Bx%3Dy", 0},
	    {"a b,c/d(e)'f'$g~!*", "a%20b,c/d(e)'f'$g~!*", 0},
	    {"<\"[]{}|\\^`>?#&+", "%3C%22%5B%5D%7B%7D%7C%5C%5E%60%3E%3F%23%26%2B", 0},
	    {"\r\n\t\x7f\xc3\xa9", "%0D%0A%09%7F%C3%A9", 0},
	    {"%(2000,4000) 50%25", "%25(2000,4000)%2050%2525", 0},
	    {"%(2000) 50%25", "%25(2000)%2050%25", URL_KEEP_ESCAPES},
	    {"", "", 0},
	};
	struct buf b, back;
	buf_init(&b);
	buf_init(&back);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		buf_clear(&b);
		buf_clear(&back);
		EXPECT_INT(url_encode(&b, sv_of(rows[i].in), rows[i].flags), ST_OK);
		EXPECT(sv_is(buf_sv(&b), rows[i].want));
		EXPECT_INT(url_decode(&back, buf_sv(&b)), ST_OK);
		EXPECT(rows[i].flags || sv_is(buf_sv(&back), rows[i].in));
	}
	buf_clear(&b);
	url_decode(&b, SV("a+b%2x%4%41%"));
	EXPECT_STR(b.p, "a+b%2x%4A%");
	buf_clear(&b);
	url_decode_form(&b, SV("a+b%2Bc"));
	EXPECT_STR(b.p, "a b+c");
	buf_fini(&b);
	buf_fini(&back);
	return 0;
}

static int test_base64(void)
{
	static const struct {
		const char *plain, *coded;
	} rows[] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfd?", "//79Pw=="}};
	static const char *const bad[] = {"Z", "Zg=a", "Zm9v!", "Zg===", "Zg=", "Zm9vY"};
	struct buf b;
	buf_init(&b);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		buf_clear(&b);
		base64_encode(&b, rows[i].plain, strlen(rows[i].plain));
		EXPECT(sv_is(buf_sv(&b), rows[i].coded));
		buf_clear(&b);
		EXPECT_INT(base64_decode(&b, sv_of(rows[i].coded)), ST_OK);
		EXPECT(sv_is(buf_sv(&b), rows[i].plain));
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		buf_clear(&b);
		EXPECT_INT(base64_decode(&b, sv_of(bad[i])), ST_PARSE);
		EXPECT_INT(b.n, 0);
	}
	buf_clear(&b);
	base64url_encode(&b, "\xff\xfe\xfd?", 4);
	EXPECT_STR(b.p, "__79Pw");
	buf_clear(&b);
	EXPECT_INT(base64_decode(&b, SV("__79\r\n Pw")), ST_OK);
	EXPECT(sv_is(buf_sv(&b), "\xff\xfe\xfd?"));
	buf_fini(&b);
	return 0;
}

static int test_digest(void)
{
	uint8_t d[32];
	char hex[65];

	digest_md5("abc", 3, d);
	digest_hex(d, 16, hex);
	EXPECT_STR(hex, "900150983cd24fb0d6963f7d28e17f72");
	digest_md5_pieces((struct digest_piece[]){{"a", 1}, {NULL, 0}, {"bc", 2}}, 3, d);
	digest_hex(d, 16, hex);
	EXPECT_STR(hex, "900150983cd24fb0d6963f7d28e17f72");
	digest_md5(NULL, 0, d);
	digest_hex(d, 16, hex);
	EXPECT_STR(hex, "d41d8cd98f00b204e9800998ecf8427e");
	digest_sha1("abc", 3, d);
	digest_hex(d, 20, hex);
	EXPECT_STR(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest_sha256("abc", 3, d);
	digest_hex(d, 32, hex);
	EXPECT_STR(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha512_256("abc", 3, d);
	digest_hex(d, 32, hex);
	EXPECT_STR(hex, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
	/* RFC 4231 case 2, RFC 2202 case 2 */
	digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, d);
	digest_hex(d, 32, hex);
	EXPECT_STR(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac_sha1("Jefe", 4, "what do ya want for nothing?", 28, d);
	digest_hex(d, 20, hex);
	EXPECT_STR(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	EXPECT(digest_equal("abc", "abc", 3) && !digest_equal("abc", "abd", 3));
	return 0;
}

static int test_json_read(void)
{
	json_t *v = NULL;
	char error[JSON_ERROR_CHARS], deep[200];

	EXPECT_INT(json_parse(&v, SV("{\"a\":[1,\"[[[\\\"{\"]}"), 0, error), ST_OK);
	EXPECT_INT(json_integer_value(json_array_get(json_object_get(v, "a"), 0)), 1);
	json_decref(v);
	v = NULL;
	EXPECT_INT(json_parse(&v, SV("{\"a\":\n1,}"), 0, error), ST_PARSE);
	EXPECT(strstr(error, "2:") == error);
	EXPECT_INT(json_parse(&v, SV(""), 0, NULL), ST_PARSE);
	EXPECT_INT(json_parse(&v, SV("[1,2,3]"), 6, error), ST_PARSE);
	memset(deep, '[', 65);
	memset(deep + 65, ']', 65);
	EXPECT_INT(json_parse(&v, (struct sv){deep, 130}, 0, error), ST_PARSE);
	EXPECT(strstr(error, "deeper"));
	EXPECT(v == NULL);
	EXPECT_INT(json_parse(&v, (struct sv){deep + 1, 128}, 0, error), ST_OK);
	json_decref(v);
	return 0;
}

/* Every byte at every place of a text that is looked at eight bytes at a time, against the rule byte by byte. */
static int test_json_quote(void)
{
	for (unsigned c = 0; c < 0x80; c++)
		for (size_t at = 0; at < 20; at++) {
			char text[20], want[40];
			struct buf b;
			memset(text, '!', sizeof(text));
			text[at] = (char)c;
			const char *esc = c == '"'    ? "\\\""
			                  : c == '\\' ? "\\\\"
			                  : c == '\b' ? "\\b"
			                  : c == '\f' ? "\\f"
			                  : c == '\n' ? "\\n"
			                  : c == '\r' ? "\\r"
			                  : c == '\t' ? "\\t"
			                              : NULL;
			char plain[8];
			snprintf(plain, sizeof(plain), c < 0x20 ? "\\u%04x" : "%c", c);
			snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, text, esc ? esc : plain, (int)(19 - at),
			    text + at + 1);
			buf_init(&b);
			json_quote(&b, (struct sv){text, sizeof(text)});
			EXPECT_STR(b.p, want);
			buf_fini(&b);
		}
	return 0;
}

static int test_json_write(void)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b);
	for (int pretty = 0; pretty < 2; pretty++) {
		buf_clear(&b);
		jw_init(&w, &b, pretty);
		jw_begin_object(&w);
		jw_kv_str(&w, "a", "x\"\\\n\x01\xff");
		jw_key(&w, "b");
		jw_begin_array(&w);
		jw_int(&w, -1);
		jw_begin_object(&w);
		jw_kv_bool(&w, "c", true);
		jw_end_object(&w);
		jw_null(&w);
		jw_real(&w, 1.5);
		jw_end_array(&w);
		jw_kv_str(&w, "d", NULL);
		jw_end_object(&w);
		EXPECT_STR(b.p,
		    pretty ? "{\n\t\"a\":\t\"x\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\n\t\"b\":\t[-1, "
		             "{\n\t\t\t\"c\":\ttrue\n\t\t}, null, 1.5],\n"
		             "\t\"d\":\tnull\n}"
		           : "{\"a\":\"x\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\"b\":[-1,{\"c\":true},null,1.5],\"d\":null}");
	}
	buf_clear(&b);
	json_quote(&b, SV("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc0\xaf\xed\xa0\x80")); /* good 2, 3, 4 bytes; overlong;
	                                                                                   surrogate */
	EXPECT_STR(b.p, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
	                "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_fini(&b);
	return 0;
}

static int test_re_expression(void)
{
	static const struct {
		const char *expression, *subject;
		int want;
		const char *one; /* $1 */
	} rows[] = {
	    {"^(10[01][0-9])$", "1001", 1, "1001"},
	    {"^(10[01][0-9])$", "1021", 0, NULL},
	    {"/^ABC(.*)$/i", "abcdef", 1, "def"},
	    {"/^ABC(.*)$/", "abcdef", 0, NULL},
	    {"/a.b/s", "a\nb", 1, NULL},
	    {"/a b/x", "ab", 1, NULL},
	    {"_NXX", "211", 1, NULL},
	    {"_NXX", "111", 0, NULL},
	    {"_NXX", "2111", 0, NULL},
	    {"_9[1-3]Z.", "9255", 1, NULL},
	    {"_9[1-3]Z.", "925", 0, NULL},
	    {"_*98!", "*98", 1, NULL},
	    {"^(?!6000)(60\\d\\d)$", "6000", 0, NULL},
	    {"^(?!6000)(60\\d\\d)$", "6001", 1, "6001"},
	    {"/^a/b$/", "a/b", 1, NULL}, /* the last / closes: pattern ^a/b$ */
	    {"", "anything", 1, NULL},
	};
	struct re_match m;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct re *re = NULL;
		EXPECT_INT(re_new_expression(&re, sv_of(rows[i].expression), NULL), ST_OK);
		EXPECT_INT(re_match(re, sv_of(rows[i].subject), &m), rows[i].want);
		EXPECT(!rows[i].one || sv_is(m.group[1], rows[i].one));
		for (int again = 0; again < 2; again++) {
			EXPECT_INT(re_match_once(sv_of(rows[i].expression), sv_of(rows[i].subject), &m), rows[i].want);
			EXPECT(!rows[i].one || sv_is(m.group[1], rows[i].one));
		}
		mem_unref(re);
	}
	return 0;
}

static int test_re_errors(void)
{
	char error[RE_ERROR_CHARS] = "", nested[300];
	struct re *re = NULL;

	EXPECT_INT(re_new(&re, SV("a(b"), 0, error), ST_PARSE);
	EXPECT(strstr(error, "offset 3"));
	EXPECT_INT(re_new_expression(&re, SV("/abc"), error), ST_PARSE);
	EXPECT_INT(re_new_expression(&re, SV("_N[1-"), error), ST_PARSE);
	EXPECT_INT(re_new(&re, SV("\\Cx"), 0, error), ST_PARSE);
	memset(nested, '(', 100);
	memset(nested + 100, ')', 100);
	EXPECT_INT(re_new(&re, (struct sv){nested, 200}, 0, error), ST_PARSE);
	EXPECT(re == NULL);
	return 0;
}

static int test_re_bounded(void)
{
	struct re *re = NULL;
	char subject[60];
	int64_t start;

	memset(subject, 'a', sizeof subject);
	subject[sizeof subject - 1] = 'b';
	EXPECT_INT(re_new(&re, SV("^(a+)+$"), 0, NULL), ST_OK);
	start = clock_mono_us();
	EXPECT_INT(re_match(re, (struct sv){subject, sizeof subject}, NULL), ST_LIMIT);
	EXPECT(clock_mono_us() - start < 500000);
	mem_unref(re);
	return 0;
}

static int test_re_substitute(void)
{
	static const struct {
		const char *text, *want;
		char mark;
	} rows[] = {
	    {"user/$1@$2", "user/ab@cd", '$'},
	    {"$0|$9|$", "ab-cd||$", '$'},
	    {"$$1 ${x} $x", "$ab ${x} $x", '$'},
	    {"$12", "", '$'},
	    {"%1$1", "ab$1", '%'},
	    {"$99999999999", "", '$'},
	};
	struct re_match m;
	struct buf b;

	buf_init(&b);
	EXPECT_INT(re_match_once(SV("^(\\w+)-(\\w+)$"), SV("ab-cd"), &m), 1);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		buf_clear(&b);
		EXPECT_INT(re_substitute(&b, sv_of(rows[i].text), rows[i].mark, &m), ST_OK);
		EXPECT(sv_is(buf_sv(&b), rows[i].want));
	}
	buf_fini(&b);
	return 0;
}

static int test_digest_speed(void)
{
	uint8_t d[16];
	char text[60] = "1000:example.org:secret";
	int64_t best = INT64_MAX;

	for (int round = 0; round < 5; round++) {
		int64_t start = clock_mono_us();
		for (int i = 0; i < 20000; i++)
			digest_md5(text, sizeof text, d);
		int64_t took = clock_mono_us() - start;
		best = took < best ? took : best;
	}
	fprintf(stderr, "# md5 of 60 bytes: %lld ns\n", (long long)(best * 1000 / 20000));
	EXPECT(best < 20000 * 20); /* 20 us each would be a lost context */
	return 0;
}

TEST_MAIN({"url", test_url, 0}, {"base64", test_base64, TEST_OOM}, {"digest", test_digest, 0},
    {"digest speed", test_digest_speed, 0}, {"json read", test_json_read, 0}, {"json write", test_json_write, 0},
    {"json quote", test_json_quote, 0}, {"re expression", test_re_expression, TEST_OOM},
    {"re errors", test_re_errors, 0}, {"re bounded", test_re_bounded, 0}, {"re substitute", test_re_substitute, 0})
