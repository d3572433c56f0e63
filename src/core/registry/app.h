/* Applications: what the dialplan runs on a leg, by rows of the modules' tables. */
#pragma once
#include "base/role.h"
#include <stdbool.h>

struct leg;
struct tandem_app;
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

ON_CTL const struct app_desc *app_find(const char *name);
/* Calls the row's function, whatever kind of module it is of; that module cannot be unloaded meanwhile. Who waits
 * between finding an application and calling it holds it. */
CO int app_invoke(const struct app_desc *app, struct leg *leg, const char *data);
ON_CTL void app_keep(const struct app_desc *app, bool is_held);
