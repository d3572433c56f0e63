/* Lines in, text out. A line that begins with a slash is the console's own or the event socket's; any other runs on the
 * switch as `api LINE`. Log lines and events that come unasked are printed between, with the terminal's line moved
 * away. */
#include "cli/session.h"
#include "base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { RETRY_MAX_COUNT = 120 };
#define COLOR_OFF "\033[0m"

static const char *const level_colors[] = {
    "", "\033[31m", "\033[31m", "\033[31m", "\033[35m", "\033[36m", "\033[32m", "\033[33m"};

static void begin_output(struct session *s)
{
	if (s->before_output)
		s->before_output(s->term);
}

static void end_output(struct session *s)
{
	fflush(stdout);
	if (s->after_output)
		s->after_output(s->term);
}

static void put_body(struct session *s, struct sv body)
{
	const char *color = s->has_color ? s->conf->output_color : "";
	printf("%s%.*s%s\n", color, SVF(body), *color ? COLOR_OFF : "");
	fflush(stdout);
}

/* ---- what comes unasked ---------------------------------------------------------------------------------------- */
static bool is_output_stuck(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	return poll(&p, 1, 0) <= 0;
}

static void put_log(struct session *s, const struct stanza *f)
{
	const char *level_text = stanza_get(f, "log-level"), *uuid = stanza_get(f, "user-data");
	int level = level_text ? atoi(level_text) : 7;
	if (!f->body.n || is_output_stuck())
		return;
	if (*s->filter_uuid && (!uuid || strcmp(uuid, s->filter_uuid)))
		return;
	if (*s->filter_text && !strcasestr(f->body.p, s->filter_text))
		return;
	const char *color = s->has_color && level >= 0 && level <= 7 ? level_colors[level] : "";
	begin_output(s);
	fputs(color, stdout);
	if (s->conf->uuid_chars > 0 && uuid && *uuid)
		printf("%.*s ", s->conf->uuid_chars, uuid);
	struct sv text = f->body;
	while (text.n && text.p[text.n - 1] == '\n')
		text.n--;
	printf("%.*s%s\n", SVF(text), *color ? COLOR_OFF : "");
	end_output(s);
}

static void on_async(const struct stanza *f, void *arg)
{
	struct session *s = arg;
	const char *type = stanza_get(f, "content-type");
	if (link_is(f, "log/data")) {
		put_log(s, f);
		return;
	}
	if (link_is(f, "text/disconnect-notice")) {
		s->is_lost = true;
		return;
	}
	if (link_is(f, "command/reply") || link_is(f, "api/response"))
		return; /* the reply to something whose time was up */
	begin_output(s);
	if (type && !strncasecmp(type, "text/event-", 11))
		printf("RECV EVENT\n%.*s\n", SVF(f->body));
	else
		printf("INCOMING DATA [%s]\n%.*s\n", type ? type : "", SVF(f->body));
	end_output(s);
}

void session_read(struct session *s)
{
	if (link_read(&s->link)) {
		s->is_lost = true;
		link_close(&s->link);
	}
}

/* ---- opening --------------------------------------------------------------------------------------------------- */
void session_init(struct session *s, struct cli_conf *conf)
{
	*s = (struct session){
	    .conf = conf, .has_color = !conf->has_no_color && !conf->is_batch && isatty(STDOUT_FILENO)};
	snprintf(s->filter_uuid, sizeof(s->filter_uuid), "%s", conf->set_uuid);
	link_init(&s->link, on_async, s);
}

void session_close(struct session *s)
{
	link_close(&s->link);
}

int session_open(struct session *s)
{
	const struct cli_conf *c = s->conf;
	int st = ST_IO, tries = c->retries || (c->reconnects && *s->switchname) ? RETRY_MAX_COUNT : 1;
	for (int i = 0; i < tries; i++) {
		if (i)
			nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
		st = link_open(
		    &s->link, c->host, c->port, *c->user ? c->user : NULL, c->password, c->connect_timeout_ms);
		if (!st || st == ST_DENIED)
			break;
	}
	if (st)
		fprintf(stderr, "[ERROR] Error Connecting to %s:%u [%s]\n", c->host, c->port, s->link.why);
	s->is_lost = st != ST_OK;
	return st;
}

