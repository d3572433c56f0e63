/* A file, a tone or a prompt that somebody speaks first may take any time to come, and nobody waits for it but the
 * play: a worker job prepares the source's parts (from the cache where it has them), then the play goes to the media
 * thread; the way is drawn above struct mplay. Files that are not there the finder is asked for; a row is played
 * without the parts that nobody has. A source with a long part is written by workers into a ring of four seconds
 * instead, refilled whenever the media thread has read half. local_stream:// joins the shared ring of that name. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "file/file.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/ctl_i.h"
#include "text/mark.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { RING_MS = 4000, NOISE_MS = 2000 };

mctl_find_fn play_finder, play_url_finder;

struct mplay;
struct ask {             /* the finder's until it answers */
	struct mplay *p; /* NULL: nobody waits any more */
	size_t part;
};
enum { EARLY_SETS_MAX = 8 };
/* PREPARING: job -> (files are missing: the finder is asked, job again) -> (local stream: its ring is joined) ->
 * ON_MEDIA: the rt_play is lent, refills are jobs -> DONE: it came back, or never went. The play of a tap goes to tap.c
 * instead of the media thread (displace_ready). Freed when no job holds it. The whole way is drawn above struct
 * rt_part. */
enum mplay_phase { PHASE_PREPARING, PHASE_ON_MEDIA, PHASE_DONE };
struct mplay {
	struct lnode link; /* in the stream's plays */
	struct mstream *s; /* a reference */
	uint32_t id;
	enum mplay_phase phase;
	bool is_cancelled;
	uint32_t tap_id; /* for a displaced side: the tap that wants it, else 0 */
	struct media_codec codec;
	const struct codec_ops *ops;
	struct src src;
	int32_t loops_left;
	/* the worker's while a job runs */
	bool is_job_running, is_refill_wanted;
	int status;
	struct rt_play *play;
	struct clip_ref refs[PARTS_MAX]; /* of the cache, or new ones to go into it */
	bool is_new[PARTS_MAX], is_missing[PARTS_MAX];
	bool is_long;
	struct gen *gen;
	struct rt_ring *ring;
	struct lring *local;
	struct ask *asks[PARTS_MAX];
	size_t ask_count;
	bool is_asked;
	struct ldefer cancel_defer;
	struct {
		enum media_play_op op;
		int32_t value;
	} early_sets[EARLY_SETS_MAX]; /* asked for before media had the play */
	size_t early_set_count;
};

static int64_t mtime_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec;
}

