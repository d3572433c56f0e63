/* What the originator hears while it dials: 180, ringback (a tone or a file), or the early media of a called leg. The
 * threads of an enterprise pass ringing on to the one that has the originator. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/leg/leg_core.h"
#include "core/sound/media.h"
#include "core/sound/sound_core.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

/* The variable that says it; NULL: none is wanted. */
static ON_CTL const char *ringback_of(struct leg *a)
{
	if (a->is_answered && vars_get(a->vars, "transfer_ringback"))
		return "transfer_ringback";
	return vars_get(a->vars, "ringback") ? "ringback" : NULL;
}

static ON_CTL void ringback_play(struct originate *o, const char *name)
{
	struct buf source;
	char *spec = leg_media_stream(o->a) ? leg_text_dup(o->a, name) : NULL;

	if (!spec || !strncasecmp(spec, "silence", 7)) {
		mem_free(spec);
		return;
	}
	buf_init(&source);
	if (strstr(spec, "://") || spec[0] == '/' || spec[0] == '{')
		buf_adds(&source, spec);
	else
		buf_printf(&source, "tone_stream://%s", spec);
	if (!source.failed && !mstream_play(leg_media_stream(o->a), source.p, -1, &o->ringback_id)) {
		o->is_ringback_on = true;
		leg_read_linear(o->a, true);
		mark_strip_in_place(source.p);
		leg_log(o->a, LOG_DEBUG, "Play Ringback Tone [%s]", source.p);
	}
	mem_free(spec);
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

static ON_CTL void ringback_begin(struct originate *o, const char *name)
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
	ringback_play(o, name);
}

void ring_begin(struct originate *o)
{
	const char *name = o->a && leg_is_up(o->a) ? ringback_of(o->a) : NULL;

	if (name)
		ringback_begin(o, name);
}

void ring_pass(struct originate *o)
{
	const char *name;
	bool ignores_ring = o->opts.ignores_ring;

	if (o->whole)
		o = o->whole->top;
	if (!o->a || o->is_ring_passed || o->early || !leg_is_up(o->a))
		return;
	name = ringback_of(o->a);
	if (name) {
		ringback_begin(o, name);
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
	leg_media_join_at_answer(o->a, true);
	leg_pre_answer_for(o->a, b);
	leg_media_join_at_answer(o->a, false);
	if (leg_is_up(o->a))
		leg_media_join(o->a, b);
}
