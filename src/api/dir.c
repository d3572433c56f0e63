/* The directory: user_data, user_exists, domain_exists, domain_data, find_user_xml, list_users, group_call, in_group,
 * reg_url. Values come from core/conf/dir.h (inheritance applied); lists walk the XML, because a user may stand in
 * several groups. */
#include "core/conf/dir.h"
#include "api/api_i.h"
#include "core/conf/config.h"
#include "core/door/door.h"
#include "core/registry/api.h"
#include "core/registry/registrations.h"
#include "core/run/api.h"
#include "core/run/expand.h"
#include "text/mark.h"
#include "text/words.h"
#include "text/xml.h"

#include <stdio.h>

enum { FIELD_MAX = 256 };

static ON_CTL const char *default_domain(void)
{
	const char *d = globals_get("domain");
	return d ? d : "";
}

/* "user@domain" to both; without a domain the default one. */
static ON_CTL int find_user(const char *text, struct dir_user **out)
{
	struct sv user, domain;
	if (!sv_split(sv_of(text), '@', &user, &domain))
		domain = sv_of(default_domain());
	return dir_user_get(user, domain, NULL, out);
}

/* Whatever is neither "attr" nor "var" is a parameter. */
static ON_CTL const char *user_value(const struct dir_user *u, const char *kind, const char *name)
{
	if (!strcmp(kind, "attr"))
		return dir_user_attr(u, name);
	return !strcmp(kind, "var") ? dir_user_var(u, name) : dir_user_param(u, name);
}

enum { KEYS_MAX = 8 };
struct key_ask {
	const char *key, *value;
	struct dir_user *found;
};

static bool key_fits(struct dir_user *u, void *arg)
{
	role_assert_ctl();
	struct key_ask *q = arg;
	const char *value = dir_user_attr(u, q->key);
	if (value && !strcmp(value, q->value))
		q->found = mem_ref(u);
	return !q->found;
}

/* The user of the domain whose attribute key has the value; key may be several, "id:number-alias", of which the first
 * eight count. */
static ON_CTL struct dir_user *find_by_key(const char *key, const char *value, const char *domain)
{
	struct key_ask q = {.value = value};
	struct sv rest = sv_of(key), one;
	/* each may look at all users of the domain */
	for (int i = 0; i < KEYS_MAX && rest.n && !q.found; i++) {
		sv_split(rest, ':', &one, &rest);
		struct dir_user *u = NULL;
		char *name = sv_dup(one);
		q.key = name;
		/* almost always it is the id, which is indexed */
		if (name && !dir_user_get(sv_of(value), sv_of(domain), NULL, &u))
			key_fits(u, &q);
		if (name && !q.found)
			dir_each_user(sv_of(domain), NULL, key_fits, &q);
		mem_unref(u);
		mem_free(name);
	}
	return q.found;
}

int api_user_data(struct api_call *c)
{
	struct api_words w;
	struct dir_user *u = NULL;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (!st && w.n == 3 && c->who && !principal_may_read(w.w[2])) {
		api_refuse(c, "that is a secret");
	} else if (!st && w.n == 3 && !find_user(w.w[0], &u)) {
		const char *v = user_value(u, w.w[1], w.w[2]);
		buf_adds(c->out, v ? v : "");
	}
	mem_unref(u);
	api_words_fini(&w);
	return st;
}

int api_user_exists(struct api_call *c)
{
	struct api_words w;
	struct dir_user *u = NULL;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (!st && w.n == 3)
		u = find_by_key(w.w[0], w.w[1], w.w[2]);
	buf_adds(c->out, u ? "true" : "false");
	mem_unref(u);
	api_words_fini(&w);
	return st;
}

static void put_pair(struct buf *out, const char *tag, const char *name, const char *value)
{
	buf_printf(out, "\n      <%s name=\"", tag);
	xml_escape(out, sv_of(name), true);
	buf_adds(out, "\" value=\"");
	xml_escape(out, sv_of(value), true);
	buf_printf(out, "\"></%s>", tag);
}

static void put_param(const char *name, const char *value, void *arg)
{
	put_pair(arg, "param", name, value);
}

static void put_variable(const char *name, const char *value, void *arg)
{
	put_pair(arg, "variable", name, value);
}

/* The user with all that it inherits from its domain and group. */
static ON_CTL void put_user(struct buf *out, const struct dir_user *u)
{
	const struct xml_node *node = dir_user_xml(u);
	buf_adds(out, "<user");
	for (unsigned i = 0; i < node->attr_count; i++) {
		buf_printf(out, " %s=\"", node->attrs[i].name);
		xml_escape(out, sv_of(node->attrs[i].value), true);
		buf_addc(out, '"');
	}
	buf_adds(out, " domain-name=\"");
	xml_escape(out, sv_of(dir_user_domain(u)), true);
	buf_adds(out, "\">\n    <profile-variables></profile-variables>\n    <params>");
	dir_user_each_param(u, put_param, out);
	buf_adds(out, "\n    </params>\n    <variables>");
	dir_user_each_var(u, put_variable, out);
	buf_adds(out, "\n    </variables>\n  </user>\n");
}

