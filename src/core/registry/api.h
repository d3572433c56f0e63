/* Commands: what operators, programs and texts call, by rows of the modules' tables. Running them: core/run/api.h. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct event;
struct leg;
struct principal;
struct tandem_api;
struct tandem_self; /* a module that was loaded from a file (include/tandem/module.h) */

struct api_call {
	const char *args; /* never NULL; without marks */
	const char
	    *text; /* the same with what came from outside marked (text/mark.h): for what is read as a language */
	bool is_reply_text; /* set by the command: it marked its reply itself, byte by byte */
	/* Who asks, when he may not do everything: then all of text is from outside but the blanks. What a command
	 * takes as a name, or gives to whatever reads a language, goes through a door of core/registry/principal.h; a
	 * command that runs others runs them by api_run_for. */
	const struct principal *who;
	struct leg *leg;               /* the leg it was expanded on, or NULL */
	struct event *env;             /* of a call's hook: its variables and headers, for scripts; borrowed; or NULL */
	struct buf *out;               /* reply text */
	const char *job_uuid, *client; /* who asks, or NULL */
};
enum {
	API_MAY_WAIT = 1, /* runs on a coroutine only */
	API_CAN_WAIT = 2, /* on a coroutine where there is one or the caller can make one, at once elsewhere */
	/* Within an expansion the reply is text of the configuration where the arguments are: files, addresses and
	 * other words of ours, what a script or a program of the configuration's answers. Of every other command it is
	 * data from outside, as far as it does not mark it itself (is_reply_text): what commands tell of calls, phones
	 * and servers has their words in it. */
	API_OWN_REPLY = 4
};
struct api_desc {
	const char *name, *description, *syntax;
	unsigned flags;
	int (*fn)(struct api_call *c);    /* with API_MAY_WAIT it runs inside a coroutine and may call CO functions */
	const char *const *complete;      /* "add sofia status"-style completion words, NULL-ended, or NULL */
	const struct tandem_api *outside; /* in place of fn, with owner: of a module from a file */
	struct tandem_self *owner;
};

ON_CTL const struct api_desc *api_find(const char *name);
/* Calls the row's function; a module from a file cannot be unloaded meanwhile. */
ON_CTL int api_invoke(const struct api_desc *api, struct api_call *c);
