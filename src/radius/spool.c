/* Accounting records on their way. Each is safe on the disk before it is sent and stays there until a server has
 * acknowledged it, so that neither a dead server nor a killed switch loses one; what was sent and not yet counted off
 * is sent again, with the same Acct-Session-Id, Acct-Status-Type and record-id: at least once.
 *
 *   put -> DB/radius.journal.N -> queue in memory -> so many under way at a time, one of a session -> counted off;
 *                                                     a file all of whose records are counted off is removed
 *
 * When nobody answers the queue waits. What memory does not hold stays in its file alone (a cold one) and is read when
 * the queue is empty, as are files of earlier runs, in order of their numbers. */
#include "base/clock.h"
#include "base/disk.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "radius/radius_i.h"
#include "store/journal.h"
#include "text/base64.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	LINES_MAX = 2000, /* of a file */
	LINES_DONE = 50,  /* a file of so many, all counted off, is ended */
	FAILURES_MAX = 8, /* of a record that a living server does not acknowledge */
	FILE_MAX_BYTES = 64 << 20,
	FILE_MODE = 0640,
	RETRY_US = 5 * 1000 * 1000
};

struct file {
	struct lnode link;
	unsigned number;
	char *path;
	struct store_journal *journal;               /* NULL: nothing more is put */
	size_t line_count, open_count, unsafe_count; /* unsafe: not yet told to be on the disk */
	uint64_t bytes;
	bool is_closed, is_cold, is_reading;
	/* the worker's, of the reading */
	int status;
	struct list read;
	size_t read_count, strange_count;
};
struct record {
	struct lnode link, ready; /* in all, in ready */
	struct file *file;        /* NULL: no file has it */
	uint64_t serial;
	char session[40];
	int64_t event_us;
	char *attrs;
	size_t n;
	struct record *ahead, *behind; /* of the same session */
	bool is_safe, is_sending;
	unsigned failure_count;
	struct rad_request *request;
};

static struct {
	bool is_open, is_held, is_refusal_told, is_disk_told;
	struct list files, all, ready; /* all: records in memory; ready: those that may be sent */
	struct file *now;
	struct hash *last; /* session -> its last record in memory */
	unsigned next_number;
	uint64_t next_serial;
	size_t memory_count, sending_count, file_count;
	uint64_t bytes, sent, spooled, lost, refused;
	struct ltimer retry;
	struct work_serial *worker;
} spool;

static ON_CTL void pump(void);
static ON_CTL void file_go(struct file *f);

/* ---- lines ---------------------------------------------------------------------------------------------------- */
int rad_line_put(struct buf *out, const char *session, int64_t event_us, struct sv attrs)
{
	buf_printf(out, "%lld %s ", (long long)event_us, session);
	base64_encode(out, attrs.p, attrs.n);
	buf_addc(out, '\n');
	return out->failed ? ST_NOMEM : ST_OK;
}

int rad_line_read(struct sv line, char session[40], int64_t *event_us, struct buf *attrs)
{
	struct sv when, who, what;
	struct rad_it it = {0};
	struct rad_attr a;
	int64_t us;
	size_t n = attrs->n;
	if (!sv_split(line, ' ', &when, &what) || !sv_split(what, ' ', &who, &what) || sv_i64(when, &us) || us < 0 ||
	    !who.n || who.n >= 40)
		return ST_PARSE;
	if (base64_decode(attrs, what) || attrs->n == n || attrs->n - n > RAD_ATTRS_MAX_BYTES)
		return ST_PARSE;
	it.rest = (struct sv){attrs->p + n, attrs->n - n};
	while (rad_next(&it, &a))
		;
	if (it.rest.n)
		return ST_PARSE;
	memcpy(session, who.p, who.n);
	session[who.n] = 0;
	*event_us = us;
	return ST_OK;
}

/* ---- files ---------------------------------------------------------------------------------------------------- */
static ON_CTL struct file *file_new(unsigned number)
{
	struct file *f = mem_zalloc(sizeof(*f));
	struct buf path;
	if (!f)
		return NULL;
	buf_init(&path);
	buf_printf(&path, "%s/radius.journal.%u", core_dirs()->db, number);
	f->number = number;
	f->path = buf_take(&path);
	list_init(&f->read);
	spool.file_count++;
	return f;
}

