/* voicemail.conf: profiles by a table, compiled once per configuration on the worker that loads it, template files too.
 * Keys are single keys of a phone; numbers are kept within bounds; what is wrong is told with its place. */
#include "base/mem.h"
#include "base/slurp.h"
#include "base/status.h"
#include "voicemail/vm_i.h"
#include <stddef.h>
#include <strings.h>

enum kind { KEY, TEXT, NUMBER, BOOL, DATE };
struct row {
	const char *name;
	enum kind kind;
	size_t at;
	const char *fallback;
	unsigned low, high;
	bool is_email; /* within <email> */
};
#define AT(f) offsetof(struct vm_conf, f)
#define K(n, f, d) \
	{ \
		n, KEY, AT(f), d, 0, 0, false \
	}
#define T(n, f, d) \
	{ \
		n, TEXT, AT(f), d, 0, 0, false \
	}
#define N(n, f, d, lo, hi) \
	{ \
		n, NUMBER, AT(f), d, lo, hi, false \
	}
#define B(n, f, d) \
	{ \
		n, BOOL, AT(f), d, 0, 0, false \
	}
#define E(n, f, d) \
	{ \
		n, TEXT, AT(f), d, 0, 0, true \
	}
static const struct row rows[] = {
    K("terminator-key", terminator, "#"),
    K("play-new-messages-key", play_new, "1"),
    K("play-saved-messages-key", play_saved, "2"),
    K("login-keys", login, "0"),
    K("main-menu-key", main_menu, "0"),
    K("skip-greet-key", skip_greet, "#"),
    K("skip-info-key", skip_info, "*"),
    K("config-menu-key", config_menu, "5"),
    K("record-greeting-key", record_greeting, "1"),
    K("choose-greeting-key", choose_greeting, "2"),
    K("record-name-key", record_name, "3"),
    K("change-pass-key", change_pass, "6"),
    K("record-file-key", record_file, "3"),
    K("listen-file-key", listen_file, "1"),
    K("save-file-key", save_file, "2"),
    K("delete-file-key", delete_file, "7"),
    K("undelete-file-key", undelete_file, "8"),
    K("email-key", email_key, "4"),
    K("callback-key", callback, "5"),
    K("pause-key", pause, "0"),
    K("restart-key", restart, "1"),
    K("ff-key", ff, "6"),
    K("rew-key", rew, "4"),
    K("previous-message-key", previous, "1"),
    K("next-message-key", next, "3"),
    K("repeat-message-key", repeat, "0"),
    K("urgent-key", urgent, "*"),
    K("operator-key", operator_key, ""),
    K("vmain-key", vmain_key, ""),
    K("forward-key", forward, "8"),
    K("prepend-key", prepend, "1"),
    T("operator-extension", operator_extension, ""),
    T("vmain-extension", vmain_extension, ""),
    T("file-extension", file_extension, "wav"),
    T("record-title", record_title, "Tandem Voicemail"),
    T("record-comment", record_comment, "Tandem Voicemail"),
    T("record-copyright", record_copyright, ""),
    T("tone-spec", tone_spec, "%(1000, 0, 640)"),
    T("storage-dir", storage_dir, ""),
    T("callback-dialplan", callback_dialplan, "XML"),
    T("callback-context", callback_context, "default"),
    T("convert-ext", convert_ext, ""),
    T("odbc-dsn", odbc_dsn, ""),
    T("dbname", dbname, ""),
    {"play-date-announcement", DATE, AT(date), "first", 0, 0, false},
    N("digit-timeout", digit_timeout_ms, "10000", 100, 600000),
    N("max-login-attempts", max_login_attempts, "3", 1, 20),
    N("min-record-len", min_record_s, "3", 1, 3600),
    N("max-record-len", max_record_s, "300", 1, 36000),
    N("max-retries", max_retries, "3", 1, 20),
    N("record-silence-threshold", silence_threshold, "200", 0, 10000),
    N("record-silence-hits", silence_s, "2", 0, 1000),
    N("record-sample-rate", sample_rate, "0", 0, 192000),
    B("play-new-messages-lifo", new_lifo, "false"),
    B("play-saved-messages-lifo", saved_lifo, "false"),
    B("storage-dir-shared", shared_storage, "false"),
    B("db-password-override", db_password_override, "false"),
    B("allow-empty-password-auth", empty_password_auth, "true"),
    B("auto-playback-recordings", auto_playback, "false"),
    T("notify-email-headers", notify_headers, ""),
    T("notify-email-body", notify_body, ""),
    E("template-file", template_file, ""),
    E("notify-template-file", notify_template_file, ""),
    E("headers", email_headers, ""),
    E("body", email_body, ""),
    E("email-from", email_from, "${voicemail_account}@${voicemail_domain}"),
    E("date-fmt", date_fmt, "%A, %B %d %Y, %I:%M %p"),
};
const struct conf_desc vm_conf_descs[] = {
    {"voicemail.conf", "email/body", "text", NULL, NULL, "body of mail, without a template"},
    {"voicemail.conf", "email/date-fmt", "text", NULL, "%A, %B %d %Y, %I:%M %p", "strftime form of voicemail_time"},
    {"voicemail.conf", "email/email-from", "text", NULL, "${voicemail_account}@${voicemail_domain}", "sender"},
    {"voicemail.conf", "email/headers", "text", NULL, NULL, "headers of mail, without a template"},
    {"voicemail.conf", "email/notify-template-file", "text", NULL, NULL, "the same of notices"},
    {"voicemail.conf", "email/template-file", "text", NULL, NULL, "mail: headers, an empty line, body"},
    {"voicemail.conf", "profile/allow-empty-password-auth", "boolean", NULL, "true",
        "a box without any password is open"},
    {"voicemail.conf", "profile/auto-playback-recordings", "boolean", NULL, "false",
        "what was recorded is played at once"},
    {"voicemail.conf", "profile/callback-context", "text", NULL, "default", "of callback-key"},
    {"voicemail.conf", "profile/callback-dialplan", "text", NULL, "XML", "of callback-key"},
    {"voicemail.conf", "profile/callback-key", "key", NULL, "5", "call who left the message"},
    {"voicemail.conf", "profile/change-pass-key", "key", NULL, "6", "change the password"},
    {"voicemail.conf", "profile/choose-greeting-key", "key", NULL, "2", "choose a greeting, 0 for none"},
    {"voicemail.conf", "profile/config-menu-key", "key", NULL, "5", "main menu: greetings, name, password"},
    {"voicemail.conf", "profile/convert-ext", "text", NULL, NULL, "format of files in mail (mp3, opus, ogg ...)"},
    {"voicemail.conf", "profile/db-password-override", "boolean", NULL, "false",
        "a password that was set by phone replaces the directory's"},
    {"voicemail.conf", "profile/dbname", "text", NULL, NULL, "file of the sqlite database"},
    {"voicemail.conf", "profile/delete-file-key", "key", NULL, "7", "delete the message"},
    {"voicemail.conf", "profile/digit-timeout", "number", "ms", "10000", "for each key"},
    {"voicemail.conf", "profile/email-key", "key", NULL, "4", "mail the message and delete it"},
    {"voicemail.conf", "profile/ff-key", "key", NULL, "6", "5 s forward"},
    {"voicemail.conf", "profile/file-extension", "text", NULL, "wav", "format of recordings"},
    {"voicemail.conf", "profile/forward-key", "key", NULL, "8", "send the message to another box"},
    {"voicemail.conf", "profile/listen-file-key", "key", NULL, "1", "hear what was recorded"},
    {"voicemail.conf", "profile/login-keys", "key", NULL, "0", "in the greeting: log in to this box"},
    {"voicemail.conf", "profile/main-menu-key", "key", NULL, "0", "back to the main menu"},
    {"voicemail.conf", "profile/max-login-attempts", "number", NULL, "3", "wrong passwords in a call"},
    {"voicemail.conf", "profile/max-record-len", "number", "s", "300", "longer ones are cut"},
    {"voicemail.conf", "profile/max-retries", "number", NULL, "3", "silent rounds in a menu"},
    {"voicemail.conf", "profile/min-record-len", "number", "s", "3", "shorter messages are asked for again"},
    {"voicemail.conf", "profile/next-message-key", "key", NULL, "3", "the next message"},
    {"voicemail.conf", "profile/notify-email-body", "text", NULL, NULL, "body of notices, without a template"},
    {"voicemail.conf", "profile/notify-email-headers", "text", NULL, NULL, "headers of notices, without a template"},
    {"voicemail.conf", "profile/odbc-dsn", "text", NULL, NULL, "database, as for other modules"},
    {"voicemail.conf", "profile/operator-extension", "text", NULL, NULL, "extension dialplan context"},
    {"voicemail.conf", "profile/operator-key", "key", NULL, NULL, "in greeting and recording: to operator-extension"},
    {"voicemail.conf", "profile/pause-key", "key", NULL, "0", "hold what plays, go on"},
    {"voicemail.conf", "profile/play-date-announcement", "text", NULL, "first", "first, last or never"},
    {"voicemail.conf", "profile/play-new-messages-key", "key", NULL, "1", "main menu: hear new messages"},
    {"voicemail.conf", "profile/play-new-messages-lifo", "boolean", NULL, "false", "the newest first"},
    {"voicemail.conf", "profile/play-saved-messages-key", "key", NULL, "2", "main menu: hear saved messages"},
    {"voicemail.conf", "profile/play-saved-messages-lifo", "boolean", NULL, "false", "the newest first"},
    {"voicemail.conf", "profile/prepend-key", "key", NULL, "1", "record an introduction first"},
    {"voicemail.conf", "profile/previous-message-key", "key", NULL, "1", "the message before"},
    {"voicemail.conf", "profile/record-comment", "text", NULL, "Tandem Voicemail", "tag of recordings"},
    {"voicemail.conf", "profile/record-copyright", "text", NULL, NULL,
        "variable RECORD_COPYRIGHT of the call that leaves a message"},
    {"voicemail.conf", "profile/record-file-key", "key", NULL, "3", "record again"},
    {"voicemail.conf", "profile/record-greeting-key", "key", NULL, "1", "record a greeting"},
    {"voicemail.conf", "profile/record-name-key", "key", NULL, "3", "record the name"},
    {"voicemail.conf", "profile/record-sample-rate", "number", "Hz", "0", "of recordings; 0: the call's"},
    {"voicemail.conf", "profile/record-silence-hits", "number", "s", "2",
        "so much silence ends a recording; 0: none does"},
    {"voicemail.conf", "profile/record-silence-threshold", "number", NULL, "200", "mean amplitude that is silence"},
    {"voicemail.conf", "profile/record-title", "text", NULL, "Tandem Voicemail", "tag of recordings"},
    {"voicemail.conf", "profile/repeat-message-key", "key", NULL, "0", "the message again"},
    {"voicemail.conf", "profile/restart-key", "key", NULL, "1", "from its beginning"},
    {"voicemail.conf", "profile/rew-key", "key", NULL, "4", "5 s back"},
    {"voicemail.conf", "profile/save-file-key", "key", NULL, "2", "keep it"},
    {"voicemail.conf", "profile/skip-greet-key", "key", NULL, "#", "in the greeting: on to the recording"},
    {"voicemail.conf", "profile/skip-info-key", "key", NULL, "*", "while number and date are said: on to the message"},
    {"voicemail.conf", "profile/storage-dir", "text", NULL, NULL,
        "where boxes lie, DOMAIN/USER below it; else STORAGE/voicemail/PROFILE/DOMAIN/USER"},
    {"voicemail.conf", "profile/storage-dir-shared", "boolean", NULL, "false",
        "boxes lie in storage-dir/DOMAIN/voicemail/USER"},
    {"voicemail.conf", "profile/terminator-key", "key", NULL, "#", "ends numbers, passwords, menus"},
    {"voicemail.conf", "profile/tone-spec", "text", NULL, "%(1000, 0, 640)", "the tone before a recording"},
    {"voicemail.conf", "profile/undelete-file-key", "key", NULL, "8", "take back that it was deleted"},
    {"voicemail.conf", "profile/urgent-key", "key", NULL, "*", "mark as urgent"},
    {"voicemail.conf", "profile/vmain-extension", "text", NULL, NULL, "extension dialplan context"},
    {"voicemail.conf", "profile/vmain-key", "key", NULL, NULL, "in greeting and recording: to vmain-extension"},
    {NULL},
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]), PROFILES_MAX = 256, TEMPLATE_MAX = 256 * 1024 };

