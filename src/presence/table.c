/* The table: entities by key, each with its dialogs, those that ended lately, what was published, and its watches. A
 * change counts the entity's serial up and marks every watch; nothing is told from here. A terminated dialog is kept as
 * its id only, for those who were told that it is up; without watches it is not kept at all. Bounded: entities in all,
 * ended dialogs of each. */
#include "base/hash.h"
#include "base/mem.h"
#include "core/registry/registrations.h"
#include "presence/presence_i.h"
#include <stdio.h>
#include <string.h>

static struct {
	struct hash *entities;
	size_t watch_count;
	uint64_t serial;
} table;

static const char *const kinds[] = {"park", "conf", "fifo", "queue", "callcenter", "mwi"};

const char *presence_kind_of(struct sv kind)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (sv_isi(kind, kinds[i]))
			return kinds[i];
	return NULL;
}

static void key_put(struct buf *out, const char *kind, struct sv user, struct sv host)
{
	buf_printf(out, "%s%s%.*s@%.*s", kind ? kind : "", kind ? "+" : "", SVF(user), SVF(host));
}

/* "park+5900" is the lamp 5900 of its kind; a kind that was said is not looked for again. */
static const char *kind_take(struct sv kind, struct sv *user)
{
	struct sv head, rest;
	const char *known = presence_kind_of(kind), *inside = NULL;
	if (sv_split(*user, '+', &head, &rest) && (inside = presence_kind_of(head)) && (!known || known == inside))
		*user = rest;
	return known ? known : inside;
}

/* To be freed; NULL: out of memory. kind and user as they are in it. */
static char *key_make(struct sv kind, struct sv *user, struct sv host, const char **known)
{
	struct buf key;
	*known = kind_take(kind, user);
	buf_init(&key);
	key_put(&key, *known, *user, host);
	if (!key.failed)
		return buf_take(&key);
	buf_fini(&key);
	return NULL;
}

struct presence_entity *presence_entity_find(struct sv kind, struct sv user, struct sv host)
{
	const char *known;
	if (!table.entities || !hash_count(table.entities))
		return NULL;
	char *key = key_make(kind, &user, host, &known);
	struct presence_entity *e = key ? hash_get(table.entities, sv_of(key)) : NULL;
	mem_free(key);
	return e;
}

static void entity_free(struct presence_entity *e)
{
	mem_free(e->key), mem_free(e->user), mem_free(e->host);
	mem_free(e->rpid), mem_free(e->note);
	mem_free(e);
}

struct presence_entity *presence_entity_get(struct sv kind, struct sv user, struct sv host)
{
	const char *known;
	char *key = table.entities ? key_make(kind, &user, host, &known) : NULL;
	struct presence_entity *e = key ? hash_get(table.entities, sv_of(key)) : NULL;
	if (e || !key || !user.n || hash_count(table.entities) >= PRESENCE_ENTITIES_MAX ||
	    !(e = mem_zalloc(sizeof(*e)))) {
		mem_free(key);
		return e;
	}
	e->kind = known;
	e->key = key;
	e->user = sv_dup(user);
	e->host = sv_dup(host);
	list_init(&e->dialogs), list_init(&e->ended), list_init(&e->watches);
	if (!e->user || !e->host || hash_set(table.entities, sv_of(key), e) < 0) {
		entity_free(e);
		return NULL;
	}
	return e;
}

static ON_CTL void ended_drop(struct presence_entity *e)
{
	struct lnode *n;
	while ((n = list_first(&e->ended))) {
		struct presence_ended *x = list_entry(n, struct presence_ended, link);
		list_remove(n);
		mem_free(x->id);
		mem_free(x);
	}
	e->ended_count = 0;
}

void presence_entity_release(struct presence_entity *e)
{
	if (!list_empty(&e->watches))
		return;
	ended_drop(e);
	if (!list_empty(&e->dialogs) || e->has_note)
		return;
	hash_take(table.entities, sv_of(e->key));
	entity_free(e);
}

void presence_changed(struct presence_entity *e)
{
	struct lnode *it, *tmp;
	e->serial = ++table.serial;
	list_each (&e->watches, it, tmp) {
		struct presence_watch *w = list_entry(it, struct presence_watch, link);
		w->fn(w);
	}
}

/* ---- watches ---- */

int presence_watch_add(struct presence_watch *w, struct sv kind, struct sv user, struct sv host, presence_changed_fn fn)
{
	struct presence_entity *e = presence_entity_get(kind, user, host);
	if (!e)
		return ST_LIMIT;
	w->entity = e;
	w->fn = fn;
	list_push(&e->watches, &w->link);
	e->watch_count++;
	table.watch_count++;
	return ST_OK;
}

void presence_watch_del(struct presence_watch *w)
{
	struct presence_entity *e = w->entity;
	if (!e)
		return;
	list_remove(&w->link);
	w->entity = NULL;
	e->watch_count--;
	table.watch_count--;
	presence_entity_release(e);
}

size_t presence_entity_count(void)
{
	return table.entities ? hash_count(table.entities) : 0;
}

size_t presence_watch_count(void)
{
	return table.watch_count;
}

/* ---- dialogs ---- */

