/* Targets: lists of records that wait for somebody outside, one batch out at a time. A target outlives its module: what
 * a journal of an earlier run has for it waits under its name until the module is loaded. Nothing here knows what a
 * target is; nothing here is written to the disk. */
#include "cdr/target.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdr/spool_i.h"
#include "loop/loop.h"
#include "text/json.h"

#include <string.h>

enum { MEMORY_MAX_BYTES = 64 << 20, MEMORY_LOW_BYTES = 16 << 20, BATCH_MAX = 512 };

struct cdr_target {
	struct lnode link;
	char *name;
	const struct cdr_target_ops *ops; /* NULL: no module */
	void *arg;
	struct list waiting, delayed, out;
	size_t waiting_count, out_count;
	struct ltimer retry, turn;
	bool is_away, is_told;
	uint64_t sent, retries, spilled;
};
static struct list targets = {{&targets.head, &targets.head}};
static size_t held_bytes; /* of all that waits or is out */

/* ---- entries: "ID WALL_US\nBODY" ---- */

static struct sv head_of(const struct cdr_entry *e)
{
	struct sv head, rest;
	sv_split((struct sv){e->text, e->n}, '\n', &head, &rest);
	return head;
}

struct sv cdr_entry_id(const struct cdr_entry *e)
{
	struct sv id, rest;
	sv_split(head_of(e), ' ', &id, &rest);
	return id;
}

struct sv cdr_entry_body(const struct cdr_entry *e)
{
	return sv_sub((struct sv){e->text, e->n}, head_of(e).n + 1, SIZE_MAX);
}

unsigned cdr_entry_tries(const struct cdr_entry *e)
{
	return e->tries;
}

static int64_t entry_wall_us(const struct cdr_entry *e)
{
	struct sv id, rest;
	int64_t us = 0;
	sv_split(head_of(e), ' ', &id, &rest);
	return sv_i64(rest, &us) ? 0 : us;
}

static ON_CTL struct cdr_entry *first_of(struct list *l)
{
	struct lnode *n = list_first(l);
	return n ? list_entry(n, struct cdr_entry, link) : NULL;
}

/* ---- targets ---- */

static ON_CTL struct cdr_target *target_get(const char *name)
{
	struct lnode *it, *tmp;
	list_each (&targets, it, tmp) {
		struct cdr_target *t = list_entry(it, struct cdr_target, link);
		if (!strcmp(t->name, name))
			return t;
	}
	struct cdr_target *t = mem_zalloc(sizeof(*t));
	t->name = mem_strdup(name);
	list_init(&t->waiting), list_init(&t->delayed), list_init(&t->out);
	list_push(&targets, &t->link);
	return t;
}

static void feed(void *arg)
{
	struct cdr_target *t = arg;
	struct cdr_entry *batch[BATCH_MAX], *e;
	size_t count = 0, bytes = 0;

	role_assert_ctl();
	if (!t->ops || t->is_away || t->out_count)
		return;
	while (count < t->ops->batch_max && count < BATCH_MAX && (e = first_of(&t->waiting)) &&
	       (!count || bytes + e->n <= t->ops->batch_max_bytes)) {
		list_remove(&e->link);
		list_push(&t->out, &e->link);
		batch[count++] = e, bytes += e->n;
		t->waiting_count--;
	}
	t->out_count = count;
	if (count)
		t->ops->send(t->arg, batch, count);
}

static ON_CTL void feed_soon(struct cdr_target *t)
{
	if (!loop_timer_is_set(&t->turn))
		loop_timer_set(&t->turn, 0, "cdr target", feed, t);
}

static void retry_now(void *arg)
{
	struct cdr_target *t = arg;
	struct lnode *n;
	role_assert_ctl();
	t->is_away = false;
	while (!list_empty(&t->delayed)) { /* in front, in their order */
		n = t->delayed.head.prev;
		list_remove(n);
		list_unshift(&t->waiting, n);
		t->waiting_count++;
	}
	feed(t);
}

static ON_CTL void delay(struct cdr_target *t, struct cdr_entry *e)
{
	list_push(&t->delayed, &e->link);
	if (!loop_timer_is_set(&t->retry))
		loop_timer_set(&t->retry, t->ops->pause_us, "cdr retry", retry_now, t);
}

static ON_CTL void let_go(struct cdr_entry *e)
{
	held_bytes -= e->n;
	list_remove(&e->link);
}

void cdr_target_done(struct cdr_target *t, struct cdr_entry *e, int status, const char *why)
{
	size_t before = held_bytes;
	t->out_count--;
	if (status == ST_OK) {
		if (t->is_told)
			log_notice("cdr: %s takes call records again", t->name);
		t->is_told = false;
		t->sent++;
		let_go(e);
		cdr_entry_delivered(e);
	} else {
		if (!t->is_told)
			log_error("cdr: %s does not take call records: %s; they stay in the journal and are sent again",
			    t->name, why ? why : status_text(status));
		t->is_told = true;
		t->retries++;
		e->tries++;
		t->is_away |= status != ST_AGAIN;
		list_remove(&e->link);
		delay(t, e);
	}
	if (!t->out_count)
		feed_soon(t);
	if (before > MEMORY_LOW_BYTES && held_bytes <= MEMORY_LOW_BYTES)
		cdr_spool_reread();
}

