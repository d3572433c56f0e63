/* Sources of sound as text, what is from outside within « »: which parts come out, or that none does. */
#include "base/check.h"
#include "base/role.h"
#include "base/status.h"
#include "harness.h"
#include "mark_text.h"
#include "media/ctl/ctl_i.h"

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

TEST_MAIN({"marks", test_marks, TEST_LOOP})
