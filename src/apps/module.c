/* The standard applications' table (FreeSWITCH's mod_dptools). One row an application; what they do is in app_*.c. */
#include "apps/apps_i.h"

static const struct app_desc apps[] = {
    {"acknowledge_call", "Indicate Call Acknowledged", "", APP_NO_MEDIA, app_acknowledge_call},
    {"answer", "Answer the call", "", APP_NO_MEDIA, app_answer},
    {"att_xfer", "Attended Transfer", "<channel_url>", 0, app_att_xfer},
    {"bgsystem", "Execute a system command in the background", "<command>", APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_bgsystem},
    {"bind_digit_action", "bind a key sequence or regex to an action",
        "<realm>,<digits|~regex>,<string>[,<value>][,<dtmf target leg>][,<event target leg>]", APP_NO_MEDIA,
        app_bind_digit_action},
    {"bind_meta_app", "Bind a key to an application", "<key> [a|b|ab] [a|b|o|s|i|1] <app>", APP_NO_MEDIA,
        app_bind_meta_app},
    {"bridge", "Bridge Audio", "<channel_url>", APP_NO_MEDIA, app_bridge},
    {"bridge_export", "Export a channel variable across a bridge", "<varname>=<value>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_bridge_export},
    {"capture", "capture data into a var", "<varname>|<data>|<regex>", APP_NO_MEDIA, app_capture},
    {"check_acl", "Check an ip against an ACL list", "<ip> <acl | cidr> [<hangup_cause>]",
        APP_NO_MEDIA | APP_ROUTING_EXEC, app_check_acl},
    {"clear_digit_action", "clear all digit bindings", "<realm>|all[,target]", APP_NO_MEDIA, app_clear_digit_action},
    {"deduplicate_dtmf", "Prevent duplicate inband + 2833 dtmf", "[only_rtp]", APP_NO_MEDIA, app_deduplicate_dtmf},
    {"delay_echo", "echo audio at a specified delay", "<delay ms>", 0, app_delay_echo},
    {"digit_action_set_realm", "change binding realm", "<realm>[,<target>]", APP_NO_MEDIA, app_digit_action_set_realm},
    {"echo", "Echo", "", 0, app_echo},
    {"endless_playback", "Playback File Endlessly", "<path>", 0, app_endless_playback},
    {"eval", "Do Nothing", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_eval},
    {"event", "Fire an event", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_event},
    {"execute_extension", "Execute an extension", "<extension> <dialplan> <context>", APP_NO_MEDIA,
        app_execute_extension},
    {"export", "Export a channel variable across a bridge", "<varname>=<value>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_export},
    {"flush_dtmf", "flush any queued dtmf", "", APP_NO_MEDIA, app_flush_dtmf},
    {"gentones", "Generate Tones", "<tgml_script>[|<loops>]", 0, app_gentones},
    {"hangup", "Hangup the call", "[<cause>]", APP_NO_MEDIA, app_hangup},
    {"hold", "Send a hold message", "[<display message>]", APP_NO_MEDIA, app_hold},
    {"info", "Display Call Info", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_info},
    {"intercept", "intercept", "[-bleg] <uuid>", APP_NO_MEDIA, app_intercept},
    {"limit", "Limit", "<backend> <realm> <id> [<max>[/interval]] [number [dialplan [context]]]", APP_NO_MEDIA,
        app_limit},
    {"limit_execute", "Limit", "<backend> <realm> <id> <max>[/interval] <application> [application arguments]",
        APP_NO_MEDIA, app_limit_execute},
    {"limit_hash", "Limit", "<realm> <id> [<max>[/interval]] [number [dialplan [context]]]", APP_NO_MEDIA,
        app_limit_hash},
    {"limit_hash_execute", "Limit", "<realm> <id> <max>[/interval] <application> [application arguments]", APP_NO_MEDIA,
        app_limit_hash_execute},
    {"log", "Logs to the logger", "<log_level> <log_string>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_log},
    {"loop_playback", "Playback File looply", "[+loops] <path>", 0, app_loop_playback},
    {"mkdir", "Create a directory", "<path>", APP_NO_MEDIA, app_mkdir},
    {"multiset", "Set many channel variables", "[^^<delim>]<varname>=<value> <var2>=<val2>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_multiset},
    {"multiunset", "Unset many channel variables", "[^^<delim>]<varname> <var2> <var3>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_multiunset},
    {"park", "Park", "", APP_NO_MEDIA, app_park},
    {"play_and_get_digits", "Play and get Digits",
        "\n\t<min> <max> <tries> <timeout> <terminators> <file> <invalid_file> <var_name> <regexp> [<digit_timeout>] "
        "['<failure_ext> [failure_dp [failure_context]]']",
        0, app_play_and_get_digits},
    {"playback", "Playback File", "<path>", 0, app_playback},
    {"pre_answer", "Pre-Answer the call", "", APP_NO_MEDIA, app_pre_answer},
    {"privacy", "Set privacy on calls", "off|on|name|full|number", APP_NO_MEDIA, app_privacy},
    {"push", "Set a channel variable", "<varname>=<value>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_push},
    {"queue_dtmf", "Queue dtmf to be sent", "<dtmf_data>", APP_NO_MEDIA, app_queue_dtmf},
    {"read", "Read Digits", "<min> <max> <file> <var_name> <timeout> <terminators> <digit_timeout>", 0, app_read},
    {"record", "Record File", "<path> [<time_limit_secs>] [<silence_thresh>] [<silence_hits>]", 0, app_record},
    {"redirect", "Send session redirect", "<redirect_data>", APP_NO_MEDIA, app_redirect},
    {"rename", "Rename file", "<from_path> <to_path>", APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_rename},
    {"respond", "Send session respond", "<respond_data>", APP_NO_MEDIA, app_respond},
    {"ring_ready", "Indicate Ring_Ready", "", APP_NO_MEDIA, app_ring_ready},
    {"sched_broadcast", "Schedule a broadcast in the future", "[+]<time> <path> [aleg|bleg|both]", APP_NO_MEDIA,
        app_sched_broadcast},
    {"sched_cancel", "cancel scheduled tasks", "[group]", APP_NO_MEDIA, app_sched_cancel},
    {"sched_hangup", "Schedule a hangup in the future", "[+]<time> [<cause>]", APP_NO_MEDIA, app_sched_hangup},
    {"sched_transfer", "Schedule a transfer in the future", "[+]<time> <extension> <dialplan> <context>", APP_NO_MEDIA,
        app_sched_transfer},
    {"send_display", "Send session a new display", "<text>", APP_NO_MEDIA, app_send_display},
    {"send_dtmf", "Send dtmf to be sent", "<dtmf_data>", 0, app_send_dtmf},
    {"send_info", "Send info", "<info>", APP_NO_MEDIA, app_send_info},
    {"session_loglevel", "session_loglevel", "<level>", APP_NO_MEDIA, app_session_loglevel},
    {"set", "Set a channel variable", "<varname>=<value>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_set},
    {"set_global", "Set a global variable", "<varname>=<value>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_set_global},
    {"set_name", "Name the channel", "<name>", APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_set_name},
    {"set_profile_var", "Set a caller profile variable", "<varname>=<value>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_set_profile_var},
    {"set_user", "Set a User", "<user>@<domain> [prefix]", APP_ROUTING_EXEC | APP_NO_MEDIA, app_set_user},
    {"sleep", "Pause a channel", "<pausemilliseconds>", APP_NO_MEDIA, app_sleep},
    {"soft_hold", "Put a bridged channel on hold", "<unhold key> [<moh_a>] [<moh_b>]", 0, app_soft_hold},
    {"stop", "Do Nothing", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_eval},
    {"strftime", "strftime", "[<epoch>|]<format string>", APP_NO_MEDIA, app_strftime},
    {"system", "Execute a system command", "<command>", APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_system},
    {"transfer", "Immediately transfer a channel", "<exten> [<dialplan> <context>]", APP_NO_MEDIA, app_transfer},
    {"transfer_vars", "Transfer variables", "<~variable_prefix|variable>", APP_NO_MEDIA, app_transfer_vars},
    {"unbind_meta_app", "Unbind a key from an application", "[<key>]", APP_NO_MEDIA, app_unbind_meta_app},
    {"unhold", "Send a un-hold message", "", APP_NO_MEDIA, app_unhold},
    {"unset", "Unset a channel variable", "<varname>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_unset},
    {"unshift", "Set a channel variable", "<varname>=<value>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_unshift},
    {"verbose_events", "Make ALL Events verbose.", "", APP_ROUTING_EXEC | APP_NO_MEDIA, app_verbose_events},
    {"wait_for_answer", "Wait for call to be answered", "", 0, app_wait_for_answer},
    {NULL},
};

static const struct var_desc vars[] = {
    {"playback_terminators", "text", "keys that end a playback; none: no key does; default *", true, false},
    {"bind_meta_key", "digit", "the key in front of bound keys; default *", true, false},
    {"export_vars", "list", "names that go to the other leg; kept by export", true, true},
    {"limit_ignore_transfer", "bool", "what limit holds is kept when the call is transferred", true, false},
    {"limit_usage", "number", "legs that hold the resource limit took last", false, true},
    {"limit_rate", "number", "how often it was asked for in the interval", false, true},
    {"read_result", "success|timeout|failure", "how read ended", false, true},
    {"read_terminator_used", "digit", "the key that ended read or play_and_get_digits", false, true},
    {"park_timeout", "seconds[:cause]", "how long park lasts", true, false},
    {NULL},
};

static const struct conf_desc confs[] = {
    {"switch.conf", "system-commands", "bool", "", "false",
        "applications and commands may run commands of the operating system (system, bgsystem, spawn ...)"},
    {"switch.conf", "system-command-timeout", "number", "s", "60",
        "one that runs longer is killed; bgsystem's are not"},
    {NULL},
};

static const char *const uuid_limit_words[] = {"uuid_limit ::console::list_uuid", NULL};
static const char *const uuid_limit_release_words[] = {"uuid_limit_release ::console::list_uuid", NULL};
static const struct api_desc apis[] = {
    {"limit_hash_usage", "Deprecated: gets the usage count of a limited resource", "<realm> <id>", 0,
        api_limit_hash_usage, NULL},
    {"limit_interval_reset", "Reset the interval counter for a limited resource", "<backend> <realm> <resource>", 0,
        api_limit_interval_reset, NULL},
    {"limit_reset", "Reset the counters of a limit backend", "<backend>", 0, api_limit_reset, NULL},
    {"limit_status", "Get the status of a limit backend", "<backend>", 0, api_limit_status, NULL},
    {"limit_usage", "Get the usage count of a limited resource", "<backend> <realm> <id>", 0, api_limit_usage, NULL},
    {"uuid_limit", "Increase limit resource",
        "<uuid> <backend> <realm> <resource> [<max>[/interval]] [number [dialplan [context]]]", 0, api_uuid_limit,
        uuid_limit_words},
    {"uuid_limit_release", "Release limit resource", "<uuid> <backend> [realm] [resource]", 0, api_uuid_limit_release,
        uuid_limit_release_words},
    {NULL},
};

static int load(void)
{
	role_assert_ctl();
	return limit_load();
}

static int unload(void)
{
	role_assert_ctl();
	limit_unload();
	return ST_OK;
}

extern const struct module mod_dptools;
const struct module mod_dptools = {
    .abi = MODULE_ABI,
    .name = "mod_dptools",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs,
};
