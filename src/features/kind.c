/* Which features there are, and what a value of each may be. Pure: text in, text out; times of day are reckoned in a
 * zone that is given, day by day from the moment asked for, so that a change of clocks moves a call by no more than the
 * clock itself was moved. */
#include "base/status.h"
#include "features/features_i.h"
#include "text/tz.h"

#include <stdio.h>
#include <string.h>

enum { DAYS_AHEAD = 8, DAY_S = 86400, MOMENT_DIGITS_MAX = 11 };

static const struct feature_kind kinds[] = {
    {"forward-all", FEATURE_NUMBER, .help = "every call goes there at once"},
    {"forward-busy", FEATURE_NUMBER, .help = "calls go there when the user is busy or does not want to be disturbed"},
    {"forward-noanswer", FEATURE_NUMBER, .help = "calls go there when nobody answers in time"},
    {"forward-noanswer-after", FEATURE_SECONDS, .min = 5, .max = 120, .fallback = "20",
        .help = "how long it rings before"},
    {"forward-unreachable", FEATURE_NUMBER, .help = "calls go there when no phone of the user can be reached"},
    {"forward-from", FEATURE_NUMBER, .key_max = 100, .help = "calls of that number (the key) go there"},
    {"dnd", FEATURE_FLAG, .help = "do not disturb: callers find the user busy"},
    {"reject-anonymous", FEATURE_FLAG, .help = "calls without a number are refused (433)"},
    {"block", FEATURE_FLAG, .key_max = 200, .help = "calls of that number (the key) are refused"},
    {"call-waiting", FEATURE_FLAG, .fallback = "true",
        .help = "a second call rings; false: its caller finds the user busy"},
    {"hide-number", FEATURE_FLAG, .help = "whom the user calls is not told who it is"},
    {"speed", FEATURE_NUMBER, .key_max = 100, .help = "the number under a short one (the key)"},
    {"hotline", FEATURE_NUMBER, .help = "dialled when the receiver is lifted and nothing else is dialled"},
    {"hotline-after", FEATURE_SECONDS, .min = 0, .max = 30, .fallback = "5",
        .help = "how long keys are waited for before; 0: not at all"},
    {"lock", FEATURE_FLAG, .help = "only numbers of lock-allows can be dialled"},
    {"lock-pin", FEATURE_PIN, .is_private = true, .help = "4 to 12 digits that lock and unlock"},
    {"followme", FEATURE_NUMBER, .key_max = 10,
        .help = "numbers 1 to 10 that a call rings, for the application followme"},
    {"followme-after", FEATURE_SECONDS, .key_max = 10, .min = 0, .max = 120,
        .help = "how long that number waits before it rings, when all do at once"},
    {"followme-time", FEATURE_SECONDS, .min = 5, .max = 120, .fallback = "20", .help = "how long each of them rings"},
    {"followme-at-once", FEATURE_FLAG, .help = "all of them ring at once, in place of one after the other"},
    {"followme-confirm", FEATURE_FLAG, .fallback = "true",
        .help = "who answers elsewhere than on the user's phones must press 1"},
    {"hotdesk-at", FEATURE_NUMBER, .help = "the phone at which the user is logged in: it rings in place of his own"},
    {"hotdesk-user", FEATURE_NUMBER, .help = "the user who is logged in at this phone"},
    {"wake", FEATURE_WAKE, .key_max = 10,
        .help = "a call at HH:MM, on the days that follow: once, daily, weekdays, weekends, mon,tue..., YYYY-MM-DD"},
    {"callback", FEATURE_CALLBACK, .key_max = 5,
        .help = "the user is called when that number (the key) is free, until that moment"},
    {"last-failed", FEATURE_MISSED, .is_quiet = true,
        .help = "whom the user called last without reaching him, and why"},
    {"last-caller", FEATURE_NUMBER, .is_quiet = true, .help = "who called last, without those who hid their number"},
};

const struct feature_kind *feature_kind_at(size_t i)
{
	return i < sizeof(kinds) / sizeof(kinds[0]) ? &kinds[i] : NULL;
}

bool feature_is_number(struct sv t)
{
	if (!t.n || t.n > FEATURE_NUMBER_MAX)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		char c = t.p[i];
		if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("+*#._-", c))))
			return false;
	}
	return true;
}

