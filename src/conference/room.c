/* Rooms and who is in them. A room begins with whoever comes to its door first and goes when nobody is at its door,
 * inside, or rings for it. What follows from a change (who has the floor, hold music, the end) is done a moment later
 * by conf_room_tick, as FreeSWITCH's conference thread does with its next frame: a room at rest has no timer.
 *
 *     conf_room_enter: user_count + 1 --> conf_member_add --> tick: floor, music
 *     conf_member_del --> tick: floor, music, end? --> conf_room_leave: user_count - 1 --> tick: nobody: room_close */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/sound/media.h"
#include "core/value/self.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static struct hash *rooms;
static unsigned last_id;

unsigned conf_next_id(void)
{
	return ++last_id;
}

/* ---- the table ---- */

static void room_destroy(void *obj)
{
	struct conf_room *r = obj;
	struct lnode *it, *tmp;
	role_assert_ctl();
	list_each (&r->relations, it, tmp)
		mem_free(list_entry(it, struct conf_relation, link));
	conf_cdr_free(r);
	if (r->vars)
		vars_free(r->vars);
	mem_free(r->name);
	mem_free(r->pin);
	mem_free(r->moderator_pin);
	mem_free(r->enter_sound);
	mem_free(r->exit_sound);
	mem_free(r->moh_sound);
	mem_free(r->sound_prefix);
	mem_free(r->caller_id_name);
	mem_free(r->caller_id_number);
	mem_unref(r->profile);
}

int conf_rooms_start(void)
{
	return rooms ? ST_OK : hash_new(&rooms, 0, NULL);
}

void conf_rooms_stop(void)
{
	hash_free(rooms);
	rooms = NULL;
}

struct conf_room *conf_room_find(const char *name)
{
	struct conf_room *r = rooms ? hash_get(rooms, sv_of(name)) : NULL;
	return r && !r->is_over ? r : NULL;
}

size_t conf_rooms_count(void)
{
	return rooms ? hash_count(rooms) : 0;
}

void conf_rooms_each(void (*fn)(struct conf_room *room, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (rooms && hash_next(rooms, &it))
		fn(it.value, arg);
}

/* A name is data: it is shown, told and matched, and names a file only where an operator's pattern says so. */
static bool is_name(const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 127)
			return false;
	return n && n <= CONF_NAME_MAX;
}

static char *copy(const char *s)
{
	return s && *s ? mem_strdup(s) : NULL;
}

static ON_CTL void take_profile(struct conf_room *r, struct leg *leg)
{
	const struct conf_profile *p = r->profile;
	const char *prefix = p->sound_prefix;
	char *own = !prefix && leg ? leg_text_dup(leg, "sound_prefix") : NULL;
	if (own && !mark_has(sv_of(own))) /* files are read below it */
		prefix = own;
	if (!prefix)
		prefix = core_dirs() ? core_dirs()->sounds : "";
	r->sound_prefix = mem_strdup(prefix);
	mem_free(own);
	r->pin = copy(p->pin), r->moderator_pin = copy(p->moderator_pin);
	r->enter_sound = copy(p->enter_sound), r->exit_sound = copy(p->exit_sound), r->moh_sound = copy(p->moh_sound);
	r->caller_id_name = copy(p->caller_id_name), r->caller_id_number = copy(p->caller_id_number);
	r->plays_enter = r->plays_exit = true;
	r->max_members = p->max_members, r->endconf_grace_s = p->endconf_grace_s;
	r->rate_hz = conf_profile_rate(p, leg && leg->codec ? leg->codec->rate_hz : 8000);
	r->interval_ms = conf_profile_interval(p, leg && leg->codec ? leg->codec->ptime_ms : 20);
	r->channels = 1; /* the mixer's */
	r->flags = p->room_flags;
	r->waits_for_moderator = (r->flags & CR_WAIT_MOD) != 0;
	vars_copy(r->vars, p->vars);
}

static void heartbeat(void *arg)
{
	struct conf_room *r = arg;
	role_assert_ctl();
	conf_event_room(r, "conference-heartbeat");
	loop_timer_set(&r->heartbeat, clock_us_of_s(r->profile->heartbeat_s), "conference heartbeat", heartbeat, r);
}