static ON_CTL void file_free(struct file *f)
{
	list_remove(&f->link);
	spool.bytes -= f->bytes;
	spool.file_count--;
	mem_free(f->path);
	mem_free(f);
}

struct removal {
	char *path;
	struct buf rest; /* what it shall hold from now on; nothing: it is removed */
	bool is_strange;
};

static void removal_run(void *arg)
{
	struct removal *r = arg;
	struct buf to;
	role_assert_work();
	buf_init(&to);
	buf_printf(&to, "%s.strange", r->path);
	int st = r->rest.n       ? disk_replace(r->path, buf_sv(&r->rest), FILE_MODE, true)
	         : r->is_strange ? rename(r->path, to.p)
	                         : unlink(r->path);
	if (st && errno != ENOENT)
		log_error("radius: %s: %s", r->path, strerror(errno));
	buf_fini(&to);
}

static void removal_done(int status, void *arg)
{
	struct removal *r = arg;
	role_assert_ctl();
	buf_fini(&r->rest);
	mem_free(r->path);
	mem_free(r);
}

static ON_CTL void file_remove(const struct file *f, struct buf *rest)
{
	struct removal *r = mem_zalloc(sizeof(*r));
	if (!r || !(r->path = mem_strdup(f->path))) { /* it lies until the next start */
		mem_free(r);
		if (rest)
			buf_fini(rest);
		return;
	}
	r->is_strange = f->strange_count > 0;
	if (rest)
		r->rest = *rest;
	if (work_serial_submit(spool.worker, removal_run, removal_done, r))
		removal_done(ST_CANCELLED, r);
}

/* Its end, or the beginning of its reading, when it is time. */
static void file_go(struct file *f)
{
	if (!f->is_closed || f->unsafe_count || f->is_reading)
		return;
	store_journal_close(f->journal); /* all of it is written: this does not wait */
	f->journal = NULL;
	if (f->is_cold || f->open_count)
		return;
	file_remove(f, NULL);
	file_free(f);
}

static ON_CTL bool has_cold(void)
{
	struct lnode *it, *tmp;
	list_each (&spool.files, it, tmp)
		if (list_entry(it, struct file, link)->is_cold)
			return true;
	return false;
}

static ON_CTL void now_close(void)
{
	struct file *f = spool.now;
	spool.now = NULL;
	if (!f)
		return;
	f->is_closed = true;
	file_go(f);
}

/* The file that the next record goes into; NULL: none can be opened. */
static ON_CTL struct file *now_get(void)
{
	bool is_cold = spool.memory_count >= rad_conf.spool_memory || has_cold();
	struct file *f = spool.now;
	if (f && (f->line_count >= LINES_MAX || (!f->open_count && !f->is_cold && f->line_count >= LINES_DONE) ||
	             f->is_cold != is_cold))
		now_close();
	if (spool.now)
		return spool.now;
	f = file_new(spool.next_number++);
	if (!f)
		return NULL;
	f->is_cold = is_cold;
	list_push(&spool.files, &f->link);
	if (store_journal_open(&f->journal, f->path)) {
		log_error("radius: cannot open %s", f->path);
		file_free(f);
		return NULL;
	}
	return spool.now = f;
}

/* ---- records -------------------------------------------------------------------------------------------------- */
static void record_free(struct record *r)
{
	mem_free(r->attrs);
	mem_free(r);
}

/* In the order in which they came: what failed belongs near the front, what is new at the end. */
static ON_CTL void ready_put(struct record *r)
{
	struct lnode *head = &spool.ready.head, *after = r->failure_count ? head : head->prev;
	if (r->failure_count)
		while (after->next != head && list_entry(after->next, struct record, ready)->serial < r->serial)
			after = after->next;
	else
		while (after != head && list_entry(after, struct record, ready)->serial > r->serial)
			after = after->prev;
	list_insert(&r->ready, after, after->next);
}

static ON_CTL void ready_if(struct record *r)
{
	if (r->is_safe && !r->ahead && !r->is_sending && !lnode_is_linked(&r->ready))
		ready_put(r);
}

