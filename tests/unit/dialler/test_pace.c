/* The pacing against virtual agents and customers (sim.h): the share of abandoned calls stays within the set one, and
 * agents are less idle than with one call each. */
#include "dialler/pace.h"
#include "harness.h"
#include "sim.h"

#include <stdio.h>
#include <string.h>

static int compare(unsigned people, double rate, double later, unsigned hours)
{
	struct sim_case s = {PACE_PREDICTIVE, people, hours, 30000, rate, later};
	struct sim_result y = sim_run(&s), g = {.share = 0};
	s.mode = PACE_PROGRESSIVE;
	g = sim_run(&s);
	printf("# %u agents, %.0f %% answered", people, rate * 100);
	if (later > 0)
		printf(", then %.0f %%", later * 100);
	printf(
	    ": abandoned %.2f %%, idle %.1f %%, progressive idle %.1f %%\n", y.share * 100, y.idle * 100, g.idle * 100);
	EXPECT(y.answered >= 1000);
	EXPECT(y.share <= 0.03);
	EXPECT(y.idle < g.idle);
	EXPECT_INT(g.abandoned, 0);
	return 0;
}

static int each_rate(unsigned people)
{
	int bad = compare(people, 0.1, 0, 8);
	bad = bad ? bad : compare(people, 0.3, 0, 8);
	return bad ? bad : compare(people, 0.6, 0, 8);
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
	return compare(2000, 0.3, 0, 2);
}

/* People are at home in the evening, and out at noon: what was learned is wrong for a while. */
static int test_change(void)
{
	int bad = compare(50, 0.1, 0.5, 8);
	bad = bad ? bad : compare(200, 0.1, 0.5, 8);
	return bad ? bad : compare(200, 0.6, 0.1, 8);
}

/* Calls that begin together are counted together: the answered ones end first, and are no jump of the rate. */
static int test_answers(void)
{
	struct pace_answers a = {.samples = 0};
	for (int wave = 0; wave < 5; wave++) {
		int64_t begun_us = wave * 40000000LL;
		for (int i = 0; i < 100; i++)
			pace_answers_begin(&a, begun_us);
		for (int i = 0; i < 20; i++)
			pace_answers_end(&a, begun_us, begun_us + 5000000, PACE_ANSWERED);
		EXPECT_INT(a.samples, wave * 80);
		for (int i = 0; i < 60; i++)
			pace_answers_end(&a, begun_us, begun_us + 25000000, PACE_NOT_ANSWERED);
		for (int i = 0; i < 20; i++)
			pace_answers_end(&a, begun_us, begun_us + 26000000, PACE_CANCELLED);
		EXPECT_INT(a.samples, (wave + 1) * 80);
		EXPECT(a.share > 0.249 && a.share < 0.251);
	}
	/* all of a cohort are answered: what was before is forgotten at once */
	for (int i = 0; i < 50; i++)
		pace_answers_begin(&a, 300000000);
	for (int i = 0; i < 40; i++)
		pace_answers_end(&a, 300000000, 301000000, PACE_ANSWERED);
	EXPECT(a.share > 0.5 && a.samples <= 50);
	/* more moments than there is room for */
	for (int i = 0; i < 10 * PACE_COHORTS; i++)
		pace_answers_begin(&a, 400000000 + i * (int64_t)PACE_COHORT_US);
	EXPECT_INT(a.count, PACE_COHORTS);
	return 0;
}

/* Of talks that begin together the short ones end first. */
static int test_talks(void)
{
	struct pace_talks t = {.ends = 0};
	EXPECT_INT(pace_talks_ms(&t), 120000);
	for (int i = 0; i < 1000; i++) {
		pace_talks_pass(
		    &t, 1000 - (unsigned)i, 60000); /* one ends each 60 ms: a thousand of one minute in the mean */
		pace_talks_end(&t);
		if (i == 99)
			EXPECT(pace_talks_ms(&t) > 50000 && pace_talks_ms(&t) < 62000);
	}
	return 0;
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
    {"200 agents", test_200, 0}, {"2000 agents", test_2000, 0}, {"the answer rate changes", test_change, 0},
    {"the answer rate", test_answers, 0}, {"talks", test_talks, 0})
