/* Hunts as text: dialplan XML and a call in, the list of actions out. Inline applications are shown in the list as
 * "!app(data)" and really set variables when they are "set". The ten traps of FreeSWITCH's dialplan each have rows. */
#include "base/check.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "dialplan/dialplan.h"
#include "harness.h"
#include "text/xml.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct call {
	struct hash *values; /* fields and variables, name -> char * */
	struct buf trace, inlines;
	const struct config *cfg;
};

static void call_set(struct call *c, struct sv name, struct sv value)
{
	char *copy = sv_dup(value);
	if (copy && hash_set(c->values, name, copy))
		mem_free(copy);
}

static const char *get(void *arg, const char *name)
{
	return hash_get(((struct call *)arg)->values, sv_of(name));
}

static const char *get_field(void *arg, const char *name, struct buf *scratch)
{
	return get(arg, name);
}

static int do_expand(void *arg, const char *text, struct buf *out)
{
	struct sv rest = sv_of(text);
	while (rest.n) {
		size_t end = sv_find(rest, '}');
		if (sv_starts(rest, SV("${")) && end < rest.n) {
			char *name = sv_dup(sv_sub(rest, 2, end - 2));
			const char *value = get(arg, name);
			buf_adds(out, value ? value : "");
			mem_free(name);
			rest = sv_sub(rest, end + 1, rest.n);
		} else {
			buf_addc(out, *rest.p);
			rest = sv_sub(rest, 1, rest.n);
		}
	}
	return ST_OK;
}

static void set_var(void *arg, const char *name, const char *value)
{
	struct call *c = arg;
	if (value)
		call_set(c, sv_of(name), sv_of(value));
	else
		hash_del(c->values, sv_of(name));
}

static void push_var(void *arg, const char *name, const char *value)
{
	struct call *c = arg;
	const char *old = get(c, name);
	struct buf b;

	buf_init(&b);
	buf_printf(&b, "%s%s%s", old ? old : "", old ? "|:" : "", value);
	call_set(c, sv_of(name), buf_sv(&b));
	buf_fini(&b);
}

static int run_inline(void *arg, const char *app, const char *data)
{
	struct call *c = arg;
	struct sv name, value;

	buf_printf(&c->inlines, "!%s(%s);", app, data);
	if (!strcmp(app, "set") && sv_split(sv_of(data), '=', &name, &value))
		call_set(c, name, value);
	return ST_OK;
}

static int local_time(void *arg, const char *zone, int64_t wall_us, struct tm *out)
{
	time_t t = (time_t)(wall_us / 1000000) + (zone && !strcmp(zone, "plus2") ? 7200 : 0);
	if (zone && strcmp(zone, "plus2"))
		return ST_NOTFOUND;
	gmtime_r(&t, out);
	return ST_OK;
}

static void trace_step(void *arg, const struct dp_trace *t)
{
	struct buf *out = &((struct call *)arg)->trace;
	dp_trace_line(t, "chan", out);
	buf_addc(out, '\n');
}

/* 2026-11-21 12:00:00 UTC, a Saturday */
#define NOON 1795262400000000LL

/* setup: "name=value;name=value". out: "app(data);..." with the inline ones first, or "none". */
static int hunt_text(
    const struct dialplan *dp, const char *context, const char *setup, struct buf *out, struct buf *trace)
{
	struct call c = {0};
	struct dp_actions found = {0};
	struct sv item, rest = sv_of(setup), name, value;
	struct dp_env env = {
	    &c, get_field, get, do_expand, set_var, push_var, run_inline, local_time, NOON, trace_step};
	int st;

	hash_new(&c.values, HASH_NOCASE, mem_free);
	while (rest.n) {
		sv_split(rest, ';', &item, &rest);
		sv_split(item, '=', &name, &value);
		call_set(&c, name, value);
	}
	st = dialplan_xml_hunt(dp, &env, context, get(&c, "destination_number"), &found);
	buf_clear(out);
	buf_addv(out, buf_sv(&c.inlines));
	for (size_t i = 0; i < found.count; i++)
		buf_printf(out, "%s(%s);", found.list[i].app, found.list[i].data);
	if (st)
		buf_adds(out, "none");
	if (found.extension)
		call_set(&c, SV("extension"), sv_of(found.extension));
	if (trace) {
		buf_clear(trace);
		buf_addv(trace, buf_sv(&c.trace));
		buf_printf(trace, "extension=%s\nDP_MATCH=%s\nDP_REGEX_MATCH_1=%s\n",
		    found.extension ? found.extension : "-", get(&c, "DP_MATCH") ? get(&c, "DP_MATCH") : "-",
		    get(&c, "DP_REGEX_MATCH_1") ? get(&c, "DP_REGEX_MATCH_1") : "-");
	}
	buf_fini(&c.trace);
	buf_fini(&c.inlines);
	dp_actions_fini(&found);
	hash_free(c.values);
	return st;
}

