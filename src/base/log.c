/* The log: log_write formats into a slot of a bounded ring (sequence numbers per slot, many writers, one reader); the
 * writer thread hands each line to the sinks. A full ring drops the line and counts it. Lines longer than a slot go to
 * a block of malloc, up to 16 kB. The writer sleeps on a futex; a poster wakes it only when it sleeps. After it has
 * written it lets lines gather for 5 ms, and only what is urgent wakes it sooner: a line that comes alone is written at
 * once, and under load lines cost no switch of threads. Sinks come and go under one lock that the writer holds while it
 * calls them; their levels change under another that is never held for long. Does not rotate, colour or filter by call:
 * sinks do. */
#include "base/log.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fmt.h"
#include "base/lock.h"
#include "base/role.h"
#include "base/status.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SLOT_COUNT = 4096, SLOT_TEXT = 248, FLUSH_LINES = 512, TEXT_MAX = 16384, SINK_MAX = 32, GATHER_NS = 5000000 };
enum { WRITER_RUNS, WRITER_SLEEPS, WRITER_GATHERS };

struct slot {
	struct log_line line;
	char *overflow; /* malloc; NULL when text holds all */
	char text[SLOT_TEXT];
};

struct sink {
	log_sink_fn fn;
	void *arg;
	_Atomic enum log_level max;
	void (*flush)(void *arg);
	bool is_dormant_ok; /* at LOG_DISABLE it counts as no sink */
};

static struct slot slots[SLOT_COUNT];          /* memory that is not there until a line comes by */
static _Atomic uint64_t slot_seqs[SLOT_COUNT]; /* position: the slot is free for it; position + 1: written */
static _Atomic uint64_t head;                  /* next position to claim */
static _Atomic uint64_t done;                  /* lines handed to the sinks */
static _Atomic uint64_t flushed;               /* lines that the sinks have written */
static atomic_uint writer_state;               /* futex: the writer waits while it is not WRITER_RUNS */
static atomic_uint flush_count;                /* futex: moves when a flusher may look again */
static atomic_uint flusher_count;
static atomic_bool is_started, is_stopping;
static _Atomic uint64_t dropped_count;
static atomic_int hard_level = LOG_DEBUG;
static atomic_int effective_level = LOG_DEBUG; /* the lower of hard_level and what any sink wants */
static pthread_t writer;
static struct lock sinks_lock = LOCK_INIT_RECURSIVE("log sinks");
static struct lock levels_lock = LOCK_INIT("log levels"); /* inside sinks_lock; never held while a sink runs */
static struct sink sinks[SINK_MAX];

static const char *const level_names[] = {"CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG"};

static void futex_wait(atomic_uint *word, unsigned value, const struct timespec *at_most)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, at_most);
}

static void futex_wake(atomic_uint *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX);
}

const char *log_level_name(enum log_level level)
{
	return level >= 0 && (size_t)level < ARRAY_COUNT(level_names) ? level_names[level] : "DISABLE";
}

int log_level_parse(const char *text, enum log_level *out)
{
	if (!text)
		return ST_PARSE;
	if (text[0] >= '0' && text[0] <= '7' && !text[1]) {
		*out = (enum log_level)(text[0] - '0');
		return ST_OK;
	}
	for (size_t i = 0; i < ARRAY_COUNT(level_names); i++) {
		if (!strcasecmp(text, level_names[i])) {
			*out = (enum log_level)i;
			return ST_OK;
		}
	}
	if (!strcasecmp(text, "error") || !strcasecmp(text, "warn")) {
		*out = (text[0] | 0x20) == 'e' ? LOG_ERR : LOG_WARNING;
		return ST_OK;
	}
	if (!strcasecmp(text, "disable") || !strcmp(text, "-1")) {
		*out = LOG_DISABLE;
		return ST_OK;
	}
	return ST_PARSE;
}

/* Without sinks, what matters still reaches stderr. */
static void line_to_stderr(const struct log_line *l)
{
	dprintf(2, "[%s] %s:%d %s", log_level_name(l->level), l->file, l->line, l->text);
}

static bool sink_counts(const struct sink *s)
{
	return s->fn && (!s->is_dormant_ok || s->max != LOG_DISABLE);
}

static void line_deliver(const struct log_line *l)
{
	bool has_sink = false;
	lock_take(&sinks_lock);
	for (size_t i = 0; i < SINK_MAX; i++) {
		if (!sink_counts(&sinks[i]))
			continue;
		has_sink = true;
		if (l->level <= sinks[i].max)
			sinks[i].fn(l, sinks[i].arg);
	}
	lock_give(&sinks_lock);
	if (!has_sink && l->level <= LOG_WARNING)
		line_to_stderr(l);
}

