/* Sources turned into bytes of a codec, on workers: short ones whole into clips, long ones piece by piece into a ring
 * that a media thread reads. They are codecs that sound is stored in (codec_store). */
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "dsp/mix.h"
#include "dsp/noise.h"
#include "dsp/tone.h"
#include "file/file.h"
#include "media/ctl/ctl_i.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_SAMPLES = 2048, NOISE_SEED = 20 };

/* Of the files' channels as many as the codec has; what is made here has one. */
static unsigned channels_of(const struct codec_ops *codec)
{
	return codec_takes_two(codec, NULL) ? 2 : 1;
}

/* channels: of samples, 1 or those of the codec; count: frames. */
static int clip_of(
    struct rt_clip **out, const int16_t *samples, size_t count, unsigned channels, const struct codec_ops *codec)
{
	struct rt_clip *clip;
	struct codec_enc enc;
	size_t bytes = count * codec->sample_bytes;
	int st = codec_enc_open(&enc, codec, NULL);
	if (st)
		return st;
	st = rt_clip_new(&clip, bytes);
	if (st)
		goto out;
	for (size_t at = 0; at < count; at += CHUNK_SAMPLES) {
		size_t n = count - at < CHUNK_SAMPLES ? count - at : CHUNK_SAMPLES;
		size_t to = at * codec->sample_bytes;
		int got = channels == 2 ? codec_encode_two(&enc, samples + 2 * at, n, clip->bytes + to, bytes - to)
		                        : codec_encode(&enc, samples + at, n, clip->bytes + to, bytes - to);
		if (got < 0) {
			mem_unref(clip);
			st = got;
			goto out;
		}
	}
	*out = clip;
out:
	codec_enc_close(&enc);
	return st;
}

int gen_file_channels(const char *path, unsigned *channels)
{
	struct file_reader *reader;
	int st = file_reader_open(&reader, path, 0, NULL);
	if (st)
		return st;
	*channels = file_reader_info(reader)->channels;
	file_reader_close(reader);
	return ST_OK;
}

int gen_clip_of_file(
    struct rt_clip **out, const char *path, const struct codec_ops *codec, bool *is_long, unsigned *file_channels)
{
	const unsigned channels = channels_of(codec);
	char err[FILE_ERR_MAX] = "";
	struct file_pcm pcm = {0};
	struct file_reader *reader = NULL;
	int st = file_reader_open(&reader, path, 0, err);
	if (!st) {
		const struct file_info *info = file_reader_info(reader);
		*is_long = info->frames > (uint64_t)CLIP_MAX_S * info->rate_hz;
		*file_channels = info->channels;
		file_reader_close(reader);
		if (*is_long)
			return ST_OK;
		st = file_read_all_of(path, codec->rate_hz, channels, (size_t)CLIP_MAX_S * codec->rate_hz, &pcm, err);
	}
	if (st) {
		log_warning("media: %s: %s", path, err);
		return st;
	}
	*is_long = pcm.is_cut;
	if (!pcm.is_cut)
		st = clip_of(out, pcm.samples, pcm.count, channels, codec);
	file_pcm_free(&pcm);
	return st;
}

/* "path=/file[;loops=n]": the script is in a file. */
ON_WORK static int script_load(char **out, const char *text)
{
	struct sv rest = sv_of(text), path, loops;
	if (!sv_starts(rest, SV("path="))) {
		*out = mem_strdup(text);
		return *out ? ST_OK : ST_NOMEM;
	}
	bool has_loops = sv_split(sv_sub(rest, 5, rest.n), ';', &path, &loops);
	char *name = sv_dup(path);
	if (!name)
		return ST_NOMEM;
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	mem_free(name);
	if (fd < 0)
		return errno == ENOENT ? ST_NOTFOUND : ST_DENIED;
	char script[TONE_TEXT_MAX];
	ssize_t n = read(fd, script, sizeof(script));
	close(fd);
	if (n <= 0 || n == (ssize_t)sizeof(script))
		return ST_PARSE;
	struct buf b;
	buf_init(&b);
	(void)buf_addv(&b, sv_trim((struct sv){script, (size_t)n}));
	if (has_loops)
		(void)buf_printf(&b, ";%.*s", SVF(loops));
	*out = buf_take(&b);
	return ST_OK;
}

ON_WORK static int tone_open(struct tone **out, const char *text, uint32_t rate_hz, int loops)
{
	char *script;
	const char *err = "";
	int st = script_load(&script, text);
	if (st)
		return st;
	st = tone_new(out, script, rate_hz, loops, &err);
	if (st)
		log_warning("media: tone_stream://%s: %s", text, err);
	mem_free(script);
	return st;
}

int gen_clip_of_tone(
    struct rt_clip **out, const char *tgml, const struct codec_ops *codec, bool *is_endless, bool *is_long)
{
	struct tone *tone = NULL;
	int st = tone_open(&tone, tgml, codec->rate_hz, 0);
	if (st)
		return st;
	*is_endless = tone_is_endless(tone);
	if (*is_endless) { /* one turn, to be looped over */
		tone = mem_unref(tone);
		st = tone_open(&tone, tgml, codec->rate_hz, 1);
		if (st)
			return st;
	}
	uint64_t count = tone_samples(tone);
	*is_long = tone_is_endless(tone) || count > (uint64_t)CLIP_MAX_S * codec->rate_hz;
	int16_t *samples = *is_long ? NULL : mem_alloc((size_t)(count + 1) * sizeof(*samples));
	if (samples)
		st = clip_of(out, samples, tone_read(tone, samples, (size_t)count), 1, codec);
	else if (!*is_long)
		st = ST_NOMEM;
	mem_free(samples);
	mem_unref(tone);
	return st;
}

