/* mod_callcenter: queues of callers and the agents who take them. The tables; what each part does: callcenter_i.h. */
#include "core/registry/module.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/registry/json_command.h"

static const struct app_desc apps[] = {
    {"callcenter", "Call centre queue", "queue_name", 0, app_callcenter},
    {"callcenter_track", "Count a call as one that an agent has aside of his queues", "agent_name", APP_NO_MEDIA,
        app_callcenter_track},
    {NULL},
};
static const char *const complete[] = {"callcenter_config agent add", "callcenter_config agent del",
    "callcenter_config agent reload", "callcenter_config agent set status", "callcenter_config agent set state",
    "callcenter_config agent set uuid", "callcenter_config agent set contact", "callcenter_config agent set ready_time",
    "callcenter_config agent set reject_delay_time", "callcenter_config agent set busy_delay_time",
    "callcenter_config agent set no_answer_delay_time", "callcenter_config agent set max_no_answer",
    "callcenter_config agent set wrap_up_time", "callcenter_config agent set type",
    "callcenter_config agent get status", "callcenter_config agent get state", "callcenter_config agent get uuid",
    "callcenter_config agent list", "callcenter_config tier add", "callcenter_config tier del",
    "callcenter_config tier reload", "callcenter_config tier set state", "callcenter_config tier set level",
    "callcenter_config tier set position", "callcenter_config tier list", "callcenter_config queue load",
    "callcenter_config queue unload", "callcenter_config queue reload", "callcenter_config queue list",
    "callcenter_config queue list agents", "callcenter_config queue list members", "callcenter_config queue list tiers",
    "callcenter_config queue count", "callcenter_config queue count agents", "callcenter_config queue count members",
    "callcenter_config queue count tiers", "callcenter_config agent skill", "callcenter_config agent skills",
    "callcenter_config agent pause", "callcenter_config agent resume", "callcenter_config agent wrapup",
    "callcenter_config agent monitor", "callcenter_config queue callback", "callcenter_config queue callbacks",
    "callcenter_config queue callback_del", "callcenter_config queue is_open", "callcenter_config queue send", NULL};
static const char *const complete_report[] = {"callcenter_report live", "callcenter_report agents",
    "callcenter_report agent", "callcenter_report callbacks", "callcenter_report history queue",
    "callcenter_report history agent", "callcenter_report history hour", "callcenter_report history calls",
    "callcenter_report history misses", "callcenter_report history status", "callcenter_report history codes", NULL};
