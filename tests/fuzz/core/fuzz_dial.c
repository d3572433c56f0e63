/* Dial strings with all their parts, and what their variables ask of dialling.
 * Parser: core/dial/parse.c, core/dial/targets.c */
#include "base/mem.h"
#include "core/dial/dialstring.h"
#include "core/dial/originate_i.h"
#include "core/dial/targets.h"
#include "core/value/cause.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
NO_ROLE_CHECK int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size > 65536 ? 65536 : size);
	struct dial d;

	dial_parse(&d, text);
	for (size_t i = 0; i < d.count; i++) {
		struct originate_opts opts;
		if (d.parts[i].vars && !opts_read(&opts, d.parts[i].vars, NULL, 0))
			opts_is_fatal(&opts, CAUSE_USER_BUSY);
		opts_fini(&opts);
	}
	dial_free(&d);
	mem_free(text);
	return 0;
}
