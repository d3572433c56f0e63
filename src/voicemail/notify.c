/* Mail about a message: to vm-mailto with the file, to vm-notify-mailto without. The variables of a template are the
 * call's and those of FreeSWITCH's names; caller's words are marked, and the room mail takes them as data. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/zone.h"
#include "core/run/expand.h"
#include "mail/mail.h"
#include "text/mark.h"
#include "voicemail/vm_i.h"
#include <stdio.h>
#include <strings.h>
#include <time.h>

enum { FIELDS_MAX = 24 };
static const char default_headers[] =
    "From: \"${voicemail_caller_id_name}\" <${voicemail_caller_id_number}@${voicemail_domain}>\n"
    "To: ${voicemail_email}\n"
    "Subject: Voicemail from \"${voicemail_caller_id_name}\" "
    "<${voicemail_caller_id_number}> ${voicemail_message_len}\n";
static const char default_body[] = "Created: ${voicemail_time}\n"
                                   "From: \"${voicemail_caller_id_name}\" <${voicemail_caller_id_number}>\n"
                                   "Duration: ${voicemail_message_len}\n"
                                   "Account: ${voicemail_account}@${voicemail_domain}\n";

struct fields {
	const char *names[FIELDS_MAX];
	char *plain[FIELDS_MAX], *text[FIELDS_MAX]; /* text: with marks */
	unsigned count;
};

static void field_put(struct fields *f, const char *name, const char *value, bool is_outside)
{
	if (f->count == FIELDS_MAX || !value)
		return;
	f->names[f->count] = name;
	f->plain[f->count] = mem_strdup(value);
	f->text[f->count++] = is_outside ? mark_dup(value) : mem_strdup(value);
}

static void field_number(struct fields *f, const char *name, unsigned n)
{
	char text[16];
	snprintf(text, sizeof(text), "%u", n);
	field_put(f, name, text, false);
}

static void fields_fini(struct fields *f)
{
	for (unsigned i = 0; i < f->count; i++)
		mem_free(f->plain[i]), mem_free(f->text[i]);
}

static const char *field_find(const char *name, void *arg)
{
	const struct fields *f = arg;
	for (unsigned i = 0; i < f->count; i++)
		if (!strcasecmp(f->names[i], name))
			return f->text[i];
	return NULL;
}

/* When it was left, in the box's zone and the profile's words. */
static CO char *time_dup(const struct vm_mail *m)
{
	const char *zone = vm_box_param(m->box, "timezone");
	const struct vm_conf *conf = m->box->p.conf;
	char out[256] = "";
	time_t t = (time_t)m->msg->created_s;
	struct tz tz;
	struct tm tm;
	if (zone && !zone_find(zone, &tz))
		tz_local(&tz, m->msg->created_s, &tm);
	else
		localtime_r(&t, &tm);
	if (!strftime(out, sizeof(out), conf->date_fmt, &tm))
		strftime(out, sizeof(out), "%F %T", &tm);
	return mem_strdup(out);
}

