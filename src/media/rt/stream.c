/* Much is known about a stream (direction, mute, address, plays, digits, taps, its join), and packets must not ask for
 * it one by one: the plan is the one place where all of it becomes the few flags of its flow row, made anew whenever
 * any of it changes. Here are the plan, the commands, and the regular work. Joins are mutual: a relay links two
 * streams, an echo links one to itself; unjoining either ends it for both. */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "media/rt/fec.h"
#include "media/rt/lane_i.h"
#include "media/rt/rt_i.h"

#include <string.h>
#include <unistd.h>

int rt_stream_new(struct rt_stream **out, int rtp_fd, int rtcp_fd, const struct rt_finder *finder, void *owner)
{
	struct rt_stream *s = mem_zalloc(sizeof(*s));
	if (!s)
		return ST_NOMEM;
	struct rt_flow *f = &s->parked;
	s->f = f;
	s->owner = owner;
	s->rtcp_fd = rtcp_fd;
	s->finder = s->first_finder = finder;
	f->fd = rtp_fd, f->to = FLOW_NONE;
	f->recv_pt = f->jitter_pt = f->recv_dtmf_pt = f->send_pt = f->send_dtmf_pt = f->cn_pt = -1;
	f->send_clock_hz = 8000, f->send_frame_ticks = 160;
	f->out.ssrc = rand_u32(), f->out.ts = rand_u32(), f->out.seq = (uint16_t)(rand_u32() & 0x7fff);
	*out = s;
	return ST_OK;
}

void rt_stream_free(struct rt_stream *s)
{
	rt_jitter_free(s->jitter);
	rt_comfort_free(s->comfort);
	mem_free(s->dtmf_out.room);
	coders_close(&s->coders);
	mem_free(s);
}
void *rt_stream_owner(const struct rt_stream *s)
{
	return s->owner;
}

void rt_stream_stats(const struct rt_stream *s, struct media_stats *out)
{
	const struct rt_flow *f = s->f;
	*out = (struct media_stats){
	    .in_packets = f->in_packets,
	    .in_bytes = f->in_bytes,
	    .in_media_packets = f->in_media,
	    .in_skip_packets = f->in_skipped,
	    .in_dtmf_packets = s->in_dtmf,
	    .in_cng_packets = s->in_cng,
	    .in_flush_packets = s->in_flushed,
	    .in_wrong_source_packets = s->in_wrong,
	    .out_packets = f->out.packets,
	    .out_bytes = f->out.bytes + f->out.packets * RTP_HEADER_BYTES,
	    .out_dtmf_packets = s->out_dtmf,
	    .out_cng_packets = s->out_cng,
	    .in_lost_packets = s->lost_before + (s->seq.is_started ? rtp_source_lost(&s->seq) : 0),
	    .in_bursts = s->seq.holes,
	    .in_recovered_packets = s->red_in.recovered,
	    .in_jitter_us = s->seq.is_started ? rtp_source_jitter_us(&s->seq) : 0,
	    .in_jitter_max_us = s->seq.is_started ? rtp_source_jitter_max_us(&s->seq) : 0,
	    .round_trip_us = s->rtcp.round_trip_us,
	    .round_trip_max_us = s->rtcp.round_trip_max_us,
	    .out_lost_packets = s->rtcp.far_lost > 0 ? (uint64_t)s->rtcp.far_lost : 0,
	    .out_jitter_us = (uint32_t)((uint64_t)s->rtcp.far_jitter * 1000000 / f->send_clock_hz),
	    .rtcp_packets = s->rtcp.peer_packets,
	    .rtcp_octets = s->rtcp.peer_octets,
	    .has_xr = s->rtcp.has_xr,
	    .xr = s->rtcp.xr,
	    .in_ssrc = s->seq.ssrc,
	    .out_ssrc = f->out.ssrc,
	};
	if (s->coders.fec) {
		out->in_recovered_packets += fec_recovered(s->coders.fec);
		out->in_fec_packets = fec_in_count(s->coders.fec);
		out->out_fec_packets = fec_out_count(s->coders.fec);
	}
	jitter_stats(s, out);
}

unsigned stream_frame_us(const struct rt_stream *s)
{
	unsigned ms = s->params.send.ptime_ms;
	return (uint32_t)clock_us_of_ms(ms >= 5 && ms <= RT_PTIME_MAX_MS ? ms : 20);
}

bool stream_has_tick_now(const struct rt_stream *s)
{
	return (s->tick_exact_us + stream_frame_us(s)) / WHEEL_SLOT_US <= s->t->now_us / WHEEL_SLOT_US;
}

