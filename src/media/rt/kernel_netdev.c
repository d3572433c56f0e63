/* What an interface's driver can do with XDP, asked of the kernel's "netdev" family (generic netlink, Linux 6.3): it
 * is what the driver does now, so a veth whose other end takes no frames says so. The names are of linux/netdev.h,
 * which is younger than the headers we build with. */
#include "media/rt/kernel_ask.h"
#include "media/rt/kernel_i.h"

#include <linux/genetlink.h>

enum { NETDEV_CMD_DEV_GET = 1, NETDEV_A_DEV_IFINDEX = 1, NETDEV_A_DEV_XDP_FEATURES = 3 };

static uint16_t family(void)
{
	static _Atomic uint16_t known;
	struct kernel_ask q;
	if (known)
		return known;
	*(struct genlmsghdr *)ask_begin(&q, GENL_ID_CTRL, sizeof(struct genlmsghdr)) =
	    (struct genlmsghdr){.cmd = CTRL_CMD_GETFAMILY, .version = 1};
	ask_attr(&q, CTRL_ATTR_FAMILY_NAME, "netdev", sizeof("netdev"));
	uint16_t id = 0;
	if (!ask_exchange(&q, NETLINK_GENERIC))
		return 0;
	const void *found = ask_find(&q, sizeof(struct genlmsghdr), CTRL_ATTR_FAMILY_ID, sizeof(id));
	if (found)
		memcpy(&id, found, sizeof(id));
	known = id;
	return id;
}

uint64_t kernel_netdev_features(uint32_t ifindex)
{
	struct kernel_ask q;
	uint64_t features = 0;
	uint16_t id = family();
	if (!id)
		return 0;
	*(struct genlmsghdr *)ask_begin(&q, id, sizeof(struct genlmsghdr)) =
	    (struct genlmsghdr){.cmd = NETDEV_CMD_DEV_GET, .version = 1};
	ask_attr(&q, NETDEV_A_DEV_IFINDEX, &ifindex, sizeof(ifindex));
	if (!ask_exchange(&q, NETLINK_GENERIC))
		return 0;
	const void *found = ask_find(&q, sizeof(struct genlmsghdr), NETDEV_A_DEV_XDP_FEATURES, sizeof(features));
	if (found)
		memcpy(&features, found, sizeof(features));
	return features;
}
