/* Rooms and members as `conference list`, xml_list and json_list print them, in FreeSWITCH's forms. */
#include "base/clock.h"
#include "conference/conf_i.h"
#include "text/json.h"
#include "text/xml.h"
#include <stdio.h>

static ON_CTL const char *cid(const struct conf_member *m, bool is_name)
{
	const struct leg_profile *p = m->leg->profile;
	const char *text = !p ? NULL : is_name ? p->caller_id_name : p->caller_id_number;
	return text ? text : "";
}

static ON_CTL int64_t seconds_since(int64_t us)
{
	return us ? (clock_mono_us() - us) / 1000000 : 0;
}

/* ---- flags ---- */

struct room_flag {
	const char *name;
	bool is_set;
};
enum { ROOM_FLAGS_MAX = 16 };
static ON_CTL size_t room_flags(const struct conf_room *r, struct room_flag out[ROOM_FLAGS_MAX])
{
	const struct room_flag all[] = {
	    {"locked", r->is_locked},
	    {"destruct", r->is_over},
	    {"wait_mod", r->waits_for_moderator},
	    {"audio_always", (r->flags & CR_AUDIO_ALWAYS) != 0},
	    {"running", true},
	    {"answered", r->is_answered},
	    {"enforce_min", true},
	    {"bridge_to", r->is_bridge},
	    {"dynamic", true},
	    {"exit_sound", r->plays_exit && r->exit_sound},
	    {"enter_sound", r->plays_enter && r->enter_sound},
	    {"recording", !list_empty(&r->records)},
	};
	size_t n = sizeof(all) / sizeof(*all);
	for (size_t i = 0; i < n; i++)
		out[i] = all[i];
	return n;
}

void conf_list_head(struct conf_room *r, struct buf *out)
{
	struct room_flag flags[ROOM_FLAGS_MAX] = {{NULL, false}};
	size_t n = room_flags(r, flags);
	unsigned members = r->count + r->ghost_count;
	bool is_first = true;
	buf_printf(out, "+OK Conference %s (%u member%s rate: %u flags: ", r->name, members, members == 1 ? "" : "s",
	    r->rate_hz);
	for (size_t i = 0; i < n; i++)
		if (flags[i].is_set) {
			buf_printf(out, "%s%s", is_first ? "" : "|", flags[i].name);
			is_first = false;
		}
	if (r->flags & CR_LIVEARRAY)
		buf_printf(out, "|livearray_sync");
	buf_printf(out, "|json_status)\n");
}

static ON_CTL void put_member_flags(struct buf *out, const struct conf_member *m)
{
	const struct room_flag all[] = {{"hear", !m->is_deaf}, {"speak", !m->is_muted},
	    {"mute-detect", conf_member_is(m, CM_MUTE_DETECT)}, {"talking", m->is_talking},
	    {"floor", m->room->floor == m}, {"moderator", conf_member_is(m, CM_MODERATOR)},
	    {"ghost", conf_member_is(m, CM_GHOST)}};
	bool is_first = true;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i].is_set) {
			buf_printf(out, "%s%s", is_first ? "" : "|", all[i].name);
			is_first = false;
		}
}

void conf_list_members(struct conf_room *room, struct buf *out, const char *d)
{
	struct lnode *it, *tmp;
	conf_members_each(room, it, tmp)
	{
		struct conf_member *m = conf_member_of(it);
		buf_printf(out, "%u%s%s%s%s%s%s%s%s%s", m->id, d, m->leg->name ? m->leg->name : "", d, m->leg->uuid, d,
		    cid(m, true), d, cid(m, false), d);
		put_member_flags(out, m);
		buf_printf(out, "%s%d%s%d%s%u\n", d, m->volume_in, d, m->volume_out, d, conf_mix_energy(m));
	}
}

void conf_list_pretty(struct conf_room *room, struct buf *out)
{
	struct lnode *it, *tmp;
	conf_members_each(room, it, tmp)
	{
		struct conf_member *m = conf_member_of(it);
		buf_printf(out, "%u) %s (%s)\n", m->id, cid(m, true), cid(m, false));
	}
}

/* ---- XML ---- */

void conf_xml_tag(struct buf *out, const char *pad, const char *name, const char *value)
{
	buf_printf(out, "%s<%s>", pad, name);
	xml_escape(out, sv_of(value), false);
	buf_printf(out, "</%s>\n", name);
}

static ON_CTL void tag_int(struct buf *out, const char *pad, const char *name, int64_t v)
{
	buf_printf(out, "%s<%s>%lld</%s>\n", pad, name, (long long)v, name);
}

