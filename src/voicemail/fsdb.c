/* The commands vm_fsdb_*: what programs that talk to callers themselves do with a box. Replies are FreeSWITCH's, which
 * says "-OK" when it worked; what is asked for comes as an event in JSON. */
#include "base/mem.h"
#include "base/status.h"
#include "core/door/door.h"
#include "core/registry/app_words.h"
#include "core/registry/principal.h"
#include "text/mark.h"
#include "voicemail/vm_i.h"
#include <stdio.h>
#include <strings.h>

enum { WORDS_MAX = 9 };
struct ask {
	struct app_words words;
	char **w, **m; /* without and with marks: what is from outside parts no words */
	int n;
	struct vm_box box;
	bool has_box;
};

/* The words, and the box that three of them name: profile, domain, user. False: the reply says why. */
static CO bool ask_init(struct ask *a, struct api_call *c, int first, int min)
{
	struct vm_profile p;
	*a = (struct ask){.n = 0};
	a->w = a->words.w, a->m = a->words.m;
	if (!app_words_init(&a->words, c->who ? c->args : c->text, WORDS_MAX))
		a->n = a->words.n;
	if (a->n < min) {
		buf_adds(c->out, "-ERR Missing Arguments\n");
		return false;
	}
	if (vm_profile_get(sv_of(a->w[first]), &p)) {
		buf_adds(c->out, "-ERR Profile not found\n");
		return false;
	}
	a->has_box = !vm_box_find(&a->box, &p, sv_of(a->w[first + 2]), sv_of(a->w[first + 1]));
	vm_profile_put(&p);
	if (!a->has_box)
		buf_adds(c->out, "-ERR User not found\n");
	return a->has_box;
}

static CO int ask_end(struct ask *a)
{
	if (a->has_box)
		vm_box_fini(&a->box);
	app_words_fini(&a->words);
	return ST_OK;
}

static ON_CTL void reply(struct api_call *c, int st)
{
	if (st)
		buf_printf(c->out, "-ERR %s\n", status_text(st));
	else
		buf_adds(c->out, "-OK\n");
}

static ON_CTL void json_end(struct api_call *c, struct event *e)
{
	if (e)
		buf_addv(c->out, event_render(e, EVENT_JSON));
	mem_unref(e);
}

int vm_file_may(struct api_call *c, const char *file, char **path)
{
	const char *why = NULL;
	struct buf door, text;
	int st = ST_OK;
	*path = NULL;
	if (c->who && *file != '/') /* it would be looked for where the program runs */
		return ST_DENIED;
	buf_init(&door), buf_init(&text);
	if (c->who)
		st = principal_put_file(&door, file, false, &why);
	if (!st)
		st = c->who ? buf_adds(&text, file) : mark_strip_path(&text, sv_of(file));
	if (!st)
		*path = mem_strdup(text.p ? text.p : "");
	buf_fini(&door), buf_fini(&text);
	return st || *path ? st : ST_NOMEM;
}

static int auth_login(struct api_call *c)
{
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 0, 4))
		buf_adds(c->out, vm_password_fits(&a.box, a.w[3]) ? "-OK" : "-ERR");
	return ask_end(&a);
}

static int msg_count(struct api_call *c)
{
	struct vm_counts n;
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 1, 5)) {
		struct event *e = event_new(EVENT_REQUEST_PARAMS, NULL);
		vm_db_count(a.box.p.db, a.box.id, a.box.domain, &n);
		event_addf(e, "VM-Total-New-Messages", "%u", n.new_count);
		event_addf(e, "VM-Total-New-Urgent-Messages", "%u", n.new_urgent);
		event_addf(e, "VM-Total-Saved-Messages", "%u", n.saved_count);
		event_addf(e, "VM-Total-Saved-Urgent-Messages", "%u", n.saved_urgent);
		json_end(c, e);
	}
	return ask_end(&a);
}

static int msg_list(struct api_call *c)
{
	struct vm_msgs all;
	struct ask a;
	char name[48];
	unsigned count = 0;
	role_assert_co();
	if (ask_init(&a, c, 1, 6)) {
		bool is_new = !strcasecmp(a.w[5], "new"),
		     is_saved = !strcasecmp(a.w[5], "save") || !strcasecmp(a.w[5], "saved");
		struct event *e = event_new(EVENT_REQUEST_PARAMS, NULL);
		bool is_newest_first = a.n > 6 && !strcasecmp(a.w[6], "desc");
		int st = vm_db_list(
		    a.box.p.db, a.box.id, a.box.domain, is_new ? VM_NEW : VM_SAVED, is_newest_first, NULL, &all);
		for (unsigned i = 0; !st && (is_new || is_saved) && i < all.count; i++) {
			snprintf(name, sizeof(name), "VM-List-Message-%u-UUID", ++count);
			event_add(e, name, all.list[i].uuid);
		}
		event_addf(e, "VM-List-Count", "%u", count);
		vm_msgs_fini(&all);
		json_end(c, e);
	}
	return ask_end(&a);
}

