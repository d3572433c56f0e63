/* The tick of a room's part. Levels decide who is heard: a member below its energy level adds nothing, and one of whom
 * no packets came lately costs no more than a look. What members say is summed once; who talks gets the sum without
 * himself from his own encoder, all others of a codec get one packet's payload that was made once. (Who begins to talk
 * changes from the group's encoder to his own between two packets; sequence and timestamps are the stream's and go on.)
 * The other parts' sums come a frame later, through rings: what is missing there is silence, what has piled up is left
 * out. Parts of a thread have their moments spread over the interval. */
#include "base/clock.h"
#include "dsp/mix.h"
#include "media/rt/room_i.h"

#include <string.h>

enum {
	PHASES = 10,
	SILENT_US = 300000, /* no packet so long: the lane is empty */
	TALK_OVER = 400,    /* so much over the level: talk at once; else after */
	TALK_FRAMES_MS = 100,
	PAUSE_MS = 800,    /* a talker who is quiet so long does not talk any more */
	BEHIND_FRAMES = 4, /* of another part: more is left out */
	LATE_INTERVALS = 5,
	AGC_FRAMES = 25,
	AGC_GAIN_MIN = 4096 / 4,
	AGC_GAIN_MAX = 4096 * 4
};

/* ---- coming and going ---- */

ON_MEDIA static struct rt_group *group_of(struct rt_room_part *p, struct rt_member *m)
{
	struct rt_group *g = m->seed;
	if (!g)
		return NULL;
	for (unsigned i = 0; i < p->group_count; i++)
		if (p->groups[i]->ops == g->ops && p->groups[i]->ptime_ms == g->ptime_ms &&
		    !strcmp(p->groups[i]->fmtp, g->fmtp))
			return p->groups[i];
	if (p->group_count == GROUPS_MAX)
		return NULL;
	m->seed = NULL;
	g->at = p->group_count;
	return p->groups[p->group_count++] = g;
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
		p->read_at[i] = UINT64_MAX; /* it begins where the others are */
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

/* Its frame; is it heard? */
ON_MEDIA static void member_take(struct rt_member *m, int64_t now_us)
{
	struct media_member *c = m->m;
	size_t n = m->part->frame;
	uint32_t level = atomic_load_explicit(&c->energy_level, memory_order_relaxed);
	if (now_us - m->tap.s->f->last_in_us > SILENT_US) {
		m->lane->at += n; /* what was in it is taken long ago */
		m->is_heard = false;
		if (atomic_load_explicit(&c->is_talking, memory_order_relaxed))
			talk_look(m, 0, level);
		return;
	}
	lane_take(m->lane, m->frame, n);
	uint32_t score = mix_level_abs(m->frame, n);
	talk_look(m, score, level);
	m->is_heard = score > 0 && atomic_load_explicit(&c->can_speak, memory_order_relaxed) &&
	              (score > level || atomic_load_explicit(&c->is_talking, memory_order_relaxed));
	if (!m->is_heard)
		return;
	agc_look(m, score, atomic_load_explicit(&c->agc_level, memory_order_relaxed));
	mix_gain(m->frame, n, m->agc_gain_q12);
	mix_gain(m->frame, n, atomic_load_explicit(&c->gain_in_q12, memory_order_relaxed));
}

/* One frame of another part, if it has one. */
ON_MEDIA static bool remote_take(struct rt_room_part *p, unsigned i, const struct rt_room_part *o)
{
	size_t bytes = p->frame * sizeof(int16_t);
	uint64_t written = atomic_load_explicit(&o->out->written, memory_order_acquire);
	if (p->read_at[i] == UINT64_MAX || written - p->read_at[i] > BEHIND_FRAMES * bytes)
		p->read_at[i] = written > bytes ? written - bytes : 0;
	if (written - p->read_at[i] < bytes)
		return false;
	rt_ring_copy(o->out, p->read_at[i], p->x, bytes);
	p->read_at[i] += bytes;
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
		if (o && remote_take(p, i, o))
			mix_add(p->sum, p->x, p->frame);
	}
	if (p->room->conf.noise_divisor) {
		noise_fill(&p->noise, p->x, p->frame);
		mix_add(p->sum, p->x, p->frame);
	}
	mix_out(p->mix, p->sum, NULL, p->frame);
}

/* ---- what they hear ---- */

ON_MEDIA static void packet_send(struct rt_stream *s, uint8_t *payload, size_t bytes, size_t samples)
{
	struct rt_flow *f = s->f;
	bool is_going_on = s->was_made && f->out.was_started && f->out.ts == s->made_ts;
	uint32_t ts = is_going_on ? s->made_ts_next : flow_ts_now(f);
	s->was_made = true;
	s->made_ts = ts;
	s->made_ts_next = ts + (uint32_t)((uint64_t)samples * f->send_clock_hz / s->coders.enc.ops->rate_hz);
	flow_send_own(f, (uint8_t)f->send_pt, !is_going_on, ts, payload, bytes);
}

