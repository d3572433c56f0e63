/* Rooms on control's side: who is in, and the streams that a room plays and records with. A host is a pair of wired
 * streams: what is played on one arrives at the other, which is a member that is heard always; a record of that one has
 * what it says and what it hears, which is all. There is one for sounds and one for music, made when they are first
 * needed. Plays to one member are plays on his stream: their reports come here by what that stream's owner passes on
 * (mroom_stream_report). */
#include "media/ctl/room.h"
#include "base/mem.h"
#include "dsp/mix.h"
#include "media/ctl/ctl_i.h"
#include "media/rt/room.h"

#include <string.h>

_Static_assert((int)RT_ROOM_THREADS_MAX >= (int)MCTL_THREADS_MAX, "a part for each thread");
#define HOST_ID UINT32_C(0x80000000)
enum { HOSTS = 2, WIRE_PORT = 9 };

struct mroom_host {
	struct mroom *room; /* a reference while its streams are open */
	struct mstream *player, *member;
	uint32_t play_id; /* the newest */
	unsigned open_count;
};
struct mroom_in { /* a member */
	struct lnode link;
	struct mroom *room;
	struct mstream *s; /* a reference */
	struct media_member *m;
	uint32_t tap_id, play_id;
	bool is_leaving;
};
struct mroom {
	struct media_room *rt;
	mroom_fn fn;        /* NULL: closed */
	mroom_fn record_fn; /* the same, for records' ends, also when it is closed */
	void *arg;
	struct list members;
	struct mroom_host hosts[HOSTS];
	unsigned record_count;
	bool has_relations;
	unsigned relations_thread;
};

static void room_dtor(void *obj)
{
	mem_unref(((struct mroom *)obj)->rt);
}

ON_CTL static void tell(struct mroom *r, const struct mroom_report *report)
{
	if (r->fn)
		r->fn(r, report, r->arg);
}

/* ---- members ---- */

static struct mroom_in *in_find(struct mroom *r, uint32_t id)
{
	struct lnode *n, *tmp;
	list_each (&r->members, n, tmp) {
		struct mroom_in *in = list_entry(n, struct mroom_in, link);
		if (in->m->id == id && !in->is_leaving)
			return in;
	}
	return NULL;
}

ON_CTL static void in_free(struct mroom_in *in)
{
	list_remove(&in->link);
	mem_unref(in->m);
	mem_unref(in->s);
	mem_unref(in->room);
	mem_free(in);
}

int mroom_tap_make(const struct mroom_in *in, struct rt_tap **out)
{
	struct media_params p = in->s->params;

	p.fmtp = in->s->fmtp; /* read during the call */
	return rt_member_new(out, &p, in->room->rt, in->m, in->s->thread);
}

void mroom_tap_event(struct mroom_in *in)
{
	struct mroom_report r = {.kind = MROOM_TALK,
	    .id = in->m->id,
	    .is_on = atomic_load(&in->m->is_talking),
	    .score = atomic_load(&in->m->score)};
	if (!in->is_leaving && !(in->m->id & HOST_ID))
		tell(in->room, &r);
}

void mroom_tap_over(struct mroom_in *in, int status)
{
	struct mroom *room = mem_ref(in->room);
	struct mroom_report r = {.kind = MROOM_GONE, .id = in->m->id, .status = status};
	bool is_asked = in->is_leaving || (in->m->id & HOST_ID);
	in_free(in);
	if (!is_asked)
		tell(room, &r);
	mem_unref(room);
}

ON_CTL static void conf_set(struct media_member *m, const struct mroom_member *c)
{
	atomic_store(&m->can_speak, c->can_speak);
	atomic_store(&m->can_hear, c->can_hear);
	if (!c->keeps_energy)
		atomic_store(&m->energy_level, c->energy_level);
	atomic_store(&m->auto_energy_level, c->auto_energy_level);
	atomic_store(&m->energy_floor, c->energy_floor);
	atomic_store(&m->energy_sink_ms, c->energy_sink_ms);
	atomic_store(&m->max_energy_level, c->max_energy_level);
	atomic_store(&m->max_energy_hits, c->max_energy_hits);
	atomic_store(&m->max_energy_mute_ms, c->max_energy_mute_ms);
	atomic_store(&m->gain_in_q12, mix_gain_of_step(c->volume_in));
	atomic_store(&m->gain_out_q12, mix_gain_of_step(c->volume_out));
	atomic_store(&m->agc_level, c->agc_level);
}

