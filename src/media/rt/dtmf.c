/* A digit is told to control once and reaches the far side once, in whatever form that takes digits. In:
 * telephone-event packets become one report a digit (rtp/telev.h), and go on to the peer unless the stream captures
 * them: as they are, or, where the peer has another clock or takes none, as a digit of our own. Out: a queue per
 * stream; on the stream's tick a digit goes out as telephone-event (RFC 4733) or, where the far side takes none and the
 * codec is known here, as a tone in the audio. While a digit and the gap after it last, nothing else is sent; w and W
 * only wait. */
#include "base/clock.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum { DIGIT_MS = 100, DIGIT_MIN_MS = 40, DIGIT_MAX_MS = 8000, GAP_US = 60000, GAP_MIN_MS = 40, GAP_MAX_MS = 10000 };

static bool has_listener(const struct rt_stream *s)
{
	return s->f->how != HOW_NONE && s->peer != s;
}

ON_MEDIA static bool can_pass_through(const struct rt_stream *s)
{
	const struct rt_flow *to = &s->t->flows[s->f->to];
	bool are_tones = s->digit_flags & RT_DIGITS_READ_TONES || to->s->digit_flags & RT_DIGITS_WRITE_TONES;
	return !are_tones && s->f->how != HOW_PCM && to->send_dtmf_pt >= 0 &&
	       to->send_clock_hz == s->params.recv.clock_hz;
}

ON_MEDIA static void digit_done(struct rt_stream *s, const struct telev_report *done)
{
	uint32_t clock_hz = s->params.recv.clock_hz ? s->params.recv.clock_hz : 8000;
	bool was_relayed = s->relayed_event.is_begun && s->dtmf_in.last_ts == s->relayed_event.ts;
	struct rt_digit d = {.digit = done->digit,
	    .duration = (uint16_t)((uint64_t)done->duration * 8000 / clock_hz),
	    .is_captured = s->digit_flags & RT_DIGITS_CAPTURED && !was_relayed};
	report_digit(s, &d);
	if (d.is_captured || was_relayed || !has_listener(s))
		return;
	dtmf_out_queue(
	    s->t->flows[s->f->to].s, (char[]){d.digit, 0}, d.duration / 8u, s->digit_flags & RT_DIGITS_READ_TONES);
}

/* Events of another source have times of their own: what the one before had not ended is over. */
ON_MEDIA static void source_look(struct rt_stream *s, uint32_t ssrc)
{
	struct telev_report done;
	if (s->dtmf_in_ssrc == ssrc)
		return;
	if (telev_rx_tick(&s->dtmf_in, s->t->now_us, -1, &done))
		digit_done(s, &done);
	memset(&s->dtmf_in, 0, sizeof(s->dtmf_in));
	s->dtmf_in_ssrc = ssrc;
}

ON_MEDIA static bool is_seen(const struct telev_rx *rx, uint32_t ts)
{
	return (rx->is_active && rx->ts == ts) || (rx->has_last && rx->last_ts == ts);
}

/* An event of which the peer has seen the beginning goes on to its end, whatever was asked for meanwhile; one whose
 * beginning was kept from it comes to it as a digit of our own, or control's: its end alone would be a second key. */
bool dtmf_in(struct rt_stream *s, const struct pkt *k)
{
	struct telev_report done;
	bool is_begun = s->relayed_event.is_begun && k->ts == s->relayed_event.ts;
	source_look(s, k->ssrc);
	bool is_fresh = !(s->digit_flags & RT_DIGITS_CAPTURED) && !is_seen(&s->dtmf_in, k->ts);
	bool is_relayed = has_listener(s) && can_pass_through(s) && (is_begun || is_fresh);
	bool is_done = telev_rx_packet(&s->dtmf_in, k->payload, k->n, k->ts, s->t->now_us, &done);
	if (is_done && s->dtmf_in.last_ts != k->ts) /* the one before, whose end was lost */
		digit_done(s, &done), is_done = false;
	if (is_relayed && !is_begun)
		s->relayed_event = (struct rt_relayed_event){.is_begun = true, .ts = k->ts};
	if (is_done)
		digit_done(s, &done);
	return is_relayed;
}

void dtmf_in_flush(struct rt_stream *s)
{
	struct telev_report done;
	if (telev_rx_tick(&s->dtmf_in, s->t->now_us, 0, &done))
		digit_done(s, &done);
}

static unsigned queue_room(const struct rt_dtmf_out *d)
{
	return d->room ? DTMF_QUEUE_MAX : DTMF_FEW;
}

static struct rt_dtmf_digit *queue_at(struct rt_dtmf_out *d, unsigned i)
{
	return d->room ? &d->room->v[i % DTMF_QUEUE_MAX] : &d->few[i % DTMF_FEW];
}

void dtmf_out_widen(struct rt_stream *s, struct rt_dtmf_room *room)
{
	struct rt_dtmf_out *d = &s->dtmf_out;
	for (unsigned i = 0; i < d->count; i++)
		room->v[i] = *queue_at(d, d->head + i);
	d->room = room, d->head = 0;
}

