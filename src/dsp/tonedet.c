/* Tones in blocks: see tonedet.h. A sine of amplitude A over n samples has energy n A^2 / 2 and Goertzel power
 * (n A / 2)^2, so that 2 power / n is its part of the energy; 20 ms part frequencies 50 Hz from each other. */
#include "dsp/tonedet.h"
#include "dsp/osc_i.h"

#include <string.h>

enum { GOOD_BLOCKS = 3 };
static const double share_all = 0.6, share_each = 0.3; /* of the energy; of an equal part of it */
static const double rms_min = 160;                     /* about -40 dBm0 */

void tonedet_init(struct tonedet *d, uint32_t rate_hz, const double *freqs_hz, unsigned count)
{
	memset(d, 0, sizeof(*d));
	d->block = rate_hz / 50;
	d->freq_count = count < TONEDET_FREQS_MAX ? count : TONEDET_FREQS_MAX;
	for (unsigned i = 0; i < d->freq_count; i++)
		d->freq[i].c = 2 * cos(2 * DSP_PI * freqs_hz[i] / rate_hz);
}

static bool is_block_good(const struct tonedet *d)
{
	double sum = 0, n = (double)d->block;
	bool has_each = d->freq_count > 0;
	for (unsigned i = 0; i < d->freq_count; i++) {
		double q1 = d->freq[i].q1, q2 = d->freq[i].q2;
		double part = 2 * (q1 * q1 + q2 * q2 - d->freq[i].c * q1 * q2) / n;
		has_each &= part > d->energy * share_each / d->freq_count;
		sum += part;
	}
	return has_each && d->energy > n * rms_min * rms_min && sum > d->energy * share_all;
}

static bool block_end(struct tonedet *d)
{
	d->good_blocks = is_block_good(d) ? d->good_blocks + 1 : 0;
	d->fill = 0, d->energy = 0;
	for (unsigned i = 0; i < d->freq_count; i++)
		d->freq[i].q1 = d->freq[i].q2 = 0;
	return d->good_blocks >= GOOD_BLOCKS;
}

bool tonedet_feed(struct tonedet *d, const int16_t *s, size_t n)
{
	bool is_heard = false;
	while (n) {
		size_t take = d->block - d->fill < n ? d->block - d->fill : n;
		for (unsigned k = 0; k < d->freq_count; k++) {
			double c = d->freq[k].c, q1 = d->freq[k].q1, q2 = d->freq[k].q2;
			for (size_t i = 0; i < take; i++) {
				double q = c * q1 - q2 + s[i];
				q2 = q1, q1 = q;
			}
			d->freq[k].q1 = q1, d->freq[k].q2 = q2;
		}
		for (size_t i = 0; i < take; i++)
			d->energy += (double)s[i] * s[i];
		d->fill += take, s += take, n -= take;
		if (d->fill == d->block)
			is_heard |= block_end(d);
	}
	return is_heard;
}