/* What s receives does not reach that row for now: we keep it back, and when it goes on that is no loss. */
ON_MEDIA static void unanchor(struct rt_stream *s, uint32_t to)
{
	if (to != FLOW_NONE && s->t->flows[to].out.src_ssrc == s->seq.ssrc)
		s->t->flows[to].out.is_anchored = false;
}

/* Both ways, from the kernel. */
ON_MEDIA static void stream_take_back(struct rt_stream *s)
{
	kernel_take_back(s->f);
	if (s->peer && s->peer != s)
		kernel_take_back(s->peer->f);
}

void stream_plan(struct rt_stream *s)
{
	struct rt_flow *f = s->f;
	uint32_t was_to = f->to;
	const struct media_params *p = &s->params;
	if (!s->has_params || !s->t)
		return;
	stream_take_back(s);
	f->recv_pt = p->recv.pt, f->recv_dtmf_pt = p->dtmf_recv_pt;
	f->send_pt = p->send.pt, f->send_dtmf_pt = p->dtmf_send_pt;
	f->cn_pt = p->cn_pt;
	f->send_clock_hz = p->send.clock_hz ? p->send.clock_hz : 8000;
	f->send_frame_ticks = (uint16_t)((uint64_t)f->send_clock_hz * stream_frame_us(s) / 1000000);
	f->is_passed = p->is_raw || p->kind;
	f->is_riding = s->carrier != NULL;
	f->may_take = p->may_recv;
	f->may_send = p->may_send && !s->is_write_muted && addr_is_set(&s->remote_rtp);
	f->may_relay = f->may_send && !s->play && !s->dtmf_out.is_busy;
	pcm_plan(s);
	f->is_read_tapped = pcm_hears(s, RT_READ);
	f->is_write_tapped = pcm_hears(s, RT_WRITE);
	for (struct rt_record *r = s->records; r; r = r->next) {
		f->is_read_tapped |= r->conf.has_read;
		f->is_write_tapped |= r->conf.has_write;
	}
	f->how = HOW_NONE, f->to = FLOW_NONE;
	if (s->peer && !s->is_read_muted) {
		f->to = s->peer->slot;
		bool is_changed = s->is_changed[RT_READ] || s->peer->is_changed[RT_WRITE];
		f->how = s->delay ? HOW_DELAY : is_changed ? HOW_PCM : s->xcode ? HOW_XCODE : HOW_DIRECT;
	}
	if (f->how == HOW_NONE || !f->may_take)
		unanchor(s, was_to), unanchor(s, f->to);
	f->may_be_red = p->red_recv;
	f->is_red = p->red_send && !f->is_passed && s->coders.red;
	f->is_fec = p->fec_send && f->is_passed && s->coders.fec;
	comfort_plan(s);
	jitter_plan(s);
	if (s->rider)
		bundle_follow(s);
}

ON_MEDIA static void stream_unjoin_half(struct rt_stream *s)
{
	s->peer = NULL;
	if (s->pcm)
		lane_reset(s->pcm->in);
	rt_xcode_free(s->xcode);
	s->xcode = NULL;
	if (s->delay) {
		tick_done(s, TICK_DELAY);
		rt_delay_free(s->delay);
		s->delay = NULL;
	}
	stream_plan(s);
}

void stream_unjoin(struct rt_stream *s)
{
	struct rt_stream *peer = s->peer;
	stream_unjoin_half(s);
	if (peer && peer != s)
		stream_unjoin_half(peer);
}

ON_MEDIA static void stream_join(struct rt_stream *a, struct rt_stream *b, struct rt_xcode *ab, struct rt_xcode *ba)
{
	stream_unjoin(a);
	stream_unjoin(b);
	a->peer = b, a->xcode = ab;
	b->peer = a, b->xcode = ba;
	a->is_also_told = b->is_also_told = false; /* what could not be followed for another partner */
	stream_plan(a);
	stream_plan(b);
}

ON_MEDIA static void stream_echo(struct rt_stream *s, struct rt_delay *d, struct rt_xcode *x)
{
	stream_unjoin(s);
	s->peer = s, s->xcode = x, s->delay = d;
	if (d)
		tick_need(s, TICK_DELAY);
	stream_plan(s);
}

ON_MEDIA static void stream_coders_set(struct rt_stream *s, struct rt_coders *c)
{
	struct rt_coders was = s->coders;
	if (!c)
		return;
	s->coders = *c, *c = was;
	if (was.fec)
		s->red_in.recovered += fec_recovered(was.fec);
	if ((s->coders.fec || was.fec) && s->t) /* what comes is numbered anew */
		unanchor(s, s->f->to);
	rt_coders_free(c);
}

/* is_joined_anew: to another codec. Until its join is told again nothing comes to it that was made for the one before.
 */
