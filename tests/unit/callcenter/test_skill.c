/* Skills: what is read, who meets a need, and the choice of every strategy among those who do, against its definition
 * by going through all. Figures: the service level. */
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/figures.h"
#include "callcenter/skill.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static int by_letter(struct sv name, uint32_t *id, void *arg)
{
	if (name.n > 1)
		return ST_FULL;
	*id = (uint32_t)(unsigned char)name.p[0];
	return ST_OK;
}

static int read_skills(const char *text, struct cc_skills *out)
{
	*out = (struct cc_skills){0};
	return cc_skills_parse(out, sv_of(text), by_letter, NULL);
}

static int test_read(void)
{
	struct cc_skills s;
	EXPECT_INT(read_skills("c:3, a ,b:100,c:4", &s), ST_OK);
	EXPECT_INT((int)s.count, 3);
	EXPECT(
	    s.at[0].id == 'a' && s.at[0].level == 1 && s.at[1].level == 100 && s.at[2].id == 'c' && s.at[2].level == 4);
	EXPECT_INT((int)cc_skills_height(&s), 100);
	EXPECT_INT(read_skills("", &s), ST_OK);
	EXPECT_INT((int)s.count, 0);
	static const char *const bad[] = {"a:0", "a:101", "a:x", "a:", ":1", "a:-1", "a:1:2", "a:4294967297"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(read_skills(bad[i], &s), ST_PARSE);
	EXPECT_INT(read_skills("ab", &s), ST_FULL);
	s = (struct cc_skills){0};
	for (uint32_t id = 0; id < CC_SKILLS_MAX; id++)
		EXPECT_INT(cc_skills_set(&s, CC_SKILLS_MAX - id, 1), ST_OK);
	EXPECT_INT(cc_skills_set(&s, 1000, 1), ST_FULL);
	EXPECT_INT(cc_skills_set(&s, 5, 0), ST_OK);
	EXPECT_INT(cc_skills_set(&s, 1000, 1), ST_OK);
	EXPECT_INT((int)s.count, CC_SKILLS_MAX);
	return 0;
}

static int test_meet(void)
{
	static const struct {
		const char *has, *needs;
		uint32_t relaxed;
		bool is_met;
	} rows[] = {{"", "", 0, true}, {"a", "a", 0, true}, {"", "a", 0, false}, {"a", "a:2", 0, false},
	    {"a", "a:2", 1, true}, {"", "a", 1, true}, {"a:9", "a:2", 0, true}, {"b", "a", 0, false},
	    {"a,b:3,c", "a,c", 0, true}, {"a,c", "a,b,c", 0, false}, {"a,b:3", "b:4", 0, false},
	    {"a,b:3", "b:4", 1, true}, {"a", "a,b:2", 1, false}, {"a", "a,b:2", 2, true}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cc_skills has, needs;
		EXPECT(!read_skills(rows[i].has, &has) && !read_skills(rows[i].needs, &needs));
		EXPECT_INT(cc_skills_meet(&has, &needs, rows[i].relaxed) ? (int)i : -1, rows[i].is_met ? (int)i : -1);
	}
	struct cc_skills needs;
	EXPECT(!read_skills("a", &needs) && !cc_skills_meet(NULL, &needs, 0) && cc_skills_meet(NULL, &needs, 1));
	return 0;
}

/* ---- the choice ---- */

enum { AGENTS = 40, ROUNDS = 4000 };
struct agent {
	struct cc_place place;
	bool is_fit;
};
static uint64_t seed = 88172645463325252ull;
static uint64_t next_random(void)
{
	seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
	return seed;
}

static bool is_fit(const struct cc_place *p, const void *arg)
{
	return ((const struct agent *)(const void *)p)->is_fit;
}

/* The order without those who do not fit, and what cc_choose says of it. */
static const struct cc_place *defined(
    const struct cc_order *all, enum cc_strategy s, const struct cc_turn *turn, int64_t max)
{
	struct cc_order some = {0};
	struct cc_place *copies = mem_zalloc((all->count + 1) * sizeof(*copies));
	const struct cc_place *found = NULL;
	for (size_t i = 0; i < all->count; i++)
		if (is_fit(all->at[i], NULL)) {
			copies[i] = *all->at[i];
			copies[i].is_in = false;
			(void)cc_order_add(&some, &copies[i]);
		}
	const struct cc_place *p = cc_choose(&some, s, turn, max, 0);
	for (size_t i = 0; p && i < all->count; i++)
		if (&copies[i] == p)
			found = all->at[i];
	cc_order_fini(&some);
	mem_free(copies);
	return found;
}

static int choose_all(enum cc_strategy s)
{
	static struct agent agents[AGENTS];
	struct cc_order o = {0};
	memset(agents, 0, sizeof(agents));
	for (int n = 0; n < ROUNDS; n++) {
		struct agent *a = &agents[next_random() % AGENTS];
		const struct cc_facts f = {.level = 1 + (int64_t)(next_random() % 3),
		    .position = (int64_t)(next_random() % 5),
		    .talk_time = (int64_t)(next_random() % 50),
		    .calls_answered = (int64_t)(next_random() % 50),
		    .last_bridge_end = n,
		    .last_offered = n};
		const struct cc_turn turn = {
		    1 + (int64_t)(next_random() % 3), (int64_t)(next_random() % 5), next_random() % 2};
		int64_t max = next_random() % 4 ? INT64_MAX : 1 + (int64_t)(next_random() % 2);
		cc_order_del(&o, &a->place);
		a->place.serial = (uint64_t)(a - agents);
		cc_place_rank(&a->place, s, &f);
		a->is_fit = next_random() % 3 == 0;
		if (next_random() % 4)
			(void)cc_order_add(&o, &a->place);
		const struct cc_place *want = defined(&o, s, &turn, max),
		                      *got = cc_choose_if(&o, s, &turn, max, next_random(), is_fit, NULL);
		if (s == CC_RANDOM) /* any of the level at which the definition finds one */
			EXPECT(!want == !got && (!got || (is_fit(got, NULL) && got->level == want->level)));
		else
			EXPECT(want == got);
	}
	cc_order_fini(&o);
	return 0;
}

static int test_choice(void)
{
	for (int s = 0; s < CC_STRATEGY_COUNT; s++) {
		int failed = choose_all((enum cc_strategy)s);
		if (failed)
			return failed;
	}
	return 0;
}

static int test_figures(void)
{
	struct cc_figures f = {0};
	EXPECT_INT(cc_figures_level(&f), -1);
	cc_figures_left(&f, CC_OUTCOME_ABANDONED, 3, 20); /* gave up too soon to count */
	EXPECT_INT(cc_figures_level(&f), -1);
	cc_figures_left(&f, CC_OUTCOME_ANSWERED, 20, 20);
	EXPECT_INT(cc_figures_level(&f), 1000);
	cc_figures_left(&f, CC_OUTCOME_ANSWERED, 21, 20);
	cc_figures_left(&f, CC_OUTCOME_TIMEOUT, 60, 20);
	EXPECT_INT(cc_figures_level(&f), 333);
	cc_figures_left(&f, CC_OUTCOME_CALLBACK, 60, 20); /* he ends once more */
	EXPECT_INT((int)cc_figures_calls(&f), 4);
	EXPECT_INT((int)f.wait_s, 41);
	EXPECT_INT((int)f.wait_max_s, 21);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"what is read", test_read, 0}, {"who meets a need", test_meet, 0},
	    {"the choice", test_choice, 0}, {"the service level", test_figures, 0}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
