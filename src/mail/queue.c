/* The queue on the disk: storage/mail/queue/ID.eml is a message, ID.env beside it whom it is for and when it is tried
 * next; a message without an envelope was never accepted and is removed at the start. One coroutine sends what is due,
 * one message at a time. A message that was taken is removed; should the machine die just then it is sent again with
 * the same Message-ID. What cannot be handed over within keep-days lies in storage/mail/dead, and the log says so. */
#include "base/clock.h"
#include "base/disk.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/slurp.h"
#include "base/status.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "mail/mail_i.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ENVELOPE_MAX = 4096, LOAD_MAX = MAIL_QUEUE_MAX, ID_CHARS = 20 };

struct entry {
	struct lnode link;
	struct mail_envelope e;
};
static struct list queue = {{&queue.head, &queue.head}};
static size_t queue_count, sent_count, dead_count, failed_count;
static struct co_wait wake;
static bool is_running, is_stopping, is_sending;
static unsigned accepting_count; /* callers whose message a worker writes */
static char *mail_dir, *queue_dir, *dead_dir;
static char run_id[9]; /* begins the names of this run: the scan at the start leaves them alone */

static ON_CTL int64_t now_s(void)
{
	return clock_wall_us() / 1000000;
}

static char *path_dup(const char *dir, const char *id, const char *ext)
{
	struct buf b;
	buf_init(&b);
	buf_printf(&b, "%s/%s%s", dir, id, ext);
	return buf_take(&b);
}

static void envelope_fini(struct mail_envelope *e)
{
	mem_free(e->id), mem_free(e->from), mem_free(e->to), mem_free(e->error);
}

/* ---- envelopes as text ---- */

static void envelope_put(struct buf *out, const struct mail_envelope *e)
{
	buf_printf(out, "from: %s\nto: %s\ncreated: %lld\nnext: %lld\ntries: %u\n", e->from, e->to,
	    (long long)e->created_s, (long long)e->next_s, e->tries);
}

static int envelope_parse(struct mail_envelope *e, struct sv text)
{
	struct sv line, name, value;
	uint32_t tries = 0;
	while (text.n) {
		sv_split(text, '\n', &line, &text);
		if (!sv_split(line, ':', &name, &value))
			continue;
		value = sv_trim(value);
		if (sv_is(name, "from") && !e->from && mail_is_address(value))
			e->from = sv_dup(value);
		else if (sv_is(name, "to") && !e->to && mail_is_address(value))
			e->to = sv_dup(value);
		else if (sv_is(name, "created"))
			sv_i64(value, &e->created_s);
		else if (sv_is(name, "next"))
			sv_i64(value, &e->next_s);
		else if (sv_is(name, "tries") && !sv_u32(value, &tries))
			e->tries = tries;
	}
	return e->from && e->to ? ST_OK : ST_PARSE;
}

/* ---- work ---- */
struct job {
	const char *a, *b;
	const struct mail_parts *parts;
	const struct mail_message *m;
	struct entry **entries;
	unsigned count;
	struct list *loaded;
	int st;
};

static CO int go(enum work_kind kind, void (*fn)(void *arg), struct job *j)
{
	int st = co_work(kind, "mail queue", fn, j);
	return st ? st : j->st;
}

static void dirs_make(void)
{
	mkdir(mail_dir, 0750), mkdir(queue_dir, 0700), mkdir(dead_dir, 0700);
}

static int attachment_add(struct buf *text, const struct job *j)
{
	struct buf bytes;
	buf_init(&bytes);
	int st = slurp(j->m->attach_path, MAIL_ATTACH_MAX, &bytes, NULL);
	if (!st)
		st = mail_attachment_head_put(text, j->parts->boundary, j->m->attach_name);
	if (!st)
		st = mail_base64_put(text, buf_sv(&bytes));
	buf_fini(&bytes);
	return st;
}

static int entry_write(const struct mail_envelope *e, struct sv text)
{
	char *eml = path_dup(queue_dir, e->id, ".eml"), *env = path_dup(queue_dir, e->id, ".env");
	struct buf b;
	buf_init(&b);
	envelope_put(&b, e);
	int st = disk_replace(eml, text, 0600, true);
	if (!st)
		st = disk_replace(env, buf_sv(&b), 0600, true);
	if (st) {
		unlink(env);
		unlink(eml);
	}
	buf_fini(&b);
	mem_free(eml), mem_free(env);
	return st == ST_IO && errno == ENOSPC ? ST_FULL : st;
}