#define A(app) "<action application='" app "' data='$1'/>"
#define D(expression, inner) "<condition field='destination_number' expression='" expression "'>" inner "</condition>"
#define EXT(name, inner) "<extension name='" name "'>" inner "</extension>"

static const struct row {
	const char *xml, *setup, *want;
} rows[] = {
    /* plain match, captures, literal $1 without a group (2) */
    {EXT("a", D("^(10)(..)$", "<action application='x' data='$1-$2-$0-$9'/>")), "destination_number=1001",
        "x(10-01-1001-);"},
    {EXT("a", D("^1001$", A("x"))), "destination_number=1001", "x($1);"},
    {EXT("a", D("^2$", A("x"))), "destination_number=1001", "none"},
    /* the hunt ends at the first match, goes on with continue */
    {EXT("a", D("1", A("x"))) EXT("b", D("1", A("y"))), "destination_number=1", "x($1);"},
    {"<extension name='a' continue='true'>" D("1", A("x")) "</extension>" EXT("b", D("1", A("y"))),
        "destination_number=1", "x($1);y($1);"},
    /* actions of an extension that fails later stay (1) */
    {EXT("a", D("1", A("x")) D("2", A("y"))) EXT("b", D("1", A("z"))), "destination_number=1", "x($1);z($1);"},
    {EXT("a", D("1", A("x")) D("2", A("y"))), "destination_number=1", "x($1);"},
    /* a set that is not inline does not change later conditions; an inline one does (1, 9) */
    {EXT("a", D("1", "<action application='set' data='v=1'/>") "<condition field='${v}' expression='^1$'>" A(
                  "x") "</condition>"),
        "destination_number=1", "set(v=1);"},
    {EXT("a",
         D("1", "<action application='set' data='v=1' inline='true'/>") "<condition field='${v}' expression='^1$'>" A(
             "x") "</condition>"),
        "destination_number=1", "!set(v=1);x($1);"},
    /* time and field: either one chooses actions, the field decides the match (3) */
    {EXT("a", "<condition wday='7' field='destination_number' expression='^2$' break='never'>" A(
                  "x") "<anti-action application='n'/></condition>") EXT("b", D("1", A("y"))),
        "destination_number=1", "x($1);y($1);"},
    {EXT("a", "<condition wday='1' field='destination_number' expression='^1$'>" A(
                  "x") "<anti-action application='n'/></condition>"),
        "destination_number=1", "x($1);"},
    {EXT("a", "<condition wday='1'>" A("x") "<anti-action application='n' data='d'/></condition>"),
        "destination_number=1", "n(d);"},
    {EXT("a", "<condition wday='1'>" A("x") "</condition>") EXT("b", D("1", A("y"))), "destination_number=1", "y($1);"},
    /* time shifted by variables (g) */
    {EXT("a", "<condition hour='14'>" A("x") "</condition>"), "destination_number=1;timezone=plus2", "x($1);"},
    {EXT("a", "<condition hour='7' tz-offset='-5'>" A("x") "</condition>"), "destination_number=1;tod_tz_offset=-5",
        "x($1);"},
    {EXT("a", "<condition hour='12'>" A("x") "</condition>"), "destination_number=1;timezone=nosuch", "x($1);"},
    /* break (4) */
    {EXT("a",
         "<condition field='destination_number' expression='^2$' break='never'>" A("x") "</condition>" D("1", A("y"))),
        "destination_number=1", "y($1);"},
    {EXT("a", "<condition field='destination_number' expression='^1$' break='on-true'>" A("x") "</condition>" D(
                  "1", A("y"))),
        "destination_number=1", "x($1);"},
    {EXT("a",
         "<condition field='destination_number' expression='^2$' break='always'>" A("x") "</condition>" D("1", A("y"))),
        "destination_number=1", "none"},
    {EXT("a", "<condition field='destination_number' expression='^2$' break='never'>" A("x") "</condition>")
            EXT("b", D("1", A("y"))),
        "destination_number=1", "y($1);"},
    {EXT("a", "<condition field='destination_number' expression='^2$' break='never'><anti-action application='n' "
              "data=''/></condition>") EXT("b", D("1", A("y"))),
        "destination_number=1", "n();"},
    /* anti-action with the default break: later conditions of the extension are not tried, and it counts as a match */
    {EXT("a", "<condition field='destination_number' expression='^2$'><anti-action application='n' "
              "data='$1'/></condition>" D("1", A("y"))) EXT("b", D("1", A("z"))),
        "destination_number=1", "n($1);"},
    /* nested conditions (5): after the parent's own actions */
    {EXT("a", D("1", A("x") "<condition field='${v}' expression='^t$'>" A("y") "</condition>" A("z"))),
        "destination_number=1;v=t", "x($1);z($1);y($1);"},
    {EXT("a", D("1", "<condition field='${v}' expression='^t$'>" A("y") "</condition>")) EXT("b", D("1", A("z"))),
        "destination_number=1;v=f", "z($1);"},
    {EXT("a", "<condition field='destination_number' expression='1' require-nested='false'>" A(
                  "x") "<condition field='${v}' expression='^t$'>" A("y") "</condition></condition>")
            EXT("b", D("1", A("z"))),
        "destination_number=1;v=f", "x($1);"},
    {EXT("a", "<condition field='destination_number' expression='1' break='never'><condition field='${v}' "
              "expression='^t$'/></condition>" D("1", A("w"))),
        "destination_number=1;v=f", "w($1);"},
    {EXT("a", D("1", "<condition field='${v}' expression='^t$'/>") D("1", A("w"))), "destination_number=1;v=f", "none"},
    /* regex all, any, xor (5) */
    {EXT("a", "<condition regex='all'><regex field='destination_number' expression='^1'/><regex field='${v}' "
              "expression='^t(.)$'/>" A("x") "<anti-action application='n'/></condition>"),
        "destination_number=1;v=t9", "x(9);"},
    {EXT("a", "<condition regex='all'><regex field='destination_number' expression='^1'/><regex field='${v}' "
              "expression='^t(.)$'/>" A("x") "<anti-action application='n' data='$1'/></condition>"),
        "destination_number=1;v=u9", "n($1);"},
    {EXT("a", "<condition regex='any'><regex field='destination_number' expression='^2'/><regex field='${v}' "
              "expression='^t'/>" A("x") "</condition>"),
        "destination_number=1;v=t9", "x($1);"},
    {EXT("a", "<condition regex='any'><regex field='destination_number' expression='^2'/><regex wday='7'/>" A(
                  "x") "</condition>"),
        "destination_number=1", "x($1);"},
    {EXT("a", "<condition regex='xor'><regex field='destination_number' expression='^1'/><regex field='${v}' "
              "expression='^t'/>" A("x") "<anti-action application='n'/></condition>"),
        "destination_number=1;v=u", "x($1);"},
    {EXT("a", "<condition regex='xor'><regex field='destination_number' expression='^1'/><regex field='${v}' "
              "expression='^t'/>" A("x") "<anti-action application='n'/></condition>"),
        "destination_number=1;v=t", "n();"},
    /* expressions: options, Asterisk patterns, child element with CDATA, run-time variables (5) */
    {EXT("a", D("/^ABC(.*)$/i", A("x"))), "destination_number=abcd", "x(d);"},
    {EXT("a", D("_NXX", A("x"))), "destination_number=211", "x($1);"},
    {EXT("a",
         "<condition field='destination_number'><expression><![CDATA[^<(\\d+)>$]]></expression>" A("x") "</condition>"),
        "destination_number=<12>", "x(12);"},
    {EXT("a", D("^${v}(\\d)$", A("x"))), "destination_number=558;v=55", "x(8);"},
    {EXT("a", D("^(?!6000)(60\\d\\d)$", A("x"))), "destination_number=6000", "none"},
    {EXT("a", D("(", A("x"))) EXT("b", D("1", A("y"))), "destination_number=1", "y($1);"},
    /* conditions without a field, unknown fields, actions with element text, loop */
    {EXT("a", "<condition>" A("x") "</condition>"), "destination_number=1", "x($1);"},
    {EXT("a", "<condition field='nosuch' expression='^$'>" A("x") "</condition>"), "destination_number=1", "x($1);"},
    {EXT("a", D("1", "<action application='x' loop='3'>text</action>")), "destination_number=1",
        "x(text);x(text);x(text);"},
    {EXT("a", D("1", "<action application='x' loop='0'/>")) EXT("b", D("1", A("y"))), "destination_number=1", ""},
    {"<extension name='a'/>" EXT("b", D("1", A("y"))), "destination_number=1", "y($1);"},
    /* auto_hunt starts at the extension of that name */
    {EXT("a", D("7", A("x"))) EXT("77", D("7", A("y"))) EXT("c", D("7", A("z"))),
        "destination_number=77;auto_hunt=true", "y($1);"},
    {EXT("a", D("7", A("x"))) EXT("77", D("8", A("y"))) EXT("c", D("7", A("z"))),
        "destination_number=77;auto_hunt=true", "z($1);"},
    {EXT("a", D("7", A("x"))) EXT("77", D("7", A("y"))), "destination_number=77;auto_hunt=false", "x($1);"},
};

