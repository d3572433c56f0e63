/* ${...} in texts: channel variables, globals, parts of values, array elements, and commands whose reply is put in
 * place. Everything is bounded: recursion 100, output 1 MiB, commands in one text 256.
 *
 * Text goes through here once. What stands in a value is put in as it is; only the references that the configuration
 * itself wrote into a value are followed (a profile variable "${domain}/x"), each within that value, so that no two
 * pieces can make a reference together. Bytes from outside are marked (text/mark.h): they are no dollar, brace or
 * backslash here, and keep their marks in what comes out. */
#include "core/value/expand.h"
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 100, OUT_MAX = 1 << 20, API_MAX = 256, STEPS_MAX = 20000 };

enum { SPARE_NAME, SPARE_VALUE, SPARE_COUNT };

struct expansion {
	const struct expand_resolver *r;
	unsigned api_count, steps;
	struct buf spare[SPARE_COUNT]; /* their memory serves again: a name and a value for each reference */
};

static ON_CTL int expand_into(struct expansion *x, struct sv text, struct buf *out, unsigned depth);

static ON_CTL void spare_take(struct expansion *x, unsigned which, struct buf *b, size_t max)
{
	*b = x->spare[which];
	buf_init(&x->spare[which]);
	b->max = max;
}

static ON_CTL void spare_give(struct expansion *x, unsigned which, struct buf *b)
{
	buf_clear(b);
	buf_fini(&x->spare[which]);
	x->spare[which] = *b;
}

/* Index of the '}' that closes the '{' at from - 1, or text.n. */
static size_t close_find(struct sv text, size_t from)
{
	unsigned open = 1;
	for (size_t i = from; i < text.n; i++) {
		if (text.p[i] == '{' && i > from)
			open++;
		else if (text.p[i] == '}' && !--open)
			return i;
	}
	return text.n;
}

/* "cmd(args)" or "cmd args", as it is written: false for what is a variable's name. What stands behind the closing
 * parenthesis is dropped, and a missing one is added in thought. */
static bool command_split(struct sv inner, struct sv *cmd, struct sv *args)
{
	unsigned braces = 0, parens = 1;
	size_t at = 0, end;

	for (; at < inner.n && (braces || (inner.p[at] != ' ' && inner.p[at] != '(')); at++) {
		if (inner.p[at] == '{')
			braces++;
		else if (inner.p[at] == '}' && braces)
			braces--;
	}
	if (!at || at == inner.n)
		return false;
	*cmd = sv_sub(inner, 0, at);
	end = inner.n;
	if (inner.p[at] == '(')
		for (end = at + 1; end < inner.n; end++) {
			if (inner.p[end] == '(')
				parens++;
			else if (inner.p[end] == ')' && !--parens)
				break;
		}
	*args = sv_sub(inner, at + 1, end - at - 1);
	return true;
}

static ON_CTL int put_api(struct expansion *x, const char *cmd, const char *args, struct buf *out)
{
	struct buf reply;
	int st = ST_OK;

	if (++x->api_count > API_MAX)
		return ST_LIMIT;
	if (!x->r->api)
		return ST_OK;
	buf_init(&reply);
	reply.max = OUT_MAX;
	st = x->r->api(cmd, args, &reply, x->r->arg);
	if (st == ST_OK)
		buf_addv(out, buf_sv(&reply));
	buf_fini(&reply);
	return ST_OK;
}

/* offset[:length], as atoi reads them: a negative offset counts from the end (and is nothing when it leads before the
 * start), a length counts when it is positive. */
static struct sv value_part(struct sv value, const char *spec)
{
	char *end;
	long offset = strtol(spec, &end, 10), length;

	if (offset >= 0)
		value = mark_sub(value, (size_t)offset, value.n);
	else if (-(size_t)offset <= mark_length(value))
		value = mark_sub(value, mark_length(value) - -(size_t)offset, value.n);
	end = strchr(end, ':');
	length = end ? strtol(end + 1, NULL, 10) : 0;
	return length > 0 ? mark_sub(value, 0, (size_t)length) : value;
}

/* The value, or the part of it that spec asks for, with the references that the configuration wrote in it. */
static ON_CTL int put_value(struct expansion *x, struct sv value, const char *spec, struct buf *out, unsigned depth)
{
	struct buf full;
	char *copy;
	int st;

	if (!value.n || (!memchr(value.p, '$', value.n) && !memchr(value.p, '\\', value.n)))
		return buf_addv(out, spec ? value_part(value, spec) : value);
	/* The variable may change while a command in its value runs. */
	copy = sv_dup(value);
	if (!copy)
		return ST_NOMEM;
	buf_init(&full);
	full.max = OUT_MAX;
	st = expand_into(x, sv_of(copy), &full, depth + 1);
	if (!st)
		buf_addv(out, spec ? value_part(buf_sv(&full), spec) : buf_sv(&full));
	buf_fini(&full);
	mem_free(copy);
	return st;
}