/* Sends "api COMMAND" and takes the reply. */
static int ask_api(struct session *s, const char *command, bool is_typed, struct stanza *reply, int timeout_ms)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "api %s\n%s", command, is_typed ? "console_execute: true\n" : "");
	int st = b.failed ? ST_NOMEM : link_ask(&s->link, b.p, reply, timeout_ms);
	buf_fini(&b);
	return st;
}

/* A reply without a body: only a failure is worth a word. */
static void put_error(const char *reply)
{
	if (reply && !strncasecmp(reply, "-ERR", 4))
		printf("Error: %s!\n", reply + 4 + strspn(reply + 4, " "));
}

int session_execute(struct session *s, const char *command)
{
	struct stanza f = {0};
	int st = ask_api(s, command, true, &f, s->conf->timeout_ms);
	if (st == ST_TIMEOUT) {
		printf("Request timed out.\n");
		return 254;
	}
	const char *text = st ? NULL : stanza_get(&f, "reply-text");
	if (!st && f.body.n)
		printf("%.*s\n", SVF(f.body));
	else
		put_error(text);
	stanza_fini(&f);
	return 0;
}

static void ask_name(struct session *s, const char *command, char *to)
{
	struct stanza f = {0};
	*to = 0;
	if (!ask_api(s, command, false, &f, 0))
		snprintf(to, CLI_TEXT_MAX, "%.*s", SVF(sv_trim(f.body)));
	stanza_fini(&f);
}

static void make_prompt(struct session *s)
{
	char local[CLI_TEXT_MAX] = "", port[16];
	const char *format = *s->conf->prompt ? s->conf->prompt : "freeswitch@%s> ";
	struct buf b;
	gethostname(local, sizeof(local) - 1);
	snprintf(port, sizeof(port), "%u", s->conf->port);
	buf_init(&b);
	for (const char *p = format; *p; p++) {
		char kind = *p == '%' ? p[1] : 0;
		const char *text = kind == 's'   ? s->switchname
		                   : kind == 'h' ? local
		                   : kind == 'H' ? s->hostname
		                   : kind == 'p' ? s->conf->name
		                   : kind == 'o' ? s->conf->host
		                   : kind == 'P' ? port
		                   : kind == '%' ? "%"
		                                 : NULL;
		if (text) {
			buf_adds(&b, text);
			p++;
		} else {
			buf_addc(&b, *p);
		}
	}
	snprintf(s->prompt, sizeof(s->prompt), "%s", b.p ? b.p : "");
	buf_fini(&b);
}

static const char *reply_text(const struct stanza *f)
{
	const char *text = stanza_get(f, "reply-text");
	return text ? text : "";
}

