/* The params of a queue, each a row: where its value goes and how it is read. */
#include "callcenter/settings.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "callcenter/hours.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *const statuses[] = {"Logged Out", "Available", "Available (On Demand)", "On Break"};
static const char *const states[] = {"Idle", "Waiting", "Receiving", "In a queue call", "Reserved"};
static const char *const tier_states[] = {"No Answer", "Ready", "Offering", "Active Inbound", "Standby"};
static const char *const member_states[] = {"Waiting", "Trying", "Answered", "Abandoned"};

static int word_find(const char *const *words, int count, const char *text)
{
	for (int i = 0; text && i < count; i++)
		if (!strcasecmp(words[i], text))
			return i;
	return -1;
}

const char *cc_status_name(enum cc_status s)
{
	return statuses[s];
}
const char *cc_state_name(enum cc_state s)
{
	return states[s];
}
const char *cc_tier_state_name(enum cc_tier_state s)
{
	return tier_states[s];
}
const char *cc_member_state_name(enum cc_member_state s)
{
	return member_states[s];
}

int cc_status_parse(const char *text, enum cc_status *out)
{
	int i = word_find(statuses, CC_STATUS_COUNT, text);
	if (i < 0)
		return ST_PARSE;
	*out = (enum cc_status)i;
	return ST_OK;
}

int cc_state_parse(const char *text, enum cc_state *out)
{
	int i = word_find(states, CC_STATE_COUNT, text);
	if (i < 0)
		return ST_PARSE;
	*out = (enum cc_state)i;
	return ST_OK;
}

int cc_tier_state_parse(const char *text, enum cc_tier_state *out)
{
	int i = word_find(tier_states, CC_TIER_STATE_COUNT, text);
	if (i < 0)
		return ST_PARSE;
	*out = (enum cc_tier_state)i;
	return ST_OK;
}

/* ---- the params ---- */

enum kind { TEXT, SECONDS, BOOLEAN, STRATEGY, TIME_BASE, STATUS, HOURS, HOLIDAYS, KEY, PAGE };
#define FIELD(f) offsetof(struct cc_settings, f)
static const struct param {
	const char *name;
	enum kind kind;
	size_t at;
} params[] = {
    {"strategy", STRATEGY, FIELD(strategy)},
    {"moh-sound", TEXT, FIELD(moh)},
    {"announce-sound", TEXT, FIELD(announce)},
    {"announce-frequency", SECONDS, FIELD(announce_frequency_s)},
    {"announce-position", TEXT, FIELD(position_phrase)},
    {"announce-expected-wait", TEXT, FIELD(wait_phrase)},
    {"record-template", TEXT, FIELD(record_template)},
    {"time-base-score", TIME_BASE, FIELD(counts_from_call)},
    {"ring-progressively-delay", SECONDS, FIELD(ring_progressively_delay_s)},
    {"tier-rules-apply", BOOLEAN, FIELD(rules.is_on)},
    {"tier-rule-wait-second", SECONDS, FIELD(rules.wait_s)},
    {"tier-rule-wait-multiply-level", BOOLEAN, FIELD(rules.multiplies)},
    {"tier-rule-no-agent-no-wait", BOOLEAN, FIELD(rules.skips_empty)},
    {"discard-abandoned-after", SECONDS, FIELD(discard_abandoned_s)},
    {"abandoned-resume-allowed", BOOLEAN, FIELD(abandoned_resume)},
    {"max-wait-time", SECONDS, FIELD(max_wait_s)},
    {"max-wait-time-with-no-agent", SECONDS, FIELD(no_agent_wait_s)},
    {"max-wait-time-with-no-agent-time-reached", SECONDS, FIELD(no_agent_reached_s)},
    {"agent-no-answer-status", STATUS, FIELD(no_answer_status)},
    {"skip-agents-with-external-calls", BOOLEAN, FIELD(skips_external)},
    {"skills", TEXT, FIELD(skills)},
    {"skills-relax-every", SECONDS, FIELD(skills_relax_s)},
    {"sticky-agent", BOOLEAN, FIELD(is_sticky)},
    {"sticky-wait", SECONDS, FIELD(sticky_wait_s)},
    {"sticky-for", SECONDS, FIELD(sticky_keep_s)},
    {"overflow-to", TEXT, FIELD(overflow_to)},
    {"overflow-after", SECONDS, FIELD(overflow_after_s)},
    {"overflow-waiting", SECONDS, FIELD(overflow_waiting)},
    {"callback-key", KEY, FIELD(callback_key)},
    {"callback-contact", TEXT, FIELD(callback_contact)},
    {"callback-tries", SECONDS, FIELD(callback_tries)},
    {"callback-retry-after", SECONDS, FIELD(callback_retry_s)},
    {"callback-ring-time", SECONDS, FIELD(callback_ring_s)},
    {"opening-hours", HOURS, FIELD(hours)},
    {"holidays", HOLIDAYS, FIELD(holidays)},
    {"time-zone", TEXT, FIELD(time_zone)},
    {"closed-to", TEXT, FIELD(closed_to)},
    {"wrap-up-codes", TEXT, FIELD(wrap_codes)},
    {"wrap-up-code-time", SECONDS, FIELD(wrap_code_s)},
    {"service-level", SECONDS, FIELD(service_level_s)},
    {"screen-pop", PAGE, FIELD(screen_pop)},
    {"web-hook", BOOLEAN, FIELD(has_hook)},
};

