/* Voicemail, inside the room. A caller is served by one coroutine from the greeting to the goodbye; what it knows of
 * the box stands in a struct vm_call, what all of them share (the database, the counts) in a struct vm_db.
 *
 *   voicemail app -> module.c -> leave.c ----> record.c (prompt, tone, record, review) -> deliver.c -> db.c, mwi.c,
 * notify.c
 *                         \-> check.c ----> login.c, listen.c, options.c, forward.c
 *   commands ------> api.c, fsdb.c, inject.c, rss.c ---------------------------------> db.c, deliver.c
 *   MESSAGE_QUERY -> mwi.c: answered from memory
 *
 * A message is listed when its row is written, and its row is written when its file is whole: it is recorded aside
 * under a hidden name, renamed, then inserted. Directory user and profile name every path; nothing of a caller does. */
#pragma once
#include "base/rand.h"
#include "base/role.h"
#include "base/str.h"
#include "core/conf/config.h"
#include "core/conf/dir.h"
#include "core/event/event.h"
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "store/store.h"

/* ---- configuration (conf.c) ---- */
enum vm_date { VM_DATE_FIRST, VM_DATE_LAST, VM_DATE_NEVER };
struct vm_conf { /* a profile; all texts are never NULL but where it says so */
	char *name;
	/* keys: one each, or "" */
	char *terminator, *play_new, *play_saved, *login, *main_menu, *skip_greet, *skip_info, *config_menu,
	    *record_greeting, *choose_greeting, *record_name, *change_pass, *record_file, *listen_file, *save_file,
	    *delete_file, *undelete_file, *email_key, *callback, *pause, *restart, *ff, *rew, *previous, *next, *repeat,
	    *urgent, *operator_key, *vmain_key, *forward, *prepend;
	char *operator_extension, *vmain_extension, *file_extension, *record_title, *record_comment, *record_copyright,
	    *tone_spec, *storage_dir, *callback_dialplan, *callback_context, *convert_ext, *odbc_dsn, *dbname,
	    *template_file, *notify_template_file, *email_headers, *email_body, *notify_headers, *notify_body,
	    *email_from, *date_fmt;
	unsigned date, digit_timeout_ms, max_login_attempts, min_record_s, max_record_s, max_retries, silence_threshold,
	    silence_s, sample_rate;
	unsigned new_lifo, saved_lifo, shared_storage, db_password_override, empty_password_auth,
	    auto_playback;                          /* 0 or 1 */
	char *template_text, *notify_template_text; /* of the files; NULL: there is none */
};
struct vm_confs { /* counted, atomically */
	struct vm_conf **list;
	unsigned count;
};
ANY int vm_confs_new(struct vm_confs **out);
/* Every <profile> below node, which may be NULL; what is wrong is told and left at its default. report may be NULL. */
ANY int vm_confs_read(struct vm_confs *set, const struct xml_node *node, config_report_fn report, void *arg);
ANY const struct vm_conf *vm_conf_find(const struct vm_confs *set, struct sv name);
extern const struct conf_desc vm_conf_descs[];
ON_CTL int vm_conf_stage_init(void);
ON_CTL struct vm_confs *vm_confs_now(void); /* of the current configuration; borrowed; NULL: none */

/* ---- the database of a profile (db.c) ---- */
struct vm_counts {
	unsigned new_count, saved_count, new_urgent, saved_urgent; /* the urgent ones count among the others, too */
};
struct vm_db { /* counted; open as long as somebody holds it */
	char *profile, *dsn;
	struct store *store;
	struct hash *counts; /* "user@domain" -> struct vm_counts; boxes that never had messages are not in it */
	bool is_counted;     /* all boxes have been read once */
};
/* The profile's settings and database, both references; opened when it is not yet. ST_NOTFOUND: no such profile. */
struct vm_profile {
	struct vm_confs *set;
	const struct vm_conf *conf;
	struct vm_db *db;
};
ON_CTL int vm_profile_get(struct sv name, struct vm_profile *out);
ON_CTL void vm_profile_put(struct vm_profile *p);
ON_CTL void vm_profile_close(struct sv name); /* its database; the next who asks opens it again */
ON_CTL void vm_profiles_close(void);
ON_CTL void vm_profiles_open(void); /* every configured one: their counts are wanted */
ON_CTL void vm_db_each(void (*fn)(const struct vm_db *db, void *arg), void *arg);

struct vm_msg { /* texts owned by the list */
	const char *uuid, *user, *domain, *cid_name, *cid_number, *folder, *path, *flags, *read_flags, *forwarded_by;
	int64_t created_s, read_s;
	unsigned length_s;
};
struct vm_msgs {
	struct store_rows rows;
	struct buf texts;
	struct vm_msg *list;
	unsigned count;
};
enum vm_which { VM_ALL, VM_NEW, VM_SAVED };
enum { VM_LIST_MAX = 10000 };
CO int vm_db_list(struct vm_db *db, const char *user, const char *domain, enum vm_which which, bool is_newest_first,
    const char *uuid /* or NULL */, struct vm_msgs *out);
