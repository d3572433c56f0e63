/* Arbitrary bytes as an ISUP message: every view lies inside; what parses is written, and what is written parses to the
 * same and is written the same again.
 * Parser: isup/isup.c */
#include "isup/isup.h"
#include <stdlib.h>
#include <string.h>

static void check_inside(const uint8_t *p, size_t n, const uint8_t *view, size_t bytes)
{
	if (bytes && (view < p || view + bytes > p + n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct isup_msg m, again;
	uint8_t first[ISUP_BYTES_MAX], second[ISUP_BYTES_MAX];
	char text[ISUP_DIGITS_MAX + 2];
	size_t n = 0, k = 0;
	struct isup_number back;

	isup_type_name(size ? data[0] : 0);
	if (isup_parse(&m, data, size) < 0)
		return 0;
	for (size_t i = 0; i < m.other_count; i++)
		check_inside(data, size, m.others[i].p, m.others[i].bytes);
	check_inside(data, size, m.diagnostic, m.diagnostic_bytes);
	isup_number_text(&m.called, text);
	isup_number_of(&back, text);
	isup_redirect_reason(&m);
	for (size_t room = 0; room < 64; room++) /* never more than there is room for */
		if (isup_write(&m, first, room, &n) == 0 && n > room)
			abort();
	if (isup_write(&m, first, sizeof(first), &n) < 0)
		return 0; /* longer than may be: lengths that overlap in what came */
	if (isup_parse(&again, first, n) < 0 || isup_write(&again, second, sizeof(second), &k) < 0 || n != k ||
	    memcmp(first, second, n) != 0)
		abort();
	if (strcmp(m.called.digits, again.called.digits) || m.cause != again.cause || m.category != again.category)
		abort();
	isup_redirect_set(&again, 3, 1);
	if (isup_redirect_reason(&again) != 3)
		abort();
	if (m.called.is_set) { /* what no digit is, is not written */
		strcpy(m.called.digits, "12x");
		if (isup_write(&m, second, sizeof(second), &k) == 0)
			abort();
	}
	m.type = 0;
	if (isup_write(&m, second, sizeof(second), &k) == 0)
		abort();
	return 0;
}