static ON_CTL void record_queue(struct record *r)
{
	r->serial = spool.next_serial++;
	r->ahead = hash_get(spool.last, sv_of(r->session));
	if (r->ahead)
		r->ahead->behind = r;
	(void)hash_set(spool.last, sv_of(r->session), r);
	list_push(&spool.all, &r->link);
	spool.memory_count++;
}

/* It has arrived, or is given up. */
static ON_CTL void record_end(struct record *r)
{
	struct file *f = r->file;
	if (hash_get(spool.last, sv_of(r->session)) == r)
		(void)hash_del(spool.last, sv_of(r->session));
	if (r->behind) {
		r->behind->ahead = NULL;
		ready_if(r->behind);
	}
	list_remove(&r->link);
	list_remove(&r->ready);
	spool.memory_count--;
	record_free(r);
	if (f && --f->open_count == 0)
		file_go(f);
}

/* Nobody took it: it waits for its next turn, or is given up when it is the record's own fault. */
static ON_CTL void record_failed(struct record *r, int status)
{
	bool is_first = !r->failure_count, is_alive = rad_is_alive(RAD_ACCT);
	if (is_first || (status == ST_TIMEOUT && is_alive))
		r->failure_count++;
	if (status == ST_LIMIT || r->failure_count >= FAILURES_MAX) {
		log_error("radius: a record of session %s is given up: %s", r->session,
		    status == ST_LIMIT ? "it is too long" : "no server acknowledges it, though they answer others");
		spool.lost++;
		record_end(r);
		return;
	}
	spool.spooled += is_first;
	if (status != ST_CANCELLED && !is_alive && !spool.is_held)
		log_warning("radius: no server takes accounting records: they are kept and sent later");
	spool.is_held = spool.is_held || !is_alive || status != ST_TIMEOUT;
	ready_put(r);
}

static void on_sent(int status, const struct rad_packet *answer, void *arg)
{
	struct record *r = arg;
	role_assert_ctl();
	r->request = NULL;
	r->is_sending = false;
	spool.sending_count--;
	if (status) {
		record_failed(r, status);
	} else {
		spool.sent++;
		record_end(r);
	}
	pump();
}

static ON_CTL void record_send(struct record *r)
{
	struct rad_question q = {.kind = RAD_ACCT, .attrs = {r->attrs, r->n}, .event_us = r->event_us};
	list_remove(&r->ready);
	r->is_sending = true;
	spool.sending_count++;
	if (rad_ask(&r->request, &q, on_sent, r)) {
		r->is_sending = false;
		spool.sending_count--;
		spool.is_held = true;
		ready_put(r);
	}
}

/* ---- cold files ----------------------------------------------------------------------------------------------- */
static void read_run(void *arg)
{
	struct file *f = arg;
	struct buf text, attrs;
	struct sv rest, line;
	role_assert_work();
	buf_init(&text);
	buf_init(&attrs);
	f->status = slurp(f->path, FILE_MAX_BYTES, &text, NULL);
	rest = buf_sv(&text);
	while (!f->status && rest.n) {
		bool is_whole = sv_split(rest, '\n', &line, &rest);
		struct record *r = mem_zalloc(sizeof(*r));
		buf_clear(&attrs);
		if (!r) {
			f->status = ST_NOMEM;
			break;
		}
		if (rad_line_read(line, r->session, &r->event_us, &attrs)) {
			f->strange_count += is_whole && line.n; /* a torn one was never promised */
			mem_free(r);
			continue;
		}
		r->n = attrs.n;
		r->attrs = mem_alloc(attrs.n);
		if (!r->attrs) {
			mem_free(r);
			f->status = ST_NOMEM;
			break;
		}
		memcpy(r->attrs, attrs.p, attrs.n);
		list_push(&f->read, &r->link);
		f->read_count++;
	}
	buf_fini(&text);
	buf_fini(&attrs);
}

