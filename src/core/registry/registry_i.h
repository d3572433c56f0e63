/* Between the module loader and the registries. */
#pragma once
#include "core/registry/module.h"

ON_CTL int registry_add(const struct module *m); /* the tables of a loaded module */
ON_CTL void registry_del(const struct module *m);
ON_CTL void registry_clear(void);
