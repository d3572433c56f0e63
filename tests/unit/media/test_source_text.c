/* Sources of sound as text, what is from outside within « »: which parts come out, or that none does. */
#include "base/check.h"
#include "base/role.h"
#include "base/status.h"
#include "harness.h"
#include "mark_text.h"
#include "media/ctl/ctl_i.h"
#include <stdio.h>

static int test_marks(void)
{
	static const struct {
		const char *text, *parts; /* with | between; NULL: denied */
	} rows[] = {
	    {"/s/«a».wav", "/s/a.wav"},
	    {"tone_stream://«%(1,2,3)»", "%(1,2,3)"},
	    {"tone_stream://path=/t/«x».ttml", "path=/t/x.ttml"},
	    {"local_stream://«moh»", "moh"},
	    {"silence_stream://«20»", "20"},
	    {"file_string:///s/«a»!/s/b", "/s/a|/s/b"},
	    {"file_string:///s/«a!/etc/passwd»!/s/b", "/s/a!/etc/passwd|/s/b"},
	    {"{loops=«2»}/s/a", "/s/a"},
	    {"{loops=2}/s/«{a}»", "/s/{a}"},
	    {"[loops=«2]/etc/passwd»]/s/a", "/s/a"},
	    {"{loops=«2}/etc/passwd»}/s/a", "/s/a"},
	    {"file_string:///s/a!{x=«}/etc/passwd»}/s/b", "/s/a|/s/b"},
	    {"tone_stream://«path=/etc/passwd»", NULL},
	    {"tone_stream://pa«th=/etc/passwd»", NULL},
	    {"tone_stream://path=«/etc/passwd»", NULL},
	    {"tone_stream://path=«etc/passwd»", NULL},
	    {"Tone_Stream://path=/t/«../../etc/passwd»", NULL},
	    {"file_string:///s/a!tone_stream://«path=/etc/passwd»", NULL},
	    {"/s/«../x»", NULL},
	    {"/s/«tone_stream://x»", NULL},
	    {"http://h:80/a/«b».wav", "http://h:80/a/b.wav"},
	    {"http_cache://http://h/«b»", "http_cache://http://h/b"},
	    {"http_cache://h/«b»", "http_cache://h/b"},
	    {"https://«h»/b", NULL},
	    {"{refresh=true}http://h/«b»", "{refresh=true}http://h/b"},
	    {"{profile=a}[x=y] http_cache://h/b", "{profile=a}[x=y] http_cache://h/b"},
	    {"{profile=«a»}http://h/b", NULL},
	    {"{refresh=true}http://«h»/b", NULL},
	    {"https://h«:81»/b", NULL},
	    {"https://h«/»b", NULL},
	    {"http://h«@evil»/b", NULL},
	    {"http_cache://«http://evil/»/b", NULL},
	    {"http_cache://http://«evil»/b", NULL},
	    {"http://h/«../b»", NULL},
	    {"http://h/«a?b=c»", NULL},
	    {"http://h/«a%2fb»", NULL},
	    {"/s/«a@@5»", "/s/a"},
	};
	struct buf text, got;

	role_assert_ctl();
	buf_init(&text);
	buf_init(&got);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct src s;
		mark_text_make(&text, rows[i].text);
		buf_clear(&got);
		EXPECT_INT(src_parse(&s, text.p), rows[i].parts ? ST_OK : ST_DENIED);
		for (size_t k = 0; rows[i].parts && k < s.count; k++)
			buf_printf(&got, "%s%s", k ? "|" : "", s.parts[k].text);
		if (rows[i].parts)
			EXPECT_STR(got.p, rows[i].parts);
		src_fini(&s);
	}
	/* what begins or names a scheme by itself is no source at all */
	mark_text_make(&text, "«/etc/passwd»");
	EXPECT_INT(src_parse(&(struct src){0}, text.p), ST_INVAL);
	mark_text_make(&text, "«tone_stream://%(1,2,3)»");
	EXPECT_INT(src_parse(&(struct src){0}, text.p), ST_INVAL);
	buf_fini(&text);
	buf_fini(&got);
	return 0;
}

/* Where a file begins; what is no number, or no file, has none. */
static int test_starts(void)
{
	static const struct {
		const char *text, *part;
		uint64_t start;
	} rows[] = {
	    {"/s/a.wav@@8000", "/s/a.wav", 8000},
	    {"/s/a.wav@@0", "/s/a.wav", 0},
	    {"/s/a.wav@@", "/s/a.wav@@", 0},
	    {"/s/a.wav@@-5", "/s/a.wav@@-5", 0},
	    {"/s/a@5", "/s/a@5", 0},
	    {"/s/a@@99999999999999999999", "/s/a@@99999999999999999999", 0},
	    {"/s/a@@1@@2", "/s/a@@1", 2},
	    {"http://h/a@@7", "http://h/a", 7},
	    {"tone_stream://%(1,2,3)@@4", "%(1,2,3)@@4", 0},
	};
	static const char *const wrong[] = {
	    "http://h", "http://", "http:///a", "http://u:p@h/a", "http://h/a b", "http_cache://", "https://h"};
	struct src s;

	role_assert_ctl();
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		EXPECT_INT(src_parse(&s, rows[i].text), ST_OK);
		EXPECT_STR(s.parts[0].text, rows[i].part);
		EXPECT_INT(s.parts[0].start_samples, rows[i].start);
		src_fini(&s);
	}
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		if (src_parse(&s, wrong[i]) != ST_INVAL) {
			test_fail(__FILE__, __LINE__, "%s is a source", wrong[i]);
			return -1;
		}
	return 0;
}

/* As FreeSWITCH's atoi reads it: what follows a number means nothing. */
static int test_silence(void)
{
	static const struct {
		const char *text;
		int ms, noise;
	} rows[] = {
	    {"500,1400;loops=3", 500, 1400},
	    {"500;loops=3", 500, 0},
	    {" 500 , 7x", 500, 7},
	    {"-1", -1, 0},
	    {"-20,1400", -1, 1400},
	    {"+30,-1", 30, 0},
	    {"5,", 5, 0},
	    {"5,99999999999", 5, INT32_MAX},
	};
	static const char *const wrong[] = {"silence_stream://", "silence_stream://x", "silence_stream://;loops=2",
	    "silence_stream://-", "silence_stream://99999999999"};
	struct src s;
	char text[64];

	role_assert_ctl();
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		snprintf(text, sizeof(text), "silence_stream://%s", rows[i].text);
		EXPECT_INT(src_parse(&s, text), ST_OK);
		EXPECT_INT(s.parts[0].ms, rows[i].ms);
		EXPECT_INT(s.parts[0].noise, rows[i].noise);
		src_fini(&s);
	}
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
		EXPECT_INT(src_parse(&s, wrong[i]), ST_INVAL);
	return 0;
}

TEST_MAIN({"marks", test_marks, TEST_LOOP}, {"silence", test_silence, TEST_LOOP}, {"starts", test_starts, TEST_LOOP})
