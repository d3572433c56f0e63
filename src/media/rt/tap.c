/* Taps: how they are made (by control), how they get onto a stream and off it. While a stream has taps it has lanes and
 * a tick; with the last one both go, and its packets are relayed directly again. A spy is two taps, on its target and
 * on its listener, that live and end together. */
#include "base/check.h"
#include "base/mem.h"
#include "dsp/mix.h"
#include "media/rt/lane_i.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { PIPE_FRAMES = 6 };

static const struct codec_ops *ops_of(const struct media_codec *c)
{
	return codec_find(c->name, c->clock_hz, c->channels);
}

int rt_work_new(struct rt_work **out, const struct media_params *p)
{
	const struct codec_ops *recv = ops_of(&p->recv), *send = ops_of(&p->send);
	if (!recv || !send)
		return ST_UNSUPPORTED;
	struct rt_work *w = mem_zalloc(sizeof(*w));
	if (!w)
		return ST_NOMEM;
	w->recv_hz = recv->rate_hz, w->send_hz = send->rate_hz;
	int st = rt_lane_new(&w->lanes[RT_READ], recv->rate_hz, recv->rate_hz, RT_WORK_LEAD_MS);
	if (!st)
		st = rt_lane_new(&w->lanes[RT_WRITE], send->rate_hz, recv->rate_hz, RT_WORK_LEAD_MS);
	if (!st)
		st = rt_lane_new(&w->in, send->rate_hz, send->rate_hz, RT_WORK_LEAD_MS);
	if (st)
		rt_work_free(w);
	else
		*out = w;
	return st;
}

void rt_work_free(struct rt_work *w)
{
	if (!w)
		return;
	rt_lane_free(w->lanes[RT_READ]);
	rt_lane_free(w->lanes[RT_WRITE]);
	rt_lane_free(w->in);
	mem_free(w);
}

int rt_pipe_new(struct rt_pipe **out, uint32_t from_hz, uint32_t to_hz)
{
	size_t cap = (size_t)to_hz / 50 * PIPE_FRAMES;
	struct rt_pipe *p = mem_zalloc(sizeof(*p) + cap * sizeof(p->pcm[0]));
	if (!p)
		return ST_NOMEM;
	p->cap = cap;
	int st = from_hz == to_hz ? ST_OK : resample_new(&p->resample, from_hz, to_hz, 1);
	if (st)
		mem_free(p);
	else
		*out = p;
	return st;
}

void rt_pipe_free(struct rt_pipe *p)
{
	if (p)
		mem_unref(p->resample);
	mem_free(p);
}

/* What does not fit is too old to be said. */
void pipe_put(struct rt_pipe *p, const int16_t *pcm, size_t n)
{
	if (p->resample) {
		p->fill += resample_run(p->resample, pcm, &n, p->pcm + p->fill, p->cap - p->fill);
		return;
	}
	if (n > p->cap - p->fill)
		n = p->cap - p->fill;
	memcpy(p->pcm + p->fill, pcm, n * sizeof(*pcm));
	p->fill += n;
}

bool pipe_get(struct rt_pipe *p, int16_t *out, size_t n)
{
	if (p->fill < (p->is_flowing ? n : 2 * n)) {
		p->is_flowing = false;
		return false;
	}
	p->is_flowing = true;
	memcpy(out, p->pcm, n * sizeof(*out));
	p->fill -= n;
	memmove(p->pcm, p->pcm + n, p->fill * sizeof(*out));
	return true;
}

static int tap_new(void **out, size_t size, enum rt_tap_kind kind, const struct media_params *p)
{
	struct rt_tap *tap = mem_zalloc(size);
	if (!tap)
		return ST_NOMEM;
	tap->kind = kind;
	int st = rt_work_new(&tap->work, p);
	if (st)
		mem_free(tap);
	else
		*out = tap;
	return st;
}

int rt_level_new(struct rt_level **out, const struct media_params *p, const struct media_level *level)
{
	struct rt_level *l;
	int st = tap_new((void **)&l, sizeof(*l), RT_TAP_LEVEL, p);
	if (st)
		return st;
	for (int i = 0; i < 2; i++) {
		struct rt_level_side *side = &l->side[i];
		side->is_muted = level->mute[i];
		side->gain_q12 = mix_gain_of_step(level->steps[i]);
		noise_init_divisor(&side->noise, level->mute[i] > 1 ? level->mute[i] : 0, 1);
		l->tap.changes[i] = level->mute[i] || level->steps[i];
	}
	*out = l;
	return ST_OK;
}

