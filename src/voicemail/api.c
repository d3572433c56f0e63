/* The commands vm_boxcount, vm_list, vm_prefs, vm_read, vm_delete, vm_inject and voicemail, with FreeSWITCH's replies.
 */
#include "base/mem.h"
#include "base/status.h"
#include "core/door/door.h"
#include "core/registry/app_words.h"
#include "core/registry/principal.h"
#include "text/mark.h"
#include "text/xml.h"
#include "voicemail/vm_i.h"
#include <strings.h>

#define VOICEMAIL_USAGE \
	"Error: rss [<host> <port> <uri> <user> <domain>] | [load|unload|reload] <profile> [reloadxml]\n"
#define INJECT_USAGE \
	"Error: [group=<group>[@domain]|domain=<domain>|<box>[@<domain>]] <sound_file> [<cid_num>] [<cid_name>]\n"

static ON_CTL struct sv profile_or(struct sv name)
{
	const struct vm_confs *set = vm_confs_now();
	return name.n ? name : set && set->count == 1 ? sv_of(set->list[0]->name) : SV("default");
}

/* What the command was given: with marks where it is from outside, so that it parts no words and no names; of somebody
 * who may not do everything as he wrote it. */
static const char *given(const struct api_call *c)
{
	return c->who ? c->args : c->text;
}

/* user@domain of a profile, all with marks. A box that is from outside as a whole ("${presence_id}") is one, too. */
static CO int box_get(struct sv who, struct sv profile, struct vm_box *b)
{
	struct sv user, domain;
	struct vm_profile p;
	char *whole = sv_find(who, '@') == who.n ? mark_strip_dup(who) : NULL;
	sv_split(whole ? sv_of(whole) : who, '@', &user, &domain);
	char *id = mark_strip_dup(user), *host = mark_strip_dup(domain), *name = mark_strip_dup(profile);
	int st = id && host && name && *host && !vm_profile_get(profile_or(sv_of(name)), &p) ? ST_OK : ST_NOTFOUND;
	if (!st) {
		st = vm_box_find(b, &p, sv_of(id), sv_of(host));
		vm_profile_put(&p);
	}
	mem_free(whole), mem_free(id), mem_free(host), mem_free(name);
	return st;
}

/* "[profile/]user@domain", with marks */
static CO int box_in_front(struct sv text, struct vm_box *b)
{
	struct sv profile = SV_NONE, rest = text;
	if (sv_find(text, '/') < sv_find(text, '@'))
		sv_split(text, '/', &profile, &rest);
	return box_get(rest, profile, b);
}

/* "user@domain[/profile]", with marks */
static CO int box_behind(const char *text, struct vm_box *b)
{
	struct sv profile = SV_NONE, rest;
	sv_split(sv_of(text), '/', &rest, &profile);
	return box_get(rest, profile, b);
}

int api_vm_boxcount(struct api_call *c)
{
	struct sv who, how;
	struct vm_counts n = {0};
	struct vm_box b;
	role_assert_co();
	sv_split(sv_trim(sv_of(given(c))), '|', &who, &how);
	if (!box_in_front(who, &b)) {
		vm_db_count(b.p.db, b.id, b.domain, &n);
		vm_box_fini(&b);
	}
	if (sv_isi(how, "all"))
		buf_printf(c->out, "%u:%u:%u:%u", n.new_count, n.saved_count, n.new_urgent, n.saved_urgent);
	else
		buf_printf(c->out, "%u",
		    sv_isi(how, "saved")          ? n.saved_count
		    : sv_isi(how, "new-urgent")   ? n.new_urgent
		    : sv_isi(how, "saved-urgent") ? n.saved_urgent
		                                  : n.new_count);
	return ST_OK;
}

static void tag_put(struct buf *out, const char *tag, const char *value)
{
	buf_printf(out, "  <%s>", tag);
	xml_escape(out, sv_of(value), false);
	buf_printf(out, "</%s>\n", tag);
}

