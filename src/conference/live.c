/* The members of rooms as rows that others keep a copy of, in FreeSWITCH's liveArray form. Rows are built only while
 * somebody subscribes. */
#include "conference/conf_i.h"
#include "core/sound/media.h"
#include "text/json.h"
#include <stdio.h>

static struct list subs = {{&subs.head, &subs.head}};

void conf_live_add(struct conf_live_sub *s)
{
	if (!lnode_is_linked(&s->link))
		list_push(&subs, &s->link);
}

void conf_live_del(struct conf_live_sub *s)
{
	list_remove(&s->link);
}

static ON_CTL const char *old_status(const struct conf_member *m)
{
	bool has_floor = m->room && m->room->floor == m;
	if (m->is_held)
		return "HOLD";
	if (m->is_muted)
		return "MUTE";
	if (m->is_talking)
		return has_floor ? "TALKING (FLOOR)" : "TALKING";
	return has_floor ? "FLOOR" : "ACTIVE";
}

static ON_CTL void put_status(struct buf *out, const struct conf_member *m)
{
	struct json_writer w;
	jw_init(&w, out, false);
	jw_begin_object(&w);
	jw_key(&w, "audio");
	jw_begin_object(&w);
	jw_kv_bool(&w, "muted", m->is_muted);
	jw_kv_bool(&w, "deaf", m->is_deaf);
	jw_kv_bool(&w, "onHold", m->is_held);
	jw_kv_bool(&w, "talking", m->is_talking);
	jw_kv_bool(&w, "floor", m->room && m->room->floor == m);
	jw_kv_int(&w, "energyScore", m->score);
	jw_end_object(&w);
	jw_kv_bool(&w, "video", false);
	jw_kv_str(&w, "oldStatus", old_status(m));
	jw_end_object(&w);
}

static ON_CTL void put_row(struct buf *out, const struct conf_room *room, const struct conf_member *m)
{
	const struct leg_profile *p = m->leg->profile;
	const struct media_codec *c = m->leg->codec;
	struct json_writer w;
	struct buf status;
	char text[64];
	buf_init(&status);
	jw_init(&w, out, false);
	jw_begin_array(&w);
	snprintf(text, sizeof(text), "%04u", m->id);
	jw_str(&w, text);
	jw_str(&w, p && p->caller_id_number ? p->caller_id_number : "");
	jw_str(&w, p && p->caller_id_name ? p->caller_id_name : "");
	if (c)
		snprintf(text, sizeof(text), "%s@%u", c->name, c->rate_hz);
	jw_str(&w, c ? text : "@");
	if (room->flags & CR_LIVEARRAY_JSON) {
		put_status(&status, m);
		jw_sv(&w, buf_sv(&status));
	} else {
		jw_str(&w, old_status(m));
	}
	jw_begin_object(&w);
	jw_end_object(&w);
	jw_null(&w);
	jw_end_array(&w);
	buf_fini(&status);
}

static ON_CTL struct conf_live_row row_of(
    const struct conf_room *room, const struct conf_member *m, const struct buf *json)
{
	return (struct conf_live_row){.room = room->name,
	    .domain = room->profile->domain ? room->profile->domain : "",
	    .member_uuid = m ? m->leg->uuid : NULL,
	    .json = json && json->n ? buf_sv(json) : SV_NONE,
	    .serial = room->live_serial,
	    .is_json_status = (room->flags & CR_LIVEARRAY_JSON) != 0,
	    .is_moderator = m && conf_member_is(m, CM_MODERATOR)};
}

void conf_live_tell(struct conf_room *room, struct conf_member *m, enum conf_live_what what)
{
	struct lnode *it, *tmp;
	struct buf json;
	if (!(room->flags & CR_LIVEARRAY))
		return;
	room->live_serial++;
	if (list_empty(&subs))
		return;
	buf_init(&json);
	if (m && what != CONF_LIVE_LEFT)
		put_row(&json, room, m);
	struct conf_live_row row = row_of(room, m, &json);
	list_each (&subs, it, tmp) {
		struct conf_live_sub *s = list_entry(it, struct conf_live_sub, link);
		s->fn(s, what, &row);
	}
	buf_fini(&json);
}

bool conf_live_each(const char *name, void (*fn)(const struct conf_live_row *row, void *arg), void *arg)
{
	struct conf_room *room = conf_room_find(name);
	if (!room)
		return false;
	for (struct lnode *it = room->members.head.prev; it != &room->members.head; it = it->prev) {
		struct buf json;
		buf_init(&json);
		put_row(&json, room, conf_member_of(it));
		struct conf_live_row row = row_of(room, conf_member_of(it), &json);
		fn(&row, arg);
		buf_fini(&json);
	}
	return true;
}
