/* A question to the kernel by netlink and its answer, of one message each. */
#pragma once
#include "base/role.h"
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>

struct kernel_ask {
	union {
		struct nlmsghdr h;
		char bytes[4096];
	};
	size_t answer_bytes;
};

/* A message of that type whose body of `bytes` octets begins with zeros: there to be filled. */
ANY void *ask_begin(struct kernel_ask *q, unsigned short type, size_t bytes);
ANY void ask_attr(struct kernel_ask *q, unsigned short type, const void *value, size_t bytes);
/* The answer in the question's place. false: none, or an error. */
ANY bool ask_exchange(struct kernel_ask *q, int protocol);
/* The value of an attribute behind a body of `bytes`, at least min long; NULL: it is not there. */
ANY const void *ask_find(const struct kernel_ask *q, size_t bytes, unsigned short type, size_t min);
