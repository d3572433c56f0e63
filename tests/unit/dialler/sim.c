/* A step: calls end, agents end their talks and wrap-ups, who is free takes who waits, the pacing says how many calls
 * begin. Talks of two minutes and wrap-ups of ten seconds in the mean (exponential), an answer after 3 to 17 s, 25 s
 * without one; who has waited for 2 s is abandoned. */
#include "sim.h"

#include <math.h>
#include <string.h>

enum { HOUR = 36000, CALLS = 20000, AGENTS = 2000, PATIENCE = 20, STEP_MS = 100 };
enum kind { FREE, RINGS, WAITS };
static struct {
	enum kind kind;
	int left, is_answered, ring;
	int64_t begun_us;
} calls[CALLS];
static struct {
	int talk, wrap;
} agents[AGENTS];
static int top; /* no call behind it */
static uint64_t seed;

static double rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)((seed >> 33) + 1) / 2147483649.0;
}

struct means {
	struct pace_answers answers;
	struct pace_talks talks;
	double ring_ms;
	unsigned rings;
};

static void calls_step(struct pace_in *in, struct means *m, struct sim_result *r, int64_t now_us)
{
	for (int i = 0; i < top; i++) {
		if (calls[i].kind == FREE || --calls[i].left > 0)
			continue;
		if (calls[i].kind == WAITS) {
			in->abandoned++;
			calls[i].kind = FREE;
			continue;
		}
		pace_answers_end(
		    &m->answers, calls[i].begun_us, now_us, calls[i].is_answered ? PACE_ANSWERED : PACE_NOT_ANSWERED);
		if (calls[i].is_answered)
			pace_mean_add(&m->ring_ms, &m->rings, calls[i].ring * STEP_MS);
		in->answered += (unsigned)calls[i].is_answered;
		calls[i].kind = calls[i].is_answered ? WAITS : FREE;
		calls[i].left = PATIENCE;
	}
	r->answered = in->answered;
	r->abandoned = in->abandoned;
}

static void agents_step(struct pace_in *in, struct means *m, unsigned count)
{
	int next = 0;
	for (unsigned i = 0; i < count; i++) {
		if (agents[i].talk > 0) {
			if (!--agents[i].talk) {
				pace_talks_end(&m->talks);
				agents[i].wrap = 1 + (int)(-log(rnd()) * 100);
			}
		} else if (agents[i].wrap > 0) {
			agents[i].wrap--;
		}
		if (!agents[i].talk && !agents[i].wrap) {
			while (next < top && calls[next].kind != WAITS)
				next++;
			if (next < top) {
				calls[next].kind = FREE;
				agents[i].talk = 1 + (int)(-log(rnd()) * 1200);
			}
		}
		in->agents_busy += agents[i].talk > 0;
		in->agents_wrap += !agents[i].talk && agents[i].wrap > 0;
		in->agents_free += !agents[i].talk && !agents[i].wrap;
	}
}

static void dial(unsigned count, double rate, struct means *m, int64_t now_us, struct sim_result *r)
{
	for (int i = 0; count && i < CALLS; i++) {
		if (calls[i].kind != FREE)
			continue;
		calls[i].kind = RINGS;
		calls[i].is_answered = rnd() < rate;
		calls[i].ring = calls[i].left = calls[i].is_answered ? 30 + (int)(rnd() * 140) : 250;
		calls[i].begun_us = now_us;
		pace_answers_begin(&m->answers, now_us);
		top = i >= top ? i + 1 : top;
		r->dialled++;
		count--;
	}
}

struct sim_result sim_run(const struct sim_case *s)
{
	struct pace_in in = {.mode = s->mode, .abandon_max_ppm = s->abandon_max_ppm, .wrap_ms = 10000};
	struct means m = {.ring_ms = 10000};
	struct sim_result r = {.dialled = 0};
	uint64_t idle = 0, judged = 0;
	int steps = (int)s->hours * HOUR;
	unsigned count = s->agents < AGENTS ? s->agents : AGENTS;
	seed = 42 + count + (uint64_t)(s->rate * 1000);
	memset(calls, 0, sizeof(calls));
	memset(agents, 0, sizeof(agents));
	top = 0;
	for (int t = 0; t < steps; t++) {
		int64_t now_us = (int64_t)t * STEP_MS * 1000;
		in.agents_free = in.agents_busy = in.agents_wrap = in.ringing = in.waiting = 0;
		calls_step(&in, &m, &r, now_us);
		agents_step(&in, &m, count);
		pace_talks_pass(&m.talks, in.agents_busy, STEP_MS * 1000);
		if (t >= HOUR) {
			idle += in.agents_free;
			judged += count;
		}
		for (int i = 0; i < top; i++) {
			in.ringing += calls[i].kind == RINGS;
			in.waiting += calls[i].kind == WAITS;
		}
		in.answer_ppm = (unsigned)((m.answers.samples ? m.answers.share : 0.5) * PACE_MILLION);
		in.answer_samples = m.answers.samples ? m.answers.samples : 1;
		in.ring_ms = (unsigned)m.ring_ms;
		in.talk_ms = pace_talks_ms(&m.talks);
		dial(pace_decide(&in).dial, t >= steps / 2 && s->later_rate > 0 ? s->later_rate : s->rate, &m, now_us,
		    &r);
	}
	r.share = r.answered ? (double)r.abandoned / (double)r.answered : 0;
	r.idle = judged ? (double)idle / (double)judged : 0;
	return r;
}
