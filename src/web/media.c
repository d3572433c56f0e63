/* Recordings, messages and call records for the console. Lists come from the commands of their modules; a file is read
 * by a worker, and only one that lies, links resolved, below the directory it must lie in and is a sound. One part of
 * a file may be asked for (Range), as players do. */
#include "base/mem.h"
#include "base/slurp.h"
#include "core/conf/config.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "text/xml.h"
#include "web/web_i.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEDIA_MAX_BYTES = 64 << 20, MEDIA_READERS_MAX = 8, RECORDS_MAX = 1000, RECORDS_TAIL_BYTES = 4 << 20 };
static unsigned reader_count;

static const struct {
	const char *ext, *type;
} types[] = {{".wav", "audio/wav"}, {".mp3", "audio/mpeg"}, {".ogg", "audio/ogg"}, {".opus", "audio/ogg"},
    {".flac", "audio/flac"}};

static const char *type_of(const char *name)
{
	const char *dot = strrchr(name, '.');
	for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcasecmp(dot, types[i].ext))
			return types[i].type;
	return NULL;
}

/* ---- one file ---- */
struct media {
	struct http_exchange *x; /* a reference */
	char *dir, *path;        /* absolute */
	struct buf bytes;
	int status;
};

static void media_read(void *arg)
{
	struct media *m = arg;
	char real[PATH_MAX], root[PATH_MAX];
	role_assert_work();
	m->status = ST_NOTFOUND;
	if (!realpath(m->dir, root) || !realpath(m->path, real))
		return;
	size_t n = strlen(root);
	if (strncmp(real, root, n) || real[n] != '/' || !type_of(real))
		return;
	m->status = slurp(real, MEDIA_MAX_BYTES, &m->bytes, NULL);
}

static void media_done(int status, void *arg)
{
	struct media *m = arg;
	size_t from = 0, to = m->bytes.n ? m->bytes.n - 1 : 0;
	role_assert_ctl();
	reader_count--;
	status = status ? status : m->status;
	if (http_exchange_is_open(m->x) && !status) {
		struct sv range = http_header_get(http_exchange_request(m->x), "Range");
		bool is_part = web_range_parse(range, m->bytes.n, &from, &to);
		http_exchange_headers_clear(m->x);
		http_exchange_header(m->x, "X-Content-Type-Options", "nosniff");
		http_exchange_header(m->x, "Cache-Control", "private, no-store");
		http_exchange_header(m->x, "Accept-Ranges", "bytes");
		http_exchange_header(m->x, "Content-Security-Policy", "default-src 'none'; sandbox");
		if (is_part) {
			char text[96];
			snprintf(text, sizeof(text), "bytes %zu-%zu/%zu", from, to, m->bytes.n);
			http_exchange_header(m->x, "Content-Range", text);
		}
		http_exchange_reply(
		    m->x, is_part ? 206 : 200, type_of(m->path), sv_sub(buf_sv(&m->bytes), from, to - from + 1));
	} else if (http_exchange_is_open(m->x)) {
		web_problem(m->x,
		    status == ST_LIMIT                             ? 413
		    : status == ST_NOTFOUND || status == ST_DENIED ? 404
		                                                   : 503,
		    status == ST_LIMIT ? "the file is longer than 64 MiB" : "there is no such recording");
	}
	mem_unref(m->x);
	mem_free(m->dir);
	mem_free(m->path);
	buf_fini(&m->bytes);
	mem_free(m);
}

static ON_CTL void media_send(struct http_exchange *x, const char *dir, const char *path)
{
	struct media *m = reader_count < MEDIA_READERS_MAX ? mem_zalloc(sizeof(*m)) : NULL;
	struct buf whole;
	int st = m ? ST_OK : ST_FULL;
	buf_init(&whole);
	if (m) {
		if (*path != '/')
			buf_printf(&whole, "%s/", dir);
		buf_adds(&whole, path);
		m->dir = mem_strdup(dir);
		m->path = mem_strdup(whole.p);
		buf_init(&m->bytes);
		st = m->dir && m->path ? ST_OK : ST_NOMEM;
	}
	buf_fini(&whole);
	if (!st) {
		m->x = mem_ref(x);
		st = work_submit(WORK_FILE, "http media", media_read, media_done, m);
		reader_count += !st;
	}
	if (!st)
		return;
	if (m) {
		mem_unref(m->x);
		mem_free(m->dir);
		mem_free(m->path);
		mem_free(m);
	}
	http_exchange_header(x, "Retry-After", "1");
	web_problem(x, 503, "too many recordings are being read");
}

/* ---- recordings ---- */
static void json_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct sv error;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	if (status == ST_NOTFOUND) {
		web_problem(x, 503, "mod_recordings is not loaded");
		return;
	}
	if (web_reply_is_error(reply, &error)) {
		web_problem(x, 400, "%.*s", SVF(error));
		return;
	}
	web_reply_rows(x, reply);
}