static const struct api_desc apis[] = {
    {"callcenter_break", "Stop watching a call of an agent", "agent <uuid>", 0, api_callcenter_break, NULL},
    {"callcenter_config", "Config of callcenter", "<target> <args>", 0, api_callcenter_config, complete},
    {"callcenter_report", "Figures and history of the call centre (not FreeSWITCH's)",
        "live [<queue>] | agents [<queue>] | callbacks [<queue>] | history "
        "queue|agent|hour|calls|misses|status|codes <from> <to> [<queue>] [json|csv]",
        API_MAY_WAIT, api_callcenter_report, complete_report},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"callcenter.conf", "dbname", "text", NULL, "callcenter", "database of agents, tiers and callers"},
    {"callcenter.conf", "odbc-dsn", "text", NULL, "", "the same, by a data source; wins over dbname"},
    {"callcenter.conf", "cc-instance-id", "text", NULL, "single_box", "the name of this switch in the database"},
    {"callcenter.conf", "agent-originate-timeout", "number", "s", "60", "how long an agent is rung"},
    {"callcenter.conf", "truncate-agents-on-load", "boolean", NULL, "false", "agents of commands are forgotten"},
    {"callcenter.conf", "truncate-tiers-on-load", "boolean", NULL, "false", "tiers of commands are forgotten"},
    {"callcenter.conf", "strategy", "text", NULL, "longest-idle-agent",
        "of a queue: ring-all, longest-idle-agent, round-robin, top-down, agent-with-least-talk-time, "
        "agent-with-fewest-calls, sequentially-by-agent-order, random, ring-progressively"},
    {"callcenter.conf", "moh-sound", "source", NULL, "", "of a queue: what callers hear; none: silence"},
    {"callcenter.conf", "announce-sound", "source", NULL, "", "of a queue: what they hear now and then"},
    {"callcenter.conf", "announce-frequency", "number", "s", "0", "of a queue: how often; 0: never"},
    {"callcenter.conf", "announce-position", "text", NULL, "",
        "of a queue: the phrase macro that says a caller's place, a number"},
    {"callcenter.conf", "announce-expected-wait", "text", NULL, "",
        "of a queue: the phrase macro that says how long it takes, a number of seconds"},
    {"callcenter.conf", "record-template", "path", NULL, "", "of a queue: each call is recorded there"},
    {"callcenter.conf", "time-base-score", "text", NULL, "queue",
        "of a queue: queue, or system: what a caller waited before counts too"},
    {"callcenter.conf", "ring-progressively-delay", "number", "s", "0", "of a queue: until one agent more is rung"},
    {"callcenter.conf", "tier-rules-apply", "boolean", NULL, "false", "of a queue: levels are waited for"},
    {"callcenter.conf", "tier-rule-wait-second", "number", "s", "0", "of a queue: how long"},
    {"callcenter.conf", "tier-rule-wait-multiply-level", "boolean", NULL, "false",
        "of a queue: that long for each level"},
    {"callcenter.conf", "tier-rule-no-agent-no-wait", "boolean", NULL, "true",
        "of a queue: not for levels where nobody is logged in"},
    {"callcenter.conf", "discard-abandoned-after", "number", "s", "60",
        "of a queue: how long who gave up keeps his place"},
    {"callcenter.conf", "abandoned-resume-allowed", "boolean", NULL, "false",
        "of a queue: who calls again has it back"},
    {"callcenter.conf", "max-wait-time", "number", "s", "0", "of a queue: how long a caller waits; 0: for ever"},
    {"callcenter.conf", "max-wait-time-with-no-agent", "number", "s", "0",
        "of a queue: how long while nobody is logged in; 0: for ever"},
    {"callcenter.conf", "max-wait-time-with-no-agent-time-reached", "number", "s", "5",
        "of a queue: what a caller waits before that time begins"},
    {"callcenter.conf", "agent-no-answer-status", "text", NULL, "On Break",
        "of a queue: the status of an agent after max-no-answer"},
    {"callcenter.conf", "skip-agents-with-external-calls", "boolean", NULL, "true",
        "of a queue: not agents with a call of callcenter_track"},
    /* ours */
    {"callcenter.conf", "history", "boolean", NULL, "false", "calls, missed offers and agents' times are kept"},
    {"callcenter.conf", "history-days", "number", "d", "400", "how long"},
    {"callcenter.conf", "pause-reasons", "text", NULL, "", "the reasons there are, by commas; none: any word"},
    {"callcenter.conf", "web-hook-url", "text", NULL, "", "what happens to callers is posted there, as JSON"},
    {"callcenter.conf", "web-hook-secret", "text", NULL, "", "they are signed by it (HMAC-SHA-256)"},
    {"callcenter.conf", "web-hook-events", "text", NULL, "", "of offered, answered, ended, wrapped; none: all"},
    {"callcenter.conf", "web-hook-timeout", "number", "s", "10", "of a request"},
    {"callcenter.conf", "skills", "text", NULL, "", "of a queue: what its callers need, as english:3,billing"},
    {"callcenter.conf", "skills-relax-every", "number", "s", "0", "of a queue: then one level less will do; 0: never"},
    {"callcenter.conf", "sticky-agent", "boolean", NULL, "false", "of a queue: a number has the agent of last time"},
    {"callcenter.conf", "sticky-wait", "number", "s", "30", "of a queue: so long it waits for him alone"},
    {"callcenter.conf", "sticky-for", "number", "s", "604800", "of a queue: so long it is remembered"},
    {"callcenter.conf", "overflow-to", "text", NULL, "", "of a queue: queue:NAME, or EXTENSION [DIALPLAN [CONTEXT]]"},
    {"callcenter.conf", "overflow-after", "number", "s", "0",
        "of a queue: who has waited so long goes there; 0: nobody"},
    {"callcenter.conf", "overflow-waiting", "number", NULL, "0", "of a queue: who comes when so many wait goes there"},
    {"callcenter.conf", "callback-key", "digit", NULL, "", "of a queue: by it a caller asks to be called back"},
    {"callcenter.conf", "callback-contact", "text", NULL, "",
        "of a queue: the dial string, with ${cc_callback_number}"},
    {"callcenter.conf", "callback-tries", "number", NULL, "3", "of a queue: how often he is called"},
    {"callcenter.conf", "callback-retry-after", "number", "s", "300", "of a queue: between two of them"},
    {"callcenter.conf", "callback-ring-time", "number", "s", "30", "of a queue: how long his phone rings"},
    {"callcenter.conf", "opening-hours", "text", NULL, "", "of a queue: as mon-fri 08:00-18:00; sat 09:00-12:00"},
    {"callcenter.conf", "holidays", "text", NULL, "", "of a queue: as 12-25; 2026-05-01; 12-24 08:00-12:00"},
    {"callcenter.conf", "time-zone", "text", NULL, "", "of a queue: whose clock that is; none: the system's"},
    {"callcenter.conf", "closed-to", "text", NULL, "", "of a queue: where who comes then goes, as overflow-to"},
    {"callcenter.conf", "wrap-up-codes", "text", NULL, "",
        "of a queue: the codes there are, by commas; none: any word"},
    {"callcenter.conf", "wrap-up-code-time", "number", "s", "0",
        "of a queue: so long an agent rests after a call until he tells its code"},
    {"callcenter.conf", "service-level", "number", "s", "20", "of a queue: answered within these is in time"},
    {"callcenter.conf", "screen-pop", "text", NULL, "",
        "of a queue: the page for the agent's browser, with {number} {name} {queue} {agent} {uuid} {var:NAME}"},
    {"callcenter.conf", "web-hook", "boolean", NULL, "true", "of a queue: its callers are told of"},
    {NULL},
};
static const struct var_desc vars[] = {
    {"cc_base_score", "number", "added to a caller's score", true, false},
    {"cc_moh_override", "source", "what this caller hears in place of moh-sound", true, false},
    {"cc_exit_keys", "digits", "keys by which he leaves", true, false},
    {"cc_exit_key", "digit", "the one he pressed", false, true},
    {"cc_export_vars", "names", "variables that go to the agent's leg, separated by commas", true, false},
    {"cc_outbound_cid_name_prefix", "text", "in front of the name that the agent sees", true, false},
    {"cc_outbound_announce", "source", "what the agent hears before he has the caller", true, false},
    {"cc_warning_tone", "source", "the same of an agent whose line is open (uuid-standby)", true, false},
    {"cc_side", "text", "member or agent", false, true},
    {"cc_queue", "text", "the queue", false, true},
    {"cc_queue_joined_epoch", "seconds", "since when he waits", false, true},
    {"cc_queue_answered_epoch", "seconds", "when an agent answered", false, true},
    {"cc_queue_canceled_epoch", "seconds", "when he left unserved", false, true},
    {"cc_cause", "text", "answered or cancel", false, true},
    {"cc_cancel_reason", "text",
        "TIMEOUT, NO_AGENT_TIMEOUT, BREAK_OUT, EXIT_WITH_KEY; ours: OVERFLOW, CALLBACK, CLOSED, FULL", false, true},
    {"cc_member_uuid", "uuid", "the caller's in the queue", true, true},
    {"cc_member_session_uuid", "uuid", "of an agent's leg: the caller's leg", false, true},
    {"cc_member_pre_answer_uuid", "uuid", "of an agent's leg that rings: the caller's in the queue", false, true},
    {"cc_agent", "text", "the agent", false, true},
    {"cc_agent_type", "text", "callback or uuid-standby", false, true},
    {"cc_agent_uuid", "uuid", "his leg", false, true},
    {"cc_agent_bridged", "boolean", "the two talked", false, true},
    {"cc_last_agent_tier_position", "number", "of a top-down queue: whom he was offered to last", false, true},
    {"cc_last_agent_tier_level", "number", "the same", false, true},
    {"cc_skills", "text", "what this caller needs of an agent, in place of the queue's skills", true, false},
    {"cc_sticky_agent", "text", "the agent he is to have, for sticky-wait seconds", true, false},
    {"cc_callback_number", "text", "where he is called back; none: his number", true, false},
    {"cc_callback_uuid", "uuid", "of the leg of a call-back: the caller's in the queue", true, true},
    {"cc_tracked_agent", "text", "the agent as whose call callcenter_track counts this one", true, true},
    {NULL},
};

