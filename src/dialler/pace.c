/* The pacing of campaigns. Of N calls in the air about N*p are answered; the agents for them are those free now and
 * those who become free while it rings. The difference of the two is taken as normal: the mean of its positive part is
 * the number of calls nobody will be there for. The most lines are sought that keep the sum of this and what was
 * abandoned already within the set share. Before the share allows a single abandoned call (1/share answers), and when
 * it is used up, there is one call for each free agent. */
#include "dialler/pace.h"

#include <math.h>
#include <stdio.h>

enum { LINES_LIMIT = 1000000, TIMES = 100, ANSWERS_MAX = 1000, TALKS = 200, TALK_MS = 120000, CHANGE_SDS = 3 };

static double lost(double lines, double p, const struct pace_in *in, double freed, double freed_var)
{
	double unsure = in->answer_samples ? lines / in->answer_samples : 0; /* p itself is a guess */
	double sd = sqrt(lines * p * (1 - p) * (1 + unsure) + freed_var);
	double over = lines * p + in->waiting - in->agents_free - freed;
	if (sd < 1e-9)
		return over > 0 ? over : 0;
	double z = over / sd;
	return sd * exp(-z * z / 2) / sqrt(2 * 3.14159265358979323846) + over * erfc(-z / sqrt(2)) / 2;
}

static double leave(unsigned ring_ms, unsigned mean_ms) /* the share of agents who are done before it is answered */
{
	return mean_ms ? 1 - exp(-(double)ring_ms / mean_ms) : 0;
}

static unsigned predict(const struct pace_in *in, double share, double *expected)
{
	double p = in->answer_ppm < 1000 ? 0.001 : (double)in->answer_ppm / PACE_MILLION;
	double busy = leave(in->ring_ms, in->talk_ms + in->wrap_ms), wrap = leave(in->ring_ms, in->wrap_ms);
	double freed = in->agents_busy * busy + in->agents_wrap * wrap;
	double var = in->agents_busy * busy * (1 - busy) + in->agents_wrap * wrap * (1 - wrap);
	unsigned low = 0, high = LINES_LIMIT;
	if (p > 1)
		p = 1;
	while (low < high) {
		unsigned mid = low + (high - low + 1) / 2;
		double l = lost(mid, p, in, freed, var);
		if (l <= share * mid * p && (double)in->abandoned + l <= share * ((double)in->answered + mid * p))
			low = mid;
		else
			high = mid - 1;
	}
	*expected = low ? lost(low, p, in, freed, var) / (low * p) : 0;
	return low;
}

void pace_mean_add(double *mean, unsigned *samples, double v)
{
	*samples = *samples < TIMES ? *samples + 1 : TIMES;
	*mean += (v - *mean) / *samples;
}

void pace_talks_pass(struct pace_talks *t, unsigned talking, int64_t us)
{
	t->ms += (double)talking * (double)us / 1000;
}

void pace_talks_end(struct pace_talks *t)
{
	if (++t->ends >= 2 * TALKS) {
		t->ends /= 2;
		t->ms /= 2;
	}
}

unsigned pace_talks_ms(const struct pace_talks *t)
{
	return (
	    unsigned)((t->ms + TALK_MS) / (t->ends + 1)); /* one talk of that length is believed before any was seen */
}

/* ---- the answer rate ---- */

/* So many answers of n calls are no chance: another time of day, another part of the list. What was before is
 * forgotten. */
static void change_look(struct pace_answers *a, unsigned answered, unsigned n)
{
	double p = a->share > 1.0 / (a->samples + 1) ? a->share : 1.0 / (a->samples + 1);
	double sd = sqrt(p * (1 - p) * n * (1 + (double)n / (a->samples + 1)));
	if (a->samples && answered > p * n + CHANGE_SDS * sd + 1) {
		a->share = (double)answered / n;
		a->samples = n;
	}
}

static void cohort_count(struct pace_answers *a)
{
	struct pace_cohort *c = &a->cohorts[a->first];
	unsigned ended = c->begun - c->open, n = a->samples + ended;
	if (ended) {
		a->share += ((double)c->answered - ended * a->share) / n;
		a->samples = n < ANSWERS_MAX ? n : ended < ANSWERS_MAX ? ANSWERS_MAX : ended;
		a->recent_answered = a->recent_answered / 2 + c->answered;
		a->recent = a->recent / 2 + ended;
		change_look(a, a->recent_answered, a->recent);
	}
	a->first = (a->first + 1) % PACE_COHORTS;
	a->count--;
}

