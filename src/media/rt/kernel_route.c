/* Where a packet would leave, and to which hardware address, asked of the kernel's tables (rtnetlink). */
#include "media/rt/kernel_ask.h"
#include "media/rt/kernel_i.h"

#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

enum { MAC_BYTES = 6 };

struct kernel_way kernel_route(uint32_t from_ip, uint32_t to_ip)
{
	struct kernel_ask q;
	struct rtmsg *m = ask_begin(&q, RTM_GETROUTE, sizeof(*m));
	m->rtm_family = AF_INET, m->rtm_dst_len = m->rtm_src_len = 32;
	ask_attr(&q, RTA_DST, &to_ip, sizeof(to_ip));
	ask_attr(&q, RTA_SRC, &from_ip, sizeof(from_ip));
	struct kernel_way way = {.hop_ip = to_ip};
	if (!ask_exchange(&q, NETLINK_ROUTE) || q.h.nlmsg_type != RTM_NEWROUTE || m->rtm_type != RTN_UNICAST)
		return way;
	const void *ifindex = ask_find(&q, sizeof(*m), RTA_OIF, sizeof(way.ifindex));
	const void *hop = ask_find(&q, sizeof(*m), RTA_GATEWAY, sizeof(way.hop_ip));
	if (ifindex)
		memcpy(&way.ifindex, ifindex, sizeof(way.ifindex));
	if (hop)
		memcpy(&way.hop_ip, hop, sizeof(way.hop_ip));
	else if (ask_find(&q, sizeof(*m), RTA_VIA, 0))
		way.hop_ip = 0; /* a hop of another family: the way is known, its neighbour is not */
	return way;
}

static bool own_mac(uint32_t ifindex, void *mac)
{
	struct kernel_ask q;
	struct ifinfomsg *m = ask_begin(&q, RTM_GETLINK, sizeof(*m));
	m->ifi_index = (int)ifindex;
	ask_attr(&q, IFLA_EXT_MASK, &(uint32_t){RTEXT_FILTER_SKIP_STATS}, sizeof(uint32_t));
	if (!ask_exchange(&q, NETLINK_ROUTE) || q.h.nlmsg_type != RTM_NEWLINK || m->ifi_type != ARPHRD_ETHER)
		return false;
	const void *found = ask_find(&q, sizeof(*m), IFLA_ADDRESS, MAC_BYTES);
	if (found)
		memcpy(mac, found, MAC_BYTES);
	return found;
}

bool kernel_neighbour(struct kernel_way way, uint16_t macs[KERNEL_MAC_WORDS])
{
	const unsigned known = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
	struct kernel_ask q;
	struct ndmsg *m = ask_begin(&q, RTM_GETNEIGH, sizeof(*m));
	m->ndm_family = AF_INET, m->ndm_ifindex = (int)way.ifindex;
	ask_attr(&q, NDA_DST, &way.hop_ip, sizeof(way.hop_ip));
	if (!ask_exchange(&q, NETLINK_ROUTE) || q.h.nlmsg_type != RTM_NEWNEIGH || !(m->ndm_state & known))
		return false;
	const void *found = ask_find(&q, sizeof(*m), NDA_LLADDR, MAC_BYTES);
	if (!found)
		return false;
	memcpy(macs, found, MAC_BYTES);
	return own_mac(way.ifindex, macs + MAC_BYTES / 2);
}
