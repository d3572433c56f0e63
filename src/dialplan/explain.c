/* `dialplan explain`: the hunt run for a call that does not exist. A scratch set of variables stands for the leg; the
 * trace of the hunt is the answer. Inline actions that only set variables do so there, all others are left out and
 * named, and so are commands in ${...} unless they only look something up. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/config.h"
#include "core/leg/leg.h"
#include "core/registry/api.h"
#include "core/run/expand.h"
#include "core/value/vars.h"
#include "dialplan/module_i.h"
#include "text/json.h"
#include "text/re.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ASSIGNMENTS_MAX = 64 };

struct scratch {
	struct vars *vars;
	struct leg_profile *profile;
	struct buf *out;
	struct json_writer *json; /* NULL: plain text; otherwise writer */
	struct json_writer writer;
	struct buf notes; /* on the step at hand: commands that were not run */
};

/* ---- commands that only look ---- */

static const struct {
	const char *name, *first; /* first word or part of the arguments; NULL = any */
} lookers[] = {{"acl", NULL}, {"cond", NULL}, {"db", "exists"}, {"db", "select"}, {"domain_data", NULL},
    {"domain_exists", NULL}, {"expr", NULL}, {"global_getvar", NULL}, {"group", "call"}, {"group_call", NULL},
    {"hash", "select"}, {"in_group", NULL}, {"is_lan_addr", NULL}, {"limit_usage", NULL}, {"lower", NULL},
    {"md5", NULL}, {"module_exists", NULL}, {"regex", NULL}, {"replace", NULL}, {"sofia_contact", NULL},
    {"sofia_gateway_data", NULL}, {"strepoch", NULL}, {"strftime", NULL}, {"strftime_tz", NULL},
    {"strmicroepoch", NULL}, {"time_test", NULL}, {"tolower", NULL}, {"toupper", NULL}, {"upper", NULL},
    {"url_decode", NULL}, {"url_encode", NULL}, {"user_data", NULL}, {"user_exists", NULL}};

static bool only_looks(const char *cmd, const char *args)
{
	for (size_t i = 0; i < sizeof lookers / sizeof *lookers; i++) {
		size_t n = lookers[i].first ? strlen(lookers[i].first) : 0;
		if (!strcasecmp(cmd, lookers[i].name) &&
		    (!n || (!strncasecmp(args, lookers[i].first, n) && strchr("/: ", args[n]))))
			return true;
	}
	return false;
}

static int ask_command(const char *cmd, const char *args, struct buf *out, void *arg)
{
	struct scratch *s = arg;

	if (only_looks(cmd, args))
		return ST_NOTFOUND; /* it may run */
	buf_printf(&s->notes, "%s%s(%s)", s->notes.n ? ", " : "", cmd, args);
	return ST_OK;
}

/* ---- the call that does not exist ---- */

static const char *get_var(void *arg, const char *name)
{
	struct scratch *s = arg;
	const char *value = vars_get(s->vars, name);

	role_assert_ctl();
	if (!value)
		value = leg_profile_field(s->profile, name);
	return value ? value : globals_get(name);
}

static const char *lookup(const char *name, void *arg)
{
	return get_var(arg, name);
}

static const char *get_field(void *arg, const char *name, struct buf *scratch)
{
	role_assert_ctl();
	return leg_profile_field(((struct scratch *)arg)->profile, name);
}

static int expand_text(void *arg, const char *text, struct buf *out)
{
	char *value = NULL;
	int st;

	role_assert_ctl();
	st = expand_aside(lookup, ask_command, arg, text, &value);
	if (!st)
		st = buf_adds(out, value);
	mem_free(value);
	return st;
}

static void set_var(void *arg, const char *name, const char *value)
{
	(void)vars_set(((struct scratch *)arg)->vars, name, value);
}

static void push_var(void *arg, const char *name, const char *value)
{
	(void)vars_push(((struct scratch *)arg)->vars, name, value);
}

/* ---- telling ---- */

static void key_place(struct json_writer *w, const char *file, unsigned line)
{
	if (file) {
		jw_kv_str(w, "file", file);
		jw_kv_int(w, "line", line);
	}
}

