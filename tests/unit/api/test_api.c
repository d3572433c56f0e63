/* Commands as tables of line and reply, and those on legs with the fake endpoint's calls. */
#include "../core/fake.h"
#include "api/api_i.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/host/module.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/run/api.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "harness.h"
#include "text/words.h"

#include <stdio.h>
#include <string.h>

extern const struct module mod_commands, mod_hash;

static NO_ROLE_CHECK int start(void)
{
	int st = fake_start();
	if (!st)
		st = module_register(&mod_commands);
	if (!st)
		st = module_register(&mod_hash);
	if (!st)
		st = module_load("mod_commands", NULL);
	return st ? st : module_load("mod_hash", NULL);
}

struct asked {
	char *reply;
	int status;
};

static void on_done(int status, struct sv reply, void *arg)
{
	struct asked *a = arg;
	a->status = status;
	a->reply = sv_dup(reply);
}

static bool is_done(void *arg)
{
	return ((struct asked *)arg)->reply != NULL;
}

/* Runs a line on a coroutine, as the event socket does; the reply is the caller's (mem_free). */
static NO_ROLE_CHECK char *ask(const char *line)
{
	struct asked a = {0};
	char *cmd = mem_strndup(line, strcspn(line, " "));
	const char *args = line + strlen(cmd);
	if (!api_spawn(cmd, *args ? args + 1 : args, NULL, on_done, &a))
		fake_until(is_done, &a, 5000);
	mem_free(cmd);
	if (a.status == ST_NOTFOUND) {
		mem_free(a.reply);
		return mem_strdup("(no such command)");
	}
	return a.reply ? a.reply : mem_strdup("(no reply)");
}

static bool answers(const char *line, const char *wanted)
{
	char *got = ask(line);
	bool is_same = !strcmp(got, wanted);
	if (!is_same)
		test_fail(__FILE__, __LINE__, "%s answers \"%s\", not \"%s\"", line, got, wanted);
	mem_free(got);
	return is_same;
}

