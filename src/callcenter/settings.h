/* What callcenter.conf says of a queue, and the words for what agents, places and callers are. Pure. */
#pragma once
#include "callcenter/choice.h"

enum cc_status { CC_LOGGED_OUT, CC_AVAILABLE, CC_ON_DEMAND, CC_ON_BREAK, CC_STATUS_COUNT };
enum cc_state { CC_IDLE, CC_WAITING, CC_RECEIVING, CC_IN_CALL, CC_RESERVED, CC_STATE_COUNT };
enum cc_tier_state {
	CC_TIER_NO_ANSWER,
	CC_TIER_READY,
	CC_TIER_OFFERING,
	CC_TIER_ACTIVE,
	CC_TIER_STANDBY,
	CC_TIER_STATE_COUNT
};
enum cc_member_state { CC_MEMBER_WAITING, CC_MEMBER_TRYING, CC_MEMBER_ANSWERED, CC_MEMBER_ABANDONED };
ANY const char *cc_status_name(enum cc_status s);
ANY const char *cc_state_name(enum cc_state s);
ANY const char *cc_tier_state_name(enum cc_tier_state s);
ANY const char *cc_member_state_name(enum cc_member_state s);
ANY int cc_status_parse(const char *text, enum cc_status *out); /* ST_PARSE, also below */
ANY int cc_state_parse(const char *text, enum cc_state *out);
ANY int cc_tier_state_parse(const char *text, enum cc_tier_state *out);

enum { CC_SECONDS_MAX = 100000000, CC_TEXT_MAX = 4096 };
struct cc_settings { /* texts owned; NULL: none */
	enum cc_strategy strategy;
	char *moh, *announce, *record_template;
	char *position_phrase, *wait_phrase; /* macros: how many are in front; how long it takes, in seconds */
	int64_t announce_frequency_s, ring_progressively_delay_s;
	bool counts_from_call; /* time-base-score system */
	struct cc_rules rules;
	int64_t discard_abandoned_s, max_wait_s, no_agent_wait_s, no_agent_reached_s;
	bool abandoned_resume, skips_external;
	enum cc_status no_answer_status;
	/* ours, beyond mod_callcenter; all off by default */
	char *skills;
	int64_t skills_relax_s;
	bool is_sticky;
	int64_t sticky_wait_s, sticky_keep_s;
	char *overflow_to;
	int64_t overflow_after_s, overflow_waiting;
	char *callback_key, *callback_contact;
	int64_t callback_tries, callback_retry_s, callback_ring_s;
	char *hours, *holidays, *time_zone, *closed_to;
	char *wrap_codes;
	int64_t wrap_code_s;
	int64_t service_level_s;
	char *screen_pop;
	bool has_hook;
};
ANY void cc_settings_init(struct cc_settings *s); /* the defaults */
ANY void cc_settings_fini(struct cc_settings *s);
/* One param. ST_NOTFOUND: there is none of that name; ST_PARSE: the value is none it can have: *why says what is, a
 * constant, and s is as it was; ST_NOMEM. */
ANY int cc_settings_set(struct cc_settings *s, const char *name, const char *value, const char **why);
