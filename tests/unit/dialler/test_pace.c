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
	printf(": abandoned %.2f %%, idle %.1f %%, progressive idle %.1f %%\n", y.share * 100, y.idle * 100, g.idle * 100);
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
    {"200 agents", test_200, 0}, {"2000 agents", test_2000, 0},
    {"the answer rate changes", test_change, 0})
