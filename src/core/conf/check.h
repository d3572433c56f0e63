/* Checking a configuration aside (`config check`, -check-config): everything that is wrong at once. */
#pragma once
#include "core/conf/config.h"

/* Everything that is wrong, at once: XML errors of each file separately, includes that match nothing, commands that
 * fail, what the stages find, and as warnings parameters without effect. Returns how many problems (not warnings) were
 * reported; *stop_count (may be NULL): those with which the program would not start. Blocking: for
 * `tandem -check-config`. */
ON_CTL size_t config_check(config_report_fn report, void *arg, size_t *stop_count);
/* The same in parts, for a worker: path is a main file or a directory with freeswitch.xml, NULL or "" what runs. */
struct config_check;
ON_CTL struct config_check *config_check_new(const char *path);                          /* NULL: out of memory */
ANY size_t config_check_run(struct config_check *c, config_report_fn report, void *arg); /* once */
ANY size_t config_check_stops(const struct config_check *c); /* how many of the problems would stop a start */
ANY void config_check_free(struct config_check *c);
/* For stages: whether cfg would have that application; if not, why says so. True when no module is known at all. */
ANY bool config_known_app(
    const struct config_known *k, const struct config *cfg, const char *app, char *why, size_t cap);
ANY const char *config_known_dir(const struct config_known *k); /* where the checked main file lies */

/* Who knows the applications and keys there are (the modules' tables) tells them when a check begins. */
ON_CTL void config_known_set(void (*fill)(struct config_known *k));
ON_CTL void config_known_add_app(struct config_known *k, const char *app, const char *module, bool is_loaded);
ON_CTL void config_known_add_key(struct config_known *k, const char *file, const char *key);
