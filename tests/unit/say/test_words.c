/* Texts and the prompts that say them, for each language. */
#include "base/status.h"
#include "harness.h"
#include "say/say.h"
#include <stdio.h>
#include <string.h>

struct row {
	const char *type, *method, *text, *want; /* want: names; "parse" or "limit": refused */
};

enum { NOW_S = 1795264245 }; /* 2026-11-21 12:30:45 UTC, a Saturday */

static int check(const char *language, const struct row *rows, size_t count, const char *zone_text)
{
	const struct say_language *l = say_language_find(language);
	struct tz zone;
	int failed = 0;

	EXPECT(l);
	EXPECT_INT(tz_parse(&zone, sv_of(zone_text)), ST_OK);
	for (size_t i = 0; i < count; i++) {
		struct say_args args = {.now_s = NOW_S, .zone = &zone};
		struct buf b;
		buf_init(&b);
		EXPECT(say_type_parse(sv_of(rows[i].type), &args.type));
		EXPECT(say_method_parse(sv_of(rows[i].method), &args.method));
		int st = l->say(&args, sv_of(rows[i].text), &b);
		const char *got = st == ST_PARSE ? "parse" : st == ST_LIMIT ? "limit" : st ? "?" : b.p ? b.p : "";
		if (strcmp(got, rows[i].want) && (failed = -1))
			test_fail(__FILE__, __LINE__, "%s %s %s '%s': %s, not %s", language, rows[i].type,
			    rows[i].method, rows[i].text, got, rows[i].want);
		buf_fini(&b);
	}
	return failed;
}
#define CHECK_ROWS(language, rows, zone) check(language, rows, sizeof(rows) / sizeof((rows)[0]), zone)

static int english_numbers(void)
{
	static const struct row rows[] = {
	    {"number", "pronounced", "0", "digits/0"},
	    {"number", "pronounced", "7", "digits/7"},
	    {"number", "n/a", "13", "digits/13"},
	    {"ITEMS", "pronounced", "20", "digits/20"},
	    {"persons", "pronounced", "21", "digits/20!digits/1"},
	    {"messages", "pronounced", "100", "digits/1!digits/hundred"},
	    {"number", "pronounced", "115", "digits/1!digits/hundred!digits/15"},
	    {"number", "pronounced", "007", "digits/7"},
	    {"number", "pronounced", "1,234", "digits/1!digits/thousand!digits/2!digits/hundred!digits/30!digits/4"},
	    {"number", "pronounced", "1000000", "digits/1!digits/million"},
	    {"number", "pronounced", "40000012", "digits/40!digits/million!digits/12"},
	    {"number", "pronounced", "5000000000", "digits/5!digits/billion"},
	    {"number", "pronounced", "999999999999",
	        "digits/9!digits/hundred!digits/90!digits/9!digits/billion!digits/9!digits/hundred!digits/90!digits/"
	        "9!digits/"
	        "million!digits/9!digits/hundred!digits/90!digits/9!digits/thousand!digits/9!digits/hundred!digits/"
	        "90!digits/"
	        "9"},
	    {"number", "pronounced", "1000000000000", "digits/1!digits/thousand!digits/billion"},
	    {"number", "pronounced", "1234567890123456", "limit"},
	    {"number", "pronounced", "-12", "currency/minus!digits/12"},
	    {"number", "pronounced", "3.14", "digits/3!digits/point!digits/1!digits/4"},
	    {"number", "pronounced", ".5", "digits/0!digits/point!digits/5"},
	    {"number", "pronounced", "3.", "parse"},
	    {"number", "pronounced", "twelve", "parse"},
	    {"number", "pronounced", "", "parse"},
	    {"number", "pronounced", ",1", "parse"},
	    {"number", "counted", "1", "digits/h-1"},
	    {"number", "counted", "15", "digits/h-15"},
	    {"number", "counted", "21", "digits/20!digits/h-1"},
	    {"number", "counted", "30", "digits/h-30"},
	    {"number", "counted", "1002", "digits/1!digits/thousand!digits/h-2"},
	    {"number", "iterated", "1,205", "digits/1!digits/2!digits/0!digits/5"},
	    {"number", "iterated", "-1.5", "currency/minus!digits/1!digits/point!digits/5"},
	    {"number", "iterated", "12a", "parse"},
	    {"number", "pronounced_year", "1987", "digits/19!digits/80!digits/7"},
	    {"number", "pronounced_year", "2000", "digits/2!digits/thousand"},
	    {"number", "pronounced_year", "2026", "digits/2!digits/thousand!digits/20!digits/6"},
	    {"number", "pronounced_year", "1905", "digits/19!time/oh!digits/5"},
	};
	return CHECK_ROWS("en", rows, "UTC0");
}

