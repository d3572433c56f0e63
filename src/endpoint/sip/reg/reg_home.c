/* Where registrations live: one table per profile name, made on first use and kept until the module goes, so that a
 * restarted profile finds them; each change goes to the store (disk). At start the store's rows come back. Core asks
 * here who is registered. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/dsn.h"
#include "core/event/event.h"
#include "core/registry/ready.h"
#include "core/registry/registrations.h"
#include "endpoint/sip/reg/reg_i.h"
#include "endpoint/sip/uri/uri.h"
#include "presence/presence.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reg_home {
	char *profile;
	struct reg_table *table;
};
static struct {
	struct hash *tables; /* profile name -> struct reg_home: outlives a restart of its profile */
	struct store *store; /* NULL: nothing is kept on disk */
} homes;
enum {
	COL_PROFILE,
	COL_USER,
	COL_HOST,
	COL_CONTACT,
	COL_TARGET,
	COL_DISPLAY,
	COL_CALL_ID,
	COL_AGENT,
	COL_IP,
	COL_PORT,
	COL_PROTO,
	COL_AUTH_USER,
	COL_AUTH_REALM,
	COL_PATH,
	COL_Q,
	COL_CSEQ,
	COL_IS_NAT,
	COL_GRANTED,
	COL_EXPIRES,
	COL_INSTANCE,
	COL_REG_ID,
	COL_COUNT
};
static const char *const columns[] = {"profile", "sip_user", "sip_host", "contact", "target", "display", "call_id",
    "user_agent", "network_ip", "network_port", "network_proto", "sip_username", "sip_realm", "path", "q", "cseq",
    "is_nat", "granted", "expires", "instance", "reg_id", NULL};
static const struct store_table table = {"sip_registrations", columns, 4, "expires"};

void reg_contact_text(const struct reg *r, struct buf *out)
{
	sip_put_quoted(out, sv_of(r->display));
	buf_printf(out, " <%s>", r->target);
}

static ON_CTL void store_write(const struct reg_home *h, const struct reg *r)
{
	char port[12], q[12], cseq[12], granted[24], expires[24], reg_id[12];
	struct sv v[COL_COUNT] = {
	    [COL_PROFILE] = sv_of(h->profile),
	    [COL_USER] = sv_of(r->user),
	    [COL_HOST] = sv_of(r->host),
	    [COL_CONTACT] = sv_of(r->contact_uri),
	    [COL_TARGET] = sv_of(r->target),
	    [COL_DISPLAY] = sv_of(r->display),
	    [COL_CALL_ID] = sv_of(r->call_id),
	    [COL_AGENT] = sv_of(r->agent),
	    [COL_IP] = sv_of(r->network_ip),
	    [COL_PROTO] = sv_of(r->proto),
	    [COL_AUTH_USER] = sv_of(r->auth_user),
	    [COL_AUTH_REALM] = sv_of(r->auth_realm),
	    [COL_PATH] = sv_of(r->path),
	    [COL_IS_NAT] = sv_of(r->is_nat ? "1" : "0"),
	    [COL_INSTANCE] = sv_of(r->instance),
	};
	v[COL_REG_ID] = (struct sv){reg_id, (size_t)snprintf(reg_id, sizeof(reg_id), "%u", r->reg_id)};
	v[COL_PORT] = (struct sv){port, (size_t)snprintf(port, sizeof(port), "%u", r->network_port)};
	v[COL_Q] = (struct sv){q, (size_t)snprintf(q, sizeof(q), "%u", r->q_milli)};
	v[COL_CSEQ] = (struct sv){cseq, (size_t)snprintf(cseq, sizeof(cseq), "%" PRIu32, r->cseq)};
	v[COL_GRANTED] = (struct sv){granted, (size_t)snprintf(granted, sizeof(granted), "%" PRId64, r->expires_s)};
	v[COL_EXPIRES] =
	    (struct sv){expires, (size_t)snprintf(expires, sizeof(expires), "%" PRId64, r->expires_epoch_s)};
	store_put(homes.store, &table, v);
}

static ON_CTL void expire_event(const struct reg_home *h, const struct reg *r)
{
	struct buf contact;
	if (!event_is_wanted(EVENT_CUSTOM, "sofia::expire"))
		return;
	struct event *e = event_new(EVENT_CUSTOM, "sofia::expire");
	if (!e)
		return;
	buf_init(&contact);
	reg_contact_text(r, &contact);
	event_add(e, "profile-name", h->profile);
	event_add(e, "user", r->user);
	event_add(e, "host", r->host);
	event_add(e, "contact", contact.p);
	event_addf(e, "expires", "%" PRId64, r->expires_epoch_s);
	event_add(e, "user-agent", r->agent);
	event_add(e, "call-id", r->call_id);
	buf_fini(&contact);
	event_fire(e);
}

