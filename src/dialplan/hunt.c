/* The hunt: extensions of a context in order, their conditions one after another, actions gathered in one list for all
 * of them, before any but the inline ones runs. A condition has two verdicts, as in FreeSWITCH: whether its actions or
 * its anti-actions apply (time or field suffices), and whether the extension still matches (the field's word, if it has
 * one). */
#include "base/mem.h"
#include "dialplan/dialplan_i.h"
#include "text/mark.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct verdict {  /* of one test */
	int time; /* 1 within, 0 without, -1 no time attributes */
	bool has_field, is_match;
	bool captures;                  /* the expression has a group: $1 is substituted */
	struct buf subject, expression; /* what was compared */
	struct buf text;                /* the subject with its marks */
	struct re_match match;          /* views into text: what is captured keeps its marks */
};

struct hunt {
	const struct dp_env *env;
	struct dp_actions *out;
	struct tm now;
	bool has_time; /* now is valid; read again after an inline application */
	int status;
	struct verdict v,
	    rule; /* of the condition and the <regex> at hand: too big for a coroutine's stack, level by level */
};

static void trace(struct hunt *h, unsigned level, const char *extension, const struct xml_node *node, struct dp_trace t)
{
	if (!h->env->trace)
		return;
	t.level = level, t.extension = extension;
	if (node)
		t.file = node->file, t.line = node->line;
	h->env->trace(h->env->arg, &t);
}

/* Channel variables move the clock: tod_tz_offset by hours from UTC, timezone by name. */
static const struct tm *local_now(struct hunt *h)
{
	const struct dp_env *env = h->env;
	const char *offset, *zone;

	if (h->has_time)
		return &h->now;
	offset = env->var ? env->var(env->arg, "tod_tz_offset") : NULL;
	zone = env->var ? env->var(env->arg, "timezone") : NULL;
	if (offset && *offset) {
		int hours = (int)str_number(offset, -25, 25);
		hours = hours >= -24 && hours <= 24 ? hours : 0;
		time_t shifted = (time_t)(env->wall_us / 1000000) + hours * 3600;
		gmtime_r(&shifted, &h->now);
		h->now.tm_gmtoff = hours * 3600;
	} else if (!zone || !*zone || env->local_time(env->arg, zone, env->wall_us, &h->now)) {
		if (env->local_time(env->arg, NULL, env->wall_us, &h->now)) {
			time_t t = (time_t)(env->wall_us / 1000000);
			gmtime_r(&t, &h->now);
		}
	}
	h->has_time = true;
	return &h->now;
}

static int expand(struct hunt *h, const char *text, struct buf *out)
{
	char *marked = h->env->mark ? h->env->mark(h->env->arg, text) : NULL;
	int st = h->env->expand ? h->env->expand(h->env->arg, marked ? marked : text, out) : buf_adds(out, text);
	mem_free(marked);
	h->has_time = false; /* it may have suspended, or set something */
	return st;
}

static void verdict_fini(struct verdict *v)
{
	buf_fini(&v->subject);
	buf_fini(&v->text);
	buf_fini(&v->expression);
}

/* What the test looks at, into v->text with marks. */
static void subject_read(struct hunt *h, const struct dp_test *t, struct verdict *v)
{
	const struct dp_env *env = h->env;
	struct buf scratch;
	const char *text;

	if (t->field_expands) {
		h->status = expand(h, t->field, &v->text);
		return;
	}
	buf_init(&scratch);
	text = env->field ? env->field(env->arg, t->field, &scratch) : NULL;
	buf_adds(&v->text, text ? text : "");
	buf_fini(&scratch);
}

/* What comes from outside stands for itself in a pattern. */
static void expression_read(struct hunt *h, const struct dp_test *t, struct verdict *v)
{
	struct buf text;

	buf_init(&text);
	h->status = expand(h, t->expression, &text);
	if (!h->status)
		h->status = mark_strip_regex(&v->expression, buf_sv(&text));
	buf_fini(&text);
}

static void run_test(struct hunt *h, const struct dp_test *t, struct verdict *v)
{
	struct sv subject, expression = sv_of(t->expression);

	memset(v, 0, offsetof(struct verdict, match));
	v->match.count = 0;
	v->time = t->has_time ? dp_time_match(&t->time, local_now(h)) : -1;
	v->has_field = t->field != NULL;
	if (!v->has_field)
		return;
	if (t->expression_expands) {
		expression_read(h, t, v);
		expression = buf_sv(&v->expression);
	}
	if (!h->status)
		subject_read(h, t, v);
	if (!h->status)
		h->status = mark_strip(&v->subject, buf_sv(&v->text));
	if (h->status)
		return;
	subject = buf_sv(&v->subject);
	v->captures = sv_find(expression, '(') < expression.n;
	v->is_match = (t->expression_expands ? re_match_once(expression, subject, &v->match)
	                  : t->re            ? re_match(t->re, subject, &v->match)
	                                     : 0) == 1;
	re_match_mark(&v->match, subject, buf_sv(&v->text));
}

