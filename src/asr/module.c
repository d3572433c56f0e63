/* mod_http_asr: the tables and the applications. */
#include "core/registry/module.h"
#include "asr/asr_i.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "text/mark.h"

#include <string.h>
#include <strings.h>

static const struct conf_desc confs[] = {
    {"http_asr.conf", "authorization", "text", NULL, "", "header Authorization of the requests, to both servers"},
    {"http_asr.conf", "no-input-timeout", "number", "ms", "5000", "nothing is said for so long: cause 002; 0: never"},
    {"http_asr.conf", "rate", "number", "Hz", "8000", "of the sound that is sent: 8000 or 16000"},
    {"http_asr.conf", "recognition-timeout", "number", "ms", "20000",
        "speech that is longer is sent as far as it goes; 500 to 60000"},
    {"http_asr.conf", "stream-url", "url", NULL, "",
        "ws:// or wss://, where sound is sent as it is said; none: there is no engine ws"},
    {"http_asr.conf", "timeout", "number", "ms", "10000", "for the engine's answer"},
    {"http_asr.conf", "url", "url", NULL, "", "where utterances are sent by POST; none: there is no engine http"},
    {NULL},
};

const char *asr_param(const char *name)
{
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf("http_asr.conf"), "settings"), name, d->fallback);
	return "";
}

static ON_CTL void told(struct leg *leg, const char *app, const char *engine, int st)
{
	if (st && st != ST_HANGUP)
		leg_log(leg, LOG_ERR, "%s: %s%s", app,
		    st == ST_INVAL ? "there is no engine (http with a url, ws with a stream-url in http_asr.conf, or a "
		                     "module's) "
		    : st == ST_NOTFOUND ? "nothing is listened to"
		                        : status_text(st),
		    st == ST_INVAL ? engine : "");
}

/* "{a=b,c=d}grammar", with marks: what is from outside is a value, or the grammar. A parameter that is not known, or a
 * value that it cannot have, is told and left out. text changes and is borrowed by conf. False: '{' without '}'. */
static ON_CTL bool params_read(struct leg *leg, const char *app, char *text, struct asr_conf *conf)
{
	struct app_words w;
	char *end = *text == '{' ? strchr(text, '}') : NULL, *grammar = end ? end + 1 : text;
	if (*text == '{' && !end)
		return false;
	(void)mark_strip_in_place(grammar);
	conf->grammar = grammar;
	if (!end)
		return true;
	*end = 0;
	int st = app_words_cut(&w, text + 1, ',', ASR_PARAMS_MAX);
	for (int i = 0; !st && i < w.n; i++) {
		char *value = strchr(w.w[i], '=');
		if (value)
			*value++ = 0;
		if (!asr_conf_set(conf, w.w[i], value ? value : ""))
			leg_log(leg, LOG_WARNING, "%s: %s: no such parameter, or a value that it cannot have: left out",
			    app, w.w[i]);
	}
	app_words_fini(&w);
	return !st;
}

#define DETECT_USAGE \
	"<engine> <grammar> [<path>] | init <engine> | grammar <name> | nogrammar | param <name> <value> | pause | " \
	"resume | " \
	"stop | start-input-timers"

/* Of FreeSWITCH's words for grammars: there is one at a time, so that which is switched on is the one. */
static ON_CTL int grammar_word(struct leg *leg, const char *verb, const char *name)
{
	bool is_on = !strcasecmp(verb, "grammar") || !strcasecmp(verb, "grammaron");
	bool is_off =
	    !strcasecmp(verb, "nogrammar") || !strcasecmp(verb, "grammaroff") || !strcasecmp(verb, "grammarsalloff");
	return is_on ? asr_grammar_set(leg, name) : is_off ? asr_grammar_set(leg, "") : ST_UNSUPPORTED;
}

static ON_CTL int detect(struct leg *leg, const struct app_words *w)
{
	struct asr_conf conf;
	const char *verb = w->w[0];
	int st = grammar_word(leg, verb, w->w[1]);
	if (st != ST_UNSUPPORTED)
		return st;
	if (!strcasecmp(verb, "param"))
		return asr_param_set(leg, w->w[1], w->w[2]);
	if (!strcasecmp(verb, "pause") || !strcasecmp(verb, "resume"))
		return asr_pause(leg, !strcasecmp(verb, "pause"));
	if (!strcasecmp(verb, "stop"))
		return asr_stop(leg);
	if (!strcasecmp(verb, "start_input_timers") || !strcasecmp(verb, "start-input-timers"))
		return asr_timers_start(leg);
	if (!strcasecmp(verb, "init"))
		return mark_has(sv_of(w->m[1])) ? ST_DENIED : asr_init(leg, w->w[1]);
	asr_conf_default(&conf);
	conf.no_input_ms = 0; /* silence is counted where param says so */
	char *grammar = mem_strdup(w->m[1]);
	st = !grammar                                            ? ST_NOMEM
	     : params_read(leg, "detect_speech", grammar, &conf) ? asr_start(leg, verb, &conf)
	                                                         : ST_PARSE;
	mem_free(grammar);
	return st;
}