static int msg_get(struct api_call *c)
{
	struct vm_msgs one;
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 1, 5)) {
		struct event *e = event_new(EVENT_REQUEST_PARAMS, NULL);
		if (!vm_db_list(a.box.p.db, a.box.id, a.box.domain, VM_ALL, false, a.w[4], &one) && one.count) {
			const struct vm_msg *m = &one.list[0];
			event_addf(e, "VM-Message-Received-Epoch", "%lld", (long long)m->created_s);
			event_addf(e, "VM-Message-Read-Epoch", "%lld", (long long)m->read_s);
			event_add(e, "VM-Message-UUID", m->uuid);
			event_add(e, "VM-Message-Caller-Name", m->cid_name);
			event_add(e, "VM-Message-Caller-Number", m->cid_number);
			event_add(e, "VM-Message-Folder", m->folder);
			event_add(e, "VM-Message-File-Path", m->path);
			event_addf(e, "VM-Message-Duration", "%u", m->length_s);
			event_add(e, "VM-Message-Read-Flags", m->read_flags);
			if (*m->forwarded_by)
				event_add(e, "VM-Message-Forwarded-By", m->forwarded_by);
		}
		vm_msgs_fini(&one);
		json_end(c, e);
	}
	return ask_end(&a);
}

static CO int msg_flag(struct api_call *c, const char *set)
{
	struct ask a;
	if (ask_init(&a, c, 0, 4))
		reply(c, vm_db_update(a.box.p.db, a.box.id, a.box.domain, a.w[3], set, NULL));
	return ask_end(&a);
}

static int msg_delete(struct api_call *c)
{
	role_assert_co();
	return msg_flag(c, "flags='delete'");
}

static int msg_undelete(struct api_call *c)
{
	role_assert_co();
	return msg_flag(c, "flags=''");
}

static int msg_save(struct api_call *c)
{
	role_assert_co();
	return msg_flag(c, "flags='save'");
}

/* The end of a caller's visit: what he heard and kept is read, what he deleted goes. */
static int msg_purge(struct api_call *c)
{
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 0, 3)) {
		reply(c, vm_db_delete(a.box.p.db, a.box.id, a.box.domain, NULL, true));
		vm_mwi_update(a.box.p.db, a.box.id, a.box.domain, "PURGE");
	}
	return ask_end(&a);
}

static CO int forward_it(struct api_call *c, struct ask *a, const struct vm_msg *m)
{
	struct buf to, by;
	char token[13], *joined = NULL, *intro = NULL;
	int st = a->n > 6 ? vm_file_may(c, a->m[6], &intro) : ST_OK;
	buf_init(&to), buf_init(&by);
	buf_printf(&to, "%s@%s", a->w[5], a->w[4]);
	buf_printf(&by, "%s@%s", a->box.id, a->box.domain);
	if (!st && intro) {
		rand_token(token, 12);
		joined = vm_box_path(&a->box, ".msg_%s.%s", token, a->box.ext);
		st = vm_file_join(intro, m->path, joined);
	}
	if (!st)
		st = vm_inject(&(struct vm_injection){.profile = a->box.p.conf->name,
		    .to = to.p,
		    .is_one_box = true,
		    .file = joined ? joined : m->path,
		    .cid_name = m->cid_name,
		    .cid_number = m->cid_number,
		    .read_flags = m->read_flags,
		    .forwarded_by = by.p});
	if (joined)
		vm_file_remove(joined);
	mem_free(joined), mem_free(intro);
	buf_fini(&to), buf_fini(&by);
	return st;
}

static int msg_forward(struct api_call *c)
{
	struct vm_msgs one;
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 0, 6)) {
		if (vm_db_list(a.box.p.db, a.box.id, a.box.domain, VM_ALL, false, a.w[3], &one) || !one.count)
			buf_adds(c->out, "-ERR Cannot find source msg to forward: \n");
		else
			reply(c, forward_it(c, &a, &one.list[0]));
		vm_msgs_fini(&one);
	}
	return ask_end(&a);
}

static int msg_email(struct api_call *c)
{
	struct vm_counts counts;
	struct vm_msgs one;
	struct ask a;
	bool keeps;
	role_assert_co();
	if (ask_init(&a, c, 0, 5)) {
		if (vm_db_list(a.box.p.db, a.box.id, a.box.domain, VM_ALL, false, a.w[3], &one) || !one.count) {
			buf_adds(c->out, "-ERR Invalid Message UUID\n");
		} else {
			vm_db_counts_peek(a.box.p.db, a.box.id, a.box.domain, &counts);
			reply(c,
			    vm_mail_send(
			        &(struct vm_mail){.box = &a.box, .msg = &one.list[0], .counts = &counts, .to = a.w[4]},
			        &keeps));
		}
		vm_msgs_fini(&one);
	}
	return ask_end(&a);
}

