/* Virtual agents and customers around pace.h: no telephony, a step is 100 ms, of a fixed seed. What the pacing is told
 * is learned as a campaign learns it. */
#pragma once
#include "dialler/pace.h"

struct sim_case {
	enum pace_mode mode;
	unsigned agents, hours, abandon_max_ppm;
	double rate, later_rate; /* of calls that are answered; later_rate: from the middle on, 0: the same */
};
struct sim_result {
	double share, idle; /* of the answered calls; of the agents' time behind the first hour */
	uint64_t dialled, answered, abandoned;
};
struct sim_result sim_run(const struct sim_case *s);
