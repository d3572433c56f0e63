/* Who hears which of the phones' tones. */
#include "ear.h"
#include "codec/codec.h"
#include "dsp/mix.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STRETCH_MS = 100, WAIT_MS = 8000 };
const int hz_all[] = {HZ_A, HZ_B, HZ_C, HZ_D, HZ_SOURCE};

/* The newest packets as samples, STRETCH_MS of them; 0 when there are fewer. */
size_t newest(const struct peer *p, int16_t *out)
{
	size_t per = p->is_wide ? 10 : 20, count = STRETCH_MS / per, n = 0;
	if (p->count < count)
		return 0;
	for (size_t i = p->count - count; i < p->count; i++) {
		const struct kept *k = &p->kept[i];
		for (size_t j = 0; j < 160; j++, n++)
			out[n] = p->is_wide   ? (int16_t)(k->payload[2 * j] << 8 | k->payload[2 * j + 1])
			         : p->is_alaw ? g711_alaw_decode(k->payload[j])
			                      : g711_ulaw_decode(k->payload[j]);
	}
	return n;
}

double level_of(const struct peer *p, int hz)
{
	static int16_t s[8000];
	size_t n = newest(p, s);
	return n ? goertzel_amplitude(s, n, p->is_wide ? 16000 : 8000, hz) : 0;
}

struct hearing {
	struct peer *p;
	double level[5]; /* of hz_all: 0 = absent */
	double tolerance;
};
static bool hears_now(void *arg)
{
	const struct hearing *h = arg;
	for (int i = 0; i < 5; i++) {
		double got = level_of(h->p, hz_all[i]);
		if (fabs(got - h->level[i]) > (h->level[i] > 0 ? h->level[i] * h->tolerance : 250))
			return false;
	}
	return h->p->count >= STRETCH_MS / 10;
}

/* Until p hears exactly the tones of the phones (and the source) named in who, each at a phone's level. */
int hears(struct peer *p, const char *who)
{
	role_assert_ctl();
	struct hearing h = {.p = p, .tolerance = 0.08};
	for (int i = 0; i < 5; i++)
		h.level[i] = strchr(who, "ABCDS"[i]) ? 8000 : 0;
	p->count = 0;
	int st = pump(hears_now, &h, WAIT_MS);
	for (int i = 0; st && i < 5; i++)
		printf("# %d Hz: %.0f, wanted %.0f\n", hz_all[i], level_of(p, hz_all[i]), h.level[i]);
	return st;
}

bool hears_level(struct peer *p, int hz, double level)
{
	role_assert_ctl();
	struct hearing h = {.p = p, .tolerance = 0.05};
	for (int i = 0; i < 5; i++)
		h.level[i] = hz_all[i] == hz ? level : 0;
	p->count = 0;
	return pump(hears_now, &h, WAIT_MS) == 0;
}