static void swallow(const char *problem, void *arg)
{
	++*(int *)arg;
}

static int make(struct xml_doc **doc, struct dialplan **dp, const char *contexts)
{
	struct buf text;
	int problems = 0, st;

	buf_init(&text);
	buf_printf(&text, "<section name='dialplan'>%s</section>", contexts);
	st = xml_parse(doc, text.p, text.n, "dp.xml", NULL, 0, NULL);
	if (!st)
		st = dialplan_new(dp, xml_root(*doc), swallow, &problems);
	buf_fini(&text);
	return st;
}

static int test_rows(void)
{
	struct buf out, text;

	buf_init(&out);
	buf_init(&text);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct xml_doc *doc = NULL;
		struct dialplan *dp = NULL;
		buf_clear(&text);
		buf_printf(&text, "<context name='c'>%s</context>", rows[i].xml);
		EXPECT_INT(make(&doc, &dp, text.p), ST_OK);
		hunt_text(dp, "c", rows[i].setup, &out, NULL);
		if (!sv_is(buf_sv(&out), rows[i].want))
			test_fail(__FILE__, __LINE__, "row %zu: %s gives %s, not %s\n%s", i, rows[i].setup,
			    out.p ? out.p : "", rows[i].want, rows[i].xml);
		EXPECT(sv_is(buf_sv(&out), rows[i].want));
		dialplan_free(dp);
		mem_unref(doc);
	}
	buf_fini(&out);
	buf_fini(&text);
	return 0;
}

