/* How the members of a room hear each other. Two are relayed to each other; each further one listens in on the oldest
 * and whispers into both of its sides, so that all hear all and nobody himself (media/ctl: relay, spy). Sounds are
 * mixed into what a member hears, or replace the silence of who is alone; a record taps the oldest. What the media
 * threads report comes back by the leg's part and is found by its number.
 *
 *     oldest <== relay ==> second            third, fourth ... -- spy, whisper --> oldest
 *
 * Built for tens of members a room: a mixer of its own on the media threads is to take this file's place, and with it
 * what needs one: a level below which a member is not heard, gain control, relations, positions. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "conference/mix_i.h"
#include "core/leg/part.h"
#include "core/sound/media.h"

enum { TALK_HITS = 5, SILENCE_HITS = 40, BEGUN_US = 200000 };

struct mixer_member {
	struct mstream *s;
	struct mstream *target; /* whom it listens to, or NULL */
	uint32_t spy_id, watch_id;
	bool is_relayed, watches_silence;
};
struct mixer_room {
	struct list plays; /* struct mix_play */
};
enum kind { PART, WATCH, RECORD };
struct told { /* by the number of what reports */
	enum kind kind;
	struct mix_play *play;
	struct conf_member *member;
	struct conf_record *record;
	struct mstream *s;
	struct lnode link; /* of a play's parts */
	uint32_t id;
	bool is_tap;
};
struct mix_play {
	struct lnode link;
	struct conf_play *play;
	struct list parts;
	struct ltimer begun;
	uint32_t id; /* of its first part: the play's own */
};
static struct hash *tolds;

static struct sv key_of(const uint32_t *id)
{
	return (struct sv){(const char *)id, sizeof(*id)};
}

static ON_CTL struct told *told_new(uint32_t id, enum kind kind, struct mstream *s)
{
	struct told *t = mem_zalloc(sizeof(*t));
	if (!t || (!tolds && hash_new(&tolds, 0, NULL)) || hash_set(tolds, key_of(&id), t)) {
		mem_free(t);
		return NULL;
	}
	t->id = id, t->kind = kind, t->s = mem_ref(s);
	return t;
}

static ON_CTL void told_free(struct told *t)
{
	list_remove(&t->link);
	hash_del(tolds, key_of(&t->id));
	mem_unref(t->s);
	mem_free(t);
	if (!hash_count(tolds)) {
		hash_free(tolds);
		tolds = NULL;
	}
}

static ON_CTL struct told *told_find(uint32_t id)
{
	return id && tolds ? hash_get(tolds, key_of(&id)) : NULL;
}

/* Forgotten first: a stop may report at once. */
static ON_CTL void told_end(struct told *t)
{
	struct mstream *s = mem_ref(t->s);
	uint32_t id = t->id;
	bool is_play = t->kind == PART && !t->is_tap;
	told_free(t);
	if (is_play)
		(void)mstream_play_stop(s, id);
	else
		(void)mstream_tap_stop(s, id);
	mem_unref(s);
}

/* ---- rooms and who hears whom ---- */

int conf_mix_open(struct conf_room *room)
{
	room->mix = mem_zalloc(sizeof(*room->mix));
	if (!room->mix)
		return ST_NOMEM;
	list_init(&room->mix->plays);
	return ST_OK;
}

void conf_mix_close(struct conf_room *room)
{
	mem_free(room->mix);
	room->mix = NULL;
}

static struct conf_member *oldest_of(const struct conf_room *room)
{
	return list_empty(&room->members) ? NULL : conf_member_of(room->members.head.prev);
}

static ON_CTL unsigned spy_flags(const struct conf_member *m)
{
	bool is_heard = !m->is_muted && !m->is_held;
	return MEDIA_SPY_READ | MEDIA_SPY_WRITE | (is_heard ? MEDIA_WHISPER_READ | MEDIA_WHISPER_WRITE : 0);
}

static ON_CTL void part_from(struct mixer_member *x)
{
	if (x->target) {
		if (x->spy_id)
			(void)mstream_tap_stop(x->target, x->spy_id);
		x->target = mem_unref(x->target);
		x->spy_id = 0;
	}
	if (x->is_relayed)
		(void)mstream_idle(x->s);
	x->is_relayed = false;
}

