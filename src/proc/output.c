/* The output of a command, waited for here and now, with a deadline: for workers (the preprocessor of the
 * configuration). What the command leaves in the background is ended with it when it runs out of time or writes too
 * much. */
#include "base/clock.h"
#include "base/status.h"
#include "loop/work.h"
#include "proc/shell.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REAP_US = 1000000 };

/* Waits until fd is readable, the deadline or the end of the program. False: not readable. */
static bool wait_readable(int fd, int64_t deadline_us)
{
	for (;;) {
		int64_t left_us = deadline_us - clock_mono_us();
		struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = work_end_fd(), .events = POLLIN}};
		int rc = left_us <= 0 ? 0 : poll(p, 2, (int)((left_us + 999) / 1000));
		if (rc >= 0 || errno != EINTR)
			return rc > 0 && p[0].revents;
	}
}

/* Its output is closed or it was killed; one that closed it and runs on is not waited for longer than the deadline. */
static void child_reap(pid_t pid, int64_t deadline_us)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 || !wait_readable(fd, deadline_us))
		kill(-pid, SIGKILL);
	/* killed, it ends at once, unless the disk holds it: then it is left to init */
	if (fd >= 0)
		(void)wait_readable(fd, clock_mono_us() + REAP_US);
	while (waitpid(pid, NULL, fd < 0 ? 0 : WNOHANG) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
}

int shell_output(const char *command, int timeout_ms, size_t max_bytes, struct buf *out)
{
	int64_t deadline_us = clock_mono_us() + clock_us_of_ms(timeout_ms);
	size_t start = out->n;
	char piece[4096];
	int fds[2], st;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return ST_IO;
	st = shell_spawn(command, NULL, fds[1], false, &pid);
	close(fds[1]);
	if (st) {
		close(fds[0]);
		return st;
	}
	for (;;) {
		ssize_t n;
		if (!wait_readable(fds[0], deadline_us)) {
			st = ST_TIMEOUT;
			break;
		}
		n = read(fds[0], piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (out->n - start + (size_t)n > max_bytes || buf_add(out, piece, (size_t)n)) {
			st = ST_LIMIT;
			break;
		}
	}
	close(fds[0]);
	if (st) { /* also ends what the command left in the background */
		kill(-pid, SIGKILL);
		if (out->p) {
			out->n = start;
			out->p[start] = 0;
		}
	}
	child_reap(pid, deadline_us);
	return st;
}