static void json_step(struct json_writer *w, const struct dp_trace *t, const char *notes)
{
	static const char *const kinds[] = {"extension", "time", "field", "always", "nested", "action"};

	jw_begin_object(w);
	jw_kv_str(w, "step", kinds[t->kind]);
	jw_kv_int(w, "level", t->level);
	jw_kv_str(w, "extension", t->extension);
	if (t->kind == DP_TRACE_EXTENSION) {
		jw_kv_str(w, "context", t->context);
		jw_kv_bool(w, "continue", t->is_continue);
	} else if (t->kind == DP_TRACE_ACTION) {
		jw_kv_str(w, "application", t->app);
		jw_kv_str(w, "data", t->data);
		jw_kv_bool(w, "anti", t->is_anti);
		jw_kv_bool(w, "inline", t->is_inline);
	} else if (t->kind == DP_TRACE_NESTED) {
		jw_kv_bool(w, "required", t->is_required);
	} else {
		jw_kv_bool(w, "match", t->kind == DP_TRACE_ALWAYS || t->is_pass);
		jw_kv_str(w, t->is_rule ? "regex" : "break", t->brk);
	}
	if (t->kind == DP_TRACE_FIELD) {
		jw_kv_str(w, "field", t->field);
		jw_kv_str(w, "value", t->value);
		jw_kv_str(w, "expression", t->expression);
		jw_key(w, "captures");
		jw_begin_array(w);
		for (unsigned i = 1; t->match && i < t->match->count; i++)
			jw_sv(w, t->match->group[i]);
		jw_end_array(w);
	}
	if (notes)
		jw_kv_str(w, "not_run", notes);
	key_place(w, t->file, t->line);
	jw_end_object(w);
}

static void plain_step(struct buf *out, const struct dp_trace *t, const char *notes)
{
	const char *base = t->file ? strrchr(t->file, '/') : NULL;

	for (unsigned i = t->kind == DP_TRACE_EXTENSION ? 0 : t->level + (t->kind == DP_TRACE_ACTION ? 2 : 1); i; i--)
		buf_adds(out, "  ");
	switch (t->kind) {
	case DP_TRACE_EXTENSION:
		buf_printf(out, "extension %s%s", t->extension, t->is_continue ? ", continue" : "");
		break;
	case DP_TRACE_TIME:
		buf_printf(out, "time: %s", t->is_pass ? "match" : "no match");
		break;
	case DP_TRACE_FIELD:
		buf_printf(out, "%s = \"%s\" =~ /%s/: %s", t->field, t->value, t->expression,
		    t->is_pass ? "match" : "no match");
		for (unsigned i = 1; t->match && i < t->match->count; i++)
			buf_printf(out, "%s$%u = \"%.*s\"", i > 1 ? ", " : "; ", i, SVF(t->match->group[i]));
		break;
	case DP_TRACE_ALWAYS:
		buf_adds(out, "no field: match");
		break;
	case DP_TRACE_NESTED:
		buf_printf(out, "nested conditions%s", t->is_required ? "" : ", not required");
		break;
	case DP_TRACE_ACTION:
		buf_printf(out, "%s %s(%s)%s", t->is_anti ? "anti-action" : "action", t->app, t->data,
		    t->is_inline ? ", inline" : "");
		break;
	}
	if (notes)
		buf_printf(out, "; not run: %s", notes);
	if (t->file)
		buf_printf(out, "  [%s:%u]", base ? base + 1 : t->file, t->line);
	buf_addc(out, '\n');
}

static void tell_step(void *arg, const struct dp_trace *t)
{
	struct scratch *s = arg;
	const char *notes = s->notes.n ? s->notes.p : NULL;

	if (s->json)
		json_step(s->json, t, notes);
	else
		plain_step(s->out, t, notes);
	buf_clear(&s->notes);
}

static void tell_inline(struct scratch *s, const char *app, const char *what)
{
	if (s->json) {
		jw_begin_object(s->json);
		jw_kv_str(s->json, "step", "inline");
		jw_kv_str(s->json, "application", app);
		jw_kv_str(s->json, "result", what);
		jw_end_object(s->json);
	} else {
		buf_printf(s->out, "      %s\n", what);
	}
}

/* ---- inline actions ---- */

