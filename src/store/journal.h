/* A file of lines that are only ever appended (call records). Lines are queued, written and fdatasync'ed in batches by
 * a serial queue; done says when a line is safe. A torn last line of a crash is closed with a newline at the next open.
 * When the disk refuses, lines stay queued (bounded) and are tried again; a half-written batch is cut off first, so
 * that no line is doubled. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct store_journal;
struct store_journal_stats {
	uint64_t lines, syncs, retries, dropped;
	size_t queued_bytes;
};
ON_CTL int store_journal_open(struct store_journal **out, const char *path);
/* Writes what is queued, then closes; waits (shutdown only). NULL is fine. */
ON_CTL void store_journal_close(struct store_journal *j);
typedef void (*store_journal_done_fn)(int status, void *arg);
/* One line or several; a missing last newline is added. Copied. done may be NULL. ST_FULL: not taken. */
ON_CTL int store_journal_append(struct store_journal *j, struct sv line, store_journal_done_fn done, void *arg);
/* The same of lines whose memory the journal takes, so that a large one is not copied; the last byte is a newline
 * (ST_INVAL). On failure lines is as it was. */
ON_CTL int store_journal_append_taken(
    struct store_journal *j, struct buf *lines, store_journal_done_fn done, void *arg);
/* In order with the lines: closes the file, renames it when to is not NULL, opens path again (log rotation, HUP). */
ON_CTL int store_journal_rotate(struct store_journal *j, const char *to);
ON_CTL void store_journal_stats_get(const struct store_journal *j, struct store_journal_stats *out);
