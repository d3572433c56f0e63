/* Phrase macros: an input's pattern is held against the data, its match (or nomatch) is a list of actions. The
 * configuration a macro comes from is held while it plays: a reload does not disturb it. */
#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/app.h"
#include "core/run/exec.h"
#include "core/run/expand.h"
#include "core/sound/play.h"
#include "core/sound/say.h"
#include "say/say_i.h"
#include "text/mark.h"
#include "text/re.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DEPTH_MAX = 6, PAUSE_MS = 100, PAUSE_MAX_MS = 60000 };

struct run { /* one macro that plays */
	struct lnode link;
	struct leg *leg;
	const struct say_lang *lang;
	const char *data;
	struct leg_play_end *end;
	long pause_ms;
	bool is_broken; /* by the action break */
};
static struct list running = {{&running.head, &running.head}};

static ON_CTL bool is_too_deep(const struct leg *leg)
{
	struct lnode *it, *tmp;
	int depth = 0;

	list_each (&running, it, tmp)
		depth += list_entry(it, struct run, link)->leg == leg;
	return depth >= DEPTH_MAX;
}

/* "app(args)": any application, as an action of the dialplan. */
static CO int run_execute(struct run *r, char *text)
{
	char *args = strchr(text, '('), *close;

	if (args) {
		*args++ = 0;
		close = strrchr(args, ')');
		if (close)
			*close = 0;
	}
	if (mark_has(sv_of(text)) || !app_find(text)) {
		leg_log(r->leg, LOG_ERR, "Invalid Application %s", text);
		return ST_INVAL;
	}
	return leg_exec_app(r->leg, text, args ? args : "");
}

static CO int run_speak(struct run *r, const struct xml_node *action, const char *text)
{
	const char *engine = xml_attr(action, "tts-engine"), *voice = xml_attr(action, "tts-voice");

	return speak_run(
	    r->leg, engine ? engine : r->lang->tts_engine, voice ? voice : r->lang->tts_voice, text, r->end);
}

static CO int run_function(struct run *r, const struct xml_node *action, char *data)
{
	const char *function = xml_attr_or(action, "function", "");
	struct say_request say = {.type = xml_attr_or(action, "type", "NUMBER"),
	    .method = xml_attr_or(action, "method", "N/A"),
	    .gender = xml_attr(action, "gender"),
	    .text = data};

	if (!strcasecmp(function, "play-file"))
		return leg_play_until(r->leg, data, r->end);
	if (!strcasecmp(function, "execute"))
		return run_execute(r, data);
	if (!strcasecmp(function, "phrase"))
		return phrase_run(r->leg, xml_attr_or(action, "phrase", ""), data, r->lang->name, r->end);
	mark_strip_in_place(data);
	if (!strcasecmp(function, "say"))
		return say_run_in(r->leg, r->lang, &say, r->end);
	if (!strcasecmp(function, "speak-text"))
		return run_speak(r, action, data);
	if (!strcasecmp(function, "sleep"))
		return leg_sleep(r->leg, clock_us_of_ms((int64_t)(strtoul(data, NULL, 10) % (PAUSE_MAX_MS + 1))));
	if (!strcasecmp(function, "break"))
		r->is_broken = true;
	else
		leg_log(r->leg, LOG_ERR, "%s:%u: a phrase has no function '%s'", action->file, action->line, function);
	return ST_OK;
}

/* m NULL: the pattern did not match, or holds no group. */
static CO int run_action(struct run *r, const struct xml_node *action, const struct re_match *m)
{
	const char *given = xml_attr_or(action, "data", "");
	char *expanded = NULL;
	struct buf text;
	int st;

	buf_init(&text);
	if (m && strchr(given, '$'))
		re_substitute(&text, sv_of(given), '$', m);
	else
		buf_adds(&text, given);
	st = expand(r->leg, text.p ? text.p : "", &expanded);
	buf_fini(&text);
	if (!st)
		st = run_function(r, action, expanded);
	mem_free(expanded);
	if (!st && !r->end->is_ended && r->pause_ms)
		st = leg_sleep(r->leg, clock_us_of_ms(r->pause_ms));
	return st;
}

