/* What a room's members hear. Who is heard himself gets the sum without himself, from his own encoder; so does who does
 * not hear somebody, or has a volume of his own. All others of a codec and packet time get one payload that was made
 * once. Who begins to talk changes from the group's packets to his own between two of them, and back when he is silent:
 * sequence and timestamps are the stream's and go on. Where packets are longer or shorter than the room's frames both
 * are cut alike, so that a change in the middle of a packet begins with what the group has of it. */
#include "dsp/mix.h"
#include "media/rt/room_i.h"

/* ---- one for all ---- */

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

/* The packet's samples, where they lie. */
static const int16_t *group_pcm(const struct rt_room_part *p, const struct rt_group *g)
{
	return g->cut.pcm ? g->cut.pcm : p->mix;
}

ON_MEDIA static void group_make(struct rt_room_part *p, struct rt_group *g, enum group_sound which, struct rt_thread *t)
{
	const int16_t *pcm = group_pcm(p, g);
	size_t n = g->packet, used = n;
	int16_t *out = t->frame[FRAME_OUT];
	if (which == GROUP_SILENCE) {
		n = codec_frame_samples(g->ops, g->ptime_ms);
		memset(out, 0, n * sizeof(*out));
		pcm = out;
	} else if (g->rate) {
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
		group_make(p, g, which, s->t);
	if (g->bytes[which] <= 0)
		return;
	memcpy(payload, s->t->group_payload[g->at][which], (size_t)g->bytes[which]); /* sealed in place, each its own */
	packet_send(s, payload, (size_t)g->bytes[which],
	    (size_t)((uint64_t)g->packet * g->ops->rate_hz / p->room->conf.rate_hz));
}

/* ---- one for himself ---- */

static const struct rt_member *member_find(const struct rt_room_part *p, uint32_t id)
{
	const struct lnode *end = &p->members.head;
	for (const struct lnode *n = end->next; n != end; n = n->next)
		if (list_entry(n, struct rt_member, link)->m->id == id)
			return list_entry(n, struct rt_member, link);
	return NULL;
}

/* Those whom it does not hear. */
ON_MEDIA static void deaf_out(const struct rt_room_part *p, const struct rt_member *m, int32_t *sum)
{
	for (unsigned i = 0; i < RT_ROOM_DEAF_MAX; i++) {
		uint32_t id = atomic_load_explicit(&m->m->deaf_to[i], memory_order_relaxed);
		const struct rt_member *o = id ? member_find(p, id) : NULL;
		if (o && o->is_heard && o != m)
			for (size_t k = 0; k < p->frame; k++)
				sum[k] -= o->frame[k];
	}
}

static bool has_deaf(const struct rt_member *m)
{
	return atomic_load_explicit(&m->m->deaf_to[0], memory_order_relaxed);
}

/* This tick's frame, into out. */
ON_MEDIA static void own_mix(const struct rt_room_part *p, const struct rt_member *m, bool hears, int16_t *out)
{
	size_t n = p->frame;
	const int16_t *own = m->is_heard ? m->frame : NULL;
	if (!hears) {
		memset(out, 0, n * sizeof(*out));
		return;
	}
	if (has_deaf(m)) {
		int32_t sum[RT_ROOM_FRAME_MAX];
		memcpy(sum, p->sum, n * sizeof(*sum));
		deaf_out(p, m, sum);
		mix_out(out, sum, own, n);
	} else {
		mix_out(out, p->sum, own, n);
	}
	mix_gain(out, n, atomic_load_explicit(&m->m->gain_out_q12, memory_order_relaxed));
}

ON_MEDIA static void own_send(struct rt_member *m, const int16_t *pcm)
{
	struct rt_stream *s = m->tap.s;
	int16_t *out = s->t->frame[FRAME_OUT];
	size_t n = m->packet, used = n;
	if (m->to_codec)
		n = resample_run(m->to_codec, pcm, &used, out, RT_FRAME_MAX_SAMPLES);
	else
		memcpy(out, pcm, n * sizeof(*out));
	pcm_send(s, out, n);
}

/* ---- who gets which ---- */

static bool may_hear(const struct rt_member *m)
{
	return atomic_load_explicit(&m->m->can_hear, memory_order_relaxed);
}

/* Nothing is made for one who cannot be sent to, who hears a sound of his own, or who is to be left alone. */
static bool is_reached(const struct rt_member *m)
{
	const struct rt_stream *s = m->tap.s;
	bool is_quiet = atomic_load_explicit(&m->m->is_quiet, memory_order_relaxed);
	return s->f->may_send && !s->play && !s->dtmf_out.is_busy && s->coders.enc.ops && (!is_quiet || may_hear(m));
}

/* Silence may be shared where a codec remembers nothing of it. */
static bool needs_own(const struct rt_member *m, bool hears)
{
	if (!m->group || m->tap.s->is_changed[RT_WRITE])
		return true;
	if (!hears)
		return !m->group->ops->sample_bytes;
	return m->is_heard || has_deaf(m) || atomic_load_explicit(&m->m->gain_out_q12, memory_order_relaxed) != 4096;
}

/* What only it hears is laid aside until it is a packet. Its group has this frame already. */
ON_MEDIA static enum member_sends own_gather(struct rt_room_part *p, struct rt_member *m)
{
	bool hears = may_hear(m);
	const struct rt_cut *g = m->group ? &m->group->cut : NULL;
	if (!needs_own(m, hears) && (!m->cut.fill || !hears)) {
		m->cut.fill = 0;
		return SENDS_SHARED;
	}
	if (!m->cut.pcm)
		return SENDS_OWN; /* a frame is a packet: it is made when it is sent */
	if (!m->cut.fill && g && g->fill > p->frame) {
		m->cut.fill = g->fill - p->frame;
		memcpy(m->cut.pcm, g->pcm, m->cut.fill * sizeof(*m->cut.pcm));
	}
	own_mix(p, m, hears, m->cut.pcm + m->cut.fill);
	m->cut.fill += p->frame;
	return SENDS_OWN;
}

static bool cut_has_packet(const struct rt_cut *c, size_t packet)
{
	return c->pcm && c->fill >= packet;
}

static void cut_pop(struct rt_cut *c, size_t packet)
{
	c->fill -= packet;
	memmove(c->pcm, c->pcm + packet, c->fill * sizeof(*c->pcm));
}

/* One packet to it, if there is one. */
ON_MEDIA static void member_send(struct rt_room_part *p, struct rt_member *m)
{
	const struct rt_cut *c = m->sends == SENDS_SHARED ? &m->group->cut : &m->cut;
	if (c->pcm && c->fill < m->packet)
		return;
	if (m->sends == SENDS_SHARED) {
		shared_send(p, m, may_hear(m) ? GROUP_MIX : GROUP_SILENCE);
	} else if (c->pcm) {
		own_send(m, c->pcm);
		cut_pop(&m->cut, m->packet);
	} else {
		own_mix(p, m, may_hear(m), p->x);
		own_send(m, p->x);
	}
}

ON_MEDIA static void member_begin(struct rt_room_part *p, struct rt_member *m)
{
	if (!is_reached(m)) {
		m->sends = SENDS_NOTHING, m->cut.fill = 0;
		m->tap.s->was_made = false;
		return;
	}
	m->sends = own_gather(p, m);
	member_send(p, m);
}

ON_MEDIA static void groups_gather(struct rt_room_part *p)
{
	unsigned count = atomic_load_explicit(&p->group_count, memory_order_relaxed);
	for (unsigned i = 0; i < count; i++) {
		struct rt_group *g = p->groups[i];
		memset(g->bytes, 0, sizeof(g->bytes));
		if (!g->cut.pcm)
			continue;
		memcpy(g->cut.pcm + g->cut.fill, p->mix, p->frame * sizeof(*g->cut.pcm));
		g->cut.fill += p->frame;
	}
}

/* The packet is sent; is there another one of this tick? */
ON_MEDIA static bool groups_next(struct rt_room_part *p)
{
	unsigned count = atomic_load_explicit(&p->group_count, memory_order_relaxed);
	bool is_more = false;
	for (unsigned i = 0; i < count; i++) {
		struct rt_group *g = p->groups[i];
		memset(g->bytes, 0, sizeof(g->bytes));
		if (cut_has_packet(&g->cut, g->packet))
			cut_pop(&g->cut, g->packet);
		is_more = is_more || cut_has_packet(&g->cut, g->packet);
	}
	return is_more;
}

/* Frames that are longer than packets are several of them. */
ON_MEDIA static bool rest_send(struct rt_room_part *p)
{
	struct lnode *n, *tmp;
	bool is_more = false;
	list_each (&p->members, n, tmp) {
		struct rt_member *m = list_entry(n, struct rt_member, link);
		const struct rt_cut *c = m->sends == SENDS_SHARED ? &m->group->cut : &m->cut;
		if (m->sends != SENDS_NOTHING && c->pcm)
			member_send(p, m);
		is_more = is_more || (m->sends == SENDS_OWN && cut_has_packet(c, m->packet));
	}
	return groups_next(p) || is_more;
}

void part_send(struct rt_room_part *p)
{
	struct lnode *n, *tmp;
	bool is_more = false;
	groups_gather(p);
	list_each (&p->members, n, tmp) {
		struct rt_member *m = list_entry(n, struct rt_member, link);
		member_begin(p, m);
		is_more = is_more || cut_has_packet(&m->cut, m->packet);
	}
	is_more = groups_next(p) || is_more;
	while (is_more)
		is_more = rest_send(p);
}
