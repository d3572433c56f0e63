/* Background, pid file, user, limits. Plain POSIX, run before the first thread. */
#include "main/process.h"
#include "base/status.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DESCRIPTORS_RESERVED = 65536 };

static int ready_fd = -1;
static int pid_fd = -1;
static char pid_path[4096];

int process_background(bool parent_waits)
{
	int fds[2] = {-1, -1}, null_fd;
	unsigned char code = 255;
	pid_t pid;

	if (parent_waits && pipe2(fds, O_CLOEXEC))
		return ST_IO;
	pid = fork();
	if (pid < 0) {
		fprintf(stderr, "tandem: cannot fork: %s\n", strerror(errno));
		return ST_IO;
	}
	if (pid > 0) {
		if (parent_waits) {
			close(fds[1]);
			if (read(fds[0], &code, 1) != 1) {
				fprintf(stderr, "tandem: the start failed; see the log\n");
				exit(255);
			}
			exit(code);
		}
		printf("%d Backgrounding.\n", (int)pid);
		exit(0);
	}
	if (parent_waits) {
		close(fds[0]);
		ready_fd = fds[1];
	}
	setsid();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDIN_FILENO);
		dup2(null_fd, STDOUT_FILENO);
		if (!parent_waits)
			dup2(null_fd, STDERR_FILENO);
		close(null_fd);
	}
	return ST_OK;
}

void process_ready(int exit_code)
{
	unsigned char code = (unsigned char)exit_code;
	int null_fd;

	if (ready_fd < 0)
		return;
	if (write(ready_fd, &code, 1) != 1)
		fprintf(stderr, "tandem: the waiting parent is gone\n");
	close(ready_fd);
	ready_fd = -1;
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd >= 0) {
		dup2(null_fd, STDERR_FILENO);
		close(null_fd);
	}
}

int process_pidfile_take(const char *run_dir)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char text[32];
	int n;

	snprintf(pid_path, sizeof(pid_path), "%s/freeswitch.pid", run_dir);
	pid_fd = open(pid_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (pid_fd < 0) {
		fprintf(stderr, "tandem: cannot open %s: %s\n", pid_path, strerror(errno));
		return ST_IO;
	}
	if (fcntl(pid_fd, F_SETLK, &lock)) {
		fprintf(stderr, "tandem: another instance holds %s\n", pid_path);
		close(pid_fd);
		pid_fd = -1;
		return ST_EXISTS;
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(pid_fd, 0) || pwrite(pid_fd, text, (size_t)n, 0) != n) {
		fprintf(stderr, "tandem: cannot write %s: %s\n", pid_path, strerror(errno));
		return ST_IO;
	}
	return ST_OK;
}

void process_pidfile_drop(void)
{
	if (pid_fd < 0)
		return;
	unlink(pid_path);
	close(pid_fd);
	pid_fd = -1;
}

int process_stop_running(const char *run_dir)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[4096], text[32] = "";
	long pid;
	int fd;

	snprintf(path, sizeof(path), "%s/freeswitch.pid", run_dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || (pid = strtol(text, NULL, 10)) <= 1) {
		fprintf(stderr, "tandem: no running instance: cannot read a process number from %s\n", path);
		return 255;
	}
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK) {
		fprintf(stderr, "tandem: no running instance: nobody holds %s\n", path);
		return 255;
	}
	printf("Killing: %ld\n", pid);
	if (kill((pid_t)pid, SIGTERM)) {
		fprintf(stderr, "tandem: cannot signal process %ld: %s\n", pid, strerror(errno));
		return 255;
	}
	alarm(60); /* the default action of SIGALRM ends a wait that takes too long */
	lock.l_type = F_WRLCK;
	fcntl(fd, F_SETLKW, &lock);
	close(fd);
	return 0;
}

/* What user and group name; -1 for what is not asked. ST_NOTFOUND with a message on stderr. */
static int find_ids(const char *user, const char *group, uid_t *uid, gid_t *gid)
{
	struct passwd *pw = user ? getpwnam(user) : NULL;
	struct group *gr = group ? getgrnam(group) : NULL;

	if ((user && !pw) || (group && !gr)) {
		fprintf(stderr, "tandem: there is no %s '%s'\n", user && !pw ? "user" : "group",
		    user && !pw ? user : group);
		return ST_NOTFOUND;
	}
	*uid = pw ? pw->pw_uid : (uid_t)-1;
	*gid = gr ? gr->gr_gid : pw ? pw->pw_gid : (gid_t)-1;
	return ST_OK;
}

int process_change_user(const char *user, const char *group)
{
	uid_t uid;
	gid_t gid;
	int st = find_ids(user, group, &uid, &gid);

	if (st || (!user && !group))
		return st;
	if ((!user || getuid() == uid) && (gid == (gid_t)-1 || getgid() == gid))
		return ST_OK; /* nothing to become; only root may say it all the same */
	if ((user && initgroups(user, gid)) || setgid(gid) || (user && setuid(uid))) {
		fprintf(
		    stderr, "tandem: cannot become %s:%s: %s\n", user ? user : "", group ? group : "", strerror(errno));
		return ST_DENIED;
	}
	return ST_OK;
}

void process_set_limits(const struct options *o)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max > 1048576 ? 1048576 : limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit))
			fprintf(stderr, "tandem: cannot raise the open-file limit: %s\n", strerror(errno));
	}
	if (o->dumps_core) {
		limit.rlim_cur = limit.rlim_max = RLIM_INFINITY;
		if (setrlimit(RLIMIT_CORE, &limit) || prctl(PR_SET_DUMPABLE, 1))
			fprintf(stderr, "tandem: core dumps are not allowed here: %s\n", strerror(errno));
	}
	if (o->priority && setpriority(PRIO_PROCESS, 0, o->priority < 0 ? 10 : -10))
		fprintf(stderr, "tandem: cannot change the priority: %s\n", strerror(errno));
}

void process_reserve_descriptors(void)
{
	struct rlimit limit;
	int fd, high;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur < 2)
		return;
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	high = fcntl(fd, F_DUPFD_CLOEXEC,
	    limit.rlim_cur > DESCRIPTORS_RESERVED ? DESCRIPTORS_RESERVED - 1 : (int)limit.rlim_cur - 1);
	if (high >= 0)
		close(high);
	close(fd);
}

static int make_dir(const char *path, uid_t uid, gid_t gid)
{
	char part[4096];
	size_t i, n = strlen(path);

	if (n >= sizeof(part))
		return ST_INVAL;
	for (i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(part, path, i);
		part[i] = 0;
		if (!mkdir(part, 0750)) {
			if ((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(part, uid, gid))
				fprintf(
				    stderr, "tandem: cannot give the directory %s away: %s\n", part, strerror(errno));
		} else if (errno != EEXIST) {
			fprintf(stderr, "tandem: cannot make the directory %s: %s\n", part, strerror(errno));
			return ST_IO;
		}
	}
	return ST_OK;
}

int process_make_dirs(const struct core_dirs *d, const char *user, const char *group)
{
	const char *needed[] = {d->log, d->run, d->db}, *others[] = {d->recordings, d->storage, d->cache};
	uid_t uid;
	gid_t gid;
	int st = find_ids(user, group, &uid, &gid);

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && st == ST_OK; i++)
		st = make_dir(needed[i], uid, gid);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && st == ST_OK; i++)
		make_dir(others[i], uid, gid);
	return st;
}