static char **text_at(struct vm_conf *c, const struct row *r)
{
	return (char **)(void *)((char *)c + r->at);
}

static unsigned *number_at(struct vm_conf *c, const struct row *r)
{
	return (unsigned *)(void *)((char *)c + r->at);
}

static bool has_text(const struct row *r)
{
	return r->kind == KEY || r->kind == TEXT;
}

static void conf_free(struct vm_conf *c)
{
	for (unsigned i = 0; i < ROW_COUNT; i++)
		if (has_text(&rows[i]))
			mem_free(*text_at(c, &rows[i]));
	mem_free(c->name);
	mem_free(c->template_text);
	mem_free(c->notify_template_text);
	mem_free(c);
}

static void confs_free(void *p)
{
	struct vm_confs *set = p;
	for (unsigned i = 0; i < set->count; i++)
		conf_free(set->list[i]);
	mem_free(set->list);
}

int vm_confs_new(struct vm_confs **out)
{
	struct vm_confs *set = mem_new_atomic(sizeof(*set), confs_free, "voicemail.confs");
	if (!set)
		return ST_NOMEM;
	*out = set;
	return ST_OK;
}

struct report {
	config_report_fn fn;
	void *arg;
};
static void told(const struct report *rep, const struct xml_node *n, const char *what, const char *value)
{
	struct buf b;
	if (!rep->fn)
		return;
	buf_init(&b);
	buf_printf(&b, "%s:%u:%u: voicemail.conf: %s '%s'", n->file ? n->file : "?", n->line, n->column, what, value);
	rep->fn(buf_sv(&b).p, rep->arg);
	buf_fini(&b);
}

