/* Features as text: which there are, what a value may be, when a wake-up is due. */
#include "base/status.h"
#include "features/features_i.h"
#include "harness.h"
#include "text/tz.h"

#include <stdio.h>
#include <string.h>

static int test_names(void)
{
	static const struct {
		const char *name, *kind, *key;
	} cases[] = {{"forward-all", "forward-all", ""}, {"DND", "dnd", ""}, {"speed:07", "speed", "07"},
	    {"block:+49301234", "block", "+49301234"}, {"speed", NULL, NULL}, {"speed:", NULL, NULL},
	    {"dnd:1", NULL, NULL}, {"block:a b", NULL, NULL}, {"block:${x}", NULL, NULL}, {"", NULL, NULL},
	    {"block:11111111112222222222333333333344444444445555555555666666666677777", NULL, NULL}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sv key;
		const struct feature_kind *k = feature_kind_of(sv_of(cases[i].name), &key);
		EXPECT(!k == !cases[i].kind);
		if (k) {
			EXPECT_STR(k->name, cases[i].kind);
			EXPECT(sv_is(key, cases[i].key));
		}
	}
	return 0;
}

static int test_values(void)
{
	static const struct {
		const char *name, *value, *kept;
	} cases[] = {{"forward-all", " 1001 ", "1001"}, {"forward-all", "", NULL}, {"forward-all", "1001,1002", NULL},
	    {"forward-all", "sofia/gw/x", NULL}, {"forward-all", "a@b", NULL}, {"dnd", "", "true"},
	    {"dnd", "on", "true"}, {"dnd", "0", "false"}, {"dnd", "perhaps", NULL},
	    {"forward-noanswer-after", "30", "30"}, {"forward-noanswer-after", "4", NULL},
	    {"forward-noanswer-after", "99999999999", NULL}, {"lock-pin", "1234", "1234"}, {"lock-pin", "123", NULL},
	    {"lock-pin", "12a4", NULL}, {"lock-pin", "1234567890123", NULL}, {"wake:1", "07:30", "07:30 once"},
	    {"wake:1", "7:30", NULL}, {"wake:1", "24:00", NULL}, {"wake:1", "07:60", NULL},
	    {"wake:1", "07:30  weekdays", "07:30 weekdays"}, {"wake:1", "07:30 mon,wed", "07:30 mon,wed"},
	    {"wake:1", "07:30 mon,xyz", NULL}, {"wake:1", "07:30 2026-12-24", "07:30 2026-12-24"},
	    {"wake:1", "07:30 2026-13-24", NULL}, {"wake:1", "07:30x", NULL},
	    {"callback:1001", "1767225600", "1767225600 busy"},
	    {"callback:1001", "1767225600  noanswer", "1767225600 noanswer"}, {"callback:1001", "soon", NULL},
	    {"callback:1001", "0", NULL}, {"callback:1001", "1767225600 later", NULL},
	    {"callback:1001", "999999999999", NULL}, {"callback:1001", "", NULL},
	    {"last-failed", "1001 unreachable", "1001 unreachable"}, {"last-failed", "1001,1002 busy", NULL},
	    {"last-failed", " busy", "busy busy"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sv key;
		char out[FEATURE_VALUE_MAX] = "";
		int st = feature_value_check(feature_kind_of(sv_of(cases[i].name), &key), sv_of(cases[i].value), out);
		EXPECT_INT(st, cases[i].kept ? ST_OK : ST_INVAL);
		if (!st)
			EXPECT_STR(out, cases[i].kept);
	}
	return 0;
}

/* Berlin: 2026-03-29 02:00 -> 03:00, 2026-10-25 03:00 -> 02:00. */
static int test_wake(void)
{
	static const struct {
		const char *value;
		int64_t after, due;
	} cases[] = {
	    {"07:30 once", 1795760999, 1795761000},     /* 2026-11-27 07:29:59, a Friday */
	    {"07:30 once", 1795761000, 1795847400},     /* 07:30:00: tomorrow */
	    {"07:30 weekdays", 1795761000, 1796020200}, /* Friday past: Monday */
	    {"07:30 weekends", 1795761000, 1795847400}, /* Saturday */
	    {"07:30 fri", 1795761000, 1796365800},      /* in a week */
	    {"07:30 2026-11-28", 1795761000, 1795847400}, {"07:30 2026-11-26", 1795761000, 0},
	    {"02:30 daily", 1774661399, 1774661400}, /* the 28th */
	    {"02:30 daily", 1774661400, 1774747800}, /* the 29th: jumped over, 03:30 */
	    {"08:00 daily", 1774681200, 1774764000}, /* a night of an hour less */
	};
	struct tz berlin;
	EXPECT_INT(tz_parse(&berlin, SV("CET-1CEST,M3.5.0,M10.5.0/3")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		EXPECT_INT(feature_wake_next(sv_of(cases[i].value), cases[i].after, &berlin), cases[i].due);
	char dated[FEATURE_VALUE_MAX];
	EXPECT_INT(feature_wake_dated(SV("07:30 once"), 1795847400, &berlin, dated), 0);
	EXPECT_STR(dated, "07:30 2026-11-28");
	return 0;
}

TEST_MAIN({"names", test_names}, {"values", test_values}, {"when a wake-up is due", test_wake})
