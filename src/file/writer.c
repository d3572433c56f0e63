/* Writing: what is given (mono or stereo at the caller's rate) -> the file's channels -> the file's rate -> libsndfile,
 * in small blocks. New files take the caller's shape; appended ones and 8-kHz-only formats keep theirs. */
#include "base/mem.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "file/file_i.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_FRAMES = 1024, OUT_FRAMES_MAX = BLOCK_FRAMES * 48 };

struct file_writer {
	bool has_header_to_update;
	int fd;
	SNDFILE *sf; /* NULL: native */
	struct file_native *native;
	uint32_t rate_hz, file_rate_hz;
	unsigned channels, file_channels;
	struct resample *rs;
	uint64_t frames;
	int first_error;
	int16_t mapped[BLOCK_FRAMES * FILE_CHANNELS_MAX];
	int16_t *resampled; /* resample_bound(BLOCK_FRAMES) frames */
	size_t resampled_cap;
};

static void writer_free(void *obj)
{
	struct file_writer *w = obj;
	if (w->sf)
		sf_close(w->sf);
	file_native_free(w->native);
	if (w->fd >= 0)
		close(w->fd);
	mem_unref(w->rs);
	mem_free(w->resampled);
}
static void make_dirs(const char *path)
{
	char dir[FILE_PATH_MAX];
	size_t n = strlen(path);

	memcpy(dir, path, n + 1);
	for (size_t i = 1; i < n; i++) {
		if (dir[i] != '/')
			continue;
		dir[i] = 0;
		mkdir(dir, 0750); /* open tells what is wrong */
		dir[i] = '/';
	}
}
static int open_regular(const char *path, bool is_append, int *fd_out, bool *is_empty, char *err)
{
	struct stat sb;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640), st;

	if (fd < 0 && errno == ENOENT) {
		make_dirs(path);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	}
	if (fd < 0) {
		st = file_status_of_errno(errno);
		file_say(err, "cannot write %.90s: %s", path, strerror(errno));
		return st;
	}
	if (fstat(fd, &sb) || !S_ISREG(sb.st_mode)) {
		close(fd);
		file_say(err, "%.90s is not a regular file", path);
		return ST_DENIED;
	}
	*is_empty = sb.st_size == 0;
	if (!is_append && !*is_empty) {
		if (ftruncate(fd, 0)) {
			st = file_status_of_errno(errno);
			file_say(err, "cannot empty %.90s: %s", path, strerror(errno));
			close(fd);
			return st;
		}
		*is_empty = true;
	}
	*fd_out = fd;
	return ST_OK;
}
/* libsndfile knows no bit rate but a level, 0 for the highest rate of a format and 1 for the lowest. */
static void bit_rate_set(SNDFILE *sf, const SF_INFO *si, const struct file_writer_conf *conf)
{
	bool is_mp3 = (si->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_MPEG;
	double low = is_mp3 && si->samplerate >= 32000 ? 32 : is_mp3 ? 8 : 6;
	double high = !is_mp3 ? 256 : si->samplerate >= 32000 ? 320 : si->samplerate >= 16000 ? 160 : 64;
	double rate = conf->bit_rate_kbps, level;
	int mode = conf->is_constant_rate ? SF_BITRATE_MODE_CONSTANT : SF_BITRATE_MODE_AVERAGE;

	if (!is_mp3 && (si->format & SF_FORMAT_SUBMASK) != SF_FORMAT_OPUS)
		return;
	if (!is_mp3)
		rate /= si->channels;
	rate = rate < low ? low : rate > high ? high : rate;
	level = (high - rate) / (high - low);
	if (is_mp3)
		sf_command(sf, SFC_SET_BITRATE_MODE, &mode, sizeof(mode));
	sf_command(sf, SFC_SET_COMPRESSION_LEVEL, &level, sizeof(level));
}

static int open_sound(
    struct file_writer *w, const char *path, bool is_new, const struct file_writer_conf *conf, char *err)
{
	struct file_sf_kind kind;
	SF_INFO si = {0};

	if (!file_sf_kind_of(path, &kind))
		kind.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
	if (kind.codec) {
		int st = file_native_open(&w->native, w->fd, kind.codec, w->rate_hz, true, err);
		w->file_rate_hz = st ? 0 : file_native_rate_hz(w->native);
		w->file_channels = 1;
		return st;
	}
	if (is_new || kind.is_headerless)
		si = (SF_INFO){.format = kind.format,
		    .channels = kind.is_8k_mono ? 1 : (int)(conf->file_channels ? conf->file_channels : w->channels),
		    .samplerate = kind.is_8k_mono ? 8000 : (int)(conf->file_rate_hz ? conf->file_rate_hz : w->rate_hz)};
	if (is_new && !sf_format_check(&si)) {
		file_say(err, "%.80s: this format cannot hold %d channels at %d Hz", path, si.channels, si.samplerate);
		return ST_UNSUPPORTED;
	}
	w->sf = sf_open_fd(w->fd, is_new ? SFM_WRITE : SFM_RDWR, &si, SF_FALSE);
	if (!w->sf) {
		file_say(err, "cannot %s %.80s: %.50s", is_new ? "begin" : "append to", path, sf_strerror(NULL));
		return ST_UNSUPPORTED;
	}
	if (si.channels < 1 || si.channels > FILE_CHANNELS_MAX || si.samplerate < 1000 || si.samplerate > 192000) {
		file_say(err, "%.80s has %d channels at %d Hz", path, si.channels, si.samplerate);
		return ST_UNSUPPORTED;
	}
	if (!is_new && sf_seek(w->sf, 0, SEEK_END) < 0) {
		file_say(err, "cannot append to %.80s: %.50s", path, sf_strerror(w->sf));
		return ST_UNSUPPORTED;
	}
	w->file_rate_hz = (uint32_t)si.samplerate;
	w->file_channels = (unsigned)si.channels;
	/* An Ogg stream begins with its headers: asked to update them, libsndfile writes them once more, in the middle.
	 */
	w->has_header_to_update = (si.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_OGG;
	sf_command(w->sf, SFC_SET_CLIPPING, NULL, SF_TRUE);
	if (is_new && conf->bit_rate_kbps)
		bit_rate_set(w->sf, &si, conf);
	for (int i = 0; is_new && i < FILE_TAG_COUNT; i++)
		if (conf->tags[i])
			sf_set_string(w->sf, file_sf_tags[i], conf->tags[i]);
	return ST_OK;
}
static int make_converter(struct file_writer *w)
{
	int st;
	if (w->rate_hz == w->file_rate_hz)
		return ST_OK;
	if ((st = resample_new(&w->rs, w->rate_hz, w->file_rate_hz, w->file_channels)))
		return st;
	w->resampled_cap = resample_bound(w->rs, BLOCK_FRAMES);
	if (w->resampled_cap > OUT_FRAMES_MAX)
		return ST_UNSUPPORTED;
	w->resampled = mem_alloc(w->resampled_cap * w->file_channels * sizeof(*w->resampled));
	return w->resampled ? ST_OK : ST_NOMEM;
}

int file_writer_open(struct file_writer **out, const char *path, const struct file_writer_conf *conf, char *err)
{
	struct file_writer *w;
	bool is_empty = true;
	int st, fd = -1;

	if ((st = file_path_check(path, err)))
		return st;
	const char *slash = strrchr(path, '/'), *ext = strrchr(slash ? slash : path, '.');
	if (ext && !file_format_of(path)) { /* before there is a file */
		file_say(err, "%.80s: no file format has this extension", path);
		return ST_UNSUPPORTED;
	}
	if (conf->file_channels > 2 || conf->file_rate_hz > 192000) {
		file_say(
		    err, "a file of %u channels at %u Hz cannot be written", conf->file_channels, conf->file_rate_hz);
		return ST_INVAL;
	}
	if (conf->channels > 2 || (conf->rate_hz && (conf->rate_hz < 1000 || conf->rate_hz > 192000))) {
		file_say(err, "%u channels at %u Hz cannot be recorded", conf->channels, conf->rate_hz);
		return ST_INVAL;
	}
	if ((st = open_regular(path, conf->is_append, &fd, &is_empty, err)))
		return st;
	w = mem_new(sizeof(*w), writer_free, "file.writer");
	if (!w) {
		close(fd);
		return ST_NOMEM;
	}
	w->fd = fd;
	w->rate_hz = conf->rate_hz ? conf->rate_hz : 8000;
	w->channels = conf->channels ? conf->channels : 1;
	st = open_sound(w, path, is_empty, conf, err);
	if (!st)
		st = make_converter(w);
	if (st) {
		mem_unref(w);
		return st;
	}
	*out = w;
	return ST_OK;
}

/* At most BLOCK_FRAMES of the caller's channels to the file's; borrowed in or w->mapped. */
static const int16_t *map_channels(struct file_writer *w, const int16_t *s, size_t n)
{
	if (w->channels == w->file_channels)
		return s;
	if (w->file_channels == 1) {
		mix_downmix(w->mapped, s, n, w->channels);
		return w->mapped;
	}
	/* Mono goes to every channel; stereo to the first two and silence to the others. */
	for (size_t i = 0; i < n; i++)
		for (unsigned c = 0; c < w->file_channels; c++)
			w->mapped[i * w->file_channels + c] = w->channels == 1 ? s[i] : c < 2 ? s[i * 2 + c] : 0;
	return w->mapped;
}
static int put(struct file_writer *w, const int16_t *s, size_t n)
{
	if (w->native ? !file_native_write(w->native, s, n) : sf_writef_short(w->sf, s, (sf_count_t)n) == (sf_count_t)n)
		return ST_OK;
	if (!w->first_error)
		w->first_error = ST_IO;
	return ST_IO;
}
int file_writer_write(struct file_writer *w, const int16_t *s, size_t frames)
{
	while (frames) {
		size_t n = frames < BLOCK_FRAMES ? frames : BLOCK_FRAMES, used = n, m;
		const int16_t *in = map_channels(w, s, n);
		int st;
		if (w->rs) {
			m = resample_run(w->rs, in, &used, w->resampled, w->resampled_cap);
			st = put(w, w->resampled, m);
		} else {
			st = put(w, in, n);
		}
		if (st)
			return st;
		w->frames += n;
		s += n * w->channels;
		frames -= n;
	}
	return ST_OK;
}
int file_writer_sync(struct file_writer *w)
{
	if (w->native) {
		(void)fsync(w->fd);
		return w->first_error;
	}
	if (w->has_header_to_update)
		sf_command(w->sf, SFC_UPDATE_HEADER_NOW, NULL, 0);
	sf_write_sync(w->sf);
	return w->first_error;
}
uint64_t file_writer_frames(const struct file_writer *w)
{
	return w->frames;
}
int file_writer_close(struct file_writer *w, char *err)
{
	int st;
	if (!w)
		return ST_OK;
	st = w->first_error;
	int ended = w->native ? file_native_end(w->native) : sf_close(w->sf);
	if (ended && !st)
		st = ST_IO;
	w->sf = NULL;
	if (close(w->fd) && !st)
		st = ST_IO;
	w->fd = -1;
	if (st)
		file_say(err, "the disk refused some of the recording");
	mem_unref(w);
	return st;
}
