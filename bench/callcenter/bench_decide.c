/* bench_decide AGENTS CALLERS: what an offer decision costs with so many agents in a queue and callers in its line: the
 * strategy chooses, both leave their orders, and come back with new ranks; and what it costs when only the last agent
 * of the order has the skills. JSON on standard output. */
#include "base/clock.h"
#include "base/mem.h"
#include "callcenter/skill.h"

#include <stdio.h>
#include <stdlib.h>

enum { DECISIONS = 20000 };
static uint64_t seed = 88172645463325252ull;
static uint64_t next_random(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

static int by_size(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

static double measure(enum cc_strategy s, size_t agent_count, size_t caller_count, double *p99_us)
{
	static int64_t took[DECISIONS];
	struct cc_place *agents = mem_zalloc(agent_count * sizeof(*agents)),
	                *callers = mem_zalloc(caller_count * sizeof(*callers));
	struct cc_order ready = {0}, line = {0};
	struct cc_turn turn = {0};
	if (!agents || !callers)
		exit(1);
	for (size_t i = 0; i < agent_count; i++) {
		const struct cc_facts f = {.level = 1, .position = (int64_t)(next_random() % 1000)};
		agents[i].serial = i;
		cc_place_rank(&agents[i], s, &f);
		(void)cc_order_add(&ready, &agents[i]);
	}
	for (size_t i = 0; i < caller_count; i++) {
		callers[i] = (struct cc_place){.first = (int64_t)i, .serial = i};
		(void)cc_order_add(&line, &callers[i]);
	}
	int64_t begin = clock_mono_us();
	for (int64_t n = 0; n < DECISIONS; n++) {
		int64_t at = clock_mono_us();
		struct cc_place *a = cc_choose(&ready, s, &turn, INT64_MAX, next_random()), *c = line.at[0];
		const struct cc_facts f = {.level = 1,
		    .position = a->first % 1000,
		    .last_bridge_end = n,
		    .talk_time = n,
		    .calls_answered = n,
		    .last_offered = n};
		turn = (struct cc_turn){1, a->first, true};
		cc_order_del(&ready, a);
		cc_order_del(&line, c);
		cc_place_rank(a, s, &f);
		c->first = (int64_t)caller_count + n;
		(void)cc_order_add(&ready, a);
		(void)cc_order_add(&line, c);
		took[n] = clock_mono_us() - at;
	}
	double us = (double)(clock_mono_us() - begin) / DECISIONS;
	qsort(took, DECISIONS, sizeof(took[0]), by_size);
	double p99 = (double)took[DECISIONS / 100 * 99];
	*p99_us = p99 > *p99_us ? p99 : *p99_us;
	cc_order_fini(&ready);
	cc_order_fini(&line);
	mem_free(agents);
	mem_free(callers);
	return us;
}

struct skilled {
	struct cc_place place;
	struct cc_skills *skills;
};
static bool meets(const struct cc_place *p, const void *needs)
{
	return cc_skills_meet(((const struct skilled *)(const void *)p)->skills, needs, 0);
}

/* The worst case: all are free, and only the last one of the order has the skills. */
static double measure_skills(size_t agent_count)
{
	struct skilled *agents = mem_zalloc(agent_count * sizeof(*agents));
	struct cc_order ready = {0};
	const struct cc_turn turn = {0};
	const struct cc_skills needs = {2, {{3, 2}, {7, 1}}};
	if (!agents)
		exit(1);
	for (size_t i = 0; i < agent_count; i++) {
		agents[i].skills = mem_zalloc(sizeof(*agents[i].skills));
		if (!agents[i].skills)
			exit(1);
		for (uint32_t id = 0; id < 6; id++)
			(void)cc_skills_set(agents[i].skills, id, i + 1 == agent_count ? 3 : 1);
		(void)cc_skills_set(agents[i].skills, 7, 1);
		agents[i].place = (struct cc_place){.level = 1, .first = (int64_t)i, .serial = i};
		(void)cc_order_add(&ready, &agents[i].place);
	}
	enum { ROUNDS = 1000 };
	size_t found = 0;
	int64_t begin = clock_mono_us();
	for (int n = 0; n < ROUNDS; n++)
		found += cc_choose_if(&ready, CC_LONGEST_IDLE, &turn, INT64_MAX, 0, meets, &needs) != NULL;
	double us = (double)(clock_mono_us() - begin) / ROUNDS;
	for (size_t i = 0; i < agent_count; i++)
		mem_free(agents[i].skills);
	cc_order_fini(&ready);
	mem_free(agents);
	return found == ROUNDS ? us : -1;
}

int main(int argc, char **argv)
{
	size_t agents = argc > 1 ? strtoul(argv[1], NULL, 10) : 5000,
	       callers = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
	double mean = 0, p99 = 0;
	if (!agents || !callers || agents > 1000000 || callers > 1000000)
		return 2;
	for (int s = 0; s < CC_STRATEGY_COUNT; s++) {
		double us = measure((enum cc_strategy)s, agents, callers, &p99);
		mean = us > mean ? us : mean;
	}
	printf("{\"agents\": %zu, \"callers\": %zu, \"decision_us\": %.2f, \"p99_us\": %.0f, \"skilled_us\": %.1f}\n",
	    agents, callers, mean, p99, measure_skills(agents));
	return 0;
}
