/* The journal in front of the record files. An entry is put into DB/cdr.journal.N (fdatasync'ed in batches by the store
 * room), then written to its file by one serial worker, all that wait as one job, then counted off; a generation whose
 * entries are all written is deleted. At the start what an earlier process left is written again: a file that is whole
 * or a line that already stands at the end of its file is not doubled. One journal line: kind, path and text,
 * JSON-quoted. */
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/cdr_i.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "store/journal.h"
#include "text/json.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_PER_GENERATION 5000
#define QUEUE_MAX_ENTRIES 200000
#define TAIL_BYTES (1 << 20)
#define LINE_SLACK 4096

struct generation {
	unsigned number;
	struct store_journal *journal;
	char *path;
	size_t line_count, open_count; /* put; put and not yet in its file */
	bool is_closed;
};
struct entry {
	struct lnode link;
	struct generation *generation; /* NULL: from an earlier process, or a rename */
	enum cdr_kind kind;
	bool is_replay, is_rename, is_unlink; /* the last two keep their turn among the records */
	char *path, *text;
	size_t n;
	int status;
};
/* What is with the worker. Calls end in crowds: a job and a round of the loop for each record would cost more than its
 * writing. */
struct batch {
	struct list entries;
	char *append_path; /* the file that is open, as most lines go into the same one */
	int append_fd;
};
static struct {
	unsigned use_count, next_number;
	struct generation *now;
	struct work_serial *writer;
	struct list ready; /* journaled, waiting for the worker */
	size_t ready_count;
	bool is_busy; /* a batch is with the worker */
	char *dir;
} spool = {.ready = {{&spool.ready.head, &spool.ready.head}}};

/* ---- on the worker ------------------------------------------------------------------------------------------- */
static int write_whole(int fd, const char *p, size_t n)
{
	ssize_t got;

	while (n) {
		got = write(fd, p, n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ST_IO;
		p += got, n -= (size_t)got;
	}
	return ST_OK;
}

static void make_parents(const char *path)
{
	char *copy = mem_strdup(path), *slash;

	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(copy, 0750); /* what matters shows at the open */
		*slash = '/';
	}
	mem_free(copy);
}

static int open_for(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0640);

	if (fd < 0 && errno == ENOENT) {
		make_parents(path);
		fd = open(path, flags | O_CLOEXEC, 0640);
	}
	return fd;
}

/* Whether the line already stands in the last megabyte of the file: a crash came between writing and counting off. */
static bool line_stands(const char *path, const char *line, size_t n)
{
	struct stat info;
	bool found = false;
	off_t from;
	ssize_t got;
	char *tail;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (fstat(fd, &info) == 0 && n) {
		from = info.st_size > TAIL_BYTES ? info.st_size - TAIL_BYTES : 0;
		tail = mem_alloc(TAIL_BYTES);
		got = pread(fd, tail, TAIL_BYTES, from);
		found = got > 0 && memmem(tail, (size_t)got, line, n);
		mem_free(tail);
	}
	close(fd);
	return found;
}

static void append_close(struct batch *b)
{
	if (b->append_fd >= 0)
		close(b->append_fd);
	mem_free(b->append_path);
	b->append_path = NULL;
	b->append_fd = -1;
}

static int append_line(struct batch *b, const struct entry *e)
{
	if (e->is_replay && line_stands(e->path, e->text, e->n))
		return ST_OK;
	if (!b->append_path || strcmp(b->append_path, e->path)) {
		append_close(b);
		b->append_fd = open_for(e->path, O_WRONLY | O_APPEND | O_CREAT);
		if (b->append_fd < 0)
			return ST_IO;
		b->append_path = mem_strdup(e->path);
	}
	return write_whole(b->append_fd, e->text, e->n);
}

/* Under its own name at once: what a crash cuts short, the journal makes whole at the next start. */
static int create_file(const struct entry *e)
{
	struct stat info;
	int fd, st;

	if (e->is_replay && stat(e->path, &info) == 0 && (uint64_t)info.st_size == e->n)
		return ST_OK;
	fd = open_for(e->path, O_WRONLY | O_TRUNC | O_CREAT);
	if (fd < 0)
		return ST_IO;
	st = write_whole(fd, e->text, e->n);
	close(fd);
	return st;
}

