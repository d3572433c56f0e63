/* Commands on what a leg hears and says, beside recordings (record.c): pause, mute, codecs, statistics. */
#include "api/api_i.h"
#include "core/leg_media.h"
#include "core/originate.h"

/* FreeSWITCH says nothing when it was done. */
void on_pause(struct api_call *c, struct leg *leg, const struct api_words *w)
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

void on_audio(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	struct mstream *s;
	role_assert_ctl();
	s = leg_media_stream(leg);
	bool is_stop = w->n == 2 && !strcasecmp(w->w[1], "stop"), is_start = w->n >= 4 && !strcasecmp(w->w[1], "start");
	bool is_mute = is_start && !strcasecmp(w->w[3], "mute");
	if (!is_stop && !is_start) {
		api_leg_usage(c, w->command);
		return;
	}
	if (s && is_stop)
		mstream_mute(s, false, false);
	else if (s && is_mute)
		mstream_mute(s, !strcasecmp(w->w[2], "read"), !strcasecmp(w->w[2], "write"));
	buf_adds(c->out, is_start && !is_mute ? "-ERR only mute is supported\n" : "+OK\n");
}

/* No codec here has a debug mode or takes parameters while it runs; FreeSWITCH answers so for one that has none. */
void on_codec_debug(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "+OK Success\n");
}

void on_codec_param(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	role_assert_ctl();
	buf_adds(c->out, "+OK Command sent reply: [NOT SENT]\n");
}

/* To the other phone and back. */
void on_media(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	role_assert_ctl();
	int st = w->before ? leg_bypass_start(leg) : leg_bypass_end(leg);
	buf_adds(c->out, st ? "-ERR Operation failed\n" : "+OK Success\n");
}

void on_media_reneg(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	role_assert_ctl();
	int st = leg_media_reneg(leg, w->n > 1 ? w->w[1] + (*w->w[1] == '=') : NULL);
	buf_adds(c->out, st ? "-ERR Operation Failed\n" : "+OK Success\n");
}

void on_set_media_stats(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	struct mstream *s;
	role_assert_ctl();
	s = leg_media_stream(leg);
	if (s)
		mstream_stats_ask(s); /* the report becomes variables */
	buf_adds(c->out, "+OK:\n");
}

/* Text media is not built: there is none to capture. */
void on_capture_text(struct api_call *c, struct leg *leg, const struct api_words *w)
{
	role_assert_ctl();
}