int api_find_user_xml(struct api_call *c)
{
	struct api_words w;
	struct dir_user *u = NULL;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (st)
		goto out;
	if (w.n < 3)
		buf_adds(c->out, "-ERR bad args\n");
	else if (!(u = find_by_key(w.w[0], w.w[1], w.w[2])))
		buf_adds(c->out, c->leg ? "false" : "-ERR can't find user\n");
	else if (c->leg) /* within a call it only tells whether there is one */
		buf_adds(c->out, "true");
	else
		put_user(c->out, u);
out:
	mem_unref(u);
	api_words_fini(&w);
	return st;
}

int api_domain_exists(struct api_call *c)
{
	role_assert_ctl();
	return *c->args ? api_text(c, dir_domain_exists(sv_of(c->args)) ? "true" : "false") : ST_OK;
}

int api_domain_data(struct api_call *c)
{
	struct api_words w;
	role_assert_ctl();
	int st = api_words_init(&w, c, 3);
	if (!st && w.n == 3 && c->who && !principal_may_read(w.w[2])) {
		api_refuse(c, "that is a secret");
	} else if (!st && w.n == 3 && dir_domain_exists(sv_of(w.w[0]))) {
		const char *v = !strcasecmp(w.w[1], "param") ? dir_domain_param(sv_of(w.w[0]), w.w[2])
		                : !strcasecmp(w.w[1], "attr") && !strcasecmp(w.w[2], "name")
		                    ? w.w[0]
		                    : dir_domain_var(sv_of(w.w[0]), w.w[2]);
		buf_adds(c->out, v ? v : "");
	}
	api_words_fini(&w);
	return st;
}

/* ---- lists ----------------------------------------------------------------------------------------------------- */
/* The contact of a user as the endpoint knows it. Appended; "error/user_not_registered" without one. */
static ON_CTL void add_contact(struct buf *out, const char *user, const char *domain)
{
	char args[FIELD_MAX * 2];
	size_t before = out->n;
	snprintf(args, sizeof(args), "%s@%s", user, domain);
	if (api_run("sofia_contact", args, NULL, out) || out->n == before)
		buf_adds(out, "error/user_not_registered");
}

struct list_ask {
	struct buf *out;
	const char *group, *domain, *user, *context;
	const char *now_domain, *now_group;
};

static ON_CTL void list_user(struct list_ask *q, const char *id)
{
	static const char *const names[] = {"callgroup", "effective_caller_id_name", "effective_caller_id_number"};
	struct dir_user *u = NULL;
	if ((q->user && strcmp(q->user, id)) || dir_user_find(sv_of(id), sv_of(q->now_domain), &u))
		return;
	const char *context = dir_user_var(u, "user_context");
	if (!q->context || !strcmp(q->context, context ? context : "")) {
		buf_printf(q->out, "%s|%s|%s|%s|", id, context ? context : "", q->now_domain, q->now_group);
		add_contact(q->out, id, q->now_domain);
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			const char *v = dir_user_var(u, names[i]);
			buf_printf(q->out, "|%s", v ? v : "");
		}
		buf_addc(q->out, '\n');
	}
	mem_unref(u);
}

static ON_CTL void list_users_of(struct list_ask *q, const struct xml_node *users)
{
	xml_each(users, "user", user) if (xml_attr(user, "id")) list_user(q, xml_attr(user, "id"));
}

int api_list_users(struct api_call *c)
{
	struct api_words w;
	role_assert_co();
	struct list_ask q = {.out = c->out};
	int st = api_words_init(&w, c, 8);
	if (st)
		goto out;
	for (int i = 0; i + 1 < w.n; i += 2) {
		const char **to = !strcasecmp(w.w[i], "group")     ? &q.group
		                  : !strcasecmp(w.w[i], "domain")  ? &q.domain
		                  : !strcasecmp(w.w[i], "user")    ? &q.user
		                  : !strcasecmp(w.w[i], "context") ? &q.context
		                                                   : NULL;
		if (to)
			*to = w.w[i + 1];
	}
	buf_adds(c->out,
	    "userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n");
	struct config *snapshot = mem_ref(config_current());
	xml_each(config_section("directory"), "domain", domain)
	{
		q.now_domain = xml_attr_or(domain, "name", "");
		if (q.domain && strcasecmp(q.domain, q.now_domain))
			continue;
		xml_each(xml_child(domain, "groups"), "group", group)
		{
			q.now_group = xml_attr_or(group, "name", "");
			if (!q.group || !strcasecmp(q.group, q.now_group))
				list_users_of(&q, xml_child(group, "users"));
		}
		q.now_group = "";
		if (!q.group) {
			list_users_of(&q, xml_child(domain, "users"));
			list_users_of(&q, domain);
		}
	}
	mem_unref(snapshot);
	buf_adds(c->out, "\n+OK\n");
out:
	api_words_fini(&w);
	return st;
}

