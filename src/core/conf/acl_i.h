/* One set of access lists, as acl.c makes it from a configuration. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct addr;
struct xml_node;
struct acl_set;
/* conf: acl.conf's <configuration>, or NULL. local4: this machine's address (its netmask is looked up), or NULL. */
ON_CTL int acl_set_new(struct acl_set **out, const struct xml_node *conf, const char *local4);
ON_CTL void acl_set_free(struct acl_set *s);
ON_CTL bool acl_set_allows(
    const struct acl_set *s, struct sv lists, const struct addr *a, const char **token, struct sv *list_out);
