#include "clock.h"
#include <time.h>

int64_t clock_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

int64_t cpu_ns(int pid)
{
	clockid_t id = CLOCK_PROCESS_CPUTIME_ID;
	struct timespec t;

	if ((pid && clock_getcpuclockid(pid, &id)) || clock_gettime(id, &t))
		return 0;
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
