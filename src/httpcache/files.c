/* The files of the cache's directory: url-RUN-N.ext of what was fetched, which the next run removes; put-RUN-N.ext of
 * what is to be sent, which stay until they were. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/value/self.h"
#include "httpcache/httpcache_i.h"
#include "loop/work.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXT_MAX = 5 };
static struct {
	char *dir;
	unsigned next;
} files;
static char run_name[40]; /* of this run's files, "-RUN-"; set before a worker is asked for anything */

static void unlink_job(void *arg)
{
	role_assert_work();
	(void)unlink(arg);
	mem_free(arg);
}

void httpcache_file_drop(char *path)
{
	if (path && work_submit(WORK_FILE, "httpcache.unlink", unlink_job, NULL, path))
		mem_free(path);
}

/* What an earlier run left. */
static void sweep_job(void *arg)
{
	char *dir = arg;
	role_assert_work();
	(void)mkdir(dir, 0750);
	DIR *d = opendir(dir);
	struct dirent *one;
	size_t unsent = 0;
	while (d && (one = readdir(d))) {
		char path[600];
		if (strlen(one->d_name) < 4 || !strncmp(one->d_name + 3, run_name, strlen(run_name)))
			continue;
		unsent += !strncmp(one->d_name, "put-", 4);
		if (!strncmp(one->d_name, "url-", 4) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, one->d_name) < (int)sizeof(path))
			(void)unlink(path);
	}
	if (d)
		closedir(d);
	else
		log_error("http_cache: %s cannot be used", dir);
	if (unsent)
		log_warning("http_cache: %s has %zu recordings that could not be sent, put-... (http_put sends one)",
		    dir, unsent);
	mem_free(dir);
}

/* What stands behind the last '.' of the path, when that can be one: the format is told by it. */
static void ext_of(const char *url, char ext[EXT_MAX + 2])
{
	const char *end = url + strcspn(url, "?#"), *dot = end;
	while (dot > url && *dot != '.' && *dot != '/')
		dot--;
	size_t n = *dot == '.' ? (size_t)(end - dot) - 1 : 0;
	strcpy(ext, ".wav");
	if (!n || n > EXT_MAX)
		return;
	for (size_t i = 1; i <= n; i++)
		if (!((dot[i] >= 'a' && dot[i] <= 'z') || (dot[i] >= 'A' && dot[i] <= 'Z') ||
		        (dot[i] >= '0' && dot[i] <= '9') || dot[i] == '-'))
			return;
	memcpy(ext, dot, n + 1);
	ext[n + 1] = 0;
}

char *httpcache_file(const char *kind, const char *url)
{
	char ext[EXT_MAX + 2];
	struct buf path;
	if (!files.dir)
		return NULL;
	ext_of(url, ext);
	buf_init(&path);
	buf_printf(&path, "%s/%s%s%u%s", files.dir, kind, run_name, ++files.next, ext);
	return buf_take(&path);
}

void httpcache_files_start(void)
{
	const char *location = httpcache_param("location");
	struct buf dir;
	snprintf(run_name, sizeof(run_name), "-%llx-", (unsigned long long)clock_wall_us());
	buf_init(&dir);
	if (*location)
		buf_adds(&dir, location);
	else
		buf_printf(&dir, "%s/http_file_cache", core_dirs() ? core_dirs()->cache : "/tmp");
	files.dir = buf_take(&dir);
	char *copy = mem_strdup(files.dir);
	if (copy && work_submit(WORK_FILE, "httpcache.sweep", sweep_job, NULL, copy))
		mem_free(copy);
}

void httpcache_files_stop(void)
{
	mem_free(files.dir);
	files.dir = NULL;
}
