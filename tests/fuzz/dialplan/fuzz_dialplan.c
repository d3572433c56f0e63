/* Any XML as a dialplan, hunted with a fixed call; and the same bytes as an inline dialplan.
 * Parser: dialplan/compile.c, dialplan/hunt.c, dialplan/inline.c */
#include "base/mem.h"
#include "dialplan/dialplan.h"
#include "text/xml.h"
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *get(void *arg, const char *name)
{
	return !strcmp(name, "destination_number") ? "1001" : NULL;
}

static const char *get_field(void *arg, const char *name, struct buf *scratch)
{
	return get(arg, name);
}

static int local_time(void *arg, const char *zone, int64_t wall_us, struct tm *out)
{
	time_t t = (time_t)(wall_us / 1000000);
	gmtime_r(&t, out);
	return ST_OK;
}

static void trace(void *arg, const struct dp_trace *t)
{
	struct buf line;
	buf_init(&line);
	dp_trace_line(t, "c", &line);
	*(volatile size_t *)arg += line.n;
	buf_fini(&line);
}

static void report(const char *problem, void *arg)
{
	*(volatile size_t *)arg += strlen(problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t total = 0;
	struct dp_env env = {.arg = &total,
	    .field = get_field,
	    .var = get,
	    .local_time = local_time,
	    .wall_us = 1795262400000000LL,
	    .trace = trace};
	struct dp_actions found = {0};
	struct xml_doc *doc = NULL;
	struct dialplan *dp = NULL;

	if (xml_parse(&doc, (const char *)data, size, "f", NULL, 0, NULL) == ST_OK) {
		if (dialplan_new(&dp, xml_root(doc), report, &total) == ST_OK)
			dialplan_xml_hunt(dp, &env, "c", "1001", &found);
		dialplan_free(dp);
		mem_unref(doc);
	}
	dp_actions_fini(&found);
	dialplan_inline_parse((struct sv){(const char *)data, size}, &found);
	dp_actions_fini(&found);
	return 0;
}
