/* What the resolver is told: the hosts file, resolv.conf (by c-ares), and for tests the environment. Reading blocks, so
 * it is done at start and on a worker; what was read does not change any more and is shared. Every look-up gets a
 * channel of its own from here: its own sockets with ports of the system's choice, so that an answer cannot be forged
 * by who learned the port of another question, and its own end. */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "net/dns_i.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HOSTS_MAX_BYTES = 4 << 20, TRY_MS = 1000, TRIES = 3 };
static const char resolv_path[] = "/etc/resolv.conf";

struct dns_conf {
	struct hash *hosts; /* name -> struct dns_answer */
	struct ares_options options;
	int option_mask;
	struct ares_addr_port_node *servers;
	struct stat hosts_stat, resolv_stat;
};

static const char *hosts_path(void)
{
	const char *other = getenv("TANDEM_HOSTS");
	return other && *other ? other : "/etc/hosts";
}

static void conf_free(void *obj)
{
	struct dns_conf *c = obj;
	hash_free(c->hosts);
	if (c->option_mask)
		ares_destroy_options(&c->options);
	if (c->servers)
		ares_free_data(c->servers);
}

static struct sv word_take(struct sv *rest)
{
	size_t i = 0, n;
	while (i < rest->n && (rest->p[i] == ' ' || rest->p[i] == '\t' || rest->p[i] == '\r'))
		i++;
	for (n = i; n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\r' && rest->p[n] != '#';)
		n++;
	struct sv word = sv_sub(*rest, i, n - i);
	*rest = n < rest->n && rest->p[n] == '#' ? SV_NONE : sv_sub(*rest, n, rest->n);
	return word;
}

static void host_add(struct dns_conf *c, struct sv name, const struct addr *addr)
{
	struct dns_answer *a = hash_get(c->hosts, name);
	if (!a) {
		a = mem_zalloc(sizeof(*a));
		if (!a || hash_set(c->hosts, name, a)) {
			mem_free(a);
			return;
		}
	}
	if (a->count < DNS_RECORDS_MAX)
		a->records[a->count++].addr = *addr;
}

static void hosts_read(struct dns_conf *c)
{
	struct sv rest, line, name;
	struct addr addr;
	struct buf text;
	buf_init(&text);
	if (slurp(hosts_path(), HOSTS_MAX_BYTES, &text, NULL))
		goto out;
	for (rest = buf_sv(&text); rest.n;) {
		sv_split(rest, '\n', &line, &rest);
		if (addr_parse(&addr, word_take(&line), 0))
			continue;
		while ((name = word_take(&line)).n)
			host_add(c, name, &addr);
	}
out:
	buf_fini(&text);
}

static int servers_read(struct dns_conf *c)
{
	struct ares_options o = {.timeout = TRY_MS, .tries = TRIES};
	int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES;
	const char *others = getenv("TANDEM_DNS_SERVERS");
	ares_channel base;
	if (others && *others)
		mask |= ARES_OPT_DOMAINS; /* none */
	int rc = ares_init_options(&base, &o, mask);
	if (rc)
		return rc == ARES_ENOMEM ? ST_NOMEM : ST_IO;
	if (others && *others && (rc = ares_set_servers_ports_csv(base, others)))
		log_error("dns: TANDEM_DNS_SERVERS: %s", ares_strerror(rc));
	rc = ares_save_options(base, &c->options, &c->option_mask);
	if (!rc)
		rc = ares_get_servers_ports(base, &c->servers);
	ares_destroy(base);
	return rc == ARES_ENOMEM ? ST_NOMEM : rc ? ST_IO : ST_OK;
}

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_init(void)
{
	ares_library_init(ARES_LIB_INIT_ALL);
}

int dns_conf_read(struct dns_conf **out)
{
	pthread_once(&library_once, library_init);
	struct dns_conf *c = mem_new_atomic(sizeof(*c), conf_free, "net.dns_conf");
	if (!c)
		return ST_NOMEM;
	stat(hosts_path(), &c->hosts_stat);
	stat(resolv_path, &c->resolv_stat);
	int st = hash_new(&c->hosts, HASH_NOCASE, mem_free);
	if (!st)
		st = servers_read(c);
	if (st) {
		mem_unref(c);
		return st;
	}
	hosts_read(c);
	*out = c;
	return ST_OK;
}

static bool is_changed(const char *path, const struct stat *was)
{
	struct stat now = {0};
	stat(path, &now);
	return now.st_ino != was->st_ino || now.st_dev != was->st_dev || now.st_size != was->st_size ||
	       now.st_mtim.tv_sec != was->st_mtim.tv_sec || now.st_mtim.tv_nsec != was->st_mtim.tv_nsec;
}

bool dns_conf_is_stale(const struct dns_conf *c)
{
	return is_changed(hosts_path(), &c->hosts_stat) || is_changed(resolv_path, &c->resolv_stat);
}

static bool fits(enum dns_kind kind, const struct addr *a)
{
	return kind == DNS_ADDRESS || (kind == DNS_A) == (a->sa.sa_family == AF_INET);
}

bool dns_conf_host(const struct dns_conf *c, enum dns_kind kind, struct sv name, struct dns_answer *a)
{
	const struct dns_answer *all = hash_get(c->hosts, name);
	if (!all)
		return false;
	a->count = 0;
	/* IPv4 first, as where servers are asked */
	for (int family = 0; family < 2; family++)
		for (size_t i = 0; i < all->count; i++)
			if (fits(kind, &all->records[i].addr) &&
			    (all->records[i].addr.sa.sa_family == AF_INET6) == (family == 1))
				a->records[a->count++] = all->records[i];
	a->status = a->count ? ST_OK : ST_NOTFOUND;
	return true;
}

bool dns_conf_has_host(const struct dns_conf *c, struct sv name)
{
	return hash_get(c->hosts, name) != NULL;
}

int dns_conf_channel(
    const struct dns_conf *c, const struct dns_servers *at, ares_sock_state_cb fn, void *arg, ares_channel *out)
{
	struct ares_options o = c->options;
	ares_channel channel;
	o.sock_state_cb = fn, o.sock_state_cb_data = arg;
	int rc = ares_init_options(
	    &channel, &o, c->option_mask | ARES_OPT_SOCK_STATE_CB | (at && at->is_random ? ARES_OPT_ROTATE : 0));
	if (rc)
		return rc == ARES_ENOMEM ? ST_NOMEM : ST_IO;
	if (at)
		rc = ares_set_servers_ports_csv(channel, at->list);
	else if (c->servers)
		rc = ares_set_servers_ports(channel, c->servers);
	if (rc) {
		ares_destroy(channel);
		return rc == ARES_ENOMEM ? ST_NOMEM : ST_IO;
	}
	*out = channel;
	return ST_OK;
}