static void entry_write(struct batch *b, struct entry *e)
{
	if (e->is_rename) {
		append_close(b);
		e->status = rename(e->path, e->text) && errno != ENOENT ? ST_IO : ST_OK;
	} else if (e->is_unlink) {
		e->status = unlink(e->path) && errno != ENOENT ? ST_IO : ST_OK;
	} else {
		e->status = e->kind == CDR_APPEND ? append_line(b, e) : create_file(e);
	}
	if (e->status)
		log_error("call record %s cannot be written: %s; it stays in the journal for the next start", e->path,
		    strerror(errno));
}

static void batch_work(void *arg)
{
	struct batch *b = arg;
	struct lnode *it, *tmp;

	role_assert_work();
	list_each (&b->entries, it, tmp)
		entry_write(b, list_entry(it, struct entry, link));
	append_close(b);
}

/* ---- on control ---------------------------------------------------------------------------------------------- */
static void entry_ready(struct entry *e) ON_CTL;

static void unlink_later(const char *path) ON_CTL
{
	struct entry *e = mem_zalloc(sizeof(*e));

	e->is_unlink = true;
	e->path = mem_strdup(path);
	entry_ready(e);
}

static void generation_end_if_done(struct generation *g) ON_CTL
{
	if (!g->is_closed || g->open_count)
		return;
	store_journal_close(g->journal);
	unlink_later(g->path);
	mem_free(g->path);
	mem_free(g);
}

static void entry_free(struct entry *e)
{
	mem_free(e->path);
	mem_free(e->text);
	mem_free(e);
}

static void entry_done(struct entry *e) ON_CTL
{
	struct generation *g = e->generation;

	/* one that failed is never counted off: its generation's file stays for the next start */
	if (g && e->status == ST_OK) {
		g->open_count--;
		generation_end_if_done(g);
	}
	entry_free(e);
}

static void batch_send(void) ON_CTL;

static void batch_done(int status, void *arg)
{
	struct batch *b = arg;
	struct lnode *it, *tmp;

	role_assert_ctl();
	spool.is_busy = false;
	list_each (&b->entries, it, tmp) {
		struct entry *e = list_entry(it, struct entry, link);

		list_remove(it);
		if (status)
			e->status = status;
		entry_done(e);
	}
	mem_free(b);
	batch_send();
}

/* All that waits goes as one job; while one runs, the next crowd gathers. */
static void batch_send(void)
{
	struct batch *b;
	struct lnode *it, *tmp;

	if (spool.is_busy || list_empty(&spool.ready))
		return;
	b = mem_zalloc(sizeof(*b));
	b->append_fd = -1;
	list_init(&b->entries);
	list_each (&spool.ready, it, tmp) {
		list_remove(it);
		list_push(&b->entries, it);
	}
	spool.ready_count = 0;
	spool.is_busy = true;
	if (work_serial_submit(spool.writer, batch_work, batch_done, b))
		batch_done(ST_CANCELLED, b);
}

static void entry_ready(struct entry *e)
{
	if (spool.ready_count >= QUEUE_MAX_ENTRIES) {
		log_error(
		    "too many call records wait for the disk; %s stays in the journal for the next start", e->path);
		entry_free(e);
		return;
	}
	list_push(&spool.ready, &e->link);
	spool.ready_count++;
	batch_send();
}

static void entry_journaled(int status, void *arg)
{
	struct entry *e = arg;

	role_assert_ctl();
	if (status)
		log_warning(
		    "the journal of call records refuses (%s); writing %s without it", status_text(status), e->path);
	entry_ready(e);
}

static struct generation *generation_new(void) ON_CTL
{
	struct generation *g = mem_zalloc(sizeof(*g));
	struct buf path;

	buf_init(&path);
	g->number = spool.next_number++;
	buf_printf(&path, "%s/cdr.journal.%u", spool.dir, g->number);
	g->path = buf_take(&path);
	if (store_journal_open(&g->journal, g->path)) {
		log_error("cannot open the journal of call records %s", g->path);
		mem_free(g->path);
		mem_free(g);
		return NULL;
	}
	return g;
}

int cdr_spool_put(enum cdr_kind kind, const char *path, struct sv text)
{
	struct buf copy;

	buf_init(&copy);
	buf_addv(&copy, text);
	return cdr_spool_put_taken(kind, path, &copy);
}

