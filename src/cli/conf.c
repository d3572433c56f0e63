/* Options. A profile comes from ~/.tandem_cli_conf, else ~/.fs_cli_conf, else /etc/tandem_cli.conf, /etc/fs_cli.conf
 * ("[name]" and "key => value" lines). Without options and without a profile's name, a running instance nearby is found
 * by its run directory's console.conf, written by `./dev run`. */
#include "cli/conf.h"
#include "base/str.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static void set_text(char *to, size_t size, const char *value)
{
	snprintf(to, size, "%s", value);
}

static const char *color_of(const char *name)
{
	static const struct {
		const char *name, *sequence;
	} colors[] = {{"default", ""}, {"black", "\033[30m"}, {"red", "\033[31m"}, {"green", "\033[32m"},
	    {"yellow", "\033[33m"}, {"blue", "\033[34m"}, {"magenta", "\033[35m"}, {"cyan", "\033[36m"},
	    {"white", "\033[37m"}, {"bold-black", "\033[1;30m"}, {"bold-red", "\033[1;31m"},
	    {"bold-green", "\033[1;32m"}, {"bold-yellow", "\033[1;33m"}, {"bold-blue", "\033[1;34m"},
	    {"bold-magenta", "\033[1;35m"}, {"bold-cyan", "\033[1;36m"}, {"bold-white", "\033[1;37m"}};
	for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
		if (!strcasecmp(name, colors[i].name))
			return colors[i].sequence;
	return "";
}

static void conf_defaults(struct cli_conf *c)
{
	static const char *const keys[CLI_KEY_COUNT] = {"help", "status", "show channels", "show calls", "sofia status",
	    "reloadxml", "/log console", "/log debug", "sofia status profile internal", "fsctl pause", "fsctl resume",
	    "version"};
	*c = (struct cli_conf){
	    .port = 8021, .debug = 6, .loglevel = LOG_DEBUG, .prompt_color = "", .input_color = "", .output_color = ""};
	set_text(c->name, sizeof(c->name), "internal");
	set_text(c->host, sizeof(c->host), "127.0.0.1");
	set_text(c->password, sizeof(c->password), "ClueCon");
	for (int i = 0; i < CLI_KEY_COUNT; i++)
		set_text(c->keys[i], sizeof(c->keys[i]), keys[i]);
}

static bool set_key(struct cli_conf *c, const char *name, const char *value)
{
	char *end;
	if (strncasecmp(name, "key_f", 5))
		return false;
	long n = strtol(name + 5, &end, 10);
	if (n < 1 || n > CLI_KEY_COUNT)
		return false;
	if (!strcasecmp(end, "_toggle"))
		set_text(c->key_toggles[n - 1], CLI_TEXT_MAX, value);
	else
		set_text(c->keys[n - 1], CLI_TEXT_MAX, value);
	return true;
}

static void set_value(struct cli_conf *c, const char *name, const char *value)
{
	struct {
		const char *name;
		char *to;
	} texts[] = {{"host", c->host}, {"user", c->user}, {"password", c->password}, {"prompt-string", c->prompt}};
	struct {
		const char *name;
		bool *to;
	} flags[] = {{"batchmode", &c->is_batch}, {"quiet", &c->is_quiet}, {"no-history-file", &c->has_no_history}};
	struct {
		const char *name;
		int *to;
	} numbers[] = {{"debug", &c->debug}, {"timeout", &c->timeout_ms}, {"connect-timeout", &c->connect_timeout_ms},
	    {"log-uuid-length", &c->uuid_chars}};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcasecmp(name, texts[i].name))
			set_text(texts[i].to, CLI_TEXT_MAX, value);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (!strcasecmp(name, flags[i].name))
			*flags[i].to = str_is_true(value);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcasecmp(name, numbers[i].name))
			*numbers[i].to = atoi(value);
	if (!strcasecmp(name, "port") && atoi(value) > 0 && atoi(value) < 65536)
		c->port = (unsigned)atoi(value);
	else if (!strcasecmp(name, "loglevel"))
		log_level_parse(value, &c->loglevel);
	else if (!strcasecmp(name, "log-uuid") && str_is_true(value) && !c->uuid_chars)
		c->uuid_chars = 36;
	else if (!strcasecmp(name, "log-uuid-short") && str_is_true(value))
		c->uuid_chars = 8;
	else if (!strcasecmp(name, "prompt-color"))
		c->prompt_color = color_of(value);
	else if (!strcasecmp(name, "input-text-color"))
		c->input_color = color_of(value);
	else if (!strcasecmp(name, "output-text-color"))
		c->output_color = color_of(value);
	else
		set_key(c, name, value);
}