ON_CTL void vm_msgs_fini(struct vm_msgs *m);
CO int vm_db_insert(struct vm_db *db, const struct vm_msg *m);
CO bool vm_db_has_uuid(struct vm_db *db, const char *user, const char *domain, const char *uuid);
/* One statement on the messages of the box: set is a constant "flags='save'" ...; where likewise, or NULL. */
CO int vm_db_update(struct vm_db *db, const char *user, const char *domain, const char *uuid /* NULL: all */,
    const char *set, const char *where);
CO int vm_db_mark_read(struct vm_db *db, const char *user, const char *domain, const char *uuid, bool is_read);
/* Deletes rows and then files: of one message, of all (uuid NULL), or of those marked so (only_marked). */
CO int vm_db_delete(struct vm_db *db, const char *user, const char *domain, const char *uuid, bool only_marked);
struct vm_prefs {
	char *name_path, *greeting_path, *password; /* "" when unset; owned */
	bool is_there;
};
CO int vm_db_prefs(struct vm_db *db, const char *user, const char *domain, struct vm_prefs *out);
ON_CTL void vm_prefs_fini(struct vm_prefs *p);
/* column: "name_path", "greeting_path" or "password". */
CO int vm_db_prefs_set(struct vm_db *db, const char *user, const char *domain, const char *column, const char *value);
/* Seconds of all messages, for the quota. */
CO int vm_db_seconds(struct vm_db *db, const char *user, const char *domain, uint64_t *out);
/* Counts the box anew and keeps it. */
CO int vm_db_count(struct vm_db *db, const char *user, const char *domain, struct vm_counts *out);
/* False: it never had any since the start; all are 0 then. */
ON_CTL bool vm_db_counts_peek(const struct vm_db *db, const char *user, const char *domain, struct vm_counts *out);

/* ---- files (files.c): each waits for a worker ---- */
CO int vm_file_box_make(const char *dir); /* the folder, and none of what calls that died left in it */
CO bool vm_file_exists(const char *path);
CO int vm_file_rename(const char *from, const char *to); /* synced: it is there after a power cut */
CO int vm_file_copy(const char *from, const char *to);   /* aside, synced, renamed */
CO void vm_file_remove(const char *path);
CO void vm_files_remove(struct buf *zero_ended_paths);
CO int vm_file_seconds(const char *path, unsigned *out); /* ST_NOTFOUND, ST_UNSUPPORTED: no sound file */
/* first, then second, as one file in out's format; first may be NULL: conversion. */
CO int vm_file_join(const char *first, const char *second, const char *out);

/* ---- a box ---- */
struct vm_box { /* texts owned */
	struct vm_profile p;
	struct dir_user *user;
	char *id, *domain, *dir, *ext;
};
/* The box of the user, by id or alias, with its profile's reference taken over when it is found. ST_NOTFOUND: no such
 * user, or vm-enabled is false. */
