/* The newest lines of the log for the console (GET /v1/log?after=NUMBER). The log's writer thread calls our sink, which
 * copies the line and posts it through a bounded mailbox (full: it is dropped and counted); the control loop keeps the
 * newest. While nobody has asked for a minute the sink is off and the lines are given back. */
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "web/web_i.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 2000, LINE_MAX_BYTES = 4096, ANSWER_MAX = 500, QUIET_US = 60000000 };
struct line {
	int64_t wall_us;
	uint64_t number;
	enum log_level level;
	char uuid[37];
	char file[40];
	int place;
	char text[];
};
static struct line *lines[LINES_MAX];
static uint64_t begin, end; /* positions % LINES_MAX */
static struct mailbox *box;
static int sink_id = -1;
static struct ltimer quiet;
static _Atomic uint64_t dropped_count;

static void on_line(const struct log_line *l, void *arg)
{
	const char *slash = strrchr(l->file, '/');
	size_t n = strnlen(l->text, LINE_MAX_BYTES);
	struct line *copy = mem_alloc(sizeof(*copy) + n + 1);
	if (!copy)
		return;
	*copy = (struct line){.wall_us = l->wall_us, .number = l->number, .level = l->level, .place = l->line};
	memcpy(copy->uuid, l->uuid, sizeof(copy->uuid));
	snprintf(copy->file, sizeof(copy->file), "%s", slash ? slash + 1 : l->file);
	memcpy(copy->text, l->text, n);
	while (n && (copy->text[n - 1] == '\n' || copy->text[n - 1] == '\r'))
		n--;
	copy->text[n] = 0;
	if (mailbox_post(box, &copy, sizeof(copy))) {
		atomic_fetch_add(&dropped_count, 1);
		mem_free(copy);
	}
}

static void on_message(const void *msg, size_t n, void *arg)
{
	struct line *l;
	role_assert_ctl();
	memcpy(&l, msg, sizeof(l));
	if (end - begin == LINES_MAX)
		mem_free(lines[begin++ % LINES_MAX]);
	lines[end++ % LINES_MAX] = l;
}

static ON_CTL void lines_free(void)
{
	while (begin < end)
		mem_free(lines[begin++ % LINES_MAX]);
}

int web_log_start(void)
{
	int st = mailbox_new(&box, 4096);
	if (!st)
		st = mailbox_attach_ctl(box, "http log", on_message, NULL);
	return st ? st : log_sink_add(LOG_DISABLE, on_line, NULL, &sink_id);
}

void web_log_stop(void)
{
	struct line *l;
	size_t n;
	if (!box)
		return;
	loop_timer_cancel(&quiet);
	if (sink_id >= 0)
		log_sink_del(sink_id);
	sink_id = -1;
	mailbox_detach_ctl(box);
	while (mailbox_take(box, &l, &n))
		mem_free(l);
	mailbox_free(box);
	box = NULL;
	lines_free();
}

static void on_quiet(void *arg)
{
	role_assert_ctl();
	log_sink_set_level(sink_id, LOG_DISABLE);
	lines_free();
}

static void line_put(struct json_writer *w, const struct line *l)
{
	jw_begin_object(w);
	jw_kv_int(w, "number", (int64_t)l->number);
	jw_kv_int(w, "time_us", l->wall_us);
	jw_kv_str(w, "level", log_level_name(l->level));
	jw_kv_str(w, "uuid", l->uuid);
	jw_kv_str(w, "file", l->file);
	jw_kv_int(w, "line", l->place);
	jw_kv_str(w, "text", l->text);
	jw_end_object(w);
}

void web_log(struct web_call *c)
{
	struct json_writer w;
	struct buf b, v;
	uint64_t after = 0, pos;
	buf_init(&v);
	if (!http_query_get(c->q, "after", &v) && sv_u64(buf_sv(&v), &after)) {
		buf_fini(&v);
		web_problem(c->x, 400, "after must be a line's number");
		return;
	}
	buf_fini(&v);
	if (!loop_timer_is_set(&quiet))
		log_sink_set_level(sink_id, LOG_DEBUG);
	loop_timer_set(&quiet, QUIET_US, "http log", on_quiet, NULL);
	for (pos = end; pos > begin && lines[(pos - 1) % LINES_MAX]->number > after; pos--)
		;
	if (end - pos > ANSWER_MAX)
		pos = end - ANSWER_MAX;
	buf_init(&b);
	jw_init(&w, &b, false);
	jw_begin_object(&w);
	jw_kv_str(&w, "level", log_level_name(log_get_level()));
	jw_kv_int(&w, "dropped", (int64_t)atomic_load(&dropped_count));
	jw_key(&w, "rows");
	jw_begin_array(&w);
	for (; pos < end; pos++)
		line_put(&w, lines[pos % LINES_MAX]);
	jw_end_array(&w);
	jw_end_object(&w);
	web_reply_json(c->x, 200, &b);
}
