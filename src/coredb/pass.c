/* One pass over what is running, a slice a turn of the loop: legs, calls, users whose registrations changed (told by
 * core; all of them in a pass that begins anew), the small reports of `show` as wholes. */
#include "api/tables.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "core/registry/registrations.h"
#include "coredb/coredb_i.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SLICE = 200, USERS_MAX = 200000, INTERFACES_EVERY = 10 };
static struct leg **legs;
static size_t gathered_count, leg_cap, leg_at;
static struct hash *users; /* "user@realm" as "user\nrealm": changed, not looked at yet */
static bool has_all_users; /* too many changed: all are looked at */
static unsigned pass_number;

/* ---- legs and calls ---- */

static bool gather(struct leg *leg, void *arg)
{
	if (gathered_count == leg_cap) {
		size_t cap = leg_cap ? leg_cap * 2 : 64;
		struct leg **more = mem_realloc(legs, cap * sizeof(struct leg *));
		if (!more)
			return false;
		legs = more, leg_cap = cap;
	}
	legs[gathered_count++] = mem_ref(leg);
	return true;
}

static ON_CTL void legs_let_go(void)
{
	while (leg_at < gathered_count)
		mem_unref(legs[leg_at++]);
	gathered_count = leg_at = 0;
}

static ON_CTL void call_tell(const struct leg *leg, const struct leg *peer, struct sv key, struct coredb_batch *b)
{
	int64_t us = leg->profile->times.bridged ? leg->profile->times.bridged : leg->profile->times.created;
	time_t seconds = (time_t)(us / 1000000);
	char created[32], epoch[24];
	const char *values[] = {leg->call_uuid, created, epoch, leg->uuid, peer->uuid};
	struct buf row;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(epoch, sizeof(epoch), "%lld", (long long)seconds);
	buf_init(&row);
	coredb_row(CORE_CALLS, values, &row);
	coredb_told(CORE_CALLS, key, buf_sv(&row), 1, b);
	buf_fini(&row);
}

static ON_CTL void leg_tell(struct leg *leg, struct coredb_batch *b)
{
	const char *values[LEG_COLS];
	struct api_leg_values v;
	struct buf row;
	char key[64];
	size_t n = 0;

	if (leg->state >= CS_DESTROY)
		return;
	api_leg_values(leg, &v);
	for (size_t i = 0; i < LEG_COLS; i++)
		if (i != L_HOSTNAME)
			values[n++] = v.v[i];
	snprintf(key, sizeof(key), "'%s'", leg->uuid);
	buf_init(&row);
	coredb_row(CORE_CHANNELS, values, &row);
	coredb_told(CORE_CHANNELS, sv_of(key), buf_sv(&row), 1, b);
	buf_fini(&row);
	if (leg->peer && leg->profile && !api_leg_is_callee(leg, leg->peer))
		call_tell(leg, leg->peer, sv_of(key), b);
}

/* ---- registrations ---- */

static void changed(struct sv user, struct sv realm)
{
	static int there;
	struct buf key;

	role_assert_ctl();
	if (hash_count(users) >= USERS_MAX) {
		has_all_users = true;
		return;
	}
	buf_init(&key);
	buf_printf(&key, "%.*s\n%.*s", SVF(user), SVF(realm));
	if (key.failed || hash_set(users, buf_sv(&key), &there))
		has_all_users = true;
	buf_fini(&key);
}

static void user_note(const struct core_registration *r, void *arg)
{
	role_assert_ctl();
	changed(sv_of(r->user), sv_of(r->realm));
}

struct contacts {
	struct buf rows;
	size_t count;
};

static void contact_put(const struct core_registration *r, void *arg)
{
	struct contacts *c = arg;
	char expires[24];
	const char *values[] = {r->user, r->realm, r->token, r->url, expires, r->network_ip, r->network_port,
	    r->network_proto, r->metadata};

	role_assert_ctl();
	snprintf(expires, sizeof(expires), "%lld", (long long)r->expires_epoch);
	buf_adds(&c->rows, c->count++ ? "," : "");
	coredb_row(CORE_REGISTRATIONS, values, &c->rows);
}

