/* What is passed on between two streams and never decoded: video, text (T.140), and everything of a raw relay. A packet
 * keeps its marker, which ends a picture; its payload number becomes the other leg's; of its header extensions those go
 * with it that both legs have, under the other's numbers; the rest of its head is as every relayed packet's (flow.c:
 * one sequence, SSRC and clock, whoever is the source). RED (RFC 2198) is passed with the numbers inside it mapped; to
 * somebody who did not agree to it goes its newest block; where it carries parity it ends here (fec.c). */
#include "media/rt/fec.h"
#include "rtp/red.h"

#include <string.h>

enum { ONE_BYTE = 0xbede, EXT_HEAD = 4 };

/* In place; what the other leg does not have becomes padding. False: nothing is left. */
static bool exts_map(uint8_t *p, size_t n, const uint8_t from[MEDIA_EXT_COUNT], const uint8_t to[MEDIA_EXT_COUNT])
{
	bool is_any = false;
	for (size_t at = 0; at < n;) {
		unsigned id = p[at] >> 4, bytes = (p[at] & 15u) + 1, other = 0;
		if (!id) {
			p[at++] = 0;
			continue;
		}
		if (id == 15 || at + 1 + bytes > n) {
			memset(p + at, 0, n - at);
			break;
		}
		for (int i = MEDIA_EXT_MID + 1; i < MEDIA_EXT_COUNT; i++)
			if (from[i] == id)
				other = to[i];
		if (other)
			p[at] = (uint8_t)(other << 4 | (bytes - 1)), is_any = true;
		else
			memset(p + at, 0, 1 + bytes);
		at += 1 + bytes;
	}
	return is_any;
}

void exts_still(uint8_t *p, size_t n, const uint8_t exts[MEDIA_EXT_COUNT])
{
	struct rtp_packet pk;

	if (rtp_parse(p, n, &pk) || !pk.ext || pk.ext_profile != ONE_BYTE)
		return;
	uint8_t *e = p + (pk.ext - p);
	for (size_t at = 0; at < pk.ext_bytes;) {
		unsigned id = e[at] >> 4, bytes = (e[at] & 15u) + 1;
		if (!id) {
			at++;
			continue;
		}
		if (id == 15 || at + 1 + bytes > pk.ext_bytes)
			break;
		if (id == exts[MEDIA_EXT_ABS_TIME] || id == exts[MEDIA_EXT_TCC] || id == exts[MEDIA_EXT_TOFFSET])
			memset(e + at + 1, 0, bytes);
		at += 1 + bytes;
	}
}

/* The payload numbers of the blocks; false: one that there is no number for. */
static bool red_map(uint8_t *p, const struct red_packet *r, int from, int to)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->blocks[i].pt != from || to < 0)
			return false;
	for (size_t i = 0; i < r->count; i++) {
		uint8_t *head = p + 4 * i;
		*head = (uint8_t)((*head & 128) | to);
	}
	return true;
}

bool pass_red_whole(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	struct red_packet r;
	const struct rt_flow *to = f->to == FLOW_NONE ? NULL : &t->flows[f->to];

	if (!to || f->how != HOW_DIRECT || !to->s->params.red_send || f->is_read_tapped || to->is_write_tapped ||
	    to->has_dtx || f->jitter_pt >= 0 || f->s->member || red_parse(k->payload, k->n, &r) ||
	    !red_map(k->payload, &r, f->s->params.recv.pt, to->send_pt))
		return false;
	f->in_media++;
	flow_forward(t, &t->flows[f->to], k, to->s->params.red_send);
	return true;
}

/* Of a passed line. False: it was passed on. Else k is its newest block. */
ON_MEDIA static bool pass_red(struct rt_thread *t, struct rt_flow *f, struct pkt *k)
{
	struct red_packet r;
	const struct red_block *newest;

	if (pass_red_whole(t, f, k))
		return false;
	if (red_parse(k->payload, k->n, &r)) {
		f->in_skipped++;
		return false;
	}
	newest = &r.blocks[r.count - 1];
	k->payload += newest->p - k->payload;
	k->n = newest->n;
	k->pt = newest->pt;
	k->ext_bytes = 0;
	return true;
}

void pass_packet(struct rt_thread *t, struct rt_flow *f, uint8_t *p, const struct rtp_packet *pk, bool is_recovered)
{
	struct rt_stream *s = f->s;
	struct pkt k = {.payload = p + (pk->payload - p),
	    .n = pk->payload_bytes,
	    .ts = pk->ts,
	    .ssrc = pk->ssrc,
	    .seq = pk->seq,
	    .pt = pk->pt,
	    .has_marker = pk->is_marked};
	struct rt_flow *to = f->how == HOW_DIRECT ? &t->flows[f->to] : NULL;
	if (to && pk->ext && pk->ext_profile == ONE_BYTE) {
		uint8_t exts[MEDIA_EXT_COUNT];
		memcpy(exts, to->s->params.exts, sizeof(exts));
		if (is_recovered)
			exts[MEDIA_EXT_ABS_TIME] = exts[MEDIA_EXT_TCC] = exts[MEDIA_EXT_TOFFSET] = 0;
		if (exts_map(p + (pk->ext - p), pk->ext_bytes, s->params.exts, exts))
			k.ext_bytes = (uint16_t)(EXT_HEAD + pk->ext_bytes);
	}
	if (k.pt == s->params.red_recv && k.pt && !pass_red(t, f, &k))
		return;
	if (k.pt != f->recv_pt) {
		f->in_skipped++;
		return;
	}
	f->in_media++;
	if (to)
		flow_forward(t, to, &k, (uint8_t)to->send_pt);
}

void pass_in(struct rt_thread *t, struct rt_flow *f, uint8_t *p, size_t n, struct rtp_packet *pk)
{
	struct rt_stream *s = f->s;
	if (s->params.is_raw) { /* numbers, payload type and all */
		f->in_media++;
		if (f->how != HOW_NONE && t->flows[f->to].may_relay)
			flow_put(t, &t->flows[f->to], p, n);
		return;
	}
	if (s->is_key_due)
		key_frame_run(s);
	if (!s->coders.fec) {
		pass_packet(t, f, p, pk, false);
		return;
	}
	if (fec_in(f, &p, &n, pk))
		pass_packet(t, f, p, pk, false);
	fec_recover(t, f);
}
