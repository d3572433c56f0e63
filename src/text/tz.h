/* Time zones by POSIX TZ text ("EST5EDT,M3.2.0,M11.1.0"), without touching the process's own zone: any thread, any
 * zone. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include <time.h>

struct tz_rule {  /* when a change of clocks happens, local time before it */
	int kind; /* 0 Mm.w.d, 1 Jn (1-365, no leap day), 2 n (0-365) */
	int month, week, day;
	int32_t at_s; /* after midnight, may be negative or over a day */
};
struct tz {
	char name[12], dst_name[12];
	int32_t offset_s, dst_offset_s; /* east of Greenwich */
	bool has_dst;
	struct tz_rule start, end;
};
/* ST_PARSE leaves tz unchanged. */
ANY int tz_parse(struct tz *tz, struct sv posix);
/* Broken-down local time; tm_gmtoff, tm_zone (points into tz) and tm_isdst are set. */
ANY void tz_local(const struct tz *tz, int64_t epoch_s, struct tm *out);
/* The POSIX text for a zone of the system's database ("Europe/Berlin"), from the end of its file: right for the present
 * and the future. Reads a small file. ST_NOTFOUND. */
ANY int tz_lookup(const char *name, char *out, size_t out_bytes);