static void read_done(int status, void *arg)
{
	struct file *f = arg;
	role_assert_ctl();
	f->is_reading = f->is_cold = false;
	if (status || f->status) {
		if (f->status != ST_NOTFOUND)
			log_error("radius: %s cannot be read; its records stay there for the next start", f->path);
		file_free(f);
		return;
	}
	if (f->strange_count)
		log_error("radius: %s has %zu lines that are no records; it stays as %s.strange", f->path,
		    f->strange_count, f->path);
	while (!list_empty(&f->read)) {
		struct record *r = list_entry(list_first(&f->read), struct record, link);
		list_remove(&r->link);
		r->file = f;
		r->is_safe = true;
		f->open_count++;
		record_queue(r);
		ready_if(r);
	}
	file_go(f);
	pump();
}

static ON_CTL void cold_read(void)
{
	struct lnode *it, *tmp;
	if (!spool.is_open || spool.memory_count)
		return;
	list_each (&spool.files, it, tmp) {
		struct file *f = list_entry(it, struct file, link);
		if (f->is_reading)
			return;
		if (!f->is_cold)
			continue;
		if (f == spool.now && !f->line_count) {
			f->is_cold = false;
			return;
		}
		if (f == spool.now)
			now_close();
		if (f->unsafe_count)
			return; /* on_safe comes here again */
		f->is_reading = true;
		if (work_serial_submit(spool.worker, read_run, read_done, f))
			f->is_reading = false;
		return;
	}
}

/* ---- sending -------------------------------------------------------------------------------------------------- */
static void on_retry(void *arg)
{
	role_assert_ctl();
	rad_spool_go();
}

static void pump(void)
{
	if (!spool.is_open)
		return;
	while (!spool.is_held && !list_empty(&spool.ready) && spool.sending_count < rad_conf.in_flight_max)
		record_send(list_entry(list_first(&spool.ready), struct record, ready));
	if (spool.is_held && !loop_timer_is_set(&spool.retry))
		loop_timer_set(&spool.retry, RETRY_US, "radius spool", on_retry, NULL);
	cold_read();
}

void rad_spool_go(void)
{
	if (!spool.is_open)
		return;
	loop_timer_cancel(&spool.retry);
	spool.is_held = false;
	pump();
}

/* ---- putting -------------------------------------------------------------------------------------------------- */
static void on_safe(int status, void *arg)
{
	struct record *r = arg;
	struct file *f = r->file;
	role_assert_ctl();
	f->unsafe_count--;
	if (status && !spool.is_disk_told)
		log_error("radius: %s refuses a record: %s; it is sent without", f->path, status_text(status));
	spool.is_disk_told = status != ST_OK;
	if (f->is_cold) {
		spool.lost += status != ST_OK;
		record_free(r);
	} else {
		r->is_safe = true;
		ready_if(r);
	}
	file_go(f);
	pump();
}

static ON_CTL bool is_full(void)
{
	bool is_over = spool.bytes >> 20 >= rad_conf.spool_max_mb;
	if (is_over && !spool.is_refusal_told)
		log_error("radius: %u MB of accounting records wait (spool-max): further ones are lost",
		    rad_conf.spool_max_mb);
	spool.is_refusal_told = is_over;
	spool.refused += is_over;
	return is_over;
}

void rad_spool_put(const char *session, int64_t event_us, struct sv attrs)
{
	if (!spool.is_open || is_full())
		return;
	struct file *f = now_get();
	struct record *r = mem_zalloc(sizeof(*r));
	struct buf line;
	if (!r || !(r->attrs = mem_alloc(attrs.n))) {
		mem_free(r);
		spool.refused++;
		return;
	}
	snprintf(r->session, sizeof(r->session), "%s", session);
	r->event_us = event_us;
	r->n = attrs.n;
	memcpy(r->attrs, attrs.p, attrs.n);
	r->file = f;
	buf_init(&line);
	int st = f ? rad_line_put(&line, session, event_us, attrs) : ST_IO;
	size_t n = line.n;
	if (f && !f->is_cold) {
		record_queue(r);
		f->open_count++;
	}
	if (!f) {
		record_queue(r);
		r->is_safe = true;
		ready_if(r);
	} else {
		f->line_count++, f->unsafe_count++;
		f->bytes += n, spool.bytes += n;
		if (!st)
			st = store_journal_append_taken(f->journal, &line, on_safe, r);
		if (st)
			on_safe(st, r);
	}
	buf_fini(&line);
	pump();
}