ON_WORK static int prepare_file(struct mplay *p, size_t i, struct rt_part *part)
{
	struct clip_ref *ref = &p->refs[i];
	struct stat st;
	if (stat(p->src.parts[i].path, &st))
		return ST_NOTFOUND;
	if (!ref->clip || ref->mtime_ns != mtime_of(&st) || ref->file_bytes != (uint64_t)st.st_size) {
		ref->clip = mem_unref(ref->clip);
		int status = gen_clip_of_file(&ref->clip, p->src.parts[i].path, p->ops, &p->is_long);
		if (status || p->is_long)
			return status;
		ref->mtime_ns = mtime_of(&st), ref->file_bytes = (uint64_t)st.st_size;
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

static bool any_missing(const struct mplay *p)
{
	for (size_t i = 0; i < p->src.count; i++)
		if (p->is_missing[i])
			return true;
	return false;
}

/* The file a text means: of the codec's rate where there are several; without an extension a wav. */
ON_WORK static bool find_file(const struct mplay *p, const char *text, char path[FILE_PATH_MAX])
{
	const char *slash = strrchr(text, '/');
	char with_ext[FILE_PATH_MAX];
	struct stat st;
	if (!file_locate(text, p->codec.rate_hz, path, FILE_PATH_MAX) && !stat(path, &st))
		return true;
	if (strchr(slash ? slash : text, '.') || strlen(text) + 5 > sizeof(with_ext))
		return false;
	sprintf(with_ext, "%s.wav", text);
	return !file_locate(with_ext, p->codec.rate_hz, path, FILE_PATH_MAX) && !stat(path, &st);
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
		} else if (part->kind == SRC_FILE && find_file(p, part->text, path)) {
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

static void prepare_job(void *arg)
{
	role_assert_work();
	struct mplay *p = arg;
	size_t missing_count = mplay_locate(p);
	if (missing_count && !p->is_asked)
		return;
	if (missing_count == p->src.count)
		p->status = ST_NOTFOUND;
	for (size_t i = 0; i < p->src.count && !p->status && !p->is_long; i++)
		p->status = prepare_part(p, i);
	if (!p->status && p->is_long)
		p->status = prepare_long(p);
}

static void free_job(void *arg)
{
	role_assert_work();
	gen_free(arg); /* closes a file */
}

static void job_over(int status, void *arg)
{
	role_assert_ctl();
	mctl.job_count--;
}

ON_CTL static void mplay_free(struct mplay *p)
{
	loop_defer_cancel(&p->cancel_defer);
	if (p->gen) {
		mctl.job_count++;
		if (work_submit(WORK_SOUND, "media.play.close", free_job, job_over, p->gen))
			mctl.job_count--;
	}
	for (size_t i = 0; i < p->src.count; i++)
		mem_unref(p->refs[i].clip);
	src_fini(&p->src);
	rt_play_free(p->play);
	mem_unref(p->ring);
	if (p->local)
		lring_leave(p->local);
	list_remove(&p->link);
	struct mstream *s = p->s;
	mem_free(p);
	mem_unref(s);
}

/* Tells the owner, and frees when no job holds the play. */
ON_CTL static void mplay_done(struct mplay *p, int status)
{
	struct media_report r = {
	    .kind = MEDIA_R_PLAY_DONE, .id = p->id, .status = status, .samples = p->play ? p->play->sent_samples : 0};
	struct mstream *s = mem_ref(p->s);
	bool is_told = !p->tap_id;
	p->phase = PHASE_DONE;
	if (!p->is_job_running)
		mplay_free(p);
	if (is_told)
		mstream_report(s, &r);
	mem_unref(s);
}

ON_CTL static void mplay_failed(struct mplay *p, int status)
{
	if (p->tap_id)
		displace_ready(p->s, p->tap_id, p, status);
	else
		mplay_done(p, status);
}

ON_CTL static int set_post(struct mstream *s, enum media_play_op op, int32_t value)
{
	struct rt_cmd c = {.kind = RT_C_PLAY_SET, .number = (uint32_t)op, .flags = value};
	return mstream_post(s, &c);
}

ON_CTL static void mplay_to_media(struct mplay *p)
{
	struct rt_cmd c = {.kind = RT_C_PLAY, .ptr = p->play};
	if (p->is_cancelled || p->s->is_closing) {
		mplay_failed(p, ST_CANCELLED);
		return;
	}
	if (p->tap_id) {
		displace_ready(p->s, p->tap_id, p, ST_OK);
		return;
	}
	p->play = NULL;
	p->phase = PHASE_ON_MEDIA;
	(void)mstream_post(p->s, &c);
	for (size_t i = 0; i < p->early_set_count; i++)
		(void)set_post(p->s, p->early_sets[i].op, p->early_sets[i].value);
	struct media_report r = {.kind = MEDIA_R_PLAY_BEGUN, .id = p->id};
	mstream_report(p->s, &r); /* last: it may end what plays */
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
ON_CTL static int mplay_prepare(struct mplay *p)
{
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
	struct ask *ask = arg;
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
		struct ask *ask = finder && p->is_missing[i] ? mem_alloc(sizeof(*ask)) : NULL;
		if (!ask)
			continue;
		*ask = (struct ask){p, i};
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

ON_CTL static void denied_log(const char *source)
{
	char *plain = mark_strip_dup(sv_of(source));
	log_warning("media: what comes from outside leads elsewhere, refused: %.200s", plain ? plain : "");
	mem_free(plain);
}

/* How its sound is stored: in the codec itself or in plain samples, which the media thread then encodes. */
static int mplay_format_choose(struct mplay *p)
{
	const struct codec_ops *ops =
	    codec_find_rate(p->codec.name, p->codec.clock_hz, p->codec.channels, p->codec.rate_hz);
	struct codec_enc enc = {0};
	int16_t zero = 0;
	uint8_t byte[4] = {0};
	p->ops = ops ? codec_store(ops) : NULL;
	if (!p->ops)
		return ST_UNSUPPORTED;
	if (p->ops != ops) {
		snprintf(p->codec.name, sizeof(p->codec.name), "%s", p->ops->name);
		p->codec.clock_hz = p->ops->clock_hz, p->codec.rate_hz = p->ops->rate_hz, p->codec.channels = 1;
	}
	int st = codec_dec_open(&p->play->dec, p->ops, NULL);
	if (!st)
		st = codec_enc_open(&enc, p->ops, NULL);
	if (st)
		return st;
	p->play->bytes_per_sample = p->ops->sample_bytes;
	(void)codec_encode(&enc, &zero, 1, byte, sizeof(byte));
	p->play->silence = byte[0];
	codec_enc_close(&enc);
	return ST_OK;
}

ON_CTL static int mplay_new(
    struct mplay **out, struct mstream *s, const char *source, int loops, const struct media_codec *codec)
{
	struct mplay *p = mem_zalloc(sizeof(*p));
	if (!p)
		return ST_NOMEM;
	int st = src_parse(&p->src, source);
	if (st == ST_DENIED)
		denied_log(source);
	if (st)
		goto out;
	p->s = mem_ref(s);
	p->play = rt_play_new(p->src.count);
	if (!p->play) {
		st = ST_NOMEM;
		goto out;
	}
	if (p->src.has_loops)
		loops = p->src.loops;
	p->loops_left = loops < 0 ? -1 : loops > 0 ? loops - 1 : 0;
	p->codec = *codec;
	p->id = p->play->id = ++mctl.next_id;
	p->play->loops_left = p->loops_left;
	p->status = mplay_format_choose(p); /* told as a report */
	p->play->codec = p->codec;
	for (size_t i = 0; i < p->src.count; i++)
		if (is_file(&p->src.parts[i]))
			p->refs[i] = clips_get(p->src.parts[i].text, &p->codec, &p->src.parts[i].known);
out:
	if (st) {
		src_fini(&p->src);
		mem_unref(p->s);
		mem_free(p);
	} else {
		*out = p;
	}
	return st;
}

static void mplay_cancelled(void *arg)
{
	role_assert_ctl();
	mplay_failed(arg, ST_CANCELLED);
}

/* What is still being prepared will not be played; nobody waits for the finder's answers. */
ON_CTL static void mplay_cancel(struct mplay *p)
{
	if (p->phase != PHASE_PREPARING || p->is_cancelled)
		return;
	p->is_cancelled = true;
	if (!p->ask_count)
		return;
	for (size_t i = 0; i < p->src.count; i++)
		if (p->asks[i])
			p->asks[i]->p = NULL;
	loop_defer(&p->cancel_defer, "media.play.cancelled", mplay_cancelled, p);
}

/* Takes p, also when it fails. */
ON_CTL static int mplay_begin(struct mplay *p)
{
	list_push(&p->s->plays, &p->link);
	int st = mplay_prepare(p);
	if (st)
		mplay_free(p);
	return st;
}

int mstream_play(struct mstream *s, const char *source, int loops, uint32_t *id_out)
{
	struct mplay *p;
	if (s->is_closing)
		return ST_CLOSED;
	if (!s->has_params)
		return ST_INVAL;
	int st = mplay_new(&p, s, source, loops, &s->params.send);
	if (st)
		return st;
	struct lnode *it, *tmp; /* one that is still being prepared gives way */
	list_each (&s->plays, it, tmp)
		if (!list_entry(it, struct mplay, link)->tap_id)
			mplay_cancel(list_entry(it, struct mplay, link));
	st = mplay_begin(p);
	if (!st && id_out)
		*id_out = p->id;
	return st;
}

int play_prepare(struct mstream *s, const char *source, int loops, const struct media_codec *codec, uint32_t tap_id)
{
	struct mplay *p;
	int st = mplay_new(&p, s, source, loops, codec);
	if (st)
		return st;
	p->tap_id = tap_id;
	return mplay_begin(p);
}

void play_unprepare(struct mstream *s, uint32_t tap_id)
{
	struct lnode *it, *tmp;
	list_each (&s->plays, it, tmp)
		if (list_entry(it, struct mplay, link)->tap_id == tap_id)
			mplay_cancel(list_entry(it, struct mplay, link));
}

struct rt_play *play_rt(struct mplay *p)
{
	return p->play;
}

void play_lent(struct mplay *p)
{
	p->play = NULL;
	p->phase = PHASE_ON_MEDIA;
}

void play_drop(struct mplay *p)
{
	mplay_done(p, ST_CANCELLED);
}

void plays_cancel(struct mstream *s, uint32_t id)
{
	struct lnode *it, *tmp;
	list_each (&s->plays, it, tmp) {
		struct mplay *p = list_entry(it, struct mplay, link);
		if (!p->tap_id && (!id || p->id == id))
			mplay_cancel(p);
	}
}

int mstream_play_stop(struct mstream *s, uint32_t id)
{
	struct rt_cmd c = {.kind = RT_C_PLAY_STOP, .number = id};
	if (s->is_closing)
		return ST_CLOSED;
	plays_cancel(s, id);
	return mstream_post(s, &c);
}

static struct mplay *play_newest(const struct mstream *s)
{
	struct lnode *it, *tmp;
	struct mplay *newest = NULL;

	list_each (&s->plays, it, tmp)
		if (!list_entry(it, struct mplay, link)->tap_id)
			newest = list_entry(it, struct mplay, link);
	return newest;
}

bool mstream_is_playing(const struct mstream *s)
{
	return !s->is_closing && play_newest(s) != NULL;
}

int mstream_play_set(struct mstream *s, enum media_play_op op, int32_t value)
{
	struct mplay *newest = s->is_closing ? NULL : play_newest(s);

	if (s->is_closing)
		return ST_CLOSED;
	if (!newest)
		return ST_NOTFOUND;
	if (newest->phase != PHASE_PREPARING)
		return set_post(s, op, value);
	if (newest->early_set_count == EARLY_SETS_MAX)
		return ST_FULL;
	newest->early_sets[newest->early_set_count].op = op;
	newest->early_sets[newest->early_set_count++].value = value;
	return ST_OK;
}

static struct mplay *mplay_find(struct mstream *s, uint32_t id)
{
	struct lnode *it, *tmp;
	list_each (&s->plays, it, tmp)
		if (list_entry(it, struct mplay, link)->id == id)
			return list_entry(it, struct mplay, link);
	return NULL;
}

void play_returned(struct mstream *s, struct rt_play *play)
{
	struct mplay *p = mplay_find(s, play->id);
	CHECK(p);
	p->play = play;
	mplay_done(p, play->status);
}

static void refill_job(void *arg)
{
	role_assert_work();
	struct mplay *p = arg;
	(void)gen_fill(p->gen, p->ring, atomic_load_explicit(&p->ring->read, memory_order_acquire) + p->ring->cap);
}

static void mplay_refilled(int status, void *arg)
{
	role_assert_ctl();
	struct mplay *p = arg;
	mctl.job_count--;
	p->is_job_running = false;
	if (p->phase == PHASE_DONE)
		mplay_free(p);
	else if (p->is_refill_wanted)
		play_refill(p->s, p->id);
}

void play_refill(struct mstream *s, uint32_t id)
{
	struct mplay *p = mplay_find(s, id);
	if (!p || !p->gen || p->phase != PHASE_ON_MEDIA)
		return;
	p->is_refill_wanted = p->is_job_running;
	if (p->is_job_running)
		return;
	p->is_job_running = true;
	mctl.job_count++;
	if (work_submit(WORK_SOUND, "media.play.refill", refill_job, mplay_refilled, p)) {
		mctl.job_count--;
		p->is_job_running = false;
	}
}
