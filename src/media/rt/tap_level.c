/* Levels: how loud a side is, or silence or soft noise in its place. Works in place, sample by sample, without delay.
 */
#include "dsp/mix.h"
#include "media/rt/tap_i.h"

static void level_change(struct rt_tap *tap, int side, int16_t *pcm, size_t n)
{
	role_assert_media();
	struct rt_level_side *v = &((struct rt_level *)tap)->side[side];
	if (v->is_muted)
		noise_fill(&v->noise, pcm, n);
	else
		mix_gain(pcm, n, v->gain_q12);
}

static const struct rt_tap_ops level_ops = {.name = "level", .change = level_change};

int rt_level_new(struct rt_level **out, const struct media_params *p, const struct media_level *level)
{
	struct rt_level *l;
	int st = tap_new((void **)&l, sizeof(*l), &level_ops, p);
	if (st)
		return st;
	for (int i = 0; i < 2; i++) {
		struct rt_level_side *side = &l->side[i];
		side->is_muted = level->mute[i];
		side->gain_q12 = mix_gain_of_step(level->steps[i]);
		noise_init_divisor(&side->noise, level->mute[i] > 1 ? level->mute[i] : 0, 1);
		l->tap.changes[i] = level->mute[i] || level->steps[i];
	}
	*out = l;
	return ST_OK;
}
