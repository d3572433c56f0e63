/* The directory: users, groups, domains, as the modules see them. The directory room provides it. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct event;
struct xml_node;
/* A user with what it inherits (domain < group < user), flattened. Counted, immutable. */
struct dir_user;
ON_CTL int dir_user_find(
    struct sv user, struct sv domain, struct dir_user **out); /* id or number-alias; new reference; ST_NOTFOUND */
/* One of another id that has what u has (parameters, variables, group) and stands in no directory: for a user whom
 * somebody else vouches for. */
ON_CTL int dir_user_like(const struct dir_user *u, struct sv id, struct dir_user **out);
ON_CTL bool dir_has_handler(void); /* an XML handler is bound to the directory */
/* True: an XML handler is bound to the directory and has not been asked for this user in the last seconds; who can wait
 * asks before he looks. */
ON_CTL bool dir_user_needs_load(struct sv user, struct sv domain);
/* Asks it. params (may be NULL): what is known of who wants to know; key, user and domain are added. What it answered,
 * a user or none, is what dir_user_find finds for some seconds. ST_OK, ST_NOTFOUND, ST_LIMIT (too many ask) ... */
CO int dir_user_load(struct sv user, struct sv domain, struct event *params);
ON_CTL size_t dir_forget(void); /* what handlers answered is asked anew; how many answers there were */
/* dir_user_find, with the handler asked before when a coroutine runs and it is needed. action: "user_call" ..., or
 * NULL. */
ON_CTL int dir_user_get(struct sv user, struct sv domain, const char *action, struct dir_user **out);
ON_CTL const char *dir_user_id(const struct dir_user *u);
ON_CTL const char *dir_user_domain(const struct dir_user *u);
ON_CTL const char *dir_user_group(const struct dir_user *u);                   /* first group or NULL */
ON_CTL const char *dir_user_param(const struct dir_user *u, const char *name); /* NULL when unset */
ON_CTL const char *dir_user_var(const struct dir_user *u, const char *name);
ON_CTL const char *dir_user_attr(const struct dir_user *u, const char *name);
ON_CTL void dir_user_each_var(
    const struct dir_user *u, void (*fn)(const char *name, const char *value, void *arg), void *arg);
ON_CTL void dir_user_each_param(
    const struct dir_user *u, void (*fn)(const char *name, const char *value, void *arg), void *arg);
ON_CTL const struct xml_node *dir_user_xml(const struct dir_user *u);
ON_CTL bool dir_domain_exists(struct sv domain);
ON_CTL const char *dir_domain_param(struct sv domain, const char *name);
ON_CTL const char *dir_domain_var(struct sv domain, const char *name);
ON_CTL void dir_each_domain(void (*fn)(const char *domain, void *arg), void *arg);
/* group NULL = all; fn returns false to stop. */
ON_CTL void dir_each_user(struct sv domain, const char *group, bool (*fn)(struct dir_user *u, void *arg), void *arg);
ON_CTL bool dir_group_exists(struct sv domain, const char *group);

struct dir_provider {
	int (*user_find)(struct sv user, struct sv domain, struct dir_user **out);
	const char *(*user_get)(const struct dir_user *u, int what /* 0 id 1 domain 2 group */);
	const char *(*user_value)(const struct dir_user *u, int what /* 0 param 1 var 2 attr */, const char *name);
	void (*user_each)(
	    const struct dir_user *u, int what, void (*fn)(const char *, const char *, void *), void *arg);
	const struct xml_node *(*user_xml)(const struct dir_user *u);
	bool (*domain_exists)(struct sv domain);
	const char *(*domain_value)(struct sv domain, int what /* 0 param 1 var */, const char *name);
	void (*each_domain)(void (*fn)(const char *, void *), void *arg);
	void (*each_user)(struct sv domain, const char *group, bool (*fn)(struct dir_user *, void *), void *arg);
	bool (*group_exists)(struct sv domain, const char *group);
	bool (*needs_load)(struct sv user, struct sv domain);                     /* NULL: there is no handler */
	int (*user_load)(struct sv user, struct sv domain, struct event *params); /* CO */
	size_t (*forget)(void);
	int (*user_like)(const struct dir_user *u, struct sv id, struct dir_user **out);
};
ON_CTL void dir_provider_set(const struct dir_provider *p); /* NULL: an empty directory */