static char *trim(char *s)
{
	s += strspn(s, " \t");
	size_t n = strlen(s);
	while (n && strchr(" \t\r\n", s[n - 1]))
		s[--n] = 0;
	return s;
}

/* Reads one profile (NULL: "default", else the first) into c. ST_NOTFOUND: no such file; ST_INVAL: no such profile. */
static int read_file(struct cli_conf *c, const char *path, const char *profile)
{
	char line[1024], first[CLI_TEXT_MAX] = "", section[CLI_TEXT_MAX] = "", wanted[CLI_TEXT_MAX] = "";
	FILE *f = fopen(path, "r");
	if (!f)
		return ST_NOTFOUND;
	bool is_there = false;
	for (int pass = 0; pass < 2; pass++) {
		rewind(f);
		*section = 0;
		while (fgets(line, sizeof(line), f)) {
			char *s = trim(line), *arrow = strstr(s, "=>"), *end;
			if (*s == '#' || *s == ';' || !*s)
				continue;
			if (*s == '[' && (end = strchr(s, ']'))) {
				*end = 0;
				set_text(section, sizeof(section), s + 1);
				if (!*first)
					set_text(first, sizeof(first), section);
				is_there = is_there || !strcmp(section, profile ? profile : "default");
			} else if (pass && arrow && !strcmp(section, wanted)) {
				*arrow = 0;
				set_value(c, trim(s), trim(arrow + 2));
			}
		}
		set_text(wanted, sizeof(wanted), profile ? profile : is_there ? "default" : first);
	}
	fclose(f);
	set_text(c->name, sizeof(c->name), wanted);
	return profile && !is_there ? ST_INVAL : ST_OK;
}

static int read_files(struct cli_conf *c, const char *profile)
{
	static const char *const in_home[] = {".tandem_cli_conf", ".fs_cli_conf"};
	static const char *const in_etc[] = {"/etc/tandem_cli.conf", "/etc/fs_cli.conf"};
	const char *home = getenv("HOME");
	char path[1024];
	int st = ST_NOTFOUND;
	for (size_t i = 0; i < 2 && home && st == ST_NOTFOUND; i++) {
		snprintf(path, sizeof(path), "%s/%s", home, in_home[i]);
		st = read_file(c, path, profile);
	}
	for (size_t i = 0; i < 2 && st == ST_NOTFOUND; i++)
		st = read_file(c, in_etc[i], profile);
	return st;
}

/* The instance that `./dev run` made: $TANDEM_RUN, $TANDEM_INSTANCE/run, ./instance/run, or instance/run beside the
 * program's build directory. */
static bool read_instance(struct cli_conf *c)
{
	char path[1200], self[1024];
	const char *run = getenv("TANDEM_RUN"), *instance = getenv("TANDEM_INSTANCE");
	if (run) {
		snprintf(path, sizeof(path), "%s/console.conf", run);
		if (!read_file(c, path, NULL))
			return true;
	}
	if (instance && *instance) {
		snprintf(path, sizeof(path), "%s/run/console.conf", instance);
		return !read_file(c, path, NULL); /* that one, or none: never another by chance */
	}
	if (!read_file(c, "instance/run/console.conf", NULL))
		return true;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0)
		return false;
	self[n] = 0;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(self, '/');
		if (!slash)
			return false;
		*slash = 0;
	}
	snprintf(path, sizeof(path), "%s/instance/run/console.conf", self);
	return !read_file(c, path, NULL);
}

void cli_usage(const char *program)
{
	printf(
	    "Usage: %s [-H <host>] [-P <port>] [-p <secret>] [-d <level>] [-x command] [-t <timeout_ms>] [profile]\n\n"
	    "  -?,-h --help                    Usage Information\n"
	    "  -H, --host=hostname             Host to connect\n"
	    "  -P, --port=port                 Port to connect (1 - 65535)\n"
	    "  -u, --user=user@domain          user@domain\n"
	    "  -p, --password=password         Password\n"
	    "  -i, --interrupt                 Allow Control-c to interrupt\n"
	    "  -x, --execute=command           Execute Command and Exit\n"
	    "  -l, --loglevel=command          Log Level\n"
	    "  -U, --log-uuid                  Include UUID in log output\n"
	    "  -S, --log-uuid-short            Include shortened UUID in log output\n"
	    "  -s, --set-log-uuid=uuid         Only show log lines of this UUID\n"
	    "  -q, --quiet                     Disable logging\n"
	    "  -r, --retry                     Retry connection on failure\n"
	    "  -R, --reconnect                 Reconnect if disconnected\n"
	    "  -d, --debug=level               Debug Level (0 - 7)\n"
	    "  -b, --batchmode                 Batch mode\n"
	    "  -Q, --no-history-file           Do not load or save the history\n"
	    "  -t, --timeout                   Timeout for API commands (in milliseconds)\n"
	    "  -T, --connect-timeout           Timeout for socket connection (in milliseconds)\n"
	    "  -n, --no-color                  Disable color\n\n",
	    program);
}

