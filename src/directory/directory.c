/* Directory lookups. Each configuration snapshot gets an index when it is loaded: domains by name, in each the users by
 * id and number-alias, and the groups. A user's parameters and variables (domain, then group, then its own; the later
 * wins) are put together at the first lookup and kept with the snapshot. A user that somebody still holds after a
 * reload keeps the old document alive, not the whole snapshot. Where an XML handler is bound to the directory, whoever
 * can wait has it asked first (user_load); its answers are small indexes of their own, looked at before the files'. */
#include "directory/directory.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "text/xml.h"
#include <string.h>
#include <strings.h>

struct pair {
	const char *name, *value;
};
struct pairs {
	struct pair *list;
	size_t count;
};
struct dir_user {
	struct xml_doc *doc; /* reference: all strings are its */
	const struct xml_node *node;
	const char *id, *domain, *group;
	char *own_id; /* of one that is like another (user_like): id; NULL: it stands in the directory */
	struct pairs params, vars;
};

struct level { /* what users of a domain or a group inherit, gathered once */
	const struct xml_node *node;
	struct pairs params, vars;
};
struct record { /* a user as the index knows it */
	const struct xml_node *node;
	size_t group;          /* index + 1 into the domain's groups; 0: directly in the domain */
	struct dir_user *flat; /* made at first use */
};
struct domain {
	const struct xml_node *node;
	struct level own, *groups;
	size_t group_count;
	struct record *records;
	size_t record_count, record_cap;
	struct hash *by_id; /* id or number-alias -> index + 1 */
};
struct dir_index {
	struct xml_doc *doc; /* borrowed: the index is the snapshot's */
	struct domain *domains;
	size_t domain_count;
	struct hash *by_name;
};

static int stage_slot = -1;

/* ---- parameters and variables --------------------------------------------------------------------------------- */

static int pairs_reserve(struct pairs *p, size_t more)
{
	struct pair *bigger = more ? mem_realloc(p->list, (p->count + more) * sizeof *bigger) : NULL;
	if (more && !bigger)
		return ST_NOMEM;
	if (more)
		p->list = bigger;
	return ST_OK;
}

/* There is room. A name seen before gets the new value. */
static void pairs_put(struct pairs *p, const char *name, const char *value)
{
	size_t i = 0;
	while (i < p->count && strcasecmp(p->list[i].name, name))
		i++;
	if (i == p->count)
		p->list[p->count++].name = name;
	p->list[i].value = value;
}

static int pairs_add(struct pairs *to, const struct pairs *from)
{
	int st = pairs_reserve(to, from->count);
	for (size_t i = 0; i < from->count && !st; i++)
		pairs_put(to, from->list[i].name, from->list[i].value);
	return st;
}

/* Adds <wrap><item name= value=/></wrap> of parent. */
static int pairs_merge(struct pairs *to, const struct xml_node *parent, const char *wrap, const char *item)
{
	size_t more = 0;
	int st;

	xml_each(parent, wrap, w) xml_each(w, item, it) more++;
	st = pairs_reserve(to, more);
	xml_each(st ? NULL : parent, wrap, w) xml_each(w, item, it) if (xml_attr(it, "name"))
	    pairs_put(to, xml_attr(it, "name"), xml_attr_or(it, "value", ""));
	return st;
}

static int level_fill(struct level *l, const struct xml_node *node)
{
	int st = pairs_merge(&l->params, node, "params", "param");
	l->node = node;
	return st ? st : pairs_merge(&l->vars, node, "variables", "variable");
}

static void level_fini(struct level *l)
{
	mem_free(l->params.list);
	mem_free(l->vars.list);
}

static const char *pairs_get(const struct pairs *p, const char *name)
{
	for (size_t i = 0; i < p->count; i++)
		if (!strcasecmp(p->list[i].name, name))
			return p->list[i].value;
	return NULL;
}

/* ---- the index ----------------------------------------------------------------------------------------------- */

static int domain_add_user(struct domain *d, const struct xml_node *node, size_t group)
{
	const char *id = xml_attr(node, "id"), *alias = xml_attr(node, "number-alias");
	int st = ST_OK;

	if (!id || sv_isi(sv_of(xml_attr(node, "type")), "pointer"))
		return ST_OK;
	if (d->record_count == d->record_cap) {
		size_t more = d->record_cap ? d->record_cap * 2 : 32;
		struct record *bigger = mem_realloc(d->records, more * sizeof *bigger);
		if (!bigger)
			return ST_NOMEM;
		d->records = bigger, d->record_cap = more;
	}
	d->records[d->record_count++] = (struct record){node, group, NULL};
	if (!hash_get(d->by_id, sv_of(id)))
		st = hash_set(d->by_id, sv_of(id), (void *)(uintptr_t)d->record_count);
	if (!st && alias && *alias && !hash_get(d->by_id, sv_of(alias)))
		st = hash_set(d->by_id, sv_of(alias), (void *)(uintptr_t)d->record_count);
	return st;
}

