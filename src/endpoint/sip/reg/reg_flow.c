/* Registrations that go with their connection (tcp-unreg-on-socket-close): who registered over which connection, so that
 * its end finds them without looking at all. An entry is a hint; what counts is what the table says of the contact. */
#include "base/hash.h"
#include "base/mem.h"
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/reg/reg.h"

#include <string.h>

enum { USERS_PER_FLOW_MAX = 32 };
struct flow_user {
	char *user, *host;
};
struct flow {
	struct flow_user users[USERS_PER_FLOW_MAX];
	size_t count;
};

static void flow_free(void *value)
{
	struct flow *f = value;
	for (size_t i = 0; i < f->count; i++)
		mem_free(f->users[i].user), mem_free(f->users[i].host);
	mem_free(f);
}

static void flow_key(struct buf *out, enum sip_transport t, const struct addr *peer)
{
	char text[ADDR_TEXT_MAX];
	buf_printf(out, "%s %s", sip_transport_facts(t)->param, addr_text(peer, text));
}

static int flows_open(struct profile *p, void *mine)
{
	return hash_new(mine, 0, flow_free);
}

static void flows_stop(struct profile *p, void *mine)
{
	hash_free(*(struct hash **)mine);
	*(struct hash **)mine = NULL;
}

static const struct profile_slot slot = {"flows", sizeof(struct hash *)};
const struct profile_part reg_flow_part = {.slot = &slot, .open = flows_open, .stop = flows_stop};

void reg_flow_watch(struct profile *p, struct sip_stx *tx, struct sv user, struct sv host)
{
	struct hash *flows = *(struct hash **)profile_slot_of(p, &slot);
	struct buf key;
	if (!flows || !sip_transport_is_reliable(sip_stx_transport(tx)))
		return;
	buf_init(&key);
	flow_key(&key, sip_stx_transport(tx), sip_stx_peer(tx));
	struct flow *f = hash_get(flows, buf_sv(&key));
	if (!f && (f = mem_zalloc(sizeof(*f))) && hash_set(flows, buf_sv(&key), f)) {
		mem_free(f);
		f = NULL;
	}
	buf_fini(&key);
	for (size_t i = 0; f && i < f->count; i++)
		if (sv_is(user, f->users[i].user) && sv_is(host, f->users[i].host))
			return;
	if (!f || f->count == USERS_PER_FLOW_MAX)
		return;
	struct flow_user *u = &f->users[f->count];
	u->user = sv_dup(user);
	u->host = sv_dup(host);
	f->count++;
	sip_stx_watch_conn(tx);
}

static bool is_over_it(const struct reg *r, enum sip_transport t, const struct addr *peer)
{
	char host[ADDR_TEXT_MAX];
	return r->network_port == addr_port(peer) && !strcmp(r->proto, sip_transport_facts(t)->param) &&
	       !strcmp(r->network_ip, addr_host(peer, host));
}

void reg_flow_ended(struct sip_stack *s, enum sip_transport t, const struct addr *peer, void *profile)
{
	struct profile *p = profile;
	role_assert_ctl();
	struct hash *flows = *(struct hash **)profile_slot_of(p, &slot);
	const struct reg *regs[REG_CONTACTS_MAX];
	struct buf key;
	buf_init(&key);
	flow_key(&key, t, peer);
	struct flow *f = flows ? hash_take(flows, buf_sv(&key)) : NULL;
	buf_fini(&key);
	for (size_t i = 0; f && i < f->count; i++) {
		struct reg_table *table = reg_table_of(p);
		size_t n = reg_table_find(table, sv_of(f->users[i].user), sv_of(f->users[i].host), regs, REG_CONTACTS_MAX);
		for (size_t k = 0; k < n && k < REG_CONTACTS_MAX; k++)
			if (is_over_it(regs[k], t, peer))
				reg_table_expire(table, regs[k]);
	}
	if (f)
		flow_free(f);
}
