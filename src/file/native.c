/* Files that are nothing but what a codec made, frame after frame, of a length that does not vary (mod_native_file's):
 * samples go in and out of the codec here. The last frame is filled up with silence; half a frame at the end of a file
 * is left out. Winding goes to the beginning of a frame with a decoder that begins anew, and reads on from there. */
#include "base/mem.h"
#include "codec/codec.h"
#include "file/file_i.h"
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_native {
	int fd; /* the owner's */
	struct codec_dec dec;
	struct codec_enc enc;
	uint32_t rate_hz;
	size_t bytes, samples; /* of a frame */
	uint64_t frames;       /* in the file, when it was opened */
	size_t at, have;       /* in pcm */
	uint8_t packed[CODEC_FRAME_BYTES_MAX];
	int16_t pcm[CODEC_FRAME_SAMPLES_MAX];
};

int file_native_open(struct file_native **out, int fd, const char *codec, uint32_t rate_hz, bool is_written, char *err)
{
	const struct codec_ops *ops = codec_find_rate(codec, 0, 1, rate_hz);
	size_t samples = ops ? codec_frame_samples(ops, ops->ptime_ms) : 0;
	size_t bytes = ops ? ops->frame_bytes(ops, ops->ptime_ms) : 0;
	struct file_native *f;
	struct stat sb;

	if (!samples || samples > CODEC_FRAME_SAMPLES_MAX || !bytes || bytes > CODEC_FRAME_BYTES_MAX) {
		file_say(err, "the codec %s is not there (is its module loaded?)", codec);
		return ST_UNSUPPORTED;
	}
	if (!(f = mem_zalloc(sizeof(*f))))
		return ST_NOMEM;
	f->fd = fd, f->rate_hz = ops->rate_hz, f->samples = samples, f->bytes = bytes;
	f->frames = fstat(fd, &sb) || sb.st_size < 0 ? 0 : (uint64_t)sb.st_size / bytes;
	int st = is_written ? codec_enc_open(&f->enc, ops, NULL) : codec_dec_open(&f->dec, ops, NULL);
	/* what is appended begins where the last whole frame ends */
	if (!st && is_written && lseek(fd, (off_t)(f->frames * bytes), SEEK_SET) < 0)
		st = ST_IO;
	if (st) {
		file_native_free(f);
		return st;
	}
	*out = f;
	return ST_OK;
}

void file_native_free(struct file_native *f)
{
	if (!f)
		return;
	codec_enc_close(&f->enc);
	codec_dec_close(&f->dec);
	mem_free(f);
}

uint32_t file_native_rate_hz(const struct file_native *f)
{
	return f->rate_hz;
}

uint64_t file_native_frames(const struct file_native *f)
{
	return f->frames * f->samples;
}

/* ---- out ---- */

static bool frame_read(struct file_native *f)
{
	size_t got = 0;
	ssize_t n = 0;
	if (!f->dec.ops) /* it could not be opened again */
		return false;
	while (got < f->bytes && ((n = read(f->fd, f->packed + got, f->bytes - got)) > 0 || (n < 0 && errno == EINTR)))
		got += n > 0 ? (size_t)n : 0;
	f->at = f->have = 0;
	if (got < f->bytes)
		return false;
	int made = codec_decode(&f->dec, f->packed, f->bytes, f->pcm, CODEC_FRAME_SAMPLES_MAX);
	f->have = f->samples;
	if (made < 0 || (size_t)made < f->samples) /* a damaged frame is a silent one: time goes on */
		memset(f->pcm, 0, f->samples * sizeof(f->pcm[0]));
	return true;
}

size_t file_native_read(struct file_native *f, int16_t *out, size_t cap)
{
	size_t done = 0;
	while (done < cap && (f->at < f->have || frame_read(f))) {
		size_t n = f->have - f->at < cap - done ? f->have - f->at : cap - done;
		memcpy(out + done, f->pcm + f->at, n * sizeof(*out));
		f->at += n, done += n;
	}
	return done;
}

int file_native_seek(struct file_native *f, uint64_t sample)
{
	const struct codec_ops *ops = f->dec.ops;
	uint64_t frame = sample / f->samples < f->frames ? sample / f->samples : f->frames;
	codec_dec_close(&f->dec);
	f->at = f->have = 0;
	int st = codec_dec_open(&f->dec, ops, NULL);
	if (st || lseek(f->fd, (off_t)(frame * f->bytes), SEEK_SET) < 0)
		return st ? st : ST_IO;
	if (frame < f->frames && frame_read(f))
		f->at = (size_t)(sample % f->samples);
	return ST_OK;
}

/* ---- in ---- */

static int frame_write(struct file_native *f)
{
	int n = codec_encode(&f->enc, f->pcm, f->samples, f->packed, sizeof(f->packed));
	f->have = 0;
	if (n < 0)
		return n;
	for (size_t done = 0; done < (size_t)n;) {
		ssize_t put = write(f->fd, f->packed + done, (size_t)n - done);
		if (put < 0 && errno != EINTR)
			return ST_IO;
		done += put > 0 ? (size_t)put : 0;
	}
	return ST_OK;
}

int file_native_write(struct file_native *f, const int16_t *s, size_t n)
{
	while (n) {
		size_t m = f->samples - f->have < n ? f->samples - f->have : n;
		memcpy(f->pcm + f->have, s, m * sizeof(*s));
		f->have += m, s += m, n -= m;
		int st = f->have == f->samples ? frame_write(f) : ST_OK;
		if (st)
			return st;
	}
	return ST_OK;
}

int file_native_end(struct file_native *f)
{
	if (!f->have)
		return ST_OK;
	memset(f->pcm + f->have, 0, (f->samples - f->have) * sizeof(f->pcm[0]));
	return frame_write(f);
}
