/* Words out of a line. First the line is cut where separators stand, then each word is cleaned by itself: so a quote in
 * the middle of a word is taken off as well. A quote without a partner is a letter; only where blanks part, one keeps
 * the rest of the line together. */
#include "text/words.h"
#include "text/mark.h"

#include <stdbool.h>
#include <string.h>

static char unescaped(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == 's' ? ' ' : c;
}

/* What a backslash in front of c stands for; 0: the backslash is a letter. Where blanks part, sep is 0. */
static char escape_of(char c, char sep)
{
	if (!c)
		return 0;
	if (c == '\'' || c == '"' || c == '\\' || c == sep)
		return c;
	return unescaped(c) != c ? unescaped(c) : 0;
}

/* Takes quotes and backslashes out of one word and blanks off its ends, in place. */
static char *word_clean(char *word, char sep)
{
	char *from = word, *to, *start, *end, c;
	bool is_quoted = false;

	while (*from == ' ')
		from++;
	start = to = end = from;
	for (; *from; from++) {
		if (*from == '\\' && (c = escape_of(from[1], sep)) != 0) {
			*to++ = c;
			end = to;
			from++;
		} else if (*from == '\'' && (is_quoted || strchr(from + 1, '\''))) {
			is_quoted = !is_quoted;
			if (is_quoted)
				end = to;
		} else {
			*to++ = *from;
			if (*from != ' ' || is_quoted)
				end = to;
		}
	}
	*end = 0;
	return start;
}

/* The end of the word at p: its separator, or the end of the text. */
static char *word_end(char *p, char sep)
{
	bool is_quoted = false;

	for (; *p && (is_quoted || *p != sep); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '\'' && (sep == ' ' || is_quoted || strchr(p + 1, '\'')))
			is_quoted = !is_quoted;
	}
	return p;
}

int words_split(char *text, char sep, char **words, int max)
{
	int n = 0;
	char *p = text;

	if (p[0] == '^' && p[1] == '^' && p[2] && p[3] && !mark_has((struct sv){p + 2, 2})) {
		sep = p[2];
		p += 3;
	}
	while (*p && n < max) {
		char *word = p, *end;
		while (sep == ' ' && *p == ' ')
			p++;
		end = n == max - 1 ? p + strlen(p) : word_end(p, sep);
		p = end;
		if (*end) {
			*end = 0;
			p = end + 1;
			while (sep == ' ' && *p == ' ')
				p++;
		}
		words[n++] = word_clean(word, sep == ' ' ? 0 : sep);
	}
	return n;
}