static void accept_work(void *arg)
{
	struct job *j = arg;
	struct buf text;
	unsigned done = 0;
	role_assert_work();
	dirs_make(); /* the scan that makes them may still be to come */
	buf_init(&text);
	j->st = mail_head_put(&text, j->parts);
	if (!j->st && j->m->attach_path)
		j->st = attachment_add(&text, j);
	if (!j->st)
		j->st = mail_end_put(&text, j->parts->boundary);
	for (; !j->st && done < j->count; done++)
		j->st = entry_write(&j->entries[done]->e, buf_sv(&text));
	for (unsigned i = 0; j->st && i < done; i++) { /* all or none */
		char *env = path_dup(queue_dir, j->entries[i]->e.id, ".env");
		unlink(env);
		mem_free(env);
	}
	buf_fini(&text);
}

static void again_work(void *arg)
{
	struct job *j = arg;
	struct buf b;
	role_assert_work();
	buf_init(&b);
	envelope_put(&b, &j->entries[0]->e);
	j->st = disk_replace(j->a, buf_sv(&b), 0600, true);
	buf_fini(&b);
}

static void taken_work(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	j->st = unlink(j->a) ? ST_IO : ST_OK; /* the envelope first: without it there is no message */
	unlink(j->b);
	disk_sync_parent(j->a);
}

static void dead_work(void *arg)
{
	struct job *j = arg;
	const char *id = j->entries[0]->e.id;
	char *eml = path_dup(dead_dir, id, ".eml"), *env = path_dup(dead_dir, id, ".env");
	role_assert_work();
	j->st = rename(j->b, eml) || rename(j->a, env) ? ST_IO : ST_OK;
	mem_free(eml), mem_free(env);
}

static void loaded_add(struct job *j, const char *name)
{
	size_t n = strlen(name);
	struct buf text;
	if (n < 5 || n > 60 || strcmp(name + n - 4, ".env"))
		return;
	struct entry *e = mem_zalloc(sizeof(*e));
	e->e.id = mem_strndup(name, n - 4);
	char *path = path_dup(queue_dir, name, ""), *eml = path_dup(queue_dir, e->e.id, ".eml");
	buf_init(&text);
	if (!slurp(path, ENVELOPE_MAX, &text, NULL) && !envelope_parse(&e->e, buf_sv(&text)) && !access(eml, R_OK)) {
		list_push(j->loaded, &e->link);
		j->count++;
	} else {
		log_error("mail: %s is no envelope, or its message is not there", path);
		envelope_fini(&e->e);
		mem_free(e);
	}
	buf_fini(&text);
	mem_free(path), mem_free(eml);
}

/* A message whose envelope was never written was not accepted. */
static void orphan_remove(const char *name)
{
	size_t n = strlen(name);
	if (n > 4 && !strcmp(name + n - 4, ".new")) {
		char *path = path_dup(queue_dir, name, "");
		unlink(path);
		mem_free(path);
	}
	if (n <= 4 || strcmp(name + n - 4, ".eml"))
		return;
	char *id = mem_strndup(name, n - 4), *env = path_dup(queue_dir, id, ".env"),
	     *eml = path_dup(queue_dir, name, "");
	if (access(env, F_OK) && errno == ENOENT)
		unlink(eml);
	mem_free(id), mem_free(env), mem_free(eml);
}

static void load_work(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	mkdir(j->a, 0750);
	dirs_make();
	DIR *d = opendir(queue_dir);
	j->st = d ? ST_OK : ST_IO;
	for (struct dirent *e = d ? readdir(d) : NULL; e && j->count < LOAD_MAX; e = readdir(d)) {
		if (!strncmp(e->d_name, run_id, sizeof(run_id) - 1))
			continue;
		orphan_remove(e->d_name);
		loaded_add(j, e->d_name);
	}
	if (d)
		closedir(d);
}

/* ---- accepting ---- */

static ON_CTL struct entry *entry_new(const char *from, struct sv to)
{
	char id[sizeof(run_id) + ID_CHARS];
	struct entry *e = mem_zalloc(sizeof(*e));
	if (!e)
		return NULL;
	memcpy(id, run_id, sizeof(run_id) - 1);
	rand_token(id + sizeof(run_id) - 1, ID_CHARS);
	e->e = (struct mail_envelope){
	    .id = mem_strdup(id), .from = mem_strdup(from), .to = sv_dup(to), .created_s = now_s()};
	e->e.next_s = e->e.created_s;
	return e;
}

