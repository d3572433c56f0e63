/* A period of the sound is looked for by correlation of its beginning with what follows; the period and the next one
 * are faded into one (as WSOLA does it). */
#include "dsp/stretch.h"
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LAG_MIN_HZ = 400 /* 2.5 ms */, LAG_MAX_HZ = 100 };

static double alike(const int16_t *a, const int16_t *b, size_t n, size_t stride)
{
	double ab = 0, aa = 1, bb = 1;
	for (size_t i = 0; i < n; i += stride)
		ab += (double)a[i] * b[i], aa += (double)a[i] * a[i], bb += (double)b[i] * b[i];
	return ab / sqrt(aa * bb);
}

size_t stretch_cut(int16_t *pcm, size_t n, uint32_t rate_hz)
{
	size_t lag_min = rate_hz / LAG_MIN_HZ, lag_max = rate_hz / LAG_MAX_HZ,
	       stride = rate_hz > 8000 ? rate_hz / 8000 : 1;
	if (lag_max > n / 2)
		lag_max = n / 2;
	if (!lag_min || lag_max <= lag_min)
		return n;
	size_t best = lag_max;
	double best_score = alike(pcm, pcm + lag_max, lag_max, stride);
	for (size_t lag = lag_max - 1; lag >= lag_min; lag--) {
		double score = alike(pcm, pcm + lag, lag_max, stride);
		if (score > best_score + 0.001)
			best_score = score, best = lag;
	}
	for (size_t i = 0; i < best; i++) {
		double w = (double)(i + 1) / (double)(best + 1);
		pcm[i] = (int16_t)lrint(pcm[i] * (1 - w) + pcm[i + best] * w);
	}
	memmove(pcm + best, pcm + 2 * best, (n - 2 * best) * sizeof(*pcm));
	return n - best;
}
