/* The configuration menu: greetings 1 to 9 recorded and chosen (0: none), the recorded name, the password. */
#include "base/mem.h"
#include "base/status.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "voicemail/vm_i.h"

enum { ROUNDS_MAX = 200 };

static ON_CTL void tell(struct vm_call *c, const char *action, const char *name, const char *value)
{
	struct event *e = vm_event_new(c->leg, action);
	if (!e)
		return;
	if (name)
		event_add(e, name, value);
	event_add(e, "VM-User", c->box.id);
	event_add(e, "VM-Domain", c->box.domain);
	event_fire(e);
}

static CO int prefs_set(struct vm_call *c, const char *column, const char *value)
{
	return vm_db_prefs_set(c->box.p.db, c->box.id, c->box.domain, column, value);
}

static CO int greeting_number(struct vm_call *c, char *out)
{
	struct vm_keys k;
	int st = vm_ask(c->leg, c->conf, "voicemail_choose_greeting", NULL, 1, "", &k);
	*out = k.text[0];
	return st;
}

/* Records to path; when he keeps it, it is the box's from now on. */
static CO int record_to(struct vm_call *c, const char *macro, const char *path, const char *column)
{
	struct vm_recording r = {.macro = macro, .path = path};
	int st = vm_file_box_make(c->box.dir);
	if (!st)
		st = vm_record(c, &r);
	if (!st && r.is_whole && !(st = vm_recording_keep(&r)))
		st = prefs_set(c, column, path);
	else if (!st)
		st = ST_AGAIN;
	vm_recording_drop(&r);
	return st;
}

static bool is_over(int st)
{
	return st == ST_HANGUP || st == ST_CANCELLED;
}

static CO int greeting_record(struct vm_call *c)
{
	char digit;
	int st = greeting_number(c, &digit);
	if (st)
		return st;
	if (digit < '1' || digit > '9')
		return vm_say(c->leg, "voicemail_choose_greeting_fail", NULL, NULL);
	char *path = vm_box_path(&c->box, "greeting_%c.%s", digit, c->box.ext);
	st = record_to(c, "voicemail_record_greeting", path, "greeting_path");
	if (!st)
		tell(c, "record-greeting", "VM-Greeting-Path", path);
	mem_free(path);
	return is_over(st) ? st : ST_OK;
}

static CO int greeting_choose(struct vm_call *c)
{
	struct leg_play_end end = {.terminators = "none"};
	char digit;
	int st = greeting_number(c, &digit);
	if (st)
		return st;
	if (digit == '0') {
		if (!prefs_set(c, "greeting_path", ""))
			tell(c, "remove-greeting", NULL, NULL);
		return ST_OK;
	}
	char *path = digit >= '1' && digit <= '9' ? vm_box_path(&c->box, "greeting_%c.%s", digit, c->box.ext) : NULL;
	if (!path || !vm_file_exists(path)) {
		st = vm_say(c->leg, "voicemail_choose_greeting_fail", NULL, NULL);
	} else {
		st = leg_play_until(c->leg, path, &end);
		if (!is_over(st))
			st = vm_say_number(c->leg, "voicemail_greeting_selected", "%c", digit);
		if (!st && !prefs_set(c, "greeting_path", path))
			tell(c, "change-greeting", "VM-Greeting-Path", path);
	}
	mem_free(path);
	return is_over(st) ? st : ST_OK;
}

static CO int name_record(struct vm_call *c)
{
	char *path = vm_box_path(&c->box, "recorded_name.%s", c->box.ext);
	int st = record_to(c, "voicemail_record_name", path, "name_path");
	if (!st)
		tell(c, "record-name", "VM-Name-Path", path);
	mem_free(path);
	return is_over(st) ? st : ST_OK;
}

static CO int password_change(struct vm_call *c)
{
	struct vm_keys k;
	int st =
	    vm_ask(c->leg, c->conf, "voicemail_enter_pass", c->conf->terminator, VM_KEYS_MAX, c->conf->terminator, &k);
	if (st)
		return st;
	if (!k.text[0] || prefs_set(c, "password", k.text))
		return vm_say(c->leg, "voicemail_change_pass_fail", NULL, NULL);
	st = vm_say(c->leg, "voicemail_change_pass_success", NULL, NULL);
	tell(c, "change-password", "VM-User-Password", k.text);
	return st;
}

int vm_options(struct vm_call *c)
{
	const struct vm_conf *conf = c->conf;
	unsigned silent = 0;
	struct buf keys;
	int st = ST_OK;
	buf_init(&keys);
	buf_printf(&keys, "%s:%s:%s:%s:%s", conf->record_greeting, conf->choose_greeting, conf->record_name,
	    conf->change_pass, conf->main_menu);
	for (int i = 0; i < ROUNDS_MAX && !st && silent <= conf->max_retries && leg_is_ready(c->leg); i++) {
		struct vm_keys k;
		st = vm_ask(c->leg, conf, "voicemail_config_menu", keys.p, 1, "", &k);
		silent = k.text[0] ? 0 : silent + 1;
		if (st || vm_is_key(conf->main_menu, k.text))
			break;
		if (vm_is_key(conf->record_greeting, k.text))
			st = greeting_record(c);
		else if (vm_is_key(conf->choose_greeting, k.text))
			st = greeting_choose(c);
		else if (vm_is_key(conf->record_name, k.text))
			st = name_record(c);
		else if (vm_is_key(conf->change_pass, k.text))
			st = password_change(c);
	}
	buf_fini(&keys);
	return st;
}
