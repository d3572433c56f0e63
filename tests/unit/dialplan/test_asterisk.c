/* extensions.conf: what each kind of line gives for which call, and what is told of lines that cannot be read. */
#include "base/check.h"
#include "base/mem.h"
#include "core/run/expand.h"
#include "dialplan/dialplan.h"
#include "harness.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct call {
	const char *destination, *caller;
	char exten[64];
	struct buf trace;
};

static const char *get_field(void *arg, const char *name, struct buf *scratch)
{
	struct call *c = arg;
	return !strcasecmp(name, "caller_id_number") ? c->caller
	       : !strcasecmp(name, "chan_name")      ? "sofia/internal/x"
	                                             : NULL;
}

static void set_var(void *arg, const char *name, const char *value)
{
	struct call *c = arg;
	if (!strcmp(name, "EXTEN"))
		snprintf(c->exten, sizeof c->exten, "%s", value);
}

/* ${...} is always bill. */
static int do_expand(void *arg, const char *text, struct buf *out)
{
	return buf_adds(out, strncmp(text, "${", 2) ? text : "bill");
}

static void trace_step(void *arg, const struct dp_trace *t)
{
	struct call *c = arg;
	buf_printf(&c->trace, "%s:%u ", t->file, t->line);
	dp_trace_line(t, "chan", &c->trace);
	buf_addc(&c->trace, '\n');
}

static const char sample[] = "; the stock sample, and more\n"
                             "[general]\nstatic=yes\n"
                             "[default]\n"
                             "exten => music,n,Dial(SIP/1234@conference.test|120)\r\n"
                             "exten => _1XXXXX,n,set(cool=${EXTEN})\n"
                             "exten => _1XXXXX,n,set(myvar=true)\n"
                             "exten => _1XXXXX,n,Goto(default|music)\n"
                             "exten => 2137991400/1000,n,Goto(default|music)\n"
                             "exten => ~^(18(0{2}|8{2})\\d{7})$,n,enum($1)\n"
                             "exten => ~^(18(0{2}|8{2})\\d{7})$,n,bridge(${enum_auto_route})\n"
                             "caller_id_number => 2137991400,n,log(INFO,it is he)\n"
                             "${sip_from_user} => bill,n,answer\n"
                             "[more]\n"
                             "exten=_[2-4]NZ.,1(start),App(a(b)c) ;; a comment\n"
                             " same = n,Next,one, two\n"
                             "  # indented comment\n"
                             "exten => _9!,hint,SIP/9\n"
                             "exten => _9!,1,Nine('a,b\\,c')\n"
                             "include => other\n"
                             "[other]\nexten => 5,1,five()\nexten => 200,1,never()\ninclude => more\n"
                             "[more]\nexten => 6,1,six\n"
                             "__END__\n[more]\nexten => 7,1,seven\n";

static const struct row {
	const char *context, *destination, *caller, *want;
} rows[] = {
    /* the answers to ${sip_from_user} => bill stand behind everything in [default] */
    {"default", "music", "1", "Dial(SIP/1234@conference.test|120);answer();"},
    {"DEFAULT", "123456", "1", "set(cool=${EXTEN});set(myvar=true);Goto(default|music);answer();"},
    {"default", "1000", "1", "answer();"},
    {"default", "1000", "2137991400", "Goto(default|music);log(INFO,it is he);answer();"},
    {"default", "18001234567", "1", "enum(18001234567);bridge(${enum_auto_route});answer();"},
    {"more", "221x", "1", "App(a(b)c);Next(one, two);"},
    {"more", "121", "1", "none"},
    {"more", "221", "1", "none"}, /* . is one at least */
    {"more", "9", "1", "Nine(a,b,c);"},
    {"more", "5", "1", "five();"},
    {"more", "6", "1", "six();"},
    {"more", "7", "1", "none"},
    {"other", "6", "1", "six();"},
    {"nosuch", "6", "1", "none"},
    {"general", "static", "1", "none"},
};

static void no_report(const char *problem, void *arg)
{
	test_fail(__FILE__, __LINE__, "%s", problem);
	++*(int *)arg;
}

static struct dp_env env_of(struct call *c)
{
	return (struct dp_env){
	    .arg = c, .field = get_field, .set_var = set_var, .expand = do_expand, .trace = trace_step};
}