void web_recordings(struct web_call *c)
{
	static const char *const words[] = {"from", "to", "number", "queue", "uuid", "limit", "offset"};
	struct buf args, value;
	bool is_good = true;
	buf_init(&args);
	buf_init(&value);
	buf_adds(&args, "search json");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && is_good; i++) {
		buf_clear(&value);
		if (http_query_get(c->q, words[i], &value) || !value.n)
			continue;
		for (size_t k = 0; k < value.n; k++)
			is_good = is_good && (unsigned char)value.p[k] > ' ' && value.p[k] != '"' &&
			          value.p[k] != '\'' && value.p[k] != '\\';
		buf_printf(&args, " %s=%s", words[i], value.p);
	}
	if (!is_good || args.failed)
		web_problem(c->x, 400, "a criterion has a blank or a quote");
	else
		web_command_run(c->x, NULL, "recordings", args.p, json_done, NULL);
	buf_fini(&value);
	buf_fini(&args);
}

void web_recording_file(struct web_call *c)
{
	struct buf path;
	buf_init(&path);
	if (http_query_get(c->q, "path", &path) || !path.n || memchr(path.p, 0, path.n))
		web_problem(c->x, 400, "path is needed");
	else
		media_send(c->x, core_dirs()->recordings, path.p);
	buf_fini(&path);
}

/* ---- mailboxes ---- */
/* The box asked for: one's own; a supervisor may name another. False: it was answered. */
static ON_CTL bool box_get(struct web_call *c, struct buf *box)
{
	struct buf own;
	bool is_good = true;
	buf_init(&own);
	if (c->session && *c->session->user)
		buf_printf(&own, "%s@%s", c->session->user, c->session->domain);
	if (http_query_get(c->q, "box", box) || !box->n)
		buf_addv(box, buf_sv(&own));
	if (c->role < WEB_OPERATOR && (!own.n || !sv_eq(buf_sv(box), buf_sv(&own)))) {
		web_problem(c->x, 403, "the role %s may see its own mailbox only", web_role_name(c->role));
		is_good = false;
	} else if (!box->n || box->n > 200 || strpbrk(box->p, " \t\r\n'\"\\/|") || memchr(box->p, 0, box->n)) {
		web_problem(c->x, 400, "box must be user@domain");
		is_good = false;
	}
	buf_fini(&own);
	return is_good;
}

static void mailbox_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct xml_doc *doc = NULL;
	struct json_writer w;
	struct buf b;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		return;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "rows");
	jw_begin_array(&w);
	if (status != ST_NOTFOUND && !xml_parse(&doc, reply.p ? reply.p : "", reply.n, "vm_list", NULL, 0, NULL))
		xml_each(xml_root(doc), "message", row)
		{
			jw_begin_object(&w);
			for (const struct xml_node *cell = row->child; cell; cell = cell->next)
				if (strcmp(cell->name, "path"))
					jw_kv_str(&w, cell->name, cell->text);
			jw_end_object(&w);
		}
	jw_end_array(&w);
	jw_end_object(&w);
	mem_unref(doc);
	web_reply_json(x, 200, &b);
}

static ON_CTL void mailbox_ask(struct web_call *c, web_done_fn done, void *arg)
{
	struct buf box;
	buf_init(&box);
	if (box_get(c, &box)) {
		buf_adds(&box, " xml");
		web_command_run(c->x, NULL, "vm_list", box.p ? box.p : "", done, arg);
	} else {
		mem_free(arg);
	}
	buf_fini(&box);
}

void web_mailbox(struct web_call *c)
{
	mailbox_ask(c, mailbox_done, NULL);
}

static void mailbox_file_done(struct http_exchange *x, int status, struct sv reply, void *arg)
{
	struct xml_doc *doc = NULL;
	char *uuid = arg;
	const struct xml_node *found = NULL, *path;
	role_assert_ctl();
	if (!http_exchange_is_open(x))
		goto out;
	if (status != ST_NOTFOUND && !xml_parse(&doc, reply.p ? reply.p : "", reply.n, "vm_list", NULL, 0, NULL))
		xml_each(xml_root(doc), "message", row)
		{
			const struct xml_node *id = xml_child(row, "uuid");
			if (id && !strcmp(id->text, uuid))
				found = row;
		}
	path = found ? xml_child(found, "path") : NULL;
	if (path)
		media_send(x, core_dirs()->storage, path->text);
	else
		web_problem(x, 404, "there is no such message");
	mem_unref(doc);
out:
	mem_free(uuid);
}

