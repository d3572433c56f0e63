/* Where a packet would leave, asked of the kernel's routing table (rtnetlink). */
#include "media/rt/kernel_i.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

static void attr_add(struct nlmsghdr *h, unsigned short type, uint32_t value)
{
	struct rtattr *a = (struct rtattr *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));
	a->rta_type = type, a->rta_len = RTA_LENGTH(sizeof(value));
	memcpy(RTA_DATA(a), &value, sizeof(value));
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + a->rta_len;
}

static uint32_t interface_of(const struct nlmsghdr *h, size_t n)
{
	if (!NLMSG_OK(h, n) || h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct rtmsg)))
		return 0;
	const struct rtmsg *m = NLMSG_DATA(h);
	size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
	uint32_t ifindex = 0;
	if (m->rtm_type != RTN_UNICAST)
		return 0;
	for (const struct rtattr *a = RTM_RTA(m); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) >= sizeof(ifindex))
			memcpy(&ifindex, RTA_DATA(a), sizeof(ifindex));
	return ifindex;
}

uint32_t kernel_route(uint32_t from_ip, uint32_t to_ip)
{
	union {
		struct nlmsghdr h;
		char bytes[2048];
	} q = {.h = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
	           .nlmsg_type = RTM_GETROUTE,
	           .nlmsg_flags = NLM_F_REQUEST}};
	struct rtmsg *m = NLMSG_DATA(&q.h);
	m->rtm_family = AF_INET, m->rtm_dst_len = m->rtm_src_len = 32;
	attr_add(&q.h, RTA_DST, to_ip);
	attr_add(&q.h, RTA_SRC, from_ip);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0)
		return 0;
	ssize_t n = send(fd, &q, q.h.nlmsg_len, MSG_DONTWAIT);
	if (n > 0)
		n = recv(fd, &q, sizeof(q), MSG_DONTWAIT);
	close(fd);
	return n > 0 ? interface_of(&q.h, (size_t)n) : 0;
}
