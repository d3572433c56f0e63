/* A plain relay needs nothing of us for minutes, so the kernel does it (relay.bpf.c): a row tells it the one packet it
 * may take next and how it leaves. While a row is live its counters and numbers are the kernel's; whoever wants to
 * know or change something closes the row first (one word), folds what happened meanwhile into the flow, and opens it
 * again. A packet that comes up is treated exactly so, and then the usual way: numbers, statistics and digits need no
 * second implementation. Anything that plans a stream anew takes its flows back; the once-a-second work hands them
 * over again when they have stood still for a second. A hand-over is a few system calls, a bounded number a turn;
 * taking back is one word. Nothing waits for the media thread: between, packets go to the socket.
 */
#include "media/rt/kernel_i.h"

#include <sched.h>
#include <string.h>
#include <sys/socket.h>

enum { STEADY_US = 1000000, RETRY_US = 30000000, LEASE_US = 3000000, HANDOVERS_A_SECOND = 256 };

struct kernel kernel;

ON_MEDIA static void flows_count(struct rt_thread *t, int more)
{
	t->kernel_flows += (unsigned)more;
	atomic_store_explicit(&t->count_kernel_flows, t->kernel_flows, memory_order_relaxed);
}

ON_MEDIA static bool is_plain(const struct rt_flow *f)
{
	const struct rt_stream *s = f->s;
	return f->is_connected && !f->crypt && s->finder == &rt_finder_learn && !s->capture && !s->member &&
	       !s->is_drain_due && !f->is_passed;
}

/* Everything that a packet would be asked on its way from f. */
ON_MEDIA static bool may_hand(const struct rt_flow *f)
{
	const struct rt_stream *s = f->s;
	if (f->how != HOW_DIRECT || f->to == FLOW_NONE || !f->may_take || f->is_read_tapped || f->recv_pt < 0 ||
	    s->params.red_recv || f->jitter_pt >= 0 || comfort_is_busy(s) || !is_plain(f))
		return false;
	const struct rt_flow *to = &s->t->flows[f->to];
	return is_plain(to) && !to->has_dtx && !to->is_red && to->may_relay && !to->is_write_tapped &&
	       to->send_pt >= 0 && to->out.was_started && to->out.is_anchored && s->seq.is_started &&
	       to->out.src_ssrc == s->seq.ssrc && s->seq.has_transit;
}

void kernel_row_fill(struct kernel_row *r, const struct rt_flow *f, const struct rt_flow *to)
{
	const struct rtp_source *seq = &f->s->seq;
	r->in_ssrc = htonl(seq->ssrc), r->in_pt = (uint8_t)f->recv_pt;
	r->out_ssrc = htonl(to->out.ssrc), r->out_pt = (uint8_t)to->send_pt;
	r->seq_offset = to->out.seq_offset, r->ts_offset = to->out.ts_offset;
	r->seq = seq->seq_max;
	r->clock_hz = seq->clock_hz;
	r->transit = seq->transit, r->jitter_q4 = seq->jitter_q4, r->jitter_max_q4 = seq->jitter_max_q4;
	r->rate_count = f->rate_count < UINT16_MAX ? (uint16_t)f->rate_count : UINT16_MAX;
	r->rate_since_us = (uint64_t)f->rate_since_us;
	r->packets = r->bytes = r->tc_packets = r->last_us = 0;
}

/* The kernel only takes the packet after the one before: as many packets, as many numbers. */
void kernel_row_fold(const struct kernel_row *r, struct rt_flow *f, struct rt_flow *to)
{
	struct rtp_source *seq = &f->s->seq;
	struct rt_out *o = &to->out;
	if (!r->packets)
		return;
	uint64_t ext = (uint64_t)seq->cycles + seq->seq_max + r->packets;
	seq->seq_max = (uint16_t)ext, seq->cycles = (uint32_t)(ext & ~UINT64_C(0xffff));
	seq->received += r->packets;
	seq->transit = r->transit, seq->jitter_q4 = r->jitter_q4, seq->jitter_max_q4 = r->jitter_max_q4;
	f->in_packets += r->packets, f->in_bytes += r->bytes, f->in_media += r->packets;
	f->last_in_us = (int64_t)r->last_us;
	f->rate_count = r->rate_count, f->rate_since_us = (int64_t)r->rate_since_us;
	o->packets += r->packets, o->bytes += r->bytes - r->packets * RTP_HEADER_BYTES;
	o->src_seq = r->seq, o->seq = (uint16_t)(r->seq + o->seq_offset);
	o->ts = r->ts + o->ts_offset, o->at_us = (int64_t)r->last_us;
}

