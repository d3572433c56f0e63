/* Any data for the patterns of the stock macros, put into their actions; and any path as the name of a prompt, with
 * words for it.
 * Parser: say/prompt_words.c, say/prompt_name.c */
#include "base/check.h"
#include "base/mem.h"
#include "base/status.h"
#include "say/prompt_i.h"
#include "text/re.h"
#include <string.h>

static void try_prompt(const char *path)
{
	struct prompt_name name;
	size_t root_bytes;
	struct buf out;

	if (!prompt_name_of(path, &name, &root_bytes))
		return;
	CHECK(root_bytes < strlen(path) && name.base.n);
	buf_init(&out);
	prompt_asterisk_name(&name, &out);
	CHECK(!memmem(out.p ? out.p : "", out.n, "..", 2));
	buf_clear(&out);
	prompt_words_en(&name, &out);
	prompt_words_zh(&name, &out);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const patterns[] = {"^(.*)$", "(.*)", "^(\\d+):(\\d+)$",
	    "^([0-9#*]):([0-9#*]):([0-9#*]):([0-9#*])$", "(\\d+) min (\\d+) sec", "^(1):(.*)$", "/^ab(c)?$/i", "_NXX."};
	char *text = mem_strndup((const char *)data, size);

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		struct re_match m;
		struct buf out;
		if (re_match_once(sv_of(patterns[i]), sv_of(text), &m) != 1)
			continue;
		buf_init(&out);
		re_substitute(&out, SV("voicemail/vm-$2.wav $1 $3 $10 $$"), '$', &m);
		buf_fini(&out);
	}
	try_prompt(text);
	mem_free(text);
	return 0;
}