struct dialed {
	const char *user, *domain;
};

static const char *dialed_lookup(const char *name, void *arg)
{
	const struct dialed *d = arg;
	return !strcasecmp(name, "dialed_user") ? d->user : !strcasecmp(name, "dialed_domain") ? d->domain : NULL;
}

/* One member of a group: its dial string with ${dialed_user} and ${dialed_domain} put in, and {} as []. */
static ON_CTL void add_member(struct buf *out, struct leg *leg, const struct dir_user *u, const char *domain)
{
	struct dialed d = {dir_user_id(u), domain};
	const char *dial = dir_user_param(u, "group-dial-string");
	char *text = NULL;
	if (!dial)
		dial = dir_user_param(u, "dial-string");
	if (!dial || expand_with(leg, dialed_lookup, &d, dial, &text)) {
		buf_adds(out, "error/NO_ROUTE_DESTINATION");
		return;
	}
	char *end = *text == '{' ? strchr(text, '}') : NULL;
	if (end) {
		*text = '[';
		*end = ']';
	}
	buf_adds(out, text);
	mem_free(text);
}

struct group_ask {
	struct buf *out;
	struct leg *leg;    /* whose call it is, or NULL */
	const char *domain; /* marked */
	const char *sep, *wanted_user;
	unsigned count;
	bool is_found;
};

static bool group_member(struct dir_user *u, void *arg)
{
	role_assert_ctl();
	struct group_ask *q = arg;
	if (q->wanted_user) {
		q->is_found = !strcmp(q->wanted_user, dir_user_id(u));
		return !q->is_found;
	}
	if (q->count++)
		buf_adds(q->out, q->sep);
	add_member(q->out, q->leg, u, q->domain);
	return true;
}

int api_group_call(struct api_call *c)
{
	role_assert_co();
	char *text = mem_strdup(c->text), *plain;
	struct group_ask q = {.out = c->out, .leg = c->leg, .sep = ","};
	if (!text)
		return ST_NOMEM;
	c->is_reply_text = true; /* the directory's dial strings */
	char *plus = strrchr(text, '+');
	if (plus) {
		q.sep = plus[1] == 'F' ? "|" : plus[1] == 'E' ? ":_:" : ",";
		*plus = 0;
	}
	char *domain = strchr(text, '@');
	if (domain)
		*domain++ = 0;
	q.domain = domain ? domain : default_domain();
	plain = mark_strip_dup(sv_of(q.domain));
	mark_strip_in_place(text);
	if (*text && plain)
		dir_each_user(sv_of(plain), text, group_member, &q);
	if (!q.count)
		buf_adds(c->out, "error/NO_ROUTE_DESTINATION");
	mem_free(plain);
	mem_free(text);
	return ST_OK;
}

/* user[@domain],group */
int api_in_group(struct api_call *c)
{
	role_assert_ctl();
	struct group_ask q = {.out = c->out};
	char *text = mem_strdup(c->args), *part[2];
	if (text && words_split(text, ',', part, 2) == 2) {
		char *domain = strchr(part[0], '@');
		if (domain)
			*domain++ = 0;
		q.wanted_user = part[0];
		dir_each_user(sv_of(domain ? domain : default_domain()), part[1], group_member, &q);
	}
	buf_adds(c->out, q.is_found ? "true" : "false");
	mem_free(text);
	return ST_OK;
}

struct reg_ask {
	struct buf *out;
	struct sv user, realm;
	bool is_found;
};

static void reg_row(const struct core_registration *r, void *arg)
{
	struct reg_ask *q = arg;
	if (q->is_found)
		return;
	buf_adds(q->out, r->url);
	q->is_found = true;
}

int api_reg_url(struct api_call *c)
{
	role_assert_ctl();
	struct reg_ask q = {.out = c->out};
	if (!sv_split(sv_of(c->args), '@', &q.user, &q.realm))
		q.realm = sv_of(default_domain());
	core_registration_find(q.user, q.realm, reg_row, &q);
	return q.is_found ? ST_OK : api_text(c, "error/user_not_registered");
}