static CO int run_input(struct run *r, const struct xml_node *input, bool *was_run, bool *is_last)
{
	const char *pattern = xml_attr_or(input, "pattern", ".*"), *field = xml_attr(input, "field");
	const struct xml_node *list;
	struct re_match m = {0};
	char *text = NULL, *subject = NULL;
	int st = expand(r->leg, field ? field : r->data, &text), matched;

	if (!st && !(subject = mark_strip_dup(sv_of(text))))
		st = ST_NOMEM;
	if (st) {
		mem_free(text);
		return st;
	}
	matched = re_match_once(sv_of(pattern), sv_of(subject), &m);
	re_match_mark(&m, sv_of(subject), sv_of(text));
	if (matched < 0)
		leg_log(r->leg, LOG_ERR, "%s:%u: the pattern '%s' cannot be used", input->file, input->line, pattern);
	list = xml_child(input, matched > 0 ? "match" : "nomatch");
	xml_each(list, "action", action)
	{
		st = run_action(r, action, matched > 0 && strchr(pattern, '(') ? &m : NULL);
		if (st || r->is_broken || r->end->is_ended)
			break;
	}
	mem_free(text);
	mem_free(subject);
	*was_run = *was_run || list;
	*is_last = list && str_is_true(xml_attr(input, "break_on_match"));
	return st;
}

/* "macro" or "macro@group"; prefix: a group's own, else the language's. */
static ON_CTL const struct xml_node *macro_find(
    struct leg *leg, const struct say_lang *l, const char *name, const char **prefix, bool *is_enforced)
{
	const char *at = l->phrases ? strchr(name, '@') : NULL;
	const struct xml_node *macros = at ? xml_child_with(l->phrases, "macros", "name", at + 1) : l->macros, *macro;
	const char *own;
	char *plain;

	if (!macros) {
		leg_log(leg, LOG_ERR, at ? "Can't find macros group %s." : "Can't find macros tag (%s).",
		    at ? at + 1 : name);
		return NULL;
	}
	plain = mem_strndup(name, at ? (size_t)(at - name) : strlen(name));
	macro = xml_child_with(macros, "macro", "name", plain);
	mem_free(plain);
	if (!macro)
		leg_log(leg, LOG_ERR, "Can't find macro %s.", name);
	own = xml_attr(macros, "sound-prefix");
	if (!own)
		own = xml_attr(macros, "sound-path");
	*prefix = own ? own : l->prefix;
	*is_enforced = str_is_true(xml_attr(macros, "sound-prefix-enforced"));
	return macro;
}

static CO int run_macro(struct run *r, const struct xml_node *macro, const char *name)
{
	const char *pause = xml_attr(macro, "pause");
	bool was_run = false, is_last = false;
	int st = ST_OK;

	r->pause_ms = pause && *pause >= '0' && *pause <= '9' ? strtol(pause, NULL, 10) : PAUSE_MS;
	if (r->pause_ms > PAUSE_MAX_MS)
		r->pause_ms = PAUSE_MAX_MS;
	if (!xml_child(macro, "input"))
		leg_log(r->leg, LOG_ERR, "%s:%u: the macro %s has no input", macro->file, macro->line, name);
	xml_each(macro, "input", input)
	{
		st = run_input(r, input, &was_run, &is_last);
		if (st || is_last || r->is_broken || r->end->is_ended)
			break;
	}
	if (!was_run && !st)
		leg_log(r->leg, LOG_WARNING, "Macro [%s]: '%s' did not match any patterns", name, r->data);
	return st;
}

int phrase_run(struct leg *leg, const char *name, const char *data, const char *lang, struct leg_play_end *end)
{
	struct run r = {.leg = leg, .data = data ? data : "", .end = end};
	struct say_lang l;
	struct say_prefix scope;
	const char *prefix = NULL;
	bool is_enforced = false;
	const struct xml_node *macro;
	int st;

	role_assert_co();
	if (mark_has(sv_of(name))) {
		leg_log(leg, LOG_WARNING, "a phrase that is named from outside is refused");
		return ST_DENIED;
	}
	if (is_too_deep(leg)) {
		leg_log(leg, LOG_ERR, "phrase %s: macros within macros, more than %d", name, DEPTH_MAX);
		return ST_LIMIT;
	}
	st = say_lang_ask(leg, lang ? lang : say_lang_of(leg, "en"), name, data, &l);
	if (st)
		return st == ST_HANGUP ? st : ST_INVAL;
	macro = macro_find(leg, &l, name, &prefix, &is_enforced);
	if (!macro) {
		st = ST_INVAL;
		goto out;
	}
	r.lang = &l;
	is_enforced = is_enforced && !leg_var_is_true(leg, "sound_prefix_enforced");
	say_prefix_set(&scope, leg, prefix);
	if (is_enforced)
		leg_var_set(leg, "sound_prefix_enforced", "true");
	list_push(&running, &r.link);
	st = leg->is_answered || leg->is_early ? ST_OK : leg_pre_answer(leg);
	if (!st)
		st = run_macro(&r, macro, name);
	list_remove(&r.link);
	if (is_enforced)
		leg_var_set(leg, "sound_prefix_enforced", NULL);
	say_prefix_restore(&scope, leg);
out:
	say_lang_fini(&l);
	return st;
}

