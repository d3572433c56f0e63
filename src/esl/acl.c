/* Access lists for the listener: FreeSWITCH's automatic ones by name, a network in CIDR form, or a list of acl.conf
 * (its nodes of type allow or deny; the longest prefix that holds the address decides, else the list's default). Read
 * from the configuration at every connection: connections are rare, and a reload then needs no step of its own. */
#include "core/config.h"
#include "core/module.h"
#include "esl/esl_i.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool in_any(const struct addr *a, const char *const *nets)
{
	for (; *nets; nets++)
		if (addr_in_cidr(a, sv_of(*nets)) == 1)
			return true;
	return false;
}

static int auto_list(const struct addr *a, const char *name)
{
	static const char *const loopback[] = {"127.0.0.0/8", "::1/128", NULL};
	static const char *const rfc1918[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", NULL};
	static const char *const rfc6598[] = {"100.64.0.0/10", NULL};
	bool is_v4 = a->sa.sa_family == AF_INET;
	if (!strcasecmp(name, "loopback.auto"))
		return in_any(a, loopback);
	if (!strcasecmp(name, "rfc1918.auto"))
		return in_any(a, rfc1918);
	if (!strcasecmp(name, "rfc6598.auto"))
		return in_any(a, rfc6598);
	if (!strcasecmp(name, "localnet.auto") || !strcasecmp(name, "nat.auto"))
		return in_any(a, loopback) || addr_is_private(a);
	if (!strcasecmp(name, "wan.auto"))
		return !in_any(a, loopback) && !addr_is_private(a);
	if (!strcasecmp(name, "wan_v4.auto"))
		return is_v4 && !in_any(a, loopback) && !addr_is_private(a);
	if (!strcasecmp(name, "wan_v6.auto"))
		return !is_v4 && !in_any(a, loopback) && !addr_is_private(a);
	if (!strcasecmp(name, "any_v4.auto"))
		return is_v4;
	if (!strcasecmp(name, "any_v6.auto"))
		return !is_v4;
	return -1;
}

static int prefix_bits(const char *cidr)
{
	const char *slash = strchr(cidr, '/');
	return slash ? atoi(slash + 1) : 128;
}

static bool list_allows(const struct xml_node *list, const struct addr *a)
{
	bool allows = !strcasecmp(xml_attr_or(list, "default", "deny"), "allow");
	int best = -1;
	xml_each(list, "node", node)
	{
		const char *cidr = xml_attr(node, "cidr");
		if (!cidr || addr_in_cidr(a, sv_of(cidr)) != 1 || prefix_bits(cidr) <= best)
			continue;
		best = prefix_bits(cidr);
		allows = !strcasecmp(xml_attr_or(node, "type", "deny"), "allow");
	}
	return allows;
}

/* An IPv4 address that came in on an IPv6 socket is judged as IPv4. */
static struct addr plain(const struct addr *a)
{
	struct addr out = *a;
	if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		out = (struct addr){0};
		out.in4.sin_family = AF_INET;
		out.in4.sin_port = a->in6.sin6_port;
		memcpy(&out.in4.sin_addr, a->in6.sin6_addr.s6_addr + 12, 4);
	}
	return out;
}

bool esl_acl_allows(const struct addr *addr, const char *list)
{
	struct addr a = plain(addr);
	int is_in = auto_list(&a, list);
	if (is_in < 0 && strpbrk(list, "/"))
		is_in = addr_in_cidr(&a, sv_of(list));
	if (is_in >= 0)
		return is_in == 1;
	const struct xml_node *lists = xml_child(config_conf("acl.conf"), "network-lists");
	const struct xml_node *found = xml_child_with(lists, "list", "name", list);
	return found && list_allows(found, &a);
}

/* acl IP LIST and is_lan_addr IP: here, because the lists are. */
int esl_api_acl(struct api_call *c)
{
	role_assert_ctl();
	struct sv ip, list;
	struct addr a;
	char name[128];
	sv_split(sv_trim(sv_of(c->args)), ' ', &ip, &list);
	list = sv_trim(list);
	bool is_in = list.n && list.n < sizeof(name) && !addr_parse(&a, ip, 0);
	if (is_in) {
		memcpy(name, list.p, list.n);
		name[list.n] = 0;
		is_in = esl_acl_allows(&a, name);
	}
	return buf_adds(c->out, is_in ? "true" : "false");
}

int esl_api_is_lan_addr(struct api_call *c)
{
	role_assert_ctl();
	struct addr a;
	bool is_lan = !addr_parse(&a, sv_trim(sv_of(c->args)), 0) && (addr_is_private(&a) || addr_is_loopback(&a));
	return buf_adds(c->out, is_lan ? "true" : "false");
}