/* Users stand in <users> or directly in their group or domain. */
static int domain_add_users(struct domain *d, const struct xml_node *parent, size_t group)
{
	int st = ST_OK;
	xml_each(parent, "users", users) for (const struct xml_node *u = xml_child(users, "user"); u && !st;
	                                      u = xml_next(u, "user")) st = domain_add_user(d, u, group);
	for (const struct xml_node *u = xml_child(parent, "user"); u && !st; u = xml_next(u, "user"))
		st = domain_add_user(d, u, group);
	return st;
}

static int domain_fill(struct domain *d)
{
	size_t count = 0;
	int st = hash_new(&d->by_id, HASH_NOCASE, NULL);

	if (!st)
		st = level_fill(&d->own, d->node);
	xml_each(d->node, "groups", groups) xml_each(groups, "group", g) count++;
	if (!st && count && !(d->groups = mem_zalloc(count * sizeof *d->groups)))
		st = ST_NOMEM;
	xml_each(d->node, "groups", groups) for (const struct xml_node *g = xml_child(groups, "group"); g && !st;
	                                         g = xml_next(g, "group"))
	{
		st = level_fill(&d->groups[d->group_count++], g);
		if (!st)
			st = domain_add_users(d, g, d->group_count);
	}
	return st ? st : domain_add_users(d, d->node, 0);
}

static void index_free(void *obj)
{
	struct dir_index *ix = obj;

	for (size_t i = 0; ix->domains && i < ix->domain_count; i++) {
		for (size_t k = 0; k < ix->domains[i].record_count; k++)
			mem_unref(ix->domains[i].records[k].flat);
		for (size_t k = 0; k < ix->domains[i].group_count; k++)
			level_fini(&ix->domains[i].groups[k]);
		level_fini(&ix->domains[i].own);
		mem_free(ix->domains[i].groups);
		mem_free(ix->domains[i].records);
		hash_free(ix->domains[i].by_id);
	}
	mem_free(ix->domains);
	hash_free(ix->by_name);
	mem_free(ix);
}

static int index_new(struct dir_index **out, struct xml_doc *doc, const struct xml_node *section)
{
	struct dir_index *ix = mem_zalloc(sizeof *ix);
	size_t count = 0;
	int st;

	if (!ix)
		return ST_NOMEM;
	ix->doc = doc;
	st = hash_new(&ix->by_name, HASH_NOCASE, NULL);
	xml_each(section, "domain", it) count++;
	if (!st && count && !(ix->domains = mem_zalloc(count * sizeof *ix->domains)))
		st = ST_NOMEM;
	for (const struct xml_node *it = ix->domains ? xml_child(section, "domain") : NULL; it && !st;
	     it = xml_next(it, "domain")) {
		struct domain *d = &ix->domains[ix->domain_count++];
		struct sv name = sv_of(xml_attr_or(it, "name", ""));
		d->node = it;
		st = domain_fill(d);
		if (!st && !hash_get(ix->by_name, name))
			st = hash_set(ix->by_name, name, d);
	}
	if (st)
		index_free(ix);
	else
		*out = ix;
	return st;
}

static int index_make(const struct config *cfg, void **out)
{
	struct dir_index *ix = NULL;
	int st = index_new(&ix, config_doc(cfg), config_section_of(cfg, "directory"));

	if (!st)
		*out = ix;
	return st;
}

static const struct config_stage stage = {"directory", index_make, index_free, NULL};

ON_CTL static struct dir_index *index_get(void)
{
	return stage_slot >= 0 ? config_stage_get(stage_slot) : NULL;
}

/* ---- what the XML handler answered ------------------------------------------------------------------------------ */

/* Kept for the few seconds in which a request, a call or a command looks at the user again and again; then it is asked
 * anew. Users that do not exist are kept as well. Bounded: the oldest make room. */
enum { ANSWERS_MAX = 4096, ANSWER_LIFE_US = 3000000 };
struct answer {
	struct xml_doc *doc;
	struct dir_index *ix; /* NULL: no such user */
	int64_t until_us;
};
static struct hash *answers; /* "user@domain" -> struct answer */

