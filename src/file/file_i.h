/* Private: what readers and writers share. */
#pragma once
#include "file/file.h"
#include <sndfile.h>

/* What libsndfile is to be told for a path: its format number (0 = unknown extension) and whether the extension alone
 * says it (headerless files). */
struct file_sf_kind {
	int format;
	bool is_headerless;
	bool is_8k_mono;   /* the format knows nothing else */
	const char *codec; /* not libsndfile's, but native.c's; else NULL */
};
bool file_sf_kind_of(const char *path, struct file_sf_kind *out);
/* libsndfile's numbers of file_tag. */
extern const int file_sf_tags[FILE_TAG_COUNT];
void file_say(char *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The status for an errno of open. */
int file_status_of_errno(int e);
/* Checks the path's form; ST_INVAL with err set. */
int file_path_check(const char *path, char *err);

/* native.c. fd stays the caller's. rate_hz: which row, of a codec of several rates (0: its first). Errors:
 * ST_UNSUPPORTED (no such codec now), ST_NOMEM, ST_IO. */
struct file_native;
int file_native_open(struct file_native **out, int fd, const char *codec, uint32_t rate_hz, bool is_written, char *err);
void file_native_free(struct file_native *f); /* NULL is fine */
uint32_t file_native_rate_hz(const struct file_native *f);
uint64_t file_native_frames(const struct file_native *f);                 /* samples that the file has */
size_t file_native_read(struct file_native *f, int16_t *out, size_t cap); /* fewer than cap at the end only */
int file_native_seek(struct file_native *f, uint64_t sample);
int file_native_write(struct file_native *f, const int16_t *s, size_t n);
int file_native_end(struct file_native *f); /* the last frame, filled up */
