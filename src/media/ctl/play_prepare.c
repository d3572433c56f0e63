/* A file, a tone or a prompt that somebody speaks first may take any time to come, and nobody waits for it but the
 * play. So a worker job makes the source's parts, from the cache where it has them; what is not there the finder is
 * asked for, and the job runs again; a row is played without the parts that nobody has. A source with a long part gets
 * a ring of four seconds instead, which workers write (refilled by play.c). local_stream:// joins the shared ring of
 * that name. */
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "file/file.h"
#include "loop/work.h"
#include "media/ctl/play_i.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { RING_MS = 4000, NOISE_MS = 2000 };

mctl_find_fn play_finder, play_url_finder;

struct play_ask {        /* the finder's until it answers */
	struct mplay *p; /* NULL: nobody waits any more */
	size_t part;
};

/* ---- on a worker: the parts ---- */

static int64_t mtime_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

static bool is_fresh(const struct clip_ref *ref, const struct stat *st)
{
	return ref->clip && ref->mtime_ns == mtime_of(st) && ref->file_bytes == (uint64_t)st->st_size;
}

ON_WORK static int prepare_file(struct mplay *p, size_t i, struct rt_part *part)
{
	struct clip_ref *ref = &p->refs[i];
	unsigned channels = 1;
	struct stat st;
	if (stat(p->src.parts[i].path, &st))
		return ST_NOTFOUND;
	if (!is_fresh(ref, &st)) {
		ref->clip = mem_unref(ref->clip);
		int status = gen_clip_of_file(&ref->clip, p->src.parts[i].path, p->ops, &p->is_long, &channels);
		if (status || p->is_long)
			return status;
		ref->mtime_ns = mtime_of(&st), ref->file_bytes = (uint64_t)st.st_size;
		ref->file_channels = (uint8_t)channels;
		p->is_new[i] = true;
	}
	part->kind = RT_PART_CLIP;
	part->clip = mem_ref(ref->clip);
	part->bytes_count = ref->clip->bytes_count;
	part->start_bytes = p->src.parts[i].start_samples * p->play->bytes_per_sample;
	if (part->start_bytes > part->bytes_count)
		part->start_bytes = part->bytes_count;
	return ST_OK;
}

/* Noise is made once, for two seconds, and goes round. */
ON_WORK static int prepare_silence(struct mplay *p, const struct src_part *from, struct rt_part *part)
{
	uint64_t ms = from->ms < 0 ? NOISE_MS : (uint64_t)from->ms;
	part->is_endless = from->ms < 0;
	part->kind = from->noise && ms ? RT_PART_CLIP : RT_PART_SILENCE;
	part->bytes_count = ms * p->codec.rate_hz / 1000 * p->play->bytes_per_sample;
	if (part->kind == RT_PART_SILENCE)
		return ST_OK;
	return gen_clip_of_noise(&part->clip, ms < NOISE_MS ? (uint32_t)ms : NOISE_MS, from->noise, p->ops);
}

ON_WORK static int prepare_part(struct mplay *p, size_t i)
{
	const struct src_part *from = &p->src.parts[i];
	struct rt_part *part = &p->play->parts[i];
	int st = ST_INVAL;
	switch (from->kind) {
	case SRC_FILE:
	case SRC_NAME:
	case SRC_URL:
		if (!p->is_missing[i])
			return prepare_file(p, i, part);
		part->kind = RT_PART_SILENCE; /* of no length */
		return ST_OK;
	case SRC_SILENCE:
		return prepare_silence(p, from, part);
	case SRC_TONE:
		st = gen_clip_of_tone(&part->clip, from->text, p->ops, &part->is_endless, &p->is_long);
		part->kind = RT_PART_CLIP;
		part->bytes_count = part->clip ? part->clip->bytes_count : 0;
		return st;
	case SRC_LOCAL:
		return ST_OK; /* control fills it in */
	case SRC_ROW:         /* has become its parts */
		break;
	}
	return st;
}

/* One ring instead of parts. */
ON_WORK static int prepare_long(struct mplay *p)
{
	for (size_t i = 0; i < p->play->part_count; i++) {
		mem_unref(p->play->parts[i].clip);
		memset(&p->play->parts[i], 0, sizeof(p->play->parts[i]));
	}
	p->play->part_count = 1;
	p->play->loops_left = 0;
	int st = rt_ring_new(&p->ring, (size_t)p->codec.rate_hz * RING_MS / 1000 * p->play->bytes_per_sample);
	if (!st)
		st = gen_new(&p->gen, &p->src, p->loops_left, p->ops);
	if (!st)
		st = gen_fill(p->gen, p->ring, p->ring->cap);
	p->play->parts[0] = (struct rt_part){.kind = RT_PART_RING, .ring = mem_ref(p->ring)};
	return st;
}

static bool is_file(const struct src_part *part)
{
	return part->kind == SRC_FILE || part->kind == SRC_NAME || part->kind == SRC_URL;
}

