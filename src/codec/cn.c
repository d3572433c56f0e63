/* Comfort noise (RFC 3389 section 3): one byte of level in -dBov, then a byte a reflection coefficient,
 * N = 127 * (k + 1). Noise is white noise through the all-pole lattice of those coefficients, scaled so that it comes
 * out at the level: an all-pole lattice multiplies the power of white noise by 1 / product(1 - k^2). Measured the other
 * way: autocorrelation and Levinson's recursion. Coefficients are held off 1, where the filter would ring for ever. */
#include "codec/cn.h"
#include <math.h>
#include <string.h>

static const float CN_K_MAX = 0.99f;
/* 0 dBov is a square wave of full scale: its RMS is 32768. */
static const float CN_FULL = 32768.0f;

int cn_parse(const uint8_t *p, size_t n, struct cn_params *out)
{
	struct cn_params c = {0};

	if (!n)
		return ST_PARSE;
	c.level = p[0] > CN_LEVEL_MAX ? CN_LEVEL_MAX : p[0];
	c.order = (uint8_t)(n - 1 < CN_ORDER_MAX ? n - 1 : CN_ORDER_MAX);
	for (unsigned i = 0; i < c.order; i++) {
		float k = ((float)p[1 + i] - 127.0f) / 128.0f;
		c.k[i] = k > CN_K_MAX ? CN_K_MAX : k < -CN_K_MAX ? -CN_K_MAX : k;
	}
	*out = c;
	return ST_OK;
}

int cn_write(const struct cn_params *c, uint8_t *out, size_t cap)
{
	size_t n = 1 + (size_t)(c->order < CN_ORDER_MAX ? c->order : CN_ORDER_MAX);

	if (n > cap)
		return ST_FULL;
	out[0] = c->level > CN_LEVEL_MAX ? CN_LEVEL_MAX : c->level;
	for (size_t i = 1; i < n; i++) {
		float v = 127.0f + 128.0f * c->k[i - 1] + 0.5f;
		out[i] = (uint8_t)(v < 0 ? 0 : v > 254 ? 254 : v);
	}
	return (int)n;
}

void cn_measure(const int16_t *pcm, size_t n, unsigned order, struct cn_params *out)
{
	double r[CN_ORDER_MAX + 1] = {0}, a[CN_ORDER_MAX + 1] = {1}, err;

	memset(out, 0, sizeof(*out));
	out->order = (uint8_t)(order < CN_ORDER_MAX ? order : CN_ORDER_MAX);
	for (unsigned lag = 0; lag <= out->order; lag++)
		for (size_t i = lag; i < n; i++)
			r[lag] += (double)pcm[i] * pcm[i - lag];
	double rms = n ? sqrt(r[0] / (double)n) : 0,
	       down = rms > 0 ? 20 * log10((double)CN_FULL / rms) + 0.5 : CN_LEVEL_MAX;
	out->level = (uint8_t)(down < 0 ? 0 : down > CN_LEVEL_MAX ? CN_LEVEL_MAX : down);
	err = r[0] * 1.0001 + 1e-3;
	for (unsigned m = 1; m <= out->order; m++) {
		double sum = r[m], k, was[CN_ORDER_MAX + 1];
		for (unsigned i = 1; i < m; i++)
			sum += a[i] * r[m - i];
		k = -sum / err;
		k = k > (double)CN_K_MAX ? (double)CN_K_MAX : k < -(double)CN_K_MAX ? -(double)CN_K_MAX : k;
		memcpy(was, a, sizeof(a));
		for (unsigned i = 1; i < m; i++)
			a[i] = was[i] + k * was[m - i];
		a[m] = k;
		err *= 1 - k * k;
		out->k[m - 1] = (float)k;
	}
}

void cn_noise_set(struct cn_noise *c, const struct cn_params *p)
{
	float power = 1;

	c->params = *p;
	for (unsigned i = 0; i < p->order; i++)
		power *= 1 - p->k[i] * p->k[i];
	/* uniform noise in -1 .. 1 has an RMS of 1 / sqrt(3) */
	c->gain = CN_FULL * powf(10, -(float)p->level / 20) * sqrtf(3) * sqrtf(power);
	if (!c->seed)
		c->seed = 1;
}

void cn_noise_make(struct cn_noise *c, int16_t *out, size_t n)
{
	const unsigned m = c->params.order;

	for (size_t i = 0; i < n; i++) {
		c->seed = c->seed * 1664525u + 1013904223u;
		float f = c->gain * ((float)(int32_t)c->seed / 2147483648.0f);
		for (unsigned s = m; s-- > 0;) { /* b[s] is the backward residual of stage s, one sample ago */
			f -= c->params.k[s] * c->b[s];
			if (s + 1 < m)
				c->b[s + 1] = c->b[s] + c->params.k[s] * f;
		}
		if (m)
			c->b[0] = f;
		out[i] = (int16_t)(f > 32767 ? 32767 : f < -32768 ? -32768 : f);
	}
}
