/* Where records go that is no file: a web server, a database, a broker. Each is a target by its name; the journal
 * (cdr_i.h) stands before it as before files: a record is counted off when the target has it. What a target does not
 * take yet waits, in memory up to a bound and beyond that in the journal alone, over restarts too; so each record
 * reaches each target at least once, and its id tells the second time. */
#pragma once
#include "cdr/cdr_i.h"

struct cdr_entry;
struct cdr_target;
struct cdr_target_ops {
	size_t batch_max, batch_max_bytes; /* at a time */
	int64_t pause_us;                  /* between two tries */
	/* Takes count entries until it has said cdr_target_done of each, later; none follow before. */
	void (*send)(void *arg, struct cdr_entry *const *entries, size_t count);
};
/* name: "json_cdr", "format_cdr/default"; what waits for one of that name is its. ST_EXISTS. ops: a constant. */
ON_CTL int cdr_target_open(struct cdr_target **out, const char *name, const struct cdr_target_ops *ops, void *arg);
/* What it was sent and did not answer waits for the next of that name. NULL is fine. */
ON_CTL void cdr_target_close(struct cdr_target *t);
/* Journals the record; id: no blanks, the leg's uuid. */
ON_CTL void cdr_target_put(struct cdr_target *t, const char *id, struct sv body);
/* ST_OK: it is there, or was put elsewhere. ST_AGAIN: this one once more, after the pause; any other: everything waits
 * for the pause. why is told once until something gets there again. */
ON_CTL void cdr_target_done(struct cdr_target *t, struct cdr_entry *e, int status, const char *why);
/* Of an entry that was sent. */
ON_CTL struct sv cdr_entry_id(const struct cdr_entry *e);
ON_CTL struct sv cdr_entry_body(const struct cdr_entry *e);
ON_CTL unsigned cdr_entry_tries(const struct cdr_entry *e); /* before this one */
ON_CTL void cdr_targets_status(struct buf *out, bool is_json);
