/* Admission of new legs (max-sessions, sessions-per-second, pause, shutdown) and the counters that `status` shows. A
 * timer that runs once a second while there is something to count moves the per-second and five-minute windows, and
 * gives memory back to the system when a crowd of calls has gone. */
#include "core/registry/limits.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "loop/loop.h"
#include "loop/work.h"
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FIVE_MINUTES_S = 300, SECOND_US = 1000000, CROWD_LEGS = 200, TRIM_FIRST_S = 3, TRIM_LAST_S = 40 };

static struct core_limits limits = {
    .max_sessions = 1000, .sessions_per_second = 30, .min_dtmf = 400, .max_dtmf = 192000, .default_dtmf = 2000};
static struct core_counters counters;
static struct ltimer second_timer;
static uint32_t second_of_five;
static uint64_t cpu_idle_before, cpu_all_before;
static uint64_t legs_at_trim;
static uint32_t quiet_s;

struct core_limits *core_limits(void)
{
	return &limits;
}
const struct core_counters *core_counters(void)
{
	return &counters;
}
uint64_t limits_serial(void)
{
	return counters.sessions_since_startup;
}
void limits_count_answered(void)
{
	counters.answered++;
}
void limits_count_bridged(void)
{
	counters.bridged++;
}
void limits_count_failed(void)
{
	counters.failed++;
}

int limits_session_begin(bool is_outbound)
{
	if (limits.is_shutting_down || (is_outbound ? limits.is_paused_outbound : limits.is_paused_inbound))
		return ST_LIMIT;
	if (limits.max_sessions && counters.sessions_now >= limits.max_sessions) {
		log_uuid(LOG_CRIT, NULL, "Over Session Limit! %u", limits.max_sessions);
		return ST_LIMIT;
	}
	if (limits.sessions_per_second && counters.sps_now >= limits.sessions_per_second) {
		log_uuid(LOG_CRIT, NULL, "Throttle Error! %u", counters.sps_now);
		return ST_LIMIT;
	}
	if (limits.min_idle_cpu > 0 && counters.idle_cpu < limits.min_idle_cpu && counters.idle_cpu > 0)
		return ST_LIMIT;
	counters.sessions_since_startup++;
	counters.sessions_now++;
	counters.sps_now++;
	if (counters.sessions_now > counters.sessions_peak)
		counters.sessions_peak = counters.sessions_now;
	if (counters.sessions_now > counters.sessions_peak_fivemin)
		counters.sessions_peak_fivemin = counters.sessions_now;
	if (counters.sps_now > counters.sps_peak)
		counters.sps_peak = counters.sps_now;
	if (counters.sps_now > counters.sps_peak_fivemin)
		counters.sps_peak_fivemin = counters.sps_now;
	return ST_OK;
}

void limits_session_end(void)
{
	counters.sessions_now--;
}

static void read_idle_cpu(void)
{
	unsigned long long v[8] = {0};
	uint64_t all = 0, idle;
	FILE *f = fopen("/proc/stat", "re");

	if (!f)
		return;
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
	        &v[7]) == 8) {
		for (int i = 0; i < 8; i++)
			all += v[i];
		idle = v[3] + v[4];
		if (cpu_all_before && all > cpu_all_before)
			counters.idle_cpu = 100.0 * (double)(idle - cpu_idle_before) / (double)(all - cpu_all_before);
		cpu_all_before = all, cpu_idle_before = idle;
	}
	fclose(f);
}

static void trim_work(void *arg)
{
	int64_t begin_us = clock_mono_us();
	role_assert_work();
	malloc_trim(0);
	log_info("memory was given back in %lld ms", (long long)(clock_mono_us() - begin_us) / 1000);
}

/* What calls leave is full of holes that malloc keeps. On a worker, as the system call for each hole takes time; once
 * when the calls have gone and once when their transactions have (RFC 3261, 64*T1). malloc holds its lock all the
 * while (400 ms for 250 MB of holes, measured), and control would wait at its next allocation: so only while there is
 * no call at all. */
static ON_CTL void memory_give_back(void)
{
	if (counters.sessions_since_startup - legs_at_trim < CROWD_LEGS || counters.sessions_now || counters.sps_last) {
		quiet_s = 0;
		return;
	}
	quiet_s++;
	if (quiet_s == TRIM_FIRST_S || quiet_s == TRIM_LAST_S)
		(void)work_submit(WORK_FILE, "memory", trim_work, NULL, NULL);
	if (quiet_s == TRIM_LAST_S)
		legs_at_trim = counters.sessions_since_startup;
}

static void second_passed(void *arg)
{
	role_assert_ctl();
	counters.sps_last = counters.sps_now;
	counters.sps_now = 0;
	if (++second_of_five % 5 == 0)
		read_idle_cpu();
	memory_give_back();
	if (second_of_five >= FIVE_MINUTES_S) {
		second_of_five = 0;
		counters.sessions_peak_fivemin = counters.sessions_now;
		counters.sps_peak_fivemin = counters.sps_last;
	}
	loop_timer_set(&second_timer, SECOND_US, "limits", second_passed, NULL);
}

void limits_start(void)
{
	uint32_t now = counters.sessions_now;
	memset(&counters, 0, sizeof(counters));
	legs_at_trim = 0;
	counters.sessions_now = now;
	counters.start_mono_us = clock_mono_us();
	counters.start_wall_us = clock_wall_us();
	counters.idle_cpu = 100.0;
	read_idle_cpu();
	loop_timer_set(&second_timer, SECOND_US, "limits", second_passed, NULL);
}

void limits_stop(void)
{
	loop_timer_cancel(&second_timer);
}

static void (*dump)(struct sv realm, struct buf *out);

void limits_dump_set(void (*fn)(struct sv realm, struct buf *out))
{
	dump = fn;
}

void limits_dump(struct sv realm, struct buf *out)
{
	if (dump)
		dump(realm, out);
}

enum { FARS_MAX = 4 };
static const struct limit_far *fars[FARS_MAX];

int limits_far_add(const struct limit_far *f)
{
	if (limits_far_find(f->name))
		return ST_EXISTS;
	for (size_t i = 0; i < FARS_MAX; i++)
		if (!fars[i]) {
			fars[i] = f;
			return ST_OK;
		}
	return ST_FULL;
}

void limits_far_del(const struct limit_far *f)
{
	for (size_t i = 0; i < FARS_MAX; i++)
		if (fars[i] == f)
			fars[i] = NULL;
}

const struct limit_far *limits_far_find(const char *name)
{
	for (size_t i = 0; i < FARS_MAX; i++)
		if (fars[i] && !strcasecmp(fars[i]->name, name))
			return fars[i];
	return NULL;
}
