/* Video's redundancy (RED, RFC 2198, with ULPFEC, RFC 5109, as browsers speak them) of one leg, where its far side
 * agreed to it. It ends here and is not passed through: parity is over a packet's number, payload type, timestamp and
 * header extensions, and between two legs all of these become others (flow.c, pass.c), so that what the other side
 * would make of it is nonsense. So what comes is unwrapped, parity is kept, and who is joined with the leg sees a
 * source without it: its packets are numbered as if none had been between (rtp/renumber.h), which feedback.c undoes.
 *
 * No packet waits: one that is lost is passed on when the parity of it, or the last but one of the others, is there,
 * and has its own number, as if the network had held it up. Kept are the last FEC_WINDOW packets, as they are
 * protected. What was made good and comes after all is dropped; what the far side misses of it is not asked of the
 * sender, and goes to it again from here. What goes out: fec_out.c. */
#include "base/mem.h"
#include "media/rt/fec_i.h"
#include "rtp/red.h"

#include <string.h>

enum { AGAIN_MAX = 3 }; /* so often what was made good goes once more; then the sender is asked */

int rt_fec_new(struct rt_fec **out)
{
	struct rt_fec *c = mem_zalloc(sizeof(*c));
	if (!c)
		return ST_NOMEM;
	*out = c;
	return ST_OK;
}

void rt_fec_free(struct rt_fec *c)
{
	mem_free(c);
}

uint64_t fec_recovered(const struct rt_fec *c)
{
	return c->recovered;
}

uint64_t fec_in_count(const struct rt_fec *c)
{
	return c->in_count;
}

/* ---- the window ---- */

/* NULL: it lies behind it, or ahead of all that came. */
static struct fec_slot *slot_of(struct rt_fec *c, uint16_t seq)
{
	int behind = rtp_seq_diff(c->newest, seq);
	return behind >= 0 && behind < FEC_WINDOW ? &c->slots[seq % FEC_WINDOW] : NULL;
}

static void window_move(struct rt_fec *c, uint16_t seq)
{
	int ahead = rtp_seq_diff(seq, c->newest);
	for (int i = 0; i < ahead && i < FEC_WINDOW; i++)
		c->slots[(uint16_t)(seq - i) % FEC_WINDOW].kind = FEC_NONE;
	if (ahead > 0)
		c->newest = seq;
}

static void window_start(struct rt_fec *c, uint16_t seq, uint32_t ssrc)
{
	c->is_started = true, c->ssrc = ssrc, c->newest = (uint16_t)(seq - 1);
	for (size_t i = 0; i < FEC_WINDOW; i++)
		c->slots[i].kind = FEC_NONE;
	for (size_t i = 0; i < FEC_PENDING; i++)
		c->pending[i].n = 0;
	renumber_start(&c->in, seq, seq);
}

/* Notes what this number is. False: it has been here, and is known. p NULL: nothing is kept of it. */
static bool note(
    struct rt_fec *c, uint16_t seq, enum fec_kind kind, const uint8_t *p, size_t n, const uint8_t exts[MEDIA_EXT_COUNT])
{
	window_move(c, seq);
	struct fec_slot *s = slot_of(c, seq);
	if (!s)
		return true;
	if (s->kind != FEC_NONE) /* twice: asked for again by the far side, which did not get it */
		return s->kind == FEC_MEDIA && kind == FEC_MEDIA;
	s->seq = seq, s->kind = (uint8_t)kind, s->n = 0, s->again = 0;
	if (p && n <= sizeof(s->bytes)) {
		memcpy(s->bytes, p, n);
		s->n = (uint16_t)n;
		if (exts)
			exts_still(s->bytes, n, exts);
	}
	return true;
}

/* ---- what comes ---- */

static void parity_in(struct rt_fec *c, uint16_t seq, const uint8_t *p, size_t n)
{
	struct ulpfec_packet f;

	c->in_count++;
	if (!note(c, seq, FEC_PARITY, NULL, 0, NULL) || n > FEC_PARITY_MAX || ulpfec_parse(p, n, &f))
		return;
	struct fec_parity *at = &c->pending[c->pending_next];
	c->pending_next = (c->pending_next + 1) % FEC_PENDING;
	memcpy(at->bytes, p, n);
	at->n = (uint16_t)n;
}

/* Takes RED off: the head moves up to the newest block. False: it is not RED as it has to be. */
static bool unwrap(uint8_t **p, size_t *n, struct rtp_packet *pk)
{
	struct red_packet r;

	if (red_parse(pk->payload, pk->payload_bytes, &r))
		return false;
	const struct red_block *newest = &r.blocks[r.count - 1];
	size_t heads = (size_t)(newest->p - pk->payload), before = (size_t)(pk->payload - *p);
	memmove(*p + heads, *p, before);
	*p += heads, *n -= heads;
	(*p)[1] = (uint8_t)(((*p)[1] & 128) | newest->pt);
	return !rtp_parse(*p, *n, pk);
}