const struct feature_kind *feature_kind_of(struct sv name, struct sv *key)
{
	struct sv stem, rest = SV_NONE;
	bool has_key = sv_split(name, ':', &stem, &rest);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!sv_isi(stem, kinds[i].name))
			continue;
		if (has_key != (kinds[i].key_max > 0) ||
		    (has_key && (!feature_is_number(rest) || rest.n > FEATURE_KEY_MAX)))
			return NULL;
		*key = rest;
		return &kinds[i];
	}
	return NULL;
}

/* ---- wake-ups ---- */

static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
struct wake {
	int hour, minute;
	unsigned days;        /* bit of tm_wday; 0: a date, or once */
	int year, month, day; /* year 0: once, on no day yet */
};

static bool digits(struct sv *t, unsigned count, int *out)
{
	int n = 0;
	if (t->n < count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (t->p[i] < '0' || t->p[i] > '9')
			return false;
		n = n * 10 + (t->p[i] - '0');
	}
	*t = sv_sub(*t, count, t->n - count);
	*out = n;
	return true;
}

static bool takes(struct sv *t, char c)
{
	if (!t->n || *t->p != c)
		return false;
	*t = sv_sub(*t, 1, t->n - 1);
	return true;
}

static bool days_read(struct sv t, struct wake *w)
{
	static const struct {
		const char *word;
		unsigned days;
	} words[] = {{"daily", 0x7f}, {"weekdays", 0x3e}, {"weekends", 0x41}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (sv_isi(t, words[i].word)) {
			w->days = words[i].days;
			return true;
		}
	if (!t.n || sv_isi(t, "once"))
		return true;
	if (*t.p >= '0' && *t.p <= '9')
		return digits(&t, 4, &w->year) && takes(&t, '-') && digits(&t, 2, &w->month) && takes(&t, '-') &&
		       digits(&t, 2, &w->day) && !t.n && w->year >= 2000 && w->month >= 1 && w->month <= 12 &&
		       w->day >= 1 && w->day <= 31;
	while (t.n) {
		struct sv one;
		int day = 7;
		sv_split(t, ',', &one, &t);
		while (day-- && !sv_isi(one, day_names[day]))
			;
		if (day < 0)
			return false;
		w->days |= 1u << day;
	}
	return true;
}

static bool wake_read(struct sv t, struct wake *w)
{
	*w = (struct wake){0};
	t = sv_trim(t);
	return digits(&t, 2, &w->hour) && takes(&t, ':') && digits(&t, 2, &w->minute) && w->hour < 24 &&
	       w->minute < 60 && (!t.n || *t.p == ' ') && days_read(sv_trim(t), w);
}

static void local_of(int64_t s, const struct tz *zone, struct tm *out)
{
	time_t t = (time_t)s;
	if (zone)
		tz_local(zone, s, out);
	else
		localtime_r(&t, out);
}

/* The moment of a local time; one that the clocks jump over is as much later as they jump. */
static int64_t moment_of(struct tm local, const struct tz *zone)
{
	struct tm at;
	local.tm_isdst = -1;
	if (!zone)
		return mktime(&local);
	int64_t wanted = timegm(&local), s = wanted - zone->offset_s;
	for (int i = 0; i < 2; i++) {
		tz_local(zone, s, &at);
		s = wanted - at.tm_gmtoff;
	}
	return s;
}

int64_t feature_wake_next(struct sv value, int64_t after_s, const struct tz *zone)
{
	struct wake w;
	struct tm now;
	if (!wake_read(value, &w))
		return 0;
	local_of(after_s, zone, &now);
	if (w.year) {
		struct tm at = {.tm_year = w.year - 1900,
		    .tm_mon = w.month - 1,
		    .tm_mday = w.day,
		    .tm_hour = w.hour,
		    .tm_min = w.minute};
		int64_t s = moment_of(at, zone);
		return s > after_s ? s : 0;
	}
	for (int i = 0; i < DAYS_AHEAD; i++) {
		struct tm at = {.tm_year = now.tm_year,
		    .tm_mon = now.tm_mon,
		    .tm_mday = now.tm_mday + i,
		    .tm_hour = w.hour,
		    .tm_min = w.minute};
		int64_t s = moment_of(at, zone);
		struct tm there;
		local_of(s, zone, &there);
		if (s > after_s && (!w.days || (w.days >> there.tm_wday & 1)))
			return s;
	}
	return 0;
}

int feature_wake_dated(struct sv value, int64_t due_s, const struct tz *zone, char out[FEATURE_VALUE_MAX])
{
	struct wake w;
	struct tm at;
	if (!wake_read(value, &w))
		return ST_INVAL;
	local_of(due_s, zone, &at);
	snprintf(out, FEATURE_VALUE_MAX, "%02d:%02d %04d-%02d-%02d", w.hour, w.minute, at.tm_year + 1900, at.tm_mon + 1,
	    at.tm_mday);
	return ST_OK;
}

/* ---- values ---- */

static const char *reason_of(struct sv t)
{
	static const char *const reasons[] = {"busy", "noanswer", "unreachable"};
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (sv_isi(t, reasons[i]))
			return reasons[i];
	return t.n ? NULL : reasons[0];
}

/* Two words: a number or a moment, and what was the matter (else busy). */
static int missed_check(const struct feature_kind *k, struct sv t, char out[FEATURE_VALUE_MAX])
{
	struct sv first, rest;
	uint64_t moment;
	sv_split(t, ' ', &first, &rest);
	const char *reason = reason_of(sv_trim(rest));
	if (!reason)
		return ST_INVAL;
	if (k->type == FEATURE_MISSED ? !feature_is_number(first)
	                              : first.n > MOMENT_DIGITS_MAX || sv_u64(first, &moment) || !moment)
		return ST_INVAL;
	snprintf(out, FEATURE_VALUE_MAX, "%.*s %s", SVF(first), reason);
	return ST_OK;
}

static int wake_check(struct sv t, char out[FEATURE_VALUE_MAX])
{
	struct wake w;
	struct sv time, days;
	if (!wake_read(t, &w))
		return ST_INVAL;
	sv_split(sv_trim(t), ' ', &time, &days);
	days = sv_trim(days);
	if (days.n > 40)
		return ST_INVAL;
	snprintf(out, FEATURE_VALUE_MAX, "%02d:%02d %.*s", w.hour, w.minute, SVF(days.n ? days : SV("once")));
	return ST_OK;
}

static int seconds_check(const struct feature_kind *k, struct sv t, char out[FEATURE_VALUE_MAX])
{
	uint32_t n;
	if (sv_u32(t, &n) || n < k->min || n > k->max)
		return ST_INVAL;
	snprintf(out, FEATURE_VALUE_MAX, "%u", (unsigned)n);
	return ST_OK;
}

static int flag_check(const struct feature_kind *k, struct sv t, char out[FEATURE_VALUE_MAX])
{
	bool is_on = !t.n || sv_isi(t, "true") || sv_isi(t, "on") || sv_isi(t, "yes") || sv_is(t, "1");
	bool is_off = sv_isi(t, "false") || sv_isi(t, "off") || sv_isi(t, "no") || sv_is(t, "0");
	if (!is_on && !is_off)
		return ST_INVAL;
	snprintf(out, FEATURE_VALUE_MAX, "%s", is_on ? "true" : "false");
	return ST_OK;
}

static bool is_pin(struct sv t)
{
	for (size_t i = 0; i < t.n; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return t.n >= 4 && t.n <= 12;
}

int feature_value_check(const struct feature_kind *k, struct sv value, char out[FEATURE_VALUE_MAX])
{
	value = sv_trim(value);
	switch (k->type) {
	case FEATURE_NUMBER:
		if (!feature_is_number(value))
			return ST_INVAL;
		break;
	case FEATURE_PIN:
		if (!is_pin(value))
			return ST_INVAL;
		break;
	case FEATURE_FLAG:
		return flag_check(k, value, out);
	case FEATURE_SECONDS:
		return seconds_check(k, value, out);
	case FEATURE_WAKE:
		return wake_check(value, out);
	case FEATURE_MISSED:
	case FEATURE_CALLBACK:
		return missed_check(k, value, out);
	}
	snprintf(out, FEATURE_VALUE_MAX, "%.*s", SVF(value));
	return ST_OK;
}
