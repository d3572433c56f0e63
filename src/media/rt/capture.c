/* Copies of a stream's packets for a capture file: put into a ring of bytes by whoever has the packet (the media
 * thread, one stream a ring; control, for what it said), taken out by a worker. A full ring drops and counts. A stream
 * without a capture pays one branch a packet. And what RTCP says, for a capture server: kept with the stream's reports.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "media/rt/rt_i.h"

#include <string.h>

struct head {
	uint32_t n; /* of the packet; the ring's record is padded to eight */
	uint8_t is_outgoing, is_rtcp, is_stream;
	int64_t wall_us;
	struct addr local, remote;
};

static void capture_dtor(void *obj)
{
	mem_unref(((struct rt_capture *)obj)->ring);
}

int rt_capture_new(struct rt_capture **out, size_t ring_bytes)
{
	struct rt_capture *c = mem_new_atomic(sizeof(*c), capture_dtor, "media.capture");
	if (!c)
		return ST_NOMEM;
	int st = rt_ring_new(&c->ring, ring_bytes);
	if (st)
		mem_unref(c);
	else
		*out = c;
	return st;
}

void rt_capture_put(struct rt_capture *c, const struct rt_captured *k)
{
	struct rt_ring *r = c->ring;
	struct head h = {.n = (uint32_t)k->n,
	    .is_outgoing = k->is_outgoing,
	    .is_rtcp = k->is_rtcp,
	    .is_stream = k->is_stream,
	    .wall_us = k->wall_us,
	    .local = k->local,
	    .remote = k->remote};
	static const uint8_t zeros[8];
	size_t pad = (8 - (sizeof(h) + k->n) % 8) % 8;
	uint64_t used = atomic_load_explicit(&r->written, memory_order_relaxed) -
	                atomic_load_explicit(&r->read, memory_order_acquire);
	if (sizeof(h) + k->n + pad > r->cap - used) {
		atomic_fetch_add_explicit(&c->dropped, 1, memory_order_relaxed);
		return;
	}
	/* told as one, or the reader could meet a half */
	uint64_t end = atomic_load_explicit(&r->written, memory_order_relaxed);
	rt_ring_stage(r, end, &h, sizeof(h));
	rt_ring_stage(r, end + sizeof(h), k->p, k->n);
	rt_ring_stage(r, end + sizeof(h) + k->n, zeros, pad);
	atomic_store_explicit(&r->written, end + sizeof(h) + k->n + pad, memory_order_release);
}

bool rt_capture_take(struct rt_capture *c, struct rt_captured *out, uint8_t *p, size_t max)
{
	struct rt_ring *r = c->ring;
	struct head h;
	uint64_t at = atomic_load_explicit(&r->read, memory_order_relaxed);
	if (atomic_load_explicit(&r->written, memory_order_acquire) == at)
		return false;
	rt_ring_copy(r, at, &h, sizeof(h));
	size_t n = h.n < max ? h.n : max;
	rt_ring_copy(r, at + sizeof(h), p, n);
	*out = (struct rt_captured){.is_outgoing = h.is_outgoing,
	    .is_rtcp = h.is_rtcp,
	    .is_stream = h.is_stream,
	    .wall_us = h.wall_us,
	    .local = h.local,
	    .remote = h.remote,
	    .p = p,
	    .n = n};
	size_t size = sizeof(h) + h.n;
	atomic_store_explicit(&r->read, at + size + (8 - size % 8) % 8, memory_order_release);
	return true;
}

void capture_packet(struct rt_stream *s, bool is_outgoing, bool is_rtcp, const uint8_t *p, size_t n)
{
	struct rt_captured k = {.is_outgoing = is_outgoing,
	    .is_rtcp = is_rtcp,
	    .wall_us = clock_wall_us(),
	    .local = s->capture->local,
	    .remote = is_rtcp && addr_is_set(&s->remote_rtcp) ? s->remote_rtcp : s->remote_rtp,
	    .p = p,
	    .n = n};
	if (is_rtcp && s->rtcp_fd >= 0 && !s->params.is_rtcp_mux)
		addr_set_port(&k.local, (uint16_t)(addr_port(&k.local) + 1));
	if (addr_is_set(&k.remote))
		rt_capture_put(s->capture, &k);
}

void capture_cmd(struct rt_stream *s, const struct rt_cmd *c)
{
	mem_unref(s->capture);
	s->capture = c->ptr;
}

/* ---- what RTCP says ---- */

static _Atomic bool is_rtcp_watched;

void rt_rtcp_watch(bool is_on)
{
	atomic_store_explicit(&is_rtcp_watched, is_on, memory_order_relaxed);
}

/* The first report of a compound, as it is on the wire. */
void rtcp_watch_packet(struct rt_stream *s, bool is_outgoing, const uint8_t *p, size_t n)
{
	struct rt_pending *pend = &s->pend;
	struct media_rtcp *r = &pend->rtcp[pend->rtcp_count];
	struct rtcp_item it;
	struct rtcp_block b;
	size_t off = 0;
	bool is_wanted = s->params.tells_rtcp || atomic_load_explicit(&is_rtcp_watched, memory_order_relaxed);
	if (!is_wanted || pend->rtcp_count == PEND_RTCP_MAX)
		return;
	if (rtcp_check(p, n) || rtcp_next(p, n, &off, &it) || (it.type != RTCP_SR && it.type != RTCP_RR))
		return;
	*r = (struct media_rtcp){.is_outgoing = is_outgoing, .ssrc = it.ssrc, .has_sr = it.type == RTCP_SR};
	if (r->has_sr)
		r->sr_ntp = it.sr.ntp, r->sr_ts = it.sr.ts, r->sr_packets = it.sr.packets, r->sr_octets = it.sr.octets;
	if ((r->has_block = rtcp_block_get(&it, 0, &b)))
		r->block_ssrc = b.ssrc, r->seq_ext = b.seq_ext, r->jitter = b.jitter, r->lsr = b.lsr, r->dlsr = b.dlsr,
		r->lost = b.lost, r->fraction_lost = b.fraction_lost;
	pend->rtcp_count++;
	report_wanted(s);
}
