/* Menus: a greeting, keys, what each key does (FreeSWITCH's ivr.conf). Menus are data: a set of them is made once, from
 * the configuration (module.c) or piece by piece by a script, and then only read; a caller inside holds a reference, so
 * a reload changes nothing for him. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include "core/conf/config.h"

struct leg;
struct ivr_menu;
struct ivr_menus; /* counted, atomically */

/* Before the first load of a configuration: its menus are compiled with it. */
ON_CTL int ivr_stage_init(void);

ANY int ivr_menus_new(struct ivr_menus **out);
/* Every <menu> below node, which may be NULL. What is wrong is told, and left out. report may be NULL. */
ANY int ivr_menus_read(struct ivr_menus *set, const struct xml_node *node, config_report_fn report, void *arg);
/* Checks what only the whole set can tell: menus that are named, applications that there are. */
ANY void ivr_menus_check(const struct ivr_menus *set, const struct config *cfg, const struct config_known *known,
    config_report_fn report, void *arg);
ANY const struct ivr_menu *ivr_menu_find(const struct ivr_menus *set, struct sv name); /* NULL: none */

/* For who makes menus himself, before anybody runs them. ST_EXISTS: there is one of that name; ST_LIMIT. */
ANY int ivr_menu_add(struct ivr_menus *set, const char *name, struct ivr_menu **out);
/* An attribute of <menu> by its name ("greet-long", "max-failures"). ST_NOTFOUND: unknown; ST_INVAL: no such number. */
ANY int ivr_menu_set(struct ivr_menu *m, const char *name, const char *value);
/* An <entry>: action ("menu-exec-app"), digits ("1" or a pattern between slashes), param or NULL. ST_NOTFOUND: no such
 * action; ST_PARSE: the pattern is none (why says so, may be NULL); ST_INVAL: no digits; ST_LIMIT: too many. */
ANY int ivr_menu_entry(struct ivr_menu *m, const char *action, const char *digits, const char *param, struct buf *why);

/* Runs the menu on the leg until it is left; sets ivr_menu_status (success, failure, timeout). A reference to the set
 * is held meanwhile. ST_NOTFOUND: no such menu (logged); ST_HANGUP; ST_CANCELLED: it was sent elsewhere. */
CO int ivr_run(struct leg *leg, struct ivr_menus *set, struct sv name);
