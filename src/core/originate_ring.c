/* What the originator hears while it dials: 180, ringback (a tone or a file), or the early media of a called leg. The
 * threads of an enterprise pass ringing on to the one that has the originator. */
#include "base/clock.h"
#include "base/str.h"
#include "core/originate_i.h"
#include <string.h>
#include <strings.h>

static ON_CTL const char *ringback_of(struct leg *a)
{
	const char *spec = a->is_answered ? vars_get(a->vars, "transfer_ringback") : NULL;
	return spec ? spec : vars_get(a->vars, "ringback");
}

static ON_CTL void ringback_play(struct originate *o, const char *spec)
{
	struct buf source;

	if (!leg_media_stream(o->a) || !strncasecmp(spec, "silence", 7))
		return;
	buf_init(&source);
	if (strstr(spec, "://") || spec[0] == '/' || spec[0] == '{')
		buf_adds(&source, spec);
	else
		buf_printf(&source, "tone_stream://%s", spec);
	if (!source.failed && !mstream_play(leg_media_stream(o->a), source.p, -1, &o->ringback_id)) {
		o->is_ringback_on = true;
		leg_read_linear(o->a, true);
		leg_log(o->a, LOG_DEBUG, "Play Ringback Tone [%s]", spec);
	}
	buf_fini(&source);
}

void ring_stop(struct originate *o)
{
	if (o->is_ringback_on && leg_is_up(o->a) && leg_media_stream(o->a))
		mstream_play_stop(leg_media_stream(o->a), o->ringback_id);
	if (o->is_ringback_on)
		leg_read_linear(o->a, false);
	o->is_ringback_on = false;
}

static ON_CTL void ringback_begin(struct originate *o, const char *spec)
{
	struct leg *a = o->a;

	if (o->is_ringback_on)
		return;
	if (!a->is_answered) {
		if (a->profile && !a->profile->times.progress)
			a->profile->times.progress = clock_wall_us();
		if (leg_pre_answer(a))
			return;
	}
	ringback_play(o, spec);
}

void ring_begin(struct originate *o)
{
	const char *spec = o->a && leg_is_up(o->a) ? ringback_of(o->a) : NULL;

	if (spec)
		ringback_begin(o, spec);
}

void ring_pass(struct originate *o)
{
	const char *spec;
	bool ignores_ring = o->opts.ignores_ring;

	if (o->whole)
		o = o->whole->top;
	if (!o->a || o->is_ring_passed || o->early || !leg_is_up(o->a))
		return;
	spec = ringback_of(o->a);
	if (spec) {
		ringback_begin(o, spec);
	} else if (ignores_ring) {
		return;
	} else if (!o->a->is_answered) {
		leg_ring_ready(o->a);
	}
	o->is_ring_passed = true;
}

void ring_pass_ignored(struct originate *o, bool is_ring)
{
	struct leg *a = o->whole ? o->whole->top->a : o->a;

	if (is_ring || (a && ringback_of(a)))
		ring_pass(o);
}

void ring_pass_early(struct originate *o, struct leg *b)
{
	if (!o->a || o->early || !leg_is_up(o->a))
		return;
	ring_stop(o);
	o->early = b, o->had_early = true;
	leg_i(o->a)->near = b;
	leg_pre_answer(o->a);
	leg_i(o->a)->near = NULL;
	if (leg_is_up(o->a))
		leg_media_join(o->a, b);
}
