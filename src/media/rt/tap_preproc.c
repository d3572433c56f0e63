/* A voice made better (dsp/preproc.h) before others hear it: one side, or both with states of their own. What the phone
 * hears, for the echo canceller of the read side, is kept from the same tick's hearing. What it says, for that of the
 * write side, waits in a queue, as frames go to the phone when their sender makes them: so the echo's distance stays
 * the same while one is early and the next late. */
#include "base/mem.h"
#include "media/rt/tap_i.h"

#include <string.h>

struct rt_preproc {
	struct rt_tap tap;
	struct preproc *side[2]; /* NULL: left alone */
	size_t far_count, said_count;
	int16_t far[RT_FRAME_MAX_SAMPLES]; /* to the phone, in this tick */
	int16_t *said;                     /* from it, SAID_MAX; NULL: not needed */
};

enum { SAID_MAX = 2 * RT_FRAME_MAX_SAMPLES };

static void preproc_fini(struct rt_tap *tap)
{
	mem_free(((struct rt_preproc *)tap)->said);
	mem_unref(((struct rt_preproc *)tap)->side[RT_READ]);
	mem_unref(((struct rt_preproc *)tap)->side[RT_WRITE]);
}

ON_MEDIA static void said_drop(struct rt_preproc *p, size_t n)
{
	p->said_count -= n;
	memmove(p->said, p->said + n, p->said_count * sizeof(*p->said));
}

ON_MEDIA static void said_put(struct rt_preproc *p, const int16_t *pcm, size_t n)
{
	if (n > RT_FRAME_MAX_SAMPLES)
		return;
	if (p->said_count + n > SAID_MAX) /* nothing goes to the phone */
		said_drop(p, p->said_count + n - SAID_MAX);
	memcpy(p->said + p->said_count, pcm, n * sizeof(*pcm));
	p->said_count += n;
}

static void preproc_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_preproc *p = (struct rt_preproc *)tap;
	if (p->said)
		said_put(p, sides[RT_READ], n);
	if (!tap->hears[RT_WRITE])
		return;
	p->far_count = n < RT_FRAME_MAX_SAMPLES ? n : RT_FRAME_MAX_SAMPLES;
	memcpy(p->far, sides[RT_WRITE], p->far_count * sizeof(*p->far));
}

static void preproc_change(struct rt_tap *tap, int side, int16_t *pcm, size_t n)
{
	role_assert_media();
	struct rt_preproc *p = (struct rt_preproc *)tap;
	if (!p->side[side])
		return;
	if (side == RT_READ) {
		preproc_run(p->side[side], pcm, p->far_count == n ? p->far : NULL, n);
		return;
	}
	bool has_far = p->said && p->said_count >= n;
	preproc_run(p->side[side], pcm, has_far ? p->said : NULL, n);
	if (has_far)
		said_drop(p, n);
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
		one.has_echo &= i == RT_READ || rates[0] == rates[1];
		if (one.has_echo && i == RT_WRITE && !(p->said = mem_alloc(SAID_MAX * sizeof(*p->said)))) {
			st = ST_NOMEM;
			break;
		}
		st = preproc_new(&p->side[i], rates[i], &one);
		p->tap.changes[i] = true;
		p->tap.hears[!i] |= one.has_echo;
	}
	if (st)
		rt_tap_free(&p->tap);
	else
		*out = &p->tap;
	return st;
}
