/* A log line's text and the mappings of logfile.conf. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "harness.h"
#include "logger/logger_i.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *format(const struct log_line *line, bool has_uuid)
{
	static char text[1024];
	struct buf b;

	buf_init(&b);
	logger_line_text(&b, line, has_uuid);
	strncpy(text, b.p ? b.p : "", sizeof(text) - 1);
	buf_fini(&b);
	return text;
}

static int test_text(void)
{
	struct log_line line = {.wall_us = 1795208075495010,
	    .level = LOG_NOTICE,
	    .file = "leg.c",
	    .func = "f",
	    .line = 7,
	    .uuid = "59db79bb-45ec-4915-86cb-683d52ca2c26",
	    .text = "two\nlines\n"};

	setenv("TZ", "UTC", 1);
	tzset();
	EXPECT_STR(format(&line, false), "2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 two\nlines\n");
	EXPECT_STR(format(&line, true),
	    "59db79bb-45ec-4915-86cb-683d52ca2c26 2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 two\n"
	    "59db79bb-45ec-4915-86cb-683d52ca2c26 lines\n");
	line.uuid[0] = 0;
	line.text = "\033[2Jevil\ttab\r\n";
	EXPECT_STR(format(&line, true), "2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 ?[2Jevil\ttab?\n");
	line.number = 1; /* of several sinks the second has the first one's text, in its own form */
	for (int i = 0; i < 2; i++)
		EXPECT_STR(format(&line, true), "2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 ?[2Jevil\ttab?\n");
	strcpy(line.uuid, "u");
	EXPECT_STR(format(&line, false), "2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 ?[2Jevil\ttab?\n");
	EXPECT_STR(format(&line, true), "u 2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 ?[2Jevil\ttab?\n");
	line.number = 2, line.text = "next\n";
	EXPECT_STR(format(&line, true), "u 2026-11-20 20:54:35.495010 [NOTICE] leg.c:7 next\n");
	return 0;
}

static int map_of(struct logger_map *m, struct xml_doc **doc, const char *xml)
{
	int st = xml_parse(doc, xml, strlen(xml), "t", NULL, 0, NULL);

	if (st == ST_OK)
		logger_map_init(m, xml_root(*doc));
	return st;
}

static int test_mapping(void)
{
	struct log_line line = {.level = LOG_DEBUG, .file = "sip/stack.c", .func = "stack_new", .text = "x\n"};
	struct logger_map m;
	struct xml_doc *doc;

	EXPECT_INT(map_of(&m, &doc,
	               "<mappings><map name=\"all\" value=\"err,crit\"/><map name=\"stack.c\" value=\"all\"/>"
	               "<map name=\"other\" value=\"debug\"/></mappings>"),
	    ST_OK);
	EXPECT(logger_map_passes(&m, &line));
	line.file = "leg.c";
	EXPECT(!logger_map_passes(&m, &line));
	line.func = "other";
	EXPECT(logger_map_passes(&m, &line));
	line.func = "f", line.level = LOG_ERR;
	EXPECT(logger_map_passes(&m, &line));
	logger_map_fini(&m);
	mem_unref(doc);
	logger_map_init(&m, NULL);
	line.level = LOG_DEBUG;
	EXPECT(logger_map_passes(&m, &line));
	logger_map_fini(&m);
	return 0;
}

TEST_MAIN({"text", test_text}, {"mapping", test_mapping})
