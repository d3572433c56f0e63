/* Words cut out of a line as FreeSWITCH's commands do. In the table «x» stands for x from outside. */
#include "base/check.h"
#include "base/str.h"
#include "harness.h"
#include "mark_text.h"
#include "text/words.h"
#include <string.h>

static int test_split(void)
{
	static const struct {
		char sep;
		int max;
		const char *text, *words; /* joined by / */
	} rows[] = {
	    {' ', 9, "", ""},
	    {' ', 9, "  ", ""}, /* one word of nothing */
	    {' ', 9, " a  b ", "a/b"},
	    {' ', 2, "a b c ", "a/b c"},
	    {' ', 9, "'a b' c'd e'f", "a b/cd ef"},
	    {' ', 9, "it's so", "it's so"}, /* an open quote keeps blanks, and stays */
	    {' ', 9, "it\\'s so", "it's/so"},
	    {' ', 9, "a\\ b", "a\\ b"},
	    {' ', 9, "a\\nb\\sc\\q", "a\nb c\\q"},
	    {' ', 9, "'' b", "/b"},
	    {' ', 9, "a\\", "a\\"},
	    {',', 9, "a,b", "a/b"},
	    {',', 9, "a,,b,", "a//b"}, /* nothing stands behind the last */
	    {',', 9, ",", ""},
	    {',', 9, " a , ' b ' ,c", "a/ b /c"},
	    {',', 9, "it's,so", "it's/so"}, /* an open quote is a letter */
	    {',', 9, "'a,b',c", "a,b/c"},
	    {',', 9, "a\\,b,c", "a,b/c"},
	    {',', 2, "a,b,c", "a/b,c"},
	    {',', 9, "^^:a,b:c", "a,b/c"},
	    {',', 9, "^^", "^^"},
	    {',', 9, "^^:", "^^:"},
	    {',', 9, "«a,b»,c", "«a,b»/c"}, /* what is from outside parts nothing, quotes nothing */
	    {' ', 9, "«it's» so", "«it's»/so"},
	    {',', 9, "^^«:»a:b", "^^«:»a:b"},
	    {',', 9, "a\\«,»b", "a\\«,»b"},
	};
	struct buf text, got, shown;
	char *word[9];

	buf_init(&text);
	buf_init(&got);
	buf_init(&shown);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		mark_text_make(&text, rows[i].text);
		buf_clear(&got);
		int n = words_split(text.p, rows[i].sep, word, rows[i].max);
		for (int k = 0; k < n; k++)
			buf_printf(&got, "%s%s", k ? "/" : "", word[k]);
		mark_text_show(&shown, buf_sv(&got));
		EXPECT_STR(shown.p ? shown.p : "", rows[i].words);
	}
	buf_fini(&text);
	buf_fini(&got);
	buf_fini(&shown);
	return 0;
}

TEST_MAIN({"split", test_split, 0})
