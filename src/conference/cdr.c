/* The record of a conference as XML: who was in, from when to when, what was recorded, and who was turned away. Kept
 * only where the profile wants it (cdr-log-dir, cdr-event-mode), bounded, and written by a worker when the room goes.
 */
#include "base/clock.h"
#include "base/disk.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/value/self.h"
#include "loop/work.h"
#include "text/xml.h"
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { ENTRIES_MAX = 20000 };
#define CDR_EVENT "conference::cdr"

struct conf_cdr_entry {
	struct lnode link;
	bool is_record, is_moderator, is_endconf, is_mandatory, was_kicked, is_ghost;
	int64_t from_s, to_s;
	char *path;         /* of a record */
	const char *reason; /* of who was turned away; a constant */
	struct leg_profile *profile;
	char *chan_name;
};

static ON_CTL bool is_kept(const struct conf_room *r)
{
	return r->profile->cdr_log_dir || r->profile->cdr_event_mode;
}

static ON_CTL struct conf_cdr_entry *entry_new(struct conf_room *r, struct list *to, struct leg *leg)
{
	if (!is_kept(r) || r->cdr_count >= ENTRIES_MAX)
		return NULL;
	struct conf_cdr_entry *c = mem_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	r->cdr_count++;
	c->from_s = clock_wall_us() / 1000000;
	if (leg) {
		c->profile = leg->profile ? leg_profile_dup(leg->profile) : NULL;
		if (c->profile && !c->profile->uuid)
			leg_profile_set(&c->profile->uuid, leg->uuid);
		c->chan_name = mem_strdup(leg->name);
	}
	list_unshift(to, &c->link);
	return c;
}

void conf_cdr_join(struct conf_member *m)
{
	struct conf_cdr_entry *c = m->cdr = entry_new(m->room, &m->room->cdr_members, m->leg);
	if (!c)
		return;
	c->is_moderator = conf_member_is(m, CM_MODERATOR), c->is_endconf = conf_member_is(m, CM_ENDCONF);
	c->is_mandatory = conf_member_is(m, CM_MANDATORY), c->is_ghost = conf_member_is(m, CM_GHOST);
}

void conf_cdr_leave(struct conf_member *m)
{
	if (!m->cdr)
		return;
	m->cdr->to_s = clock_wall_us() / 1000000;
	m->cdr->was_kicked = m->leave == CONF_KICKED || m->leave == CONF_HUNG_UP;
	m->cdr = NULL;
}

void conf_cdr_record(struct conf_record *r)
{
	r->cdr = entry_new(r->room, &r->room->cdr_members, NULL);
	if (!r->cdr)
		return;
	r->cdr->is_record = true;
	r->cdr->path = mem_strdup(r->path);
}

void conf_cdr_record_end(struct conf_record *r)
{
	if (r->cdr)
		r->cdr->to_s = clock_wall_us() / 1000000;
	r->cdr = NULL;
}

void conf_cdr_reject(struct conf_room *room, struct leg *leg, const char *reason)
{
	struct conf_cdr_entry *c = entry_new(room, &room->cdr_rejected, leg);
	if (c)
		c->reason = reason;
}

/* ---- writing ---- */

static ON_CTL void put_time(struct buf *out, const char *pad, const char *name, int64_t s)
{
	buf_printf(out, "%s<%s type=\"UNIX-epoch\">%lld</%s>\n", pad, name, (long long)s, name);
}

static ON_CTL void put_profile(struct buf *out, const struct conf_cdr_entry *c)
{
	static const char *const names[] = {"username", "dialplan", "caller_id_name", "caller_id_number",
	    "callee_id_name", "callee_id_number", "ani", "aniii", "network_addr", "rdnis", "destination_number", "uuid",
	    "source", "context", NULL};
	static const char pad[] = "          ";
	if (!c->profile)
		return;
	buf_adds(out, "        <caller_profile>\n");
	for (const char *const *n = names; *n; n++)
		conf_xml_tag(out, pad, *n, leg_profile_field(c->profile, *n));
	conf_xml_tag(out, pad, "chan_name", c->chan_name);
	buf_adds(out, "        </caller_profile>\n");
}

static ON_CTL void put_flag(struct buf *out, const char *name, bool is_set)
{
	conf_xml_tag(out, "          ", name, is_set ? "true" : "false");
}

static ON_CTL void put_member(struct buf *out, const struct conf_cdr_entry *c, int64_t now_s)
{
	buf_printf(out, "      <member type=\"%s\">\n", c->is_record ? "recording_node" : "caller");
	put_time(out, "        ", "join_time", c->from_s);
	put_time(out, "        ", "leave_time", c->to_s ? c->to_s : now_s);
	if (c->is_record) {
		conf_xml_tag(out, "        ", "record_path", c->path);
	} else {
		buf_adds(out, "        <flags>\n");
		put_flag(out, "is_moderator", c->is_moderator);
		put_flag(out, "end_conference", c->is_endconf);
		put_flag(out, "mandatory_member_end_conference", c->is_mandatory);
		put_flag(out, "was_kicked", c->was_kicked);
		put_flag(out, "is_ghost", c->is_ghost);
		buf_adds(out, "        </flags>\n");
		put_profile(out, c);
	}
	buf_adds(out, "      </member>\n");
}

