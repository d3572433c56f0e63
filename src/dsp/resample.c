/* speexdsp's resampler behind our own struct; quality 3, integer samples. Its state is allocated once, at birth. */
#include "dsp/resample.h"
#include "base/mem.h"
#include <speex/speex_resampler.h>

enum { QUALITY = 3 };

struct resample {
	SpeexResamplerState *st;
	uint32_t in_hz, out_hz;
};
static void resample_free(void *obj)
{
	struct resample *r = obj;
	if (r->st)
		speex_resampler_destroy(r->st);
}

int resample_new(struct resample **out, uint32_t in_hz, uint32_t out_hz, unsigned channels)
{
	struct resample *r;
	int err = 0;

	if (in_hz < 1000 || out_hz < 1000 || in_hz > 384000 || out_hz > 384000 || !channels || channels > 8)
		return ST_INVAL;
	r = mem_new(sizeof(*r), resample_free, "dsp.resample");
	if (!r)
		return ST_NOMEM;
	r->in_hz = in_hz;
	r->out_hz = out_hz;
	r->st = speex_resampler_init(channels, in_hz, out_hz, QUALITY, &err);
	if (!r->st) {
		mem_unref(r);
		return ST_NOMEM;
	}
	*out = r;
	return ST_OK;
}

size_t resample_run(struct resample *r, const int16_t *in, size_t *in_frames, int16_t *out, size_t out_cap_frames)
{
	spx_uint32_t n = (spx_uint32_t)*in_frames, m = (spx_uint32_t)out_cap_frames;
	speex_resampler_process_interleaved_int(r->st, in, &n, out, &m);
	*in_frames = n;
	return m;
}
size_t resample_bound(const struct resample *r, size_t in_frames)
{
	return (size_t)((uint64_t)in_frames * r->out_hz / r->in_hz) + 2;
}
void resample_reset(struct resample *r)
{
	speex_resampler_reset_mem(r->st);
}
size_t resample_latency(const struct resample *r)
{
	return (size_t)speex_resampler_get_output_latency(r->st);
}