static int english_money(void)
{
	static const struct row rows[] = {
	    {"currency", "pronounced", "1", "digits/1!currency/dollar"},
	    {"currency", "pronounced", "$12.34",
	        "digits/12!currency/dollars!currency/and!digits/30!digits/4!currency/cents"},
	    {"currency", "pronounced", "-3.01",
	        "currency/negative!digits/3!currency/dollars!currency/and!digits/1!currency/cent"},
	    {"currency", "pronounced", "1.5", "digits/1!currency/dollar!currency/and!digits/50!currency/cents"},
	    {"currency", "pronounced", "1,000,000", "digits/1!digits/million!currency/dollars"},
	    {"currency", "pronounced", "2.999",
	        "digits/2!currency/dollars!currency/and!digits/90!digits/9!currency/cents"},
	    {"currency", "iterated", "12", "digits/1!digits/2!currency/dollars"},
	    {"currency", "pronounced", "free", "parse"},
	    {"currency", "pronounced", "1.2.3", "parse"},
	    {"currency", "pronounced", "1.2x3", "parse"},
	    {"currency", "pronounced", "1234567890123456.00", "limit"},
	};
	return CHECK_ROWS("en", rows, "UTC0");
}

static int english_times(void)
{
	static const struct row rows[] = {
	    {"time_measurement", "pronounced", "3661", "digits/1!time/hour!digits/1!time/minute!digits/1!time/second"},
	    {"time_measurement", "pronounced", "2:05",
	        "digits/0!time/hours!digits/2!time/minutes!digits/5!time/seconds"},
	    {"time_measurement", "pronounced", "1:02:03",
	        "digits/1!time/hour!digits/2!time/minutes!digits/3!time/seconds"},
	    {"time_measurement", "pronounced", "1:2:3:4", "parse"},
	    {"time_measurement", "pronounced", "x", "parse"},
	    {"current_time", "pronounced", "1795264245", "digits/12!digits/30!time/p-m"},
	    {"current_time", "pronounced", "0", "digits/12!digits/30!time/p-m"},
	    {"current_time", "pronounced", "00:00", "digits/12!time/oclock!time/a-m"},
	    {"current_time", "pronounced", "9:05", "digits/9!time/oh!digits/5!time/a-m"},
	    {"current_time", "pronounced", "23:59:59", "digits/11!digits/50!digits/9!time/p-m"},
	    {"current_time", "iterated", "07:00", "digits/0!digits/7!digits/hundred!time/hours"},
	    {"current_time", "iterated", "00:00", "digits/20!digits/4!digits/hundred!time/hours"},
	    {"current_time", "iterated", "17:08", "digits/17!digits/0!digits/8!time/hours"},
	    {"current_time", "pronounced", "24:00", "parse"},
	    {"current_date", "pronounced", "1795264245",
	        "time/day-6!time/mon-10!digits/20!digits/h-1!digits/2!digits/thousand!digits/20!digits/6"},
	    {"current_date", "pronounced", "2011-03-08",
	        "time/day-2!time/mon-2!digits/h-8!digits/2!digits/thousand!digits/11"},
	    {"current_date_time", "pronounced", "2011-03-08 22:56:00",
	        "time/day-2!time/mon-2!digits/h-8!digits/2!digits/thousand!digits/11!time/at!digits/10!digits/"
	        "50!digits/6!time/"
	        "p-m"},
	    {"current_date_time", "pronounced", "20110308225600",
	        "time/day-2!time/mon-2!digits/h-8!digits/2!digits/thousand!digits/11!time/at!digits/10!digits/"
	        "50!digits/6!time/"
	        "p-m"},
	    {"current_date", "pronounced", "2011-13-08", "parse"},
	    {"current_date", "pronounced", "yesterday", "parse"},
	    {"short_date_time", "pronounced", "1795264245", "time/today!time/at!digits/12!digits/30!time/p-m"},
	    {"short_date_time", "pronounced", "1795177845", "time/yesterday!time/at!digits/12!digits/30!time/p-m"},
	    {"short_date_time", "pronounced", "1795005045", "time/day-3!time/at!digits/12!digits/30!time/p-m"},
	    {"short_date_time", "pronounced", "2026-11-01 08:00",
	        "time/day-0!time/mon-10!digits/h-1!time/at!digits/8!time/oclock!time/a-m"},
	    {"short_date_time", "pronounced", "2026-12-01 08:00",
	        "time/day-2!time/mon-11!digits/h-1!digits/2!digits/thousand!digits/20!digits/6!time/at!digits/8!time/"
	        "oclock!time/a-m"},
	};
	static const struct row berlin[] = {
	    {"current_time", "pronounced", "1795264245", "digits/1!digits/30!time/p-m"},
	    {"current_time", "pronounced", "1784723445", "digits/2!digits/30!time/p-m"}, /* in summer */
	};
	return CHECK_ROWS("en", rows, "UTC0") || CHECK_ROWS("en", berlin, "CET-1CEST,M3.5.0,M10.5.0/3");
}