int app_detect_speech(struct leg *leg, const char *data)
{
	role_assert_co();
	struct app_words w;
	int st = app_words_init(&w, leg_exec_text(leg, data), 4);
	if (!st && !w.n) {
		leg_log(leg, LOG_ERR, "detect_speech: usage: " DETECT_USAGE);
	} else if (!st) {
		st = mark_has(sv_of(w.m[0])) ? ST_DENIED : detect(leg, &w); /* an engine or a verb from outside */
		if (st == ST_PARSE)
			leg_log(leg, LOG_ERR, "detect_speech: %s: no such parameter, or a value that it cannot have",
			    w.w[1]);
		else
			told(leg, "detect_speech", strcasecmp(w.w[0], "init") ? w.w[0] : w.w[1], st);
	}
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}

static bool goes_on(struct leg *leg, void *arg)
{
	role_assert_co();
	return !asr_is_speaking(leg);
}

/* The prompt ends when somebody speaks; then, or when it is over, the result is waited for. */
static CO int play_and_wait(struct leg *leg, const char *file)
{
	struct leg_watch watch = {.goes_on = goes_on, .is_prompt = true};
	int st = leg_play_watched(leg, file, &watch);
	if (st && st != ST_CANCELLED && (st == ST_HANGUP || !asr_is_done(leg)))
		return st;
	st = ST_OK;
	(void)asr_timers_start(leg);
	while (!st && !asr_is_done(leg))
		st = leg_wait(leg, -1);
	return st;
}

/* Its recogniser stays, resting unless it goes on listening, until the call or play_and_detect_speech_close_asr ends
 * it. */
static CO int recognise(struct leg *leg, const char *file, const char *engine, const struct asr_conf *conf)
{
	int st = leg->is_answered || leg->is_early ? ST_OK : leg_pre_answer(leg);
	if (!st)
		st = asr_start(leg, engine, conf);
	told(leg, "play_and_detect_speech", engine, st);
	if (st) {
		leg_exec_response(leg, "ASR INIT ERROR");
		return st;
	}
	st = play_and_wait(leg, file);
	if (leg_var_is_true(leg, "play_and_detect_speech_close_asr"))
		(void)asr_stop(leg);
	else if (!asr_is_done(leg) || !leg_var_is_true(leg, "asr_intercept_dtmf"))
		(void)asr_pause(leg, true);
	leg_exec_response(leg, st ? "ERROR" : "DONE");
	return st;
}

/* file detect:engine {params}grammar */
int app_play_and_detect_speech(struct leg *leg, const char *data)
{
	static const char word[] = " detect:";
	role_assert_co();
	char *file = mem_strdup(leg_exec_text(leg, data)), *at = file ? strstr(file, word) : NULL, *rest;
	struct asr_conf conf;
	int st = ST_OK;
	leg_var_set(leg, "detect_speech_result", NULL);
	if (!at || !at[sizeof(word) - 1]) {
		leg_log(
		    leg, LOG_ERR, "play_and_detect_speech: usage: <file> detect:<engine> {param=value,...}<grammar>");
		leg_exec_response(leg, "USAGE ERROR");
		mem_free(file);
		return ST_OK;
	}
	*at = 0;
	rest = at + sizeof(word) - 1;
	char *grammar = strchr(rest, ' '), none[] = "";
	if (grammar)
		*grammar++ = 0;
	asr_conf_default(&conf);
	conf.waits_for_timers = true;
	if (mark_has(sv_of(rest))) {
		leg_log(leg, LOG_ERR, "play_and_detect_speech: an engine that is named from outside is not used");
		leg_exec_response(leg, "ASR INIT ERROR");
	} else if (!params_read(leg, "play_and_detect_speech", grammar ? grammar : none, &conf)) {
		leg_log(leg, LOG_ERR, "play_and_detect_speech: the parameters have no end, or are more than %d",
		    ASR_PARAMS_MAX);
		leg_exec_response(leg, "GRAMMAR ERROR");
	} else {
		st = recognise(leg, file, rest, &conf);
	}
	mem_free(file);
	return st == ST_HANGUP ? st : ST_OK;
}

static const struct app_desc apps[] = {
    {"detect_speech", "Detect speech", DETECT_USAGE, 0, app_detect_speech},
    {"play_and_detect_speech", "Play and do speech recognition",
        "<file> detect:<engine> {param1=val1,param2=val2}<grammar>", 0, app_play_and_detect_speech},
    {NULL},
};
static const struct var_desc vars[] = {
    {"detect_speech_cause", "000|001|002|006", "recognised, nothing matched, nothing was said, the engine failed",
        false, true},
    {"detect_speech_result", "xml", "what was recognised", false, true},
    {"asr_intercept_dtmf", "bool",
        "digits, pound, hash, star and asterisk in what was recognised count as keys, and it goes on listening", true,
        false},
    {"play_and_detect_speech_close_asr", "bool",
        "the recogniser is closed behind play_and_detect_speech, not kept for the next", true, false},
    {NULL},
};
static const struct name_desc names[] = {{"asr", "http"}, {"asr", "ws"}, {NULL}};

static int unload(void)
{
	role_assert_ctl();
	asr_worker_stop();
	return ST_OK;
}

extern const struct module mod_http_asr;
const struct module mod_http_asr = {.abi = MODULE_ABI,
    .name = "mod_http_asr",
    .apps = apps,
    .vars = vars,
    .confs = confs,
    .names = names,
    .unload = unload,
    .part = &asr_part};
