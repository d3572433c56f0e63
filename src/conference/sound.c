/* What plays in a room: a queue for all, the music (hold music or an async play, one at a time), and a queue for each
 * member. The first of a queue plays, the others wait; each is told when it is over. Sounds of the profile are
 * configuration; what a command plays may be marked (text/mark.h) and is then bounded as everywhere. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/value/self.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

char *conf_source_full(struct conf_room *room, const char *source)
{
	struct buf b;
	size_t skip = 0, n = strlen(source);
	buf_init(&b);
	if (*source == '{' && strchr(source, '}'))
		skip = (size_t)(strchr(source, '}') - source) + 1;
	buf_add(&b, source, skip);
	source += skip, n -= skip;
	if (n && *source != '/' && !memmem(source, n, "://", 3))
		buf_printf(&b, "%s/", room->sound_prefix ? room->sound_prefix : "");
	buf_adds(&b, source);
	return buf_take(&b);
}

/* "say:text": the room's engine speaks it. */
static ON_CTL char *source_of(struct conf_room *room, const struct conf_play_words *w)
{
	const struct conf_profile *p = room->profile;
	const char *text = w->is_speech ? w->source : !strncasecmp(w->source, "say:", 4) ? w->source + 4 : NULL;
	struct buf b;
	if (!text)
		return conf_source_full(room, w->source);
	if (!p->tts_engine)
		return NULL;
	buf_init(&b);
	buf_printf(&b, "tts://%s|%s|%s", p->tts_engine, p->tts_voice ? p->tts_voice : "", text);
	return buf_take(&b);
}

static ON_CTL struct list *queue_of(struct conf_room *room, struct conf_member *m)
{
	return m ? &m->plays : &room->plays;
}

static ON_CTL void play_free(struct conf_play *p)
{
	list_remove(&p->link);
	if (p->room->async == p)
		p->room->async = NULL;
	if (p->waiter)
		co_signal(p->waiter, ST_CANCELLED);
	mem_free(p->source);
	mem_free(p->name);
	mem_free(p);
}

static ON_CTL void tell_done(struct conf_play *p)
{
	const char *action = p->member ? "play-file-member-done" : "play-file-done";
	struct event *e = conf_event_new(p->room, action);
	if (!e)
		return;
	int64_t ms = p->started_us ? (clock_mono_us() - p->started_us) / 1000 : 0;
	event_addf(e, "seconds", "%lld", (long long)(ms / 1000));
	event_addf(e, "milliseconds", "%lld", (long long)ms);
	event_addf(e, "samples", "%lld", (long long)(ms * p->room->rate_hz / 1000));
	event_add(e, "Action", action);
	if (p->member && p->member->room && p->member->leave == CONF_STAYS)
		conf_event_member_add(e, p->member);
	event_add(e, "File", p->name);
	if (p->is_async)
		event_add(e, "Async", "true");
	event_fire(e);
}

static ON_CTL void tell_failed(struct conf_play *p)
{
	struct event *e = p->member ? NULL : conf_event_new(p->room, "play-file");
	log_warning("conference %s: %s cannot be played", p->room->name, p->name);
	if (!e)
		return;
	event_add(e, "Action", "play-file");
	event_add(e, "File", p->name);
	event_add(e, "Async", p->is_async ? "true" : "false");
	event_add(e, "Error", "File could not be played");
	event_fire(e);
}

static ON_CTL void queue_go(struct conf_room *room, struct conf_member *m)
{
	struct list *q = queue_of(room, m);
	while (!list_empty(q)) {
		struct conf_play *p = list_entry(list_first(q), struct conf_play, link);
		if (p->id)
			return;
		p->started_us = clock_mono_us();
		if (!conf_mix_play(p))
			return;
		tell_failed(p);
		if (p->waiter)
			co_signal(p->waiter, ST_NOTFOUND), p->waiter = NULL;
		play_free(p);
	}
	if (!m)
		conf_room_kick(room); /* hold music may come back */
}

static unsigned length_of(const struct list *q)
{
	unsigned n = 0;
	for (const struct lnode *it = q->head.next; it != &q->head; it = it->next)
		n++;
	return n;
}

int conf_play(struct conf_room *room, const struct conf_play_words *w)
{
	struct list *q = queue_of(room, w->member);
	if (!w->is_async && length_of(q) >= CONF_PLAYS_MAX)
		return ST_LIMIT;
	struct conf_play *p = mem_zalloc(sizeof(*p));
	if (!p)
		return ST_NOMEM;
	p->room = room, p->member = w->member, p->is_async = w->is_async;
	p->loops = w->loops;
	p->source = source_of(room, w);
	p->name = p->source ? mark_strip_dup(sv_of(p->source)) : NULL;
	if (!p->name) {
		mem_free(p->source);
		mem_free(p);
		return w->is_speech ? ST_UNSUPPORTED : ST_NOMEM;
	}
	p->waiter = w->waiter;
	if (p->is_async) {
		conf_play_stop(room, NULL, CONF_STOP_ASYNC);
		room->async = p;
		p->started_us = clock_mono_us();
		if (!conf_mix_play(p))
			return ST_OK;
		tell_failed(p);
		p->waiter = NULL;
		play_free(p);
		return ST_NOTFOUND;
	}
	list_push(q, &p->link);
	queue_go(room, w->member);
	return ST_OK;
}

