/* Arbitrary TGML: compiled, and its first second read; a finite script never gives more samples than it said.
 * Parser: dsp/tone.c */
#include "base/mem.h"
#include "dsp/tone.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tone *t;
	const char *err;
	int16_t out[160];
	uint64_t n = 0;
	size_t m;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	if (!tone_new(&t, text, 8000, 0, &err)) {
		while (n < 8000 && (m = tone_read(t, out, 160)) > 0)
			n += m;
		if (!tone_is_endless(t) && n > tone_samples(t))
			abort();
		if (!tone_is_endless(t) && n < 8000 && n != tone_samples(t))
			abort();
		mem_unref(t);
	} else if (!err) {
		abort();
	}
	free(text);
	return 0;
}
