/* One stream of a leg, for the two files that work on it: stream.c has its life, stream_events.c what listeners are
 * told of it. Control's. */
#pragma once
#include "base/list.h"
#include "bot/bot_i.h"
#include "loop/loop.h"

struct dns_ask;
enum bot_state { BOT_RESOLVING, BOT_CONNECTING, BOT_OPEN, BOT_WAITING, BOT_STOPPING };
struct bot {
	struct lnode link; /* in its leg's */
	struct leg *leg;   /* NULL: it has gone, the connection's end is awaited */
	uint64_t id;       /* of the connection; the key in `bots` */
	char *name, *hello;
	struct bot_way way;
	struct bot_trust *trust; /* of its own files, or NULL */
	bool skips_binary;
	uint32_t binary_rate_hz;
	const char *events;
	const struct bot_ear *ear;
	void *ear_arg;
	bool is_paused;
	struct media_port *port;
	uint32_t tap_id;
	enum bot_state state;
	struct dns_ask *ask;
	struct ltimer retry;
	unsigned tries;
};

/* CUSTOM events_of_the_stream::what, to nobody when it has an ear of its own. */
ON_CTL void bot_tell(struct bot *b, const char *what, struct sv body);
/* {"status":..., "message":{"code":..., "reason" or, of an error, "error":...}}; reason NULL: no message */
ON_CTL void bot_tell_status(struct bot *b, const char *what, const char *status, int code, const char *reason);