static int test_contexts(void)
{
	struct xml_doc *doc = NULL;
	struct dialplan *dp = NULL;
	struct buf out;

	buf_init(&out);
	EXPECT_INT(make(&doc, &dp, "<context name='a'>" EXT("1", D("1", A("x"))) "</context>"), ST_OK);
	EXPECT_INT(hunt_text(dp, "b", "destination_number=1", &out, NULL), ST_NOTFOUND);
	EXPECT(dialplan_has_context(dp, "a") && !dialplan_has_context(dp, "b"));
	dialplan_free(dp);
	mem_unref(doc);
	EXPECT_INT(
	    make(&doc, &dp, "<context name='a'/><context name='global'>" EXT("1", D("1", A("g"))) "</context>"), ST_OK);
	EXPECT_INT(hunt_text(dp, "b", "destination_number=1", &out, NULL), ST_OK);
	EXPECT_STR(out.p, "g($1);");
	EXPECT_INT(hunt_text(dp, "a", "destination_number=1", &out, NULL), ST_NOTFOUND);
	dialplan_free(dp);
	mem_unref(doc);
	buf_fini(&out);
	return 0;
}

static int test_explain(void)
{
	struct xml_doc *doc = NULL;
	struct dialplan *dp = NULL;
	struct buf out, trace;

	buf_init(&out);
	buf_init(&trace);
	EXPECT_INT(
	    make(&doc, &dp,
	        "<context name='c'>"
	        "<extension name='t' continue='true'><condition wday='1'>" A(
	            "x") "</condition></extension>"
	                 "<extension name='r'><condition regex='any'><regex field='${v}' expression='^(a)(b)'/>" A(
	                     "x") "</condition>"
	                          "<condition><action application='set' data='k=v' inline='true'/></condition>"
	                          "<condition field='destination_number' expression='^(1)(2)?' break='never'>" A(
	                              "y") "<condition field='${v}' expression='z'><anti-action application='n' "
	                                   "data='d'/></condition></condition></extension>"
	                                   "</context>"),
	    ST_OK);
	EXPECT_INT(hunt_text(dp, "c", "destination_number=12;v=ab", &out, &trace), ST_OK);
	EXPECT_STR(trace.p, "Dialplan: chan parsing [c->t] continue=true\n"
	                    "Dialplan: chan Date/TimeMatch (FAIL) [t] break=on-false\n"
	                    "Dialplan: chan parsing [c->r] continue=false\n"
	                    "Dialplan: chan Regex (PASS) [r] ${v}(ab) =~ /^(a)(b)/ match=any\n"
	                    "Dialplan: chan Action x(a) \n"
	                    "Dialplan: chan Absolute Condition [r]\n"
	                    "Dialplan: chan Action set(k=v) INLINE\n"
	                    "Dialplan: chan Regex (PASS) [r] destination_number(12) =~ /^(1)(2)?/ break=never\n"
	                    "Dialplan: chan Action y(1) \n"
	                    "|--- Dialplan: Processing recursive conditions level:1 [r_recur_1] require-nested=TRUE\n"
	                    "|--- Dialplan: chan Regex (FAIL) [r_recur_1] ${v}(ab) =~ /z/ break=on-false\n"
	                    "|--- Dialplan: chan ANTI-Action n(d) \n"
	                    "extension=r\nDP_MATCH=12|:1|:2\nDP_REGEX_MATCH_1=ab|:a|:b\n");
	dialplan_free(dp);
	mem_unref(doc);
	buf_fini(&out);
	buf_fini(&trace);
	return 0;
}

