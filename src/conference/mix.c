/* The mixer of a room (media/ctl/room.h): what a member may say and hear, what plays, what is recorded. Its reports
 * come back here and are told to member.c, sound.c and record.c by their numbers. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/leg/part.h"
#include "core/sound/media.h"
#include "media/ctl/room.h"
#include <strings.h>

enum { NOISE_DIVISOR = 1400 }; /* comfort-noise true */

static uint32_t noise_of(const struct conf_profile *p)
{
	if (!p->comfort_noise || !str_is_true(p->comfort_noise))
		return 0;
	int64_t n = str_number(p->comfort_noise, 0, 100000);
	return n > 1 ? (uint32_t)n : NOISE_DIVISOR;
}

static void on_report(struct mroom *mix, const struct mroom_report *r, void *arg)
{
	struct conf_room *room = arg;
	struct conf_member *m;
	(void)mix;
	role_assert_ctl();
	switch (r->kind) {
	case MROOM_TALK:
		m = conf_member_find(room, r->id);
		if (m)
			conf_member_talks(m, r->is_on, r->score);
		break;
	case MROOM_GONE:
		m = conf_member_find(room, r->id);
		if (m && leg_is_up(m->leg)) {
			leg_log(m->leg, LOG_WARNING, "conference %s: the mixer lost the member: %s", room->name,
			    status_text(r->status));
			conf_member_leave(m, CONF_LEAVES);
		}
		break;
	case MROOM_PLAY_BEGUN:
		conf_play_told(room, r->id, true, ST_OK);
		break;
	case MROOM_PLAY_DONE:
		conf_play_told(room, r->id, false, r->status);
		break;
	case MROOM_RECORD_DONE:
		conf_record_told(room, r->id, r->status, r->samples);
		break;
	}
}

int conf_mix_open(struct conf_room *room)
{
	const struct mroom_conf conf = {.rate_hz = room->rate_hz == 44100 ? 48000 : room->rate_hz,
	    .interval_ms = room->interval_ms,
	    .noise_divisor = noise_of(room->profile)};
	return mroom_open(&room->mix, &conf, on_report, room);
}

void conf_mix_close(struct conf_room *room)
{
	if (room->mix)
		mroom_close(room->mix);
	room->mix = mem_unref(room->mix);
}

/* ---- members ---- */

static ON_CTL struct mroom_member settings_of(const struct conf_member *m)
{
	const struct conf_profile *p = m->room->profile;
	bool is_always = m->room->flags & CR_AUDIO_ALWAYS;
	return (struct mroom_member){.can_speak = !m->is_muted && !m->is_held && !m->room->waits_for_moderator,
	    .can_hear = !m->is_deaf && !m->is_held,
	    .energy_level = is_always ? 0 : m->energy_level,
	    .keeps_energy = !is_always && m->auto_energy_level && !m->is_level_set,
	    .auto_energy_level = is_always ? 0 : m->auto_energy_level,
	    .energy_floor = p->energy_level,
	    .energy_sink_ms = clock_ms_of_s(p->auto_energy_seconds),
	    .max_energy_level = m->max_energy_level,
	    .max_energy_hits = p->max_energy_hit_trigger,
	    .max_energy_mute_ms = p->max_energy_mute_ms,
	    .volume_in = m->volume_in,
	    .volume_out = m->volume_out,
	    .agc_level = m->agc_level};
}

int conf_mix_join(struct conf_member *m)
{
	struct conf_member **at = leg_part_of(m->leg, &conf_part);
	struct mstream *s = leg_media_stream(m->leg);
	struct mroom_member conf = settings_of(m);
	conf.keeps_energy = false;
	if (*at)
		return ST_BUSY; /* it is in a room */
	int st = s ? mroom_join(m->room->mix, s, m->id, &conf) : ST_UNSUPPORTED;
	if (!st)
		*at = m;
	return st;
}

void conf_mix_leave(struct conf_member *m)
{
	struct conf_member **at = leg_part_of(m->leg, &conf_part);
	*at = NULL;
	(void)mroom_leave(m->room->mix, m->id); /* it may be gone with its stream */
}

