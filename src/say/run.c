/* Saying on a leg: the language, its rules' row of names, and the row played in one. And the same as text, say_string.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/zone.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/registry/app_words.h"
#include "core/registry/module.h"
#include "core/run/exec.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "say/say_i.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_MAX = 120 /* parts of one source */ };

void say_row_source(struct sv row, const char *ext, struct buf *out)
{
	struct sv name;

	buf_adds(out, "file_string://");
	for (bool is_first = true; row.n; is_first = false) {
		sv_split(row, '!', &name, &row);
		buf_printf(out, "%s%.*s", is_first ? "" : "!", SVF(name));
		if (!memmem(name.p, name.n, "://", 3))
			buf_printf(out, ".%s", ext);
	}
}

/* The zone of variable timezone: a name, or seconds east of Greenwich. */
static CO bool zone_of(struct leg *leg, struct tz *zone)
{
	const char *name = leg ? leg_var(leg, "timezone") : NULL;
	long offset_s = name ? strtol(name, NULL, 10) : 0;
	char *copy;
	bool is_found;

	if (!name)
		return false;
	if (offset_s) {
		*zone = (struct tz){.offset_s = (int32_t)offset_s};
		return true;
	}
	copy = mem_strdup(name);
	is_found = !zone_find(copy, zone);
	if (!is_found && leg_is_up(leg))
		leg_log(leg, LOG_WARNING, "there is no time zone %s; the system's is taken", copy);
	mem_free(copy);
	return is_found;
}

static CO int make_row(struct leg *leg, const char *module, const struct say_request *r, struct buf *row)
{
	const struct say_language *language = say_language_find(module);
	struct say_args args = {.now_s = clock_wall_us() / 1000000};
	const char *uuid = leg ? leg->uuid : NULL;
	char name[16];
	struct tz zone;
	int st;

	snprintf(name, sizeof(name), "mod_say_%.2s", module);
	if (!language || !module_is_loaded(name)) {
		log_uuid(LOG_ERR, uuid, "Invalid SAY Interface [%s]!", module);
		return ST_INVAL;
	}
	if (!say_type_parse(sv_of(r->type), &args.type)) {
		log_uuid(LOG_ERR, uuid, "say: unknown type '%s'", r->type ? r->type : "");
		return ST_INVAL;
	}
	if (!say_method_parse(sv_of(r->method), &args.method)) {
		log_uuid(LOG_ERR, uuid, "say: unknown method '%s'", r->method ? r->method : "");
		return ST_INVAL;
	}
	say_gender_parse(sv_of(r->gender), &args.gender);
	if (zone_of(leg, &zone))
		args.zone = &zone;
	st = language->say(&args, sv_of(r->text), row);
	if (st)
		log_uuid(LOG_ERR, uuid, "say: '%.80s' is %s %s", r->text ? r->text : "",
		    st == ST_LIMIT ? "too large for" : "no", r->type);
	return st ? ST_INVAL : ST_OK;
}

int say_run_in(struct leg *leg, const struct say_lang *l, const struct say_request *r, struct leg_play_end *end)
{
	struct buf row, source;
	struct sv rest, part;
	int st;

	buf_init(&row);
	buf_init(&source);
	st = make_row(leg, l->module, r, &row);
	rest = buf_sv(&row);
	while (!st && rest.n && !end->is_ended) {
		size_t n = 0;
		for (size_t i = 0; i < ROW_MAX && n < rest.n; i++)
			n += sv_find(sv_sub(rest, n, rest.n), '!') + 1;
		part = sv_sub(rest, 0, n > rest.n ? rest.n : n - 1);
		rest = sv_sub(rest, n, rest.n);
		buf_clear(&source);
		say_row_source(part, "wav", &source);
		st = leg_play_until(leg, source.p, end);
	}
	buf_fini(&source);
	buf_fini(&row);
	return st;
}

int say_run(struct leg *leg, const struct say_request *r, struct leg_play_end *end)
{
	const char *colon = r->module ? strchr(r->module, ':') : NULL;
	struct say_lang l;
	struct say_prefix prefix;
	int st =
	    say_lang_find(leg, colon ? colon + 1 : say_lang_of(leg, r->module && *r->module ? r->module : "en"), &l);

	role_assert_co();
	if (st)
		return ST_INVAL;
	say_prefix_set(&prefix, leg, l.prefix);
	st = say_run_in(leg, &l, r, end);
	say_prefix_restore(&prefix, leg);
	say_lang_fini(&l);
	return st;
}

/* module[:lang] type method [gender] text; without a gender the text may have blanks */
int app_say(struct leg *leg, const char *data)
{
	struct app_words w = {0};
	struct leg_play_end end = {0};
	struct say_request r = {0};
	enum say_gender gender;
	struct buf module, text;
	int st = app_words_init(&w, leg_exec_text(leg, data), 5);

	role_assert_co();
	buf_init(&module);
	buf_init(&text);
	if (!st && w.n < 4) {
		leg_log(leg, LOG_ERR, "Usage: <module_name>[:<lang>] <say_type> <say_method> [<say_gender>] <text>");
		st = ST_INVAL;
	}
	if (st)
		goto out;
	buf_printf(&module, strchr(w.w[0], ':') ? "%s" : "%s:%s", w.w[0], w.w[0]);
	r = (struct say_request){.module = module.p, .type = w.w[1], .method = w.w[2], .text = w.w[w.n - 1]};
	if (w.n == 5 && say_gender_parse(sv_of(w.w[3]), &gender)) {
		r.gender = w.w[3];
	} else if (w.n == 5) {
		buf_printf(&text, "%s %s", w.w[3], w.w[4]);
		r.text = text.p;
	}
	leg_var_set(leg, "playback_terminator_used", NULL);
	st = say_run(leg, &r, &end);
out:
	buf_fini(&text);
	buf_fini(&module);
	app_words_fini(&w);
	return st == ST_HANGUP ? st : ST_OK;
}

/* module[.ext] lang[.ext] type method [gender] text; "~" before the text leaves "file_string://" out */
int api_say_string(struct api_call *c)
{
	struct app_words w = {0};
	struct say_lang l;
	struct buf row, source;
	const char *ext = NULL, *text;
	char *dot;
	int st = app_words_init(&w, c->args, 6);

	role_assert_co();
	buf_init(&row);
	buf_init(&source);
	if (st || w.n < 5)
		goto out;
	for (int i = 0; i < 2; i++) {
		if (!(dot = strchr(w.w[i], '.')))
			continue;
		*dot = 0;
		if (!ext)
			ext = dot + 1;
	}
	text = w.w[w.n - 1];
	struct say_request r = {
	    .type = w.w[2], .method = w.w[3], .gender = w.n == 6 ? w.w[4] : NULL, .text = text + (*text == '~')};
	if (say_lang_find(c->leg, w.w[1], &l))
		goto out;
	st = make_row(c->leg, l.module, &r, &row);
	if (!st && row.n) {
		say_row_source(buf_sv(&row), ext ? ext : "wav", &source);
		buf_adds(c->out, source.p + (*text == '~' ? strlen("file_string://") : 0));
	}
	say_lang_fini(&l);
out:
	if (!source.n)
		buf_adds(c->out, "-ERR Usage: <module_name>[.<ext>] <lang>[.<ext>] <say_type> <say_method> "
		                 "[<say_gender>] <text>\n");
	buf_fini(&source);
	buf_fini(&row);
	app_words_fini(&w);
	return ST_OK;
}
