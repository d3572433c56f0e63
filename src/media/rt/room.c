/* The tick of a room's part, and what its members say. Levels decide who is heard: a member below its energy level adds
 * nothing, and one of whom no packets came lately costs no more than a look; what was lost on the way is made up. What
 * members say is summed once, in 32 bits, and clipped only on its way out. The other parts' sums come a frame or two
 * later, through rings: what is missing there is silence, what has piled up is left out. Parts of a thread have their
 * moments spread over the interval. */
#include "base/clock.h"
#include "dsp/mix.h"
#include "media/rt/room_i.h"

enum {
	PHASES = 10,
	SILENT_US = 300000, /* no packet so long: the lane is empty */
	TALK_OVER = 400,    /* so much over the level: talk at once; else after */
	TALK_FRAMES_MS = 100,
	PAUSE_MS = 800,    /* a talker who is quiet so long does not talk any more */
	BEHIND_FRAMES = 4, /* of another part: more is left out */
	REMOTE_START_FRAMES = 2,
	LATE_INTERVALS = 5,
	MAX_SOFTER_FRAMES = 3,
	AUTO_STEP = 100,     /* of the energy level, down */
	AUTO_TALK_MS = 2000, /* of talk that says something of the level */
	AGC_FRAMES = 25,
	AGC_GAIN_MIN = 4096 / 4,
	AGC_GAIN_MAX = 4096 * 4
};

/* ---- coming and going ---- */

ON_MEDIA static struct rt_group *group_of(struct rt_room_part *p, struct rt_member *m)
{
	struct rt_group *g = m->seed;
	unsigned count = atomic_load_explicit(&p->group_count, memory_order_relaxed);
	if (!g)
		return m->group;
	for (unsigned i = 0; i < count; i++)
		if (group_is_for(p->groups[i], g->ops, g->ptime_ms, g->fmtp))
			return p->groups[i];
	if (count == GROUPS_MAX)
		return NULL;
	m->seed = NULL;
	g->at = count;
	p->groups[count] = g;
	atomic_store_explicit(&p->group_count, count + 1, memory_order_release);
	return g;
}

void part_enter(struct rt_room_part *p, struct rt_member *m)
{
	struct rt_thread *t = m->tap.s->t;
	int64_t interval_us = clock_us_of_ms(p->room->conf.interval_ms);
	m->group = group_of(p, m);
	list_push(&p->members, &m->link);
	if (p->count++)
		return;
	p->due_us = t->now_us + interval_us * (t->room_phase++ % PHASES) / PHASES;
	for (unsigned i = 0; i < RT_ROOM_THREADS_MAX; i++)
		p->remotes[i] = (struct rt_remote){.read_at = UINT64_MAX};
	list_push(&t->rooms, &p->link);
	if (p->due_us < t->room_due_us)
		t->room_due_us = p->due_us;
}

void part_leave(struct rt_member *m)
{
	struct rt_room_part *p = m->part;
	list_remove(&m->link);
	if (!--p->count)
		list_remove(&p->link);
}

/* ---- what members say ---- */

/* A talk with gaps is over: three quarters of how loud it was is a level that keeps out what is softer. */
ON_MEDIA static void level_learn(struct rt_member *m, uint32_t most)
{
	unsigned frame_ms = m->room->conf.interval_ms, pause = PAUSE_MS / frame_ms, gaps = m->nogate_frames;
	gaps -= gaps < pause ? gaps : pause; /* those at the end are no gap */
	if (!m->gate_frames || (m->gate_frames + m->nogate_frames) * frame_ms <= AUTO_TALK_MS ||
	    gaps * 100 <= m->gate_frames)
		return;
	uint64_t level = m->gate_sum / m->gate_frames * 3 / 4;
	atomic_store_explicit(&m->m->energy_level, level > most ? most : (uint32_t)level, memory_order_relaxed);
}

/* Nobody talks: back towards where it began, step by step. */
ON_MEDIA static void level_sink(struct rt_member *m, uint32_t level)
{
	uint32_t floor = atomic_load_explicit(&m->m->energy_floor, memory_order_relaxed),
	         after_ms = atomic_load_explicit(&m->m->energy_sink_ms, memory_order_relaxed);
	if (++m->idle_frames * m->room->conf.interval_ms < after_ms)
		return;
	m->idle_frames = 0;
	if (level > floor)
		atomic_store_explicit(
		    &m->m->energy_level, level > floor + AUTO_STEP ? level - AUTO_STEP : floor, memory_order_relaxed);
}