static int test_rows(void)
{
	struct dp_ast *ast = NULL;
	int problems = 0;

	EXPECT_INT(dp_ast_parse(&ast, sv_of(sample), "extensions.conf", no_report, &problems), ST_OK);
	EXPECT_INT(problems, 0);
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct call c = {rows[i].destination, rows[i].caller, "", {0}};
		struct dp_env env = env_of(&c);
		struct dp_actions found = {0};
		struct buf out;
		int st = dp_ast_hunt(ast, &env, rows[i].context, rows[i].destination, &found);

		buf_init(&out);
		for (size_t k = 0; k < found.count; k++)
			buf_printf(&out, "%s(%s);", found.list[k].app, found.list[k].data);
		if (st)
			buf_adds(&out, "none");
		EXPECT_STR(out.p, rows[i].want);
		EXPECT_STR(c.exten, st ? "" : rows[i].destination);
		buf_fini(&out);
		buf_fini(&c.trace);
		dp_actions_fini(&found);
	}
	dp_ast_free(ast);
	return 0;
}

static int test_trace(void)
{
	struct dp_ast *ast = NULL;
	struct call c = {"12", "5", "", {0}};
	struct dp_env env = env_of(&c);
	struct dp_actions found = {0};

	EXPECT_INT(dp_ast_parse(&ast, SV("[d]\nexten => 5/_1X,1,a(b)\nsame => n,c\n"), "f", NULL, NULL), ST_OK);
	EXPECT_INT(dp_ast_hunt(ast, &env, "d", "12", &found), ST_OK);
	EXPECT_STR(found.extension, "12");
	EXPECT_STR(c.trace.p, "f:2 Dialplan: chan parsing [d->_1X] continue=true\n"
	                      "f:2 Dialplan: chan Regex (PASS) [_1X] destination_number(12) =~ /_1X/ break=on-false\n"
	                      "f:2 Dialplan: chan Regex (PASS) [_1X] caller_id_number(5) =~ /5/ break=on-false\n"
	                      "f:2 Dialplan: chan Action a(b) \n"
	                      "f:3 Dialplan: chan parsing [d->_1X] continue=true\n"
	                      "f:3 Dialplan: chan Regex (PASS) [_1X] destination_number(12) =~ /_1X/ break=on-false\n"
	                      "f:3 Dialplan: chan Regex (PASS) [_1X] caller_id_number(5) =~ /5/ break=on-false\n"
	                      "f:3 Dialplan: chan Action c() \n");
	buf_fini(&c.trace);
	dp_actions_fini(&found);
	dp_ast_free(ast);
	return 0;
}

static void keep_report(const char *problem, void *arg)
{
	buf_printf(arg, "%s\n", problem);
}

static int test_problems(void)
{
	struct dp_ast *ast = NULL;
	struct buf out;

	buf_init(&out);
	EXPECT_INT(
	    dp_ast_parse(&ast,
	        SV("exten => 1,1,a\n[]\n[open\n[d]\nwhat is this\nsame => n,a\nexten => 1\nexten => 1,2\n"
	           "exten => 1,2,\nexten => _[1,1,a()\nexten => ~(,1,a()\nswitch => IAX2/x\ninclude => a,9:00-17:00\n"
	           "exten => 1,1,(x)\nexten => 1,1,good\n"),
	        "e.conf", keep_report, &out),
	    ST_OK);
	EXPECT_STR(out.p, "e.conf:1:1: exten stands before the first [context]\n"
	                  "e.conf:2:1: a context's name stands in [ ]\n"
	                  "e.conf:3:1: a context's name stands in [ ]\n"
	                  "e.conf:5:1: neither [context] nor name => value\n"
	                  "e.conf:6:1: same has no line before it in its context\n"
	                  "e.conf:7:1: exten wants pattern,priority,application\n"
	                  "e.conf:8:1: exten wants pattern,priority,application\n"
	                  "e.conf:9:1: exten wants pattern,priority,application\n"
	                  "e.conf:10:1: the pattern _[1 does not compile: unclosed set in an Asterisk pattern\n"
	                  "e.conf:11:1: the pattern ~( does not compile: missing closing parenthesis at offset 1\n"
	                  "e.conf:12:1: 'switch' is not supported: other machines are reached by a bridge\n"
	                  "e.conf:13:1: include wants a context's name alone; times are not supported\n"
	                  "e.conf:14:1: no application is named\n");
	EXPECT(dp_ast_has_context(ast, "D") && !dp_ast_has_context(ast, "e"));
	buf_fini(&out);
	dp_ast_free(ast);
	return 0;
}

TEST_MAIN({"rows", test_rows}, {"trace", test_trace}, {"problems", test_problems})
