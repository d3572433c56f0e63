/* Running commands: at once, within an expansion, for who may not do everything, or on a coroutine of its own. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct event;
struct leg;
struct principal;

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
/* The same of a job that a call's program began: the event names the call. */
ON_CTL void api_job_event_of(const char *leg_uuid /* or NULL */, const char *job_uuid, const char *cmd,
    const char *args, int status, struct sv reply);
typedef void (*api_done_fn)(int status, struct sv reply, void *arg);
/* Runs a command on a coroutine of its own; done on the control loop. Strings are copied, who (NULL: everything is
 * allowed) is referenced. */
ON_CTL int api_spawn(const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg);
/* The same for a call's hook: leg (referenced) or NULL is the command's, env (referenced) its variables. */
ON_CTL int api_spawn_hook(
    struct leg *leg, struct event *env, const char *cmd, const char *args, api_done_fn done, void *arg);
ON_CTL int api_spawn_for(
    const struct principal *who, const char *cmd, const char *args, const char *job_uuid, api_done_fn done, void *arg);
