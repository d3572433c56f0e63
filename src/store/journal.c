/* Append-only lines. Entries gather in a list for 20 ms and while a batch is on the serial queue, then all of them
 * leave as one job, which writes and syncs them in order. A job that fails says how far it came: what is safe is told
 * to its callers, the rest goes back to the front and is tried again after a pause. The file descriptor belongs to
 * whoever holds the job. */
#include "store/journal.h"
#include "base/check.h"
#include "base/disk.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { QUEUE_MAX_BYTES = 64 << 20, RETRY_MS = 1000, GATHER_MS = 20, WRITE_PIECES = 64 };

struct entry {
	struct lnode link;
	store_journal_done_fn done;
	void *arg;
	bool is_rotate;
	size_t n;
	char *text; /* line, or the name to rotate to ("" = only open again): own, or a block of mem_alloc */
	char own[];
};
struct store_journal {
	struct work_serial *serial;
	char *path;
	int fd;
	off_t safe_size; /* end of what is known to be complete */
	struct list queue;
	bool is_busy, is_closed;
	struct ltimer turn; /* of gathering, or of trying again */
	struct store_journal_stats stats;
};

struct batch {
	struct store_journal *j;
	struct list out;
	size_t safe_count; /* of out, from its front */
};

static ON_CTL void kick(struct store_journal *j);
static void kick_again(void *arg);

static void journal_dtor(void *obj)
{
	struct store_journal *j = obj;
	if (j->fd >= 0)
		close(j->fd);
	mem_free(j->path);
}

int store_journal_open(struct store_journal **out, const char *path)
{
	struct store_journal *j = mem_new(sizeof(*j), journal_dtor, "store.journal");
	int st = ST_NOMEM;
	if (!j)
		return ST_NOMEM;
	j->fd = -1;
	list_init(&j->queue);
	if (!(j->path = mem_strdup(path)) || (st = work_serial_new(&j->serial, WORK_JOURNAL, "journal", 4)) < 0) {
		mem_unref(j);
		return st;
	}
	*out = j;
	return ST_OK;
}

/* ---- on the writer ---- */

static int journal_fail(const struct store_journal *j, const char *what)
{
	log_error("store: %s: %s: %s", j->path, what, strerror(errno));
	return ST_IO;
}

static int file_open(struct store_journal *j)
{
	char last = '\n';
	if (j->fd >= 0)
		return ST_OK;
	if ((j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640)) < 0)
		return journal_fail(j, "open");
	j->safe_size = lseek(j->fd, 0, SEEK_END);
	if (!j->safe_size && disk_sync_parent(j->path) < 0) /* the name of a new file */
		journal_fail(j, "sync of its directory");
	if (j->safe_size > 0 && pread(j->fd, &last, 1, j->safe_size - 1) == 1 && last != '\n' &&
	    write(j->fd, "\n", 1) == 1)
		j->safe_size++;
	return ST_OK;
}

/* All of the pieces, which it changes. */
static int file_write(struct store_journal *j, struct iovec *pieces, size_t count)
{
	while (count) {
		ssize_t k = writev(j->fd, pieces, (int)count);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return journal_fail(j, "write");
		for (; count && (size_t)k >= pieces->iov_len; pieces++, count--)
			k -= (ssize_t)pieces->iov_len;
		if (count)
			pieces->iov_base = (char *)pieces->iov_base + k, pieces->iov_len -= (size_t)k;
	}
	return ST_OK;
}

/* All entries up to the next rotation (or the end) are as few writes as may be, and one sync. */
static int run_write(struct batch *ba, struct lnode *from, struct lnode **next)
{
	struct store_journal *j = ba->j;
	struct iovec pieces[WRITE_PIECES];
	struct lnode *it = from;
	size_t n = 0, bytes = 0, count;
	int st = file_open(j);
	while (st == ST_OK && it != &ba->out.head && !list_entry(it, struct entry, link)->is_rotate) {
		for (count = 0; count < WRITE_PIECES && it != &ba->out.head; it = it->next, n++) {
			struct entry *e = list_entry(it, struct entry, link);
			if (e->is_rotate)
				break;
			pieces[count++] = (struct iovec){e->text, e->n};
			bytes += e->n;
		}
		st = file_write(j, pieces, count);
	}
	if (st == ST_OK && bytes && fdatasync(j->fd) < 0 && errno != EINVAL)
		st = journal_fail(j, "sync");
	if (st == ST_OK) {
		j->safe_size += (off_t)bytes;
		*next = it;
		ba->safe_count += n;
	} else if (j->fd >= 0 && ftruncate(j->fd, j->safe_size) < 0 && errno != EINVAL) {
		journal_fail(j, "truncate");
	}
	return st;
}

static void rotate(struct store_journal *j, const struct entry *e)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	if (e->n && rename(j->path, e->text) < 0)
		journal_fail(j, "rename");
	file_open(j);
}

static void batch_run(void *arg)
{
	struct batch *ba = arg;
	struct lnode *it = ba->out.head.next;
	role_assert_work();
	while (it != &ba->out.head) {
		struct entry *e = list_entry(it, struct entry, link);
		if (e->is_rotate) {
			rotate(ba->j, e);
			it = it->next;
			ba->safe_count++;
		} else if (run_write(ba, it, &it) < 0) {
			return;
		}
	}
}