ON_MEDIA static void level_look(
    struct rt_member *m, uint32_t score, uint32_t level, bool is_loud, bool was_talking, bool is_talking)
{
	uint32_t most = atomic_load_explicit(&m->m->auto_energy_level, memory_order_relaxed);
	if (!most)
		return;
	if (is_talking && !was_talking)
		m->gate_sum = m->gate_frames = m->nogate_frames = 0;
	if (was_talking && is_loud)
		m->gate_sum += score, m->gate_frames++;
	else if (was_talking)
		m->nogate_frames++;
	if (was_talking && !is_talking) {
		level_learn(m, most);
		m->idle_frames = 0;
	} else if (!is_talking) {
		level_sink(m, level);
	}
}

ON_MEDIA static void talk_look(struct rt_member *m, uint32_t score, uint32_t level)
{
	unsigned frame_ms = m->room->conf.interval_ms;
	bool was_talking = atomic_load_explicit(&m->m->is_talking, memory_order_relaxed), is_talking = was_talking;
	bool is_loud = score > level && score > 0;
	m->loud_frames = is_loud ? m->loud_frames + 1 : 0;
	m->quiet_frames = is_loud ? 0 : m->quiet_frames + 1;
	if (is_loud && (score >= level + TALK_OVER || m->loud_frames * frame_ms >= TALK_FRAMES_MS))
		is_talking = true;
	if (m->quiet_frames * frame_ms >= PAUSE_MS)
		is_talking = false;
	atomic_store_explicit(&m->m->score, score, memory_order_relaxed);
	level_look(m, score, level, is_loud, was_talking, is_talking);
	if (is_talking == was_talking)
		return;
	atomic_store_explicit(&m->m->is_talking, is_talking, memory_order_relaxed);
	tap_heard(&m->tap);
}

/* Slowly, by what it was while it talked. */
ON_MEDIA static void agc_look(struct rt_member *m, uint32_t score, uint32_t wanted)
{
	if (!wanted) {
		m->agc_gain_q12 = 4096;
		return;
	}
	if (!atomic_load_explicit(&m->m->is_talking, memory_order_relaxed) || !score)
		return;
	m->agc_sum += score;
	if (++m->agc_count < AGC_FRAMES)
		return;
	int64_t gain = (int64_t)wanted * 4096 * AGC_FRAMES / m->agc_sum;
	gain = gain < AGC_GAIN_MIN ? AGC_GAIN_MIN : gain > AGC_GAIN_MAX ? AGC_GAIN_MAX : gain;
	m->agc_gain_q12 = (int32_t)((3 * (int64_t)m->agc_gain_q12 + gain) / 4);
	m->agc_sum = m->agc_count = 0;
}

/* Too loud, too often: silent for a while (true); nearly too loud: softer. */
ON_MEDIA static bool max_look(struct rt_member *m, uint32_t score, size_t n)
{
	struct media_member *c = m->m;
	uint32_t most = atomic_load_explicit(&c->max_energy_level, memory_order_relaxed);
	if (!most) {
		m->hit_frames = m->mute_frames = 0;
		return false;
	}
	if (score > most && ++m->hit_frames > atomic_load_explicit(&c->max_energy_hits, memory_order_relaxed))
		m->mute_frames =
		    atomic_load_explicit(&c->max_energy_mute_ms, memory_order_relaxed) / m->room->conf.interval_ms;
	else if (!m->mute_frames && score > most / 4 * 3)
		mix_gain(m->frame, n, mix_gain_of_step(m->loud_frames > MAX_SOFTER_FRAMES ? -2 : -1));
	if (!m->mute_frames)
		return false;
	if (!--m->mute_frames)
		m->hit_frames = 0;
	return true;
}

/* What is lost is made up from what was before. */
ON_MEDIA static void frame_take(struct rt_member *m, size_t n)
{
	size_t first, count;
	bool is_whole = !lane_missing(m->lane, n, &first, &count);
	lane_take(m->lane, m->frame, n);
	if (is_whole) {
		plc_good(&m->plc, m->frame, n);
		return;
	}
	plc_good(&m->plc, m->frame, first);
	plc_lost(&m->plc, m->frame + first, count);
	if (first + count < n)
		plc_good(&m->plc, m->frame + first + count, n - first - count);
}

