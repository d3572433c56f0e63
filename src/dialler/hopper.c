/* What may be called next: the due numbers of a campaign, some hundred at a time, read from the database in the order
 * of priority and time. Whose window is closed is put off to its opening there and then, whose prefix nobody may call
 * for an hour; who is taken out is looked at again, since he may have stood here for long. Which trunk has room, and
 * whether the prefix's limit has, is decided at the moment of taking. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "dialler/dialler_i.h"

#include <stdio.h>
#include <string.h>

enum { ASK = 200, LOW = 50, MOST = 5000, LOOK_EVERY_US = 1000000, REFUSED_S = 3600 };

static ON_CTL void number_free(struct dl_number *n)
{
	mem_free(n->name);
	mem_free(n->zone_name);
	mem_free(n->fields);
	mem_free(n);
}

void dl_number_drop(struct dl_campaign *c, struct dl_number *n)
{
	hash_del(c->taken, sv_of(n->number));
	number_free(n);
}

void dl_hopper_back(struct dl_campaign *c, struct dl_number *n)
{
	list_unshift(&c->hopper, &n->link);
	c->hopper_count++;
}

void dl_hopper_clear(struct dl_campaign *c)
{
	struct lnode *it, *tmp;
	list_each (&c->hopper, it, tmp) {
		list_remove(it);
		dl_number_drop(c, list_entry(it, struct dl_number, link));
	}
	c->hopper_count = 0;
	c->looked_us = 0;
}

static ON_CTL struct dl_number *number_new(const struct sv *v)
{
	struct dl_number *n = mem_zalloc(sizeof(*n));
	if (!n)
		return NULL;
	snprintf(n->number, sizeof(n->number), "%.*s", SVF(v[0]));
	n->name = sv_dup(v[1]);
	n->zone_name = sv_dup(v[2]);
	n->fields = sv_dup(v[3]);
	n->tries = (unsigned)store_number(v[4]);
	snprintf(n->last_result, sizeof(n->last_result), "%.*s", SVF(v[5]));
	if (n->name && n->zone_name && n->fields)
		return n;
	number_free(n);
	return NULL;
}

/* Into the hopper, or put off. */
static CO void add(struct dl_campaign *c, struct dl_number *n)
{
	const struct tz *zone = *n->zone_name ? dl_zone_get(n->zone_name) : NULL;
	n->zone = zone ? zone : dl_zone_of(n->number);
	const struct dl_limit *l = rule_prefix_find(dl_conf.limits, dl_conf.limit_count, sizeof(*l), n->number);
	int64_t now_s = clock_wall_us() / 1000000, next_s = rule_windows_next(&c->s.windows, n->zone, now_s);
	if (next_s <= now_s && l && !l->calls_max) {
		next_s = now_s + REFUSED_S;
		c->refused++;
	}
	if (next_s > now_s) {
		(void)dl_keep_later(c, n->number, next_s);
		number_free(n);
	} else if (hash_get(c->taken, sv_of(n->number)) || hash_set(c->taken, sv_of(n->number), c)) {
		number_free(n);
	} else {
		list_push(&c->hopper, &n->link);
		c->hopper_count++;
	}
}