/* ---- life ----------------------------------------------------------------------------------------------------- */
static ON_CTL void old_add(unsigned number, uint64_t bytes)
{
	struct lnode *after = spool.files.head.prev;
	struct file *f = file_new(number);
	if (!f)
		return; /* it lies until the next start */
	f->is_cold = f->is_closed = true;
	f->bytes = bytes;
	spool.bytes += bytes;
	if (number >= spool.next_number)
		spool.next_number = number + 1;
	while (after != &spool.files.head && list_entry(after, struct file, link)->number > number)
		after = after->prev;
	list_insert(&f->link, after, after->next);
}

/* Names and sizes only; a worker reads. */
static ON_CTL void old_find(void)
{
	DIR *dir = opendir(core_dirs()->db);
	struct dirent *d;
	struct stat info;
	struct buf path;
	unsigned number;
	int end;
	while (dir && (d = readdir(dir))) {
		if (sscanf(d->d_name, "radius.journal.%u%n", &number, &end) != 1 || d->d_name[end])
			continue;
		buf_init(&path);
		buf_printf(&path, "%s/%s", core_dirs()->db, d->d_name);
		old_add(number, stat(path.p, &info) ? 0 : (uint64_t)info.st_size);
		buf_fini(&path);
	}
	if (dir)
		closedir(dir);
}

bool rad_spool_is_busy(void)
{
	struct lnode *it, *tmp;
	if (spool.is_open)
		list_each (&spool.files, it, tmp)
			if (list_entry(it, struct file, link)->is_reading ||
			    list_entry(it, struct file, link)->unsafe_count)
				return true;
	return false;
}

int rad_spool_open(void)
{
	memset(&spool, 0, sizeof(spool));
	list_init(&spool.files);
	list_init(&spool.all);
	list_init(&spool.ready);
	int st = hash_new(&spool.last, 0, NULL);
	if (!st)
		st = work_serial_new(&spool.worker, WORK_JOURNAL, "radius", 4096);
	if (st) {
		hash_free(spool.last);
		spool.last = NULL;
		return st;
	}
	old_find();
	spool.is_open = true;
	return ST_OK;
}

/* What a file still has to give is all that stays in it: the next start sends nothing twice that has arrived. */
static ON_CTL void file_leave(struct file *f)
{
	struct lnode *it, *tmp;
	struct buf rest;
	if (f->is_cold)
		return;
	buf_init(&rest);
	list_each (&spool.all, it, tmp) {
		const struct record *r = list_entry(it, struct record, link);
		if (r->file == f)
			rad_line_put(&rest, r->session, r->event_us, (struct sv){r->attrs, r->n});
	}
	if (f->open_count < f->line_count || !f->line_count)
		file_remove(f, &rest);
	else
		buf_fini(&rest);
}

void rad_spool_close(void)
{
	struct lnode *it, *tmp;
	if (!spool.is_open)
		return;
	spool.is_open = false;
	loop_timer_cancel(&spool.retry);
	list_each (&spool.files, it, tmp) {
		struct file *f = list_entry(it, struct file, link);
		struct store_journal *journal = f->journal;
		f->journal = NULL;
		store_journal_close(
		    journal); /* with something unsafe in it only where this waits: its callbacks come now */
	}
	if (work_may_wait())
		(void)work_serial_drain(spool.worker);
	list_each (&spool.files, it, tmp)
		file_leave(list_entry(it, struct file, link));
	work_serial_close(spool.worker);
	list_each (&spool.all, it, tmp)
		record_free(list_entry(it, struct record, link));
	list_each (&spool.files, it, tmp)
		file_free(list_entry(it, struct file, link));
	hash_free(spool.last);
	memset(&spool, 0, sizeof(spool));
}

void rad_spool_stats_get(struct rad_spool_stats *out)
{
	*out = (struct rad_spool_stats){.queued_count = spool.memory_count,
	    .sending_count = spool.sending_count,
	    .file_count = spool.file_count,
	    .bytes = spool.bytes,
	    .sent = spool.sent,
	    .spooled = spool.spooled,
	    .lost = spool.lost,
	    .refused = spool.refused};
	if (spool.is_open && !list_empty(&spool.all))
		out->oldest_us = list_entry(list_first(&spool.all), struct record, link)->event_us;
}
