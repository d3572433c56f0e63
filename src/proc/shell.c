/* Child processes. A worker makes one (posix_spawn may take milliseconds); the loop then watches a pidfd for its end
 * and a pipe for its output, both bounded by a deadline. A process that ended while something it started still holds
 * the pipe is over: what was written until then is the output. */
#include "proc/shell.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "loop/co.h"
#include "loop/loop.h"
#include "loop/work.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 64, TIMEOUT_S = 60, READ_BYTES = 4096, READS_MAX = 16 };

struct shell_job {
	struct lnode link;
	char *text; /* the command, or the words of argv one after another */
	const char **argv;
	size_t output_max_bytes;
	unsigned timeout_s;
	bool is_left_behind, is_stopping;
	shell_done_fn done;
	void *arg;
	/* the worker's while it makes the process */
	int spawn_status, out_fd, pid_fd;
	pid_t pid;
	/* running */
	struct lpoll *out_poll, *pid_poll;
	struct ltimer timer;
	struct buf output;
	int status;
};
static struct list jobs = {{&jobs.head, &jobs.head}};
static size_t job_count;

const char shell_off_text[] = "system commands are off (switch.conf: system-commands)";

extern char **environ;

static struct shell_settings settings;

void shell_settings_set(const struct shell_settings *s)
{
	settings = *s;
}

bool shell_is_allowed(void)
{
	return settings.is_allowed;
}

int shell_spawn(const char *command, const char *const *argv, int out_fd, bool has_errors, pid_t *pid)
{
	const char *sh[] = {"sh", "-c", command, NULL};
	const char *const *words = command ? sh : argv;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, handled;
	int rc;

	if (!words || !words[0])
		return ST_INVAL;
	sigemptyset(&none);
	sigemptyset(&handled);
	sigaddset(&handled, SIGPIPE); /* ignored by us, ordinary for a shell */
	sigaddset(&handled, SIGALRM);
	sigaddset(&handled, SIGIO);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	if (out_fd < 0)
		posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	else
		posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	if (out_fd < 0 || has_errors)
		posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &handled);
	rc = posix_spawnp(
	    pid, command ? "/bin/sh" : words[0], &actions, &attr, (char *const *)(uintptr_t)words, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return rc == ENOENT || rc == EACCES ? ST_NOTFOUND : rc ? ST_IO : ST_OK;
}

static void job_free(struct shell_job *j)
{
	buf_fini(&j->output);
	mem_free(j->text);
	mem_free(j->argv);
	mem_free(j);
}

static ON_CTL void job_close(struct shell_job *j)
{
	loop_timer_cancel(&j->timer);
	loop_poll_close(j->out_poll);
	loop_poll_close(j->pid_poll);
	if (j->out_fd >= 0)
		close(j->out_fd);
	if (j->pid_fd >= 0)
		close(j->pid_fd);
	list_remove(&j->link);
	job_count--;
}

/* Everything of the job is over: whoever asked is told, from the loop. */
static ON_CTL void job_end(struct shell_job *j, int exit_code)
{
	struct shell_result r = {.status = j->status, .exit_code = exit_code, .output = buf_sv(&j->output)};

	job_close(j);
	if (j->done)
		j->done(&r, j->arg);
	job_free(j);
}

static ON_CTL void job_kill(struct shell_job *j, int status)
{
	if (!j->status)
		j->status = status;
	kill(-j->pid, SIGKILL);
}

/* A slice of what it wrote; ST_AGAIN: nothing more now; ST_CLOSED. */
static ON_CTL int read_output(struct shell_job *j)
{
	char piece[READ_BYTES];

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = read(j->out_fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? ST_AGAIN : ST_CLOSED;
		if (!n)
			return ST_CLOSED;
		if (j->output.n + (size_t)n > j->output_max_bytes) {
			job_kill(j, ST_LIMIT);
			return ST_CLOSED;
		}
		buf_add(&j->output, piece, (size_t)n);
	}
	return ST_OK;
}

static void output_ready(int events, void *arg)
{
	struct shell_job *j = arg;

	role_assert_ctl();
	if (read_output(j) == ST_CLOSED)
		loop_poll_set(j->out_poll, 0);
}