ON_WORK static bool find_with(const struct mplay *p, struct src_part *part, const char *ext, char path[FILE_PATH_MAX])
{
	char with_ext[FILE_PATH_MAX];
	struct stat st;
	int n = snprintf(with_ext, sizeof(with_ext), "%s.%s", part->text, ext);
	if (n >= (int)sizeof(with_ext) || file_locate(with_ext, p->codec.rate_hz, path, FILE_PATH_MAX) ||
	    stat(path, &st))
		return false;
	snprintf(part->ext, sizeof(part->ext), "%s", ext);
	return true;
}

/* The file a text means: of the codec's rate where there are several. Without an extension it is one in the codec
 * itself, where files of that are read here, then one of native_backup_extension, as in FreeSWITCH. */
ON_WORK static bool find_file(const struct mplay *p, struct src_part *part, char path[FILE_PATH_MAX])
{
	const char *slash = strrchr(part->text, '/'), *name = slash ? slash : part->text;
	char own[EXT_MAX + 8];
	struct stat st;
	if (!file_locate(part->text, p->codec.rate_hz, path, FILE_PATH_MAX) && !stat(path, &st))
		return true;
	if (strchr(name, '.'))
		return false;
	snprintf(own, sizeof(own), "x.%s", p->own_ext);
	return (file_format_of(own) && find_with(p, part, p->own_ext, path)) || find_with(p, part, p->backup_ext, path);
}

/* Finds the files; how many are not there. */
ON_WORK static size_t mplay_locate(struct mplay *p)
{
	size_t count = 0;
	for (size_t i = 0; i < p->src.count; i++) {
		struct src_part *part = &p->src.parts[i];
		char path[FILE_PATH_MAX];
		struct stat st;
		p->is_missing[i] = false;
		if (!is_file(part))
			continue;
		if (part->path) {
			p->is_missing[i] = stat(part->path, &st) != 0;
		} else if (part->kind == SRC_FILE && find_file(p, part, path)) {
			part->path = mem_strdup(path);
			p->is_missing[i] = !part->path;
		} else if (part->kind != SRC_URL && part->known && !stat(part->known, &st)) {
			part->path = mem_strdup(part->known);
			p->is_missing[i] = !part->path;
		} else {
			p->is_missing[i] = true;
		}
		if (p->is_missing[i] && p->is_asked)
			log_warning("media: there is no %s", part->text);
		count += p->is_missing[i];
	}
	return count;
}

/* Of what is kept it is known, the others are looked into. */
ON_WORK static bool has_two(const struct mplay *p)
{
	for (size_t i = 0; i < p->src.count; i++) {
		const struct clip_ref *ref = &p->refs[i];
		unsigned channels = 1;
		struct stat st;
		if (!is_file(&p->src.parts[i]) || p->is_missing[i] || stat(p->src.parts[i].path, &st))
			continue;
		if (is_fresh(ref, &st))
			channels = ref->file_channels;
		else if (gen_file_channels(p->src.parts[i].path, &channels))
			channels = 1; /* who reads it says why */
		if (channels == 2)
			return true;
	}
	return false;
}

static void prepare_job(void *arg)
{
	role_assert_work();
	struct mplay *p = arg;
	size_t missing_count = mplay_locate(p);
	if (missing_count && !p->is_asked)
		return;
	p->is_two = p->may_be_two && (p->is_local_two || has_two(p));
	if (p->is_two)
		return;
	if (missing_count == p->src.count)
		p->status = ST_NOTFOUND;
	for (size_t i = 0; i < p->src.count && !p->status && !p->is_long; i++)
		p->status = prepare_part(p, i);
	if (!p->status && p->is_long)
		p->status = prepare_long(p);
}

/* ---- between jobs ---- */

void mplay_clips_get(struct mplay *p)
{
	for (size_t i = 0; i < p->src.count; i++)
		if (is_file(&p->src.parts[i]))
			p->refs[i] = clips_get(p->src.parts[i].text, &p->codec, &p->src.parts[i].known);
}

static void local_ready(int status, struct lring *r, void *arg)
{
	role_assert_ctl();
	struct mplay *p = arg;
	p->is_job_running = false;
	p->local = r;
	if (status) {
		mplay_failed(p, status);
		return;
	}
	for (size_t i = 0; i < p->src.count; i++)
		if (p->src.parts[i].kind == SRC_LOCAL)
			p->play->parts[i] = (struct rt_part){
			    .kind = RT_PART_CLOCK, .ring = mem_ref(lring_ring(r)), .clock_start_us = lring_start_us(r)};
	mplay_to_media(p);
}

static const char *local_name(const struct mplay *p)
{
	for (size_t i = 0; i < p->src.count; i++)
		if (p->src.parts[i].kind == SRC_LOCAL)
			return p->src.parts[i].text;
	return NULL;
}

static void mplay_prepared(int status, void *arg);

int mplay_prepare(struct mplay *p)
{
	const char *name = p->may_be_two ? local_name(p) : NULL;
	p->is_local_two = name && lring_has_two(name, p->codec.rate_hz);
	p->is_job_running = true;
	mctl.job_count++;
	int st = work_submit(WORK_SOUND, "media.play.prepare", prepare_job, mplay_prepared, p);
	if (st) {
		mctl.job_count--;
		p->is_job_running = false;
	}
	return st;
}

