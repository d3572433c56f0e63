/* The data of the application: name[@profile][+pin][+flags{a|b}], or bridge:name[@profile]:dialstring. The separators
 * are those of the configuration: what is from outside is marked (text/mark.h) and parts nothing. */
#include "conference/conf_i.h"

static bool take_flags(struct sv *text, struct sv *flags)
{
	static const char begin[] = "+flags{";
	const char *at = text->n ? memmem(text->p, text->n, begin, sizeof(begin) - 1) : NULL;
	if (!at)
		return true;
	struct sv rest = sv_sub(*text, (size_t)(at - text->p) + sizeof(begin) - 1, text->n);
	size_t end = sv_find(rest, '}');
	*flags = sv_sub(rest, 0, end);
	text->n = (size_t)(at - text->p);
	return end < rest.n; /* else the brace is not closed */
}

int conf_words_parse(struct sv text, struct conf_words *out)
{
	static const struct sv bridge = SV("bridge:");
	struct conf_words w = {.is_bridge = false};
	text = sv_trim(text);
	if (sv_startsi(text, bridge)) {
		w.is_bridge = true;
		if (!sv_split(sv_sub(text, bridge.n, text.n), ':', &text, &w.bridge) || !w.bridge.n)
			return ST_INVAL;
	}
	if (!take_flags(&text, &w.flags))
		return ST_INVAL;
	sv_split(text, '+', &text, &w.pin);
	sv_split(text, '@', &w.name, &w.profile);
	w.name = sv_trim(w.name), w.profile = sv_trim(w.profile), w.pin = sv_trim(w.pin);
	if (!w.name.n)
		return ST_INVAL;
	*out = w;
	return ST_OK;
}