ON_MEDIA static void group_make(struct rt_room_part *p, struct rt_group *g, enum group_sound which)
{
	const int16_t *pcm = p->mix;
	size_t n = p->frame, used = n;
	if (which == GROUP_SILENCE) {
		memset(p->x, 0, p->frame * sizeof(*p->x));
		pcm = p->x;
	}
	struct rt_member *any = list_entry(list_first(&p->members), struct rt_member, link);
	struct rt_thread *t = any->tap.s->t;
	int16_t *out = t->frame[FRAME_OUT];
	if (g->rate) {
		n = resample_run(g->rate, pcm, &used, out, RT_FRAME_MAX_SAMPLES);
		pcm = out;
	}
	g->bytes[which] = codec_encode(&g->enc, pcm, n, t->group_payload[g->at][which], GROUP_PAYLOAD_MAX);
	if (!g->bytes[which])
		g->bytes[which] = ST_AGAIN; /* nothing to be sent for this frame */
}

ON_MEDIA static void shared_send(struct rt_room_part *p, struct rt_member *m, enum group_sound which)
{
	struct rt_stream *s = m->tap.s;
	struct rt_group *g = m->group;
	uint8_t *payload = s->t->scratch + RT_PACKET_ROOM;
	if (!g->bytes[which])
		group_make(p, g, which);
	if (g->bytes[which] <= 0)
		return;
	memcpy(payload, s->t->group_payload[g->at][which], (size_t)g->bytes[which]); /* sealed in place, each its own */
	packet_send(s, payload, (size_t)g->bytes[which],
	    (size_t)((uint64_t)p->frame * g->ops->rate_hz / p->room->conf.rate_hz));
}

/* Those whom it does not hear. */
ON_MEDIA static bool deaf_out(const struct rt_room_part *p, const struct rt_member *m, int32_t *sum)
{
	bool is_any = false;
	for (unsigned i = 0; i < RT_ROOM_DEAF_MAX; i++) {
		uint32_t id = atomic_load_explicit(&m->m->deaf_to[i], memory_order_relaxed);
		const struct lnode *end = &p->members.head;
		for (const struct lnode *n = id ? end->next : end; n != end; n = n->next) {
			const struct rt_member *o = list_entry(n, struct rt_member, link);
			if (o->m->id != id || !o->is_heard || o == m)
				continue;
			for (size_t k = 0; sum && k < p->frame; k++)
				sum[k] -= o->frame[k];
			is_any = true;
		}
	}
	return is_any;
}

ON_MEDIA static void own_send(struct rt_room_part *p, struct rt_member *m, bool hears)
{
	struct rt_stream *s = m->tap.s;
	int16_t *out = s->t->frame[FRAME_OUT];
	const int16_t *pcm = p->x;
	size_t n = p->frame, used = n;
	if (!hears) {
		memset(p->x, 0, n * sizeof(*p->x));
	} else if (deaf_out(p, m, NULL)) {
		int32_t sum[RT_ROOM_FRAME_MAX];
		memcpy(sum, p->sum, n * sizeof(*sum));
		(void)deaf_out(p, m, sum);
		mix_out(p->x, sum, m->is_heard ? m->frame : NULL, n);
	} else {
		mix_out(p->x, p->sum, m->is_heard ? m->frame : NULL, n);
	}
	mix_gain(p->x, n, atomic_load_explicit(&m->m->gain_out_q12, memory_order_relaxed));
	if (m->to_codec) {
		n = resample_run(m->to_codec, p->x, &used, out, RT_FRAME_MAX_SAMPLES);
		pcm = out;
	}
	if (m->packets) {
		frames_send(m->packets, s, pcm, n);
		return;
	}
	if (pcm != out)
		memcpy(out, pcm, n * sizeof(*out));
	pcm_send(s, out, n);
}

ON_MEDIA static void member_send(struct rt_room_part *p, struct rt_member *m)
{
	struct rt_stream *s = m->tap.s;
	struct media_member *c = m->m;
	bool hears = atomic_load_explicit(&c->can_hear, memory_order_relaxed);
	if (!s->f->may_send || s->play || s->dtmf_out.is_busy || !s->coders.enc.ops ||
	    (!hears && atomic_load_explicit(&c->is_quiet, memory_order_relaxed))) {
		s->was_made = false;
		return;
	}
	bool is_own = !m->group || s->is_changed[RT_WRITE] ||
	              (hears && (m->is_heard || atomic_load_explicit(&c->deaf_to[0], memory_order_relaxed) ||
	                            atomic_load_explicit(&c->gain_out_q12, memory_order_relaxed) != 4096));
	if (is_own)
		own_send(p, m, hears);
	else
		shared_send(p, m, hears ? GROUP_MIX : GROUP_SILENCE);
}

ON_MEDIA static void part_tick(struct rt_room_part *p, int64_t now_us)
{
	struct lnode *n, *tmp;
	sum_make(p, now_us);
	for (unsigned i = 0; i < p->group_count; i++)
		memset(p->groups[i]->bytes, 0, sizeof(p->groups[i]->bytes));
	list_each (&p->members, n, tmp)
		member_send(p, list_entry(n, struct rt_member, link));
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
			part_tick(p, t->now_us);
			p->due_us += interval_us;
			if (t->now_us - p->due_us >
			    LATE_INTERVALS * interval_us) /* the machine stood still: that stays missed */
				p->due_us = t->now_us + interval_us;
		}
		if (p->due_us < t->room_due_us)
			t->room_due_us = p->due_us;
	}
}