static int english_rest(void)
{
	static const struct row rows[] = {
	    {"ip_address", "pronounced", "10.0.0.254",
	        "digits/10!digits/dot!digits/0!digits/dot!digits/0!digits/dot!digits/2!digits/hundred!digits/50!digits/"
	        "4"},
	    {"ip_address", "iterated", "10.1.2.3",
	        "digits/1!digits/0!digits/dot!digits/1!digits/dot!digits/2!digits/dot!digits/3"},
	    {"ip_address", "pronounced", "::1", "ascii/58!ascii/58!digits/1"},
	    {"ip_address", "pronounced", "1.2.3", "parse"},
	    {"ip_address", "pronounced", "1.2.3.4.5", "parse"},
	    {"ip_address", "pronounced", "1.2.3.400", "parse"},
	    {"name_spelled", "pronounced", "Ab1#", "ascii/97!ascii/98!digits/1!ascii/35"},
	    {"name_phonetic", "pronounced", "z9", "phonetic-ascii/122!digits/9"},
	    {"telephone_number", "pronounced", "+1 (555) 01",
	        "ascii/43!digits/1!silence_stream://100!digits/5!digits/5!digits/5!silence_stream://100!digits/"
	        "0!digits/1"},
	    {"telephone_extension", "pronounced", "1000", "digits/1!digits/0!digits/0!digits/0"},
	    {"account_number", "pronounced", "a1", "ascii/97!digits/1"},
	    {"email_address", "pronounced", "a@b.c", "ascii/97!ascii/64!ascii/98!ascii/46!ascii/99"},
	    {"url", "pronounced", "x.y", "ascii/120!ascii/46!ascii/121"},
	    {"postal_address", "pronounced", "1 a", "digits/1!ascii/32!ascii/97"},
	    {"name_spelled", "pronounced", "\xc3\xa9", ""},
	};
	return CHECK_ROWS("en", rows, "UTC0");
}