ON_CTL int vm_box_find(struct vm_box *b, const struct vm_profile *p, struct sv id, struct sv domain);
ON_CTL void vm_box_fini(struct vm_box *b);
ON_CTL const char *vm_box_param(const struct vm_box *b, const char *name); /* "" is NULL */
ON_CTL char *vm_box_path(const struct vm_box *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- talking (ask.c) ---- */
struct vm_call {
	struct leg *leg;
	struct vm_box box;
	const struct vm_conf *conf; /* the box's, or the profile's before there is one */
};
/* The macro, ended by any key: the key, or 0. data is text with marks, or NULL. */
CO int vm_say(struct leg *leg, const char *macro, const char *data, char *key);
CO int vm_say_number(struct leg *leg, const char *macro, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
enum { VM_KEYS_MAX = 64 };
struct vm_keys {
	char text[VM_KEYS_MAX + 1];
	char terminator;
};
/* The macro, and what the caller presses: up to max keys, or until one of terminators. ST_HANGUP, ST_CANCELLED; nothing
 * pressed is no failure. */
CO int vm_ask(struct leg *leg, const struct vm_conf *conf, const char *macro, const char *data, unsigned max,
    const char *terminators, struct vm_keys *out);
ANY bool vm_is_key(const char *key, const char *pressed); /* key is set, and is the first that was pressed */
/* The tone before a recording. */
CO int vm_beep(struct leg *leg, const char *spec);
/* "extension [dialplan [context]]" of the configuration. */
ON_CTL int vm_send_to(struct leg *leg, const char *place);

/* ---- recording (record.c) ---- */
struct vm_recording {
	const char *macro;     /* NULL: nothing is said before */
	const char *path;      /* where it is to stand in the end */
	const char *exit_keys; /* end it all when pressed while it is recorded; "" or NULL: none */
	bool has_limits;       /* a message: too short a one is asked for again */
	bool is_told;          /* the first recording begins without the macro */
	/* out */
	char *aside; /* the hidden name that it has now; owned */
	unsigned length_s;
	char key;      /* of exit_keys */
	bool is_whole; /* there is something to keep: the caller took it, or hung up after enough of it */
};
CO int vm_record(struct vm_call *c, struct vm_recording *r);
CO int vm_recording_keep(struct vm_recording *r);  /* renames */
CO void vm_recording_drop(struct vm_recording *r); /* removes; harmless after keep */

/* ---- delivering (deliver.c) ---- */
struct vm_delivery {
	const char *path, *cid_name, *cid_number, *read_flags, *forwarded_by, *uuid;
	int64_t created_s; /* 0: now */
	unsigned length_s;
	struct leg *leg; /* whose call it is, or NULL */
};
enum { VM_URGENT_CHARS = 9 };
extern const char vm_urgent[], vm_normal[]; /* read_flags */
CO int vm_deliver(struct vm_box *b, const struct vm_delivery *d);
/* ---- adopt.c: what the process that died before left unlisted is delivered, once a box ---- */
CO void vm_box_adopt(struct vm_box *b);
ON_CTL void vm_adopt_start(void);
ON_CTL void vm_adopt_stop(void);
/* Copies the file into the boxes that to names: group=g[@domain], domain=d, box[@domain]. ST_NOTFOUND: none of them. */
struct vm_injection {
	const char *profile; /* NULL: "default", or the only one there is */
	const char *to, *file, *cid_name, *cid_number, *read_flags, *forwarded_by;
	bool is_one_box; /* to names no group and no domain */
};
/* to, with marks, names one box only: a group or a domain is the configuration's word. */
ANY bool vm_is_one_box(struct sv to);
/* The file that a word with marks names, to be freed, where the command's caller may name it: who is limited, absolute
 * ones below recordings and sounds; what is from outside, what lies below a directory of the configuration. ST_DENIED.
 */
ON_CTL int vm_file_may(struct api_call *c, const char *file, char **path);
/* A write with this status may still be done: what it tells of must stay. */
static inline bool vm_may_be_written(int st)
{
	return st == ST_TIMEOUT || st == ST_CANCELLED;
}
CO int vm_inject(const struct vm_injection *i);

/* ---- message waiting (mwi.c) ---- */
ON_CTL int vm_mwi_start(void);
ON_CTL void vm_mwi_stop(void);
ON_CTL void vm_mwi_counted(void); /* a profile's boxes are counted: who asked before is answered */
/* The box has changed: counts it, tells subscribers and clients. */
CO void vm_mwi_update(struct vm_db *db, const char *user, const char *domain, const char *reason);

/* ---- e-mail (notify.c) ---- */
struct vm_mail {
	const struct vm_box *box;
	const struct vm_msg *msg;
	const struct vm_counts *counts;
	struct leg *leg; /* or NULL */
	const char *to;  /* NULL: the box's addresses, as its parameters say; else this one, with the file */
};
/* What the box's parameters want sent. *keeps: the message stays in the box. */
CO int vm_mail_send(const struct vm_mail *m, bool *keeps);
ON_CTL bool vm_mail_keeps(const struct vm_box *b);

/* ---- applications and commands ---- */
CO int vm_leave(struct vm_profile *p, struct leg *leg, struct sv id, struct sv domain);
struct vm_check {
	struct sv id; /* may be empty: asked for */
	struct sv domain;
	const char *uuid; /* listen to this one at once, or NULL */
	bool is_authorized, is_auth_only;
};
CO int vm_check(struct vm_profile *p, struct leg *leg, const struct vm_check *k);
/* ST_OK: c->box is the caller's. ST_DENIED: too many attempts. */
CO int vm_login(struct vm_call *c, struct vm_profile *p, const struct vm_check *k);
CO bool vm_password_fits(struct vm_box *b, const char *password);
ON_CTL void vm_logins_forget(void);
CO int vm_listen(struct vm_call *c, enum vm_which which, const char *uuid);
CO int vm_forward(struct vm_call *c, const struct vm_msg *m);
CO int vm_options(struct vm_call *c);
CO int api_vm_boxcount(struct api_call *c);
CO int api_vm_list(struct api_call *c);
CO int api_vm_prefs(struct api_call *c);
CO int api_vm_read(struct api_call *c);
CO int api_vm_delete(struct api_call *c);
CO int api_vm_inject(struct api_call *c);
CO int api_voicemail(struct api_call *c);
CO int vm_rss_put(struct vm_db *db, const char *user, const char *domain, const char *host, const char *port,
    const char *uri, struct buf *out);
extern const struct api_desc vm_fsdb_apis[];
#define VM_EVENT "vm::maintenance"
/* VM-Action, VM-User and so on; NULL when nobody wants it. leg may be NULL. */
ON_CTL struct event *vm_event_new(struct leg *leg, const char *action);