static void keep(const char *problem, void *arg)
{
	buf_printf(arg, "%s\n", problem);
}

static int test_problems(void)
{
	static const char text[] =
	    "<s>\n<context name='c'>\n<extension>\n<condition field='x' expression='(a'>\n<action/>\n</condition>\n"
	    "<condition break='maybe'/>\n</extension></context></s>";
	struct xml_doc *doc = NULL;
	struct dialplan *dp = NULL;
	struct buf found;

	buf_init(&found);
	EXPECT_INT(xml_parse(&doc, text, sizeof text - 1, "dp.xml", NULL, 0, NULL), ST_OK);
	EXPECT_INT(dialplan_new(&dp, xml_root(doc), keep, &found), ST_OK);
	EXPECT(strstr(found.p, "dp.xml:4:1: expression does not compile: missing closing parenthesis at offset 2\n"));
	EXPECT(strstr(found.p, "dp.xml:5:1: action: no application is named"));
	EXPECT(strstr(
	    found.p, "dp.xml:7:1: warning: break=\"maybe\" is none of on-false, on-true, always, never: as on-false"));
	dialplan_free(dp);
	mem_unref(doc);
	buf_fini(&found);
	return 0;
}

/* What FreeSWITCH takes and nobody means: a warning each, and nothing for what is well written. */
static int test_lint(void)
{
	static const struct {
		const char *condition, *want; /* NULL: nothing is told */
	} lints[] = {
	    {"<condition field='x' expression='a' break='never'/>", NULL},
	    {"<condition field='x'><expression>a</expression></condition>", NULL},
	    {"<condition wday='mon-fri' time-of-day='22:00-06:00,12:00-12:30:59' mon='11-2' mday='1,31' hour='0-23'/>",
	        NULL},
	    {"<condition date-time='2026-02-29 23:00:00~2027-01-01 00:00:00,2026-12-24'/>", NULL},
	    {"<condition tz-offset='+2' dst='true' year='2026-2030' mweek='1-6' week='53' yday='366' minute='0-59'/>",
	        NULL},
	    {"<condition hour='${open}' minute-of-day='1-1440'/>", NULL},
	    {"<condition field='x' expresion='a'/>", "<condition> has no attribute 'expresion' (meant: expression)"},
	    {"<condition feild='x' expression='a'/>", "<condition> has no attribute 'feild' (meant: field)"},
	    {"<condition field='x' expression='a' brake='never'/>", "<condition> has no attribute 'brake'"},
	    {"<condition week-day='1'/>", "<condition> has no attribute 'week-day'"},
	    {"<condition wdays='1'/>", "<condition> has no attribute 'wdays' (meant: wday)"},
	    {"<condition field='x'/>", "a field without an expression matches everything"},
	    {"<condition expression='x'/>", "an expression without a field is not looked at"},
	    {"<condition regex='any'><regex field='x' expresion='a'/></condition>",
	        "<regex> has no attribute 'expresion' (meant: expression)"},
	    {"<condition field='x' expression='a'><action aplication='hangup'/></condition>",
	        "<action> has no attribute 'aplication' (meant: application)"},
	    {"<condition field='x' expression='a'><anti-action application='hangup' dta='x'/></condition>",
	        "<anti-action> has no attribute 'dta' (meant: data)"},
	    {"<condition hour='9-25'/>", "hour=\"9-25\" is no time that ever comes"},
	    {"<condition wday='funday'/>", "wday=\"funday\" is no time that ever comes"},
	    {"<condition wday='mon,8'/>", "wday=\"8\" is no time that ever comes"},
	    {"<condition mon='13'/>", "mon=\"13\" is no time that ever comes"},
	    {"<condition mon='dec'/>", "mon=\"dec\" is no time that ever comes"},
	    {"<condition mday='0'/>", "mday=\"0\" is no time that ever comes"},
	    {"<condition time-of-day='9-17'/>", "time-of-day=\"9-17\" is no time that ever comes"},
	    {"<condition time-of-day='08:00-17:60'/>", "time-of-day=\"08:00-17:60\" is no time that ever comes"},
	    {"<condition time-of-day='9am-5pm'/>", "time-of-day=\"9am-5pm\" is no time that ever comes"},
	    {"<condition date-time='2026-13-01'/>", "date-time=\"2026-13-01\" is no time that ever comes"},
	    {"<condition date-time='2026-06-31'/>", "date-time=\"2026-06-31\" is no time that ever comes"},
	    {"<condition date-time='2026-03-02~2026-03-01'/>",
	        "date-time=\"2026-03-02~2026-03-01\" is no time that ever comes"},
	    {"<condition date-time='24.12.2026'/>", "date-time=\"24.12.2026\" is no time that ever comes"},
	    {"<condition minute-of-day='0-60'/>", "minute-of-day=\"0-60\" is no time that ever comes"},
	    {"<condition tz-offset='99'/>", "tz-offset=\"99\" is no time that ever comes"},
	    {"<condition hour=''/>", "hour=\"\" is no time that ever comes"},
	};
	for (size_t i = 0; i < sizeof lints / sizeof *lints; i++) {
		struct xml_doc *doc = NULL;
		struct dialplan *dp = NULL;
		struct buf text, found;

		buf_init(&text);
		buf_init(&found);
		buf_printf(
		    &text, "<s><context name='c'><extension name='e'>%s</extension></context></s>", lints[i].condition);
		EXPECT_INT(xml_parse(&doc, text.p, text.n, "dp.xml", NULL, 0, NULL), ST_OK);
		EXPECT_INT(dialplan_new(&dp, xml_root(doc), keep, &found), ST_OK);
		if (!lints[i].want)
			EXPECT_STR(found.p ? found.p : "", "");
		else if (!found.p || !strstr(found.p, lints[i].want) || !strstr(found.p, ": warning: "))
			test_fail(__FILE__, __LINE__, "%s: %s", lints[i].condition, found.p ? found.p : "nothing");
		dialplan_free(dp);
		mem_unref(doc);
		buf_fini(&text);
		buf_fini(&found);
	}
	return 0;
}

