/* Sub-commands that look at a room or change its settings. */
#include "base/clock.h"
#include "base/mem.h"
#include "conference/command_i.h"
#include "core/door/door.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

void cmd_count(struct conf_call *x)
{
	buf_printf(x->out, "%u", x->room->count);
}

void cmd_list(struct conf_call *x)
{
	const char *how = x->n ? x->w[0] : "";
	if (!strcasecmp(how, "count"))
		buf_printf(x->out, "%u", x->room->count);
	else if (!strcasecmp(how, "pretty"))
		conf_list_pretty(x->room, x->out);
	else
		conf_list_members(x->room, x->out, !strcasecmp(how, "delim") && x->n > 1 ? x->w[1] : ";");
}

void cmd_xml_list(struct conf_call *x)
{
	conf_list_xml(x->room, x->out);
}

void cmd_json_list(struct conf_call *x)
{
	conf_list_json(x->room, x->out, x->n && !strcasecmp(x->w[0], "compact"));
}

void cmd_cdr(struct conf_call *x)
{
	conf_cdr_write(x->room, x->out);
}

static ON_CTL void lock(struct conf_call *x, bool is_locked)
{
	struct conf_room *r = x->room;
	const struct conf_profile *p = r->profile;
	r->is_locked = is_locked;
	conf_play_all(r, is_locked ? p->is_locked_sound : p->is_unlocked_sound);
	conf_event_room(r, is_locked ? "lock" : "unlock");
	buf_printf(x->out, "+OK %s %s\n", r->name, is_locked ? "locked" : "unlocked");
}

void cmd_lock(struct conf_call *x)
{
	lock(x, true);
}

void cmd_unlock(struct conf_call *x)
{
	lock(x, false);
}

static ON_CTL void bad_parameters(struct conf_call *x)
{
	buf_adds(x->out, "-ERR Invalid parameters:\n");
	conf_usage(x);
}

void cmd_pin(struct conf_call *x)
{
	if (x->n != 1 || strlen(x->w[0]) > CONF_PIN_MAX || strspn(x->w[0], "0123456789*#ABCDabcd") != strlen(x->w[0])) {
		bad_parameters(x);
		return;
	}
	mem_free(x->room->pin);
	x->room->pin = mem_strdup(x->w[0]);
	buf_printf(x->out, "+OK Pin for conference %s set: %s\n", x->room->name, x->w[0]);
}

void cmd_nopin(struct conf_call *x)
{
	if (x->n) {
		bad_parameters(x);
		return;
	}
	mem_free(x->room->pin);
	x->room->pin = NULL;
	buf_printf(x->out, "+OK Pin for conference %s deleted\n", x->room->name);
}

static ON_CTL const char *text_or(const char *s)
{
	return s ? s : "";
}

void cmd_get(struct conf_call *x)
{
	const struct conf_room *r = x->room;
	const char *what = x->w[0];
	struct buf *out = x->out;
	if (!strcasecmp(what, "run_time"))
		buf_printf(out, "%lld", (long long)((clock_mono_us() - r->start_us) / 1000000));
	else if (!strcasecmp(what, "count"))
		buf_printf(out, "%u", r->count);
	else if (!strcasecmp(what, "count_ghosts"))
		buf_printf(out, "%u", r->ghost_count);
	else if (!strcasecmp(what, "max_members"))
		buf_printf(out, "%u", r->max_members);
	else if (!strcasecmp(what, "rate"))
		buf_printf(out, "%u", r->rate_hz);
	else if (!strcasecmp(what, "profile_name"))
		buf_adds(out, r->profile->name);
	else if (!strcasecmp(what, "sound_prefix"))
		buf_adds(out, text_or(r->sound_prefix));
	else if (!strcasecmp(what, "caller_id_name"))
		buf_adds(out, text_or(r->caller_id_name));
	else if (!strcasecmp(what, "caller_id_number"))
		buf_adds(out, text_or(r->caller_id_number));
	else if (!strcasecmp(what, "is_locked"))
		buf_adds(out, r->is_locked ? "locked" : "");
	else if (!strcasecmp(what, "endconference_grace_time"))
		buf_printf(out, "%u", r->endconf_grace_s);
	else if (!strcasecmp(what, "uuid"))
		buf_adds(out, r->uuid);
	else if (!strcasecmp(what, "wait_mod"))
		buf_adds(out, r->waits_for_moderator ? "true" : "");
	else
		conf_usage(x);
}

/* The answer is what there was before. */
static ON_CTL void set_number(struct conf_call *x, unsigned *at, unsigned max)
{
	buf_printf(x->out, "%u", *at);
	*at = (unsigned)str_number(x->w[1], 0, max);
}

static ON_CTL void set_text(struct conf_call *x, char **at)
{
	buf_adds(x->out, text_or(*at));
	mem_free(*at);
	*at = mem_strdup(x->w[1]);
}

