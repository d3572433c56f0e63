/* The elements of <work>, each a row: its name, the permission it needs, what it does. A page's words are the
 * configuration's where its profile lets them be, and data otherwise: "$" is a dollar sign unless it may expand, what
 * the page was told of the caller is found again and stays the caller's (leg_text_traced), names of files to write are
 * made plain. What is not allowed ends httapi, and the call as in FreeSWITCH. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rand.h"
#include "core/event/event.h"
#include "core/registry/chat.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/sound/record.h"
#include "core/sound/say.h"
#include "core/sound/tap.h"
#include "core/value/cause.h"
#include "core/value/self.h"
#include "core/value/vars.h"
#include "httapi/httapi_i.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LOOPS_MAX = 1000, INPUT_MS = 5000, MS_MAX = 3600000, LIMIT_S_MAX = 86400, WORK_MAX = 1000 };

struct work {
	struct ha_session *s;
	struct leg *leg;
	const struct xml_node *tag;
	const char *text, *body; /* of the element, expanded if it may be: with marks, and plain */
};

/* ---- a page's words ---- */

/* As text with marks; free with mem_free. NULL: no memory. */
static ON_CTL char *words_of(const struct work *w, const char *text)
{
	char *traced = leg_text_traced(w->leg, text);
	struct mark_it it = {sv_of(traced ? traced : text)};
	struct buf out;

	buf_init(&out);
	while (mark_next(&it)) {
		if (it.is_outside || (it.byte == '$' && !w->s->profile->may[HA_EXPAND_VARS]))
			mark_put(&out, (struct sv){&it.byte, 1});
		else
			buf_addc(&out, it.byte);
	}
	mem_free(traced);
	if (out.failed) {
		buf_fini(&out);
		return NULL;
	}
	return buf_take(&out);
}

static ON_CTL const char *attr(const struct work *w, const char *name)
{
	const char *value = xml_attr(w->tag, name);
	return value && *value ? value : NULL;
}

static ON_CTL int64_t number(const struct work *w, const char *name, int64_t high, int64_t otherwise)
{
	const char *text = attr(w, name);
	int64_t n = text ? str_number(text, 0, high) : 0;
	if (text && !n && *text != '0')
		leg_log(w->leg, LOG_ERR, "httapi: Invalid %s [%s]", name, text);
	return n ? n : otherwise;
}

static ON_CTL int denied(const struct work *w, bool hangs_up)
{
	leg_log(w->leg, LOG_ERR, "httapi: <%s>: Permission Denied!", w->tag->name);
	if (hangs_up)
		leg_hangup(w->leg, CAUSE_DESTINATION_OUT_OF_ORDER);
	return ST_DENIED;
}

static ON_CTL void once(const struct work *w, const char *name, const char *value)
{
	ha_param_set(w->s->once, name, value);
}

/* ---- sound and keys ---- */

enum sound { SOUND_PLAY, SOUND_SPEAK, SOUND_SAY, SOUND_PAUSE };
static enum sound sound_of(const struct work *w)
{
	const char *name = w->tag->name;
	return !strcasecmp(name, "speak")   ? SOUND_SPEAK
	       : !strcasecmp(name, "say")   ? SOUND_SAY
	       : !strcasecmp(name, "pause") ? SOUND_PAUSE
	                                    : SOUND_PLAY;
}

static ON_CTL const char *sound_text(const struct work *w)
{
	return attr(w, "text") ? attr(w, "text") : attr(w, "file") ? attr(w, "file") : w->body;
}

static CO int play(const struct work *w, const char *source, struct ha_input *in)
{
	struct leg_watch watch = {ha_input_goes_on, in, .is_prompt = true};
	char *text = words_of(w, source);
	int st = ST_NOMEM;

	if (text)
		st = leg_play_watched(w->leg, text, in ? &watch : NULL);
	mem_free(text);
	return st;
}