/* What a test of name came to. brk: the condition's break, or with is_rule how its <regex> count. */
static void trace_test(struct hunt *h, unsigned level, const char *name, const struct dp_test *t,
    const struct verdict *v, const char *brk, bool is_rule)
{
	struct dp_trace step = {.kind = DP_TRACE_TIME, .is_pass = v->time == 1, .brk = brk, .is_rule = is_rule};

	if (v->time >= 0)
		trace(h, level, name, t->node, step);
	if (!v->has_field && v->time >= 0)
		return;
	step.kind = v->has_field ? DP_TRACE_FIELD : DP_TRACE_ALWAYS;
	step.is_pass = !v->has_field || v->is_match;
	step.field = t->field;
	step.value = v->subject.p ? v->subject.p : "";
	step.expression = !t->expression_expands ? t->expression : v->expression.p ? v->expression.p : "";
	step.match = v->is_match && v->captures ? &v->match : NULL;
	trace(h, level, name, t->node, step);
}

/* An array variable of all groups of a match. */
static void set_captures(struct hunt *h, const char *name, const struct verdict *v)
{
	const struct dp_env *env = h->env;

	if (!env->set_var)
		return;
	env->set_var(env->arg, name, NULL);
	for (unsigned i = 0; env->push_var && i < v->match.count; i++) {
		char *text = sv_dup(v->match.group[i]);
		if (text)
			env->push_var(env->arg, name, text);
		mem_free(text);
	}
}

/* The <regex> children of a condition. On return kept holds the last match with groups. */
static bool run_rule(struct hunt *h, const struct dp_cond *cond, const char *name, unsigned level, struct verdict *kept)
{
	const char *word = cond->rule == DP_ALL ? "all" : cond->rule == DP_XOR ? "xor" : "any";
	unsigned pass = 0, fail = 0;
	char var[40];

	for (size_t i = 0; h->env->set_var && i < cond->regex_count; i++) {
		snprintf(var, sizeof var, "DP_REGEX_MATCH_%zu", i + 1);
		h->env->set_var(h->env->arg, var, NULL);
	}
	for (size_t i = 0; i < cond->regex_count && !h->status; i++) {
		struct verdict *v = &h->rule;
		run_test(h, &cond->regexes[i], v);
		if (!h->status)
			trace_test(h, level, name, &cond->regexes[i], v, word, true);
		bool is_pass = v->has_field ? v->is_match : v->time != 0;
		pass += is_pass;
		fail += !is_pass;
		if (v->has_field && v->is_match && v->captures) {
			snprintf(var, sizeof var, "DP_REGEX_MATCH_%zu", i + 1);
			set_captures(h, var, v);
			verdict_fini(kept);
			*kept = *v; /* the views stay right: the text's memory moves with it */
		} else {
			verdict_fini(v);
		}
		if ((cond->rule == DP_ANY && pass) || (cond->rule == DP_ALL && fail))
			break;
	}
	return cond->rule == DP_XOR ? pass == 1 : cond->rule == DP_ALL ? !fail : pass > 0;
}

static void add_steps(struct hunt *h, const struct dp_step *list, size_t count, bool is_anti, const char *name,
    unsigned level, const struct verdict *v)
{
	struct buf data;

	buf_init(&data);
	for (size_t i = 0; i < count && !h->status; i++) {
		const struct dp_step *s = &list[i];
		char *marked = h->env->mark ? h->env->mark(h->env->arg, s->data) : NULL;
		const char *text = marked ? marked : s->data;
		buf_clear(&data);
		if (v && v->has_field && v->captures)
			h->status = re_substitute(&data, sv_of(text), '$', &v->match);
		else
			h->status = buf_adds(&data, text);
		mem_free(marked);
		if (!h->status && !h->out->extension && !(h->out->extension = mem_strdup(name)))
			h->status = ST_NOMEM;
		for (int k = 0; k < s->loops && !h->status; k++) {
			trace(h, level, name, s->node,
			    (struct dp_trace){.kind = DP_TRACE_ACTION,
			        .app = s->app,
			        .data = data.p ? data.p : "",
			        .is_anti = is_anti,
			        .is_inline = s->is_inline});
			if (!s->is_inline) {
				h->status = dp_actions_add(h->out, sv_of(s->app), buf_sv(&data));
			} else if (k >= DP_MAX_ACTIONS) {
				h->status = ST_LIMIT;
			} else if (h->env->run_inline) {
				int st = h->env->run_inline(h->env->arg, s->app, data.p ? data.p : "");
				h->has_time = false;
				if (st == ST_HANGUP || st == ST_CANCELLED)
					h->status = st;
			}
		}
	}
	buf_fini(&data);
}

