/* The channel variables that core itself reads or sets; modules declare theirs in their own tables. */
#include "base/status.h"
#include "core/core_i.h"
#include "core/module.h"

static const struct var_desc vars[] = {
    /* dialling */
    {"call_timeout", "seconds", "how long bridge lets its targets ring; default 60", true, false},
    {"continue_on_fail", "bool or causes", "the dialplan goes on after a failed bridge (for these causes)", true,
        false},
    {"failure_causes", "causes", "only these causes end the call after a failed bridge", true, false},
    {"transfer_on_fail", "causes exten [dialplan [context]]", "where a failed bridge sends the call", true, false},
    {"hangup_after_bridge", "bool", "the caller is hung up when its bridge ends", true, false},
    {"park_after_bridge", "bool", "the leg is parked when its bridge ends", true, false},
    {"transfer_after_bridge", "exten[:dialplan[:context]]", "where the leg goes when its bridge ends", true, true},
    {"local_var_clobber", "bool", "[] wins over {} in a dial string", true, false},
    {"origination_uuid", "uuid", "of the leg that is dialled", true, false},
    {"origination_caller_id_name", "text", "shown to the called party", true, false},
    {"origination_caller_id_number", "text", "shown to the called party", true, false},
    {"origination_callee_id_name", "text", "the called party's name in records and displays", true, false},
    {"origination_callee_id_number", "text", "the called party's number in records and displays", true, false},
    {"origination_external_id", "text", "Caller-Unique-ID of another system", true, false},
    {"effective_caller_id_name", "text", "the caller's name for the legs it dials", true, false},
    {"effective_caller_id_number", "text", "the caller's number for the legs it dials", true, false},
    {"dialed_user", "text", "user of user/ and group/ dial strings", true, true},
    {"dialed_domain", "text", "domain of user/ and group/ dial strings", true, true},
    {"instant_ringback", "bool", "ringback begins before the far side rings", true, false},
    {"originate_signal_bond", "uuid", "the leg a dialled leg was dialled for", true, true},
    /* bridges and transfers */
    {"signal_bond", "uuid", "the other leg of the bridge", true, true},
    {"hold_music", "source", "what the other leg hears while this one's phone holds it", true, false},
    {"temp_hold_music", "source", "the same, looked at first", true, false},
    {"hold_hangup_xfer_exten", "exten[:dialplan[:context]]", "where a leg goes whose holder hangs up", true, false},
    {"bypass_media", "bool", "the phones of a bridge send media to each other", true, false},
    {"bypass_media_after_bridge", "bool", "the same, once both have answered", true, false},
    {"force_transfer_dialplan", "dialplan", "every transfer of this leg uses it", true, false},
    {"force_transfer_context", "context", "every transfer of this leg uses it", true, false},
    {"originator", "uuid", "the leg on whose behalf a leg was dialled", true, true},
    {"bind_digit_digit_timeout", "ms", "between the keys of a digit action; default 1500", true, false},
    {"bind_digit_input_timeout", "ms", "until the first key of a digit action; default: no limit", true, false},
    {"bda_terminators", "digits", "keys that end the input of a digit action", true, false},
    {"last_matching_digits", "digits", "of the latest digit action", false, true},
    {"last_non_matching_digits", "digits", "that were no digit action", false, true},
    {"bind_digit_action_api_result", "text", "what the command of a digit action answered", false, true},
    {"enable_heartbeat_events", "seconds", "SESSION_HEARTBEAT from the answer on", true, false},
    {"heartbeat_fire_on_set", "bool", "the first SESSION_HEARTBEAT comes at once", true, false},
    {"presence_call_info", "text", "of the line key, told in PRESENCE_IN", true, false},
    {"presence_privacy", "bool", "PRESENCE_IN says that it is private", true, false},
    /* media */
    {"absolute_codec_string", "codecs", "all that is offered and accepted", true, true},
    {"codec_string", "codecs", "in place of the profile's list", true, true},
    {"ep_codec_string", "codecs", "what the far side offered", true, true},
    {"rtp_codec_negotiation", "generous|greedy|scrooge", "whose order of codecs counts", true, false},
    {"rtp_secure_media_confirmed", "bool", "the media is encrypted", false, true},
    {"read_codec", "codec", "what comes in", false, true},
    {"dtmf_type", "rfc2833|info|none", "how digits travel", true, false},
    {"drop_dtmf", "bool", "digits of the leg are ignored", true, false},
    {"sensitive_dtmf", "bool", "digits are not logged", true, false},
    {"sleep_eat_digits", "bool", "sleep throws digits away", true, false},
    {"sound_prefix", "directory", "where relative file names lie", true, false},
    {"playback_delimiter", "text", "parts a list of sources in playback", true, false},
    {"playback_sleep_val", "ms", "pause between them; default 250", true, false},
    /* applications and hooks */
    {"app_disable_expand_variables", "bool", "application data is taken as it stands", true, false},
    {"app_uuid", "uuid", "Application-UUID of the next application", true, false},
    {"api_hangup_hook", "command", "run when the leg has hung up", true, false},
    {"verbose_events", "bool", "all variables in all events of the leg", true, false},
    /* presence and records */
    {"presence_id", "user@domain", "whose state the leg is", true, true},
    {"presence_data", "text", "told with it", true, true},
    {"proto_specific_hangup_cause", "text", "sip:NNN of the end", true, true},
    {"domain_name", "text", "the domain a dial string means when it names none", true, true},
    {"user_context", "context", "of the directory's user", true, true},
    {NULL},
};
static const struct module core_vars = {.abi = MODULE_ABI, .name = "CORE_LEG", .vars = vars};

int core_vars_register(void)
{
	return module_register(&core_vars);
}
