/* Beeps: mod_avmd's and mod_vmd's applications and commands. Both listen alike (dsp/avmd.h) and tell it in their own
 * words. One beep is what they wait for; then, or when stopped, they are over. */
#include "amd/amd_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/sound/media.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MAX = 16 };
static const double hz_low = 200, hz_high = 3400;

static ON_CTL struct event *begin(struct leg *leg, const char *subclass, const char *command)
{
	struct event *e = event_is_wanted(EVENT_CUSTOM, subclass) ? event_new(EVENT_CUSTOM, subclass) : NULL;
	if (!e)
		return NULL;
	leg_event_headers(leg, e);
	event_add(e, "call-command", command);
	return e;
}

static ON_CTL void beep_fire(struct leg *leg, const struct media_heard *h)
{
	struct event *e = begin(leg, "avmd::beep", "avmd");
	if (!e)
		return;
	event_add(e, "Beep-Status", "DETECTED");
	event_addf(e, "Beep-Time", "%lld", (long long)clock_wall_us());
	event_addf(e, "Frequency", "%f", h->beep.hz);
	event_addf(e, "Frequency-variance", "%f", h->beep.hz_variance);
	event_addf(e, "Amplitude", "%f", h->beep.amplitude);
	event_addf(e, "Amplitude-variance", "%f", h->beep.amplitude_variance);
	event_addf(e, "Detection-time", "%lld", (long long)clock_us_of_ms(h->beep.at_ms));
	event_fire(e);
}

static const char *avmd_over(struct leg *leg, const struct media_heard *h)
{
	role_assert_ctl();
	if (h) {
		leg_var_setf(leg, "avmd_total_time", "[%u]", h->beep.at_ms);
		leg_var_set(leg, "avmd_detect", "TRUE");
		leg_log(leg, LOG_INFO, "avmd: a beep of %.0f Hz", h->beep.hz);
		beep_fire(leg, h);
	}
	struct event *e = begin(leg, "avmd::stop", "avmd");
	if (e) {
		event_add(e, "Beep-Status", h ? "DETECTED" : "NOTDETECTED");
		event_addf(e, "Stop-time", "%lld", (long long)clock_wall_us());
		event_fire(e);
	}
	return h ? "avmd_beep" : NULL;
}

static const char *vmd_over(struct leg *leg, const struct media_heard *h)
{
	role_assert_ctl();
	struct event *e;
	if (!h)
		return NULL;
	leg_var_set(leg, "vmd_detect", "TRUE");
	leg_log(leg, LOG_INFO, "vmd: a beep of %.0f Hz", h->beep.hz);
	if ((e = begin(leg, "vmd::beep", "vmd"))) {
		event_add(e, "Beep-Status", "stop");
		event_addf(e, "Beep-Time", "%lld", (long long)(clock_wall_us() / 1000000));
		event_addf(e, "Beep-Detect-Frequency", "%.0f", h->beep.hz);
		event_fire(e);
	}
	return "vmd_beep";
}

static const struct leg_ear avmd_ear = {.function = "avmd", .over = avmd_over},
                            vmd_ear = {.function = "vmd", .over = vmd_over};

static bool option_set(struct media_ear_conf *c, const char *name, const char *value)
{
	char *end = NULL;
	double x = value && *value ? strtod(value, &end) : -1;
	bool is_number = end && !*end && x >= 0 && x < 100000;
	if (!strcasecmp(name, "inbound_channel"))
		c->on_read = value && str_is_true(value);
	else if (!strcasecmp(name, "outbound_channel"))
		c->on_write = value && str_is_true(value);
	else if (!strcasecmp(name, "min_frequency") && is_number && x >= hz_low && x <= hz_high)
		c->beep.min_hz = x;
	else if (!strcasecmp(name, "max_frequency") && is_number && x >= hz_low && x <= hz_high)
		c->beep.max_hz = x;
	else if (!strcasecmp(name, "min_duration") && is_number && x >= 40 && x <= 20 * AVMD_BLOCKS_MAX)
		c->beep.blocks = (unsigned)(x / 20);
	else
		return false;
	return true;
}

