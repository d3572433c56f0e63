/* Dial strings: <vars>{vars}[vars]endpoint/data, legs separated by ',' (at once) and '|' (in turn), parts by ":_:"
 * (each dialled by a thread of its own). What is marked as from outside (text/mark.h) parts nothing and names no
 * endpoint. Pure. What is wrong is told with the place where it stands. */
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/dial_core.h"
#include "core/dial/dialstring.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <stdio.h>
#include <string.h>

struct parser {
	struct dial *d;
	const char *begin;
};

/* The reason with its place (characters count from 1) and what stands there. */
static int wrong(struct parser *p, struct sv at, const char *why)
{
	struct sv before = {p->begin, at.p ? (size_t)(at.p - p->begin) : 0};
	bool is_long = mark_length(at) > 32;
	struct buf plain;

	if (p->d->error[0])
		return ST_PARSE;
	buf_init(&plain);
	mark_strip(&plain, mark_sub(at, 0, 32));
	snprintf(p->d->error, sizeof(p->d->error), "%s at character %zu: '%s%s'", why, mark_length(before) + 1,
	    plain.p ? plain.p : "", is_long ? "..." : "");
	buf_fini(&plain);
	return ST_PARSE;
}

/* A bracketed block at the front: 1 when there was one, 0, or ST_PARSE. */
static int take_block(struct parser *p, struct sv *text, char open, char close, struct sv *inner)
{
	bool is_quoted = false;
	char why[32];

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
	snprintf(why, sizeof(why), "%c without its %c%s", open, close, is_quoted ? " (open quote)" : "");
	return wrong(p, *text, why);
}

static int take_vars(struct parser *p, struct sv *text, char open, char close, struct vars *into)
{
	struct sv inner = SV_NONE;
	int got, st = ST_OK;

	while (!st && (got = take_block(p, text, open, close, &inner)) != 0) {
		st = got < 0 ? got : vars_parse(into, inner);
		if (got > 0 && st == ST_PARSE)
			wrong(p, inner, "bad variables");
	}
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

static int push_leg(struct dial_part *part, struct sv name, struct sv data, unsigned group, struct vars *own)
{
	struct dial_leg *legs = mem_realloc(part->legs, (part->count + 1) * sizeof(*legs)), *leg;

	if (!legs)
		return ST_NOMEM;
	part->legs = legs;
	leg = &legs[part->count++];
	memset(leg, 0, sizeof(*leg));
	leg->group = group;
	leg->endpoint = sv_dup(sv_trim(name));
	leg->data = mark_strip_dup(data);
	leg->text = sv_dup(data);
	return leg->endpoint && leg->data && leg->text ? leg_vars_merge(leg, part->vars, own) : ST_NOMEM;
}

static int add_leg(struct parser *p, struct dial_part *part, struct sv text, unsigned group)
{
	struct vars *own = NULL;
	struct sv name, data, inner = SV_NONE;
	int got, st = vars_new(&own);

	if (!st)
		st = take_vars(p, &text, '[', ']', own);
	/* braces in front of a single leg count as its own */
	if (!st && (got = take_block(p, &text, '{', '}', &inner)) != 0)
		st = got < 0 ? got : vars_parse(own, inner);
	if (!st)
		st = take_vars(p, &text, '[', ']', own);
	text = sv_trim(text);
	if (st || !text.n)
		goto out;
	if (part->count == DIAL_LEGS_MAX) {
		wrong(p, text, "more than 128 legs");
		st = ST_LIMIT;
	} else if (sv_startsi(text, SV("sip:")) || sv_startsi(text, SV("sips:"))) {
		st = push_leg(part, SV("sip"), text, group, own);
	} else if (!sv_split(text, '/', &name, &data) || !sv_trim(name).n) {
		st = wrong(p, text, "no ENDPOINT/ADDRESS");
	} else if (mark_has(name)) {
		st = wrong(p, text, "an endpoint named from outside");
	} else {
		st = push_leg(part, name, data, group, own);
	}
out:
	vars_free(own);
	return st;
}

static int add_part(struct parser *p, struct sv text)
{
	struct dial *d = p->d;
	struct dial_part *parts, *part;
	struct sv all = text;
	int st;

	if (d->count == DIAL_PARTS_MAX) {
		wrong(p, text, "more than 128 parts");
		return ST_LIMIT;
	}
	parts = mem_realloc(d->parts, (d->count + 1) * sizeof(*parts));
	if (!parts)
		return ST_NOMEM;
	d->parts = parts;
	part = &parts[d->count++];
	memset(part, 0, sizeof(*part));
	part->group_count = 1;
	st = vars_new(&part->vars);
	if (!st)
		st = vars_copy(part->vars, d->vars);
	if (!st)
		st = take_vars(p, &text, '<', '>', part->vars);
	if (!st)
		st = take_vars(p, &text, '{', '}', part->vars);
	while (!st && text.n) {
		size_t end = leg_end(text);
		bool is_next_group = end < text.n && text.p[end] == '|';
		st = add_leg(p, part, sv_sub(text, 0, end), part->group_count - 1);
		text = end < text.n ? sv_sub(text, end + 1, text.n) : SV_NONE;
		part->group_count += is_next_group;
	}
	return st || part->count ? st : wrong(p, all, "nothing to dial");
}

int dial_parse(struct dial *d, const char *string)
{
	struct parser p = {d, string ? string : ""};
	struct sv text = sv_trim(sv_of(p.begin));
	int st;

	memset(d, 0, sizeof(*d));
	st = vars_new(&d->vars);
	if (!st)
		st = take_vars(&p, &text, '<', '>', d->vars);
	if (!st && !text.n)
		st = wrong(&p, text, "nothing to dial");
	while (!st && text.n) {
		const char *sep = memmem(text.p, text.n, ":_:", 3);
		size_t n = sep ? (size_t)(sep - text.p) : text.n;
		st = add_part(&p, sv_sub(text, 0, n));
		text = sep ? sv_sub(text, n + 3, text.n) : SV_NONE;
	}
	return st;
}

void dial_free(struct dial *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct dial_part *part = &d->parts[i];
		for (size_t k = 0; k < part->count; k++) {
			vars_free(part->legs[k].vars);
			mem_free(part->legs[k].endpoint);
			mem_free(part->legs[k].data);
			mem_free(part->legs[k].text);
		}
		mem_free(part->legs);
		vars_free(part->vars);
	}
	mem_free(d->parts);
	vars_free(d->vars);
	d->parts = NULL, d->vars = NULL, d->count = 0;
}