ON_MEDIA static void stream_params_set(
    struct rt_stream *s, struct media_params *p, struct rt_coders *c, bool is_joined_anew)
{
	if (is_joined_anew)
		stream_unjoin(s);
	s->params = *p;
	mem_free(p);
	s->has_params = true;
	s->is_also_told = false;
	if (s->seq.is_started)
		rtp_source_clock(&s->seq, s->params.recv.clock_hz);
	stream_coders_set(s, c);
	stream_plan(s); /* before the source: packets read while connecting meet the new row */
	s->finder->ops->follow(s->finder, s);
	stream_plan(s);
	if (s->peer && s->peer != s)
		stream_plan(s->peer);
	s->timeout_since_us = s->t->now_us;
	s->is_timeout_told = false;
	rtcp_begin(s);
}

ON_MEDIA static void stream_rate_set(struct rt_stream *s, uint32_t rate_hz, struct rt_coders *c)
{
	s->params.send.rate_hz = s->params.recv.rate_hz = rate_hz;
	stream_coders_set(s, c);
	stream_plan(s);
}

ON_MEDIA static void stream_mute(struct rt_stream *s, unsigned bits)
{
	s->is_read_muted = bits & 1;
	s->is_write_muted = bits & 2;
	stream_plan(s);
}

ON_MEDIA static void stream_leave(struct rt_thread *t, struct rt_stream *s)
{
	stream_unjoin(s);
	bundle_cut(s);
	taps_cut(s, ST_CLOSED);
	list_remove(&s->pend.link);
	if (s->tick_needs) {
		unsigned needs = s->tick_needs;
		tick_done(s, ~0u);
		thread_flow_release(t, s);
		s->tick_needs = needs;
	} else {
		thread_flow_release(t, s);
	}
}

ON_MEDIA static void stream_move(struct rt_thread *t, struct rt_stream *s, struct rt_thread *to)
{
	stream_leave(t, s);
	s->leaving_to = to;
	s->is_moving = true;
	struct rt_cmd c = {.kind = RT_C_OPEN, .s = s};
	if (!list_empty(&t->leaving) || rt_thread_post(to, &c))
		list_push(&t->leaving, &s->leaving);
}

ON_MEDIA static void stream_open(struct rt_thread *t, struct rt_stream *s)
{
	int st = thread_flow_take(t, s);
	CHECK(st == ST_OK); /* control keeps a thread's streams under FLOW_MAX */
	unsigned needs = s->tick_needs;
	s->tick_needs = 0;
	if (needs)
		tick_need(s, needs);
	if (s->is_moving) {
		s->is_moving = false;
		s->pend.flags |= PEND_MOVED;
	}
	report_wanted(s);
	stream_plan(s);
}

ON_MEDIA static void stream_close(struct rt_thread *t, struct rt_stream *s)
{
	stream_unjoin(s);
	if (s->play)
		play_end(s, ST_CANCELLED);
	record_stop(s, 0, ST_OK);
	taps_end(s, ST_CANCELLED);
	dtmf_out_clear(s);
	rtcp_bye(s);
	bundle_cut(s);
	s->capture = mem_unref(s->capture);
	plug_fini(s);
	tick_done(s, ~0u);
	thread_flow_release(t, s);
	if (s->parked.fd >= 0)
		close(s->parked.fd);
	if (s->rtcp_fd >= 0)
		close(s->rtcp_fd);
	s->pend.flags = PEND_CLOSED; /* events that control has not seen are of no use now */
	s->pend.digit_count = s->pend.rtcp_count = 0;
	if (!lnode_is_linked(&s->pend.link))
		list_push(&t->reporting, &s->pend.link);
}

ON_MEDIA static void stats_fill(struct rt_stream *s, struct rt_stats *st)
{
	kernel_fold(s);
	rt_stream_stats(s, &st->stats);
	report_stats(s, st);
}

/* What came before it belongs to how things were. */
static bool is_an_end(const struct rt_cmd *c)
{
	return c->kind == RT_C_CLOSE || c->kind == RT_C_RECORD_STOP || c->kind == RT_C_IDLE || c->kind == RT_C_RELAY ||
	       c->kind == RT_C_ECHO || (c->kind == RT_C_PARAMS && c->number);
}

