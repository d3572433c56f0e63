/* The media thread's side of a port (port.h): a tap that hears into the out ring and changes the write side by the in
 * ring. A frame for which the out ring has no room is dropped whole and counted; one that the in ring has not whole is
 * said as far as it goes. */
#include "base/mem.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/port.h"
#include "media/rt/tap_i.h"

#include <string.h>

enum { RATE_MIN = 8000, RATE_MAX = 64000, RING_MS_MAX = 60000, STEREO_BLOCK = 256 };
struct rt_port {
	struct rt_tap tap;
	struct media_port *port;
	struct resample *to_out[2], *from_in; /* NULL: same rate */
};

static void port_dtor(void *obj)
{
	struct media_port *p = obj;
	mem_unref(p->out);
	mem_unref(p->in);
}

int media_port_new(struct media_port **out, const struct media_port_conf *conf)
{
	unsigned channels = conf->is_stereo ? 2 : 1;
	if (conf->rate_hz < RATE_MIN || conf->rate_hz > RATE_MAX || conf->out_ms > RING_MS_MAX ||
	    conf->in_ms > RING_MS_MAX || !(conf->hears_read || conf->hears_write || conf->speaks))
		return ST_INVAL;
	struct media_port *p = mem_new_atomic(sizeof(*p), port_dtor, "media.port");
	if (!p)
		return ST_NOMEM;
	p->conf = *conf;
	int st = rt_ring_new(&p->out, (size_t)conf->rate_hz * sizeof(int16_t) * channels * conf->out_ms / 1000);
	if (!st && conf->speaks)
		st = rt_ring_new(&p->in, (size_t)conf->rate_hz * sizeof(int16_t) * conf->in_ms / 1000);
	if (st)
		mem_unref(p);
	else
		*out = p;
	return st;
}

static void port_fini(struct rt_tap *tap)
{
	struct rt_port *p = (struct rt_port *)tap;
	mem_unref(p->to_out[0]);
	mem_unref(p->to_out[1]);
	mem_unref(p->from_in);
	mem_unref(p->port);
}

/* ---- to the other thread ---- */

ON_MEDIA static bool has_room(struct media_port *port, size_t samples)
{
	const struct rt_ring *r = port->out;
	uint64_t fill = atomic_load_explicit(&r->written, memory_order_relaxed) -
	                atomic_load_explicit(&r->read, memory_order_acquire);
	unsigned channels = port->conf.is_stereo ? 2 : 1;
	if (samples * channels * sizeof(int16_t) <= r->cap - fill)
		return true;
	atomic_fetch_add_explicit(&port->dropped, samples, memory_order_relaxed);
	return false;
}

/* At the port's rate; the samples, which may be in itself. */
ON_MEDIA static const int16_t *at_rate(struct rt_port *p, int i, const int16_t *in, size_t *n, int16_t *room)
{
	size_t used = *n;
	if (!p->to_out[i])
		return in;
	*n = resample_run(p->to_out[i], in, &used, room, RT_FRAME_MAX_SAMPLES);
	return room;
}

ON_MEDIA static void stereo_put(struct rt_port *p, const int16_t *const sides[2], size_t n)
{
	struct rt_thread *t = p->tap.s->t;
	int16_t both[2 * STEREO_BLOCK];
	size_t n0 = n, n1 = n;
	const int16_t *left = at_rate(p, 0, sides[RT_READ], &n0, t->pcm[0]),
	              *right = at_rate(p, 1, sides[RT_WRITE], &n1, t->pcm[1]);
	n = n0 < n1 ? n0 : n1;
	if (!has_room(p->port, n))
		return;
	for (size_t i = 0, m; i < n; i += m) {
		m = n - i < STEREO_BLOCK ? n - i : STEREO_BLOCK;
		mix_interleave(both, left + i, right + i, m);
		rt_ring_write(p->port->out, both, 2 * m * sizeof(*both));
	}
}

