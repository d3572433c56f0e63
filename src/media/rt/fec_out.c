/* What goes to a far side that agreed to RED with ULPFEC: each packet in RED, and parity of our own while it tells that
 * it loses packets: one packet of it for every few, the fewer the more are lost, so that about two in five of these
 * groups lack one. A group that is half full ends with a picture when it took long, so that what is lost is not made
 * good when nobody waits for it any more. Parity has numbers of the one sequence: those of the relayed packets move up
 * behind each (rtp/renumber.h knows by how much, for what comes late and for what is asked for again). */
#include "media/rt/fec_i.h"

#include <string.h>

enum {
	GROUP_MIN = 3, /* so one in four packets is parity, at most */
	GROUP_MAX = 24,
	GROUP_SHARE = 102, /* packets lost of 256 that one packet of parity is for: 0.4 */
	GROUP_US = 60000
};

uint64_t fec_out_count(const struct rt_fec *c)
{
	return c->out_count;
}

void fec_anchor(struct rt_flow *f)
{
	f->s->coders.fec->out.is_started = false;
}

uint16_t fec_number(struct rt_flow *f, uint16_t seq)
{
	struct renumber *r = &f->s->coders.fec->out;
	uint16_t by_offset = (uint16_t)(seq + f->out.seq_offset);
	int number;

	if (!r->is_started)
		renumber_start(r, seq, by_offset);
	number = renumber_take(r, seq);
	return number < 0 ? by_offset : (uint16_t)number;
}

bool fec_number_back(const struct rt_flow *f, uint16_t seq, uint16_t *out)
{
	int number = renumber_back(&f->s->coders.fec->out, seq);
	*out = (uint16_t)number;
	return number >= 0;
}

void fec_loss(struct rt_flow *f, uint8_t fraction)
{
	uint8_t was = f->s->coders.fec->loss;
	f->s->coders.fec->loss = fraction >= was ? fraction : (uint8_t)((3u * was + fraction) / 4);
}

static unsigned group_size(uint8_t loss)
{
	unsigned n = loss ? GROUP_SHARE / loss : 0;
	return n < GROUP_MIN ? GROUP_MIN : n > GROUP_MAX ? GROUP_MAX : n;
}

/* The packet becomes one of its group. True: the group is complete. */
ON_MEDIA static bool protect(struct rt_thread *t, struct rt_flow *f, const uint8_t *p, size_t n)
{
	struct rt_fec *c = f->s->coders.fec;

	if (!c->loss || n > sizeof(c->still)) {
		c->maker.count = 0;
		return false;
	}
	if (!c->maker.count) {
		memset(&c->maker, 0, sizeof(c->maker));
		c->begun_us = t->now_us;
	}
	memcpy(c->still, p, n);
	exts_still(c->still, n, f->s->params.exts);
	if (ulpfec_add(&c->maker, c->still, n)) { /* too long, or a group that a hole cut off */
		c->maker.count = 0;
		return false;
	}
	unsigned size = group_size(c->loss), count = c->maker.count;
	bool is_late = p[1] & 128 && t->now_us - c->begun_us >= GROUP_US;
	return count >= size || (is_late && count >= GROUP_MIN && 2 * count >= size);
}

ON_MEDIA static void parity_send(struct rt_thread *t, struct rt_flow *f)
{
	struct rt_fec *c = f->s->coders.fec;
	int n = ulpfec_take(&c->maker, c->packet + RTP_HEADER_BYTES + 1, FEC_PARITY_MAX);

	if (n <= 0)
		return;
	f->out.seq = renumber_add(&c->out);
	f->out.seq_offset++;
	rtp_write_header(c->packet, false, f->s->params.red_send, f->out.seq, f->out.ts, f->out.ssrc);
	c->packet[RTP_HEADER_BYTES] = f->s->params.fec_send;
	c->out_count++;
	flow_put(t, f, c->packet, RTP_HEADER_BYTES + 1 + (size_t)n);
}

void fec_send(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n)
{
	struct rtp_packet pk;
	uint8_t pt = p[1] & 127;

	if (rtp_parse(p, n, &pk) || !pk.payload_bytes) {
		flow_put(t, f, p, n);
		return;
	}
	bool is_newest = pk.seq == f->out.seq, is_complete = is_newest && protect(t, f, p, n);
	size_t before = (size_t)(pk.payload - p);
	memmove(p - 1, p, before);
	p--;
	p[1] = (uint8_t)((p[1] & 128) | f->s->params.red_send);
	p[before] = pt;
	flow_put(t, f, p, n + 1);
	if (is_complete)
		parity_send(t, f);
}
