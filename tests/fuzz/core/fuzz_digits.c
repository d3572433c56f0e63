/* Keys through the digit machine: lines "realm digits-or-~expression" bind, a line "> keys" presses, t in it waits.
 * Parser: core/keys/machine.c */
#include "base/mem.h"
#include "core/keys/machine.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size > 8192 ? 8192 : size);
	struct sv rest = sv_of(text), line, realm, digits;
	struct digit_machine *m;
	struct digit_found found;

	if (digit_machine_new(&m, NULL)) {
		mem_free(text);
		return 0;
	}
	while (rest.n) {
		sv_split(rest, '\n', &line, &rest);
		sv_split(line, ' ', &realm, &digits);
		if (sv_is(realm, ">")) {
			for (size_t i = 0; i < digits.n; i++)
				if (digits.p[i] == 't')
					digit_machine_timeout(m, &found);
				else
					digit_machine_feed(m, digits.p[i], &found);
		} else {
			char *name = sv_dup(realm), *what = sv_dup(digits);
			if (!strcmp(name, "-"))
				digit_machine_clear_realm(m, what);
			else if (!strcmp(name, "="))
				digit_machine_set_realm(m, what);
			else if (!strcmp(name, "#"))
				digit_machine_set_terminators(m, what);
			else
				digit_machine_bind(m, name, what, NULL);
			mem_free(name);
			mem_free(what);
		}
	}
	digit_machine_free(m);
	mem_free(text);
	return 0;
}
