/* Dial strings: <vars>{vars}[vars]endpoint/data, legs separated by ',' (at once) and '|' (in turn); ":_:" separates
 * enterprise parts, which are dialled at once as one group. Pure. */
#include "base/mem.h"
#include "base/status.h"
#include "core/originate_i.h"
#include "core/vars.h"
#include <string.h>

/* A bracketed block at the front; true when there was one. */
static int take_block(struct sv *text, char open, char close, struct sv *inner)
{
	bool is_quoted = false;

	*text = sv_trim(*text);
	if (!text->n || text->p[0] != open)
		return 0;
	for (size_t i = 1; i < text->n; i++) {
		if (text->p[i] == '\\' && i + 1 < text->n)
			i++;
		else if (text->p[i] == '\'')
			is_quoted = !is_quoted;
		else if (text->p[i] == close && !is_quoted) {
			*inner = sv_sub(*text, 1, i - 1);
			*text = sv_trim(sv_sub(*text, i + 1, text->n));
			return 1;
		}
	}
	return ST_PARSE;
}

static int take_vars(struct sv *text, char open, char close, struct vars *into)
{
	struct sv inner;
	int got, st = ST_OK;

	while (!st && (got = take_block(text, open, close, &inner)) != 0)
		st = got < 0 ? got : vars_parse(into, inner);
	return st;
}

/* Where the next ',' or '|' outside of brackets and quotes is. */
static size_t leg_end(struct sv text)
{
	int depth = 0;
	bool is_quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (c == '\\' && i + 1 < text.n)
			i++;
		else if (c == '\'')
			is_quoted = !is_quoted;
		else if (is_quoted)
			continue;
		else if (c == '[' || c == '{' || c == '<')
			depth++;
		else if ((c == ']' || c == '}' || c == '>') && depth)
			depth--;
		else if (!depth && (c == ',' || c == '|'))
			return i;
	}
	return text.n;
}

/* [] loses to {} unless local_var_clobber is set in either. */
static int leg_vars_merge(struct dial_leg *leg, const struct vars *all, const struct vars *own)
{
	bool is_clobber =
	    str_is_true(vars_get(own, "local_var_clobber")) || str_is_true(vars_get(all, "local_var_clobber"));
	int st = vars_new(&leg->vars);

	if (!st)
		st = vars_copy(leg->vars, is_clobber ? all : own);
	if (!st)
		st = vars_copy(leg->vars, is_clobber ? own : all);
	return st;
}

static int add_leg(struct dial *d, struct sv text, const struct vars *all, unsigned group)
{
	struct vars *own = NULL;
	struct dial_leg *legs, *leg;
	struct sv name, data;
	int st = vars_new(&own);

	if (!st)
		st = take_vars(&text, '[', ']', own);
	if (!st && take_block(&text, '{', '}', &data) == 1) /* stray braces before a leg count as its own */
		st = vars_parse(own, data);
	if (st)
		goto out;
	text = sv_trim(text);
	if (!text.n)
		goto out;
	if (d->count == DIAL_LEGS_MAX) {
		st = ST_LIMIT;
		goto out;
	}
	if (!sv_split(text, '/', &name, &data) && !sv_startsi(text, SV("sip:")) && !sv_startsi(text, SV("sips:"))) {
		st = ST_PARSE;
		goto out;
	}
	legs = mem_realloc(d->legs, (d->count + 1) * sizeof(*legs));
	if (!legs) {
		st = ST_NOMEM;
		goto out;
	}
	d->legs = legs;
	leg = &legs[d->count++];
	memset(leg, 0, sizeof(*leg));
	leg->group = group;
	if (sv_startsi(text, SV("sip:")) || sv_startsi(text, SV("sips:")))
		name = SV("sip"), data = text;
	leg->endpoint = sv_dup(sv_trim(name));
	leg->data = sv_dup(data);
	st = leg->endpoint && leg->data ? leg_vars_merge(leg, all, own) : ST_NOMEM;
out:
	vars_free(own);
	return st;
}

static int add_part(struct dial *d, struct sv text, unsigned *group)
{
	struct vars *all = NULL;
	int st = vars_new(&all);

	if (!st)
		st = vars_copy(all, d->vars);
	if (!st)
		st = take_vars(&text, '{', '}', all);
	if (!st)
		st = vars_copy(d->vars, all);
	while (!st && text.n) {
		size_t end = leg_end(text);
		bool is_next_group = end < text.n && text.p[end] == '|';
		st = add_leg(d, sv_sub(text, 0, end), all, *group);
		text = end < text.n ? sv_sub(text, end + 1, text.n) : SV_NONE;
		*group += is_next_group;
	}
	vars_free(all);
	return st;
}

int dial_parse(struct dial *d, const char *string)
{
	struct sv text = sv_trim(sv_of(string));
	unsigned group = 0, deepest = 0;
	int st;

	memset(d, 0, sizeof(*d));
	st = vars_new(&d->vars);
	if (!st)
		st = take_vars(&text, '<', '>', d->vars);
	while (!st && text.n) {
		const char *sep = memmem(text.p, text.n, ":_:", 3);
		size_t n = sep ? (size_t)(sep - text.p) : text.n;
		group = 0;
		st = add_part(d, sv_sub(text, 0, n), &group);
		deepest = group > deepest ? group : deepest;
		text = sep ? sv_sub(text, n + 3, text.n) : SV_NONE;
	}
	d->group_count = deepest + 1;
	if (!st && !d->count)
		st = ST_PARSE;
	return st;
}

void dial_free(struct dial *d)
{
	for (size_t i = 0; i < d->count; i++) {
		vars_free(d->legs[i].vars);
		mem_free(d->legs[i].endpoint);
		mem_free(d->legs[i].data);
	}
	mem_free(d->legs);
	vars_free(d->vars);
	memset(d, 0, sizeof(*d));
}
