/* Calls say what they want, at any time; the media thread is told when it can be done. A join is what is wanted (relay
 * with a peer, echo, nothing); it is told as soon as both sides have parameters and live on one thread: otherwise the
 * peer is moved first. New parameters with other codecs tell it again, since the translators between the codecs travel
 * with it. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "codec/codec.h"
#include "loop/loop.h"
#include "media/ctl/ctl_i.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ECHO_DELAY_MAX_MS = 60000, ENCODED_BYTES_PER_MS = 16 };

static void stream_free(void *obj)
{
	const struct mstream *s = obj;
	CHECK(!s->rt && !s->held.first);
	mem_free(s->fmtp);
	mem_free(s->final_stats);
}

struct sockets {
	int rtp_fd, rtcp_fd;
	struct addr local;
	const struct rt_finder *finder;
};

static int thread_for(const struct mstream *near, unsigned *thread)
{
	role_assert_ctl();
	*thread = near ? near->thread : 0;
	return near && load_has_room(*thread) ? ST_OK : load_choose(thread);
}

/* A stream around sockets that are open; they are its when ST_OK. */
ON_CTL static int stream_begin(
    struct mstream **out, const struct sockets *k, unsigned thread, media_report_fn fn, void *arg)
{
	struct rt_cmd open = {.kind = RT_C_OPEN};
	struct mstream *s = mem_new(sizeof(*s), stream_free, "media.stream");
	int st = s ? rt_stream_new(&s->rt, k->rtp_fd, k->rtcp_fd, k->finder, s) : ST_NOMEM;
	if (st) {
		mem_unref(s);
		return st;
	}
	s->fn = fn, s->arg = arg, s->thread = thread;
	s->local = k->local, s->is_wired = k->finder == &rt_finder_wired;
	s->port = k->rtp_fd < 0 ? 0 : addr_port(&k->local);
	list_init(&s->plays);
	list_init(&s->records);
	list_init(&s->taps);
	list_init(&s->spying);
	list_push(&mctl.streams, &s->link);
	mctl.stream_count++;
	load_stream_came(thread);
	(void)mstream_post(s, &open);
	*out = mem_ref(s); /* the other reference is the room's, until CLOSED */
	return ST_OK;
}

/* Told once, until there is one again: calls that are refused come quickly. */
ON_CTL static void ports_tell(bool are_used_up)
{
	static bool was_told;
	if (are_used_up && !was_told)
		log_warning(
		    "media: no RTP port is free between rtp-start-port %u and rtp-end-port %u: calls are refused",
		    mctl.conf.port_min, mctl.conf.port_max);
	was_told = are_used_up;
}

int mstream_open(struct mstream **out, struct addr *local, struct mstream *near, media_report_fn fn, void *arg)
{
	struct sockets k = {.local = *local, .finder = &rt_finder_learn};
	unsigned thread;
	if (!mctl.is_on || !fn)
		return ST_INVAL;
	int st = thread_for(near, &thread);
	if (st)
		return st;
	loop_mark("RTP sockets");
	st = ports_take(&k.local, &k.rtp_fd, &k.rtcp_fd);
	loop_mark("RTP sockets open");
	ports_tell(st == ST_FULL);
	if (st)
		return st;
	st = stream_begin(out, &k, thread, fn, arg);
	if (st) {
		close(k.rtp_fd), close(k.rtcp_fd);
		ports_give(addr_port(&k.local));
		return st;
	}
	*local = k.local;
	return ST_OK;
}

int mstream_open_wired(struct mstream **out, struct mstream *near, media_report_fn fn, void *arg)
{
	struct sockets k = {.rtp_fd = -1, .rtcp_fd = -1, .finder = &rt_finder_wired};
	unsigned thread;
	if (!mctl.is_on || !fn)
		return ST_INVAL;
	int st = thread_for(near, &thread);
	return st ? st : stream_begin(out, &k, thread, fn, arg);
}

ON_CTL static void ride_tell(struct mstream *s)
{
	struct rt_cmd c = {.kind = RT_C_BUNDLE};
	if (!s->carrier || s->is_moving || s->carrier->is_moving || s->thread != s->carrier->thread)
		return;
	c.peer = s->carrier->rt;
	(void)mstream_post(s, &c);
}

void bundle_apply(struct mstream *s)
{
	ride_tell(s);
	for (size_t i = 0; i < ARRAY_COUNT(s->riders); i++)
		if (s->riders[i])
			ride_tell(s->riders[i]);
}