ON_CTL static void set_pair(struct scratch *s, struct sv pair)
{
	struct sv name, value;
	char *n, *v;

	sv_split(pair, '=', &name, &value);
	n = sv_dup(sv_trim(name)), v = sv_dup(value);
	if (n && v && leg_profile_field_set(s->profile, n, NULL) == ST_OK)
		leg_profile_field_set(s->profile, n, v);
	else if (n && v)
		vars_set(s->vars, n, v);
	mem_free(n);
	mem_free(v);
}

/* "a=1 b=2" or "^^:a=1:b=2" */
ON_CTL static void set_pairs(struct scratch *s, struct sv text)
{
	struct sv one;
	char sep = ' ';

	if (sv_starts(text, SV("^^")) && text.n > 2) {
		sep = text.p[2];
		text = sv_sub(text, 3, text.n);
	}
	while (text.n) {
		sv_split(text, sep, &one, &text);
		if (one.n)
			set_pair(s, one);
	}
}

static int run_inline(void *arg, const char *app, const char *data)
{
	struct scratch *s = arg;
	struct buf text, told;
	int st;

	role_assert_ctl();
	buf_init(&text);
	buf_init(&told);
	st = expand_text(s, data, &text);
	if (st || !text.p)
		buf_adds(&text, "");
	if (!strcasecmp(app, "set") || !strcasecmp(app, "export") || !strcasecmp(app, "set_profile_var"))
		set_pair(s, sv_startsi(buf_sv(&text), SV("nolocal:")) ? SV_NONE : buf_sv(&text));
	else if (!strcasecmp(app, "multiset"))
		set_pairs(s, buf_sv(&text));
	else if (!strcasecmp(app, "unset"))
		vars_set(s->vars, text.p ? text.p : "", NULL);
	else if (strcasecmp(app, "eval") && strcasecmp(app, "log") && strcasecmp(app, "info"))
		st = ST_UNSUPPORTED;
	if (st == ST_UNSUPPORTED)
		buf_adds(&told, "left out: it may have effects");
	else
		buf_printf(&told, "evaluated aside: %s", text.p ? text.p : "");
	if (s->notes.n)
		buf_printf(&told, "; not run: %s", s->notes.p);
	tell_inline(s, app, told.p ? told.p : "");
	buf_clear(&s->notes);
	buf_fini(&text);
	buf_fini(&told);
	return ST_OK;
}

/* ---- the command ---- */

/* One dialplan of the list; ST_INVAL: cannot be explained. */
ON_CTL static int hunt_one(
    struct dp_env *env, struct sv name, const char *context, const char *number, struct dp_actions *found)
{
	const struct dp_ast *ast = dp_ast_current();
	const struct dialplan *dp = dp_current();

	if (sv_isi(name, "XML"))
		return dp ? dialplan_xml_hunt(dp, env, context, number, found) : ST_NOTFOUND;
	if (sv_isi(name, "asterisk"))
		return ast ? dp_ast_hunt(ast, env, context, number, found) : ST_NOTFOUND;
	if (sv_isi(name, "inline"))
		return dialplan_inline_parse(sv_of(number), found);
	return ST_INVAL;
}

/* Whether one of the listed dialplans has the context: a mistyped one looks like no route. */
ON_CTL static void tell_context(struct scratch *s, const char *list, const char *context)
{
	const struct dp_ast *ast = dp_ast_current();
	const struct dialplan *dp = dp_current();
	struct sv name, rest = sv_of(list);
	bool is_there = false, has_global = false;

	while (rest.n) {
		sv_split(rest, ',', &name, &rest);
		name = sv_trim(name);
		is_there |= sv_isi(name, "inline") ||
		            (sv_isi(name, "XML") && dp && dialplan_has_context(dp, context)) ||
		            (sv_isi(name, "asterisk") && ast && dp_ast_has_context(ast, context));
		has_global |= sv_isi(name, "XML") && dp && dialplan_has_context(dp, "global");
	}
	if (s->json)
		jw_kv_bool(s->json, "context_exists", is_there);
	else if (!is_there)
		buf_printf(s->out, "there is no context '%s'%s\n\n", context, has_global ? ": 'global' stands in" : "");
}

