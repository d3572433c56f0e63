/* A stream in a room: how it gets in and out, and what its packets do there. It is a tap, so that whatever happens to
 * the stream (another codec, another thread, its end) ends it as it ends other taps, and control makes it anew where
 * that is wanted. It needs no lanes of the stream's and no tick: the room's part has both. */
#include "base/check.h"
#include "base/mem.h"
#include "dsp/mix.h"
#include "media/rt/room_i.h"

#include <stdio.h>
#include <string.h>

static void room_dtor(void *obj)
{
	struct media_room *r = obj;
	for (unsigned i = 0; i < RT_ROOM_THREADS_MAX; i++)
		rt_room_part_free(atomic_load(&r->parts[i]));
}

int media_room_new(struct media_room **out, const struct media_room_conf *conf)
{
	uint64_t frame = (uint64_t)conf->rate_hz * conf->interval_ms;
	if (conf->rate_hz < 8000 || conf->rate_hz > 48000 || conf->interval_ms < 10 || conf->interval_ms > 60 ||
	    frame % 1000)
		return ST_INVAL;
	struct media_room *r = mem_new_atomic(sizeof(*r), room_dtor, "media.room");
	if (!r)
		return ST_NOMEM;
	r->conf = *conf;
	r->frame = (uint32_t)(frame / 1000);
	*out = r;
	return ST_OK;
}

void rt_group_free(struct rt_group *g)
{
	if (!g)
		return;
	codec_enc_close(&g->enc);
	mem_unref(g->rate);
	mem_free(g->cut.pcm);
	mem_free(g);
}

void rt_room_part_free(struct rt_room_part *p)
{
	if (!p)
		return;
	DCHECK(!p->count);
	for (unsigned i = 0; i < p->group_count; i++)
		rt_group_free(p->groups[i]);
	mem_unref(p->out);
	mem_free(p->sum);
	mem_free(p->mix);
	mem_free(p->x);
	mem_free(p);
}

int media_room_part_need(struct media_room *room, unsigned thread)
{
	if (thread >= RT_ROOM_THREADS_MAX)
		return ST_INVAL;
	if (atomic_load(&room->parts[thread]))
		return ST_OK;
	struct rt_room_part *p = mem_zalloc(sizeof(*p));
	if (!p)
		return ST_NOMEM;
	p->room = room, p->thread = thread, p->frame = room->frame;
	list_init(&p->members);
	noise_init_divisor(&p->noise, room->conf.noise_divisor, thread + 1);
	p->sum = mem_zalloc(p->frame * sizeof(*p->sum));
	p->mix = mem_zalloc(p->frame * sizeof(*p->mix));
	p->x = mem_zalloc(p->frame * sizeof(*p->x));
	int st = p->sum && p->mix && p->x ? rt_ring_new(&p->out, 8 * p->frame * sizeof(int16_t)) : ST_NOMEM;
	if (st) {
		rt_room_part_free(p);
		return st;
	}
	atomic_store_explicit(&room->parts[thread], p, memory_order_release);
	atomic_fetch_add(&room->part_count, 1);
	return ST_OK;
}

int media_member_new(struct media_member **out, uint32_t id)
{
	struct media_member *m = mem_new_atomic(sizeof(*m), NULL, "media.member");
	if (!m)
		return ST_NOMEM;
	m->id = id;
	m->gain_in_q12 = m->gain_out_q12 = 4096;
	m->can_speak = m->can_hear = true;
	*out = m;
	return ST_OK;
}

static struct rt_member *member_of(struct rt_tap *tap)
{
	return (struct rt_member *)tap;
}

static void member_fini(struct rt_tap *tap)
{
	struct rt_member *m = member_of(tap);
	rt_lane_free(m->lane);
	mem_unref(m->to_codec);
	mem_free(m->cut.pcm);
	rt_group_free(m->seed);
	mem_unref(m->m);
	mem_unref(m->room);
}

static void member_begin(struct rt_tap *tap, struct rt_stream *other)
{
	role_assert_media();
	struct rt_member *m = member_of(tap);
	if (tap->s->member)
		tap_end(&tap->s->member->tap, ST_CANCELLED); /* a stream is in one room */
	tap->s->member = m;
	part_enter(m->part, m);
	tap_replan(tap->s); /* its jitter buffer is needed now */
}

static void member_end(struct rt_tap *tap)
{
	role_assert_media();
	struct rt_member *m = member_of(tap);
	part_leave(m);
	if (tap->s->member == m)
		tap->s->member = NULL;
}

static const struct rt_tap_ops member_ops = {
    .name = "room", .fini = member_fini, .begin = member_begin, .end = member_end, .is_tied = true};

static int cut_init(struct rt_cut *c, size_t frame, size_t packet)
{
	if (frame == packet)
		return ST_OK;
	c->pcm = mem_zalloc((frame + packet) * sizeof(*c->pcm));
	return c->pcm ? ST_OK : ST_NOMEM;
}

