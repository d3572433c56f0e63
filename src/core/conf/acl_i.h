/* One set of access lists, as acl.c makes it from a configuration. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct addr;
struct xml_node;
struct acl_set;
struct acl_list;
struct acl_host;
struct dns_answer;
struct list;
/* ---- hosts by name (acl_host.c) ---- */
ON_CTL int acl_host_add(struct list *hosts, struct acl_list *l, struct sv name, bool is_allow);
ON_CTL void acl_hosts_ask(struct list *hosts); /* once the set is the one that runs */
ON_CTL void acl_hosts_free(struct list *hosts);
/* The addresses that the name has now, in place of those it had. */
ON_CTL void acl_list_host_set(struct acl_list *l, const struct acl_host *h, bool is_allow, const struct dns_answer *a);
/* ---- sets (acl.c) ---- */
/* conf: acl.conf's <configuration>, or NULL. local4: this machine's address (its netmask is looked up), or NULL. */
ON_CTL int acl_set_new(struct acl_set **out, const struct xml_node *conf, const char *local4);
ON_CTL void acl_set_free(struct acl_set *s);
ON_CTL bool acl_set_allows(
    const struct acl_set *s, struct sv lists, const struct addr *a, const char **token, struct sv *list_out);
