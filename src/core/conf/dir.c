/* The directory as core's callers see it: every question goes to the provider the directory room installed. */
#include "core/conf/dir.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/source.h"
#include "core/event/event.h"
#include "loop/co.h"
#include <string.h>

static const struct dir_provider *provider;

void dir_provider_set(const struct dir_provider *p)
{
	provider = p;
}

int dir_user_find(struct sv user, struct sv domain, struct dir_user **out)
{
	return provider ? provider->user_find(user, domain, out) : ST_NOTFOUND;
}
int dir_user_like(const struct dir_user *u, struct sv id, struct dir_user **out)
{
	return provider && provider->user_like ? provider->user_like(u, id, out) : ST_NOTFOUND;
}
bool dir_has_handler(void)
{
	return source_is_bound("directory");
}
bool dir_user_needs_load(struct sv user, struct sv domain)
{
	return provider && provider->needs_load && provider->needs_load(user, domain);
}
int dir_user_load(struct sv user, struct sv domain, struct event *params)
{
	return provider && provider->user_load ? provider->user_load(user, domain, params) : ST_NOTFOUND;
}
size_t dir_forget(void)
{
	return provider && provider->forget ? provider->forget() : 0;
}
int dir_user_get(struct sv user, struct sv domain, const char *action, struct dir_user **out)
{
	struct event *params;

	if (!co_self())
		return dir_user_find(user, domain, out);
	role_assert_co();
	if (!dir_user_needs_load(user, domain))
		return dir_user_find(user, domain, out);
	char *u = sv_dup(user), *d = sv_dup(domain); /* the caller's text may be gone after the wait */
	user = sv_of(u), domain = sv_of(d);
	if (u && d && (params = event_new(EVENT_REQUEST_PARAMS, NULL))) {
		if (action && !strcmp(action, "user_call")) /* as FreeSWITCH's endpoint user */
			event_add(params, "as_channel", "true");
		if (action)
			event_add(params, "action", action);
		dir_user_load(user, domain, params);
		mem_unref(params);
	}
	int st = u && d ? dir_user_find(user, domain, out) : ST_NOMEM;
	mem_free(u), mem_free(d);
	return st;
}
static ON_CTL const char *get(const struct dir_user *u, int what)
{
	return provider ? provider->user_get(u, what) : NULL;
}
static ON_CTL const char *value(const struct dir_user *u, int what, const char *name)
{
	return provider ? provider->user_value(u, what, name) : NULL;
}
const char *dir_user_id(const struct dir_user *u)
{
	return get(u, 0);
}
const char *dir_user_domain(const struct dir_user *u)
{
	return get(u, 1);
}
const char *dir_user_group(const struct dir_user *u)
{
	return get(u, 2);
}
const char *dir_user_param(const struct dir_user *u, const char *name)
{
	return value(u, 0, name);
}
const char *dir_user_var(const struct dir_user *u, const char *name)
{
	return value(u, 1, name);
}
const char *dir_user_attr(const struct dir_user *u, const char *name)
{
	return value(u, 2, name);
}
void dir_user_each_var(const struct dir_user *u, void (*fn)(const char *name, const char *value, void *arg), void *arg)
{
	if (provider)
		provider->user_each(u, 1, fn, arg);
}
void dir_user_each_param(
    const struct dir_user *u, void (*fn)(const char *name, const char *value, void *arg), void *arg)
{
	if (provider)
		provider->user_each(u, 0, fn, arg);
}
const struct xml_node *dir_user_xml(const struct dir_user *u)
{
	return provider ? provider->user_xml(u) : NULL;
}
bool dir_domain_exists(struct sv domain)
{
	return provider && provider->domain_exists(domain);
}
const char *dir_domain_param(struct sv domain, const char *name)
{
	return provider ? provider->domain_value(domain, 0, name) : NULL;
}
const char *dir_domain_var(struct sv domain, const char *name)
{
	return provider ? provider->domain_value(domain, 1, name) : NULL;
}
void dir_each_domain(void (*fn)(const char *domain, void *arg), void *arg)
{
	if (provider)
		provider->each_domain(fn, arg);
}
void dir_each_user(struct sv domain, const char *group, bool (*fn)(struct dir_user *u, void *arg), void *arg)
{
	if (provider)
		provider->each_user(domain, group, fn, arg);
}
bool dir_group_exists(struct sv domain, const char *group)
{
	return provider && provider->group_exists(domain, group);
}
