/* A hash of "proto ip port" to the list of contacts that came by that stream. One that cannot be entered (no memory) is
 * only not told when the stream ends: it then expires by its time. */
#include "endpoint/sip/reg/reg_flow_i.h"
#include "base/hash.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct reg_flows {
	struct hash *by_key; /* struct list */
};

int reg_flows_new(struct reg_flows **out)
{
	struct reg_flows *f = mem_zalloc(sizeof(*f));
	if (!f || hash_new(&f->by_key, 0, mem_free) < 0) {
		mem_free(f);
		return ST_NOMEM;
	}
	*out = f;
	return ST_OK;
}

void reg_flows_free(struct reg_flows *f)
{
	hash_free(f->by_key);
	mem_free(f);
}

static struct sv key_put(char out[96], const char *proto, const char *ip, unsigned port)
{
	return (struct sv){out, (size_t)snprintf(out, 96, "%.7s %.63s %u", proto, ip, port)};
}

void reg_flows_enter(struct reg_flows *f, struct reg *r)
{
	char text[96];
	if (!strcmp(r->proto, "udp"))
		return;
	struct sv key = key_put(text, r->proto, r->network_ip, r->network_port);
	struct list *l = hash_get(f->by_key, key);
	if (!l) {
		if (!(l = mem_zalloc(sizeof(*l))))
			return;
		list_init(l);
		if (hash_set(f->by_key, key, l)) {
			mem_free(l);
			return;
		}
	}
	list_push(l, &r->flow_link);
}

void reg_flows_leave(struct reg_flows *f, struct reg *r)
{
	char text[96];
	if (!lnode_is_linked(&r->flow_link))
		return;
	list_remove(&r->flow_link);
	struct sv key = key_put(text, r->proto, r->network_ip, r->network_port);
	struct list *l = hash_get(f->by_key, key);
	if (l && list_empty(l))
		hash_del(f->by_key, key);
}

struct list *reg_flows_find(struct reg_flows *f, const char *proto, const char *ip, unsigned port)
{
	char text[96];
	return hash_get(f->by_key, key_put(text, proto, ip, port));
}
