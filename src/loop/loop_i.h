/* What the files of this room share. */
#pragma once
#include "loop/loop.h"

/* Waits for every job; called by loop_fini while the loop still runs. */
ON_CTL void work_fini(void);
/* Unmaps the pooled stacks. */
ON_CTL void co_fini(void);
/* Told once per iteration, before the loop may sleep: the next handler takes new readings. */
ON_CTL void loop_watch_stale(void);
ON_CTL void loop_watch_stats(struct loop_stats *out); /* fills slow_count, longest_* and the histogram */
/* A timer of that name ran so late. */
ON_CTL void loop_watch_late(const char *name, int64_t us);
ON_CTL void loop_watch_reset(void);
