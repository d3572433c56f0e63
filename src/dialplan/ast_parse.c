/* Reads extensions.conf: "[context]", "key => value" or "key = value", comments that begin a line with ';' or '#' or
 * stand behind ";;", "__END__". Keys: exten, same, include; any other names what is matched in place of the number. */
#include "base/log.h"
#include "base/mem.h"
#include "dialplan/ast_i.h"
#include <stdio.h>
#include <string.h>

struct parse {
	struct dp_ast *ast;
	struct ast_context *context;
	unsigned line;
	config_report_fn report;
	void *arg;
	struct buf item;
	int status;
};

static void problem(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void problem(struct parse *p, const char *fmt, ...)
{
	char reason[300], text[CONFIG_ERROR_CHARS];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof reason, fmt, ap);
	va_end(ap);
	snprintf(text, sizeof text, "%s:%u:1: %s", p->ast->file, p->line, reason);
	if (p->report)
		p->report(text, p->arg);
	else
		log_error("dialplan: %s", text);
}

/* Room for one more element of size; NULL: out of memory. */
static void *grow(void *list, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 8;
	void *bigger;

	if (count < *cap)
		return list;
	bigger = mem_realloc(list, more * size);
	if (bigger)
		*cap = more;
	return bigger;
}

static struct ast_context *context_open(struct parse *p, struct sv name)
{
	struct dp_ast *ast = p->ast;
	struct ast_context *c = hash_get(ast->contexts, name), **list;

	if (c)
		return c;
	list = grow(ast->in_order, ast->context_count, &ast->context_cap, sizeof *list);
	if (!list)
		return NULL;
	ast->in_order = list;
	c = mem_zalloc(sizeof *c);
	if (!c)
		return NULL;
	list[ast->context_count++] = c;
	c->name = sv_dup(name);
	return c->name && !hash_set(ast->contexts, name, c) ? c : NULL;
}

static void line_fini(struct ast_line *l)
{
	mem_free(l->field);
	mem_free(l->cid);
	mem_free(l->pattern);
	mem_unref(l->re);
	mem_free(l->app);
	mem_free(l->data);
}

/* "App(data)" to the last ')', or "App,data". */
static void split_app(struct sv text, struct sv *app, struct sv *data)
{
	size_t open = sv_find(text, '(');

	if (open >= text.n) {
		sv_split(text, ',', app, data);
	} else {
		size_t close = text.n;
		while (close > open && text.p[close - 1] != ')')
			close--;
		*app = sv_sub(text, 0, open);
		*data = sv_sub(text, open + 1, (close > open ? close - 1 : text.n) - open - 1);
	}
	*app = sv_trim(*app);
}

/* "_NXX" is Asterisk's pattern, "~^..$" a regular expression, all else is compared as it stands. */
static void compile_pattern(struct parse *p, struct ast_line *l)
{
	char error[RE_ERROR_CHARS] = "";
	int st = ST_OK;

	if (l->pattern[0] == '_')
		st = re_new_expression(&l->re, sv_of(l->pattern), error);
	else if (l->pattern[0] == '~')
		st = re_new(&l->re, sv_of(l->pattern + 1), 0, error);
	l->captures = l->pattern[0] == '~' && strchr(l->pattern, '(');
	if (st == ST_NOMEM)
		p->status = st;
	l->is_broken = st != ST_OK;
	if (st)
		problem(p, "the pattern %.100s does not compile: %s", l->pattern, error);
}

/* The rest of a line as one item: without quotes, and "\\," is a comma. */
static struct sv take_rest(struct parse *p, struct sv rest)
{
	struct sv whole = dp_item_take(&rest, 0, &p->item);
	size_t to = 0;
	char *at = (char *)(uintptr_t)whole.p;

	for (size_t i = 0; i < whole.n; i++)
		if (at[i] != '\\' || i + 1 >= whole.n || at[i + 1] != ',')
			at[to++] = at[i];
	return sv_sub(whole, 0, to);
}

static void line_add(struct parse *p, struct ast_line *l, struct sv app_text)
{
	struct ast_context *c = p->context;
	struct sv app, data, whole;
	struct ast_line *list;

	whole = take_rest(p, app_text);
	split_app(whole, &app, &data);
	l->line = p->line;
	l->app = sv_dup(app);
	l->data = sv_dup(data);
	list = grow(c->lines, c->line_count, &c->line_cap, sizeof *list);
	if (list)
		c->lines = list;
	if (!list || !l->app || !l->data || !l->pattern || p->item.failed)
		p->status = ST_NOMEM;
	else if (!app.n)
		problem(p, "no application is named");
	else if (++p->ast->total > AST_MAX_LINES)
		p->status = ST_LIMIT;
	else
		compile_pattern(p, l);
	if (p->status || !app.n)
		line_fini(l);
	else
		c->lines[c->line_count++] = *l;
}

/* pattern,priority,App(data); in an exten the pattern may be caller/number. */
static void take_exten(struct parse *p, struct sv key, struct sv value)
{
	struct ast_line l = {0};
	struct sv pattern, cid;
	bool is_hint;

	pattern = dp_item_take(&value, ',', &p->item);
	if (sv_isi(key, "exten")) {
		size_t slash = sv_find(pattern, '/');
		if (slash < pattern.n && *pattern.p != '~') {
			cid = sv_sub(pattern, 0, slash);
			l.cid = sv_dup(cid);
			pattern = sv_sub(pattern, slash + 1, pattern.n);
		}
	} else {
		l.field = sv_dup(key);
	}
	l.pattern = sv_dup(pattern);
	is_hint = sv_isi(dp_item_take(&value, ',', &p->item), "hint");
	if (value.n && !is_hint) {
		line_add(p, &l, value);
		return;
	}
	line_fini(&l);
	if (!is_hint)
		problem(p, "%.*s wants pattern,priority,application", (int)key.n, key.p);
}

