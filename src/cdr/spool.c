/* The journal in front of the record files. A record is removed from one place only when it is safe in the next:
 *
 *   put -> DB/cdr.journal.N (fdatasync'ed in batches by the store room) -> its file, by one serial worker, all that
 *   wait as one job -> counted off; when a generation N is full and all of it is counted off, its files are synced,
 *   bytes and names, and then the journal is removed.
 *
 * What does not get into its file (a full disk, a missing right) is tried again every few seconds and keeps its journal
 * meanwhile. At the start, journals of earlier processes are read by the same worker and take the same way. Both
 * modules of this room share the spool; when the last is unloaded while jobs are out, what is under way comes to its
 * end first and the spool is gone after it, or goes on if one is loaded again before. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/spool_i.h"
#include "cdr/target.h"
#include "core/value/self.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "store/journal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	LINES_PER_GENERATION = 5000,
	BYTES_PER_GENERATION = 32 << 20,
	LINE_SLACK = 4096,
	QUEUE_MAX_ENTRIES = 200000,
	TAIL_MIN_BYTES = 1 << 20,
	TAIL_MAX_BYTES = 64 << 20,
	SYNCS_MAX = 4096,
	REFUSED_TOLD_EVERY = 1000,
	RETRY_US = 5 * 1000 * 1000
};

struct cdr_generation {
	struct lnode link;
	unsigned number;
	struct store_journal *journal; /* NULL: closed, or an earlier process's */
	char *path;
	struct hash *files; /* to be synced: path -> itself; the worker's while is_ending */
	size_t line_count;  /* put */
	size_t open_count;  /* of these, neither in their file nor given up */
	struct list kept;   /* given up: the journal keeps them for the next start */
	bool is_kept_whole; /* as it is: some were not even held in memory, or it could not be read */
	size_t byte_count;
	bool is_spilled; /* some are in no memory: it is read again */
	bool is_closed, is_ending;
	/* the worker's, of the end or of the reading */
	int status, error;
	const char *failed_path;
	struct list entries;
	size_t strange_count;
};

static struct {
	unsigned use_count, next_number;
	struct cdr_generation *now;
	struct list generations, replays; /* replays: still to be read */
	struct work_serial *writer, *ender;
	struct list ready;    /* journaled, waiting for the worker */
	struct list failed;   /* waiting to be tried again */
	size_t waiting_count; /* of both */
	bool is_busy;         /* a batch or a reading is with the writer */
	bool is_failing;      /* told already */
	uint64_t refused_count;
	size_t tail_max_bytes;
	struct ltimer retry;
	char *dir;
} spool = {.generations = {{&spool.generations.head, &spool.generations.head}},
    .replays = {{&spool.replays.head, &spool.replays.head}},
    .ready = {{&spool.ready.head, &spool.ready.head}},
    .failed = {{&spool.failed.head, &spool.failed.head}}};

static ON_CTL void writer_feed(void);
static ON_CTL void entry_ready(struct cdr_entry *e);

/* ---- a generation's end ---------------------------------------------------------------------------------------- */
static void spare_free(void *path)
{
	mem_free(path);
}

static ON_CTL struct cdr_generation *generation_new(unsigned number, char *path)
{
	struct cdr_generation *g = mem_zalloc(sizeof(*g));

	g->number = number;
	g->path = path;
	list_init(&g->entries);
	list_init(&g->kept);
	hash_new(&g->files, 0, spare_free);
	return g;
}

static ON_CTL void generation_free(struct cdr_generation *g)
{
	struct lnode *it, *tmp;

	list_each (&g->kept, it, tmp)
		cdr_entry_free(list_entry(it, struct cdr_entry, link));
	list_remove(&g->link);
	hash_free(g->files);
	mem_free(g->path);
	mem_free(g);
}

