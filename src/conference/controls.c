/* What a member's keys do: the group of caller-controls that his profile (or conference_controls) names, bound in a
 * digit machine. Keys are his; what they do, and its data, is the configuration's. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/conf/config.h"
#include "core/keys/dtmf.h"
#include "core/keys/machine.h"
#include "core/run/exec.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { ENERGY_STEP_UP = 200, ENERGY_STEP_DOWN = 100, ENERGY_MAX = 3000, VOLUME_MAX = 4 };

/* A number is said by its digits, one after another, a minus in front. */
static ON_CTL void say_number(struct conf_member *m, int n)
{
	char digits[16], source[40];
	if (n < 0)
		conf_play_to(m, "currency/negative.wav");
	snprintf(digits, sizeof(digits), "%d", abs(n));
	for (const char *d = digits; *d; d++) {
		snprintf(source, sizeof(source), "digits/%c.wav", *d);
		conf_play_to(m, source);
	}
}

static ON_CTL void energy(struct conf_member *m, unsigned level)
{
	m->energy_level = level;
	m->is_level_set = true;
	conf_mix_tell(m);
	conf_event_member_with(m, "energy-level", "New-Level", "%u", level);
	say_number(m, (int)(level / ENERGY_STEP_UP));
}

static ON_CTL void volume(struct conf_member *m, int *of, int by, const char *action)
{
	int to = by ? *of + by : 0;
	*of = to > VOLUME_MAX ? VOLUME_MAX : to < -VOLUME_MAX ? -VOLUME_MAX : to;
	conf_mix_tell(m);
	conf_event_member_with(m, action, "New-Level", "%d", *of);
	say_number(m, *of);
}

static CO void do_mute(struct conf_member *m, const char *data, const char *digits)
{
	conf_member_mute(m, !m->is_muted, false);
}
static CO void do_mute_on(struct conf_member *m, const char *data, const char *digits)
{
	if (!m->is_muted)
		conf_member_mute(m, true, false);
}
static CO void do_mute_off(struct conf_member *m, const char *data, const char *digits)
{
	if (m->is_muted)
		conf_member_mute(m, false, false);
}
static CO void do_deaf(struct conf_member *m, const char *data, const char *digits)
{
	conf_member_deaf(m, !m->is_deaf, false);
}
static CO void do_deaf_on(struct conf_member *m, const char *data, const char *digits)
{
	if (!m->is_deaf)
		conf_member_deaf(m, true, false);
}
static CO void do_deaf_off(struct conf_member *m, const char *data, const char *digits)
{
	if (m->is_deaf)
		conf_member_deaf(m, false, false);
}
static CO void do_deaf_mute(struct conf_member *m, const char *data, const char *digits)
{
	bool is_on = !m->is_muted;
	conf_member_mute(m, is_on, false);
	if (m->is_deaf != is_on)
		conf_member_deaf(m, is_on, false);
}
static CO void do_energy_up(struct conf_member *m, const char *data, const char *digits)
{
	unsigned to = conf_mix_energy(m) + ENERGY_STEP_UP;
	energy(m, to > ENERGY_MAX ? ENERGY_MAX : to);
}
static CO void do_energy_down(struct conf_member *m, const char *data, const char *digits)
{
	unsigned from = conf_mix_energy(m);
	energy(m, from > ENERGY_STEP_DOWN ? from - ENERGY_STEP_DOWN : 0);
}
static CO void do_energy_equ(struct conf_member *m, const char *data, const char *digits)
{
	energy(m, m->room->profile->energy_level);
}
static CO void do_talk_up(struct conf_member *m, const char *data, const char *digits)
{
	volume(m, &m->volume_in, 1, "volume-level");
}
static CO void do_talk_down(struct conf_member *m, const char *data, const char *digits)
{
	volume(m, &m->volume_in, -1, "volume-level");
}
static CO void do_talk_zero(struct conf_member *m, const char *data, const char *digits)
{
	volume(m, &m->volume_in, 0, "volume-level");
}
static CO void do_listen_up(struct conf_member *m, const char *data, const char *digits)
{
	volume(m, &m->volume_out, 1, "gain-level");
}
static CO void do_listen_down(struct conf_member *m, const char *data, const char *digits)
{
	volume(m, &m->volume_out, -1, "gain-level");
}
static CO void do_listen_zero(struct conf_member *m, const char *data, const char *digits)
{
	volume(m, &m->volume_out, 0, "gain-level");
}
static CO void do_hangup(struct conf_member *m, const char *data, const char *digits)
{
	conf_member_leave(m, CONF_LEAVES);
}
static CO void do_lock(struct conf_member *m, const char *data, const char *digits)
{
	struct conf_room *r = m->room;
	r->is_locked = !r->is_locked;
	conf_play_all(r, r->is_locked ? r->profile->is_locked_sound : r->profile->is_unlocked_sound);
	conf_event_room(r, r->is_locked ? "lock" : "unlock");
}
static CO void do_floor(struct conf_member *m, const char *data, const char *digits)
{
	if (!m->room->floor || !m->room->floor->is_talking)
		conf_floor_set(m->room, m);
}
static CO void do_moh(struct conf_member *m, const char *data, const char *digits)
{
	m->room->is_moh_off = !m->room->is_moh_off;
	conf_room_kick(m->room);
}
static CO void do_event(struct conf_member *m, const char *data, const char *digits)
{
	struct event *e = conf_event_new(m->room, "dtmf");
	if (!e)
		return;
	conf_event_member_add(e, m);
	event_add(e, "Action", "dtmf");
	event_add(e, "DTMF-Key", digits);
	event_add(e, "Data", *data ? data : NULL);
	event_fire(e);
}
/* "exten [dialplan [context]]" */
static CO void do_transfer(struct conf_member *m, const char *data, const char *digits)
{
	char exten[128] = "", dialplan[64] = "", context[64] = "";
	if (sscanf(data, "%127s %63s %63s", exten, dialplan, context) < 1)
		return;
	conf_member_leave(m, CONF_LEAVES);
	leg_transfer(m->leg, exten, *dialplan ? dialplan : NULL, *context ? context : NULL);
}
/* "app data": the member hears nothing else meanwhile, and stays in. */
static CO void do_execute(struct conf_member *m, const char *data, const char *digits)
{
	size_t n = strcspn(data, " ");
	char *app = sv_dup((struct sv){data, n});
	struct event *e = conf_event_new(m->room, "execute_app");
	if (e) {
		conf_event_member_add(e, m);
		event_add(e, "Action", "execute_app");
		event_add(e, "Application", data);
		event_fire(e);
	}
	if (app && *app)
		leg_exec_app(m->leg, app, data[n] ? data + n + 1 : "");
	mem_free(app);
}

