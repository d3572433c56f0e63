/* Early media that is listened to while a leg is dialled, for networks that tell by tones alone how a call goes:
 * monitor_early_media_fail ends the leg by the tone of a refusal, monitor_early_media_ring makes of a ringing tone what
 * a 180 is elsewhere. Until then early media counts for nothing. */
#include "base/status.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/sound/tap.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_HITS = 2, RINGS_MAX = 99 };

/* One tone of a variable: "CAUSE:HITS:HZ+HZ", and without the cause for ringing. */
struct condition {
	char text[256]; /* what the others lie in */
	const char *cause;
	unsigned hits;
	char *freqs; /* as leg_tone_detect wants them */
};

static bool condition_read(struct condition *c, struct sv text, bool has_cause)
{
	char *at = c->text;
	int hits;

	if (text.n >= sizeof(c->text))
		return false;
	snprintf(c->text, sizeof(c->text), "%.*s", SVF(text));
	c->cause = at;
	if (has_cause) {
		at = strchr(at, ':');
		if (!at)
			return false;
		*at++ = 0;
	}
	hits = atoi(at);
	c->hits = hits > 0 ? (unsigned)hits : DEFAULT_HITS;
	c->freqs = strchr(at, ':');
	if (!c->freqs)
		return false;
	c->freqs++;
	for (char *p = c->freqs; *p; p++)
		if (*p == '+')
			*p = ',';
	return true;
}

static ON_CTL void dispo_tell(struct leg *b, const char *dialstatus, const char *var, const char *fallback)
{
	const char *text;

	leg_var_set(b, "DIALSTATUS", dialstatus);
	text = vars_get(b->vars, var);
	leg_var_set(b, "originate_disposition", text ? text : fallback);
}

static bool fail_heard(struct leg *b, const char *cause)
{
	role_assert_ctl();
	dispo_tell(b, "BUSY", "monitor_fail_dispo", "monitor_early_media_fail");
	leg_log(b, LOG_NOTICE, "%s heard in early media: %s", b->name, cause);
	leg_hangup(b, cause_parse(cause));
	return false;
}

static bool ring_heard(struct leg *b, const char *unused)
{
	const char *total = vars_get(b->vars, "monitor_early_media_ring_total");
	int wanted = total ? atoi(total) : 0;
	struct attempt *t;

	role_assert_ctl();
	t = dialling_of(b)->of ? attempt_of(dialling_of(b)->of, b) : NULL;
	dispo_tell(b, "EARLY", "monitor_ring_dispo", "monitor_early_media_ring");
	if (!t)
		return false;
	t->ring_tones++;
	leg_log(b, LOG_DEBUG, "Ring %u/%d", t->ring_tones, wanted);
	if (wanted > 0 && wanted <= RINGS_MAX && t->ring_tones < (unsigned)wanted)
		return true;
	t->has_ring_tone = true;
	if (dialling_of(b)->of->opts.wins_by_ring_tone)
		dialling_of(b)->of->opts.early = EARLY_WINS;
	co_signal(&dialling_of(b)->of->wait, ST_OK);
	return false;
}

static ON_CTL void listen_for(struct leg *b, const char *name, bool is_fail)
{
	struct sv rest = sv_of(vars_get(b->vars, name)), one;

	for (unsigned n = 1; rest.n; n++) {
		struct condition c;
		struct leg_tone tone = {.flags = "r", .heard = is_fail ? fail_heard : ring_heard};
		char key[64];
		int st = ST_PARSE;

		sv_split(rest, '!', &one, &rest);
		snprintf(key, sizeof(key), "%s_%u", name, n);
		if (condition_read(&c, sv_trim(one), is_fail)) {
			tone.key = key, tone.freqs = c.freqs, tone.hits = c.hits;
			tone.data = c.cause;
			st = leg_tone_detect(b, &tone);
		}
		if (st)
			leg_log(b, LOG_ERR, "%s: %s (%.*s)", name, status_text(st), SVF(one));
	}
}

void monitor_start(struct originate *o, struct leg *b)
{
	if (o->opts.monitors_fail)
		listen_for(b, "monitor_early_media_fail", true);
	if (o->opts.monitors_ring)
		listen_for(b, "monitor_early_media_ring", false);
}
