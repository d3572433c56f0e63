/* Where the rooms that need a spoken text meet the one that speaks. */
#include "core/sound/say.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/sound/play.h"

static const struct say_ops *say_ops;

void say_ops_set(const struct say_ops *ops)
{
	say_ops = ops;
}

int leg_say(struct leg *leg, const struct say_request *r, struct leg_play_end *end)
{
	role_assert_co();
	return say_ops ? say_ops->say(leg, r, end) : ST_UNSUPPORTED;
}

int leg_phrase(struct leg *leg, const char *macro, const char *data, const char *lang, struct leg_play_end *end)
{
	role_assert_co();
	return say_ops ? say_ops->phrase(leg, macro, data, lang, end) : ST_UNSUPPORTED;
}

int leg_speak(struct leg *leg, const char *engine, const char *voice, const char *text, struct leg_play_end *end)
{
	role_assert_co();
	return say_ops ? say_ops->speak(leg, engine, voice, text, end) : ST_UNSUPPORTED;
}