static bool is_key(const char *v)
{
	return !*v || (!v[1] && strchr("0123456789*#ABCD", *v));
}

/* ST_INVAL: the value is none of the row's kind. */
static int row_set(struct vm_conf *c, const struct row *r, const char *v)
{
	uint32_t number;
	char *copy;
	switch (r->kind) {
	case KEY:
	case TEXT:
		if (r->kind == KEY && !is_key(v))
			return ST_INVAL;
		if (!(copy = mem_strdup(v)))
			return ST_NOMEM;
		mem_free(*text_at(c, r));
		*text_at(c, r) = copy;
		return ST_OK;
	case NUMBER:
		if (sv_u32(sv_trim(sv_of(v)), &number) || number < r->low || number > r->high)
			return ST_INVAL;
		*number_at(c, r) = number;
		return ST_OK;
	case BOOL:
		*number_at(c, r) = str_is_true(v);
		return ST_OK;
	case DATE:
		if (strcasecmp(v, "first") && strcasecmp(v, "last") && strcasecmp(v, "never"))
			return ST_INVAL;
		*number_at(c, r) = !strcasecmp(v, "first")  ? VM_DATE_FIRST
		                   : !strcasecmp(v, "last") ? VM_DATE_LAST
		                                            : VM_DATE_NEVER;
		return ST_OK;
	}
	return ST_INVAL;
}

