/* The routes, and what /openapi.json says of each: one table. The commands' own paths come from their registry. */
#include "web/web_i.h"

#define PARAM_EVENTS \
	"{\"name\":\"events\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"Names, separated by commas: CHANNEL_ANSWER, CUSTOM, sofia::register ... Without: all.\"}," \
	"{\"name\":\"uuid\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},\"description\":\"Only events of this " \
	"channel.\"}," \
	"{\"name\":\"since\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"Replays what came after this event: its number (Event-Sequence) or its id.\"}," \
	"{\"name\":\"Last-Event-ID\",\"in\":\"header\",\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"The same, as browsers send it; wins over since.\"}," \
	"{\"name\":\"access_token\",\"in\":\"query\",\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"For clients that cannot set headers.\"}"
#define PARAM_CHANNEL \
	"{\"name\":\"uuid\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"Unique-ID of the channel.\"}"
#define PARAM_JOB \
	"{\"name\":\"id\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\",\"format\":\"uuid\"}}"
#define PARAM_CAUSE \
	"{\"name\":\"cause\",\"in\":\"query\",\"schema\":{\"type\":\"string\",\"default\":\"NORMAL_CLEARING\"}," \
	"\"description\":\"Name or number of the hang-up cause.\"}"
#define PARAM_AGENT \
	"{\"name\":\"name\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"The agent's name.\"}"
#define PARAM_TEXT(name) "{\"name\":\"" name "\",\"in\":\"query\",\"schema\":{\"type\":\"string\"}}"
#define PARAM_BOX \
	"{\"name\":\"box\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"user@domain of the mailbox.\"}"
#define PARAM_MESSAGE \
	"{\"name\":\"uuid\",\"in\":\"query\",\"required\":true,\"schema\":{\"type\":\"string\"},\"description\":" \
	"\"uuid of the message.\"}"
#define PARAM_CAMPAIGN \
	"{\"name\":\"name\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}," \
	"\"description\":\"Name of the campaign.\"}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"