/* As far as it is not so already: the second relayed to the oldest, the others listening. */
static ON_CTL void layout(struct conf_room *room)
{
	struct conf_member *a = oldest_of(room);
	struct lnode *it, *second = a ? a->link.prev : NULL;
	if (!a || second == &room->members.head || room->waits_for_moderator) {
		for (it = room->members.head.next; it != &room->members.head; it = it->next)
			part_from(conf_member_of(it)->mix);
		return;
	}
	struct mixer_member *x = a->mix, *y = conf_member_of(second)->mix;
	if (!x->is_relayed || !y->is_relayed) {
		for (it = room->members.head.next; it != &room->members.head; it = it->next)
			part_from(conf_member_of(it)->mix);
		x->is_relayed = y->is_relayed = mstream_relay(x->s, y->s) == ST_OK;
	}
	for (it = second->prev; it != &room->members.head; it = it->prev) {
		struct conf_member *m = conf_member_of(it);
		if (!m->mix->target && !mstream_spy(m->mix->s, x->s, spy_flags(m), &m->mix->spy_id))
			m->mix->target = mem_ref(x->s);
	}
}

void conf_mix_layout(struct conf_room *room)
{
	layout(room);
}

/* ---- talk ---- */

static ON_CTL void watch(struct conf_member *m, bool wants_silence)
{
	struct mixer_member *x = m->mix;
	struct media_energy_conf conf = {
	    .wants_silence = wants_silence, .level = m->energy_level, .hits = wants_silence ? SILENCE_HITS : TALK_HITS};
	x->watch_id = 0, x->watches_silence = wants_silence;
	if (mstream_detect_energy(x->s, &conf, &x->watch_id))
		return;
	struct told *t = told_new(x->watch_id, WATCH, x->s);
	if (t)
		t->member = m;
}

static ON_CTL void watch_end(struct conf_member *m)
{
	struct told *t = told_find(m->mix->watch_id);
	if (!t)
		return;
	m->mix->watch_id = 0;
	told_end(t);
}

/* ---- members ---- */

int conf_mix_join(struct conf_member *m)
{
	struct mstream *s = leg_media_stream(m->leg);
	struct conf_member **at = leg_part_of(m->leg, &conf_part);
	if (!s || *at)
		return s ? ST_BUSY : ST_UNSUPPORTED;
	m->mix = mem_zalloc(sizeof(*m->mix));
	if (!m->mix)
		return ST_NOMEM;
	m->mix->s = mem_ref(s);
	*at = m;
	return ST_OK;
}

/* It is in the room's list now. */
void conf_mix_joined(struct conf_member *m)
{
	conf_mix_tell(m);
	layout(m->room);
	watch(m, false);
}

static ON_CTL void parts_forget(struct conf_room *room, struct mstream *s);
static ON_CTL void plays_check(struct conf_room *room);
static ON_CTL void records_move(struct conf_room *room, struct mstream *s);

void conf_mix_leave(struct conf_member *m)
{
	struct conf_member **at = leg_part_of(m->leg, &conf_part);
	struct mixer_member *x = m->mix;
	if (!x)
		return;
	watch_end(m);
	parts_forget(m->room, x->s);
	part_from(x);
	(void)mstream_set_level(x->s, &(struct media_level){.steps = {0, 0}});
	records_move(m->room, x->s);
	/* whom it was relayed to is idle now, and who listened to it listens to nobody */
	for (struct lnode *it = m->room->members.head.next; it != &m->room->members.head; it = it->next) {
		struct mixer_member *o = conf_member_of(it)->mix;
		if (o->target == x->s)
			part_from(o);
	}
	if (m->room->count + m->room->ghost_count > 0) {
		unsigned relayed = 0;
		for (struct lnode *it = m->room->members.head.next; it != &m->room->members.head; it = it->next)
			relayed += conf_member_of(it)->mix->is_relayed;
		if (relayed == 1)
			for (struct lnode *it = m->room->members.head.next; it != &m->room->members.head; it = it->next)
				part_from(conf_member_of(it)->mix);
		layout(m->room);
	}
	*at = NULL;
	mem_unref(x->s);
	mem_free(x);
	m->mix = NULL;
	plays_check(m->room);
}

void conf_mix_tell(struct conf_member *m)
{
	struct mixer_member *x = m->mix;
	struct media_level level = {
	    .steps = {m->volume_in, m->volume_out}, .mute = {m->is_muted || m->is_held, m->is_deaf || m->is_held}};
	if (!x)
		return;
	(void)mstream_set_level(x->s, &level);
	if (x->target && x->spy_id)
		(void)mstream_spy_set(x->target, x->spy_id, spy_flags(m));
}

void conf_mix_relate(struct conf_room *room, const struct conf_relation *r)
{
	(void)room;
	(void)r;
}

/* ---- plays ---- */

