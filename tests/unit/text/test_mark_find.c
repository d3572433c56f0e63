/* Values from outside, found again. In what is wanted «x» stands for x marked. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "mark_text.h"
#include "text/mark.h"
#include "text/mark_find.h"
#include <stdio.h>
#include <string.h>

/* The text as it is after value was found in it, shown. */
static void find(struct buf *shown, const char *text, const char *value)
{
	struct mark_find f;

	mark_find_begin(&f, sv_of(text));
	mark_find_value(&f, sv_of(value));
	char *marked = mark_find_end(&f);
	buf_clear(shown);
	mark_text_show(shown, sv_of(marked ? marked : text));
	buf_adds(shown, "");
	mem_free(marked);
}

static int test_rows(void)
{
	static const struct {
		const char *text, *value, *want;
	} rows[] = {
	    /* whole */
	    {"a${x}b", "${x}", "a«${x}»b"},
	    {"${x}${x}", "${x}", "«${x}${x}»"},
	    {"sofia/gw/1,user/2", "1,user/2", "sofia/gw/«1,user/2»"},
	    {"a''b", "''", "a«''»b"},
	    {"a'b", "'", "a'b"}, /* a single byte is too common */
	    {"${x${x${x", "${x${x", "«${x${x${x»"},
	    {"a b a b a", "a b a", "«a b a b a»"},
	    {"Ann of the hall", "Ann", "Ann of the hall"},
	    {"set:a=b", "", "set:a=b"},
	    {"", "${x}", ""},
	    {"U set_global:a=b inline", "set_global:a=b inline", "U «set_global:a=b inline»"},
	    {"1000 XML default", "x XML default", "1000 XML default"}, /* a blank is no sign in a part */
	    /* cut */
	    {"a${hupall()b", "x${hupall()} y", "a«${»hupall()b"},
	    {"a${hupa", "${hupall()}", "a«${»hupa"},
	    {"a${hu", "${hupall()}", "a${hu"}, /* five bytes are no window */
	    {"A${HUPALL()}", "x${hupall()}", "A«${»HUPALL()«}»"},
	    {"sofia/gw/1,user/1000", "1,user/1000,user/1001", "sofia/gw/1«,»user/1000"},
	    {"[a=b]sofia/gw/1,user/1000", "x]1,user/9", "[a=b]sofia/gw/1«,»user/1000"},
	    /* the program's own */
	    {"${uuid}", "${system(x)}", "${uuid}"},
	    {"{a=b,c=d}user/1", "a,b", "{a=b,c=d}user/1"},
	};
	struct buf shown;

	buf_init(&shown);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		find(&shown, rows[i].text, rows[i].value);
		EXPECT_STR(shown.p, rows[i].want);
	}
	buf_fini(&shown);
	return 0;
}

/* Pairs in the text that look like marks stop nothing, and stay. */
static int test_forged(void)
{
	static const char value[] = "\x1a\xa4|${run()}";
	struct mark_find f;

	for (size_t cut = 0; cut < 3; cut++) {
		mark_find_begin(&f, sv_sub(sv_of(value), cut, 100));
		mark_find_value(&f, sv_of(value));
		char *marked = mark_find_end(&f);
		EXPECT(marked && !strpbrk(marked, "|${}"));
		mem_free(marked);
	}
	return 0;
}

static int test_huge(void)
{
	struct mark_find f;
	struct buf text;

	buf_init(&text);
	for (int i = 0; i <= MARK_FIND_MAX_BYTES; i++)
		buf_addc(&text, i % 2 ? '$' : '{');
	mark_find_begin(&f, buf_sv(&text));
	char *marked = mark_find_end(&f);
	EXPECT(mark_is_whole(sv_of(marked)));
	mem_free(marked);
	/* nothing but signs, twice: each is looked at once */
	buf_drop(&text, 2);
	mark_find_begin(&f, buf_sv(&text));
	for (int i = 0; i < 10; i++)
		mark_find_value(&f, sv_sub(buf_sv(&text), (size_t)i, 60000));
	marked = mark_find_end(&f);
	EXPECT(mark_is_whole(sv_of(marked)));
	mem_free(marked);
	buf_fini(&text);
	return 0;
}

TEST_MAIN({"rows", test_rows, TEST_OOM}, {"forged", test_forged, 0}, {"huge", test_huge, 0})