static int test_bounds(void)
{
	struct xml_doc *doc = NULL;
	struct dialplan *dp = NULL;
	struct buf out;

	buf_init(&out);
	EXPECT_INT(
	    make(&doc, &dp,
	        "<context name='c'>" EXT("a", D("1", "<action application='x' loop='2000000000'/>")) "</context>"),
	    ST_OK);
	EXPECT_INT(hunt_text(dp, "c", "destination_number=1", &out, NULL), ST_LIMIT);
	dialplan_free(dp);
	mem_unref(doc);
	buf_fini(&out);
	return 0;
}

static int test_inline(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
	    {"answer,sleep:2000,bridge:user/1000", "answer();sleep(2000);bridge(user/1000);"},
	    {"m:^:bridge:{a=1,b=2}user/1^hangup", "bridge({a=1,b=2}user/1);hangup();"},
	    {"set:'a=1,2',echo", "set(a=1,2);echo();"},
	    {"intercept:uuid-1", "intercept(uuid-1);"},
	    {" answer , echo ", "answer();echo();"},
	    {"set:a=it\\'s,x", "set(a=it's);x();"},
	    {"", "none"},
	    {",,", "none"},
	};
	struct buf out;

	buf_init(&out);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct dp_actions found = {0};
		buf_clear(&out);
		int st = dialplan_inline_parse(sv_of(cases[i].text), &found);
		for (size_t k = 0; k < found.count; k++)
			buf_printf(&out, "%s(%s);", found.list[k].app, found.list[k].data);
		if (st)
			buf_adds(&out, "none");
		EXPECT_STR(out.p, cases[i].want);
		dp_actions_fini(&found);
	}
	buf_fini(&out);
	return 0;
}

