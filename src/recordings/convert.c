/* Recordings become what they are kept as (mp3, ogg, flac ...) some time after they are over: one that is appended to
 * meanwhile waits anew, and what was being made of it is removed. Only when all of the new file is on the disk the
 * index is told and the recording removed. */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "file/file.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "recordings/recordings_i.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { WAITING_MAX = 100000 };
struct waiting {
	struct lnode link; /* by when they are due */
	int64_t due_us;
	char *path;
};
struct job {
	char *from, *to;
	uint64_t bytes;
	int status;
	bool is_unwanted; /* recorded to, or removed, meanwhile */
	char err[FILE_ERR_MAX];
};
static struct list waiting = {{&waiting.head, &waiting.head}}; /* empty */
static size_t count;
static struct ltimer timer;
static bool is_busy; /* one at a time: it is work that can wait */
static struct job *busy;

static void next(void *arg);

static ON_CTL void arm(void)
{
	const struct lnode *n = list_first(&waiting);
	if (!n || is_busy)
		return;
	int64_t left_us = list_entry(n, struct waiting, link)->due_us - clock_mono_us();
	loop_timer_set(&timer, left_us, "recordings convert", next, NULL);
}

static ON_CTL void drop(struct waiting *w)
{
	list_remove(&w->link);
	mem_free(w->path);
	mem_free(w);
	count--;
}

static void run(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->status = file_convert(j->from, j->to, &j->bytes, j->err);
}

static void file_drop(void *arg)
{
	role_assert_work();
	(void)unlink(arg);
	mem_free(arg);
}

static ON_CTL void later_drop(const char *path)
{
	char *own = mem_strdup(path);
	if (own && work_submit(WORK_FILE, "recordings.drop", file_drop, NULL, own))
		mem_free(own);
}

static void done(int status, void *arg)
{
	struct job *j = arg;
	role_assert_ctl();
	is_busy = false, busy = NULL;
	if (!status && !j->status && j->is_unwanted)
		later_drop(j->to);
	else if (!status && !j->status)
		rec_index_moved(j->from, j->to, j->bytes), later_drop(j->from);
	else if (status != ST_CANCELLED)
		log_error("recordings: %s does not become %s: %s; it stays as it is", j->from, j->to,
		    j->err[0] ? j->err : status_text(j->status));
	mem_free(j->from);
	mem_free(j->to);
	mem_free(j);
	arm();
}

/* The same name with another ending; NULL: it has that already, or no memory. */
static ON_CTL char *converted_name(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');
	struct buf b;
	if (!dot || !strcasecmp(dot + 1, rec_conf.convert_ext))
		return NULL;
	buf_init(&b);
	buf_printf(&b, "%.*s.%s", (int)(dot - path), path, rec_conf.convert_ext);
	char *name = b.failed ? NULL : mem_strdup(b.p);
	buf_fini(&b);
	return name;
}

static void next(void *arg)
{
	role_assert_ctl();
	struct lnode *n = list_first(&waiting);
	struct waiting *w = n ? list_entry(n, struct waiting, link) : NULL;
	if (!w || is_busy || w->due_us > clock_mono_us()) {
		arm();
		return;
	}
	char *to = rec_conf.convert_ext ? converted_name(w->path) : NULL;
	struct job *j = to ? mem_zalloc(sizeof(*j)) : NULL;
	if (j) {
		*j = (struct job){.from = w->path, .to = to};
		w->path = NULL, to = NULL;
		is_busy = !work_submit(WORK_FILE, "recordings.convert", run, done, j);
		busy = is_busy ? j : NULL;
		if (!is_busy) {
			mem_free(j->from);
			mem_free(j->to);
			mem_free(j);
		}
	}
	mem_free(to);
	drop(w);
	arm();
}

void rec_convert_not(const char *path)
{
	struct lnode *n, *tmp;
	if (busy && !strcmp(busy->from, path))
		busy->is_unwanted = true;
	if (!count)
		return;
	list_each (&waiting, n, tmp) {
		struct waiting *w = list_entry(n, struct waiting, link);
		if (!strcmp(w->path, path))
			drop(w);
	}
}

void rec_convert_later(const char *path)
{
	struct waiting *w;
	if (!rec_conf.convert_ext || count >= WAITING_MAX || !(w = mem_zalloc(sizeof(*w))))
		return;
	rec_convert_not(path);
	w->path = mem_strdup(path);
	w->due_us = clock_mono_us() + clock_us_of_s(rec_conf.convert_after_s);
	if (!w->path) {
		mem_free(w);
		return;
	}
	list_push(&waiting, &w->link);
	count++;
	arm();
}

size_t rec_convert_waiting(void)
{
	return count + is_busy;
}

void rec_convert_stop(void)
{
	if (busy)
		busy->is_unwanted = true;
	loop_timer_cancel(&timer);
	while (list_first(&waiting))
		drop(list_entry(list_first(&waiting), struct waiting, link));
}
