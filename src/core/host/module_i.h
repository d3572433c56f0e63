/* Modules from files, for module.c, module_file.c and module_host.c. */
#pragma once
#include "base/list.h"
#include "core/host/module.h"
#include "core/registry/registry.h"
#include "tandem/module.h"

enum { MODULE_NAME_CHARS = 64, MODULE_WHY_CHARS = 400, MODULE_BROUGHT_MAX = 8 /* of one module */ };

/* The tandem_self of the public header: one module that was loaded from a file. */
struct tandem_self {
	struct module module;             /* what the registry reads; its tables are copies of desc's */
	const struct tandem_module *desc; /* in the file */
	void *handle;
	char name[MODULE_NAME_CHARS];
	char *path;
	unsigned use_count; /* applications, commands, callbacks and jobs of it that run */
	struct list subscriptions, timers;
	unsigned brought_count; /* codecs and recognisers: with any it stays in memory */
	struct name_desc brought[MODULE_BROUGHT_MAX + 1];
};

/* ---- module_file.c ---- */
/* mod_x: letters, digits, _ and -; nothing that leads elsewhere. */
bool module_name_is_good(const char *name);
/* Opens NAME.so of the module directory (on a worker where something may wait), checks it and calls its load. On
 * failure why says what is wrong; ST_NOTFOUND: there is no such file. */
ON_CTL int module_file_open(const char *name, struct tandem_self **out, char why[MODULE_WHY_CHARS]);
/* Takes what the module left behind and the file out of memory; nothing of it may run. */
ON_CTL void module_file_close(struct tandem_self *m);

/* Calls its load or unload: at once, nothing in it waits; on a stack of 1 MiB where a coroutine asks for it. */
ON_CTL int module_file_load(struct tandem_self *m);
ON_CTL int module_file_unload(struct tandem_self *m);

extern const struct registry_outside module_outside;

/* ---- module_host.c ---- */
extern const struct tandem_host module_host;
ON_CTL void module_host_at_once(bool has_begun);     /* nothing of a module's waits until it has ended */
ON_CTL void module_host_drop(struct tandem_self *m); /* its subscriptions and timers */

/* ---- module_codec.c ---- */
/* The host's codec_add; see the public header. */
ON_CTL int module_codec_add(struct tandem_self *m, const struct tandem_codec *codec);

/* ---- module_recogniser.c ---- */
/* The host's recogniser_add; see the public header. */
ON_CTL int module_recogniser_add(struct tandem_self *m, const struct tandem_recogniser *r);