void stream_cmd(struct rt_thread *t, const struct rt_cmd *c)
{
	struct rt_stream *s = c->s;
	if (c->kind == RT_C_NONE || c->kind == RT_C_QUIT) /* of no stream */
		return;
	if (s->t && c->kind != RT_C_STATS && c->kind != RT_C_TIMEOUT)
		stream_take_back(s); /* whatever it is, it finds the flow as it is */
	if (s->t && is_an_end(c))
		record_drain_sockets(s);
	switch (c->kind) {
	case RT_C_OPEN:
		stream_open(t, s);
		break;
	case RT_C_MOVE:
		stream_move(t, s, c->to);
		break;
	case RT_C_PARAMS:
		stream_params_set(s, c->ptr, c->ptr2, c->number);
		break;
	case RT_C_RATE:
		stream_rate_set(s, c->number, c->ptr);
		break;
	case RT_C_CRYPT:
	case RT_C_CRYPT_TELL:
	case RT_C_FINDER:
	case RT_C_FINDER_TELL:
	case RT_C_WIRE:
		plug_cmd(s, c);
		break;
	case RT_C_JITTER:
		jitter_set(s, c->ptr);
		break;
	case RT_C_COMFORT:
		comfort_set(s, c->ptr);
		break;
	case RT_C_TIMEOUT:
		s->timeout_ms = c->number, s->is_timeout_told = false;
		s->timeout_since_us = t->now_us;
		break;
	case RT_C_IDLE:
		stream_unjoin(s);
		break;
	case RT_C_RELAY:
		stream_join(s, c->peer, c->ptr, c->ptr2);
		break;
	case RT_C_ECHO:
		stream_echo(s, c->ptr, c->ptr2);
		break;
	case RT_C_MUTE:
		stream_mute(s, c->number);
		break;
	case RT_C_DIGITS:
		s->digit_flags = c->number;
		break;
	case RT_C_PLAY:
		play_start(s, c->ptr);
		break;
	case RT_C_PLAY_STOP:
		if (s->play && (!c->number || c->number == s->play->id))
			play_end(s, ST_CANCELLED);
		break;
	case RT_C_PLAY_SET:
		play_set(s, (enum media_play_op)c->number, c->flags);
		break;
	case RT_C_PLAY_RATE:
		play_rate_set(s, c->number, c->ptr);
		break;
	case RT_C_RECORD:
	case RT_C_RECORD_STOP:
	case RT_C_RECORD_SET:
	case RT_C_RECORD_RATE:
		record_cmd(s, c);
		break;
	case RT_C_TAP:
	case RT_C_TAP_STOP:
	case RT_C_TAP_SET:
		tap_cmd(s, c);
		break;
	case RT_C_DTMF_ROOM:
		dtmf_out_widen(s, c->ptr);
		break;
	case RT_C_DTMF:
		dtmf_out_queue(s, c->text, c->number, c->flags);
		break;
	case RT_C_CAPTURE:
		capture_cmd(s, c);
		break;
	case RT_C_BUNDLE:
		bundle_tie(s, c->peer);
		break;
	case RT_C_KEY_FRAME:
		key_frame_ask(s);
		break;
	case RT_C_STATS:
		stats_fill(s, c->ptr);
		break;
	case RT_C_CLOSE:
		stream_close(t, s);
		break;
	case RT_C_NONE:
	case RT_C_QUIT:
		break;
	}
}

void stream_tick(struct rt_stream *s)
{
	bool is_taken = false;
	if (s->tick_needs & TICK_JITTER)
		jitter_tick(s);
	if (s->tick_needs & TICK_FINDER)
		s->finder->ops->tick(s->finder, s);
	if (s->tick_needs & TICK_COMFORT)
		comfort_tick(s);
	if (s->tick_needs & TICK_DTMF)
		is_taken = dtmf_out_tick(s);
	if (s->tick_needs & TICK_PLAY && !is_taken)
		play_tick(s);
	if (s->tick_needs & TICK_DELAY)
		delay_tick(s);
	if (s->tick_needs & TICK_PCM)
		pcm_tick(s);
	if (s->tick_needs & TICK_RECORD)
		record_tick(s);
}

void stream_house(struct rt_stream *s)
{
	int64_t now_us = s->t->now_us;
	if (!s->has_params)
		return;
	kernel_house(s);
	rtcp_house(s);
	jitter_house(s);
	if (s->is_key_due)
		key_frame_run(s);
	if (s->finder->ops->house)
		s->finder->ops->house(s->finder, s);
	if (s->dtmf_in.is_active)
		dtmf_in_flush(s);
	if (!s->timeout_ms) {
		s->timeout_since_us = now_us;
		return;
	}
	int64_t last_us = s->f->last_in_us > s->timeout_since_us ? s->f->last_in_us : s->timeout_since_us;
	if (!s->timeout_since_us)
		s->timeout_since_us = now_us;
	else if (now_us - last_us < s->timeout_ms * INT64_C(1000))
		s->is_timeout_told = false;
	else if (!s->is_timeout_told)
		s->is_timeout_told = true, report_flag(s, PEND_TIMEOUT);
}