static const struct row *row_find(const char *name, bool is_email)
{
	for (unsigned i = 0; i < ROW_COUNT; i++)
		if (rows[i].is_email == is_email && !strcasecmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static int params_read(struct vm_conf *c, const struct xml_node *node, bool is_email, const struct report *rep)
{
	for (const struct xml_node *n = xml_child(node, "param"); n; n = xml_next(n, "param")) {
		const char *name = xml_attr(n, "name"), *value = xml_attr_or(n, "value", "");
		const struct row *r = name ? row_find(name, is_email) : NULL;
		int st = r ? row_set(c, r, value) : ST_OK;
		if (st == ST_NOMEM)
			return st;
		if (st)
			told(rep, n, name, value);
	}
	return ST_OK;
}

/* A template's file, below the configuration unless it is absolute. */
static char *template_read(const char *file, const struct xml_node *at, const struct report *rep)
{
	struct buf path, text;
	if (!*file || !config_dir())
		return NULL;
	buf_init(&path), buf_init(&text);
	if (*file != '/')
		buf_printf(&path, "%s/", config_dir());
	buf_adds(&path, file);
	int st = path.p ? slurp(path.p, TEMPLATE_MAX, &text, NULL) : ST_NOMEM;
	if (st)
		told(rep, at, "cannot read the template", path.p ? path.p : file);
	buf_fini(&path);
	if (!st)
		return buf_take(&text);
	buf_fini(&text);
	return NULL;
}

static int profile_read(struct vm_conf **out, const struct xml_node *node, const struct report *rep)
{
	struct vm_conf *c = mem_zalloc(sizeof(*c));
	const struct xml_node *email = xml_child(node, "email");
	int st = c && (c->name = mem_strdup(xml_attr_or(node, "name", ""))) ? ST_OK : ST_NOMEM;
	for (unsigned i = 0; i < ROW_COUNT && !st; i++)
		st = row_set(c, &rows[i], rows[i].fallback);
	if (!st)
		st = params_read(c, node, false, rep);
	if (!st && email)
		st = params_read(c, email, true, rep);
	if (st) {
		if (c)
			conf_free(c);
		return st;
	}
	c->template_text = template_read(c->template_file, node, rep);
	c->notify_template_text = template_read(c->notify_template_file, node, rep);
	*out = c;
	return ST_OK;
}

/* It names a folder and a database. */
static bool is_name(struct sv v)
{
	if (!v.n || v.n > 100 || v.p[0] == '.')
		return false;
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] <= ' ' || strchr("/\\'\"", v.p[i]))
			return false;
	return true;
}

