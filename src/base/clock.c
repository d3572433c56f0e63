/* Monotonic and wall clock, and the tests' fake pair of them: while fake, both stand still and are moved by hand. The
 * three words are atomic because media threads and the log writer read the clock too. */
#include "base/clock.h"
#include "base/check.h"

#include <stdatomic.h>
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
