/* Destination groups: prefixes of the configuration whose calls have bounds of their own, against who calls expensive
 * numbers on somebody else's account.
 *
 *   <groups><group name="premium" prefixes="4990,881,882" max_hour="20" max_calls="1" max_calls_hour="10"/>
 *           <group name="closed" prefixes="850" forbidden="true"/></groups>
 *
 * The bounds are those of each account. Read anew at each swap of the configuration into a set that takes the old one's
 * place; a call keeps the bounds that it began with. What cannot be read is told by file and line, and does not count.
 */
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "billing/billing_i.h"
#include "core/conf/config.h"

#include <stdio.h>
#include <string.h>

enum { PREFIXES_MAX = 100000, GROUPS_MAX = 1000 };
static struct hash *groups;   /* name -> struct billing_group */
static struct hash *prefixes; /* digits -> struct billing_group, borrowed */

static void group_free(void *g)
{
	mem_free(g);
}

static ON_CTL void bad(const struct xml_node *x, const char *what, const char *value)
{
	log_error("%s:%u: group %s: %s \"%s\" is none", x->file ? x->file : "billing.conf", x->line,
	    xml_attr_or(x, "name", ""), what, value);
}

static ON_CTL bool number_read(const struct xml_node *x, const char *name, bool is_money, int64_t *out)
{
	const char *v = xml_attr_or(x, name, "0");
	int st = is_money ? rate_money_parse(sv_of(v), out) : sv_i64(sv_of(v), out);
	if (!st && *out >= 0 && *out <= RATE_MONEY_MAX)
		return true;
	bad(x, name, v);
	return false;
}

static ON_CTL void prefixes_read(const struct xml_node *x, struct billing_group *g)
{
	struct sv rest = sv_of(xml_attr_or(x, "prefixes", "")), one;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		bool is_good = one.n > 0 && one.n <= RATE_DIGITS_MAX;
		for (size_t i = 0; is_good && i < one.n; i++)
			is_good = one.p[i] >= '0' && one.p[i] <= '9';
		if (!is_good)
			log_error("%s:%u: group %s: prefix \"%.*s\" is none", x->file ? x->file : "billing.conf",
			    x->line, g->name, (int)one.n, one.p);
		else if (hash_get(prefixes, one) || hash_count(prefixes) == PREFIXES_MAX)
			log_error("%s:%u: group %s: prefix %.*s: %s", x->file ? x->file : "billing.conf", x->line,
			    g->name, (int)one.n, one.p,
			    hash_get(prefixes, one) ? "a group has it already" : "there are too many");
		else
			(void)hash_set(prefixes, one, g);
	}
}

static ON_CTL void group_read(const struct xml_node *x)
{
	const char *name = xml_attr_or(x, "name", "");
	struct billing_group g = {.is_forbidden = str_is_true(xml_attr_or(x, "forbidden", ""))}, *copy;
	if (!*name || strlen(name) > RATE_NAME_MAX || strchr(name, ',') || hash_get(groups, sv_of(name)) ||
	    hash_count(groups) == GROUPS_MAX) {
		bad(x, "name (at most 32 bytes, no comma, each once)", name);
		return;
	}
	if (!number_read(x, "max_hour", true, &g.max_hour) || !number_read(x, "max_calls", false, &g.max_calls) ||
	    !number_read(x, "max_calls_hour", false, &g.max_calls_hour))
		g.is_forbidden = true; /* a bound that cannot be read is not lifted */
	snprintf(g.name, sizeof(g.name), "%s", name);
	copy = mem_zalloc(sizeof(*copy));
	if (!copy)
		return;
	*copy = g;
	if (hash_set(groups, sv_of(name), copy))
		mem_free(copy);
	else
		prefixes_read(x, copy);
}

static void conf_read(void *arg)
{
	role_assert_ctl();
	hash_free(prefixes);
	hash_free(groups);
	prefixes = groups = NULL;
	if (hash_new(&groups, 0, group_free) || hash_new(&prefixes, 0, NULL)) {
		log_error("billing: the groups are not read: no memory");
		return;
	}
	xml_each(xml_child(config_conf("billing.conf"), "groups"), "group", x) group_read(x);
}

int groups_load(void)
{
	conf_read(NULL);
	return config_on_swap(conf_read, NULL);
}

void groups_unload(void)
{
	config_on_swap_del(conf_read, NULL);
	hash_free(prefixes);
	hash_free(groups);
	prefixes = groups = NULL;
}

struct billing_group groups_find(const char *number)
{
	size_t n = 0;
	number += *number == '+';
	while (n < RATE_DIGITS_MAX && number[n] >= '0' && number[n] <= '9')
		n++;
	for (; prefixes && n; n--) {
		const struct billing_group *g = hash_get(prefixes, (struct sv){number, n});
		if (g)
			return *g;
	}
	return (struct billing_group){0};
}

bool groups_has(const char *list, const char *name)
{
	struct sv rest = sv_of(list), one;
	while (rest.n) {
		sv_split(rest, ',', &one, &rest);
		if (sv_is(sv_trim(one), name))
			return true;
	}
	return false;
}

void groups_show(struct buf *out)
{
	struct hash_it it = {0};
	while (groups && hash_next(groups, &it)) {
		const struct billing_group *g = it.value;
		buf_printf(out, "%s: %s, max_hour ", g->name, g->is_forbidden ? "forbidden" : "allowed");
		rate_money_put(out, g->max_hour);
		buf_printf(out, ", max_calls %lld, max_calls_hour %lld\n", (long long)g->max_calls,
		    (long long)g->max_calls_hour);
	}
}