static ON_CTL void xml_member(struct buf *out, const struct conf_member *m)
{
	static const char pad[] = "        ", flag_pad[] = "          ";
	const struct room_flag all[] = {{"can_hear", !m->is_deaf}, {"can_see", !m->is_blind},
	    {"can_speak", !m->is_muted}, {"mute_detect", conf_member_is(m, CM_MUTE_DETECT)}, {"talking", m->is_talking},
	    {"hold", m->is_held}, {"has_video", false}, {"video_bridge", false}, {"has_floor", m->room->floor == m},
	    {"is_moderator", conf_member_is(m, CM_MODERATOR)}, {"end_conference", conf_member_is(m, CM_ENDCONF)},
	    {"mandatory_member_end_conference", conf_member_is(m, CM_MANDATORY)},
	    {"is_ghost", conf_member_is(m, CM_GHOST)}};
	buf_adds(out, "      <member type=\"caller\">\n");
	tag_int(out, pad, "id", m->id);
	buf_printf(out, "%s<flags>\n", pad);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		conf_xml_tag(out, flag_pad, all[i].name, all[i].is_set ? "true" : "false");
	buf_printf(out, "%s</flags>\n", pad);
	conf_xml_tag(out, pad, "uuid", m->leg->uuid);
	conf_xml_tag(out, pad, "caller_id_name", cid(m, true));
	conf_xml_tag(out, pad, "caller_id_number", cid(m, false));
	tag_int(out, pad, "join_time", seconds_since(m->join_us));
	if (m->last_talk_us)
		tag_int(out, pad, "last_talking", seconds_since(m->last_talk_us));
	else
		conf_xml_tag(out, pad, "last_talking", "N/A");
	tag_int(out, pad, "energy", conf_mix_energy(m));
	tag_int(out, pad, "volume_in", m->volume_in);
	tag_int(out, pad, "volume_out", m->volume_out);
	tag_int(out, pad, "output-volume", m->volume_out);
	buf_adds(out, "      </member>\n");
}

static ON_CTL void xml_record(struct buf *out, const struct conf_record *r)
{
	buf_adds(out, "      <member type=\"recording_node\">\n");
	conf_xml_tag(out, "        ", "status", r->is_paused ? "paused" : "recording");
	conf_xml_tag(out, "        ", "record_path", r->path);
	tag_int(out, "        ", "join_time", seconds_since(r->join_us));
	buf_adds(out, "      </member>\n");
}

static void xml_room(struct conf_room *r, void *arg)
{
	struct buf *out = arg;
	struct room_flag flags[ROOM_FLAGS_MAX] = {{NULL, false}};
	struct lnode *it, *tmp;
	role_assert_ctl();
	size_t n = room_flags(r, flags);
	buf_adds(out, "  <conference name=\"");
	xml_escape(out, sv_of(r->name), true);
	buf_printf(out, "\" member-count=\"%u\" ghost-count=\"%u\" rate=\"%u\" uuid=\"%s\"", r->count, r->ghost_count,
	    r->rate_hz, r->uuid);
	for (size_t i = 0; i < n; i++)
		if (flags[i].is_set)
			buf_printf(out, " %s=\"true\"", flags[i].name);
	if (r->max_members)
		buf_printf(out, " max_members=\"%u\"", r->max_members);
	if (r->endconf_grace_s)
		buf_printf(out, " endconference_grace_time=\"%u\"", r->endconf_grace_s);
	buf_printf(out, " run_time=\"%lld\">\n", (long long)seconds_since(r->start_us));
	if (!vars_count(r->vars)) {
		buf_adds(out, "    <variables></variables>\n");
	} else {
		buf_adds(out, "    <variables>\n");
		for (size_t i = 0; i < vars_count(r->vars); i++) {
			const char *name, *value;
			vars_at(r->vars, i, &name, &value);
			buf_adds(out, "      <variable name=\"");
			xml_escape(out, sv_of(name), true);
			buf_adds(out, "\" value=\"");
			xml_escape(out, sv_of(value), true);
			buf_adds(out, "\"></variable>\n");
		}
		buf_adds(out, "    </variables>\n");
	}
	if (list_empty(&r->members) && list_empty(&r->records)) {
		buf_adds(out, "    <members></members>\n  </conference>\n");
		return;
	}
	buf_adds(out, "    <members>\n");
	list_each (&r->records, it, tmp)
		xml_record(out, list_entry(it, struct conf_record, link));
	conf_members_each(r, it, tmp) xml_member(out, conf_member_of(it));
	buf_adds(out, "    </members>\n  </conference>\n");
}

void conf_list_xml(struct conf_room *room, struct buf *out)
{
	buf_adds(out, "<?xml version=\"1.0\"?>\n");
	if (!room && !conf_rooms_count()) {
		buf_adds(out, "<conferences></conferences>\n");
		return;
	}
	buf_adds(out, "<conferences>\n");
	if (room)
		xml_room(room, out);
	else
		conf_rooms_each(xml_room, out);
	buf_adds(out, "</conferences>\n");
}

