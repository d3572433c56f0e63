/* mod_voicemail: its tables. */
#include "base/mem.h"
#include "base/status.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "text/mark.h"
#include "voicemail/vm_i.h"
#include <strings.h>

/* [check] [auth|auth_only] profile domain [id] [uuid] */
static CO int run(struct leg *leg, char **w, int n)
{
	struct vm_check k = {.is_authorized = leg_var_is_true(leg, "voicemail_authorized")};
	struct vm_profile p;
	bool is_check = false;
	int i = 0;
	if (i < n && !strcasecmp(w[i], "check"))
		is_check = true, i++;
	if (i < n && !strcasecmp(w[i], "auth"))
		k.is_authorized = true, i++;
	else if (i < n && !strcasecmp(w[i], "auth_only"))
		k.is_auth_only = true, i++;
	const char *profile = i < n ? w[i++] : "", *domain = i < n ? w[i++] : "", *id = i < n ? w[i++] : "";
	const char *uuid = i < n && *w[i] ? w[i] : NULL;
	if (!*profile || !*domain || (!*id && !is_check && !k.is_auth_only)) {
		leg_log(leg, LOG_ERR,
		    "voicemail: usage: [check] [auth|auth_only] <profile_name> <domain_name> [<id>] [uuid]");
		return ST_INVAL;
	}
	if (vm_profile_get(sv_of(profile), &p)) {
		leg_log(leg, LOG_ERR, "voicemail: there is no profile %s in voicemail.conf", profile);
		return ST_NOTFOUND;
	}
	k.id = sv_of(id), k.domain = sv_of(domain), k.uuid = uuid;
	int st = is_check || k.is_auth_only ? vm_check(&p, leg, &k) : vm_leave(&p, leg, k.id, k.domain);
	vm_profile_put(&p);
	return st;
}

static int app_voicemail(struct leg *leg, const char *data)
{
	struct app_words w;
	role_assert_co();
	int st = app_words_init(&w, leg_exec_text(leg, data), 6);
	bool is_check = !st && w.n > 1 && !strcasecmp(w.w[0], "check"); /* then comes "auth", or the profile */
	if (!st && w.n && (mark_has(sv_of(w.m[0])) || (is_check && mark_has(sv_of(w.m[1]))))) {
		leg_log(leg, LOG_ERR, "voicemail: a profile, check and auth are not from outside");
		st = ST_DENIED;
	} else if (!st || st == ST_PARSE) {
		st = run(leg, w.w, w.n);
	}
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}

static const struct app_desc apps[] = {
    {"voicemail", "Voicemail", "[check] [auth] <profile_name> <domain_name> [<id>] [uuid]", 0, app_voicemail, NULL,
        NULL},
    {NULL},
};
#define API(name, syntax, fn) \
	{ \
		name, name, syntax, API_MAY_WAIT, fn, NULL, NULL, NULL \
	}
static const struct api_desc apis[] = {
    API("vm_boxcount", "[profile/]<user>@<domain>[|[new|saved|new-urgent|saved-urgent|all]]", api_vm_boxcount),
    API("vm_list", "<id>@<domain>[/profile] [xml]", api_vm_list),
    {"vm_prefs", "vm_prefs", "[profile/]<user>@<domain>[|[name_path|greeting_path|password]]",
        API_MAY_WAIT | API_OWN_REPLY, api_vm_prefs, NULL, NULL, NULL},
    API("vm_read", "<id>@<domain>[/profile] <read|unread> [<uuid>]", api_vm_read),
    API("vm_delete", "<id>@<domain>[/profile] [<uuid>]", api_vm_delete),
    API("vm_inject", "[group=<group>[@domain]|domain=<domain>|<box>[@<domain>]] <sound_file> [<cid_num>] [<cid_name>]",
        api_vm_inject),
    API("voicemail_inject",
        "[group=<group>[@domain]|domain=<domain>|<box>[@<domain>]] <sound_file> [<cid_num>] [<cid_name>]",
        api_vm_inject),
    API("voicemail", "rss [<host> <port> <uri> <user> <domain>] | [load|unload|reload] <profile> [reloadxml]",
        api_voicemail),
    {NULL},
};
static const struct var_desc vars[] = {
    {"playback_terminator_used", "key", "the key that ended a recording", true, false},
    {"record_completion_cause", "text", "failure: the recording could not be written", true, false},
    {"record_ms", "number", "how long a recording is", true, false},
    {"skip_greeting", "boolean", "no greeting before a message is recorded", true, false},
    {"skip_instructions", "boolean", "nothing is said before and after the recording of a message", true, false},
    {"timezone", "name", "the zone in which dates of messages are said: the box's", false, true},
    {"vm_auto_play", "boolean", "false: new messages wait for play-new-messages-key", true, false},
    {"vm_message_ext", "text", "format of the message that is left", true, false},
    {"vm_announce_cid", "boolean", "the caller's number is said before each message", true, false},
    {"vm_cc", "text", "boxes that get a copy of the message: box[@domain], commas between them", true, false},
    {"vm_operator_extension", "text", "where the operator-key leads: extension dialplan context", true, false},
    {"voicemail_account", "text", "the box that is heard", false, true},
    {"voicemail_alternate_greet_id", "text", "said in the default greeting in place of the box's number", true, false},
    {"voicemail_authorized", "boolean", "no password is asked for", true, false},
    {"voicemail_callback", "boolean", "the caller of a message is being called back", false, true},
    {"voicemail_callback_context", "name", "where the number of a message is dialled, in place of callback-context",
        true, false},
    {"voicemail_domain", "text", "the domain of the box that is heard", false, true},
    {"voicemail_greeting_number", "number", "the greeting, 1 to 9, that a caller hears", true, false},
    {"voicemail_greeting_path", "path", "a file that a caller hears as greeting", true, false},
    {"voicemail_skip_goodbye", "boolean", "no goodbye at the end", true, false},
    {"voicemail_total_new_messages", "number", "new messages of the box that is heard", false, true},
    {"voicemail_total_saved_messages", "number", "saved messages of the box that is heard", false, true},
    {"voicemail_urgent_new_messages", "number", "urgent ones among the new messages", false, true},
    {"voicemail_urgent_saved_messages", "number", "urgent ones among the saved messages", false, true},
    {"user_pin_authenticated", "boolean", "voicemail auth_only: the password was right", false, true},
    {"user_pin_authenticated_user", "text", "whose password it was", false, true},
    {NULL},
};

static void on_swap(void *arg)
{
	(void)arg;
	role_assert_ctl();
	vm_profiles_open();
}

static int load(void)
{
	role_assert_ctl();
	int st = vm_conf_stage_init();
	if (!st)
		st = vm_mwi_start();
	vm_adopt_start();
	if (!st)
		st = config_on_swap(on_swap, NULL);
	if (!st)
		vm_profiles_open();
	return st;
}

static int unload(void)
{
	role_assert_ctl();
	config_on_swap_del(on_swap, NULL);
	vm_mwi_stop();
	vm_adopt_stop();
	vm_logins_forget();
	vm_profiles_close();
	return ST_OK;
}

extern const struct module mod_voicemail, mod_voicemail_fsdb;
const struct module mod_voicemail = {.abi = MODULE_ABI,
    .name = "mod_voicemail",
    .load = load,
    .unload = unload,
    .apps = apps,
    .apis = apis,
    .vars = vars,
    .confs = vm_conf_descs};
const struct module mod_voicemail_fsdb = {.abi = MODULE_ABI, .name = "mod_voicemail", .apis = vm_fsdb_apis};