/* The leg's own variables stand in for what the profile says of the same thing. */
static ON_CTL void take_leg_vars(struct conf_room *r, struct leg *leg)
{
	const char *text;
	if (!leg)
		return;
	char *flags = leg_text_dup(leg, "conference_flags");
	if (flags && mark_has(sv_of(flags)))
		leg_log(leg, LOG_ERR, "conference_flags: flags are not from outside");
	else if (flags)
		r->flags |= conf_room_flags_parse(sv_of(flags), NULL, NULL);
	mem_free(flags);
	r->waits_for_moderator = (r->flags & CR_WAIT_MOD) != 0;
	if ((text = leg_var(leg, "conference_max_members")))
		r->max_members = (unsigned)str_number(text, 0, 100000);
	if ((text = leg_var(leg, "conference_moderator_pin"))) {
		mem_free(r->moderator_pin);
		r->moderator_pin = copy(text);
	}
	static const struct {
		const char *var;
		size_t at;
	} sounds[] = {{"conference_enter_sound", offsetof(struct conf_room, enter_sound)},
	    {"conference_exit_sound", offsetof(struct conf_room, exit_sound)},
	    {"conference_moh_sound", offsetof(struct conf_room, moh_sound)}};
	for (size_t i = 0; i < sizeof(sounds) / sizeof(*sounds); i++) {
		char *source = leg_text_dup(leg, sounds[i].var), **to = (char **)(void *)((char *)r + sounds[i].at);
		if (!source)
			continue;
		mem_free(*to);
		*to = source;
	}
}

static ON_CTL int room_new(struct conf_room **out, const char *name, const char *profile, struct leg *leg)
{
	struct conf_room *r;
	int st = ST_NOMEM;
	if (!is_name(name))
		return ST_INVAL;
	if (conf_rooms_count() >= CONF_ROOMS_MAX)
		return ST_LIMIT;
	r = mem_new(sizeof(*r), room_destroy, "conference.room");
	if (!r)
		return ST_NOMEM;
	list_init(&r->members), list_init(&r->plays), list_init(&r->records), list_init(&r->relations);
	list_init(&r->cdr_members), list_init(&r->cdr_rejected);
	r->name = mem_strdup(name);
	if (!r->name || vars_new(&r->vars) || (st = conf_profile_new(&r->profile, profile)))
		goto fail;
	uuid_make(r->uuid);
	take_profile(r, leg);
	take_leg_vars(r, leg);
	r->start_us = r->last_talk_us = clock_mono_us(), r->wall_start_us = clock_wall_us();
	st = conf_mix_open(r);
	if (st)
		goto fail;
	st = hash_set(rooms, sv_of(name), r);
	if (st) {
		conf_mix_close(r);
		goto fail;
	}
	if (r->profile->heartbeat_s)
		loop_timer_set(
		    &r->heartbeat, clock_us_of_s(r->profile->heartbeat_s), "conference heartbeat", heartbeat, r);
	conf_event_room(r, "conference-create");
	*out = r;
	return ST_OK;
fail:
	mem_unref(r);
	return st;
}

int conf_room_enter(struct conf_room **out, const char *name, const char *profile, struct leg *leg)
{
	struct conf_room *r = rooms ? hash_get(rooms, sv_of(name)) : NULL;
	if (r && r->is_over)
		return ST_BUSY; /* it is being emptied */
	int st = r ? ST_OK : rooms ? room_new(&r, name, profile, leg) : ST_UNSUPPORTED;
	if (st)
		return st;
	r->user_count++;
	*out = mem_ref(r);
	return ST_OK;
}

/* ---- what follows from a change ---- */

static ON_CTL void room_close(struct conf_room *r)
{
	r->is_over = true; /* from here on nothing begins in it */
	conf_record_stop(r, NULL, NULL);
	conf_play_stop(r, NULL, CONF_STOP_ALL);
	conf_play_stop(r, NULL, CONF_STOP_ASYNC);
	conf_presence(r);
	conf_live_tell(r, NULL, CONF_LIVE_CLEARED);
	conf_event_room(r, "conference-destroy");
	conf_cdr_finish(r);
	conf_mix_close(r);
	loop_timer_cancel(&r->tick);
	loop_timer_cancel(&r->heartbeat);
	hash_del(rooms, sv_of(r->name));
	mem_unref(r);
}

void conf_rooms_close_empty(void)
{
	struct hash_it it = {0};
	while (rooms && hash_next(rooms, &it)) {
		struct conf_room *r = it.value;
		if (r->user_count)
			continue;
		room_close(r);
		it = (struct hash_it){0}; /* the table has changed */
	}
}

