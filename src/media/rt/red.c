/* Redundant audio (RED, RFC 2198) of one leg, where its far side agreed to it. What comes is taken apart: the newest
 * block goes on as if it had come alone, and when numbers are missing before it, the earlier blocks that have them go
 * first, so that whoever follows (relay, translator, jitter buffer, record) sees no loss. Which number an earlier block
 * had is not in it: it follows from the timestamps at both sides of the hole. What was made good and comes late after
 * all is dropped. Between two legs that both agreed to it, packets pass whole (pass.c), and the far side makes good.
 *
 * What goes out is put together: each packet carries the one before, where that is one number and not too many ticks
 * away and both are small enough for a network's packet. No packet waits for it. */
#include "rtp/red.h"
#include "base/mem.h"
#include "media/rt/rt_i.h"

#include <string.h>

enum {
	WHOLE_MAX = 1200 /* bytes of payload: more would be cut into fragments on the way */,
	HOLE_MAX = 16 /* more packets than this are not made good */
};

/* ---- what comes ---- */

/* Notes the number; false: it has been here. */
static bool is_new(struct rt_red_in *r, const struct pkt *k)
{
	int ahead = rtp_seq_diff(k->seq, r->seq);
	if (ahead > 0) {
		r->seen = ahead < 32 ? r->seen << ahead | 1u : 1u;
		r->seq = k->seq, r->ts = k->ts;
		return true;
	}
	if (ahead <= -32)
		return true;
	uint32_t bit = UINT32_C(1) << -ahead;
	if (r->seen & bit)
		return false;
	r->seen |= bit;
	return true;
}

/* The hole of ahead - 1 packets before k, as far as blocks have them. k->payload is their place, too: each is written
 * there in its turn. whole: the packet as it came. */
ON_MEDIA static void fill_hole(struct rt_thread *t, struct rt_flow *f, const struct pkt *k,
    const struct red_packet *red, const uint8_t *whole, int ahead)
{
	struct rt_red_in *r = &f->s->red_in;
	uint32_t span = k->ts - r->ts, step = span / (uint32_t)ahead;

	if (!step || span % (uint32_t)ahead)
		return; /* silence lies between, and nobody knows where */
	for (size_t i = 0; i + 1 < red->count; i++) {
		const struct red_block *b = &red->blocks[i];
		uint32_t back = b->ts_offset / step;
		if (b->pt != f->s->params.recv.pt || !b->n || !back || b->ts_offset % step || back >= (uint32_t)ahead)
			continue;
		struct pkt old = {.payload = k->payload,
		    .n = b->n,
		    .ts = k->ts - b->ts_offset,
		    .ssrc = k->ssrc,
		    .seq = (uint16_t)(k->seq - back),
		    .pt = b->pt};
		if (!is_new(r, &old))
			continue;
		memcpy(old.payload, whole + (b->p - k->payload), b->n);
		r->recovered++;
		flow_sound(t, f, &old);
	}
}

/* The blocks before the newest, where they are missed; k becomes the newest. */
ON_MEDIA static bool take_apart(struct rt_thread *t, struct rt_flow *f, struct pkt *k, int ahead)
{
	uint8_t whole[RT_PACKET_MAX];
	struct red_packet red;
	const struct red_block *newest;

	if (red_parse(k->payload, k->n, &red)) {
		f->in_skipped++;
		return false;
	}
	newest = &red.blocks[red.count - 1];
	if (ahead > 1 && ahead <= HOLE_MAX && red.count > 1) {
		memcpy(whole, k->payload, k->n);
		fill_hole(t, f, k, &red, whole, ahead);
		memcpy(k->payload, whole + (newest->p - k->payload), newest->n);
	} else {
		k->payload += newest->p - k->payload;
	}
	k->n = newest->n;
	k->pt = newest->pt;
	return true;
}

bool red_in(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	struct rt_red_in *r = &f->s->red_in;
	bool is_red = k->pt == f->s->params.red_recv;

	if (!is_red && k->pt != f->s->params.recv.pt)
		return true;
	if (is_red && pass_red_whole(t, f, k))
		return false;
	int ahead = rtp_seq_diff(k->seq, r->seq);
	if (!r->is_started || r->ssrc != k->ssrc || ahead > SEQ_JUMP_MAX || ahead < -SEQ_JUMP_MAX) {
		r->is_started = true, r->ssrc = k->ssrc, r->seen = 0;
		r->seq = (uint16_t)(k->seq - 1);
	}
	if (is_red && !take_apart(t, f, k, rtp_seq_diff(k->seq, r->seq)))
		return false;
	if (is_new(r, k))
		return true;
	f->in_skipped++;
	return false;
}

/* ---- what goes out ---- */

struct rt_red {
	uint32_t ts;
	uint16_t seq;
	uint16_t n; /* of last; 0: there is none */
	uint8_t last[RED_BLOCK_BYTES_MAX];
	uint8_t packet[RTP_HEADER_BYTES + WHOLE_MAX + RT_CRYPT_TAIL];
};

int rt_red_new(struct rt_red **out)
{
	struct rt_red *r = mem_zalloc(sizeof(*r));
	if (!r)
		return ST_NOMEM;
	*out = r;
	return ST_OK;
}

void rt_red_free(struct rt_red *r)
{
	mem_free(r);
}

bool red_out(
    struct rt_thread *t, struct rt_flow *f, bool has_marker, uint16_t seq, uint32_t ts, const uint8_t *p, size_t n)
{
	struct rt_red *r = f->s->coders.red;
	struct red_block old = {.pt = (uint8_t)f->send_pt, .ts_offset = ts - r->ts, .p = r->last, .n = r->n};
	bool has_old = r->n && (uint16_t)(r->seq + 1) == seq && old.ts_offset && old.ts_offset <= RED_OFFSET_MAX &&
	               RED_HEADS_BYTES + r->n + n <= WHOLE_MAX;
	if (!n || n + RED_HEADS_BYTES > WHOLE_MAX)
		return false;
	size_t made = red_write(r->packet + RTP_HEADER_BYTES, has_old ? &old : NULL, (uint8_t)f->send_pt, p, n);
	rtp_write_header(r->packet, has_marker, f->s->params.red_send, seq, ts, f->out.ssrc);
	flow_put(t, f, r->packet, RTP_HEADER_BYTES + made);
	int newer = rtp_seq_diff(seq, r->seq);
	if (r->n && newer <= 0 && newer > -HOLE_MAX)
		return true; /* an older one, late: the newer stays */
	r->seq = seq, r->ts = ts;
	r->n = n <= RED_BLOCK_BYTES_MAX ? (uint16_t)n : 0;
	memcpy(r->last, p, r->n);
	return true;
}
