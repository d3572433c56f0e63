/* Packets behind their lengths at one decoder of the module for G.729, some of them lost: what it says it wrote is what
 * it may. Parser: modules/g729/mod_g729.c (its file is part of this one: it exports nothing but its table) */
#include "../../../modules/g729/mod_g729.c"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int16_t out[961];
	void *d = decoder_open(NULL);

	while (d && size > 1) {
		size_t n = data[0] & 127, cap = data[0] & 128 ? 160 : 960;
		data++, size--;
		n = n < size ? n : size;
		out[cap] = 12345;
		int got = n == 127 ? conceal(d, out, 160) : decode(d, data, n, out, cap);
		if (got > (int)cap || (n != 127 && got > 0 && (size_t)got != (n + 8) / 10 * 80) || out[cap] != 12345)
			abort();
		data += n, size -= n;
	}
	if (d)
		decoder_close(d);
	return 0;
}