int rt_displace_new(struct rt_displace **out, const struct media_params *p, struct rt_play *play,
    const struct media_displace_conf *conf)
{
	struct rt_displace *d;
	int st = tap_new((void **)&d, sizeof(*d), RT_TAP_DISPLACE, p);
	if (st)
		return st;
	d->is_both = conf->on_read && conf->on_write, d->is_mixed = conf->is_mixed;
	d->side = conf->on_read ? RT_READ : RT_WRITE;
	d->limit_samples = (uint64_t)conf->limit_ms * play->codec.rate_hz / 1000;
	for (unsigned i = 0; i < 2; i++)
		d->tap.changes[i] = i == d->side || d->is_both || !d->is_mixed;
	if (d->is_both)
		st = rt_pipe_new(&d->pipe, d->tap.work->recv_hz, d->tap.work->send_hz);
	if (st) {
		rt_tap_free(&d->tap);
		return st;
	}
	d->play = play;
	*out = d;
	return ST_OK;
}

int rt_spy_new(struct rt_spy **out, const struct media_params *target, const struct media_params *listener)
{
	struct rt_spy *y;
	int st = tap_new((void **)&y, sizeof(*y), RT_TAP_SPY, target);
	if (st)
		return st;
	y->voice.kind = RT_TAP_VOICE;
	st = rt_work_new(&y->voice.work, listener);
	if (!st) {
		const struct rt_work *t = y->tap.work, *l = y->voice.work;
		if (t->recv_hz != l->send_hz)
			st = resample_new(&y->hear, t->recv_hz, l->send_hz, 1);
		if (!st && !(y->heard = mem_zalloc(sizeof(*y->heard))))
			st = ST_NOMEM;
		if (!st)
			st = rt_pipe_new(&y->whisper[RT_READ], l->recv_hz, t->recv_hz);
		if (!st)
			st = rt_pipe_new(&y->whisper[RT_WRITE], l->recv_hz, t->send_hz);
		if (!st)
			st = rt_pipe_new(&y->said, l->recv_hz, t->recv_hz);
		if (!st && !(y->said_now = mem_alloc(RT_FRAME_MAX_SAMPLES * sizeof(int16_t))))
			st = ST_NOMEM;
	}
	if (st)
		rt_tap_free(&y->tap);
	else
		*out = y;
	return st;
}

static void watch_sides(struct rt_tap *tap, bool on_read, bool on_write)
{
	tap->hears[RT_READ] = on_read || !on_write;
	tap->hears[RT_WRITE] = on_write;
}

int rt_tone_watch_new(struct rt_tone_watch **out, const struct media_params *p, const struct media_tone_conf *conf)
{
	struct rt_tone_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), RT_TAP_TONE, p);
	if (st)
		return st;
	w->conf = *conf;
	if (!w->conf.hits)
		w->conf.hits = 1;
	if (!w->conf.sleep_frames)
		w->conf.sleep_frames = 25;
	if (!w->conf.expire_frames)
		w->conf.expire_frames = 250;
	w->frame_samples = w->tap.work->recv_hz / 50;
	w->is_up = true;
	watch_sides(&w->tap, conf->on_read, conf->on_write);
	for (int i = 0; i < 2; i++)
		tonedet_init(&w->det[i], w->tap.work->recv_hz, conf->freqs_hz, conf->freq_count);
	*out = w;
	return ST_OK;
}

int rt_energy_watch_new(
    struct rt_energy_watch **out, const struct media_params *p, const struct media_energy_conf *conf)
{
	struct rt_energy_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), RT_TAP_ENERGY, p);
	if (st)
		return st;
	w->conf = *conf;
	w->frame_samples = w->tap.work->recv_hz / 50;
	watch_sides(&w->tap, true, false);
	*out = w;
	return ST_OK;
}

int rt_dtmf_watch_new(struct rt_dtmf_watch **out, const struct media_params *p)
{
	struct rt_dtmf_watch *w;
	int st = tap_new((void **)&w, sizeof(*w), RT_TAP_DTMF, p);
	if (st)
		return st;
	watch_sides(&w->tap, true, false);
	st = dtmf_det_new(&w->det);
	if (!st && w->tap.work->recv_hz != 8000)
		st = resample_new(&w->to_8k, w->tap.work->recv_hz, 8000, 1);
	if (st)
		rt_tap_free(&w->tap);
	else
		*out = w;
	return st;
}

static struct rt_spy *spy_of(struct rt_tap *tap)
{
	size_t off = tap->kind == RT_TAP_VOICE ? offsetof(struct rt_spy, voice) : 0;
	return (struct rt_spy *)(void *)((char *)tap - off);
}

static void spy_fini(struct rt_spy *y)
{
	rt_work_free(y->voice.work);
	mem_unref(y->hear);
	mem_free(y->heard);
	rt_pipe_free(y->whisper[RT_READ]);
	rt_pipe_free(y->whisper[RT_WRITE]);
	rt_pipe_free(y->said);
	mem_free(y->said_now);
}

void rt_tap_free(struct rt_tap *tap)
{
	if (!tap)
		return;
	DCHECK(tap->kind != RT_TAP_VOICE);
	rt_work_free(tap->work);
	if (tap->kind == RT_TAP_DISPLACE) {
		rt_play_free(((struct rt_displace *)tap)->play);
		rt_pipe_free(((struct rt_displace *)tap)->pipe);
	} else if (tap->kind == RT_TAP_SPY) {
		spy_fini((struct rt_spy *)tap);
	} else if (tap->kind == RT_TAP_DTMF) {
		mem_unref(((struct rt_dtmf_watch *)tap)->det);
		mem_unref(((struct rt_dtmf_watch *)tap)->to_8k);
	}
	mem_free(tap);
}

