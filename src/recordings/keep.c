/* What is kept how long: the oldest recordings go when they are older than keep-days, or when all together are larger
 * than max-size. A coroutine looks a minute after the start and every ten minutes, and removes a bounded number in a
 * go, so that a bound set low on a full store does not hold the disk up. */
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "loop/co.h"
#include "recordings/recordings_i.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>

enum { FIRST_US = 60000000, EVERY_US = 600000000, AT_ONCE = 500, DAY_S = 86400, SOON_US = 1000000 };
static bool is_on, is_running;
static struct co_wait changed;

static CO size_t remove_of(const char *text, const struct sv *params, size_t n, const char *why)
{
	struct store_rows rows;
	struct sv cell;
	char path[REC_PATH_MAX];
	size_t at = 0, count = 0;
	if (!rec_store)
		return 0;
	int st = store_sql_run(rec_store, text, params, n, &rows);
	if (st && st != ST_CANCELLED)
		log_error("recordings: %s cannot be looked at: %s", why, status_text(st));
	for (size_t i = 0; !st && is_on && store_rows_next(&rows, &at, &cell); i++) {
		if (!i || cell.n >= sizeof(path)) /* the column's name first */
			continue;
		snprintf(path, sizeof(path), "%.*s", SVF(cell));
		rec_remove(path, why);
		count++;
	}
	store_rows_fini(&rows);
	return count;
}

static CO size_t remove_old(void)
{
	char before[24], text[120];
	snprintf(
	    before, sizeof(before), "%010" PRId64, clock_wall_us() / 1000000 - (int64_t)rec_conf.keep_days * DAY_S);
	snprintf(text, sizeof(text), "SELECT path FROM recordings WHERE started<$1 ORDER BY started LIMIT %d", AT_ONCE);
	const struct sv params[] = {sv_of(before)};
	return rec_conf.keep_days ? remove_of(text, params, 1, "keep-days") : 0;
}

/* The newest that fit stay: those after which the sum, from the newest on, is over the bound go. */
static CO size_t remove_large(void)
{
	char text[320];
	snprintf(text, sizeof(text),
	    "SELECT path FROM (SELECT path, started, SUM(CAST(bytes AS BIGINT)) OVER (ORDER BY started DESC, path) AS "
	    "total FROM recordings) AS t "
	    "WHERE total>%" PRIu64 " ORDER BY started LIMIT %d",
	    rec_conf.max_bytes, AT_ONCE);
	return rec_conf.max_bytes ? remove_of(text, NULL, 0, "max-size") : 0;
}

static void run(void *arg)
{
	role_assert_co();
	int64_t wait_us = FIRST_US;
	while (is_on && co_wait_or_stop(&changed, wait_us) != ST_CANCELLED && is_on) {
		size_t n = remove_old();
		if (is_on)
			n += remove_large();
		wait_us = n >= AT_ONCE ? SOON_US : EVERY_US;
	}
	is_running = false;
}

void rec_keep_now(void)
{
	if (is_running)
		co_signal(&changed, ST_OK);
}

int rec_keep_start(void)
{
	is_on = true;
	if (is_running) /* it has not ended yet, and goes on */
		return ST_OK;
	is_running = true;
	int st = co_spawn("recordings", run, NULL, NULL);
	if (st)
		is_on = is_running = false;
	return st;
}

void rec_keep_stop(void)
{
	is_on = false;
	if (is_running)
		co_signal(&changed, ST_OK);
}
