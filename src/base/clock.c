/* Monotonic and wall clock, and the tests' fake pair of them: while fake, both stand still and are moved by hand. The
 * three words are atomic because media threads and the log writer read the clock too. */
#include "base/clock.h"
#include "base/check.h"
#include "base/fmt.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

static atomic_bool is_fake;
static _Atomic int64_t fake_mono_us, fake_wall_us;

static int64_t read_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
	if (__builtin_expect(atomic_load_explicit(&is_fake, memory_order_acquire), 0))
		return atomic_load(&fake_mono_us);
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t clock_wall_us(void)
{
	if (__builtin_expect(atomic_load_explicit(&is_fake, memory_order_acquire), 0))
		return atomic_load(&fake_wall_us);
	return read_us(CLOCK_REALTIME);
}

const char *clock_stamp(int64_t seconds, char out[CLOCK_STAMP_CHARS])
{
	static _Thread_local char last[CLOCK_STAMP_CHARS];
	static _Thread_local int64_t last_seconds;
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds != last_seconds || !*last) {
		if (!localtime_r(&t, &tm))
			memset(&tm, 0, sizeof(tm));
		fmt_print(last, sizeof(last), "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		last_seconds = seconds;
	}
	return memcpy(out, last, sizeof(last));
}

void clock_fake_start(int64_t wall_us)
{
	atomic_store(&fake_mono_us, clock_mono_us());
	atomic_store(&fake_wall_us, wall_us);
	atomic_store(&is_fake, true);
}

void clock_fake_advance(int64_t us)
{
	CHECK(us >= 0 && atomic_load(&is_fake));
	atomic_fetch_add(&fake_mono_us, us);
	atomic_fetch_add(&fake_wall_us, us);
}

void clock_fake_stop(void)
{
	atomic_store(&is_fake, false);
}

bool clock_is_fake(void)
{
	return atomic_load_explicit(&is_fake, memory_order_acquire);
}