void conf_play_to(struct conf_member *m, const char *source)
{
	if (m->room && source && *source)
		conf_play(m->room, &(struct conf_play_words){.source = source, .member = m});
}

void conf_play_all(struct conf_room *room, const char *source)
{
	if (source && *source)
		conf_play(room, &(struct conf_play_words){.source = source});
}

struct conf_play *conf_play_current(struct conf_room *room, struct conf_member *m)
{
	struct list *q = queue_of(room, m);
	return list_empty(q) ? (m ? NULL : room->async) : list_entry(list_first(q), struct conf_play, link);
}

static ON_CTL void forget_in(struct list *q, const struct co_wait *waiter)
{
	struct lnode *it, *tmp;
	list_each (q, it, tmp)
		if (list_entry(it, struct conf_play, link)->waiter == waiter)
			list_entry(it, struct conf_play, link)->waiter = NULL;
}

void conf_play_forget(struct conf_room *room, const struct co_wait *waiter)
{
	struct lnode *it, *tmp;
	forget_in(&room->plays, waiter);
	conf_members_each(room, it, tmp) forget_in(&conf_member_of(it)->plays, waiter);
	if (room->async && room->async->waiter == waiter)
		room->async->waiter = NULL;
}

static ON_CTL void play_end(struct conf_play *p)
{
	if (p->id)
		conf_mix_play_stop(p);
	tell_done(p);
	play_free(p);
}

unsigned conf_play_stop(struct conf_room *room, struct conf_member *m, enum conf_stop what)
{
	struct list *q = queue_of(room, m);
	struct lnode *it, *tmp;
	unsigned n = 0;
	if (what == CONF_STOP_ASYNC) {
		if (m || !room->async)
			return 0;
		play_end(room->async);
		return 1;
	}
	list_each (q, it, tmp) {
		play_end(list_entry(it, struct conf_play, link));
		n++;
		if (what == CONF_STOP_CURRENT)
			break;
	}
	queue_go(room, m);
	return n;
}

static ON_CTL struct conf_play *play_find(struct conf_room *room, uint32_t id)
{
	struct lnode *it, *tmp, *mi, *mtmp;
	if (room->async && room->async->id == id)
		return room->async;
	list_each (&room->plays, it, tmp)
		if (list_entry(it, struct conf_play, link)->id == id)
			return list_entry(it, struct conf_play, link);
	conf_members_each(room, mi, mtmp) list_each (&conf_member_of(mi)->plays, it,
	    tmp) if (list_entry(it, struct conf_play, link)->id == id) return list_entry(it, struct conf_play, link);
	return NULL;
}

void conf_play_told(struct conf_room *room, uint32_t id, bool is_begun, int status)
{
	struct conf_play *p = id ? play_find(room, id) : NULL;
	if (!p)
		return;
	bool is_failed = !is_begun && !p->is_begun && status;
	if (p->waiter) {
		co_signal(p->waiter, is_failed ? status : ST_OK);
		p->waiter = NULL;
	}
	p->is_begun |= is_begun;
	if (is_begun)
		return;
	struct conf_member *m = p->member;
	if (is_failed)
		tell_failed(p);
	else
		tell_done(p);
	bool was_music = p->is_async;
	if (was_music && is_failed)
		room->has_music_stopped = true; /* it is not there: not tried again and again */
	play_free(p);
	if (!was_music)
		queue_go(room, m);
	else
		conf_room_kick(room);
}

void conf_music_check(struct conf_room *r)
{
	const struct conf_profile *p = r->profile;
	const struct conf_member *only = list_empty(&r->members) ? NULL : conf_member_of(list_first(&r->members));
	bool is_wanted = r->moh_sound && !r->is_moh_off && !r->has_music_stopped && list_empty(&r->plays) && only &&
	                 (r->waits_for_moderator || (r->count == 1 && conf_member_hears_music(only)));
	if (r->async && r->async->loops && (r->count > 1 || r->is_moh_off) && !r->waits_for_moderator)
		conf_play_stop(r, NULL, CONF_STOP_ASYNC);
	if (r->async || !r->count)
		return;
	if (p->perpetual_sound && !r->has_music_stopped)
		conf_play(r, &(struct conf_play_words){.source = p->perpetual_sound, .is_async = true});
	else if (is_wanted)
		conf_play(r, &(struct conf_play_words){.source = r->moh_sound, .is_async = true, .loops = -1});
}