static bool run_conds(struct hunt *h, const struct dp_cond *list, size_t count, const char *name, unsigned level);

/* One condition: its actions go to the list; *proceed is whether the extension still matches. Returns whether the next
 * one of the same level is tried. */
static bool run_cond(
    struct hunt *h, const struct dp_cond *cond, const char *name, const char *base_name, unsigned level, bool *proceed)
{
	struct verdict *v = &h->v;
	bool is_true = false;

	memset(v, 0, sizeof *v);
	if (cond->rule == DP_SINGLE) {
		run_test(h, &cond->test, v);
	} else {
		v->time = cond->test.has_time ? dp_time_match(&cond->test.time, local_now(h)) : -1;
	}
	if (!h->status && (v->time >= 0 || cond->rule == DP_SINGLE))
		trace_test(h, level, name, &cond->test, v, cond->break_text, false);
	if (v->time >= 0)
		is_true = *proceed = v->time == 1;
	if (cond->rule != DP_SINGLE) {
		*proceed = run_rule(h, cond, name, level, v);
		is_true = is_true || *proceed;
	} else if (v->has_field) {
		*proceed = v->is_match;
		is_true = is_true || v->is_match;
	} else if (v->time < 0) {
		is_true = *proceed = true;
	}
	if (!h->status && is_true) {
		if (v->has_field && v->captures)
			set_captures(h, "DP_MATCH", v);
		add_steps(h, cond->actions, cond->action_count, false, base_name, level, v);
	} else if (!h->status && cond->anti_count) {
		add_steps(h, cond->antis, cond->anti_count, true, base_name, level, NULL);
		*proceed = true;
	}
	verdict_fini(v);
	if (h->status || cond->brk == DP_ALWAYS || (is_true ? cond->brk == DP_ON_TRUE : cond->brk == DP_ON_FALSE))
		return false;
	if (!*proceed || !cond->nested_count)
		return true;
	char inner[160];
	snprintf(inner, sizeof inner, "%.120s_recur_%u", base_name, level + 1);
	trace(h, level + 1, inner, cond->test.node,
	    (struct dp_trace){.kind = DP_TRACE_NESTED, .is_required = cond->requires_nested});
	*proceed = run_conds(h, cond->nested, cond->nested_count, base_name, level + 1) || !cond->requires_nested;
	return *proceed || cond->brk == DP_NEVER;
}

static bool run_conds(struct hunt *h, const struct dp_cond *list, size_t count, const char *name, unsigned level)
{
	bool proceed = false;
	char inner[160];

	snprintf(inner, sizeof inner, "%.120s_recur_%u", name, level);
	for (size_t i = 0; i < count && !h->status; i++)
		if (!run_cond(h, &list[i], level ? inner : name, name, level, &proceed))
			break;
	return proceed;
}

static size_t first_extension(const struct dp_context *context, const struct dp_env *env, const char *destination)
{
	if (env->var && str_is_true(env->var(env->arg, "auto_hunt")))
		for (size_t i = 0; i < context->ext_count; i++)
			if (sv_isi(sv_of(context->exts[i].name), destination))
				return i;
	return 0;
}

int dialplan_xml_hunt(const struct dialplan *dp, const struct dp_env *env, const char *context_name,
    const char *destination, struct dp_actions *out)
{
	const struct dp_context *context = hash_get(dp->by_name, sv_of(context_name));
	struct hunt *h;
	int st;

	if (!context)
		context = hash_get(dp->by_name, SV("global"));
	if (!context)
		return ST_NOTFOUND;
	h = mem_zalloc(sizeof *h);
	if (!h)
		return ST_NOMEM;
	h->env = env, h->out = out;
	for (size_t i = first_extension(context, env, destination); i < context->ext_count && !h->status; i++) {
		const struct dp_ext *ext = &context->exts[i];
		trace(h, 0, ext->name, ext->node,
		    (struct dp_trace){
		        .kind = DP_TRACE_EXTENSION, .context = context_name, .is_continue = ext->is_continue});
		if (run_conds(h, ext->conds, ext->cond_count, ext->name, 0) && !ext->is_continue)
			break;
	}
	st = h->status ? h->status : out->extension ? ST_OK : ST_NOTFOUND;
	mem_free(h);
	return st;
}