void cmd_set(struct conf_call *x)
{
	struct conf_room *r = x->room;
	const char *what = x->w[0], *why = "";
	struct buf checked;
	if (!strcasecmp(what, "max_members"))
		set_number(x, &r->max_members, 100000);
	else if (!strcasecmp(what, "endconference_grace_time"))
		set_number(x, &r->endconf_grace_s, 86400);
	else if (!strcasecmp(what, "caller_id_name"))
		set_text(x, &r->caller_id_name);
	else if (!strcasecmp(what, "caller_id_number"))
		set_text(x, &r->caller_id_number);
	else if (!strcasecmp(what, "sound_prefix")) {
		buf_init(&checked); /* files are read below it: for who may not do everything by the door of files */
		if (x->api->who && principal_put_file(&checked, x->w[1], false, &why))
			buf_printf(x->out, "-ERR %s\n", why);
		else if (mark_has(sv_of(x->m[1])))
			buf_adds(x->out, "-ERR a directory is not from outside\n");
		else
			set_text(x, &r->sound_prefix);
		buf_fini(&checked);
	} else {
		conf_usage(x);
	}
}

void cmd_getvar(struct conf_call *x)
{
	const char *value = x->n ? vars_get(x->room->vars, x->w[0]) : NULL;
	buf_adds(x->out, text_or(value));
}

void cmd_setvar(struct conf_call *x)
{
	size_t n = x->n ? strlen(x->w[0]) : 0;
	bool is_full = vars_count(x->room->vars) >= CONF_VARS_MAX;
	bool is_new = n && !vars_get(x->room->vars, x->w[0]);

	if (x->n > 1 && (n >= 256 || (is_full && is_new))) {
		buf_adds(x->out, "-ERR too long a name, or too many variables\n");
		return;
	}
	if (n && x->n > 1) {
		bool is_name = true;
		for (size_t i = 0; i < n; i++)
			is_name &= x->w[0][i] > ' ' && x->w[0][i] < 127 && x->w[0][i] != ':';
		if (!is_name) {
			buf_adds(x->out, "-ERR not a name\n");
			return;
		}
		vars_set_outside(x->room->vars, x->w[0], x->w[1]); /* data: it is told and shown, nothing reads it */
	} else if (n) {
		vars_set(x->room->vars, x->w[0], NULL);
	}
	buf_adds(x->out, "+OK\n");
}

/* ---- enter and exit sounds ---- */

static ON_CTL bool sound_file(struct conf_call *x, char **at)
{
	const char *why = "";
	struct buf b;
	buf_init(&b);
	if (x->api->who ? principal_put_file(&b, x->w[1], false, &why) : buf_adds(&b, x->m[1])) {
		buf_printf(x->out, "-ERR %s\n", why);
		buf_fini(&b);
		return false;
	}
	mem_free(*at);
	*at = buf_take(&b);
	return true;
}

static ON_CTL void sound(struct conf_call *x, const char *which, char **at, bool *plays)
{
	const char *how = x->n ? x->w[0] : NULL, *name = x->room->name;
	char action[64];
	bool is_on = how && !strcasecmp(how, "on"),
	     is_off = how && (!strcasecmp(how, "off") || !strcasecmp(how, "none"));
	if (!how) {
		buf_adds(x->out, "-ERR Not enough args\n");
		conf_usage(x);
	} else if (is_on || is_off) {
		*plays = is_on;
		snprintf(action, sizeof(action), "%s-sounds-%s", which, is_on ? "on" : "off");
		conf_event_room(x->room, action);
		buf_printf(x->out, "+OK %s %s sounds %s (%s)\n", name, which, is_on ? "on" : "off", text_or(*at));
	} else if (!strcasecmp(how, "file") && x->n > 1) {
		if (!strcmp(which, "exit"))
			buf_printf(x->out, "+OK Old exit sound: [%s]\n", text_or(*at));
		if (!sound_file(x, at))
			return;
		snprintf(action, sizeof(action), "%s-sound-file-changed", which);
		conf_event_room(x->room, action);
		buf_printf(x->out, "+OK %s %s sound file set to %s\n", name, which, x->w[1]);
	} else {
		buf_adds(x->out, "-ERR Bad args\n");
		conf_usage(x);
	}
}

void cmd_enter_sound(struct conf_call *x)
{
	sound(x, "enter", &x->room->enter_sound, &x->room->plays_enter);
}

void cmd_exit_sound(struct conf_call *x)
{
	sound(x, "exit", &x->room->exit_sound, &x->room->plays_exit);
}

/* ---- relations ---- */

static ON_CTL struct conf_relation *relation(struct conf_room *r, unsigned id, unsigned other, bool is_made)
{
	struct lnode *it, *tmp;
	unsigned n = 0;
	list_each (&r->relations, it, tmp) {
		struct conf_relation *rel = list_entry(it, struct conf_relation, link);
		if (rel->id == id && rel->other_id == other)
			return rel;
		n++;
	}
	if (!is_made || n >= CONF_RELATIONS_MAX)
		return NULL;
	struct conf_relation *rel = mem_zalloc(sizeof(*rel));
	if (!rel)
		return NULL;
	rel->id = id, rel->other_id = other;
	list_push(&r->relations, &rel->link);
	return rel;
}

