/* What goes between spool.c (control) and spool_file.c (workers). */
#pragma once
#include "base/list.h"
#include "cdr/cdr_i.h"

struct cdr_generation;
struct cdr_entry {
	struct lnode link;
	struct cdr_generation *generation; /* NULL: no journal has it */
	enum cdr_kind kind;
	bool is_replay; /* it may stand in its file already */
	char *path, *text;
	size_t n;
	unsigned tries; /* a target's */
	/* the worker's while it has the batch */
	int status, error; /* error: errno */
};
/* Between spool.c and target.c, all of entries for targets: the spool gives one that is safe in the journal; it is
 * counted off, stays in the journal for the next start, or is forgotten here and read again when there is room. */
ON_CTL void cdr_target_take(struct cdr_entry *e);
ON_CTL void cdr_entry_delivered(struct cdr_entry *e);
ON_CTL void cdr_entry_keep(struct cdr_entry *e);
ON_CTL void cdr_entry_spill(struct cdr_entry *e);
ON_CTL void cdr_spool_reread(void);
ON_CTL bool cdr_targets_are_full(void);
ON_CTL void cdr_targets_end(void);

ANY void cdr_entry_free(struct cdr_entry *e);

/* What is with the worker. Calls end in crowds: a job and a round of the loop for each record would cost more than its
 * writing. */
struct cdr_batch {
	struct list entries;
	size_t tail_max_bytes; /* so far back a replayed line may stand in its file */
	char *append_path;     /* the file that is open, as most lines go into the same one */
	int append_fd;
	bool is_tail_read;
	struct buf tail;   /* its end, for lines that may stand in it */
	char *failed_path; /* what comes after a line that did not get in keeps its place behind it */
	int failed_error;
};
/* Writes each entry to its file; status and error tell. A line that does not get in whole is cut off again, and a file
 * appears whole or not at all. */
ANY void cdr_batch_write(struct cdr_batch *b);

/* One line of a journal: kind, path and text, JSON-quoted. */
ANY void cdr_line_put(struct buf *out, enum cdr_kind kind, const char *path, struct sv text);
/* The entries of a journal's lines, in order, as replays. ST_IO: the file cannot be read. *strange_count gets how many
 * lines are no entries, a last one cut short by a crash apart; PATH.strange then is a second name of the file. */
ANY int cdr_journal_read(const char *path, struct list *entries, size_t *strange_count);

/* Syncs the files (path -> path) and the directories they stand in; then the journal has the kept entries only, or,
 * with none, is removed. A file that somebody took away is his. *failed_path is borrowed; *error: errno. */
struct hash;
ANY int cdr_journal_end(
    const char *journal, const struct hash *files, const struct list *kept, const char **failed_path, int *error);
