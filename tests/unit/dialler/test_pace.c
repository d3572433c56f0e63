/* The pacing against virtual agents and customers, of fixed seeds: the share of abandoned calls stays within the set
 * one, and agents are less idle than with one call each. No telephony; a step is 100 ms. */
#include "dialler/pace.h"
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HOUR = 36000, CALLS = 20000, PATIENCE = 20, WARM = HOUR };
enum kind { FREE, RINGS, WAITS };
static struct {
	enum kind kind;
	int left, is_answered;
} calls[CALLS];
static struct {
	int talk, wrap;
} agents[2000];
static uint64_t seed;
static double rnd(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (double)((seed >> 33) + 1) / 2147483649.0;
}
struct result {
	double share, idle;
	uint64_t answered, abandoned;
};

static struct result run(enum pace_mode mode, unsigned count, double rate, int steps)
{
	struct pace_in in = {
	    .mode = mode, .abandon_max_ppm = 30000, .ring_ms = 10000, .talk_ms = 120000, .wrap_ms = 10000};
	uint64_t ended = 0, picked = 0, idle = 0, judged = 0;
	int top = 0;
	seed = 42 + count + (uint64_t)(rate * 1000);
	for (unsigned i = 0; i < count; i++)
		agents[i].talk = agents[i].wrap = 0;
	for (int i = 0; i < CALLS; i++)
		calls[i].kind = FREE;
	for (int t = 0; t < steps; t++) {
		in.agents_free = in.agents_busy = in.agents_wrap = in.ringing = in.waiting = 0;
		for (int i = 0; i < top; i++) {
			if (calls[i].kind == FREE)
				continue;
			if (--calls[i].left <= 0) {
				if (calls[i].kind == WAITS) {
					in.abandoned++;
					calls[i].kind = FREE;
				} else {
					ended++;
					picked += (unsigned)calls[i].is_answered;
					in.answered += (unsigned)calls[i].is_answered;
					calls[i].kind = calls[i].is_answered ? WAITS : FREE;
					calls[i].left = PATIENCE;
				}
			}
		}
		int next = 0;
		for (unsigned i = 0; i < count; i++) {
			if (agents[i].talk > 0) {
				if (!--agents[i].talk)
					agents[i].wrap = 1 + (int)(-log(rnd()) * 100);
			} else if (agents[i].wrap > 0)
				agents[i].wrap--;
			if (!agents[i].talk && !agents[i].wrap) {
				while (next < top && calls[next].kind != WAITS)
					next++;
				if (next < top) {
					calls[next].kind = FREE;
					agents[i].talk = 1 + (int)(-log(rnd()) * 1200);
				}
			}
			in.agents_busy += agents[i].talk > 0;
			in.agents_wrap += !agents[i].talk && agents[i].wrap > 0;
			in.agents_free += !agents[i].talk && !agents[i].wrap;
		}
		if (t >= WARM) {
			idle += in.agents_free;
			judged += count;
		}
		for (int i = 0; i < top; i++) {
			in.ringing += calls[i].kind == RINGS;
			in.waiting += calls[i].kind == WAITS;
		}
		in.answer_ppm = ended ? (unsigned)(picked * 1000000 / ended) : 500000;
		struct pace_out o = pace_decide(&in);
		for (int i = 0; o.dial && i < CALLS; i++)
			if (calls[i].kind == FREE) {
				calls[i].kind = RINGS;
				calls[i].is_answered = rnd() < rate;
				calls[i].left = calls[i].is_answered ? 30 + (int)(rnd() * 140) : 250;
				top = i >= top ? i + 1 : top;
				o.dial--;
			}
	}
	return (struct result){in.answered ? (double)in.abandoned / (double)in.answered : 0,
	    (double)idle / (double)judged, in.answered, in.abandoned};
}

static int compare(unsigned people, double rate, int hours)
{
	struct result y = run(PACE_PREDICTIVE, people, rate, hours * HOUR),
	              g = run(PACE_PROGRESSIVE, people, rate, hours * HOUR);
	printf("# %u agents, %.0f %% answered: abandoned %.2f %%, idle %.1f %%, progressive idle %.1f %%\n", people,
	    rate * 100, y.share * 100, y.idle * 100, g.idle * 100);
	EXPECT(y.answered >= 1000);
	EXPECT(y.share <= 0.03);
	EXPECT(y.idle < g.idle);
	EXPECT_INT(g.abandoned, 0);
	return 0;
}

static int each_rate(unsigned people)
{
	int bad = compare(people, 0.1, 8);
	bad = bad ? bad : compare(people, 0.3, 8);
	return bad ? bad : compare(people, 0.6, 8);
}

static int test_10(void)
{
	return each_rate(10);
}

static int test_50(void)
{
	return each_rate(50);
}

static int test_200(void)
{
	return each_rate(200);
}

static int test_2000(void)
{
	return compare(2000, 0.3, 2);
}

static int test_reasons(void)
{
	struct pace_in in = {.mode = PACE_PREDICTIVE,
	    .agents_free = 10,
	    .agents_busy = 40,
	    .ringing = 4,
	    .answer_ppm = 300000,
	    .abandon_max_ppm = 30000,
	    .ring_ms = 10000,
	    .talk_ms = 120000,
	    .wrap_ms = 10000};
	struct pace_out o = pace_decide(&in);
	char text[512];
	EXPECT_INT(o.reason, PACE_LEARNING);
	EXPECT_INT(o.dial, 6);
	in.answered = 1000;
	o = pace_decide(&in);
	EXPECT_INT(o.reason, PACE_PREDICTED);
	EXPECT(o.lines > 10 && o.dial == o.lines - 4 && o.expected_ppm <= 30000);
	in.lines_max = 12;
	o = pace_decide(&in);
	EXPECT_INT(o.reason, PACE_LINES);
	EXPECT_INT(o.dial, 8);
	EXPECT(pace_explain(&in, &o, text, sizeof(text)) > 0 && strstr(text, "the limit of lines"));
	in.lines_max = 0, in.abandoned = 30;
	EXPECT_INT(pace_decide(&in).reason, PACE_OVER_SHARE);
	in.agents_free = 0;
	EXPECT_INT(pace_decide(&in).reason, PACE_NO_AGENT);
	EXPECT_INT(pace_decide(&in).dial, 0);
	in.mode = PACE_PREVIEW, in.agents_free = 10;
	EXPECT_INT(pace_decide(&in).dial, 0);
	return 0;
}

TEST_MAIN({"reasons", test_reasons, 0}, {"10 agents", test_10, 0}, {"50 agents", test_50, 0},
    {"200 agents", test_200, 0}, {"2000 agents", test_2000, 0})