/* True when a line was taken at position at. */
static bool writer_take(uint64_t at)
{
	struct slot *s = &slots[at % SLOT_COUNT];
	if (atomic_load(&slot_seqs[at % SLOT_COUNT]) != at + 1)
		return false;
	s->line.text = s->overflow ? s->overflow : s->text;
	line_deliver(&s->line);
	free(s->overflow);
	s->overflow = NULL;
	atomic_store_explicit(&slot_seqs[at % SLOT_COUNT], at + SLOT_COUNT, memory_order_release);
	atomic_store(&done, at + 1);
	return true;
}

/* The lines before at are out. */
static void sinks_flush(uint64_t at)
{
	if (atomic_load(&flushed) == at)
		return;
	lock_take(&sinks_lock);
	for (size_t i = 0; i < SINK_MAX; i++)
		if (sinks[i].fn && sinks[i].flush)
			sinks[i].flush(sinks[i].arg);
	lock_give(&sinks_lock);
	atomic_store(&flushed, at);
}

static void flushers_wake(void)
{
	atomic_fetch_add(&flush_count, 1);
	if (atomic_load(&flusher_count))
		futex_wake(&flush_count);
}

static void *writer_main(void *unused)
{
	role_set(ROLE_WORK);
	pthread_setname_np(pthread_self(), "log");
	uint64_t at = atomic_load(&done);
	for (;;) {
		unsigned state = WRITER_SLEEPS;
		while (writer_take(at)) {
			at++;
			state = WRITER_GATHERS;
			if (at % FLUSH_LINES == 0)
				sinks_flush(at);
		}
		sinks_flush(at);
		flushers_wake();
		/* Sleep first said, then looked again: with the poster's order (publish, then look whether the writer
		 * sleeps), all sequentially consistent, one of the two sees the other. Gathering ends by itself. */
		atomic_store(&writer_state, state);
		if (state == WRITER_SLEEPS && atomic_load(&slot_seqs[at % SLOT_COUNT]) == at + 1)
			state = WRITER_RUNS;
		if (atomic_load(&is_stopping)) {
			if (atomic_load(&head) == at)
				break;
			state = WRITER_RUNS;
		}
		if (state != WRITER_RUNS)
			futex_wait(&writer_state, state,
			    state == WRITER_GATHERS ? &(struct timespec){.tv_nsec = GATHER_NS} : NULL);
		atomic_store(&writer_state, WRITER_RUNS);
	}
	atomic_store(&writer_state, WRITER_RUNS);
	return NULL;
}

static void writer_wake(void)
{
	if (atomic_load(&writer_state) != WRITER_RUNS && atomic_exchange(&writer_state, WRITER_RUNS) != WRITER_RUNS)
		futex_wake(&writer_state);
}

static void effective_update(void)
{
	int most = LOG_DISABLE;
	bool has_sink = false;
	for (size_t i = 0; i < SINK_MAX; i++) {
		if (!sink_counts(&sinks[i]))
			continue;
		has_sink = true;
		most = (int)sinks[i].max > most ? (int)sinks[i].max : most;
	}
	int hard = atomic_load(&hard_level);
	atomic_store(&effective_level, has_sink && most < hard ? most : hard);
}

int log_start(void)
{
	if (atomic_load(&is_started))
		return ST_EXISTS;
	static bool are_slots_ready;
	for (size_t i = 0; i < SLOT_COUNT && !are_slots_ready; i++)
		atomic_store(&slot_seqs[i], i);
	are_slots_ready = true;
	atomic_store(&is_stopping, false);
	if (pthread_create(&writer, NULL, writer_main, NULL))
		return ST_IO;
	atomic_store(&is_started, true);
	return ST_OK;
}

void log_stop(void)
{
	if (!atomic_exchange(&is_started, false))
		return;
	atomic_store(&is_stopping, true);
	writer_wake();
	pthread_join(writer, NULL);
}

int log_sink_add(enum log_level max, log_sink_fn fn, void *arg, int *id_out)
{
	int rc = ST_FULL;
	lock_take(&sinks_lock);
	for (int i = 0; i < SINK_MAX && rc; i++) {
		if (sinks[i].fn)
			continue;
		lock_take(&levels_lock);
		sinks[i] = (struct sink){.fn = fn, .arg = arg, .max = max, .is_dormant_ok = max == LOG_DISABLE};
		effective_update();
		lock_give(&levels_lock);
		*id_out = i;
		rc = ST_OK;
	}
	lock_give(&sinks_lock);
	return rc;
}

void log_sink_set_flush(int id, void (*flush)(void *arg))
{
	CHECK(id >= 0 && id < SINK_MAX);
	lock_take(&sinks_lock);
	sinks[id].flush = flush;
	lock_give(&sinks_lock);
}

void log_sink_set_level(int id, enum log_level max)
{
	CHECK(id >= 0 && id < SINK_MAX);
	lock_take(&levels_lock);
	sinks[id].max = max;
	effective_update();
	lock_give(&levels_lock);
}

