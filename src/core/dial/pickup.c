/* The endpoint pickup/KEY: legs without media in a list, oldest first, until the application pickup or their originate
 * ends them. */
#include "core/dial/pickup.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/originate_i.h"
#include "core/leg/leg.h"
#include "core/registry/endpoint.h"
#include "core/registry/module.h"
#include "core/run/run_core.h"
#include "core/value/cause.h"
#include "core/value/vars.h"
#include <stdio.h>
#include <string.h>

struct pickup {
	struct lnode link; /* while it waits */
	struct leg *leg;
	char *key;
	struct vars *vars; /* of the dial string: the leg that picks up gets them */
};
static struct list waiting = {{&waiting.head, &waiting.head}};
static const struct endpoint_ops pickup_ops;

bool pickup_is_waiting(const struct leg *leg)
{
	return leg->ops == &pickup_ops;
}

static ON_CTL struct pickup *pickup_find(const char *key)
{
	for (struct lnode *n = waiting.head.next; n != &waiting.head; n = n->next) {
		struct pickup *p = list_entry(n, struct pickup, link);
		if (!strcmp(p->key, key) && leg_is_up(p->leg) && dialling_of(p->leg)->of)
			return p;
	}
	return NULL;
}

size_t pickup_count(const char *key)
{
	size_t count = 0;

	for (struct lnode *n = waiting.head.next; n != &waiting.head; n = n->next)
		count += !strcmp(list_entry(n, struct pickup, link)->key, key);
	return count;
}

static int outgoing(const struct originate_target *t, struct leg **out, enum cause *cause)
{
	struct pickup *p = mem_zalloc(sizeof(*p));
	struct leg_profile *profile;
	struct leg *leg = NULL;
	struct buf name;
	int st;

	role_assert_ctl();
	profile = t->profile ? leg_profile_dup(t->profile) : leg_profile_new();
	st = p && profile ? vars_new(&p->vars) : ST_NOMEM;
	*cause = CAUSE_DESTINATION_OUT_OF_ORDER;
	if (!st && !*t->data)
		st = ST_INVAL;
	if (!st && t->vars)
		st = vars_copy(p->vars, t->vars);
	if (!st && !(p->key = mem_strdup(t->data)))
		st = ST_NOMEM;
	if (!st)
		st = leg_new(&leg, &pickup_ops, true, t->vars ? vars_get(t->vars, "origination_uuid") : NULL);
	if (st) {
		leg_profile_free(profile);
		if (p) {
			vars_free(p->vars);
			mem_free(p->key);
		}
		mem_free(p);
		return st;
	}
	buf_init(&name);
	buf_printf(&name, "pickup/%s", p->key);
	leg_set_name(leg, name.p);
	buf_fini(&name);
	leg_var_set(leg, "process_cdr", "false");
	leg_profile_destination_set(profile, t->text);
	leg_set_profile(leg, profile);
	leg->endpoint = p;
	p->leg = leg;
	list_push(&waiting, &p->link);
	*cause = CAUSE_NONE;
	*out = leg;
	return ST_OK;
}

static void on_hangup(struct leg *leg)
{
	struct pickup *p = leg->endpoint;
	role_assert_ctl();
	if (p && lnode_is_linked(&p->link))
		list_remove(&p->link);
}

static void on_destroy(struct leg *leg)
{
	struct pickup *p = leg->endpoint;

	role_assert_ctl();
	if (!p)
		return;
	leg->endpoint = NULL;
	if (lnode_is_linked(&p->link))
		list_remove(&p->link);
	vars_free(p->vars);
	mem_free(p->key);
	mem_free(p);
}

/* What the picking leg is now: the called party, to whom the caller shows. */
static ON_CTL void become_callee(struct leg *by, const struct pickup *p)
{
	const struct leg_profile *caller = p->leg->profile;
	struct leg_profile *own = by->profile;
	const char *name, *value;

	for (size_t i = 0; i < vars_count(p->vars); i++) {
		vars_at(p->vars, i, &name, &value);
		vars_copy_one(by->vars, name, p->vars, name);
	}
	leg_var_set(by, "picked_up_uuid", p->leg->uuid);
	leg_profile_set(&own->callee_id_name, own->caller_id_name);
	leg_profile_set(&own->callee_id_number, own->caller_id_number);
	leg_profile_set(&own->caller_id_name, caller->caller_id_name);
	leg_profile_set(&own->caller_id_number, caller->caller_id_number);
}

int pickup_answer(const char *key, struct leg *by)
{
	struct pickup *p = pickup_find(key);
	struct leg *waited;
	int st;

	if (!p || !by->profile)
		return ST_NOTFOUND;
	waited = mem_ref(p->leg);
	list_remove(&p->link);
	become_callee(by, p);
	st = leg_answer(by);
	if (!st)
		st = originate_swap(waited, by);
	if (!st) {
		exec_hooks(by, "execute_on_pickup", "api_on_pickup");
		exec_hibernate_after(by);
	}
	leg_hangup(waited, st ? CAUSE_DESTINATION_OUT_OF_ORDER : CAUSE_PICKED_OFF);
	mem_unref(waited);
	return st;
}

static const struct endpoint_ops pickup_ops = {.name = "pickup",
    .operator_dials = OPERATOR_DIALS_DATA,
    .outgoing = outgoing,
    .on_hangup = on_hangup,
    .on_destroy = on_destroy};
static const struct endpoint_ops *const endpoints[] = {&pickup_ops, NULL};
const struct module dial_pickup_module = {.abi = MODULE_ABI, .name = "CORE_PICKUP", .endpoints = endpoints};
