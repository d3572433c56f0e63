/* preprocess: loudness, noise, echo and reverberation of a leg's sound, in FreeSWITCH's words. One tap a leg; new words
 * take its place. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/tap_i.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MAX = 16 };

/* Absent, or a boolean: *n is 0. */
static bool number_of(const char *value, long low, long high, long *n)
{
	char *end;
	*n = 0;
	if (!value || !strcasecmp(value, "true") || !strcasecmp(value, "false"))
		return true;
	*n = strtol(value, &end, 10);
	return *value && !*end && *n >= low && *n <= high;
}

static bool word_read(struct preproc_conf *c, const char *name, const char *value)
{
	bool is_on = !value || strcasecmp(value, "false") != 0, is_ok;
	long n;
	if (!strcasecmp(name, "agc")) {
		is_ok = number_of(value, 1, 32768, &n);
		c->has_agc = is_on, c->agc_level = n > 1 ? (float)n : 0;
	} else if (!strcasecmp(name, "noise_suppress") || !strcasecmp(name, "ns")) {
		is_ok = number_of(value, -60, -1, &n);
		c->has_noise = is_on, c->noise_db = (int)n;
	} else if (!strcasecmp(name, "echo_suppress")) {
		is_ok = number_of(value, -80, -1, &n);
		c->has_echo |= is_on, c->echo_suppress_db = (int)n;
	} else if (!strcasecmp(name, "echo_cancel") || !strcasecmp(name, "ec")) {
		is_ok = number_of(value, 10, 500, &n);
		c->has_echo = is_on, c->echo_tail_ms = (unsigned)n;
	} else {
		is_ok = (!strcasecmp(name, "deverb") || !strcasecmp(name, "dereverb")) && number_of(value, 1, 1, &n);
		c->has_dereverb = is_on;
	}
	return is_ok;
}

static int words_read(struct media_preproc_conf *conf, char *words, const char **wrong)
{
	char *all[WORDS_MAX];
	int n = words_split(words, ',', all, WORDS_MAX);
	for (int i = 0; i < n; i++) {
		char *name = all[i], *value = strchr(name, '=');
		bool is_write = !strncasecmp(name, "w.", 2);
		if (value)
			*value++ = 0;
		if (is_write || !strncasecmp(name, "r.", 2))
			name += 2;
		if (!*name && !value)
			continue;
		if (!word_read(&conf->side[is_write], name, value) || conf->side[1].has_echo) {
			if (wrong)
				*wrong = name;
			return ST_PARSE;
		}
		conf->is_on[is_write] = true;
	}
	return conf->is_on[0] || conf->is_on[1] ? ST_OK : ST_PARSE;
}

int leg_preprocess(struct leg *leg, char *words, const char **wrong)
{
	struct media_preproc_conf conf = {0};
	struct leg_tap *before = leg_tap_find(leg, LEG_TAP_PREPROCESS, NULL);
	if (!strcasecmp(words, "stop")) {
		if (before)
			leg_tap_stop(before);
		return before ? ST_OK : ST_NOTFOUND;
	}
	int st = words_read(&conf, words, wrong);
	if (!st)
		st = leg_tap_ready(leg);
	struct leg_tap *t = st ? NULL : leg_tap_new(leg, LEG_TAP_PREPROCESS, leg->uuid);
	if (!t)
		return st ? st : ST_NOMEM;
	st = mstream_preprocess(leg_media_stream(leg), &conf, &t->id);
	if (st) {
		leg_tap_free(t);
		return st;
	}
	if (before)
		leg_tap_stop(before);
	leg_tap_told(t);
	return ST_OK;
}