static ON_CTL int put_var(struct expansion *x, char *name, bool is_global, struct buf *out, unsigned depth)
{
	char *spec = strchr(name, ':'), *bracket;
	struct buf scratch;
	const char *text;
	int st = ST_OK;
	long index = -1;

	if (spec)
		*spec++ = 0;
	bracket = strchr(name, '[');
	if (bracket && strchr(bracket, ']')) {
		*bracket = 0;
		index = strtol(bracket + 1, NULL, 10);
	}
	mark_strip_in_place(name); /* which variable is read may depend on what comes from outside */
	spare_take(x, SPARE_VALUE, &scratch, 0);
	text = is_global ? x->r->global(name, &scratch, x->r->arg) : x->r->lookup(name, index, &scratch, x->r->arg);
	if (text && *text)
		st = put_value(x, sv_of(text), spec, out, depth);
	spare_give(x, SPARE_VALUE, &scratch);
	return st;
}

/* A part of a reference with the references in it. */
static ON_CTL int part_expand(struct expansion *x, struct sv part, struct buf *out, unsigned depth)
{
	if (memchr(part.n ? part.p : "", '$', part.n))
		return expand_into(x, part, out, depth + 1);
	return buf_addv(out, part);
}

/* What stands between the braces; is_global for $${}. */
static ON_CTL int put_reference(struct expansion *x, struct sv inner, bool is_global, struct buf *out, unsigned depth)
{
	struct sv cmd, args = SV_NONE;
	struct buf name, given;
	bool is_command = command_split(inner, &cmd, &args);
	int st;

	spare_take(x, SPARE_NAME, &name, OUT_MAX);
	st = part_expand(x, is_command ? cmd : inner, &name, depth);
	if (!st && is_command) {
		buf_init(&given);
		given.max = OUT_MAX;
		st = part_expand(x, args, &given, depth);
		if (!st && name.n && !name.failed && !given.failed)
			st = put_api(x, name.p, given.p ? given.p : "", out);
		buf_fini(&given);
	} else if (!st && name.n && !name.failed) {
		st = put_var(x, name.p, is_global, out, depth);
	}
	spare_give(x, SPARE_NAME, &name);
	return st;
}

/* FreeSWITCH leaves text alone that has neither "${" nor one of these behind a backslash. */
static bool has_work(struct sv text)
{
	for (size_t i = 0; i + 1 < text.n; i++)
		if ((text.p[i] == '$' && text.p[i + 1] == '{') ||
		    (text.p[i] == '\\' && strchr("\\'nst", text.p[i + 1])))
			return true;
	return false;
}

/* What a backslash at i begins: with a dollar (or two) a dollar that begins nothing, with a backslash one of them, with
 * a quote nothing at all; other pairs stay. Returns how many bytes it took. */
static size_t put_escape(struct sv text, size_t i, struct buf *out)
{
	char next = i + 1 < text.n ? text.p[i + 1] : 0;

	if (next == '\'')
		return 2;
	if (next == '$' || next == '\\') {
		buf_addc(out, next);
		return next == '$' && i + 2 < text.n && text.p[i + 2] == '$' ? 3 : 2;
	}
	buf_addc(out, '\\');
	return 1;
}

/* What a dollar at i begins: a reference (one without its end goes to the text's), or itself ("$$" without a brace is
 * one dollar). The character behind a reference stands for itself. */
static ON_CTL int put_dollar(struct expansion *x, struct sv text, size_t *i, struct buf *out, unsigned depth)
{
	bool is_double = *i + 1 < text.n && text.p[*i + 1] == '$';
	size_t open = *i + (is_double ? 2 : 1), close;
	int st;

	if (open >= text.n || text.p[open] != '{') {
		*i += is_double ? 2 : 1;
		return buf_addc(out, '$');
	}
	close = close_find(text, open + 1);
	st = put_reference(x, sv_sub(text, open + 1, close - open - 1), is_double, out, depth);
	*i = close < text.n ? close + 1 : text.n;
	if (!st && *i < text.n && text.p[*i] != '$')
		st = buf_addc(out, text.p[(*i)++]);
	return st;
}

static ON_CTL int expand_into(struct expansion *x, struct sv text, struct buf *out, unsigned depth)
{
	int st = ST_OK;

	if (depth > DEPTH_MAX || ++x->steps > STEPS_MAX)
		return ST_LIMIT;
	if (!has_work(text))
		return buf_addv(out, text) ? ST_LIMIT : ST_OK;
	for (size_t i = 0; i < text.n && !st && !out->failed;) {
		size_t run = i;
		if (text.p[i] == '\\') {
			i += put_escape(text, i, out);
			continue;
		}
		if (text.p[i] == '$') {
			st = put_dollar(x, text, &i, out, depth);
			continue;
		}
		while (run < text.n && text.p[run] != '$' && text.p[run] != '\\')
			run++;
		buf_add(out, text.p + i, run - i);
		i = run;
	}
	return st ? st : out->failed ? ST_LIMIT : ST_OK;
}

int expand_text(const struct expand_resolver *r, const char *text, char **out)
{
	struct expansion x = {.r = r};
	struct buf b;
	char *copy = has_work(sv_of(text)) ? mem_strdup(text) : NULL; /* a variable's, which a command in it may set */
	int st;

	buf_init(&b);
	b.max = OUT_MAX;
	st = expand_into(&x, sv_of(copy ? copy : text), &b, 0);
	if (!st)
		*out = buf_take(&b);
	mem_free(copy);
	buf_fini(&b);
	for (unsigned i = 0; i < ARRAY_COUNT(x.spare); i++)
		buf_fini(&x.spare[i]);
	return st;
}