static void answer_free(void *p)
{
	struct answer *a = p;
	if (a->ix)
		index_free(a->ix);
	mem_unref(a->doc);
	mem_free(a);
}

static void answer_key(struct buf *key, struct sv user, struct sv domain)
{
	buf_init(key);
	buf_printf(key, "%.*s@%.*s", SVF(user), SVF(domain));
}

ON_CTL static struct answer *answer_find(struct sv user, struct sv domain)
{
	struct buf key;
	struct answer *a;

	answer_key(&key, user, domain);
	a = answers ? hash_get(answers, buf_sv(&key)) : NULL;
	buf_fini(&key);
	return a && clock_mono_us() < a->until_us ? a : NULL;
}

/* One that has the domain, of any user. */
ON_CTL static struct answer *answer_of_domain(struct sv domain)
{
	struct hash_it it = {0};

	while (answers && source_is_bound("directory") && hash_next(answers, &it)) {
		struct answer *a = it.value;
		if (a->ix && hash_get(a->ix->by_name, domain))
			return a;
	}
	return NULL;
}

static struct record *record_find(const struct domain *d, struct sv user);

/* <user cacheable="60000">: so many milliseconds; "true": until xml_flush_cache. As FreeSWITCH. */
ON_CTL static int64_t answer_life_us(const struct answer *a, struct sv user, struct sv domain)
{
	struct domain *d = a->ix ? hash_get(a->ix->by_name, domain) : NULL;
	struct record *r = record_find(d, user);
	const char *text = r ? xml_attr(r->node, "cacheable") : NULL;
	int64_t life_us = clock_us_of_ms(text ? str_number(text, 0, INT32_MAX) : 0);

	if (text && !life_us && str_is_true(text))
		life_us = clock_us_of_s(INT32_MAX);
	return life_us > ANSWER_LIFE_US ? life_us : ANSWER_LIFE_US;
}

ON_CTL static int answer_keep(struct sv user, struct sv domain, struct xml_doc *doc, const struct xml_node *section)
{
	struct answer *a = mem_zalloc(sizeof *a);
	struct hash_it it = {0};
	struct buf key;
	int st = a ? ST_OK : ST_NOMEM;

	if (!st && !answers)
		st = hash_new(&answers, HASH_NOCASE, answer_free);
	if (!st && doc)
		st = index_new(&a->ix, doc, section);
	if (st) {
		mem_free(a);
		return st;
	}
	a->doc = mem_ref(doc);
	a->until_us = clock_mono_us() + answer_life_us(a, user, domain);
	if (hash_count(answers) >= ANSWERS_MAX && hash_next(answers, &it))
		hash_del(answers, it.key);
	answer_key(&key, user, domain);
	hash_del(answers, buf_sv(&key)); /* becomes the newest */
	st = hash_set(answers, buf_sv(&key), a);
	buf_fini(&key);
	if (st)
		answer_free(a);
	return st;
}

static bool needs_load(struct sv user, struct sv domain)
{
	role_assert_ctl();
	return source_is_bound("directory") && !answer_find(user, domain);
}

/* Programs that answer put the name that they were asked for into dial strings and variables, which are read as the
 * configuration's. No user and no domain is called so. */
static bool means_something(struct sv name, const char *signs)
{
	for (size_t i = 0; i < name.n; i++)
		if (!name.p[i] || strchr(signs, name.p[i]))
			return true;
	return false;
}

/* The parameters FreeSWITCH's switch_xml_locate_user adds. */
static int user_load(struct sv user, struct sv domain, struct event *params)
{
	char *user_text = sv_dup(user), *domain_text = sv_dup(domain);
	struct source_question q = {
	    .section = "directory", .tag = "domain", .key_name = "name", .key_value = domain_text};
	const struct xml_node *section = NULL;
	struct xml_doc *doc = NULL;
	int st = ST_NOMEM;

	role_assert_co();
	q.params = params ? mem_ref(params) : event_new(EVENT_REQUEST_PARAMS, NULL);
	if (means_something(user, "${}[]<>,|\\^`") || means_something(domain, "${}<>,|\\^`")) {
		st = ST_NOTFOUND;
	} else if (user_text && domain_text && q.params) {
		event_set(q.params, "key", "id");
		event_set(q.params, "user", user_text);
		event_set(q.params, "domain", domain_text);
		st = source_ask(&q, &doc, &section);
	}
	if (!st || st == ST_NOTFOUND)
		answer_keep(sv_of(user_text), sv_of(domain_text), doc, section);
	mem_unref(doc);
	mem_unref(q.params);
	mem_free(user_text);
	mem_free(domain_text);
	return st;
}

