/* Hearing a box: login, what is in it, the new messages at once, the main menu. */
#include "base/mem.h"
#include "base/status.h"
#include "core/run/exec.h"
#include "core/value/cause.h"
#include "voicemail/vm_i.h"
#include <stdio.h>

enum { ROUNDS_MAX = 1000 };

static ON_CTL void summary_tell(struct vm_call *c, const struct vm_counts *n)
{
	struct event *e = vm_event_new(c->leg, "folder-summary");
	if (!e)
		return;
	event_add(e, "VM-User", c->box.id);
	event_add(e, "VM-Domain", c->box.domain);
	event_add(e, "VM-Folder", "inbox");
	event_addf(e, "VM-Total-New-Messages", "%u", n->new_count);
	event_addf(e, "VM-Total-Saved-Messages", "%u", n->saved_count);
	event_addf(e, "VM-Total-New-Urgent-Messages", "%u", n->new_urgent);
	event_addf(e, "VM-Total-Saved-Urgent-Messages", "%u", n->saved_urgent);
	event_fire(e);
}

static ON_CTL void counts_set(struct vm_call *c, const struct vm_counts *n)
{
	leg_var_set(c->leg, "voicemail_account", c->box.id);
	leg_var_set(c->leg, "voicemail_domain", c->box.domain);
	leg_var_setf(c->leg, "voicemail_total_new_messages", "%u", n->new_count);
	leg_var_setf(c->leg, "voicemail_total_saved_messages", "%u", n->saved_count);
	leg_var_setf(c->leg, "voicemail_urgent_new_messages", "%u", n->new_urgent);
	leg_var_setf(c->leg, "voicemail_urgent_saved_messages", "%u", n->saved_urgent);
}

/* A key ends all that is said, and is the menu's. */
static CO int count_say(struct vm_call *c, unsigned n, const char *what, char *key)
{
	char data[32];
	snprintf(data, sizeof(data), "%u:%s", n, what);
	return *key ? ST_OK : vm_say(c->leg, "voicemail_message_count", data, key);
}

/* ST_AGAIN: there are new ones that have not been heard yet. */
static CO int summary(struct vm_call *c, bool *has_heard_new, char *key)
{
	struct vm_counts n;
	int st = vm_db_count(c->box.p.db, c->box.id, c->box.domain, &n);
	if (st)
		leg_log(c->leg, LOG_ERR, "voicemail: %s@%s cannot be counted: %s", c->box.id, c->box.domain,
		    status_text(st));
	summary_tell(c, &n);
	counts_set(c, &n);
	*key = 0;
	st = n.new_urgent ? count_say(c, n.new_urgent, "urgent-new", key) : ST_OK;
	if (!st)
		st = count_say(c, n.new_count, "new", key);
	if (!st && n.new_count && !*has_heard_new && !*key) {
		*has_heard_new = true;
		return ST_AGAIN;
	}
	return st ? st : count_say(c, n.saved_count, "saved", key);
}

enum go { TO_SUMMARY, TO_NEW, TO_SAVED, TO_MENU, TO_OPTIONS, TO_END };

static CO int menu(struct vm_call *c, enum go *go, unsigned *silent, char *key)
{
	const struct vm_conf *conf = c->conf;
	struct vm_keys k = {.text = {*key}};
	struct buf keys;
	int st = ST_OK;
	buf_init(&keys);
	buf_printf(&keys, "%s:%s:%s:%s", conf->play_new, conf->play_saved, conf->config_menu, conf->terminator);
	if (!*key)
		st = vm_ask(c->leg, conf, "voicemail_menu", keys.p, 1, "", &k);
	*key = 0;
	buf_fini(&keys);
	if (st)
		return st;
	*silent = k.text[0] ? 0 : *silent + 1;
	*go = vm_is_key(conf->play_new, k.text)      ? TO_NEW
	      : vm_is_key(conf->play_saved, k.text)  ? TO_SAVED
	      : vm_is_key(conf->config_menu, k.text) ? TO_OPTIONS
	      : vm_is_key(conf->terminator, k.text)  ? TO_END
	      : *silent > conf->max_retries          ? TO_END
	                                             : TO_MENU;
	return ST_OK;
}

static CO int rounds(struct vm_call *c)
{
	const char *plays = leg_var(c->leg, "vm_auto_play");
	bool has_heard_new = plays && !str_is_true(plays);
	unsigned silent = 0;
	char key = 0;
	enum go go = TO_SUMMARY;
	int st = ST_OK;
	for (int i = 0; i < ROUNDS_MAX && !st && go != TO_END && leg_is_ready(c->leg); i++) {
		switch (go) {
		case TO_SUMMARY:
			st = summary(c, &has_heard_new, &key);
			go = st == ST_AGAIN ? TO_NEW : TO_MENU;
			st = st == ST_AGAIN ? ST_OK : st;
			break;
		case TO_NEW:
		case TO_SAVED:
			st = vm_listen(c, go == TO_NEW ? VM_NEW : VM_SAVED, NULL);
			go = TO_SUMMARY;
			break;
		case TO_MENU:
			st = menu(c, &go, &silent, &key);
			break;
		case TO_OPTIONS:
			st = vm_options(c);
			go = TO_MENU;
			break;
		case TO_END:
			break;
		}
	}
	return st;
}

static CO int authorized_only(struct leg *leg, struct vm_call *c, int st)
{
	if (st && leg_is_up(leg)) {
		leg_hangup(leg, CAUSE_USER_CHALLENGE);
		return ST_HANGUP;
	}
	if (!st) {
		leg_var_set(leg, "user_pin_authenticated", "true");
		leg_var_set(leg, "user_pin_authenticated_user", c->box.id);
	}
	return st;
}

int vm_check(struct vm_profile *p, struct leg *leg, const struct vm_check *k)
{
	struct vm_call c = {.leg = leg, .conf = p->conf};
	int st = leg_pre_answer(leg);
	if (!st)
		st = vm_say(leg, "voicemail_hello", NULL, NULL);
	if (!st)
		st = vm_login(&c, p, k);
	if (k->is_auth_only) {
		st = authorized_only(leg, &c, st);
		vm_box_fini(&c.box);
		return st;
	}
	const char *zone = st ? NULL : vm_box_param(&c.box, "timezone");
	if (zone) /* dates are said in its owner's */
		leg_var_set_text(leg, "timezone", zone);
	if (!st)
		vm_box_adopt(&c.box);
	if (!st)
		st = k->uuid ? vm_listen(&c, VM_ALL, k->uuid) : rounds(&c);
	else if (st == ST_DENIED)
		vm_say(leg, "voicemail_abort", NULL, NULL);
	if (leg_is_ready(leg) && !leg_var_is_true(leg, "voicemail_skip_goodbye"))
		vm_say(leg, "voicemail_goodbye", NULL, NULL);
	vm_box_fini(&c.box);
	return st;
}