static const struct {
	const char *line, *reply;
} texts[] = {
    {"echo a  b ", "a  b"},
    {"echo", ""},
    {"toupper aB1", "AB1"},
    {"tolower AB", "ab"},
    {"md5 hello", "5d41402abc4b2a76b9719d911017c592"},
    {"md5", "!err!"},
    {"sha256 hello", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"},
    {"sha256", "!err!"},
    {"url_encode hello world & a=b/c", "hello%20world%20%26%20a%3Db/c"},
    {"url_decode hello%20world%26", "hello world&"},
    {"url_decode %zz%2", "%zz%2"},
    {"sql_escape it's", "it''s"},
    {"quote_shell_arg a b 'c'", "'a b '\\''c'\\'''"},
    {"replace aXbXc|X|-", "a-b-c"},
    {"replace m:~a|b~|~+", "a+b"},
    {"replace a|b", "-ERR"},
    {"replace a||b", "a"},
    {"regex foobar|foo", "true"},
    {"regex foobar|^foo(.*)$|%1", "bar"},
    {"regex foobar|^foo(.*)$|$1", "bar"},
    {"regex foobar|^zoo|x", "foobar"},
    {"regex foobar|^zoo|x|n", ""},
    {"regex foobar|^zoo(.*)$|$1|b", "false"},
    {"regex foobar|[", "false"},
    {"regex m:~foo|bar~^foo.bar$", "true"},
    {"regex", "-ERR"},
    {"cond 1 == 1 ? yes : no", "yes"},
    {"cond 1 == 2 ? yes : no", "no"},
    {"cond 5 > 3 ? true : false", "true"},
    {"cond 10 > 9 ? a : b", "a"},
    {"cond abc == abc ? y : n", "y"},
    {"cond a != b ? y : n", "y"},
    {"cond foo ? y", "-ERR"},
    {"cond 'a b' == 'a b' ? y : n", "y"},
    {"cond  == x ? y : n", "-ERR"},
    {"cond", "-ERR"},
    {"coalesce ^^~a~b", "a"},
    {"coalesce ,,x", "x"},
    {"coalesce ,", ""},
    {"strftime_tz UTC 1|%Y-%m-%d %T", "1970-01-01 00:00:01"},
    {"strftime_tz America/New_York 1000000000|%Y-%m-%d %H:%M:%S %z", "2001-09-08 21:46:40 -0400"},
    {"strftime_tz Nosuch/Zone 0|%c", "-ERR Invalid timezone/format\n"},
    {"strftime_tz ../../etc/passwd 0|%c", "-ERR Invalid timezone/format\n"},
    {"eval ${nosuch}", ""},
    {"eval ${toupper(a${tolower(B)}c)}", "ABC"},
    {"expand toupper ${echo(x)}", "X"},
    {"expand", "-ERR No input\n"},
    {"expand nosuch x", "INVALID COMMAND!\n-ERR Cannot execute command\n"},
    {"msleep 1", "+OK"},
    {"file_exists /etc/passwd", "true"},
    {"file_exists /nosuch", "false"},
    {"file_exists", "false"},
    {"getenv TANDEM_NO_SUCH", "_undef_"},
    {"module_exists mod_hash", "true"},
    {"module_exists mod_x", "false"},
    {"global_setvar a=1", "+OK"},
    {"global_getvar a", "1"},
    {"global_setvar a=2 =3", "+OK"},
    {"global_getvar a", "1"},
    {"global_setvar a=2 =1", "+OK"},
    {"global_getvar a", "2"},
    {"global_setvar a=", "+OK"},
    {"global_getvar a", ""},
    {"global_setvar =a", "-USAGE: <var>=<value> [=<value2>]\n"},
    {"hash insert/r/k/v/w", "+OK\n"},
    {"hash select/r/k", "v/w"},
    {"hash insert_ifempty/r/k/x", "-ERR key already exists\n"},
    {"hash delete_ifmatch/r/k/x", "-ERR Doesn't match\n"},
    {"hash_dump db", "D/r_k/v/w\n"},
    {"hash delete/r/k", "+OK\n"},
    {"hash delete/r/k", "-ERR Not found\n"},
    {"hash select/r/k", ""},
    {"hash x/y", "-ERR Usage: hash insert|insert_ifempty|select|delete|delete_ifmatch/realm/key[/value]\n"},
    {"alias add zz toupper", "+OK\n"},
    {"console_execute zz abc", "\nExpand Alias [zz abc]->[toupper abc]\n\nABC"},
    {"show aliases as delim |", "sticky|alias|command|hostname\n0|zz|toupper|HOST\n\n1 total.\n"},
    {"alias del *", "+OK\n"},
    {"show aliases", "\n0 total.\n"},
    {"show channels as xml", "<result row_count=\"0\"/>\n"},
    {"show channels as json", "{\"row_count\": 0}\n"},
    {"show channels as nosuch", "-USAGE: " SHOW_SYNTAX "\n"},
    {"fsctl max_sessions 7", "+OK max sessions: 7\n"},
    {"fsctl pause inbound", "+OK\n"},
    {"fsctl pause_check inbound", "true"},
    {"fsctl pause_check", "false"},
    {"fsctl ready_check", "false"},
    {"fsctl resume", "+OK\n"},
    {"fsctl ready_check", "true"},
    {"fsctl min_idle_cpu 10", "+OK min idle cpu: 10.00"},
    {"fsctl min_idle_cpu 0", "+OK min idle cpu: DISABLED\n"},
    {"uuid_kill nosuch", "-ERR No such channel!\n"},
    {"uuid_exists nosuch", "false"},
    {"uuid_hold nosuch", "+OK Success\n"},
    {"uuid_answer nosuch", "-ERROR\n"},
    {"originate x", "-USAGE: <call url> <exten>|&<application_name>"
                    "(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"},
    {"sched_del nosuch", "+OK Deleted: 0\n"},
    {"json {}", "{\"status\":\"error\",\"message\":\"Invalid request or non-existant command\",\"response\":null}\n"},
    {"json [", "-ERR Parse error.\n"},
    {"json {\"command\":\"fsapi\",\"data\":{\"cmd\":\"toupper\",\"arg\":\"a\"}}",
        "{\"command\":\"fsapi\",\"data\":{\"cmd\":\"toupper\",\"arg\":\"a\"},\"status\":\"success\",\"response\":{"
        "\"message\":\"A\"}}\n"},
    {"console_complete c=10;fsctl paus", "\n\n[               pause]\t[         pause_check]\t\n\nwrite=4:pause"},
    {"console_complete c=2;versi", ""},
    {"console_complete c=9;fsctl rea", "\n\n[         ready_check]\t\n\nwrite=3:ready_check"},
};

static NO_ROLE_CHECK int test_texts(void)
{
	EXPECT_INT(start(), ST_OK);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char wanted[2048], *host;
		snprintf(wanted, sizeof(wanted), "%s", texts[i].reply);
		host = strstr(wanted, "HOST\n");
		if (host)
			snprintf(host, sizeof(wanted) - (size_t)(host - wanted), "%s%s", core_hostname(),
			    texts[i].reply + (host - wanted) + 4);
		if (!strcmp(texts[i].line, "console_complete c=2;versi")) /* only "ve" is before the cursor */
			snprintf(wanted, sizeof(wanted), "\n\n[             version]\t\n\nwrite=2:version");
		EXPECT(answers(texts[i].line, wanted));
	}
	fake_stop();
	config_fini(); /* the global variables */
	return 0;
}

