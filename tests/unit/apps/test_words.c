/* How an application's data is cut into words. */
#include "apps/apps_i.h"
#include "base/check.h"
#include "base/mem.h"
#include "harness.h"
#include <string.h>

static int test_cut(void)
{
	static const struct {
		const char *data;
		int max;
		const char *words; /* joined by | */
	} rows[] = {
	    {"", 4, ""},
	    {"   ", 4, ""}, /* one word, of nothing */
	    {"a", 4, "a"},
	    {"  a   b ", 4, "a|b"},
	    {"1 2 3 4", 2, "1|2 3 4"},
	    {"'a b' c", 4, "a b|c"},
	    {"x 'play it.wav' y", 3, "x|play it.wav|y"},
	    {"x '' y", 3, "x||y"},
	    {"it's so", 4, "it's so"}, /* a quote keeps blanks, with a partner or not */
	    {"a'b c'd e", 4, "ab cd|e"},
	    {"a\\'b c", 4, "a'b|c"},
	    {"a\\ b", 4, "a\\ b"},
	    {"^^;a b;c", 4, "a b|c"},
	    {"a 'exten XML default'", 2, "a|exten XML default"},
	    {"a 'never closed b", 4, "a|'never closed b"},
	    {NULL, 4, ""},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct app_words w;
		struct buf got;
		buf_init(&got);
		EXPECT_INT(app_words_init(&w, rows[i].data, rows[i].max), ST_OK);
		for (int k = 0; k < w.n; k++)
			buf_printf(&got, "%s%s", k ? "|" : "", w.w[k]);
		EXPECT_STR(got.p ? got.p : "", rows[i].words);
		EXPECT(!w.w[w.n]);
		buf_fini(&got);
		app_words_fini(&w);
	}
	return 0;
}

static int test_out_of_memory(void)
{
	struct app_words w;
	int st = app_words_init(&w, "a b", 4);

	EXPECT(st == ST_OK || st == ST_NOMEM);
	app_words_fini(&w);
	return 0;
}

TEST_MAIN({"cut", test_cut, 0}, {"out of memory", test_out_of_memory, TEST_OOM})
