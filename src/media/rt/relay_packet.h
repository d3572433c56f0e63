/* SPDX-License-Identifier: MPL-2.0 OR GPL-2.0 */
/* What both programs (relay.bpf.c) do with a packet: which one may go, what it counts, and how it leaves. The headers
 * are looked at and rewritten where the caller has them: a copy (tc) or the packet itself (XDP). */
#pragma once
#include "kernel_row.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ALWAYS static __attribute__((always_inline)) inline
enum { RTP_BYTES = 12, IP_AT = ETH_HLEN, UDP_AT = ETH_HLEN + 20, RTP_AT = ETH_HLEN + 28, PACKET_MAX = 2048 };

struct rtp {
	__u8 first, second;
	__be16 seq;
	__be32 ts, ssrc;
} __attribute__((packed));
/* What is rewritten behind the addresses, as it lies in the packet. */
struct tail {
	__be16 from_port, to_port, len, check;
	struct rtp rtp;
} __attribute__((packed, aligned(4)));
/* What the rewriting adds to the sums that the UDP checksum covers; one's complement, not folded (RFC 1624). */
struct sums {
	__u32 addresses, rest;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KERNEL_ROWS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct kernel_row);
} rows SEC(".maps");

ALWAYS __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)((sum & 0xffff) + (sum >> 16));
}

ALWAYS __u64 ip_sum(const struct iphdr *ip)
{
	const __u32 *w = (const __u32 *)ip;
	return (__u64)w[0] + w[1] + w[2] + w[3] + w[4];
}

/* A whole UDP datagram of IPv4 that can hold an RTP header, and no more headers than we know; there: bytes from the IP
 * header on. */
ALWAYS int is_datagram(const struct iphdr *ip, __u32 there)
{
	return ip->version == 4 && ip->ihl == 5 && ip->protocol == IPPROTO_UDP && !(ip->frag_off & bpf_htons(0x3fff)) &&
	       bpf_ntohs(ip->tot_len) <= there && fold(ip_sum(ip)) == 0xffff;
}

ALWAYS int is_long_enough(const struct iphdr *ip, const struct tail *t)
{
	__u32 udp_bytes = bpf_ntohs(t->len);
	return udp_bytes >= 8 + RTP_BYTES && bpf_ntohs(ip->tot_len) == udp_bytes + 20;
}

/* As rtp/rtp.c counts it. */
ALWAYS void jitter(struct kernel_row *r, __u32 ts, __u64 now_us)
{
	__u32 arrival = (__u32)(now_us / 1000000 * r->clock_hz + now_us % 1000000 * r->clock_hz / 1000000);
	__u32 transit = arrival - ts;
	__u32 d = transit - r->transit;
	r->transit = transit;
	if (d >> 31)
		d = -d;
	if (d > r->clock_hz * 10)
		return;
	r->jitter_q4 += d - ((r->jitter_q4 + 8) >> 4);
	if (r->jitter_q4 > r->jitter_max_q4)
		r->jitter_max_q4 = r->jitter_q4;
}

ALWAYS int is_same(const struct kernel_key *a, const struct kernel_key *b)
{
	return a->remote_ip == b->remote_ip && a->local_ip == b->local_ip && a->remote_port == b->remote_port &&
	       a->local_port == b->local_port;
}

/* The packet's row, which is ours (busy) until row_leave; NULL: it goes up. */
ALWAYS struct kernel_row *row_take(const struct iphdr *ip, const struct tail *t)
{
	struct kernel_key key = {ip->saddr, ip->daddr, t->from_port, t->to_port};
	__u32 index = bpf_ntohs(t->to_port);
	struct kernel_row *r = bpf_map_lookup_elem(&rows, &index);
	if (!r)
		return 0;
	(void)*(volatile __u16 *)&r->seq; /* both cold lines are waited for at once */
	if (r->gate != KERNEL_LIVE || __sync_val_compare_and_swap(&r->gate, KERNEL_LIVE, KERNEL_BUSY) != KERNEL_LIVE)
		return 0;
	if (is_same(&r->key, &key))
		return r;
	__sync_lock_test_and_set(&r->gate, KERNEL_LIVE);
	return 0;
}

ALWAYS void row_leave(struct kernel_row *r)
{
	__sync_lock_test_and_set(&r->gate, KERNEL_LIVE);
}

/* May this packet go, and if so it is counted. */
ALWAYS int is_next(struct kernel_row *r, const struct tail *t, __u64 now_us)
{
	__u16 seq = bpf_ntohs(t->rtp.seq);
	__u32 ts = bpf_ntohl(t->rtp.ts);
	if (now_us > r->expires_us || t->rtp.first != 0x80 || t->rtp.second != r->in_pt || t->rtp.ssrc != r->in_ssrc ||
	    seq != (__u16)(r->seq + 1))
		return 0;
	if (now_us - r->rate_since_us >= 1000000)
		r->rate_since_us = now_us, r->rate_count = 0;
	if (r->rate_count >= KERNEL_PACKETS_A_SECOND_MAX)
		return 0;
	r->rate_count++;
	r->seq = seq, r->ts = ts;
	r->packets++, r->bytes += (__u32)bpf_ntohs(t->len) - 8, r->last_us = now_us;
	jitter(r, ts, now_us);
	return 1;
}

ALWAYS __u32 changed(__u32 was, __u32 is)
{
	return (~was & 0xffff) + (~was >> 16) + (is & 0xffff) + (is >> 16);
}

/* The headers as they leave; the UDP checksum is left to the caller. */
ALWAYS struct sums rewrite(const struct kernel_row *r, struct iphdr *ip, struct tail *t)
{
	struct sums d;
	__be16 seq = bpf_htons((__u16)(bpf_ntohs(t->rtp.seq) + r->seq_offset));
	__be32 ts = bpf_htonl(bpf_ntohl(t->rtp.ts) + r->ts_offset);
	d.addresses = changed(ip->saddr, r->out_from_ip) + changed(ip->daddr, r->out_to_ip);
	d.rest = changed(t->rtp.ts, ts) + changed(t->rtp.ssrc, r->out_ssrc);
	d.rest += (~t->from_port & 0xffff) + r->out_from_port + (~t->to_port & 0xffff) + r->out_to_port;
	d.rest += (~t->rtp.seq & 0xffff) + seq + (~bpf_htons(t->rtp.second) & 0xffff) + bpf_htons(r->out_pt);
	ip->saddr = r->out_from_ip, ip->daddr = r->out_to_ip;
	ip->tos = r->out_tos, ip->ttl = r->out_ttl, ip->check = 0;
	ip->check = (__u16)~fold(ip_sum(ip));
	t->from_port = r->out_from_port, t->to_port = r->out_to_port;
	t->rtp.second = r->out_pt, t->rtp.seq = seq, t->rtp.ts = ts, t->rtp.ssrc = r->out_ssrc;
	return d;
}