/* Its frame; is it heard? */
ON_MEDIA static void member_take(struct rt_member *m, int64_t now_us)
{
	struct media_member *c = m->m;
	size_t n = m->part->frame;
	uint32_t level = atomic_load_explicit(&c->energy_level, memory_order_relaxed);
	if (now_us - m->tap.s->f->last_in_us > SILENT_US) {
		m->lane->at += n; /* what was in it is taken long ago */
		m->is_heard = false;
		if (m->plc.history_count)
			plc_init(&m->plc, m->room->conf.rate_hz);
		if (atomic_load_explicit(&c->is_talking, memory_order_relaxed))
			talk_look(m, 0, level);
		return;
	}
	frame_take(m, n);
	uint32_t score = mix_level_abs(m->frame, n);
	if (!score)
		score = m->quiet_score;
	talk_look(m, score, level);
	m->is_heard = score > 0 && atomic_load_explicit(&c->can_speak, memory_order_relaxed) &&
	              (score > level || atomic_load_explicit(&c->is_talking, memory_order_relaxed));
	if (m->is_heard && max_look(m, score, n))
		m->is_heard = false;
	if (!m->is_heard)
		return;
	agc_look(m, score, atomic_load_explicit(&c->agc_level, memory_order_relaxed));
	mix_gain(m->frame, n, m->agc_gain_q12);
	mix_gain(m->frame, n, atomic_load_explicit(&c->gain_in_q12, memory_order_relaxed));
}

/* One frame of another part, if it has one. Of one that begins to speak two are waited for: the ticks of two threads
 * do not come evenly. */
ON_MEDIA static bool remote_take(struct rt_room_part *p, struct rt_remote *r, const struct rt_room_part *o)
{
	size_t bytes = p->frame * sizeof(int16_t);
	uint64_t written = atomic_load_explicit(&o->out->written, memory_order_acquire);
	if (r->read_at == UINT64_MAX)
		r->read_at = written; /* what was said before is not for it */
	else if (written - r->read_at > BEHIND_FRAMES * bytes)
		r->read_at = written > bytes ? written - bytes : 0;
	uint64_t there = written - r->read_at;
	if (there < (r->is_flowing ? 1 : REMOTE_START_FRAMES) * bytes) {
		r->is_flowing = false;
		return false;
	}
	rt_ring_copy(o->out, r->read_at, p->x, bytes);
	r->read_at += bytes;
	r->is_flowing = true;
	return true;
}

ON_MEDIA static void sum_make(struct rt_room_part *p, int64_t now_us)
{
	struct lnode *n, *tmp;
	bool has_sound = false, has_others = atomic_load_explicit(&p->room->part_count, memory_order_relaxed) > 1;
	mix_clear(p->sum, p->frame);
	list_each (&p->members, n, tmp) {
		struct rt_member *m = list_entry(n, struct rt_member, link);
		member_take(m, now_us);
		if (m->is_heard)
			mix_add(p->sum, m->frame, p->frame), has_sound = true;
	}
	if (has_others && has_sound) {
		mix_out(p->mix, p->sum, NULL, p->frame);
		rt_ring_write(p->out, p->mix, p->frame * sizeof(*p->mix));
	}
	for (unsigned i = 0; has_others && i < RT_ROOM_THREADS_MAX; i++) {
		const struct rt_room_part *o =
		    i == p->thread ? NULL : atomic_load_explicit(&p->room->parts[i], memory_order_acquire);
		if (o && remote_take(p, &p->remotes[i], o))
			mix_add(p->sum, p->x, p->frame);
	}
	if (p->room->conf.noise_divisor) {
		noise_fill(&p->noise, p->x, p->frame);
		mix_add(p->sum, p->x, p->frame);
	}
	mix_out(p->mix, p->sum, NULL, p->frame);
}

void rooms_run(struct rt_thread *t)
{
	struct lnode *n, *tmp;
	if (list_empty(&t->rooms) || t->now_us < t->room_due_us)
		return;
	t->room_due_us = INT64_MAX;
	list_each (&t->rooms, n, tmp) {
		struct rt_room_part *p = list_entry(n, struct rt_room_part, link);
		int64_t interval_us = clock_us_of_ms(p->room->conf.interval_ms);
		if (p->due_us <= t->now_us) {
			thread_late_count(t, t->now_us - p->due_us);
			sum_make(p, t->now_us);
			part_send(p);
			p->due_us += interval_us;
			if (t->now_us - p->due_us >
			    LATE_INTERVALS * interval_us) /* the machine stood still: that stays missed */
				p->due_us = t->now_us + interval_us;
		}
		if (p->due_us < t->room_due_us)
			t->room_due_us = p->due_us;
	}
}
