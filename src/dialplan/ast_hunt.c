/* The hunt through extensions.conf: every line whose pattern, caller and context fit gives its application. */
#include "base/mem.h"
#include "core/run/expand.h"
#include "dialplan/ast_i.h"
#include "text/mark.h"
#include <string.h>
#include <strings.h>

struct ast_hunt {
	const struct dp_ast *ast;
	const struct dp_env *env;
	const char *destination;
	struct dp_actions *out;
	struct re_match match;        /* too big for a coroutine's stack */
	struct buf text, value, data; /* text: the value with its marks */
	const char *traced;           /* pattern of the extension last told */
	int status;
};

/* The field, marked; scratch may hold it. */
static const char *field(struct ast_hunt *h, const char *name, struct buf *scratch)
{
	const char *text = h->env->field ? h->env->field(h->env->arg, name, scratch) : NULL;
	return text ? text : "";
}

/* What is dialled, marked. */
static const char *destination(struct ast_hunt *h, struct buf *scratch)
{
	const char *text = field(h, "destination_number", scratch);
	return *text ? text : h->destination;
}

static bool caller_is(struct ast_hunt *h, const char *number, struct buf *caller)
{
	struct buf scratch;

	buf_init(&scratch);
	mark_strip(caller, sv_of(field(h, "caller_id_number", &scratch)));
	buf_fini(&scratch);
	return sv_isi(buf_sv(caller), number);
}

static void exten_to_var(struct ast_hunt *h)
{
	struct buf scratch;

	buf_init(&scratch);
	h->env->set_var(h->env->arg, "EXTEN", destination(h, &scratch));
	buf_fini(&scratch);
}

static void field_to_var(struct ast_hunt *h, const char *name, const char *var)
{
	struct buf scratch;

	buf_init(&scratch);
	h->env->set_var(h->env->arg, var, field(h, name, &scratch));
	buf_fini(&scratch);
}

static void trace(struct ast_hunt *h, const struct ast_context *c, const struct ast_line *l, struct dp_trace t)
{
	if (!h->env->trace)
		return;
	t.context = c->name, t.extension = l->pattern, t.file = h->ast->file, t.line = l->line, t.brk = "on-false";
	h->env->trace(h->env->arg, &t);
}

/* What the line is matched against: in h->text and h->value. */
static int subject(struct ast_hunt *h, const struct ast_line *l)
{
	struct buf scratch;
	int st = ST_OK;

	buf_clear(&h->text);
	buf_clear(&h->value);
	buf_init(&scratch);
	if (!l->field)
		buf_adds(&h->text, destination(h, &scratch));
	else if (!strchr(l->field, '$') || !h->env->expand)
		buf_adds(&h->text, field(h, l->field, &scratch));
	else
		st = h->env->expand(h->env->arg, l->field, &h->text);
	buf_fini(&scratch);
	return st ? st : mark_strip(&h->value, buf_sv(&h->text));
}

static bool test(struct ast_hunt *h, const struct ast_context *c, const struct ast_line *l)
{
	struct buf caller;
	const char *value;
	bool is_match;

	h->status = subject(h, l);
	if (h->status)
		return false;
	value = h->value.p ? h->value.p : "";
	if (h->traced != l->pattern) {
		h->traced = l->pattern;
		trace(h, c, l, (struct dp_trace){.kind = DP_TRACE_EXTENSION, .is_continue = true});
	}
	h->match.count = 0;
	is_match = l->is_broken ? false
	           : l->re      ? re_match(l->re, sv_of(value), &h->match) == 1
	                        : !strcasecmp(l->pattern, value);
	trace(h, c, l,
	    (struct dp_trace){.kind = DP_TRACE_FIELD,
	        .is_pass = is_match,
	        .field = l->field ? l->field : "destination_number",
	        .value = value,
	        .expression = l->pattern,
	        .match = is_match && l->captures ? &h->match : NULL});
	if (is_match && l->cid) {
		buf_init(&caller);
		is_match = caller_is(h, l->cid, &caller);
		trace(h, c, l,
		    (struct dp_trace){.kind = DP_TRACE_FIELD,
		        .is_pass = is_match,
		        .field = "caller_id_number",
		        .value = caller.p ? caller.p : "",
		        .expression = l->cid});
		buf_fini(&caller);
	}
	re_match_mark(&h->match, buf_sv(&h->value), buf_sv(&h->text));
	return is_match;
}

static void take(struct ast_hunt *h, const struct ast_context *c, const struct ast_line *l)
{
	const struct dp_env *env = h->env;
	struct sv data = sv_of(l->data);

	if (l->captures) {
		buf_clear(&h->data);
		h->status = re_substitute(&h->data, data, '$', &h->match);
		data = buf_sv(&h->data);
	}
	if (!h->out->extension) {
		h->out->extension = mem_strdup(h->value.p ? h->value.p : "");
		if (!h->out->extension)
			h->status = ST_NOMEM;
		if (env->set_var) {
			exten_to_var(h);
			field_to_var(h, "chan_name", "CHANNEL");
			field_to_var(h, "uuid", "UNIQUEID");
		}
	}
	if (h->status)
		return;
	trace(h, c, l, (struct dp_trace){.kind = DP_TRACE_ACTION, .app = l->app, .data = data.n ? data.p : ""});
	h->status = dp_actions_add(h->out, sv_of(l->app), data);
}

/* Included contexts count where the context itself has nothing for the call; the first that has ends the search. */
static bool hunt_context(struct ast_hunt *h, const char *name, unsigned depth)
{
	const struct ast_context *c = hash_get(h->ast->contexts, sv_of(name));
	bool is_found = false;

	if (!c || depth > AST_MAX_NESTING)
		return false;
	for (size_t i = 0; i < c->line_count && !h->status; i++)
		if (test(h, c, &c->lines[i])) {
			is_found = true;
			take(h, c, &c->lines[i]);
		}
	for (size_t i = 0; i < c->include_count && !is_found && !h->status; i++)
		is_found = hunt_context(h, c->includes[i].name, depth + 1);
	return is_found;
}

int dp_ast_hunt(const struct dp_ast *ast, const struct dp_env *env, const char *context, const char *destination,
    struct dp_actions *out)
{
	struct ast_hunt *h = mem_zalloc(sizeof *h);
	int st;

	if (!h)
		return ST_NOMEM;
	h->ast = ast, h->env = env, h->destination = destination, h->out = out;
	buf_init(&h->text);
	buf_init(&h->value);
	buf_init(&h->data);
	hunt_context(h, context, 0);
	st = h->status ? h->status : out->count ? ST_OK : ST_NOTFOUND;
	buf_fini(&h->text);
	buf_fini(&h->value);
	buf_fini(&h->data);
	mem_free(h);
	return st;
}
