/* Users sit in a hash by "user@host"; each has a short list of contacts, sorted by falling q. All contacts are also in
 * one list in order of registration, which is what `sofia status profile X reg` prints. A contact's timer is in the
 * loop's heap. */
#include "endpoint/sip/reg/reg_table.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/rand.h"
#include "endpoint/sip/reg/reg_flow_i.h"

#include <ctype.h>
#include <string.h>

struct reg_aor {
	char *key; /* user@host, host in lower case */
	char *user, *host;
	struct list contacts;
	size_t count;
	struct reg_table *table;
};
struct reg_table {
	struct hash *aors, *gruus; /* by user@host; by the bytes of gruu_number */
	struct reg_flows *flows;
	struct list all;
	size_t count;
	reg_change_fn fn;
	void *arg;
};

static void on_due(void *arg);

int reg_table_new(struct reg_table **out, reg_change_fn fn, void *arg)
{
	struct reg_table *t = mem_zalloc(sizeof(*t));
	if (!t || hash_new(&t->aors, 0, NULL) < 0 || hash_new(&t->gruus, 0, NULL) < 0 || reg_flows_new(&t->flows) < 0) {
		if (t)
			hash_free(t->aors), hash_free(t->gruus);
		mem_free(t);
		return ST_NOMEM;
	}
	list_init(&t->all);
	t->fn = fn, t->arg = arg;
	*out = t;
	return ST_OK;
}

static int key_make(struct buf *b, struct sv user, struct sv host)
{
	buf_init(b);
	b->max = 1024;
	buf_addv(b, user);
	buf_addc(b, '@');
	for (size_t i = 0; i < host.n; i++)
		buf_addc(b, (char)tolower((unsigned char)host.p[i]));
	return b->failed ? ST_NOMEM : ST_OK;
}

static struct reg_aor *aor_find(struct reg_table *t, struct sv user, struct sv host)
{
	struct buf key;
	struct reg_aor *a = NULL;
	if (key_make(&key, user, host) == ST_OK)
		a = hash_get(t->aors, buf_sv(&key));
	buf_fini(&key);
	return a;
}

static struct reg_aor *aor_get(struct reg_table *t, struct sv user, struct sv host)
{
	struct reg_aor *a = aor_find(t, user, host);
	struct buf key;
	if (a)
		return a;
	if (key_make(&key, user, host) < 0 || !(a = mem_zalloc(sizeof(*a)))) {
		buf_fini(&key);
		return NULL;
	}
	list_init(&a->contacts);
	a->table = t;
	a->key = buf_take(&key);
	a->user = sv_dup(user);
	a->host = sv_dup(sv_of(strrchr(a->key, '@') + 1));
	if (!a->user || !a->host || hash_set(t->aors, sv_of(a->key), a) < 0) {
		mem_free(a->key), mem_free(a->user), mem_free(a->host), mem_free(a);
		return NULL;
	}
	return a;
}

static void aor_drop_if_empty(struct reg_table *t, struct reg_aor *a)
{
	if (a->count)
		return;
	hash_del(t->aors, sv_of(a->key));
	mem_free(a->key), mem_free(a->user), mem_free(a->host), mem_free(a);
}

static void reg_free(struct reg *r)
{
	mem_free(r->contact_uri), mem_free(r->target), mem_free(r->display), mem_free(r->call_id), mem_free(r->agent);
	mem_free(r->network_ip), mem_free(r->auth_user), mem_free(r->auth_realm), mem_free(r->path);
	mem_free(r->instance);
	mem_free(r);
}

static struct sv gruu_key(const struct reg *r)
{
	return (struct sv){(const char *)&r->gruu_number, sizeof(r->gruu_number)};
}

/* Without memory it has no temporary GRUU. */
static void gruu_enter(struct reg_table *t, struct reg *r)
{
	r->gruu_number = *r->instance ? rand_u64() : 0;
	if (r->gruu_number && hash_set(t->gruus, gruu_key(r), r) < 0)
		r->gruu_number = 0;
}

