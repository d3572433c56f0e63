/* The router in front of us, where it speaks UPnP IGD or NAT-PMP: its outer address, and ports that it is to pass on to
 * us. Asked on a worker; what the control thread knows of it is the last answer. Mappings are kept (bounded) and asked
 * for again before they run out, and after the router was found anew. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nat_kind { NAT_NONE, NAT_UPNP, NAT_PMP };
struct nat_mapping {
	uint16_t port;
	bool is_tcp, is_sticky; /* sticky: asked for again when the router is found anew */
	uint16_t external_port; /* 0 = not confirmed yet */
};

/* After loop_init: looks for a router, and goes on looking now and then. Without it (-nonat) nothing is ever asked. */
ON_CTL void nat_map_start(void);
ON_CTL void nat_map_stop(void);
ON_CTL bool nat_map_is_found(void);
ON_CTL enum nat_kind nat_map_kind(void);
ON_CTL const char *nat_map_external(void); /* its outer address; NULL: no router */
ON_CTL const char *nat_map_local(void);    /* our address towards it; "" when unknown */

typedef void (*nat_map_fn)(int status, void *arg); /* once, later */
/* ST_NOTFOUND: no router. ST_LIMIT: so many ports are mapped, or jobs wait, already. fn may be NULL. */
ON_CTL int nat_map_add(uint16_t port, bool is_tcp, bool is_sticky, nat_map_fn fn, void *arg);
ON_CTL int nat_map_del(uint16_t port, bool is_tcp, nat_map_fn fn, void *arg);
ON_CTL int nat_map_republish(void);
ON_CTL int nat_map_reinit(nat_map_fn fn, void *arg); /* looks for the router anew */
ON_CTL const struct nat_mapping *nat_map_list(size_t *count);