void conf_cdr_write(struct conf_room *room, struct buf *out)
{
	int64_t now_s = clock_wall_us() / 1000000;
	struct lnode *it, *tmp;
	buf_adds(out, "<?xml version=\"1.0\"?>\n<cdr>\n  <conference>\n");
	conf_xml_tag(out, "    ", "name", room->name);
	conf_xml_tag(out, "    ", "hostname", core_hostname());
	buf_printf(out, "    <rate>%u</rate>\n    <interval>%u</interval>\n", room->rate_hz, room->interval_ms);
	put_time(out, "    ", "start_time", room->wall_start_us / 1000000);
	buf_printf(out, "    <end_time endconference_forced=\"%s\" type=\"UNIX-epoch\">%lld</end_time>\n",
	    room->was_forced ? "true" : "false", (long long)now_s);
	buf_adds(out, "    <members>\n");
	list_each (&room->cdr_members, it, tmp)
		put_member(out, list_entry(it, struct conf_cdr_entry, link), now_s);
	buf_adds(out, "    </members>\n");
	if (list_empty(&room->cdr_rejected)) {
		buf_adds(out, "    <rejected></rejected>\n");
	} else {
		buf_adds(out, "    <rejected>\n");
		list_each (&room->cdr_rejected, it, tmp) {
			struct conf_cdr_entry *c = list_entry(it, struct conf_cdr_entry, link);
			buf_adds(out, "      <attempt>\n");
			conf_xml_tag(out, "        ", "reason", c->reason);
			put_time(out, "        ", "reject_time", c->from_s);
			put_profile(out, c);
			buf_adds(out, "      </attempt>\n");
		}
		buf_adds(out, "    </rejected>\n");
	}
	buf_adds(out, "  </conference>\n</cdr>\n");
}

/* ---- the file ---- */

struct file {
	char *dir, *path;
	struct buf text;
	int error;
};

static void file_write(void *arg)
{
	struct file *f = arg;
	role_assert_work();
	if (mkdir(f->dir, 0755) && errno != EEXIST)
		f->error = errno;
	if (disk_replace(f->path, buf_sv(&f->text), 0640, false))
		f->error = errno ? errno : EIO;
	else
		f->error = 0;
}

static void file_done(int status, void *arg)
{
	struct file *f = arg;
	role_assert_ctl();
	if (status || f->error)
		log_error("conference: the record %s could not be written: %s", f->path,
		    f->error ? strerror(f->error) : "stopped");
	buf_fini(&f->text);
	mem_free(f->dir);
	mem_free(f->path);
	mem_free(f);
}

static ON_CTL void file_start(struct conf_room *room, const struct buf *text, struct buf *path)
{
	const char *dir = room->profile->cdr_log_dir, *log = core_dirs() ? core_dirs()->log : ".";
	struct file *f = mem_zalloc(sizeof(*f));
	struct buf d;
	if (!f)
		return;
	buf_init(&d);
	buf_init(&f->text);
	if (!strcasecmp(dir, "auto"))
		buf_printf(&d, "%s/conference_cdr", log);
	else if (*dir == '/')
		buf_adds(&d, dir);
	else
		buf_printf(&d, "%s/%s", log, dir);
	buf_printf(path, "%s/%s.cdr.xml", d.p, room->uuid);
	buf_addv(&f->text, buf_sv(text));
	f->dir = buf_take(&d);
	f->path = mem_strdup(path->p);
	if (!f->path || work_submit(WORK_JOURNAL, "conference cdr", file_write, file_done, f))
		file_done(ST_NOMEM, f);
}

void conf_cdr_finish(struct conf_room *room)
{
	const char *mode = room->profile->cdr_event_mode;
	struct buf text, path;
	if (!is_kept(room))
		return;
	buf_init(&text);
	buf_init(&path);
	conf_cdr_write(room, &text);
	if (room->profile->cdr_log_dir)
		file_start(room, &text, &path);
	if (mode && event_is_wanted(EVENT_CUSTOM, CDR_EVENT)) {
		struct event *e = event_new(EVENT_CUSTOM, CDR_EVENT);
		if (e) {
			conf_event_room_add(e, room);
			event_add(e, "conference-CDR-Source", mode);
			if (!strcasecmp(mode, "content"))
				event_set_body(e, buf_sv(&text));
			else if (path.n)
				event_add(e, "CDR-Path", path.p);
			event_fire(e);
		}
	}
	buf_fini(&text);
	buf_fini(&path);
}

static ON_CTL void entries_free(struct list *l)
{
	struct lnode *it, *tmp;
	list_each (l, it, tmp) {
		struct conf_cdr_entry *c = list_entry(it, struct conf_cdr_entry, link);
		list_remove(it);
		if (c->profile)
			leg_profile_free(c->profile);
		mem_free(c->path);
		mem_free(c->chan_name);
		mem_free(c);
	}
}

void conf_cdr_free(struct conf_room *room)
{
	entries_free(&room->cdr_members);
	entries_free(&room->cdr_rejected);
}