static ON_CTL void floor_check(struct conf_room *r)
{
	struct lnode *it, *tmp;
	struct conf_member *talker = NULL;
	if (r->floor && r->floor->is_talking)
		return;
	conf_members_each(r, it, tmp)
	{
		struct conf_member *m = conf_member_of(it);
		if (m->is_talking && !conf_member_is(m, CM_GHOST) && (!talker || m->score > talker->score))
			talker = m;
	}
	if (talker)
		conf_floor_set(r, talker);
	else if (!r->floor && !list_empty(&r->members))
		conf_floor_set(r, conf_member_of(list_first(&r->members)));
}

static ON_CTL bool is_time_over(struct conf_room *r, int64_t now, int64_t *next_us)
{
	int64_t due = 0, silent = 0;
	if (r->endconf_at_us)
		due = r->endconf_at_us + clock_us_of_s(r->endconf_grace_s);
	if (r->profile->terminate_on_silence_s && r->count > 1)
		silent = r->last_talk_us + clock_us_of_s(r->profile->terminate_on_silence_s);
	if (silent && (!due || silent < due))
		due = silent;
	if (due && due <= now)
		return true;
	*next_us = due ? due - now : 0;
	return false;
}

static void tick(void *arg)
{
	struct conf_room *r = arg;
	int64_t next_us = 0;
	role_assert_ctl();
	if (!r->user_count) {
		room_close(r);
		return;
	}
	floor_check(r);
	if (r->count + r->ghost_count && is_time_over(r, clock_mono_us(), &next_us)) {
		r->was_forced = true;
		conf_room_end(r);
		return;
	}
	conf_music_check(r);
	if (next_us)
		loop_timer_set(&r->tick, next_us, "conference end", tick, r);
}

void conf_room_kick(struct conf_room *room)
{
	if (room->is_over)
		return;
	if (!loop_timer_is_set(&room->tick) || room->tick.due_us > loop_now_us() + CONF_TICK_US)
		loop_timer_set(&room->tick, CONF_TICK_US, "conference", tick, room);
}

void conf_room_leave(struct conf_room *room)
{
	if (!--room->user_count)
		conf_room_kick(room);
	mem_unref(room);
}

void conf_room_end(struct conf_room *room)
{
	struct lnode *it, *tmp;
	mem_ref(room);
	list_each (&room->members, it, tmp)
		leg_hangup(conf_member_of(it)->leg, CAUSE_NORMAL_CLEARING);
	mem_unref(room);
}

void conf_floor_set(struct conf_room *r, struct conf_member *m)
{
	struct conf_member *old = r->floor;
	struct event *e;
	if (old == m)
		return;
	r->floor = m;
	e = conf_event_new(r, "floor-change");
	if (e) {
		event_add(e, "Action", "floor-change");
		if (old)
			event_addf(e, "Old-ID", "%u", old->id);
		else
			event_add(e, "Old-ID", "none");
		if (m) {
			conf_event_member_add(e, m);
			event_addf(e, "New-ID", "%u", m->id);
		} else {
			event_add(e, "New-ID", "none");
		}
		event_fire(e);
	}
	if (old)
		conf_live_tell(r, old, CONF_LIVE_CHANGED);
	if (m)
		conf_live_tell(r, m, CONF_LIVE_CHANGED);
}

/* ---- who is in ---- */

struct conf_member *conf_member_find(struct conf_room *room, unsigned id)
{
	struct lnode *it, *tmp;
	conf_members_each(room, it, tmp) if (conf_member_of(it)->id == id) return conf_member_of(it);
	return NULL;
}

static ON_CTL void count(struct conf_room *r, const struct conf_member *m, int by)
{
	unsigned d = (unsigned)by;
	if (conf_member_is(m, CM_GHOST))
		r->ghost_count += d;
	else
		r->count += d;
	if (conf_member_is(m, CM_ENDCONF))
		r->end_count += d;
	if (conf_member_is(m, CM_MANDATORY))
		r->mandatory_count += d;
	if (conf_member_is(m, CM_MODERATOR))
		r->moderator_count += d;
}

static ON_CTL void set_entry_vars(struct conf_member *m)
{
	struct leg *leg = m->leg;
	const char *number = leg->profile ? leg->profile->caller_id_number : NULL;
	if (leg->codec) {
		leg_var_set(leg, "read_codec", "L16");
		leg_var_set_int(leg, "read_rate", m->room->rate_hz);
	}
	leg_var_set_int(leg, "conference_member_id", m->id);
	leg_var_set(leg, "conference_moderator", conf_member_is(m, CM_MODERATOR) ? "true" : "false");
	leg_var_set(leg, "conference_ghost", conf_member_is(m, CM_GHOST) ? "true" : "false");
	leg_var_set(leg, "conference_uuid", m->room->uuid);
	leg_var_setf(leg, "conference_call_key", "conference_%s_%s_%s", m->room->name,
	    m->room->profile->domain ? m->room->profile->domain : "", number ? number : "");
}

