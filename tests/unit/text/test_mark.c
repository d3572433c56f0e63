/* Marks on text from outside. In the tables «x» stands for x marked. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "mark_text.h"
#include "text/mark.h"
#include "text/re.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int test_strip(void)
{
	static const struct {
		const char *text, *plain;
		bool has, is_whole;
	} rows[] = {
	    {"", "", false, false},
	    {"abc", "abc", false, false},
	    {"«abc»", "abc", true, true},
	    {"a«b,c»d", "ab,cd", true, false},
	    {"«\x1a\x80\x1c\xff»", "\x1a\x80\x1c\xff", true, true}, /* what looks like marks is data */
	    {"a\x1a", "a\x1a", false, false},
	    {"\x1az\x1c", "\x1az\x1c", false, false},
	    {"«中文»", "中文", true, true},
	};
	struct buf t, out;

	buf_init(&t);
	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		buf_clear(&out);
		EXPECT_INT(mark_strip(&out, buf_sv(&t)), ST_OK);
		EXPECT(sv_is(buf_sv(&out), rows[i].plain));
		EXPECT_INT(mark_has(buf_sv(&t)), rows[i].has);
		EXPECT_INT(mark_is_whole(buf_sv(&t)), rows[i].is_whole);
		EXPECT_INT(mark_length(buf_sv(&t)), strlen(rows[i].plain));
		for (size_t k = 0; rows[i].has && k < t.n; k++)
			EXPECT(!strchr("${}[],|:;'\"\\/ ", t.p[k]) || !rows[i].is_whole);
		EXPECT_INT(mark_strip_in_place(t.p), strlen(rows[i].plain));
		EXPECT_STR(t.p ? t.p : "", rows[i].plain);
	}
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

static int test_sub(void)
{
	static const struct {
		const char *text;
		size_t from, n;
		const char *want;
	} rows[] = {
	    {"abcdef", 2, 2, "cd"},
	    {"a«bcd»ef", 1, 3, "«bcd»"},
	    {"a«bcd»ef", 2, 3, "«cd»e"},
	    {"a«bcd»ef", 0, 99, "a«bcd»ef"},
	    {"a«bcd»", 4, 1, ""},
	    {"«x»", 0, 0, ""},
	};
	struct buf t, want;

	buf_init(&t);
	buf_init(&want);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		mark_text_make(&want, rows[i].want);
		EXPECT(sv_eq(mark_sub(buf_sv(&t), rows[i].from, rows[i].n), buf_sv(&want)));
	}
	buf_fini(&t);
	buf_fini(&want);
	return 0;
}