ON_CTL static int in_add(struct mroom *r, struct mstream *s, uint32_t id, const struct mroom_member *conf)
{
	struct mroom_in *in = mem_zalloc(sizeof(*in));
	int st = in ? media_member_new(&in->m, id) : ST_NOMEM;
	if (st) {
		mem_free(in);
		return st;
	}
	in->room = mem_ref(r), in->s = mem_ref(s);
	conf_set(in->m, conf);
	atomic_store(&in->m->is_quiet, id & HOST_ID ? true : false);
	list_push(&r->members, &in->link);
	st = tap_room(s, in, &in->tap_id);
	if (st)
		in_free(in);
	return st;
}

int mroom_join(struct mroom *r, struct mstream *s, uint32_t id, const struct mroom_member *conf)
{
	if (!id || id & HOST_ID || !r->fn)
		return ST_INVAL;
	if (in_find(r, id))
		return ST_EXISTS;
	int st = tap_can(s);
	if (st)
		return st;
	(void)mstream_idle(s);
	stream_rate_follow(s, r->rt->conf.rate_hz);
	return in_add(r, s, id, conf);
}

/* The list has no holes: the first empty place ends it for the media thread. */
ON_CTL static int deaf_change(struct media_member *m, uint32_t id, bool is_deaf)
{
	unsigned n = 0, at = RT_ROOM_DEAF_MAX;
	for (; n < RT_ROOM_DEAF_MAX && atomic_load(&m->deaf_to[n]); n++)
		if (atomic_load(&m->deaf_to[n]) == id)
			at = n;
	if (is_deaf == (at < RT_ROOM_DEAF_MAX))
		return ST_OK;
	if (is_deaf && n == RT_ROOM_DEAF_MAX)
		return ST_LIMIT;
	if (is_deaf) {
		atomic_store(&m->deaf_to[n], id);
	} else {
		atomic_store(&m->deaf_to[at], atomic_load(&m->deaf_to[n - 1]));
		atomic_store(&m->deaf_to[n - 1], 0);
	}
	return ST_OK;
}

int mroom_leave(struct mroom *r, uint32_t id)
{
	struct lnode *n, *tmp;
	struct mroom_in *in = in_find(r, id);
	if (!in)
		return ST_NOTFOUND;
	list_each (&r->members, n, tmp) /* ids do not come again: who was deaf to it has the place back */
		(void)deaf_change(list_entry(n, struct mroom_in, link)->m, id, false);
	in->is_leaving = true;
	if (mstream_tap_stop(in->s, in->tap_id))
		in_free(in); /* its stream is gone, and the tap with it */
	return ST_OK;
}

int mroom_set(struct mroom *r, uint32_t id, const struct mroom_member *conf)
{
	struct mroom_in *in = in_find(r, id);
	if (in)
		conf_set(in->m, conf);
	return in ? ST_OK : ST_NOTFOUND;
}

int mroom_energy(struct mroom *r, uint32_t id, uint32_t *level_out)
{
	struct mroom_in *in = in_find(r, id);
	if (in)
		*level_out = atomic_load(&in->m->energy_level);
	return in ? ST_OK : ST_NOTFOUND;
}

uint32_t mroom_score(struct mroom *r, uint32_t id)
{
	struct mroom_in *in = in_find(r, id);
	return in ? atomic_load(&in->m->score) : 0;
}

/* What one does not hear is taken out of the sum where both are: all whom that concerns live on one thread. */
ON_CTL static void related_move(struct mroom *r, struct mroom_in *in)
{
	if (!r->has_relations)
		r->has_relations = true, r->relations_thread = in->s->thread;
	if (in->s->thread != r->relations_thread && !in->s->is_moving)
		(void)mstream_move(in->s, r->relations_thread);
}

