/* Ears of a leg: taps that listen until they know something, for modules (who answered, beeps). What they know goes to
 * the module first, which sets variables and fires its event, then to execute_on_... and api_on_... of the leg. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/run/run_core.h"
#include "core/sound/media.h"
#include "core/sound/tap_i.h"

#include <stdio.h>

static ON_CTL struct leg_tap *ear_find(struct leg *leg, const struct leg_ear *ear)
{
	struct lnode *it, *tmp;
	list_each (&sound_of(leg)->taps, it, tmp) {
		struct leg_tap *t = list_entry(it, struct leg_tap, link);
		if (t->kind == LEG_TAP_EAR && t->ear == ear && !t->is_ending)
			return t;
	}
	return NULL;
}

bool leg_ear_is_on(struct leg *leg, const struct leg_ear *ear)
{
	return ear_find(leg, ear) != NULL;
}

int leg_ear_start(struct leg *leg, const struct leg_ear *ear, const struct media_ear_conf *conf)
{
	int st = ear_find(leg, ear) ? ST_EXISTS : leg_tap_ready(leg);
	struct leg_tap *t = st ? NULL : leg_tap_new(leg, LEG_TAP_EAR, leg->uuid);
	if (!t)
		return st ? st : ST_NOMEM;
	t->ear = ear;
	st = mstream_ear(leg_media_stream(leg), conf, &t->id);
	if (st)
		leg_tap_free(t);
	else
		leg_tap_told(t);
	return st;
}

int leg_ear_stop(struct leg *leg, const struct leg_ear *ear)
{
	struct leg_tap *t = ear_find(leg, ear);
	if (t)
		leg_tap_stop(t);
	return t ? ST_OK : ST_NOTFOUND;
}

void leg_ear_over(struct leg_tap *t, const struct media_report *r)
{
	struct leg *leg = mem_ref(t->leg);
	const struct leg_ear *ear = t->ear;
	bool knows = r && !r->status && r->ear.is_found;
	char app[64], api[64];
	if (r && r->status && r->status != ST_CANCELLED)
		leg_log(leg, LOG_WARNING, "%s: %s", ear->function, status_text(r->status));
	leg_tap_free(t);
	const char *hook = ear->over(leg, knows ? &r->ear : NULL);
	if (hook && leg_is_up(leg)) {
		snprintf(app, sizeof(app), "execute_on_%s", hook);
		snprintf(api, sizeof(api), "api_on_%s", hook);
		exec_hooks(leg, app, api);
	}
	leg_wake(leg);
	mem_unref(leg);
}