static int test_split(void)
{
	static const struct {
		const char *in, *out;
		char sep;
		int max;
	} rows[] = {{"a b  c", "a|b|c", ' ', 9}, {"  a 'b c' d", "a|b c|d", ' ', 9}, {"a b c d", "a|b c d", ' ', 2},
	    {"a;;b", "a||b", ';', 9}, {"x='1;2';y", "x=1;2|y", ';', 9}, {"it's fine", "it's fine", ' ', 9},
	    {"a\\ b c", "a\\ b|c", ' ', 9}, {"", "", ' ', 9}, {"''", "", ' ', 9}, {"a ", "a", ' ', 9}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[64], joined[64] = "", *word[9];
		snprintf(text, sizeof(text), "%s", rows[i].in);
		int n = words_split(text, rows[i].sep, word, rows[i].max);
		for (int k = 0; k < n; k++)
			snprintf(
			    joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", k ? "|" : "", word[k]);
		EXPECT_STR(joined, rows[i].out);
	}
	return 0;
}

static int test_rows(void)
{
	static const char *const cols[] = {"a", "b", NULL};
	static const char *const wanted[] = {"a,b\n1,<x&\"y\">\n2,\n\n2 total.\n",
	    ("<result row_count=\"2\">\n  <row row_id=\"1\">\n    <a>1</a>\n    <b>&lt;x&amp;\"y\"&gt;</b>\n  </row>\n"
	     "  <row row_id=\"2\">\n    <a>2</a>\n    <b></b>\n  </row>\n</result>\n"),
	    "{\"row_count\":2,\"rows\":[{\"a\":\"1\",\"b\":\"<x&\\\"y\\\">\"},{\"a\":\"2\",\"b\":\"\"}]}"};
	for (int format = ROWS_CSV; format <= ROWS_JSON; format++) {
		struct rows r;
		struct buf out;
		buf_init(&out);
		rows_init(&r, cols);
		r.format = (enum rows_format)format;
		rows_add(&r, (const char *const[]){"1", "<x&\"y\">"});
		rows_add(&r, (const char *const[]){"2", NULL});
		rows_finish(&r, &out);
		EXPECT_STR(out.p, wanted[format]);
		buf_fini(&out);
	}
	return 0;
}

/* ---- on legs --------------------------------------------------------------------------------------------------- */
static NO_ROLE_CHECK bool two_legs(void *arg)
{
	struct leg *leg = arg;
	return leg->peer != NULL;
}

static NO_ROLE_CHECK int test_legs(void)
{
	static const struct fake_route routes[] = {{"call", "bridge:fake/ring-answer"}, {"park", "park"}, {NULL}};
	char line[256], wanted[256];
	EXPECT_INT(start(), ST_OK);
	fake_routes(routes);
	struct leg *a = mem_ref(fake_inbound("call", "PCMU"));
	EXPECT(fake_until(two_legs, a, 3000));
	char b[UUID_CHARS + 1];
	snprintf(b, sizeof(b), "%s", a->peer->uuid);
	EXPECT(answers("show channels count", "\n2 total.\n"));
	EXPECT(answers("show calls count", "\n1 total.\n"));
	EXPECT(answers("show bridged_calls count as json", "{\"row_count\": 1}\n"));
	EXPECT(answers("show channels like no-such-thing", "\n0 total.\n"));
	char *text = ask("show calls as delim |");
	snprintf(wanted, sizeof(wanted), "\n%s|inbound|", a->uuid);
	EXPECT(strstr(text, wanted) != NULL);
	snprintf(wanted, sizeof(wanted), "|%s|outbound|", b);
	EXPECT(strstr(text, wanted) != NULL);
	EXPECT(strstr(text, "|call_created_epoch\n") != NULL);
	mem_free(text);
	snprintf(line, sizeof(line), "uuid_setvar_multi %s p=1;q=2 3", a->uuid);
	EXPECT(answers(line, "+OK\n"));
	snprintf(line, sizeof(line), "uuid_getvar %s q", a->uuid);
	EXPECT(answers(line, "2 3"));
	snprintf(line, sizeof(line), "uuid_setvar %s q", a->uuid);
	EXPECT(answers(line, "+OK\n"));
	snprintf(line, sizeof(line), "uuid_getvar %s q", a->uuid);
	EXPECT(answers(line, "_undef_"));
	snprintf(line, sizeof(line), "eval uuid:%s ${variable_p} ${Unique-ID}", a->uuid);
	snprintf(wanted, sizeof(wanted), "1 %s", a->uuid);
	EXPECT(answers(line, wanted));
	snprintf(line, sizeof(line), "hupall manager_request p 2");
	EXPECT(answers(line, "+OK hangup all channels matching [p]=[2] with cause: MANAGER_REQUEST\n"));
	EXPECT(leg_is_up(a));
	snprintf(line, sizeof(line), "uuid_transfer %s -both park test default", a->uuid);
	EXPECT(answers(line, "+OK\n"));
	fake_run_ms(50);
	EXPECT(leg_is_up(a) && leg_find(b) && !a->peer);
	snprintf(line, sizeof(line), "uuid_bridge %s %s", a->uuid, b);
	snprintf(wanted, sizeof(wanted), "+OK %s\n", b);
	EXPECT(answers(line, wanted));
	EXPECT(fake_until(two_legs, a, 3000));
	snprintf(line, sizeof(line), "uuid_kill %s USER_BUSY", a->uuid);
	EXPECT(answers(line, "+OK\n"));
	EXPECT_INT(a->cause, CAUSE_USER_BUSY);
	mem_unref(a);
	EXPECT(fake_until(fake_no_legs, NULL, 3000));
	fake_stop();
	return 0;
}

static NO_ROLE_CHECK int test_originate(void)
{
	static const struct fake_route routes[] = {{"park", "park"}, {NULL}};
	EXPECT_INT(start(), ST_OK);
	fake_routes(routes);
	EXPECT(answers("originate fake/busy &park", "-ERR USER_BUSY\n"));
	EXPECT(answers("originate fake/reject &park()", "-ERR CALL_REJECTED\n"));
	EXPECT(answers("originate {origination_uuid=11111111-2222-3333-4444-555555555555}fake/ring-answer &park(a)b)",
	    "+OK 11111111-2222-3333-4444-555555555555\n"));
	fake_run_ms(30);
	struct leg *leg = leg_find("11111111-2222-3333-4444-555555555555");
	EXPECT(leg != NULL);
	EXPECT_STR(leg->last_app, "park");
	EXPECT_STR(leg->last_app_data, "a");
	/* a group's tasks are deleted together; a task hangs the leg up */
	EXPECT(answers("sched_transfer +100 11111111-2222-3333-4444-555555555555 x", "+OK\n"));
	EXPECT(answers("sched_del 11111111-2222-3333-4444-555555555555", "+OK Deleted: 1\n"));
	EXPECT(answers("show tasks", "\n0 total.\n"));
	EXPECT(answers("sched_hangup +0 11111111-2222-3333-4444-555555555555 ALLOTTED_TIMEOUT", "+OK\n"));
	EXPECT(fake_until(fake_no_legs, NULL, 3000));
	EXPECT_INT(fake_stats.last_cause, CAUSE_ALLOTTED_TIMEOUT);
	fake_stop();
	return 0;
}

TEST_MAIN({"split", test_split, 0}, {"rows", test_rows, 0}, {"texts", test_texts, TEST_LOOP},
    {"legs", test_legs, TEST_LOOP}, {"originate", test_originate, TEST_LOOP})