/* priority,App(data) for the pattern of the line before. */
static void take_same(struct parse *p, struct sv value)
{
	struct ast_context *c = p->context;
	struct ast_line l = {0}, *before = c->line_count ? &c->lines[c->line_count - 1] : NULL;

	(void)dp_item_take(&value, ',', &p->item);
	if (!before || !value.n) {
		problem(p, before ? "same wants priority,application" : "same has no line before it in its context");
		return;
	}
	l.field = before->field ? mem_strdup(before->field) : NULL;
	l.cid = before->cid ? mem_strdup(before->cid) : NULL;
	l.pattern = mem_strdup(before->pattern);
	line_add(p, &l, value);
}

static void take_include(struct parse *p, struct sv value)
{
	struct ast_context *c = p->context;
	struct ast_include *list;

	value = sv_trim(value);
	if (!value.n || sv_find(value, ',') < value.n || sv_find(value, '|') < value.n) {
		problem(p, "include wants a context's name alone; times are not supported");
		return;
	}
	list = grow(c->includes, c->include_count, &c->include_cap, sizeof *list);
	if (!list) {
		p->status = ST_NOMEM;
		return;
	}
	c->includes = list;
	list[c->include_count] = (struct ast_include){sv_dup(value), p->line};
	if (!list[c->include_count].name)
		p->status = ST_NOMEM;
	else
		c->include_count++;
}

static void take_pair(struct parse *p, struct sv key, struct sv value)
{
	static const char *const unsupported[] = {"switch", "eswitch", "lswitch"};

	if (!p->context) {
		problem(p, "%.*s stands before the first [context]", (int)(key.n > 60 ? 60 : key.n), key.p);
		return;
	}
	for (size_t i = 0; i < sizeof unsupported / sizeof *unsupported; i++)
		if (sv_isi(key, unsupported[i])) {
			problem(p, "'%s' is not supported: other machines are reached by a bridge", unsupported[i]);
			return;
		}
	if (sv_isi(p->context->name ? sv_of(p->context->name) : SV_NONE, "general") ||
	    sv_isi(sv_of(p->context->name), "globals") || sv_isi(key, "ignorepat"))
		return; /* settings of Asterisk itself */
	if (sv_isi(key, "include"))
		take_include(p, value);
	else if (sv_isi(key, "same"))
		take_same(p, value);
	else
		take_exten(p, key, value);
}

static void take_line(struct parse *p, struct sv line)
{
	struct sv key, value;
	size_t cut;

	line = sv_trim(line);
	if (!line.n || *line.p == '#' || *line.p == ';')
		return;
	for (cut = 0; cut + 1 < line.n && !(line.p[cut] == ';' && line.p[cut + 1] == ';'); cut++)
		;
	line = sv_trim(cut + 1 < line.n ? sv_sub(line, 0, cut) : line);
	if (!line.n)
		return;
	if (*line.p == '[') {
		size_t close = sv_find(line, ']');
		struct sv name = close < line.n ? sv_trim(sv_sub(line, 1, close - 1)) : SV_NONE;
		if (!name.n)
			problem(p, "a context's name stands in [ ]");
		else if (!(p->context = context_open(p, name)))
			p->status = ST_NOMEM;
		return;
	}
	if (!sv_split(line, '=', &key, &value)) {
		problem(p, "neither [context] nor name => value");
		return;
	}
	if (value.n && *value.p == '>')
		value = sv_sub(value, 1, value.n);
	take_pair(p, sv_trim(key), sv_trim(value));
}

int dp_ast_parse(struct dp_ast **out, struct sv text, const char *file, config_report_fn report, void *arg)
{
	struct parse p = {.report = report, .arg = arg};
	struct sv line;

	p.ast = mem_zalloc(sizeof *p.ast);
	if (!p.ast)
		return ST_NOMEM;
	buf_init(&p.item);
	p.ast->file = mem_strdup(file);
	p.status = p.ast->file ? hash_new(&p.ast->contexts, HASH_NOCASE, NULL) : ST_NOMEM;
	while (text.n && !p.status) {
		sv_split(text, '\n', &line, &text);
		p.line++;
		if (sv_starts(line, SV("__END__")))
			break;
		take_line(&p, line);
	}
	buf_fini(&p.item);
	if (p.status)
		dp_ast_free(p.ast);
	else
		*out = p.ast;
	return p.status;
}

void dp_ast_free(struct dp_ast *ast)
{
	if (!ast)
		return;
	for (size_t i = 0; i < ast->context_count; i++) {
		struct ast_context *c = ast->in_order[i];
		for (size_t k = 0; k < c->line_count; k++)
			line_fini(&c->lines[k]);
		for (size_t k = 0; k < c->include_count; k++)
			mem_free(c->includes[k].name);
		mem_free(c->lines);
		mem_free(c->includes);
		mem_free(c->name);
		mem_free(c);
	}
	mem_free(ast->in_order);
	hash_free(ast->contexts);
	mem_free(ast->file);
	mem_free(ast);
}

bool dp_ast_has_context(const struct dp_ast *ast, const char *context)
{
	return hash_get(ast->contexts, sv_of(context)) != NULL;
}

void dp_ast_each_app(
    const struct dp_ast *ast, void (*fn)(const char *app, const char *file, unsigned line, void *arg), void *arg)
{
	for (size_t i = 0; i < ast->context_count; i++)
		for (size_t k = 0; k < ast->in_order[i]->line_count; k++)
			fn(ast->in_order[i]->lines[k].app, ast->file, ast->in_order[i]->lines[k].line, arg);
}
