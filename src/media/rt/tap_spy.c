/* Listening in. A spy is two taps that live and end together: one on the target, which hears its sides for the listener
 * and adds what he whispers, and one on the listener, which takes what he says to the target and to its other spies.
 *
 *   target's sides  -> hear  -> (rate, packet length) -> the listener's phone
 *   listener's read -> voice -> whisper pipes -> added to the target's sides
 *                            -> said pipe     -> heard by the target's other spies
 *
 * Both streams are of one thread; when either leaves it the spy ends, and control makes it again when they have met. */
#include "base/mem.h"
#include "dsp/mix.h"
#include "dsp/resample.h"
#include "media/rt/tap_i.h"

#include <string.h>

static struct rt_spy *spy_of(struct rt_tap *tap)
{
	return (struct rt_spy *)tap;
}

static struct rt_spy *spy_of_voice(struct rt_tap *voice)
{
	return (struct rt_spy *)(void *)((char *)voice - offsetof(struct rt_spy, voice));
}

static void spy_fini(struct rt_tap *tap)
{
	struct rt_spy *y = spy_of(tap);
	rt_pcm_free(y->voice.pcm);
	mem_unref(y->hear);
	mem_free(y->heard);
	rt_pipe_free(y->whisper[RT_READ]);
	rt_pipe_free(y->whisper[RT_WRITE]);
	rt_pipe_free(y->said);
	mem_free(y->said_now);
}

ON_MEDIA static void flags_set(struct rt_spy *y, unsigned flags)
{
	y->flags = flags;
	y->tap.hears[RT_READ] = flags & MEDIA_SPY_READ;
	y->tap.hears[RT_WRITE] = flags & MEDIA_SPY_WRITE;
	y->tap.changes[RT_READ] = flags & MEDIA_WHISPER_READ;
	y->tap.changes[RT_WRITE] = flags & MEDIA_WHISPER_WRITE;
	y->voice.hears[RT_READ] = flags & (MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE);
	for (int i = 0; i < 2; i++)
		y->whisper[i]->fill = 0, y->whisper[i]->is_flowing = false;
	y->said->fill = 0, y->said->is_flowing = false;
	tap_replan(y->tap.s);
	tap_replan(y->voice.s);
}

static void spy_set(struct rt_tap *tap, unsigned flags)
{
	role_assert_media();
	flags_set(spy_of(tap), flags);
}

static void spy_begin(struct rt_tap *tap, struct rt_stream *listener)
{
	role_assert_media();
	struct rt_spy *y = spy_of(tap);
	if (listener->listening)
		tap_end(listener->listening, ST_CANCELLED);
	tap_add(listener, &y->voice);
	listener->listening = tap;
	flags_set(y, y->flags);
}

static void spy_end(struct rt_tap *tap)
{
	role_assert_media();
	struct rt_spy *y = spy_of(tap);
	y->voice.s->listening = NULL;
	tap_leave(&y->voice);
}

/* What each spy whispers in this tick, for the others. */
static void spy_gather(struct rt_tap *tap, size_t n)
{
	struct rt_spy *y = spy_of(tap);
	y->has_said = pipe_get(y->said, y->said_now, n);
}

static void spy_hear(struct rt_tap *tap, const int16_t *const sides[2], size_t n)
{
	role_assert_media();
	struct rt_spy *y = spy_of(tap);
	struct rt_stream *l = y->voice.s;
	int16_t *x = l->t->frame[FRAME_OUT], *heard = l->t->frame[FRAME_TAP];
	if (!l->f->may_relay || l->peer || !l->coders.enc.ops)
		return;
	memset(heard, 0, n * sizeof(*heard));
	for (int i = 0; i < 2; i++)
		if (y->tap.hears[i])
			mix_two(heard, heard, sides[i], n);
	for (struct rt_tap *o = tap->s->taps; o; o = o->next) {
		struct rt_spy *other = spy_of(o);
		if (o->ops == tap->ops && other != y && other->has_said)
			mix_two(heard, heard, other->said_now, n);
	}
	if (y->hear)
		n = resample_run(y->hear, heard, &n, x, RT_FRAME_MAX_SAMPLES);
	else
		memcpy(x, heard, n * sizeof(*x));
	frames_send(y->heard, l, x, n);
}

static void spy_add(struct rt_tap *tap, int side, int16_t *pcm, size_t n)
{
	role_assert_media();
	int16_t *x = tap->s->t->frame[FRAME_TAP];
	if (tap->changes[side] && pipe_get(spy_of(tap)->whisper[side], x, n))
		mix_two(pcm, pcm, x, n);
}

static bool spy_has_sound(const struct rt_tap *tap)
{
	return tap->changes[RT_WRITE] && ((const struct rt_spy *)tap)->whisper[RT_WRITE]->fill;
}

static void voice_hear(struct rt_tap *voice, const int16_t *const sides[2], size_t n)
{
	struct rt_spy *y = spy_of_voice(voice);
	for (int i = 0; i < 2; i++)
		if (y->tap.changes[i])
			pipe_put(y->whisper[i], sides[RT_READ], n);
	if (y->tap.changes[RT_READ] || y->tap.changes[RT_WRITE])
		pipe_put(y->said, sides[RT_READ], n);
}

static struct rt_tap *voice_whole(struct rt_tap *voice)
{
	return &spy_of_voice(voice)->tap;
}

static const struct rt_tap_ops spy_ops = {.name = "spy",
    .fini = spy_fini,
    .begin = spy_begin,
    .end = spy_end,
    .set = spy_set,
    .gather = spy_gather,
    .hear = spy_hear,
    .add = spy_add,
    .has_sound = spy_has_sound,
    .is_tied = true};
static const struct rt_tap_ops voice_ops = {.name = "voice", .hear = voice_hear, .whole = voice_whole, .is_tied = true};

int rt_spy_new(struct rt_spy **out, const struct media_params *target, const struct media_params *listener)
{
	struct rt_spy *y;
	int st = tap_new((void **)&y, sizeof(*y), &spy_ops, target);
	if (st)
		return st;
	y->voice.ops = &voice_ops;
	st = rt_pcm_new(&y->voice.pcm, listener);
	if (!st) {
		const struct rt_pcm *t = y->tap.pcm, *l = y->voice.pcm;
		if (t->recv_hz != l->send_hz)
			st = resample_new(&y->hear, t->recv_hz, l->send_hz, 1);
		if (!st && !(y->heard = mem_zalloc(sizeof(*y->heard))))
			st = ST_NOMEM;
		if (!st)
			st = rt_pipe_new(&y->whisper[RT_READ], l->recv_hz, t->recv_hz, listener, target);
		if (!st)
			st = rt_pipe_new(&y->whisper[RT_WRITE], l->recv_hz, t->send_hz, listener, target);
		if (!st)
			st = rt_pipe_new(&y->said, l->recv_hz, t->recv_hz, listener, target);
		if (!st && !(y->said_now = mem_alloc(RT_FRAME_MAX_SAMPLES * sizeof(int16_t))))
			st = ST_NOMEM;
	}
	if (st)
		rt_tap_free(&y->tap);
	else
		*out = y;
	return st;
}