static ON_CTL void ended_note(struct presence_entity *e, const char *id, bool is_initiator)
{
	struct presence_ended *x = list_empty(&e->watches) ? NULL : mem_zalloc(sizeof(*x));
	if (!x)
		return;
	if (!(x->id = mem_strdup(id))) {
		mem_free(x);
		return;
	}
	x->serial = table.serial + 1;
	x->is_initiator = is_initiator;
	list_push(&e->ended, &x->link);
	if (++e->ended_count <= PRESENCE_ENDED_MAX)
		return;
	struct presence_ended *old = list_entry(list_first(&e->ended), struct presence_ended, link);
	list_remove(&old->link);
	e->ended_count--;
	mem_free(old->id);
	mem_free(old);
}

void presence_dialog_set(struct presence_entity *e, struct presence_dialog *d, enum presence_state state)
{
	bool is_new = !lnode_is_linked(&d->link);
	if (is_new && state == PRESENCE_ENDED)
		return;
	d->state = state;
	d->serial = table.serial + 1;
	if (is_new) {
		d->entity = e;
		list_push(&e->dialogs, &d->link);
	} else if (state == PRESENCE_ENDED) {
		list_remove(&d->link);
		d->entity = NULL;
		ended_note(e, presence_dialog_id(d), d->is_initiator);
	}
	presence_changed(e);
}

static void foreign_free(struct presence_dialog *d)
{
	mem_free(d->id), mem_free(d->status);
	mem_free(d);
}

static struct presence_dialog *foreign_find(struct presence_entity *e, struct sv id)
{
	struct lnode *it, *tmp;
	list_each (&e->dialogs, it, tmp) {
		struct presence_dialog *d = list_entry(it, struct presence_dialog, link);
		if (!d->leg && sv_is(id, d->id))
			return d;
	}
	return NULL;
}

void presence_foreign_set(struct presence_entity *e, struct sv id, enum presence_state state, bool is_initiator,
    struct sv status, const char *kind)
{
	struct presence_dialog *d = foreign_find(e, id);
	if (!d && state == PRESENCE_ENDED) {
		char *text = sv_dup(id); /* it is told that it is over, whatever was known of it */
		if (text)
			ended_note(e, text, is_initiator);
		mem_free(text);
		presence_changed(e);
		return;
	}
	if (!d) {
		d = mem_zalloc(sizeof(*d));
		if (!d || !(d->id = sv_dup(id))) {
			mem_free(d);
			return;
		}
	}
	d->is_initiator = is_initiator;
	d->kind = kind;
	mem_free(d->status);
	d->status = status.n ? sv_dup(status) : NULL;
	presence_dialog_set(e, d, state);
	if (state == PRESENCE_ENDED)
		foreign_free(d);
}

/* ---- what is said ---- */

static void on_registration(const struct core_registration *r, void *arg)
{
	*(bool *)arg = true;
}

bool presence_is_reachable(struct sv user, struct sv host)
{
	bool is_found = false;
	core_registration_find(user, host, on_registration, &is_found);
	return is_found;
}

void presence_touch(struct sv user, struct sv host)
{
	struct presence_entity *e = presence_entity_find(SV_NONE, user, host);
	if (e)
		presence_changed(e);
}

/* Text of people: no control bytes, bounded, whole characters. */
static char *note_dup(struct sv text, size_t max)
{
	char *out;
	if (text.n >= max) {
		text.n = max - 1;
		while (text.n && ((unsigned char)text.p[text.n] & 0xc0) == 0x80) /* in the middle of one */
			text.n--;
	}
	if (!text.n || !(out = sv_dup(text)))
		return NULL;
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = ' ';
	return out;
}

void presence_publish(const struct presence_words *w)
{
	struct presence_entity *e = w->is_gone ? presence_entity_find(w->kind, w->user, w->host)
	                                       : presence_entity_get(w->kind, w->user, w->host);
	if (!e)
		return;
	mem_free(e->rpid), mem_free(e->note);
	e->rpid = e->note = NULL;
	e->has_note = !w->is_gone;
	e->is_closed = !w->is_gone && w->is_closed;
	if (!w->is_gone) {
		e->rpid = w->rpid.n && w->rpid.n < PRESENCE_RPID_MAX ? sv_dup(w->rpid) : NULL;
		e->note = note_dup(w->note, PRESENCE_NOTE_MAX);
	}
	presence_changed(e);
	presence_entity_release(e);
}

const struct presence_entity *presence_entity_peek(struct sv kind, struct sv user, struct sv host)
{
	return presence_entity_find(kind, user, host);
}

/* ---- start and stop ---- */

int presence_table_start(void)
{
	return table.entities ? ST_OK : hash_new(&table.entities, HASH_NOCASE, NULL);
}

void presence_table_stop(void)
{
	struct hash_it it = {0};
	while (table.entities && hash_next(table.entities, &it)) {
		struct presence_entity *e = it.value;
		struct lnode *n;
		while ((n = list_first(&e->dialogs))) {
			struct presence_dialog *d = list_entry(n, struct presence_dialog, link);
			list_remove(n);
			d->entity = NULL;
			if (!d->leg)
				foreign_free(d);
		}
		while ((n = list_first(&e->watches))) {
			list_entry(n, struct presence_watch, link)->entity = NULL;
			list_remove(n);
		}
		ended_drop(e);
		entity_free(e);
	}
	hash_free(table.entities);
	table.entities = NULL;
	table.watch_count = 0;
}
