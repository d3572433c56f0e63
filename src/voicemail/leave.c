/* Leaving a message: greeting, recording, urgent or not, goodbye. A caller who hangs up while he talks has left what is
 * longer than min-record-len; one who hangs up in the menus after it has left it, too. */
#include "base/mem.h"
#include "base/status.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "text/mark.h"
#include "voicemail/vm_i.h"

enum next { GO_ON, SENT_AWAY, LOG_IN };

static CO int file_play(struct leg *leg, const char *path, char *key)
{
	struct leg_play_end end = {.terminators = "any"};
	int st = leg_play_until(leg, path, &end);
	*key = end.digit;
	return st;
}

/* By the variable, with its marks: what is played is read as a source of sound. NULL: none, or it leads elsewhere. */
static CO char *greeting_of_call(struct leg *leg)
{
	char *text = leg_text_dup(leg, "voicemail_greeting_path"),
	     *path = text && *text ? leg_path_dup(leg, text) : NULL;
	if (!path) {
		mem_free(text);
		text = NULL;
	}
	mem_free(path);
	return text;
}

static CO bool is_missing(const char *text)
{
	char *path = mark_strip_dup(sv_of(text));
	bool is = path && *path == '/' && !vm_file_exists(path);
	mem_free(path);
	return is;
}

/* The greeting of the call (by number, by path), else of the box. NULL: none. Owned, with marks. */
static CO char *greeting_of(struct vm_call *c, const struct vm_prefs *prefs)
{
	const char *number = leg_var(c->leg, "voicemail_greeting_number");
	char *path = NULL;
	if (number && number[0] >= '1' && number[0] <= '9' && !number[1])
		path = vm_box_path(&c->box, "greeting_%s.%s", number, c->box.ext);
	else
		path = greeting_of_call(c->leg);
	if (!path && *prefs->greeting_path)
		path = mem_strdup(prefs->greeting_path);
	if (path && is_missing(path)) {
		leg_log(c->leg, LOG_WARNING, "voicemail: the greeting of %s@%s is not there", c->box.id, c->box.domain);
		mem_free(path);
		path = NULL;
	}
	return path;
}

