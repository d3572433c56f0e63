/* Loads the program and hangs it on the interfaces: tc's clsact, which the kernel shares among many programs; ours is
 * known by its priority and handle, so that what a killed switch left behind is replaced by the next one. */
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

enum { PRIORITY = 4711, HANDLE_BASE = 0x7a0000 };

static struct {
	struct bpf_object *object;
	int program_fd;
	uint32_t handle;
	int ifindexes[KERNEL_INTERFACES_MAX]; /* the hook itself stays: others may use it by now */
	unsigned hook_count;
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

static void attach(const char *name, int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = load.program_fd, .handle = load.handle, .priority = PRIORITY,
	    .flags = BPF_TC_F_REPLACE);
	if (load.hook_count == KERNEL_INTERFACES_MAX) {
		log_warning(
		    "media: relay in the kernel: more than %d interfaces, %s is left out", KERNEL_INTERFACES_MAX, name);
		return;
	}
	int created = bpf_tc_hook_create(&hook);
	int e = created && created != -EEXIST ? created : bpf_tc_attach(&hook, &opts);
	if (e) {
		log_warning("media: relay in the kernel: interface %s: %s", name, strerror(-e));
		return;
	}
	load.ifindexes[load.hook_count++] = ifindex;
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

/* What went wrong, or NULL. */
static const char *object_load(const struct rt_kernel_conf *conf)
{
	static char text[128];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "tandem_relay");
	libbpf_set_print(print);
	load.object = bpf_object__open_mem(relay_bpf_object, sizeof(relay_bpf_object), &opts);
	if (!load.object)
		return "the program cannot be read by this libbpf";
	unsigned threads = conf->thread_count ? conf->thread_count : 1;
	kernel.rows_a_thread = KERNEL_ROWS_MAX / threads < FLOW_MAX ? KERNEL_ROWS_MAX / threads : FLOW_MAX;
	kernel.row_count = kernel.rows_a_thread * threads;
	struct bpf_map *rows = bpf_object__find_map_by_name(load.object, "rows");
	(void)bpf_map__set_max_entries(rows, kernel.row_count);
	int e = bpf_object__load(load.object);
	if (e) {
		snprintf(text, sizeof(text), "%s%s", strerror(-e),
		    e == -EPERM ? " (it takes root, or CAP_BPF and CAP_NET_ADMIN)" : "");
		return text;
	}
	load.program_fd = bpf_program__fd(bpf_object__find_program_by_name(load.object, "relay"));
	kernel.flows_fd = bpf_object__find_map_fd_by_name(load.object, "flows");
	kernel.rows = mmap(NULL, kernel.row_count * sizeof(struct kernel_row), PROT_READ | PROT_WRITE, MAP_SHARED,
	    bpf_map__fd(rows), 0);
	if (kernel.rows != MAP_FAILED)
		return NULL;
	kernel.rows = NULL;
	return strerror(errno);
}

bool rt_kernel_start(const struct rt_kernel_conf *conf)
{
	bool is_auto = !*conf->interfaces || !strcasecmp(conf->interfaces, "auto");
	load.handle = HANDLE_BASE | conf->port_min;
	const char *why = object_load(conf);
	if (!why)
		(is_auto ? attach_all : attach_named)(conf->interfaces);
	if (!why && !load.hook_count)
		why = "no interface to hang it on";
	kernel.is_on = !why;
	if (why) {
		log_warning("media: no relay in the kernel, packets are relayed by sockets: %s", why);
		rt_kernel_stop();
	} else {
		log_info("media: relay in the kernel on %u interfaces", load.hook_count);
	}
	return kernel.is_on;
}

void rt_kernel_stop(void)
{
	for (unsigned i = 0; i < load.hook_count; i++) {
		LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = load.ifindexes[i], .attach_point = BPF_TC_INGRESS);
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = load.handle, .priority = PRIORITY);
		(void)bpf_tc_detach(&hook, &opts);
	}
	load.hook_count = 0;
	if (kernel.rows)
		munmap(kernel.rows, kernel.row_count * sizeof(struct kernel_row));
	bpf_object__close(load.object);
	load.object = NULL;
	kernel = (struct kernel){.flows_fd = -1};
}