int mroom_relate(struct mroom *r, uint32_t speaker, uint32_t hearer, bool is_deaf)
{
	struct mroom_in *from = in_find(r, speaker), *to = in_find(r, hearer);
	if (!from || !to)
		return ST_NOTFOUND;
	int st = deaf_change(to->m, speaker, is_deaf);
	if (!st && is_deaf) {
		related_move(r, to);
		related_move(r, from);
	}
	return st;
}

/* ---- hosts ---- */

ON_CTL static struct mroom_in *host_in(struct mroom_host *h)
{
	return in_find(h->room, HOST_ID + (uint32_t)(h - h->room->hosts));
}

static void host_report(struct mstream *s, const struct media_report *m, void *arg)
{
	struct mroom_host *h = arg;
	role_assert_ctl();
	struct mroom *r = h->room;
	struct mroom_report out = {
	    .id = m->id, .status = m->status, .samples = m->samples, .is_removed = m->is_removed};
	switch (m->kind) {
	case MEDIA_R_PLAY_BEGUN:
		out.kind = MROOM_PLAY_BEGUN;
		tell(r, &out);
		break;
	case MEDIA_R_PLAY_DONE:
		out.kind = MROOM_PLAY_DONE;
		tell(r, &out);
		break;
	case MEDIA_R_RECORD_DONE: {
		struct mroom_in *in = host_in(h);
		if (r->record_count && !--r->record_count && in)
			atomic_store(&in->m->can_hear, false);
		out.kind = MROOM_RECORD_DONE;
		r->record_fn(r, &out, r->arg);
		break;
	}
	case MEDIA_R_CLOSED:
		if (!--h->open_count)
			mem_unref(r);
		break;
	default:
		break;
	}
}

ON_CTL static int host_stream(struct mroom_host *h, struct mstream **out, struct mstream *near)
{
	const struct media_room_conf *c = &h->room->rt->conf;
	struct media_params p = {
	    .may_send = true, .may_recv = true, .dtmf_send_pt = -1, .dtmf_recv_pt = -1, .cn_pt = -1};
	p.send = p.recv = (struct media_codec){.name = "L16",
	    .pt = 96,
	    .clock_hz = c->rate_hz,
	    .rate_hz = c->rate_hz,
	    .channels = 1,
	    .ptime_ms = (uint16_t)(c->interval_ms == 20 ? 20 : 10)};
	int st = mstream_open_wired(out, near, host_report, h);
	if (st)
		return st;
	if (!h->open_count++)
		mem_ref(h->room);
	st = addr_parse(&p.remote_rtp, SV("127.0.0.1"), WIRE_PORT);
	return st ? st : mstream_set_params(*out, &p);
}

ON_CTL static void host_close(struct mroom_host *h)
{
	struct mstream *both[] = {h->player, h->member};
	h->player = h->member = NULL;
	for (int i = 0; i < 2; i++) {
		if (both[i])
			mstream_close(both[i]);
		mem_unref(both[i]);
	}
}

ON_CTL static int host_need(struct mroom *r, unsigned i, struct mroom_host **out)
{
	static const struct mroom_member always = {.can_speak = true};
	struct mroom_host *h = &r->hosts[i];
	*out = h;
	if (h->player)
		return ST_OK;
	struct lnode *first = list_first(&r->members);
	struct mstream *near = first ? list_entry(first, struct mroom_in, link)->s : NULL;
	h->room = r;
	int st = host_stream(h, &h->player, near);
	if (!st)
		st = host_stream(h, &h->member, h->player);
	if (!st)
		st = mstream_wire(h->player, h->member);
	if (!st)
		st = in_add(r, h->member, HOST_ID + i, &always);
	if (st)
		host_close(h);
	return st;
}

/* ---- plays and records ---- */

int mroom_play(struct mroom *r, const char *source, int loops, bool is_music, uint32_t *id_out)
{
	struct mroom_host *h;
	int st = r->fn ? host_need(r, is_music, &h) : ST_CLOSED;
	if (!st)
		st = mstream_play(h->player, source, loops, &h->play_id);
	if (!st)
		*id_out = h->play_id;
	return st;
}