void kernel_pull(struct rt_flow *f)
{
	struct kernel_row *r = f->kernel;
	uint32_t was = KERNEL_LIVE;
	while (!__atomic_compare_exchange_n(&r->gate, &was, KERNEL_OFF, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (was == KERNEL_OFF)
			return;
		was = KERNEL_LIVE; /* a packet is passing on another processor */
		sched_yield();
	}
	struct rt_thread *t = f->s->t;
	t->packets_in += r->packets, t->packets_out += r->packets;
	t->kernel_packets += r->packets;
	t->kernel_xdp_packets += r->packets - r->tc_packets;
	kernel_row_fold(r, f, &t->flows[f->to]);
}

void kernel_take_back(struct rt_flow *f)
{
	f->kernel_after_us = f->s->t ? f->s->t->now_us + STEADY_US : 0;
	if (!f->kernel)
		return;
	kernel_pull(f);
	__atomic_store_n(&f->kernel->gate, KERNEL_FREE, __ATOMIC_SEQ_CST);
	f->kernel = NULL;
	flows_count(f->s->t, -1);
}

void kernel_push(struct rt_flow *f)
{
	struct kernel_row *r = f->kernel;
	if (!r)
		return;
	if (!may_hand(f)) {
		kernel_take_back(f);
		return;
	}
	kernel_row_fill(r, f, &f->s->t->flows[f->to]);
	kernel_hop_refresh(r, f->s->t->now_us);
	if (!r->xdp && !kernel.has_tc) {
		kernel_take_back(f);
		return;
	}
	if (f->s->dtmf_in.is_active) /* whose end the next audio packet is */
		return;
	r->expires_us = (uint64_t)(f->s->t->now_us + LEASE_US);
	__atomic_store_n(&r->gate, KERNEL_LIVE, __ATOMIC_SEQ_CST);
}

static bool ends_of(int fd, struct sockaddr_in *local, struct sockaddr_in *remote)
{
	socklen_t a = sizeof(*local), b = sizeof(*remote);
	*local = *remote = (struct sockaddr_in){0};
	return !getsockname(fd, (struct sockaddr *)local, &a) && !getpeername(fd, (struct sockaddr *)remote, &b) &&
	       local->sin_family == AF_INET && remote->sin_family == AF_INET;
}

static uint8_t option_of(int fd, int name, int otherwise)
{
	int value = otherwise;
	socklen_t n = sizeof(value);
	return getsockopt(fd, IPPROTO_IP, name, &value, &n) || value < 0 || value > 255 ? (uint8_t)otherwise
	                                                                                : (uint8_t)value;
}

/* false: not now. */
ON_MEDIA static bool hand_over(struct rt_flow *f)
{
	struct rt_stream *s = f->s;
	struct rt_flow *to = &s->t->flows[f->to];
	struct sockaddr_in local, remote, out_local, out_remote;
	if (!ends_of(f->fd, &local, &remote) || !ends_of(to->fd, &out_local, &out_remote))
		return false;
	struct kernel_way way = kernel_route(out_local.sin_addr.s_addr, out_remote.sin_addr.s_addr);
	/* what comes from this machine passes no interface of ours */
	if (!way.ifindex || !kernel_route(local.sin_addr.s_addr, remote.sin_addr.s_addr).ifindex)
		return false;
	struct kernel_row *r = &kernel.rows[ntohs(local.sin_port)];
	uint32_t was = KERNEL_FREE; /* the same port of two addresses: the first has it */
	if (!__atomic_compare_exchange_n(&r->gate, &was, KERNEL_OFF, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	r->out_ifindex = way.ifindex, r->hop_ip = way.hop_ip, r->hop_until_us = 0;
	r->out_from_ip = out_local.sin_addr.s_addr, r->out_from_port = out_local.sin_port;
	r->out_to_ip = out_remote.sin_addr.s_addr, r->out_to_port = out_remote.sin_port;
	r->out_tos = option_of(to->fd, IP_TOS, 0), r->out_ttl = option_of(to->fd, IP_TTL, 64);
	r->key = (struct kernel_key){remote.sin_addr.s_addr, local.sin_addr.s_addr, remote.sin_port, local.sin_port};
	f->kernel = r;
	flows_count(s->t, 1);
	kernel_push(f);
	return f->kernel;
}

void kernel_fold(struct rt_stream *s)
{
	if (s->f->kernel)
		kernel_pull(s->f), kernel_push(s->f);
	if (s->peer && s->peer != s && s->peer->f->kernel)
		kernel_pull(s->peer->f), kernel_push(s->peer->f);
}

void kernel_house(struct rt_stream *s)
{
	struct rt_flow *f = s->f;
	struct rt_thread *t = s->t;
	kernel_fold(s);
	if (f->kernel && t->now_us >= f->kernel_after_us)
		kernel_take_back(f); /* routes change: asked anew in a second */
	if (!kernel.is_on || f->kernel || !t->kernel_budget || t->now_us < f->kernel_after_us || !may_hand(f))
		return;
	t->kernel_budget--;
	(void)hand_over(f);
	f->kernel_after_us = t->now_us + RETRY_US;
}

void kernel_turn(struct rt_thread *t, unsigned of)
{
	t->kernel_budget = of < HANDOVERS_A_SECOND ? HANDOVERS_A_SECOND / of : 1;
}
