/* How many calls a campaign may start now, and why. Pure: no telephony, no clock, no tables, any thread. */
#pragma once
#include "base/role.h"
#include <stddef.h>
#include <stdint.h>

enum pace_mode { PACE_PREVIEW, PACE_PROGRESSIVE, PACE_PREDICTIVE };
enum { PACE_MILLION = 1000000 };

struct pace_in {
	enum pace_mode mode;
	unsigned agents_free, agents_busy, agents_wrap;
	unsigned ringing;                   /* calls that were started and have no end yet */
	unsigned waiting;                   /* answered, and no agent has them yet */
	unsigned lines_max;                 /* ringing and waiting together; 0: no limit */
	unsigned answer_ppm;                /* of a million calls so many are answered by somebody */
	unsigned answer_samples;            /* seen of so many; 0: it is known */
	unsigned abandon_max_ppm;           /* the set share: 30000 is 3 % of the answered calls */
	uint64_t answered, abandoned;       /* of the span over which the share is judged */
	unsigned ring_ms, talk_ms, wrap_ms; /* means: until an answer, of a talk, of a wrap-up */
};
enum pace_reason {
	PACE_NO_AGENT,   /* nobody is free, or soon will be */
	PACE_ONE_EACH,   /* one call for each free agent: the mode says so */
	PACE_LEARNING,   /* the same: too few answers to overdial on */
	PACE_OVER_SHARE, /* the same: one more abandoned call would exceed the share */
	PACE_PREDICTED,  /* as many as keep the expected share */
	PACE_LINES,      /* lines_max */
	PACE_BY_HAND     /* preview: an agent starts each call */
};
struct pace_out {
	unsigned dial;         /* calls to start now */
	unsigned lines;        /* calls there may be in all */
	unsigned expected_ppm; /* the share of abandoned calls expected of these lines */
	enum pace_reason reason;
};
/* A mean that follows the last hundred values: samples counts up to that. */
ANY void pace_mean_add(double *mean, unsigned *samples, double v);

/* How many of the calls are answered. Of calls that begin together the answered ones end first: a mean in the order of
 * their ends would swing up and down with each wave. So the calls of a moment are counted when the last of them and of
 * those before has ended. */
enum { PACE_COHORTS = 128, PACE_COHORT_US = 2000000 };
struct pace_answers { /* {0}: nothing is known */
	double share;
	unsigned samples;                 /* share is of so many, the last ones */
	unsigned recent, recent_answered; /* of the last seconds */
	unsigned first, count;
	struct pace_cohort {
		int64_t at;
		unsigned begun, open, answered;
	} cohorts[PACE_COHORTS];
};
enum pace_end { PACE_NOT_ANSWERED, PACE_ANSWERED, PACE_CANCELLED /* does not count */ };
ANY void pace_answers_begin(struct pace_answers *a, int64_t begun_us);
ANY void pace_answers_end(struct pace_answers *a, int64_t begun_us, int64_t now_us, enum pace_end end);

/* How long a talk is in the mean. Of talks that begin together the short ones end first, so what counts is the time
 * that talks have taken, of those that go on too, by how many have ended. */
struct pace_talks { /* {0}: nothing is known; talk_ms is two minutes then */
	double ms, ends;
};
ANY void pace_talks_pass(struct pace_talks *t, unsigned talking, int64_t us);
ANY void pace_talks_end(struct pace_talks *t);
ANY unsigned pace_talks_ms(const struct pace_talks *t);

ANY struct pace_out pace_decide(const struct pace_in *in);
ANY const char *pace_reason_text(enum pace_reason r);
/* One line for people: the figures looked at, the decision, its reason. Returns what snprintf does. */
ANY int pace_explain(const struct pace_in *in, const struct pace_out *out, char *text, size_t room);
