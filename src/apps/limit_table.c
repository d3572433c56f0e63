/* Counts of `limit` in memory: key -> how many hold it, and how many asked in the interval. A key that nobody holds and
 * that has no interval goes; one with an interval stays, since its last check says when the next one begins. */
#include "apps/limit_i.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/mark.h"
#include <inttypes.h>

enum { ITEMS_MAX = 1000000 };
struct item {
	char *key;
	uint32_t usage, rate;
	uint32_t holders; /* as usage, which a reset may put back to 0 */
	int64_t interval_s, checked_s;
};

static void item_free(void *p)
{
	struct item *item = p;
	mem_free(item->key);
	mem_free(item);
}

static int table_load(struct limit_backend *b)
{
	struct hash *items;
	int st = hash_new(&items, 0, item_free);
	role_assert_ctl();
	if (st == ST_OK)
		b->self = items;
	return st;
}

static void table_unload(struct limit_backend *b)
{
	role_assert_ctl();
	hash_free(b->self);
	b->self = NULL;
}

static struct item *item_get(struct hash *items, const char *key)
{
	struct item *item = hash_get(items, sv_of(key));

	if (item || hash_count(items) >= ITEMS_MAX || !(item = mem_zalloc(sizeof(*item))))
		return item;
	item->key = mem_strdup(key);
	if (!item->key || hash_set(items, sv_of(key), item)) {
		item_free(item);
		return NULL;
	}
	return item;
}

static void item_drop_if_idle(struct hash *items, struct item *item)
{
	if (!item->holders && !item->interval_s)
		hash_del(items, sv_of(item->key));
}

/* Whether one more take is too many in the interval that runs. */
static bool rate_is_over(struct item *item, const struct limit_ask *ask)
{
	int64_t now_s = clock_wall_us() / 1000000;

	item->interval_s = ask->interval_s;
	if (item->checked_s <= now_s - ask->interval_s) {
		item->rate = 1;
		item->checked_s = now_s;
		return false;
	}
	item->rate++;
	return ask->max >= 0 && item->rate > ask->max;
}

static int table_take(struct limit_backend *b, const struct limit_ask *ask, struct limit_use *out)
{
	struct item *item = item_get(b->self, ask->key);
	bool is_over;

	role_assert_ctl();
	if (!item)
		return ST_FULL;
	if (ask->interval_s > 0)
		is_over = rate_is_over(item, ask);
	else
		is_over = ask->max >= 0 && (int64_t)item->usage + !ask->is_held > ask->max;
	if (!is_over && !ask->is_held)
		item->usage++, item->holders++;
	*out = (struct limit_use){item->usage, item->rate};
	if (is_over)
		item_drop_if_idle(b->self, item);
	return is_over ? ST_LIMIT : ST_OK;
}

static void table_give(struct limit_backend *b, const char *key)
{
	struct item *item = hash_get(b->self, sv_of(key));

	role_assert_ctl();
	if (!item || !item->holders)
		return;
	item->holders--;
	if (item->usage)
		item->usage--;
	item_drop_if_idle(b->self, item);
}

static bool table_find(struct limit_backend *b, const char *key, struct limit_use *out)
{
	const struct item *item = hash_get(b->self, sv_of(key));

	role_assert_ctl();
	if (item)
		*out = (struct limit_use){item->usage, item->rate};
	return item != NULL;
}

static void table_reset(struct limit_backend *b)
{
	struct hash_it it = {0};

	role_assert_ctl();
	while (hash_next(b->self, &it))
		((struct item *)it.value)->usage = 0;
}

static void table_interval_reset(struct limit_backend *b, const char *key)
{
	struct item *item = hash_get(b->self, sv_of(key));

	role_assert_ctl();
	if (item)
		item->rate = 0, item->checked_s = 0;
}

static size_t table_count(struct limit_backend *b)
{
	role_assert_ctl();
	return hash_count(b->self);
}

/* In the form that FreeSWITCH's switches hand each other. */
static void table_dump(struct limit_backend *b, struct sv prefix, struct buf *out)
{
	struct hash_it it = {0};

	role_assert_ctl();
	while (hash_next(b->self, &it)) {
		const struct item *item = it.value;
		if (prefix.n && !sv_starts(it.key, prefix))
			continue;
		buf_adds(out, "L/");
		mark_put(out, sv_of(item->key)); /* nobody knows any more who wrote it */
		buf_printf(out, "/%" PRIu32 "/%" PRIu32 "/%" PRIi64 "/%" PRIi64 "\n", item->usage, item->rate,
		    item->interval_s, item->checked_s);
	}
}

const struct limit_ops limit_table_ops = {
    .load = table_load,
    .unload = table_unload,
    .take = table_take,
    .give = table_give,
    .find = table_find,
    .reset = table_reset,
    .interval_reset = table_interval_reset,
    .count = table_count,
    .dump = table_dump,
};
