/* A voice made better (dsp/preproc.h) before others hear it: one side, or both with states of their own. What the other
 * side says, for the echo canceller of the read side, is kept from the same tick's hearing. */
#include "base/mem.h"
#include "media/rt/tap_i.h"

#include <string.h>

struct rt_preproc {
	struct rt_tap tap;
	struct preproc *side[2]; /* NULL: left alone */
	size_t far_count;
	int16_t far[RT_FRAME_MAX_SAMPLES];
};

static void preproc_fini(struct rt_tap *tap)
{
	mem_unref(((struct rt_preproc *)tap)->side[RT_READ]);
	mem_unref(((struct rt_preproc *)tap)->side[RT_WRITE]);
}

static void preproc_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_preproc *p = (struct rt_preproc *)tap;
	if (!tap->hears[RT_WRITE])
		return;
	p->far_count = n < RT_FRAME_MAX_SAMPLES ? n : RT_FRAME_MAX_SAMPLES;
	memcpy(p->far, sides[RT_WRITE], p->far_count * sizeof(*p->far));
}

static void preproc_change(struct rt_tap *tap, int side, int16_t *pcm, size_t n)
{
	role_assert_media();
	struct rt_preproc *p = (struct rt_preproc *)tap;
	if (p->side[side])
		preproc_run(p->side[side], pcm, side == RT_READ && p->far_count == n ? p->far : NULL, n);
}

static const struct rt_tap_ops preproc_ops = {
    .name = "preprocess", .fini = preproc_fini, .hear = preproc_hear, .change = preproc_change};

int rt_preproc_new(struct rt_tap **out, const struct media_params *params, const struct media_preproc_conf *conf)
{
	struct rt_preproc *p;
	int st = tap_new((void **)&p, sizeof(*p), &preproc_ops, params);
	if (st)
		return st;
	const uint32_t rates[2] = {p->tap.pcm->recv_hz, p->tap.pcm->send_hz};
	for (int i = 0; i < 2 && !st; i++) {
		struct preproc_conf one = conf->side[i];
		if (!conf->is_on[i])
			continue;
		one.has_echo &= i == RT_READ;
		st = preproc_new(&p->side[i], rates[i], &one);
		p->tap.changes[i] = true;
		p->tap.hears[RT_WRITE] |= one.has_echo;
	}
	if (st)
		rt_tap_free(&p->tap);
	else
		*out = &p->tap;
	return st;
}