static void process_ended(int events, void *arg)
{
	struct shell_job *j = arg;
	int wait_status = 0;
	pid_t pid;

	role_assert_ctl();
	pid = waitpid(j->pid, &wait_status, WNOHANG);
	if (!pid || (pid < 0 && errno == EINTR))
		return;
	if (j->out_fd >= 0)
		while (read_output(j) == ST_OK)
			;
	job_end(j, pid < 0 ? -1 : WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
}

static void timed_out(void *arg)
{
	struct shell_job *j = arg;

	role_assert_ctl();
	log_warning("the command '%.200s' did not end within %u s and is killed", j->text, j->timeout_s);
	job_kill(j, ST_TIMEOUT);
}

static void make_process(void *arg)
{
	struct shell_job *j = arg;
	int fds[2] = {-1, -1};

	role_assert_work();
	if (j->output_max_bytes && pipe2(fds, O_CLOEXEC)) {
		j->spawn_status = ST_IO;
		return;
	}
	j->spawn_status = shell_spawn(j->argv ? NULL : j->text, j->argv, fds[1], true, &j->pid);
	if (fds[1] >= 0)
		close(fds[1]);
	j->out_fd = fds[0];
	if (!j->spawn_status) {
		j->pid_fd = (int)syscall(SYS_pidfd_open, j->pid, 0);
		if (j->pid_fd < 0) { /* before Linux 5.3: nothing tells us of its end */
			kill(-j->pid, SIGKILL);
			while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
				;
			j->spawn_status = ST_UNSUPPORTED;
		}
	}
	if (j->out_fd >= 0)
		fcntl(j->out_fd, F_SETFL, O_NONBLOCK);
}

static ON_CTL int watch(struct shell_job *j)
{
	int st = loop_poll_open(&j->pid_poll, j->pid_fd, "command's end", process_ended, j);

	if (!st)
		st = loop_poll_set(j->pid_poll, LOOP_READ);
	if (!st && j->out_fd >= 0)
		st = loop_poll_open(&j->out_poll, j->out_fd, "command's output", output_ready, j);
	if (!st && j->out_poll)
		st = loop_poll_set(j->out_poll, LOOP_READ);
	return st;
}

static void process_made(int status, void *arg)
{
	struct shell_job *j = arg;

	role_assert_ctl();
	j->status = status ? status : j->spawn_status;
	if (j->status) {
		job_end(j, -1);
		return;
	}
	if (j->is_stopping || watch(j)) {
		if (!j->is_stopping || !j->is_left_behind)
			kill(-j->pid, SIGKILL);
		j->status = ST_CANCELLED;
		job_end(j, -1);
		return;
	}
	if (!j->is_left_behind)
		loop_timer_set(&j->timer, clock_us_of_s(j->timeout_s), "command", timed_out, j);
}

/* The words in one block, so that the log can show the first. */
static int copy_words(struct shell_job *j, const char *const *argv)
{
	size_t count = 0, bytes = 0;
	char *p;

	while (argv[count])
		bytes += strlen(argv[count++]) + 1;
	j->text = mem_alloc(bytes + 1);
	j->argv = mem_zalloc((count + 1) * sizeof(*j->argv));
	if (!j->text || !j->argv)
		return ST_NOMEM;
	p = j->text;
	for (size_t i = 0; i < count; i++) {
		size_t n = strlen(argv[i]) + 1;
		j->argv[i] = memcpy(p, argv[i], n);
		p += n;
	}
	return count ? ST_OK : ST_INVAL;
}

int shell_start(const struct shell_conf *conf, shell_done_fn done, void *arg, struct shell_job **out)
{
	struct shell_job *j;
	int st = ST_OK;

	if (!conf->is_ours && !shell_is_allowed())
		return ST_DENIED;
	if (conf->argv ? !conf->argv[0] : !conf->command || !*conf->command)
		return ST_INVAL;
	if (job_count >= JOBS_MAX)
		return ST_LIMIT;
	j = mem_zalloc(sizeof(*j));
	if (!j)
		return ST_NOMEM;
	buf_init(&j->output);
	j->out_fd = j->pid_fd = -1;
	if (conf->argv)
		st = copy_words(j, conf->argv);
	else if (!(j->text = mem_strdup(conf->command)))
		st = ST_NOMEM;
	j->output_max_bytes = conf->output_max_bytes;
	j->timeout_s = conf->timeout_s ? conf->timeout_s : settings.timeout_s ? settings.timeout_s : TIMEOUT_S;
	j->is_left_behind = conf->is_left_behind;
	j->done = done, j->arg = arg;
	if (!st)
		st = work_submit(WORK_PROCESS, "make a process", make_process, process_made, j);
	if (st) {
		job_free(j);
		return st;
	}
	list_push(&jobs, &j->link);
	job_count++;
	if (out)
		*out = j;
	return ST_OK;
}

size_t shell_count(void)
{
	return job_count;
}

void shell_forget(struct shell_job *job)
{
	if (job)
		job->done = NULL;
}

void shell_stop(void)
{
	struct lnode *it, *tmp;

	list_each (&jobs, it, tmp) {
		struct shell_job *j = list_entry(it, struct shell_job, link);
		j->is_stopping = true;
		if (!j->pid_poll) /* still with the worker: process_made sees it */
			continue;
		if (!j->is_left_behind)
			kill(-j->pid, SIGKILL);
		j->status = ST_CANCELLED;
		job_end(j, -1);
	}
}

/* ---- waited for ---- */

struct waited {
	struct co_wait wait;
	struct buf *out;
	int status, exit_code;
};

static void waited_done(const struct shell_result *r, void *arg)
{
	struct waited *w = arg;

	role_assert_ctl();
	w->status = r->status, w->exit_code = r->exit_code;
	if (w->out)
		buf_addv(w->out, r->output);
	co_signal(&w->wait, ST_OK);
}

int shell_run(const struct shell_conf *conf, struct buf *out, int *exit_code)
{
	struct waited w = {.out = out};
	int st = shell_start(conf, waited_done, &w, NULL);

	if (st)
		return st;
	co_wait(&w.wait, -1);
	if (exit_code)
		*exit_code = w.exit_code;
	return w.status;
}