/* Nobody uses the spool and nothing is under way any more. */
static ON_CTL void spool_end_if_idle(void)
{
	if (spool.use_count || spool.is_busy || spool.waiting_count || !list_empty(&spool.generations) ||
	    !list_empty(&spool.replays))
		return;
	loop_timer_cancel(&spool.retry);
	work_serial_close(spool.writer);
	work_serial_close(spool.ender);
	spool.writer = spool.ender = NULL;
	mem_free(spool.dir);
	spool.dir = NULL;
}

static void end_run(void *arg)
{
	struct cdr_generation *g = arg;

	role_assert_work();
	g->status = cdr_journal_end(g->path, g->files, &g->kept, &g->failed_path, &g->error);
}

static void end_done(int status, void *arg)
{
	struct cdr_generation *g = arg;

	role_assert_ctl();
	if (!status && g->status)
		log_error("%s is not safe on the disk: %s; its records stay in %s for the next start", g->failed_path,
		    strerror(g->error), g->path);
	generation_free(g);
	spool_end_if_idle();
}

static ON_CTL void generation_end_if_done(struct cdr_generation *g)
{
	if (!g->is_closed || g->is_ending || g->open_count)
		return;
	store_journal_close(g->journal);
	g->journal = NULL;
	if (g->is_spilled && spool.use_count && list_empty(&g->kept) && !g->is_kept_whole) {
		g->is_spilled = g->is_closed = false;
		list_remove(&g->link);
		list_unshift(&spool.replays, &g->link);
		writer_feed();
		return;
	}
	g->is_ending = true;
	g->is_kept_whole |= g->is_spilled;
	if (g->is_kept_whole || !list_empty(&g->kept))
		log_error("call records could not be written; they stay in %s for the next start", g->path);
	if (g->is_kept_whole || work_serial_submit(spool.ender, end_run, end_done, g))
		generation_free(g);
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* What its files were is kept with the generation; most lines go into the same few. */
static ON_CTL void entry_written(struct cdr_entry *e)
{
	struct cdr_generation *g = e->generation;

	if (g && e->kind != CDR_SEND && !hash_get(g->files, sv_of(e->path)) &&
	    !hash_set(g->files, sv_of(e->path), e->path))
		e->path = NULL;
	if (g && --g->open_count == 0)
		generation_end_if_done(g);
	cdr_entry_free(e);
}

/* It is not tried again. */
static ON_CTL void entry_give_up(struct cdr_entry *e, const char *why)
{
	struct cdr_generation *g = e->generation;

	if (!g && e->kind == CDR_RENAME)
		log_error("%s cannot be renamed to %s: %s", e->path, e->text, why);
	else if (!g)
		log_error("a call record for %s is lost: %s", e->path, why);
	if (!g) {
		cdr_entry_free(e);
		return;
	}
	if (g->is_kept_whole)
		cdr_entry_free(e);
	else
		list_push(&g->kept, &e->link);
	if (--g->open_count == 0)
		generation_end_if_done(g);
}

static void retry_failed(void *arg)
{
	struct lnode *node;

	role_assert_ctl();
	while (!list_empty(&spool.failed)) { /* in front of the others, in their order */
		node = spool.failed.head.prev;
		list_remove(node);
		list_unshift(&spool.ready, node);
	}
	writer_feed();
}

static ON_CTL void entry_failed(struct cdr_entry *e)
{
	/* without a module that wants records nobody waits for the disk's repair; a rename has its time */
	if (!spool.use_count || e->kind == CDR_RENAME) {
		entry_give_up(e, strerror(e->error));
		return;
	}
	if (!spool.is_failing)
		log_error("call record %s cannot be written: %s; it is tried again%s", e->path, strerror(e->error),
		    e->generation ? ", and stays in the journal" : ", and no journal has it");
	spool.is_failing = true;
	list_push(&spool.failed, &e->link);
	spool.waiting_count++;
	if (!loop_timer_is_set(&spool.retry))
		loop_timer_set(&spool.retry, RETRY_US, "cdr retry", retry_failed, NULL);
}

/* ---- the writer -------------------------------------------------------------------------------------------------- */
static void batch_work(void *arg)
{
	role_assert_work();
	cdr_batch_write(arg);
}

static void batch_done(int status, void *arg)
{
	struct cdr_batch *b = arg;
	struct lnode *it, *tmp;
	bool has_failed = false;

	role_assert_ctl();
	spool.is_busy = false;
	list_each (&b->entries, it, tmp) {
		struct cdr_entry *e = list_entry(it, struct cdr_entry, link);

		list_remove(it);
		if (status)
			entry_give_up(e, status_text(status));
		else if (e->status)
			has_failed = true, entry_failed(e);
		else
			entry_written(e);
	}
	mem_free(b);
	if (spool.is_failing && !has_failed && list_empty(&spool.failed)) {
		spool.is_failing = false;
		log_notice("call records can be written again");
	}
	writer_feed();
	spool_end_if_idle();
}

static ON_CTL void batch_send(void)
{
	struct cdr_batch *b = mem_zalloc(sizeof(*b));
	struct lnode *it, *tmp;

	list_init(&b->entries);
	b->tail_max_bytes = spool.tail_max_bytes;
	list_each (&spool.ready, it, tmp) {
		list_remove(it);
		list_push(&b->entries, it);
		spool.waiting_count--;
	}
	spool.is_busy = true;
	if (work_serial_submit(spool.writer, batch_work, batch_done, b))
		batch_done(ST_CANCELLED, b);
}

static void replay_run(void *arg)
{
	struct cdr_generation *g = arg;

	role_assert_work();
	g->status = cdr_journal_read(g->path, &g->entries, &g->strange_count);
}

static void replay_read(int status, void *arg)
{
	struct cdr_generation *g = arg;
	struct lnode *node, *it, *tmp;
	struct list sends;

	role_assert_ctl();
	list_init(&sends);
	spool.is_busy = false;
	if (status || g->status)
		log_error("%s cannot be read; its call records stay there for the next start", g->path);
	if (g->strange_count)
		log_error("%s has %zu lines that are no call records; it stays as %s.strange", g->path,
		    g->strange_count, g->path);
	g->is_kept_whole = status || g->status;
	list_each (&g->entries, it, tmp) {
		g->open_count++;
		list_entry(it, struct cdr_entry, link)->generation = g;
	}
	while (!list_empty(&g->entries)) {
		node = g->entries.head.prev;
		list_remove(node);
		if (list_entry(node, struct cdr_entry, link)->kind == CDR_SEND) {
			list_unshift(&sends, node);
			continue;
		}
		list_unshift(&spool.ready, node); /* they are older than all that wait */
		spool.waiting_count++;
	}
	if (g->open_count)
		log_notice(
		    "%zu call records of an earlier run were found in %s and are written now", g->open_count, g->path);
	g->is_closed = true;
	generation_end_if_done(g);
	list_each (&sends, it, tmp) {
		list_remove(it);
		entry_ready(list_entry(it, struct cdr_entry, link));
	}
	if (!list_empty(&spool.ready))
		batch_send(); /* before the next journal is read: one at a time in memory */
	else
		writer_feed();
	spool_end_if_idle();
}

/* All that waits goes as one job; while one runs, the next crowd gathers. */
static void writer_feed(void)
{
	struct lnode *node = list_first(&spool.replays);

	if (spool.is_busy)
		return;
	if (node && !cdr_targets_are_full()) {
		struct cdr_generation *g = list_entry(node, struct cdr_generation, link);
		list_remove(node);
		list_push(&spool.generations, node);
		spool.is_busy = true;
		if (work_serial_submit(spool.writer, replay_run, replay_read, g))
			replay_read(ST_CANCELLED, g);
	} else if (!list_empty(&spool.ready)) {
		batch_send();
	}
}

static void entry_ready(struct cdr_entry *e)
{
	if (e->kind == CDR_SEND && spool.use_count) {
		cdr_target_take(e);
		return;
	}
	if (e->kind == CDR_SEND) {
		entry_give_up(e, "nobody takes it");
		return;
	}
	if (!spool.writer || spool.waiting_count >= QUEUE_MAX_ENTRIES) {
		if (spool.refused_count++ % REFUSED_TOLD_EVERY == 0)
			log_error(
			    "too many call records wait for the disk (%llu so far); those with a journal stay there "
			    "for the next start",
			    (unsigned long long)spool.refused_count);
		if (e->generation)
			e->generation->is_kept_whole = true;
		entry_give_up(e, "too many wait for the disk");
		return;
	}
	list_push(&spool.ready, &e->link);
	spool.waiting_count++;
	writer_feed();
}

/* ---- entries for targets ----------------------------------------------------------------------------------------- */
void cdr_entry_delivered(struct cdr_entry *e)
{
	entry_written(e);
}

void cdr_entry_keep(struct cdr_entry *e)
{
	entry_give_up(e, "the program ends");
}

void cdr_entry_spill(struct cdr_entry *e)
{
	struct cdr_generation *g = e->generation;
	g->is_spilled = true;
	cdr_entry_free(e);
	if (--g->open_count == 0)
		generation_end_if_done(g);
}

/* ---- putting ----------------------------------------------------------------------------------------------------- */
static void entry_journaled(int status, void *arg)
{
	struct cdr_entry *e = arg;
	struct cdr_generation *g = e->generation;

	role_assert_ctl();
	if (status) {
		log_warning(
		    "the journal of call records refuses (%s); writing %s without it", status_text(status), e->path);
		e->generation = NULL;
		if (g)
			g->open_count--;
	}
	entry_ready(e);
	if (status && g)
		generation_end_if_done(g);
}

static ON_CTL void generation_begin(void)
{
	struct cdr_generation *g;
	struct buf path;

	buf_init(&path);
	buf_printf(&path, "%s/cdr.journal.%u", spool.dir, spool.next_number);
	g = generation_new(spool.next_number++, buf_take(&path));
	list_push(&spool.generations, &g->link);
	if (store_journal_open(&g->journal, g->path)) {
		log_error("cannot open the journal of call records %s", g->path);
		generation_free(g);
		g = NULL;
	}
	spool.now = g;
}

static ON_CTL void generation_close(void)
{
	struct cdr_generation *g = spool.now;

	spool.now = NULL;
	if (!g)
		return;
	g->is_closed = true;
	generation_end_if_done(g);
}

/* There is room again for what was forgotten. */
void cdr_spool_reread(void)
{
	if (spool.now && spool.now->is_spilled) {
		generation_close();
		generation_begin();
	}
	writer_feed();
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
	struct cdr_entry *e = mem_zalloc(sizeof(*e));
	struct buf line;
	int st;

	e->kind = kind;
	e->path = mem_strdup(path);
	e->n = text->n;
	e->text = buf_take(text);
	if (spool.now &&
	    (spool.now->line_count >= LINES_PER_GENERATION || spool.now->byte_count >= BYTES_PER_GENERATION)) {
		generation_close();
		generation_begin();
	}
	if (!spool.now)
		return entry_ready(e), ST_OK;
	buf_init(&line);
	buf_grow(&line, e->n + e->n / 16 + LINE_SLACK); /* nearly always enough: it is not copied as it grows */
	cdr_line_put(&line, kind, path, (struct sv){e->text, e->n});
	e->generation = spool.now;
	spool.now->line_count++;
	spool.now->byte_count += e->n;
	spool.now->open_count++;
	st = line.failed ? ST_NOMEM : store_journal_append_taken(spool.now->journal, &line, entry_journaled, e);
	if (st) {
		buf_fini(&line);
		entry_journaled(st, e);
	}
	return ST_OK;
}

int cdr_spool_rename(const char *path, const char *to)
{
	struct cdr_entry *e = mem_zalloc(sizeof(*e));

	e->kind = CDR_RENAME;
	e->path = mem_strdup(path);
	e->text = mem_strdup(to);
	entry_ready(e);
	return ST_OK;
}

void cdr_spool_status(struct buf *out, bool is_json)
{
	struct lnode *it, *tmp;
	size_t journals = 0;

	list_each (&spool.generations, it, tmp)
		journals++;
	list_each (&spool.replays, it, tmp)
		journals++;
	buf_printf(out,
	    is_json ? "{\"files\":{\"waiting\":%zu,\"refused\":%llu,\"state\":\"%s\"},\"journals\":%zu,\"targets\":"
	            : "files: %zu waiting, %llu refused, %s; %zu journals\n",
	    spool.waiting_count, (unsigned long long)spool.refused_count, spool.is_failing ? "failing" : "ok",
	    journals);
	cdr_targets_status(out, is_json);
	buf_adds(out, is_json ? "}\n" : "");
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

/* In order of their numbers, as the records came. */
static ON_CTL void replay_add(struct cdr_generation *g)
{
	struct lnode *after = spool.replays.head.prev;

	while (after != &spool.replays.head && list_entry(after, struct cdr_generation, link)->number > g->number)
		after = after->prev;
	list_insert(&g->link, after, after->next);
}

/* Only names and sizes are looked at here; a worker reads. */
static ON_CTL void replays_find(void)
{
	DIR *dir = opendir(spool.dir);
	struct dirent *d;
	struct stat info;
	struct buf path;
	unsigned number;
	size_t bytes = TAIL_MIN_BYTES;
	int end;

	while (dir && (d = readdir(dir))) {
		if (sscanf(d->d_name, "cdr.journal.%u%n", &number, &end) != 1 || d->d_name[end])
			continue;
		if (number >= spool.next_number)
			spool.next_number = number + 1;
		buf_init(&path);
		buf_printf(&path, "%s/%s", spool.dir, d->d_name);
		if (!stat(path.p, &info) && info.st_size > 0 && bytes < TAIL_MAX_BYTES)
			bytes += info.st_size < TAIL_MAX_BYTES ? (size_t)info.st_size : TAIL_MAX_BYTES;
		replay_add(generation_new(number, buf_take(&path)));
	}
	if (dir)
		closedir(dir);
	spool.tail_max_bytes = bytes < TAIL_MAX_BYTES ? bytes : TAIL_MAX_BYTES;
}

int cdr_spool_open(void)
{
	int st;

	if (spool.use_count++)
		return ST_OK;
	if (!spool.writer) { /* else the one before has not come to its end: its journals are in hand */
		spool.dir = mem_strdup(core_dirs()->db);
		st = work_serial_new(&spool.writer, WORK_JOURNAL, "cdr", 2);
		if (!st)
			st = work_serial_new(&spool.ender, WORK_JOURNAL, "cdr sync", SYNCS_MAX);
		if (st) {
			spool.use_count--;
			spool_end_if_idle();
			return st;
		}
		replays_find();
	}
	generation_begin();
	writer_feed();
	return ST_OK;
}

void cdr_spool_close(void)
{
	struct store_journal *journal;

	if (!spool.use_count || --spool.use_count)
		return;
	loop_timer_cancel(&spool.retry);
	cdr_targets_end();
	if (spool.now) {
		/* the journal's last callbacks put their entries into the writer's queue, which is drained after it */
		journal = spool.now->journal;
		spool.now->journal = NULL;
		store_journal_close(journal);
		generation_close();
	}
	retry_failed(NULL); /* once more: then what fails stays in its journal */
	if (work_may_wait() && (spool.is_busy || spool.waiting_count || !list_empty(&spool.generations))) {
		work_serial_drain(spool.writer); /* each batch's end sends the next */
		work_serial_drain(spool.ender);
	}
	spool_end_if_idle();
}
