/* A stream as a call has it: opened on a thread that has room, closed, moved, and told what is wanted of it. Calls may
 * say that at any time, from the opening on; each wish is a command in one order (mstream_post), which waits by itself
 * while the stream moves. Streams of one bundle ride on one pair of ports, and so on one thread; those of a wire have
 * none. Its parameters: stream_params.c; whom it is joined with: stream_join.c. */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "media/ctl/ctl_i.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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

void mstream_close(struct mstream *s)
{
	if (s->is_closing)
		return;
	join_part(s);
	part_from_bundle(s);
	plays_cancel(s, 0);
	s->is_closing = true;
	taps_close(s);
	struct rt_cmd c = {.kind = RT_C_CLOSE};
	(void)mstream_post(s, &c);
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
