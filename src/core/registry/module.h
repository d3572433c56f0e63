/* Modules and the registries their tables fill. One constant descriptor per module; registering is reading the table;
 * help, completion and `show` come from it. Built-in modules are listed in main/modules.c; start order is that list. */
#pragma once
#include "core/dial/originate.h"
#include "core/leg/leg.h"
#include "core/registry/metrics.h"
#include "core/registry/principal.h"

#define MODULE_ABI 1

struct tandem_app;
struct tandem_api;
struct tandem_self; /* a module that was loaded from a file (include/tandem/module.h) */

enum { APP_ROUTING_EXEC = 1 /* may be inline */, APP_ZOMBIE_EXEC = 2, APP_NO_MEDIA = 4 };
/* Whoever may run certain commands only (core/registry/principal.h) may give a call applications that say what their
 * data is, and no others. */
enum {
	APP_OPERATOR = 1 << 8,           /* data and nothing else, in words */
	APP_OPERATOR_SOUND = 2 << 8,     /* a file or tone to play */
	APP_OPERATOR_RECORDING = 3 << 8, /* a file to write */
	APP_OPERATOR_DIAL = 4 << 8,      /* a dial string */
	APP_OPERATOR_PLACE = 5 << 8,     /* extension, dialplan, context */
	APP_OPERATOR_VARIABLE = 6 << 8,  /* name=value */
	APP_OPERATOR_MASK = 7 << 8
};
struct app_desc {
	const char *name, *description, *syntax;
	unsigned flags;
	/* Inside a coroutine (begins with role_assert_co). */
	int (*fn)(struct leg *leg, const char *data); /* ST_OK, APP_DETACHED or failure */
	const struct tandem_app *outside;             /* in place of fn, with owner: of a module from a file */
	struct tandem_self *owner;
};
struct api_call {
	const char *args; /* never NULL; without marks */
	const char
	    *text; /* the same with what came from outside marked (text/mark.h): for what is read as a language */
	bool is_reply_text;    /* set by the command: it marked its reply itself, byte by byte */
	bool is_reply_outside; /* set by the command: all of its reply is from outside */
	/* Who asks, when he may not do everything: then all of text is from outside but the blanks. What a command
	 * takes as a name, or gives to whatever reads a language, goes through a door of core/registry/principal.h; a
	 * command that runs others runs them by api_run_for. */
	const struct principal *who;
	struct leg *leg;               /* the leg it was expanded on, or NULL */
	struct buf *out;               /* reply text */
	const char *job_uuid, *client; /* who asks, or NULL */
};
enum { API_MAY_WAIT = 1 };
struct api_desc {
	const char *name, *description, *syntax;
	unsigned flags;
	int (*fn)(struct api_call *c);    /* with API_MAY_WAIT it runs inside a coroutine and may call CO functions */
	const char *const *complete;      /* "add sofia status"-style completion words, NULL-ended, or NULL */
	const struct tandem_api *outside; /* in place of fn, with owner: of a module from a file */
	struct tandem_self *owner;
};
struct dialplan_desc {
	const char *name; /* "XML" */
	/* Fills the leg's list by leg_exec_add for exten/context of its profile. args: what followed "NAME:".
	 * ST_NOTFOUND: no route. */
	int (*hunt)(struct leg *leg, const char *args);
};
struct var_desc {
	const char *name, *type, *help;
	bool is_read, is_written;
};
struct conf_desc {
	const char *file, *key, *type, *unit, *fallback, *help;
};
struct name_desc {        /* codecs, file formats, timers, say languages, chat ...: what `show` lists */
	const char *kind; /* "codec", "file", "timer", "say", "chat", "management" */
	const char *name;
};
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
	/* Can it do its work now? false with a reason: /readyz tells it. NULL: it can. */
	bool (*is_ready)(struct buf *why);
};
/* Built-in: makes it known, not yet loaded. Several descriptors of one name are one module, loaded and unloaded
 * together (rooms beside each other add to mod_dptools and mod_commands). */
ON_CTL int module_register(const struct module *m);
ON_CTL void module_each(void (*fn)(const struct module *m, void *arg), void *arg); /* registered ones, in order */
/* A built-in module, or NAME.so of the module directory. Inside a coroutine it may wait for the disk. why (may be NULL)
 * gets a text that stays valid until the next call. ST_NOTFOUND: neither is there; ST_EXISTS: loaded already. */
ON_CTL int module_load(const char *name, const char **why);
/* ST_BUSY: it is in use. A module from a file goes out of memory. */
ON_CTL int module_unload(const char *name, const char **why);
ON_CTL bool module_is_loaded(const char *name);
ON_CTL void module_unload_all(void); /* in reverse order */
/* The first loaded module that is not ready (its reason appended to why), or NULL. */
ON_CTL const char *module_unready(struct buf *why);
/* Reads modules.conf of the configuration and loads: one warning for each that we lack, never a failure. */
ON_CTL int module_load_configured(void);

ON_CTL const struct app_desc *app_find(const char *name);
/* Call a row's function, whatever kind of module it is of; that module cannot be unloaded meanwhile. Who waits between
 * finding an application and calling it holds it. */
CO int module_app_call(const struct app_desc *app, struct leg *leg, const char *data);
ON_CTL int module_api_call(const struct api_desc *api, struct api_call *c);
ON_CTL void module_app_keep(const struct app_desc *app, bool is_held);
ON_CTL const struct api_desc *api_find(const char *name);
ON_CTL const struct endpoint_ops *endpoint_find(struct sv name);
ON_CTL const struct dialplan_desc *dialplan_find(struct sv name);
/* Every registered thing of a kind ("application", "api", "endpoint", "codec", "dialplan" ...) with its module, sorted
 * as FreeSWITCH's `show` sorts (by name). */
struct registry_row {
	const char *kind, *name, *description, *syntax, *module, *filename;
};
ON_CTL void registry_each(
    const char *kind /* NULL = all */, void (*fn)(const struct registry_row *row, void *arg), void *arg);

/* Runs a command line's command. Out gets the reply; ST_NOTFOUND: no such command (nothing written); ST_DENIED: may
 * wait but no coroutine runs. Fires EVENT_API. */
ON_CTL int api_run(const char *cmd, const char *args, struct leg *leg, struct buf *out);
/* The same within an expansion: args may be marked, and the reply is: byte by byte by a command that knows how, else
 * all of it when anything in the arguments was, or when it is from outside whatever was asked. */
ON_CTL int api_run_text(const char *cmd, const char *args, struct leg *leg, struct buf *out);
/* For who may run certain commands only; args are plain and his. who NULL: as api_run. A command he may not run is
 * answered by "-ERR permission denied". */
ON_CTL int api_run_for(
    const struct principal *who, const char *cmd, const char *args, struct leg *leg, struct buf *out);
/* BACKGROUND_JOB, which tells that a command begun in the background is over. args NULL or "": none. */
ON_CTL void api_job_event(const char *job_uuid, const char *cmd, const char *args, int status, struct sv reply);
typedef void (*api_done_fn)(int status, struct sv reply, void *arg);
/* Runs a command on a coroutine of its own; done on the control loop. Strings are copied, who (NULL: everything is
 * allowed) is referenced. */
ON_CTL int api_spawn(const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg);
ON_CTL int api_spawn_for(
    const struct principal *who, const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg);
