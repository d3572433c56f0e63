/* Any lines through the configuration preprocessor, with commands and look-ups switched off and no files to include.
 * Parser: core/conf/pre.c */
#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/config_i.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void report(const char *problem, void *arg)
{
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hash *vars = NULL;
	size_t problems = 0;
	struct pre p;

	log_set_level(LOG_CRIT);
	if (hash_new(&vars, HASH_NOCASE, mem_free))
		return 0;
	CHECK(pre_init(&p, vars) == ST_OK);
	p.may_run = false;
	p.report = report, p.report_arg = &problems;
	pre_text(&p, "/nonexistent/f.xml", (struct sv){(const char *)data, size}, PRE_MAX_DEPTH);
	pre_fini(&p);
	return 0;
}