static const char *fmtp_of(const struct media_params *p)
{
	return p->fmtp ? p->fmtp : "";
}

static int group_new(struct rt_group **out, const struct media_params *p, const struct codec_ops *ops,
    const struct media_room *room, size_t packet, unsigned ptime_ms)
{
	uint32_t room_hz = room->conf.rate_hz;
	struct rt_group *g = mem_zalloc(sizeof(*g));
	if (!g)
		return ST_NOMEM;
	g->ops = ops, g->ptime_ms = (uint16_t)ptime_ms, g->packet = packet;
	snprintf(g->fmtp, sizeof(g->fmtp), "%s", fmtp_of(p));
	int st = codec_enc_open(&g->enc, ops, p->fmtp);
	if (!st && ops->rate_hz != room_hz)
		st = resample_new(&g->rate, room_hz, ops->rate_hz, 1);
	if (!st)
		st = cut_init(&g->cut, room->frame, packet);
	if (st)
		rt_group_free(g);
	else
		*out = g;
	return st;
}

/* The part's group of the codec; where there is none yet, one that may become it. */
static int group_need(
    struct rt_member *m, const struct media_params *p, const struct codec_ops *send, unsigned ptime_ms)
{
	struct rt_room_part *part = m->part;
	unsigned count = atomic_load_explicit(&part->group_count, memory_order_acquire);
	if (send->heed || strlen(fmtp_of(p)) >= GROUP_FMTP_MAX) /* heed: each far side has wishes of its own */
		return ST_OK;
	for (unsigned i = 0; i < count && !m->group; i++)
		if (group_is_for(part->groups[i], send, ptime_ms, fmtp_of(p)))
			m->group = part->groups[i];
	if (m->group || count == GROUPS_MAX)
		return ST_OK;
	return group_new(&m->seed, p, send, m->room, m->packet, ptime_ms);
}

static const struct codec_ops *ops_of(const struct media_codec *c)
{
	return codec_find_rate(c->name, c->clock_hz, c->channels, c->rate_hz);
}

int rt_member_new(struct rt_tap **out, const struct media_params *p, struct media_room *room,
    struct media_member *member, unsigned thread)
{
	const struct codec_ops *recv = ops_of(&p->recv), *send = ops_of(&p->send);
	unsigned ptime_ms = p->send.ptime_ms ? p->send.ptime_ms : 20;
	uint32_t hz = room->conf.rate_hz;
	if (!recv || !send)
		return ST_UNSUPPORTED;
	int st = media_room_part_need(room, thread);
	struct rt_member *m = st ? NULL : mem_zalloc(sizeof(*m) + room->frame * sizeof(m->frame[0]));
	if (!m)
		return st ? st : ST_NOMEM;
	m->tap.ops = &member_ops, m->tap.is_bare = true;
	m->room = mem_ref(room), m->m = mem_ref(member);
	m->part = atomic_load(&room->parts[thread]);
	m->agc_gain_q12 = 4096;
	m->packet = (size_t)hz * ptime_ms / 1000;
	plc_init(&m->plc, hz);
	st = rt_lane_new_span(&m->lane, recv->rate_hz, hz, LANE_LEAD_MS, LANE_ROOM_MS);
	if (!st && send->rate_hz != hz)
		st = resample_new(&m->to_codec, hz, send->rate_hz, 1);
	if (!st)
		st = cut_init(&m->cut, room->frame, m->packet);
	if (!st)
		st = group_need(m, p, send, ptime_ms);
	if (st)
		rt_tap_free(&m->tap);
	else
		*out = &m->tap;
	return st;
}

/* A packet that would not be heard is worth no resampling. */
ON_MEDIA static bool is_quiet_packet(struct rt_member *m, const int16_t *pcm, size_t n)
{
	uint32_t level = atomic_load_explicit(&m->m->energy_level, memory_order_relaxed);
	m->quiet_score = 0;
	if (!m->lane->resample || !level || atomic_load_explicit(&m->m->is_talking, memory_order_relaxed))
		return false;
	uint32_t score = mix_level_abs(pcm, n);
	if (score >= level)
		return false;
	m->quiet_score = score;
	return true;
}

void member_in(struct rt_stream *s, struct pkt *k)
{
	struct rt_member *m = s->member;
	const int16_t *pcm = pkt_samples(s, k);
	uint32_t clock_hz = s->params.recv.clock_hz ? s->params.recv.clock_hz : 8000;
	if (!pcm || m->lane->in_hz != s->coders.dec.ops->rate_hz)
		return;
	size_t n = (size_t)k->pcm_count;
	if (is_quiet_packet(m, pcm, n))
		lane_lay_silence(m->lane, clock_hz, k->ts, n);
	else
		lane_lay(m->lane, clock_hz, k->ts, pcm, n, s->t->pcm[1], RT_FRAME_MAX_SAMPLES);
}
