/* The hunt through extensions.conf: every line whose pattern, caller and context fit gives its application. */
#include "base/mem.h"
#include "dialplan/ast_i.h"
#include <string.h>
#include <strings.h>

struct ast_hunt {
	const struct dp_ast *ast;
	const struct dp_env *env;
	const char *destination;
	struct dp_actions *out;
	struct re_match match; /* too big for a coroutine's stack */
	struct buf value, data;
	const char *traced; /* pattern of the extension last told */
	int status;
};

static const char *field(struct ast_hunt *h, const char *name)
{
	const char *value = h->env->field ? h->env->field(h->env->arg, name) : NULL;
	return value ? value : "";
}

static void trace(struct ast_hunt *h, const struct ast_context *c, const struct ast_line *l, struct dp_trace t)
{
	if (!h->env->trace)
		return;
	t.context = c->name, t.extension = l->pattern, t.file = h->ast->file, t.line = l->line, t.brk = "on-false";
	h->env->trace(h->env->arg, &t);
}

/* What the line is matched against: in h->value. */
static int subject(struct ast_hunt *h, const struct ast_line *l)
{
	buf_clear(&h->value);
	if (!l->field)
		return buf_adds(&h->value, h->destination);
	if (!strchr(l->field, '$'))
		return buf_adds(&h->value, field(h, l->field));
	return h->env->expand ? h->env->expand(h->env->arg, l->field, &h->value) : buf_adds(&h->value, l->field);
}

static bool test(struct ast_hunt *h, const struct ast_context *c, const struct ast_line *l)
{
	const char *value, *caller = field(h, "caller_id_number");
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
		is_match = !strcasecmp(l->cid, caller);
		trace(h, c, l,
		    (struct dp_trace){.kind = DP_TRACE_FIELD,
		        .is_pass = is_match,
		        .field = "caller_id_number",
		        .value = caller,
		        .expression = l->cid});
	}
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
			env->set_var(env->arg, "EXTEN", h->destination);
			env->set_var(env->arg, "CHANNEL", field(h, "chan_name"));
			env->set_var(env->arg, "UNIQUEID", field(h, "uuid"));
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
	buf_init(&h->value);
	buf_init(&h->data);
	hunt_context(h, context, 0);
	st = h->status ? h->status : out->count ? ST_OK : ST_NOTFOUND;
	buf_fini(&h->value);
	buf_fini(&h->data);
	mem_free(h);
	return st;
}
