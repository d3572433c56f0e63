/* The talk with the router: blocks, for workers. */
#pragma once
#include "net/nat_map.h"

struct nat_router {
	enum nat_kind kind;
	char external[64], local[64];
	char control_url[512], service[128]; /* UPnP */
};
ANY int nat_router_find(struct nat_router *r); /* ST_NOTFOUND */
/* For so many seconds; m's external_port is what is wished, and then what it came to be. */
ANY int nat_router_map(const struct nat_router *r, struct nat_mapping *m, unsigned lease_s);
ANY int nat_router_unmap(const struct nat_router *r, const struct nat_mapping *m);
