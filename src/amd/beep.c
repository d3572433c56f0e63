/* Beeps: mod_avmd's and mod_vmd's applications and commands. Both listen alike (dsp/avmd.h) and tell it in their own
 * words. One beep is what they wait for; then, or when stopped, they are over. */
#include "amd/amd_i.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "core/leg/part.h"
#include "core/registry/api.h"
#include "core/sound/media.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { WORDS_MAX = 32, FULL_SCALE = 32768 };

/* Of the last start of avmd on a leg. */
struct avmd_of_leg {
	int64_t began_us;
	bool is_on, reports;
};
struct leg_part avmd_part = {.name = "avmd", .bytes = sizeof(struct avmd_of_leg)};
static unsigned sessions;

static ON_CTL struct avmd_of_leg *avmd_of(const struct leg *leg)
{
	return leg_part_of(leg, &avmd_part);
}

unsigned avmd_sessions(void)
{
	return sessions;
}

static ON_CTL struct event *begin(struct leg *leg, const char *subclass, const char *key, const char *command)
{
	struct event *e = event_is_wanted(EVENT_CUSTOM, subclass) ? event_new(EVENT_CUSTOM, subclass) : NULL;
	if (!e)
		return NULL;
	leg_event_headers(leg, e);
	event_add(e, key, command);
	return e;
}

static ON_CTL void beep_fire(struct leg *leg, const struct media_heard *h)
{
	struct event *e = begin(leg, "avmd::beep", "Call-command", "avmd");
	if (!e)
		return;
	event_add(e, "Beep-Status", "DETECTED");
	event_addf(e, "Beep-Time", "%lld", (long long)clock_wall_us());
	event_addf(e, "Frequency", "%f", h->beep.hz);
	event_addf(e, "Frequency-variance", "%f", h->beep.hz_variance);
	event_addf(e, "Amplitude", "%f", h->beep.amplitude * FULL_SCALE);
	event_addf(e, "Amplitude-variance", "%f", h->beep.amplitude_variance * FULL_SCALE * FULL_SCALE);
	event_addf(e, "Detection-time", "%lld", (long long)clock_us_of_ms(h->beep.at_ms));
	event_add(e, "Detector-resolution", "1"); /* there is one */
	event_add(e, "Detector-offset", "0");
	event_add(e, "Detector-index", "0");
	event_fire(e);
}

