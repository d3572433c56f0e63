/* Applications that reach the operating system: commands (proc/shell.h; off by default), directories and files.
 * What blocks runs in a child process or on a worker; the leg waits. */
#include "apps/apps_i.h"
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "proc/shell.h"
#include "text/mark.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { OUTPUT_MAX_BYTES = 64 << 10 };

struct running {
	struct leg *leg;
	bool is_over;
};

static void command_done(const struct shell_result *r, void *arg)
{
	struct running *run = arg;
	struct sv rest = r->output, line;

	role_assert_ctl();
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		leg_log(run->leg, LOG_DEBUG, "system: %.*s", SVF(line));
	}
	if (r->status || r->exit_code)
		leg_log(run->leg, LOG_WARNING, "system: exit %d (%s)", r->exit_code, status_text(r->status));
	run->is_over = true;
	leg_wake(run->leg);
}

static ON_CTL int refused(struct leg *leg, const char *app, int st)
{
	leg_log(leg, LOG_ERR, "%s: %s", app, st == ST_DENIED ? shell_off_text : status_text(st));
	return st;
}

/* The command line, in which what comes from outside is an argument and nothing else. */
static ON_CTL int command_of(struct leg *leg, const char *app, const char *data, char **command)
{
	struct buf line;
	int st;

	buf_init(&line);
	st = mark_strip_shell(&line, sv_of(leg_exec_text(leg, data)));
	if (st == ST_DENIED)
		leg_log(leg, LOG_ERR, "%s: text from outside cannot be quoted beside ` $( or <<", app);
	else if (!st)
		*command = buf_take(&line);
	buf_fini(&line);
	if (!st)
		leg_log(leg, LOG_NOTICE, "Executing command: %s", *command);
	return st;
}

/* command: waits for its end; what it writes goes to the log. */
int app_system(struct leg *leg, const char *data)
{
	struct shell_conf conf = {.output_max_bytes = OUTPUT_MAX_BYTES};
	struct running run = {.leg = leg};
	struct shell_job *job = NULL;
	char *command = NULL;
	int st;

	role_assert_co();
	st = command_of(leg, "system", data, &command);
	if (st)
		return st;
	conf.command = command;
	st = shell_start(&conf, command_done, &run, &job);
	mem_free(command);
	if (st)
		return refused(leg, "system", st);
	while (!run.is_over && st != ST_HANGUP && st != ST_CANCELLED)
		st = leg_wait(leg, -1);
	if (!run.is_over)
		shell_forget(job);
	return st == ST_HANGUP ? st : ST_OK;
}

int app_bgsystem(struct leg *leg, const char *data)
{
	struct shell_conf conf = {.is_left_behind = true};
	char *command = NULL;
	int st;

	role_assert_co();
	st = command_of(leg, "bgsystem", data, &command);
	if (st)
		return st;
	conf.command = command;
	st = shell_start(&conf, NULL, NULL, NULL);
	mem_free(command);
	return st ? refused(leg, "bgsystem", st) : ST_OK;
}

struct disk_job {
	char *from, *to;
	int error; /* errno */
};

static void make_directories(void *arg)
{
	struct disk_job *j = arg;

	role_assert_work();
	for (char *p = j->from + 1; *p && !j->error; p++)
		if (*p == '/') {
			*p = 0;
			if (mkdir(j->from, 0777) && errno != EEXIST)
				j->error = errno;
			*p = '/';
		}
	if (!j->error && mkdir(j->from, 0777) && errno != EEXIST)
		j->error = errno;
}

static void rename_file(void *arg)
{
	struct disk_job *j = arg;

	role_assert_work();
	if (rename(j->from, j->to))
		j->error = errno;
}

int app_mkdir(struct leg *leg, const char *data)
{
	struct disk_job j = {0};
	int st;

	role_assert_co();
	j.from = leg_path_dup(leg, leg_exec_text(leg, data));
	if (!j.from || !*j.from) {
		mem_free(j.from);
		leg_log(leg, LOG_ERR, "mkdir: usage: <path>");
		return ST_INVAL;
	}
	st = co_work(WORK_FILE, "mkdir", make_directories, &j);
	leg_log(leg, st || j.error ? LOG_ERR : LOG_DEBUG, "MKDIR: %s%s%s", j.from, j.error ? ": " : "",
	    j.error ? strerror(j.error) : "");
	mem_free(j.from);
	return j.error ? ST_IO : st;
}

/* from to */
int app_rename(struct leg *leg, const char *data)
{
	struct disk_job j = {0};
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 2);

	role_assert_co();
	if (st || w.n < 2) {
		leg_log(leg, LOG_ERR, "rename: usage: <from_path> <to_path>");
		st = ST_INVAL;
		goto out;
	}
	j.from = leg_path_dup(leg, w.m[0]), j.to = leg_path_dup(leg, w.m[1]);
	st = j.from && j.to ? co_work(WORK_FILE, "rename", rename_file, &j) : ST_DENIED;
	leg_log(leg, st || j.error ? LOG_ERR : LOG_DEBUG, "RENAME: %s %s%s%s", w.w[0], w.w[1], j.error ? ": " : "",
	    j.error ? strerror(j.error) : "");
	mem_free(j.from);
	mem_free(j.to);
	if (j.error)
		st = ST_IO;
out:
	app_words_fini(&w);
	return st;
}
