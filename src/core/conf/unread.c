/* Files of the configuration that nothing includes: somebody wrote them and waits for what they say. Looks through the
 * directory of the main file, bounded, and does not follow links to directories. */
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { UNREAD_DEPTH = 10, UNREAD_LOOKED = 50000, UNREAD_TOLD = 100 };

struct unread {
	struct hash *read; /* real path -> something */
	unsigned looked, told;
	config_report_fn report;
	void *arg;
};

static void look_file(struct unread *u, const char *path)
{
	size_t n = strlen(path);
	char text[CONFIG_ERROR_CHARS], *real;

	if (n < 4 || strcmp(path + n - 4, ".xml") != 0)
		return;
	real = realpath(path, NULL);
	if (real && !hash_get(u->read, sv_of(real)) && u->told++ < UNREAD_TOLD) {
		snprintf(text, sizeof text, "%s:1:1: warning: nothing includes this file", path);
		u->report(text, u->arg);
	}
	free(real);
}

static void look_dir(struct unread *u, const char *dir, unsigned depth)
{
	DIR *d = depth < UNREAD_DEPTH ? opendir(dir) : NULL;
	const struct dirent *e;
	struct stat st;
	struct buf path;

	while (d && (e = readdir(d)) && u->looked++ < UNREAD_LOOKED) {
		if (e->d_name[0] == '.')
			continue;
		buf_init(&path);
		buf_printf(&path, "%s/%s", dir, e->d_name);
		if (path.failed || lstat(path.p, &st))
			;
		else if (S_ISDIR(st.st_mode))
			look_dir(u, path.p, depth + 1);
		else
			look_file(u, path.p);
		buf_fini(&path);
	}
	if (d)
		closedir(d);
}

void config_unread(const struct pre *p, const char *dir, config_report_fn report, void *arg)
{
	struct unread u = {.report = report, .arg = arg};

	if (hash_new(&u.read, 0, NULL))
		return;
	for (size_t i = 0; i < p->file_count; i++) {
		char *real = realpath(p->files[i], NULL);
		if (real && hash_set(u.read, sv_of(real), &u))
			u.looked = UNREAD_LOOKED; /* without the list nothing can be said */
		free(real);
	}
	look_dir(&u, dir, 0);
	hash_free(u.read);
}
