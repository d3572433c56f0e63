/* Hosts in access lists by name: asked of the resolver when a set of lists is made, and again every few minutes, as
 * their addresses change. Nothing waits: until the first answer such a node lets nobody in. A name that cannot be asked
 * (nobody answers) keeps the addresses it had; one that does not exist any more loses them. */
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl_i.h"
#include "loop/loop.h"
#include "net/dns.h"

#define TIMEOUT_US (10 * 1000000LL)
#define REFRESH_US (300 * 1000000LL) /* what is cached for longer costs nothing to ask again */
#define AGAIN_US (30 * 1000000LL)    /* after no answer */

struct acl_host {
	struct lnode link;
	struct acl_list *list;
	bool is_allow, is_told;
	struct dns_ask *ask;
	struct ltimer timer;
	char name[];
};

static void ask(void *arg);

static ON_CTL void take(struct acl_host *h, const struct dns_answer *a)
{
	bool is_known = a->status == ST_OK || a->status == ST_NOTFOUND || a->status == ST_PARSE;
	if (is_known)
		acl_list_host_set(h->list, h, h->is_allow, a);
	if (a->status && !h->is_told)
		log_warning("acl: host %s: %s%s", h->name, status_text(a->status),
		    is_known ? ": nobody is let in by it" : ": the addresses that are known stay");
	h->is_told = a->status != ST_OK;
	loop_timer_set(&h->timer, a->status ? AGAIN_US : REFRESH_US, "acl host", ask, h);
}

static void on_answer(const struct dns_answer *a, void *arg)
{
	struct acl_host *h = arg;
	role_assert_ctl();
	h->ask = NULL;
	if (a->status != ST_CANCELLED)
		take(h, a);
}

static void ask(void *arg)
{
	struct acl_host *h = arg;
	struct dns_answer a;
	role_assert_ctl();
	if (dns_ask(&h->ask, DNS_ADDRESS, sv_of(h->name), NULL, TIMEOUT_US, &a, on_answer, h) == ST_AGAIN)
		return;
	h->ask = NULL;
	take(h, &a);
}

int acl_host_add(struct list *hosts, struct acl_list *l, struct sv name, bool is_allow)
{
	struct acl_host *h = name.n && name.n <= DNS_NAME_MAX ? mem_zalloc(sizeof(*h) + name.n + 1) : NULL;
	if (!h)
		return name.n && name.n <= DNS_NAME_MAX ? ST_NOMEM : ST_PARSE;
	memcpy(h->name, name.p, name.n);
	h->list = l;
	h->is_allow = is_allow;
	list_push(hosts, &h->link);
	return ST_OK;
}

void acl_hosts_ask(struct list *hosts)
{
	struct lnode *n, *tmp;
	list_each (hosts, n, tmp)
		ask(list_entry(n, struct acl_host, link));
}

void acl_hosts_free(struct list *hosts)
{
	struct lnode *n;
	while ((n = list_first(hosts))) {
		struct acl_host *h = list_entry(n, struct acl_host, link);
		list_remove(n);
		loop_timer_cancel(&h->timer);
		dns_cancel(h->ask);
		mem_free(h);
	}
}
