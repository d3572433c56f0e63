/* One serial queue of jobs on workers: find the router, map, unmap. A job carries all it needs and brings its answer
 * back; the table of mappings and what is known of the router are the control thread's. The router is a stranger on the
 * local network: its answers are bounded texts and numbers, and its outer address must be an address.
 *
 *   start, reinit -> find (UPnP, then NAT-PMP) -> sticky mappings anew
 *   timer -> find again (no router yet), or every mapping again (half of their lease) */
#include "net/nat_map.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "net/addr.h"
#include "net/nat_router_i.h"

#include <string.h>

enum { MAPPINGS_MAX = 64, JOBS_MAX = 128, LEASE_S = 3600, LOOK_AGAIN_S = 300 };

enum what { FIND, MAP, UNMAP };
struct job {
	struct nat_router router;
	enum what what;
	struct nat_mapping m;
	int status;
	nat_map_fn fn;
	void *arg;
};
static struct {
	bool is_on;
	struct work_serial *queue;
	struct nat_router router;
	struct nat_mapping mappings[MAPPINGS_MAX];
	size_t count;
	struct ltimer timer;
} nat;

static void on_timer(void *arg);

static struct nat_mapping *find(uint16_t port, bool is_tcp)
{
	for (size_t i = 0; i < nat.count; i++)
		if (nat.mappings[i].port == port && nat.mappings[i].is_tcp == is_tcp)
			return &nat.mappings[i];
	return NULL;
}

static void job_run(void *arg)
{
	struct job *j = arg;
	role_assert_work();
	switch (j->what) {
	case FIND:
		j->status = nat_router_find(&j->router);
		break;
	case MAP:
		j->m.external_port = j->m.port;
		j->status = nat_router_map(&j->router, &j->m, LEASE_S);
		break;
	case UNMAP:
		j->status = nat_router_unmap(&j->router, &j->m);
		break;
	}
}

static ON_CTL void found(const struct job *j)
{
	struct addr a;
	bool is_good = !j->status && !addr_parse(&a, (struct sv){j->router.external, strlen(j->router.external)}, 0);
	bool was = nat.router.kind != NAT_NONE;
	nat.router = is_good ? j->router : (struct nat_router){.kind = NAT_NONE};
	if (is_good && !was)
		log_notice("nat: a router is found (%s), its address is %s", j->router.kind == NAT_UPNP ? "UPnP" : "NAT-PMP",
		    j->router.external);
	else if (!is_good && was)
		log_warning("nat: the router is gone");
	if (is_good)
		nat_map_republish();
	loop_timer_set(&nat.timer, clock_us_of_s(is_good ? LEASE_S / 2 : LOOK_AGAIN_S), "nat", on_timer, NULL);
}

static void job_done(int status, void *arg)
{
	struct job *j = arg;
	role_assert_ctl();
	int st = status ? status : j->status;
	struct nat_mapping *m = find(j->m.port, j->m.is_tcp);
	if (nat.is_on && !status && j->what == FIND)
		found(j);
	if (nat.is_on && j->what == MAP && m) {
		m->external_port = st ? 0 : j->m.external_port;
		if (st)
			log_warning("nat: the router does not pass port %u on: %s", j->m.port, status_text(st));
		if (st && j->fn) /* asked for by somebody who is told so */
			*m = nat.mappings[--nat.count];
	}
	if (j->fn)
		j->fn(st, j->arg);
	mem_free(j);
}

static ON_CTL int job_submit(enum what what, const struct nat_mapping *m, nat_map_fn fn, void *arg)
{
	struct job *j = mem_zalloc(sizeof(*j));
	if (!j)
		return ST_NOMEM;
	j->what = what, j->router = nat.router, j->fn = fn, j->arg = arg;
	if (m)
		j->m = *m;
	int st = work_serial_submit(nat.queue, job_run, job_done, j);
	if (st)
		mem_free(j);
	return st == ST_FULL ? ST_LIMIT : st;
}

static void on_timer(void *arg)
{
	role_assert_ctl();
	job_submit(FIND, NULL, NULL, NULL);
}

void nat_map_start(void)
{
	memset(&nat, 0, sizeof(nat));
	if (work_serial_new(&nat.queue, WORK_NET, "nat", JOBS_MAX))
		return;
	nat.is_on = true;
	job_submit(FIND, NULL, NULL, NULL);
}

void nat_map_stop(void)
{
	if (!nat.is_on)
		return;
	nat.is_on = false;
	loop_timer_cancel(&nat.timer);
	work_serial_close(nat.queue);
	nat.queue = NULL;
}

bool nat_map_is_found(void)
{
	return nat.is_on && nat.router.kind != NAT_NONE;
}

enum nat_kind nat_map_kind(void)
{
	return nat.router.kind;
}

const char *nat_map_external(void)
{
	return nat_map_is_found() ? nat.router.external : NULL;
}

const char *nat_map_local(void)
{
	return nat.router.local;
}

int nat_map_add(uint16_t port, bool is_tcp, bool is_sticky, nat_map_fn fn, void *arg)
{
	struct nat_mapping *m = find(port, is_tcp);
	if (!nat_map_is_found())
		return ST_NOTFOUND;
	if (!m && nat.count == MAPPINGS_MAX)
		return ST_LIMIT;
	struct nat_mapping wanted = {.port = port, .is_tcp = is_tcp, .is_sticky = is_sticky};
	int st = job_submit(MAP, &wanted, fn, arg);
	if (st)
		return st;
	if (!m)
		nat.mappings[nat.count++] = wanted;
	else
		m->is_sticky |= is_sticky;
	return ST_OK;
}

int nat_map_del(uint16_t port, bool is_tcp, nat_map_fn fn, void *arg)
{
	struct nat_mapping *m = find(port, is_tcp);
	if (!nat_map_is_found() || !m)
		return ST_NOTFOUND;
	int st = job_submit(UNMAP, m, fn, arg);
	if (!st)
		*m = nat.mappings[--nat.count];
	return st;
}

int nat_map_republish(void)
{
	int st = nat_map_is_found() ? ST_OK : ST_NOTFOUND;
	for (size_t i = 0; !st && i < nat.count; i++)
		st = job_submit(MAP, &nat.mappings[i], NULL, NULL);
	return st;
}

int nat_map_reinit(nat_map_fn fn, void *arg)
{
	if (!nat.is_on)
		return ST_NOTFOUND;
	for (size_t i = nat.count; i--;)
		if (!nat.mappings[i].is_sticky)
			nat.mappings[i] = nat.mappings[--nat.count];
	return job_submit(FIND, NULL, fn, arg);
}

const struct nat_mapping *nat_map_list(size_t *count)
{
	*count = nat.is_on ? nat.count : 0;
	return nat.mappings;
}
