/* Reading: a regular file is opened by us, decoded by libsndfile in blocks, brought to the one or two channels that are
 * wanted, resampled. The resampler's delay is cut off at the head and flushed out at the end, so that a prompt keeps
 * its length. */
#include "base/mem.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "file/file_i.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_FRAMES = 1024, WANTED_MAX = 2, RATE_MIN = 1000, RATE_MAX = 192000 };

struct file_reader {
	int fd;
	SNDFILE *sf; /* NULL: native */
	struct file_native *native;
	struct file_info info;
	uint32_t rate_hz;
	unsigned channels;   /* wanted: 1 or 2 */
	struct resample *rs; /* NULL when the rates agree */
	size_t skip;         /* frames of delay still to drop */
	bool is_flushed;
	uint64_t told;
	size_t at, have; /* frames, in block */
	int16_t block[BLOCK_FRAMES * WANTED_MAX];
	int16_t raw[BLOCK_FRAMES * FILE_CHANNELS_MAX];
};

int file_locate(const char *path, uint32_t rate_hz, char *out, size_t cap)
{
	static const uint32_t rates[] = {48000, 32000, 16000, 8000};
	const char *slash = strrchr(path, '/');
	struct stat sb;
	int n;

	for (size_t i = 0; slash && i <= sizeof rates / sizeof *rates; i++) {
		uint32_t rate = i ? rates[i - 1] : rate_hz;
		if (!rate)
			continue;
		n = snprintf(out, cap, "%.*s/%u%s", (int)(slash - path), path, (unsigned)rate, slash);
		if (n > 0 && (size_t)n < cap && !stat(out, &sb) && S_ISREG(sb.st_mode))
			return ST_OK;
	}
	n = snprintf(out, cap, "%s", path);
	return n > 0 && (size_t)n < cap ? ST_OK : ST_INVAL;
}
static int open_regular(const char *path, int *fd_out, char *err)
{
	struct stat sb;
	int fd, st;

	if ((st = file_path_check(path, err)))
		return st;
	/* O_NONBLOCK: a FIFO or a device must not hang the worker before it is refused. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		st = file_status_of_errno(errno);
		file_say(err, "cannot open %.90s: %s", path, strerror(errno));
		return st;
	}
	if (fstat(fd, &sb) || !S_ISREG(sb.st_mode)) {
		close(fd);
		file_say(err, "%.90s is not a regular file", path);
		return ST_DENIED;
	}
	*fd_out = fd;
	return ST_OK;
}
static void copy_tag(SNDFILE *sf, int which, char *out, size_t cap)
{
	const char *s = sf_get_string(sf, which);
	snprintf(out, cap, "%s", s ? s : "");
}
static int open_sound(struct file_reader *r, const char *path, uint32_t rate_hz, char *err)
{
	struct file_sf_kind kind;
	SF_INFO si = {0};

	if (file_sf_kind_of(path, &kind) && kind.codec) {
		int st = file_native_open(&r->native, r->fd, kind.codec, rate_hz, false, err);
		if (st)
			return st;
		r->info.channels = 1, r->info.rate_hz = file_native_rate_hz(r->native);
		r->info.frames = file_native_frames(r->native);
		return ST_OK;
	}
	if (kind.is_headerless)
		si = (SF_INFO){.format = kind.format, .channels = 1, .samplerate = 8000};
	r->sf = sf_open_fd(r->fd, SFM_READ, &si, SF_FALSE);
	if (!r->sf) {
		file_say(err, "%.80s is not a sound file: %.60s", path, sf_strerror(NULL));
		return ST_UNSUPPORTED;
	}
	if (si.channels < 1 || si.channels > FILE_CHANNELS_MAX || si.samplerate < RATE_MIN ||
	    si.samplerate > RATE_MAX) {
		file_say(err, "%.80s has %d channels at %d Hz", path, si.channels, si.samplerate);
		return ST_UNSUPPORTED;
	}
	r->info.channels = (uint32_t)si.channels;
	r->info.rate_hz = (uint32_t)si.samplerate;
	r->info.frames = si.frames > 0 && si.frames < SF_COUNT_MAX ? (uint64_t)si.frames : 0;
	copy_tag(r->sf, SF_STR_TITLE, r->info.title, sizeof(r->info.title));
	copy_tag(r->sf, SF_STR_ARTIST, r->info.artist, sizeof(r->info.artist));
	copy_tag(r->sf, SF_STR_COMMENT, r->info.comment, sizeof(r->info.comment));
	return ST_OK;
}
static void reader_free(void *obj)
{
	struct file_reader *r = obj;
	if (r->sf)
		sf_close(r->sf);
	file_native_free(r->native);
	if (r->fd >= 0)
		close(r->fd);
	mem_unref(r->rs);
}

int file_reader_open(struct file_reader **out, const char *path, uint32_t rate_hz, char *err)
{
	return file_reader_open_of(out, path, rate_hz, 1, err);
}

int file_reader_open_of(struct file_reader **out, const char *path, uint32_t rate_hz, unsigned channels, char *err)
{
	struct file_reader *r;
	char found[FILE_PATH_MAX];
	int st, fd = -1;

	if (channels < 1 || channels > WANTED_MAX)
		return ST_INVAL;
	if (rate_hz && (rate_hz < RATE_MIN || rate_hz > RATE_MAX)) {
		file_say(err, "%u Hz is out of range", rate_hz);
		return ST_INVAL;
	}
	if (!(st = file_path_check(path, err)) && !(st = file_locate(path, rate_hz, found, sizeof found)))
		st = open_regular(found, &fd, err);
	if (st)
		return st;
	r = mem_new(sizeof(*r), reader_free, "file.reader");
	if (!r) {
		close(fd);
		return ST_NOMEM;
	}
	r->fd = fd, r->channels = channels;
	st = open_sound(r, path, rate_hz, err);
	if (!st) {
		r->rate_hz = rate_hz ? rate_hz : r->info.rate_hz;
		if (r->rate_hz != r->info.rate_hz)
			st = resample_new(&r->rs, r->info.rate_hz, r->rate_hz, channels);
		r->skip = r->rs ? resample_latency(r->rs) : 0;
	}
	if (st) {
		mem_unref(r);
		return st;
	}
	*out = r;
	return ST_OK;
}
void file_reader_close(struct file_reader *r)
{
	mem_unref(r);
}
const struct file_info *file_reader_info(const struct file_reader *r)
{
	return &r->info;
}
uint64_t file_reader_tell(const struct file_reader *r)
{
	return r->told;
}

/* n frames of the file's channels to the wanted ones. */
static void channels_fit(struct file_reader *r, size_t n)
{
	if (r->channels == 1) {
		mix_downmix(r->block, r->raw, n, r->info.channels);
	} else if (r->info.channels == 2) {
		memcpy(r->block, r->raw, n * 2 * sizeof(r->block[0]));
	} else {
		mix_downmix(r->raw, r->raw, n, r->info.channels);
		mix_interleave(r->block, r->raw, r->raw, n);
	}
}
/* The next block at the file's rate; false at the end. */
static bool fill(struct file_reader *r)
{
	sf_count_t n = r->native ? (sf_count_t)file_native_read(r->native, r->raw, BLOCK_FRAMES)
	                         : sf_readf_short(r->sf, r->raw, BLOCK_FRAMES);
	r->at = 0;
	r->have = 0;
	if (n > 0) {
		channels_fit(r, (size_t)n);
		r->have = (size_t)n;
		return true;
	}
	if (!r->rs || r->is_flushed)
		return false;
	r->is_flushed = true;
	r->have = (size_t)((uint64_t)resample_latency(r->rs) * r->info.rate_hz / r->rate_hz) + 1;
	if (r->have > BLOCK_FRAMES)
		r->have = BLOCK_FRAMES;
	memset(r->block, 0, r->have * r->channels * sizeof(r->block[0]));
	return true;
}
int file_reader_read(struct file_reader *r, int16_t *out, size_t cap)
{
	const unsigned c = r->channels;
	size_t done = 0;
	if (cap > INT32_MAX / 2)
		cap = INT32_MAX / 2;
	while (done < cap) {
		size_t n = r->have - r->at, m;
		if (!n) {
			if (!fill(r))
				break;
			continue;
		}
		if (r->rs) {
			m = resample_run(r->rs, r->block + r->at * c, &n, out + done * c, cap - done);
		} else {
			m = n = n < cap - done ? n : cap - done;
			memcpy(out + done * c, r->block + r->at * c, n * c * sizeof(*out));
		}
		r->at += n;
		if (r->skip && m) {
			size_t drop = r->skip < m ? r->skip : m;
			memmove(out + done * c, out + (done + drop) * c, (m - drop) * c * sizeof(*out));
			r->skip -= drop;
			m -= drop;
		}
		done += m;
	}
	r->told += done;
	return (int)done;
}
int file_reader_seek(struct file_reader *r, uint64_t sample)
{
	uint64_t frame;
	if (sample > (uint64_t)1 << 48)
		sample = (uint64_t)1 << 48;
	frame = sample * r->info.rate_hz / r->rate_hz;
	if (r->info.frames && frame > r->info.frames)
		frame = r->info.frames;
	if (r->native ? file_native_seek(r->native, frame) : sf_seek(r->sf, (sf_count_t)frame, SEEK_SET) < 0)
		return ST_UNSUPPORTED;
	r->told = frame * r->rate_hz / r->info.rate_hz;
	r->at = r->have = 0;
	r->is_flushed = false;
	if (r->rs) {
		resample_reset(r->rs);
		r->skip = resample_latency(r->rs);
	}
	return ST_OK;
}

int file_read_all(const char *path, uint32_t rate_hz, size_t max_frames, struct file_pcm *out, char *err)
{
	return file_read_all_of(path, rate_hz, 1, max_frames, out, err);
}

int file_read_all_of(
    const char *path, uint32_t rate_hz, unsigned channels, size_t max_frames, struct file_pcm *out, char *err)
{
	struct file_reader *r = NULL;
	struct file_pcm pcm = {0};
	size_t cap;
	int st, n;

	if (!max_frames || max_frames > SIZE_MAX / 8)
		return ST_INVAL;
	if ((st = file_reader_open_of(&r, path, rate_hz, channels, err)))
		return st;
	pcm.rate_hz = r->rate_hz;
	/* A header may lie about the length: what it says is a first guess within the bound, no more. */
	cap = (size_t)(r->info.frames > max_frames ? max_frames : r->info.frames) * r->rate_hz / r->info.rate_hz + 64;
	for (;;) {
		int16_t *grown;
		if (cap > max_frames)
			cap = max_frames;
		grown = mem_realloc(pcm.samples, cap * channels * sizeof(*grown));
		if (!grown) {
			st = ST_NOMEM;
			break;
		}
		pcm.samples = grown;
		while (pcm.count < cap &&
		       (n = file_reader_read(r, pcm.samples + pcm.count * channels, cap - pcm.count)) > 0)
			pcm.count += (size_t)n;
		if (pcm.count < cap)
			break;
		if (cap == max_frames) {
			int16_t more[WANTED_MAX];
			pcm.is_cut = file_reader_read(r, more, 1) > 0;
			break;
		}
		cap *= 2;
	}
	file_reader_close(r);
	if (st) {
		mem_free(pcm.samples);
		return st;
	}
	*out = pcm;
	return ST_OK;
}
void file_pcm_free(struct file_pcm *pcm)
{
	mem_free(pcm->samples);
	*pcm = (struct file_pcm){0};
}
