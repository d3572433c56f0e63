/* Log lines for clients that said `log`. The log's writer thread calls our sink, which copies the line and posts a
 * pointer through a bounded mailbox (full: the line is dropped and counted); on the control loop one frame is made and
 * queued by reference to every client whose level asks for it. While nobody listens the sink's level
 * is LOG_DISABLE. A client gets what was written after it asked, not what the writer had yet to hand out. */
#include "base/mem.h"
#include "core/registry/limits.h"
#include "esl/cmd/cmd_i.h"
#include "loop/mailbox.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct line {
	int64_t wall_us;
	uint64_t log_number;
	enum log_level level;
	const char *file, *func;
	int number;
	char uuid[37];
	char text[];
};
struct frame {
	struct buf text;
};

static struct mailbox *box;
static int sink_id = -1;
static enum log_level sink_level = LOG_DISABLE;
static _Atomic uint64_t dropped_count;

static void on_line(const struct log_line *l, void *arg)
{
	size_t n = strlen(l->text) + 1;
	struct line *copy = mem_alloc(sizeof(*copy) + n);
	if (!copy)
		return;
	*copy = (struct line){.wall_us = l->wall_us,
	    .log_number = l->number,
	    .level = l->level,
	    .file = l->file,
	    .func = l->func,
	    .number = l->line};
	memcpy(copy->uuid, l->uuid, sizeof(copy->uuid));
	memcpy(copy->text, l->text, n);
	if (mailbox_post(box, &copy, sizeof(copy))) {
		atomic_fetch_add(&dropped_count, 1);
		mem_free(copy);
	}
}

static void frame_free(void *obj)
{
	buf_fini(&((struct frame *)obj)->text);
}

/* FreeSWITCH's text form of a line: date, idle CPU, level, place, message. */
static ON_CTL void add_text(struct buf *b, const struct line *l, const char *file)
{
	time_t secs = (time_t)(l->wall_us / 1000000);
	struct tm tm;
	char date[32];
	localtime_r(&secs, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	buf_printf(b, "%s.%06d %.2f%% [%s] %s:%d %s", date, (int)(l->wall_us % 1000000), core_counters()->idle_cpu,
	    log_level_name(l->level), file, l->number, l->text);
}

static ON_CTL struct frame *frame_make(const struct line *l)
{
	struct frame *f = mem_new(sizeof(*f), frame_free, "esl.log_frame");
	const char *slash = strrchr(l->file, '/'), *file = slash ? slash + 1 : l->file;
	struct buf text;
	if (!f)
		return NULL;
	buf_init(&f->text);
	buf_init(&text);
	add_text(&text, l, file);
	buf_printf(&f->text,
	    "Content-Type: log/data\nContent-Length: %zu\nLog-Level: %d\nText-Channel: 0\nLog-File: %s\nLog-Func: %s\n"
	    "Log-Line: %d\nUser-Data: %s\n\n",
	    text.n, (int)l->level, file, l->func, l->number, l->uuid);
	buf_addv(&f->text, buf_sv(&text));
	buf_fini(&text);
	return f;
}

struct send {
	const struct line *line;
	struct frame *frame;
};

static void send_one(struct esl_client *c, void *arg)
{
	role_assert_ctl();
	struct send *s = arg;
	if (c->log_level == LOG_DISABLE || s->line->level > c->log_level || s->line->log_number < c->log_from)
		return;
	if (!s->frame)
		s->frame = frame_make(s->line);
	if (s->frame)
		esl_client_queue(c, s->frame, buf_sv(&s->frame->text), NULL);
}

static void on_message(const void *msg, size_t n, void *arg)
{
	role_assert_ctl();
	struct line *l;
	memcpy(&l, msg, sizeof(l));
	struct send s = {.line = l};
	esl_client_each(send_one, &s);
	mem_unref(s.frame);
	mem_free(l);
}

int esl_logs_start(void)
{
	int st = mailbox_new(&box, 4096);
	if (!st)
		st = mailbox_attach_ctl(box, "esl.logs", on_message, NULL);
	return st ? st : log_sink_add(LOG_DISABLE, on_line, NULL, &sink_id);
}

static void find_highest(struct esl_client *c, void *arg)
{
	enum log_level *highest = arg;
	if (c->log_level > *highest)
		*highest = c->log_level;
}

void esl_logs_update(void)
{
	enum log_level highest = LOG_DISABLE;
	esl_client_each(find_highest, &highest);
	if (highest != sink_level && sink_id >= 0)
		log_sink_set_level(sink_id, sink_level = highest);
}

void esl_logs_stop(void)
{
	if (!box)
		return;
	if (sink_id >= 0)
		log_sink_del(sink_id);
	sink_id = -1;
	sink_level = LOG_DISABLE;
	mailbox_detach_ctl(box);
	struct line *l;
	size_t n;
	while (mailbox_take(box, &l, &n))
		mem_free(l);
	mailbox_free(box);
	box = NULL;
}