static void entry_free(struct entry *e)
{
	envelope_fini(&e->e);
	mem_free(e);
}

/* "Thu, 26 Nov 2026 11:25:53 +0000" */
static ON_CTL void date_put(char *out, size_t n)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)now_s();
	struct tm tm;
	gmtime_r(&t, &tm);
	snprintf(out, n, "%.3s, %02d %.3s %d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday, tm.tm_mday,
	    months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

static CO int accept_for(const struct mail_message *m, struct entry **list, unsigned n)
{
	char date[48], id[80], boundary[48], token[25];
	rand_token(token, 24);
	date_put(date, sizeof(date));
	snprintf(boundary, sizeof(boundary), "=_%s", token);
	rand_token(token, 24);
	snprintf(id, sizeof(id), "%s@%.40s", token, core_hostname());
	struct mail_parts p = {m->headers, m->body, date, id, boundary, m->attach_path != NULL};
	struct job j = {.parts = &p, .m = m, .entries = list, .count = n};
	return go(WORK_JOURNAL, accept_work, &j);
}

int mail_send(const struct mail_message *m)
{
	struct entry *list[MAIL_RCPTS_MAX];
	unsigned n = 0;
	struct sv rest = sv_of(m->to), one;
	int st = !is_running                       ? ST_UNLOADED
	         : queue_count >= MAIL_QUEUE_MAX   ? ST_FULL
	         : mail_is_address(sv_of(m->from)) ? ST_OK
	                                           : ST_INVAL;
	while (!st && rest.n && n < MAIL_RCPTS_MAX) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		if (!one.n)
			continue;
		if (!mail_is_address(one))
			st = ST_INVAL;
		else if ((list[n] = entry_new(m->from, one)))
			n++;
	}
	accepting_count++;
	if (!st)
		st = n ? accept_for(m, list, n) : ST_INVAL;
	accepting_count--;
	if (st)
		log_error(
		    "mail: from %s to %s: %s", m->from, m->to, st == ST_INVAL ? "no such address" : status_text(st));
	for (unsigned i = 0; i < n; i++)
		if (st) {
			entry_free(list[i]);
		} else {
			list_push(&queue, &list[i]->link);
			queue_count++;
		}
	if (!st)
		co_signal(&wake, ST_OK);
	return st;
}

/* ---- sending ---- */

static ON_CTL struct entry *due_first(int64_t *next)
{
	struct entry *best = NULL;
	struct lnode *it, *tmp;
	list_each (&queue, it, tmp) {
		struct entry *e = list_entry(it, struct entry, link);
		if (!best || e->e.next_s < best->e.next_s)
			best = e;
	}
	*next = best ? best->e.next_s : -1;
	return best && best->e.next_s <= now_s() ? best : NULL;
}

static ON_CTL void forget(struct entry *e)
{
	list_remove(&e->link);
	queue_count--;
	entry_free(e);
}

static CO void put_off(struct entry *e, const struct mail_conf *c, const char *why, const char *eml, const char *env)
{
	struct job j = {.a = env, .b = eml, .entries = &e, .count = 1};
	int64_t wait_s = c->retry_s;
	failed_count++;
	for (unsigned i = 0; i < e->e.tries && wait_s < c->retry_max_s; i++)
		wait_s *= 2;
	if (wait_s > c->retry_max_s)
		wait_s = c->retry_max_s;
	e->e.tries++;
	mem_free(e->e.error);
	e->e.error = mem_strdup(why);
	if (now_s() - e->e.created_s >= (int64_t)c->keep_days * 86400) {
		log_error("mail: %s to %s could not be handed over within %u days and is given up: %s; it lies in %s",
		    e->e.id, e->e.to, c->keep_days, why, dead_dir);
		go(WORK_JOURNAL, dead_work, &j);
		dead_count++;
		forget(e);
		return;
	}
	e->e.next_s = now_s() + wait_s;
	log_warning("mail: %s to %s: %s; again in %lld s", e->e.id, e->e.to, why, (long long)wait_s);
	go(WORK_JOURNAL, again_work, &j);
}

