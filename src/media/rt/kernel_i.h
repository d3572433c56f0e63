/* The relay in the kernel: what its files share. */
#pragma once
#include "base/str.h"
#include "media/rt/kernel.h"
#include "media/rt/kernel_row.h"
#include "media/rt/rt_i.h"

enum { KERNEL_INTERFACES_MAX = 32 };
/* Written by control before the first media thread and after the last; else read only. */
struct kernel {
	bool is_on, has_tc;
	struct kernel_row *rows;                       /* by the port where packets arrive */
	uint32_t xdp_ifindexes[KERNEL_INTERFACES_MAX]; /* that carry the XDP program */
	unsigned xdp_count;
};
extern struct kernel kernel;

struct kernel_way {
	uint32_t ifindex; /* 0: none, or they stay on this machine */
	uint32_t hop_ip;  /* whose hardware address it is; network order */
};

/* kernel_route.c: questions to the kernel, answered at once */
/* By which way packets of from leave to `to` (both IPv4). */
ANY struct kernel_way kernel_route(uint32_t from_ip, uint32_t to_ip);
/* The hardware addresses, destination and source, of an Ethernet frame to that neighbour. false: not known. */
ANY bool kernel_neighbour(struct kernel_way way, uint16_t macs[KERNEL_MAC_WORDS]);

/* kernel_netdev.c */
enum { KERNEL_NETDEV_XDP = 1 | 2, KERNEL_NETDEV_XMIT = 4 }; /* NETDEV_XDP_ACT_BASIC and _REDIRECT; _NDO_XMIT */
/* What of XDP an interface can now (native; Linux 6.3). 0: nothing, or the kernel does not tell. */
ANY uint64_t kernel_netdev_features(uint32_t ifindex);

/* kernel_hop.c */
/* Brings xdp and out_macs of the row, whose hop_ip and out_ifindex are right, up to date when that is due. The row is
 * closed. */
ON_MEDIA void kernel_hop_refresh(struct kernel_row *r, int64_t now_us);

/* kernel_hook.c: the programs' places on an interface, each 0 or -errno */
ANY int kernel_hook_tc(int ifindex, int program_fd, uint32_t handle);
ANY int kernel_hook_xdp(int ifindex, int program_fd);
ANY void kernel_hook_end(void);

/* kernel.c, for its unit test */
ON_MEDIA void kernel_row_fill(struct kernel_row *r, const struct rt_flow *f, const struct rt_flow *to);
ON_MEDIA void kernel_row_fold(const struct kernel_row *r, struct rt_flow *f, struct rt_flow *to);
