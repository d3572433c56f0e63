/* What a ring of a local stream is filled with: the files of a directory in turn, and chimes that break in. One
 * worker's at a time. */
#pragma once
#include "base/role.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LCHIMES_MAX = 100 };
struct lmusic {
	/* set before; the texts are the ring's */
	char *dir;
	bool is_shuffled;
	unsigned channels; /* 1 or 2 */
	uint32_t rate_hz;
	int64_t clock_us;     /* when the stream began */
	atomic_int volume_db; /* control changes it */
	/* made by lmusic_open */
	int64_t start_us; /* of what is read first */
	char **files;
	size_t file_count, file_now, failed_count;
	struct file_reader *reader;
	struct {
		char *list; /* set before, with the two below */
		unsigned every_s, max_s;
		char *files[LCHIMES_MAX]; /* within list */
		size_t count, now;
		struct file_reader *reader; /* NULL: music */
		uint64_t left;              /* frames of music until the next, or of this one at most */
	} chime;
};
/* Looks at the files and finds the place of the clock, which is the same for all rings of a stream. ST_NOTFOUND: there
 * is nothing to play; ST_NOMEM. */
ON_WORK int lmusic_open(struct lmusic *m);
/* Frames of m->channels, as many as n at most and at least one. */
ON_WORK size_t lmusic_read(struct lmusic *m, int16_t *out, size_t n);
ON_WORK void lmusic_close(struct lmusic *m);