int mstream_open_riding(struct mstream **out, struct mstream *carrier, media_report_fn fn, void *arg)
{
	struct sockets k = {.rtp_fd = -1, .rtcp_fd = -1, .local = carrier->local, .finder = &rt_finder_rides};
	size_t at = 0;
	while (at < ARRAY_COUNT(carrier->riders) && carrier->riders[at])
		at++;
	if (!mctl.is_on || !fn || carrier->is_closing || carrier->is_wired)
		return ST_INVAL;
	if (at == ARRAY_COUNT(carrier->riders) || !load_has_room(carrier->thread))
		return ST_FULL;
	int st = stream_begin(out, &k, carrier->thread, fn, arg);
	if (st)
		return st;
	(*out)->carrier = carrier;
	carrier->riders[at] = *out;
	ride_tell(*out);
	return ST_OK;
}

/* The media thread cuts it by itself. */
static void part_from_bundle(struct mstream *s)
{
	for (size_t i = 0; i < ARRAY_COUNT(s->riders); i++) {
		if (s->riders[i])
			s->riders[i]->carrier = NULL;
		s->riders[i] = NULL;
		if (s->carrier && s->carrier->riders[i] == s)
			s->carrier->riders[i] = NULL;
	}
	s->carrier = NULL;
}

int mstream_wire(struct mstream *a, struct mstream *b)
{
	int ends[2];
	if (a == b || !a->is_wired || !b->is_wired)
		return ST_INVAL;
	if (a->is_closing || b->is_closing)
		return ST_CLOSED;
	if (a->has_wire || b->has_wire)
		return ST_EXISTS;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends)) {
		log_error("media: no sockets for two streams: %s", strerror(errno));
		return ST_FULL;
	}
	a->has_wire = b->has_wire = true;
	struct rt_cmd to_a = {.kind = RT_C_WIRE, .number = (uint32_t)ends[0]},
	              to_b = {.kind = RT_C_WIRE, .number = (uint32_t)ends[1]};
	(void)mstream_post(a, &to_a);
	(void)mstream_post(b, &to_b);
	return ST_OK;
}

int mstream_set_crypt(struct mstream *s, struct rt_crypt *crypt)
{
	struct rt_cmd c = {.kind = RT_C_CRYPT, .ptr = crypt};
	return s->is_closing ? ST_CLOSED : mstream_post(s, &c);
}

int mstream_set_finder(struct mstream *s, struct rt_finder *finder)
{
	struct rt_cmd c = {.kind = RT_C_FINDER, .ptr = finder};
	return s->is_closing ? ST_CLOSED : mstream_post(s, &c);
}

int mstream_capture(struct mstream *s, struct rt_capture *capture)
{
	struct rt_cmd c = {.kind = RT_C_CAPTURE, .ptr = capture};
	if (s->is_closing)
		return ST_CLOSED;
	if (capture)
		capture->local = s->local;
	mem_ref(capture);
	return mstream_post(s, &c);
}

static void part_from_peer(struct mstream *s)
{
	if (s->peer)
		s->peer->join = JOIN_NONE, s->peer->peer = NULL;
	s->join = JOIN_NONE, s->peer = NULL;
}

void mstream_close(struct mstream *s)
{
	if (s->is_closing)
		return;
	part_from_peer(s);
	part_from_bundle(s);
	plays_cancel(s, 0);
	s->is_closing = true;
	taps_close(s);
	struct rt_cmd c = {.kind = RT_C_CLOSE};
	(void)mstream_post(s, &c);
}

static int xcodes_make(struct rt_xcode *x[2], const struct media_params *a, const struct media_params *b)
{
	x[0] = x[1] = NULL;
	int st = rt_xcode_new(&x[0], &a->recv, &b->send, false, NULL);
	if (!st)
		st = rt_xcode_new(&x[1], &b->recv, &a->send, false, NULL);
	if (st) {
		rt_xcode_free(x[0]);
		x[0] = NULL;
	}
	return st;
}

int mstream_move(struct mstream *s, unsigned thread)
{
	struct rt_cmd c = {.kind = RT_C_MOVE, .to = mctl.threads[thread].rt};
	if (!load_has_room(thread))
		return ST_FULL;
	(void)mstream_post(s, &c);
	s->is_moving = true;
	load_stream_went(s->thread);
	load_stream_came(thread);
	mctl.threads[thread].moves++;
	s->thread = thread;
	for (size_t i = 0; i < ARRAY_COUNT(s->riders); i++)
		if (s->riders[i] && !s->riders[i]->is_moving)
			(void)mstream_move(s->riders[i], thread);
	return ST_OK;
}

