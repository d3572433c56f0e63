/* Who is next: each strategy against its definition, by going through all; the orders stay sorted; the rules of tiers.
 */
#include "base/status.h"
#include "callcenter/choice.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { AGENTS = 20, CALLERS = 200 };
struct agent {
	struct cc_place place;
	struct cc_facts facts;
	bool is_free;
};

static uint64_t seed = 88172645463325252ull;
static uint64_t next_random(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

static void agents_make(struct agent *a)
{
	memset(a, 0, AGENTS * sizeof(*a));
	for (int i = 0; i < AGENTS; i++) {
		a[i].place.serial = (uint64_t)i + 1;
		a[i].facts.level = 1 + i / 7;
		a[i].facts.position = 1 + i % 5;
		a[i].is_free = true;
	}
}

static int64_t key_of(const struct agent *a, enum cc_strategy s, int n)
{
	const struct cc_facts *f = &a->facts;
	int64_t first = s == CC_LONGEST_IDLE      ? f->last_bridge_end
	                : s == CC_LEAST_TALK_TIME ? f->talk_time
	                : s == CC_FEWEST_CALLS    ? f->calls_answered
	                                          : f->position;
	bool is_by_position =
	    first == f->position && s != CC_LONGEST_IDLE && s != CC_LEAST_TALK_TIME && s != CC_FEWEST_CALLS;
	return n == 0   ? f->level
	       : n == 1 ? first
	       : n == 2 ? (is_by_position ? f->last_offered : f->position)
	                : (int64_t)a->place.serial;
}

static bool is_before(const struct agent *a, const struct agent *b, enum cc_strategy s)
{
	for (int n = 0; n < 4; n++)
		if (key_of(a, s, n) != key_of(b, s, n))
			return key_of(a, s, n) < key_of(b, s, n);
	return false;
}

/* The definition: of the free ones of an allowed level, behind the turn first, then in order. */
static struct agent *defined(struct agent *a, enum cc_strategy s, const struct cc_turn *turn, int64_t max)
{
	struct agent *best = NULL;
	bool has_turn = (s == CC_ROUND_ROBIN || s == CC_TOP_DOWN) && turn->is_set && turn->level <= max;
	for (int pass = has_turn ? 0 : 1; pass < 2 && !best; pass++)
		for (int i = 0; i < AGENTS; i++) {
			bool is_behind = a[i].facts.level == turn->level && a[i].facts.position > turn->position;
			if (a[i].is_free && a[i].facts.level <= max && (pass || is_behind) &&
			    (!best || is_before(&a[i], best, s)))
				best = &a[i];
		}
	return best;
}

static void set_free(struct cc_order *o, struct agent *a, enum cc_strategy s, bool is_free)
{
	cc_order_del(o, &a->place);
	a->is_free = is_free;
	if (!is_free)
		return;
	cc_place_rank(&a->place, s, &a->facts);
	cc_order_add(o, &a->place);
}

/* Calls come and end at random; every choice is the definition's. */
static int strategy(enum cc_strategy s)
{
	struct agent a[AGENTS];
	struct cc_order o = {0};
	struct cc_turn turn = {0};
	int offers = 0;
	agents_make(a);
	for (int i = 0; i < AGENTS; i++)
		set_free(&o, &a[i], s, true);
	for (int64_t now = 1; offers < CALLERS; now++) {
		int64_t max = next_random() % 4 ? INT64_MAX : (int64_t)(next_random() % 4);
		struct cc_place *p = cc_choose(&o, s, &turn, max, next_random());
		struct agent *want = defined(a, s, &turn, max);
		if (s == CC_RANDOM && p) { /* any of the lowest level */
			EXPECT(want && p->level == want->facts.level);
		} else {
			EXPECT(p == (want ? &want->place : NULL));
		}
		if (p) {
			struct agent *x = (struct agent *)(void *)p;
			EXPECT(x->is_free);
			x->facts.last_offered = now;
			x->facts.calls_answered++;
			x->facts.talk_time += (int64_t)(next_random() % 50);
			turn = (struct cc_turn){x->facts.level, x->facts.position, true};
			set_free(&o, x, s, false);
			offers++;
		}
		struct agent *y = &a[next_random() % AGENTS];
		if (!y->is_free) {
			y->facts.last_bridge_end = now;
			set_free(&o, y, s, true);
		}
		for (size_t i = 1; i < o.count; i++)
			EXPECT(o.at[i - 1]->level <= o.at[i]->level);
	}
	cc_order_fini(&o);
	return 0;
}

static int test_strategies(void)
{
	for (int s = 0; s < CC_STRATEGY_COUNT; s++)
		if (strategy((enum cc_strategy)s)) {
			test_fail(__FILE__, __LINE__, "%s", cc_strategy_name((enum cc_strategy)s));
			return -1;
		}
	return 0;
}

/* Of five equal agents each is chosen about as often. */
static int test_random_is_even(void)
{
	struct cc_place p[5] = {0};
	struct cc_order o = {0};
	struct cc_turn turn = {0};
	int hits[5] = {0};
	for (int i = 0; i < 5; i++) {
		p[i] = (struct cc_place){.level = i < 4 ? 1 : 2, .serial = (uint64_t)i};
		EXPECT_INT(cc_order_add(&o, &p[i]), ST_OK);
	}
	for (int i = 0; i < 4000; i++)
		hits[cc_choose(&o, CC_RANDOM, &turn, INT64_MAX, next_random()) - p]++;
	for (int i = 0; i < 4; i++)
		EXPECT(hits[i] > 850 && hits[i] < 1150);
	EXPECT_INT(hits[4], 0);
	cc_order_fini(&o);
	return 0;
}

static int test_line(void)
{
	/* joined at 100 and 130; the second has a base score of 50 */
	struct cc_place a = {.first = 100, .serial = 1}, b = {.first = 130 - 50, .serial = 2};
	struct cc_order o = {0};
	EXPECT_INT(cc_order_add(&o, &a), ST_OK);
	EXPECT_INT(cc_order_add(&o, &b), ST_OK);
	EXPECT_INT(cc_order_add(&o, &b), ST_OK); /* once */
	EXPECT_INT((int)o.count, 2);
	EXPECT(o.at[0] == &b);
	EXPECT_INT((int)cc_order_index(&o, &a), 1);
	cc_order_del(&o, &b);
	cc_order_del(&o, &b);
	EXPECT(o.count == 1 && o.at[0] == &a);
	cc_order_fini(&o);
	return 0;
}

static int test_rules(void)
{
	static const struct {
		struct cc_rules rules;
		int64_t first, lowest, level, due;
	} rows[] = {
	    {{.is_on = false, .wait_s = 30}, 1, 1, 3, 0},
	    {{.is_on = true, .wait_s = 30}, 1, 1, 1, 0},
	    {{.is_on = true, .wait_s = 30}, 1, 1, 2, 30},
	    {{.is_on = true, .wait_s = 30}, 1, 1, 3, 30},
	    {{.is_on = true, .wait_s = 30, .multiplies = true}, 1, 1, 1, 0},
	    {{.is_on = true, .wait_s = 30, .multiplies = true}, 1, 1, 3, 60},
	    {{.is_on = true, .wait_s = 30, .multiplies = true}, 3, 1, 3, 60},
	    {{.is_on = true, .wait_s = 30, .multiplies = true, .skips_empty = true}, 3, 1, 3, 0},
	    {{.is_on = true, .wait_s = 30, .skips_empty = true}, 2, 1, 2, 0},
	    {{.is_on = true, .wait_s = 30, .skips_empty = true}, 2, 1, 3, 30},
	    {{.is_on = true, .wait_s = INT64_MAX / 2, .multiplies = true}, 1, 1, 9, INT64_MAX},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t due = cc_level_due_s(&rows[i].rules, rows[i].first, rows[i].lowest, rows[i].level);
		EXPECT_INT(due, rows[i].due);
		/* the two say the same: a level is allowed from its time on, not before */
		if (due < 1000000)
			EXPECT(cc_level_max(&rows[i].rules, rows[i].first, rows[i].lowest, due) >= rows[i].level);
		if (due > 0)
			EXPECT(cc_level_max(&rows[i].rules, rows[i].first, rows[i].lowest, due - 1) < rows[i].level);
	}
	return 0;
}

static int test_memory(void)
{
	struct cc_place p[40] = {0};
	struct cc_order o = {0};
	int in = 0;
	for (int i = 0; i < 40; i++) {
		p[i].first = i;
		in += !cc_order_add(&o, &p[i]);
	}
	EXPECT_INT(in, 40);
	EXPECT_INT((int)o.count, in);
	cc_order_fini(&o);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"strategies", test_strategies, 0},
	    {"random is even", test_random_is_even, 0}, {"the line", test_line, 0}, {"rules of tiers", test_rules, 0},
	    {"without memory", test_memory, TEST_OOM}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