void dtmf_out_queue(struct rt_stream *s, const char *digits, unsigned duration_ms, bool are_tones)
{
	struct rt_dtmf_out *d = &s->dtmf_out;
	unsigned room = queue_room(d);
	if (!duration_ms)
		duration_ms = DIGIT_MS;
	if (duration_ms < DIGIT_MIN_MS)
		duration_ms = DIGIT_MIN_MS;
	if (duration_ms > DIGIT_MAX_MS)
		duration_ms = DIGIT_MAX_MS;
	for (; *digits && d->count < room; digits++) {
		if (*digits != 'w' && *digits != 'W' && telev_of_digit(*digits) < 0)
			continue;
		*queue_at(d, d->head + d->count++) =
		    (struct rt_dtmf_digit){.digit = *digits, .is_tone = are_tones, .ms = (uint16_t)duration_ms};
	}
	if (d->count)
		tick_need(s, TICK_DTMF);
}

ON_MEDIA static void busy_set(struct rt_stream *s, bool is_busy)
{
	if (s->dtmf_out.is_busy == is_busy)
		return;
	s->dtmf_out.is_busy = is_busy;
	stream_plan(s);
}

void dtmf_out_clear(struct rt_stream *s)
{
	s->dtmf_out = (struct rt_dtmf_out){.room = s->dtmf_out.room};
	tick_done(s, TICK_DTMF);
	stream_plan(s);
}

/* Takes the next digit of the queue; true when something is to be sent in this tick. */
ON_MEDIA static bool digit_next(struct rt_stream *s)
{
	struct rt_dtmf_out *d = &s->dtmf_out;
	const struct rt_dtmf_digit *next = queue_at(d, d->head);
	char digit = next->digit;
	unsigned ms = next->ms;
	bool is_tone = next->is_tone || s->digit_flags & RT_DIGITS_WRITE_TONES;
	d->head = (uint8_t)((d->head + 1) % queue_room(d));
	d->count--;
	if (digit == 'w' || digit == 'W') {
		busy_set(s, false);
		d->pause_us = digit == 'w' ? 500000 : 1000000;
		return false;
	}
	d->is_inband = is_tone || s->f->send_dtmf_pt < 0;
	if (!d->is_inband) {
		if (telev_tx_start(&d->tx, digit, flow_ts_now(s->f), s->f->send_clock_hz / 1000 * ms))
			return false;
	} else {
		const struct codec_ops *ops = s->coders.enc.ops;
		if (!ops || dtmf_gen_start(&d->gen, ops->rate_hz, digit, ms, 0))
			return false;
		d->is_started = false;
	}
	busy_set(s, true);
	return true;
}

ON_MEDIA static bool event_send(struct rt_stream *s)
{
	struct rt_dtmf_out *d = &s->dtmf_out;
	uint8_t *p = s->t->scratch + RT_PACKET_ROOM;
	bool is_marked;
	if (!telev_tx_next(&d->tx, s->f->send_frame_ticks, p, &is_marked))
		return false;
	if (s->f->may_send && s->f->send_dtmf_pt >= 0) {
		flow_send_own(s->f, (uint8_t)s->f->send_dtmf_pt, is_marked, d->tx.ts, p, TELEV_PAYLOAD_BYTES);
		s->out_dtmf++;
	}
	return true;
}

ON_MEDIA static bool tone_send(struct rt_stream *s)
{
	struct rt_dtmf_out *d = &s->dtmf_out;
	struct rt_thread *t = s->t;
	uint8_t *p = t->scratch + RT_PACKET_ROOM;
	if (!s->coders.enc.ops)
		return false;
	size_t want = codec_frame_samples(s->coders.enc.ops, stream_frame_us(s) / 1000);
	size_t got = dtmf_gen_read(&d->gen, t->pcm[0], want);
	if (!got)
		return false;
	memset(t->pcm[0] + got, 0, (want - got) * sizeof(t->pcm[0][0]));
	int n = codec_encode(&s->coders.enc, t->pcm[0], want, p, RT_PACKET_MAX - RTP_HEADER_BYTES);
	if (n > 0 && s->f->may_send) {
		uint32_t ts = d->is_started ? s->f->out.ts + s->f->send_frame_ticks : flow_ts_now(s->f);
		flow_send_own(s->f, (uint8_t)s->f->send_pt, !d->is_started, ts, p, (size_t)n);
		d->is_started = true;
	}
	return n > 0;
}

static int32_t gap_us(const struct rt_stream *s)
{
	unsigned ms = s->params.digit_gap_ms;
	if (!ms)
		return GAP_US;
	return (int32_t)clock_us_of_ms(ms < GAP_MIN_MS ? GAP_MIN_MS : ms > GAP_MAX_MS ? GAP_MAX_MS : ms);
}

bool dtmf_out_tick(struct rt_stream *s)
{
	struct rt_dtmf_out *d = &s->dtmf_out;
	if (d->pause_us > 0) {
		d->pause_us -= stream_frame_us(s);
		return d->is_busy;
	}
	if (d->is_sending) {
		d->is_sending = d->is_inband ? tone_send(s) : event_send(s);
		if (!d->is_sending) /* the digit just ended */
			d->pause_us = gap_us(s) - stream_frame_us(s);
		return true;
	}
	while (d->count && d->pause_us <= 0) {
		d->is_sending = digit_next(s);
		if (d->is_sending)
			return d->is_inband ? tone_send(s) : event_send(s);
	}
	if (d->pause_us > 0)
		return false;
	busy_set(s, false);
	tick_done(s, TICK_DTMF);
	report_flag(s, PEND_DTMF_SENT);
	return false;
}
