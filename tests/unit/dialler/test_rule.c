/* The dialler's rules: numbers, windows by time zones, retries, prefixes; lists out of CSV. */
#include "base/status.h"
#include "dialler/csv.h"
#include "dialler/rule.h"
#include "harness.h"

#include <stdio.h>
#include <string.h>

static int test_numbers(void)
{
	static const struct {
		const char *text, *country, *want; /* NULL: bad */
	} cases[] = {
	    {"+49 (30) 123-456", "", "4930123456"},
	    {"0049 30 1", "86", "49301"},
	    {"010 8888", "86", "86108888"},
	    {"+8613900", "86", "8613900"},
	    {"00 49 30", "", "004930"},
	    {"123", "", "123"},
	    {"12", "", NULL},
	    {"", "", NULL},
	    {"+", "", NULL},
	    {"123456789012345678901", "", NULL},
	    {"12345678901234567890", "", "12345678901234567890"},
	    {"0123456789012345678901234567890123456789012345", "86", NULL},
	    {"12a4", "", NULL},
	    {"1+23", "", NULL},
	    {"1,234", "", NULL},
	    {"sofia/x/1", "", NULL},
	    {"1234567890123456789", "86", "1234567890123456789"},
	    {"01234567890123456789", "86", NULL},
	    {"++123", "", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[RULE_NUMBER_MAX + 1] = "untouched";
		const char *why = NULL;
		const struct rule_plan plan = {cases[i].country, "00", "0"};
		int st = rule_number(sv_of(cases[i].text), &plan, out, &why);
		if (cases[i].want) {
			EXPECT_INT(st, ST_OK);
			EXPECT_STR(out, cases[i].want);
		} else {
			EXPECT_INT(st, ST_PARSE);
			EXPECT(why != NULL);
			EXPECT_STR(out, "untouched");
		}
	}
	return 0;
}

static int test_windows_text(void)
{
	static const char *const bad[] = {"mon", "mon 9-10", "mon 09:00", "xyz 09:00-10:00", "mon-foo 09:00-10:00",
	    "mon 09:00-25:00", "mon 09:00-09:00", "mon 24:01-10:00", "mon 09:60-10:00", "09:00-10:00"};
	struct rule_windows w = {.count = 77};
	char many[1000] = "";
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(rule_windows_parse(sv_of(bad[i]), &w), ST_PARSE);
	for (int i = 0; i < RULE_WINDOWS_MAX + 1; i++)
		strcat(many, "mon 09:00-10:00,");
	EXPECT_INT(rule_windows_parse(sv_of(many), &w), ST_LIMIT);
	EXPECT_INT(w.count, 77);
	EXPECT_INT(rule_windows_parse(SV(""), &w), ST_OK);
	EXPECT_INT(w.count, 0);
	EXPECT_INT(rule_windows_parse(SV("Fri-Mon 22:00-06:00, daily 12:00-24:00"), &w), ST_OK);
	EXPECT_INT(w.count, 3); /* the night is two */
	EXPECT_INT(w.w[0].days, 1 << 5 | 1 << 6 | 1 << 0 | 1 << 1);
	EXPECT_INT(w.w[1].days, 1 << 6 | 1 << 0 | 1 << 1 | 1 << 2);
	EXPECT_INT(w.w[1].end_min, 360);
	return 0;
}

/* Each answer is the first moment that is in a window, by trying every quarter of an hour. */
static int test_windows_next(void)
{
	static const char *const zones[] = {"CST-8", "EST5EDT,M3.2.0,M11.1.0", "CET-1CEST,M3.5.0,M10.5.0/3", "IST-5:30",
	    "AEST-10AEDT,M10.1.0,M4.1.0/3"};
	static const char *const windows[] = {
	    "mon-fri 09:00-20:00", "sat 10:00-14:00", "sun 22:00-04:00, wed 11:00-12:00", "daily 09:00-17:00"};
	for (size_t z = 0; z < sizeof(zones) / sizeof(zones[0]); z++)
		for (size_t k = 0; k < sizeof(windows) / sizeof(windows[0]); k++) {
			struct tz tz;
			struct rule_windows w;
			EXPECT_INT(tz_parse(&tz, sv_of(zones[z])), ST_OK);
			EXPECT_INT(rule_windows_parse(sv_of(windows[k]), &w), ST_OK);
			/* over a year from 2026-01-01, changes of clocks too */
			for (int64_t t = 1767225600; t < 1767225600 + 366 * 86400; t += 47 * 900) {
				int64_t got = rule_windows_next(&w, &tz, t), want = t;
				while (rule_windows_next(&w, &tz, want) != want)
					want += 900;
				EXPECT_INT(got, want);
			}
		}
	struct rule_windows none = {.count = 0};
	struct tz utc;
	EXPECT_INT(tz_parse(&utc, SV("UTC0")), ST_OK);
	EXPECT_INT(rule_windows_next(&none, &utc, 12345), 12345);
	/* and what is in a window is said by the clock: Monday 2026-11-23, 08:59:59 and 09:00 in Shanghai */
	struct tz cst;
	struct rule_windows week;
	EXPECT_INT(tz_parse(&cst, SV("CST-8")), ST_OK);
	EXPECT_INT(rule_windows_parse(SV("mon-fri 09:00-20:00"), &week), ST_OK);
	EXPECT_INT(rule_windows_next(&week, &cst, 1795395599), 1795395600);
	EXPECT_INT(rule_windows_next(&week, &cst, 1795395600), 1795395600);
	EXPECT_INT(rule_windows_next(&week, &cst, 1795435199), 1795435199);
	EXPECT_INT(rule_windows_next(&week, &cst, 1795435200), 1795482000); /* 20:00: tomorrow */
	return 0;
}

static int test_retries(void)
{
	const struct rule_retry r[] = {
	    {"USER_BUSY", 60, 9}, {"busy", 300, 3}, {"no-answer", 7200, 2}, {"default", 100, 1}};
	EXPECT_INT(rule_retry_find(r, 4, "busy", "USER_BUSY")->after_s, 60);
	EXPECT_INT(rule_retry_find(r, 4, "busy", "BUSY_EVERYWHERE")->after_s, 300);
	EXPECT_INT(rule_retry_find(r, 4, "machine", "NORMAL_CLEARING")->after_s, 100);
	EXPECT(!rule_retry_find(r, 3, "machine", NULL));
	EXPECT_INT(rule_retry_longest_s(r, 4), 7200);
	static const struct {
		char prefix[4];
		int v;
	} p[] = {{"86", 1}, {"", 0}, {"861", 2}, {"1", 3}};
	EXPECT(rule_prefix_find(p, 4, sizeof(p[0]), "8613") == &p[2]);
	EXPECT(rule_prefix_find(p, 4, sizeof(p[0]), "8620") == &p[0]);
	EXPECT(rule_prefix_find(p, 4, sizeof(p[0]), "99") == &p[1]);
	EXPECT(!rule_prefix_find(p, 1, sizeof(p[0]), "99"));
	return 0;
}

/* No second has more than are allowed, wherever it begins. */
static int test_rate(void)
{
	enum { TENTHS = 600, ALLOWED = 7 };
	struct rule_rate r = {.part = 0};
	unsigned begun[TENTHS] = {0}, all = 0;
	const int64_t start_us = 987654321;
	for (int i = 0; i < TENTHS; i++)
		for (int k = 0; k < 3 && i % 50 < 40; k++)
			if (rule_rate_get(&r, start_us + i * 100000) < ALLOWED) {
				rule_rate_add(&r, start_us + i * 100000);
				begun[i]++;
				all++;
			}
	for (int i = 0; i + 10 <= TENTHS; i++) {
		unsigned sum = 0;
		for (int k = 0; k < 10; k++)
			sum += begun[i + k];
		EXPECT(sum <= ALLOWED);
	}
	EXPECT(all > TENTHS / 10 / 5 * 3 * ALLOWED);
	return 0;
}

/* ---- CSV ---- */

static void on_row(const struct list_row *row, void *arg)
{
	struct buf *b = arg;
	buf_printf(b, "%u:", row->line);
	for (size_t i = 0; i < row->count; i++)
		buf_printf(b, "%s%.*s", i ? "|" : "", SVF(row->cells[i]));
	buf_adds(b, "\n");
}

static void on_bad(unsigned line, const char *why, void *arg)
{
	buf_printf(arg, "%u! %s\n", line, why);
}

static int csv_is(struct sv text, const char *want)
{
	struct buf b;
	buf_init(&b);
	const struct list_csv to = {on_row, on_bad, &b};
	(void)list_csv_read(text, &to);
	EXPECT_STR(b.p ? b.p : "", want);
	buf_fini(&b);
	return 0;
}

static int test_csv(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"number,name\n1,a\n2,b", "2:1|a\n3:2|b\n"},
	    {"\xef\xbb\xbfNumber;Full Name\r\n1;\"a;\"\"b\"\" \"\r\n\r\n2\r\n", "2:1|a;\"b\" \n4:2|\n"},
	    {"number\tname\n1\tx,y\n", "2:1|x,y\n"},
	    {"number,name\n\"1\n\",x\n2,y\n", "2! a control character in a value\n4:2|y\n"},
	    {"number,name\n1,\"x\"y\n2,\"y\n", "2! text behind a closing quote\n3! a control character in a value\n"},
	    {"number,name\n2,\"y", "2! a quote is not closed\n"},
	    {"number,name\n1,2,3\n1,\n", "2! more values than columns\n3:1|\n"},
	    {"number,name\n1,\xff\n2,\xc3\xa4\n3,\xe0\x80\x80\n4,\xed\xa0\x80\n5,\xf4\x90\x80\x80\n",
	        "2! a value is not UTF-8\n3:2|\xc3\xa4\n4! a value is not UTF-8\n5! a value is not UTF-8\n6! a value "
	        "is not UTF-8\n"},
	    {"", "1! the list is empty\n"},
	    {"name\n1\n", "1! there is no column \"number\"\n"},
	    {"number,number\n1\n", "1! a column is there twice\n"},
	    {"number,na\xc3\xa4me\n1\n",
	        "1! the first line names the columns: letters, digits and \"_\", a letter first\n"},
	    {"number,,x\n1\n", "1! the first line names the columns: each of 1 to 32 letters, digits and \"_\"\n"},
	    {"number,${x}\n1\n", "1! the first line names the columns: letters, digits and \"_\", a letter first\n"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (csv_is(sv_of(cases[i].text), cases[i].want)) {
			printf("# case %zu\n", i);
			return 1;
		}
	return csv_is((struct sv){"number\n1\0002\n", 11}, "2! a control character in a value\n");
}

static int test_csv_bounds(void)
{
	struct buf b;
	buf_init(&b);
	buf_adds(&b, "number");
	for (int i = 0; i < LIST_COLUMNS_MAX; i++)
		buf_printf(&b, ",c%d", i);
	EXPECT(!csv_is(buf_sv(&b), "1! too many columns\n"));
	buf_clear(&b);
	buf_adds(&b, "number,a\n1,");
	for (int i = 0; i < LIST_CELL_MAX_BYTES; i++)
		buf_addc(&b, 'x');
	buf_adds(&b, "y\n2,b\n3");
	for (int i = 0; i < LIST_ROW_MAX_BYTES; i++)
		buf_addc(&b, '0');
	EXPECT(!csv_is(buf_sv(&b), "2! a value is too long\n3:2|b\n4! the row is too long\n"));
	buf_fini(&b);
	return 0;
}

TEST_MAIN({"numbers", test_numbers, 0}, {"windows", test_windows_text, 0}, {"next window", test_windows_next, 0},
    {"retries and prefixes", test_retries, 0}, {"rate", test_rate, 0}, {"csv", test_csv, 0},
    {"csv bounds", test_csv_bounds, 0})
