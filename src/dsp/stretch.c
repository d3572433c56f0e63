/* A period of the sound is looked for by correlation of its beginning with what follows; the period and the next one
 * are faded into one (as WSOLA does it). */
#include "dsp/stretch.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LAG_MIN_HZ = 400 /* 2.5 ms */, LAG_MAX_HZ = 100 };

/* n frames of both, each stride-th. */
static double alike(const int16_t *a, const int16_t *b, size_t n, size_t stride, unsigned channels)
{
	double ab = 0, aa = 1, bb = 1;
	for (size_t i = 0; i < n * channels; i += stride * channels)
		for (size_t k = i; k < i + channels; k++)
			ab += (double)a[k] * b[k], aa += (double)a[k] * a[k], bb += (double)b[k] * b[k];
	return ab / sqrt(aa * bb);
}

static size_t cut(int16_t *pcm, size_t n, uint32_t rate_hz, unsigned channels)
{
	size_t lag_min = rate_hz / LAG_MIN_HZ, lag_max = rate_hz / LAG_MAX_HZ,
	       stride = rate_hz > 8000 ? rate_hz / 8000 : 1;
	if (lag_max > n / 2)
		lag_max = n / 2;
	if (!lag_min || lag_max <= lag_min)
		return n;
	size_t best = lag_max;
	double best_score = alike(pcm, pcm + lag_max * channels, lag_max, stride, channels);
	for (size_t lag = lag_max - 1; lag >= lag_min; lag--) {
		double score = alike(pcm, pcm + lag * channels, lag_max, stride, channels);
		if (score > best_score + 0.001)
			best_score = score, best = lag;
	}
	for (size_t i = 0; i < best * channels; i++) {
		size_t frame = i / channels;
		double w = (double)(frame + 1) / (double)(best + 1);
		pcm[i] = (int16_t)lrint(pcm[i] * (1 - w) + pcm[i + best * channels] * w);
	}
	memmove(pcm + best * channels, pcm + 2 * best * channels, (n - 2 * best) * channels * sizeof(*pcm));
	return n - best;
}

size_t stretch_cut(int16_t *pcm, size_t n, uint32_t rate_hz)
{
	return cut(pcm, n, rate_hz, 1);
}

size_t stretch_cut_two(int16_t *two, size_t n, uint32_t rate_hz)
{
	return cut(two, n, rate_hz, 2);
}
