/* XML to compiled dialplan: one walk that counts children, allocates, and fills. Expressions without run-time variables
 * are compiled here; what does not compile is told with its place and never matches. */
#include "base/log.h"
#include "base/mem.h"
#include "dialplan/dialplan_i.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compile {
	config_report_fn report;
	void *arg;
	int status;
};

static void problem(struct compile *c, const struct xml_node *node, const char *what, const char *detail)
{
	char text[CONFIG_ERROR_CHARS];
	snprintf(text, sizeof text, "%s:%u:%u: %s: %s", node->file, node->line, node->column, what, detail);
	if (c->report)
		c->report(text, c->arg);
	else
		log_error("dialplan: %s", text);
}

/* Taken as FreeSWITCH takes it, and told. */
static void warn(const struct xml_node *node, const char *what, void *arg)
{
	struct compile *c = arg;
	char text[CONFIG_ERROR_CHARS];

	snprintf(text, sizeof text, "%s:%u:%u: warning: %s", node->file, node->line, node->column, what);
	if (c->report)
		c->report(text, c->arg);
	else
		log_warning("dialplan: %s", text);
}

/* Room for as many elements as node has children of that name; NULL when none (count 0) or out of memory. */
static void *room_for(struct compile *c, const struct xml_node *node, const char *name, size_t size, size_t *count)
{
	void *list = NULL;
	size_t n = 0;
	xml_each(node, name, it) n++;
	if (n && !(list = mem_zalloc(n * size)))
		c->status = ST_NOMEM;
	*count = list ? n : 0;
	return list;
}

static void compile_test(struct compile *c, struct dp_test *t, const struct xml_node *node)
{
	const struct xml_node *child = xml_child(node, "expression");
	char error[RE_ERROR_CHARS];

	t->node = node;
	t->field = xml_attr(node, "field");
	t->expression = child ? child->text : xml_attr_or(node, "expression", "");
	t->field_expands = t->field && strchr(t->field, '$');
	t->expression_expands = strstr(t->expression, "${") != NULL;
	t->has_time = dp_time_read(&t->time, node);
	if (!t->field || t->expression_expands)
		return;
	int st = re_new_expression(&t->re, sv_of(t->expression), error);
	if (st == ST_NOMEM)
		c->status = st;
	else if (st)
		problem(c, child ? child : node, "expression does not compile", error);
}

static void compile_steps(
    struct compile *c, const struct xml_node *node, const char *name, struct dp_step **list, size_t *count)
{
	size_t i = 0;
	*list = room_for(c, node, name, sizeof **list, count);
	for (const struct xml_node *it = *list ? xml_child(node, name) : NULL; it; it = xml_next(it, name)) {
		struct dp_step *s = &(*list)[i++];
		const char *loop = xml_attr(it, "loop");
		s->node = it;
		s->app = xml_attr_or(it, "application", "");
		s->data = *it->text ? it->text : xml_attr_or(it, "data", "");
		s->is_inline = str_is_true(xml_attr(it, "inline"));
		s->loops = loop ? atoi(loop) : 1;
		if (!*s->app)
			problem(c, it, name, "no application is named");
	}
}

static const struct {
	const char *text;
	enum dp_break brk;
} breaks[] = {{"on-false", DP_ON_FALSE}, {"on-true", DP_ON_TRUE}, {"always", DP_ALWAYS}, {"never", DP_NEVER}};

static void compile_break(struct compile *c, struct dp_cond *cond, const struct xml_node *node)
{
	const char *text = xml_attr(node, "break");
	bool is_known = !text;

	cond->break_text = breaks[0].text;
	for (size_t i = 0; text && i < sizeof breaks / sizeof *breaks; i++)
		if (sv_isi(sv_of(text), breaks[i].text)) {
			cond->brk = breaks[i].brk;
			cond->break_text = breaks[i].text;
			is_known = true;
		}
	if (!is_known) {
		char what[120];
		snprintf(what, sizeof what, "break=\"%.20s\" is none of on-false, on-true, always, never: as on-false",
		    text);
		warn(node, what, c);
	}
}

static void compile_conds(
    struct compile *c, const struct xml_node *node, struct dp_cond **list, size_t *count, unsigned depth);

