/* Beeps in blocks of 20 ms: see avmd.h. The autocorrelation r of a sine obeys r[k-1] + r[k+1] = 2 cos(w) r[k]; least
 * squares over the lags 2 to 8, which white noise does not touch, give its frequency. What part of the block's energy
 * is there (Goertzel) says whether it is one sine; blocks in a row whose frequency and amplitude stay are a beep. */
#include "dsp/avmd.h"
#include "dsp/osc_i.h"

#include <string.h>

enum { LAGS = 10 };
static const double share_min = 0.7, amp_min = 0.006;            /* of the energy; of full scale, about -44 dBm0 */
static const double hz_part = 0.012, hz_abs = 8, amp_part = 0.3; /* how far a block may be from the run's mean */

void avmd_init(struct avmd *a, const struct avmd_conf *conf)
{
	memset(a, 0, sizeof(*a));
	a->conf = *conf;
	if (a->conf.blocks < 2)
		a->conf.blocks = 2;
	if (a->conf.blocks > AVMD_BLOCKS_MAX)
		a->conf.blocks = AVMD_BLOCKS_MAX;
}

/* 0: none could be told. r0: the energy. */
static double block_hz(const int16_t *x, double *r0)
{
	double r[LAGS], up = 0, down = 0;
	for (unsigned k = 0; k < LAGS; k++) {
		int64_t sum = 0;
		for (unsigned i = LAGS; i < AVMD_BLOCK; i++)
			sum += (int32_t)x[i] * x[i - k];
		r[k] = (double)sum;
	}
	*r0 = r[0];
	for (unsigned k = 2; k < LAGS - 1; k++)
		up += r[k] * (r[k - 1] + r[k + 1]), down += r[k] * r[k];
	double c = down > 0 ? up / down : 2;
	return c > -2 && c < 2 ? acos(c / 2) * AVMD_RATE_HZ / (2 * DSP_PI) : 0;
}

/* The part of the energy at hz, and the amplitude there. */
static double share_at(const int16_t *x, double hz, double *amp)
{
	double w = 2 * DSP_PI * hz / AVMD_RATE_HZ, c = 2 * cos(w), q1 = 0, q2 = 0, energy = 0;
	for (unsigned i = 0; i < AVMD_BLOCK; i++) {
		double q = c * q1 - q2 + x[i];
		q2 = q1, q1 = q;
		energy += (double)x[i] * x[i];
	}
	double power = q1 * q1 + q2 * q2 - c * q1 * q2;
	*amp = 2 * sqrt(power > 0 ? power : 0) / AVMD_BLOCK / 32768;
	return energy > 0 ? 2 * power / AVMD_BLOCK / energy : 0;
}

static bool is_near(double x, double mean, double part, double least)
{
	double d = mean * part > least ? mean * part : least;
	return x > mean - d && x < mean + d;
}

static void run_add(struct avmd *a, double hz, double amp)
{
	if (a->run &&
	    (!is_near(hz, a->hz_sum / a->run, hz_part, hz_abs) || !is_near(amp, a->amp_sum / a->run, amp_part, 0)))
		a->run = 0;
	if (!a->run)
		a->hz_sum = a->hz_squares = a->amp_sum = a->amp_squares = 0;
	a->run++;
	a->hz_sum += hz, a->hz_squares += hz * hz;
	a->amp_sum += amp, a->amp_squares += amp * amp;
}

static double variance(double sum, double squares, unsigned n)
{
	double v = squares / n - sum / n * (sum / n);
	return v > 0 ? v : 0;
}

static void block_end(struct avmd *a)
{
	double r0, amp = 0, hz = block_hz(a->block, &r0);
	a->blocks_heard++;
	bool is_sine =
	    hz >= a->conf.min_hz && hz <= a->conf.max_hz && share_at(a->block, hz, &amp) > share_min && amp > amp_min;
	if (!is_sine) {
		a->run = 0;
		return;
	}
	run_add(a, hz, amp);
	if (a->run < a->conf.blocks)
		return;
	a->is_found = true;
	a->found = (struct avmd_found){.hz = a->hz_sum / a->run,
	    .hz_variance = variance(a->hz_sum, a->hz_squares, a->run),
	    .amplitude = a->amp_sum / a->run,
	    .amplitude_variance = variance(a->amp_sum, a->amp_squares, a->run),
	    .at_ms = (a->blocks_heard - a->run) * (AVMD_BLOCK * 1000 / AVMD_RATE_HZ)};
}

bool avmd_feed(struct avmd *a, const int16_t *pcm, size_t n)
{
	while (n && !a->is_found) {
		size_t take = AVMD_BLOCK - a->fill < n ? AVMD_BLOCK - a->fill : n;
		memcpy(a->block + a->fill, pcm, take * sizeof(*pcm));
		a->fill += (unsigned)take, pcm += take, n -= take;
		if (a->fill == AVMD_BLOCK)
			block_end(a), a->fill = 0;
	}
	return a->is_found;
}