/* macro[,data] */
int app_phrase(struct leg *leg, const char *data)
{
	struct leg_play_end end = {0};
	char *macro = mem_strdup(data ? leg_exec_text(leg, data) : ""), *comma = strchr(macro, ',');
	const char *response = "NOTHING";
	int st = ST_OK;

	role_assert_co();
	if (*macro) {
		if (comma)
			*comma++ = 0;
		char *lang = mem_strdup(leg_var(leg, "language"));
		leg_var_set(leg, "playback_terminator_used", NULL);
		st = phrase_run(leg, macro, comma, lang, &end);
		response = st && st != ST_CANCELLED ? "UNKNOWN ERROR" : "PHRASE PLAYED";
		mem_free(lang);
	}
	mem_free(macro);
	leg_exec_response(leg, response);
	return st == ST_HANGUP ? st : ST_OK;
}

/* ---- what is wrong in the configuration, before anybody hears it ---------------------------------------------------
 */

static void complain(config_report_fn report, void *arg, const struct xml_node *at, const char *fmt, const char *what)
{
	char reason[300], line[700];

	snprintf(reason, sizeof(reason), fmt, what);
	snprintf(line, sizeof(line), "%s:%u:%u: %s", at->file, at->line, at->column, reason);
	report(line, arg);
}

static void check_actions(const struct xml_node *list, config_report_fn report, void *arg)
{
	static const char *const known[] = {"play-file", "say", "speak-text", "execute", "sleep", "phrase", "break"};
	enum say_type type;
	enum say_method method;

	xml_each(list, "action", action)
	{
		const char *function = xml_attr_or(action, "function", "");
		bool is_known = false;
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			is_known = is_known || !strcasecmp(known[i], function);
		if (!is_known)
			complain(report, arg, action, "a phrase has no function '%s'", function);
		if (strcasecmp(function, "say") != 0)
			continue;
		if (!say_type_parse(sv_of(xml_attr(action, "type")), &type))
			complain(report, arg, action, "say has no type '%s'", xml_attr_or(action, "type", ""));
		if (!say_method_parse(sv_of(xml_attr(action, "method")), &method))
			complain(report, arg, action, "say has no method '%s'", xml_attr_or(action, "method", ""));
	}
}

static void check_macros(const struct xml_node *macros, config_report_fn report, void *arg)
{
	xml_each(macros, "macro", macro)
	{
		if (!xml_attr(macro, "name"))
			complain(report, arg, macro, "a macro needs a name%s", "");
		xml_each(macro, "input", input)
		{
			const char *pattern = xml_attr_or(input, "pattern", ".*");
			char why[RE_ERROR_CHARS];
			struct re *re = NULL;
			if (re_new_expression(&re, sv_of(pattern), why))
				complain(report, arg, input, "%s", why);
			mem_unref(re);
			check_actions(xml_child(input, "match"), report, arg);
			check_actions(xml_child(input, "nomatch"), report, arg);
		}
	}
}

static void stage_check(const struct config *cfg, const struct config_known *known, config_report_fn report, void *arg)
{
	const struct xml_node *section = config_section_of(cfg, "languages");

	xml_each(section, "language", language)
	{
		if (!xml_attr(language, "name"))
			complain(report, arg, language, "a language needs a name%s", "");
		xml_each(xml_child(language, "phrases"), "macros", macros) check_macros(macros, report, arg);
	}
	xml_each(xml_child(section, "macros"), "language", old) check_macros(old, report, arg);
}

static int stage_make(const struct config *cfg, void **out)
{
	*out = NULL;
	return ST_OK;
}

static void stage_free(void *obj) {}

int say_stage_init(void)
{
	static const struct config_stage stage = {"phrases", stage_make, stage_free, stage_check};
	static int slot = -1;

	return slot >= 0 ? ST_OK : config_stage_add(&stage, &slot);
}
