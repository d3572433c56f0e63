/* mod_features: what a telephone network does for a subscriber. The tables; what each part does: features_i.h. */
#include "core/registry/module.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "features/features_i.h"

#include <string.h>

static const struct conf_desc confs[] = {
    {"features.conf", "dsn", "text", NULL, "core-db-dsn, else features",
        "database in which the features of all users are kept"},
    {"features.conf", "forward-max", "number", NULL, "5", "how often a call is forwarded"},
    {"features.conf", "lock-allows", "regex", NULL, "^(?:10[01][0-9]|[*].*|000|1[0-9]{2}|9[0-9]{2})$",
        "what a locked phone may dial, and be forwarded to"},
    {"features.conf", "timezone", "text", NULL, "", "of users without one of their own; none: the machine's"},
    {"features.conf", "ask-sound", "path", NULL, "tone_stream://%(200,0,600)", "what is missing is asked for"},
    {"features.conf", "done-sound", "path", NULL, "tone_stream://%(150,80,600);%(150,0,900)", "it is done, or on"},
    {"features.conf", "off-sound", "path", NULL, "tone_stream://%(150,80,900);%(150,0,600)",
        "it is off, or nothing is set"},
    {"features.conf", "wrong-sound", "path", NULL, "tone_stream://%(300,100,300);%(300,0,300)", "it is not done"},
    {"features.conf", "denied-sound", "path", NULL, "tone_stream://%(300,100,300);%(300,100,300);%(300,0,300)",
        "the phone is locked"},
    {"features.conf", "followme-sound", "path", NULL, "tone_stream://%(200,300,600);loops=3",
        "what who answers a followme call hears before he presses 1"},
    {"features.conf", "wake-sound", "path", NULL, "tone_stream://%(400,200,800);%(400,200,800);%(400,200,800)",
        "a wake-up call, before the time is said"},
    {"features.conf", "wake-number", "text", NULL, "wake-up", "the number that a wake-up call shows"},
    {"features.conf", "wake-ring-time", "number", "s", "45", "how long it rings"},
    {"features.conf", "wake-tries", "number", NULL, "3", "calls until it is given up"},
    {"features.conf", "wake-retry-after", "number", "s", "300", "between two of them"},
    {"features.conf", "wake-confirm", "boolean", NULL, "true", "a key is needed; false: answering is enough"},
    {"features.conf", "wake-grace", "number", "s", "3600",
        "a wake-up that could not ring in time still rings so much later"},
    {"features.conf", "callback-sound", "path", NULL, "tone_stream://%(150,80,600);%(150,80,900);%(150,0,600)",
        "whom the caller called is busy: the key asks for a call-back"},
    {"features.conf", "callback-key", "text", NULL, "5", "that key"},
    {"features.conf", "callback-wait", "number", "s", "5", "how long it is waited for"},
    {"features.conf", "callback-expiry", "number", "s", "3600", "how long a call-back is waited for"},
    {"features.conf", "callback-delay", "number", "s", "3", "how long both must be free before"},
    {"features.conf", "callback-retry-after", "number", "s", "60",
        "after so long one is called back though nobody saw the other in a call: his phone said it was busy"},
    {"features.conf", "callback-ring-time", "number", "s", "20", "how long it rings; then it is over"},
    {"features.conf", "callback-queue", "number", NULL, "5", "so many may wait for the same user"},
    {"features.conf", "callback-name", "text", NULL, "call-back", "the name that a call-back shows"},
    {NULL},
};

const char *feature_param(const char *name)
{
	const struct xml_node *s = xml_child(config_conf("features.conf"), "settings");
	for (const struct conf_desc *d = confs; d->key; d++)
		if (!strcmp(d->key, name))
			return config_param(s, name, d->fallback);
	return "";
}

static const struct app_desc apps[] = {
    {"feature", "Change a feature of the caller",
        "set <name> [<value>] | clear <name> | toggle <name> | tell <name> | dial <name>", 0, app_feature},
    {"feature_callback", "Offer a call-back after a call failed, or ask for one to who was called last",
        "[<user>[@<domain>]]", 0, app_feature_callback},
    {"feature_failed", "Forward a call that its user's phones did not take", "<user>[@<domain>]", 0,
        app_feature_failed},
    {"feature_hotline", "Wait for keys, then dial the caller's hotline", "", 0, app_feature_hotline},
    {"feature_incoming", "Do with a call what the called user wants", "<user>[@<domain>]", 0, app_feature_incoming},
    {"feature_outgoing", "See whether the caller may dial this", "[<number>]", 0, app_feature_outgoing},
    {"hotdesk", "Log in on this phone", "login [<user>] | logout | apply", 0, app_hotdesk},
    {"followme", "Ring a user's list of numbers", "[<user>[@<domain>]]", 0, app_followme},
    {NULL},
};
static const char *const complete[] = {"features list", "features get", "features set", "features clear",
    "features names", "features wakes", "features callbacks", NULL};
static const struct api_desc apis[] = {
    {"features", "what users have set",
        "list <user>@<domain> [json] | get|clear <user>@<domain> <name> | set <user>@<domain> <name> <value> | names | "
        "wakes | callbacks",
        0, api_features, complete},
    {"hotdesk", "who is logged in on which phone",
        "show <user>@<domain> | login <phone>@<domain> <user> | logout <phone>@<domain>", 0, api_hotdesk, NULL},
    {NULL},
};
static const struct var_desc vars[] = {
    {"feature_callback", "user@domain", "the call is a call-back: to that user", false, true},
    {"feature_dial", "dial string", "what rings the user: after feature_incoming", false, true},
    {"feature_forwarded_by", "text", "user@domain that forwarded the call last", false, true},
    {"feature_forwards", "number", "how often the call was forwarded", true, true},
    {"feature_result", "text",
        "what a feature did with the call: ring, dnd, busy, block, forward-all ...; done, wrong, full", false, true},
    {"feature_show_number", "boolean", "this call shows its number though hide-number is set", true, false},
    {"hotdesk_device", "user@domain", "the phone whose call hotdesk apply made its user's", true, true},
    {"hotdesk_user", "user@domain", "that user", false, true},
    {NULL},
};

static int load(void)
{
	role_assert_ctl();
	int st = features_start();
	if (!st)
		st = hotdesk_start();
	if (!st)
		st = callback_start();
	return st ? st : wake_start();
}

static int unload(void)
{
	role_assert_ctl();
	int st = callback_stop();
	if (!st)
		st = wake_stop();
	if (!st) {
		hotdesk_stop();
		features_stop();
	}
	return st;
}

extern const struct module mod_features;
const struct module mod_features = {.abi = MODULE_ABI,
    .name = "mod_features",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = confs};
