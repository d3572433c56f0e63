/* The W3C header: what is one, and what is not. */
#include "harness.h"
#include "otel/otel_i.h"

#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"

static int test_parse(void)
{
	static const struct {
		const char *text;
		int status;
		bool is_sampled;
	} cases[] = {
	    {"00-" TRACE "-" SPAN "-01", ST_OK, true},
	    {" 00-" TRACE "-" SPAN "-00 ", ST_OK, false},
	    {"cc-" TRACE "-" SPAN "-03", ST_OK, true},
	    {"cc-" TRACE "-" SPAN "-01-more", ST_OK, true},
	    {"00-" TRACE "-" SPAN "-01-more", ST_PARSE, false},
	    {"cc-" TRACE "-" SPAN "-01more", ST_PARSE, false},
	    {"ff-" TRACE "-" SPAN "-01", ST_PARSE, false},
	    {"00-00000000000000000000000000000000-" SPAN "-01", ST_PARSE, false},
	    {"00-" TRACE "-0000000000000000-01", ST_PARSE, false},
	    {"00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", ST_PARSE, false},
	    {"00-" TRACE "-" SPAN, ST_PARSE, false},
	    {"00-" TRACE "-" SPAN "-1", ST_PARSE, false},
	    {"00_" TRACE "-" SPAN "-01", ST_PARSE, false},
	    {"", ST_PARSE, false},
	};
	char trace[TRACE_ID_CHARS + 1], span[SPAN_ID_CHARS + 1];
	bool is_sampled;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		EXPECT_INT(otel_traceparent_parse(sv_of(cases[i].text), trace, span, &is_sampled), cases[i].status);
		if (cases[i].status)
			continue;
		EXPECT_STR(trace, TRACE);
		EXPECT_STR(span, SPAN);
		EXPECT_INT(is_sampled, cases[i].is_sampled);
	}
	return 0;
}

static int test_ids(void)
{
	char a[TRACE_ID_CHARS + 1], b[TRACE_ID_CHARS + 1];
	otel_id_make(a, TRACE_ID_CHARS);
	otel_id_make(b, TRACE_ID_CHARS);
	EXPECT(strlen(a) == TRACE_ID_CHARS && strcmp(a, b) && strspn(a, "0123456789abcdef") == TRACE_ID_CHARS);
	return 0;
}

TEST_MAIN({"traceparent", test_parse, 0}, {"ids", test_ids, 0})
