/* ${...} in texts: channel variables, globals, parts of values, array elements, and commands whose reply is put in
 * place. Everything is bounded: recursion 100, output 1 MiB, commands in one text 256.
 *
 * Text goes through here once. What stands in a value is put in as it is; only the references that the configuration
 * itself wrote into a value are followed (a profile variable "${domain}/x"), each within that value, so that no two
 * pieces can make a reference together. Bytes from outside are marked (text/mark.h): they are no dollar, brace or
 * backslash here, and keep their marks in what comes out. */
#include "core/value/expand.h"
#include "base/mem.h"
#include "base/status.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 100, OUT_MAX = 1 << 20, API_MAX = 256, STEPS_MAX = 20000 };

struct expansion {
	const struct expand_resolver *r;
	unsigned api_count, steps;
};

static ON_CTL int expand_into(struct expansion *x, struct sv text, struct buf *out, unsigned depth);

/* Index of the '}' that closes the '{' at from - 1, or text.n. */
static size_t close_find(struct sv text, size_t from)
{
	unsigned open = 1;
	for (size_t i = from; i < text.n; i++) {
		if (text.p[i] == '{')
			open++;
		else if (text.p[i] == '}' && !--open)
			return i;
	}
	return text.n;
}

/* "cmd(args)" or "cmd args": splits; false for what is a variable's name. */
static bool api_split(char *name, char **args)
{
	size_t n = strcspn(name, "( :[");

	if (!n || (name[n] != '(' && name[n] != ' '))
		return false;
	if (name[n] == '(') {
		size_t len = strlen(name);
		if (name[len - 1] != ')')
			return false;
		name[len - 1] = 0;
	}
	name[n] = 0;
	*args = name + n + 1;
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

/* The i-th element of ARRAY::a|:b; a plain value is its own element 0. */
static struct sv array_element(struct sv value, long index)
{
	if (!sv_starts(value, SV("ARRAY::")))
		return index == 0 ? value : SV_NONE;
	value = sv_sub(value, 7, value.n);
	for (; index >= 0; index--) {
		const char *sep = value.n ? memmem(value.p, value.n, "|:", 2) : NULL;
		size_t n = sep ? (size_t)(sep - value.p) : value.n;
		if (index == 0)
			return sv_sub(value, 0, n);
		if (!sep)
			return SV_NONE;
		value = sv_sub(value, n + 2, value.n);
	}
	return SV_NONE;
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
	struct sv value;
	int st = ST_OK;
	long index = -1;

	if (spec)
		*spec++ = 0;
	bracket = strchr(name, '[');
	if (bracket && bracket[1] && isdigit((unsigned char)bracket[1])) {
		*bracket = 0;
		index = strtol(bracket + 1, NULL, 10);
	}
	mark_strip_in_place(name); /* which variable is read may depend on what comes from outside */
	buf_init(&scratch);
	text = (is_global ? x->r->global : x->r->lookup)(name, &scratch, x->r->arg);
	if (text && *text) {
		value = sv_of(text);
		if (index >= 0)
			value = array_element(value, index > 4096 ? 4096 : index);
		st = put_value(x, value, spec, out, depth);
	}
	buf_fini(&scratch);
	return st;
}

/* What stands between the braces; is_global for $${}. */
static ON_CTL int put_reference(struct expansion *x, struct sv inner, bool is_global, struct buf *out, unsigned depth)
{
	struct buf name;
	char *args;
	int st = ST_OK;

	buf_init(&name);
	name.max = OUT_MAX;
	if (memchr(inner.n ? inner.p : "", '$', inner.n))
		st = expand_into(x, inner, &name, depth + 1);
	else
		buf_addv(&name, inner);
	if (st || !name.n || name.failed)
		goto out;
	if (!is_global && api_split(name.p, &args))
		st = put_api(x, name.p, args, out);
	else
		st = put_var(x, name.p, is_global, out, depth);
out:
	buf_fini(&name);
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

/* What a dollar at i begins: a reference, or itself ("$$" without a brace is one dollar). */
static ON_CTL int put_dollar(struct expansion *x, struct sv text, size_t *i, struct buf *out, unsigned depth)
{
	bool is_double = *i + 1 < text.n && text.p[*i + 1] == '$';
	size_t open = *i + (is_double ? 2 : 1), close;
	int st;

	if (open >= text.n || text.p[open] != '{' || (close = close_find(text, open + 1)) == text.n) {
		*i += is_double ? 2 : 1;
		return buf_addc(out, '$');
	}
	st = put_reference(x, sv_sub(text, open + 1, close - open - 1), is_double, out, depth);
	*i = close + 1;
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
	return st;
}
