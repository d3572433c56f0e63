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
#include "core/dial/dial_core.h"
#include "core/dial/dialstring.h"
#include "core/dial/targets.h"
#include "core/value/vars.h"
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
	snprintf(
	    p->d->error, sizeof(p->d->error), "%s%s: '%s%s'", why, place, plain.p ? plain.p : "", is_long ? "..." : "");
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
	enum { OPEN_MAX = 256 }; /* brackets without an end that are looked for to the text's */
	char *end = NULL;
	bool is_quoted = false, is_other_sep = false;
	unsigned open_count = 0;

	for (char *p = text; *p; p++) {
		if (!end && *p == '[' && open_count < OPEN_MAX) {
			end = close_find(p, '[', ']');
			open_count += !end;
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

static int add_leg(struct parser *p, char *text, unsigned group)
{
	struct vars *own = NULL;
	struct sv name;
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
	name = (struct sv){text, slash ? (size_t)(slash - text) : strlen(text)};
	if (st)
		goto out;
	if (sv_startsi(sv_of(text), SV("sip:")) || sv_startsi(sv_of(text), SV("sips:")))
		st = dial_leg_add(p->d, SV("sip"), sv_of(text), group, own);
	else if (mark_has(name))
		st = wrong(p, text, "an endpoint named from outside");
	else
		st = dial_leg_add(p->d, name, sv_of(slash ? slash + 1 : ""), group, own);
	if (st == ST_LIMIT)
		wrong(p, text, "more than 128 legs");
out:
	vars_free(own);
	return st;
}

/* The legs that are called at once. */
static int add_group(struct parser *p, char *text, unsigned group)
{
	char *leg[DIAL_LEGS_MAX + 1];
	int st = ST_OK, n;

	commas_hide(text);
	n = words_split(text, ',', leg, DIAL_LEGS_MAX + 1);
	for (int i = 0; i < n && !st; i++)
		st = add_leg(p, leg[i], group);
	return st;
}

static int add_part(struct parser *p, char *text, const struct vars *first)
{
	struct dial *d = p->d;
	char *group[DIAL_LEGS_MAX + 1];
	int st = dial_part_add(d, first), n = 0;

	if (st == ST_LIMIT)
		wrong(p, text, "more than 128 parts");
	if (st)
		return st;
	struct dial_part *part = &d->parts[d->count - 1];
	text += strspn(text, " ");
	st = take_vars(p, &text, '<', '>', ',', part->vars);
	if (!st)
		st = take_vars(p, &text, '{', '}', ',', part->vars);
	text += strspn(text, " ");
	if (!st)
		n = words_split(text, '|', group, DIAL_LEGS_MAX + 1);
	for (int i = 0; i < n && !st; i++)
		st = add_group(p, group[i], (unsigned)i);
	part->group_count = n > 0 ? (unsigned)n : 1;
	return st || part->count ? st : wrong(p, text, "nothing to dial");
}

int dial_parse_under(struct dial *d, const char *string, const struct vars *first)
{
	char *copy = mem_strdup(string ? string : ""), *text = copy, *next;
	struct parser p = {d, copy, copy ? copy + strlen(copy) : NULL};
	int st = dial_init(d);

	if (!copy)
		st = ST_NOMEM;
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
			st = add_part(&p, text, first);
		first = NULL;
		text = next;
	} while (!st && text && *text);
	mem_free(copy);
	return st;
}

int dial_parse(struct dial *d, const char *text)
{
	return dial_parse_under(d, text, NULL);
}
