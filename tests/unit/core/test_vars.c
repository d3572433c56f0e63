/* The store of variables against a list that is too simple to be wrong: random changes, then all that is asked. */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/value/vars.h"
#include "harness.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAMES = 120, ROUNDS = 40000, LONG_NAME = 400, VALUE_BYTES = 1500 };
struct pair {
	char name[LONG_NAME + 8];
	char value[VALUE_BYTES + 1];
	bool is_outside;
};
static struct pair list[NAMES];
static size_t count;
static uint32_t seed = 7;

static uint32_t random_below(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

/* Some that every leg has, some spelled otherwise, some of nobody else, some longer than a length byte tells. */
static void name_make(uint32_t i, char *out)
{
	static const char *const common[] = {
	    "uuid", "direction", "sip_call_id", "switch_r_sdp", "DP_MATCH", "read_codec"};

	if (i < ARRAY_COUNT(common)) {
		snprintf(out, LONG_NAME + 8, "%s", common[i]);
		if (random_below(4) == 0)
			out[0] ^= 0x20;
	} else if (i % 10 == 0) {
		snprintf(out, LONG_NAME + 8, "%0*u", LONG_NAME - (int)i, i);
	} else {
		snprintf(out, LONG_NAME + 8, "own_%u", i);
	}
}

static void model_set(const char *name, const char *value, bool is_outside)
{
	size_t at = 0;

	while (at < count && strcasecmp(list[at].name, name) != 0)
		at++;
	if (at < count) {
		memmove(&list[at], &list[at + 1], (count - at - 1) * sizeof(list[0]));
		count--;
	}
	if (!*value)
		return;
	snprintf(list[count].name, sizeof(list[0].name), "%s", name);
	snprintf(list[count].value, sizeof(list[0].value), "%s", value);
	list[count++].is_outside = is_outside;
}

static int compare(const struct vars *v)
{
	const char *name, *value;
	struct buf scratch;

	EXPECT_INT(vars_count(v), count);
	buf_init(&scratch);
	for (size_t i = 0; i < count; i++) {
		vars_at(v, i, &name, &value);
		EXPECT_STR(name, list[i].name);
		EXPECT_STR(value, list[i].value);
		EXPECT_STR(vars_get(v, list[i].name), list[i].value);
		EXPECT(mark_has(sv_of(vars_text(v, list[i].name, &scratch))) == list[i].is_outside);
	}
	buf_fini(&scratch);
	EXPECT(!vars_get(v, "own_none") && !vars_get(v, "uuid_"));
	return 0;
}

static int test_random(void)
{
	static char name[LONG_NAME + 8], value[VALUE_BYTES + 1];
	struct vars *v = NULL, *copy = NULL;

	EXPECT_INT(vars_new(&v), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		size_t n = random_below(40) == 0 ? random_below(VALUE_BYTES) : random_below(30);
		bool is_outside = random_below(2);
		name_make(random_below(NAMES), name);
		memset(value, 'a' + (int)random_below(26), n);
		value[n] = 0;
		if (is_outside && random_below(3) == 0) {
			char *shared = sv_share(sv_of(value));
			EXPECT_INT(vars_share(v, name, shared), 0);
			str_share_end(shared);
		} else {
			EXPECT_INT(is_outside ? vars_set_outside(v, name, value) : vars_set(v, name, value), 0);
		}
		model_set(name, value, is_outside);
		if (random_below(300) == 0)
			vars_settle(v);
		if (round % 97 == 0) {
			EXPECT_INT(compare(v), 0);
		}
	}
	vars_settle(v);
	EXPECT_INT(compare(v), 0);
	EXPECT_INT(vars_new(&copy), 0);
	EXPECT_INT(vars_copy(copy, v), 0);
	vars_free(v); /* a copy holds nothing of it */
	EXPECT_INT(compare(copy), 0);
	vars_free(copy);
	return 0;
}

static size_t core_bytes;

static void room_see(const char *room, size_t live, size_t bytes, void *arg)
{
	if (!strcmp(room, "core/value"))
		core_bytes = bytes;
}

/* What was replaced a thousand times takes no more than what is there. */
static int test_settle_gives_back(void)
{
	struct vars *v = NULL;
	char value[200];

	EXPECT_INT(vars_new(&v), 0);
	for (int i = 0; i < 60; i++) {
		EXPECT_INT(vars_setf(v, "own_name", "%d", i), 0);
		EXPECT_INT(vars_setf(v, "other", "%d", i), 0);
	}
	for (int i = 1; i < 190; i++) {
		memset(value, 'x', (size_t)i);
		value[i] = 0;
		EXPECT_INT(vars_set(v, "grows", value), 0);
		if (i % 40 == 0)
			EXPECT_INT(vars_setf(v, "stays", "%d", i), 0);
	}
	vars_settle(v);
	mem_each_room(room_see, NULL);
	EXPECT(core_bytes > 0 && core_bytes < 800);
	EXPECT_STR(vars_get(v, "stays"), "160");
	EXPECT_INT(strlen(vars_get(v, "grows")), 189);
	vars_free(v);
	return 0;
}

TEST_MAIN({"random changes", test_random, 0}, {"settling", test_settle_gives_back, 0})