/* Extension (by its own actions) and the first application that is its own, for the stock dialplan. */
static const struct {
	const char *context, *number, *setup, *want; /* want: a piece of the list */
} stock[] = {
    {"default", "886", "", "intercept(${hash(select/${domain_name}-last_dial_ext/global)});"},
    {"default", "*8", "", "intercept("},
    {"default", "**1001", "", "intercept(${hash(select/${domain_name}-last_dial_ext/1001)});"},
    {"default", "870", "", "transfer(${hash(select/${domain_name}-last_dial/${caller_id_number})});"},
    {"default", "881234", "", "eavesdrop(${hash(select/${domain_name}-spymap/1234)});"},
    {"default", "*01001", "", "spymap/1001"},
    {"default", "779", "", "eavesdrop(all);"},
    {"default", "*69", "", "transfer("},
    {"default", "8001", "", "group(delete:01@"},
    {"default", "8101", "", "group(insert:01@"},
    {"default", "8201", "", "${group(call:01@"},
    {"default", "8301", "", "${group(call:01@"},
    {"default", "81001", "", "set(dialed_extension=1001);export(sip_auto_answer=true);"},
    {"default", "1001", "", "bridge(user/${dialed_extension}@${domain_name});"},
    {"default", "1119", "", "bridge(skinny/internal/"},
    {"default", "2000", "", "bridge(${group_call(sales@"},
    {"default", "0", "", "transfer(1000 XML features);"},
    {"default", "*98", "", "voicemail(check default"},
    {"default", "3001", "", "conference(3001-"},
    {"default", "3101", "", "@wideband"},
    {"default", "3501-screen", "", "@video-mcu-stereo"},
    {"default", "3501", "", "@video-mcu-stereo"},
    {"default", "6070-moderator", "", "conference($1-"},
    {"default", "9888", "", "bridge(sofia/${use_profile}/888@conference.freeswitch.org"},
    {"default", "5000", "", "ivr(demo_ivr);"},
    {"default", "5900", "", "fifo(5900@"},
    {"default", "6000", "", "valet_park("},
    {"default", "6001", "", "valet_park("},
    {"default", "park+123", "source=mod_sofia", "fifo("},
    {"default", "9178", "", "rxfax("},
    {"default", "9180", "", "ring_ready()"},
    {"default", "9195", "", "delay_echo(5000);"},
    {"default", "9196", "", "answer();echo();"},
    {"default", "9198", "", "tone_stream://path="},
    {"default", "9664", "", "playback(silence_stream://2000);playback(local_stream://moh);"},
    {"default", "9170", "", "say("},
    {"default", "19185551212", "toll_allow=domestic", "bridge(sofia/gateway/${default_gateway}/19185551212);"},
    {"default", "011441234", "toll_allow=international", "bridge(sofia/gateway/"},
    {"public", "1000", "", "transfer(1000 XML default);"},
    {"public", "3500", "", "transfer(3500 XML default);"},
    {"public", "5551212", "", "transfer(1000 XML default);"},
    {"features", "dx", "", "read("},
    {"features", "is_transfer", "digits=1001", "transfer(-bleg ${digits} XML default);"},
    {"features", "is_transfer", "digits=", "eval(cancel transfer);"},
    {"features", "cf", "", "transfer(-both 30"},
    {"features", "1000", "", "transfer(1000 XML default);"},
};