bool cdr_targets_are_full(void)
{
	return held_bytes > MEMORY_LOW_BYTES;
}

void cdr_target_take(struct cdr_entry *e)
{
	struct cdr_target *t = target_get(e->path);
	if (held_bytes + e->n > MEMORY_MAX_BYTES && e->generation && !e->is_replay) {
		t->spilled++;
		cdr_entry_spill(e);
		return;
	}
	held_bytes += e->n;
	list_push(&t->waiting, &e->link);
	t->waiting_count++;
	if (t->ops && !t->out_count)
		feed_soon(t);
}

int cdr_target_open(struct cdr_target **out, const char *name, const struct cdr_target_ops *ops, void *arg)
{
	struct cdr_target *t = target_get(name);
	if (t->ops)
		return ST_EXISTS;
	t->ops = ops, t->arg = arg;
	feed_soon(t);
	*out = t;
	return ST_OK;
}

void cdr_target_close(struct cdr_target *t)
{
	if (!t)
		return;
	loop_timer_cancel(&t->turn);
	loop_timer_cancel(&t->retry);
	while (!list_empty(&t->out)) {
		struct lnode *n = t->out.head.prev;
		list_remove(n);
		list_unshift(&t->waiting, n);
		t->waiting_count++;
	}
	t->out_count = 0;
	t->ops = NULL;
	retry_now(t);
}

/* The last module has gone: what nobody took stays in its journals. */
void cdr_targets_end(void)
{
	struct lnode *it, *tmp;
	list_each (&targets, it, tmp) {
		struct cdr_target *t = list_entry(it, struct cdr_target, link);
		struct cdr_entry *e;
		while ((e = first_of(&t->waiting))) {
			let_go(e);
			cdr_entry_keep(e);
		}
		list_remove(it);
		mem_free(t->name);
		mem_free(t);
	}
}

void cdr_target_put(struct cdr_target *t, const char *id, struct sv body)
{
	struct buf text;
	buf_init(&text);
	buf_grow(&text, body.n + strlen(id) + 32);
	buf_printf(&text, "%s %lld\n", id, (long long)clock_wall_us());
	buf_addv(&text, body);
	if (text.failed)
		buf_fini(&text);
	else
		cdr_spool_put_taken(CDR_SEND, t->name, &text);
}

/* ---- what it is up to ---- */

/* Of the oldest record that waits, whole seconds. */
static ON_CTL int64_t lag_s(struct cdr_target *t)
{
	struct list *lists[] = {&t->delayed, &t->out, &t->waiting};
	int64_t now = clock_wall_us(), oldest = now;
	for (size_t i = 0; i < 3; i++) {
		struct cdr_entry *e = first_of(lists[i]);
		int64_t us = e ? entry_wall_us(e) : now;
		if (us < oldest)
			oldest = us;
	}
	return (now - oldest) / 1000000;
}

static ON_CTL size_t delayed_count(struct cdr_target *t)
{
	struct lnode *it, *tmp;
	size_t n = 0;
	list_each (&t->delayed, it, tmp)
		n++;
	return n;
}

void cdr_targets_status(struct buf *out, bool is_json)
{
	struct json_writer w;
	struct lnode *it, *tmp;
	struct buf json;

	buf_init(&json);
	jw_init(&w, &json, false);
	jw_begin_array(&w);
	if (!is_json)
		buf_adds(out, "target,waiting,lag_s,sent,retries,in_journal_only,state\n");
	list_each (&targets, it, tmp) {
		struct cdr_target *t = list_entry(it, struct cdr_target, link);
		size_t waiting = t->waiting_count + t->out_count + delayed_count(t);
		const char *state = !t->ops ? "unloaded" : t->is_told ? "away" : "ok";
		if (!is_json)
			buf_printf(out, "%s,%zu,%lld,%llu,%llu,%llu,%s\n", t->name, waiting, (long long)lag_s(t),
			    (unsigned long long)t->sent, (unsigned long long)t->retries, (unsigned long long)t->spilled,
			    state);
		jw_begin_object(&w);
		jw_kv_str(&w, "target", t->name);
		jw_kv_int(&w, "waiting", (int64_t)waiting);
		jw_kv_int(&w, "lag_s", lag_s(t));
		jw_kv_int(&w, "sent", (int64_t)t->sent);
		jw_kv_int(&w, "retries", (int64_t)t->retries);
		jw_kv_int(&w, "in_journal_only", (int64_t)t->spilled);
		jw_kv_str(&w, "state", state);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	if (is_json)
		buf_addv(out, buf_sv(&json));
	buf_fini(&json);
}
