/* Commands of the operating system, run as child processes for calls and operators (system, bgsystem, spawn ...). They
 * are off unless switch.conf says <param name="system-commands" value="true"/>: who may edit a dialplan or reach the
 * event socket would otherwise own the machine. The control thread never waits: a worker makes the process, the loop
 * watches its output and its end. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <sys/types.h>

struct shell_job;
struct shell_conf {
	const char *command;     /* given to /bin/sh -c; or */
	const char *const *argv; /* NULL-ended, run without a shell; the first is looked for in PATH */
	size_t output_max_bytes; /* of standard output and error together; 0 = not wanted, they go to /dev/null */
	unsigned timeout_s;      /* 0 = system-command-timeout of switch.conf (60); then its process group is killed */
	bool is_ours;            /* a program we or the configuration named, not a call: runs though commands are off */
	bool is_left_behind;     /* bgsystem: has no deadline and is not ended with us */
};
struct shell_result {
	int status;    /* ST_OK: it ran and ended; ST_TIMEOUT; ST_LIMIT: wrote too much, killed; ST_CANCELLED: we end */
	int exit_code; /* as a shell tells it: 128 + signal when it was killed */
	struct sv output; /* valid during the call */
};
typedef void (*shell_done_fn)(const struct shell_result *r, void *arg);

/* What the configuration says of them; told at the start and whenever it changes. Before that nothing is allowed. */
struct shell_settings {
	bool is_allowed;    /* system-commands */
	unsigned timeout_s; /* system-command-timeout; 0 = 60 */
};
ON_CTL void shell_settings_set(const struct shell_settings *s);
/* What a refused command is answered with. */
extern const char shell_off_text[];
ON_CTL bool shell_is_allowed(void);
/* Starts it; strings are copied. done (may be NULL) once, on the control loop, never from within; *out (may be NULL) is
 * borrowed until then. ST_DENIED when not allowed, ST_LIMIT when 64 run, ST_INVAL without a command. */
ON_CTL int shell_start(const struct shell_conf *conf, shell_done_fn done, void *arg, struct shell_job **out);
/* done will not be called; the command runs on to its own end or deadline. */
ON_CTL void shell_forget(struct shell_job *job);
/* The same, waited for: output is appended to out (may be NULL when none is wanted), exit_code may be NULL. For
 * commands; an application that shall end with its leg uses shell_start. */
CO int shell_run(const struct shell_conf *conf, struct buf *out, int *exit_code);
ON_CTL void shell_stop(void);    /* at the end: kills what runs, except what is left behind */
ON_CTL size_t shell_count(void); /* running now */

/* Makes a child process in a group of its own, its input /dev/null, its output (and with has_errors its errors too)
 * out_fd, or /dev/null when out_fd < 0. command as in shell_conf, or argv. May take milliseconds. ST_IO, ST_NOTFOUND.
 */
ANY int shell_spawn(const char *command, const char *const *argv, int out_fd, bool has_errors, pid_t *pid);
/* Runs a shell command whoever allowed it, appends its standard output. Blocks up to timeout_ms, then kills its process
 * group. ST_TIMEOUT, ST_IO, ST_LIMIT (over max_bytes); out is as before then. */
ANY int shell_output(const char *command, int timeout_ms, size_t max_bytes, struct buf *out);
