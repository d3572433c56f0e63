/* What is said to a caller and what he presses. Everything said is a phrase macro (FreeSWITCH's names, so that its
 * languages fit); a prompt that is missing is passed over: the keys work all the same. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/keys/digits.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/say.h"
#include "media/ctl/mctl.h"
#include "text/mark.h"
#include "text/words.h"
#include "voicemail/vm_i.h"

bool vm_is_key(const char *key, const char *pressed)
{
	return *key && *pressed == *key;
}

static bool is_over(int st)
{
	return st == ST_HANGUP || st == ST_CANCELLED;
}

int vm_say(struct leg *leg, const char *macro, const char *data, char *key)
{
	static const struct leg_watch keys_wait = {NULL, NULL}; /* they are for what comes next */
	struct leg_play_end end = {.terminators = "any", .watch = key ? NULL : &keys_wait};
	int st = leg_is_ready(leg) ? leg_phrase(leg, macro, data ? data : "", NULL, &end)
	         : leg_is_up(leg)  ? ST_CANCELLED
	                           : ST_HANGUP;
	if (key)
		*key = end.digit;
	return is_over(st) ? st : ST_OK;
}

int vm_say_number(struct leg *leg, const char *macro, const char *fmt, ...)
{
	struct buf b;
	va_list ap;
	buf_init(&b);
	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	int st = b.failed ? ST_NOMEM : vm_say(leg, macro, b.p, NULL);
	buf_fini(&b);
	return st;
}

int vm_ask(struct leg *leg, const struct vm_conf *conf, const char *macro, const char *data, unsigned max,
    const char *terminators, struct vm_keys *out)
{
	struct leg_digits d = {.terminators = terminators};
	char key = 0;
	unsigned n = 0;
	*out = (struct vm_keys){0};
	int st = macro ? vm_say(leg, macro, data, &key) : ST_OK;
	if (st)
		return st;
	if (key && strchr(terminators, key)) {
		out->terminator = key;
		return ST_OK;
	}
	if (key)
		out->text[n++] = key;
	if (max > VM_KEYS_MAX)
		max = VM_KEYS_MAX;
	if (n >= max)
		return ST_OK;
	leg_digits_limit(&d, 0, max - n, conf->digit_timeout_ms, conf->digit_timeout_ms);
	st = leg_digits_collect(leg, &d);
	memcpy(out->text + n, d.digits, d.count + 1);
	out->terminator = d.terminator;
	return is_over(st) ? st : ST_OK;
}

/* No playback for the events' readers: it is part of the recording. */
int vm_beep(struct leg *leg, const char *spec)
{
	struct mstream *s = leg_media_stream(leg);
	struct buf source;
	uint32_t id = 0;
	int64_t end_us = clock_mono_us() + clock_us_of_s(10);
	if (!*spec || !s || !leg_is_ready(leg))
		return leg_is_up(leg) ? ST_OK : ST_HANGUP;
	buf_init(&source);
	buf_printf(&source, "tone_stream://%s", spec);
	int st = source.failed ? ST_NOMEM : mstream_play(s, source.p, 1, &id);
	buf_fini(&source);
	while (!st && leg_media_stream(leg) == s && mstream_is_playing(s) && clock_mono_us() < end_us)
		st = leg_wait(leg, end_us - clock_mono_us());
	if (leg_media_stream(leg) == s && mstream_is_playing(s))
		mstream_play_stop(s, id);
	return is_over(st) ? st : ST_OK;
}

int vm_send_to(struct leg *leg, const char *place)
{
	char *words[3] = {NULL, NULL, NULL}, *own = mem_strdup(place);
	int n = own ? words_split(own, ' ', words, 3) : 0;
	int st = n > 0 && *words[0] ? leg_transfer(leg, words[0], n > 1 ? words[1] : NULL, n > 2 ? words[2] : NULL)
	                            : ST_INVAL;
	mem_free(own);
	return st;
}