void log_sink_del(int id)
{
	CHECK(id >= 0 && id < SINK_MAX);
	lock_take(&sinks_lock);
	lock_take(&levels_lock);
	sinks[id].fn = NULL;
	effective_update();
	lock_give(&levels_lock);
	lock_give(&sinks_lock);
}

void log_flush(void)
{
	if (!atomic_load(&is_started) || pthread_equal(pthread_self(), writer))
		return;
	uint64_t want = atomic_load(&head);
	atomic_fetch_add(&flusher_count, 1);
	for (;;) {
		unsigned seen = atomic_load(&flush_count);
		if (atomic_load(&flushed) >= want)
			break;
		writer_wake();
		futex_wait(&flush_count, seen, NULL);
	}
	atomic_fetch_sub(&flusher_count, 1);
}

void log_set_level(enum log_level max)
{
	lock_take(&levels_lock);
	atomic_store(&hard_level, max);
	effective_update();
	lock_give(&levels_lock);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&hard_level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
	return (int)level >= 0 && (int)level <= atomic_load_explicit(&effective_level, memory_order_relaxed);
}

void log_ring_counts(size_t *fill, size_t *slot_count)
{
	uint64_t out = atomic_load(&done), in = atomic_load(&head);
	*fill = in > out ? (size_t)(in - out) : 0;
	*slot_count = SLOT_COUNT;
}

uint64_t log_next_number(void)
{
	return atomic_load(&head);
}

uint64_t log_dropped_count(void)
{
	return atomic_load_explicit(&dropped_count, memory_order_relaxed);
}

/* Formats into the slot, or into a block when it is longer. Ends in exactly one newline. */
static void slot_format(struct slot *s, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	char *text = s->text;
	int n = fmt_vprint(text, SLOT_TEXT - 1, fmt, ap);
	s->overflow = NULL;
	if (n < 0) {
		n = 0;
	} else if (n >= SLOT_TEXT - 1) {
		int cap = n < TEXT_MAX - 2 ? n + 2 : TEXT_MAX;
		s->overflow = malloc((size_t)cap);
		if (s->overflow) {
			text = s->overflow;
			fmt_vprint(text, (size_t)cap - 1, fmt, again);
			n = cap - 2;
		} else {
			n = SLOT_TEXT - 2;
		}
	}
	if (n == 0 || text[n - 1] != '\n')
		text[n++] = '\n';
	text[n] = 0;
	va_end(again);
}

static void line_fill(
    struct log_line *l, enum log_level level, const char *uuid, const char *file, const char *func, int line)
{
	const char *base = strrchr(file, '/');
	l->wall_us = clock_wall_us();
	l->level = level, l->line = line, l->func = func;
	l->file = base ? base + 1 : file;
	l->uuid[0] = 0;
	if (uuid)
		strncat(l->uuid, uuid, sizeof(l->uuid) - 1);
}

static void write_direct(
    enum log_level level, const char *uuid, const char *file, const char *func, int line, const char *fmt, va_list ap)
{
	struct slot *s = malloc(sizeof(*s));
	if (!s)
		return;
	line_fill(&s->line, level, uuid, file, func, line);
	slot_format(s, fmt, ap);
	s->line.text = s->overflow ? s->overflow : s->text;
	line_to_stderr(&s->line);
	free(s->overflow);
	free(s);
}

/* Claims a position; NULL when the ring is full. */
static struct slot *slot_claim(uint64_t *at_out)
{
	uint64_t at = atomic_load_explicit(&head, memory_order_relaxed);
	for (;;) {
		struct slot *s = &slots[at % SLOT_COUNT];
		uint64_t seq = atomic_load_explicit(&slot_seqs[at % SLOT_COUNT], memory_order_acquire);
		if (seq == at) {
			if (atomic_compare_exchange_weak(&head, &at, at + 1)) {
				*at_out = at;
				return s;
			}
		} else if (seq < at) {
			return NULL;
		} else {
			at = atomic_load_explicit(&head, memory_order_relaxed);
		}
	}
}

void log_write(
    enum log_level level, const char *uuid, const char *file, const char *func, int line, const char *fmt, ...)
{
	if (!log_is_on(level))
		return;
	uint64_t at;
	va_list ap;
	va_start(ap, fmt);
	if (!atomic_load_explicit(&is_started, memory_order_acquire)) {
		write_direct(level, uuid, file, func, line, fmt, ap);
		goto out;
	}
	struct slot *s = slot_claim(&at);
	if (!s) {
		atomic_fetch_add_explicit(&dropped_count, 1, memory_order_relaxed);
		goto out;
	}
	line_fill(&s->line, level, uuid, file, func, line);
	s->line.number = at;
	slot_format(s, fmt, ap);
	atomic_store(&slot_seqs[at % SLOT_COUNT], at + 1);
	if (atomic_load(&writer_state) == WRITER_SLEEPS || level <= LOG_ERR || at - atomic_load(&done) > SLOT_COUNT / 4)
		writer_wake();
out:
	va_end(ap);
}
