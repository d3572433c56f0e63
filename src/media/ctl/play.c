/* A play is asked for, heard and over at its own times, and its owner may change his mind at each. So control keeps one
 * object a play, from the asking to its last report: it is prepared (play_prepare.c), lent to the media thread (or to a
 * tap), refilled there when it is long, by a job whenever the media thread has read half of its ring, and comes back.
 * What is asked of it before the media thread has it waits here. The way is drawn above struct mplay. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "media/ctl/play_i.h"
#include "text/mark.h"

#include <ctype.h>
#include <stdio.h>

/* ---- its end ---- */

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

void mplay_failed(struct mplay *p, int status)
{
	if (p->tap_id)
		displace_ready(p->s, p->tap_id, p, status);
	else
		mplay_done(p, status);
}

/* ---- to the media thread ---- */

int play_fit(struct mplay *p, uint32_t to_hz)
{
	struct rt_play_rate *r = NULL;
	int st = to_hz ? rt_play_rate_new(&r, p->codec.rate_hz, to_hz, p->play->dec.channels) : ST_OK;
	if (st)
		return st;
	rt_play_rate_free(p->play->rate);
	p->play->rate = r;
	p->heard_hz = to_hz;
	return ST_OK;
}

/* Those of taps are fitted when their tap is made anew. */
void plays_params_changed(struct mstream *s)
{
	uint32_t to_hz = codec_rate_hz(&s->params.send);
	struct lnode *it, *tmp;
	list_each (&s->plays, it, tmp) {
		struct mplay *p = list_entry(it, struct mplay, link);
		struct rt_cmd c = {.kind = RT_C_PLAY_RATE, .number = p->id};
		struct rt_play_rate *r;
		if (p->tap_id || p->phase != PHASE_ON_MEDIA || !to_hz || to_hz == p->heard_hz)
			continue;
		/* without it the media thread ends the play */
		(void)rt_play_rate_new(&r, p->codec.rate_hz, to_hz, codec_takes_two(p->ops, NULL) ? 2 : 1);
		p->heard_hz = to_hz;
		c.ptr = r;
		(void)mstream_post(s, &c);
	}
}

ON_CTL static int set_post(struct mstream *s, enum media_play_op op, int32_t value)
{
	struct rt_cmd c = {.kind = RT_C_PLAY_SET, .number = (uint32_t)op, .flags = value};
	return mstream_post(s, &c);
}

void mplay_to_media(struct mplay *p)
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
	int st = play_fit(p, codec_rate_hz(&p->s->params.send)); /* which may have become another */
	if (st) {
		mplay_failed(p, st);
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

/* ---- asked for ---- */

ON_CTL static void denied_log(const char *source)
{
	char *plain = mark_strip_dup(sv_of(source));
	log_warning("media: what comes from outside leads elsewhere, refused: %.200s", plain ? plain : "");
	mem_free(plain);
}

int mplay_store_set(struct mplay *p, const struct codec_ops *ops)
{
	struct codec_dec dec = {0};
	struct codec_enc enc = {0};
	int16_t zero = 0;
	uint8_t byte[4] = {0};
	int st = ops->channels == 2 ? codec_dec_open_two(&dec, ops, NULL) : codec_dec_open(&dec, ops, NULL);
	if (!st)
		st = codec_enc_open(&enc, ops, NULL);
	if (st) {
		codec_dec_close(&dec);
		return st;
	}
	snprintf(p->codec.name, sizeof(p->codec.name), "%s", ops->name);
	p->codec.clock_hz = ops->clock_hz, p->codec.rate_hz = ops->rate_hz, p->codec.channels = ops->channels;
	p->ops = ops;
	codec_dec_close(&p->play->dec);
	p->play->dec = dec;
	p->play->codec = p->codec;
	p->play->bytes_per_sample = ops->sample_bytes;
	(void)codec_encode(&enc, &zero, 1, byte, sizeof(byte));
	p->play->silence = byte[0];
	codec_enc_close(&enc);
	return ST_OK;
}

/* In the codec itself or in plain samples, which the media thread then encodes. */
ON_CTL static int mplay_format_choose(struct mplay *p, const char *fmtp)
{
	const struct codec_ops *ops =
	    codec_find_rate(p->codec.name, p->codec.clock_hz, p->codec.channels, p->codec.rate_hz);
	const struct codec_ops *store = ops ? codec_store(ops, 1) : NULL;
	if (!store)
		return ST_UNSUPPORTED;
	p->may_be_two = store != ops && codec_takes_two(ops, fmtp) && codec_store(ops, 2);
	return mplay_store_set(p, store);
}

/* fmtp: the far side's format parameters of codec, where it may get two channels; NULL: one. */
ON_CTL static int mplay_new(struct mplay **out, struct mstream *s, const char *source, int loops,
    const struct media_codec *codec, const char *fmtp)
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
	snprintf(p->own_ext, sizeof(p->own_ext), "%s", codec->name);
	snprintf(p->backup_ext, sizeof(p->backup_ext), "%s", *s->backup_ext ? s->backup_ext : "wav");
	p->id = p->play->id = ++mctl.next_id;
	p->play->loops_left = p->loops_left;
	p->play->codec = p->codec;
	p->status = mplay_format_choose(p, fmtp); /* told as a report */
	mplay_clips_get(p);
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
	if (mplay_asks_leave(p))
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
	int st = mplay_new(&p, s, source, loops, &s->params.send, s->fmtp);
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
	int st = mplay_new(&p, s, source, loops, codec, NULL);
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
	if (newest->early_set_count == PLAY_EARLY_SETS_MAX)
		return ST_FULL;
	newest->early_sets[newest->early_set_count].op = op;
	newest->early_sets[newest->early_set_count++].value = value;
	return ST_OK;
}

int mstream_set_backup_ext(struct mstream *s, const char *ext)
{
	struct sv text = sv_of(ext ? ext : "");
	if (text.n >= EXT_MAX)
		return ST_INVAL;
	for (size_t i = 0; i < text.n; i++)
		if (!isalnum((unsigned char)text.p[i]) && text.p[i] != '-')
			return ST_INVAL;
	snprintf(s->backup_ext, sizeof(s->backup_ext), "%s", text.p);
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

const char *mstream_play_ext(struct mstream *s, uint32_t id)
{
	const struct mplay *p = mplay_find(s, id);
	return p && p->src.count == 1 ? p->src.parts[0].ext : "";
}

struct mplay *play_back(struct mstream *s, struct rt_play *play)
{
	struct mplay *p = mplay_find(s, play->id);
	CHECK(p);
	p->play = play;
	if (play->is_refill_due)
		play_refill(s, play->id);
	play->is_refill_due = false;
	return p;
}

void play_returned(struct mstream *s, struct rt_play *play)
{
	struct mplay *p = mplay_find(s, play->id);
	CHECK(p);
	p->play = play;
	mplay_done(p, play->status);
}

/* ---- refills ---- */

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
