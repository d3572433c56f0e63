/* tandem-cli: the console for a running switch, over its event socket. */
#include "cli/term.h"

int main(int argc, char **argv)
{
	static struct cli_conf conf;
	static struct session session;
	int st = cli_conf_read(&conf, argc, argv);
	if (st)
		return st > 0 ? 0 : 255;
	session_init(&session, &conf);
	if (session_open(&session)) {
		if (!conf.has_command)
			cli_usage(argv[0]);
		return 255;
	}
	int code = conf.has_command          ? session_execute(&session, conf.command)
	           : session_greet(&session) ? 255
	                                     : term_run(&session);
	session_close(&session);
	return code;
}
