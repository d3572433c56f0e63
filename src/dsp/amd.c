/* Person or machine: see amd.h. A frame is sound when its mean amplitude is over the threshold and well over the line's
 * noise, whose level is followed: down at once, up slowly and only while nothing is said, so that a noisy line is not
 * taken for speech and speech does not become noise. Runs of sound are words, runs of silence the rest. */
#include "dsp/amd.h"
#include "dsp/mix.h"

#include <string.h>

enum { FRAME_MS = 20 };
static const double over_floor = 1.5, stays_over = 1.2, floor_up = 1.02; /* a sound begins, goes on */

void amd_init(struct amd *a, uint32_t rate_hz, const struct amd_conf *conf)
{
	memset(a, 0, sizeof(*a));
	a->conf = *conf;
	a->frame_samples = rate_hz / (1000 / FRAME_MS);
}

static bool decide(struct amd *a, enum amd_result result, enum amd_cause cause)
{
	a->found.result = result, a->found.cause = cause;
	return true;
}

static bool is_sound(struct amd *a, double level)
{
	if (a->floor <= 0 || level < a->floor)
		a->floor = level > 1 ? level : 1;
	bool is = level >= a->conf.threshold && level >= a->floor * (a->word_ms ? stays_over : over_floor);
	if (!is && level > a->floor)
		a->floor = a->floor * floor_up < level ? a->floor * floor_up : level;
	return is;
}

static bool silent_frame(struct amd *a)
{
	const struct amd_conf *c = &a->conf;
	a->found.silence_ms += FRAME_MS;
	if (a->found.silence_ms >= c->between_words_ms)
		a->is_in_word = false, a->word_ms = 0;
	if (!a->has_spoken && a->found.silence_ms >= c->initial_silence_ms)
		return decide(a, AMD_MACHINE, AMD_INITIAL_SILENCE);
	if (a->has_spoken && a->found.silence_ms >= c->after_greeting_silence_ms)
		return decide(a, AMD_HUMAN, AMD_SILENCE_AFTER_GREETING);
	return false;
}

/* The pause before a sound counts as silence until the sound is a word. */
static bool loud_frame(struct amd *a)
{
	const struct amd_conf *c = &a->conf;
	a->word_ms += FRAME_MS;
	if (a->word_ms < c->min_word_ms)
		return false;
	a->found.silence_ms = 0;
	a->found.voice_ms += a->is_in_word ? FRAME_MS : a->word_ms;
	a->found.words += !a->is_in_word;
	a->is_in_word = a->has_spoken = true;
	if (a->word_ms >= c->max_word_ms)
		return decide(a, AMD_MACHINE, AMD_MAX_WORD_LENGTH);
	if (a->found.words > c->max_words)
		return decide(a, AMD_MACHINE, AMD_MAX_WORDS);
	if (a->found.voice_ms >= c->greeting_ms)
		return decide(a, AMD_MACHINE, AMD_LONG_GREETING);
	return false;
}

static bool frame(struct amd *a, double level)
{
	a->found.total_ms += FRAME_MS;
	if (is_sound(a, level) ? loud_frame(a) : silent_frame(a))
		return true;
	return a->found.total_ms >= a->conf.total_ms && decide(a, AMD_NOTSURE, AMD_TOO_LONG);
}

bool amd_feed(struct amd *a, const int16_t *pcm, size_t n)
{
	while (n && !a->found.result) {
		size_t take = a->frame_samples - a->fill < n ? a->frame_samples - a->fill : n;
		a->sum += (uint64_t)mix_level_abs(pcm, take) * take;
		a->fill += (uint32_t)take, pcm += take, n -= take;
		if (a->fill < a->frame_samples)
			break;
		(void)frame(a, (double)a->sum / a->fill);
		a->sum = 0, a->fill = 0;
	}
	return a->found.result != AMD_NONE;
}

const char *amd_result_text(enum amd_result r)
{
	static const char *const texts[] = {"", "HUMAN", "MACHINE", "NOTSURE"};
	return texts[r];
}

const char *amd_cause_text(enum amd_cause c)
{
	static const char *const texts[] = {
	    "", "INITIALSILENCE", "SILENCEAFTERGREETING", "MAXWORDLENGTH", "MAXWORDS", "LONGGREETING", "TOOLONG"};
	return texts[c];
}
