/* nat_map: the router in front of us and the ports it passes on (net/nat_map.h). Replies are FreeSWITCH's: "true" or
 * "false", and for status the router and the table of `show nat_map`. */
#include "api/api_i.h"
#include "core/registry/api.h"
#include "loop/co.h"
#include "net/nat_map.h"

#include <string.h>

/* Whoever waits has it on his stack, and waits to the end: jobs are bounded in time. */
static void on_done(int status, void *arg)
{
	struct co_wait *w = arg;
	role_assert_ctl();
	co_signal(w, status);
}

static ON_CTL void status_put(struct api_call *c)
{
	size_t count;
	const struct nat_mapping *m = nat_map_list(&count);
	buf_printf(c->out, "Nat Type: %s, ExtIP: %s\n", nat_map_kind() == NAT_UPNP ? "UPNP" : "NAT-PMP",
	    nat_map_external());
	if (count)
		buf_adds(c->out, "port,proto,proto_num,sticky\n");
	for (size_t i = 0; i < count; i++)
		buf_printf(c->out, "%u,%s,%d,%d\n", m[i].port, m[i].is_tcp ? "tcp" : "udp", m[i].is_tcp, m[i].is_sticky);
	buf_printf(c->out, "\n%zu total.\n", count);
}

static CO int map_change(const struct api_words *w, bool is_add)
{
	struct co_wait wait = {0};
	uint32_t port;
	bool is_tcp = w->n > 2 && !strcmp(w->w[2], "tcp"), is_sticky = w->n > 3 && !strcmp(w->w[3], "static");
	if (w->n < 2 || sv_u32(sv_of(w->w[1]), &port) || !port || port > 65535 ||
	    (w->n > 2 && !is_tcp && strcmp(w->w[2], "udp")))
		return ST_INVAL;
	int st = is_add ? nat_map_add((uint16_t)port, is_tcp, is_sticky, on_done, &wait)
	                : nat_map_del((uint16_t)port, is_tcp, on_done, &wait);
	return st ? st : co_wait(&wait, -1);
}

int api_nat_map(struct api_call *c)
{
	struct api_words w;
	struct co_wait wait = {0};
	role_assert_co();
	int st = api_words_init(&w, c, 4), done = ST_NOTFOUND;
	if (st)
		goto out;
	const char *verb = w.n ? w.w[0] : "";
	if (!strcmp(verb, "reinit")) {
		if (!(done = nat_map_reinit(on_done, &wait)))
			done = co_wait(&wait, -1);
	} else if (nat_map_is_found()) {
		if (!strcmp(verb, "status")) {
			status_put(c);
			goto out;
		}
		bool is_change = !strcmp(verb, "add") || !strcmp(verb, "del");
		done = is_change                       ? map_change(&w, *verb == 'a')
		       : !strcmp(verb, "republish") ? nat_map_republish()
		                                       : ST_INVAL;
	}
	api_text(c, done ? "false" : "true");
out:
	api_words_fini(&w);
	return st;
}