static ON_CTL void relate_one(struct conf_call *x, unsigned id, unsigned other, const char *how)
{
	bool is_clear = !strcasecmp(how, "clear");
	struct conf_relation *rel = NULL;
	if (conf_member_find(x->room, id) && conf_member_find(x->room, other))
		rel = relation(x->room, id, other, !is_clear);
	if (!rel) {
		buf_printf(x->out, "-ERR relationship %u->%u not found.\n", id, other);
		return;
	}
	rel->no_speak = !strcasecmp(how, "nospeak"), rel->no_hear = !strcasecmp(how, "nohear");
	rel->sends_video = !strcasecmp(how, "sendvideo");
	conf_mix_relate(x->room, rel);
	if (is_clear) {
		list_remove(&rel->link);
		mem_free(rel);
		buf_printf(x->out, "+OK relationship %u->%u cleared.\n", id, other);
	} else {
		buf_printf(x->out, "+OK %u->%u %s set\n", id, other, how);
	}
}

static ON_CTL void relations_list(struct conf_call *x)
{
	unsigned id = x->n ? (unsigned)strtoul(x->w[0], NULL, 10) : 0;
	struct lnode *it, *tmp;
	bool has_any = false;
	list_each (&x->room->relations, it, tmp) {
		const struct conf_relation *rel = list_entry(it, struct conf_relation, link);
		if (x->n && rel->id != id)
			continue;
		has_any = true;
		buf_printf(x->out, "%u -> %u %s %s %s \n", rel->id, rel->other_id, rel->no_speak ? "NOSPEAK" : "SPEAK",
		    rel->no_hear ? "NOHEAR" : "HEAR", rel->sends_video ? "SENDVIDEO" : "NOSENDVIDEO");
	}
	if (!has_any)
		buf_adds(x->out, "+OK No relationships\n");
}

void cmd_relate(struct conf_call *x)
{
	static const char *const ways[] = {"nospeak", "nohear", "sendvideo", "clear"};
	const char *how = x->n > 2 ? x->w[2] : "";
	struct sv ids, others, id, other;
	size_t i = 0;
	uint32_t a, b;
	if (x->n < 2) {
		relations_list(x);
		return;
	}
	while (i < 4 && strcasecmp(ways[i], how))
		i++;
	if (i == 4) {
		conf_usage(x);
		return;
	}
	for (ids = sv_of(x->w[0]); ids.n;) {
		sv_split(ids, ',', &id, &ids);
		for (others = sv_of(x->w[1]); others.n;) {
			sv_split(others, ',', &other, &others);
			if (!sv_u32(id, &a) && !sv_u32(other, &b))
				relate_one(x, a, b, ways[i]);
		}
	}
}

/* ---- positions: rooms of two channels only ---- */

void cmd_auto_3d(struct conf_call *x)
{
	if (x->room->channels < 2) {
		buf_adds(x->out, "-ERR not supported\n");
		return;
	}
	if (x->n)
		x->room->flags =
		    !strcasecmp(x->w[0], "on") ? x->room->flags | CR_AUTO_3D : x->room->flags & ~(unsigned)CR_AUTO_3D;
	struct lnode *it, *tmp;
	conf_members_each(x->room, it, tmp) conf_mix_tell(conf_member_of(it));
	buf_printf(x->out, "+OK positioning %s\n", x->room->flags & CR_AUTO_3D ? "on" : "off");
}

void cmd_position(struct conf_call *x)
{
	struct conf_member *m = conf_call_member(x, x->w[0]);
	if (!m)
		return;
	if (x->room->channels < 2) {
		buf_adds(x->out, "-ERR not supported\n");
		return;
	}
	if (x->n > 1) {
		double px, py, pz;
		if (sscanf(x->w[1], "%lf:%lf:%lf", &px, &py, &pz) != 3) {
			buf_adds(x->out, "-ERR invalid input\n");
			return;
		}
		m->x = px, m->y = py, m->z = pz;
		conf_mix_tell(m);
		conf_event_member_with(m, "set-position-member", "Position", "%0.2f:%0.2f:%0.2f", px, py, pz);
	}
	buf_printf(x->out, "+OK %0.2f:%0.2f:%0.2f\n", m->x, m->y, m->z);
}

/* ---- floor ---- */

void cmd_floor(struct conf_call *x)
{
	struct conf_member *m = conf_call_member(x, x->w[0]), *holder = x->room->floor;
	if (!m)
		return;
	if (holder && holder != m) {
		buf_printf(x->out, "-ERR floor is held by %u\n", holder->id);
		return;
	}
	conf_floor_set(x->room, holder ? NULL : m);
	if (x->room->floor)
		buf_printf(x->out, "+OK floor %u\n", m->id);
	else
		buf_adds(x->out, "+OK floor none\n");
	conf_room_kick(x->room);
}

void cmd_get_uuid(struct conf_call *x)
{
	struct conf_member *m = conf_call_member(x, x->w[0]);
	if (m)
		buf_adds(x->out, m->leg->uuid);
}
