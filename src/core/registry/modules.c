/* The modules that are known, loaded or not, in the order in which they were made known. host loads and unloads them.
 */
#include "base/status.h"
#include "core/registry/module.h"
#include "core/registry/registry.h"
#include <string.h>
#include <strings.h>

enum { MODULES_MAX = 128 };
static struct module_slot modules[MODULES_MAX];
static unsigned count;

int module_register(const struct module *m)
{
	if (m->abi != MODULE_ABI || !m->name)
		return ST_UNSUPPORTED;
	if (count == MODULES_MAX)
		return ST_FULL;
	for (unsigned i = 0; i < count; i++)
		if (modules[i].module == m)
			return ST_EXISTS;
	modules[count++] = (struct module_slot){.module = m};
	return ST_OK;
}

void module_forget(struct module_slot *slot)
{
	*slot = modules[--count];
}

unsigned module_count(void)
{
	return count;
}

struct module_slot *module_at(unsigned i)
{
	return &modules[i];
}

void module_each(void (*fn)(const struct module *m, void *arg), void *arg)
{
	for (unsigned i = 0; i < count; i++)
		fn(modules[i].module, arg);
}

static bool answers_for(const struct module *m, const char *name)
{
	if (!strcasecmp(m->name, name))
		return true;
	for (const char *const *also = m->also; also && *also; also++)
		if (!strcasecmp(*also, name))
			return true;
	return false;
}

struct module_slot *module_find(const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (answers_for(modules[i].module, name))
			return &modules[i];
	return NULL;
}

bool module_is_loaded(const char *name)
{
	const struct module_slot *slot = module_find(name);
	return slot && slot->is_loaded;
}
