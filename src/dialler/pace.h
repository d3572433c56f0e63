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
ANY struct pace_out pace_decide(const struct pace_in *in);
ANY const char *pace_reason_text(enum pace_reason r);
/* One line for people: the figures looked at, the decision, its reason. Returns what snprintf does. */
ANY int pace_explain(const struct pace_in *in, const struct pace_out *out, char *text, size_t room);
