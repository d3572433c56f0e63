/* DTMF pairs, their generator (two oscillators), and the detector, which is spandsp's receiver at 8 kHz behind our own
 * struct: nothing else in the tree knows of spandsp for this. */
#include "dsp/dtmf.h"
#include "base/mem.h"
#include "dsp/osc_i.h"
#include <spandsp.h>
#include <string.h>

static const char rows[4][5] = {"123A", "456B", "789C", "*0#D"};
static const unsigned low_group[4] = {697, 770, 852, 941}, high_group[4] = {1209, 1336, 1477, 1633};

bool dtmf_pair(char digit, unsigned *low_hz, unsigned *high_hz)
{
	char d = digit >= 'a' && digit <= 'd' ? (char)(digit - 'a' + 'A') : digit;
	for (unsigned r = 0; d && r < 4; r++) {
		const char *c = strchr(rows[r], d);
		if (c) {
			*low_hz = low_group[r];
			*high_hz = high_group[c - rows[r]];
			return true;
		}
	}
	return false;
}

int dtmf_gen_start(struct dtmf_gen *g, uint32_t rate_hz, char digit, unsigned duration_ms, unsigned pause_ms)
{
	static const double dbm0[2] = {-9, -7};
	unsigned hz[2];

	if (rate_hz < 4000 || rate_hz > 192000 || duration_ms > 600000 || pause_ms > 600000 ||
	    !dtmf_pair(digit, &hz[0], &hz[1]))
		return ST_INVAL;
	g->left = (uint32_t)((uint64_t)duration_ms * rate_hz / 1000);
	g->pause_left = (uint32_t)((uint64_t)pause_ms * rate_hz / 1000);
	for (int i = 0; i < 2; i++) {
		struct osc o;
		osc_start(&o, hz[i], rate_hz, DSP_PEAK_0DBM0 * pow(10, dbm0[i] / 20));
		g->c[i] = o.c;
		g->y1[i] = o.y1;
		g->y2[i] = o.y2;
	}
	return ST_OK;
}

size_t dtmf_gen_read(struct dtmf_gen *g, int16_t *out, size_t n)
{
	struct osc a = {g->c[0], g->y1[0], g->y2[0]}, b = {g->c[1], g->y1[1], g->y2[1]};
	size_t done = 0, m;

	for (; done < n && g->left; done++, g->left--)
		out[done] = osc_clip(osc_next(&a) + osc_next(&b));
	g->y1[0] = a.y1, g->y2[0] = a.y2, g->y1[1] = b.y1, g->y2[1] = b.y2;
	m = n - done < g->pause_left ? n - done : g->pause_left;
	memset(out + done, 0, m * sizeof(*out));
	g->pause_left -= (uint32_t)m;
	return done + m;
}

struct dtmf_det {
	dtmf_rx_state_t *rx;
};
static void det_free(void *obj)
{
	struct dtmf_det *d = obj;
	if (d->rx)
		dtmf_rx_free(d->rx);
}

int dtmf_det_new(struct dtmf_det **out)
{
	struct dtmf_det *d = mem_new(sizeof(*d), det_free, "dsp.dtmf_det");
	if (!d)
		return ST_NOMEM;
	d->rx = dtmf_rx_init(NULL, NULL, NULL);
	if (!d->rx) {
		mem_unref(d);
		return ST_NOMEM;
	}
	*out = d;
	return ST_OK;
}

void dtmf_det_miss(struct dtmf_det *d, size_t n)
{
	dtmf_rx_fillin(d->rx, n > 8000 ? 8000 : (int)n);
}

size_t dtmf_det_feed(struct dtmf_det *d, const int16_t *in, size_t n, char *out, size_t cap)
{
	size_t got;
	while (n) {
		int chunk = n > 8000 ? 8000 : (int)n;
		dtmf_rx(d->rx, in, chunk);
		in += chunk;
		n -= (size_t)chunk;
	}
	if (cap < 2)
		return 0;
	got = dtmf_rx_get(d->rx, out, (int)(cap - 1 > 127 ? 127 : cap - 1));
	out[got] = 0;
	return got;
}