/* presence-probe-on-register: programs are asked what they know of him. */
static ON_CTL void probe_event(const struct profile *p, const struct reg *r)
{
	struct event *e;
	if (!event_is_wanted(EVENT_PRESENCE_PROBE, NULL) || !(e = event_new(EVENT_PRESENCE_PROBE, NULL)))
		return;
	event_add(e, "proto", "sip");
	event_add(e, "login", p->conf.name);
	event_addf(e, "from", "%s@%s", r->user, r->host);
	event_addf(e, "to", "%s@%s", r->user, r->host);
	event_add(e, "event_type", "presence");
	event_add(e, "presence-source", "register");
	event_add(e, "alt_event_type", "dialog");
	event_fire(e);
}

/* Who watches the user hears that the first phone came, or the last one went. */
static ON_CTL void presence_tell(const struct reg_home *h, const struct reg *r, enum reg_change change)
{
	const struct reg *others[2];
	struct profile *p = profile_find_exact(sv_of(h->profile));
	const char *when = p ? p->conf.presence_on_register : "false";
	size_t n = reg_table_find(h->table, sv_of(r->user), sv_of(r->host), others, 2);
	bool is_told = change != REG_ADDED ||
	               (strcasecmp(when, "first-only") ? str_is_true(when) || !strcasecmp(when, "all") : n <= 1);
	if (p && is_told)
		presence_touch(sv_of(r->user), sv_of(r->host));
	if (p && is_told && change == REG_ADDED && p->conf.probes_on_register)
		probe_event(p, r);
}

static void on_change(const struct reg *r, enum reg_change change, void *arg)
{
	const struct reg_home *h = arg;
	role_assert_ctl();
	if (change != REG_REFRESHED)
		presence_tell(h, r, change);
	core_registration_changed(sv_of(r->user), sv_of(r->host));
	if (change == REG_ADDED || change == REG_REFRESHED) {
		if (homes.store)
			store_write(h, r);
		return;
	}
	if (change == REG_EXPIRED)
		expire_event(h, r);
	if (homes.store)
		store_del(homes.store, &table,
		    (struct sv[]){sv_of(h->profile), sv_of(r->user), sv_of(r->host), sv_of(r->contact_uri)});
}

/* ---- what core asks ---- */

struct row_ask {
	const struct reg_home *h;
	core_registration_fn fn;
	void *arg;
};

static void row_give(const struct reg *r, void *arg)
{
	const struct row_ask *q = arg;
	struct buf url;
	char port[12];
	role_assert_ctl();
	buf_init(&url);
	buf_printf(&url, "sofia/%s/%s", q->h->profile, r->target);
	snprintf(port, sizeof(port), "%u", r->network_port);
	q->fn(&(struct core_registration){.user = r->user,
	          .realm = r->host,
	          .token = r->call_id,
	          .url = url.p,
	          .network_ip = r->network_ip,
	          .network_port = port,
	          .network_proto = r->proto,
	          .metadata = "",
	          .expires_epoch = r->expires_epoch_s},
	    q->arg);
	buf_fini(&url);
}

static void rows_each(core_registration_fn fn, void *arg)
{
	struct hash_it it = {0};
	role_assert_ctl();
	while (hash_next(homes.tables, &it)) {
		const struct reg_home *h = it.value;
		reg_table_each(h->table, row_give, &(struct row_ask){h, fn, arg});
	}
}

static void rows_find(struct sv user, struct sv realm, core_registration_fn fn, void *arg)
{
	const struct reg *found[REG_CONTACTS_MAX];
	struct hash_it it = {0};
	role_assert_ctl();
	while (realm.n && hash_next(homes.tables, &it)) {
		const struct reg_home *h = it.value;
		size_t n = reg_table_find(h->table, user, realm, found, REG_CONTACTS_MAX);
		for (size_t i = 0; i < n && i < REG_CONTACTS_MAX; i++)
			row_give(found[i], &(struct row_ask){h, fn, arg});
	}
}

static size_t rows_count(void)
{
	struct hash_it it = {0};
	size_t count = 0;
	role_assert_ctl();
	while (hash_next(homes.tables, &it))
		count += reg_table_count(((const struct reg_home *)it.value)->table);
	return count;
}

static const struct core_registrar registrar = {"sofia", rows_each, rows_find, rows_count};