const struct reg *reg_table_by_gruu(struct reg_table *t, uint64_t number)
{
	return hash_get(t->gruus, (struct sv){(const char *)&number, sizeof(number)});
}

static ON_CTL void reg_unlink(struct reg_table *t, struct reg *r)
{
	loop_timer_cancel(&r->timer);
	list_remove(&r->aor_link);
	list_remove(&r->all_link);
	reg_flows_leave(t->flows, r);
	if (r->gruu_number)
		hash_del(t->gruus, gruu_key(r));
	r->aor->count--;
	t->count--;
}

/* The user stays in the table even when this was the last contact: callers that go on with it drop it themselves. */
static ON_CTL void reg_remove(struct reg_table *t, struct reg *r, enum reg_change change)
{
	reg_unlink(t, r);
	if (t->fn)
		t->fn(r, change, t->arg);
	reg_free(r);
}

void reg_table_free(struct reg_table *t)
{
	struct hash_it it = {0};
	struct lnode *n, *tmp;
	if (!t)
		return;
	list_each (&t->all, n, tmp) {
		struct reg *r = list_entry(n, struct reg, all_link);
		reg_unlink(t, r);
		reg_free(r);
	}
	while (hash_next(t->aors, &it))
		aor_drop_if_empty(t, it.value);
	hash_free(t->aors);
	hash_free(t->gruus);
	reg_flows_free(t->flows);
	mem_free(t);
}

static void on_due(void *arg)
{
	struct reg *r = arg;
	struct reg_aor *a = r->aor;
	struct reg_table *t = a->table;
	role_assert_ctl();
	reg_remove(t, r, REG_EXPIRED);
	aor_drop_if_empty(t, a);
}

static void sorted_insert(struct reg_aor *a, struct reg *r)
{
	struct lnode *it, *tmp;
	list_each (&a->contacts, it, tmp) {
		if (list_entry(it, struct reg, aor_link)->q_milli <= r->q_milli)
			break;
	}
	list_insert(&r->aor_link, it->prev, it);
	a->count++;
}

static void text_keep(char **field, struct sv v)
{
	if (*field && sv_eq(sv_of(*field), v))
		return;
	mem_free(*field);
	*field = sv_dup(v);
}

static bool reg_fill(struct reg *r, const struct reg_put *p)
{
	text_keep(&r->contact_uri, p->contact_uri), text_keep(&r->target, p->target),
	    text_keep(&r->display, p->display);
	text_keep(&r->call_id, p->call_id), text_keep(&r->agent, p->agent), text_keep(&r->network_ip, p->network_ip);
	text_keep(&r->auth_user, p->auth_user), text_keep(&r->auth_realm, p->auth_realm), text_keep(&r->path, p->path);
	text_keep(&r->instance, p->instance);
	r->reg_id = p->reg_id;
	r->proto = p->proto;
	r->network_port = p->network_port;
	r->is_nat = p->is_nat;
	r->q_milli = p->q_milli;
	r->cseq = p->cseq;
	r->expires_s = p->expires_s;
	return r->contact_uri && r->target && r->display && r->call_id && r->agent && r->network_ip && r->auth_user &&
	       r->auth_realm && r->path && r->instance;
}

static ON_CTL void reg_arm(struct reg *r, int64_t left_s)
{
	r->due_us = clock_mono_us() + clock_us_of_s(left_s);
	loop_timer_set(&r->timer, clock_us_of_s(left_s), "reg.expire", on_due, r);
}

static struct reg *reg_by_contact(struct reg_aor *a, struct sv uri)
{
	struct lnode *n, *tmp;
	list_each (&a->contacts, n, tmp) {
		struct reg *r = list_entry(n, struct reg, aor_link);
		if (sv_eq(sv_of(r->contact_uri), uri))
			return r;
	}
	return NULL;
}