static void tell_found(struct scratch *s, int st, const struct dp_actions *found)
{
	if (s->json) {
		jw_end_array(s->json);
		jw_kv_bool(s->json, "route", st == ST_OK);
		jw_kv_str(s->json, "extension", found->extension);
		jw_key(s->json, "actions");
		jw_begin_array(s->json);
		for (size_t i = 0; i < found->count; i++) {
			jw_begin_object(s->json);
			jw_kv_str(s->json, "application", found->list[i].app);
			jw_kv_str(s->json, "data", found->list[i].data);
			jw_end_object(s->json);
		}
		jw_end_array(s->json);
		return;
	}
	if (st)
		buf_adds(s->out, "\nno route\n");
	else
		buf_printf(s->out, "\nwould run%s\n", found->count ? ":" : " nothing more");
	for (size_t i = 0; i < found->count; i++)
		buf_printf(s->out, "%3zu. %s(%s)\n", i + 1, found->list[i].app, found->list[i].data);
}

CO static void explain(struct scratch *s, const char *context, const char *number)
{
	const char *list = dp_or_empty(s->profile->dialplan), *epoch = vars_get(s->vars, "epoch");
	struct dp_env env = {.arg = s,
	    .field = get_field,
	    .var = get_var,
	    .expand = expand_text,
	    .set_var = set_var,
	    .push_var = push_var,
	    .run_inline = run_inline,
	    .local_time = dp_local_time,
	    .wall_us = epoch ? clock_us_of_s(strtoll(epoch, NULL, 10)) : clock_wall_us(),
	    .trace = tell_step};
	struct dp_actions found = {0};
	struct sv name, rest = sv_of(list);
	int st = ST_NOTFOUND;

	if (s->json) {
		jw_init(s->json, s->out, false);
		jw_begin_object(s->json);
		jw_kv_str(s->json, "dialplan", list);
		jw_kv_str(s->json, "context", context);
		jw_kv_str(s->json, "number", number);
	} else {
		buf_printf(s->out, "%s in context %s, dialplan %s\n\n", number, context, list);
	}
	tell_context(s, list, context);
	if (s->json) {
		jw_key(s->json, "steps");
		jw_begin_array(s->json);
	}
	while (rest.n && st == ST_NOTFOUND) {
		sv_split(rest, ',', &name, &rest);
		st = hunt_one(&env, sv_trim(name), context, number, &found);
		if (st == ST_INVAL) {
			if (!s->json)
				buf_printf(s->out, "the dialplan %.*s cannot be explained\n", SVF(name));
			st = ST_NOTFOUND;
		}
	}
	tell_found(s, st, &found);
	if (s->json) {
		jw_end_object(s->json);
		buf_addc(s->out, '\n');
	}
	dp_actions_fini(&found);
}

static bool takes_json(char **word, int *count)
{
	if (*count < 2 || strcasecmp(word[*count - 2], "as") || strcasecmp(word[*count - 1], "json"))
		return false;
	*count -= 2;
	return true;
}

int api_dialplan(struct api_call *c)
{
	char *word[ASSIGNMENTS_MAX + 5];
	struct scratch s = {.out = c->out};
	struct sv rest = sv_trim(sv_of(c->args));
	struct config *held = mem_ref(config_current()); /* looking up a time zone may wait */
	struct buf item;
	int count = 0;

	role_assert_co();
	buf_init(&item);
	while (rest.n && count < (int)(sizeof word / sizeof *word)) {
		struct sv one = dp_item_take(&rest, ' ', &item);
		if (one.n && (word[count] = sv_dup(one)))
			count++;
	}
	buf_fini(&item);
	int given = count;
	s.json = takes_json(word, &count) ? &s.writer : NULL;
	if (rest.n || count < 3 || strcasecmp(word[0], "explain")) {
		buf_adds(c->out, "-USAGE: explain <context> <number> [<variable>=<value> ...] [as json]\n");
	} else if (!vars_new(&s.vars) && (s.profile = leg_profile_new())) {
		leg_profile_set(&s.profile->dialplan, "XML");
		leg_profile_set(&s.profile->source, "mod_sofia");
		for (int i = 3; i < count; i++)
			set_pair(&s, sv_of(word[i]));
		leg_profile_set(&s.profile->context, word[1]);
		leg_profile_destination_set(s.profile, word[2]);
		explain(&s, word[1], word[2]);
	} else {
		buf_adds(c->out, "-ERR out of memory\n");
	}
	for (int i = 0; i < given; i++)
		mem_free(word[i]);
	leg_profile_free(s.profile);
	vars_free(s.vars);
	buf_fini(&s.notes);
	mem_unref(held);
	return ST_OK;
}