static CO int default_greet(struct vm_call *c, const struct vm_prefs *prefs, char *key)
{
	char *alternate = leg_text_dup(c->leg, "voicemail_alternate_greet_id");
	const char *of_user = vm_box_param(&c->box, "vm-alternate-greet-id");
	int st;
	if (!alternate && *prefs->name_path && vm_file_exists(prefs->name_path)) {
		st = file_play(c->leg, prefs->name_path, key);
		if (st != ST_HANGUP && st != ST_CANCELLED && !*key)
			st = file_play(c->leg, "voicemail/vm-not_available.wav", key);
	} else {
		st = vm_say(c->leg, "voicemail_play_greeting",
		    alternate ? alternate
		    : of_user ? of_user
		              : c->box.id,
		    key);
	}
	mem_free(alternate);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

static CO int greet(struct vm_call *c, char *key)
{
	struct vm_prefs prefs;
	int st = vm_db_prefs(c->box.p.db, c->box.id, c->box.domain, &prefs);
	char *path = st ? NULL : greeting_of(c, &prefs);
	*key = 0;
	if (st)
		st = vm_say(c->leg, "voicemail_play_greeting", c->box.id, key);
	else if (path)
		st = file_play(c->leg, path, key);
	else
		st = default_greet(c, &prefs, key);
	mem_free(path);
	vm_prefs_fini(&prefs);
	return st == ST_HANGUP || st == ST_CANCELLED ? st : ST_OK;
}

/* What a key in the greeting, or while he is recorded, does. */
static ON_CTL enum next key_does(struct vm_call *c, char key)
{
	const struct vm_conf *conf = c->conf;
	const char *of_call = leg_var(c->leg, "vm_operator_extension"),
	           *of_user = vm_box_param(&c->box, "vm-operator-extension");
	char pressed[2] = {key, 0};
	if (!key)
		return GO_ON;
	if (vm_is_key(conf->operator_key, pressed)) {
		char *own = of_call ? leg_text_dup(c->leg, "vm_operator_extension")
		                    : mem_strdup(of_user ? of_user : conf->operator_extension);
		int st = own && *own ? vm_send_to(c->leg, own) : ST_INVAL;
		mem_free(own);
		return st ? GO_ON : SENT_AWAY;
	}
	if (vm_is_key(conf->vmain_key, pressed) && *conf->vmain_extension && !vm_send_to(c->leg, conf->vmain_extension))
		return SENT_AWAY;
	return vm_is_key(conf->login, pressed) ? LOG_IN : GO_ON;
}

/* *is_skipped: by the key that goes on to the tone at once. */
static CO int greeted(struct vm_call *c, enum next *next, bool *is_skipped)
{
	char key = 0, pressed[2] = {0};
	int st;
	do {
		st = greet(c, &key);
		pressed[0] = key;
		*next = key_does(c, key);
		*is_skipped = vm_is_key(c->conf->skip_greet, pressed);
	} while (!st && *next == GO_ON && key && !*is_skipped && leg_is_ready(c->leg));
	return st;
}

static CO bool is_full(struct vm_call *c)
{
	const char *quota = vm_box_param(&c->box, "vm-disk-quota");
	int64_t limit_s = quota ? str_number(quota, 0, INT32_MAX) : 0;
	uint64_t used_s = 0;
	if (limit_s <= 0 || vm_db_seconds(c->box.p.db, c->box.id, c->box.domain, &used_s) || used_s < (uint64_t)limit_s)
		return false;
	leg_log(c->leg, LOG_WARNING, "voicemail: %s@%s is full: %llu of %lld s", c->box.id, c->box.domain,
	    (unsigned long long)used_s, (long long)limit_s);
	return true;
}

static ON_CTL bool has_no_words(struct vm_call *c)
{
	return leg_var_is_true(c->leg, "skip_instructions") ||
	       str_is_true(vm_box_param(&c->box, "vm-skip-instructions"));
}

static CO const char *urgent_ask(struct vm_call *c)
{
	const char *flags = vm_normal;
	struct vm_keys k = {0};
	struct buf keys;
	buf_init(&keys);
	buf_printf(&keys, "%s:%s", c->conf->urgent, c->conf->terminator);
	if (!has_no_words(c))
		vm_ask(c->leg, c->conf, "voicemail_record_urgent_check", keys.p, 1, "", &k);
	buf_fini(&keys);
	if (vm_is_key(c->conf->urgent, k.text))
		flags = vm_urgent;
	vm_say(c->leg, "voicemail_ack", flags == vm_urgent ? "marked-urgent" : "saved", NULL);
	return flags;
}

/* Copies for other boxes: of the call (vm_cc), and as the directory says of this box (vm-cc). What is from outside in
 * it is one box, and no more. */
static CO void copies_send(struct vm_call *c, const struct vm_delivery *d)
{
	char *list = leg_text_dup(c->leg, "vm_cc");
	if (!list)
		list = mem_strdup(vm_box_param(&c->box, "vm-cc"));
	struct sv rest = sv_of(list), one;
	for (int i = 0; rest.n && i < 20; i++) {
		struct buf to;
		sv_split(rest, ',', &one, &rest);
		one = sv_trim(one);
		buf_init(&to);
		(void)mark_strip(&to, one);
		bool is_one_box = vm_is_one_box(one);
		if (to.n && sv_find(buf_sv(&to), '@') == to.n)
			buf_printf(&to, "@%s", c->box.domain);
		if (to.n && !to.failed &&
		    vm_inject(&(struct vm_injection){.profile = c->conf->name,
		        .to = to.p,
		        .is_one_box = is_one_box,
		        .file = d->path,
		        .cid_name = d->cid_name,
		        .cid_number = d->cid_number,
		        .read_flags = d->read_flags}))
			leg_log(c->leg, LOG_WARNING, "voicemail: there is no box %s for a copy", to.p);
		buf_fini(&to);
	}
	mem_free(list);
}

static CO void deliver(struct vm_call *c, struct vm_recording *r, const char *read_flags)
{
	const char *name = leg_var(c->leg, "effective_caller_id_name"),
	           *number = leg_var(c->leg, "effective_caller_id_number");
	char *own_name = mem_strdup(name ? name : c->leg->profile->caller_id_name);
	char *own_number = mem_strdup(number ? number : c->leg->profile->caller_id_number);
	struct vm_delivery d = {.path = r->path,
	    .cid_name = own_name ? own_name : "",
	    .cid_number = own_number ? own_number : "",
	    .read_flags = read_flags,
	    .forwarded_by = "",
	    .uuid = c->leg->uuid,
	    .length_s = r->length_s,
	    .leg = c->leg};
	int st = vm_recording_keep(r);
	if (!st)
		copies_send(c, &d);
	if (!st)
		st = vm_deliver(&c->box, &d);
	if (st) {
		leg_log(c->leg, LOG_ERR, "voicemail: the message for %s@%s is lost: %s", c->box.id, c->box.domain,
		    status_text(st));
		if (!vm_may_be_written(st))
			vm_file_remove(r->path);
		vm_say(c->leg, "voicemail_disk_quota_exceeded", NULL, NULL);
	}
	mem_free(own_name), mem_free(own_number);
}

static CO int take_message(struct vm_call *c, bool has_words, enum next *next)
{
	char uuid[UUID_CHARS + 1], exits[3] = {0};
	struct vm_recording r = {.macro = "voicemail_record_message", .has_limits = true, .exit_keys = exits};
	const char *flags = vm_normal;
	uuid_make(uuid);
	const char *ext = leg_var(c->leg, "vm_message_ext");
	bool is_ext = ext && *ext && strlen(ext) < 8 && !strpbrk(ext, "/.\\ ");
	char *path = vm_box_path(&c->box, "msg_%s.%s", uuid, is_ext ? ext : c->box.ext);
	r.path = path;
	exits[0] = *c->conf->operator_extension ? *c->conf->operator_key : 0;
	exits[exits[0] ? 1 : 0] = *c->conf->vmain_extension ? *c->conf->vmain_key : 0;
	r.is_told = !has_words;
	if (has_no_words(c))
		r.macro = NULL;
	int st = vm_record(c, &r);
	if (r.is_whole && !st && !r.key && leg_is_ready(c->leg))
		flags = urgent_ask(c);
	if (r.is_whole)
		deliver(c, &r, flags);
	vm_recording_drop(&r);
	*next = !st && r.key ? key_does(c, r.key) : GO_ON;
	mem_free(path);
	return st;
}

static CO int serve(struct vm_call *c, enum next *next)
{
	bool is_skipped = false;
	int st = vm_file_box_make(c->box.dir);
	if (!st)
		vm_box_adopt(&c->box);
	if (st || is_full(c))
		return vm_say(c->leg, "voicemail_disk_quota_exceeded", NULL, NULL);
	st = leg_var_is_true(c->leg, "skip_greeting") ? ST_OK : greeted(c, next, &is_skipped);
	if (!st && *next == GO_ON && leg_is_ready(c->leg))
		st = take_message(c, !is_skipped, next);
	return st;
}

int vm_leave(struct vm_profile *p, struct leg *leg, struct sv id, struct sv domain)
{
	struct vm_call c = {.leg = leg, .conf = p->conf};
	enum next next = GO_ON;
	int st = leg_pre_answer(leg);
	if (!st && vm_box_find(&c.box, p, id, domain))
		leg_log(leg, LOG_WARNING, "voicemail: there is no box %.*s@%.*s", SVF(id), SVF(domain));
	else if (!st)
		st = serve(&c, &next);
	if (!st && next == LOG_IN) {
		struct vm_check k = {.id = sv_of(c.box.id), .domain = sv_of(c.box.domain)};
		st = vm_check(p, leg, &k);
	} else if (next == GO_ON && leg_is_ready(leg) && !leg_var_is_true(leg, "voicemail_skip_goodbye")) {
		vm_say(leg, "voicemail_goodbye", NULL, NULL);
	}
	vm_box_fini(&c.box);
	return st;
}