struct control {
	const char *action;
	void (*fn)(struct conf_member *m, const char *data, const char *digits);
};
static const struct control controls[] = {
    {"mute", do_mute},
    {"mute on", do_mute_on},
    {"mute off", do_mute_off},
    {"deaf", do_deaf},
    {"deaf on", do_deaf_on},
    {"deaf off", do_deaf_off},
    {"deaf mute", do_deaf_mute},
    {"energy up", do_energy_up},
    {"energy equ", do_energy_equ},
    {"energy dn", do_energy_down},
    {"vol talk up", do_talk_up},
    {"vol talk zero", do_talk_zero},
    {"vol talk dn", do_talk_down},
    {"vol listen up", do_listen_up},
    {"vol listen zero", do_listen_zero},
    {"vol listen dn", do_listen_down},
    {"hangup", do_hangup},
    {"lock", do_lock},
    {"floor", do_floor},
    {"moh toggle", do_moh},
    {"event", do_event},
    {"transfer", do_transfer},
    {"execute_application", do_execute},
    {NULL, NULL},
};
static const char *const video_actions[] = {
    "vmute", "vmute on", "vmute off", "vmute snap", "vmute snapoff", "border", NULL};

static const struct control *control_of(const char *action)
{
	for (const struct control *c = controls; c->action; c++)
		if (!strcasecmp(c->action, action))
			return c;
	return NULL;
}

bool conf_control_is_known(const char *action)
{
	for (const char *const *v = video_actions; *v; v++)
		if (!strcasecmp(*v, action))
			return true;
	return control_of(action) != NULL;
}

struct bound {
	const struct control *control;
	char *data;
};

static void bound_free(void *data)
{
	struct bound *b = data;
	mem_free(b->data);
	mem_free(b);
}

static int bind_one(struct digit_machine *keys, const char *digits, const struct control *c, const char *data)
{
	struct bound *b = mem_zalloc(sizeof(*b));
	if (!b || !(b->data = mem_strdup(data))) {
		mem_free(b);
		return ST_NOMEM;
	}
	b->control = c;
	int st = digit_machine_bind(keys, "conf", digits, b);
	if (st)
		bound_free(b);
	return st;
}

