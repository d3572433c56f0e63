/* Log lines. Any thread may log; lines go through a bounded lock-free ring to one writer thread (sinks: console,
 * files, event-socket clients by a control-side sink). When the ring is full the line is dropped and counted, never
 * waited for. Media threads must not log per packet. Levels and their colours are FreeSWITCH's. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_CONSOLE = 0,
	LOG_ALERT = 1,
	LOG_CRIT = 2,
	LOG_ERR = 3,
	LOG_WARNING = 4,
	LOG_NOTICE = 5,
	LOG_INFO = 6,
	LOG_DEBUG = 7,
	LOG_DISABLE = -1
};

struct log_line {
	int64_t wall_us;
	enum log_level level;
	const char *file, *func; /* static strings */
	int line;
	char uuid[37];    /* the call's, or "" */
	uint64_t number;  /* rises with each line */
	const char *text; /* NUL-terminated, ends in \n */
};
/* Called on the writer thread. The line is valid during the call. */
typedef void (*log_sink_fn)(const struct log_line *line, void *arg);

/* Starts the writer; before that, lines go to stderr directly. */
int log_start(void);
void log_stop(void); /* drains */
/* Sinks are added and removed from any thread; both wait while a line is being written. After log_sink_del returns, fn
 * is not called any more. A sink added with LOG_DISABLE counts as none for as long as that is its level (without any
 * sink, warnings go to stderr). */
int log_sink_add(enum log_level max, log_sink_fn fn, void *arg, int *id_out);
/* flush is called on the writer's thread when no more lines wait, for a sink that writes several at once. */
void log_sink_set_flush(int id, void (*flush)(void *arg));
void log_sink_set_level(int id, enum log_level max); /* does not wait for the writer */
void log_sink_del(int id);
void log_flush(void); /* waits until all lines written before the call are out; tests and shutdown only */

/* Lines above this level (FreeSWITCH's hard level) are not even formatted. */
void log_set_level(enum log_level max);
enum log_level log_get_level(void);
uint64_t log_dropped_count(void);
uint64_t log_next_number(void);                         /* lines written from now on have this number or a higher one */
void log_ring_counts(size_t *fill, size_t *slot_count); /* lines waiting for the writer, approximate */
const char *log_level_name(enum log_level level);       /* "DEBUG" */
int log_level_parse(const char *text, enum log_level *out); /* names or digits, case-insensitive */

void log_write(enum log_level level, const char *uuid, const char *file, const char *func, int line, const char *fmt,
    ...) __attribute__((format(printf, 6, 7)));
bool log_is_on(enum log_level level);
/* uuid: the leg's, or NULL. fmt needs no newline. */
#define log_uuid(level, uuid, ...) \
	do { \
		if (log_is_on(level)) \
			log_write((level), (uuid), __FILE__, __func__, __LINE__, __VA_ARGS__); \
	} while (0)
#define log_error(...) log_uuid(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_uuid(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_uuid(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_uuid(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_uuid(LOG_DEBUG, NULL, __VA_ARGS__)