static ON_CTL void user_tell(struct sv name, struct coredb_batch *b)
{
	struct contacts c = {.count = 0};
	struct sv user, realm;
	struct buf key;

	sv_split(name, '\n', &user, &realm);
	buf_init(&c.rows), buf_init(&key);
	core_registration_find(user, realm, contact_put, &c);
	buf_addc(&key, '(');
	coredb_quote(&key, user);
	buf_addc(&key, ',');
	coredb_quote(&key, realm);
	buf_addc(&key, ')');
	if (!key.failed && !c.rows.failed)
		coredb_told(CORE_REGISTRATIONS, buf_sv(&key), buf_sv(&c.rows), c.count, b);
	buf_fini(&c.rows), buf_fini(&key);
}

/* ---- the small ones: a table is one thing ---- */

struct whole {
	enum coredb_table table;
	struct buf rows;
	size_t count;
};

static ON_CTL void whole_put(struct whole *w, const char *const *values)
{
	buf_adds(&w->rows, w->count++ ? "," : "");
	coredb_row(w->table, values, &w->rows);
}

static void report_row(const char *const *values, void *arg)
{
	struct whole *w = arg;
	role_assert_ctl();
	if (w->table == CORE_NAT) { /* shown: port, name, number, sticky */
		const char *v[] = {values[3], values[0], values[2]};
		whole_put(w, v);
	} else {
		whole_put(w, values);
	}
}

static void interface_row(const struct registry_row *r, void *arg)
{
	const char *v[] = {r->kind, r->name, r->description, r->module, r->filename, r->syntax};
	role_assert_ctl();
	whole_put(arg, v);
}

static ON_CTL void whole_tell(enum coredb_table t, const char *report, struct coredb_batch *b)
{
	struct whole w = {.table = t};

	buf_init(&w.rows);
	if (report)
		api_show_each(report, report_row, &w);
	else
		registry_each(NULL, interface_row, &w);
	if (!w.rows.failed)
		coredb_told(t, SV("1"), buf_sv(&w.rows), w.count, b);
	buf_fini(&w.rows);
}

/* ---- the pass ---- */

int coredb_pass_load(void)
{
	int st = hash_new(&users, 0, NULL);
	if (!st)
		core_registration_watch(changed);
	return st;
}

void coredb_pass_unload(void)
{
	core_registration_watch(NULL);
	legs_let_go();
	mem_free(legs);
	hash_free(users);
	legs = NULL, users = NULL, leg_cap = 0, has_all_users = false;
}

void coredb_pass_begin(bool is_anew)
{
	pass_number = is_anew ? 0 : pass_number + 1;
	legs_let_go();
	leg_each(gather, NULL);
	if (is_anew || (has_all_users && !hash_count(users))) {
		has_all_users = false;
		core_registration_each(user_note, NULL);
	}
}

bool coredb_pass_go_on(struct coredb_batch *b)
{
	struct hash_it it = {0};
	size_t n = 0;

	if (leg_at < gathered_count) {
		for (; leg_at < gathered_count && n < SLICE; n++) {
			leg_tell(legs[leg_at], b);
			mem_unref(legs[leg_at++]);
		}
		return false;
	}
	for (; n < SLICE && hash_next(users, &it); n++) {
		user_tell(it.key, b);
		hash_del(users, it.key);
	}
	if (hash_count(users))
		return false;
	coredb_forgotten(CORE_CHANNELS, b);
	coredb_forgotten(CORE_CALLS, b);
	whole_tell(CORE_TASKS, "tasks", b);
	whole_tell(CORE_ALIASES, "aliases", b);
	whole_tell(CORE_COMPLETE, "complete", b);
	whole_tell(CORE_NAT, "nat_map", b);
	if (pass_number % INTERFACES_EVERY == 0)
		whole_tell(CORE_INTERFACES, NULL, b);
	return true;
}
