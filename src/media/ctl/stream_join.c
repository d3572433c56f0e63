/* A join is what is wanted of a stream's packets: relay with a peer, echo, nothing. Calls say it at any time, so it is
 * kept in the streams and told to the media thread when it can be done: as soon as both sides have parameters and live
 * on one thread (otherwise the peer is moved first). New parameters with other codecs, and every move, tell it again,
 * since the translators between the codecs travel with it. */
#include "base/log.h"
#include "codec/codec.h"
#include "media/ctl/ctl_i.h"

enum { ECHO_DELAY_MAX_MS = 60000, ENCODED_BYTES_PER_MS = 16 };

void join_part(struct mstream *s)
{
	if (s->peer)
		s->peer->join = JOIN_NONE, s->peer->peer = NULL;
	s->join = JOIN_NONE, s->peer = NULL;
}

/* Two channels are kept where they come and are taken. */
static unsigned channels_between(const struct mstream *from, const struct mstream *to)
{
	return params_send_two(&from->params, from->fmtp) && params_take_two(&to->params, to->fmtp) ? 2 : 1;
}

static int xcodes_make(struct rt_xcode *x[2], const struct mstream *a, const struct mstream *b)
{
	x[0] = x[1] = NULL;
	int st = rt_xcode_new(&x[0], &a->params.recv, &b->params.send, channels_between(a, b), false, NULL);
	if (!st)
		st = rt_xcode_new(&x[1], &b->params.recv, &a->params.send, channels_between(b, a), false, NULL);
	if (st) {
		rt_xcode_free(x[0]);
		x[0] = NULL;
	}
	return st;
}

ON_CTL static void idle_tell(struct mstream *s)
{
	struct rt_cmd c = {.kind = RT_C_IDLE};
	if (!s->is_moving) /* moving has ended its join already */
		(void)mstream_post(s, &c);
}

ON_CTL static void relay_tell(struct mstream *a, struct mstream *b)
{
	if (a->is_moving || b->is_moving)
		return; /* told again when it has arrived */
	if (a->thread != b->thread) {
		struct mstream *x = a->carrier ? a->carrier : a, *y = b->carrier ? b->carrier : b;
		if (!mstream_move(y, a->thread) || !mstream_move(x, b->thread))
			return;
		log_warning("media: two streams cannot be joined: neither's thread has room for the other");
		idle_tell(a);
		idle_tell(b);
		return;
	}
	struct rt_xcode *x[2];
	stream_rates_meet(a, b);
	if (xcodes_make(x, a, b)) {
		log_warning("media: %s and %s cannot be joined any more", a->params.recv.name, b->params.send.name);
		idle_tell(a);
		return;
	}
	struct rt_cmd c = {.kind = RT_C_RELAY, .peer = b->rt, .ptr = x[0], .ptr2 = x[1]};
	(void)mstream_post(a, &c);
}

static int echo_make(struct mstream *s, struct rt_delay **delay, struct rt_xcode **x)
{
	const struct codec_ops *ops = codec_find(s->params.recv.name, s->params.recv.clock_hz, s->params.recv.channels);
	unsigned per_ms = ops ? (unsigned)ops->frame_bytes(ops, 10) / 10 + 1 : ENCODED_BYTES_PER_MS;
	*x = NULL;
	unsigned channels = s->delay_ms ? 1 : channels_between(s, s);
	int st = rt_xcode_new(x, &s->params.recv, &s->params.send, channels, s->delay_ms > 0, s->fmtp);
	if (!st && s->delay_ms)
		st = rt_delay_new(delay, s->delay_ms, per_ms);
	if (st)
		rt_xcode_free(*x);
	return st;
}

ON_CTL static void echo_tell(struct mstream *s)
{
	struct rt_cmd c = {.kind = RT_C_ECHO};
	struct rt_delay *delay = NULL;
	struct rt_xcode *x;
	if (s->is_moving)
		return;
	if (echo_make(s, &delay, &x)) {
		idle_tell(s);
		return;
	}
	c.ptr = delay, c.ptr2 = x;
	(void)mstream_post(s, &c);
}

void join_apply(struct mstream *s)
{
	if (!s->has_params)
		return;
	if (s->join == JOIN_RELAY && s->peer->has_params)
		relay_tell(s, s->peer);
	else if (s->join == JOIN_ECHO)
		echo_tell(s);
}

int mstream_relay(struct mstream *a, struct mstream *b)
{
	if (a == b)
		return ST_INVAL;
	if (a->is_closing || b->is_closing)
		return ST_CLOSED;
	if (a->has_params && b->has_params) {
		struct rt_xcode *x[2];
		int st = xcodes_make(x, a, b);
		if (st)
			return st;
		rt_xcode_free(x[0]);
		rt_xcode_free(x[1]);
	}
	if (a->peer == b)
		return ST_OK;
	(void)mstream_idle(a);
	(void)mstream_idle(b);
	a->join = b->join = JOIN_RELAY;
	a->peer = b, b->peer = a;
	join_apply(a);
	return ST_OK;
}

int mstream_echo(struct mstream *s, unsigned delay_ms)
{
	if (s->is_closing)
		return ST_CLOSED;
	(void)mstream_idle(s);
	s->join = JOIN_ECHO;
	s->delay_ms = delay_ms < ECHO_DELAY_MAX_MS ? delay_ms : ECHO_DELAY_MAX_MS;
	join_apply(s);
	return ST_OK;
}

int mstream_idle(struct mstream *s)
{
	if (s->is_closing)
		return ST_CLOSED;
	if (s->join == JOIN_NONE)
		return ST_OK;
	struct mstream *peer = s->peer;
	join_part(s);
	idle_tell(s);
	if (peer && s->is_moving)
		idle_tell(peer);
	return ST_OK;
}