void dl_hopper_fill(struct dl_campaign *c)
{
	struct store_number d[2];
	struct sv p[] = {sv_of(c->name), store_number_put(&d[0], clock_wall_us() / 1000000),
	    store_number_put(&d[1], ASK + (int64_t)hash_count(c->taken))},
	          v[6] = {{0}};
	struct store_rows rows;
	size_t at = 0, before = c->hopper_count, seen = 0;
	/* what has no room must not keep those behind it from being called */
	bool is_enough = c->hopper_count > LOW && !(c->is_stuck && c->hopper_count < MOST);
	if (is_enough || (!c->is_more && clock_mono_us() - c->looked_us < LOOK_EVERY_US && c->looked_us))
		return;
	c->looked_us = clock_mono_us();
	c->is_more = c->is_stuck = false;
	/* what is in a call or shown is still due there until it is claimed: so many more are asked for */
	int st = dl_sql(
	    "SELECT number,name,zone,fields,tries,result FROM dialler_numbers WHERE campaign=$1 AND state IN "
	    "('new','retry') AND next_s<=CAST($2 AS BIGINT) ORDER BY priority DESC,next_s,place LIMIT CAST($3 AS "
	    "BIGINT)",
	    p, 3, &rows);
	for (; !st && !c->is_gone && store_rows_row(&rows, &at, v, 6); seen++) {
		char number[RULE_NUMBER_MAX + 1];
		snprintf(number, sizeof(number), "%.*s", SVF(v[0]));
		struct dl_number *n = hash_get(c->taken, sv_of(number)) ? NULL : number_new(v);
		if (n)
			add(c, n);
	}
	store_rows_fini(&rows);
	c->is_more = seen >= ASK && (c->hopper_count > before || seen > hash_count(c->taken));
}

/* ---- room ---- */

void dl_load_add(const char *trunk, const char *number, bool begins)
{
	struct dl_trunk *t = dl_trunk_find(trunk);
	struct dl_limit *l =
	    (struct dl_limit *)rule_prefix_find(dl_conf.limits, dl_conf.limit_count, sizeof(*dl_conf.limits), number);
	if (t && (begins || t->calls))
		t->calls += begins ? 1U : -1U;
	if (l && (begins || l->calls))
		l->calls += begins ? 1U : -1U;
}

static ON_CTL bool has_room(struct dl_trunk *t)
{
	return (!t->calls_max || t->calls < t->calls_max) &&
	       (!t->per_second || rule_rate_get(&t->rate, clock_mono_us()) < t->per_second);
}

static ON_CTL bool prefix_has_room(const char *number)
{
	const struct dl_limit *l = rule_prefix_find(dl_conf.limits, dl_conf.limit_count, sizeof(*l), number);
	return !l || l->calls < l->calls_max;
}

static ON_CTL struct dl_trunk *trunk_with_room(const struct dl_campaign *c)
{
	struct sv rest = sv_of(c->s.trunks), name;
	if (!rest.n) { /* none named: all, in their order */
		for (size_t i = 0; i < dl_conf.trunk_count; i++)
			if (has_room(&dl_conf.trunks[i]))
				return &dl_conf.trunks[i];
		return NULL;
	}
	while (rest.n) {
		char text[DL_NAME_MAX + 1];
		sv_split(rest, ',', &name, &rest);
		name = sv_trim(name);
		snprintf(text, sizeof(text), "%.*s", SVF(name));
		struct dl_trunk *t = dl_trunk_find(text);
		if (t && has_room(t))
			return t;
	}
	return NULL;
}

struct dl_trunk *dl_trunk_for(const struct dl_campaign *c, const char *number)
{
	return prefix_has_room(number) ? trunk_with_room(c) : NULL;
}

static ON_CTL struct dl_number *first_with_room(struct dl_campaign *c, struct dl_trunk **trunk)
{
	struct lnode *it, *tmp;
	if (!(*trunk = trunk_with_room(c)))
		return NULL;
	list_each (&c->hopper, it, tmp) {
		struct dl_number *n = list_entry(it, struct dl_number, link);
		if (!prefix_has_room(n->number))
			continue;
		list_remove(it);
		c->hopper_count--;
		return n;
	}
	c->is_stuck = c->hopper_count > 0;
	return NULL;
}

struct dl_number *dl_hopper_take(struct dl_campaign *c, struct dl_trunk **trunk)
{
	struct dl_number *n;
	while ((n = first_with_room(c, trunk))) {
		int64_t now_s = clock_wall_us() / 1000000, next_s = rule_windows_next(&c->s.windows, n->zone, now_s);
		if (next_s <= now_s)
			return n;
		(void)dl_keep_later(c, n->number, next_s); /* its window has closed while it stood here */
		dl_number_drop(c, n);
	}
	return NULL;
}