static void mplay_found(int status, const char *path, void *arg)
{
	role_assert_ctl();
	struct play_ask *ask = arg;
	struct mplay *p = ask->p;
	mctl.job_count--;
	if (p) {
		struct src_part *part = &p->src.parts[ask->part];
		if (!status) {
			mem_free(part->known);
			part->path = mem_strdup(path);
			part->known = mem_strdup(path);
		}
		p->asks[ask->part] = NULL;
		if (!--p->ask_count) {
			int st = mplay_prepare(p);
			if (st)
				mplay_failed(p, st);
		}
	}
	mem_free(ask);
}

/* Asks for what is missing; false when nobody is asked. */
ON_CTL static bool ask_finder(struct mplay *p)
{
	p->is_asked = true;
	for (size_t i = 0; i < p->src.count; i++) {
		mctl_find_fn finder = p->src.parts[i].kind == SRC_URL ? play_url_finder : play_finder;
		struct play_ask *ask = finder && p->is_missing[i] ? mem_alloc(sizeof(*ask)) : NULL;
		if (!ask)
			continue;
		*ask = (struct play_ask){p, i};
		if (finder(p->src.parts[i].text, p->codec.rate_hz, mplay_found, ask)) {
			mem_free(ask);
			continue;
		}
		p->asks[i] = ask;
		p->ask_count++;
		mctl.job_count++;
	}
	return p->ask_count > 0;
}

bool mplay_asks_leave(struct mplay *p)
{
	if (!p->ask_count)
		return false;
	for (size_t i = 0; i < p->src.count; i++)
		if (p->asks[i])
			p->asks[i]->p = NULL;
	return true;
}

void mctl_set_url_finder(mctl_find_fn fn)
{
	play_url_finder = fn;
}

void mctl_set_finder(mctl_find_fn fn)
{
	play_finder = fn;
	clips_forget_found();
}

/* A part's sound that was read goes into the cache; or is given up, when another caller's play has put it there
 * meanwhile: a thousand who begin at once hear one. */
ON_CTL static void clip_share(struct mplay *p, size_t i)
{
	struct clip_ref *ref = &p->refs[i];
	char *found = NULL;
	struct clip_ref kept = clips_get(p->src.parts[i].text, &p->codec, &found);
	mem_free(found);
	if (!kept.clip || kept.mtime_ns != ref->mtime_ns || kept.file_bytes != ref->file_bytes) {
		mem_unref(kept.clip);
		clips_put(p->src.parts[i].text, &p->codec, ref, p->src.parts[i].known);
		return;
	}
	struct rt_part *part = &p->play->parts[i]; /* a ring may have come in its place */
	if (part->clip == ref->clip) {
		mem_unref(part->clip);
		part->clip = mem_ref(kept.clip);
	}
	mem_unref(ref->clip);
	*ref = kept;
}

static bool any_missing(const struct mplay *p)
{
	for (size_t i = 0; i < p->src.count; i++)
		if (p->is_missing[i])
			return true;
	return false;
}

/* The phone takes two channels and a file has them: all of the play is in two, each part on both sides that has one. */
ON_CTL static int two_begin(struct mplay *p)
{
	p->may_be_two = false;
	int st =
	    mplay_store_set(p, codec_find(p->ops->name, p->ops->clock_hz, 2)); /* which mplay_new saw that there is */
	for (size_t i = 0; i < p->src.count && !st; i++) {
		char *known = NULL;
		if (!is_file(&p->src.parts[i]))
			continue;
		mem_unref(p->refs[i].clip);
		p->refs[i] = clips_get(p->src.parts[i].text, &p->codec, &known);
		mem_free(known);
	}
	return st ? st : mplay_prepare(p);
}

static void mplay_prepared(int status, void *arg)
{
	role_assert_ctl();
	struct mplay *p = arg;
	mctl.job_count--;
	p->is_job_running = false;
	if (!p->status)
		p->status = status;
	if (!p->status && !p->is_cancelled && !p->is_asked && any_missing(p)) {
		if (ask_finder(p))
			return;
		int st = mplay_prepare(p);
		if (!st)
			return; /* the job has p->status now */
		p->status = st;
	}
	if (!p->status && !p->is_cancelled && p->may_be_two && p->is_two) {
		int st = two_begin(p);
		if (!st)
			return;
		p->status = st;
	}
	for (size_t i = 0; i < p->src.count && !p->status; i++)
		if (p->is_new[i] && p->refs[i].clip)
			clip_share(p, i);
	const char *name = local_name(p);
	if (p->status || p->is_cancelled) {
		mplay_failed(p, p->status ? p->status : ST_CANCELLED);
	} else if (name) {
		p->is_job_running = true;
		int st = lring_join(name, &p->codec, local_ready, p);
		if (st)
			p->is_job_running = false, mplay_failed(p, st);
	} else {
		mplay_to_media(p);
	}
}
