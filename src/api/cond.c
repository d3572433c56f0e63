/* The command cond: "A OP B ? YES[ : NO]". A and B are words, or 'quoted' (then they are no numbers). Two numbers are
 * compared as such, two texts by their bytes where equality is asked, and otherwise a text counts by its length. What
 * comes back keeps its marks (text/mark.h). */
#include "api/api_i.h"
#include "text/mark.h"
#include "text/words.h"

#include <stdlib.h>

enum op { OP_NONE, OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE };

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static char *skip_blanks(char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Takes the word at *at, ended in place; NULL: none, or its quote does not end before a blank. */
static char *take_side(char **at, bool *is_quoted)
{
	char *word = *at, *p;

	*is_quoted = *word == '\'';
	if (!*is_quoted) {
		p = strchr(word, ' ');
		if (!p)
			return NULL;
	} else {
		for (p = ++word; *p && *p != '\''; p++)
			if (*p == '\\' && (p[1] == '\\' || p[1] == '\''))
				p++;
		if (!*p || !is_blank(p[1]))
			return NULL;
	}
	*p = 0;
	*at = skip_blanks(p + 1);
	return word;
}

/* The operator at *at, and the one character behind it, whatever that is. */
static enum op take_op(char **at)
{
	static const struct {
		char text[3];
		enum op op;
	} ops[] = {{"==", OP_EQ}, {"!=", OP_NE}, {">=", OP_GE}, {">", OP_GT}, {"<=", OP_LE}, {"<", OP_LT}};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		size_t n = strlen(ops[i].text);
		if (strncmp(*at, ops[i].text, n))
			continue;
		*at += n;
		*at = skip_blanks(*at + (**at != 0));
		return ops[i].op;
	}
	return OP_NONE;
}

/* A sign, digits and points; nothing at all is one, too. */
static bool is_number(const char *s)
{
	s += *s == '-' || *s == '+';
	return s[strspn(s, "0123456789.")] == 0;
}

static bool compare(const char *a, bool a_is_text, enum op op, const char *b, bool b_is_text)
{
	double x, y;

	if (a_is_text && b_is_text && (op == OP_EQ || op == OP_NE))
		return (strcmp(a, b) == 0) == (op == OP_EQ);
	x = a_is_text ? (double)strlen(a) : atof(a);
	y = b_is_text ? (double)strlen(b) : atof(b);
	switch (op) {
	case OP_EQ:
		return x == y;
	case OP_NE:
		return x != y;
	case OP_GT:
		return x > y;
	case OP_GE:
		return x >= y;
	case OP_LT:
		return x < y;
	default:
		return x <= y;
	}
}

/* The part that counts, "" included; NULL: it is no condition. */
static const char *choose(char *text)
{
	bool a_is_quoted, b_is_quoted;
	char *at = text, *a = take_side(&at, &a_is_quoted), *b, *part[3];
	enum op op = a ? take_op(&at) : OP_NONE;

	b = op ? take_side(&at, &b_is_quoted) : NULL;
	if (!b || *at != '?')
		return NULL;
	*at = ':'; /* what is in front of the first part is nothing then */
	int n = words_split(at, ':', part, 3);
	if (n < 2)
		return NULL;
	mark_strip_in_place(a);
	mark_strip_in_place(b);
	if (compare(a, a_is_quoted || !is_number(a), op, b, b_is_quoted || !is_number(b)))
		return part[1];
	return n == 3 ? part[2] : "";
}

int api_cond(struct api_call *c)
{
	role_assert_ctl();
	char *text = mem_strdup(api_own_text(c));
	const char *chosen = text ? choose(text) : NULL;
	c->is_reply_text = true;
	buf_adds(c->out, chosen ? chosen : "-ERR");
	mem_free(text);
	return ST_OK;
}
