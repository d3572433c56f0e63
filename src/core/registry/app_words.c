/* Cutting an application's data into words. */
#include "core/registry/app_words.h"
#include "base/mem.h"
#include "text/mark.h"
#include <stdbool.h>
#include <string.h>

/* Takes one word off *at, in place: 'quotes' keep the delimiter and are dropped. The last word takes what is left. */
static char *word_take(char **at, char delim, bool is_last)
{
	char *from = *at + strspn(*at, " "), *to = from, *word = from;
	bool is_quoted = false;

	if (!*from)
		return NULL;
	for (; *from && (is_quoted || is_last || *from != delim); from++) {
		if (*from == '\'' && (is_quoted || to == word || from[-1] == delim))
			is_quoted = !is_quoted;
		else
			*to++ = *from;
	}
	*at = *from ? from + 1 : from;
	*to = 0;
	return word;
}

int app_words_init(struct app_words *w, const char *data, int max)
{
	return app_words_cut(w, data, ' ', max);
}

int app_words_cut(struct app_words *w, const char *data, char delim, int max)
{
	char *at;

	memset(w, 0, sizeof(*w));
	w->text = mem_strdup(data ? data : "");
	if (!w->text)
		return ST_NOMEM;
	at = w->text;
	while (w->n < max && w->n < APP_WORDS_MAX && (w->m[w->n] = word_take(&at, delim, w->n == max - 1)))
		w->n++;
	memcpy(w->w, w->m, sizeof(w->w));
	return mark_has(sv_of(data)) ? mark_strip_words(w->m, w->w, w->n, &w->plain) : ST_OK;
}

void app_words_fini(struct app_words *w)
{
	mem_free(w->text);
	mem_free(w->plain);
}