ON_CTL static struct domain *domain_find(struct sv name)
{
	struct dir_index *ix = index_get();
	struct domain *d = ix ? hash_get(ix->by_name, name) : NULL;
	struct answer *a;

	if (!d && (a = answer_of_domain(name)))
		d = hash_get(a->ix->by_name, name);
	return d;
}

/* ---- users --------------------------------------------------------------------------------------------------- */

static void user_free(void *obj)
{
	struct dir_user *u = obj;
	mem_free(u->params.list);
	mem_free(u->vars.list);
	mem_free(u->own_id);
	mem_unref(u->doc);
}

static int user_like(const struct dir_user *like, struct sv id, struct dir_user **out)
{
	struct dir_user *u = mem_new(sizeof *u, user_free, "directory.user");
	int st;

	role_assert_ctl();
	if (!u)
		return ST_NOMEM;
	u->doc = mem_ref(like->doc);
	u->node = like->node, u->domain = like->domain, u->group = like->group;
	u->id = u->own_id = sv_dup(id);
	st = u->id ? pairs_add(&u->params, &like->params) : ST_NOMEM;
	if (!st)
		st = pairs_add(&u->vars, &like->vars);
	if (st)
		mem_unref(u);
	else
		*out = u;
	return st;
}

static struct dir_user *user_flatten(struct dir_index *ix, const struct domain *d, struct record *r)
{
	const struct level *group = r->group ? &d->groups[r->group - 1] : NULL;
	struct dir_user *u;
	int st;

	if (r->flat)
		return r->flat;
	u = mem_new(sizeof *u, user_free, "directory.user");
	if (!u)
		return NULL;
	u->doc = mem_ref(ix->doc);
	u->node = r->node;
	u->id = xml_attr_or(r->node, "id", "");
	u->domain = xml_attr_or(d->node, "name", "");
	u->group = group ? xml_attr(group->node, "name") : NULL;
	st = pairs_add(&u->params, &d->own.params);
	if (!st)
		st = pairs_add(&u->vars, &d->own.vars);
	if (!st && group)
		st = pairs_add(&u->params, &group->params);
	if (!st && group)
		st = pairs_add(&u->vars, &group->vars);
	if (!st)
		st = pairs_merge(&u->params, r->node, "params", "param");
	if (!st)
		st = pairs_merge(&u->vars, r->node, "variables", "variable");
	if (st)
		return mem_unref(u);
	r->flat = u;
	return u;
}

static struct record *record_find(const struct domain *d, struct sv user)
{
	uintptr_t at = d ? (uintptr_t)hash_get(d->by_id, user) : 0;
	return at ? &d->records[at - 1] : NULL;
}

static int user_find(struct sv user, struct sv domain, struct dir_user **out)
{
	struct domain *d;
	struct record *r = NULL;
	struct dir_user *u;
	struct answer *a;
	struct dir_index *ix;

	role_assert_ctl();
	a = answer_find(user, domain);
	ix = a && a->ix ? a->ix : index_get();
	d = ix ? hash_get(ix->by_name, domain) : NULL;
	r = record_find(d, user);
	if (!r && a && a->ix && (ix = index_get())) { /* the handler's answer has others only */
		d = hash_get(ix->by_name, domain);
		r = record_find(d, user);
	}
	if (!r)
		return ST_NOTFOUND;
	u = user_flatten(ix, d, r);
	if (!u)
		return ST_NOMEM;
	*out = mem_ref(u);
	return ST_OK;
}

static const char *user_get(const struct dir_user *u, int what)
{
	return what == 0 ? u->id : what == 1 ? u->domain : u->group;
}

/* Attributes that are one user's own: another that is like him has them not. */
static bool is_own_attr(const char *name)
{
	return !strcmp(name, "id") || !strcmp(name, "number-alias");
}

static const char *user_value(const struct dir_user *u, int what, const char *name)
{
	if (u->own_id && what == 2 && is_own_attr(name))
		return strcmp(name, "id") ? NULL : u->id;
	return what == 0   ? pairs_get(&u->params, name)
	       : what == 1 ? pairs_get(&u->vars, name)
	                   : xml_attr(u->node, name);
}