static void msg_xml_put(struct buf *out, const struct vm_msg *m)
{
	buf_printf(out, " <message>\n  <created_epoch>%lld</created_epoch>\n  <read_epoch>%lld</read_epoch>\n",
	    (long long)m->created_s, (long long)m->read_s);
	tag_put(out, "username", m->user), tag_put(out, "domain", m->domain), tag_put(out, "folder", m->folder);
	tag_put(out, "path", m->path), tag_put(out, "uuid", m->uuid), tag_put(out, "cid-name", m->cid_name);
	tag_put(out, "cid-number", m->cid_number);
	buf_printf(out, "  <message-len>%u</message-len>\n </message>\n", m->length_s);
}

int api_vm_list(struct api_call *c)
{
	struct app_words w;
	struct vm_msgs all;
	struct vm_box b;
	role_assert_co();
	int wrong = app_words_init(&w, given(c), 2);
	bool is_xml = w.n > 1 && !strcasecmp(w.w[1], "xml");
	if (wrong || w.n < 1 || !*w.w[0]) {
		buf_adds(c->out, "Usage: <id>@<domain>[/profile] [xml]\n");
	} else if (!box_behind(w.m[0], &b)) {
		int st = vm_db_list(b.p.db, b.id, b.domain, VM_ALL, false, NULL, &all);
		if (is_xml)
			buf_adds(c->out, "<voicemail>\n");
		for (unsigned i = 0; !st && i < all.count; i++) {
			const struct vm_msg *m = &all.list[i];
			if (is_xml)
				msg_xml_put(c->out, m);
			else
				buf_printf(c->out, "%lld:%lld:%s:%s:%s:%s:%s:%s:%s:%u\n", (long long)m->created_s,
				    (long long)m->read_s, m->user, m->domain, m->folder, m->path, m->uuid, m->cid_name,
				    m->cid_number, m->length_s);
		}
		if (is_xml)
			buf_adds(c->out, "</voicemail>\n");
		vm_msgs_fini(&all);
		vm_box_fini(&b);
	}
	app_words_fini(&w);
	return ST_OK;
}

int api_vm_prefs(struct api_call *c)
{
	struct sv who, how;
	struct vm_prefs p;
	struct vm_box b;
	role_assert_co();
	sv_split(sv_trim(sv_of(given(c))), '|', &who, &how);
	if (!who.n) {
		buf_adds(c->out, "0");
		return ST_OK;
	}
	if (box_in_front(who, &b))
		return ST_OK;
	if (!vm_db_prefs(b.p.db, b.id, b.domain, &p)) {
		const char *password = c->who ? "" : p.password; /* not for who may not do everything */
		if (!how.n || sv_isi(how, "greeting_path"))
			buf_adds(c->out, p.greeting_path);
		else if (sv_isi(how, "name_path"))
			buf_adds(c->out, p.name_path);
		else if (sv_isi(how, "password"))
			buf_adds(c->out, password);
		else
			buf_printf(c->out, "%s:%s:%s", p.name_path, p.greeting_path, password);
	}
	vm_prefs_fini(&p);
	vm_box_fini(&b);
	return ST_OK;
}

int api_vm_read(struct api_call *c)
{
	struct app_words w;
	struct vm_box b;
	role_assert_co();
	int wrong = app_words_init(&w, given(c), 3);
	bool is_read = w.n > 1 && !strcasecmp(w.w[1], "read");
	if (wrong || w.n < 1 || !*w.w[0]) {
		buf_adds(c->out, "Usage: <id>@<domain>[/profile] <read|unread> [<uuid>]\n");
	} else if (w.n < 2 || (!is_read && strcasecmp(w.w[1], "unread")) || box_behind(w.m[0], &b)) {
		buf_adds(c->out, "-ERR can't find user or profile.\n");
	} else {
		int st = vm_db_mark_read(b.p.db, b.id, b.domain, w.n > 2 ? w.w[2] : NULL, is_read);
		vm_mwi_update(b.p.db, b.id, b.domain, "READ");
		buf_adds(c->out, st ? "-ERR the database refused it\n" : "+OK\n");
		vm_box_fini(&b);
	}
	app_words_fini(&w);
	return ST_OK;
}

