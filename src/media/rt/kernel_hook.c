/* Where the programs hang on an interface. tc's clsact is shared among many programs; ours is known by its priority and
 * handle, so that what a killed switch left behind is replaced by the next one. XDP is one program's; ours is held by a
 * link, which ends with the process. */
#include "media/rt/kernel_i.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <unistd.h>

enum { PRIORITY = 4711 };

static struct {
	uint32_t handle;
	int tc_ifindexes[KERNEL_INTERFACES_MAX]; /* the hook itself stays: others may use it by now */
	int xdp_links[KERNEL_INTERFACES_MAX];
	unsigned tc_count, xdp_count;
} hooks;

int kernel_hook_tc(int ifindex, int program_fd, uint32_t handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program_fd, .handle = handle, .priority = PRIORITY,
	    .flags = BPF_TC_F_REPLACE);
	int created = bpf_tc_hook_create(&hook);
	int e = created && created != -EEXIST ? created : bpf_tc_attach(&hook, &opts);
	if (!e)
		hooks.handle = handle, hooks.tc_ifindexes[hooks.tc_count++] = ifindex;
	return e;
}

int kernel_hook_xdp(int ifindex, int program_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(program_fd, ifindex, BPF_XDP, &opts);
	if (fd >= 0)
		hooks.xdp_links[hooks.xdp_count++] = fd;
	return fd < 0 ? fd : 0;
}

void kernel_hook_end(void)
{
	for (unsigned i = 0; i < hooks.tc_count; i++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = hooks.tc_ifindexes[i], .attach_point = BPF_TC_INGRESS);
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = hooks.handle, .priority = PRIORITY);
		(void)bpf_tc_detach(&hook, &opts);
	}
	for (unsigned i = 0; i < hooks.xdp_count; i++)
		close(hooks.xdp_links[i]);
	hooks.tc_count = hooks.xdp_count = 0;
}
