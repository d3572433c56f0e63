/* Clocks. All deadlines are on the monotonic clock; wall time is only for people and records. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Times that somebody else wrote (a command, a variable, a setting, a packet) become microseconds here and nowhere else
 * (tools/check-time): kept within CLOCK_US_MAX, some 70,000 years, so that no product runs over, nor a sum with a clock
 * or with another of these. */
#define CLOCK_US_MAX (INT64_MAX / 4)
static inline int64_t clock_us_of_s(int64_t s)
{
	const int64_t max = CLOCK_US_MAX / 1000000;
	return s > max ? CLOCK_US_MAX : s < -max ? -CLOCK_US_MAX : s * 1000000;
}
static inline int64_t clock_us_of_ms(int64_t ms)
{
	const int64_t max = CLOCK_US_MAX / 1000;
	return ms > max ? CLOCK_US_MAX : ms < -max ? -CLOCK_US_MAX : ms * 1000;
}
static inline uint32_t clock_ms_of_s(uint64_t s)
{
	return s > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)s * 1000;
}

int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
int64_t clock_wall_us(void); /* since 1970-01-01 UTC */
enum { CLOCK_STAMP_CHARS = 32 };
/* Seconds since 1970 as local time, "2026-11-20 20:54:35", into out, which it returns. What was made last is kept, as
 * most that is asked for in a row is of the same second. */
const char *clock_stamp(int64_t seconds, char out[CLOCK_STAMP_CHARS]);
/* Tests: from now on both clocks stand still and move only by clock_fake_advance; loop timers follow. */
void clock_fake_start(int64_t wall_us);
void clock_fake_advance(int64_t us);
void clock_fake_stop(void);
bool clock_is_fake(void);