ON_CTL static void idle_tell(struct mstream *s)
{
	struct rt_cmd c = {.kind = RT_C_IDLE};
	if (!s->is_moving) /* moving has ended its join already */
		(void)mstream_post(s, &c);
}

static bool is_on_wire_same(const struct media_codec *a, const struct media_codec *b)
{
	return !strcmp(a->name, b->name) && a->clock_hz == b->clock_hz && a->channels == b->channels;
}

ON_CTL static int jitter_tell(struct mstream *s);

/* Not while somebody else works with its samples. */
void stream_rate_follow(struct mstream *s, uint32_t rate_hz)
{
	const struct media_codec *c = &s->params.send;
	const struct codec_ops *ops = codec_find_rate(c->name, c->clock_hz, c->channels, rate_hz);
	if (!s->has_params || !ops || ops->rate_hz != rate_hz || c->rate_hz == ops->rate_hz ||
	    !is_on_wire_same(c, &s->params.recv) || !list_empty(&s->plays) || !list_empty(&s->records) ||
	    !list_empty(&s->taps) || !list_empty(&s->spying))
		return;
	struct media_params p = s->params;
	struct rt_coders *coders;
	p.fmtp = s->fmtp;
	p.send.rate_hz = p.recv.rate_hz = ops->rate_hz;
	if (rt_coders_new(&coders, &p))
		return; /* as it was, with a resampler */
	s->params.send.rate_hz = s->params.recv.rate_hz = ops->rate_hz;
	struct rt_cmd cmd = {.kind = RT_C_RATE, .number = ops->rate_hz, .ptr = coders};
	(void)mstream_post(s, &cmd);
	(void)jitter_tell(s);
}

