/* The table that a module is: one constant descriptor; registering is reading it, help, completion and `show` come from
 * it. Loading and unloading: core/host/module.h. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/dialplan.h"
#include "core/registry/endpoint.h"
#include "core/registry/metrics.h"

#define MODULE_ABI 1

struct var_desc {
	const char *name, *type, *help;
	bool is_read, is_written;
};
struct conf_desc {
	const char *file, *key, *type, *unit, *fallback, *help;
};
struct name_desc {        /* codecs, file formats, timers, say languages, chat ...: what `show` lists */
	const char *kind; /* "codec", "file", "timer", "say", "chat", "asr", "management" */
	const char *name;
};
struct leg_part;
struct module {
	unsigned abi;
	const char *name;            /* "mod_dptools": the name FreeSWITCH configurations load */
	const char *const *also;     /* further FreeSWITCH module names this one answers for, NULL-ended, or NULL */
	int (*load)(void);           /* may be NULL */
	int (*unload)(void);         /* may be NULL; ST_BUSY refuses */
	const struct app_desc *apps; /* tables end with a zero row; NULL = none */
	const struct api_desc *apis;
	const struct endpoint_ops *const *endpoints; /* NULL-ended */
	const struct dialplan_desc *dialplans;
	const struct name_desc *names;
	const struct var_desc *vars;
	const struct conf_desc *confs;
	const struct metric_desc *metrics; /* core/registry/metrics.h */
	const char *filename;              /* what `show modules` tells; NULL: the name */
	struct tandem_self *outside;       /* not NULL: it is from a file */
	struct leg_part *part; /* what it keeps of each leg (core/leg/part.h), or NULL; built-in modules only */
	/* Can it do its work now? false with a reason: /readyz tells it. NULL: it can. */
	bool (*is_ready)(struct buf *why);
};
/* Every registered thing of a kind ("application", "api", "endpoint", "codec", "dialplan" ...) with its module, sorted
 * as FreeSWITCH's `show` sorts (by name). */
struct registry_row {
	const char *kind, *name, *description, *syntax, *module, *filename;
};
ON_CTL void registry_each(
    const char *kind /* NULL = all */, void (*fn)(const struct registry_row *row, void *arg), void *arg);

extern const struct module core_vars_module; /* the variables that core reads and writes (var_descs.c) */

/* Built-in: makes it known, not yet loaded. Several descriptors of one name are one module, loaded and unloaded
 * together (rooms beside each other add to mod_dptools and mod_commands). */
ON_CTL int module_register(const struct module *m);
ON_CTL void module_each(void (*fn)(const struct module *m, void *arg), void *arg); /* registered ones, in order */
ON_CTL bool module_is_loaded(const char *name);
