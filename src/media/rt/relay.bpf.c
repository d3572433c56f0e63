/* SPDX-License-Identifier: MPL-2.0 OR GPL-2.0 */
/* The kernel's half of a plain relay: what arrives from exactly the address and port a call was told, is the next
 * packet of the source the media thread knows, and is nothing but audio, leaves at once with the other side's addresses
 * and numbers. Everything else (another source, a hole, a late packet, a marker, another payload type, RTCP, STUN,
 * options, fragments) goes up to the socket as if the program were not there; the media thread does what it always
 * does with it and opens the row again. So the programs decide nothing and reorder nothing: they only save the way up
 * and down. There are two, one behind the other, over the same rows: XDP, before the kernel makes anything of the
 * packet, for rows whose next hop is known; and tc (clsact ingress, direct action), where the kernel finds the hop.
 * RFC 3550; RFC 1624 (checksums). */
#include "relay_packet.h"

#include <linux/pkt_cls.h>

enum { CHECK_AT = UDP_AT + 6, SUM_MAX = 512 };

SEC("tc")
int relay(struct __sk_buff *skb)
{
	struct iphdr ip;
	struct tail t;
	/* tagged: the VLAN's own interface sees it next, without the tag */
	if (skb->vlan_present || skb->protocol != bpf_htons(ETH_P_IP) || skb->len > PACKET_MAX ||
	    bpf_skb_load_bytes(skb, IP_AT, &ip, sizeof(ip)))
		return TC_ACT_UNSPEC;
	if (!is_datagram(&ip, skb->len - IP_AT) || bpf_skb_load_bytes(skb, UDP_AT, &t, sizeof(t)) ||
	    !is_long_enough(&ip, &t))
		return TC_ACT_UNSPEC;
	struct kernel_row *r = row_take(&ip, &t);
	if (!r)
		return TC_ACT_UNSPEC;
	if (!is_next(r, &t, bpf_ktime_get_ns() / 1000)) {
		row_leave(r);
		return TC_ACT_UNSPEC;
	}
	r->tc_packets++;
	struct sums d = rewrite(r, &ip, &t);
	__u32 ifindex = r->out_ifindex;
	row_leave(r);
	/* the checksum last: the helper changes what lies there */
	if (bpf_skb_store_bytes(skb, IP_AT, &ip, sizeof(ip), BPF_F_RECOMPUTE_CSUM) ||
	    bpf_skb_store_bytes(skb, UDP_AT, &t, sizeof(t), BPF_F_RECOMPUTE_CSUM) ||
	    bpf_l4_csum_replace(skb, CHECK_AT, 0, d.addresses, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0) ||
	    bpf_l4_csum_replace(skb, CHECK_AT, 0, d.rest, BPF_F_MARK_MANGLED_0))
		return TC_ACT_SHOT;
	return (int)bpf_redirect_neigh(ifindex, 0, 0, 0);
}

/* The sum of what lies at p, bytes of it (< 2 * SUM_MAX), in pieces of known size as the verifier wants them. */
#define SUM_PIECE(size) \
	do { \
		if (bytes & (size)) { \
			if (p + (size) > end) \
				return -1; \
			sum = bpf_csum_diff(0, 0, p, (size), (__u32)sum); \
			p += (size); \
		} \
	} while (0)
ALWAYS __s64 sum_of(void *p, void *end, __u32 bytes)
{
	__s64 sum = 0;
	SUM_PIECE(512);
	SUM_PIECE(256);
	SUM_PIECE(128);
	SUM_PIECE(64);
	SUM_PIECE(32);
	SUM_PIECE(16);
	SUM_PIECE(8);
	SUM_PIECE(4);
	__u64 rest = (__u32)sum;
	if (bytes & 2) {
		if (p + 2 > end)
			return -1;
		rest += *(__u16 *)p;
		p += 2;
	}
	if (bytes & 1) {
		if (p + 1 > end)
			return -1;
		rest += bpf_htons((__u16)(*(__u8 *)p << 8));
	}
	return (__s64)fold(rest);
}

ALWAYS __u64 pseudo_sum(const struct iphdr *ip, const struct tail *t)
{
	return (__u64)ip->saddr + ip->daddr + bpf_htons(IPPROTO_UDP) + t->len;
}

ALWAYS __u16 udp_check(__u64 sum)
{
	__u16 check = (__u16)~fold(sum);
	return check ? check : 0xffff;
}

SEC("xdp")
int relay_xdp(struct xdp_md *x)
{
	void *data = (void *)(long)x->data, *end = (void *)(long)x->data_end;
	__u16 *macs = data;
	struct iphdr *ip = data + IP_AT;
	struct tail *t = data + UDP_AT;
	if ((void *)(t + 1) > end || macs[KERNEL_MAC_WORDS] != bpf_htons(ETH_P_IP) ||
	    !is_datagram(ip, (__u32)(end - data) - IP_AT) || !is_long_enough(ip, t))
		return XDP_PASS;
	/* from this machine's own sockets the checksum is only begun, and what we send nobody completes */
	__u16 check = t->check;
	int is_begun = check == fold(pseudo_sum(ip, t));
	__u32 bytes = bpf_ntohs(t->len) - 8 - RTP_BYTES;
	if (is_begun && bytes >= 2 * SUM_MAX)
		return XDP_PASS;
	struct kernel_row *r = row_take(ip, t);
	if (!r)
		return XDP_PASS;
	__u8 xdp = r->xdp;
	if (xdp == KERNEL_XDP_PROBE)
		r->xdp = KERNEL_XDP_OWN;
	if (xdp != KERNEL_XDP_OWN || !is_next(r, t, bpf_ktime_get_ns() / 1000)) {
		row_leave(r);
		return XDP_PASS;
	}
	struct sums d = rewrite(r, ip, t);
	for (int i = 0; i < KERNEL_MAC_WORDS; i++)
		macs[i] = r->out_macs[i];
	__u32 ifindex = r->out_ifindex;
	row_leave(r);
	if (is_begun) {
		const __u32 *w = (const __u32 *)t;
		__s64 payload = sum_of(t + 1, end, bytes);
		if (payload < 0)
			return XDP_DROP; /* cannot be: the lengths were compared */
		t->check = 0;
		t->check = udp_check(pseudo_sum(ip, t) + w[0] + w[1] + w[2] + w[3] + w[4] + (__u64)payload);
	} else if (check) {
		t->check = udp_check((__u64)(__u16)~check + d.addresses + d.rest);
	}
	return ifindex == x->ingress_ifindex ? XDP_TX : (int)bpf_redirect(ifindex, 0);
}

char licence_name[] SEC("license") = "Dual MPL/GPL";
