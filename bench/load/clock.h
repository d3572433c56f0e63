/* What the generators read of time. */
#pragma once
#include <stdint.h>

int64_t clock_us(void);  /* monotonic */
int64_t cpu_ns(int pid); /* CPU time of a process; 0: this one. 0 when it is not there */
