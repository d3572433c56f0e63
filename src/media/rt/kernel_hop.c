/* The hardware addresses that the XDP program puts into a frame. The kernel knows them; it is asked every few seconds
 * for each row, and once a second for each hop (calls by one gateway share it). As frames by XDP do not tell the kernel
 * that the neighbour is in use, one packet after each question goes the long way, by which it keeps asking for the
 * neighbour as for any. */
#include "media/rt/kernel_i.h"

enum { HOPS = 64, HOP_ROW_US = 5000000, HOP_KNOWN_US = 1000000 };

struct hop {
	uint32_t ifindex, ip;
	int64_t until_us;
	bool is_known;
	uint16_t macs[KERNEL_MAC_WORDS];
};
static _Thread_local struct hop hops[HOPS];

static bool has_program(uint32_t ifindex)
{
	for (unsigned i = 0; i < kernel.xdp_count; i++)
		if (kernel.xdp_ifindexes[i] == ifindex)
			return true;
	return false;
}

static const struct hop *find(uint32_t ifindex, uint32_t ip, int64_t now_us)
{
	struct hop *h = &hops[(ip ^ ip >> 8 ^ ip >> 16 ^ ip >> 24 ^ ifindex) % HOPS];
	if (h->ifindex == ifindex && h->ip == ip && now_us < h->until_us)
		return h;
	*h = (struct hop){ifindex, ip, now_us + HOP_KNOWN_US, false, {0}};
	h->is_known = kernel_netdev_features(ifindex) & KERNEL_NETDEV_XMIT &&
	              kernel_neighbour((struct kernel_way){ifindex, ip}, h->macs);
	return h;
}

void kernel_hop_refresh(struct kernel_row *r, int64_t now_us)
{
	if ((uint64_t)now_us < r->hop_until_us)
		return;
	r->hop_until_us = (uint64_t)(now_us + HOP_ROW_US);
	r->xdp = KERNEL_XDP_NONE;
	if (!has_program(r->out_ifindex))
		return;
	const struct hop *h = find(r->out_ifindex, r->hop_ip, now_us);
	if (!h->is_known)
		return;
	memcpy(r->out_macs, h->macs, sizeof(r->out_macs));
	r->xdp = KERNEL_XDP_PROBE;
}
