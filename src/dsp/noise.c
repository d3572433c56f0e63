/* Comfort noise: a linear congruential generator through a one-pole low-pass, so that it sounds like a room and not
 * like a waterfall. Silence is amplitude zero. */
#include "dsp/noise.h"
#include "dsp/osc_i.h"
#include <string.h>

static void init(struct noise *g, int32_t amp, uint32_t seed)
{
	g->seed = seed ? seed : 1;
	g->amp = amp;
	g->last = 0;
}
void noise_init_divisor(struct noise *g, uint32_t divisor, uint32_t seed)
{
	/* A sum of full-range random numbers over the divisor: 1400 gives an amplitude of some tens. */
	init(g, divisor ? (int32_t)(65535 / divisor > 32767 ? 32767 : 65535 / divisor) : 0, seed);
}
void noise_init_dbov(struct noise *g, unsigned minus_dbov, uint32_t seed)
{
	/* Uniform noise of peak a has an RMS of a / sqrt(3); the low-pass below takes another factor sqrt(3). */
	double rms = 32768 * pow(10, -(double)(minus_dbov > 127 ? 127 : minus_dbov) / 20) / sqrt(2.0);
	double amp = rms * 3;
	init(g, (int32_t)(amp > 32767 ? 32767 : amp), seed);
}
void noise_fill(struct noise *g, int16_t *out, size_t n)
{
	if (!g->amp) {
		memset(out, 0, n * sizeof(*out));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		int32_t v;
		g->seed = g->seed * 1664525u + 1013904223u;
		v = (int32_t)(((int64_t)((int32_t)(g->seed >> 16) - 32768) * g->amp) / 32768);
		g->last = (g->last + v) / 2;
		out[i] = (int16_t)g->last;
	}
}
uint8_t noise_level_dbov(const int16_t *s, size_t n)
{
	double sum = 0, db;
	for (size_t i = 0; i < n; i++)
		sum += (double)s[i] * s[i];
	if (!n || sum <= 0)
		return 127;
	/* 0 dBov is a full-scale square wave's opposite number in RFC 3389: a sine of full scale is -3.01. */
	db = -10 * log10(sum / (double)n / (32768.0 * 32768.0));
	return db < 0 ? 0 : db > 127 ? 127 : (uint8_t)lrint(db);
}