int vm_confs_read(struct vm_confs *set, const struct xml_node *node, config_report_fn report, void *arg)
{
	struct report rep = {report, arg};
	for (const struct xml_node *n = node ? xml_child(node, "profile") : NULL; n; n = xml_next(n, "profile")) {
		const char *name = xml_attr_or(n, "name", "");
		if (!is_name(sv_of(name)) || vm_conf_find(set, sv_of(name)) || set->count >= PROFILES_MAX) {
			told(&rep, n, "no name of a profile, or one that there is already", name);
			continue;
		}
		struct vm_conf **more = mem_realloc(set->list, (set->count + 1) * sizeof(*more));
		if (!more)
			return ST_NOMEM;
		set->list = more;
		int st = profile_read(&set->list[set->count], n, &rep);
		if (st)
			return st;
		set->count++;
	}
	return ST_OK;
}

const struct vm_conf *vm_conf_find(const struct vm_confs *set, struct sv name)
{
	for (unsigned i = 0; set && i < set->count; i++)
		if (sv_is(name, set->list[i]->name))
			return set->list[i];
	return NULL;
}

/* ---- the stage ---- */
static int stage_slot = -1;

static int stage_make(const struct config *cfg, void **out)
{
	struct vm_confs *set;
	int st = vm_confs_new(&set);
	if (st)
		return st;
	st = vm_confs_read(set, xml_child(config_conf_of(cfg, "voicemail.conf"), "profiles"), NULL, NULL);
	if (st)
		mem_unref(set);
	else
		*out = set;
	return st;
}

static void stage_free(void *obj)
{
	mem_unref(obj);
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	struct vm_confs *set;
	(void)known;
	if (vm_confs_new(&set))
		return;
	vm_confs_read(set, xml_child(config_conf_of(cfg, "voicemail.conf"), "profiles"), report, arg);
	mem_unref(set);
}

static const struct config_stage stage = {"voicemail", stage_make, stage_free, stage_check};

int vm_conf_stage_init(void)
{
	role_assert_ctl();
	return stage_slot < 0 ? config_stage_add(&stage, &stage_slot) : ST_OK;
}

struct vm_confs *vm_confs_now(void)
{
	return config_stage_get(stage_slot);
}