static int test_regex(void)
{
	struct buf t, out;
	struct re_match m;

	buf_init(&t);
	buf_init(&out);
	mark_text_make(&t, "^«a.b(*»$");
	EXPECT_INT(mark_strip_regex(&out, buf_sv(&t)), ST_OK);
	EXPECT_STR(out.p, "^a\\.b\\(\\*$");
	EXPECT_INT(re_match_once(buf_sv(&out), SV("a.b(*"), &m), 1);
	EXPECT_INT(re_match_once(buf_sv(&out), SV("axb(*"), &m), 0);
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

/* Each row is run by the shell: it must print what the outside text is, and do nothing else. */
static int test_shell(void)
{
	static const char *const rows[] = {"printf %s «T»", "printf %s \"«T»\"", "printf %s '«T»'",
	    "printf %s \"a\"'b'\"«T»\" | sed 's/^ab//'", "x=«T»; printf %s \"$x\"", "printf %s \\«T»",
	    "printf %s \"\\«T»\""};
	static const char *const values[] = {"; touch hit", "$(touch hit)", "`touch hit`", "' ; touch hit ; '",
	    "\" ; touch hit ; \"", "\\", "a\nb", "\n", "#x", "* ? ~ & | < > ( ) !", "中", "-x", "'"};
	char dir[] = "/tmp/tandem-mark-XXXXXX", command[4096];
	struct buf row, t, out;

	EXPECT(mkdtemp(dir));
	buf_init(&row);
	buf_init(&t);
	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		for (size_t k = 0; k < ARRAY_COUNT(values); k++) {
			const char *at = strstr(rows[i], "«T»");
			size_t n;
			FILE *p;
			buf_clear(&t);
			buf_add(&t, rows[i], (size_t)(at - rows[i]));
			mark_put(&t, sv_of(values[k]));
			buf_adds(&t, at + strlen("«T»"));
			buf_clear(&out);
			EXPECT_INT(mark_strip_shell(&out, buf_sv(&t)), ST_OK);
			snprintf(command, sizeof(command), "cd %s\n%s", dir, out.p);
			p = popen(command, "r");
			EXPECT(p);
			buf_clear(&row);
			while ((n = fread(command, 1, sizeof(command), p)) > 0)
				buf_add(&row, command, n);
			EXPECT_INT(pclose(p), 0);
			if (strchr(rows[i], '|') && strchr(values[k], '\n'))
				continue; /* sed's own lines */
			EXPECT(sv_is(buf_sv(&row), values[k]) ||
			       (row.n && row.p[0] == '\\' && i >= 5 && !strcmp(row.p + 1, values[k])));
		}
	}
	EXPECT_INT(rmdir(dir), 0); /* empty: nothing was made in it */
	buf_clear(&out);
	mark_text_make(&t, "echo $(echo «x»)");
	EXPECT_INT(mark_strip_shell(&out, buf_sv(&t)), ST_DENIED);
	buf_fini(&row);
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

static int test_sql(void)
{
	static const struct {
		const char *text, *want; /* NULL: denied */
	} rows[] = {
	    {"SELECT a FROM t WHERE n='«15551234»'", "SELECT a FROM t WHERE n='15551234'"},
	    {"SELECT a FROM t WHERE n=«15551234»", "SELECT a FROM t WHERE n=15551234"},
	    {"n='«' OR '1'='1»'", "n=''' OR ''1''=''1'"},
	    {"n='it''s «'»' AND m='«a\"b»'", "n='it''s ''' AND m='a\"b'"},
	    {"n='«中文»' -- it's\n AND m='«'»'", "n='中文' -- it's\n AND m=''''"},
	    {"n='«x»' /* it's */ AND m='«'»'", "n='x' /* it's */ AND m=''''"},
	    {"SELECT \"it's\" WHERE m='«'»'", "SELECT \"it's\" WHERE m=''''"},
	    {"SELECT 1 /*/ it's */ WHERE m='«'»'", "SELECT 1 /*/ it's */ WHERE m=''''"},
	    {"SELECT 2 /**/* 3 WHERE m='«'»' -- */", "SELECT 2 /**/* 3 WHERE m='''' -- */"},
	    {"n='a\\' b'", "n='a\\' b'"},
	    {"n='a\\' b' AND m='«x»'", NULL},
	    {"n=«1 OR 1=1»", NULL},
	    {"n='a' «OR»", NULL},
	    {"n='«a\\»'", NULL},
	    {"n='«a\nb»'", NULL},
	    {"n=\"«a»\"", NULL},
	    {"n=1 --«x»", NULL},
	    {"n=1 -- it's «x»", NULL},
	};
	struct buf t, out;

	buf_init(&t);
	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		buf_clear(&out);
		EXPECT_INT(mark_strip_sql(&out, buf_sv(&t)), rows[i].want ? ST_OK : ST_DENIED);
		EXPECT(!rows[i].want || sv_is(buf_sv(&out), rows[i].want));
	}
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

static int test_path(void)
{
	static const struct {
		const char *text;
		bool is_good;
	} rows[] = {
	    {"/a/../b", true},
	    {"../x", true},
	    {"tone_stream://%(1,2,3)", true},
	    {"/rec/«2026/11/a.wav»", true},
	    {"«en/us/hello.wav»", true},
	    {"«...»/a", true},
	    {"/rec/a:«b»", true},
	    {"«/etc/passwd»", false},
	    {"/rec/«../x»", false},
	    {"/rec/.«.»/x", false},
	    {"/rec/«.».", false},
	    {"/rec/«..»", false},
	    {"«tone_stream://x»", false},
	    {"tone_stream:«//x»", false},
	    {"tone_stream:/«/»x", false},
	    {"«tone_stream»://x", false},
	    {"/a/«:://b»", false},
	    {"/a/«:/:»//b", false},
	    {"/a/«b\nc»", false},
	    {"/a/«\x01»", false},
	};
	struct buf t, out;

	buf_init(&t);
	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		buf_clear(&out);
		EXPECT_INT(mark_strip_path(&out, buf_sv(&t)), rows[i].is_good ? ST_OK : ST_DENIED);
	}
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

static int test_url(void)
{
	static const struct {
		const char *text, *want; /* NULL: denied */
	} rows[] = {
	    {"http://h:8/a/b?c=d&e", "http://h:8/a/b?c=d&e"},
	    {"http://h/a/../b", "http://h/a/../b"}, /* the configuration's word */
	    {"http://h/«a/b»?c=«d&e=f»&g", "http://h/a%2Fb?c=d%26e%3Df&g"},
	    {"http://h?n=«?#x y»", "http://h?n=%3F%23x%20y"},
	    {"http://h/a b", "http://h/a%20b"},
	    {"http://h/«.a»/x«..»", "http://h/.a/x.."},
	    {"http://h/?q=«..»", "http://h/?q=.."},
	    {"«h»", NULL},
	    {"http://«h»/", NULL},
	    {"http://h«.x»/", NULL},
	    {"http://h:«8»/", NULL},
	    {"http:/«/»h/", NULL},
	    {"http://h/«..»/a", NULL},
	    {"http://h/a/.«.»", NULL},
	    {"http://h/«.»?x", NULL},
	};
	struct buf t, out;

	buf_init(&t);
	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		buf_clear(&out);
		EXPECT_INT(mark_strip_url(&out, buf_sv(&t)), rows[i].want ? ST_OK : ST_DENIED);
		if (rows[i].want)
			EXPECT_STR(out.p, rows[i].want);
	}
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

static int test_json(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
	    {"{\"a\":\"«x»\"}", "{\"a\":\"x\"}"},
	    {"{\"a\":\"«\",\\»\"}", "{\"a\":\"\\u0022\\u002c\\u005c\"}"},
	    {"[\"\\«\"»\"]", "[\"\\\\u0022\"]"}, /* a backslash of ours in front: it is one */
	    {"{\"n\":«1»}", "{\"n\":1}"},
	    {"{«\"a\":1»}", "{\\u0022a\\u0022\\u003a1}"}, /* which is no JSON */
	    {"[\"«\n»\"]", "[\"\\u000a\"]"},
	    {"he says «\"a\"»", "he says \"a\""},
	    {"«{\"a\":1}»", "{\"a\":1}"},
	    {" [\"«,»\"]", " [\"\\u002c\"]"},
	};
	struct buf t, out;

	buf_init(&t);
	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&t, rows[i].text);
		buf_clear(&out);
		EXPECT_INT(mark_strip_json(&out, buf_sv(&t)), ST_OK);
		EXPECT_STR(out.p, rows[i].want);
	}
	buf_fini(&t);
	buf_fini(&out);
	return 0;
}

TEST_MAIN({"json", test_json, 0}, {"url", test_url, 0}, {"path", test_path, 0}, {"sql", test_sql, 0},
    {"strip", test_strip, 0}, {"sub", test_sub, 0}, {"regex", test_regex, 0}, {"shell", test_shell, 0})
