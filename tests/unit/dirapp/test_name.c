/* Names on the keys of a telephone. */
#include "dirapp/dirapp_i.h"
#include "harness.h"

static int test_keys(void)
{
	static const struct {
		const char *name, *keys;
	} cases[] = {{"Lab", "522"}, {"abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999"},
	    {"J\303\274rgen", "587436"}, {"O'Neil-2", "663452"}, {"\344\270\255", ""}, {"\303", ""}, {"", ""}};
	char out[T9_MAX];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT(t9_of(sv_of(cases[i].name), out) == strlen(cases[i].keys));
		EXPECT_STR(out, cases[i].keys);
	}
	return 0;
}

static int test_matches(void)
{
	EXPECT(t9_matches(SV("Alice Lab"), true, "522") && !t9_matches(SV("Alice Lab"), false, "522"));
	EXPECT(t9_matches(SV("Alice Lab"), false, "254") && t9_matches(SV("Mary Ann Smith"), true, "76484"));
	EXPECT(t9_matches(SV("Mary Ann Smith"), false, "6279266") && !t9_matches(SV("Lab"), true, "5222"));
	EXPECT(
	    t9_matches(SV("Lab"), true, "5") && t9_matches(SV("Lab"), false, "52") && !t9_matches(SV("Lab"), true, ""));
	return 0;
}

TEST_MAIN({"keys", test_keys}, {"matches", test_matches})