/* ---- JSON ---- */

static ON_CTL void json_member(struct json_writer *w, const struct conf_member *m)
{
	jw_begin_object(w);
	jw_kv_str(w, "type", "caller");
	jw_kv_int(w, "id", m->id);
	jw_key(w, "flags");
	jw_begin_object(w);
	jw_kv_bool(w, "can_hear", !m->is_deaf);
	jw_kv_bool(w, "can_see", !m->is_blind);
	jw_kv_bool(w, "can_speak", !m->is_muted);
	jw_kv_bool(w, "hold", m->is_held);
	jw_kv_bool(w, "mute_detect", conf_member_is(m, CM_MUTE_DETECT));
	jw_kv_bool(w, "talking", m->is_talking);
	jw_kv_bool(w, "has_video", false);
	jw_kv_bool(w, "video_bridge", false);
	jw_kv_bool(w, "has_floor", m->room->floor == m);
	jw_kv_bool(w, "is_moderator", conf_member_is(m, CM_MODERATOR));
	jw_kv_bool(w, "end_conference", conf_member_is(m, CM_ENDCONF));
	jw_kv_bool(w, "mandatory_member_end_conference", conf_member_is(m, CM_MANDATORY));
	jw_kv_bool(w, "pass_digits", conf_member_is(m, CM_DIST_DTMF));
	jw_end_object(w);
	jw_kv_str(w, "uuid", m->leg->uuid);
	jw_kv_str(w, "caller_id_name", cid(m, true));
	jw_kv_str(w, "caller_id_number", cid(m, false));
	jw_kv_int(w, "join_time", seconds_since(m->join_us));
	jw_kv_int(w, "last_talking", seconds_since(m->last_talk_us));
	jw_kv_int(w, "energy", conf_mix_energy(m));
	jw_kv_int(w, "volume_in", m->volume_in);
	jw_kv_int(w, "volume_out", m->volume_out);
	jw_kv_int(w, "output-volume", m->volume_out);
	jw_kv_int(w, "input-volume", m->volume_in);
	jw_end_object(w);
}

static void json_room(struct conf_room *r, void *arg)
{
	struct json_writer *w = arg;
	struct lnode *it, *tmp;
	struct room_flag flags[ROOM_FLAGS_MAX] = {{NULL, false}};
	role_assert_ctl();
	size_t n = room_flags(r, flags);
	jw_begin_object(w);
	jw_kv_str(w, "conference_name", r->name);
	jw_kv_int(w, "member_count", r->count);
	jw_kv_int(w, "ghost_count", r->ghost_count);
	jw_kv_int(w, "rate", r->rate_hz);
	jw_kv_int(w, "run_time", seconds_since(r->start_us));
	jw_kv_str(w, "conference_uuid", r->uuid);
	jw_kv_int(w, "canvas_count", 0);
	jw_kv_int(w, "max_bw_in", 0);
	jw_kv_int(w, "force_bw_in", 0);
	jw_kv_int(w, "video_floor_packets", 0);
	for (size_t i = 0; i < n; i++)
		jw_kv_bool(w, flags[i].name, flags[i].is_set);
	jw_kv_bool(w, "video_bridge", false);
	jw_kv_bool(w, "video_floor_only", false);
	jw_kv_bool(w, "video_rfc4579", false);
	if (r->max_members)
		jw_kv_int(w, "max_members", r->max_members);
	jw_key(w, "variables");
	jw_begin_object(w);
	for (size_t i = 0; i < vars_count(r->vars); i++) {
		const char *name, *value;
		vars_at(r->vars, i, &name, &value);
		jw_kv_str(w, name, value);
	}
	jw_end_object(w);
	jw_key(w, "members");
	jw_begin_array(w);
	list_each (&r->records, it, tmp) {
		struct conf_record *rec = list_entry(it, struct conf_record, link);
		jw_begin_object(w);
		jw_kv_str(w, "type", "recording_node");
		jw_kv_str(w, "record_path", rec->path);
		jw_kv_str(w, "status", rec->is_paused ? "paused" : "recording");
		jw_kv_int(w, "join_time", seconds_since(rec->join_us));
		jw_end_object(w);
	}
	conf_members_each(r, it, tmp) json_member(w, conf_member_of(it));
	jw_end_array(w);
	jw_end_object(w);
}

void conf_list_json(struct conf_room *room, struct buf *out, bool is_compact)
{
	struct json_writer w;
	jw_init(&w, out, !is_compact);
	jw_begin_array(&w);
	if (room)
		json_room(room, &w);
	else
		conf_rooms_each(json_room, &w);
	jw_end_array(&w);
}