int gen_clip_of_noise(struct rt_clip **out, uint32_t ms, uint32_t divisor, const struct codec_ops *codec)
{
	struct noise noise;
	size_t count = (size_t)codec->rate_hz * ms / 1000;
	int16_t *samples = mem_alloc((count + 1) * sizeof(*samples));
	if (!samples)
		return ST_NOMEM;
	noise_init_divisor(&noise, divisor, NOISE_SEED);
	noise_fill(&noise, samples, count);
	int st = clip_of(out, samples, count, 1, codec);
	mem_free(samples);
	return st;
}

/* The parts one after the other, as long as it takes. */
struct gen {
	const struct codec_ops *codec;
	struct codec_enc enc;
	unsigned channels; /* of what is read */
	struct src src;
	int32_t loops_left;
	size_t part_now;
	bool is_open;
	unsigned empty_count; /* parts in a row that gave nothing */
	struct file_reader *reader;
	struct tone *tone;
	struct noise noise;
	uint64_t silence_left;
};

int gen_new(struct gen **out, const struct src *src, int32_t loops, const struct codec_ops *codec)
{
	struct gen *g = mem_zalloc(sizeof(*g));
	if (!g)
		return ST_NOMEM;
	int st = codec_enc_open(&g->enc, codec, NULL);
	if (st) {
		mem_free(g);
		return st;
	}
	g->codec = codec, g->channels = channels_of(codec);
	g->loops_left = loops;
	for (size_t i = 0; i < src->count; i++) {
		const struct src_part *from = &src->parts[i];
		g->src.parts[i] = *from;
		g->src.parts[i].text = mem_strdup(from->path ? from->path : from->text);
		g->src.parts[i].path = g->src.parts[i].known = NULL;
		g->src.count++;
		if (!g->src.parts[i].text) {
			gen_free(g);
			return ST_NOMEM;
		}
	}
	*out = g;
	return ST_OK;
}

ON_WORK static void part_close(struct gen *g)
{
	file_reader_close(g->reader);
	g->reader = NULL;
	g->tone = mem_unref(g->tone);
	g->is_open = false;
}

ON_WORK static void part_open(struct gen *g)
{
	const struct src_part *p = &g->src.parts[g->part_now];
	char err[FILE_ERR_MAX] = "";
	g->silence_left = 0;
	g->is_open = true;
	switch (p->kind) {
	case SRC_FILE:
	case SRC_NAME:
	case SRC_URL:
		if (file_reader_open_of(&g->reader, p->text, g->codec->rate_hz, g->channels, err))
			log_warning("media: %s: %s", p->text, err);
		else if (p->start_samples && file_reader_seek(g->reader, p->start_samples))
			log_warning("media: %s: it cannot be begun in the middle", p->text);
		break;
	case SRC_TONE:
		(void)tone_open(&g->tone, p->text, g->codec->rate_hz, 0);
		break;
	case SRC_SILENCE:
		g->silence_left = p->ms < 0 ? UINT64_MAX : (uint64_t)p->ms * g->codec->rate_hz / 1000;
		noise_init_divisor(&g->noise, p->noise, NOISE_SEED);
		break;
	case SRC_LOCAL:
	case SRC_ROW: /* never in a row */
		break;
	}
}

/* n frames, out has room for them in the channels of g. */
ON_WORK static size_t part_read(struct gen *g, int16_t *out, size_t n)
{
	if (g->reader) {
		int got = file_reader_read(g->reader, out, n);
		return got < 0 ? 0 : (size_t)got;
	}
	if (g->tone) {
		n = tone_read(g->tone, out, n);
	} else {
		if (n > g->silence_left)
			n = (size_t)g->silence_left;
		noise_fill(&g->noise, out, n);
		g->silence_left -= g->silence_left == UINT64_MAX ? 0 : n;
	}
	if (g->channels == 2)
		mix_double(out, out, n);
	return n;
}

/* 0 at the end of everything. */
ON_WORK static size_t gen_read(struct gen *g, int16_t *out, size_t n)
{
	while (g->empty_count <= g->src.count) {
		if (g->part_now == g->src.count) {
			if (!g->loops_left)
				return 0;
			g->loops_left -= g->loops_left > 0;
			g->part_now = 0;
		}
		if (!g->is_open)
			part_open(g);
		size_t got = part_read(g, out, n);
		if (got) {
			g->empty_count = 0;
			return got;
		}
		g->empty_count++;
		part_close(g);
		g->part_now++;
	}
	return 0;
}

int gen_fill(struct gen *g, struct rt_ring *r, uint64_t until)
{
	int16_t pcm[2 * CHUNK_SAMPLES];
	uint8_t bytes[4 * CHUNK_SAMPLES];
	size_t per = g->codec->sample_bytes;
	uint64_t written;
	while ((written = atomic_load_explicit(&r->written, memory_order_relaxed)) < until) {
		size_t room = (size_t)(until - written) / per;
		size_t got = room ? gen_read(g, pcm, room < CHUNK_SAMPLES ? room : CHUNK_SAMPLES) : 0;
		if (!room)
			break;
		if (!got) {
			atomic_store_explicit(&r->is_ended, true, memory_order_release);
			break;
		}
		int n = g->channels == 2 ? codec_encode_two(&g->enc, pcm, got, bytes, sizeof(bytes))
		                         : codec_encode(&g->enc, pcm, got, bytes, sizeof(bytes));
		if (n < 0)
			return n;
		rt_ring_write(r, bytes, (size_t)n);
	}
	return ST_OK;
}

void gen_free(struct gen *g)
{
	if (!g)
		return;
	part_close(g);
	src_fini(&g->src);
	codec_enc_close(&g->enc);
	mem_free(g);
}
