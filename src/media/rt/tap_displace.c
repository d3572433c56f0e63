/* Displaced sound: a play in place of a side, mixed into it, or the same on both sides. The play is at the rate of the
 * side it is read for; the other side gets the same samples through a pipe, at its own rate. While it does not mix, the
 * side that it is not on is silent. */
#include "dsp/mix.h"
#include "media/rt/tap_i.h"

#include <string.h>

static struct rt_displace *displace_of(struct rt_tap *tap)
{
	return (struct rt_displace *)tap;
}

static void displace_fini(struct rt_tap *tap)
{
	rt_play_free(displace_of(tap)->play);
	rt_pipe_free(displace_of(tap)->pipe);
}

static bool displace_has_sound(const struct rt_tap *tap)
{
	return tap->changes[RT_WRITE] && !tap->is_over;
}

static struct rt_play *displace_play(struct rt_tap *tap)
{
	return displace_of(tap)->play;
}

/* The play's next samples; silence after its end. */
ON_MEDIA static void displace_read(struct rt_displace *d, int16_t *out, size_t n)
{
	struct rt_stream *s = d->tap.s;
	struct rt_play *p = d->play;
	uint32_t rate_hz = d->side == RT_READ ? s->pcm->recv_hz : s->pcm->send_hz;
	if (!play_fits(p, rate_hz)) {
		memset(out, 0, n * sizeof(*out));
		tap_over(&d->tap, ST_UNSUPPORTED);
		return;
	}
	size_t got = play_samples(s, p, rate_hz, out, n);
	d->done_samples += got;
	if (got < n || (d->limit_samples && d->done_samples >= d->limit_samples))
		tap_over(&d->tap, ST_OK);
}

static void displace_change(struct rt_tap *tap, int on, int16_t *pcm, size_t n)
{
	role_assert_media();
	struct rt_displace *d = displace_of(tap);
	unsigned side = (unsigned)on;
	int16_t *x = tap->s->t->frame[FRAME_TAP];
	if (tap->is_over)
		return;
	if (side != d->side && !d->is_both) {
		if (!d->is_mixed)
			memset(pcm, 0, n * sizeof(*pcm));
		return;
	}
	if (side == d->side) {
		displace_read(d, x, n);
		if (d->pipe)
			pipe_put(d->pipe, x, n);
	} else if (!pipe_get(d->pipe, x, n)) {
		memset(x, 0, n * sizeof(*x));
	}
	if (d->is_mixed)
		mix_two(pcm, pcm, x, n);
	else
		memcpy(pcm, x, n * sizeof(*pcm));
}

static const struct rt_tap_ops displace_ops = {.name = "displace",
    .fini = displace_fini,
    .change = displace_change,
    .has_sound = displace_has_sound,
    .play = displace_play};

int rt_displace_new(struct rt_displace **out, const struct media_params *p, struct rt_play *play,
    const struct media_displace_conf *conf)
{
	struct rt_displace *d;
	int st = tap_new((void **)&d, sizeof(*d), &displace_ops, p);
	if (st)
		return st;
	d->is_both = conf->on_read && conf->on_write, d->is_mixed = conf->is_mixed;
	d->side = conf->on_read ? RT_READ : RT_WRITE;
	uint32_t side_hz = d->side == RT_READ ? d->tap.pcm->recv_hz : d->tap.pcm->send_hz;
	d->limit_samples = (uint64_t)conf->limit_ms * side_hz / 1000;
	for (unsigned i = 0; i < 2; i++)
		d->tap.changes[i] = i == d->side || d->is_both || !d->is_mixed;
	if (d->is_both)
		st = rt_pipe_new(&d->pipe, d->tap.pcm->recv_hz, d->tap.pcm->send_hz, p, p);
	if (st) {
		rt_tap_free(&d->tap);
		return st;
	}
	d->play = play;
	*out = d;
	return ST_OK;
}
