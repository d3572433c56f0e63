/* Loads the programs and hangs them on the interfaces: tc's on each, and XDP's before it where the driver has it and
 * nobody else's is there. What cannot be done falls back, XDP to tc and tc to the sockets, and is told once. */
#include "base/check.h"
#include "base/log.h"
#include "media/rt/kernel_i.h"
#include "media/rt/relay_bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HANDLE_BASE = 0x7a0000 };
enum mode { MODE_AUTO, MODE_XDP, MODE_TC };

static struct {
	struct bpf_object *object;
	enum mode mode;
	int tc_fd, xdp_fd; /* -1: not loaded */
	uint32_t handle;
	unsigned interface_count;
} load;

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[512];
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = 0;
	if (level != LIBBPF_DEBUG)
		log_debug("media: libbpf: %s", text);
	return 0;
}

static bool is_wanted_interface(const char *name)
{
	struct ifreq ifr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	bool ok = !ioctl(fd, SIOCGIFFLAGS, &ifr) && ifr.ifr_flags & IFF_UP && !(ifr.ifr_flags & IFF_LOOPBACK);
	close(fd);
	return ok;
}

/* The XDP program on an interface; why not, or NULL. */
static const char *attach_xdp(int ifindex)
{
	if ((kernel_netdev_features((uint32_t)ifindex) & KERNEL_NETDEV_XDP) != KERNEL_NETDEV_XDP)
		return "no native XDP, or none that this kernel tells of";
	int e = kernel_hook_xdp(ifindex, load.xdp_fd);
	if (!e)
		kernel.xdp_ifindexes[kernel.xdp_count++] = (uint32_t)ifindex;
	return e == -EBUSY ? "another XDP program is there" : e ? strerror(-e) : NULL;
}

static void attach(const char *name, int ifindex)
{
	if (load.interface_count == KERNEL_INTERFACES_MAX) {
		log_warning(
		    "media: relay in the kernel: more than %d interfaces, %s is left out", KERNEL_INTERFACES_MAX, name);
		return;
	}
	const char *why = load.mode == MODE_XDP ? NULL : "";
	int e = load.mode == MODE_XDP ? 0 : kernel_hook_tc(ifindex, load.tc_fd, load.handle);
	if (e) {
		log_warning("media: relay in the kernel: interface %s: %s", name, strerror(-e));
		return;
	}
	if (load.xdp_fd >= 0)
		why = attach_xdp(ifindex);
	if (why && load.mode == MODE_XDP) {
		log_warning("media: relay in the kernel: interface %s: no XDP: %s", name, why);
		return;
	}
	if (why && *why)
		log_notice("media: relay in the kernel: interface %s: by tc; no XDP: %s", name, why);
	load.interface_count++;
}

static void attach_all(const char *names)
{
	struct if_nameindex *all = if_nameindex();
	for (struct if_nameindex *i = all; i && i->if_index; i++)
		if (is_wanted_interface(i->if_name))
			attach(i->if_name, (int)i->if_index);
	if (all)
		if_freenameindex(all);
}

static void attach_named(const char *names)
{
	char name[IF_NAMESIZE];
	while (*names) {
		size_t n = strcspn(names, ", ");
		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		unsigned ifindex = n && n < sizeof(name) ? if_nametoindex(name) : 0;
		if (ifindex)
			attach(name, (int)ifindex);
		else if (n)
			log_warning(
			    "switch.conf: media-kernel-interfaces: no interface is named \"%.*s\"", (int)n, names);
		names += n;
		names += strspn(names, ", ");
	}
}

static int program_fd(const char *name)
{
	return bpf_program__fd(bpf_object__find_program_by_name(load.object, name));
}

/* With the XDP program or without it; 0 or -errno. */
static int object_open(bool has_xdp)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "tandem_relay");
	load.object = bpf_object__open_mem(relay_bpf_object, sizeof(relay_bpf_object), &opts);
	if (!load.object)
		return -errno;
	(void)bpf_program__set_autoload(bpf_object__find_program_by_name(load.object, "relay"), load.mode != MODE_XDP);
	(void)bpf_program__set_autoload(bpf_object__find_program_by_name(load.object, "relay_xdp"), has_xdp);
	int e = bpf_object__load(load.object);
	if (e) {
		bpf_object__close(load.object);
		load.object = NULL;
		return e;
	}
	load.tc_fd = load.mode == MODE_XDP ? -1 : program_fd("relay");
	load.xdp_fd = has_xdp ? program_fd("relay_xdp") : -1;
	return 0;
}

/* What went wrong, or NULL. */
static const char *object_load(void)
{
	static char text[128];
	libbpf_set_print(print);
	int e = object_open(load.mode != MODE_TC);
	if (e && e != -EPERM && load.mode == MODE_AUTO) {
		log_notice("media: relay in the kernel: the XDP program cannot be loaded: %s", strerror(-e));
		e = object_open(false);
	}
	if (e) {
		snprintf(text, sizeof(text), "%s%s", strerror(-e),
		    e == -EPERM ? " (it takes root, or CAP_BPF and CAP_NET_ADMIN)" : "");
		return text;
	}
	kernel.has_tc = load.tc_fd >= 0;
	kernel.rows = mmap(NULL, KERNEL_ROWS * sizeof(struct kernel_row), PROT_READ | PROT_WRITE, MAP_SHARED,
	    bpf_object__find_map_fd_by_name(load.object, "rows"), 0);
	if (kernel.rows != MAP_FAILED)
		return NULL;
	kernel.rows = NULL;
	return strerror(errno);
}

static enum mode mode_of(const char *text)
{
	static const char *const names[] = {"auto", "xdp", "tc"};
	for (unsigned i = 0; i < ARRAY_COUNT(names); i++)
		if (!strcasecmp(text, names[i]))
			return (enum mode)i;
	if (*text)
		log_warning("switch.conf: media-kernel-mode is auto, xdp or tc, not \"%s\"; auto is taken", text);
	return MODE_AUTO;
}

bool rt_kernel_start(const struct rt_kernel_conf *conf)
{
	bool is_auto = !*conf->interfaces || !strcasecmp(conf->interfaces, "auto");
	load.handle = HANDLE_BASE | conf->port_min;
	load.mode = mode_of(conf->mode ? conf->mode : "");
	const char *why = object_load();
	if (!why)
		(is_auto ? attach_all : attach_named)(conf->interfaces);
	if (!why && !load.interface_count)
		why = "no interface to hang it on";
	kernel.is_on = !why;
	if (why) {
		log_warning("media: no relay in the kernel, packets are relayed by sockets: %s", why);
		rt_kernel_stop();
	} else {
		log_notice("media: relay in the kernel on %u interfaces, on %u of them by XDP", load.interface_count,
		    kernel.xdp_count);
	}
	return kernel.is_on;
}

void rt_kernel_stop(void)
{
	kernel_hook_end();
	load.interface_count = 0;
	if (kernel.rows)
		munmap(kernel.rows, KERNEL_ROWS * sizeof(struct kernel_row));
	bpf_object__close(load.object);
	load.object = NULL;
	kernel = (struct kernel){0};
}
