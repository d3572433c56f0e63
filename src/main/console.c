/* Commands typed where `tandem -c` runs. tandem-cli is the comfortable one; this one needs nothing. */
#include "main/console.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/host/core.h"
#include "core/run/api.h"
#include "loop/loop.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct lpoll *input;
static struct buf line;

static void print_reply(int status, struct sv reply, void *arg)
{
	if (status == ST_NOTFOUND)
		printf("Unknown Command: see help\n");
	else
		printf("%.*s\n", SVF(reply));
	fflush(stdout);
}

static ON_CTL void run_line(struct sv text)
{
	struct sv cmd, args;
	char name[64], *rest;

	text = sv_trim(text);
	sv_split(text, ' ', &cmd, &args);
	if (!cmd.n || cmd.n >= sizeof(name))
		return;
	if (sv_is(cmd, "...") || sv_is(cmd, "shutdown")) {
		core_request_stop(CORE_STOP_NOW);
		return;
	}
	memcpy(name, cmd.p, cmd.n);
	name[cmd.n] = 0;
	rest = sv_dup(sv_trim(args));
	if (api_spawn(name, rest, NULL, print_reply, NULL))
		printf("too busy, try again\n");
	mem_free(rest);
}

static void on_input(int events, void *arg)
{
	char bytes[1024];
	size_t eol;
	ssize_t n;

	role_assert_ctl();
	n = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (n <= 0 || line.n > 65536) { /* end of input: the switch goes on without a console */
		console_stop();
		return;
	}
	buf_add(&line, bytes, (size_t)n);
	while ((eol = sv_find(buf_sv(&line), '\n')) < line.n) {
		run_line((struct sv){line.p, eol});
		if (!input)
			return;
		buf_drop(&line, eol + 1);
	}
}

int console_start(void)
{
	int st;

	if (!isatty(STDIN_FILENO))
		return ST_OK;
	buf_init(&line);
	st = loop_poll_open(&input, STDIN_FILENO, "console", on_input, NULL);
	if (st == ST_OK)
		st = loop_poll_set(input, LOOP_READ);
	return st;
}

void console_stop(void)
{
	if (!input)
		return;
	loop_poll_close(input);
	input = NULL;
	buf_fini(&line);
}