/* The flow of an instance (RFC 5626): its contact may have another URI each time. */
static struct reg *reg_by_flow(struct reg_aor *a, const struct reg_put *p)
{
	struct lnode *n, *tmp;
	list_each (&a->contacts, n, tmp) {
		struct reg *r = list_entry(n, struct reg, aor_link);
		if (p->reg_id && r->reg_id == p->reg_id && sv_eq(sv_of(r->instance), p->instance))
			return r;
	}
	return NULL;
}

bool reg_is_owned(const struct reg *r, const struct reg_owner *o)
{
	return sv_eq(sv_of(r->auth_user), o->user) && (o->has_any_realm || sv_eqi(sv_of(r->auth_realm), o->realm));
}

static struct reg_owner owner_of(const struct reg_put *p)
{
	return (struct reg_owner){p->auth_user, p->auth_realm, p->has_any_realm};
}

static size_t owned_count(struct reg_aor *a, const struct reg_owner *o)
{
	struct lnode *n, *tmp;
	size_t count = 0;
	list_each (&a->contacts, n, tmp)
		count += reg_is_owned(list_entry(n, struct reg, aor_link), o);
	return count;
}

static struct reg *reg_by_call_id(struct reg_aor *a, const struct reg_owner *o, struct sv call_id)
{
	struct lnode *n, *tmp;
	list_each (&a->contacts, n, tmp) {
		struct reg *r = list_entry(n, struct reg, aor_link);
		if (sv_eq(sv_of(r->call_id), call_id) && reg_is_owned(r, o))
			return r;
	}
	return NULL;
}

static ON_CTL struct reg *reg_add(struct reg_table *t, struct reg_aor *a, const struct reg_put *p)
{
	struct reg *r = mem_zalloc(sizeof(*r));
	if (!r || !reg_fill(r, p)) {
		if (r)
			reg_free(r);
		return NULL;
	}
	r->aor = a, r->user = a->user, r->host = a->host;
	r->registered_epoch_s = clock_wall_us() / 1000000;
	sorted_insert(a, r);
	list_push(&t->all, &r->all_link);
	reg_flows_enter(t->flows, r);
	gruu_enter(t, r);
	t->count++;
	return r;
}

/* Contacts of the user that this request makes obsolete. Those written by the same request (call-id and CSeq) stay. */
static ON_CTL void replace_others(
    struct reg_table *t, struct reg_aor *a, enum reg_mode mode, const struct reg_put *p, const struct reg *kept)
{
	struct lnode *n, *tmp;
	struct reg_owner owner = owner_of(p);
	if (mode == REG_BY_CONTACT)
		return;
	list_each (&a->contacts, n, tmp) {
		struct reg *r = list_entry(n, struct reg, aor_link);
		bool is_same_call = sv_eq(sv_of(r->call_id), p->call_id);
		bool is_other_flow = p->reg_id && r->reg_id && sv_eq(sv_of(r->instance), p->instance);
		if (r == kept || is_other_flow || !reg_is_owned(r, &owner) || (is_same_call && r->cseq == p->cseq) ||
		    (mode == REG_BY_CALL_ID && !is_same_call))
			continue;
		reg_remove(t, r, REG_REMOVED);
	}
}

/* A phone that was restarted comes back from the same host with another port: its oldest contact makes room. */
static struct reg *oldest_of_same_phone(struct reg_aor *a, const struct reg_put *p)
{
	struct lnode *n, *tmp;
	struct reg *oldest = NULL;
	struct reg_owner owner = owner_of(p);
	list_each (&a->contacts, n, tmp) {
		struct reg *r = list_entry(n, struct reg, aor_link);
		bool is_same_phone =
		    p->network_ip.n && sv_eq(sv_of(r->network_ip), p->network_ip) && sv_eq(sv_of(r->agent), p->agent);
		bool is_same_request = sv_eq(sv_of(r->call_id), p->call_id) && r->cseq == p->cseq;
		if (is_same_phone && !is_same_request && reg_is_owned(r, &owner) &&
		    (!oldest || r->due_us < oldest->due_us))
			oldest = r;
	}
	return oldest;
}