/* clang-format off */
const struct web_route web_routes[] = {
    {"GET", "/healthz", WEB_NOBODY, 0, web_healthz, "health", "The process answers",
        NULL, NULL, "It does.", REF("Health"), "application/json", 200},
    {"GET", "/readyz", WEB_NOBODY, 0, web_readyz, "health", "New calls may come here; 503 with a reason while not, or draining",
        NULL, NULL, "They may.", REF("Readiness"), "application/json", 200},
    {"GET", "/metrics", WEB_READ, 0, web_metrics, "health", "Numbers in Prometheus' text format",
        NULL, NULL, "All families.", "{\"type\":\"string\"}", "text/plain", 200},
    {"GET", "/openapi.json", WEB_READ, 0, web_openapi, "health", "This description",
        NULL, NULL, "An OpenAPI 3.1 document.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/status", WEB_READ, 0, web_status, "views", "Version, uptime, sessions, notices",
        NULL, NULL, "The status.", REF("Status"), "application/json", 200},
    {"GET", "/v1/calls", WEB_READ, 0, web_show, "views", "Bridged legs as calls, others as calls of one leg (show calls)",
        NULL, NULL, "One row a call.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/channels", WEB_READ, 0, web_show, "views", "Every leg (show channels)",
        NULL, NULL, "One row a leg.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/registrations", WEB_READ, 0, web_show, "views", "Every registration (show registrations)",
        NULL, NULL, "One row a registration.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/gateways", WEB_READ, 0, web_gateways, "views", "SIP gateways and how they stand",
        NULL, NULL, "One row a gateway.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/profiles", WEB_READ, 0, web_profiles, "views", "SIP profiles and their aliases",
        NULL, NULL, "One row a profile.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/channels/{uuid}", WEB_READ, 0, web_channel, "calls", "One leg: its headers and variables (uuid_dump)",
        PARAM_CHANNEL, NULL, "Headers as in events.", REF("Event"), "application/json", 200},
    {"DELETE", "/v1/channels/{uuid}", WEB_READ, 0, web_channel_hangup, "calls", "Hang up (uuid_kill)",
        PARAM_CHANNEL "," PARAM_CAUSE, NULL, "It is hung up.", NULL, NULL, 204},
    {"POST", "/v1/channels/{uuid}/commands", WEB_READ, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_channel_command, "calls",
        "A uuid_ command on this leg: hold, transfer, broadcast, send_dtmf, setvar ...",
        PARAM_CHANNEL, REF("ChannelCommand"), "What the command answered.", REF("Outcome"), "application/json", 200},
    {"GET", "/v1/calls/{uuid}/ladder", WEB_READ, 0, web_ladder, "calls",
        "The SIP messages of a call, of one that is over too, while they are kept; {uuid} may be a Call-ID",
        PARAM_CHANNEL, NULL, "Who said what when; credentials for the role admin only.", REF("Ladder"), "application/json", 200},
    {"GET", "/v1/voicemail/{box}", WEB_ADMIN, 0, web_voicemail, "voicemail", "What lies in a mailbox (vm_list)",
        PARAM_BOX, NULL, "One row a message.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/voicemail/{box}/sound", WEB_ADMIN, 0, web_voicemail_sound, "voicemail", "The sound of a message",
        PARAM_BOX "," PARAM_MESSAGE, NULL, "The file, at most 32 MiB.", "{\"type\":\"string\",\"format\":\"binary\"}", "audio/wav", 200},
    {"DELETE", "/v1/voicemail/{box}", WEB_ADMIN, 0, web_voicemail_delete, "voicemail", "Delete a message (vm_delete)",
        PARAM_BOX "," PARAM_MESSAGE, NULL, "It is gone.", NULL, NULL, 204},
    {"POST", "/v1/originate", WEB_READ, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_originate, "calls",
        "Make a call; the answer comes when it is answered or fails (422)",
        NULL, REF("Originate"), "It is answered.", REF("Originated"), "application/json", 201},
    {"GET", "/v1/jobs", WEB_READ, 0, web_jobs, "jobs", "Jobs that run or ended lately",
        NULL, NULL, "One row a job.", REF("Rows"), "application/json", 200},
    {"POST", "/v1/jobs", WEB_READ, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_job_new, "jobs",
        "Run a command in the background; its end is also told by the event BACKGROUND_JOB",
        NULL, REF("JobRequest"), "It runs.", REF("Job"), "application/json", 202},
    {"GET", "/v1/jobs/{id}", WEB_READ, 0, web_job, "jobs", "One job and, when it is done, its reply",
        PARAM_JOB, NULL, "The job.", REF("Job"), "application/json", 200},
    {"GET", "/v1/events", WEB_READ, WEB_QUERY_TOKEN | WEB_STREAM, web_events, "events",
        "Server-sent events, each with its id; an event named gap tells what cannot be had any more",
        PARAM_EVENTS, NULL, "A stream that does not end.", "{\"type\":\"string\"}", "text/event-stream", 200},
    {"GET", "/v1/events/ws", WEB_READ, WEB_QUERY_TOKEN, web_events_ws, "events",
        "The same over WebSocket: send {\\\"type\\\":\\\"subscribe\\\",\\\"events\\\":[...]}",
        NULL, NULL, "Switching protocols.", NULL, NULL, 101},
    {"GET", "/", WEB_NOBODY, WEB_HIDDEN, web_file, "console", NULL, NULL, NULL, NULL, NULL, NULL, 200},
    {"GET", "/assets/{name}", WEB_NOBODY, WEB_HIDDEN, web_file, "console", NULL, NULL, NULL, NULL, NULL, NULL, 200},
    {"GET", "/favicon.svg", WEB_NOBODY, WEB_HIDDEN, web_file, "console", NULL, NULL, NULL, NULL, NULL, NULL, 200},
    {"GET", "/v1/session", WEB_READ, 0, web_session_show, "console", "Who asks: user, domain, role",
        NULL, NULL, "Who.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/session", WEB_NOBODY, WEB_TAKES_BODY | WEB_NEEDS_BODY | WEB_SMALL_BODY, web_session_open, "console",
        "Sign in with a user of the directory (user, password, domain) or with a token: a cookie and a word for X-Tandem-CSRF",
        NULL, "{\"type\":\"object\"}", "The session.", "{\"type\":\"object\"}", "application/json", 201},
    {"DELETE", "/v1/session", WEB_READ, 0, web_session_close, "console", "Sign out",
        NULL, NULL, "It is over.", NULL, NULL, 204},
    {"POST", "/v1/dial", WEB_AGENT, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_dial, "console",
        "Click to dial {number}: one's own phone rings (phone: another one, for supervisors)",
        NULL, "{\"type\":\"object\"}", "The phone answered.", REF("Originated"), "application/json", 201},
    {"GET", "/v1/phone", WEB_AGENT, 0, web_phone, "console", "What the browser phone registers with; for people, not for tokens",
        NULL, NULL, "Addresses and the sum A1 of the user's password.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/phones", WEB_READ, 0, web_phones, "console", "Users of the directory and where they are registered",
        NULL, NULL, "One row a user.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/queues", WEB_READ, 0, web_queues, "console", "Queues of mod_callcenter (list: queue, agent, tier; member of a queue); 503 while it is not loaded",
        PARAM_TEXT("list") "," PARAM_TEXT("queue"), NULL, "One row each.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/callcenter/live", WEB_READ, 0, web_callcenter_live, "callcenter",
        "Queues now and today: waiting, agents, service level (format: json, csv)",
        PARAM_TEXT("queue") "," PARAM_TEXT("format"), NULL, "One row a queue.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/callcenter/agents", WEB_READ, 0, web_callcenter_agents, "callcenter",
        "Agents now and today: status, reason, state, skills, screen_pop of the call (format: json, csv)",
        PARAM_TEXT("queue") "," PARAM_TEXT("agent") "," PARAM_TEXT("format"), NULL, "One row an agent.", REF("Rows"), "application/json", 200},
    {"POST", "/v1/callcenter/agents/{name}", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_callcenter_agent_set, "callcenter",
        "Send an agent: action is available, break (with a reason) or logout",
        PARAM_AGENT, "{\"type\":\"object\"}", "It is so.", NULL, NULL, 204},
    {"POST", "/v1/callcenter/agents/{name}/monitor", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_callcenter_monitor, "callcenter",
        "Ring a phone (user; one's own without it) that hears the agent's call (mode: listen, whisper, barge)",
        PARAM_AGENT, "{\"type\":\"object\"}", "It rings.", NULL, NULL, 204},
    {"GET", "/v1/callcenter/callbacks", WEB_OPERATOR, 0, web_callcenter_callbacks, "callcenter", "Who waits to be called back",
        PARAM_TEXT("queue"), NULL, "One row each.", REF("Rows"), "application/json", 200},
    {"POST", "/v1/callcenter/callbacks", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_callcenter_callback_new, "callcenter",
        "Have a number called back by a queue: queue, number, name",
        NULL, "{\"type\":\"object\"}", "It has a place in the queue.", "{\"type\":\"object\"}", "application/json", 201},
    {"DELETE", "/v1/callcenter/callbacks/{id}", WEB_OPERATOR, 0, web_callcenter_callback_del, "callcenter", "Not any more",
        PARAM_JOB, NULL, "It is gone.", NULL, NULL, 204},
    {"POST", "/v1/callcenter/calls", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_callcenter_send, "callcenter",
        "Transfer a channel (uuid) into a queue",
        NULL, "{\"type\":\"object\"}", "It goes there.", NULL, NULL, 204},
    {"GET", "/v1/callcenter/history", WEB_OPERATOR, 0, web_callcenter_history, "callcenter",
        "What went on (by: queue, agent, hour, calls, misses, status, codes) from one moment to another (format: json, csv)",
        PARAM_TEXT("by") "," PARAM_TEXT("from") "," PARAM_TEXT("to") "," PARAM_TEXT("queue") "," PARAM_TEXT("format"),
        NULL, "One row each.", REF("Rows"), "application/json", 200},
    {"GET", "/v1/agent", WEB_AGENT, 0, web_agent, "console", "The agent of mod_callcenter that one is; 404: none",
        NULL, NULL, "His row.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/agent", WEB_AGENT, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_agent_set, "console",
        "One's own status: action is available, on-demand, break (with a reason), logout, or wrapup (reason is the code; note)",
        NULL, "{\"type\":\"object\"}", "It is so.", NULL, NULL, 204},
    {"GET", "/v1/conferences", WEB_READ, 0, web_conferences, "console", "Conferences and their members",
        NULL, NULL, "One row a conference.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/parking", WEB_READ, 0, web_parking, "console", "Parked calls",
        NULL, NULL, "One row a slot that is taken.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/explain", WEB_OPERATOR, 0, web_explain, "console", "What a dialplan would do for a number (dialplan explain)",
        PARAM_TEXT("context") "," PARAM_TEXT("number") "," PARAM_TEXT("caller"), NULL, "The hunt.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/config/check", WEB_ADMIN, WEB_TAKES_BODY, web_config_check, "console",
        "What is wrong with the configuration's files, by file and line (tandem -check-config); nothing is loaded",
        NULL, NULL, "What was found.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/log", WEB_OPERATOR, 0, web_log, "console", "The newest lines of the log, from the first time it is asked for",
        PARAM_TEXT("after"), NULL, "One row a line.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/recordings", WEB_OPERATOR, 0, web_recordings, "console", "Recordings (recordings search)",
        PARAM_TEXT("from") "," PARAM_TEXT("to") "," PARAM_TEXT("number") "," PARAM_TEXT("uuid") "," PARAM_TEXT("limit") "," PARAM_TEXT("offset"),
        NULL, "One row a recording.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/recordings/file", WEB_OPERATOR, 0, web_recording_file, "console", "A recording, or a part of it (Range)",
        PARAM_TEXT("path"), NULL, "The sound.", "{\"type\":\"string\"}", "audio/wav", 200},
    {"GET", "/v1/records", WEB_OPERATOR, 0, web_records, "console", "The newest call records of mod_cdr_csv",
        PARAM_TEXT("search"), NULL, "One row a record.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/mailbox", WEB_AGENT, 0, web_mailbox, "console", "The messages of one's own mailbox (box: another, for supervisors)",
        PARAM_TEXT("box"), NULL, "One row a message.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/mailbox/{id}", WEB_AGENT, 0, web_mailbox_file, "console", "A message to listen to",
        PARAM_JOB "," PARAM_TEXT("box"), NULL, "The sound.", "{\"type\":\"string\"}", "audio/wav", 200},
    {"GET", "/v1/campaigns", WEB_OPERATOR, 0, web_campaigns, "dialler", "Campaigns of mod_dialler; 503 while it is not loaded",
        NULL, NULL, "One row a campaign.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/campaigns/{name}", WEB_OPERATOR, 0, web_campaign, "dialler", "One campaign: figures, agents, results, how the pacing decides",
        PARAM_CAMPAIGN, NULL, "The campaign.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/campaigns/{name}", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_campaign_do, "dialler",
        "action: start, pause, resume, stop, recycle (results: which)",
        PARAM_CAMPAIGN, "{\"type\":\"object\"}", "It is done.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/campaigns/{name}/list", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_campaign_list, "dialler",
        "Import numbers: csv, the text of a list; list, its name",
        PARAM_CAMPAIGN, "{\"type\":\"object\"}", "What was taken, and what was wrong by line.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/campaigns/{name}/agents", WEB_AGENT, 0, web_campaign_agents, "dialler", "A campaign's own agents",
        PARAM_CAMPAIGN, NULL, "One row an agent.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/campaigns/{name}/agents", WEB_AGENT, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_campaign_agent_do, "dialler",
        "An agent does action: login, logout, pause, ready, next, dial, skip; the role agent: its own user",
        PARAM_CAMPAIGN, "{\"type\":\"object\"}", "It is done.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/campaigns/{name}/results", WEB_OPERATOR, 0, web_campaign_results, "dialler", "Calls of a campaign, the newest first",
        PARAM_CAMPAIGN "," PARAM_TEXT("limit") "," PARAM_TEXT("offset"), NULL, "One row a call.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/campaigns/{name}/answers", WEB_OPERATOR, 0, web_campaign_answers, "dialler", "A survey's answers, counted",
        PARAM_CAMPAIGN, NULL, "One row an answer.", "{\"type\":\"object\"}", "application/json", 200},
    {"GET", "/v1/dnc", WEB_OPERATOR, 0, web_dnc, "dialler", "Do-not-call lists, the newest thousand, or one number",
        PARAM_TEXT("number"), NULL, "One row a number and campaign.", "{\"type\":\"object\"}", "application/json", 200},
    {"POST", "/v1/dnc", WEB_OPERATOR, WEB_TAKES_BODY | WEB_NEEDS_BODY, web_dnc_add, "dialler", "A number is not called any more (campaign: only of that one; reason)",
        NULL, "{\"type\":\"object\"}", "It is there.", "{\"type\":\"object\"}", "application/json", 200},
    {"DELETE", "/v1/dnc/{number}", WEB_OPERATOR, 0, web_dnc_del, "dialler", "A number may be called again (campaign: the list)",
        "{\"name\":\"number\",\"in\":\"path\",\"required\":true,\"schema\":{\"type\":\"string\"}}," PARAM_TEXT("campaign"),
        NULL, "It is gone.", NULL, NULL, 204},
    {"POST", "/v1/commands/{name}", WEB_READ, WEB_TAKES_BODY, web_command, "commands", NULL, NULL, REF("CommandRequest"),
        "What the command answered.", REF("Outcome"), "application/json", 200},
    {0},
};
/* clang-format on */
