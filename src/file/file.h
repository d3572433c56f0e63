/* Sound files in and out, by libsndfile. Everything here blocks on the disk: workers only. A reader or writer belongs
 * to one worker job at a time. Samples are int16. err (of FILE_ERR_MAX bytes, may be NULL) gets an English sentence. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FILE_ERR_MAX = 160, FILE_PATH_MAX = 4096, FILE_CHANNELS_MAX = 8 };

/* For `show file`, by extension. */
struct file_format {
	const char *ext; /* "wav" */
	const char *title;
	bool can_read, can_write;
};
extern const struct file_format file_formats[];
extern const size_t file_format_count;
/* By the path's extension, case-insensitive; NULL = none. */
ANY const struct file_format *file_format_of(const char *path);

/* A whole file, decoded at rate_hz: mono, or interleaved left and right. Free with file_pcm_free (any thread). */
struct file_pcm {
	int16_t *samples;
	size_t count; /* frames: a sample of each channel */
	uint32_t rate_hz;
	bool is_cut; /* the file was longer than max_frames */
};
/* ST_NOTFOUND no such file, ST_DENIED not a regular file or not readable, ST_UNSUPPORTED not a sound file, ST_NOMEM. */
ON_WORK int file_read_all(const char *path, uint32_t rate_hz, size_t max_frames, struct file_pcm *out, char *err);
/* The same of channels 1, or 2: a file of one, or of more than two (mixed down), is the same on both. */
ON_WORK int file_read_all_of(
    const char *path, uint32_t rate_hz, unsigned channels, size_t max_frames, struct file_pcm *out, char *err);
ANY void file_pcm_free(struct file_pcm *pcm);

/* In chunks, mono at rate_hz (0 = the file's own rate). */
struct file_reader;
struct file_info {
	uint32_t rate_hz, channels;              /* of the file itself */
	uint64_t frames;                         /* of the file at its own rate; 0 = not known */
	char title[80], artist[80], comment[80]; /* tags, or "" */
};
/* Sound packages keep a prompt once per rate: "dir/name.wav" lies in "dir/8000/name.wav" and so on. Out gets, as in
 * FreeSWITCH, the file of the exact rate (0 = none), else of the highest there is, else path itself, there or not.
 * ST_INVAL: longer than cap. Reading looks by itself. */
ON_WORK int file_locate(const char *path, uint32_t rate_hz, char *out, size_t cap);
ON_WORK int file_reader_open(struct file_reader **out, const char *path, uint32_t rate_hz, char *err);
/* The same of channels 1, or 2 (interleaved; as file_read_all_of). What is read, told and sought are frames then. */
ON_WORK int file_reader_open_of(
    struct file_reader **out, const char *path, uint32_t rate_hz, unsigned channels, char *err);
/* Samples read, 0 at the end, negative status. */
ON_WORK int file_reader_read(struct file_reader *r, int16_t *out, size_t cap);
/* To a sample at the reader's rate, from the start; clamped to the end. */
ON_WORK int file_reader_seek(struct file_reader *r, uint64_t sample);
ON_WORK uint64_t file_reader_tell(const struct file_reader *r);
ON_WORK const struct file_info *file_reader_info(const struct file_reader *r);
ON_WORK void file_reader_close(struct file_reader *r); /* NULL is fine */

struct file_writer;
enum file_tag {
	FILE_TAG_TITLE,
	FILE_TAG_COPYRIGHT,
	FILE_TAG_SOFTWARE,
	FILE_TAG_ARTIST,
	FILE_TAG_COMMENT,
	FILE_TAG_DATE,
	FILE_TAG_COUNT
};
struct file_writer_conf {
	uint32_t rate_hz;  /* of what is given, and of the file where the format allows it; 0 = 8000 */
	unsigned channels; /* 1 or 2; 0 = 1 */
	bool is_append;    /* after what the file has, whose rate and channels then rule (data is converted) */
	const char *tags[FILE_TAG_COUNT]; /* NULL = none; a new file's, where its format has such a one */
	/* A new file's own, 0 = as above: Hz; 1 or 2. */
	uint32_t file_rate_hz;
	unsigned file_channels;
	unsigned bit_rate_kbps; /* of mp3 and opus, the nearest that the format has; 0 = the library's default */
	bool is_constant_rate;  /* mp3: each frame of bit_rate_kbps, not only their average */
};
/* Format by extension; without one: wav; an unknown one is ST_UNSUPPORTED. Directories are made where missing. The file
 * appears at once and is readable at any moment (header updated at every sync). */
ON_WORK int file_writer_open(
    struct file_writer **out, const char *path, const struct file_writer_conf *conf, char *err);
/* frames of conf.channels samples each, interleaved. ST_IO when the disk refuses. */
ON_WORK int file_writer_write(struct file_writer *w, const int16_t *s, size_t frames);
ON_WORK int file_writer_sync(struct file_writer *w);
ON_WORK uint64_t file_writer_frames(const struct file_writer *w); /* given so far */
/* Header, sync, close; the first error of all. NULL is fine. */
ON_WORK int file_writer_close(struct file_writer *w, char *err);

/* from in the format of to's extension, rate and channels (2 at most) as they are. to appears when all of it is on the
 * disk; its size into bytes. from stays. */
ON_WORK int file_convert(const char *from, const char *to, uint64_t *bytes, char *err);
