/* Sub-commands that play, speak and record. */
#include "base/clock.h"
#include "base/mem.h"
#include "conference/command_i.h"
#include "core/door/door.h"
#include "core/value/self.h"
#include "loop/co.h"
#include "media/ctl/mctl.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { OPEN_WAIT_MS = 3000 };

/* A file that a word names, for who may not do everything by the door of files; NULL after saying why not. */
static ON_CTL char *file_of(struct conf_call *x, int i, bool is_written)
{
	const char *why = "";
	struct buf b;
	buf_init(&b);
	if (x->api->who ? principal_put_file(&b, x->w[i], is_written, &why) : buf_adds(&b, x->m[i])) {
		buf_printf(x->out, "-ERR %s\n", why);
		buf_fini(&b);
		return NULL;
	}
	return buf_take(&b);
}

/* ---- plays ---- */

static ON_CTL void tell_play(struct conf_call *x, struct conf_member *m, bool is_async)
{
	struct event *e;
	if (m) {
		conf_event_member_with(m, "play-file-member", "File", "%s", x->w[0]);
		return;
	}
	e = conf_event_new(x->room, "play-file");
	if (!e)
		return;
	event_add(e, "Action", "play-file");
	event_add(e, "File", x->w[0]);
	event_add(e, "Async", is_async ? "true" : "false");
	event_fire(e);
}

/* The reply says whether the file is there: it waits until it has been opened, unless others play first. */
static CO int play_and_see(struct conf_room *room, struct conf_play_words *w)
{
	struct co_wait wait = {0};
	bool is_first =
	    w->is_async || !conf_play_current(room, w->member) || conf_play_current(room, w->member)->is_async;
	if (is_first)
		w->waiter = &wait;
	int st = conf_play(room, w);
	w->waiter = NULL; /* the player has it */
	if (st || !is_first)
		return st;
	st = co_wait(&wait, clock_us_of_ms(OPEN_WAIT_MS));
	conf_play_forget(room, &wait);
	return st == ST_TIMEOUT || st == ST_CANCELLED ? ST_OK : st;
}

void cmd_play(struct conf_call *x)
{
	struct conf_member *m = NULL;
	bool is_async = x->n > 1 && !strcasecmp(x->w[1], "async");
	if (x->n > 1 && !is_async && isdigit((unsigned char)*x->w[1])) {
		unsigned id = (unsigned)strtoul(x->w[1], NULL, 10);
		m = conf_member_find(x->room, id);
		if (!m) {
			buf_printf(x->out, "-ERR Member: %u not found.\n", id);
			conf_usage(x);
			return;
		}
	}
	char *source = file_of(x, 0, false);
	if (!source)
		return;
	mem_ref(m);
	struct conf_play_words w = {.source = source, .member = m, .is_async = is_async};
	int st = play_and_see(x->room, &w);
	if (st == ST_LIMIT) {
		buf_adds(x->out, "-ERR too many files wait to be played\n");
	} else if (st) {
		buf_printf(x->out, "-ERR (play) File: %s not found.\n", x->w[0]);
	} else if (m) {
		tell_play(x, m, false);
		buf_printf(x->out, "+OK (play) Playing file %s to member %u\n", x->w[0], m->id);
	} else {
		tell_play(x, NULL, is_async);
		buf_printf(x->out, "+OK (play) Playing file %s\n", x->w[0]);
	}
	mem_unref(m);
	mem_free(source);
}

void cmd_moh(struct conf_call *x)
{
	struct conf_room *r = x->room;
	const char *how = x->n ? x->w[0] : NULL;
	if (!how) {
		buf_adds(x->out, "-ERR invalid moh param\n");
		return;
	}
	if (!strcasecmp(how, "toggle")) {
		r->is_moh_off = !r->is_moh_off;
	} else if (!strcasecmp(how, "on") || !strcasecmp(how, "off")) {
		r->is_moh_off = !strcasecmp(how, "off");
	} else {
		char *source = file_of(x, 0, false);
		if (!source)
			return;
		mem_free(r->moh_sound);
		r->moh_sound = source;
		r->is_moh_off = r->has_music_stopped = false;
		if (r->async && r->async->loops)
			conf_play_stop(r, NULL, CONF_STOP_ASYNC);
	}
	conf_room_kick(r);
	buf_adds(x->out, "+OK moh\n");
}

/* The member that the word at i names; false after saying that there is none. No word: *m stays NULL. */
static ON_CTL bool member_at(struct conf_call *x, int i, struct conf_member **m)
{
	*m = NULL;
	if (x->n <= i)
		return true;
	*m = conf_call_member(x, x->w[i]);
	return *m != NULL;
}