int session_greet(struct session *s)
{
	char line[64];
	struct stanza f = {0};
	ask_name(s, "switchname", s->switchname);
	ask_name(s, "hostname", s->hostname);
	make_prompt(s);
	printf("\n  Tandem console, connected to %s (%s:%u)\n\nFS CLI Ready.\nenter /help for a list of commands.\n",
	    s->switchname, s->conf->host, s->conf->port);
	if (!s->conf->is_quiet || s->conf->is_loglevel_set) {
		snprintf(line, sizeof(line), "log %d", (int)s->conf->loglevel);
		if (!link_ask(&s->link, line, &f, 0))
			printf("%s\n", reply_text(&f));
		stanza_fini(&f);
	}
	fflush(stdout);
	if (!s->is_lost && link_dispatch(&s->link))
		s->is_lost = true;
	return s->is_lost ? ST_CLOSED : ST_OK;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */
static void cmd_exit(struct session *s, const char *args)
{
	printf("Goodbye!\nSee you at ClueCon http://www.cluecon.com/\n");
	s->is_over = true;
}

static void cmd_help(struct session *s, const char *args)
{
	static const char *const rows[][2] = {{"/help", "Help"}, {"/exit, /quit, /bye, ...", "Exit the program."},
	    {"/event, /noevents, /nixevent", "Event commands."}, {"/log, /nolog", "Log commands."},
	    {"/uuid [<uuid>]", "Only show log lines of this call."}, {"/filter", "Filter commands."},
	    {"/logfilter [<text>]", "Filter Log for a single string."}, {"/debug [0-7]", "Set debug level."}};
	printf("Command                    \tDescription\n-----------------------------------------------\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("%-27s\t%s\n", rows[i][0], rows[i][1]);
}

static void set_filter(char *to, size_t size, const char *name, const char *value)
{
	snprintf(to, size, "%s", value);
	printf("%s filter %s%s\n", name, *value ? "set: " : "off", value);
}

static void cmd_uuid(struct session *s, const char *args)
{
	set_filter(s->filter_uuid, sizeof(s->filter_uuid), "UUID", args);
}
static void cmd_logfilter(struct session *s, const char *args)
{
	set_filter(s->filter_text, sizeof(s->filter_text), "Log", args);
}

static void cmd_debug(struct session *s, const char *args)
{
	if (*args)
		s->conf->debug = atoi(args);
	printf("debug level %d\n", s->conf->debug);
}

struct own_command {
	const char *name;
	void (*fn)(struct session *s, const char *args); /* NULL: sent to the switch as it is, without the slash */
};
static const struct own_command own_commands[] = {{"/help", cmd_help}, {"/exit", cmd_exit}, {"/quit", cmd_exit},
    {"/bye", cmd_exit}, {"...", cmd_exit}, {"/...", cmd_exit}, {"/uuid", cmd_uuid}, {"/logfilter", cmd_logfilter},
    {"/debug", cmd_debug}, {"/event", NULL}, {"/noevents", NULL}, {"/nixevent", NULL}, {"/filter", NULL},
    {"/log", NULL}, {"/nolog", NULL}};

static void send_raw(struct session *s, const char *line)
{
	struct stanza f = {0};
	if (link_ask(&s->link, line, &f, 0))
		s->is_lost = true;
	else
		printf("%s\n", reply_text(&f));
	stanza_fini(&f);
}

static bool run_own(struct session *s, const char *line)
{
	struct sv word = {line, strcspn(line, " ")};
	const char *args = line + word.n + strspn(line + word.n, " ");
	for (size_t i = 0; i < sizeof(own_commands) / sizeof(own_commands[0]); i++) {
		const struct own_command *k = &own_commands[i];
		if (!sv_isi(word, k->name))
			continue;
		if (k->fn)
			k->fn(s, args);
		else
			send_raw(s, line + 1);
		return true;
	}
	if (*line == '/') {
		printf("Unknown command [%s]\n", line + 1);
		return true;
	}
	return false;
}

static void run_api(struct session *s, const char *line)
{
	struct stanza f = {0};
	if (!strncasecmp(line, "console loglevel ", 17)) {
		char log_line[128];
		snprintf(log_line, sizeof(log_line), "log %s", line + 17);
		send_raw(s, log_line);
	}
	int st = s->is_lost ? ST_CLOSED : ask_api(s, line, true, &f, 0);
	if (st) {
		s->is_lost = true;
	} else if (f.body.n) {
		put_body(s, f.body);
	} else {
		put_error(stanza_get(&f, "reply-text"));
	}
	stanza_fini(&f);
}

void session_line(struct session *s, const char *line)
{
	char *copy = sv_dup(sv_trim(sv_of(line)));
	if (copy && *copy && !run_own(s, copy))
		run_api(s, copy);
	mem_free(copy);
	fflush(stdout);
	if (!s->is_lost && link_dispatch(&s->link))
		s->is_lost = true;
}

int session_complete(
    struct session *s, const char *line, size_t cursor, unsigned *drop_count, char *insert, size_t size)
{
	struct buf ask;
	struct stanza f = {0};
	int st = ST_NOTFOUND;
	buf_init(&ask);
	buf_printf(&ask, "console_complete c=%zu;%s", cursor, line);
	if (!ask_api(s, ask.p ? ask.p : "", false, &f, 5000) && f.body.n) {
		char *write = strstr((char *)f.body.p, "\n\nwrite=");
		char *colon = write ? strchr(write + 8, ':') : NULL;
		if (colon) {
			*write = 0;
			*drop_count = (unsigned)strtoul(write + 8, NULL, 10);
			/* the only one there is: on to the next word */
			const char *hit = strstr(f.body.p, "]\t");
			snprintf(insert, size, "%s%s", colon + 1, hit && !strstr(hit + 2, "]\t") ? " " : "");
			st = ST_OK;
		}
		if (strcmp(f.body.p, "-ERR no reply\n")) {
			begin_output(s);
			printf("%s\n", f.body.p);
			end_output(s);
		}
	}
	stanza_fini(&f);
	buf_fini(&ask);
	link_dispatch(&s->link);
	return st;
}
