/* Time attributes of conditions: attribute, text, local time, verdict; and time zones. */
#include "base/check.h"
#include "base/mem.h"
#include "dialplan/dialplan.h"
#include "harness.h"
#include "text/tz.h"
#include "text/xml.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static int test_attributes(void)
{
	static const struct {
		const char *attrs, *when;
		bool want;
	} rows[] = {
	    /* 2026-11-21 is a Saturday, day 325 of the year */
	    {"year='2026'", "2026-11-21 12:00:00", true},
	    {"year='2025'", "2026-11-21 12:00:00", false},
	    {"year='2020-2030'", "2026-11-21 12:00:00", true},
	    {"year=''", "2026-11-21 12:00:00", false},
	    {"yday='325'", "2026-11-21 12:00:00", true},
	    {"yday='360-10'", "2026-01-10 00:00:00", true},
	    {"yday='360-10'", "2026-01-11 00:00:00", false},
	    {"mon='1,11'", "2026-11-21 12:00:00", true},
	    {"mon='11-2'", "2026-01-31 12:00:00", true},
	    {"mon='11-2'", "2026-03-01 12:00:00", false},
	    {"mday='21-25'", "2026-11-21 12:00:00", true},
	    {"mday='22-25'", "2026-11-21 12:00:00", false},
	    {"week='47'", "2026-11-21 12:00:00", true}, /* 324 / 7 + 1 */
	    {"week='1'", "2026-01-07 12:00:00", true},
	    {"week='2'", "2026-01-08 12:00:00", true},
	    {"mweek='3'", "2026-11-21 12:00:00", true}, /* November 2026 starts on a Sunday */
	    {"mweek='4'", "2026-11-22 12:00:00", true},
	    {"mweek='1'", "2026-08-01 12:00:00", true}, /* a Saturday alone in its week */
	    {"mweek='2'", "2026-08-02 12:00:00", true},
	    {"mweek='6'", "2026-08-31 12:00:00", true},
	    {"wday='7'", "2026-11-21 12:00:00", true},
	    {"wday='sat'", "2026-11-21 12:00:00", true},
	    {"wday='mon-fri'", "2026-11-21 12:00:00", false},
	    {"wday='2-6'", "2026-11-20 12:00:00", true},
	    {"wday='fri-mon'", "2026-11-22 12:00:00", true},
	    {"wday='Sunday,Saturday'", "2026-11-21 12:00:00", true},
	    {"hour='9-18'", "2026-11-21 18:59:59", true},
	    {"hour='9-18'", "2026-11-21 19:00:00", false},
	    {"hour='22-6'", "2026-11-21 23:00:00", true},
	    {"hour='22-6'", "2026-11-21 07:00:00", false},
	    {"minute='0,30'", "2026-11-21 12:30:10", true},
	    {"minute='55-5'", "2026-11-21 12:05:00", true},
	    {"minute-of-day='1'", "2026-11-21 00:00:30", true},
	    {"minute-of-day='540-1080'", "2026-11-21 08:59:00", true},
	    {"minute-of-day='540-1080'", "2026-11-21 08:58:00", false},
	    {"minute-of-day='1440'", "2026-11-21 23:59:00", true},
	    {"time-of-day='09:00-17:00'", "2026-11-21 17:00:00", true},
	    {"time-of-day='09:00-17:00'", "2026-11-21 17:00:01", false},
	    {"time-of-day='09:00:30-17:00'", "2026-11-21 09:00:29", false},
	    {"time-of-day='22:00-06:00'", "2026-11-21 23:30:00", true},
	    {"time-of-day='22:00-06:00'", "2026-11-21 05:30:00", true},
	    {"time-of-day='22:00-06:00'", "2026-11-21 12:30:00", false},
	    {"time-of-day='08:00-12:00,13:00-17:00'", "2026-11-21 12:30:00", false},
	    {"time-of-day='08:00-12:00,13:00-17:00'", "2026-11-21 13:30:00", true},
	    {"date-time='2026-11-21 10:00:00~2026-11-21 13:00:00'", "2026-11-21 12:00:00", true},
	    {"date-time='2026-11-21 12:00:01~2026-11-21 13:00:00'", "2026-11-21 12:00:00", false},
	    {"date-time='2025-01-01 00:00~2025-12-31 23:59,2026-11-01 00:00:00~2026-12-01 00:00:00'",
	        "2026-11-21 12:00:00", true},
	    {"date-time='2026-11-21~2026-11-21'", "2026-11-21 23:59:59", true},
	    {"tz-offset='2'", "2026-11-21 12:00:00", true},
	    {"tz-offset='+2'", "2026-11-21 12:00:00", true},
	    {"tz-offset='-5'", "2026-11-21 12:00:00", false},
	    {"dst='false'", "2026-11-21 12:00:00", true},
	    {"dst='true'", "2026-11-21 12:00:00", false},
	    /* several attributes: all of them */
	    {"wday='7' hour='12' mday='21'", "2026-11-21 12:00:00", true},
	    {"wday='7' hour='13' mday='21'", "2026-11-21 12:00:00", false},
	    /* nonsense never matches */
	    {"hour='x'", "2026-11-21 00:00:00", false},
	    {"hour='-'", "2026-11-21 00:00:00", false},
	    {"time-of-day='25:00-26:00'", "2026-11-21 01:00:00", false},
	};

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct xml_doc *doc = NULL;
		struct dp_time t;
		char text[300];
		struct tm now;

		memset(&now, 0, sizeof now);
		EXPECT(sscanf(rows[i].when, "%d-%d-%d %d:%d:%d", &now.tm_year, &now.tm_mon, &now.tm_mday, &now.tm_hour,
		           &now.tm_min, &now.tm_sec) == 6);
		now.tm_year -= 1900, now.tm_mon--;
		timegm(&now);
		now.tm_gmtoff = 7200;
		snprintf(text, sizeof text, "<condition %s/>", rows[i].attrs);
		EXPECT_INT(xml_parse(&doc, text, strlen(text), NULL, NULL, 0, NULL), ST_OK);
		EXPECT(dp_time_read(&t, xml_root(doc)));
		if (dp_time_match(&t, &now) != rows[i].want)
			test_fail(__FILE__, __LINE__, "%s at %s", rows[i].attrs, rows[i].when);
		EXPECT_INT(dp_time_match(&t, &now), rows[i].want);
		mem_unref(doc);
	}
	return 0;
}

