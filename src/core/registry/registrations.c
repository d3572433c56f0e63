/* The registrars, asked one after the other in the order in which they came. */
#include "core/registry/registrations.h"
#include "base/status.h"
#include <string.h>

enum { REGISTRARS_MAX = 16 };
static const struct core_registrar *registrars[REGISTRARS_MAX];
static size_t registrar_count;
static core_registration_changed_fn watcher;

int core_registrar_add(const struct core_registrar *r)
{
	for (size_t i = 0; i < registrar_count; i++)
		if (registrars[i] == r)
			return ST_EXISTS;
	if (registrar_count == REGISTRARS_MAX)
		return ST_FULL;
	registrars[registrar_count++] = r;
	return ST_OK;
}

void core_registrar_del(const struct core_registrar *r)
{
	for (size_t i = 0; i < registrar_count; i++)
		if (registrars[i] == r) {
			memmove(&registrars[i], &registrars[i + 1], (--registrar_count - i) * sizeof(registrars[0]));
			return;
		}
}

void core_registration_each(core_registration_fn fn, void *arg)
{
	for (size_t i = 0; i < registrar_count; i++)
		registrars[i]->each(fn, arg);
}

void core_registration_find(struct sv user, struct sv realm, core_registration_fn fn, void *arg)
{
	for (size_t i = 0; i < registrar_count; i++)
		registrars[i]->find(user, realm, fn, arg);
}

size_t core_registration_count(void)
{
	size_t count = 0;
	for (size_t i = 0; i < registrar_count; i++)
		count += registrars[i]->count();
	return count;
}

void core_registration_watch(core_registration_changed_fn fn)
{
	watcher = fn;
}

void core_registration_changed(struct sv user, struct sv realm)
{
	if (watcher)
		watcher(user, realm);
}
