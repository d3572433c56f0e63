/* Modules as they come and go: the built-in ones that main/modules.c lists (start order is that list) and those from
 * files. */
#pragma once
#include "core/registry/module.h"

/* A built-in module, or NAME.so of the module directory. Inside a coroutine it may wait for the disk. why (may be NULL)
 * gets a text that stays valid until the next call. ST_NOTFOUND: neither is there; ST_EXISTS: loaded already. */
ON_CTL int module_load(const char *name, const char **why);
/* ST_BUSY: it is in use. A module from a file goes out of memory. */
ON_CTL int module_unload(const char *name, const char **why);
ON_CTL void module_unload_all(void); /* in reverse order */
/* The first loaded module that is not ready (its reason appended to why), or NULL. */
ON_CTL const char *module_unready(struct buf *why);
/* Reads modules.conf of the configuration and loads: one warning for each that we lack, never a failure. */
ON_CTL int module_load_configured(void);
/* For config_known_set. */
struct config_known;
ON_CTL void module_known_fill(struct config_known *k);
