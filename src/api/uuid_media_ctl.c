/* Commands on what a leg hears and says, beside those of uuid_media.c: pause, codecs, statistics. */
#include "api/api_i.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/run/exec.h"
#include "core/sound/media.h"
#include "core/sound/record.h"
#include "core/sound/tap.h"

#include <stdlib.h>

/* FreeSWITCH says nothing when it was done. */
void on_pause(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct mstream *s;
	role_assert_ctl();
	s = leg_media_stream(leg);
	bool is_on = !strcasecmp(w->w[1], "on");
	if (!is_on && strcasecmp(w->w[1], "off"))
		api_leg_usage(c, w->command);
	else if (s)
		mstream_mute(s, is_on, is_on);
}

/* A whole picture is asked of its phone, where it has video; FreeSWITCH answers the same in any case. */
void on_video_refresh(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	(void)leg_video_refresh(leg);
	on_accepted(c, leg, w);
}

/* No codec here takes parameters while it runs; FreeSWITCH answers so for one that takes none. */
void on_codec_param(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "+OK Command sent reply: [NOT SENT]\n");
}

/* To the other phone and back. */
void on_media(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, leg_bypass_ask(leg, w->before) ? "-ERR Operation failed\n" : "+OK Success\n");
}

void on_media_reneg(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	bool has_far_end = leg->ops && leg->ops->reinvite; /* else there is nobody to negotiate with */
	int st = has_far_end ? leg_media_reneg(leg, w->n > 1 ? w->w[1] + (*w->w[1] == '=') : NULL) : ST_OK;
	buf_adds(c->out, st ? "-ERR Operation Failed\n" : "+OK Success\n");
}

void on_set_media_stats(struct api_call *c, struct leg *leg, struct api_words *w)
{
	struct mstream *s;
	role_assert_ctl();
	s = leg_media_stream(leg);
	if (s)
		mstream_stats_ask(s); /* the report becomes variables */
	buf_adds(c->out, "+OK:\n");
}

/* Text media is not built: there is none to capture. */
void on_capture_text(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
}

void on_jitterbuffer(struct api_call *c, struct leg *leg, struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, leg_jitter_set(leg, w->w[1]) ? "-ERR Operation failed\n" : "+OK Success\n");
}

/* "volume:+", "volume:-2", "speed:1": a step, steps, a value; FreeSWITCH's. */
static ON_CTL int step(struct mstream *s, const char *value, enum media_play_op to, enum media_play_op by)
{
	if (!value)
		return mstream_play_set(s, to, 0);
	if (*value != '+' && *value != '-')
		return mstream_play_set(s, to, atoi(value));
	int n = atoi(value);
	return mstream_play_set(s, by, n ? n : *value == '-' ? -1 : 1);
}

/* pause (and pause again), stop, restart, seek:[+|-]MS, volume, speed of the file that plays; pause, stop and truncate
 * of the one that an application records. */
void on_fileman(struct api_call *c, struct leg *leg, struct api_words *w)
{
	char *value = strchr(w->w[1], ':');
	struct mstream *s;
	int st = ST_OK;
	role_assert_ctl();
	if (value)
		*value++ = 0;
	s = leg_media_stream(leg);
	bool is_relative = value && (*value == '+' || *value == '-');
	if (leg_record_is_on(leg))
		st = leg_record_steer(leg, w->w[1]);
	else if (!s || !mstream_is_playing(s))
		st = ST_NOTFOUND;
	else if (!strcasecmp(w->w[1], "pause"))
		st = mstream_play_set(s, MEDIA_PLAY_PAUSE, -1);
	else if (!strcasecmp(w->w[1], "restart"))
		st = mstream_play_set(s, MEDIA_PLAY_RESTART, 0);
	else if (!strcasecmp(w->w[1], "volume"))
		st = step(s, value, MEDIA_PLAY_VOLUME_TO, MEDIA_PLAY_VOLUME_BY);
	else if (!strcasecmp(w->w[1], "speed"))
		st = step(s, value, MEDIA_PLAY_SPEED_TO, MEDIA_PLAY_SPEED_BY);
	else if (!strcasecmp(w->w[1], "seek") && value)
		st = mstream_play_set(s, is_relative ? MEDIA_PLAY_SEEK_BY : MEDIA_PLAY_SEEK_TO, atoi(value));
	else if (!strcasecmp(w->w[1], "stop"))
		leg_break(leg, false);
	buf_adds(c->out, st ? "-ERR No file handle!\n" : "+OK\n");
}

void on_preprocess(struct api_call *c, struct leg *leg, struct api_words *w)
{
	const char *wrong = NULL;
	role_assert_ctl();
	int st = leg_preprocess(leg, w->w[1], &wrong);
	if (!st)
		buf_adds(c->out, "+OK\n");
	else if (st == ST_PARSE && wrong)
		buf_printf(c->out, "-ERR %s: no such word, or a value that it cannot have\n", wrong);
	else
		buf_printf(c->out, "-ERR Operation failed: %s\n", status_text(st));
}