int reg_table_put(struct reg_table *t, enum reg_mode mode, const struct reg_put *p, const struct reg **out)
{
	struct reg_aor *a = aor_get(t, p->user, p->host);
	size_t max = p->max_contacts && p->max_contacts < REG_CONTACTS_MAX ? p->max_contacts : REG_CONTACTS_MAX;
	struct reg *r;
	struct reg_owner owner = owner_of(p);
	enum reg_change change = REG_REFRESHED;
	int st = ST_OK;
	if (!a)
		return ST_NOMEM;
	struct reg *flow = reg_by_flow(a, p);
	r = reg_by_contact(a, p->contact_uri);
	if ((r && !reg_is_owned(r, &owner)) || (flow && !reg_is_owned(flow, &owner)))
		return ST_DENIED;
	if (flow && flow != r) { /* the phone has a new address for it */
		if (sv_eq(sv_of(flow->call_id), p->call_id) && p->cseq <= flow->cseq)
			return ST_EXISTS;
		reg_remove(t, flow, REG_REMOVED);
	}
	if (r && sv_eq(sv_of(r->call_id), p->call_id) && p->cseq <= r->cseq)
		return ST_EXISTS;
	replace_others(t, a, mode, p, r);
	if (r && sv_eq(sv_of(r->call_id), p->call_id)) {
		list_remove(&r->aor_link);
		a->count--;
		reg_flows_leave(t->flows, r);
		if (!reg_fill(r, p))
			st = ST_NOMEM;
		reg_flows_enter(t->flows, r);
		sorted_insert(a, r);
	} else {
		if (r)
			reg_remove(t, r, REG_REMOVED);
		change = REG_ADDED;
		struct reg *oldest = owned_count(a, &owner) >= max ? oldest_of_same_phone(a, p) : NULL;
		if (oldest)
			reg_remove(t, oldest, REG_REMOVED);
		if (owned_count(a, &owner) >= max)
			st = ST_LIMIT;
		else if (!(r = reg_add(t, a, p)))
			st = ST_NOMEM;
	}
	if (st < 0) {
		aor_drop_if_empty(t, a);
		return st;
	}
	r->expires_epoch_s = clock_wall_us() / 1000000 + p->expires_s + p->late_margin_s;
	reg_arm(r, p->expires_s + p->late_margin_s);
	if (t->fn)
		t->fn(r, change, t->arg);
	if (out)
		*out = r;
	return ST_OK;
}

int reg_table_restore(struct reg_table *t, const struct reg_put *p, int64_t expires_epoch_s)
{
	int64_t left_s = expires_epoch_s - clock_wall_us() / 1000000;
	struct reg_aor *a;
	struct reg *r;
	if (left_s <= 0)
		return ST_NOTFOUND;
	if (!(a = aor_get(t, p->user, p->host)))
		return ST_NOMEM;
	if (a->count >= REG_CONTACTS_MAX || reg_by_contact(a, p->contact_uri))
		return ST_NOTFOUND;
	if (!(r = reg_add(t, a, p))) {
		aor_drop_if_empty(t, a);
		return ST_NOMEM;
	}
	r->expires_epoch_s = expires_epoch_s;
	reg_arm(r, left_s);
	return ST_OK;
}

int reg_table_del(struct reg_table *t, struct sv user, struct sv host, const struct reg_owner *owner,
    struct sv contact_uri, struct sv call_id, uint32_t cseq)
{
	struct reg_aor *a = aor_find(t, user, host);
	struct reg *r = a ? reg_by_contact(a, contact_uri) : NULL;
	if (a && !r)
		r = reg_by_call_id(a, owner, call_id);
	if (!r || !reg_is_owned(r, owner))
		return ST_NOTFOUND;
	if (sv_eq(sv_of(r->call_id), call_id) && cseq <= r->cseq)
		return ST_EXISTS;
	reg_remove(t, r, REG_REMOVED);
	aor_drop_if_empty(t, a);
	return ST_OK;
}

