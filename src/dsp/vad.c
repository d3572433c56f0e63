/* The floor falls at once to what is quieter and rises slowly, so that speech does not lift it and a fan does. What is
 * 9 dB over it, and not below what nobody hears, is loud. */
#include "dsp/vad.h"

enum { BEGIN_BLOCKS = 3, END_BLOCKS = 50, LEVEL_MIN = 120 /* root mean square */ };
#define FLOOR_RISE 1.004 /* a block: 17 dB in 10 s */
#define OVER 8.0         /* 9 dB */

void vad_init(struct vad *v, uint32_t rate_hz)
{
	*v = (struct vad){.block = rate_hz / 100, .floor = LEVEL_MIN * LEVEL_MIN};
}

static bool block_is_loud(struct vad *v)
{
	double energy = (double)v->sum / v->block;
	bool is_loud = energy > v->floor * OVER && energy > (double)LEVEL_MIN * LEVEL_MIN;
	v->floor = energy < v->floor ? energy : v->floor * FLOOR_RISE;
	if (v->floor < 1)
		v->floor = 1;
	return is_loud;
}

static bool block_end(struct vad *v)
{
	bool is_loud = block_is_loud(v), was = v->is_talking;
	v->loud = is_loud ? v->loud + 1 : 0;
	v->quiet = is_loud ? 0 : v->quiet + 1;
	if (v->loud >= BEGIN_BLOCKS)
		v->is_talking = true;
	if (v->quiet >= END_BLOCKS)
		v->is_talking = false;
	v->sum = 0, v->fill = 0;
	return was != v->is_talking;
}

bool vad_feed(struct vad *v, const int16_t *pcm, size_t n)
{
	bool was = v->is_talking;
	for (size_t i = 0; i < n; i++) {
		v->sum += (uint64_t)((int32_t)pcm[i] * pcm[i]);
		if (++v->fill >= v->block)
			(void)block_end(v);
	}
	return was != v->is_talking;
}