ON_CTL static void rates_meet(struct mstream *a, struct mstream *b)
{
	if (is_on_wire_same(&a->params.send, &b->params.send))
		return;
	stream_rate_follow(a, b->params.send.rate_hz);
	stream_rate_follow(b, a->params.send.rate_hz);
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
	rates_meet(a, b);
	if (xcodes_make(x, &a->params, &b->params)) {
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
	int st = rt_xcode_new(x, &s->params.recv, &s->params.send, s->delay_ms > 0, s->fmtp);
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

static bool is_same_codec(const struct media_codec *a, const struct media_codec *b)
{
	return !strcmp(a->name, b->name) && a->clock_hz == b->clock_hz && a->rate_hz == b->rate_hz &&
	       a->channels == b->channels && a->ptime_ms == b->ptime_ms && a->variant == b->variant;
}

static bool is_sane(const struct media_codec *c)
{
	return memchr(c->name, 0, sizeof(c->name)) && c->pt <= 127 && c->clock_hz <= 192000 && c->rate_hz <= 192000 &&
	       c->ptime_ms <= 120;
}

/* Other codecs, or the same with other format parameters, begin anew: coders for them, else NULL. */
static int codecs_change(struct mstream *s, const struct media_params *p, bool *is_other, struct rt_coders **coders)
{
	*is_other =
	    !s->has_params || !is_same_codec(&p->send, &s->params.send) || !is_same_codec(&p->recv, &s->params.recv);
	*coders = NULL;
	if (!*is_other && !p->red_send == !s->params.red_send && !p->fec_send == !s->params.fec_send &&
	    sv_is(sv_of(p->fmtp), s->fmtp ? s->fmtp : ""))
		return ST_OK;
	char *fmtp = p->fmtp ? mem_strdup(p->fmtp) : NULL;
	int st = p->fmtp && !fmtp ? ST_NOMEM : rt_coders_new(coders, p);
	if (st) {
		mem_free(fmtp);
		return st;
	}
	mem_free(s->fmtp);
	s->fmtp = fmtp;
	return ST_OK;
}

/* A new one, for the codec there is; what was in the old one is a few frames. */
ON_CTL static int jitter_tell(struct mstream *s)
{
	struct rt_jitter *j = NULL;
	struct rt_cmd c = {.kind = RT_C_JITTER};
	int st = !s->jitter.len_ms || !s->has_params ? ST_OK : rt_jitter_new(&j, &s->params.recv, &s->jitter);
	if (st || (!j && !s->has_jitter))
		return st;
	c.ptr = j;
	s->has_jitter = j;
	return mstream_post(s, &c);
}

int mstream_set_jitter(struct mstream *s, const struct media_jitter_conf *conf)
{
	struct media_jitter_conf was = s->jitter;
	if (s->is_closing)
		return ST_CLOSED;
	s->jitter = *conf;
	int st = jitter_tell(s);
	if (st)
		s->jitter = was;
	return st;
}

ON_CTL static int comfort_tell(struct mstream *s)
{
	struct rt_comfort *made = NULL;
	struct rt_cmd c = {.kind = RT_C_COMFORT};
	struct media_params p = s->params;
	p.fmtp = s->fmtp;
	int st = !s->is_comfort_wanted || !s->has_params ? ST_OK : rt_comfort_new(&made, &p, &s->comfort);
	if (st || (!made && !s->has_comfort))
		return st;
	c.ptr = made;
	s->has_comfort = made;
	return mstream_post(s, &c);
}

int mstream_set_comfort(struct mstream *s, const struct media_comfort_conf *conf)
{
	if (s->is_closing)
		return ST_CLOSED;
	bool is_same = conf ? s->is_comfort_wanted && s->comfort.fills == conf->fills &&
	                          s->comfort.sends == conf->sends && s->comfort.fill_divisor == conf->fill_divisor
	                    : !s->is_comfort_wanted;
	if (is_same)
		return ST_OK;
	s->is_comfort_wanted = conf;
	if (conf)
		s->comfort = *conf;
	return comfort_tell(s);
}

/* What the caller does not know of a codec: its variant, and the rate that its partner made it code at. */
static void codec_complete(
    const struct mstream *s, struct media_codec *c, const struct media_codec *was, const char *fmtp)
{
	const struct codec_ops *ops = codec_find(c->name, c->clock_hz, c->channels);
	c->variant = ops && ops->variant ? ops->variant(fmtp) : 0;
	if (s->has_params && is_on_wire_same(c, was) && c->rate_hz != was->rate_hz)
		c->rate_hz = was->rate_hz;
}

int mstream_check_params(struct mstream *s, const struct media_params *wanted)
{
	struct media_params p = *wanted;
	struct rt_coders *coders;

	if (!is_sane(&p.send) || !is_sane(&p.recv))
		return ST_INVAL;
	codec_complete(s, &p.send, &s->params.send, p.fmtp);
	codec_complete(s, &p.recv, &s->params.recv, p.fmtp);
	int st = rt_coders_new(&coders, &p);
	if (!st)
		rt_coders_free(coders);
	return st;
}

int mstream_set_params(struct mstream *s, const struct media_params *wanted)
{
	struct media_params whole = *wanted, *p = &whole;
	if (s->is_closing)
		return ST_CLOSED;
	if (!is_sane(&p->send) || !is_sane(&p->recv))
		return ST_INVAL;
	struct rt_coders *coders;
	struct media_params *copy;
	codec_complete(s, &p->send, &s->params.send, p->fmtp);
	codec_complete(s, &p->recv, &s->params.recv, p->fmtp);
	bool is_other;
	int st = codecs_change(s, p, &is_other, &coders);
	if (st)
		return st;
	copy = mem_alloc(sizeof(*copy));
	if (!copy) {
		rt_coders_free(coders);
		return ST_NOMEM;
	}
	*copy = *p;
	copy->fmtp = NULL;
	/* "c=IN IP4 0.0.0.0" (RFC 2543's hold) and port 0 are nowhere, and connecting to them would reach ourselves. */
	if (addr_is_set(&copy->remote_rtp) && (addr_is_any(&copy->remote_rtp) || !addr_port(&copy->remote_rtp)))
		memset(&copy->remote_rtp, 0, sizeof(copy->remote_rtp));
	if (addr_is_set(&copy->remote_rtcp) && (addr_is_any(&copy->remote_rtcp) || !addr_port(&copy->remote_rtcp)))
		memset(&copy->remote_rtcp, 0, sizeof(copy->remote_rtcp));
	p = copy;
	bool is_moved =
	    s->has_params && (addr_is_set(&p->remote_rtp) != addr_is_set(&s->params.remote_rtp) ||
	                         (addr_is_set(&p->remote_rtp) && !addr_eq(&p->remote_rtp, &s->params.remote_rtp)));
	if (is_moved)
		s->is_learned = false;
	s->params = *p;
	s->has_params = true;
	struct rt_cmd c = {.kind = RT_C_PARAMS, .ptr = copy, .ptr2 = coders};
	bool has_new_coders = coders != NULL;
	(void)mstream_post(s, &c);
	if (is_other) {
		(void)jitter_tell(s);
		(void)comfort_tell(s);
		join_apply(s);
	}
	if (is_other || has_new_coders)
		taps_params_changed(s);
	return ST_OK;
}

ON_CTL static int stream_tell(struct mstream *s, enum rt_cmd_kind kind, uint32_t number)
{
	struct rt_cmd c = {.kind = kind, .number = number};
	return s->is_closing ? ST_CLOSED : mstream_post(s, &c);
}

int mstream_set_timeout(struct mstream *s, unsigned rtp_timeout_ms)
{
	return stream_tell(s, RT_C_TIMEOUT, rtp_timeout_ms);
}

int mstream_key_frame(struct mstream *s)
{
	return stream_tell(s, RT_C_KEY_FRAME, 0);
}

int mstream_mute(struct mstream *s, bool is_read_muted, bool is_write_muted)
{
	return stream_tell(s, RT_C_MUTE, (uint32_t)is_read_muted | (uint32_t)is_write_muted << 1);
}

ON_CTL static int digit_flag_set(struct mstream *s, unsigned flag, bool is_on)
{
	unsigned flags = is_on ? s->digit_flags | flag : s->digit_flags & ~flag;
	if (flags == s->digit_flags)
		return ST_OK;
	s->digit_flags = flags;
	return stream_tell(s, RT_C_DIGITS, flags);
}

int mstream_capture_dtmf(struct mstream *s, bool is_captured)
{
	return digit_flag_set(s, RT_DIGITS_CAPTURED, is_captured);
}

int mstream_generate_dtmf(struct mstream *s, bool is_read, bool is_on)
{
	return digit_flag_set(s, is_read ? RT_DIGITS_READ_TONES : RT_DIGITS_WRITE_TONES, is_on);
}

int mstream_relay(struct mstream *a, struct mstream *b)
{
	if (a == b)
		return ST_INVAL;
	if (a->is_closing || b->is_closing)
		return ST_CLOSED;
	if (a->has_params && b->has_params) {
		struct rt_xcode *x[2];
		int st = xcodes_make(x, &a->params, &b->params);
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
	part_from_peer(s);
	idle_tell(s);
	if (peer && s->is_moving)
		idle_tell(peer);
	return ST_OK;
}

ON_CTL static int digits_send(struct mstream *s, const char *digits, unsigned duration_ms, bool are_tones)
{
	if (s->is_closing)
		return ST_CLOSED;
	if (!s->has_dtmf_room) {
		struct rt_cmd c = {.kind = RT_C_DTMF_ROOM, .ptr = rt_dtmf_room_new()};
		if (!c.ptr)
			return ST_NOMEM;
		s->has_dtmf_room = true;
		(void)mstream_post(s, &c);
	}
	for (size_t at = 0, n = strlen(digits); at < n; at += RT_DTMF_TEXT_MAX - 1) {
		struct rt_cmd c = {.kind = RT_C_DTMF, .number = duration_ms, .flags = are_tones};
		size_t take = n - at < RT_DTMF_TEXT_MAX - 1 ? n - at : RT_DTMF_TEXT_MAX - 1;
		memcpy(c.text, digits + at, take);
		c.text[take] = 0;
		(void)mstream_post(s, &c);
	}
	return ST_OK;
}

int mstream_send_dtmf(struct mstream *s, const char *digits, unsigned duration_ms)
{
	return digits_send(s, digits, duration_ms, false);
}

int mstream_send_tones(struct mstream *s, const char *digits, unsigned duration_ms)
{
	return digits_send(s, digits, duration_ms, true);
}

int mstream_stats_ask(struct mstream *s)
{
	if (s->is_closing)
		return ST_CLOSED;
	struct rt_cmd c = {.kind = RT_C_STATS, .ptr = mem_zalloc(sizeof(struct rt_stats))};
	return c.ptr ? mstream_post(s, &c) : ST_NOMEM;
}

bool mstream_peer_addr(const struct mstream *s, struct addr *out)
{
	const struct addr *a = s->is_learned ? &s->learned : &s->params.remote_rtp;
	if (!s->has_params || !addr_is_set(a))
		return false;
	*out = *a;
	return true;
}

unsigned mstream_thread_index(const struct mstream *s)
{
	return s->thread;
}
