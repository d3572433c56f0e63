/* mod_amd, mod_avmd, mod_vmd: the tables. */
#include "core/registry/module.h"
#include "amd/amd_i.h"
#include "core/conf/config.h"

#include <string.h>

static const struct conf_desc who_confs[] = {
    {"amd.conf", "after_greeting_silence", "number", "ms", "800", "so long nothing after a greeting: a person"},
    {"amd.conf", "between_words_silence", "number", "ms", "50", "so long nothing: the next sound is another word"},
    {"amd.conf", "greeting", "number", "ms", "1500", "so much speech without a longer pause: a machine"},
    {"amd.conf", "initial_silence", "number", "ms", "2500", "so long nothing at first: a machine"},
    {"amd.conf", "maximum_number_of_words", "number", NULL, "3", "more words: a machine"},
    {"amd.conf", "maximum_word_length", "number", "ms", "5000", "one sound of that length: a machine"},
    {"amd.conf", "min_word_length", "number", "ms", "100", "what is shorter is no word"},
    {"amd.conf", "silence_threshold", "number", NULL, "256",
        "mean amplitude from which it is sound; the noise of the line raises it"},
    {"amd.conf", "total_analysis_time", "number", "ms", "5000", "not decided by then: NOTSURE"},
    {NULL},
};
static const struct conf_desc beep_confs[] = {
    {"avmd.conf", "debug", "bool", NULL, "0", "read only"},
    {"avmd.conf", "detection_mode", "number", NULL, "2", "read only: 0 to 2"},
    {"avmd.conf", "detectors_lagged_n", "number", NULL, "1", "read only: 0 to 255"},
    {"avmd.conf", "detectors_n", "number", NULL, "36", "read only: 0 to 255"},
    {"avmd.conf", "fast_math", "bool", NULL, "0", "read only"},
    {"avmd.conf", "inbound_channel", "bool", NULL, "0", "on an inbound call: listens to what goes to its phone"},
    {"avmd.conf", "max_frequency", "number", "Hz", "2000", "of a beep; 200 to 3400"},
    {"avmd.conf", "min_duration", "number", "ms", "120", "that it takes; 40 to 1000, in steps of 20"},
    {"avmd.conf", "min_frequency", "number", "Hz", "440", "of a beep; 200 to 3400"},
    {"avmd.conf", "outbound_channel", "bool", NULL, "1",
        "on an outbound call: listens to what comes from its phone; an inbound one's without inbound_channel as well"},
    {"avmd.conf", "report_status", "bool", NULL, "1", "beginning, beep and end stand in the log"},
    {"avmd.conf", "require_continuous_streak", "bool", NULL, "1", "read only"},
    {"avmd.conf", "require_continuous_streak_amp", "bool", NULL, "1", "read only"},
    {"avmd.conf", "sample_n_continuous_streak", "number", NULL, "3", "read only: 0 to 65535"},
    {"avmd.conf", "sample_n_continuous_streak_amp", "number", NULL, "3", "read only: 0 to 65535"},
    {"avmd.conf", "sample_n_to_skip", "number", NULL, "0", "read only: 0 to 65535"},
    {"avmd.conf", "side", "auto|read|write|both", NULL, "auto",
        "what is listened to: what comes from the phone, what goes to it; auto: by inbound_channel and "
        "outbound_channel"},
    {"avmd.conf", "simplified_estimation", "bool", NULL, "1", "read only"},
    {NULL},
};

const char *amd_param_default(const char *file, const char *name)
{
	const struct conf_desc *d = !strcmp(file, "amd.conf") ? who_confs : beep_confs;
	for (; d->key; d++)
		if (!strcmp(d->key, name))
			return d->fallback;
	return "";
}

const char *amd_param(const char *file, const char *name)
{
	return config_param(xml_child(config_conf(file), "settings"), name, amd_param_default(file, name));
}

const char *amd_word_value(char *word)
{
	char *eq = strchr(word, '=');
	if (!eq)
		return NULL;
	*eq = '\0';
	return eq + 1;
}

