/* What a program may say.
 * Parser: bot/words.c */
#include "base/mem.h"
#include "bot/bot_i.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bot_words w;
	struct buf b;
	buf_init(&b);
	int st = bot_words_read((struct sv){(const char *)data, size}, &w);
	if (!st && (strlen(w.name) > BOT_MARK_MAX || (w.rate_hz && (w.rate_hz < 8000 || w.rate_hz > 48000))))
		abort();
	if (!st && w.word == BOT_WORD_DIGITS && strspn(w.name, "0123456789*#ABCDabcdwW") != strlen(w.name))
		abort();
	if (!st && w.word == BOT_WORD_MARK)
		bot_mark_put(&b, w.name, true, size);
	bot_words_fini(&w);
	buf_fini(&b);
	return 0;
}
