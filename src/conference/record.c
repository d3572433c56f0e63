/* Recordings of a room: the mixer hands what all hear to workers, which write the file. Several at once; a record
 * counts as a member number, as FreeSWITCH's does. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conference/conf_i.h"
#include "core/run/expand.h"
#include "loop/work.h"
#include "text/mark.h"
#include <string.h>
#include <sys/stat.h>

struct ended { /* what a worker looks up of the file before its end is told */
	struct conf_room *room;
	char *path;
	uint64_t samples;
	int64_t ms;
	int64_t bytes;
};

static void look(void *arg)
{
	struct ended *x = arg;
	struct stat st;
	role_assert_work();
	x->bytes = stat(x->path, &st) ? 0 : (int64_t)st.st_size;
}

static void tell_ended(int status, void *arg)
{
	struct ended *x = arg;
	(void)status;
	role_assert_ctl();
	struct event *e = conf_event_new(x->room, "stop-recording");
	if (e) {
		event_add(e, "Action", "stop-recording");
		event_add(e, "Path", x->path);
		event_addf(e, "Samples-Out", "%llu", (unsigned long long)x->samples);
		event_addf(e, "Samplerate", "%u", x->room->rate_hz);
		event_addf(e, "Milliseconds-Elapsed", "%lld", (long long)x->ms);
		event_addf(e, "Record-File-Size", "%lld", (long long)x->bytes);
		event_fire(e);
	}
	mem_unref(x->room);
	mem_free(x->path);
	mem_free(x);
}

static ON_CTL struct conf_record *record_find(struct conf_room *room, const char *path)
{
	struct lnode *it, *tmp;
	list_each (&room->records, it, tmp) {
		struct conf_record *r = list_entry(it, struct conf_record, link);
		if (!r->is_ending && !strcmp(r->path, path))
			return r;
	}
	return NULL;
}

static ON_CTL void record_free(struct conf_record *r)
{
	struct conf_room *room = r->room;
	list_remove(&r->link);
	mem_free(r->path);
	mem_free(r);
	mem_unref(room);
}

static ON_CTL void tell(struct conf_room *room, const char *action, const char *path, const char *error)
{
	struct event *e = conf_event_new(room, action);
	if (!e)
		return;
	event_add(e, "Action", action);
	event_add(e, "Path", path);
	event_add(e, "Error", error);
	event_fire(e);
}

static void set_leg_vars(struct conf_room *room, const char *path)
{
	struct lnode *it, *tmp;
	role_assert_ctl();
	conf_members_each(room, it, tmp) leg_var_set(conf_member_of(it)->leg, "conference_recording", path);
}

int conf_record_start(struct conf_room *room, const char *path, bool is_auto)
{
	unsigned n = 0;
	struct lnode *it, *tmp;
	if (record_find(room, path))
		return ST_EXISTS;
	list_each (&room->records, it, tmp)
		n++;
	if (n >= CONF_RECORDS_MAX)
		return ST_LIMIT;
	struct conf_record *r = mem_zalloc(sizeof(*r));
	if (!r || !(r->path = mem_strdup(path))) {
		mem_free(r);
		return ST_NOMEM;
	}
	r->room = room, r->is_auto = is_auto, r->join_us = clock_mono_us(), r->id = conf_next_id();
	int st = conf_mix_record(r);
	if (st) {
		tell(room, "start-recording", path, "File could not be opened for recording");
		mem_free(r->path);
		mem_free(r);
		return st;
	}
	mem_ref(room); /* until its end has been told */
	list_unshift(&room->records, &r->link);
	conf_cdr_record(r);
	set_leg_vars(room, path);
	tell(room, "start-recording", path, NULL);
	return ST_OK;
}

static ON_CTL void record_end(struct conf_record *r)
{
	r->is_ending = true;
	conf_cdr_record_end(r);
	conf_mix_record_stop(r);
}

unsigned conf_record_stop(struct conf_room *room, const char *path, struct buf *out)
{
	struct lnode *it, *tmp;
	unsigned n = 0;
	list_each (&room->records, it, tmp) {
		struct conf_record *r = list_entry(it, struct conf_record, link);
		if (r->is_ending || (path && strcmp(r->path, path)))
			continue;
		if (out)
			buf_printf(out, "Stopped recording file %s\n", r->path);
		record_end(r);
		n++;
	}
	if (n)
		set_leg_vars(room, NULL);
	return n;
}

bool conf_record_pause(struct conf_room *room, const char *path, bool is_paused)
{
	struct conf_record *r = record_find(room, path);
	if (!r)
		return false;
	int64_t now = clock_mono_us();
	if (r->is_paused && !is_paused)
		r->paused_us += now - r->paused_at_us;
	if (!r->is_paused && is_paused)
		r->paused_at_us = now;
	r->is_paused = is_paused;
	conf_mix_record_pause(r);
	tell(room, is_paused ? "pause-recording" : "resume-recording", path, NULL);
	return true;
}

void conf_record_told(struct conf_room *room, uint32_t mix_id, int status, uint64_t samples)
{
	struct lnode *it, *tmp;
	struct conf_record *r = NULL;
	list_each (&room->records, it, tmp)
		if (list_entry(it, struct conf_record, link)->mix_id == mix_id)
			r = list_entry(it, struct conf_record, link);
	if (!r)
		return;
	if (!r->is_ending)
		conf_cdr_record_end(r);
	if (status && status != ST_CANCELLED)
		log_error("conference %s: recording %s failed: %s", room->name, r->path, status_text(status));
	struct ended *x = mem_zalloc(sizeof(*x));
	if (x && (x->path = mem_strdup(r->path))) {
		x->room = mem_ref(room), x->samples = samples;
		x->ms = (int64_t)(samples * 1000 / (room->rate_hz ? room->rate_hz : 8000));
		if (work_submit(WORK_FILE, "conference record", look, tell_ended, x))
			tell_ended(ST_FULL, x);
	} else {
		mem_free(x);
	}
	record_free(r);
}

/* The profile's auto-record, expanded for the member that came last: ${conference_name}, ${strftime(...)}. */
void conf_record_auto(struct conf_room *room)
{
	const struct conf_profile *p = room->profile;
	struct conf_member *m = list_empty(&room->members) ? NULL : conf_member_of(list_first(&room->members));
	char *own = m ? leg_text_dup(m->leg, "conference_auto_record") : NULL, *text = NULL, *path = NULL;
	const char *pattern = own ? own : p->auto_record;
	if (!pattern || !m || room->count < p->min_recording ||
	    (room->was_auto_recorded && !(room->flags & CR_RESTART_AUTO_RECORD)))
		goto out;
	struct lnode *it, *tmp;
	list_each (&room->records, it, tmp)
		if (list_entry(it, struct conf_record, link)->is_auto &&
		    !list_entry(it, struct conf_record, link)->is_ending)
			goto out;
	if (expand(m->leg, pattern, &text))
		goto out;
	path = leg_path_dup(m->leg, text);
	if (path && *path == '/') {
		room->was_auto_recorded = true;
		conf_record_start(room, path, true);
	} else {
		log_error("conference %s: auto-record gives no absolute path", room->name);
	}
out:
	mem_free(own);
	mem_free(text);
	mem_free(path);
}
