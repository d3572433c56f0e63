/* What a queue or an agent did in a span of time. Pure.
 *
 * The service level is the share answered within its seconds, of all who were answered or waited longer than that and
 * then gave up; who gives up sooner counts neither way. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stdint.h>

enum cc_outcome {
	CC_OUTCOME_ANSWERED,
	CC_OUTCOME_ABANDONED,       /* he hung up, or went elsewhere */
	CC_OUTCOME_TIMEOUT,         /* max-wait-time, or nobody was logged in */
	CC_OUTCOME_KEY,             /* cc_exit_keys */
	CC_OUTCOME_OVERFLOW,        /* to another queue or number */
	CC_OUTCOME_CALLBACK,        /* he is called back; his call ended so */
	CC_OUTCOME_CALLBACK_FAILED, /* and could not be reached */
	CC_OUTCOME_CLOSED,          /* he was not let in: opening hours */
	CC_OUTCOME_FULL,            /* nor here: too many wait */
	CC_OUTCOME_COUNT
};
ANY const char *cc_outcome_name(enum cc_outcome o); /* "answered" ... */

struct cc_figures {
	uint64_t outcomes[CC_OUTCOME_COUNT];
	uint64_t in_level;                  /* answered in time */
	uint64_t abandoned_late;            /* of those who gave up: after the seconds of the service level */
	uint64_t offers, missed;            /* agents were rung; in vain, by their fault */
	int64_t wait_s, wait_max_s, talk_s; /* of those answered; talk_s of calls that ended */
	uint64_t ended;
};
ANY void cc_figures_left(struct cc_figures *f, enum cc_outcome o, int64_t waited_s, int64_t level_s);
ANY void cc_figures_talked(struct cc_figures *f, int64_t talked_s);
ANY uint64_t cc_figures_calls(
    const struct cc_figures *f); /* all who came; each counts once, however often he was called back */
/* That share, in thousandths; -1: nothing to go by. */
ANY int cc_level_of(uint64_t in_level, uint64_t answered, uint64_t late);
/* In thousandths; -1: nothing to go by. */
ANY int cc_figures_level(const struct cc_figures *f);
