/* Routing keys of a format (before the first zero byte) and of headers whose values are from outside (behind it).
 * Parser: amqp/key.c */
#include "amqp/amqp_i.h"

#include <stdlib.h>
#include <string.h>

static const char *lookup(const char *name, const void *arg)
{
	return *name == 'x' ? NULL : arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char key[AMQP_KEY_MAX + 1], format[1024], value[1024];
	const uint8_t *zero = memchr(data, 0, size);
	size_t n = zero ? (size_t)(zero - data) : size, left = size - n;
	if (n >= sizeof(format) || left >= sizeof(value))
		return 0;
	memcpy(format, data, n), format[n] = 0;
	memcpy(value, data + n, left), value[left] = 0;
	amqp_key_make(key, format, left & 1, lookup, zero ? value + 1 : value);
	size_t dots = 0, parts = 0;
	for (const char *p = key; *p; p++) {
		if ((unsigned char)*p < 0x21 || (unsigned char)*p > 0x7e || *p == '*' || *p == '#')
			abort(); /* nothing of a value is a wildcard or a blank */
		dots += *p == '.';
	}
	for (const char *p = format; *p; p++)
		parts += *p == ',' || *p == '.';
	if (strlen(key) > AMQP_KEY_MAX || dots > parts)
		abort(); /* a value parts no key */
	return 0;
}
