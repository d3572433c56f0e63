/* Loss concealment: good frames are remembered; at the first loss the pitch period is found by autocorrelation over the
 * last 32 ms, then repeated while fading; the next good frame starts with a cross-fade from the made-up signal. */
#include "dsp/plc.h"
#include <math.h>
#include <string.h>

enum { FADE_MS = 60, HOLD_MS = 10, JOIN_MS = 4, PITCH_MIN_HZ = 66, PITCH_MAX_HZ = 400 };

static int16_t clip(double v)
{
	return v > 32767 ? 32767 : v < -32768 ? -32768 : (int16_t)lrint(v);
}

void plc_init(struct plc *p, uint32_t rate_hz)
{
	memset(p, 0, sizeof(*p));
	p->rate_hz = rate_hz > 48000 ? 48000 : rate_hz < 8000 ? 8000 : rate_hz;
}
static size_t history_cap(const struct plc *p)
{
	return (size_t)p->rate_hz * 32 / 1000;
}
static void remember(struct plc *p, const int16_t *s, size_t n)
{
	size_t cap = history_cap(p), keep;
	if (n >= cap) {
		memcpy(p->history, s + n - cap, cap * sizeof(*s));
		p->history_count = cap;
		return;
	}
	keep = p->history_count + n > cap ? cap - n : p->history_count;
	memmove(p->history, p->history + p->history_count - keep, keep * sizeof(*s));
	memcpy(p->history + keep, s, n * sizeof(*s));
	p->history_count = keep + n;
}
/* The lag whose last two periods are most alike; every 2nd or more sample is enough at high rates. */
static size_t find_period(const struct plc *p)
{
	size_t n = p->history_count, lag_min = p->rate_hz / PITCH_MAX_HZ, lag_max = p->rate_hz / PITCH_MIN_HZ;
	size_t best = n < lag_max ? n : lag_max, stride = p->rate_hz / 8000, window;
	double best_score = -2;

	if (lag_max > n / 2)
		lag_max = n / 2;
	window = n > lag_max ? n - lag_max : 0;
	if (window > p->rate_hz / 100u)
		window = p->rate_hz / 100u;
	for (size_t lag = lag_min; lag <= lag_max; lag += stride) {
		double ab = 0, aa = 1, bb = 1, score;
		for (size_t i = n - window; i < n; i += stride) {
			double a = p->history[i], b = p->history[i - lag];
			ab += a * b, aa += a * a, bb += b * b;
		}
		score = ab / sqrt(aa * bb);
		if (score > best_score + 0.001) {
			best_score = score;
			best = lag;
		}
	}
	return best ? best : 1;
}
static double fade(const struct plc *p, size_t lost)
{
	double hold = p->rate_hz * HOLD_MS / 1000.0, end = p->rate_hz * FADE_MS / 1000.0;
	if ((double)lost <= hold)
		return 1;
	return (double)lost >= end ? 0 : (end - (double)lost) / (end - hold);
}
static int16_t made_up(struct plc *p)
{
	int16_t v;
	if (!p->history_count)
		return 0;
	v = clip(p->history[p->history_count - p->period + p->at] * fade(p, p->lost));
	p->at = (p->at + 1) % p->period;
	p->lost++;
	return v;
}

void plc_lost(struct plc *p, int16_t *out, size_t n)
{
	if (!p->lost && p->history_count) {
		p->period = find_period(p);
		p->at = 0;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = made_up(p);
	if (!p->history_count)
		p->lost = 0;
}
void plc_good(struct plc *p, int16_t *s, size_t n)
{
	if (p->lost) {
		size_t join = (size_t)p->rate_hz * JOIN_MS / 1000;
		if (join > n)
			join = n;
		for (size_t i = 0; i < join; i++) {
			double w = (double)(i + 1) / (double)(join + 1);
			s[i] = clip(s[i] * w + made_up(p) * (1 - w));
		}
		p->lost = 0;
	}
	remember(p, s, n);
}