static const char short_options[] = "H:P:u:p:d:x:l:USt:T:qQrRhib?ns:";
static const struct option long_options[] = {{"help", 0, NULL, 'h'}, {"host", 1, NULL, 'H'}, {"port", 1, NULL, 'P'},
    {"user", 1, NULL, 'u'}, {"password", 1, NULL, 'p'}, {"debug", 1, NULL, 'd'}, {"execute", 1, NULL, 'x'},
    {"loglevel", 1, NULL, 'l'}, {"log-uuid", 0, NULL, 'U'}, {"log-uuid-short", 0, NULL, 'S'},
    {"set-log-uuid", 1, NULL, 's'}, {"quiet", 0, NULL, 'q'}, {"batchmode", 0, NULL, 'b'}, {"retry", 0, NULL, 'r'},
    {"reconnect", 0, NULL, 'R'}, {"interrupt", 0, NULL, 'i'}, {"no-history-file", 0, NULL, 'Q'},
    {"timeout", 1, NULL, 't'}, {"connect-timeout", 1, NULL, 'T'}, {"no-color", 0, NULL, 'n'}, {NULL, 0, NULL, 0}};

static int bad(const char *what, const char *value)
{
	fprintf(stderr, "ERROR: bad %s '%s'\n", what, value);
	return ST_INVAL;
}

/* Applies one option to c. */
static int apply_option(struct cli_conf *c, int option, const char *value)
{
	switch (option) {
	case 'H':
		set_text(c->host, sizeof(c->host), value);
		break;
	case 'P':
		if (atoi(value) < 1 || atoi(value) > 65535)
			return bad("port", value);
		c->port = (unsigned)atoi(value);
		break;
	case 'u':
		set_text(c->user, sizeof(c->user), value);
		break;
	case 'p':
		set_text(c->password, sizeof(c->password), value);
		break;
	case 'd':
		if (atoi(value) < 0 || atoi(value) > 7)
			return bad("debug level", value);
		c->debug = atoi(value);
		break;
	case 'x':
		if (strlen(value) >= sizeof(c->command))
			return bad("command: too long", value);
		set_text(c->command, sizeof(c->command), value);
		c->has_command = true;
		break;
	case 'l':
		if (log_level_parse(value, &c->loglevel))
			return bad("log level", value);
		c->is_loglevel_set = true;
		break;
	case 'U':
		c->uuid_chars = 36;
		break;
	case 'S':
		c->uuid_chars = 8;
		break;
	case 's':
		set_text(c->set_uuid, sizeof(c->set_uuid), value);
		break;
	case 'q':
		c->is_quiet = true;
		break;
	case 'Q':
		c->has_no_history = true;
		break;
	case 'r':
		c->retries = true;
		break;
	case 'R':
		c->reconnects = true;
		break;
	case 'i':
		c->may_interrupt = true;
		break;
	case 'b':
		c->is_batch = true;
		break;
	case 'n':
		c->has_no_color = true;
		break;
	case 't':
		c->timeout_ms = atoi(value);
		break;
	case 'T':
		c->connect_timeout_ms = atoi(value);
		break;
	default:
		return ST_INVAL;
	}
	return ST_OK;
}

/* Where the profile comes from depends on the options, and options win over it: they are gone through twice. */
int cli_conf_read(struct cli_conf *c, int argc, char **argv)
{
	bool is_addressed = false;
	int option;
	opterr = 1;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == 'h' || (option == '?' && !strcmp(argv[optind - 1], "-?"))) {
			cli_usage(argv[0]);
			return 1;
		}
		if (option == '?')
			return ST_INVAL; /* getopt said why */
		is_addressed = is_addressed || strchr("HPup", option);
	}
	const char *profile = optind < argc ? argv[optind] : NULL;
	conf_defaults(c);
	if (profile || is_addressed || !read_instance(c)) {
		int st = read_files(c, profile);
		if (profile && st) {
			fprintf(stderr, "ERROR: profile '%s' does not exist\n", profile);
			return ST_NOTFOUND;
		}
	}
	const char *color = getenv("FS_CLI_COLOR");
	c->has_no_color = color && !str_is_true(color);
	optind = 1;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
		if (apply_option(c, option, optarg))
			return ST_INVAL;
	return ST_OK;
}