static void port_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_port *p = (struct rt_port *)tap;
	struct rt_thread *t = tap->s->t;
	const struct media_port_conf *c = &p->port->conf;
	if ((!c->hears_read && !c->hears_write) || atomic_load_explicit(&p->port->is_paused, memory_order_relaxed))
		return;
	if (c->is_stereo) {
		stereo_put(p, sides, n);
		return;
	}
	const int16_t *one = sides[c->hears_read ? RT_READ : RT_WRITE];
	if (c->hears_read && c->hears_write) {
		mix_two(t->pcm[0], sides[RT_READ], sides[RT_WRITE], n);
		one = t->pcm[0];
	}
	one = at_rate(p, 0, one, &n, t->pcm[1]);
	if (has_room(p->port, n))
		rt_ring_write(p->port->out, one, n * sizeof(*one));
}

/* ---- to the phone ---- */

static bool port_has_sound(const struct rt_tap *tap)
{
	const struct media_port *port = ((const struct rt_port *)tap)->port;
	return port->in && atomic_load_explicit(&port->in->written, memory_order_acquire) !=
	                       atomic_load_explicit(&port->in->read, memory_order_relaxed);
}

/* Up to n samples of the in ring into out; how many. */
ON_MEDIA static size_t ring_take(struct media_port *port, int16_t *out, size_t n)
{
	struct rt_ring *r = port->in;
	uint64_t written = atomic_load_explicit(&r->written, memory_order_acquire),
	         at = atomic_load_explicit(&r->read, memory_order_relaxed),
	         skip = atomic_load_explicit(&port->skip_to, memory_order_acquire);
	if (skip > written)
		skip = written;
	if (at < skip)
		at = skip;
	size_t have = (size_t)(written - at) / sizeof(*out);
	if (have > n)
		have = n;
	rt_ring_copy(r, at, out, have * sizeof(*out));
	atomic_store_explicit(&r->read, at + have * sizeof(*out), memory_order_release);
	atomic_fetch_add_explicit(&port->said, have, memory_order_relaxed);
	return have;
}

static void port_change(struct rt_tap *tap, int side, int16_t *pcm, size_t n)
{
	role_assert_media();
	struct rt_port *p = (struct rt_port *)tap;
	const struct media_port_conf *c = &p->port->conf;
	int16_t *x = tap->s->t->frame[FRAME_TAP], *raw = tap->s->t->pcm[0];
	if (side != RT_WRITE || !p->port->in)
		return;
	size_t want = (size_t)((uint64_t)n * c->rate_hz / tap->s->pcm->send_hz), used,
	       got = ring_take(p->port, raw, want < RT_FRAME_MAX_SAMPLES ? want : RT_FRAME_MAX_SAMPLES);
	if (!got)
		return;
	used = got;
	const int16_t *said = raw;
	if (p->from_in) {
		got = resample_run(p->from_in, raw, &used, x, n);
		said = x;
	}
	mix_two(pcm, pcm, said, got < n ? got : n);
}

static const struct rt_tap_ops port_ops = {
    .name = "port", .fini = port_fini, .hear = port_hear, .change = port_change, .has_sound = port_has_sound};

int rt_port_new(struct rt_tap **out, const struct media_params *params, struct media_port *port)
{
	struct rt_port *p;
	const struct media_port_conf *c = &port->conf;
	int st = tap_new((void **)&p, sizeof(*p), &port_ops, params);
	if (st)
		return st;
	p->port = mem_ref(port);
	p->tap.hears[RT_READ] = c->hears_read;
	p->tap.hears[RT_WRITE] = c->hears_write;
	p->tap.changes[RT_WRITE] = c->speaks;
	uint32_t recv_hz = p->tap.pcm->recv_hz, send_hz = p->tap.pcm->send_hz;
	for (int i = 0; i < 2 && !st && recv_hz != c->rate_hz; i++)
		st = resample_new(&p->to_out[i], recv_hz, c->rate_hz, 1);
	if (!st && c->speaks && send_hz != c->rate_hz)
		st = resample_new(&p->from_in, c->rate_hz, send_hz, 1);
	if (st)
		rt_tap_free(&p->tap);
	else
		*out = &p->tap;
	return st;
}
