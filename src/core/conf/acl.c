/* Access lists as arrays of prefixes, looked through for the longest match: lists are short, and a check costs no
 * allocation. Built from acl.conf and the directory (domain= nodes take the users' cidr attributes) as one set that is
 * replaced whole after every change of the configuration. */
#include "core/conf/acl.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl_i.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/value/self.h"
#include "net/addr.h"
#include "net/dns.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct prefix {
	struct addr base;
	unsigned bits;
	bool is_allow;
	char *token;                 /* owned, or NULL */
	const struct acl_host *host; /* it came of a name, or NULL */
};
struct acl_list {
	bool default_allow;
	struct prefix *prefixes;
	size_t count;
};
struct acl_set {
	struct hash *lists;
	struct list hosts;
};

static void list_free(void *value)
{
	struct acl_list *l = value;
	for (size_t i = 0; i < l->count; i++)
		mem_free(l->prefixes[i].token);
	mem_free(l->prefixes);
	mem_free(l);
}

static const uint8_t *addr_bytes(const struct addr *a, size_t *n)
{
	if (a->sa.sa_family == AF_INET6) {
		*n = 16;
		return a->in6.sin6_addr.s6_addr;
	}
	*n = 4;
	return (const uint8_t *)&a->in4.sin_addr;
}

static bool prefix_fits(const struct prefix *p, const struct addr *a)
{
	size_t n, m;
	const uint8_t *x = addr_bytes(&p->base, &n), *y = addr_bytes(a, &m);
	unsigned bytes = p->bits / 8, rest = p->bits % 8;
	if (n != m || memcmp(x, y, bytes) != 0)
		return false;
	return !rest || ((x[bytes] ^ y[bytes]) >> (8 - rest)) == 0;
}

static int prefix_parse(struct prefix *out, struct sv text)
{
	struct sv host, bits;
	uint32_t n = 0;
	bool has_bits = sv_split(sv_trim(text), '/', &host, &bits);
	if (addr_parse(&out->base, host, 0) < 0)
		return ST_PARSE;
	unsigned max = out->base.sa.sa_family == AF_INET6 ? 128 : 32;
	if (has_bits && (sv_u32(bits, &n) < 0 || n > max))
		return ST_PARSE;
	out->bits = has_bits ? n : max;
	return ST_OK;
}

static int list_add(struct acl_list *l, struct sv cidr, bool is_allow, const char *token)
{
	struct prefix p = {.is_allow = is_allow};
	if (prefix_parse(&p, cidr) < 0)
		return ST_PARSE;
	struct prefix *grown = mem_realloc(l->prefixes, (l->count + 1) * sizeof(*grown));
	if (!grown)
		return ST_NOMEM;
	p.token = mem_strdup(token);
	l->prefixes = grown;
	grown[l->count++] = p;
	return ST_OK;
}

void acl_list_host_set(struct acl_list *l, const struct acl_host *h, bool is_allow, const struct dns_answer *a)
{
	size_t kept = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->prefixes[i].host != h)
			l->prefixes[kept++] = l->prefixes[i];
	l->count = kept;
	if (a->status || !a->count)
		return;
	struct prefix *grown = mem_realloc(l->prefixes, (l->count + a->count) * sizeof(*grown));
	if (!grown)
		return;
	l->prefixes = grown;
	for (size_t i = 0; i < a->count; i++) {
		const struct addr *base = &a->records[i].addr;
		grown[l->count++] = (struct prefix){
		    .base = *base, .bits = base->sa.sa_family == AF_INET6 ? 128 : 32, .is_allow = is_allow, .host = h};
	}
}

static struct acl_list *list_new(struct acl_set *s, const char *name, bool default_allow)
{
	struct acl_list *l = mem_zalloc(sizeof(*l));
	if (!l)
		return NULL;
	l->default_allow = default_allow;
	if (hash_set(s->lists, sv_of(name), l) < 0) {
		mem_free(l);
		return NULL;
	}
	return l;
}

/* ---- built-in lists ---- */

static const char private_nets[] = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7";
static const char special_nets[] = "0.0.0.0/8,127.0.0.0/8,169.254.0.0/16,100.64.0.0/10,::1/128,fe80::/10";

