/* A name and keys: "keys=name". What a name is spelled like, it matches.
 * Parser: dirapp/name.c */
#include "dirapp/dirapp_i.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv keys, name, first, last;
	char spelled[T9_MAX], wanted[T9_MAX];
	sv_split((struct sv){(const char *)data, size}, '=', &keys, &name);
	t9_names(name, &first, &last);
	size_t n = t9_of(last, spelled);
	if (n != strlen(spelled) || strspn(spelled, "0123456789") != n)
		abort();
	if (n && !t9_matches(name, true, spelled))
		abort();
	if (t9_of(keys, wanted))
		(void)t9_matches(name, false, wanted);
	return 0;
}
