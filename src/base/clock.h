/* Clocks. All deadlines are on the monotonic clock; wall time is only for people and records. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

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
