/* What a portability server says: "t" and a telephone URI, "j" and JSON, else a text.
 * Parser: routing/portability_answer.c */
#include "routing/portability_i.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct portability_form json = {"data.lrn", "operator", ""},
	                                     text = {"", "", "^\\s*\\+?(\\d*)\\s*$"};
	struct portability p = {.state = PORTABILITY_UNKNOWN};
	if (!size)
		return 0;
	struct sv rest = {(const char *)data + 1, size - 1};
	int st = *data == 't' ? portability_tel(rest, &p) : portability_body(*data == 'j' ? &json : &text, rest, &p);
	/* what is believed is digits, and as many as there may be */
	if (!st && p.state == PORTABILITY_PORTED &&
	    (strspn(p.number, "0123456789") != strlen(p.number) || strlen(p.number) < PORTABILITY_DIGITS_MIN))
		abort();
	return 0;
}