static void user_each(
    const struct dir_user *u, int what, void (*fn)(const char *name, const char *value, void *arg), void *arg)
{
	const struct pairs *p = what == 0 ? &u->params : &u->vars;

	if (what == 2) {
		for (unsigned i = 0; i < u->node->attr_count; i++)
			if (!u->own_id || !is_own_attr(u->node->attrs[i].name))
				fn(u->node->attrs[i].name, u->node->attrs[i].value, arg);
		return;
	}
	for (size_t i = 0; i < p->count; i++)
		fn(p->list[i].name, p->list[i].value, arg);
}

static const struct xml_node *user_xml(const struct dir_user *u)
{
	return u->node;
}

/* ---- domains and groups -------------------------------------------------------------------------------------- */

static bool domain_exists(struct sv domain)
{
	role_assert_ctl();
	return domain_find(domain) != NULL;
}

static const char *domain_value(struct sv domain, int what, const char *name)
{
	const struct domain *d;

	role_assert_ctl();
	d = domain_find(domain);
	return d ? pairs_get(what == 0 ? &d->own.params : &d->own.vars, name) : NULL;
}

static void each_domain(void (*fn)(const char *domain, void *arg), void *arg)
{
	struct dir_index *ix;
	role_assert_ctl();
	ix = index_get();
	for (size_t i = 0; ix && i < ix->domain_count; i++)
		fn(xml_attr_or(ix->domains[i].node, "name", ""), arg);
}

static const struct xml_node *group_find(const struct domain *d, const char *group)
{
	xml_each(d ? d->node : NULL, "groups", groups)
	{
		const struct xml_node *g = xml_child_with(groups, "group", "name", group);
		if (g)
			return g;
	}
	return NULL;
}

static bool group_exists(struct sv domain, const char *group)
{
	role_assert_ctl();
	return group_find(domain_find(domain), group) != NULL;
}

struct each_user {
	struct dir_index *ix;
	struct domain *d;
	bool (*fn)(struct dir_user *u, void *arg);
	void *arg;
};

/* The user of a <user> element, which may be a pointer to one defined elsewhere. */
static bool each_member(struct each_user *e, const struct xml_node *parent)
{
	bool goes_on = true;
	for (const struct xml_node *it = xml_child(parent, "user"); it && goes_on; it = xml_next(it, "user")) {
		struct record *r = record_find(e->d, sv_of(xml_attr(it, "id")));
		struct dir_user *u = r ? user_flatten(e->ix, e->d, r) : NULL;
		if (u)
			goes_on = e->fn(u, e->arg);
	}
	return goes_on;
}

static void each_user(struct sv domain, const char *group, bool (*fn)(struct dir_user *u, void *arg), void *arg)
{
	struct each_user e = {.fn = fn, .arg = arg};
	struct config *held;
	bool goes_on = true;

	role_assert_ctl();
	e.ix = index_get();
	e.d = domain_find(domain);
	if (!e.d)
		return;
	held = mem_ref(config_current()); /* fn may wait in its own time, but not lose the list */
	if (group) {
		const struct xml_node *g = group_find(e.d, group);
		for (const struct xml_node *users = xml_child(g, "users"); users && goes_on;
		     users = xml_next(users, "users"))
			goes_on = each_member(&e, users);
		if (goes_on)
			each_member(&e, g);
	} else {
		for (size_t i = 0; i < e.d->record_count && goes_on; i++) {
			struct dir_user *u = user_flatten(e.ix, e.d, &e.d->records[i]);
			goes_on = !u || fn(u, arg);
		}
	}
	mem_unref(held);
}

static size_t forget(void)
{
	size_t count;
	role_assert_ctl();
	count = answers ? hash_count(answers) : 0;
	hash_free(answers);
	answers = NULL;
	return count;
}

static const struct dir_provider provider = {
    .needs_load = needs_load,
    .user_load = user_load,
    .forget = forget,
    .user_find = user_find,
    .user_get = user_get,
    .user_value = user_value,
    .user_each = user_each,
    .user_xml = user_xml,
    .domain_exists = domain_exists,
    .domain_value = domain_value,
    .each_domain = each_domain,
    .each_user = each_user,
    .group_exists = group_exists,
    .user_like = user_like,
};

int directory_start(void)
{
	int st = stage_slot >= 0 ? ST_OK : config_stage_add(&stage, &stage_slot);
	if (!st)
		dir_provider_set(&provider);
	return st;
}

void directory_stop(void)
{
	forget();
	dir_provider_set(NULL);
}