static int test_vanilla(void)
{
	static const struct config_global builtins[] = {{"local_ip_v4", "127.0.0.1"}};
	char path[300], setup[300];
	struct config *cfg = NULL;
	struct dialplan *dp = NULL;
	struct buf out, trace;
	int problems = 0, misses = 0;

	role_assert_ctl();
	if (!test_shared_dir()) {
		test_skip(TEST_NO_SHARED);
		return 0;
	}
	snprintf(path, sizeof path, "%s/vanilla", test_shared_dir());
	EXPECT_INT(config_init(&(struct config_source){.conf_dir = path}, builtins, 1), ST_OK);
	EXPECT_INT(config_load(&cfg, NULL), ST_OK);
	EXPECT_INT(dialplan_new(&dp, config_section_of(cfg, "dialplan"), swallow, &problems), ST_OK);
	EXPECT_INT(problems, 0);
	buf_init(&out);
	buf_init(&trace);
	for (size_t i = 0; i < ARRAY_COUNT(stock); i++) {
		snprintf(setup, sizeof setup, "destination_number=%s;caller_id_number=1000;domain_name=127.0.0.1;%s",
		    stock[i].number, stock[i].setup);
		hunt_text(dp, stock[i].context, setup, &out, &trace);
		if (!out.p || !strstr(out.p, stock[i].want)) {
			test_fail(__FILE__, __LINE__, "%s %s: no %s in %s", stock[i].context, stock[i].number,
			    stock[i].want, out.p ? out.p : "");
			misses++;
		}
	}
	EXPECT_INT(misses, 0);
	buf_fini(&out);
	buf_fini(&trace);
	dialplan_free(dp);
	mem_unref(cfg);
	config_fini();
	return 0;
}

TEST_MAIN({"rows", test_rows, 0}, {"contexts", test_contexts, 0}, {"explain", test_explain, 0},
    {"problems", test_problems, 0}, {"lint", test_lint, 0}, {"bounds", test_bounds, 0},
    {"inline", test_inline, TEST_OOM}, {"vanilla", test_vanilla, TEST_LOOP})