/* The stock keys, for a group "default" that no file has. */
static const struct {
	const char *digits, *action;
} stock[] = {{"0", "mute"}, {"*", "deaf mute"}, {"9", "energy up"}, {"8", "energy equ"}, {"7", "energy dn"},
    {"3", "vol talk up"}, {"2", "vol talk zero"}, {"1", "vol talk dn"}, {"6", "vol listen up"},
    {"5", "vol listen zero"}, {"4", "vol listen dn"}, {"#", "hangup"}};

static ON_CTL int bind_group(struct digit_machine *keys, const char *name)
{
	const struct xml_node *group =
	    xml_child_with(xml_child(config_conf("conference.conf"), "caller-controls"), "group", "name", name);
	int st = ST_OK;
	if (!group && !strcasecmp(name, "default"))
		for (size_t i = 0; i < sizeof(stock) / sizeof(*stock) && !st; i++)
			st = bind_one(keys, stock[i].digits, control_of(stock[i].action), "");
	else if (!group)
		log_error("conference: no caller-controls group %s", name);
	xml_each(group, "control", it)
	{
		const char *action = xml_attr_or(it, "action", ""), *digits = xml_attr_or(it, "digits", "");
		const struct control *c = control_of(action);
		if (c && *digits && bind_one(keys, digits, c, xml_attr_or(it, "data", "")))
			log_error(
			    "%s:%u: conference control '%s': bad digits '%s'", it->file, it->line, action, digits);
	}
	return st;
}

int conf_keys_new(struct conf_member *m)
{
	const struct conf_profile *p = m->room->profile;
	char *var = leg_text_dup(m->leg, "conference_controls");
	const char *name = conf_member_is(m, CM_MODERATOR) && p->moderator_controls ? p->moderator_controls
	                   : p->caller_controls                                     ? p->caller_controls
	                                                                            : "default";
	if (var && mark_has(sv_of(var)))
		leg_log(m->leg, LOG_ERR, "conference_controls: a group of keys is not from outside");
	struct sv own = var && !mark_has(sv_of(var)) ? sv_of(var) : SV_NONE;
	if (sv_startsi(own, SV("caller-controls:"))) /* FreeSWITCH's action:group */
		own = sv_sub(own, sizeof("caller-controls:") - 1, own.n);
	char *group = own.n ? sv_dup(own) : mem_strdup(name);
	int st = group ? digit_machine_new(&m->keys, bound_free) : ST_NOMEM;
	if (!st && strcasecmp(group, "none") && !conf_member_is(m, CM_DIST_DTMF))
		st = bind_group(m->keys, group);
	mem_free(group);
	mem_free(var);
	return st;
}

/* To all the others' phones. */
static ON_CTL void distribute(struct conf_member *m, char digit)
{
	struct lnode *it, *tmp;
	char text[2] = {digit, 0};
	conf_members_each(m->room, it, tmp)
	{
		struct conf_member *other = conf_member_of(it);
		if (other != m && !conf_member_is(other, CM_SKIP_DTMF))
			leg_dtmf_send(other->leg, text);
	}
}

void conf_keys_feed(struct conf_member *m, char digit)
{
	struct digit_found found;
	char text[2] = {digit, 0};
	if (!m->room || !m->keys)
		return;
	if (digit && conf_member_is(m, CM_DIST_DTMF)) {
		do_event(m, "", text);
		distribute(m, digit);
		return;
	}
	if (!digit_machine_has_realm(m->keys)) {
		if (digit)
			do_event(m, "", text);
		return;
	}
	enum digit_verdict v =
	    digit ? digit_machine_feed(m->keys, digit, &found) : digit_machine_timeout(m->keys, &found);
	if (v == DIGITS_MATCH) {
		const struct bound *b = found.data;
		leg_var_set(m->leg, "conference_last_matching_digits", found.digits);
		b->control->fn(m, b->data, found.digits);
	} else if (v == DIGITS_NO_MATCH) {
		do_event(m, "", found.digits);
	}
}

int64_t conf_keys_wait_us(const struct conf_member *m)
{
	if (!m->keys || !m->room || !digit_machine_has_digits(m->keys))
		return -1;
	return clock_us_of_ms(m->room->profile->dtmf_timeout_ms);
}
