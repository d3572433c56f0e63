/* The command line: FreeSWITCH's options, their errors, the directory rule. */
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "main/options.h"
#include <string.h>

static int parse(struct options *o, const char *env, int argc, const char **argv)
{
	return options_parse(o, argc, (char **)argv, env);
}
#define ARGS(...) \
	(int)(sizeof((const char *[]){"tandem", __VA_ARGS__}) / sizeof(char *)), (const char *[]) \
	{ \
		"tandem", __VA_ARGS__ \
	}

static int test_defaults(void)
{
	struct options o;
	const char *argv[] = {"tandem"};

	EXPECT_INT(parse(&o, NULL, 1, argv), ST_OK);
	EXPECT_INT(o.mode, RUN_CONSOLE);
	EXPECT_STR(o.cfgname, "freeswitch.xml");
	EXPECT(!o.dirs.conf && !o.is_stop && !o.is_check_config);
	return 0;
}

static int test_modes_and_paths(void)
{
	struct options o;

	EXPECT_INT(
	    parse(&o, NULL, ARGS("-nc", "-nonat", "-conf", "/c", "-log", "/l", "-db", "/d", "-u", "me", "-rp")), ST_OK);
	EXPECT_INT(o.mode, RUN_BACKGROUND);
	EXPECT(o.is_no_nat);
	EXPECT_STR(o.dirs.conf, "/c");
	EXPECT_STR(o.dirs.log, "/l");
	EXPECT_STR(o.user, "me");
	EXPECT_INT(o.priority, 2);
	EXPECT_INT(parse(&o, NULL, ARGS("-ncwait")), ST_OK);
	EXPECT_INT(o.mode, RUN_BACKGROUND_WAIT);
	EXPECT_INT(parse(&o, NULL, ARGS("-nc", "-nf")), ST_OK);
	EXPECT_INT(o.mode, RUN_FOREGROUND);
	EXPECT_INT(parse(&o, NULL, ARGS("-nf", "-nc", "-ncwait")), ST_OK);
	EXPECT_INT(o.mode, RUN_FOREGROUND);
	EXPECT_INT(parse(&o, "-nf", ARGS("-nc")), ST_OK);
	EXPECT_INT(o.mode, RUN_FOREGROUND);
	options_fini(&o);
	EXPECT_INT(parse(&o, NULL, ARGS("-nf", "-c")), ST_OK);
	EXPECT_INT(o.mode, RUN_CONSOLE);
	EXPECT_INT(parse(&o, NULL, ARGS("-reincarnate", "-nosql", "-vg")), ST_OK);
	return 0;
}

static int test_refused(void)
{
	struct options o = {.mode = RUN_FOREGROUND};

	EXPECT_INT(parse(&o, NULL, ARGS("-nosuch")), ST_INVAL);
	EXPECT_INT(parse(&o, NULL, ARGS("-conf")), ST_INVAL);
	EXPECT_INT(parse(&o, NULL, ARGS("-conf", "/c")), ST_INVAL);
	EXPECT_INT(parse(&o, NULL, ARGS("-log", "/l", "-db", "/d")), ST_INVAL);
	EXPECT_INT(o.mode, RUN_FOREGROUND); /* a failed call leaves its arguments unchanged */
	EXPECT_INT(parse(&o, NULL, ARGS("-base", "/b", "-conf", "/c")), ST_OK);
	EXPECT_INT(parse(&o, NULL, ARGS("-conf", "/c", "-log", "/l", "-db", "/d")), ST_OK);
	return 0;
}

static int test_environment_comes_first(void)
{
	struct options o;

	EXPECT_INT(parse(&o, "-nf  -nonat", ARGS("-c")), ST_OK);
	EXPECT_INT(o.mode, RUN_CONSOLE);
	EXPECT(o.is_no_nat);
	EXPECT_INT(parse(&o, "-bogus", ARGS("-c")), ST_INVAL);
	options_fini(&o);
	return 0;
}

TEST_MAIN({"defaults", test_defaults}, {"modes_and_paths", test_modes_and_paths}, {"refused", test_refused},
    {"environment_comes_first", test_environment_comes_first})