struct builtin {
	const char *name;
	bool default_allow, is_allow;
	const char *nets, *more;
};
static const struct builtin builtins[] = {
    {"rfc1918.auto", false, true, "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16", ""},
    {"rfc6598.auto", false, true, "100.64.0.0/10", ""},
    {"loopback.auto", false, true, "127.0.0.0/8,::1/128", ""},
    {"any_v4.auto", false, true, "0.0.0.0/0", ""},
    {"any_v6.auto", false, true, "::/0", ""},
    {"wan.auto", true, false, private_nets, special_nets},
    {"wan_v4.auto", false, true, "0.0.0.0/0", ""},
    {"wan_v6.auto", false, true, "::/0", ""},
    {"nat.auto", false, true, private_nets, "100.64.0.0/10"},
    {"localnet.auto", false, true, "", ""},
};

static void nets_add(struct acl_list *l, const char *nets, bool is_allow)
{
	struct sv rest = sv_of(nets), one;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		list_add(l, one, is_allow, NULL);
	}
}

/* The network local4 lies in, by its interface's mask. */
static void localnet_text(const char *local4, char *out, size_t size)
{
	struct ifaddrs *all, *i;
	struct addr want, have;
	unsigned bits = 32;
	snprintf(out, size, "127.0.0.0/8");
	if (!local4 || addr_parse(&want, sv_of(local4), 0) < 0 || addr_is_loopback(&want) || getifaddrs(&all) < 0)
		return;
	for (i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !i->ifa_netmask)
			continue;
		memset(&have, 0, sizeof(have));
		memcpy(&have.in4, i->ifa_addr, sizeof(have.in4));
		if (addr_eq_host(&have, &want)) {
			struct sockaddr_in mask;
			memcpy(&mask, i->ifa_netmask, sizeof(mask));
			bits = (unsigned)__builtin_popcount(mask.sin_addr.s_addr);
			break;
		}
	}
	freeifaddrs(all);
	snprintf(out, size, "%s/%u", local4, bits);
}

static int builtins_add(struct acl_set *s, const char *local4)
{
	char localnet[ADDR_TEXT_MAX];
	localnet_text(local4, localnet, sizeof(localnet));
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++) {
		const struct builtin *b = &builtins[i];
		struct acl_list *l = list_new(s, b->name, b->default_allow);
		if (!l)
			return ST_NOMEM;
		nets_add(l, b->nets, b->is_allow);
		nets_add(l, b->more, b->is_allow);
		if (!strcmp(b->name, "localnet.auto"))
			nets_add(l, localnet, true);
		else if (!strcmp(b->name, "nat.auto"))
			nets_add(l, localnet, false);
		else if (!strcmp(b->name, "wan_v4.auto") || !strcmp(b->name, "wan_v6.auto"))
			nets_add(l, private_nets, false), nets_add(l, special_nets, false);
	}
	return ST_OK;
}

/* ---- acl.conf ---- */

struct user_scan {
	struct acl_list *list;
	bool is_allow;
};

static bool user_scan(struct dir_user *u, void *arg)
{
	struct user_scan *scan = arg;
	struct buf token;
	role_assert_ctl();
	struct sv rest = sv_of(dir_user_attr(u, "cidr")), one;
	if (!rest.n)
		return true;
	buf_init(&token);
	buf_printf(&token, "%s@%s", dir_user_id(u), dir_user_domain(u));
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (list_add(scan->list, one, scan->is_allow, token.p) == ST_PARSE)
			log_warning("acl: user %s: cidr \"%.*s\" is no network", token.p, SVF(one));
	}
	buf_fini(&token);
	return true;
}

/* host= is an address, a network or a name. */
static ON_CTL void host_add(
    struct acl_set *s, struct acl_list *l, struct sv host, bool is_allow, const struct xml_node *node)
{
	if (list_add(l, host, is_allow, NULL) != ST_PARSE)
		return;
	if (sv_find(host, '/') < host.n || acl_host_add(&s->hosts, l, sv_trim(host), is_allow))
		log_warning(
		    "acl: %s:%u: \"%.*s\" is no host", node->file ? node->file : "acl.conf", node->line, SVF(host));
}

static ON_CTL void node_add(struct acl_set *s, struct acl_list *l, const struct xml_node *node)
{
	bool is_allow = !strcasecmp(xml_attr_or(node, "type", "deny"), "allow");
	const char *cidr = xml_attr(node, "cidr"), *domain = xml_attr(node, "domain"), *host = xml_attr(node, "host");
	struct sv rest = sv_of(cidr), one, hosts = sv_of(host);
	if (domain) {
		struct user_scan scan = {l, is_allow};
		dir_each_user(sv_of(domain), NULL, user_scan, &scan);
	}
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (list_add(l, one, is_allow, NULL) == ST_PARSE)
			log_warning("acl: %s:%u: \"%.*s\" is no network", node->file ? node->file : "acl.conf",
			    node->line, SVF(one));
	}
	while (hosts.n) {
		sv_split(hosts, ',', &one, &hosts);
		host_add(s, l, one, is_allow, node);
	}
}