static const char *avmd_over(struct leg *leg, const struct media_heard *h)
{
	role_assert_ctl();
	struct avmd_of_leg *a = avmd_of(leg);
	int64_t ran_us = clock_mono_us() - a->began_us;
	if (h) {
		leg_var_setf(leg, "avmd_total_time", "[%u]", h->beep.at_ms);
		leg_var_set(leg, "avmd_detect", "TRUE");
		if (a->reports)
			leg_log(leg, LOG_INFO, "avmd: a beep of %.0f Hz", h->beep.hz);
		beep_fire(leg, h);
	}
	if (a->reports)
		leg_log(leg, LOG_INFO, "avmd: stopped after %lld us, %s", (long long)ran_us,
		    h ? "DETECTED" : "NOTDETECTED");
	sessions -= a->is_on;
	a->is_on = false;
	struct event *e = begin(leg, "avmd::stop", "Call-command", "avmd");
	if (e) {
		event_add(e, "Beep-Status", h ? "DETECTED" : "NOTDETECTED");
		event_addf(e, "Total-time", "%lld", (long long)ran_us);
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
	if ((e = begin(leg, "vmd::beep", "call-command", "vmd"))) {
		event_add(e, "Beep-Status", "stop");
		event_addf(e, "Beep-Time", "%lld", (long long)(clock_wall_us() / 1000000));
		event_addf(e, "Beep-Detect-Frequency", "%.0f", h->beep.hz);
		event_fire(e);
	}
	return "vmd_beep";
}

static const struct leg_ear avmd_ear = {.function = "avmd", .over = avmd_over},
                            vmd_ear = {.function = "vmd", .over = vmd_over};

/* Which side, as FreeSWITCH means it: of an outbound call what its phone says (outbound_channel), of an inbound one
 * what is said to its phone (inbound_channel). Where that would be none, what the phone says: FreeSWITCH has an error
 * there. False: both are off. */
static ON_CTL bool side_choose(
    const struct leg *leg, const struct leg_ear *ear, const struct avmd_settings *s, struct media_ear_conf *c)
{
	int side = s->v[AVMD_SIDE];
	if (!side && ear == &vmd_ear) {
		side = 1;
	} else if (!side) {
		if (!s->v[AVMD_INBOUND] && !s->v[AVMD_OUTBOUND])
			return false;
		side = !leg->is_outbound && s->v[AVMD_INBOUND] ? 2 : 1;
	}
	c->on_read = side & 1, c->on_write = side & 2;
	return true;
}

static ON_CTL void began(struct leg *leg, const struct avmd_settings *s)
{
	struct avmd_of_leg *a = avmd_of(leg);
	*a = (struct avmd_of_leg){.began_us = clock_mono_us(), .is_on = true, .reports = s->v[AVMD_REPORT_STATUS]};
	sessions++;
	struct event *e = begin(leg, "avmd::start", "Call-command", "avmd");
	if (e) {
		event_addf(e, "Start-time", "%lld", (long long)clock_wall_us());
		event_fire(e);
	}
}

/* options: "name=value,..."; NULL or *wrong as in who.c. */
static ON_CTL int beep_start(struct leg *leg, const struct leg_ear *ear, char *options, const char **wrong)
{
	struct avmd_settings s = *avmd_settings();
	struct media_ear_conf conf = {.kind = MEDIA_EAR_BEEP};
	char *words[WORDS_MAX];
	*wrong = NULL;
	int n = options ? words_split(options, ',', words, WORDS_MAX) : 0;
	for (int i = 0; i < n; i++) {
		const char *value = amd_word_value(words[i]);
		if ((*words[i] || value) && !avmd_setting_read(&s, words[i], value)) {
			*wrong = words[i];
			return ST_INVAL;
		}
	}
	if (!side_choose(leg, ear, &s, &conf)) {
		*wrong = "outbound_channel=0 with inbound_channel=0";
		return ST_INVAL;
	}
	conf.beep = (struct avmd_conf){
	    .min_hz = s.v[AVMD_MIN_HZ], .max_hz = s.v[AVMD_MAX_HZ], .blocks = (unsigned)s.v[AVMD_MIN_MS] / 20};
	if (ear == &avmd_ear && s.v[AVMD_REPORT_STATUS])
		avmd_settings_tell(leg, &s);
	int st = leg_ear_start(leg, ear, &conf);
	if (st)
		return st;
	leg_var_set(leg, ear == &vmd_ear ? "vmd_detect" : "avmd_detect", "FALSE");
	if (ear == &avmd_ear)
		began(leg, &s);
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
	bool has_options = ear == &avmd_ear && data && strchr(data, '=');
	if (!data || !*data || !strcasecmp(data, "start") || has_options)
		return start_told(leg, ear, has_options ? data : NULL);
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

/* uuid start|stop [options]; of avmd also its settings */
static ON_CTL int command(struct api_call *c, const struct leg_ear *ear)
{
	const char *wrong = NULL;
	char *words[3] = {NULL, NULL, NULL}, *text = mem_strdup(c->args ? c->args : "");
	int n = text ? words_split(text, ' ', words, 3) : 0, st = ST_INVAL;
	bool is_avmd = ear == &avmd_ear;
	if (is_avmd && n > 0 && avmd_conf_command(c->out, words[0], n > 1 ? words[1] : "")) {
		mem_free(text);
		return ST_OK;
	}
	struct leg *leg = n > 1 ? leg_find(words[0]) : NULL;
	if (n > 1 && !leg) {
		buf_adds(c->out, "-ERR No such channel!\n");
	} else if (leg && !strcasecmp(words[1], "start")) {
		st = beep_start(leg, ear, words[2], &wrong);
		if (wrong)
			buf_printf(c->out, "-ERR %s is no option, or has a value that it cannot have\n", wrong);
		else if (st == ST_EXISTS)
			buf_printf(c->out, "-ERR, %s on [%s] is already started\n", ear->function, words[0]);
		else if (st)
			buf_printf(c->out, "-ERR %s\n", status_text(st));
		else
			buf_printf(c->out, "+OK\n [%s] [%s] started!\n\n", words[0], leg->name);
	} else if (leg && !strcasecmp(words[1], "stop")) {
		st = leg_ear_stop(leg, ear);
		if (st)
			buf_printf(
			    c->out, "-ERR, %s does not listen on [%s] [%s]\n", ear->function, words[0], leg->name);
		else
			buf_printf(c->out, "+OK\n [%s] [%s] stopped\n\n", words[0], leg->name);
	} else {
		buf_printf(c->out, "-USAGE: <uuid> < start | stop > [<option>=<value>,...]%s\n",
		    is_avmd ? " | set [inbound|outbound|default] | load [inbound|outbound] | reload | show" : "");
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