static ON_CTL void mix_play_free(struct mix_play *mp)
{
	struct lnode *it, *tmp;
	list_each (&mp->parts, it, tmp)
		told_free(list_entry(it, struct told, link));
	loop_timer_cancel(&mp->begun);
	list_remove(&mp->link);
	mem_free(mp);
}

static ON_CTL void mix_play_over(struct mix_play *mp, int status)
{
	struct conf_room *room = mp->play->room;
	uint32_t id = mp->id;
	mix_play_free(mp);
	conf_play_told(room, id, false, status);
}

static void begun(void *arg)
{
	struct mix_play *mp = arg;
	role_assert_ctl();
	conf_play_told(mp->play->room, mp->id, true, ST_OK);
}

/* Who hears nobody has nothing that the sound could be mixed into. */
static ON_CTL int play_one(struct mix_play *mp, struct conf_member *m)
{
	struct mixer_member *x = m->mix;
	bool is_tap = (x->is_relayed || x->target) && !mp->play->is_exclusive;
	const struct media_displace_conf conf = {.on_write = true, .is_mixed = true};
	uint32_t id = 0;
	int st = is_tap ? mstream_displace(x->s, mp->play->source, &conf, mp->play->loops, &id)
	                : mstream_play(x->s, mp->play->source, mp->play->loops, &id);
	struct told *t = st ? NULL : told_new(id, PART, x->s);
	if (!t)
		return st ? st : ST_NOMEM;
	t->play = mp, t->is_tap = is_tap;
	list_push(&mp->parts, &t->link);
	if (!mp->id)
		mp->id = id;
	if (is_tap && !loop_timer_is_set(&mp->begun))
		loop_timer_set(&mp->begun, BEGUN_US, "conference play", begun, mp);
	return ST_OK;
}

int conf_mix_play(struct conf_play *p)
{
	struct mix_play *mp = mem_zalloc(sizeof(*mp));
	int st = ST_NOTFOUND;
	if (!mp)
		return ST_NOMEM;
	mp->play = p;
	list_init(&mp->parts);
	list_push(&p->room->mix->plays, &mp->link);
	if (p->member) {
		st = p->member->mix ? play_one(mp, p->member) : ST_CLOSED;
	} else {
		for (struct lnode *it = p->room->members.head.prev; it != &p->room->members.head; it = it->prev) {
			int one = conf_member_of(it)->mix ? play_one(mp, conf_member_of(it)) : ST_CLOSED;
			st = mp->id ? ST_OK : one;
		}
	}
	if (st) {
		mix_play_free(mp);
		return st;
	}
	p->id = mp->id;
	return ST_OK;
}

static ON_CTL struct mix_play *mix_play_of(const struct conf_play *p)
{
	struct lnode *it, *tmp;
	if (!p->room->mix)
		return NULL;
	list_each (&p->room->mix->plays, it, tmp)
		if (list_entry(it, struct mix_play, link)->play == p)
			return list_entry(it, struct mix_play, link);
	return NULL;
}

void conf_mix_play_stop(struct conf_play *p)
{
	struct mix_play *mp = mix_play_of(p);

	if (!mp)
		return;
	while (!list_empty(&mp->parts))
		told_end(list_entry(list_first(&mp->parts), struct told, link));
	mix_play_free(mp);
}

static ON_CTL int play_set(struct conf_play *p, enum media_play_op op, int value)
{
	struct mix_play *mp = mix_play_of(p);
	struct lnode *it, *tmp;
	int st = ST_NOTFOUND;
	if (!mp)
		return st;
	list_each (&mp->parts, it, tmp) {
		struct told *t = list_entry(it, struct told, link);
		if (!t->is_tap)
			st = mstream_play_set(t->s, op, value);
	}
	return st;
}

int conf_mix_play_pause(struct conf_play *p, bool is_paused)
{
	return play_set(p, MEDIA_PLAY_PAUSE, is_paused);
}

int conf_mix_play_seek(struct conf_play *p, bool is_relative, int ms)
{
	return play_set(p, is_relative ? MEDIA_PLAY_SEEK_BY : MEDIA_PLAY_SEEK_TO, ms);
}

int conf_mix_play_volume(struct conf_play *p)
{
	(void)p;
	return ST_UNSUPPORTED;
}

/* A stream leaves: what was heard on it alone is over. */
static ON_CTL void parts_forget(struct conf_room *room, struct mstream *s)
{
	struct lnode *it, *tmp, *pi, *ptmp;
	list_each (&room->mix->plays, it, tmp) {
		struct mix_play *mp = list_entry(it, struct mix_play, link);
		list_each (&mp->parts, pi, ptmp) {
			struct told *t = list_entry(pi, struct told, link);
			if (t->s == s)
				told_end(t);
		}
	}
}

