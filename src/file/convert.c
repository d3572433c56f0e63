/* A whole file in another format: its rate and channels stay, as far as the format can hold them. The new file is
 * written beside its place (".new-NAME"), synced, compared in length with what was read, and takes its name then: who
 * looks sees nothing or all of it. */
#include "base/disk.h"
#include "base/mem.h"
#include "file/file_i.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_FRAMES = 4096, LENGTH_SLACK_FRAMES = 8192 /* a codec's blocks, its delay */ };

static ON_WORK int copy(SNDFILE *from, int channels, struct file_writer *w)
{
	int16_t pcm[BLOCK_FRAMES * 2];
	sf_count_t n;
	while ((n = sf_readf_short(from, pcm, BLOCK_FRAMES)) > 0) {
		int st = file_writer_write(w, pcm, (size_t)n);
		if (st)
			return st;
	}
	return channels && n < 0 ? ST_IO : ST_OK;
}

static ON_WORK SNDFILE *source_open(const char *path, SF_INFO *si, char *err)
{
	struct file_sf_kind kind;
	*si = (SF_INFO){0};
	if (file_sf_kind_of(path, &kind) && kind.is_headerless)
		*si = (SF_INFO){.format = kind.format, .channels = 1, .samplerate = 8000};
	SNDFILE *sf = sf_open(path, SFM_READ, si);
	if (!sf)
		file_say(err, "cannot read %.80s: %.50s", path, sf_strerror(NULL));
	else if (si->channels > 2)
		file_say(err, "%.80s has %d channels", path, si->channels);
	if (sf && si->channels > 2) {
		sf_close(sf);
		sf = NULL;
	}
	return sf;
}

/* Its length as the new file tells it, once it is closed. */
static ON_WORK bool is_whole(const char *path, sf_count_t frames)
{
	SF_INFO si;
	SNDFILE *sf = source_open(path, &si, NULL);
	bool is_ok = sf && (si.frames == SF_COUNT_MAX || si.frames + LENGTH_SLACK_FRAMES >= frames);
	if (sf)
		sf_close(sf);
	return is_ok;
}

static ON_WORK int written(const char *from, const char *beside, char *err)
{
	SF_INFO si;
	struct file_writer *w = NULL;
	SNDFILE *sf = source_open(from, &si, err);
	if (!sf)
		return ST_UNSUPPORTED;
	struct file_writer_conf conf = {.rate_hz = (uint32_t)si.samplerate, .channels = (unsigned)si.channels};
	for (int i = 0; i < FILE_TAG_COUNT; i++)
		conf.tags[i] = sf_get_string(sf, file_sf_tags[i]);
	int st = file_writer_open(&w, beside, &conf, err);
	if (!st)
		st = copy(sf, si.channels, w);
	if (w) {
		int closed = file_writer_close(w, err);
		st = st ? st : closed;
	}
	sf_close(sf);
	if (!st && !is_whole(beside, si.frames)) {
		file_say(err, "%.80s came out shorter", beside);
		st = ST_IO;
	}
	return st;
}

int file_convert(const char *from, const char *to, uint64_t *bytes, char *err)
{
	const char *slash = strrchr(to, '/');
	struct stat sb;
	int st = file_path_check(from, err);
	struct file_sf_kind kinds[2] = {{0}};
	if (!st && ((file_sf_kind_of(from, &kinds[0]) && kinds[0].codec) ||
	               (file_sf_kind_of(to, &kinds[1]) && kinds[1].codec))) {
		file_say(err, "files of a codec's frames (%s) are not converted",
		    kinds[0].codec ? kinds[0].codec : kinds[1].codec);
		st = ST_UNSUPPORTED;
	}
	size_t n = strlen(to) + 8;
	char *beside = st ? NULL : mem_alloc(n);
	if (st || !beside)
		return st ? st : ST_NOMEM;
	snprintf(beside, n, "%.*s.new-%s", slash ? (int)(slash + 1 - to) : 0, to, slash ? slash + 1 : to);
	st = written(from, beside, err);
	if (!st && (disk_sync(beside) || rename(beside, to) || disk_sync_parent(to) || stat(to, &sb))) {
		file_say(err, "cannot make %.100s", to);
		st = ST_IO;
	}
	if (st)
		(void)unlink(beside);
	else
		*bytes = (uint64_t)sb.st_size;
	mem_free(beside);
	return st;
}
