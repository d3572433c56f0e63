/* Params of queues and the words for what agents and tiers are. */
#include "base/status.h"
#include "callcenter/settings.h"
#include "harness.h"

#include <string.h>

static int test_params(void)
{
	static const struct {
		const char *name, *value;
		int st;
	} rows[] = {{"strategy", "ring-all", ST_OK}, {"strategy", "Round-Robin", ST_OK}, {"strategy", "fair", ST_PARSE},
	    {"moh-sound", "local_stream://moh", ST_OK}, {"moh-sound", "", ST_OK}, {"max-wait-time", "90", ST_OK},
	    {"max-wait-time", "-1", ST_PARSE}, {"max-wait-time", "1.5", ST_PARSE},
	    {"max-wait-time", "100000001", ST_PARSE}, {"tier-rules-apply", "yes", ST_OK},
	    {"time-base-score", "system", ST_OK}, {"time-base-score", "x", ST_PARSE},
	    {"agent-no-answer-status", "Logged Out", ST_OK}, {"agent-no-answer-status", "Gone", ST_PARSE},
	    {"opening-hours", "mon-fri 08:00-18:00", ST_OK}, {"opening-hours", "always", ST_PARSE},
	    {"holidays", "12-25", ST_OK}, {"holidays", "Christmas", ST_PARSE}, {"callback-key", "1", ST_OK},
	    {"callback-key", "12", ST_PARSE}, {"callback-key", "x", ST_PARSE}, {"callback-key", "", ST_OK},
	    {"screen-pop", "https://crm/?t={number}", ST_OK}, {"screen-pop", "javascript:alert(1)", ST_PARSE},
	    {"screen-pop", "", ST_OK}, {"skills", "english:2", ST_OK}, {"web-hook", "false", ST_OK},
	    {"no-such-param", "1", ST_NOTFOUND}};
	struct cc_settings s;
	const char *why = "";
	cc_settings_init(&s);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		EXPECT_INT(cc_settings_set(&s, rows[i].name, rows[i].value, &why), rows[i].st);
	EXPECT_INT(s.strategy, CC_ROUND_ROBIN);
	EXPECT(!s.moh && !s.screen_pop && !s.callback_key && !s.has_hook);
	EXPECT(s.hours && s.holidays);
	EXPECT_INT(s.max_wait_s, 90);
	EXPECT(s.rules.is_on && s.counts_from_call);
	EXPECT_INT(s.no_answer_status, CC_LOGGED_OUT);
	cc_settings_fini(&s);
	return 0;
}

static int test_words(void)
{
	enum cc_status status;
	enum cc_state state;
	enum cc_tier_state tier;
	for (int i = 0; i < CC_STATUS_COUNT; i++)
		EXPECT(!cc_status_parse(cc_status_name((enum cc_status)i), &status) && (int)status == i);
	for (int i = 0; i < CC_STATE_COUNT; i++)
		EXPECT(!cc_state_parse(cc_state_name((enum cc_state)i), &state) && (int)state == i);
	for (int i = 0; i < CC_TIER_STATE_COUNT; i++)
		EXPECT(!cc_tier_state_parse(cc_tier_state_name((enum cc_tier_state)i), &tier) && (int)tier == i);
	EXPECT_INT(cc_status_parse("On", &status), ST_PARSE);
	EXPECT_INT(cc_state_parse("", &state), ST_PARSE);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"params", test_params, 0}, {"words", test_words, 0}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
