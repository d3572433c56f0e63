/* Commands of the operating system for operators: system, bg_system (by a shell), spawn, bg_spawn, spawn_stream
 * (without one). Off by default, bounded in time and output: proc/shell.h. */
#include "api/api_i.h"
#include "base/status.h"
#include "core/registry/api.h"
#include "proc/shell.h"
#include "text/mark.h"
#include "text/words.h"

enum { OUTPUT_MAX_BYTES = 4 << 20, WORDS_MAX = 64 };

static ON_CTL void put_failure(struct api_call *c, int st)
{
	if (st)
		buf_printf(c->out, "-ERR %s\n", st == ST_DENIED ? shell_off_text : status_text(st));
}

/* Runs it to its end; what it wrote is the reply. */
static CO void run(struct api_call *c, struct shell_conf *conf)
{
	conf->output_max_bytes = OUTPUT_MAX_BYTES;
	put_failure(c, shell_run(conf, c->out, NULL));
}

static ON_CTL void start(struct api_call *c, const struct shell_conf *conf)
{
	int st = shell_start(conf, NULL, NULL, NULL);

	put_failure(c, st);
	if (!st)
		buf_adds(c->out, "+OK\n");
}

/* The command line for the shell, in which what comes from outside is an argument and nothing else; NULL after saying
 * why not. */
static ON_CTL char *command_of(struct api_call *c)
{
	struct buf line;
	char *command = NULL;

	buf_init(&line);
	if (mark_strip_shell(&line, sv_of(c->text)) == ST_DENIED)
		buf_adds(c->out, "-ERR text from outside cannot be quoted beside ` $( or <<\n");
	else
		command = buf_take(&line);
	buf_fini(&line);
	return command;
}

static ON_CTL bool is_given(const char *command)
{
	if (shell_is_allowed())
		log_info("Executing command: %s", command);
	return *command;
}

int api_system(struct api_call *c)
{
	char *command;

	role_assert_co();
	if (!is_given(c->args))
		return api_usage(c, "system");
	command = command_of(c);
	if (command)
		run(c, &(struct shell_conf){.command = command});
	mem_free(command);
	return ST_OK;
}

int api_bg_system(struct api_call *c)
{
	char *command;

	role_assert_ctl();
	if (!is_given(c->args))
		return api_usage(c, "bg_system");
	command = command_of(c);
	if (command)
		start(c, &(struct shell_conf){.command = command, .is_left_behind = true});
	mem_free(command);
	return ST_OK;
}

/* The program and its arguments as the command line has them. */
struct words {
	char *text, *w[WORDS_MAX + 1];
};

static bool words_init(struct words *w, const char *args)
{
	*w = (struct words){.text = mem_strdup(args)};
	int n = w->text ? words_split(w->text, ' ', w->w, WORDS_MAX) : 0;
	if (n > 0 && !mark_has(sv_of(w->w[0]))) { /* nobody outside names the program */
		while (n-- > 0)
			mark_strip_in_place(w->w[n]);
		return true;
	}
	mem_free(w->text);
	return false;
}

int api_spawn_stream(struct api_call *c)
{
	struct words w;
	struct shell_conf conf = {.argv = (const char *const *)w.w};

	role_assert_co();
	if (is_given(c->args) && words_init(&w, c->text)) {
		run(c, &conf);
		mem_free(w.text);
		return ST_OK;
	}
	return api_usage(c, "spawn_stream");
}

int api_spawn_command(struct api_call *c)
{
	struct words w;
	struct shell_conf conf = {.argv = (const char *const *)w.w};
	int st;

	role_assert_co();
	if (!is_given(c->args) || !words_init(&w, c->text))
		return api_usage(c, "spawn");
	st = shell_run(&conf, NULL, NULL);
	mem_free(w.text);
	put_failure(c, st);
	if (!st)
		buf_adds(c->out, "+OK\n");
	return ST_OK;
}

int api_bg_spawn(struct api_call *c)
{
	struct words w;
	struct shell_conf conf = {.argv = (const char *const *)w.w, .is_left_behind = true};

	role_assert_ctl();
	if (!is_given(c->args) || !words_init(&w, c->text))
		return api_usage(c, "bg_spawn");
	start(c, &conf);
	mem_free(w.text);
	return ST_OK;
}
