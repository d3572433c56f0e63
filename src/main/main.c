/* The program: options, background, then the start order below and its reverse at the end. Everything that starts is
 * named here once; nothing starts by itself. log -> loop -> configuration -> core (limits, media threads) ->
 * modules.conf's modules -> ready Stop: new calls refused, calls ended with SYSTEM_SHUTDOWN, modules unloaded in
 * reverse, media threads joined, log drained. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/cdr.h"
#include "core/conf/check.h"
#include "core/conf/config.h"
#include "core/conf/overlay.h"
#include "core/event/event.h"
#include "core/host/core.h"
#include "core/host/module.h"
#include "core/leg/leg.h"
#include "core/registry/ready.h"
#include "core/value/self.h"
#include "dialplan/dialplan.h"
#include "directory/directory.h"
#include "dtls/dtls.h"
#include "endpoint/sip/check.h"
#include "fetch/fetch.h"
#include "ivr/ivr.h"
#include "logger/logger.h"
#include "loop/loop.h"
#include "main/console.h"
#include "main/modules.h"
#include "main/options.h"
#include "main/process.h"
#include "main/reference.h"
#include "net/dns.h"
#include "net/nat_map.h"
#include "say/say.h"
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How long calls and commands have at the end; and when the program goes whatever still holds it. */
#define STOP_DEADLINE_US (1500 * 1000)
#define STOP_ALARM_S 15

static struct options options;
static bool is_restart;
static char **arguments;

static void on_terminate(int signum, void *arg)
{
	role_assert_ctl();
	log_notice("signal %d: stopping", signum);
	core_request_stop(options.is_elegant_term ? CORE_STOP_ELEGANT : CORE_STOP_NOW);
}

static void on_hangup_signal(int signum, void *arg)
{
	struct event *e;

	role_assert_ctl();
	logger_rotate();
	cdr_rotate();
	if (event_is_wanted(EVENT_TRAP, NULL)) {
		e = event_new(EVENT_TRAP, NULL);
		event_add(e, "Trapped-Signal", "HUP");
		event_fire(e);
	}
}

static void on_stop(enum core_stop_kind kind, void *arg)
{
	role_assert_ctl();
	is_restart = kind == CORE_STOP_RESTART;
	loop_stop();
}

/* What $${...} knows before vars.xml is read. */
static ON_CTL int config_start(void)
{
	const struct core_dirs *d = &options.dirs;
	struct buf fsxml;
	const struct config_global builtins[] = {
	    {"hostname", core_hostname()},
	    {"local_ip_v4", core_local_ip4()},
	    {"local_ip_v6", core_local_ip6()},
	    {"local_mask_v4", "255.255.255.0"},
	    {"base_dir", d->base},
	    {"recordings_dir", d->recordings},
	    {"sounds_dir", d->sounds},
	    {"conf_dir", d->conf},
	    {"log_dir", d->log},
	    {"run_dir", d->run},
	    {"db_dir", d->db},
	    {"mod_dir", d->mod},
	    {"htdocs_dir", d->htdocs},
	    {"script_dir", d->scripts},
	    {"temp_dir", d->temp},
	    {"grammar_dir", d->grammar},
	    {"certs_dir", d->certs},
	    {"storage_dir", d->storage},
	    {"cache_dir", d->cache},
	    {"data_dir", d->data},
	    {"localstate_dir", d->base},
	    {"core_uuid", core_uuid()},
	    {"zrtp_enabled", "false"},
	    {"nat_public_addr", ""},
	    {"nat_private_addr", ""},
	    {"nat_type", ""},
	    {"switchname", core_switchname()},
	};
	int st;

	buf_init(&fsxml);
	buf_printf(&fsxml, "%s/freeswitch.xml.fsxml", d->log);
	st = config_init(&(struct config_source){.conf_dir = d->conf,
	                     .main_file = options.cfgname,
	                     .fsxml_file = options.is_check_config ? NULL : fsxml.p,
	                     .has_file = modules_have_file},
	    builtins, sizeof(builtins) / sizeof(builtins[0]));
	buf_fini(&fsxml);
	overlay_names_set(modules_each_file);
	if (!st)
		st = dialplan_stage_init(); /* before the first load, which compiles and indexes */
	if (!st)
		st = say_stage_init();
	if (!st)
		st = ivr_stage_init();
	if (!st)
		st = sofia_stage_init();
	return st ? st : directory_start();
}

static void report_problem(const char *problem, void *arg)
{
	fprintf(stderr, "%s\n", problem);
}

static ON_CTL int reference(void)
{
	if (core_modules_register() || modules_register_all())
		return 255;
	reference_print();
	return 0;
}

static ON_CTL int check_config(void)
{
	size_t count, stop_count = 0;

	log_set_level(LOG_CRIT);
	if (config_start() || core_modules_register() || modules_register_all())
		return 255;
	count = config_check(report_problem, NULL, &stop_count);
	if (count)
		fprintf(stderr, "%zu problems in %s/%s, %s\n", count, options.dirs.conf, options.cfgname,
		    stop_count ? "and it cannot start" : "none of them stops the start");
	else
		printf("%s/%s: nothing wrong\n", options.dirs.conf, options.cfgname);
	return stop_count ? 1 : 0;
}