void cmd_pause_play(struct conf_call *x)
{
	struct conf_member *m;
	if (!member_at(x, 0, &m))
		return;
	struct conf_play *p = conf_play_current(x->room, m);
	if (!p)
		return;
	p->is_paused = !p->is_paused;
	conf_mix_play_pause(p, p->is_paused);
	buf_printf(x->out, "+OK %s\n", p->is_paused ? "Pause" : "Resume");
}

void cmd_play_status(struct conf_call *x)
{
	struct conf_member *m;
	if (!member_at(x, 0, &m))
		return;
	struct conf_play *p = conf_play_current(x->room, m);
	if (p)
		buf_printf(x->out, "+OK %lld %s\n",
		    (long long)((clock_mono_us() - p->started_us) * x->room->rate_hz / 1000000), p->name);
	else
		buf_adds(x->out, "-ERR Nothing is playing\n");
}

void cmd_file_seek(struct conf_call *x)
{
	struct conf_member *m;
	if (!member_at(x, 1, &m))
		return;
	struct conf_play *p = conf_play_current(x->room, m);
	const char *text = x->w[0];
	bool is_relative = *text == '+' || *text == '-';
	int ms = (int)str_number(*text == '+' ? text + 1 : text, -86400000, 86400000);
	int64_t at_ms = p && is_relative ? (clock_mono_us() - p->started_us) / 1000 + ms : ms;
	if (!p || p->is_async)
		return;
	if (at_ms < 0)
		at_ms = 0;
	if (conf_mix_play_seek(p, is_relative, ms)) {
		buf_adds(x->out, "-ERR seek failed\n");
		return;
	}
	p->started_us = clock_mono_us() - clock_us_of_ms(at_ms);
	buf_printf(x->out, "+OK seek to position %lld\n", (long long)(at_ms * x->room->rate_hz / 1000));
}

void cmd_file_vol(struct conf_call *x)
{
	struct conf_play *p = conf_play_current(x->room, NULL);
	if (!x->n) {
		buf_adds(x->out, "-ERR missing args\n");
		conf_usage(x);
		return;
	}
	if (!p) {
		buf_adds(x->out, "-ERR no file is playing\n");
		return;
	}
	p->volume = (int)str_number(x->w[0], -50, 50);
	conf_mix_play_volume(p);
	buf_adds(x->out, "+OK volume changed\n");
}

void cmd_stop(struct conf_call *x)
{
	const char *what = x->n ? x->w[0] : "all";
	struct conf_member *m = NULL;
	unsigned n = 0;
	if (strcasecmp(what, "current") && strcasecmp(what, "all") && strcasecmp(what, "async")) {
		conf_usage(x);
		return;
	}
	if (x->n > 1 && !(m = conf_call_member(x, x->w[1])))
		return;
	if (!strcasecmp(what, "current") || !strcasecmp(what, "all"))
		n = conf_play_stop(x->room, m, !strcasecmp(what, "current") ? CONF_STOP_CURRENT : CONF_STOP_ALL);
	if (!m &&
	    (!strcasecmp(what, "async") || (!strcasecmp(what, "all") && x->room->async && !x->room->async->loops)))
		n += conf_play_stop(x->room, NULL, CONF_STOP_ASYNC);
	buf_printf(x->out, "+OK Stopped %u files.\n", n);
}

/* ---- speech ---- */

/* Who may not do everything has his words marked already: they are said, and name nothing. */
static ON_CTL int speak(struct conf_call *x, struct conf_member *m, const char *text)
{
	int st = conf_play(x->room, &(struct conf_play_words){.source = text, .member = m, .is_speech = true});
	char *plain = st ? NULL : mark_strip_dup(sv_of(text));
	if (plain && m) {
		conf_event_member_with(m, "speak-text-member", "Text", "%s", plain);
	} else if (plain) {
		struct event *e = conf_event_new(x->room, "speak-text");
		if (e) {
			event_add(e, "Action", "speak-text");
			event_add(e, "Text", plain);
			event_fire(e);
		}
	}
	mem_free(plain);
	return st;
}

void cmd_say(struct conf_call *x)
{
	if (!*x->rest) {
		buf_adds(x->out, "-ERR (say) Error! No text.\n");
		conf_usage(x);
	} else if (speak(x, NULL, x->rest)) {
		buf_adds(x->out, "-ERR (say) Error!\n");
		conf_usage(x);
	} else {
		buf_adds(x->out, "+OK (say) OK\n");
	}
}