void conf_mix_tell(struct conf_member *m)
{
	if (!m->room)
		return;
	const struct mroom_member conf = settings_of(m);
	(void)mroom_set(m->room->mix, m->id, &conf);
	m->is_level_set = false;
}

unsigned conf_mix_energy(const struct conf_member *m)
{
	uint32_t level = m->energy_level;
	if (m->room && m->auto_energy_level && !(m->room->flags & CR_AUDIO_ALWAYS))
		(void)mroom_energy(m->room->mix, m->id, &level);
	return level;
}

void conf_mix_tell_all(struct conf_room *room)
{
	struct lnode *it, *tmp;
	conf_members_each(room, it, tmp) conf_mix_tell(conf_member_of(it));
}

void conf_mix_relate(struct conf_room *room, const struct conf_relation *r)
{
	int a = mroom_relate(room->mix, r->other_id, r->id, r->no_hear);
	int b = mroom_relate(room->mix, r->id, r->other_id, r->no_speak);
	if (a || b)
		log_warning(
		    "conference %s: relation %u->%u: %s", room->name, r->id, r->other_id, status_text(a ? a : b));
}

/* ---- plays ---- */

int conf_mix_play(struct conf_play *p)
{
	struct mroom *mix = p->room->mix;
	int st = p->member ? mroom_play_to(mix, p->member->id, p->source, p->loops, &p->id)
	                   : mroom_play(mix, p->source, p->loops, p->is_async, &p->id);
	if (!st && !p->member)
		(void)conf_mix_play_volume(p); /* the one before may have had another */
	return st;
}

void conf_mix_play_stop(struct conf_play *p)
{
	uint32_t id = p->id;
	p->id = 0; /* what is reported of it from here on is nobody's */
	(void)mroom_play_stop(p->room->mix, id);
}

int conf_mix_play_pause(struct conf_play *p, bool is_paused)
{
	return mroom_play_set(p->room->mix, p->id, MEDIA_PLAY_PAUSE, is_paused);
}

int conf_mix_play_seek(struct conf_play *p, bool is_relative, int ms)
{
	return mroom_play_set(p->room->mix, p->id, is_relative ? MEDIA_PLAY_SEEK_BY : MEDIA_PLAY_SEEK_TO, ms);
}

int conf_mix_play_volume(struct conf_play *p)
{
	int steps = p->volume < -4 ? -4 : p->volume > 4 ? 4 : p->volume;
	return mroom_play_volume(p->room->mix, p->id, steps);
}

/* ---- records ---- */

int conf_mix_record(struct conf_record *r)
{
	const struct media_record_conf conf = {.has_read = true, .rate_hz = r->room->rate_hz};
	return mroom_record(r->room->mix, r->path, &conf, &r->mix_id);
}

void conf_mix_record_stop(struct conf_record *r)
{
	(void)mroom_record_stop(r->room->mix, r->mix_id);
}

void conf_mix_record_pause(struct conf_record *r)
{
	(void)mroom_record_pause(r->room->mix, r->mix_id, r->is_paused);
}

/* What plays to one member plays on its leg's stream, whose reports come to the leg. */
static bool part_report(struct leg *leg, const struct media_report *r)
{
	struct conf_member *m = *(struct conf_member **)leg_part_of(leg, &conf_part);
	struct lnode *it, *tmp;
	role_assert_ctl();
	if (!m || !m->room || (r->kind != MEDIA_R_PLAY_BEGUN && r->kind != MEDIA_R_PLAY_DONE))
		return false;
	list_each (&m->plays, it, tmp)
		if (list_entry(it, struct conf_play, link)->id == r->id) {
			conf_play_told(m->room, r->id, r->kind == MEDIA_R_PLAY_BEGUN, r->status);
			return true;
		}
	return false;
}

struct leg_part conf_part = {.name = "conference", .bytes = sizeof(struct conf_member *), .on_report = part_report};
