/* The command line, FreeSWITCH's and ours. Pure but for reading the environment. */
#pragma once
#include "base/str.h"
#include "core/value/self.h"

enum run_mode {
	RUN_CONSOLE /* foreground with a console, the default */,
	RUN_FOREGROUND /* -nf */,
	RUN_BACKGROUND /* -nc */,
	RUN_BACKGROUND_WAIT /* -ncwait */
};
struct options {
	enum run_mode mode;
	bool is_stop, is_version, is_help, is_check_config, is_reference, is_elegant_term, dumps_core, is_no_nat;
	int priority; /* -1 low, 0 normal, 1 and 2 real time asked for */
	const char *user, *group;
	const char *cfgname;
	struct core_dirs dirs; /* NULL where not given */
	char *env;             /* owned: words of env_opts that others above point into; NULL when there are none */
};
/* argv as main's. On failure prints what is wrong to stderr and returns ST_INVAL (exit code 255). Strings borrow argv
 * and a copy of env_opts (FREESWITCH_OPTS, TANDEM_OPTS), which is split at spaces and goes in front of the arguments.
 * options_fini what a successful call filled. */
int options_parse(struct options *out, int argc, char **argv, const char *env_opts);
void options_fini(struct options *o);
void options_print_help(const char *program);
/* Fills the directories that were not given, from -base or the compiled-in prefix; makes them absolute. Strings stay.
 */
int options_resolve_dirs(struct options *o);
