/* POSIX TZ strings: names, offsets, and the two rules that say when summer time begins and ends (Mm.w.d, Jn, n). */
#include "api/tz.h"

#include <ctype.h>
#include <string.h>

static const char *parse_name(const char *p, char *out, size_t size)
{
	size_t n = 0;
	int is_quoted = *p == '<';
	p += is_quoted;
	while (*p && (is_quoted ? *p != '>' : isalpha((unsigned char)*p))) {
		if (n + 1 < size)
			out[n++] = *p;
		p++;
	}
	out[n] = 0;
	if (is_quoted && *p++ != '>')
		return NULL;
	return n >= 3 ? p : NULL;
}

static const char *parse_int(const char *p, int *out)
{
	int n = 0;
	if (!p || !isdigit((unsigned char)*p))
		return NULL;
	for (; isdigit((unsigned char)*p) && n < 100000; p++)
		n = n * 10 + (*p - '0');
	*out = n;
	return p;
}

/* [+-]h[:m[:s]] in seconds */
static const char *parse_time(const char *p, int *out)
{
	int sign = 1, part[3] = { 0 };
	if (*p == '+' || *p == '-')
		sign = *p++ == '-' ? -1 : 1;
	p = parse_int(p, &part[0]);
	for (int i = 1; p && i < 3 && *p == ':'; i++)
		p = parse_int(p + 1, &part[i]);
	*out = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
	return p;
}

static const char *parse_rule(const char *p, struct tz_rule *r)
{
	if (!p || *p++ != ',')
		return NULL;
	*r = (struct tz_rule){ .kind = *p == 'M' || *p == 'J' ? *p : 'n', .at_s = 7200 };
	if (r->kind == 'M') {
		p = parse_int(p + 1, &r->month);
		p = p && *p == '.' ? parse_int(p + 1, &r->week) : NULL;
		p = p && *p == '.' ? parse_int(p + 1, &r->day) : NULL;
		if (r->month < 1 || r->month > 12 || r->week < 1 || r->week > 5 || r->day > 6)
			return NULL;
	} else {
		p = parse_int(r->kind == 'J' ? p + 1 : p, &r->day);
	}
	return p && *p == '/' ? parse_time(p + 1, &r->at_s) : p;
}

int tz_parse(struct tz *out, const char *text)
{
	struct tz z = { 0 };
	int west = 0;
	const char *p = parse_name(text, z.std_name, sizeof(z.std_name));
	p = p ? parse_time(p, &west) : NULL;
	if (!p)
		return ST_PARSE;
	z.std_offset_s = z.dst_offset_s = -west;
	if (*p) {
		p = parse_name(p, z.dst_name, sizeof(z.dst_name));
		if (!p)
			return ST_PARSE;
		z.has_dst = 1;
		z.dst_offset_s = z.std_offset_s + 3600;
		if (*p && *p != ',') {
			p = parse_time(p, &west);
			z.dst_offset_s = -west;
		}
		const char *rules = p && *p ? p : ",M3.2.0,M11.1.0";
		p = parse_rule(parse_rule(rules, &z.start), &z.end);
	}
	if (!p || *p)
		return ST_PARSE;
	*out = z;
	return ST_OK;
}

static int64_t days_before_year(int64_t y) { return (y - 1970) * 365 + (y - 1969) / 4 - (y - 1901) / 100 + (y - 1601) / 400; }

static int is_leap(int64_t y) { return (y % 4 == 0 && y % 100) || y % 400 == 0; }

/* Local wall time, in seconds since the epoch as if it were UTC, at which the rule strikes in year y. */
static int64_t rule_at(const struct tz_rule *r, int64_t y)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };
	int leap = is_leap(y);
	int64_t day = days_before_year(y);
	if (r->kind == 'J') {
		day += r->day - 1 + (leap && r->day > 59);
	} else if (r->kind == 'n') {
		day += r->day;
	} else {
		int64_t first = day + before[r->month - 1] + (leap && r->month > 2);
		int64_t next = day + before[r->month] + (leap && r->month > 1);
		int weekday = (int)((first + 4) % 7); /* 1970-01-01 was a Thursday */
		day = first + (r->day - weekday + 7) % 7 + 7 * (r->week - 1);
		while (day >= next)
			day -= 7;
	}
	return day * 86400 + r->at_s;
}

void tz_local(const struct tz *z, int64_t epoch_s, struct tm *out)
{
	int offset = z->std_offset_s, is_dst = 0;
	time_t t = (time_t)(epoch_s + z->std_offset_s);
	gmtime_r(&t, out);
	if (z->has_dst) {
		int64_t y = out->tm_year + 1900LL;
		int64_t start = rule_at(&z->start, y) - z->std_offset_s, end = rule_at(&z->end, y) - z->dst_offset_s;
		is_dst = start < end ? epoch_s >= start && epoch_s < end : epoch_s >= start || epoch_s < end;
	}
	if (is_dst) {
		offset = z->dst_offset_s;
		t = (time_t)(epoch_s + offset);
		gmtime_r(&t, out);
	}
	out->tm_isdst = is_dst;
	out->tm_gmtoff = offset;
	out->tm_zone = is_dst ? z->dst_name : z->std_name;
}