int acl_set_new(struct acl_set **out, const struct xml_node *conf, const char *local4)
{
	struct acl_set *s = mem_zalloc(sizeof(*s));
	int st = ST_NOMEM;
	if (s)
		list_init(&s->hosts);
	if (!s || (st = hash_new(&s->lists, 0, list_free)) < 0 || (st = builtins_add(s, local4)) < 0) {
		acl_set_free(s);
		return st;
	}
	xml_each(xml_child(conf, "network-lists"), "list", list)
	{
		const char *name = xml_attr(list, "name");
		struct acl_list *l =
		    name ? list_new(s, name, !strcasecmp(xml_attr_or(list, "default", "deny"), "allow")) : NULL;
		if (!l)
			continue;
		xml_each(list, "node", node) node_add(s, l, node);
	}
	*out = s;
	return ST_OK;
}

void acl_set_free(struct acl_set *s)
{
	if (!s)
		return;
	acl_hosts_free(&s->hosts);
	hash_free(s->lists);
	mem_free(s);
}

static bool list_allows(const struct acl_list *l, const struct addr *a, const char **token)
{
	const struct prefix *best = NULL;
	for (size_t i = 0; i < l->count; i++)
		if (prefix_fits(&l->prefixes[i], a) && (!best || l->prefixes[i].bits >= best->bits))
			best = &l->prefixes[i];
	if (!best)
		return l->default_allow;
	if (token && best->is_allow)
		*token = best->token;
	return best->is_allow;
}

/* An IPv4 address that came in on an IPv6 socket is judged as IPv4. */
static struct addr plain_addr(const struct addr *a)
{
	struct addr out = *a;
	if (a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		out = (struct addr){0};
		out.in4.sin_family = AF_INET;
		memcpy(&out.in4.sin_addr, a->in6.sin6_addr.s6_addr + 12, 4);
	}
	return out;
}

bool acl_set_allows(
    const struct acl_set *s, struct sv lists, const struct addr *addr, const char **token, struct sv *list_out)
{
	struct addr a = plain_addr(addr);
	struct sv one;
	struct prefix network;
	if (token)
		*token = NULL;
	while (lists.n) {
		sv_split(lists, ',', &one, &lists);
		/* "list:pass_context:fail_context": only the name counts here */
		struct sv name, contexts;
		const struct acl_list *l = hash_get(s->lists, one);
		if (!l && sv_find(one, '.') >= sv_find(one, ':') && sv_split(one, ':', &name, &contexts) &&
		    (l = hash_get(s->lists, name)))
			one = name;
		if (l ? list_allows(l, &a, token) : prefix_parse(&network, one) == ST_OK && prefix_fits(&network, &a)) {
			if (list_out)
				*list_out = one;
			return true;
		}
	}
	return false;
}

/* ---- the lists of the running configuration ---- */

static struct acl_set *current;

static void rebuild(void *arg)
{
	struct acl_set *fresh;
	role_assert_ctl();
	if (acl_set_new(&fresh, config_conf("acl.conf"), core_local_ip4()) < 0)
		return; /* out of memory: the old lists stay */
	acl_set_free(current);
	current = fresh;
	acl_hosts_ask(&current->hosts);
}

int acl_start(void)
{
	rebuild(NULL);
	return current ? config_on_swap(rebuild, NULL) : ST_NOMEM;
}

void acl_stop(void)
{
	config_on_swap_del(rebuild, NULL);
	acl_set_free(current);
	current = NULL;
}

bool acl_allows(struct sv lists, const struct addr *a, const char **token, struct sv *list_out)
{
	return current && acl_set_allows(current, lists, a, token, list_out);
}

bool acl_allows_host(struct sv lists, struct sv host)
{
	struct addr a;
	return !addr_parse(&a, host, 0) && acl_allows(lists, &a, NULL, NULL);
}

bool acl_is_lan(struct sv host)
{
	struct addr a;
	return !addr_parse(&a, host, 0) && (addr_is_private(&a) || addr_is_loopback(&a));
}
