/* Dial strings: <vars>{vars}[vars]endpoint/data, legs separated by ',' (at once) and '|' (in turn), parts by ":_:"
 * (each dialled by a thread of its own). What is marked as from outside (text/mark.h) parts nothing and names no
 * endpoint. Pure. What is wrong is told with the place where it stands. */
#include "base/mem.h"
#include "base/status.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
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

/* A bracketed block at the front, with others of its kind in it (${name}): 1 when there was one, 0, or ST_PARSE. */
static int take_block(struct parser *p, struct sv *text, char open, char close, struct sv *inner)
{
	bool is_quoted = false;
	unsigned depth = 0;
	char why[32];

	*text = sv_trim(*text);
	if (!text->n || text->p[0] != open)
		return 0;
	for (size_t i = 1; i < text->n; i++) {
		if (text->p[i] == '\\' && i + 1 < text->n)
			i++;
		else if (text->p[i] == '\'')
			is_quoted = !is_quoted;
		else if (text->p[i] == open && !is_quoted)
			depth++;
		else if (text->p[i] == close && !is_quoted && depth)
			depth--;
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

static int add_leg(struct parser *p, struct sv text, unsigned group)
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
	if (sv_startsi(text, SV("sip:")) || sv_startsi(text, SV("sips:"))) {
		st = dial_leg_add(p->d, SV("sip"), text, group, own);
	} else if (!sv_split(text, '/', &name, &data) || !sv_trim(name).n) {
		p->d->is_no_endpoint = true;
		st = wrong(p, text, "no ENDPOINT/ADDRESS");
	} else if (mark_has(name)) {
		st = wrong(p, text, "an endpoint named from outside");
	} else {
		st = dial_leg_add(p->d, name, data, group, own);
	}
	if (st == ST_LIMIT)
		wrong(p, text, "more than 128 legs");
out:
	vars_free(own);
	return st;
}

static int add_part(struct parser *p, struct sv text, const struct vars *first)
{
	struct dial *d = p->d;
	struct sv all = text;
	unsigned group = 0;
	int st = dial_part_add(d, first);

	if (st == ST_LIMIT)
		wrong(p, text, "more than 128 parts");
	if (!st)
		st = take_vars(p, &text, '<', '>', d->parts[d->count - 1].vars);
	if (!st)
		st = take_vars(p, &text, '{', '}', d->parts[d->count - 1].vars);
	while (!st && text.n) {
		size_t end = leg_end(text);
		bool is_next_group = end < text.n && text.p[end] == '|';
		st = add_leg(p, sv_sub(text, 0, end), group);
		text = end < text.n ? sv_sub(text, end + 1, text.n) : SV_NONE;
		group += is_next_group;
	}
	if (!st)
		d->parts[d->count - 1].group_count = group + 1;
	return st || d->parts[d->count - 1].count ? st : wrong(p, all, "nothing to dial");
}

int dial_parse_under(struct dial *d, const char *string, const struct vars *first)
{
	struct parser p = {d, string ? string : ""};
	struct sv text = sv_trim(sv_of(p.begin));
	int st = dial_init(d);

	if (!st)
		st = take_vars(&p, &text, '<', '>', d->vars);
	if (!st && !text.n)
		st = wrong(&p, text, "nothing to dial");
	while (!st && text.n) {
		const char *sep = memmem(text.p, text.n, ":_:", 3);
		size_t n = sep ? (size_t)(sep - text.p) : text.n;
		st = add_part(&p, sv_sub(text, 0, n), first);
		text = sep ? sv_sub(text, n + 3, text.n) : SV_NONE;
		first = NULL;
	}
	return st;
}

int dial_parse(struct dial *d, const char *text)
{
	return dial_parse_under(d, text, NULL);
}
