/* The pacing's simulator (tests/unit/dialler/sim.h) for many answer rates, as rows for tools/plot-pacing:
 * agents, per mille answered, then of predictive and progressive each: abandoned of the answered (share), idle (share).
 */
#include "../../tests/unit/dialler/sim.h"

#include <stdio.h>

int main(void)
{
	static const unsigned agents[] = {10, 50, 200};
	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		for (int rate = 50; rate <= 800; rate += 50) {
			struct sim_case s = {PACE_PREDICTIVE, agents[i], 8, 30000, rate / 1000.0, 0};
			struct sim_result y = sim_run(&s), g;
			s.mode = PACE_PROGRESSIVE;
			g = sim_run(&s);
			printf("%u %d %.5f %.5f %.5f %.5f\n", agents[i], rate, y.share, y.idle, g.share, g.idle);
			fflush(stdout);
		}
	return 0;
}
