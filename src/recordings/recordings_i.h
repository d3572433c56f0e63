/* The recordings of this switch as a store (mod_recordings): where they lie, an index of them, what is kept how long.
 *
 *   RECORD_STOP, conference::maintenance -> index.c: one row a file ----> command.c: search, delete, status
 *                                              |     (behind: store)         keep.c: age and size
 *                                              '--> convert.c: mp3, opus ... some time after its end, on workers
 *
 * Whoever records tells by its event; nothing asks a leg, and a recorder knows nothing of this room. Only files below
 * the configured directory are its affair: what lies elsewhere (voicemail, a script's own) is neither indexed nor
 * deleted. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <stdint.h>

struct leg;
struct store;
enum { REC_PATH_MAX = 1024, REC_ROWS_MAX = 1000 };
struct rec_conf {
	char *dir;         /* absolute, without a slash at the end */
	char *layout;      /* strftime of the folder below it */
	char *convert_ext; /* NULL: as recorded */
	uint32_t convert_after_s;
	uint32_t keep_days; /* 0: for ever */
	uint64_t max_bytes; /* of all together; 0: no bound */
};
extern struct rec_conf rec_conf;

/* The path below the directory, or NULL: it is not there. */
ANY const char *rec_below(const char *path);
/* Where a recording that begins now belongs: "DIR/2026/11/27/083005-1000-UUID.wav". */
ON_CTL int rec_path_make(struct leg *leg, struct buf *out);

/* ---- command.c ---- */
struct api_call;
CO int api_recordings(struct api_call *c);

/* ---- index.c ---- */
extern struct store *rec_store; /* NULL: there is none */
ON_CTL int rec_index_start(void);
ON_CTL void rec_index_stop(void);
/* The file has become another. */
ON_CTL void rec_index_moved(const char *from, const char *to, uint64_t bytes);
/* Removes the file (a worker) and its row; why: for log and event. */
ON_CTL void rec_remove(const char *path, const char *why);
struct rec_query {
	int64_t from_s, to_s;          /* to_s 0: now and later */
	struct sv number, queue, uuid; /* empty: any; number: part of either party's */
	uint32_t limit, offset;
	bool is_json;
};
CO int rec_search(const struct rec_query *q, struct buf *out);
CO int rec_status(struct buf *out);
CO bool rec_is_known(const char *path);
ON_CTL void rec_counts(uint64_t *indexed, uint64_t *removed);

/* ---- convert.c ---- */
ON_CTL void rec_convert_later(const char *path); /* its recording is over */
ON_CTL void rec_convert_not(const char *path);   /* it goes on */
ON_CTL void rec_convert_stop(void);
ON_CTL size_t rec_convert_waiting(void);

/* ---- keep.c ---- */
ON_CTL int rec_keep_start(void);
ON_CTL void rec_keep_stop(void);
ON_CTL void rec_keep_now(void); /* looks at once, for who has changed the bounds */
