/* The relay in the kernel: what its files share. */
#pragma once
#include "base/str.h"
#include "media/rt/kernel.h"
#include "media/rt/kernel_row.h"
#include "media/rt/rt_i.h"

enum { KERNEL_INTERFACES_MAX = 32 };
/* Written by control before the first media thread and after the last; else read only. */
struct kernel {
	bool is_on;
	int flows_fd; /* kernel_key -> index of a row */
	struct kernel_row *rows;
	uint32_t row_count, rows_a_thread; /* a thread's rows lie together, by slot */
};
extern struct kernel kernel;

/* kernel_route.c */
/* The interface by which packets of from leave to `to` (both IPv4); 0: none, or they stay on this machine. A question
 * to the kernel, answered at once. */
ANY uint32_t kernel_route(uint32_t from_ip, uint32_t to_ip);
/* kernel.c, for its unit test */
ON_MEDIA void kernel_row_fill(struct kernel_row *r, const struct rt_flow *f, const struct rt_flow *to);
ON_MEDIA void kernel_row_fold(const struct kernel_row *r, struct rt_flow *f, struct rt_flow *to);
