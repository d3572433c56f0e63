/* Records on their way into files, on workers. Nothing counts as written that could vanish: a line that a full disk cut
 * short is cut off again, a file is written beside its place and renamed, and before a journal is removed everything it
 * led to is synced, bytes and names. A journal that is read again after a crash finds files that are whole and lines
 * that stand; those are not doubled, and half a line is taken away first. */
#include "base/disk.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "cdr/spool_i.h"
#include "text/base64.h"
#include "text/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 32 << 20, FILE_MODE = 0640, DIR_MODE = 0750 };

void cdr_entry_free(struct cdr_entry *e)
{
	mem_free(e->path);
	mem_free(e->text);
	mem_free(e);
}

/* Directories made on the way are synced into theirs at once: it is rare. */
static void make_parents(const char *path)
{
	char *copy = mem_strdup(path), *slash;

	for (slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (!mkdir(copy, DIR_MODE)) /* what matters shows at the open */
			(void)disk_sync_parent(copy);
		*slash = '/';
	}
	mem_free(copy);
}

/* ---- lines at the end of a file -------------------------------------------------------------------------------- */
static void append_close(struct cdr_batch *b)
{
	if (b->append_fd >= 0)
		close(b->append_fd);
	mem_free(b->append_path);
	buf_fini(&b->tail);
	buf_init(&b->tail);
	b->append_path = NULL;
	b->append_fd = -1;
	b->is_tail_read = false;
}

static int append_open(struct cdr_batch *b, const char *path)
{
	const int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC;

	if (b->append_path && !strcmp(b->append_path, path))
		return ST_OK;
	append_close(b);
	b->append_fd = open(path, flags, FILE_MODE);
	if (b->append_fd < 0 && errno == ENOENT) {
		make_parents(path);
		b->append_fd = open(path, flags, FILE_MODE);
	}
	if (b->append_fd < 0)
		return ST_IO;
	b->append_path = mem_strdup(path);
	return ST_OK;
}

static int tail_read(struct cdr_batch *b, off_t size)
{
	size_t n = (size_t)size < b->tail_max_bytes ? (size_t)size : b->tail_max_bytes, at = 0;
	char *p = mem_alloc(n ? n : 1);

	while (at < n) {
		ssize_t got = pread(b->append_fd, p + at, n - at, size - (off_t)(n - at));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		at += (size_t)got;
	}
	if (at == n)
		buf_add(&b->tail, p, n);
	mem_free(p);
	b->is_tail_read = at == n && !b->tail.failed;
	return b->is_tail_read ? ST_OK : ST_IO;
}

