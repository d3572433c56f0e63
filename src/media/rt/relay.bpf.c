/* SPDX-License-Identifier: MPL-2.0 OR GPL-2.0 */
/* The kernel's half of a plain relay: what arrives from exactly the address and port a call was told, is the next
 * packet of the source the media thread knows, and is nothing but audio, leaves at once with the other side's addresses
 * and numbers. Everything else (another source, a hole, a late packet, a marker, another payload type, RTCP, STUN,
 * options, fragments) goes up to the socket as if the program were not there; the media thread does what it always
 * does with it and opens the row again. So the program decides nothing and reorders nothing: it only saves the way up
 * and down. tc, clsact ingress, direct action. RFC 3550; RFC 1624 (checksums). */
#include "kernel_row.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define ALWAYS static __attribute__((always_inline))
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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KERNEL_ROWS_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct kernel_key);
	__type(value, __u32);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KERNEL_ROWS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct kernel_row);
} rows SEC(".maps");

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

/* The row is ours. May this packet go, and if so it is counted. */
ALWAYS int is_next(struct kernel_row *r, const struct rtp *h, __u32 rtp_bytes, __u64 now_us)
{
	__u16 seq = bpf_ntohs(h->seq);
	__u32 ts = bpf_ntohl(h->ts);
	if (now_us > r->expires_us || h->first != 0x80 || h->second != r->in_pt || h->ssrc != r->in_ssrc ||
	    seq != (__u16)(r->seq + 1))
		return 0;
	if (now_us - r->rate_since_us >= 1000000)
		r->rate_since_us = now_us, r->rate_count = 0;
	if (r->rate_count >= KERNEL_PACKETS_A_SECOND_MAX)
		return 0;
	r->rate_count++;
	r->seq = seq, r->ts = ts;
	r->packets++, r->bytes += rtp_bytes, r->last_us = now_us;
	jitter(r, ts, now_us);
	return 1;
}

ALWAYS int rewrite(struct __sk_buff *skb, const struct kernel_row *r, const struct iphdr *was, const struct tail *t)
{
	struct iphdr ip = *was;
	struct tail to = *t;
	__u32 addrs[2] = {was->saddr, was->daddr}, to_addrs[2] = {r->out_from_ip, r->out_to_ip};
	ip.saddr = r->out_from_ip, ip.daddr = r->out_to_ip;
	ip.tos = r->out_tos, ip.ttl = r->out_ttl, ip.check = 0;
	to.from_port = r->out_from_port, to.to_port = r->out_to_port;
	to.rtp.second = r->out_pt;
	to.rtp.seq = bpf_htons((__u16)(bpf_ntohs(t->rtp.seq) + r->seq_offset));
	to.rtp.ts = bpf_htonl(bpf_ntohl(t->rtp.ts) + r->ts_offset);
	to.rtp.ssrc = r->out_ssrc;
	__u32 sum = (__u32)bpf_csum_diff(0, 0, (__be32 *)&ip, sizeof(ip), 0);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip.check = (__u16)~sum;
	__s64 d_addr = bpf_csum_diff(addrs, sizeof(addrs), to_addrs, sizeof(to_addrs), 0);
	__s64 d_rest = bpf_csum_diff((__be32 *)t, sizeof(*t), (__be32 *)&to, sizeof(to), 0);
	/* the checksum last: the helper changes what lies there */
	if (bpf_skb_store_bytes(skb, IP_AT, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, UDP_AT, &to, sizeof(to), BPF_F_RECOMPUTE_CSUM))
		return -1;
	enum { CHECK_AT = UDP_AT + 6 };
	if (bpf_l4_csum_replace(skb, CHECK_AT, 0, d_addr, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) ||
	    bpf_l4_csum_replace(skb, CHECK_AT, 0, d_rest, BPF_F_MARK_MANGLED_0))
		return -1;
	return 0;
}

SEC("tc")
int relay(struct __sk_buff *skb)
{
	struct iphdr ip;
	struct tail t;
	/* tagged: the VLAN's own interface sees it next, without the tag */
	if (skb->vlan_present || skb->protocol != bpf_htons(ETH_P_IP) || skb->len > PACKET_MAX ||
	    bpf_skb_load_bytes(skb, IP_AT, &ip, sizeof(ip)))
		return TC_ACT_UNSPEC;
	if (ip.version != 4 || ip.ihl != 5 || ip.protocol != IPPROTO_UDP || ip.frag_off & bpf_htons(0x3fff) ||
	    bpf_skb_load_bytes(skb, UDP_AT, &t, sizeof(t)))
		return TC_ACT_UNSPEC;
	__u32 udp_bytes = bpf_ntohs(t.len);
	if (udp_bytes < 8 + RTP_BYTES || bpf_ntohs(ip.tot_len) != udp_bytes + 20)
		return TC_ACT_UNSPEC;
	struct kernel_key key = {ip.saddr, ip.daddr, t.from_port, t.to_port};
	__u32 *index = bpf_map_lookup_elem(&flows, &key);
	if (!index)
		return TC_ACT_UNSPEC;
	struct kernel_row *r = bpf_map_lookup_elem(&rows, index);
	if (!r || __sync_val_compare_and_swap(&r->gate, KERNEL_LIVE, KERNEL_BUSY) != KERNEL_LIVE)
		return TC_ACT_UNSPEC;
	int action = TC_ACT_UNSPEC;
	__u32 ifindex = r->out_ifindex;
	if (is_same(&r->key, &key) && is_next(r, &t.rtp, udp_bytes - 8, bpf_ktime_get_ns() / 1000))
		action = rewrite(skb, r, &ip, &t) ? TC_ACT_SHOT : TC_ACT_OK;
	__sync_lock_test_and_set(&r->gate, KERNEL_LIVE);
	return action == TC_ACT_OK ? (int)bpf_redirect_neigh(ifindex, 0, 0, 0) : action;
}

char licence_name[] SEC("license") = "Dual MPL/GPL";
