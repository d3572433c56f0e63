/* Who answered: mod_amd's applications. `amd` begins to listen and returns; what it finds is in variables, an event and
 * hooks; `waitforresult` waits for it. */
#include "amd/amd_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define AMD_EVENT "amd::info"
enum { WORDS_MAX = 16, MS_MAX = 600000, WAIT_SPARE_MS = 2000 };

static const struct {
	const char *name;
	size_t at;
} params[] = {{"initial_silence", offsetof(struct amd_conf, initial_silence_ms)},
    {"greeting", offsetof(struct amd_conf, greeting_ms)},
    {"after_greeting_silence", offsetof(struct amd_conf, after_greeting_silence_ms)},
    {"total_analysis_time", offsetof(struct amd_conf, total_ms)},
    {"min_word_length", offsetof(struct amd_conf, min_word_ms)},
    {"maximum_word_length", offsetof(struct amd_conf, max_word_ms)},
    {"between_words_silence", offsetof(struct amd_conf, between_words_ms)},
    {"maximum_number_of_words", offsetof(struct amd_conf, max_words)},
    {"silence_threshold", offsetof(struct amd_conf, threshold)}, {NULL, 0}};

static bool param_set(struct amd_conf *conf, const char *name, const char *value)
{
	for (size_t i = 0; params[i].name; i++) {
		int64_t n = value ? str_number(value, 0, MS_MAX) : -1;
		if (strcasecmp(params[i].name, name))
			continue;
		if (n < 0 || n > MS_MAX || !value[strspn(value, "0")])
			return false; /* none of them can be nothing */
		*(uint32_t *)((char *)conf + params[i].at) = (uint32_t)n;
		return true;
	}
	return false;
}

static ON_CTL void fire(struct leg *leg, const struct media_heard *h)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, AMD_EVENT) || !(e = event_new(EVENT_CUSTOM, AMD_EVENT)))
		return;
	event_add(e, "AMD-Result", amd_result_text(h ? h->who.result : AMD_NOTSURE));
	event_add(e, "AMD-Cause", h ? amd_cause_text(h->who.cause) : "STOPPED");
	if (h) {
		event_addf(e, "AMD-Words", "%u", h->who.words);
		event_addf(e, "AMD-Voice-Ms", "%u", h->who.voice_ms);
		event_addf(e, "AMD-Silence-Ms", "%u", h->who.silence_ms);
		event_addf(e, "AMD-Total-Ms", "%u", h->who.total_ms);
	}
	leg_event_headers(leg, e);
	event_fire(e);
}

static const char *who_over(struct leg *leg, const struct media_heard *h)
{
	static const char *const hooks[] = {
	    [AMD_HUMAN] = "amd_human", [AMD_MACHINE] = "amd_machine", [AMD_NOTSURE] = "amd_notsure"};
	role_assert_ctl();
	leg_var_set(leg, "amd_status", h ? "done" : "stopped");
	leg_var_set(leg, "amd_result", amd_result_text(h ? h->who.result : AMD_NOTSURE));
	leg_var_set(leg, "amd_cause", h ? amd_cause_text(h->who.cause) : "STOPPED");
	leg_var_setf(leg, "amd_result_epoch", "%lld", (long long)(clock_wall_us() / 1000000));
	leg_log(leg, LOG_INFO, "amd: %s, %s", leg_var(leg, "amd_result"), leg_var(leg, "amd_cause"));
	fire(leg, h);
	return h ? hooks[h->who.result] : NULL;
}

static const struct leg_ear who_ear = {.function = "amd", .over = who_over};

/* text: "name=value,name=value" or with ';'; what is wrong goes into *wrong, which lies in it. */
static ON_CTL int who_start(struct leg *leg, char *text, const char **wrong)
{
	struct media_ear_conf conf = {.kind = MEDIA_EAR_WHO, .on_read = true, .who = AMD_CONF_DEFAULT};
	char *words[WORDS_MAX];
	*wrong = NULL;
	for (size_t i = 0; params[i].name; i++)
		if (!param_set(&conf.who, params[i].name, amd_param("amd.conf", params[i].name)))
			leg_log(leg, LOG_ERR, "amd.conf: %s is no number from 1 to %d: its default is taken",
			    params[i].name, MS_MAX);
	for (char *p = text; (p = strchr(p, ';'));)
		*p = ',';
	int n = words_split(text, ',', words, WORDS_MAX);
	for (int i = 0; i < n; i++) {
		const char *value = amd_word_value(words[i]);
		if (!*words[i] && !value)
			continue;
		if (!param_set(&conf.who, words[i], value)) {
			*wrong = words[i];
			return ST_INVAL;
		}
	}
	int st = leg_ear_start(leg, &who_ear, &conf);
	if (st)
		return st;
	leg_var_set(leg, "amd_status", "listening");
	leg_var_set(leg, "amd_result", NULL);
	leg_var_set(leg, "amd_cause", NULL);
	return ST_OK;
}

int app_amd(struct leg *leg, const char *data)
{
	const char *wrong = NULL;
	char *text = mem_strdup(data ? data : "");
	role_assert_co();
	int st = text ? who_start(leg, text, &wrong) : ST_NOMEM;
	if (wrong)
		leg_log(leg, LOG_ERR, "amd: %s is no parameter with a number from 1 to %d", wrong, MS_MAX);
	else if (st && st != ST_HANGUP)
		leg_log(leg, LOG_ERR, "amd: %s", st == ST_EXISTS ? "it listens already" : status_text(st));
	mem_free(text);
	return st == ST_HANGUP ? st : ST_OK;
}

/* Until it is decided; it always is within total_analysis_time of sound. [timeout_ms] */
int app_waitforresult(struct leg *leg, const char *data)
{
	role_assert_co();
	int64_t ms = data && *data ? str_number(data, 1, MS_MAX) : MS_MAX + WAIT_SPARE_MS;
	int64_t deadline = clock_mono_us() + clock_us_of_ms(ms > 0 ? ms : MS_MAX), left;
	int st = ST_OK;
	while (leg_ear_is_on(leg, &who_ear) && !st && (left = deadline - clock_mono_us()) > 0)
		st = leg_wait(leg, left);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* uuid [start [name=value,...] | stop] */
int api_amd_detect(struct api_call *c)
{
	role_assert_ctl();
	const char *wrong = NULL;
	char *words[3] = {NULL, NULL, NULL}, nothing[] = "", *text = mem_strdup(c->args ? c->args : "");
	int n = text ? words_split(text, ' ', words, 3) : 0;
	struct leg *leg = n ? leg_find(words[0]) : NULL;
	if (!n) {
		buf_adds(c->out, "-USAGE: <uuid> [start|stop] [<name>=<value>,...]\n");
	} else if (!leg) {
		buf_adds(c->out, "-ERR No such channel!\n");
	} else {
		bool is_stop = n > 1 && !strcasecmp(words[1], "stop"),
		     has_verb = n > 1 && !strcasecmp(words[1], "start");
		char *options = is_stop || n < 2 ? nothing : has_verb ? (n > 2 ? words[2] : nothing) : words[1];
		int st = is_stop ? leg_ear_stop(leg, &who_ear) : who_start(leg, options, &wrong);
		if (wrong)
			buf_printf(c->out, "-ERR %s is no parameter with a number from 1 to %d\n", wrong, MS_MAX);
		else if (st)
			buf_printf(c->out, "-ERR %s\n", status_text(st));
		else
			buf_adds(c->out, "+OK\n");
	}
	mem_free(text);
	return ST_OK;
}