static CO void fields_make(struct fields *f, const struct vm_mail *m, const char *to, const char *notify_to)
{
	const struct vm_msg *msg = m->msg;
	char length[32], *when = time_dup(m);
	unsigned s = msg->length_s;
	snprintf(length, sizeof(length), "%02u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
	field_put(f, "voicemail_current_folder", msg->folder, false);
	field_number(f, "voicemail_total_new_messages", m->counts->new_count);
	field_number(f, "voicemail_total_saved_messages", m->counts->saved_count);
	field_number(f, "voicemail_urgent_new_messages", m->counts->new_urgent);
	field_number(f, "voicemail_urgent_saved_messages", m->counts->saved_urgent);
	field_put(f, "voicemail_account", m->box->id, false);
	field_put(f, "voicemail_domain", m->box->domain, false);
	field_put(f, "voicemail_caller_id_number", msg->cid_number, true);
	field_put(f, "voicemail_formatted_caller_id_number", msg->cid_number, true);
	field_put(f, "voicemail_caller_id_name", msg->cid_name, true);
	field_put(f, "voicemail_file_path", msg->path, false);
	field_put(f, "voicemail_read_flags", msg->read_flags, false);
	field_put(f, "voicemail_time", when, false);
	field_put(f, "voicemail_uuid", msg->uuid, true);
	field_put(f, "voicemail_priority", "3", false);
	field_put(f, "voicemail_email", to ? to : notify_to, false);
	if (notify_to)
		field_put(f, "voicemail_notify_email", notify_to, false);
	field_put(f, "voicemail_message_len", length, false);
	mem_free(when);
}

/* The event that tells what the mail is made of. */
static ON_CTL void tell(const struct vm_mail *m, const struct fields *f, const char *type)
{
	struct event *e = event_is_wanted(EVENT_REQUEST_PARAMS, NULL) ? event_new(EVENT_REQUEST_PARAMS, NULL) : NULL;
	if (!e)
		return;
	for (size_t i = 0; m->leg && i < vars_count(m->leg->vars); i++) {
		const char *name, *value;
		vars_at(m->leg->vars, i, &name, &value);
		event_add(e, name, value);
	}
	for (unsigned i = 0; i < f->count; i++)
		event_add(e, f->names[i], f->plain[i]);
	event_add(e, "Message-Type", type);
	event_fire(e);
}

static CO char *expanded(const struct vm_mail *m, struct fields *f, const char *text)
{
	char *out = NULL;
	return expand_with(m->leg, field_find, f, text, &out) ? NULL : out;
}

/* What a template's file, or the settings, have: headers up to the first empty line. Both owned. */
static ON_CTL void template_cut(const struct vm_conf *c, bool is_notice, char **headers, char **body)
{
	const char *text = is_notice && c->notify_template_text ? c->notify_template_text : c->template_text;
	const char *own_headers = is_notice && *c->notify_headers ? c->notify_headers : c->email_headers;
	const char *own_body = is_notice && *c->notify_body ? c->notify_body : c->email_body;
	const char *end = text ? strstr(text, "\n\n") : NULL, *dos = text ? strstr(text, "\r\n\r\n") : NULL;
	size_t skip = 2;
	if (dos && (!end || dos < end))
		end = dos, skip = 4;
	if (end) {
		*headers = mem_strndup(text, (size_t)(end - text) + 1);
		*body = mem_strdup(end + skip);
	} else {
		*headers = mem_strdup(*own_headers ? own_headers : default_headers);
		*body = mem_strdup(*own_body ? own_body : default_body);
	}
}

/* The file as it goes out: converted where the profile says so. *made: to be removed afterwards. */
static CO char *attachment_dup(const struct vm_mail *m, bool *made)
{
	const char *ext = vm_box_param(m->box, "vm-convert-ext"), *dot = strrchr(m->msg->path, '.');
	char token[13];
	*made = false;
	if (!ext)
		ext = m->box->p.conf->convert_ext;
	if (!*ext || (dot && !strcasecmp(dot + 1, ext)))
		return mem_strdup(m->msg->path);
	rand_token(token, 12);
	char *path = vm_box_path(m->box, ".msg_%s.%s", token, ext);
	int st = vm_file_join(NULL, m->msg->path, path);
	*made = !st;
	if (!st)
		return path;
	log_error(
	    "voicemail: %s cannot be converted to %s: %s; it goes out as it is", m->msg->path, ext, status_text(st));
	mem_free(path);
	return mem_strdup(m->msg->path);
}

static CO int post(const struct vm_mail *m, struct fields *f, const char *to, bool is_notice, bool has_file)
{
	const struct vm_conf *conf = m->box->p.conf;
	const char *of_user = vm_box_param(m->box, "vm-mailfrom");
	char *headers = NULL, *body = NULL, *name = NULL, *file = NULL;
	bool made = false;
	template_cut(conf, is_notice, &headers, &body);
	char *from = expanded(m, f, of_user ? of_user : conf->email_from);
	char *h = expanded(m, f, headers), *b = expanded(m, f, body);
	int st = from && h && b ? ST_OK : ST_NOMEM;
	if (!st)
		mark_strip_in_place(from);
	if (!st && has_file) {
		const char *slash = strrchr(m->msg->path, '/'), *ext;
		file = attachment_dup(m, &made);
		struct buf shown;
		buf_init(&shown);
		ext = file ? strrchr(file, '.') : NULL;
		const char *base = slash ? slash + 1 : m->msg->path, *dot = strrchr(base, '.');
		buf_printf(&shown, "%.*s%s", dot ? (int)(dot - base) : (int)strlen(base), base, ext ? ext : "");
		name = buf_take(&shown);
	}
	if (!st)
		st = mail_send(&(struct mail_message){
		    .from = from, .to = to, .headers = h, .body = b, .attach_path = file, .attach_name = name});
	if (made)
		vm_file_remove(file);
	mem_free(headers), mem_free(body), mem_free(from), mem_free(h), mem_free(b), mem_free(name), mem_free(file);
	return st;
}

static ON_CTL bool is_set(const struct vm_box *b, const char *name)
{
	return str_is_true(vm_box_param(b, name));
}

bool vm_mail_keeps(const struct vm_box *b)
{
	const char *keeps = vm_box_param(b, "vm-keep-local-after-email"), *attaches = vm_box_param(b, "vm-attach-file");
	return !vm_box_param(b, "vm-mailto") || !is_set(b, "vm-email-all-messages") || !keeps || str_is_true(keeps) ||
	       (attaches && !str_is_true(attaches)); /* a file that is not sent is nowhere else */
}

int vm_mail_send(const struct vm_mail *m, bool *keeps)
{
	const char *to = m->to                                     ? m->to
	                 : is_set(m->box, "vm-email-all-messages") ? vm_box_param(m->box, "vm-mailto")
	                                                           : NULL;
	const char *notify_to =
	    !m->to && is_set(m->box, "vm-notify-email-all-messages") ? vm_box_param(m->box, "vm-notify-mailto") : NULL;
	struct fields f = {.count = 0};
	const char *attaches = vm_box_param(m->box, "vm-attach-file");
	int st = ST_OK;
	*keeps = vm_mail_keeps(m->box);
	if (!to && !notify_to)
		return ST_OK;
	fields_make(&f, m, to, notify_to);
	if (to) {
		tell(m, &f, "voicemail");
		st = post(m, &f, to, false, m->to || !attaches || str_is_true(attaches));
	}
	if (notify_to) {
		tell(m, &f, "voicemail-notify");
		int noticed = post(m, &f, notify_to, true, false);
		st = st ? st : to ? ST_OK : noticed;
	}
	fields_fini(&f);
	return st;
}