/* ---- on control ---- */

static ON_CTL void entry_end(struct store_journal *j, struct entry *e, int status)
{
	list_remove(&e->link);
	j->stats.queued_bytes -= e->n;
	if (status == ST_OK && !e->is_rotate)
		j->stats.lines++;
	else if (status < 0)
		j->stats.dropped++;
	if (e->done)
		e->done(status, e->arg);
	if (e->text != e->own)
		mem_free(e->text);
	mem_free(e);
}

static void batch_done(int status, void *arg)
{
	struct batch *ba = arg;
	struct store_journal *j = ba->j;
	role_assert_ctl();
	j->is_busy = false;
	if (ba->safe_count)
		j->stats.syncs++;
	for (; ba->safe_count; ba->safe_count--)
		entry_end(j, list_entry(list_first(&ba->out), struct entry, link), ST_OK);
	if (!list_empty(&ba->out) && !j->is_closed) {
		j->stats.retries++;
		loop_timer_set(&j->turn, RETRY_MS * 1000, "journal.retry", kick_again, j);
	}
	while (!list_empty(&ba->out)) {
		/* What did not get through stays first in the line. */
		struct lnode *n = ba->out.head.prev;
		if (j->is_closed) {
			entry_end(j, list_entry(n, struct entry, link), ST_IO);
		} else {
			list_remove(n);
			list_unshift(&j->queue, n);
		}
	}
	mem_free(ba);
	if (!j->is_closed)
		kick(j);
	mem_unref(j);
}

static ON_CTL void batch_send(struct store_journal *j)
{
	struct batch *ba = mem_zalloc(sizeof(*ba));
	if (!ba)
		return;
	list_init(&ba->out);
	while (!list_empty(&j->queue)) {
		struct lnode *n = list_first(&j->queue);
		list_remove(n);
		list_push(&ba->out, n);
	}
	j->is_busy = true;
	ba->j = mem_ref(j);
	int st = work_serial_submit(j->serial, batch_run, batch_done, ba);
	if (st < 0)
		batch_done(st, ba);
}

/* A sync costs the disk as much for one line as for a hundred: lines gather for a moment first. */
static void kick(struct store_journal *j)
{
	if (!j->is_busy && !list_empty(&j->queue) && !loop_timer_is_set(&j->turn))
		loop_timer_set(&j->turn, GATHER_MS * 1000, "journal.gather", kick_again, j);
}

static void kick_again(void *arg)
{
	struct store_journal *j = arg;
	role_assert_ctl();
	if (!j->is_busy && !list_empty(&j->queue))
		batch_send(j);
}

static ON_CTL bool has_room(struct store_journal *j, size_t n)
{
	if (j->stats.queued_bytes + n <= QUEUE_MAX_BYTES)
		return true;
	if (j->stats.dropped++ % 1000 == 0)
		log_error("store: %s: the queue is full, lines are lost (%llu)", j->path,
		    (unsigned long long)j->stats.dropped);
	return false;
}

static ON_CTL void entry_queue(struct store_journal *j, struct entry *e)
{
	j->stats.queued_bytes += e->n;
	list_push(&j->queue, &e->link);
	kick(j);
}

static ON_CTL int entry_add(
    struct store_journal *j, struct sv text, bool is_rotate, store_journal_done_fn done, void *arg)
{
	if (!has_room(j, text.n))
		return ST_FULL;
	struct entry *e = mem_alloc(sizeof(*e) + text.n + 2);
	if (!e)
		return ST_NOMEM;
	*e = (struct entry){.text = e->own};
	if (text.n)
		memcpy(e->text, text.p, text.n);
	e->n = text.n;
	if (!is_rotate && (!e->n || e->text[e->n - 1] != '\n'))
		e->text[e->n++] = '\n';
	e->text[e->n] = 0;
	e->is_rotate = is_rotate;
	e->done = done, e->arg = arg;
	entry_queue(j, e);
	return ST_OK;
}

int store_journal_append_taken(struct store_journal *j, struct buf *lines, store_journal_done_fn done, void *arg)
{
	if (lines->failed || !lines->n || lines->p[lines->n - 1] != '\n')
		return ST_INVAL;
	if (!has_room(j, lines->n))
		return ST_FULL;
	struct entry *e = mem_alloc(sizeof(*e));
	if (!e)
		return ST_NOMEM;
	*e = (struct entry){.done = done, .arg = arg, .n = lines->n};
	e->text = buf_take(lines);
	entry_queue(j, e);
	return ST_OK;
}

int store_journal_append(struct store_journal *j, struct sv line, store_journal_done_fn done, void *arg)
{
	return entry_add(j, line, false, done, arg);
}

int store_journal_rotate(struct store_journal *j, const char *to)
{
	return entry_add(j, sv_of(to), true, NULL, NULL);
}

void store_journal_stats_get(const struct store_journal *j, struct store_journal_stats *out)
{
	*out = j->stats;
}

void store_journal_close(struct store_journal *j)
{
	if (!j)
		return;
	loop_timer_cancel(&j->turn);
	if (!list_empty(&j->queue))
		batch_send(j);
	j->is_closed = true;
	work_serial_close(j->serial);
	mem_unref(j);
}
