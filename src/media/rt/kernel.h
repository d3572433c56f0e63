/* The relay in the kernel as control sees it: loaded once before the media threads start, taken away after they have
 * stopped. Optional in every way: without -Dbpf, the right to load programs or a kernel that knows them the switch
 * relays by sockets as ever, and the log says once why. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stdint.h>

struct rt_kernel_conf {
	const char *interfaces; /* names, by comma; "auto": those that are up, but loopback */
	const char *mode;       /* "auto": XDP where it can be, and tc; "xdp", "tc": only that */
	uint16_t port_min;      /* of RTP: names our filter among those of other switches on the machine */
};
/* false: it is not there. */
ANY bool rt_kernel_start(const struct rt_kernel_conf *conf);
ANY void rt_kernel_stop(void);