int api_vm_delete(struct api_call *c)
{
	struct app_words w;
	struct vm_box b;
	role_assert_co();
	int wrong = app_words_init(&w, given(c), 2);
	if (wrong || w.n < 1 || !*w.w[0]) {
		buf_adds(c->out, "Usage: <id>@<domain>[/profile] [<uuid>]\n");
	} else if (box_behind(w.m[0], &b)) {
		buf_adds(c->out, "-ERR can't find user or profile.\n");
	} else {
		int st = vm_db_delete(b.p.db, b.id, b.domain, w.n > 1 ? w.w[1] : NULL, false);
		vm_mwi_update(b.p.db, b.id, b.domain, "DELETE");
		buf_adds(c->out, st ? "-ERR the database refused it\n" : "+OK\n");
		vm_box_fini(&b);
	}
	app_words_fini(&w);
	return ST_OK;
}

int api_vm_inject(struct api_call *c)
{
	struct app_words w;
	char *file = NULL;
	role_assert_co();
	int st = app_words_init(&w, given(c), 4);
	if (!st)
		st = w.n > 1 ? vm_file_may(c, w.m[1], &file) : ST_INVAL;
	if (st == ST_DENIED)
		buf_adds(c->out, "-ERR that file is not yours to read: an absolute one below recordings or sounds\n");
	else if (!st)
		st = vm_inject(&(struct vm_injection){.to = w.w[0],
		    .is_one_box = vm_is_one_box(sv_of(w.m[0])),
		    .file = file,
		    .cid_number = w.n > 2 ? w.w[2] : "anonymous",
		    .cid_name = w.n > 3 ? w.w[3] : "anonymous"});
	if (st != ST_DENIED)
		buf_adds(c->out, st ? INJECT_USAGE : "+OK\n");
	mem_free(file);
	app_words_fini(&w);
	return ST_OK;
}

static ON_CTL void status_put(const struct vm_db *db, void *arg)
{
	struct api_call *c = arg;
	struct store_stats s;
	store_stats_get(db->store, &s);
	buf_printf(c->out, "%s: %zu writes queued, %llu failed\n", db->profile, s.queued,
	    (unsigned long long)s.dropped_failed + s.dropped_full);
}

static CO void profile_change(struct api_call *c, const char *verb, const char *name)
{
	struct vm_profile p;
	if (!strcasecmp(verb, "unload") || !strcasecmp(verb, "reload"))
		vm_profile_close(sv_of(name));
	if (strcasecmp(verb, "unload")) {
		if (vm_profile_get(sv_of(name), &p)) {
			buf_printf(c->out, "-ERR there is no profile %s\n", name);
			return;
		}
		vm_profile_put(&p);
	}
	buf_printf(c->out, "+OK %s complete\n", verb);
}

static CO int rss(struct api_call *c, char **w)
{
	struct vm_box b;
	struct vm_profile p;
	int st = vm_profile_get(profile_or(SV_NONE), &p);
	if (!st) {
		st = vm_box_find(&b, &p, sv_of(w[4]), sv_of(w[5]));
		vm_profile_put(&p);
	}
	if (st) {
		buf_adds(c->out, "-ERR can't find user or profile.\n");
		return ST_OK;
	}
	vm_rss_put(b.p.db, b.id, b.domain, w[1], w[2], w[3], c->out);
	vm_box_fini(&b);
	return ST_OK;
}

int api_voicemail(struct api_call *c)
{
	struct app_words all;
	role_assert_co();
	int st = app_words_init(&all, given(c), 7), n = st ? 0 : all.n;
	char **w = all.w;
	if (n >= 6 && !strcasecmp(w[0], "rss"))
		rss(c, w);
	else if (n >= 2 && (!strcasecmp(w[0], "load") || !strcasecmp(w[0], "unload") || !strcasecmp(w[0], "reload"))) {
		if (n > 2 && !strcasecmp(w[2], "reloadxml"))
			config_reload(NULL, NULL); /* the profile's new settings count when it has been read */
		profile_change(c, w[0], w[1]);
	} else if (n >= 1 && !strcasecmp(w[0], "status"))
		vm_db_each(status_put, c);
	else
		buf_adds(c->out, VOICEMAIL_USAGE);
	app_words_fini(&all);
	return ST_OK;
}