/* Sounds that nobody hears any more are over, while somebody is there. */
static ON_CTL void plays_check(struct conf_room *room)
{
	struct lnode *it, *tmp;
	if (list_empty(&room->members))
		return;
	list_each (&room->mix->plays, it, tmp) {
		struct mix_play *mp = list_entry(it, struct mix_play, link);
		if (list_empty(&mp->parts)) {
			mix_play_over(mp, ST_CANCELLED);
			return; /* what follows it may have begun: the rest is looked at when that ends */
		}
	}
}

/* ---- records ---- */

static ON_CTL int record_on(struct conf_record *r, struct conf_member *m)
{
	const struct media_record_conf conf = {
	    .has_read = true, .has_write = true, .rate_hz = r->room->rate_hz, .is_append = r->samples > 0};
	uint32_t id = 0;
	int st = m && m->mix ? mstream_record(m->mix->s, r->path, &conf, &id) : ST_CLOSED;
	struct told *t = st ? NULL : told_new(id, RECORD, m->mix->s);
	if (st || !t)
		return st ? st : ST_NOMEM;
	t->record = r;
	r->mix_id = id;
	return ST_OK;
}

int conf_mix_record(struct conf_record *r)
{
	return record_on(r, oldest_of(r->room));
}

void conf_mix_record_stop(struct conf_record *r)
{
	struct told *t = told_find(r->mix_id);
	if (t)
		(void)mstream_record_stop(t->s, t->id);
	else
		conf_record_told(r->room, r->mix_id, ST_OK, r->samples);
}

void conf_mix_record_pause(struct conf_record *r)
{
	struct told *t = told_find(r->mix_id);
	if (t)
		(void)mstream_record_set(t->s, t->id, false, r->is_paused);
}

/* Its stream goes: the record goes on behind what it has, on the next one. */
static ON_CTL void records_move(struct conf_room *room, struct mstream *s)
{
	struct lnode *it, *tmp;
	list_each (&room->records, it, tmp) {
		struct conf_record *r = list_entry(it, struct conf_record, link);
		struct told *t = told_find(r->mix_id);
		if (!t || t->s != s || r->is_ending)
			continue;
		(void)mstream_record_stop(s, t->id);
		if (oldest_of(room)) {
			r->is_moving = true;
			continue;
		}
		told_free(t);
		r->is_ending = true;
		conf_cdr_record_end(r);
		conf_record_told(room, r->mix_id, ST_OK,
		    (uint64_t)((clock_mono_us() - r->join_us - r->paused_us) * room->rate_hz / 1000000));
	}
}

static ON_CTL void record_told(struct told *t, const struct media_report *rep)
{
	struct conf_record *r = t->record;
	uint32_t id = t->id;
	told_free(t);
	r->samples += rep->samples;
	bool moves = r->is_moving && !r->is_ending;
	r->is_moving = false;
	if (moves && record_on(r, oldest_of(r->room)) == ST_OK) {
		conf_mix_record_pause(r);
		return;
	}
	conf_record_told(r->room, id, rep->status, r->samples);
}

/* ---- what media reports ---- */

static bool on_report(struct leg *leg, const struct media_report *r)
{
	struct told *t = told_find(r->id);
	(void)leg;
	role_assert_ctl();
	if (!t || r->kind == MEDIA_R_DTMF)
		return false;
	if (r->kind == MEDIA_R_PLAY_BEGUN && t->kind == PART) {
		conf_play_told(t->play->play->room, t->play->id, true, ST_OK);
		return true;
	}
	if (r->kind == MEDIA_R_TAP_DONE && t->kind == WATCH) {
		struct conf_member *m = t->member;
		bool is_talking = !m->mix->watches_silence;
		told_free(t);
		m->mix->watch_id = 0;
		if (!r->status) {
			conf_member_talks(m, is_talking, is_talking ? m->energy_level + 1 : 0);
			watch(m, is_talking);
		}
		return true;
	}
	if (r->kind == MEDIA_R_RECORD_DONE && t->kind == RECORD) {
		record_told(t, r);
		return true;
	}
	if ((r->kind == MEDIA_R_PLAY_DONE || r->kind == MEDIA_R_TAP_DONE) && t->kind == PART) {
		struct mix_play *mp = t->play;
		told_free(t);
		if (list_empty(&mp->parts))
			mix_play_over(mp, r->status);
		return true;
	}
	return r->kind == MEDIA_R_TAP_EVENT;
}

struct leg_part conf_part = {.name = "conference", .bytes = sizeof(struct conf_member *), .on_report = on_report};
