/* Opening hours and holidays by a table of moments. */
#include "base/status.h"
#include "callcenter/hours.h"
#include "harness.h"

static struct tm at(int year, int month, int day, int hour, int minute)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
	time_t t = timegm(&tm);
	gmtime_r(&t, &tm);
	return tm;
}

static int test_open(void)
{
	static const char week[] = "mon-fri 08:00-12:00,13:00-18:00; sat 09:00-12:00; sun 22:00-02:00",
	                  days[] = "12-25; 2026-05-01; 12-24 08:00-12:00; 12-31 22:00-01:00";
	static const struct {
		const char *hours, *holidays;
		int year, month, day, hour, minute;
		bool is_open;
	} rows[] = {{"", "", 2026, 11, 27, 3, 0, true}, {week, "", 2026, 11, 27, 7, 59, false} /* a Friday */,
	    {week, "", 2026, 11, 27, 8, 0, true}, {week, "", 2026, 11, 27, 11, 59, true},
	    {week, "", 2026, 11, 27, 12, 0, false}, {week, "", 2026, 11, 27, 17, 59, true},
	    {week, "", 2026, 11, 28, 9, 0, true}, {week, "", 2026, 11, 28, 12, 0, false},
	    {week, "", 2026, 11, 29, 21, 59, false}, {week, "", 2026, 11, 29, 22, 0, true},
	    {week, "", 2026, 11, 30, 1, 59, true} /* of Sunday */, {week, "", 2026, 11, 30, 2, 0, false},
	    {week, days, 2026, 12, 25, 10, 0, false}, {week, days, 2027, 12, 25, 10, 0, false},
	    {week, days, 2026, 5, 1, 10, 0, false}, {week, days, 2028, 5, 1, 10, 0, true},
	    {week, days, 2026, 12, 24, 10, 0, true}, {week, days, 2026, 12, 24, 14, 0, false},
	    {week, days, 2026, 12, 31, 23, 0, true}, {week, days, 2027, 1, 1, 0, 59, true},
	    {week, days, 2027, 1, 1, 1, 0, false}, {"", days, 2026, 12, 25, 10, 0, false},
	    {"", days, 2026, 12, 26, 10, 0, true}, {"daily 00:00-24:00", "", 2026, 2, 28, 23, 59, true},
	    {"fri-mon 08:00-09:00", "", 2026, 11, 29, 8, 30, true},
	    {"fri-mon 08:00-09:00", "", 2026, 11, 26, 8, 30, false},
	    {"Mon,Thu 08:00-09:00", "", 2026, 11, 26, 8, 30, true}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct tm tm = at(rows[i].year, rows[i].month, rows[i].day, rows[i].hour, rows[i].minute);
		EXPECT_INT(cc_hours_are_open(sv_of(rows[i].hours), sv_of(rows[i].holidays), &tm) ? (int)i : -1,
		    rows[i].is_open ? (int)i : -1);
	}
	return 0;
}

static int test_bad(void)
{
	static const char *const hours[] = {"mon", "mon 8-9", "mon 08:00", "mon 08:00-08:00", "mon 25:00-26:00",
	    "x 08:00-09:00", "mon-x 08:00-09:00", "mon 08:00-09:60", "mon 08:00-09:00,", "mon 08:00-24:01", "; mon",
	    "mon 08:00-09:00; tue"};
	static const char *const days[] = {"1225", "13-01", "12-32", "0-1", "12-24 x", "1969-01-01", "12-25;x", "a-b"};
	for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++)
		EXPECT_INT(cc_hours_check(sv_of(hours[i])) ? (int)i : -1, (int)i);
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++)
		EXPECT_INT(cc_holidays_check(sv_of(days[i])) ? (int)i : -1, (int)i);
	EXPECT_INT(cc_hours_check(sv_of("")), ST_OK);
	EXPECT_INT(cc_hours_check(sv_of(" ; mon 08:00-09:00 ;; ")), ST_OK);
	EXPECT_INT(cc_holidays_check(sv_of("")), ST_OK);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"open", test_open, 0}, {"bad ones", test_bad, 0}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
