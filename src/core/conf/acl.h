/* Named access lists: those of acl.conf and FreeSWITCH's built-in ones (loopback.auto, localnet.auto, nat.auto,
 * rfc1918.auto, rfc6598.auto, wan.auto, wan_v4.auto, wan_v6.auto, any_v4.auto, any_v6.auto). The longest prefix that
 * fits decides, else the list's default. IPv4-mapped IPv6 addresses are judged as IPv4. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct addr;
/* Builds the lists of the running configuration, and again after every swap. core_start and core_stop call these. */
ON_CTL int acl_start(void);
ON_CTL void acl_stop(void);
/* lists: comma-separated names or plain prefixes. True when one of them allows a; *token (may be NULL) is "user@domain"
 * when that came from a directory user's cidr, else NULL; valid until the next swap. *list_out (may be NULL): which
 * name, a view into lists. Before acl_start nothing is allowed. */
ON_CTL bool acl_allows(struct sv lists, const struct addr *a, const char **token, struct sv *list_out);
/* The same for a numeric address as text; false when it is none. */
ON_CTL bool acl_allows_host(struct sv lists, struct sv host);
/* Private, link-local or loopback, as `is_lan_addr` asks. */
ANY bool acl_is_lan(struct sv host);
