/* Configuration: freeswitch.xml and what it includes, preprocessed and parsed aside into an immutable snapshot, swapped
 * in by the control thread; on any error the running one stays. And the global variables ($${name}). Everything
 * borrowed from the current snapshot is valid until control returns to the loop or waits: a reload may swap it. Keep a
 * reference (mem_ref(config_current())) to hold nodes longer. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "text/xml.h"

#define CONFIG_ERROR_CHARS 600

struct config; /* counted, atomically */

/* Where configuration comes from. Strings are copied. */
struct config_source {
	const char *conf_dir;   /* absolute; includes are relative to the including file */
	const char *main_file;  /* NULL = "freeswitch.xml" in conf_dir */
	const char *fsxml_file; /* where the preprocessed text is written (FreeSWITCH: log/freeswitch.xml.fsxml); NULL =
	                           nowhere */
	bool (*has_file)(const char *conf); /* ANY thread: a module that is here reads "x.conf"; NULL: each has one */
};
struct config_global {
	const char *name, *value;
};
/* Once, at start, before the first load. builtins: hostname, local_ip_v4, base_dir, conf_dir ... (count of them). */
ON_CTL int config_init(const struct config_source *source, const struct config_global *builtins, size_t count);
ON_CTL void config_fini(void);
ANY const char *config_dir(void); /* conf_dir; the same as long as the program runs */

/* Loads here and now, blocking: program start, tests. error as "file:line:column: reason". Nothing is swapped. */
ON_CTL int config_load(struct config **out, char error[CONFIG_ERROR_CHARS]);
/* Makes cfg current (takes the reference; NULL = none), sets its global variables, calls the listeners. */
ON_CTL void config_swap(struct config *cfg);
ON_CTL struct config *config_current(void); /* borrowed; NULL before the first swap */
ON_CTL unsigned config_generation(void);    /* counts swaps */
/* reloadxml: loads on a worker, swaps when good. done (may be NULL) on the loop, message "Success" or the error; one
 * reload runs at a time, ST_BUSY while one does. */
typedef void (*config_done_fn)(int status, const char *message, void *arg);
ON_CTL int config_reload(config_done_fn done, void *arg);
/* Called after every swap, in order of registration. */
ON_CTL int config_on_swap(void (*fn)(void *arg), void *arg);
ON_CTL void config_on_swap_del(void (*fn)(void *arg), void *arg);

/* Looking things up in the current snapshot; NULL when absent. */
ON_CTL const struct xml_node *config_section(
    const char *name); /* configuration dialplan chatplan directory languages (= phrases) */
ON_CTL const struct xml_node *config_conf(const char *name); /* <configuration name="sofia.conf">: name with ".conf" */
/* Value of the last <param name= value=> child of settings (FreeSWITCH's loops let the last one win), or otherwise. */
ANY const char *config_param(const struct xml_node *settings, const char *name, const char *otherwise);
enum { CONFIG_AT_CHARS = 256 };
/* "file:line: " of that param, to begin what is said of its value with; "" when there is none. */
ANY const char *config_param_at(const struct xml_node *settings, const char *name, char out[CONFIG_AT_CHARS]);
/* The same for any snapshot. */
ANY const struct xml_node *config_root(const struct config *cfg);
ANY struct xml_doc *config_doc(const struct config *cfg); /* borrowed; mem_ref it to keep nodes without the snapshot */
ANY const struct xml_node *config_section_of(const struct config *cfg, const char *name);
ANY const struct xml_node *config_conf_of(const struct config *cfg, const char *name);

/* What a room derives from a snapshot (compiled dialplan, directory index) is made once per snapshot: on the worker
 * that loads it, or at the first config_stage_get. The table is static; slots are few. */
typedef void (*config_report_fn)(const char *problem, void *arg); /* "file:line:column: reason" */
struct config_known;                                              /* what a check compares with */
struct config_stage {
	const char *name;
	int (*make)(
	    const struct config *cfg, void **out); /* ANY thread; failure leaves the slot empty, the load goes on */
	void (*free_fn)(void *obj);
	/* May be NULL; ANY thread; reports everything wrong at once, and "file:line:column: warning: ..." */
	void (*check)(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg);
};
ON_CTL int config_stage_add(const struct config_stage *stage, int *slot);
ON_CTL void *config_stage_get(int slot); /* of the current snapshot; borrowed; NULL when there is none */

/* ---- addresses, for the configuration and for commands: both block up to timeout_ms ---- */
/* "stun:host[:port]" asks a STUN server for our public IPv4 address (RFC 8489 binding), "host:name" resolves, anything
 * else is taken as it is. Blocks up to timeout_ms. */
ANY int config_public_address(struct sv what, int timeout_ms, char out[64]);

/* Global variables. Set by the preprocessor (a reload sets again what the files set), by global_setvar, or built in. */
ON_CTL const char *globals_get_sv(struct sv name); /* borrowed until the next change; NULL when unset */
static inline ON_CTL const char *globals_get(const char *name)
{
	return globals_get_sv(sv_of(name));
}
ON_CTL const char *globals_text(const char *name);           /* the same with its marks (text/mark.h) */
ON_CTL void globals_set(const char *name, const char *text); /* with marks or without; NULL or "" removes */
ON_CTL void globals_each(
    void (*fn)(const char *name, const char *value, void *arg), void *arg); /* in order of setting */
ON_CTL size_t globals_count(void);
