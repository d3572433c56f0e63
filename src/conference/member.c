/* A member: what it may say and hear, and how it leaves. It is made by the application (app.c) on its coroutine and
 * kept alive by whoever holds a reference; room.c lets it in and out. */
#include "base/clock.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/keys/machine.h"
#include "core/run/exec.h"
#include <string.h>

static void member_destroy(void *obj)
{
	struct conf_member *m = obj;
	digit_machine_free(m->keys);
	mem_free(m->leave_sound);
	mem_free(m->goes_to);
	mem_unref(m->leg);
}

struct conf_member *conf_member_new(struct leg *leg, const struct conf_profile *p, unsigned flags)
{
	struct conf_member *m = mem_new(sizeof(*m), member_destroy, "conference.member");
	if (!m)
		return NULL;
	m->leg = mem_ref(leg);
	m->flags = flags;
	m->is_muted = (flags & CM_MUTE) != 0, m->is_deaf = (flags & CM_DEAF) != 0;
	m->energy_level = p->energy_level, m->auto_energy_level = p->auto_energy_level;
	m->max_energy_level = p->max_energy_level, m->agc_level = p->agc_level;
	list_init(&m->plays);
	return m;
}

static ON_CTL void changed(struct conf_member *m)
{
	conf_mix_tell(m);
	if (m->room)
		conf_live_tell(m->room, m, CONF_LIVE_CHANGED);
}

void conf_member_mute(struct conf_member *m, bool is_muted, bool is_quiet)
{
	if (!m->room)
		return;
	m->is_muted = is_muted;
	if (is_muted)
		m->is_talking = false, m->score = 0;
	if (!is_quiet)
		conf_play_to(m, is_muted ? m->room->profile->muted_sound : m->room->profile->unmuted_sound);
	conf_event_member(m, is_muted ? "mute-member" : "unmute-member");
	changed(m);
}

void conf_member_deaf(struct conf_member *m, bool is_deaf, bool is_quiet)
{
	if (!m->room)
		return;
	m->is_deaf = is_deaf;
	if (!is_quiet)
		conf_play_to(m, is_deaf ? m->room->profile->deaf_sound : m->room->profile->undeaf_sound);
	conf_event_member(m, is_deaf ? "deaf-member" : "undeaf-member");
	changed(m);
}

void conf_member_hold(struct conf_member *m, bool is_held, const char *sound)
{
	if (!m->room)
		return;
	m->is_held = is_held;
	if (!is_held)
		conf_play_stop(m->room, m, CONF_STOP_ALL);
	else if (sound && *sound)
		conf_play(m->room, &(struct conf_play_words){.source = sound, .member = m, .loops = -1});
	conf_event_member(m, is_held ? "hold-member" : "unhold-member");
	changed(m);
}

void conf_member_leave(struct conf_member *m, enum conf_leave how)
{
	if (m->leave == CONF_STAYS)
		m->leave = how;
	leg_wake(m->leg);
}

void conf_member_talks(struct conf_member *m, bool is_talking, unsigned score)
{
	struct conf_room *room = m->room;
	m->score = score;
	if (!room || m->is_talking == is_talking)
		return;
	if (m->is_muted) { /* the mixer tells it all the same, for members that want to know */
		if (is_talking && conf_member_is(m, CM_MUTE_DETECT)) {
			conf_event_member(m, "mute-detect");
			conf_play_to(m, room->profile->mute_detect_sound);
		}
		return;
	}
	m->is_talking = is_talking;
	m->last_talk_us = room->last_talk_us = clock_mono_us();
	conf_event_member(m, is_talking ? "start-talking" : "stop-talking");
	conf_live_tell(room, m, CONF_LIVE_CHANGED);
	conf_room_kick(room);
}

bool conf_member_hears_music(const struct conf_member *m)
{
	return !conf_member_is(m, CM_NOMOH);
}