void cmd_saymember(struct conf_call *x)
{
	if (!x->n) {
		buf_adds(x->out, "-ERR (saymember) No Text!\n");
		conf_usage(x);
		return;
	}
	unsigned id = (unsigned)strtoul(x->w[0], NULL, 10);
	struct conf_member *m = !strcasecmp(x->w[0], "last") && !list_empty(&x->room->members)
	                            ? conf_member_of(list_first(&x->room->members))
	                            : conf_member_find(x->room, id);
	if (!m) {
		buf_printf(x->out, "-ERR (saymember) Unknown Member %u!\n", id);
		conf_usage(x);
		return;
	}
	const char *text = strchr(x->rest, ' ');
	if (text && text[1])
		speak(x, m, text + 1);
	buf_adds(x->out, "+OK (saymember) OK\n");
}

/* ---- records ---- */

/* Relative ones lie below the directory of recordings; NULL after saying what is wrong. */
static ON_CTL char *record_path(struct conf_call *x, int i)
{
	char *text = file_of(x, i, true);
	struct buf b;
	if (!text)
		return NULL;
	buf_init(&b);
	bool is_url = mctl_is_url(text);
	if (*text != '/' && !is_url)
		buf_printf(&b, "%s/", core_dirs() ? core_dirs()->recordings : ".");
	if (is_url ? mctl_url_plain(&b, sv_of(text)) : mark_strip_path(&b, sv_of(text))) {
		buf_adds(x->out, "-ERR that file is not allowed\n");
		buf_fini(&b);
		mem_free(text);
		return NULL;
	}
	mem_free(text);
	return buf_take(&b);
}

static ON_CTL void record(struct conf_call *x, int i)
{
	char *path = record_path(x, i);
	if (!path)
		return;
	int st = conf_record_start(x->room, path, false);
	if (st == ST_EXISTS)
		buf_printf(x->out, "-ERR file [%s] is already being used for recording.\n", path);
	else if (st)
		buf_printf(x->out, "-ERR %s cannot be recorded: %s\n", path, status_text(st));
	else
		buf_printf(x->out, "+OK Record file %s\n", path);
	mem_free(path);
}

static ON_CTL void stop_records(struct conf_call *x, int i)
{
	bool is_all = !strcasecmp(x->w[i], "all");
	char *path = is_all ? NULL : record_path(x, i);
	if (!is_all && !path)
		return;
	if (!conf_record_stop(x->room, path, x->out) && path)
		buf_printf(x->out, "-ERR non-existant recording '%s'\n", path);
	buf_printf(x->out, "+OK Stopped recording %u files\n", 0); /* FreeSWITCH never counts */
	mem_free(path);
}

static ON_CTL void pause_record(struct conf_call *x, int i, bool is_paused)
{
	char *path = record_path(x, i);
	if (!path)
		return;
	buf_printf(x->out, "+OK %s recording file %s\n", is_paused ? "Pause" : "Resume", path);
	if (!conf_record_pause(x->room, path, is_paused))
		buf_printf(x->out, "-ERR non-existant recording '%s'\n", path);
	mem_free(path);
}

void cmd_record(struct conf_call *x)
{
	record(x, 0);
}

void cmd_chkrecord(struct conf_call *x)
{
	struct lnode *it, *tmp;
	bool has_any = false;
	list_each (&x->room->records, it, tmp) {
		const struct conf_record *r = list_entry(it, struct conf_record, link);
		if (r->is_ending)
			continue;
		has_any = true;
		buf_printf(x->out, "+OK Record file %s%s\n", r->path, r->is_paused ? " (paused)" : "");
	}
	if (!has_any)
		buf_adds(x->out, "-ERR no recording\n");
}

void cmd_norecord(struct conf_call *x)
{
	stop_records(x, 0);
}

void cmd_pause_record(struct conf_call *x)
{
	pause_record(x, 0, true);
}

void cmd_resume_record(struct conf_call *x)
{
	pause_record(x, 0, false);
}

void cmd_recording(struct conf_call *x)
{
	const char *how = x->w[0];
	if (!strcasecmp(how, "check"))
		cmd_chkrecord(x);
	else if (!strcasecmp(how, "start"))
		record(x, x->n > 1 ? 1 : 0);
	else if (!strcasecmp(how, "stop") && x->n > 1)
		stop_records(x, 1);
	else if ((!strcasecmp(how, "pause") || !strcasecmp(how, "resume")) && x->n > 1)
		pause_record(x, 1, !strcasecmp(how, "pause"));
	else
		conf_usage(x);
}
