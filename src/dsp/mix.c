/* Sums, gains and levels over blocks of samples. Loops are kept free of branches so that the compiler vectorises them.
 */
#include "dsp/mix.h"
#include <math.h>
#include <string.h>

static inline int16_t clip(int32_t v)
{
	return (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
}

void mix_two(int16_t *out, const int16_t *a, const int16_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = clip((int32_t)a[i] + b[i]);
}
void mix_clear(int32_t *acc, size_t n)
{
	memset(acc, 0, n * sizeof(*acc));
}
void mix_add(int32_t *acc, const int16_t *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		acc[i] += in[i];
}
void mix_out(int16_t *out, const int32_t *acc, const int16_t *own, size_t n)
{
	if (own)
		for (size_t i = 0; i < n; i++)
			out[i] = clip(acc[i] - own[i]);
	else
		for (size_t i = 0; i < n; i++)
			out[i] = clip(acc[i]);
}
void mix_gain(int16_t *s, size_t n, int32_t gain_q12)
{
	if (gain_q12 == 4096)
		return;
	for (size_t i = 0; i < n; i++) {
		int64_t v = ((int64_t)s[i] * gain_q12) >> 12;
		s[i] = (int16_t)(v > 32767 ? 32767 : v < -32768 ? -32768 : v);
	}
}
int32_t mix_gain_of_db(double db)
{
	if (isnan(db))
		return 4096;
	return (int32_t)lrint(4096 * pow(10, fmin(fmax(db, -96), 48) / 20));
}
int32_t mix_gain_of_step(int step)
{
	/* FreeSWITCH's factors of the nine steps. */
	static const double factors[9] = {0.20, 0.40, 0.60, 0.80, 1.0, 1.3, 2.3, 3.3, 4.3};
	int i = step < -4 ? 0 : step > 4 ? 8 : step + 4;
	return (int32_t)lrint(4096 * factors[i]);
}
uint32_t mix_level_abs(const int16_t *s, size_t n)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)(s[i] < 0 ? -(int32_t)s[i] : s[i]);
	return n ? (uint32_t)(sum / n) : 0;
}
double mix_level_rms(const int16_t *s, size_t n)
{
	int64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += (int64_t)s[i] * s[i];
	return n ? sqrt((double)sum / (double)n) : 0;
}
double mix_level_dbm0(const int16_t *s, size_t n)
{
	double rms = mix_level_rms(s, n);
	return rms < 0.4 ? -99 : 20 * log10(rms * sqrt(2.0) / 32768) + 3.14;
}
void mix_interleave(int16_t *out, const int16_t *left, const int16_t *right, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		out[2 * i] = left[i];
		out[2 * i + 1] = right[i];
	}
}
void mix_double(int16_t *out, const int16_t *in, size_t frames)
{
	for (size_t i = frames; i-- > 0;)
		out[2 * i] = out[2 * i + 1] = in[i];
}
void mix_side(int16_t *out, const int16_t *two, size_t frames, unsigned side)
{
	for (size_t i = 0; i < frames; i++)
		out[i] = two[2 * i + side];
}
void mix_downmix(int16_t *out, const int16_t *in, size_t frames, unsigned channels)
{
	if (!channels)
		return;
	for (size_t i = 0; i < frames; i++) {
		int32_t sum = 0;
		for (unsigned c = 0; c < channels; c++)
			sum += in[i * channels + c];
		out[i] = (int16_t)(sum / (int32_t)channels);
	}
}
double goertzel_amplitude(const int16_t *s, size_t n, uint32_t rate_hz, double hz)
{
	double w, c, q0, q1 = 0, q2 = 0, power;

	if (!n || !rate_hz)
		return 0;
	w = 2 * 3.14159265358979323846 * hz / rate_hz;
	c = 2 * cos(w);
	for (size_t i = 0; i < n; i++) {
		q0 = c * q1 - q2 + s[i];
		q2 = q1;
		q1 = q0;
	}
	power = q1 * q1 + q2 * q2 - c * q1 * q2;
	return power > 0 ? 2 * sqrt(power) / (double)n : 0;
}