static int load(void)
{
	role_assert_ctl();
	int st = cc_tables_start();
	if (!st)
		st = cc_picks_start();
	if (!st)
		st = cc_sticky_start();
	if (!st)
		st = cc_offers_start();
	if (!st)
		st = leg_hook_add(LEG_HOOK_HANGUP, cc_callback_hangup, NULL);
	if (!st)
		st = cc_hooks_start();
	if (!st)
		st = leg_hook_add(LEG_HOOK_HANGUP, cc_track_end, NULL);
	if (!st)
		st = json_command_add("callcenter_config", cc_json);
	if (st)
		return st;
	cc_keep_start();
	cc_configure();
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	if (cc_members_running() || cc_callbacks_running() || cc_monitors_running() || cc_offers_stop())
		return ST_BUSY;
	leg_hook_del(LEG_HOOK_HANGUP, cc_callback_hangup, NULL);
	cc_hooks_stop();
	json_command_del("callcenter_config");
	leg_hook_del(LEG_HOOK_HANGUP, cc_track_end, NULL);
	cc_keep_stop();
	cc_serve_stop();
	cc_tables_stop();
	cc_sticky_stop();
	cc_picks_stop();
	return ST_OK;
}

extern const struct module mod_callcenter;
const struct module mod_callcenter = {.abi = MODULE_ABI,
    .name = "mod_callcenter",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
