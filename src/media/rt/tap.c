/* Taps: what looks into the samples of a stream or changes them. Packets need nobody's help to be relayed; a tap costs
 * only the stream it is on. While a stream has taps it has lanes and a tick (pcm.c); with the last one both go, and
 * its packets are relayed directly again. Here is how taps get onto a stream and off it; what each kind does is in its
 * ops table (tap_level.c, tap_displace.c, tap_spy.c, tap_watch.c). */
#include "base/check.h"
#include "base/mem.h"
#include "media/rt/lane_i.h"
#include "media/rt/tap_i.h"

#include <string.h>

static const struct codec_ops *ops_of(const struct media_codec *c)
{
	return codec_find(c->name, c->clock_hz, c->channels);
}

int rt_pcm_new(struct rt_pcm **out, const struct media_params *p)
{
	const struct codec_ops *recv = ops_of(&p->recv), *send = ops_of(&p->send);
	if (!recv || !send)
		return ST_UNSUPPORTED;
	struct rt_pcm *w = mem_zalloc(sizeof(*w));
	if (!w)
		return ST_NOMEM;
	w->recv_hz = recv->rate_hz, w->send_hz = send->rate_hz;
	int st = rt_lane_new(&w->lanes[RT_READ], recv->rate_hz, recv->rate_hz, RT_PCM_LEAD_MS);
	if (!st)
		st = rt_lane_new(&w->lanes[RT_WRITE], send->rate_hz, recv->rate_hz, RT_PCM_LEAD_MS);
	if (!st)
		st = rt_lane_new(&w->in, send->rate_hz, send->rate_hz, RT_PCM_LEAD_MS);
	if (st)
		rt_pcm_free(w);
	else
		*out = w;
	return st;
}

void rt_pcm_free(struct rt_pcm *w)
{
	if (!w)
		return;
	rt_lane_free(w->lanes[RT_READ]);
	rt_lane_free(w->lanes[RT_WRITE]);
	rt_lane_free(w->in);
	mem_free(w);
}

int tap_new(void **out, size_t size, const struct rt_tap_ops *ops, const struct media_params *p)
{
	struct rt_tap *tap = mem_zalloc(size);
	if (!tap)
		return ST_NOMEM;
	tap->ops = ops;
	int st = rt_pcm_new(&tap->pcm, p);
	if (st)
		mem_free(tap);
	else
		*out = tap;
	return st;
}

void rt_tap_free(struct rt_tap *tap)
{
	if (!tap)
		return;
	DCHECK(!tap->ops->whole);
	rt_pcm_free(tap->pcm);
	if (tap->ops->fini)
		tap->ops->fini(tap);
	mem_free(tap);
}

/* ---- on the media thread ---- */

void tap_replan(struct rt_stream *s)
{
	stream_plan(s);
	if (s->peer && s->peer != s)
		stream_plan(s->peer);
}

static struct rt_tap *tap_find(struct rt_stream *s, uint32_t id)
{
	for (struct rt_tap *t = s->taps; t; t = t->next)
		if (t->id == id)
			return t;
	return NULL;
}

static bool needs_samples(const struct rt_stream *s)
{
	for (const struct rt_tap *t = s->taps; t; t = t->next)
		if (!t->is_bare)
			return true;
	return false;
}

/* Without taps that need them there are no lanes and no tick. */
ON_MEDIA static void settle(struct rt_stream *s)
{
	if (!needs_samples(s)) {
		rt_pcm_free(s->pcm);
		s->pcm = NULL;
		tick_done(s, TICK_PCM);
	}
	tap_replan(s);
}

void tap_add(struct rt_stream *s, struct rt_tap *tap)
{
	struct rt_tap **at = &s->taps;
	while (*at)
		at = &(*at)->next;
	*at = tap;
	tap->next = NULL, tap->s = s;
	if (tap->is_bare) {
		tap_replan(s);
		return;
	}
	if (s->pcm && s->pcm->recv_hz == tap->pcm->recv_hz && s->pcm->send_hz == tap->pcm->send_hz) {
		rt_pcm_free(tap->pcm);
	} else {
		rt_pcm_free(s->pcm);
		s->pcm = tap->pcm;
	}
	tap->pcm = NULL;
	tick_need(s, TICK_PCM);
	tap_replan(s);
}

void tap_leave(struct rt_tap *tap)
{
	struct rt_stream *s = tap->s;
	struct rt_tap **at = &s->taps;
	while (*at != tap)
		at = &(*at)->next;
	*at = tap->next;
	tap->next = NULL, tap->s = NULL;
	settle(s);
}

void tap_end(struct rt_tap *tap, int status)
{
	if (tap->ops->whole)
		tap = tap->ops->whole(tap);
	struct rt_stream *s = tap->s;
	if (tap->ops->end)
		tap->ops->end(tap);
	tap_leave(tap);
	tap->status = status;
	report_tap(s, tap);
}

void tap_heard(struct rt_tap *tap)
{
	tap->is_event_due = true;
	report_wanted(tap->s);
}

void taps_end(struct rt_stream *s, int status)
{
	while (s->taps)
		tap_end(s->taps, status);
}

void taps_reap(struct rt_stream *s)
{
	for (struct rt_tap *tap = s->taps, *next; tap; tap = next) {
		next = tap->next;
		if (tap->is_over)
			tap_end(tap, tap->status);
	}
}

/* In place of the one with its id, where there is one. */
ON_MEDIA static void tap_put(struct rt_stream *s, struct rt_tap *tap, struct rt_stream *other)
{
	struct rt_tap *old = tap_find(s, tap->id);
	tap_add(s, tap);
	if (tap->ops->begin)
		tap->ops->begin(tap, other);
	if (!old)
		return;
	if (old->ops->end)
		old->ops->end(old);
	tap_leave(old);
	rt_tap_free(old);
}

void tap_cmd(struct rt_stream *s, const struct rt_cmd *c)
{
	struct rt_tap *tap = tap_find(s, c->number);
	if (c->kind == RT_C_TAP)
		tap_put(s, c->ptr, c->peer);
	else if (tap && c->kind == RT_C_TAP_STOP)
		tap_end(tap, c->flags);
	else if (tap && tap->ops->set)
		tap->ops->set(tap, (unsigned)c->flags);
}

void taps_cut(struct rt_stream *s, int status)
{
	for (struct rt_tap *tap = s->taps; tap;) {
		struct rt_tap *next = tap->next;
		if (tap->ops->is_tied) { /* others of the stream may have gone with it */
			tap_end(tap, status);
			next = s->taps;
		}
		tap = next;
	}
}