static CO void greeting_set(struct api_call *c, struct ask *a)
{
	const char *slot = a->w[3];
	if (slot[0] < '0' || slot[0] > '9' || slot[1]) {
		buf_adds(c->out, "-ERR a greeting has a number from 0 to 9\n");
		return;
	}
	char *path = vm_box_path(&a->box, "greeting_%s.%s", slot, a->box.ext), *from = NULL;
	int st = a->n > 4 ? vm_file_may(c, a->m[4], &from) : ST_OK;
	if (!st && from && !(st = vm_file_box_make(a->box.dir)))
		st = vm_file_copy(from, path);
	if (!st && !vm_file_exists(path))
		buf_printf(c->out, "-ERR Recording doesn't exist [%s]\n", path);
	else
		reply(c, st ? st : vm_db_prefs_set(a->box.p.db, a->box.id, a->box.domain, "greeting_path", path));
	mem_free(path), mem_free(from);
}

static int pref_greeting_set(struct api_call *c)
{
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 0, 4))
		greeting_set(c, &a);
	return ask_end(&a);
}

static int pref_greeting_get(struct api_call *c)
{
	struct vm_prefs p;
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 1, 4)) {
		struct event *e = event_new(EVENT_REQUEST_PARAMS, NULL);
		if (!vm_db_prefs(a.box.p.db, a.box.id, a.box.domain, &p) && *p.greeting_path) {
			event_add(e, "VM-Preference-Greeting-File-Path", p.greeting_path);
			event_add(e, "VM-Preference-Greeting-Slot", "Not Implemented yet"); /* what FreeSWITCH says */
			event_add(e, "VM-Preference-Greeting-Selected", "True");
		}
		vm_prefs_fini(&p);
		json_end(c, e);
	}
	return ask_end(&a);
}

static int pref_recname_set(struct api_call *c)
{
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 0, 4)) {
		char *path = vm_box_path(&a.box, "recorded_name.%s", a.box.ext), *from = NULL;
		int st = vm_file_may(c, a.m[3], &from);
		if (!st)
			st = vm_file_box_make(a.box.dir);
		if (!st)
			st = vm_file_copy(from, path);
		reply(c, st ? st : vm_db_prefs_set(a.box.p.db, a.box.id, a.box.domain, "name_path", path));
		mem_free(path), mem_free(from);
	}
	return ask_end(&a);
}

static int pref_password_set(struct api_call *c)
{
	struct ask a;
	role_assert_co();
	if (ask_init(&a, c, 0, 4))
		reply(c, vm_db_prefs_set(a.box.p.db, a.box.id, a.box.domain, "password", a.w[3]));
	return ask_end(&a);
}

#define ROW(name, syntax, fn) \
	{ \
		"vm_fsdb_" name, "vm_fsdb_" name, syntax, API_MAY_WAIT, fn, NULL, NULL, NULL \
	}
const struct api_desc vm_fsdb_apis[] = {
    ROW("auth_login", "<profile> <domain> <user> <password>", auth_login),
    ROW("msg_count", "<format> <profile> <domain> <user> <folder>", msg_count),
    ROW("msg_list", "<format> <profile> <domain> <user> <folder> <filter> [msg-order = ASC | DESC]", msg_list),
    ROW("msg_get", "<format> <profile> <domain> <user> <uuid>", msg_get),
    ROW("msg_delete", "<profile> <domain> <user> <uuid>", msg_delete),
    ROW("msg_undelete", "<profile> <domain> <user> <uuid>", msg_undelete),
    ROW("msg_email", "<profile> <domain> <user> <uuid> <email>", msg_email),
    ROW("msg_purge", "<profile> <domain> <user>", msg_purge),
    ROW("msg_save", "<profile> <domain> <user> <uuid>", msg_save),
    ROW("msg_forward", "<profile> <domain> <user> <uuid> <dst_domain> <dst_user> [prepend_file_location]", msg_forward),
    ROW("pref_greeting_set", "<profile> <domain> <user> <slot> [file-path]", pref_greeting_set),
    ROW("pref_greeting_get", "<format> <profile> <domain> <user> [slot]", pref_greeting_get),
    ROW("pref_recname_set", "<profile> <domain> <user> <file-path>", pref_recname_set),
    ROW("pref_password_set", "<profile> <domain> <user> <password>", pref_password_set),
    {NULL},
};
