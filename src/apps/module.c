/* The standard applications' table (FreeSWITCH's mod_dptools). One row an application; what they do is in app_*.c. */
#include "apps/apps_i.h"

static const struct app_desc apps[] = {
    {"answer", "Answer the call", "", 0, app_answer},
    {"bind_meta_app", "Bind a key to an application", "<key> [a|b|ab] [a|b|o|s|i|1] <app>", 0, app_bind_meta_app},
    {"bridge", "Bridge Audio", "<channel_url>", 0, app_bridge},
    {"delay_echo", "echo audio at a specified delay", "<delay ms>", 0, app_delay_echo},
    {"echo", "Echo", "", 0, app_echo},
    {"endless_playback", "Playback File Endlessly", "<path>", 0, app_endless_playback},
    {"eval", "Do Nothing", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_eval},
    {"event", "Fire an event", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_event},
    {"export", "Export a channel variable across a bridge", "<varname>=<value>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_export},
    {"flush_dtmf", "flush any queued dtmf", "", APP_NO_MEDIA, app_flush_dtmf},
    {"gentones", "Generate Tones", "<tgml_script>[|<loops>]", 0, app_gentones},
    {"hangup", "Hangup the call", "[<cause>]", APP_NO_MEDIA, app_hangup},
    {"info", "Display Call Info", "", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_info},
    {"log", "Logs to the logger", "<log_level> <log_string>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_log},
    {"multiset", "Set many channel variables", "[^^<delim>]<varname>=<value> <var2>=<val2>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_multiset},
    {"park", "Park", "", APP_NO_MEDIA, app_park},
    {"playback", "Playback File", "<path>", 0, app_playback},
    {"pre_answer", "Pre-Answer the call", "", 0, app_pre_answer},
    {"record", "Record File", "<path> [<time_limit_secs>] [<silence_thresh>] [<silence_hits>]", 0, app_record},
    {"redirect", "Send session redirect", "<redirect_data>", APP_NO_MEDIA, app_redirect},
    {"respond", "Send session respond", "<respond_data>", APP_NO_MEDIA, app_respond},
    {"ring_ready", "Indicate Ring_Ready", "", APP_NO_MEDIA, app_ring_ready},
    {"send_dtmf", "Send dtmf to be sent", "<dtmf_data>", 0, app_send_dtmf},
    {"set", "Set a channel variable", "<varname>=<value>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_set},
    {"set_global", "Set a global variable", "<varname>=<value>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC,
        app_set_global},
    {"set_name", "Name the channel", "<name>", APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_set_name},
    {"set_profile_var", "Set a caller profile variable", "<varname>=<value>",
        APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_set_profile_var},
    {"sleep", "Pause a channel", "<pausemilliseconds>", APP_NO_MEDIA, app_sleep},
    {"transfer", "Immediately transfer a channel", "<exten> [<dialplan> <context>]", APP_NO_MEDIA, app_transfer},
    {"unbind_meta_app", "Unbind a key from an application", "[<key>]", APP_NO_MEDIA, app_unbind_meta_app},
    {"unset", "Unset a channel variable", "<varname>", APP_ROUTING_EXEC | APP_NO_MEDIA | APP_ZOMBIE_EXEC, app_unset},
    {"wait_for_answer", "Wait for call to be answered", "", 0, app_wait_for_answer},
    {NULL},
};

static const struct var_desc vars[] = {
    {"playback_terminators", "text", "keys that end a playback; none: no key does; default *", true, false},
    {"bind_meta_key", "digit", "the key in front of bound keys; default *", true, false},
    {"export_vars", "list", "names that go to the other leg; kept by export", true, true},
    {"park_timeout", "seconds[:cause]", "how long park lasts", true, false},
    {NULL},
};

extern const struct module mod_dptools;
const struct module mod_dptools = {
    .abi = MODULE_ABI,
    .name = "mod_dptools",
    .apps = apps,
    .vars = vars,
};