/* Whether the tail has the line, as a line of its own. */
static bool line_stands(const struct buf *tail, const char *line, size_t n)
{
	const char *at = tail->p, *end = tail->p + tail->n;

	while (n && at && (at = memmem(at, (size_t)(end - at), line, n))) {
		if (at == tail->p || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}

/* The file ends in the middle of a line: ours, then it goes; else it is ended. */
static int torn_end(struct cdr_batch *b, const struct cdr_entry *e, off_t *size)
{
	const char *last = b->tail.n ? memrchr(b->tail.p, '\n', b->tail.n) : NULL;
	size_t torn = last ? (size_t)(b->tail.p + b->tail.n - last - 1) : b->tail.n;

	if (!torn)
		return ST_OK;
	if (torn < e->n && !memcmp(b->tail.p + b->tail.n - torn, e->text, torn)) {
		if (ftruncate(b->append_fd, *size - (off_t)torn))
			return ST_IO;
		*size -= (off_t)torn;
		b->tail.n -= torn;
		return ST_OK;
	}
	if (disk_write(b->append_fd, "\n", 1))
		return ST_IO;
	*size += 1;
	buf_addc(&b->tail, '\n');
	return ST_OK;
}

static int append_line(struct cdr_batch *b, const struct cdr_entry *e)
{
	struct stat info;

	if (append_open(b, e->path) || fstat(b->append_fd, &info))
		return ST_IO;
	if (e->is_replay) {
		if (!b->is_tail_read && tail_read(b, info.st_size))
			return ST_IO;
		if (line_stands(&b->tail, e->text, e->n))
			return ST_OK;
		if (torn_end(b, e, &info.st_size))
			return ST_IO;
	}
	if (disk_write(b->append_fd, e->text, e->n)) {
		int error = errno;
		(void)!ftruncate(
		    b->append_fd, info.st_size); /* only space is asked back: this does not fail for want of it */
		errno = error;
		return ST_IO;
	}
	if (b->is_tail_read)
		buf_add(&b->tail, e->text, e->n);
	return ST_OK;
}

/* ---- whole files ----------------------------------------------------------------------------------------------- */
static bool file_stands(const struct cdr_entry *e)
{
	struct buf now;
	bool is_same;

	buf_init(&now);
	is_same = !slurp(e->path, e->n, &now, NULL) && now.n == e->n && !memcmp(now.p, e->text, e->n);
	buf_fini(&now);
	return is_same;
}

static int create_file(const struct cdr_entry *e)
{
	struct sv text = {e->text, e->n};
	int st;

	if (e->is_replay && e->n && file_stands(e))
		return ST_OK;
	st = disk_replace(e->path, text, FILE_MODE, false);
	if (st && errno == ENOENT) {
		make_parents(e->path);
		st = disk_replace(e->path, text, FILE_MODE, false);
	}
	return st;
}

/* What stands in the file goes on under another name, where nobody will sync it. */
static int rename_file(struct cdr_batch *b, const struct cdr_entry *e)
{
	append_close(b);
	if (disk_sync(e->path) == ST_NOTFOUND)
		return ST_OK;
	if (rename(e->path, e->text))
		return errno == ENOENT ? ST_OK : ST_IO;
	return disk_sync_parent(e->path);
}

static void entry_write(struct cdr_batch *b, struct cdr_entry *e)
{
	errno = 0;
	if (e->kind == CDR_RENAME) {
		e->status = rename_file(b, e);
	} else if (e->kind == CDR_CREATE) {
		e->status = create_file(e);
	} else if (b->failed_path && !strcmp(b->failed_path, e->path)) {
		e->status = ST_IO, errno = b->failed_error;
	} else {
		e->status = append_line(b, e);
	}
	e->error = errno;
	if (e->status && e->kind == CDR_APPEND && !b->failed_path)
		b->failed_path = mem_strdup(e->path), b->failed_error = e->error;
}

void cdr_batch_write(struct cdr_batch *b)
{
	struct lnode *it, *tmp;

	b->append_fd = -1;
	buf_init(&b->tail);
	list_each (&b->entries, it, tmp)
		entry_write(b, list_entry(it, struct cdr_entry, link));
	append_close(b);
	mem_free(b->failed_path);
}

/* ---- the journal ----------------------------------------------------------------------------------------------- */

/* JSON takes UTF-8 only. */
static bool is_json_text(struct sv text)
{
	json_t *string;
	uint64_t word, seen = 0;
	size_t i = 0;

	for (; i + sizeof(word) <= text.n; i += sizeof(word)) {
		memcpy(&word, text.p + i, sizeof(word));
		seen |= word;
	}
	for (; i < text.n; i++)
		seen |= (unsigned char)text.p[i];
	if (!(seen & UINT64_C(0x8080808080808080)))
		return true;
	string = json_stringn(text.p, text.n);
	json_decref(string);
	return string != NULL;
}

void cdr_line_put(struct buf *out, enum cdr_kind kind, const char *path, struct sv text)
{
	bool is_plain = is_json_text(text);

	buf_printf(out, "[\"%c\",", kind);
	json_quote(out, sv_of(path));
	buf_addc(out, ',');
	if (is_plain) {
		json_quote(out, text);
	} else {
		buf_adds(out, "\"\",\"");
		base64_encode(out, text.p, text.n);
		buf_addc(out, '"');
	}
	buf_adds(out, "]\n");
}

static struct cdr_entry *entry_read(struct sv line)
{
	json_t *array, *text, *coded;
	const char *kind, *path;
	struct cdr_entry *e = NULL;
	struct buf bytes;

	if (json_parse(&array, line, LINE_MAX_BYTES, NULL))
		return NULL;
	buf_init(&bytes);
	kind = json_string_value(json_array_get(array, 0));
	path = json_string_value(json_array_get(array, 1));
	text = json_array_get(array, 2);
	coded = json_array_get(array, 3);
	if (!kind || (*kind != CDR_APPEND && *kind != CDR_CREATE && *kind != CDR_SEND) || !path ||
	    !json_is_string(text))
		goto out;
	if (!json_is_string(coded))
		buf_add(&bytes, json_string_value(text), json_string_length(text));
	else if (base64_decode(&bytes, sv_of(json_string_value(coded))))
		goto out;
	e = mem_zalloc(sizeof(*e));
	e->kind = (enum cdr_kind) * kind;
	e->is_replay = true;
	e->path = mem_strdup(path);
	e->n = bytes.n;
	e->text = buf_take(&bytes);
out:
	buf_fini(&bytes);
	json_decref(array);
	return e;
}

static void strange_keep(const char *path)
{
	struct buf to;

	buf_init(&to);
	buf_printf(&to, "%s.strange", path);
	if (link(path, to.p) && errno != EEXIST)
		log_error("%s cannot be kept as %s: %s", path, to.p, strerror(errno));
	buf_fini(&to);
}

int cdr_journal_read(const char *path, struct list *entries, size_t *strange_count)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int st;

	if (!f)
		return ST_IO;
	*strange_count = 0;
	while ((n = getline(&line, &cap, f)) > 0) {
		bool is_torn = line[n - 1] != '\n'; /* by a crash: it was never promised */
		struct cdr_entry *e = entry_read((struct sv){line, (size_t)n});
		if (e)
			list_push(entries, &e->link);
		else if (!is_torn && n > 1)
			++*strange_count;
	}
	st = ferror(f) ? ST_IO : ST_OK;
	free(line); /* getline's, not ours */
	fclose(f);
	if (*strange_count)
		strange_keep(path);
	return st;
}

static int parents_sync(const struct hash *files, const char **failed_path)
{
	struct hash_it it = {0};
	struct sv last = SV_NONE;
	int st = ST_OK;

	while (!st && hash_next(files, &it)) {
		const char *path = it.value, *slash = strrchr(path, '/');
		struct sv dir = {path, slash ? (size_t)(slash - path) : 0};
		if (sv_eq(dir, last)) /* they come in crowds of one directory */
			continue;
		last = dir;
		*failed_path = path;
		st = disk_sync_parent(path);
		if (st == ST_NOTFOUND)
			st = ST_OK;
	}
	return st;
}

static int journal_shrink(const char *journal, const struct list *kept)
{
	struct lnode *it, *tmp;
	struct buf lines;
	int st;

	buf_init(&lines);
	list_each (kept, it, tmp) {
		const struct cdr_entry *e = list_entry(it, struct cdr_entry, link);
		cdr_line_put(&lines, e->kind, e->path, (struct sv){e->text, e->n});
	}
	st = lines.failed ? ST_NOMEM : disk_replace(journal, buf_sv(&lines), FILE_MODE, true);
	buf_fini(&lines);
	return st;
}

int cdr_journal_end(
    const char *journal, const struct hash *files, const struct list *kept, const char **failed_path, int *error)
{
	struct hash_it it = {0};
	int st = ST_OK;

	while (!st && hash_next(files, &it)) {
		*failed_path = it.value;
		st = disk_sync(it.value);
		if (st == ST_NOTFOUND)
			st = ST_OK;
	}
	if (!st)
		st = parents_sync(files, failed_path);
	if (!st) {
		*failed_path = journal;
		if (!list_empty(kept))
			st = journal_shrink(journal, kept);
		else if (unlink(journal) && errno != ENOENT)
			st = ST_IO;
	}
	*error = errno;
	return st;
}
