/* Streams of a leg's sound to and from a program over WebSocket (bot_i.h), for other rooms: a name, an address, and who
 * hears what the program says. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct leg;
/* Who hears, in place of events. Neither may end the stream. */
struct bot_ear {
	void (*words)(void *arg, struct sv text); /* a message that is no order of the protocol's */
	void (*state)(void *arg, bool is_up, const char *why /* it is not up */);
};
struct bot_start {
	const char *name;  /* of this stream of the leg; NULL: the default one */
	const char *url;   /* ws://host[:port]/path, wss:// */
	const char *hello; /* said first on each connection, or NULL */
	uint32_t rate_hz;
	bool hears_write, is_stereo, speaks;
	bool skips_binary;         /* the program is heard by what it says in words only */
	uint32_t binary_rate_hz;   /* of its binary messages; 0: rate_hz */
	const char *events;        /* "mod_audio_stream" or "mod_audio_fork": whose events and replies; NULL with ear */
	const char *authorization; /* header of the request; NULL, "": none */
	const struct bot_ear *ear; /* NULL: events. With one the program presses no keys */
	void *ear_arg;             /* valid until the stream is stopped, or its leg closes */
};
/* *why: what is wrong, for people. ST_CLOSED: mod_audio_stream is not loaded. */
ON_CTL int bot_start(struct leg *leg, const struct bot_start *s, const char **why);
ON_CTL int bot_stop(struct leg *leg, const char *name, const char *last); /* ST_NOTFOUND */
ON_CTL int bot_say(struct leg *leg, const char *name, const char *text);  /* ST_NOTFOUND, ST_CLOSED: not now */
/* What the program sent and was not yet said is dropped. */
ON_CTL int bot_clear(struct leg *leg, const char *name); /* ST_NOTFOUND, ST_CLOSED: not now */
ON_CTL int bot_pause(struct leg *leg, const char *name, bool is_paused);