bool fec_in(struct rt_flow *f, uint8_t **p, size_t *n, struct rtp_packet *pk)
{
	struct rt_stream *s = f->s;
	struct rt_fec *c = s->coders.fec;
	const struct media_params *params = &s->params;
	int number;

	if (pk->pt == params->red_recv && pk->payload_bytes && !unwrap(p, n, pk)) {
		f->in_skipped++;
		return false;
	}
	int ahead = rtp_seq_diff(pk->seq, c->newest);
	if (!c->is_started || c->ssrc != pk->ssrc || ahead > SEQ_JUMP_MAX || ahead < -SEQ_JUMP_MAX)
		window_start(c, pk->seq, pk->ssrc);
	if (pk->pt == params->fec_recv) {
		renumber_leave_out(&c->in, pk->seq);
		parity_in(c, pk->seq, pk->payload, pk->payload_bytes);
		return false;
	}
	if (!pk->payload_bytes) { /* padding alone, which a sender fills its way with: nobody needs its number */
		renumber_leave_out(&c->in, pk->seq);
		(void)note(c, pk->seq, FEC_PARITY, NULL, 0, NULL);
		return false;
	}
	number = renumber_take(&c->in, pk->seq);
	if (number < 0 || pk->pt != params->recv.pt || !note(c, pk->seq, FEC_MEDIA, *p, *n, params->exts)) {
		f->in_skipped++;
		return false;
	}
	pk->seq = (uint16_t)number;
	return true;
}

/* ---- what is made good ---- */

/* A kept packet goes on. */
ON_MEDIA static void slot_pass(struct rt_thread *t, struct rt_flow *f, const struct fec_slot *s)
{
	struct rt_fec *c = f->s->coders.fec;
	uint8_t *p = t->scratch + RT_PACKET_ROOM;
	struct rtp_packet pk;
	int number = renumber_take(&c->in, s->seq);

	if (number < 0)
		return;
	memcpy(p, s->bytes, s->n);
	if (rtp_parse(p, s->n, &pk))
		return;
	pk.seq = (uint16_t)number;
	pass_packet(t, f, p, &pk, true);
}

/* Of one packet of parity. ST_OK: slot has what was lost; ST_AGAIN: later, perhaps; else it is of no use any more. */
static int parity_use(struct rt_fec *c, const struct fec_parity *at, uint8_t recv_pt, struct fec_slot **slot)
{
	struct ulpfec_media media[ULPFEC_PACKETS_MAX] = {{0}};
	struct ulpfec_packet f;
	uint8_t made[FEC_PACKET_MAX];
	unsigned which;

	if (ulpfec_parse(at->bytes, at->n, &f))
		return ST_PARSE;
	for (unsigned i = 0; i < ULPFEC_PACKETS_MAX; i++) {
		uint16_t seq = (uint16_t)(f.seq_base + i);
		struct fec_slot *s = slot_of(c, seq);
		if (!(f.levels[0].mask >> i & 1))
			continue;
		int behind = rtp_seq_diff(c->newest, seq);
		if (behind >= FEC_WINDOW || behind < -ULPFEC_PACKETS_MAX || (s && s->kind == FEC_PARITY))
			return ST_NOTFOUND;
		if (s && s->kind != FEC_NONE && s->n)
			media[i] = (struct ulpfec_media){s->bytes, s->n};
	}
	int n = ulpfec_recover(&f, media, c->ssrc, made, sizeof(made), &which);
	if (n < 0)
		return n;
	if ((made[1] & 127) != recv_pt ||
	    !note(c, (uint16_t)(f.seq_base + which), FEC_RECOVERED, made, (size_t)n, NULL))
		return ST_EXISTS;
	*slot = slot_of(c, (uint16_t)(f.seq_base + which));
	return ST_OK;
}

void fec_recover(struct rt_thread *t, struct rt_flow *f)
{
	struct rt_fec *c = f->s->coders.fec;
	bool is_any = true;

	while (is_any) { /* what one gives back may be what another lacked; each does so once */
		is_any = false;
		for (size_t i = 0; i < FEC_PENDING; i++) {
			struct fec_slot *slot;
			if (!c->pending[i].n)
				continue;
			int st = parity_use(c, &c->pending[i], f->s->params.recv.pt, &slot);
			if (st != ST_AGAIN)
				c->pending[i].n = 0;
			if (st)
				continue;
			c->recovered++;
			is_any = true;
			slot_pass(t, f, slot);
		}
	}
}

bool fec_wanted(struct rt_stream *s, uint16_t seq, uint16_t *out)
{
	struct rt_fec *c = s->coders.fec;
	int raw = renumber_back(&c->in, seq);

	if (raw < 0)
		return false;
	*out = (uint16_t)raw;
	struct fec_slot *slot = slot_of(c, (uint16_t)raw);
	if (!slot || slot->kind == FEC_NONE || slot->kind == FEC_MEDIA)
		return true;
	if (slot->kind == FEC_PARITY)
		return false;
	if (slot->again++ == AGAIN_MAX) { /* perhaps it is not what it should be */
		slot->kind = FEC_MEDIA;
		return true;
	}
	slot_pass(s->t, s->f, slot);
	return false;
}