/* ---- on the media thread ---- */

ON_MEDIA static void replan(struct rt_stream *s)
{
	stream_plan(s);
	if (s->peer && s->peer != s)
		stream_plan(s->peer);
}

static struct rt_tap *find(struct rt_stream *s, uint32_t id)
{
	for (struct rt_tap *t = s->taps; t; t = t->next)
		if (t->id == id)
			return t;
	return NULL;
}

static void link_out(struct rt_stream *s, struct rt_tap *tap)
{
	struct rt_tap **at = &s->taps;
	while (*at && *at != tap)
		at = &(*at)->next;
	if (*at)
		*at = tap->next;
	tap->next = NULL;
}

/* Without taps there are no lanes and no tick. */
ON_MEDIA static void settle(struct rt_stream *s)
{
	if (!s->taps) {
		rt_work_free(s->work);
		s->work = NULL;
		tick_done(s, TICK_WORK);
	}
	replan(s);
}

ON_MEDIA static void tap_add(struct rt_stream *s, struct rt_tap *tap)
{
	struct rt_tap *old = find(s, tap->id), **at = &s->taps;
	if (old) {
		link_out(s, old);
		rt_tap_free(old);
	}
	while (*at)
		at = &(*at)->next;
	*at = tap;
	tap->next = NULL;
	if (s->work && s->work->recv_hz == tap->work->recv_hz && s->work->send_hz == tap->work->send_hz) {
		rt_work_free(tap->work);
	} else {
		rt_work_free(s->work);
		s->work = tap->work;
	}
	tap->work = NULL;
	tick_need(s, TICK_WORK);
	replan(s);
}

ON_MEDIA static void tap_end(struct rt_stream *s, struct rt_tap *tap, int status)
{
	if (tap->kind == RT_TAP_VOICE)
		tap = &spy_of(tap)->tap;
	if (tap->kind == RT_TAP_SPY) {
		struct rt_spy *y = spy_of(tap);
		s = y->target;
		link_out(y->listener, &y->voice);
		y->listener->listening = NULL;
		settle(y->listener);
	}
	link_out(s, tap);
	tap->status = status;
	settle(s);
	report_tap(s, tap);
}

void taps_end(struct rt_stream *s, int status)
{
	while (s->taps)
		tap_end(s, s->taps, status);
}

void taps_reap(struct rt_stream *s)
{
	for (struct rt_tap *tap = s->taps, *next; tap; tap = next) {
		next = tap->next;
		if (tap->is_over)
			tap_end(s, tap, tap->status);
	}
}

ON_MEDIA static void spy_flags(struct rt_spy *y, unsigned flags)
{
	y->flags = flags;
	y->tap.hears[RT_READ] = flags & MEDIA_SPY_READ;
	y->tap.hears[RT_WRITE] = flags & MEDIA_SPY_WRITE;
	y->tap.changes[RT_READ] = flags & MEDIA_WHISPER_READ;
	y->tap.changes[RT_WRITE] = flags & MEDIA_WHISPER_WRITE;
	y->voice.hears[RT_READ] = flags & (MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE);
	for (int i = 0; i < 2; i++)
		y->whisper[i]->fill = 0, y->whisper[i]->is_flowing = false;
	y->said->fill = 0, y->said->is_flowing = false;
	replan(y->target);
	replan(y->listener);
}

ON_MEDIA static void spy_add(struct rt_stream *target, struct rt_stream *listener, struct rt_spy *y)
{
	if (listener->listening)
		tap_end(listener, listener->listening, ST_CANCELLED);
	y->target = target, y->listener = listener;
	tap_add(target, &y->tap);
	tap_add(listener, &y->voice);
	listener->listening = &y->tap;
	spy_flags(y, y->flags);
}

void tap_cmd(struct rt_stream *s, const struct rt_cmd *c)
{
	struct rt_tap *tap = find(s, c->number);
	if (c->kind == RT_C_TAP)
		tap_add(s, c->ptr);
	else if (c->kind == RT_C_SPY)
		spy_add(s, c->peer, c->ptr);
	else if (tap && c->kind == RT_C_TAP_STOP)
		tap_end(s, tap, c->flags);
	else if (tap && tap->kind == RT_TAP_SPY)
		spy_flags(spy_of(tap), (unsigned)c->flags);
}

void spies_cut(struct rt_stream *s, int status)
{
	for (struct rt_tap *tap = s->taps, *next; tap; tap = next) {
		next = tap->next;
		if (tap->kind == RT_TAP_SPY || tap->kind == RT_TAP_VOICE)
			tap_end(s, tap, status);
	}
}
