/* Commands on what a leg hears and says: recordings, displaced sound, levels, tones; and the list of what listens in.
 * The work is core/sound/tap.h's. */
#include "api/api_i.h"
#include "base/clock.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/sound/media.h"
#include "core/sound/tap.h"
#include "text/mark.h"

#include <stdlib.h>

static unsigned seconds(const char *text)
{
	int n = text ? atoi(text) : 0;
	return n > 0 ? (unsigned)n : 0;
}

/* uuid start|stop|mask|unmask|pause|resume path [limit] [{vars}] */
void on_record(struct api_call *c, struct leg *leg, struct api_words *w)
{
	static const struct {
		const char *name;
		enum leg_record_what what;
		bool is_on;
	} sets[] = {{"mask", LEG_RECORD_MASK, true}, {"unmask", LEG_RECORD_MASK, false},
	    {"pause", LEG_RECORD_PAUSE, true}, {"resume", LEG_RECORD_PAUSE, false}};
	const char *refusal = NULL;
	int st = ST_INVAL;

	role_assert_ctl();
	if (c->who && !strcasecmp(w->w[1], "stop") && !strcasecmp(w->w[2], "all")) {
		buf_adds(c->out, leg_record_stop(leg, "all") ? "-ERR Cannot stop record session!\n" : "+OK Success\n");
		return;
	}
	if (!api_word_check(c, w, 2, API_DOOR_RECORDING) || !api_word_check(c, w, 4, API_DOOR_VARS))
		return;
	char *path = mark_strip_dup(sv_of(w->m[2]));
	if (!path)
		return;
	if (!strcasecmp(w->w[1], "start")) {
		refusal = "-ERR Cannot record session!\n";
		st = leg_record_start(leg, w->m[2], seconds(w->w[3]), w->m[4]);
	} else if (!strcasecmp(w->w[1], "stop")) {
		refusal = "-ERR Cannot stop record session!\n";
		st = leg_record_stop(leg, path);
	}
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		if (strcasecmp(w->w[1], sets[i].name))
			continue;
		if (leg_record_set(leg, path, sets[i].what, sets[i].is_on))
			buf_printf(c->out, "-ERR Cannot %s recording session!\n", sets[i].name);
		else
			buf_adds(c->out, "+OK Success\n");
		mem_free(path);
		return;
	}
	mem_free(path);
	if (!refusal)
		api_leg_usage(c, w->command);
	else
		buf_adds(c->out, st ? refusal : "+OK Success\n");
}

/* uuid start|stop path [limit] [flags] */
void on_displace(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	if (!api_word_check(c, w, 2, API_DOOR_SOUND))
		return;
	if (!strcasecmp(w->w[1], "start"))
		buf_adds(c->out, leg_displace(leg, w->m[2], seconds(w->w[3]), w->w[4])
		                     ? "-ERR Cannot displace session!\n"
		                     : "+OK Success\n");
	else if (!strcasecmp(w->w[1], "stop"))
		buf_adds(
		    c->out, leg_displace_stop(leg, w->w[2]) ? "-ERR Cannot stop displace session!\n" : "+OK Success\n");
	else
		api_leg_usage(c, w->command);
}

/* uuid start read|write mute|level n, uuid stop */
void on_audio(struct api_call *c, struct leg *leg, struct api_words *w)
{
	enum leg_level what = LEG_LEVEL_MUTE;
	bool is_start = w->n >= 5 && !strcasecmp(w->w[1], "start") &&
	                (!strcasecmp(w->w[2], "read") || !strcasecmp(w->w[2], "write"));

	role_assert_ctl();
	if (!strcasecmp(w->w[1], "stop")) {
		(void)leg_level_stop(leg);
		buf_adds(c->out, "+OK\n");
		return;
	}
	if (is_start && !strcasecmp(w->w[3], "level"))
		what = LEG_LEVEL_STEPS;
	else if (!is_start || strcasecmp(w->w[3], "mute"))
		is_start = false;
	if (!is_start) {
		api_leg_usage(c, w->command);
		return;
	}
	int st = leg_level_set(leg, w->w[2], what, atoi(w->w[4]));
	if (st) /* FreeSWITCH says +OK */
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		buf_adds(c->out, "+OK\n");
}

static void list_one(const char *function, const char *target, void *arg)
{
	buf_printf(arg,
	    " <media-bug>\n  <function>%s</function>\n  <target>%s</target>\n  <thread-locked>0</thread-locked>\n"
	    " </media-bug>\n",
	    function, target);
}

void on_buglist(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "<media-bugs>\n");
	leg_tap_each(leg, list_one, c->out);
	buf_adds(c->out, "</media-bugs>\n");
}

/* FreeSWITCH logs a line for each packet, which nothing does here: the counters of the moment go into the leg's
 * rtp_audio_ variables. */
void on_debug_media(struct api_call *c, struct leg *leg, struct api_words *w)
{
	static const char *const directions[] = {"read", "write", "both", "vread", "vwrite", "vboth", "all"};
	bool is_known = false;

	role_assert_ctl();
	for (size_t i = 0; i < sizeof(directions) / sizeof(directions[0]); i++)
		is_known |= !strcasecmp(w->w[1], directions[i]);
	struct mstream *s = leg_media_stream(leg);
	bool is_on = str_is_true(w->w[2]) || !strcasecmp(w->w[2], "on");
	if (!is_known || !s || w->w[1][0] == 'v')
		buf_adds(c->out, "-ERR Operation failed\n");
	else {
		if (is_on)
			(void)mstream_stats_ask(s);
		buf_adds(c->out, "+OK Success\n");
	}
}

/* uuid key freqs [flags timeout app args hits] */
void on_tone_detect(struct api_call *c, struct leg *leg, struct api_words *w)
{
	const char *timeout = w->n > 4 ? w->w[4] : NULL;
	struct leg_tone tone = {.key = w->w[1],
	    .freqs = w->w[2],
	    .flags = w->n > 3 ? w->w[3] : NULL,
	    .hits = atoi(w->w[7]) > 0 ? (unsigned)atoi(w->w[7]) : 1};
	int64_t left = timeout ? str_number(timeout + (*timeout == '+'), INT32_MIN, UINT32_MAX) : 0;

	role_assert_ctl();
	if (timeout && *timeout != '+')
		left -= clock_wall_us() / 1000000;
	if (timeout && (left <= 0 || left > INT32_MAX)) {
		leg_log(leg, LOG_ERR, "INVALID Timeout!");
		return;
	}
	if (!api_app_check(c, w, 5, 6))
		return;
	tone.app = w->n > 5 ? w->m[5] : NULL, tone.data = w->n > 6 ? w->m[6] : NULL;
	tone.timeout_s = (unsigned)left;
	int st = leg_tone_detect(leg, &tone);
	if (st) /* FreeSWITCH says +OK */
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		buf_printf(c->out, "+OK Enabling tone detection '%s' '%s' '%s'\n", tone.key, tone.freqs,
		    tone.flags ? tone.flags : "(null)");
}