int mroom_play_to(struct mroom *r, uint32_t member, const char *source, int loops, uint32_t *id_out)
{
	struct mroom_in *in = in_find(r, member);
	int st = in ? mstream_play(in->s, source, loops, &in->play_id) : ST_NOTFOUND;
	if (!st)
		*id_out = in->play_id;
	return st;
}

/* On whose stream it is. */
ON_CTL static struct mstream *stream_of_play(struct mroom *r, uint32_t id, struct mroom_host **host)
{
	struct lnode *n, *tmp;
	*host = NULL;
	for (int i = 0; i < HOSTS; i++)
		if (r->hosts[i].player && r->hosts[i].play_id == id)
			return (*host = &r->hosts[i])->player;
	list_each (&r->members, n, tmp)
		if (list_entry(n, struct mroom_in, link)->play_id == id)
			return list_entry(n, struct mroom_in, link)->s;
	return NULL;
}

int mroom_play_stop(struct mroom *r, uint32_t id)
{
	struct mroom_host *h;
	struct mstream *s = id ? stream_of_play(r, id, &h) : NULL;
	return s ? mstream_play_stop(s, id) : ST_NOTFOUND;
}

int mroom_play_set(struct mroom *r, uint32_t id, enum media_play_op op, int32_t value)
{
	struct mroom_host *h;
	struct mstream *s = id ? stream_of_play(r, id, &h) : NULL;
	return s ? mstream_play_set(s, op, value) : ST_NOTFOUND;
}

int mroom_play_volume(struct mroom *r, uint32_t id, int steps)
{
	struct mroom_host *h;
	struct mstream *s = id ? stream_of_play(r, id, &h) : NULL;
	struct mroom_in *in = s && h ? host_in(h) : NULL;
	if (!in)
		return ST_NOTFOUND;
	atomic_store(&in->m->gain_in_q12, mix_gain_of_step(steps));
	return ST_OK;
}

int mroom_record(struct mroom *r, const char *path, const struct media_record_conf *conf, uint32_t *id_out)
{
	struct mroom_host *h;
	struct media_record_conf all = *conf;
	int st = r->fn ? host_need(r, 0, &h) : ST_CLOSED;
	if (st)
		return st;
	all.has_read = all.has_write = true;
	st = mstream_record(h->member, path, &all, id_out);
	if (!st) {
		struct mroom_in *in = host_in(h);
		r->record_count++;
		if (in)
			atomic_store(&in->m->can_hear, true);
	}
	return st;
}

int mroom_record_stop(struct mroom *r, uint32_t id)
{
	return r->hosts[0].member && id ? mstream_record_stop(r->hosts[0].member, id) : ST_NOTFOUND;
}

int mroom_record_pause(struct mroom *r, uint32_t id, bool is_paused)
{
	return r->hosts[0].member ? mstream_record_set(r->hosts[0].member, id, false, is_paused) : ST_NOTFOUND;
}

/* ---- life ---- */

int mroom_open(struct mroom **out, const struct mroom_conf *conf, mroom_fn fn, void *arg)
{
	struct media_room_conf c = {
	    .rate_hz = conf->rate_hz, .interval_ms = conf->interval_ms, .noise_divisor = conf->noise_divisor};
	struct mroom *r = mem_new(sizeof(*r), room_dtor, "media.mroom");
	int st = r ? media_room_new(&r->rt, &c) : ST_NOMEM;
	if (st) {
		mem_unref(r);
		return st;
	}
	list_init(&r->members);
	r->fn = r->record_fn = fn, r->arg = arg;
	*out = r;
	return ST_OK;
}

void mroom_close(struct mroom *r)
{
	struct lnode *n, *tmp;
	if (!r->fn)
		return;
	r->fn = NULL;
	list_each (&r->members, n, tmp) {
		struct mroom_in *in = list_entry(n, struct mroom_in, link);
		if (!in->is_leaving && !(in->m->id & HOST_ID))
			(void)mroom_leave(r, in->m->id);
	}
	for (int i = 0; i < HOSTS; i++)
		host_close(&r->hosts[i]);
}
