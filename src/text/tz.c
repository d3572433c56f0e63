/* Time zones: the POSIX TZ grammar and its arithmetic on days since 1970. */
#include "text/tz.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct cursor {
	const char *p, *end;
};

static bool at(const struct cursor *c, char ch)
{
	return c->p < c->end && *c->p == ch;
}

static bool take(struct cursor *c, char ch)
{
	bool is_there = at(c, ch);
	c->p += is_there;
	return is_there;
}

static bool is_digit_at(const struct cursor *c)
{
	return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static bool take_number(struct cursor *c, int max, int *out)
{
	int v = 0;
	if (!is_digit_at(c))
		return false;
	for (; is_digit_at(c); c->p++)
		if ((v = v * 10 + (*c->p - '0')) > max)
			return false;
	*out = v;
	return true;
}

static bool take_name(struct cursor *c, char out[12])
{
	bool is_quoted = take(c, '<');
	size_t n = 0;

	while (c->p < c->end) {
		char ch = *c->p, lower = (char)(ch | 0x20);
		bool is_letter = lower >= 'a' && lower <= 'z';
		if (!is_letter && !(is_quoted && ((ch >= '0' && ch <= '9') || ch == '+' || ch == '-')))
			break;
		if (n >= 11)
			return false;
		out[n++] = ch;
		c->p++;
	}
	out[n] = 0;
	return n >= 3 && (!is_quoted || take(c, '>'));
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool take_time(struct cursor *c, int max_hours, int32_t *out)
{
	int sign = take(c, '-') ? -1 : 1, h = 0, m = 0, s = 0;
	if (sign > 0)
		take(c, '+');
	if (!take_number(c, max_hours, &h) ||
	    (take(c, ':') && (!take_number(c, 59, &m) || (take(c, ':') && !take_number(c, 59, &s)))))
		return false;
	*out = sign * (h * 3600 + m * 60 + s);
	return true;
}

static bool take_rule(struct cursor *c, struct tz_rule *r)
{
	bool ok;
	r->at_s = 2 * 3600;
	if (take(c, 'M')) {
		r->kind = 0;
		ok = take_number(c, 12, &r->month) && r->month > 0 && take(c, '.') && take_number(c, 5, &r->week) &&
		     r->week > 0 && take(c, '.') && take_number(c, 6, &r->day);
	} else if (take(c, 'J')) {
		r->kind = 1;
		ok = take_number(c, 365, &r->day) && r->day > 0;
	} else {
		r->kind = 2;
		ok = take_number(c, 365, &r->day);
	}
	return ok && (!take(c, '/') || take_time(c, 167, &r->at_s));
}

int tz_parse(struct tz *tz, struct sv posix)
{
	struct cursor c = {posix.p, posix.p + posix.n};
	struct tz made;
	int32_t west;

	memset(&made, 0, sizeof made);
	if (!posix.n || !take_name(&c, made.name) || !take_time(&c, 24, &west))
		return ST_PARSE;
	made.offset_s = -west;
	if (c.p < c.end) {
		made.has_dst = true;
		made.dst_offset_s = made.offset_s + 3600;
		if (!take_name(&c, made.dst_name))
			return ST_PARSE;
		if (c.p < c.end && !at(&c, ',')) {
			if (!take_time(&c, 24, &west))
				return ST_PARSE;
			made.dst_offset_s = -west;
		}
		if (c.p == c.end) { /* no rule given: the usual default */
			made.start = (struct tz_rule){0, 3, 2, 0, 7200};
			made.end = (struct tz_rule){0, 11, 1, 0, 7200};
		} else if (!take(&c, ',') || !take_rule(&c, &made.start) || !take(&c, ',') ||
		           !take_rule(&c, &made.end)) {
			return ST_PARSE;
		}
	}
	if (c.p != c.end)
		return ST_PARSE;
	*tz = made;
	return ST_OK;
}

static bool is_leap(int64_t y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days from 1970-01-01 to the first of January of year y. */
static int64_t year_day(int64_t y)
{
	int64_t p = y - 1;
	return (y - 1970) * 365 + (p / 4 - 1969 / 4) - (p / 100 - 1969 / 100) + (p / 400 - 1969 / 400);
}

static const int month_days[2][13] = {{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
    {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366}};

/* The local second (of the clock before the change) at which the rule applies in year y. */
static int64_t rule_second(const struct tz_rule *r, int64_t y)
{
	const int *days = month_days[is_leap(y)];
	int64_t day = year_day(y);

	if (r->kind == 2) {
		day += r->day;
	} else if (r->kind == 1) {
		day += r->day - 1 + (is_leap(y) && r->day >= 60);
	} else {
		int64_t first = day + days[r->month - 1];
		int wday = (int)(((first + 4) % 7 + 7) % 7);
		int offset = (r->day - wday + 7) % 7 + (r->week - 1) * 7;
		if (offset >= days[r->month] - days[r->month - 1])
			offset -= 7;
		day = first + offset;
	}
	return day * 86400 + r->at_s;
}

static void civil(int64_t second, struct tm *out)
{
	int64_t day = second / 86400, rest = second % 86400, y;
	if (rest < 0)
		rest += 86400, day--;
	memset(out, 0, sizeof *out);
	y = 1970 + day / 366; /* never too late; a few steps forward at most per four centuries */
	if (day < 0)
		y = 1970 + day / 365 - 1;
	while (year_day(y + 1) <= day)
		y++;
	int in_year = (int)(day - year_day(y)), m = 0;
	while (month_days[is_leap(y)][m + 1] <= in_year)
		m++;
	out->tm_year = (int)(y - 1900);
	out->tm_yday = in_year;
	out->tm_mon = m;
	out->tm_mday = in_year - month_days[is_leap(y)][m] + 1;
	out->tm_wday = (int)(((day + 4) % 7 + 7) % 7);
	out->tm_hour = (int)(rest / 3600);
	out->tm_min = (int)(rest / 60 % 60);
	out->tm_sec = (int)(rest % 60);
}

void tz_local(const struct tz *tz, int64_t epoch_s, struct tm *out)
{
	bool is_dst = false;

	/* the years that four-digit dates know; what lies beyond is not a time of day for anybody */
	if (epoch_s < 0)
		epoch_s = 0;
	if (epoch_s > 253402300799)
		epoch_s = 253402300799;
	civil(epoch_s + tz->offset_s, out);
	if (tz->has_dst) {
		int64_t y = out->tm_year + 1900;
		int64_t start = rule_second(&tz->start, y) - tz->offset_s,
		        end = rule_second(&tz->end, y) - tz->dst_offset_s;
		is_dst = start < end ? epoch_s >= start && epoch_s < end : epoch_s >= start || epoch_s < end;
	}
	if (is_dst)
		civil(epoch_s + tz->dst_offset_s, out);
	out->tm_isdst = is_dst;
	out->tm_gmtoff = is_dst ? tz->dst_offset_s : tz->offset_s;
	out->tm_zone = is_dst ? tz->dst_name : tz->name;
}

int tz_lookup(const char *name, char *out, size_t out_bytes)
{
	char path[200], tail[130];
	ssize_t n;
	off_t size;
	int fd;

	if (!name || !*name || *name == '/' || strstr(name, "..") ||
	    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name) >= (int)sizeof path)
		return ST_NOTFOUND;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return ST_NOTFOUND;
	size = lseek(fd, 0, SEEK_END);
	n = size < 40
	        ? -1
	        : pread(fd, tail, sizeof tail - 1, size < (off_t)sizeof tail ? 0 : size - (off_t)(sizeof tail - 1));
	close(fd);
	if (n < 2 || tail[n - 1] != '\n')
		return ST_NOTFOUND;
	struct sv text = {tail, (size_t)n - 1};
	while (sv_find(text, '\n') < text.n)
		text = sv_sub(text, sv_find(text, '\n') + 1, text.n);
	if (!text.n || text.n >= out_bytes)
		return ST_NOTFOUND;
	memcpy(out, text.p, text.n);
	out[text.n] = 0;
	return ST_OK;
}
