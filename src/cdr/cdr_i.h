/* Shared in the room: the journal that stands before every file. */
#pragma once
#include "cdr/cdr.h"

enum cdr_kind {
	CDR_APPEND = 'A', /* a line at the end of path */
	CDR_CREATE = 'C', /* path as a whole */
	CDR_RENAME = 'R', /* cdr_spool_rename's */
	CDR_SEND = 'T'    /* to the target that path names (target.h) */
};
/* Journals, then writes on a worker. path and text are copied. Opened at the first use, closed by the last
 * cdr_spool_close. */
ON_CTL int cdr_spool_open(void);
ON_CTL void cdr_spool_close(void);
ON_CTL int cdr_spool_put(enum cdr_kind kind, const char *path, struct sv text);
ON_CTL int cdr_spool_put_taken(enum cdr_kind kind, const char *path, struct buf *text); /* text's memory is taken */
/* In order with what was put: path is renamed to to. */
ON_CTL int cdr_spool_rename(const char *path, const char *to);
/* Files and targets, what waits for each. */
ON_CTL void cdr_spool_status(struct buf *out, bool is_json);
ON_CTL void cdr_sql_rotate(void); /* HUP, of the spool files of cdr_pg_csv */