static CO int sound(const struct work *w, enum sound kind, struct ha_input *in)
{
	struct leg_watch watch = {ha_input_goes_on, in, .is_prompt = true};
	struct leg_play_end end = {.watch = &watch};
	int st = ST_OK;

	if (kind == SOUND_PLAY)
		return play(w, attr(w, "file") ? attr(w, "file") : w->text, in);
	if (kind == SOUND_SPEAK)
		return leg_speak(w->leg, attr(w, "engine"), attr(w, "voice"), sound_text(w), &end);
	if (kind == SOUND_SAY) {
		struct say_request r = {.module = attr(w, "language"),
		    .type = attr(w, "type"),
		    .method = attr(w, "method"),
		    .gender = attr(w, "gender"),
		    .text = sound_text(w)};
		st = leg_say(w->leg, &r, &end);
	}
	return st;
}

static ON_CTL int sound_check(const struct work *w, enum sound kind, bool has_binds)
{
	if (kind == SOUND_SAY && (!attr(w, "language") || !attr(w, "type") || !attr(w, "method") || !*sound_text(w))) {
		leg_log(
		    w->leg, LOG_ERR, "httapi: say: missing required attributes or text! (language) (type) (method)");
		return ST_INVAL;
	}
	if (kind == SOUND_SPEAK && !attr(w, "engine")) {
		leg_log(w->leg, LOG_ERR, "httapi: speak: missing engine attribute!");
		return ST_INVAL;
	}
	if (kind == SOUND_PLAY && (attr(w, "asr-engine") || attr(w, "asr-grammar")))
		leg_log(w->leg, LOG_WARNING, "httapi: playback listens to keys only; asr-engine is not available here");
	if (kind == SOUND_PLAY && !attr(w, "file") && (has_binds || !sv_trim(sv_of(w->body)).n)) {
		leg_log(w->leg, LOG_ERR, "httapi: missing file attribute!");
		leg_hangup(w->leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return ST_INVAL;
	}
	return ST_OK;
}

/* The digits of a match: the first of the characters to strip ends them. */
static ON_CTL void digits_put(const struct work *w, const struct ha_input *in, const char *name)
{
	const struct xml_node *bind = in->found.data;
	const char *strip = xml_attr(bind, "strip");
	char digits[DIGITS_BOUND_MAX + 1];

	snprintf(digits, sizeof(digits), "%s", in->found.digits);
	if (strip && *strip)
		digits[strcspn(digits, strip)] = 0;
	once(w, name, digits);
	once(w, "input_type", "dtmf");
}

/* Where a match leads: the bind's action, else the element's. "dial:context:dialplan" sends the call to the digits. */
static ON_CTL int action_take(const struct work *w, const struct ha_input *in)
{
	const char *action = in->is_match ? xml_attr((const struct xml_node *)in->found.data, "action") : NULL;
	const struct ha_profile *p = w->s->profile;
	struct sv context = SV_NONE, dialplan = SV_NONE;
	char *digits, *c = NULL, *d = NULL;
	int st;

	if (!action || !*action)
		action = attr(w, "action");
	if (!action || !in->is_match)
		return ST_OK;
	if (strncasecmp(action, "dial:", 5) != 0) {
		event_set(w->s->params, "url", action);
		return ST_OK;
	}
	if (!p->may[HA_DIAL])
		return denied(w, true);
	if (p->may[HA_DIAL_CONTEXT])
		sv_split(sv_of(action + 5), ':', &context, &dialplan);
	digits = mark_dup(in->found.digits);
	if (context.n)
		c = sv_dup(context);
	if (dialplan.n && p->may[HA_DIAL_DIALPLAN])
		d = sv_dup(dialplan);
	st = digits ? leg_transfer(w->leg, digits, d, c) : ST_NOMEM;
	mem_free(digits), mem_free(c), mem_free(d);
	return st ? st : ST_CANCELLED;
}

/* One round: it sounds, then keys are waited for. */
static CO int round_run(const struct work *w, enum sound kind, struct ha_input *in)
{
	int64_t ms = kind == SOUND_PAUSE ? number(w, "milliseconds", MS_MAX, 1000)
	                                 : number(w, "input-timeout", MS_MAX, INPUT_MS);
	int st = sound(w, kind, in);

	if (!leg_is_ready(w->leg))
		return leg_is_up(w->leg) ? ST_CANCELLED : ST_HANGUP;
	if (!in->machine && kind != SOUND_PAUSE)
		return ST_OK; /* a file that is not there is told, and the page goes on */
	if (st && st != ST_CANCELLED && !in->is_over)
		return st;
	return in->is_over ? ST_OK : ha_input_wait(in, clock_us_of_ms(ms));
}

static CO int do_sound(struct work *w)
{
	enum sound kind = sound_of(w);
	const char *name = attr(w, "name") ? attr(w, "name") : "dialed_digits";
	int64_t loops = number(w, "loops", LOOPS_MAX, 0);
	struct ha_input in;
	int st = sound_check(w, kind, xml_child(w->tag, "bind") != NULL);

	if (st || (st = ha_input_init(&in, w->leg, w->tag)))
		return st;
	do {
		ha_input_reset(&in);
		st = round_run(w, kind, &in);
		if (st || !in.machine || in.is_match)
			break;
		if (attr(w, "error-file")) { /* wrong keys, or none */
			(void)play(w, attr(w, "error-file"), NULL);
			once(w, name, "invalid");
			once(w, "input_type", "invalid");
		}
	} while (loops-- > 0 && leg_is_ready(w->leg));
	if (!st && in.is_match) {
		digits_put(w, &in, name);
		st = action_take(w, &in);
	}
	ha_input_fini(&in);
	return st;
}

/* ---- recordings ---- */

static ON_CTL char *record_path(const struct work *w, const char *file)
{
	char uuid[UUID_CHARS + 1];
	struct buf name, path;

	buf_init(&name), buf_init(&path);
	uuid_make(uuid);
	ha_file_name(file, &name);
	buf_printf(&path, "%s/%s_%s", core_dirs() ? core_dirs()->temp : "/tmp", uuid, name.p ? name.p : "");
	bool has_failed = name.failed || path.failed;
	buf_fini(&name);
	if (has_failed) {
		buf_fini(&path);
		return NULL;
	}
	return buf_take(&path);
}

static CO int do_record(struct work *w)
{
	const char *name = attr(w, "name") ? attr(w, "name") : "attached_file";
	struct media_record_conf conf = {.has_read = true,
	    .limit_ms = clock_ms_of_s((uint64_t)number(w, "limit", LIMIT_S_MAX, 0)),
	    .silence_level = (uint32_t)number(w, "threshold", 32767, 200),
	    .silence_ms = clock_ms_of_s((uint64_t)number(w, "silence-hits", 3600, 2))};
	struct ha_input in;
	struct leg_watch watch = {ha_input_goes_on, &in};
	char *path;
	int st;

	if (!attr(w, "file"))
		return ST_INVAL;
	if (!(path = record_path(w, attr(w, "file"))))
		return ST_NOMEM;
	st = ha_input_init(&in, w->leg, w->tag);
	if (!st && attr(w, "beep-file"))
		(void)play(w, attr(w, "beep-file"), &in);
	if (!st && !leg_is_ready(w->leg))
		st = ST_HANGUP;
	if (!st && !in.is_over)
		st = leg_record_watched(w->leg, path, &conf, &watch);
	if (st == ST_CANCELLED && leg_is_ready(w->leg))
		st = ST_OK;
	if (!st)
		st = action_take(w, &in);
	if (!st || st == ST_HANGUP) /* what was said before the hang-up is posted as well */
		ha_attach(w->s, name, path);
	ha_input_fini(&in);
	mem_free(path);
	return st;
}

static CO int do_record_call(struct work *w)
{
	const char *name = attr(w, "name") ? attr(w, "name") : "recorded_file";
	struct ha_session *s = w->s;
	struct buf path;
	int st;

	if (s->record_file)
		return ST_OK;
	buf_init(&path);
	buf_printf(&path, "%s/httapi-%s.wav", core_dirs() ? core_dirs()->temp : "/tmp", s->uuid);
	st = path.failed ? ST_NOMEM
	                 : leg_record_start(w->leg, path.p, (unsigned)number(w, "limit", LIMIT_S_MAX, 0), NULL);
	if (!st) {
		s->record_file = buf_take(&path);
		s->record_name = mem_strdup(name);
	}
	buf_fini(&path);
	return st;
}

/* ---- the call ---- */

static CO int app_run(struct work *w, const char *app, const char *data)
{
	int st = leg_exec_app(w->leg, app, data);
	return !leg_is_up(w->leg) ? ST_HANGUP : st == ST_DENIED || !leg_is_ready(w->leg) ? ST_CANCELLED : ST_OK;
}

static CO int do_execute(struct work *w)
{
	const char *app = attr(w, "application"), *data = attr(w, "data") ? attr(w, "data") : w->text;
	char *text;
	int st;

	if (!app) {
		leg_log(w->leg, LOG_ERR, "httapi: Invalid app");
		leg_hangup(w->leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return ST_INVAL;
	}
	if (!ha_list_allows(&w->s->profile->apps, app))
		return denied(w, true);
	if (strchr(data, '$') && !w->s->profile->may[HA_EXPAND_VARS]) {
		leg_log(w->leg, LOG_ERR, "httapi: Expand Variables: Permission Denied!");
		leg_hangup(w->leg, CAUSE_DESTINATION_OUT_OF_ORDER);
		return ST_DENIED;
	}
	text = words_of(w, data);
	st = text ? app_run(w, app, text) : ST_NOMEM;
	mem_free(text);
	return st;
}

/* The name is a name: what else conference reads (pin, flags) comes with conference-set-profile only. */
static CO int do_conference(struct work *w)
{
	const struct ha_profile *p = w->s->profile;
	const char *profile = p->may[HA_CONFERENCE_PROFILE] ? attr(w, "profile") : NULL;
	char *words = words_of(w, w->text), *own = profile ? words_of(w, profile) : mem_strdup(p->conference_profile);
	struct sv name = sv_trim(sv_of(words));
	struct buf data;
	int st;

	name.n = sv_find(name, '@');
	buf_init(&data);
	st = p->may[HA_CONFERENCE_PROFILE] ? buf_addv(&data, name) : mark_put_whole(&data, name);
	buf_printf(&data, "@%s", own ? own : "");
	st = data.failed || st || !words || !own ? ST_NOMEM : app_run(w, "conference", data.p);
	buf_fini(&data);
	mem_free(words), mem_free(own);
	return st;
}

static ON_CTL void caller_id_put(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "%s=", name);
	mark_put(out, sv_of(value ? value : ""));
}

static CO int dial_full(struct work *w, const char *cid_name, const char *cid_number)
{
	char *text = words_of(w, w->text);
	struct buf data;
	int st;

	buf_init(&data);
	buf_addc(&data, '{');
	caller_id_put(&data, "origination_caller_id_name", cid_name ? cid_name : leg_var(w->leg, "caller_id_name"));
	buf_addc(&data, ',');
	caller_id_put(
	    &data, "origination_caller_id_number", cid_number ? cid_number : leg_var(w->leg, "caller_id_number"));
	buf_addc(&data, '}');
	buf_adds(&data, text ? text : "");
	st = !text || data.failed ? ST_NOMEM : app_run(w, "bridge", data.p);
	buf_fini(&data);
	mem_free(text);
	return st;
}

static CO int do_dial(struct work *w)
{
	const bool *may = w->s->profile->may;
	const char *context = may[HA_DIAL_CONTEXT] ? attr(w, "context") : NULL;
	const char *dialplan = may[HA_DIAL_DIALPLAN] ? attr(w, "dialplan") : NULL;
	const char *cid_name = may[HA_DIAL_CID_NAME] ? attr(w, "caller-id-name") : NULL;
	const char *cid_number = may[HA_DIAL_CID_NUMBER] ? attr(w, "caller-id-number") : NULL;
	char *number;
	int st;

	if (may[HA_DIAL_FULL] && strchr(w->body, '/'))
		return dial_full(w, cid_name, cid_number);
	if (cid_name)
		leg_var_set(w->leg, "effective_caller_id_name", cid_name);
	if (cid_number)
		leg_var_set(w->leg, "effective_caller_id_number", cid_number);
	number = mark_dup(w->body); /* data: no list of applications, whatever the dialplan */
	if (!number)
		return ST_NOMEM;
	st = leg_transfer(w->leg, number, dialplan ? dialplan : w->s->profile->dial_dialplan,
	    context ? context : w->s->profile->dial_context);
	mem_free(number);
	return st ? st : ST_CANCELLED;
}

static CO int do_sms(struct work *w)
{
	const char *to = attr(w, "to");
	struct event *e;

	if (!to) {
		leg_log(w->leg, LOG_ERR, "httapi: Missing 'to' Attribute!");
		return ST_INVAL;
	}
	e = event_new(EVENT_MESSAGE, NULL);
	if (!e)
		return ST_NOMEM;
	event_add(e, "proto", "httapi");
	event_add(e, "to_proto", "sip");
	event_add(e, "dest_proto", "sip");
	event_add(e, "from", leg_var(w->leg, "caller_id_number"));
	event_add(e, "to", strncasecmp(to, "sip:", 4) ? to : to + 4);
	event_add(e, "type", "text/plain");
	event_set_body(e, sv_of(w->body));
	int st = chat_send(e, NULL, NULL);
	if (st)
		leg_log(w->leg, LOG_WARNING, "httapi: the message to %s is not sent: %s", to, status_text(st));
	mem_unref(e);
	return ST_OK;
}

static CO int do_voicemail(struct work *w)
{
	const char *domain = attr(w, "domain"), *id = attr(w, "id");
	char *profile = words_of(w, attr(w, "profile") ? attr(w, "profile") : "default");
	struct buf data;
	int st;

	buf_init(&data);
	if (str_is_true(attr(w, "check")))
		buf_adds(&data, "check ");
	if (str_is_true(attr(w, "auth-only")))
		buf_adds(&data, "auth_only ");
	buf_printf(&data, "%s ", profile ? profile : "");
	mark_put(&data, sv_of(domain ? domain : ""));
	buf_addc(&data, ' ');
	mark_put(&data, sv_of(id ? id : ""));
	st = data.failed || !profile ? ST_NOMEM : app_run(w, "voicemail", data.p);
	buf_fini(&data);
	mem_free(profile);
	return st;
}

static CO int do_hangup(struct work *w)
{
	const char *cause = attr(w, "cause") ? attr(w, "cause") : w->body;
	leg_hangup(w->leg, *cause ? cause_parse(cause) : CAUSE_NORMAL_CLEARING);
	return ST_HANGUP;
}

static CO int do_answer(struct work *w)
{
	const char *name = w->tag->name;
	int st = !strcasecmp(name, "answer")      ? leg_answer(w->leg)
	         : !strcasecmp(name, "preAnswer") ? leg_pre_answer(w->leg)
	                                          : leg_ring_ready(w->leg);
	return leg_is_up(w->leg) ? ST_OK : st ? st : ST_HANGUP;
}

static CO int do_get_variable(struct work *w)
{
	const char *name = attr(w, "name"), *value;

	if (!name)
		return ST_INVAL;
	if (!ha_list_allows(&w->s->profile->get_vars, name))
		return denied(w, false);
	value = leg_var(w->leg, name);
	if (value)
		ha_param_set(str_is_true(attr(w, "permanent")) ? w->s->params : w->s->once, name, value);
	return ST_OK;
}

static CO int do_log(struct work *w)
{
	enum log_level level = LOG_DEBUG;
	if (attr(w, "level"))
		(void)log_level_parse(attr(w, "level"), &level);
	leg_log(w->leg, level, "%s", w->body);
	return ST_OK;
}

static CO int do_continue(struct work *w)
{
	return ST_OK;
}

static CO int do_break(struct work *w)
{
	return ST_CLOSED;
}

static const struct {
	const char *name;
	int perm; /* enum ha_perm, or HA_PERM_COUNT: none */
	bool hangs_up;
	int (*run)(struct work *w);
} rows[] = {
    {"playback", HA_PERM_COUNT, false, do_sound},
    {"pause", HA_PERM_COUNT, false, do_sound},
    {"say", HA_PERM_COUNT, false, do_sound},
    {"speak", HA_PERM_COUNT, false, do_sound},
    {"record", HA_RECORD, true, do_record},
    {"recordCall", HA_RECORD, true, do_record_call},
    {"execute", HA_EXECUTE_APPS, true, do_execute},
    {"conference", HA_CONFERENCE, true, do_conference},
    {"dial", HA_DIAL, true, do_dial},
    {"sms", HA_SMS, true, do_sms},
    {"voicemail", HA_VOICEMAIL, true, do_voicemail},
    {"hangup", HA_PERM_COUNT, false, do_hangup},
    {"answer", HA_PERM_COUNT, false, do_answer},
    {"preAnswer", HA_PERM_COUNT, false, do_answer},
    {"ringReady", HA_PERM_COUNT, false, do_answer},
    {"getVariable", HA_GET_VARS, false, do_get_variable},
    {"getVar", HA_GET_VARS, false, do_get_variable},
    {"log", HA_PERM_COUNT, false, do_log},
    {"continue", HA_PERM_COUNT, false, do_continue},
    {"break", HA_PERM_COUNT, false, do_break},
};
enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

static size_t row_of(const char *name)
{
	size_t i = 0;
	while (i < ROW_COUNT && strcmp(rows[i].name, name) != 0)
		i++;
	return i;
}

int ha_document_count(const struct xml_doc *doc)
{
	const struct xml_node *work = xml_child(xml_root(doc), "work");
	int count = 0;

	for (const struct xml_node *it = work ? work->child : NULL; it && count < WORK_MAX; it = it->next)
		count += row_of(it->name) < ROW_COUNT;
	return count ? count : -1;
}

static CO int element_run(struct work *w)
{
	size_t i = row_of(w->tag->name);
	char *expanded = NULL, *body = NULL;
	int st;

	if (i == ROW_COUNT) {
		leg_log(w->leg, LOG_WARNING, "httapi: Unsupported Tag: [%s]", w->tag->name);
		return ST_UNSUPPORTED;
	}
	leg_log(w->leg, LOG_DEBUG, "httapi: Process Tag: [%s]", w->tag->name);
	if (rows[i].perm != HA_PERM_COUNT && !w->s->profile->may[rows[i].perm])
		return denied(w, rows[i].hangs_up);
	if (attr(w, "action") && rows[i].run != do_sound && rows[i].run != do_record)
		event_set(w->s->params, "url", attr(w, "action"));
	if (attr(w, "temp-action"))
		once(w, "url", attr(w, "temp-action"));
	w->text = w->body = w->tag->text;
	if (w->s->profile->may[HA_EXPAND_VARS] && strstr(w->tag->text, "${")) {
		st = expand(w->leg, w->tag->text, &expanded);
		if (!st)
			w->text = expanded, w->body = body = mark_strip_dup(sv_of(expanded));
	}
	st = w->body ? rows[i].run(w) : ST_NOMEM;
	mem_free(expanded), mem_free(body);
	return st;
}

/* ---- params and variables ---- */

static ON_CTL void params_take(struct work *w, const struct xml_node *root)
{
	const struct xml_node *params = xml_child(root, "params");
	if (!w->s->profile->may[HA_SET_PARAMS])
		return;
	for (const struct xml_node *it = params ? params->child : NULL; it; it = it->next)
		if (event_header_count(w->s->params) < WORK_MAX)
			ha_param_set(w->s->params, it->name, it->text);
}

/* Data, unless the page may write text that is expanded: a variable may be a hook. */
static ON_CTL void variables_take(struct work *w, const struct xml_node *root)
{
	const struct xml_node *variables = xml_child(root, "variables");
	const struct ha_profile *p = w->s->profile;
	if (!p->may[HA_SET_VARS])
		return;
	for (const struct xml_node *it = variables ? variables->child : NULL; it; it = it->next) {
		char *text = *it->text && p->may[HA_EXPAND_VARS] ? words_of(w, it->text) : NULL;
		if (!ha_list_allows(&p->set_vars, it->name))
			leg_log(w->leg, LOG_ERR, "httapi: variable %s permission denied!", it->name);
		else if (text)
			leg_var_set_text(w->leg, it->name, text);
		else
			leg_var_set(w->leg, it->name, *it->text ? it->text : NULL);
		mem_free(text);
	}
}

int ha_work(struct ha_session *s, struct leg *leg, const struct xml_doc *doc)
{
	const struct xml_node *root = xml_root(doc), *work = xml_child(root, "work");
	struct work w = {.s = s, .leg = leg};
	int st = ST_OK, count = 0;

	role_assert_co();
	params_take(&w, root);
	variables_take(&w, root);
	for (w.tag = work ? work->child : NULL; w.tag && !st; w.tag = w.tag->next) {
		if (count++ == WORK_MAX || !leg_is_ready(leg))
			return ST_LIMIT;
		st = element_run(&w);
	}
	if (!count) {
		leg_log(leg, LOG_WARNING, "httapi: No instructions found in result!");
		return ST_NOTFOUND;
	}
	return st;
}
