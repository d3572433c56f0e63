/* Named access lists: those of acl.conf and FreeSWITCH's built-in ones (loopback.auto, localnet.auto, nat.auto,
 * rfc1918.auto, rfc6598.auto, wan.auto, wan_v4.auto, wan_v6.auto, any_v4.auto, any_v6.auto). The longest prefix that
 * fits decides, else the list's default. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "net/addr.h"

struct xml_node;
struct acl_set;
/* conf: acl.conf's <configuration>, or NULL. local4: this machine's address (its netmask is looked up). users: called
 * per domain= node. */
ON_CTL int acl_set_new(struct acl_set **out, const struct xml_node *conf, const char *local4);
ON_CTL void acl_set_free(struct acl_set *s);
/* lists: comma-separated names or plain prefixes. True when one of them allows a; *token (may be NULL) is "user@domain"
 * when that came from a directory user's cidr, else NULL; valid until acl_set_free. *list_out (may be NULL): which
 * name. */
ON_CTL bool acl_allows(
    const struct acl_set *s, struct sv lists, const struct addr *a, const char **token, struct sv *list_out);
ON_CTL bool acl_list_exists(const struct acl_set *s, struct sv name);
