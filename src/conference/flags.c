/* Names of flags. Words for video (and a channel of verto's) are known, so that a stock profile is no error, and mean
 * nothing here: conferences have sound only. */
#include "conference/conf_i.h"

struct flag {
	const char *name;
	unsigned bit;
};
static const struct flag member_flags[] = {
    {"mute", CM_MUTE},
    {"deaf", CM_DEAF},
    {"mute-detect", CM_MUTE_DETECT},
    {"dist-dtmf", CM_DIST_DTMF},
    {"skip-dtmf", CM_SKIP_DTMF},
    {"moderator", CM_MODERATOR},
    {"nomoh", CM_NOMOH},
    {"endconf", CM_ENDCONF},
    {"mandatory_member_endconf", CM_MANDATORY},
    {"mintwo", CM_MINTWO},
    {"ghost", CM_GHOST},
    {"join-only", CM_JOIN_ONLY},
    {"positional", CM_POSITIONAL},
    {"no-positional", CM_NO_POSITIONAL},
    {NULL},
};
static const struct flag room_flags[] = {
    {"wait-mod", CR_WAIT_MOD},
    {"audio-always", CR_AUDIO_ALWAYS},
    {"restart-auto-record", CR_RESTART_AUTO_RECORD},
    {"livearray-sync", CR_LIVEARRAY},
    {"livearray-json-status", CR_LIVEARRAY_JSON},
    {"auto-3d-position", CR_AUTO_3D},
    {"mute-detect", CR_MUTE_DETECT},
    {NULL},
};
static const char *const video_words[] = {"blind", "vmute", "video-bridge", "flip-video", "join-vid-floor",
    "no-video-blanks", "no-minimize-encoding", "second-screen", "video-floor-only", "rfc-4579",
    "minimize-video-encoding", "video-bridge-first-two", "video-required-for-canvas", "video-mute-exit-canvas",
    "manage-inbound-video-bitrate", "video-muxing-personal-canvas", "ded-vid-layer-audio-floor", "transcode-video",
    "waste", "none", "json-events", NULL};

static unsigned parse(struct sv text, const struct flag *table, conf_unknown_fn unknown, void *arg)
{
	unsigned flags = 0;
	while (text.n) {
		struct sv one;
		size_t i = 0;
		sv_split(text, '|', &one, &text);
		one = sv_trim(one);
		while (table[i].name && !sv_isi(one, table[i].name))
			i++;
		flags |= table[i].bit;
		if (table[i].name || !one.n)
			continue;
		for (i = 0; video_words[i] && !sv_isi(one, video_words[i]);)
			i++;
		if (!video_words[i] && unknown)
			unknown(one, arg);
	}
	return flags;
}

unsigned conf_member_flags_parse(struct sv text, conf_unknown_fn unknown, void *arg)
{
	return parse(text, member_flags, unknown, arg);
}

unsigned conf_room_flags_parse(struct sv text, conf_unknown_fn unknown, void *arg)
{
	return parse(text, room_flags, unknown, arg);
}
