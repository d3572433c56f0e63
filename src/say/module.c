/* What this room adds: applications to mod_dptools, a command to mod_commands, the languages, speech engines, and who
 * finds prompts that are not there. */
#include "core/registry/module.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/registry/api.h"
#include "core/registry/app.h"
#include "core/sound/say.h"
#include "media/ctl/mctl.h"
#include "say/prompt_i.h"
#include "say/say_i.h"
#include <string.h>

static int find_prompt(const char *name, uint32_t rate_hz, mctl_found_fn found, void *arg)
{
	struct prompt_plan plan;
	int st;

	role_assert_ctl();
	st = prompt_plan_make(name, &plan);
	return st ? st : synth_start(&plan, found, arg);
}

static const struct say_ops ops = {.say = say_run, .phrase = phrase_run, .speak = speak_run};

/* Other languages, other engines: what was found is looked for again. */
static void config_changed(void *arg)
{
	role_assert_ctl();
	mctl_set_finder(find_prompt);
}

static int load(void)
{
	int st;

	role_assert_ctl();
	st = synth_open();
	if (st)
		return st;
	st = config_on_swap(config_changed, NULL);
	if (st) {
		synth_close();
		return st;
	}
	say_ops_set(&ops);
	mctl_set_finder(find_prompt);
	return ST_OK;
}

static int unload(void)
{
	role_assert_ctl();
	config_on_swap_del(config_changed, NULL);
	mctl_set_finder(NULL);
	say_ops_set(NULL);
	synth_close();
	return ST_OK;
}

static const struct app_desc apps[] = {
    {"phrase", "Say a Phrase", "<macro_name>,<data>", 0, app_phrase},
    {"say", "say", "<module_name>[:<lang>] <say_type> <say_method> [<say_gender>] <text>", 0, app_say},
    {"speak", "Speak text", "<engine>|<voice>|<text>", 0, app_speak},
    {NULL},
};
static const struct api_desc apis[] = {
    {"say_string", "", "<module_name>[.<ext>] <lang>[.<ext>] <say_type> <say_method> [<say_gender>] <text>",
        API_MAY_WAIT | API_OWN_REPLY, api_say_string, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"default_language", "name", "language of say and phrase when language is not set; default en", true, false},
    {"language", "name", "language of say and phrase", true, false},
    {"sound_prefix", "path", "directory of recordings with relative names; a language sets its own while it speaks",
        true, true},
    {"sound_prefix_enforced", "bool", "a language's own sound_prefix is not taken", true, true},
    {"timezone", "name", "time zone in which dates are said; or seconds east of Greenwich", true, false},
    {"tts_engine", "name", "engine of speak and say: (flite, espeak-ng, tts_commandline, http)", true, false},
    {"tts_voice", "name", "voice of speak and say:", true, false},
    {NULL},
};
static const struct conf_desc confs[] = {
    {"tts_commandline.conf", "command", "text", NULL, NULL,
        "shell line of engine tts_commandline: ${text} ${voice} ${rate} ${file}"},
    {NULL},
};
static const struct conf_desc http_confs[] = {
    {"tts_http.conf", "authorization", "text", NULL, "", "header Authorization of the requests"},
    {"tts_http.conf", "timeout", "number", "ms", "10000", "for the server's answer; 100 to 600000"},
    {"tts_http.conf", "url", "url", NULL, "", "where texts are sent by POST; none: there is no engine http"},
    {NULL},
};
static const struct name_desc en_names[] = {{"say", "en"}, {NULL}};
static const struct name_desc zh_names[] = {{"say", "zh"}, {"say", "zh_CN"}, {NULL}};
static const struct name_desc flite_names[] = {{"speech", "flite"}, {NULL}};
static const struct name_desc command_names[] = {{"speech", "tts_commandline"}, {NULL}};
static const struct name_desc http_names[] = {{"speech", "http"}, {NULL}};

const char *http_param(const char *name)
{
	for (const struct conf_desc *d = http_confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(xml_child(config_conf(d->file), "settings"), name, d->fallback);
	return "";
}

extern const struct module say_in_dptools, say_in_commands, mod_say_en, mod_say_zh, mod_flite, mod_tts_commandline,
    mod_tts_http;
const struct module say_in_dptools = {.abi = MODULE_ABI,
    .name = "mod_dptools",
    .load = load,
    .unload = unload,
    .apps = apps,
    .vars = vars,
    .confs = confs};
const struct module say_in_commands = {.abi = MODULE_ABI, .name = "mod_commands", .apis = apis};
const struct module mod_say_en = {.abi = MODULE_ABI, .name = "mod_say_en", .names = en_names};
const struct module mod_say_zh = {.abi = MODULE_ABI, .name = "mod_say_zh", .names = zh_names};
const struct module mod_flite = {.abi = MODULE_ABI, .name = "mod_flite", .names = flite_names};
const struct module mod_tts_commandline = {.abi = MODULE_ABI, .name = "mod_tts_commandline", .names = command_names};
const struct module mod_tts_http = {
    .abi = MODULE_ABI, .name = "mod_tts_http", .names = http_names, .confs = http_confs};