void web_mailbox_file(struct web_call *c)
{
	char *uuid = mem_strdup(c->param);
	if (uuid)
		mailbox_ask(c, mailbox_file_done, uuid);
	else
		web_problem(c->x, 503, "out of memory");
}

/* ---- call records: the newest lines of mod_cdr_csv's Master.csv ---- */
struct records {
	struct http_exchange *x; /* a reference */
	char *path, *template, *word;
	struct buf bytes;
	int status;
};

static void records_read(void *arg)
{
	struct records *r = arg;
	struct stat info;
	char *block;
	role_assert_work();
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	r->status = fd >= 0 ? ST_OK : errno == ENOENT ? ST_NOTFOUND : ST_IO;
	block = fd >= 0 ? mem_alloc(RECORDS_TAIL_BYTES) : NULL;
	if (block && !fstat(fd, &info) && S_ISREG(info.st_mode)) {
		off_t at = info.st_size > RECORDS_TAIL_BYTES ? info.st_size - RECORDS_TAIL_BYTES : 0;
		ssize_t n = pread(fd, block, RECORDS_TAIL_BYTES, at);
		size_t skip = 0;
		while (at && n > 0 && skip < (size_t)n && block[skip++] != '\n') /* a line that is cut */
			;
		if (n > 0)
			buf_add(&r->bytes, block + skip, (size_t)n - skip);
	}
	mem_free(block);
	if (fd >= 0)
		close(fd);
}

/* The names of a template's ${variables}. */
static void columns_put(struct json_writer *w, const char *template)
{
	jw_begin_array(w);
	for (const char *p = template; p && (p = strstr(p, "${")) != NULL;) {
		size_t n = strcspn(p + 2, "}");
		jw_sv(w, (struct sv){p + 2, n});
		p += 2 + n;
	}
	jw_end_array(w);
}

static void records_done(int status, void *arg)
{
	struct records *r = arg;
	struct json_writer w;
	struct buf b;
	size_t end = r->bytes.n, count = 0, word = strlen(r->word);
	role_assert_ctl();
	reader_count--;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_key(&w, "columns");
	columns_put(&w, r->template);
	jw_key(&w, "rows");
	jw_begin_array(&w);
	while (end && count < RECORDS_MAX) { /* the newest first */
		const char *p = r->bytes.p;
		size_t stop = p[end - 1] == '\n' ? end - 1 : end, from = stop;
		while (from && p[from - 1] != '\n')
			from--;
		if (stop > from && (!word || memmem(p + from, stop - from, r->word, word))) {
			web_cells_put(&w, (struct sv){p + from, stop - from});
			count++;
		}
		end = from;
	}
	jw_end_array(&w);
	jw_kv_int(&w, "row_count", (int64_t)count);
	jw_end_object(&w);
	if (!http_exchange_is_open(r->x))
		buf_fini(&b);
	else if (status || (r->status && r->status != ST_NOTFOUND)) {
		buf_fini(&b);
		web_problem(r->x, 503, "the call records cannot be read");
	} else
		web_reply_json(r->x, 200, &b);
	mem_unref(r->x);
	mem_free(r->path);
	mem_free(r->template);
	mem_free(r->word);
	buf_fini(&r->bytes);
	mem_free(r);
}

void web_records(struct web_call *c)
{
	const struct xml_node *conf = config_conf("cdr_csv.conf"), *settings = xml_child(conf, "settings");
	const char *base = config_param(settings, "log-base", NULL),
	           *name = config_param(settings, "default-template", "example"), *template = "";
	struct records *r = reader_count < MEDIA_READERS_MAX ? mem_zalloc(sizeof(*r)) : NULL;
	struct buf path, word;
	if (!r) {
		http_exchange_header(c->x, "Retry-After", "1");
		web_problem(c->x, 503, "too many records are being read");
		return;
	}
	xml_each(xml_child(conf, "templates"), "template", t) if (!strcmp(xml_attr_or(t, "name", ""), name)) template =
	    t->text;
	buf_init(&path);
	buf_init(&word);
	buf_init(&r->bytes);
	buf_printf(&path, "%s/cdr-csv/Master.csv", base && *base ? base : core_dirs()->log);
	http_query_get(c->q, "search", &word);
	r->path = mem_strdup(path.p);
	r->template = mem_strdup(template);
	r->word = mem_strdup(word.p ? word.p : "");
	r->x = mem_ref(c->x);
	buf_fini(&path);
	buf_fini(&word);
	int st = r->path && r->template && r->word
	             ? work_submit(WORK_FILE, "http records", records_read, records_done, r)
	             : ST_NOMEM;
	if (!st) {
		reader_count++;
		return;
	}
	mem_unref(r->x);
	mem_free(r->path);
	mem_free(r->template);
	mem_free(r->word);
	mem_free(r);
	web_problem(c->x, 503, "the call records cannot be read now");
}