static ON_CTL struct reg_home *home_get(const char *profile_name)
{
	struct reg_home *h = homes.tables ? hash_get(homes.tables, sv_of(profile_name)) : NULL;
	if (h || (!homes.tables && hash_new(&homes.tables, 0, NULL) < 0))
		return h;
	core_registrar_add(&registrar);
	if (!(h = mem_zalloc(sizeof(*h))))
		return NULL;
	if (!(h->profile = mem_strdup(profile_name)) || reg_table_new(&h->table, on_change, h) < 0 ||
	    hash_set(homes.tables, sv_of(profile_name), h) < 0) {
		reg_table_free(h->table);
		mem_free(h->profile);
		mem_free(h);
		return NULL;
	}
	return h;
}

/* ---- a profile's part: its table, borrowed ---- */

static int reg_part_open(struct profile *p, void *mine)
{
	role_assert_ctl();
	struct reg_home *h = home_get(p->conf.name);
	if (h)
		*(struct reg_table **)mine = h->table;
	return h ? ST_OK : ST_NOMEM;
}

static const struct profile_slot slot = {"registrations", sizeof(struct reg_table *)};
const struct profile_part reg_part = {.slot = &slot, .open = reg_part_open};

struct reg_table *reg_table_of(const struct profile *p)
{
	return *(struct reg_table **)profile_slot_of(p, &slot);
}

/* ---- disk ---- */

struct store *reg_home_store(void)
{
	return homes.store;
}

static uint32_t num(struct sv v)
{
	uint32_t n = 0;
	sv_u32(v, &n);
	return n;
}

static const char *proto_static(struct sv v)
{
	static const char *const names[] = {"udp", "tcp", "tls", "ws", "wss"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (sv_is(v, names[i]))
			return names[i];
	return "udp";
}

static void on_row(const struct sv *v, size_t count, void *arg)
{
	size_t *restored = arg;
	int64_t expires = 0, granted = 0;
	char name[128];
	role_assert_ctl();
	if (count != COL_COUNT || v[COL_PROFILE].n >= sizeof(name))
		return;
	snprintf(name, sizeof(name), "%.*s", SVF(v[COL_PROFILE]));
	struct reg_home *h = home_get(name);
	sv_i64(v[COL_EXPIRES], &expires);
	sv_i64(v[COL_GRANTED], &granted);
	struct reg_put p = {.user = v[COL_USER],
	    .host = v[COL_HOST],
	    .contact_uri = v[COL_CONTACT],
	    .target = v[COL_TARGET],
	    .display = v[COL_DISPLAY],
	    .call_id = v[COL_CALL_ID],
	    .agent = v[COL_AGENT],
	    .network_ip = v[COL_IP],
	    .auth_user = v[COL_AUTH_USER],
	    .auth_realm = v[COL_AUTH_REALM],
	    .path = v[COL_PATH],
	    .proto = proto_static(v[COL_PROTO]),
	    .network_port = num(v[COL_PORT]),
	    .q_milli = num(v[COL_Q]),
	    .is_nat = sv_is(v[COL_IS_NAT], "1"),
	    .cseq = num(v[COL_CSEQ]),
	    .instance = v[COL_INSTANCE],
	    .reg_id = num(v[COL_REG_ID]),
	    .expires_s = granted};
	if (!h)
		return;
	if (!contact_is_rendered(p.target)) { /* of a time when Contacts were kept as they came */
		store_del(homes.store, &table, v);
		return;
	}
	if (reg_table_restore(h->table, &p, expires) == ST_OK)
		++*restored;
}

static void on_restored(int status, void *arg)
{
	size_t *restored = arg;
	role_assert_ctl();
	if (status == ST_OK && *restored)
		log_info("sofia: %zu registrations are back from the last run", *restored);
	else if (status < 0 && status != ST_CANCELLED)
		log_error("sofia: the registrations of the last run cannot be read");
	mem_free(restored);
	core_ready_release("registrations");
}

int reg_store_open(const char *folder)
{
	size_t *restored = mem_zalloc(sizeof(*restored));
	int st =
	    restored ? store_open(&homes.store, config_dsn(NULL, "sofia_reg"), folder, STORE_KEEPS, NULL) : ST_NOMEM;
	if (st == ST_OK)
		st = store_each(homes.store, &table, NULL, 0, on_row, on_restored, restored);
	if (st < 0)
		mem_free(restored);
	else
		core_ready_hold("registrations");
	return st;
}

void reg_store_close(void)
{
	struct hash_it it = {0};
	store_close(homes.store);
	homes.store = NULL;
	if (!homes.tables)
		return;
	core_registrar_del(&registrar);
	while (hash_next(homes.tables, &it)) {
		struct reg_home *h = it.value;
		reg_table_free(h->table);
		mem_free(h->profile);
		mem_free(h);
	}
	hash_free(homes.tables);
	homes.tables = NULL;
}