int cdr_spool_put_taken(enum cdr_kind kind, const char *path, struct buf *text)
{
	struct entry *e = mem_zalloc(sizeof(*e));
	struct buf line;
	int st;

	e->kind = kind;
	e->path = mem_strdup(path);
	e->n = text->n;
	e->text = buf_take(text);
	if (spool.now && spool.now->line_count >= LINES_PER_GENERATION) {
		spool.now->is_closed = true;
		generation_end_if_done(spool.now);
		spool.now = generation_new();
	}
	if (!spool.now)
		return entry_ready(e), ST_OK;
	buf_init(&line);
	buf_grow(&line, e->n + e->n / 16 + LINE_SLACK); /* nearly always enough: it is not copied as it grows */
	buf_printf(&line, "[\"%c\",", kind);
	json_quote(&line, sv_of(path));
	buf_addc(&line, ',');
	json_quote(&line, (struct sv){e->text, e->n});
	buf_adds(&line, "]\n");
	e->generation = spool.now;
	spool.now->line_count++;
	spool.now->open_count++;
	st = store_journal_append_taken(spool.now->journal, &line, entry_journaled, e);
	if (st) {
		buf_fini(&line);
		spool.now->open_count--;
		e->generation = NULL;
		entry_journaled(st, e);
	}
	return ST_OK;
}

int cdr_spool_rename(const char *path, const char *to)
{
	struct entry *e = mem_zalloc(sizeof(*e));

	e->is_rename = true;
	e->path = mem_strdup(path);
	e->text = mem_strdup(to);
	entry_ready(e);
	return ST_OK;
}

/* ---- what an earlier process left ---------------------------------------------------------------------------- */
static void replay_line(struct sv line) ON_CTL
{
	json_t *array;
	const char *kind, *path;
	struct entry *e;

	if (json_parse(&array, line, 0, NULL))
		return; /* torn by the crash: it was never promised */
	kind = json_string_value(json_array_get(array, 0));
	path = json_string_value(json_array_get(array, 1));
	if (kind && path && json_is_string(json_array_get(array, 2))) {
		e = mem_zalloc(sizeof(*e));
		e->kind = (enum cdr_kind)kind[0];
		e->is_replay = true;
		e->path = mem_strdup(path);
		e->n = json_string_length(json_array_get(array, 2));
		e->text = mem_strndup(json_string_value(json_array_get(array, 2)), e->n);
		entry_ready(e);
	}
	json_decref(array);
}

static void replay_file(const char *path) ON_CTL
{
	struct buf all;
	struct sv rest, line;
	char chunk[65536];
	size_t n, count = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return;
	buf_init(&all);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&all, chunk, n);
	fclose(f);
	for (rest = buf_sv(&all); rest.n; count++) {
		sv_split(rest, '\n', &line, &rest);
		if (line.n)
			replay_line(line);
	}
	buf_fini(&all);
	if (count)
		log_notice("%zu call records of an earlier run were found in %s and are written now", count, path);
	unlink_later(path);
}

/* Runs before the loop does, so reading here holds nobody up. */
static void replay_all(void) ON_CTL
{
	DIR *dir = opendir(spool.dir);
	struct dirent *d;
	unsigned number;
	struct buf path;

	while (dir && (d = readdir(dir))) {
		if (sscanf(d->d_name, "cdr.journal.%u", &number) != 1)
			continue;
		if (number >= spool.next_number)
			spool.next_number = number + 1;
		buf_init(&path);
		buf_printf(&path, "%s/%s", spool.dir, d->d_name);
		replay_file(path.p);
		buf_fini(&path);
	}
	if (dir)
		closedir(dir);
}

int cdr_spool_open(void)
{
	int st = ST_OK;

	if (spool.use_count++)
		return ST_OK;
	spool.dir = mem_strdup(core_dirs()->db);
	st = work_serial_new(&spool.writer, WORK_JOURNAL, "cdr", 2);
	if (st)
		return st;
	replay_all();
	spool.now = generation_new();
	return ST_OK;
}

void cdr_spool_close(void)
{
	struct generation *g = spool.now;

	if (!spool.use_count || --spool.use_count)
		return;
	spool.now = NULL;
	if (g) {
		/* the journal's last callbacks put their entries into the writer's queue, which is drained after it */
		struct store_journal *journal = g->journal;

		g->journal = NULL;
		store_journal_close(journal);
		g->is_closed = true;
		generation_end_if_done(g);
	}
	/* each batch's end sends the next */
	work_serial_close(spool.writer);
	spool.writer = NULL;
	mem_free(spool.dir);
	spool.dir = NULL;
}