static int chinese(void)
{
	static const struct row rows[] = {
	    {"number", "pronounced", "0", "digits/0"},
	    {"number", "pronounced", "10", "digits/10"},
	    {"number", "pronounced", "15", "digits/10!digits/5"},
	    {"number", "pronounced", "20", "digits/2!digits/10"},
	    {"number", "pronounced", "101", "digits/1!digits/100!digits/0!digits/1"},
	    {"number", "pronounced", "110", "digits/1!digits/100!digits/1!digits/10"},
	    {"number", "pronounced", "1000", "digits/1!digits/1000"},
	    {"number", "pronounced", "1005", "digits/1!digits/1000!digits/0!digits/5"},
	    {"number", "pronounced", "1050", "digits/1!digits/1000!digits/0!digits/5!digits/10"},
	    {"number", "pronounced", "12345",
	        "digits/1!digits/10000!digits/2!digits/1000!digits/3!digits/100!digits/4!digits/10!digits/5"},
	    {"number", "pronounced", "10000", "digits/1!digits/10000"},
	    {"number", "pronounced", "10001", "digits/1!digits/10000!digits/0!digits/1"},
	    {"number", "pronounced", "103000", "digits/10!digits/10000!digits/3!digits/1000"},
	    {"number", "pronounced", "100000000", "digits/1!digits/100000000"},
	    {"number", "pronounced", "100005000", "digits/1!digits/100000000!digits/0!digits/5!digits/1000"},
	    {"number", "pronounced", "100010000", "digits/1!digits/100000000!digits/0!digits/1!digits/10000"},
	    {"number", "pronounced", "110000000", "digits/1!digits/100000000!digits/1!digits/1000!digits/10000"},
	    {"number", "pronounced", "1000000000000", "digits/1!digits/10000!digits/100000000"},
	    {"number", "pronounced", "200000000002", "digits/2!digits/1000!digits/100000000!digits/0!digits/2"},
	    {"number", "counted", "3", "digits/ordinal!digits/3"},
	    {"number", "pronounced", "-2.05", "currency/negative!digits/2!digits/point!digits/0!digits/5"},
	    {"number", "iterated", "110", "digits/1!digits/1!digits/0"},
	    {"number", "pronounced", "x", "parse"},
	    {"currency", "pronounced", "3.20", "digits/3!currency/dollar!digits/2!digits/10!currency/cent"},
	    {"currency", "pronounced", "3", "digits/3!currency/dollar!digits/0!currency/cent"},
	    {"time_measurement", "pronounced", "7322", "time/2s!time/hours!time/2s!time/minute!time/2s!time/seconds"},
	    {"time_measurement", "pronounced", "61", "digits/1!time/minute!digits/1!time/seconds"},
	    {"time_measurement", "pronounced", "9", "digits/9!time/seconds"},
	    {"current_date", "pronounced", "1795264245",
	        "digits/2!digits/0!digits/2!digits/6!time/year!digits/10!digits/1!time/month!digits/2!digits/10!digits/"
	        "1!time/"
	        "day!time/day-6"},
	    {"current_time", "pronounced", "1795264245",
	        "time/pm!digits/10!digits/2!time/hour!digits/3!digits/10!time/minute"},
	    {"current_time", "pronounced", "02:02", "time/morning!time/2s!time/hour!time/2s!time/minute"},
	    {"current_time", "pronounced", "09:00", "time/am!digits/9!time/hour!digits/0!time/minute"},
	    {"current_time", "pronounced", "20:15", "time/evening!digits/8!time/hour!digits/10!digits/5!time/minute"},
	    {"short_date_time", "pronounced", "1795177845",
	        "time/yesterday!time/pm!digits/10!digits/2!time/hour!digits/3!digits/10!time/minute"},
	    {"ip_address", "pronounced", "10.0.0.1",
	        "digits/10!digits/dot!digits/0!digits/dot!digits/0!digits/dot!digits/1"},
	    {"name_spelled", "pronounced", "a1", "ascii/97!digits/1"},
	};
	static const struct row cn[] = {
	    {"currency", "pronounced", "12.34",
	        "digits/10!digits/2!currency/yuan!digits/3!currency/jiao!digits/4!currency/fen"},
	    {"currency", "pronounced", "-5", "currency/negative!digits/5!currency/yuan"},
	    {"currency", "pronounced", "0.125",
	        "digits/0!currency/yuan!digits/1!currency/jiao!digits/2!currency/fen!digits/5!currency/li"},
	};
	return CHECK_ROWS("zh", rows, "UTC0") || CHECK_ROWS("zh_CN", cn, "UTC0");
}

static int names(void)
{
	enum say_type type;
	enum say_method method;
	enum say_gender gender = SAY_NEUTER;

	EXPECT(say_type_parse(SV("short_date_TIME"), &type) && type == SAY_SHORT_DATE_TIME);
	EXPECT(say_type_parse(SV("NUMBER"), &type) && type == SAY_NUMBER);
	EXPECT(!say_type_parse(SV("NUMBERS"), &type) && type == SAY_NUMBER);
	EXPECT(say_method_parse(SV("N/A"), &method) && method == SAY_NA);
	EXPECT(!say_method_parse(SV(""), &method));
	EXPECT(say_gender_parse(SV("feminine"), &gender) && gender == SAY_FEMININE);
	EXPECT(!say_language_find("xx") && !say_language_find(""));
	return 0;
}

TEST_MAIN({"English numbers", english_numbers}, {"English money", english_money}, {"English times", english_times},
    {"English addresses and names", english_rest}, {"Chinese", chinese}, {"names", names})
