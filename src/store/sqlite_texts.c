/* Statements of somebody's own that come again and again, prepared: by their text, the latest used first, so many of
 * them. A text of several statements is kept as a whole, or not at all. sqlite prepares them anew itself when tables
 * change. */
#include "base/mem.h"
#include "store/sqlite_i.h"

#include <sqlite3.h>
#include <string.h>

enum { TEXTS_MAX = 32, TEXT_MAX_BYTES = 32768 };
struct sqlite_texts {
	struct sqlite_text *list[TEXTS_MAX];
	size_t count;
};

void sqlite_text_free(struct sqlite_text *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++)
		sqlite3_finalize(t->stmts[i]);
	mem_free(t->text);
	mem_free(t);
}

void sqlite_texts_clear(struct sqlite_texts **texts)
{
	for (size_t i = 0; *texts && i < (*texts)->count; i++)
		sqlite_text_free((*texts)->list[i]);
	mem_free(*texts);
	*texts = NULL;
}

struct sqlite_text *sqlite_texts_take(struct sqlite_texts *texts, const char *text)
{
	for (size_t i = 0; texts && i < texts->count; i++) {
		struct sqlite_text *t = texts->list[i];
		if (!strcmp(t->text, text)) {
			memmove(&texts->list[i], &texts->list[i + 1], (--texts->count - i) * sizeof(*texts->list));
			return t;
		}
	}
	return NULL;
}

void sqlite_texts_put(struct sqlite_texts **texts, struct sqlite_text *t)
{
	if (!*texts)
		*texts = mem_zalloc(sizeof(**texts));
	struct sqlite_texts *x = *texts;
	if (!x || strlen(t->text) > TEXT_MAX_BYTES) {
		sqlite_text_free(t);
		return;
	}
	if (x->count == TEXTS_MAX)
		sqlite_text_free(x->list[--x->count]);
	memmove(&x->list[1], &x->list[0], x->count++ * sizeof(*x->list));
	x->list[0] = t;
}
