/* Cutting an application's data into words. */
#include "core/registry/app_words.h"
#include "base/mem.h"
#include "text/mark.h"
#include "text/words.h"
#include <string.h>

int app_words_init(struct app_words *w, const char *data, int max)
{
	return app_words_cut(w, data, ' ', max);
}

int app_words_cut(struct app_words *w, const char *data, char delim, int max)
{
	memset(w, 0, sizeof(*w));
	w->text = mem_strdup(data ? data : "");
	if (!w->text)
		return ST_NOMEM;
	w->n = words_split(w->text, delim, w->m, max < APP_WORDS_MAX ? max : APP_WORDS_MAX);
	memcpy(w->w, w->m, sizeof(w->w));
	return mark_has(sv_of(data)) ? mark_strip_words(w->m, w->w, w->n, &w->plain) : ST_OK;
}

void app_words_fini(struct app_words *w)
{
	mem_free(w->text);
	mem_free(w->plain);
}
