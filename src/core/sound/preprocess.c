/* preprocess: loudness, noise, echo and reverberation of a leg's sound, in FreeSWITCH's words (r.agc=true, w_agc=true)
 * and in shorter ones. One tap a leg: what a later line says is changed, the rest of the earlier ones stays. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/sound/media.h"
#include "core/sound/tap_i.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MAX = 16, ECHO_SAMPLES_MAX = 24000, ECHO_MS_MAX = 500 };

/* What stands behind a "=": yes (also without one, and 1), no (0), or another number from low to high in *n. */
enum said { SAID_NO, SAID_YES, SAID_NUMBER, SAID_WRONG };
static enum said value_read(const char *value, long low, long high, long *n)
{
	static const char *const no[] = {"false", "no", "off", "f", "disabled", "inactive", "disallow", "0"};
	char *end;
	if (!value)
		return SAID_YES;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (!strcasecmp(value, no[i]))
			return SAID_NO;
	*n = strtol(value, &end, 10);
	if (end == value)
		return str_is_true(value) ? SAID_YES : SAID_WRONG;
	if (*end && strcasecmp(end, "ms") != 0)
		return SAID_WRONG;
	return *n == 1 ? SAID_YES : *n >= low && *n <= high ? SAID_NUMBER : SAID_WRONG;
}

/* echo_cancel counts samples as FreeSWITCH's does, ec milliseconds; either with "ms" behind milliseconds. */
static bool echo_read(struct preproc_conf *c, const char *name, const char *value)
{
	bool is_ms =
	    !strcasecmp(name, "ec") || (value && strlen(value) > 2 && !strcasecmp(value + strlen(value) - 2, "ms"));
	long n = 0;
	enum said said = value_read(value, is_ms ? 10 : 80, is_ms ? ECHO_MS_MAX : ECHO_SAMPLES_MAX, &n);
	if (said == SAID_WRONG)
		return false;
	c->has_echo = said != SAID_NO;
	c->echo_tail_ms = said == SAID_NUMBER && is_ms ? (unsigned)n : 0;
	c->echo_tail_samples = said == SAID_NUMBER && !is_ms ? (unsigned)n : 0;
	return true;
}

/* False: no such word, or a value that it cannot have; nothing is changed then. */
static bool word_read(struct preproc_conf *c, const char *name, const char *value)
{
	enum said said;
	long n = 0;
	if (!strcasecmp(name, "echo_cancel") || !strcasecmp(name, "ec"))
		return echo_read(c, name, value);
	if (!strcasecmp(name, "agc")) {
		if ((said = value_read(value, 1, 32768, &n)) == SAID_WRONG)
			return false;
		c->has_agc = said != SAID_NO, c->agc_level = said == SAID_NUMBER ? (float)n : 0;
	} else if (!strcasecmp(name, "noise_suppress") || !strcasecmp(name, "ns")) {
		if ((said = value_read(value, -60, -1, &n)) == SAID_WRONG)
			return false;
		c->has_noise = said != SAID_NO, c->noise_db = said == SAID_NUMBER ? (int)n : 0;
	} else if (!strcasecmp(name, "echo_suppress")) {
		if ((said = value_read(value, -80, -1, &n)) == SAID_WRONG)
			return false;
		c->has_echo |= said != SAID_NO, c->echo_suppress_db = said == SAID_NUMBER ? (int)n : 0;
	} else if (!strcasecmp(name, "deverb") || !strcasecmp(name, "dereverb")) {
		if ((said = value_read(value, 1, 1, &n)) == SAID_WRONG)
			return false;
		c->has_dereverb = said != SAID_NO;
	} else {
		return false;
	}
	return true;
}

/* "r.agc", "w_agc", "ragc": the word behind the side. No word of ours begins with either letter. */
static const char *side_read(const char *name, bool *is_write)
{
	*is_write = *name == 'w' || *name == 'W';
	if (!*is_write && *name != 'r' && *name != 'R')
		return name;
	name++;
	return name + strspn(name, "._");
}

/* Adds the words to *conf; those that cannot be are told in the log and passed over, *wrong is the first of them.
 * ST_PARSE: there is none that can. */
static ON_CTL int words_read(struct leg *leg, struct media_preproc_conf *conf, char *words, const char **wrong)
{
	char *all[WORDS_MAX];
	int n = words_split(words, ',', all, WORDS_MAX), good = 0;
	for (int i = 0; i < n; i++) {
		bool is_write;
		char *value = strchr(all[i], '=');
		if (value)
			*value++ = 0;
		const char *name = side_read(all[i], &is_write);
		if (!*name && !value)
			continue;
		if (word_read(&conf->side[is_write], name, value)) {
			conf->is_on[is_write] = true;
			good++;
			continue;
		}
		leg_log(leg, LOG_WARNING, "preprocess: %s: no such word, or a value that it cannot have", all[i]);
		if (!*wrong)
			*wrong = all[i];
	}
	return good ? ST_OK : ST_PARSE;
}

int leg_preprocess(struct leg *leg, char *words, const char **wrong)
{
	struct media_preproc_conf conf = {0};
	struct leg_tap *before = leg_tap_find(leg, LEG_TAP_PREPROCESS, NULL);
	*wrong = NULL;
	if (!strcasecmp(words, "stop")) {
		if (before)
			leg_tap_stop(before);
		return before ? ST_OK : ST_NOTFOUND;
	}
	if (before)
		conf = before->preproc;
	int st = words_read(leg, &conf, words, wrong);
	if (!st)
		st = leg_tap_ready(leg);
	struct leg_tap *t = st ? NULL : leg_tap_new(leg, LEG_TAP_PREPROCESS, leg->uuid);
	if (!t)
		return st ? st : ST_NOMEM;
	t->preproc = conf;
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