static const struct app_desc who_apps[] = {
    {"amd", "Find out whether a person or a machine answered", "[<name>=<value>,...]", 0, app_amd},
    {"waitforresult", "Wait for what amd finds out", "[<timeout_ms>]", 0, app_waitforresult},
    {NULL},
};
static const struct app_desc avmd_apps[] = {
    {"avmd", "Beep detection", "[start | stop] [<option>=<value>,...]", 0, app_avmd},
    {"avmd_start", "Start avmd detection", "[<option>=<value>,...]", 0, app_avmd_start},
    {"avmd_stop", "Stop avmd detection", "", 0, app_avmd_stop},
    {NULL},
};
static const struct app_desc vmd_apps[] = {
    {"vmd", "Detect beeps", "start | stop", 0, app_vmd},
    {NULL},
};
static const char *const who_words[] = {
    "uuid_amd_detect ::console::list_uuid start", "uuid_amd_detect ::console::list_uuid stop", NULL};
static const char *const avmd_words[] = {"avmd ::console::list_uuid start", "avmd ::console::list_uuid stop",
    "avmd set inbound", "avmd set outbound", "avmd set default", "avmd load inbound", "avmd load outbound",
    "avmd reload", "avmd show", NULL};
static const char *const vmd_words[] = {"vmd ::console::list_uuid start", "vmd ::console::list_uuid stop", NULL};
static const struct api_desc who_apis[] = {
    {"uuid_amd_detect", "Find out whether a person or a machine answered", "<uuid> [start|stop] [<name>=<value>,...]",
        0, api_amd_detect, who_words},
    {NULL},
};
static const struct api_desc avmd_apis[] = {
    {"avmd", "Beep detection",
        "<uuid> < start | stop > [<option>=<value>,...] | set [inbound|outbound|default] | load [inbound|outbound] | "
        "reload | show",
        0, api_avmd, avmd_words},
    {NULL},
};
static const struct api_desc vmd_apis[] = {
    {"vmd", "Detect voicemail beeps", "<uuid> <start|stop>", 0, api_vmd, vmd_words},
    {NULL},
};
static const struct var_desc who_vars[] = {
    {"amd_cause", "text",
        "why: INITIALSILENCE, SILENCEAFTERGREETING, MAXWORDLENGTH, MAXWORDS, LONGGREETING, TOOLONG; STOPPED", false,
        true},
    {"amd_result", "HUMAN|MACHINE|NOTSURE", "who answered, says amd", false, true},
    {"amd_result_epoch", "seconds", "when amd knew it", false, true},
    {"amd_status", "listening|done|stopped", "what amd does", false, true},
    {"execute_on_amd_human*", "application", "run when amd hears a person", true, false},
    {"execute_on_amd_machine*", "application", "run when amd hears a machine", true, false},
    {"execute_on_amd_notsure*", "application", "run when amd cannot say", true, false},
    {"api_on_amd_human*", "command", "run when amd hears a person", true, false},
    {"api_on_amd_machine*", "command", "run when amd hears a machine", true, false},
    {"api_on_amd_notsure*", "command", "run when amd cannot say", true, false},
    {NULL},
};
static const struct var_desc avmd_vars[] = {
    {"avmd_detect", "TRUE|FALSE", "avmd heard a beep", false, true},
    {"avmd_total_time", "[ms]", "of sound until the beep that avmd heard", false, true},
    {"execute_on_avmd_beep*", "application", "run when avmd hears a beep", true, false},
    {"api_on_avmd_beep*", "command", "run when avmd hears a beep", true, false},
    {NULL},
};
static const struct var_desc vmd_vars[] = {
    {"vmd_detect", "TRUE|FALSE", "vmd heard a beep", false, true},
    {"execute_on_vmd_beep*", "application", "run when vmd hears a beep", true, false},
    {"api_on_vmd_beep*", "command", "run when vmd hears a beep", true, false},
    {NULL},
};

static int avmd_load(void)
{
	role_assert_ctl();
	return avmd_conf_start();
}

static int avmd_unload(void)
{
	role_assert_ctl();
	avmd_conf_stop();
	return ST_OK;
}

extern const struct module mod_amd, mod_avmd, mod_vmd;
const struct module mod_amd = {
    .abi = MODULE_ABI, .name = "mod_amd", .apps = who_apps, .apis = who_apis, .vars = who_vars, .confs = who_confs};
const struct module mod_avmd = {.abi = MODULE_ABI,
    .name = "mod_avmd",
    .apps = avmd_apps,
    .apis = avmd_apis,
    .vars = avmd_vars,
    .confs = beep_confs,
    .load = avmd_load,
    .unload = avmd_unload,
    .part = &avmd_part};
const struct module mod_vmd = {
    .abi = MODULE_ABI, .name = "mod_vmd", .apps = vmd_apps, .apis = vmd_apis, .vars = vmd_vars};
