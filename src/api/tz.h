/* POSIX time-zone rules ("EST5EDT,M3.2.0,M11.1.0") applied to any instant, without touching the process's own zone. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdint.h>
#include <time.h>

struct tz_rule {
	int kind; /* 'M', 'J' or 'n' */
	int month, week, day;
	int at_s;
};
struct tz {
	char std_name[16], dst_name[16];
	int std_offset_s, dst_offset_s; /* east of UTC */
	int has_dst;
	struct tz_rule start, end;
};
/* ST_PARSE when text is no such rule; a zone without rules for its summer time gets the US ones, as in POSIX. */
ANY int tz_parse(struct tz *out, const char *text);
/* Broken-down local time with tm_isdst, tm_gmtoff and tm_zone (borrowed from zone) set. */
ANY void tz_local(const struct tz *zone, int64_t epoch_s, struct tm *out);