/* options: "name=value,..."; NULL or *wrong as in who.c. */
static ON_CTL int beep_start(struct leg *leg, const struct leg_ear *ear, char *options, const char **wrong)
{
	static const char *const names[] = {
	    "inbound_channel", "outbound_channel", "min_frequency", "max_frequency", "min_duration", NULL};
	struct media_ear_conf conf = {.kind = MEDIA_EAR_BEEP, .beep = AVMD_CONF_DEFAULT};
	char *words[WORDS_MAX];
	*wrong = NULL;
	for (size_t i = 0; names[i]; i++)
		if (!option_set(&conf, names[i], amd_param("avmd.conf", names[i])))
			leg_log(leg, LOG_ERR, "avmd.conf: %s has a value that it cannot have: its default is taken",
			    names[i]);
	int n = options ? words_split(options, ',', words, WORDS_MAX) : 0;
	for (int i = 0; i < n; i++) {
		const char *value = amd_word_value(words[i]);
		if ((*words[i] || value) && !option_set(&conf, words[i], value)) {
			*wrong = words[i];
			return ST_INVAL;
		}
	}
	if (!conf.on_read && !conf.on_write) {
		*wrong = "outbound_channel=0 with inbound_channel=0";
		return ST_INVAL;
	}
	int st = leg_ear_start(leg, ear, &conf);
	if (st)
		return st;
	leg_var_set(leg, ear == &vmd_ear ? "vmd_detect" : "avmd_detect", "FALSE");
	struct event *e = ear == &avmd_ear ? begin(leg, "avmd::start", "avmd") : NULL;
	if (e) {
		event_addf(e, "Start-time", "%lld", (long long)clock_wall_us());
		event_fire(e);
	}
	return ST_OK;
}

static CO int start_told(struct leg *leg, const struct leg_ear *ear, const char *options)
{
	const char *wrong = NULL;
	char *text = mem_strdup(options ? options : "");
	int st = text ? beep_start(leg, ear, text, &wrong) : ST_NOMEM;
	if (wrong)
		leg_log(leg, LOG_ERR, "%s: %s is no option, or has a value that it cannot have", ear->function, wrong);
	else if (st && st != ST_HANGUP)
		leg_log(
		    leg, LOG_ERR, "%s: %s", ear->function, st == ST_EXISTS ? "it listens already" : status_text(st));
	mem_free(text);
	return st == ST_HANGUP ? st : ST_OK;
}

int app_avmd_start(struct leg *leg, const char *data)
{
	role_assert_co();
	return start_told(leg, &avmd_ear, data);
}

int app_avmd_stop(struct leg *leg, const char *data)
{
	role_assert_co();
	if (leg_ear_stop(leg, &avmd_ear))
		leg_log(leg, LOG_DEBUG, "avmd: it does not listen");
	return ST_OK;
}

static CO int start_or_stop(struct leg *leg, const struct leg_ear *ear, const char *data)
{
	if (!data || !*data || !strcasecmp(data, "start"))
		return start_told(leg, ear, NULL);
	if (!strcasecmp(data, "stop"))
		(void)leg_ear_stop(leg, ear);
	else
		leg_log(leg, LOG_ERR, "%s: usage: start | stop", ear->function);
	return ST_OK;
}

int app_avmd(struct leg *leg, const char *data)
{
	role_assert_co();
	return start_or_stop(leg, &avmd_ear, data);
}

int app_vmd(struct leg *leg, const char *data)
{
	role_assert_co();
	return start_or_stop(leg, &vmd_ear, data);
}

/* uuid start|stop [options] */
static ON_CTL int command(struct api_call *c, const struct leg_ear *ear)
{
	const char *wrong = NULL;
	char *words[3] = {NULL, NULL, NULL}, *text = mem_strdup(c->args ? c->args : "");
	int n = text ? words_split(text, ' ', words, 3) : 0, st = ST_INVAL;
	struct leg *leg = n > 1 ? leg_find(words[0]) : NULL;
	if (n > 1 && !leg) {
		buf_adds(c->out, "-ERR No such channel!\n");
	} else if (leg && !strcasecmp(words[1], "start")) {
		st = beep_start(leg, ear, words[2], &wrong);
		if (wrong)
			buf_printf(c->out, "-ERR %s is no option, or has a value that it cannot have\n", wrong);
		else
			buf_printf(c->out, st ? "-ERR %s\n" : "+OK\n [%s] [%s] started!\n",
			    st ? status_text(st) : ear->function, words[0]);
	} else if (leg && !strcasecmp(words[1], "stop")) {
		st = leg_ear_stop(leg, ear);
		buf_printf(c->out, st ? "-ERR %s does not listen on [%s]\n" : "+OK\n [%s] [%s] stopped\n",
		    ear->function, words[0]);
	} else {
		buf_adds(c->out, "-USAGE: <uuid> <start|stop> [<option>=<value>,...]\n");
	}
	mem_free(text);
	return ST_OK;
}

int api_avmd(struct api_call *c)
{
	role_assert_ctl();
	return command(c, &avmd_ear);
}

int api_vmd(struct api_call *c)
{
	role_assert_ctl();
	return command(c, &vmd_ear);
}
