/* Between whoever loads modules and the registries that their tables fill. */
#pragma once
#include "core/registry/module.h"

ON_CTL int registry_add(const struct module *m); /* the tables of a loaded module */
ON_CTL void registry_del(const struct module *m);
ON_CTL void registry_clear(void); /* the known modules too */

/* How rows of modules from files are called: host does it (core/host/module_file.c). */
struct registry_outside {
	int (*app)(const struct app_desc *app, struct leg *leg, const char *data);
	int (*api)(const struct api_desc *api, struct api_call *call);
	void (*keep)(struct tandem_self *m, bool is_held);
};
ON_CTL void registry_outside_set(const struct registry_outside *ops);

/* A module that is known; those from files come and go. */
struct module_slot {
	const struct module *module;
	bool is_loaded;
	unsigned order; /* of loading */
};
ON_CTL void module_forget(struct module_slot *slot);
ON_CTL unsigned module_count(void);
ON_CTL struct module_slot *module_at(unsigned i);         /* valid until one is forgotten */
ON_CTL struct module_slot *module_find(const char *name); /* by its name or one it answers for; NULL */
