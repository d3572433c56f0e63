/* Ears: what listens until it knows something, once, and is over then. Who answered (dsp/amd.h), and whether a beep
 * sounds (dsp/avmd.h). What was found comes back with the tap. */
#include "base/mem.h"
#include "dsp/resample.h"
#include "media/rt/tap_i.h"

static void ear_fini(struct rt_tap *tap)
{
	struct rt_ear *e = (struct rt_ear *)tap;
	for (int i = 0; i < 2; i++)
		mem_unref(e->to_8k[i]);
}

static void who_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_ear *e = (struct rt_ear *)tap;
	if (tap->is_over || !amd_feed(&e->who, sides[tap->hears[RT_READ] ? RT_READ : RT_WRITE], n))
		return;
	e->heard.is_found = true;
	tap_over(tap, ST_OK);
}

static void beep_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_ear *e = (struct rt_ear *)tap;
	for (int i = 0; i < 2 && !tap->is_over; i++) {
		const int16_t *pcm = sides[i];
		size_t m = n, used = n;
		if (!tap->hears[i])
			continue;
		if (e->to_8k[i]) {
			m = resample_run(e->to_8k[i], pcm, &used, tap->s->t->frame[FRAME_TAP], RT_FRAME_MAX_SAMPLES);
			pcm = tap->s->t->frame[FRAME_TAP];
		}
		if (!avmd_feed(&e->beep[i], pcm, m))
			continue;
		e->heard.beep = e->beep[i].found, e->heard.is_found = true;
		tap_over(tap, ST_OK);
	}
}

static const struct rt_tap_ops who_ops = {.name = "who", .fini = ear_fini, .hear = who_hear};
static const struct rt_tap_ops beep_ops = {.name = "beep", .fini = ear_fini, .hear = beep_hear};

void rt_ear_heard(const struct rt_ear *e, struct media_heard *out)
{
	*out = e->heard;
	out->who = e->who.found; /* also as far as it got */
}

int rt_ear_new(struct rt_ear **out, const struct media_params *p, const struct media_ear_conf *conf)
{
	struct rt_ear *e;
	bool is_beep = conf->kind == MEDIA_EAR_BEEP;
	int st = tap_new((void **)&e, sizeof(*e), is_beep ? &beep_ops : &who_ops, p);
	if (st)
		return st;
	uint32_t rate_hz = e->tap.pcm->recv_hz;
	e->tap.hears[RT_READ] = conf->on_read || !conf->on_write;
	e->tap.hears[RT_WRITE] = conf->on_write;
	amd_init(&e->who, rate_hz, &conf->who);
	for (int i = 0; i < 2 && !st; i++) {
		avmd_init(&e->beep[i], &conf->beep);
		if (is_beep && rate_hz != AVMD_RATE_HZ)
			st = resample_new(&e->to_8k[i], rate_hz, AVMD_RATE_HZ, 1);
	}
	if (st)
		rt_tap_free(&e->tap);
	else
		*out = e;
	return st;
}
