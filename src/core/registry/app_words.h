/* Cutting an application's data into words, as FreeSWITCH's applications take them. */
#pragma once
#include "base/role.h"
#include "base/status.h"

enum { APP_WORDS_MAX = 16 };
struct app_words {
	char *text, *plain;     /* owned; the latter NULL when nothing is marked */
	char *w[APP_WORDS_MAX]; /* plain; NULL after the last */
	char *m[APP_WORDS_MAX]; /* the same words with their marks (text/mark.h), for what reads one as a language */
	int n;
};
/* Cuts data, which may be marked, at the configuration's blanks into at most max words, as words_split (text/words.h).
 * app_words_fini it whatever comes back. */
ANY int app_words_init(struct app_words *w, const char *data, int max);
/* The same at another delimiter. */
ANY int app_words_cut(struct app_words *w, const char *data, char delim, int max);
ANY void app_words_fini(struct app_words *w);
