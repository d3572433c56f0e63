/* speexdsp's preprocessor and echo canceller behind one struct. Their states are allocated at birth. The canceller
 * takes out of a block what its filter has learned of the far side; the preprocessor then sees to what is left of it,
 * to noise and to loudness. */
#include "dsp/preproc.h"
#include "base/mem.h"
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>

#include <string.h>

enum { BLOCKS_A_SECOND = 100, BLOCK_MAX = 480, TAIL_MS = 128, TAIL_MAX_MS = 500 };
struct preproc {
	SpeexPreprocessState *st;
	SpeexEchoState *echo;
	size_t block;
};

static void preproc_free(void *obj)
{
	struct preproc *p = obj;
	if (p->st)
		speex_preprocess_state_destroy(p->st);
	if (p->echo)
		speex_echo_state_destroy(p->echo);
}

static void set(struct preproc *p, int what, int value)
{
	spx_int32_t v = value;
	(void)speex_preprocess_ctl(p->st, what, &v);
}

static void settle(struct preproc *p, const struct preproc_conf *conf)
{
	set(p, SPEEX_PREPROCESS_SET_DENOISE, conf->has_noise);
	set(p, SPEEX_PREPROCESS_SET_AGC, conf->has_agc);
	set(p, SPEEX_PREPROCESS_SET_DEREVERB, conf->has_dereverb);
	if (conf->noise_db)
		set(p, SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, conf->noise_db);
	float level = conf->agc_level;
	if (conf->has_agc && level > 0)
		(void)speex_preprocess_ctl(p->st, SPEEX_PREPROCESS_SET_AGC_LEVEL, &level);
	if (!p->echo)
		return;
	(void)speex_preprocess_ctl(p->st, SPEEX_PREPROCESS_SET_ECHO_STATE, p->echo);
	if (conf->echo_suppress_db)
		set(p, SPEEX_PREPROCESS_SET_ECHO_SUPPRESS, conf->echo_suppress_db);
}

int preproc_new(struct preproc **out, uint32_t rate_hz, const struct preproc_conf *conf)
{
	unsigned tail_ms = conf->echo_tail_ms ? conf->echo_tail_ms : TAIL_MS, most = rate_hz / 1000 * TAIL_MAX_MS,
	         tail = conf->echo_tail_samples ? conf->echo_tail_samples : rate_hz / 1000 * tail_ms;
	if (rate_hz < 8000 || rate_hz > 48000 || tail_ms > TAIL_MAX_MS)
		return ST_INVAL;
	struct preproc *p = mem_new(sizeof(*p), preproc_free, "dsp.preproc");
	if (!p)
		return ST_NOMEM;
	p->block = rate_hz / BLOCKS_A_SECOND;
	p->st = speex_preprocess_state_init((int)p->block, (int)rate_hz);
	if (conf->has_echo)
		p->echo = speex_echo_state_init((int)p->block, (int)(tail < most ? tail : most));
	if (!p->st || (conf->has_echo && !p->echo)) {
		mem_unref(p);
		return ST_NOMEM;
	}
	spx_int32_t rate = (spx_int32_t)rate_hz;
	if (p->echo)
		(void)speex_echo_ctl(p->echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
	settle(p, conf);
	*out = p;
	return ST_OK;
}

void preproc_run(struct preproc *p, int16_t *pcm, const int16_t *far, size_t n)
{
	int16_t clean[BLOCK_MAX];
	for (size_t i = 0; i + p->block <= n; i += p->block) {
		if (p->echo && far) {
			speex_echo_cancellation(p->echo, pcm + i, far + i, clean);
			memcpy(pcm + i, clean, p->block * sizeof(*pcm));
		}
		(void)speex_preprocess_run(p->st, pcm + i);
	}
}