static CO void try_one(struct entry *e)
{
	struct mail_conf c;
	struct buf why;
	char *eml = path_dup(queue_dir, e->e.id, ".eml"), *env = path_dup(queue_dir, e->e.id, ".env");
	struct job j = {.a = env, .b = eml};
	buf_init(&why);
	int st = mail_conf_read(&c);
	if (!st)
		st = *c.host ? mail_smtp_try(&c, &e->e, eml, &why) : mail_app_try(&c, &e->e, eml, &why);
	if (st == ST_OK) {
		log_info("mail: %s to %s is handed over", e->e.id, e->e.to);
		sent_count++;
		go(WORK_JOURNAL, taken_work, &j);
		forget(e);
	} else if (!is_stopping) {
		put_off(e, &c, why.p ? why.p : status_text(st), eml, env);
	}
	mail_conf_fini(&c);
	buf_fini(&why);
	mem_free(eml), mem_free(env);
}

static CO void load(void)
{
	struct list loaded = {{&loaded.head, &loaded.head}};
	struct job j = {.a = core_dirs()->storage, .loaded = &loaded};
	struct lnode *it, *tmp;
	int st = go(WORK_FILE, load_work, &j);
	if (st && st != ST_CANCELLED)
		log_error("mail: the queue %s cannot be read", queue_dir);
	list_each (&loaded, it, tmp) {
		list_remove(it);
		list_push(&queue, it);
		queue_count++;
	}
}

static ON_CTL void forget_all(void)
{
	struct lnode *it, *tmp;
	list_each (&queue, it, tmp)
		forget(list_entry(it, struct entry, link));
	mem_free(mail_dir), mem_free(queue_dir), mem_free(dead_dir);
	mail_dir = queue_dir = dead_dir = NULL;
}

static void run(void *arg)
{
	int64_t next;
	int st = ST_OK;
	(void)arg;
	role_assert_co();
	is_sending = true;
	load();
	is_sending = false;
	while (!is_stopping && st != ST_CANCELLED) {
		struct entry *e = due_first(&next);
		is_sending = e != NULL;
		if (e)
			try_one(e);
		else
			st = co_wait_or_stop(
			    &wake, next < 0 ? -1 : clock_us_of_s(next - now_s() > 60 ? 60 : next - now_s()));
	}
	is_running = is_sending = false;
	forget_all();
}

int mail_queue_start(void)
{
	role_assert_ctl();
	if (!core_dirs()) /* only the configuration is looked at */
		return ST_OK;
	is_stopping = false;
	if (is_running) /* it has not ended yet, and goes on */
		return ST_OK;
	rand_token(run_id, sizeof(run_id) - 1);
	mail_dir = path_dup(core_dirs()->storage, "mail", "");
	queue_dir = path_dup(core_dirs()->storage, "mail/queue", "");
	dead_dir = path_dup(core_dirs()->storage, "mail/dead", "");
	is_running = true;
	co_wait_reset(&wake);
	return co_spawn("mail queue", run, NULL, NULL);
}

int mail_queue_stop(void)
{
	if (is_sending || accepting_count)
		return ST_BUSY;
	is_stopping = true;
	if (is_running)
		co_signal(&wake, ST_OK); /* it looks at is_stopping */
	return ST_OK;
}

void mail_queue_flush(void)
{
	struct lnode *it, *tmp;
	list_each (&queue, it, tmp)
		list_entry(it, struct entry, link)->e.next_s = now_s();
	if (is_running)
		co_signal(&wake, ST_OK);
}

size_t mail_queue_count(void)
{
	return queue_count;
}

void mail_queue_status(struct buf *out)
{
	struct lnode *it, *tmp;
	unsigned n = 0;
	buf_printf(out, "%zu queued, %zu sent, %zu tries failed, %zu given up\n", queue_count, sent_count, failed_count,
	    dead_count);
	list_each (&queue, it, tmp) {
		const struct mail_envelope *e = &list_entry(it, struct entry, link)->e;
		int64_t in_s = e->next_s - now_s();
		if (n++ >= 1000)
			break;
		buf_printf(out, "%s to %s, %u tries, next in %lld s%s%s\n", e->id, e->to, e->tries,
		    (long long)(in_s > 0 ? in_s : 0), e->error ? ": " : "", e->error ? e->error : "");
	}
}
