/* Opening hours, and the way of a caller who is not served in this queue: to another one, where what he has waited
 * counts, or to an extension of the dialplan. The place is the configuration's text. */
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "callcenter/callcenter_i.h"
#include "callcenter/hours.h"
#include "core/conf/zone.h"
#include "core/registry/app_words.h"
#include "core/run/exec.h"
#include "core/run/expand.h"

#include <string.h>
#include <strings.h>

void cc_zone_find(struct cc_queue *q)
{
	struct tz zone;
	if (q->plus.is_zone_known)
		return;
	q->plus.is_zone_known = true;
	q->plus.has_zone = false;
	if (!q->s.time_zone || !*q->s.time_zone)
		return;
	char *name = mem_strdup(q->s.time_zone);
	int st = name ? zone_find(name, &zone) : ST_NOMEM;
	if (!st) {
		q->plus.zone = zone;
		q->plus.has_zone = true;
	} else {
		log_error("callcenter: time-zone=\"%s\" of queue %s: there is no such zone; the system's counts",
		    name ? name : "", q->name);
	}
	mem_free(name);
}

static ON_CTL void local_of(const struct cc_queue *q, int64_t now_s, struct tm *out)
{
	time_t at = (time_t)now_s;
	if (q && q->plus.has_zone)
		tz_local(&q->plus.zone, now_s, out);
	else
		(void)localtime_r(&at, out);
}

int64_t cc_local_offset_s(const struct cc_queue *q, int64_t now_s)
{
	struct tm tm;
	local_of(q, now_s, &tm);
	return tm.tm_gmtoff;
}

bool cc_is_open(const struct cc_queue *q)
{
	struct tm tm;
	if (!q->s.hours && !q->s.holidays)
		return true;
	local_of(q, cc_now_s(), &tm);
	return cc_hours_are_open(sv_of(q->s.hours), sv_of(q->s.holidays), &tm);
}

enum cc_outcome cc_gate(struct cc_queue *q)
{
	cc_zone_find(q);
	if (!cc_is_open(q))
		return CC_OUTCOME_CLOSED;
	if (q->s.overflow_waiting && q->waiting_count + q->trying_count >= (uint64_t)q->s.overflow_waiting)
		return CC_OUTCOME_FULL;
	return CC_OUTCOME_COUNT;
}

int cc_way_take(struct leg *leg, const char *to, struct cc_queue **next)
{
	struct app_words w;
	char *text = NULL;
	*next = NULL;
	if (!to || !*to)
		return ST_NOTFOUND;
	if (!strncasecmp(to, "queue:", 6)) {
		*next = cc_queue_get(to + 6);
		if (!*next)
			leg_log(leg, LOG_ERR, "callcenter: %s: there is no such queue", to);
		return *next ? ST_OK : ST_NOTFOUND;
	}
	int st = expand(leg, to, &text);
	if (st)
		return st;
	st = app_words_init(&w, text, 3);
	if (!st)
		st = w.n ? leg_transfer(leg, w.m[0], w.m[1], w.m[2]) : ST_NOTFOUND;
	app_words_fini(&w);
	mem_free(text);
	return st;
}