static int test_no_attributes(void)
{
	struct xml_doc *doc = NULL;
	struct dp_time t;

	EXPECT_INT(xml_parse(&doc, "<condition field='x'/>", 22, NULL, NULL, 0, NULL), ST_OK);
	EXPECT(!dp_time_read(&t, xml_root(doc)));
	mem_unref(doc);
	return 0;
}

static int test_zones(void)
{
	static const struct {
		const char *zone;
		int64_t at;
		const char *want;
	} rows[] = {
	    {"UTC0", 0, "1970-01-01 00:00:00 4 0"},
	    {"UTC0", 951868799, "2000-02-29 23:59:59 2 0"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, "2026-03-29 01:59:59 0 0"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, "2026-03-29 03:00:00 0 1"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 1792889999, "2026-10-25 02:59:59 0 1"},
	    {"CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, "2026-10-25 02:00:00 0 0"},
	    {"EST5EDT,M3.2.0,M11.1.0", 1783000000, "2026-07-02 09:46:40 4 1"},
	    {"AEST-10AEDT,M10.1.0,M4.1.0/3", 1767225600, "2026-01-01 11:00:00 4 1"}, /* summer over the new year */
	    {"<-03>3", 1767225600, "2025-12-31 21:00:00 3 0"},
	    {"IST-5:30", 1767225600, "2026-01-01 05:30:00 4 0"},
	    {"XXX0YYY,J60/0,J300/0", 1772323200, "2026-03-01 01:00:00 0 1"},
	};
	static const char *const bad[] = {
	    "", "UT", "UTC", "CET-1CEST,M3", "CET-1CEST,M13.1.0,M10.5.0", "UTC0x", "<ab>3", "UTC99"};
	struct tz tz;

	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		char got[40];
		struct tm t;
		EXPECT_INT(tz_parse(&tz, sv_of(rows[i].zone)), ST_OK);
		tz_local(&tz, rows[i].at, &t);
		strftime(got, sizeof got, "%Y-%m-%d %H:%M:%S %w", &t);
		snprintf(got + strlen(got), 4, " %d", t.tm_isdst);
		EXPECT_STR(got, rows[i].want);
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
		EXPECT_INT(tz_parse(&tz, sv_of(bad[i])), ST_PARSE);
	/* against the C library, one instant a week for sixty years */
	EXPECT_INT(tz_parse(&tz, SV("UTC0")), ST_OK);
	for (int64_t at = 0; at < 60LL * 366 * 86400; at += 7 * 86400 + 3601) {
		time_t c = (time_t)at;
		struct tm ours, theirs;
		tz_local(&tz, at, &ours);
		gmtime_r(&c, &theirs);
		EXPECT(ours.tm_year == theirs.tm_year && ours.tm_yday == theirs.tm_yday &&
		       ours.tm_wday == theirs.tm_wday && ours.tm_mon == theirs.tm_mon &&
		       ours.tm_mday == theirs.tm_mday && ours.tm_sec == theirs.tm_sec);
	}
	return 0;
}

TEST_MAIN({"attributes", test_attributes, 0}, {"no attributes", test_no_attributes, 0}, {"zones", test_zones, 0})