static bool is_text(enum kind k)
{
	return k == TEXT || k == HOURS || k == HOLIDAYS || k == KEY || k == PAGE;
}

void cc_settings_init(struct cc_settings *s)
{
	*s = (struct cc_settings){.strategy = CC_LONGEST_IDLE,
	    .rules = {.skips_empty = true},
	    .discard_abandoned_s = 60,
	    .no_agent_reached_s = 5,
	    .skips_external = true,
	    .no_answer_status = CC_ON_BREAK,
	    .sticky_wait_s = 30,
	    .sticky_keep_s = 7 * 86400,
	    .callback_tries = 3,
	    .callback_retry_s = 300,
	    .callback_ring_s = 30,
	    .service_level_s = 20,
	    .has_hook = true};
}

void cc_settings_fini(struct cc_settings *s)
{
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		if (is_text(params[i].kind)) {
			char **text = (char **)(void *)((char *)s + params[i].at);
			mem_free(*text);
			*text = NULL;
		}
}

static int text_set(char **at, const char *value, const char **why)
{
	char *copy = NULL;
	if (strlen(value) > CC_TEXT_MAX) {
		*why = "it is too long";
		return ST_PARSE;
	}
	if (*value && !(copy = mem_strdup(value)))
		return ST_NOMEM;
	mem_free(*at);
	*at = copy;
	return ST_OK;
}

/* A text of which not every one will do. */
static int checked_set(enum kind kind, char **at, const char *value, const char **why)
{
	bool is_page = !strncasecmp(value, "https://", 8) || !strncasecmp(value, "http://", 7);
	switch (kind) {
	case HOURS:
		*why = "opening hours are as mon-fri 08:00-12:00,13:00-18:00; sat 09:00-12:00";
		if (cc_hours_check(sv_of(value)))
			return ST_PARSE;
		break;
	case HOLIDAYS:
		*why = "holidays are as 12-25; 2026-05-01; 12-24 08:00-12:00";
		if (cc_holidays_check(sv_of(value)))
			return ST_PARSE;
		break;
	case KEY:
		*why = "it is one key of 0 to 9, * and #";
		if (*value && (strlen(value) != 1 || !strchr("0123456789*#", *value)))
			return ST_PARSE;
		break;
	default:
		*why = "it begins with https:// or http://";
		if (*value && !is_page)
			return ST_PARSE;
		break;
	}
	return text_set(at, value, why);
}

static int seconds_set(int64_t *at, const char *value, const char **why)
{
	uint32_t n;
	*why = "it is a whole number from 0 to 100000000";
	if (sv_u32(sv_trim(sv_of(value)), &n) || n > CC_SECONDS_MAX)
		return ST_PARSE;
	*at = n;
	return ST_OK;
}

static int time_base_set(bool *at, const char *value, const char **why)
{
	bool is_system = !strcasecmp(value, "system");
	*why = "it is queue or system";
	if (!is_system && strcasecmp(value, "queue"))
		return ST_PARSE;
	*at = is_system;
	return ST_OK;
}

int cc_settings_set(struct cc_settings *s, const char *name, const char *value, const char **why)
{
	const struct param *p = params, *end = params + sizeof(params) / sizeof(params[0]);
	while (p < end && strcasecmp(p->name, name))
		p++;
	if (p == end)
		return ST_NOTFOUND;
	void *at = (char *)s + p->at;
	switch (p->kind) {
	case TEXT:
		return text_set(at, value, why);
	case HOURS:
	case HOLIDAYS:
	case KEY:
	case PAGE:
		return checked_set(p->kind, at, value, why);
	case SECONDS:
		return seconds_set(at, value, why);
	case BOOLEAN:
		*(bool *)at = str_is_true(value);
		return ST_OK;
	case TIME_BASE:
		return time_base_set(at, value, why);
	case STRATEGY:
		*why = "there is no such strategy";
		return cc_strategy_parse(value, at);
	default:
		*why = "it is Logged Out, Available, Available (On Demand) or On Break";
		return cc_status_parse(value, at);
	}
}
