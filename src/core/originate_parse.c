/* Dial strings: <vars>{vars}[vars]endpoint/data, legs separated by ',' (at once) and '|' (in turn), parts by ":_:"
 * (each dialled by a thread of its own). What is marked as from outside (text/mark.h) parts nothing and names no
 * endpoint. Pure.
 *
 * It goes as in FreeSWITCH, where quotes are read more than once: blocks in front are taken off (brackets count, quotes
 * do not), the rest is cut into words at '|', each of them at ',' (text/words.h; commas within [] are put out of the
 * way meanwhile), and what then stands in front of the first slash names the endpoint, whatever it is: a leg whose
 * endpoint does not exist fails alone. */
#include "base/mem.h"
#include "base/status.h"
#include "core/originate_i.h"
#include "core/vars.h"
#include "text/mark.h"
#include "text/words.h"
#include <stdio.h>
#include <string.h>

enum { COMMA_KEPT = 0x11, COMMA_APART = 0x12 }; /* commas within [], in quotes or between variables */

struct parser {
	struct dial *d;
	const char *begin, *end; /* of the text that was given: in its first blocks a place can be told */
};

/* The reason with its place (characters count from 1) and what stands there. */
static int wrong(struct parser *p, const char *at, const char *why)
{
	struct sv text = sv_of(at), before = {p->begin, (size_t)(at - p->begin)};
	bool is_long = mark_length(text) > 32, has_place = at >= p->begin && at <= p->end;
	char place[32] = "";
	struct buf plain;

	if (p->d->error[0])
		return ST_PARSE;
	buf_init(&plain);
	mark_strip(&plain, mark_sub(text, 0, 32));
	if (has_place)
		snprintf(place, sizeof(place), " at character %zu", mark_length(before) + 1);
	snprintf(p->d->error, sizeof(p->d->error), "%s%s: '%s%s'", why, place, plain.p ? plain.p : "",
	    is_long ? "..." : "");
	buf_fini(&plain);
	return ST_PARSE;
}

/* The bracket that closes the one at text. */
static char *close_find(char *text, char open, char close)
{
	unsigned depth = 0;

	for (char *p = text; *p; p++) {
		if (*p == open)
			depth++;
		else if (*p == close && !--depth)
			return p;
	}
	return NULL;
}

/* Takes blocks off the front. sep parts the variables in them. */
static int take_vars(struct parser *p, char **text, char open, char close, char sep, struct vars *into)
{
	char why[32], *end;

	while (**text == open) {
		end = close_find(*text, open, close);
		if (!end) {
			snprintf(why, sizeof(why), "%c without its %c", open, close);
			return wrong(p, *text, why);
		}
		*end = 0;
		for (char *c = *text; open == '[' && *c; c++)
			if (*c == COMMA_KEPT)
				*c = ',';
		int st = vars_parse_at(into, sv_of(*text + 1), sep);
		if (st)
			return st == ST_PARSE ? wrong(p, *text + 1, "bad variables") : st;
		*text = end + 1;
	}
	return ST_OK;
}

/* Commas within [] part no legs. */
static void commas_hide(char *text)
{
	char *end = NULL;
	bool is_quoted = false, is_other_sep = false;

	for (char *p = text; *p; p++) {
		if (!end && *p == '[') {
			end = close_find(p, '[', ']');
			is_other_sep = p[1] == '^' && p[2] == '^';
			is_quoted = false;
		}
		if (*p == '\'')
			is_quoted = !is_quoted;
		if (end && p < end && *p == ',' && p > text && p[-1] != '\\')
			*p = is_quoted || is_other_sep ? COMMA_KEPT : COMMA_APART;
		if (p == end)
			end = NULL;
	}
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

static int push_leg(struct dial_part *part, const char *name, const char *data, unsigned group, struct vars *own)
{
	struct dial_leg *legs = mem_realloc(part->legs, (part->count + 1) * sizeof(*legs)), *leg;

	if (!legs)
		return ST_NOMEM;
	part->legs = legs;
	leg = &legs[part->count++];
	memset(leg, 0, sizeof(*leg));
	leg->group = group;
	leg->endpoint = mem_strdup(name);
	leg->data = mark_strip_dup(sv_of(data));
	leg->text = mem_strdup(data);
	return leg->endpoint && leg->data && leg->text ? leg_vars_merge(leg, part->vars, own) : ST_NOMEM;
}

static int add_leg(struct parser *p, struct dial_part *part, char *text, unsigned group)
{
	struct vars *own = NULL;
	char *slash;
	int st = vars_new(&own);

	text += strspn(text, " ");
	if (!st)
		st = take_vars(p, &text, '[', ']', COMMA_APART, own);
	text += strspn(text, " ");
	for (char *c = text; *c; c++)
		if (*c == COMMA_KEPT || *c == COMMA_APART)
			*c = ',';
	slash = strchr(text, '/');
	if (st)
		goto out;
	if (part->count == DIAL_LEGS_MAX) {
		wrong(p, text, "more than 128 legs");
		st = ST_LIMIT;
	} else if (sv_startsi(sv_of(text), SV("sip:")) || sv_startsi(sv_of(text), SV("sips:"))) {
		st = push_leg(part, "sip", text, group, own);
	} else if (mark_has((struct sv){text, slash ? (size_t)(slash - text) : strlen(text)})) {
		st = wrong(p, text, "an endpoint named from outside");
	} else {
		if (slash)
			*slash = 0;
		st = push_leg(part, text, slash ? slash + 1 : "", group, own);
	}
out:
	vars_free(own);
	return st;
}

/* The legs that are called at once. */
static int add_group(struct parser *p, struct dial_part *part, char *text, unsigned group)
{
	char *leg[DIAL_LEGS_MAX + 1];
	int st = ST_OK, n;

	commas_hide(text);
	n = words_split(text, ',', leg, DIAL_LEGS_MAX + 1);
	for (int i = 0; i < n && !st; i++)
		st = add_leg(p, part, leg[i], group);
	return st;
}

static int add_part(struct parser *p, char *text)
{
	struct dial *d = p->d;
	struct dial_part *parts, *part;
	char *group[DIAL_LEGS_MAX + 1];
	int st, n = 0;

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
	st = vars_new(&part->vars);
	if (!st)
		st = vars_copy(part->vars, d->vars);
	text += strspn(text, " ");
	if (!st)
		st = take_vars(p, &text, '<', '>', ',', part->vars);
	if (!st)
		st = take_vars(p, &text, '{', '}', ',', part->vars);
	text += strspn(text, " ");
	if (!st)
		n = words_split(text, '|', group, DIAL_LEGS_MAX + 1);
	for (int i = 0; i < n && !st; i++)
		st = add_group(p, part, group[i], (unsigned)i);
	part->group_count = n > 0 ? (unsigned)n : 1;
	return st || part->count ? st : wrong(p, text, "nothing to dial");
}

int dial_parse(struct dial *d, const char *string)
{
	char *copy = mem_strdup(string ? string : ""), *text = copy, *next;
	struct parser p = {d, copy, copy ? copy + strlen(copy) : NULL};
	int st;

	memset(d, 0, sizeof(*d));
	st = copy ? vars_new(&d->vars) : ST_NOMEM;
	if (!st) {
		text += strspn(text, " ");
		st = take_vars(&p, &text, '<', '>', ',', d->vars);
	}
	do {
		next = st ? NULL : strstr(text, ":_:");
		if (next) {
			*next = 0;
			next += 3;
		}
		if (!st)
			st = add_part(&p, text);
		text = next;
	} while (!st && text && *text);
	mem_free(copy);
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