static ON_CTL void greet(struct conf_room *r, struct conf_member *m)
{
	if (conf_member_is(m, CM_GHOST))
		return;
	if (r->count > 1) {
		if (!r->waits_for_moderator && r->plays_enter && !leg_var_is_true(m->leg, "conference_permanent_quiet"))
			conf_play_all(r, r->enter_sound);
		conf_play_to(m, r->profile->member_enter_sound);
	} else if (r->count == 1 && !r->waits_for_moderator && !vars_get(m->leg->vars, "conference_auto_outcall") &&
	           r->user_count == 1) {
		conf_play_all(r, r->profile->alone_sound);
	}
}

int conf_member_add(struct conf_room *r, struct conf_member *m)
{
	m->room = r;
	m->id = conf_next_id();
	m->join_us = clock_mono_us();
	int st = conf_mix_join(m);
	if (st) {
		m->room = NULL;
		return st;
	}
	leg_media_linear(m->leg, true);
	mem_ref(m);
	list_unshift(&r->members, &m->link);
	count(r, m, 1);
	r->is_answered = true;
	if (r->count > 1)
		r->was_two = true;
	if (conf_member_is(m, CM_MINTWO))
		r->is_min_two = true;
	if (conf_member_is(m, CM_ENDCONF))
		r->endconf_at_us = 0;
	if (conf_member_is(m, CM_MODERATOR))
		r->waits_for_moderator = false;
	if (conf_member_is(m, CM_MODERATOR) && (r->flags & CR_WAIT_MOD))
		conf_mix_tell_all(r);
	set_entry_vars(m);
	conf_cdr_join(m);
	conf_presence(r);
	conf_event_member(m, "add-member");
	conf_live_tell(r, m, CONF_LIVE_JOINED);
	conf_music_check(r);
	greet(r, m);
	conf_record_auto(r);
	conf_room_kick(r);
	return ST_OK;
}

static ON_CTL void relations_forget(struct conf_room *r, unsigned id)
{
	struct lnode *it, *tmp;
	list_each (&r->relations, it, tmp) {
		struct conf_relation *rel = list_entry(it, struct conf_relation, link);
		if (rel->id == id || rel->other_id == id) {
			list_remove(it);
			mem_free(rel);
		}
	}
}

/* Whether what is left ends with the member that has gone. */
static ON_CTL void end_check(struct conf_room *r, const struct conf_member *m)
{
	bool is_end = (conf_member_is(m, CM_ENDCONF) && !r->end_count) ||
	              (conf_member_is(m, CM_MANDATORY) && !r->mandatory_count);
	if (conf_member_is(m, CM_MODERATOR) && !r->moderator_count && (r->flags & CR_WAIT_MOD))
		r->waits_for_moderator = true, conf_mix_tell_all(r);
	if (is_end && !r->endconf_at_us)
		r->endconf_at_us = clock_mono_us();
	if ((r->is_min_two || r->is_bridge) && r->was_two && r->count + r->ghost_count < 2)
		conf_room_end(r);
}

void conf_member_del(struct conf_member *m)
{
	struct conf_room *r = m->room;
	if (!r)
		return;
	conf_play_stop(r, m, CONF_STOP_ALL);
	list_remove(&m->link);
	if (r->floor == m) {
		r->floor = NULL;
		struct event *e = conf_event_new(r, "floor-change");
		if (e) {
			event_add(e, "Action", "floor-change");
			event_add(e, "Old-ID", "none");
			event_add(e, "New-ID", "none");
			event_fire(e);
		}
	}
	count(r, m, -1);
	conf_mix_leave(m);
	relations_forget(r, m->id);
	conf_cdr_leave(m);
	conf_presence(r);
	conf_event_member(m, "del-member");
	conf_live_tell(r, m, CONF_LIVE_LEFT);
	leg_media_linear(m->leg, false);
	if (m->leg->codec) {
		leg_var_set(m->leg, "read_codec", m->leg->codec->name);
		leg_var_set_int(m->leg, "read_rate", m->leg->codec->rate_hz);
	}
	m->room = NULL;
	if (r->count && !conf_member_is(m, CM_GHOST) && !r->waits_for_moderator) {
		if (r->plays_exit)
			conf_play_all(r, r->exit_sound);
		if (r->count == 1)
			conf_play_all(r, r->profile->alone_sound);
	}
	end_check(r, m);
	conf_music_check(r);
	conf_room_kick(r);
	mem_unref(m);
}