/* Everything up to "ready". Returns an exit code, 0 when the loop may run. */
static ON_CTL int start(void)
{
	char error[CONFIG_ERROR_CHARS] = "";
	struct config *config = NULL;

	if (config_start())
		return 255;
	if (config_load(&config, error)) {
		log_uuid(LOG_ALERT, NULL, "cannot start, the configuration is wrong: %s", error);
		log_flush();
		fprintf(stderr, "tandem: cannot start: %s\n(tandem -check-config tells everything at once)\n", error);
		return 255;
	}
	config_swap(config);
	if (dns_start() || core_start(&options.dirs) || modules_register_all()) {
		fprintf(stderr, "tandem: cannot start the core; see the log\n");
		return 255;
	}
	core_on_stop(on_stop, NULL);
	if (!options.is_no_nat)
		nat_map_start();
	leg_record_writer_set(cdr_xml_write);
	module_load_configured();
	if (loop_signal(SIGTERM, on_terminate, NULL) || loop_signal(SIGHUP, on_hangup_signal, NULL) ||
	    loop_signal(SIGUSR1, on_hangup_signal, NULL))
		return 255;
	/* Ctrl-C at a console stops, elsewhere INT is ignored as in FreeSWITCH */
	if (options.mode == RUN_CONSOLE && loop_signal(SIGINT, on_terminate, NULL))
		return 255;
	if (options.mode == RUN_CONSOLE)
		console_start();
	core_fire_startup();
	return 0;
}

static void on_stop_alarm(int signum)
{
	static const char text[] = "tandem: the end takes too long; leaving\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(n < 0 ? 1 : 0);
}

/* False: something that has stalled still uses what would be freed. */
static int64_t begin_us;

static void on_ready(void *arg)
{
	role_assert_ctl();
	log_notice(
	    "Tandem %s is ready after %lld ms", TANDEM_VERSION, (long long)((clock_mono_us() - begin_us) / 1000));
	process_ready(0);
}

static ON_CTL bool stop(void)
{
	signal(SIGALRM, on_stop_alarm);
	alarm(STOP_ALARM_S);
	console_stop();
	if (!core_stop(STOP_DEADLINE_US))
		return false;
	fetch_stop();
	nat_map_stop();
	dns_stop();
	directory_stop();
	config_fini();
	return true;
}

static void leave(int code, bool is_clean)
{
	process_ready(code);
	process_pidfile_drop();
	if (is_clean)
		options_fini(&options);
	if (is_restart) {
		alarm(0); /* it would go with us */
		execv("/proc/self/exe", arguments);
		perror("tandem: cannot restart");
	}
}

static int run(void) NO_ROLE_CHECK
{
	int code;

	begin_us = clock_mono_us();

	if (log_start() || loop_init())
		return 255;
	if (options.is_reference)
		return reference();
	if (options.is_check_config)
		return check_config();
	logger_console_enable(options.mode == RUN_CONSOLE || options.mode == RUN_FOREGROUND);
	code = start();
	if (code == 0) {
		core_on_ready(on_ready, NULL);
		loop_run();
		core_on_ready(NULL, NULL);
		log_notice("stopping");
	}
	if (!stop()) {
		logger_console_enable(false);
		log_stop();
		leave(code, false);
		_exit(code); /* no destructor, no exit handler: a stalled thread may come back at any moment */
	}
	loop_fini();
	core_report_alive();
	logger_console_enable(false);
	log_stop();
	return code;
}

/* What one call frees the next asks for again: without this the C library gives the end of the heap back and takes it
 * anew for nearly each (a system call and page faults). What a crowd leaves is given back later
 * (core/registry/limits.c). */
static void malloc_settle(void)
{
	enum { KEPT_BYTES = 4 << 20, STEP_BYTES = 512 << 10, MAPPED_BYTES = 1 << 20 };

	mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
	mallopt(M_TOP_PAD, STEP_BYTES);
	mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

int main(int argc, char **argv)
{
	const char *env = getenv("TANDEM_OPTS");
	int code;

	arguments = argv;
	malloc_settle();
	(void)dtls_memory_start();
	if (options_parse(&options, argc, argv, env ? env : getenv("FREESWITCH_OPTS")))
		return 255;
	if (options.is_help) {
		options_print_help(argv[0]);
		return 0;
	}
	if (options.is_version) {
		printf("Tandem version: %s\n", TANDEM_VERSION);
		return 0;
	}
	options_resolve_dirs(&options);
	if (options.is_stop)
		return process_stop_running(options.dirs.run);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGALRM, SIG_IGN); /* somebody's kill by the wrong number ends no calls */
	signal(SIGIO, SIG_IGN);
	if (!options.is_check_config) {
		process_set_limits(&options);
		if (process_make_dirs(&options.dirs, options.user, options.group) ||
		    process_change_user(options.user, options.group))
			return 255;
		if ((options.mode == RUN_BACKGROUND || options.mode == RUN_BACKGROUND_WAIT) &&
		    process_background(options.mode == RUN_BACKGROUND_WAIT))
			return 255;
		if (process_pidfile_take(options.dirs.run)) {
			process_ready(255);
			return 255;
		}
	}
	process_reserve_descriptors();
	code = run();
	leave(code, true);
	return code;
}