size_t reg_table_del_all(struct reg_table *t, struct sv user, struct sv host, const struct reg_owner *owner)
{
	struct reg_aor *a = aor_find(t, user, host);
	struct lnode *n, *tmp;
	size_t removed = 0;
	if (!a)
		return 0;
	list_each (&a->contacts, n, tmp) {
		struct reg *r = list_entry(n, struct reg, aor_link);
		if (!reg_is_owned(r, owner))
			continue;
		reg_remove(t, r, REG_REMOVED);
		removed++;
	}
	aor_drop_if_empty(t, a);
	return removed;
}

struct reg *reg_table_get(struct reg_table *t, struct sv user, struct sv host, struct sv contact_uri)
{
	struct reg_aor *a = aor_find(t, user, host);
	return a ? reg_by_contact(a, contact_uri) : NULL;
}

void reg_table_drop(struct reg_table *t, struct reg *r, enum reg_change change)
{
	struct reg_aor *a = r->aor;
	reg_remove(t, r, change);
	aor_drop_if_empty(t, a);
}

size_t reg_table_each_of_flow(struct reg_table *t, const char *proto, const char *ip, unsigned port,
    void (*fn)(struct reg_table *t, struct reg *r, void *arg), void *arg)
{
	struct list *l = reg_flows_find(t->flows, proto, ip, port);
	struct lnode *n = l ? list_first(l) : NULL, *next;
	size_t count = 0;
	for (; n; n = next, count++) {
		next = n->next == &l->head ? NULL : n->next;
		fn(t, list_entry(n, struct reg, flow_link), arg); /* the list goes with its last */
	}
	return count;
}

bool reg_is_meant(const struct reg *r, struct sv what)
{
	struct sv user, host;
	if (!what.n || sv_eq(sv_of(r->call_id), what))
		return true;
	return sv_split(what, '@', &user, &host) && sv_eqi(sv_of(r->host), host) &&
	       (!user.n || sv_eq(sv_of(r->user), user));
}

size_t reg_table_flush(struct reg_table *t, struct sv what)
{
	struct lnode *n, *tmp;
	size_t removed = 0;
	list_each (&t->all, n, tmp) {
		struct reg *r = list_entry(n, struct reg, all_link);
		struct reg_aor *a = r->aor;
		if (!reg_is_meant(r, what))
			continue;
		reg_remove(t, r, REG_REMOVED);
		aor_drop_if_empty(t, a);
		removed++;
	}
	return removed;
}

size_t reg_table_count(const struct reg_table *t)
{
	return t->count;
}

size_t reg_table_find(struct reg_table *t, struct sv user, struct sv host, const struct reg **out, size_t max)
{
	struct lnode *n, *tmp;
	size_t found = 0;
	struct reg_aor *a = host.n ? aor_find(t, user, host) : NULL;
	if (host.n) {
		if (a)
			list_each (&a->contacts, n, tmp) {
				if (found++ < max)
					out[found - 1] = list_entry(n, struct reg, aor_link);
			}
		return found;
	}
	list_each (&t->all, n, tmp) {
		const struct reg *r = list_entry(n, struct reg, all_link);
		if (sv_eq(sv_of(r->user), user) && found++ < max)
			out[found - 1] = r;
	}
	return found;
}

void reg_table_each(struct reg_table *t, void (*fn)(const struct reg *r, void *arg), void *arg)
{
	struct lnode *n, *tmp;
	list_each (&t->all, n, tmp)
		fn(list_entry(n, struct reg, all_link), arg);
}

void reg_table_each_mut(struct reg_table *t, void (*fn)(struct reg *r, void *arg), void *arg)
{
	struct lnode *n, *tmp;
	list_each (&t->all, n, tmp)
		fn(list_entry(n, struct reg, all_link), arg);
}
