/* Global variables: a table of the control thread, in order of setting; a variable set again moves to the end, as in
 * FreeSWITCH's list. */
#include "base/hash.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/config_i.h"
#include "text/mark.h"
#include <string.h>

struct global {
	char *name, *value;
	char *text; /* the value with its marks; NULL: it has none */
};
static struct hash *table;
/* By length (that of 63 and more is one) the first bytes, folded, of all names ever set: each variable that a leg does
 * not have is asked for here too, and mostly there is no name like it. */
static uint32_t shapes[64];

static uint32_t *shape_of(struct sv name, uint32_t *bit)
{
	*bit = 1u << (name.p[0] & 31);
	return &shapes[name.n < 63 ? name.n : 63];
}

static ON_CTL struct global *find(struct sv key)
{
	uint32_t bit;
	if (!table || !key.n || !(*shape_of(key, &bit) & bit))
		return NULL;
	return hash_get(table, key);
}

static void global_free(void *obj)
{
	struct global *g = obj;
	mem_free(g->name);
	mem_free(g->value);
	mem_free(g->text);
	mem_free(g);
}

const char *globals_get_sv(struct sv name)
{
	struct global *g = find(name);
	return g ? g->value : NULL;
}

const char *globals_text(const char *name)
{
	struct global *g = find(sv_of(name));
	return !g ? NULL : g->text ? g->text : g->value;
}

void globals_set(const char *name, const char *text)
{
	struct global *g = NULL;

	if (!name || !*name)
		return;
	if (!text || !*text) {
		if (table)
			hash_del(table, sv_of(name));
		return;
	}
	if (!table && hash_new(&table, HASH_NOCASE, global_free))
		return;
	g = mem_zalloc(sizeof *g);
	if (!g)
		return;
	g->name = mem_strdup(name);
	g->value = mark_strip_dup(sv_of(text));
	g->text = mark_has(sv_of(text)) ? mem_strdup(text) : NULL;
	uint32_t bit, *shape = shape_of(sv_of(name), &bit);
	*shape |= bit;
	hash_del(table, sv_of(name)); /* text may have been borrowed from it: not before the copy */
	if (!g->name || !g->value || hash_set(table, sv_of(g->name), g))
		global_free(g);
}

void globals_each(void (*fn)(const char *name, const char *value, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (table && hash_next(table, &it)) {
		struct global *g = it.value;
		fn(g->name, g->value, arg);
	}
}

size_t globals_count(void)
{
	return table ? hash_count(table) : 0;
}

void globals_fini(void)
{
	hash_free(table);
	table = NULL;
}
