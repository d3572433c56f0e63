/* SQL taken apart: where statements end, where values stand, what is text. */
#include "harness.h"
#include "store/sql_text.h"

#include <string.h>

static int statements(const char *text, enum sql_dialect d, const char *want)
{
	struct sv rest = sv_of(text), one;
	struct buf got;
	buf_init(&got);
	buf_adds(&got, "");
	while (sql_next(&rest, d, &one))
		buf_printf(&got, "[%.*s]", SVF(one));
	EXPECT_STR(got.p, want);
	buf_fini(&got);
	return 0;
}

static int test_next(void)
{
	EXPECT(!statements("a; b ;;c", SQL_STANDARD, "[a][b][c]"));
	EXPECT(!statements("'x;''y'; \"n;\"", SQL_STANDARD, "['x;''y'][\"n;\"]"));
	EXPECT(!statements("a --; no\n;b /* ; /* ; */ ; */;c", SQL_STANDARD, "[a --; no][b /* ; /* ; */ ; */][c]"));
	EXPECT(!statements("$$a;b$$;$x$ $$;$x$;d", SQL_STANDARD, "[$$a;b$$][$x$ $$;$x$][d]"));
	EXPECT(!statements("'a\\';b'", SQL_STANDARD, "['a\\'][b']"));
	EXPECT(!statements("E'a\\';b';c", SQL_STANDARD, "[E'a\\';b'][c]"));
	EXPECT(!statements("'a\\';b';c", SQL_BACKSLASH, "['a\\';b'][c]"));
	EXPECT(!statements("# x;y\n;a", SQL_BACKSLASH, "[a]"));
	EXPECT(!statements("-- only\n; /* this */ ;", SQL_STANDARD, ""));
	EXPECT(!statements("'open; ", SQL_STANDARD, "['open;]"));
	EXPECT(!statements("", SQL_STANDARD, ""));
	return 0;
}

static int bound(const char *text, enum sql_dialect d, size_t count, const char *want, const char *places)
{
	struct sql_values v;
	struct buf out, error;
	buf_init(&out), buf_init(&error);
	EXPECT_INT(sql_bind(sv_of(text), d, count, &out, &v, &error), ST_OK);
	EXPECT_STR(out.p, want);
	buf_clear(&error);
	buf_adds(&error, "");
	for (size_t i = 0; i < v.count; i++)
		buf_printf(&error, "%u,", v.at[i]);
	EXPECT_STR(error.p, places);
	buf_fini(&out), buf_fini(&error);
	return 0;
}

static int test_bind(void)
{
	struct sql_values v;
	struct buf out, error;
	EXPECT(!bound("a=$1 and b=$2", SQL_STANDARD, 2, "a=$1 and b=$2", "0,1,"));
	EXPECT(!bound("a=$3 and b=$1 or $3", SQL_STANDARD, 3, "a=$1 and b=$2 or $1", "2,0,"));
	EXPECT(!bound("a=$3 and b=$1 or $3", SQL_QUESTIONS, 3, "a=? and b=? or ?", "2,0,2,"));
	EXPECT(!bound("'$1' a$1 \"$2\" --$3\n $1", SQL_STANDARD, 1, "'$1' a$1 \"$2\" --$3\n $1", "0,"));
	EXPECT(!bound("$0 $ $x", SQL_STANDARD, 1, "$0 $ $x", ""));
	buf_init(&out), buf_init(&error);
	EXPECT_INT(sql_bind(SV("x=$2"), SQL_STANDARD, 1, &out, &v, &error), ST_INVAL);
	EXPECT_STR(error.p, "there is no value for '$2'");
	buf_fini(&out), buf_fini(&error);
	return 0;
}

static int test_utf8(void)
{
	struct buf out;
	buf_init(&out);
	EXPECT(sql_is_utf8(SV("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80")));
	EXPECT(!sql_is_utf8(SV("\xC0\x80")) && !sql_is_utf8(SV("\xED\xA0\x80")) && !sql_is_utf8(SV("\xE2\x82")) &&
	       !sql_is_utf8(SV("a\0b")));
	sql_utf8_put(&out, SV("a\xFF\0b\xC3\xBC\xE2\x82"));
	EXPECT_STR(out.p, "a\xEF\xBF\xBD"
	                  "b\xC3\xBC\xEF\xBF\xBD\xEF\xBF\xBD");
	EXPECT(sql_is_utf8(buf_sv(&out)));
	buf_fini(&out);
	return 0;
}

TEST_MAIN({"next", test_next, 0}, {"bind", test_bind, 0}, {"utf8", test_utf8, 0})