void pace_answers_begin(struct pace_answers *a, int64_t begun_us)
{
	int64_t at = begun_us / PACE_COHORT_US;
	struct pace_cohort *last = a->count ? &a->cohorts[(a->first + a->count - 1) % PACE_COHORTS] : NULL;
	if (!last || last->at < at) {
		if (a->count == PACE_COHORTS)
			cohort_count(a); /* somebody rings for ever */
		last = &a->cohorts[(a->first + a->count++) % PACE_COHORTS];
		*last = (struct pace_cohort){.at = at};
	}
	last->begun++;
	last->open++;
}

void pace_answers_end(struct pace_answers *a, int64_t begun_us, int64_t now_us, enum pace_end end)
{
	int64_t at = begun_us / PACE_COHORT_US;
	for (unsigned i = 0; i < a->count; i++) {
		struct pace_cohort *c = &a->cohorts[(a->first + i) % PACE_COHORTS];
		if (c->at != at)
			continue;
		c->open--;
		c->begun -= end == PACE_CANCELLED;
		c->answered += end == PACE_ANSWERED;
		change_look(a, c->answered, c->begun); /* more of it may be answered yet, not fewer */
		break;
	}
	while (a->count && !a->cohorts[a->first].open && a->cohorts[a->first].at < now_us / PACE_COHORT_US)
		cohort_count(a);
}

struct pace_out pace_decide(const struct pace_in *in)
{
	double share = (double)in->abandon_max_ppm / PACE_MILLION, expected = 0;
	struct pace_out out = {.reason = PACE_ONE_EACH};
	unsigned each = in->agents_free > in->waiting ? in->agents_free - in->waiting : 0;
	if (in->mode == PACE_PREVIEW) {
		out.reason = PACE_BY_HAND;
		return out;
	}
	out.lines = each;
	if (in->mode == PACE_PREDICTIVE) {
		if ((double)in->answered * share < 1)
			out.reason = PACE_LEARNING;
		else if ((double)in->abandoned + 1 > ((double)in->answered + 1) * share)
			out.reason = PACE_OVER_SHARE;
		else {
			unsigned n = predict(in, share, &expected);
			if (n > each) {
				out.lines = n;
				out.reason = PACE_PREDICTED;
				out.expected_ppm = (unsigned)(expected * PACE_MILLION);
			}
		}
	}
	if (!out.lines)
		out.reason = PACE_NO_AGENT;
	unsigned room = in->lines_max > in->waiting ? in->lines_max - in->waiting : 0;
	if (in->lines_max && out.lines > room) {
		out.lines = room;
		out.reason = PACE_LINES;
	}
	out.dial = out.lines > in->ringing ? out.lines - in->ringing : 0;
	return out;
}

const char *pace_reason_text(enum pace_reason r)
{
	switch (r) {
	case PACE_NO_AGENT:
		return "no agent is free";
	case PACE_ONE_EACH:
		return "one call for each free agent";
	case PACE_LEARNING:
		return "one call for each free agent: too few answers yet to dial ahead";
	case PACE_OVER_SHARE:
		return "one call for each free agent: one more abandoned call would exceed the share";
	case PACE_PREDICTED:
		return "as many as keep the share of abandoned calls";
	case PACE_LINES:
		return "the limit of lines";
	case PACE_BY_HAND:
		return "preview: an agent starts each call";
	}
	return "";
}

int pace_explain(const struct pace_in *in, const struct pace_out *out, char *text, size_t room)
{
	return snprintf(text, room,
	    "dial %u (lines %u, ringing %u, waiting %u): %s; agents free %u busy %u wrap-up %u, answered %.1f %%, "
	    "abandoned %llu of %llu, at most %.1f %%, expected %.1f %%",
	    out->dial, out->lines, in->ringing, in->waiting, pace_reason_text(out->reason), in->agents_free,
	    in->agents_busy, in->agents_wrap, in->answer_ppm / 1e4, (unsigned long long)in->abandoned,
	    (unsigned long long)in->answered, in->abandon_max_ppm / 1e4, out->expected_ppm / 1e4);
}
