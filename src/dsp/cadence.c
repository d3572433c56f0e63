/* Its descriptor's table of frequencies has no bound of its own: ours stands before it. */
#include "dsp/cadence.h"
#include "base/mem.h"

#include <spandsp.h>

enum { HZ_MIN = 200, HZ_MAX = 3900, MS_MAX = 60000 };
struct cadence {
	super_tone_rx_descriptor_t *desc;
	super_tone_rx_state_t *rx;
	int heard;
};

static void cadence_free(void *obj)
{
	struct cadence *c = obj;
	if (c->rx)
		super_tone_rx_free(c->rx);
	if (c->desc)
		super_tone_rx_free_descriptor(c->desc);
}

static void on_tone(void *arg, int code, int level, int delay)
{
	struct cadence *c = arg;
	if (code >= 0)
		c->heard = code;
}

static bool are_good(const struct cadence_element *e, size_t count)
{
	size_t freqs = 0;
	unsigned tone = 0;
	if (!count || count > CADENCE_ELEMENTS_MAX || e[0].tone)
		return false;
	for (size_t i = 0; i < count; tone = e[i++].tone) {
		for (int k = 0; k < 2; k++) {
			freqs += e[i].hz[k] != 0;
			if (e[i].hz[k] && (e[i].hz[k] < HZ_MIN || e[i].hz[k] > HZ_MAX))
				return false;
		}
		if (e[i].min_ms > MS_MAX || e[i].max_ms > MS_MAX || (e[i].max_ms && e[i].max_ms < e[i].min_ms) ||
		    (!e[i].hz[0] && !e[i].min_ms && !e[i].max_ms) || e[i].tone < tone || e[i].tone > tone + 1 ||
		    e[i].tone >= CADENCE_TONES_MAX)
			return false;
	}
	return freqs <= CADENCE_FREQS_MAX;
}

int cadence_new(struct cadence **out, const struct cadence_element *elements, size_t count)
{
	if (!are_good(elements, count))
		return ST_INVAL;
	struct cadence *c = mem_new(sizeof(*c), cadence_free, "dsp.cadence");
	if (!c)
		return ST_NOMEM;
	c->desc = super_tone_rx_make_descriptor(NULL);
	int tone = -1;
	for (size_t i = 0; c->desc && i < count; i++) {
		const struct cadence_element *e = &elements[i];
		while (tone < (int)e->tone)
			tone = super_tone_rx_add_tone(c->desc);
		(void)super_tone_rx_add_element(
		    c->desc, tone, (int)e->hz[0], (int)e->hz[1], (int)e->min_ms, (int)e->max_ms);
	}
	c->rx = c->desc ? super_tone_rx_init(NULL, c->desc, on_tone, c) : NULL;
	if (!c->rx) {
		mem_unref(c);
		return ST_NOMEM;
	}
	*out = c;
	return ST_OK;
}

int cadence_feed(struct cadence *c, const int16_t *pcm, size_t n)
{
	c->heard = -1;
	super_tone_rx(c->rx, pcm, (int)n);
	return c->heard;
}
