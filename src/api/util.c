/* What every command needs: words out of an argument line, the usage text, a leg by its uuid. */
#include "api/api_i.h"
#include "text/mark.h"

static char unescaped(char c)
{
	return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c == 's' ? ' ' : c;
}

/* Takes quotes and backslashes out of one word and spaces off its ends, in place. */
static char *clean_word(char *word, char sep)
{
	char *from = word, *to, *start, *end;
	bool in_quotes = false;
	while (*from == ' ')
		from++;
	start = to = end = from;
	for (; *from; from++) {
		char next = from[1];
		if (*from == '\\' && next &&
		    (next == '\'' || next == '"' || next == sep || next == '\\' || unescaped(next) != next)) {
			*to++ = next == sep ? next : unescaped(next);
			end = to;
			from++;
		} else if (*from == '\'' && (in_quotes || strchr(from + 1, '\''))) {
			in_quotes = !in_quotes;
			if (in_quotes)
				end = to;
		} else {
			*to++ = *from;
			if (*from != ' ' || in_quotes)
				end = to;
		}
	}
	*end = 0;
	return start;
}

int api_split(char *text, char sep, char **words, int max)
{
	int n = 0;
	char *p = text;
	while (n < max) {
		while (sep == ' ' && *p == ' ')
			p++;
		if (!*p && (sep == ' ' || n == 0))
			break;
		char *q = p;
		bool in_quotes = false;
		if (n == max - 1)
			q += strlen(q);
		for (; *q && (in_quotes || *q != sep); q++) {
			if (*q == '\\' && q[1])
				q++;
			else if (*q == '\'' && (in_quotes || strchr(q + 1, '\'')))
				in_quotes = !in_quotes;
		}
		bool is_last = !*q;
		*q = 0;
		words[n++] = clean_word(p, sep);
		if (is_last)
			break;
		p = q + 1;
	}
	return n;
}

/* The words without their marks, in a block of their own. */
static int strip(struct api_words *w)
{
	size_t size = 1;
	char *to;
	for (int i = 0; i < w->n; i++)
		size += strlen(w->m[i]) + 1;
	to = w->plain = mem_alloc(size);
	if (!to)
		return ST_NOMEM;
	for (int i = 0; i < w->n; i++) {
		w->w[i] = strcpy(to, w->m[i]);
		to += mark_strip_in_place(to) + 1;
	}
	return ST_OK;
}

int api_words_init(struct api_words *w, const char *text, int max)
{
	*w = (struct api_words){.text = mem_strdup(text)};
	if (!w->text)
		return ST_NOMEM;
	w->n = api_split(w->text, ' ', w->m, max);
	memcpy(w->w, w->m, sizeof(w->w));
	return mark_has(sv_of(text)) ? strip(w) : ST_OK;
}

bool api_is_outside(struct api_call *c, const char *text)
{
	if (!mark_has(sv_of(text)))
		return false;
	buf_adds(c->out, "-ERR refused: text from outside\n");
	return true;
}

void api_words_fini(struct api_words *w)
{
	mem_free(w->text);
	mem_free(w->plain);
}

int api_text(struct api_call *c, const char *text)
{
	buf_adds(c->out, text);
	return ST_OK;
}

int api_usage(struct api_call *c, const char *cmd)
{
	const struct api_desc *d = api_find(cmd);
	buf_printf(c->out, "-USAGE: %s\n", d && d->syntax ? d->syntax : "");
	return ST_OK;
}

struct leg *api_leg(struct api_call *c, const char *uuid)
{
	struct leg *leg = uuid ? leg_find(uuid) : NULL;
	if (!leg)
		buf_adds(c->out, "-ERR No such channel!\n");
	return leg;
}
