/* What a daemon does around its work: background, pid file, user, limits. Before any thread starts unless said
 * otherwise. */
#pragma once
#include "main/options.h"

/* Forks to the background; with -ncwait the parent waits for process_ready. Returns in the child only. */
int process_background(bool parent_waits);
/* Tells a waiting parent how the start went (0 = fine); also closes the standard streams' terminal in the background.
 */
void process_ready(int exit_code);
/* Writes and locks RUN/freeswitch.pid (FreeSWITCH's name, that scripts look for). ST_EXISTS: another instance holds it.
 */
int process_pidfile_take(const char *run_dir);
void process_pidfile_drop(void);
/* -stop: TERM to the instance that holds the pid file, then waits for it to end. Returns an exit code. */
int process_stop_running(const char *run_dir);
/* Becomes user and group (NULL = stays). ST_NOTFOUND, ST_DENIED with a message on stderr. */
int process_change_user(const char *user, const char *group);
/* Raises the open-file limit to its hard maximum, sets core dumps and priority as asked; refusals are warnings. */
void process_set_limits(const struct options *o);
/* Makes the kernel's table of descriptors large at once, after the last fork: growing it later, once there are threads,
 * holds the caller for an RCU grace period (10 ms and more) at 256, 512, 1024 ... descriptors. */
void process_reserve_descriptors(void);
/* Creates the directories that are missing, before process_change_user: what it makes belongs to user and group (may be
 * NULL). ST_IO with a message on stderr when one is missing that is needed at once (log, run, db); the others only get
 * a message, since nothing may ever be put there. */
int process_make_dirs(const struct core_dirs *d, const char *user, const char *group);
