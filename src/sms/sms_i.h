/* What the files of this room share: a message on its way through the chatplan. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct dialplan;
struct event;
struct vars;

/* The message is an event whose headers are somebody's words, whoever he is; own has what the plan's `set` wrote, with
 * its marks (text/mark.h), over them. */
struct chat_run {
	struct event *message; /* a reference */
	struct vars *own;
	bool is_stopped; /* nothing of the plan runs any more */
	unsigned steps;  /* applications that ran */
};
enum { CHAT_STEPS_MAX = 200 };

/* A header, the body (body, _body) or a value of the plan's, marked; NULL: there is none. Borrowed: scratch holds it,
 * until the next call with it. */
ON_CTL const char *chat_run_text(struct chat_run *r, const char *name, struct buf *scratch);
ON_CTL void chat_run_set(struct chat_run *r, const char *name, const char *text); /* marked; NULL or "" removes */
/* data with its references replaced; a mem_alloc string with marks. */
CO int chat_run_expand(struct chat_run *r, const char *data, char **out);

/* Hunts the plan for the message's context and runs what it finds. ST_OK: it had something for it; ST_NOTFOUND: not. */
CO int chat_plan_run(struct chat_run *r);

/* ---- applications (chat_apps.c) ---- */
ANY bool chat_app_is(const char *name);
/* ST_NOTFOUND: there is none of that name. data is not expanded yet. */
CO int chat_app_run(struct chat_run *r, const char *name, const char *data);

/* ---- the configuration (plan_conf.c) ---- */
ON_CTL int chat_plan_stage_init(void);
ON_CTL const struct dialplan *chat_plan_current(void); /* NULL: none */