static void compile_cond(struct compile *c, struct dp_cond *cond, const struct xml_node *node, unsigned depth)
{
	const char *rule = xml_attr(node, "regex"), *nested = xml_attr(node, "require-nested");
	size_t i = 0;

	cond->requires_nested = !nested || str_is_true(nested);
	cond->rule = !rule                        ? DP_SINGLE
	             : sv_isi(sv_of(rule), "all") ? DP_ALL
	             : sv_isi(sv_of(rule), "xor") ? DP_XOR
	                                          : DP_ANY;
	compile_break(c, cond, node);
	dp_lint_condition(node, warn, c);
	compile_test(c, &cond->test, node);
	if (rule) {
		cond->regexes = room_for(c, node, "regex", sizeof *cond->regexes, &cond->regex_count);
		for (const struct xml_node *it = cond->regexes ? xml_child(node, "regex") : NULL; it;
		     it = xml_next(it, "regex"))
			compile_test(c, &cond->regexes[i++], it);
	}
	compile_steps(c, node, "action", &cond->actions, &cond->action_count);
	compile_steps(c, node, "anti-action", &cond->antis, &cond->anti_count);
	if (depth < DP_MAX_NESTING)
		compile_conds(c, node, &cond->nested, &cond->nested_count, depth + 1);
	else if (xml_child(node, "condition"))
		problem(c, node, "condition", "nested too deep");
}

static void compile_conds(
    struct compile *c, const struct xml_node *node, struct dp_cond **list, size_t *count, unsigned depth)
{
	size_t i = 0;
	*list = room_for(c, node, "condition", sizeof **list, count);
	for (const struct xml_node *it = *list ? xml_child(node, "condition") : NULL; it;
	     it = xml_next(it, "condition"))
		compile_cond(c, &(*list)[i++], it, depth);
}

static void compile_context(struct compile *c, struct dp_context *context, const struct xml_node *node)
{
	size_t i = 0;
	context->name = xml_attr_or(node, "name", "");
	context->exts = room_for(c, node, "extension", sizeof *context->exts, &context->ext_count);
	for (const struct xml_node *it = context->exts ? xml_child(node, "extension") : NULL; it;
	     it = xml_next(it, "extension")) {
		struct dp_ext *ext = &context->exts[i++];
		ext->node = it;
		ext->name = xml_attr_or(it, "name", "UNKNOWN");
		ext->is_continue = str_is_true(xml_attr(it, "continue"));
		compile_conds(c, it, &ext->conds, &ext->cond_count, 0);
	}
}

int dialplan_new(struct dialplan **out, const struct xml_node *section, config_report_fn report, void *arg)
{
	struct compile c = {report, arg, ST_OK};
	struct dialplan *dp = mem_zalloc(sizeof *dp);
	size_t i = 0;

	if (!dp)
		return ST_NOMEM;
	c.status = hash_new(&dp->by_name, HASH_NOCASE, NULL);
	if (!c.status)
		dp->contexts = room_for(&c, section, "context", sizeof *dp->contexts, &dp->context_count);
	for (const struct xml_node *it = dp->contexts ? xml_child(section, "context") : NULL; it;
	     it = xml_next(it, "context")) {
		struct dp_context *context = &dp->contexts[i++];
		compile_context(&c, context, it);
		if (!hash_get(dp->by_name, sv_of(context->name)) &&
		    hash_set(dp->by_name, sv_of(context->name), context))
			c.status = ST_NOMEM;
	}
	if (c.status)
		dialplan_free(dp);
	else
		*out = dp;
	return c.status;
}

static void free_conds(struct dp_cond *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		mem_unref(list[i].test.re);
		for (size_t k = 0; k < list[i].regex_count; k++)
			mem_unref(list[i].regexes[k].re);
		mem_free(list[i].regexes);
		mem_free(list[i].actions);
		mem_free(list[i].antis);
		free_conds(list[i].nested, list[i].nested_count);
	}
	mem_free(list);
}

void dialplan_free(struct dialplan *dp)
{
	if (!dp)
		return;
	for (size_t i = 0; dp->contexts && i < dp->context_count; i++) {
		for (size_t k = 0; k < dp->contexts[i].ext_count; k++)
			free_conds(dp->contexts[i].exts[k].conds, dp->contexts[i].exts[k].cond_count);
		mem_free(dp->contexts[i].exts);
	}
	mem_free(dp->contexts);
	hash_free(dp->by_name);
	mem_free(dp);
}

bool dialplan_has_context(const struct dialplan *dp, const char *context)
{
	return hash_get(dp->by_name, sv_of(context)) != NULL;
}

typedef void (*app_fn)(const char *app, const char *data, const struct xml_node *where, void *arg);

static void each_app(const struct dp_cond *list, size_t count, app_fn fn, void *arg)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < list[i].action_count; k++)
			fn(list[i].actions[k].app, list[i].actions[k].data, list[i].actions[k].node, arg);
		for (size_t k = 0; k < list[i].anti_count; k++)
			fn(list[i].antis[k].app, list[i].antis[k].data, list[i].antis[k].node, arg);
		each_app(list[i].nested, list[i].nested_count, fn, arg);
	}
}

void dialplan_each_app(const struct dialplan *dp, app_fn fn, void *arg)
{
	for (size_t i = 0; i < dp->context_count; i++)
		for (size_t k = 0; k < dp->contexts[i].ext_count; k++)
			each_app(dp->contexts[i].exts[k].conds, dp->contexts[i].exts[k].cond_count, fn, arg);
}
