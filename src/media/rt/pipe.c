/* A pipe: a short queue of samples between two streams whose ticks fall at different moments. It holds one frame in
 * stock, so that it never runs dry by a tick that comes a little early; what does not fit is too old to be said. */
#include "base/mem.h"
#include "base/status.h"
#include "dsp/resample.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { LEAST_MS = 120, FRAMES = 3 /* one in stock, one taken, one put */ };

static unsigned frame_ms_of(const struct media_params *p)
{
	return p->recv.ptime_ms > p->send.ptime_ms ? p->recv.ptime_ms : p->send.ptime_ms;
}

int rt_pipe_new(
    struct rt_pipe **out, uint32_t from_hz, uint32_t to_hz, const struct media_params *a, const struct media_params *b)
{
	unsigned frame_ms = frame_ms_of(a) > frame_ms_of(b) ? frame_ms_of(a) : frame_ms_of(b);
	size_t ms = FRAMES * frame_ms > LEAST_MS ? FRAMES * frame_ms : LEAST_MS, cap = to_hz / 1000 * ms;
	struct rt_pipe *p = mem_zalloc(sizeof(*p) + cap * sizeof(p->pcm[0]));
	if (!p)
		return ST_NOMEM;
	p->cap = cap;
	int st = from_hz == to_hz ? ST_OK : resample_new(&p->resample, from_hz, to_hz, 1);
	if (st)
		mem_free(p);
	else
		*out = p;
	return st;
}

void rt_pipe_free(struct rt_pipe *p)
{
	if (p)
		mem_unref(p->resample);
	mem_free(p);
}

void pipe_put(struct rt_pipe *p, const int16_t *pcm, size_t n)
{
	if (p->resample) {
		p->fill += resample_run(p->resample, pcm, &n, p->pcm + p->fill, p->cap - p->fill);
		return;
	}
	if (n > p->cap - p->fill)
		n = p->cap - p->fill;
	memcpy(p->pcm + p->fill, pcm, n * sizeof(*pcm));
	p->fill += n;
}

bool pipe_get(struct rt_pipe *p, int16_t *out, size_t n)
{
	if (p->fill < (p->is_flowing ? n : 2 * n)) {
		p->is_flowing = false;
		return false;
	}
	p->is_flowing = true;
	memcpy(out, p->pcm, n * sizeof(*out));
	p->fill -= n;
	memmove(p->pcm, p->pcm + n, p->fill * sizeof(*out));
	return true;
}
