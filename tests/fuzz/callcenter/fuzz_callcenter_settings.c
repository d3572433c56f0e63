/* Params of a queue, one "name=value" a line.
 * Parser: callcenter/settings.c */
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "callcenter/settings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv rest = {(const char *)data, size}, line, name, value;
	struct cc_settings s;
	cc_settings_init(&s);
	while (rest.n) {
		const char *why = "";
		sv_split(rest, '\n', &line, &rest);
		sv_split(line, '=', &name, &value);
		char *n = sv_dup(name), *v = sv_dup(value);
		int st = n && v ? cc_settings_set(&s, n, v, &why) : ST_NOMEM;
		if (st == ST_PARSE && !*why)
			abort(); /* what is wrong is said */
		mem_free(n);
		mem_free(v);
	}
	if (s.strategy >= CC_STRATEGY_COUNT || s.no_answer_status >= CC_STATUS_COUNT || s.max_wait_s < 0 ||
	    s.max_wait_s > CC_SECONDS_MAX || s.rules.wait_s < 0)
		abort();
	/* any settings give rules that hold together */
	for (int64_t level = -1; level < 5; level++) {
		int64_t due = cc_level_due_s(&s.rules, 1, 0, level);
		if (due < 0 || cc_level_max(&s.rules, 1, 0, due) < level)
			abort();
	}
	cc_settings_fini(&s);
	return 0;
}
