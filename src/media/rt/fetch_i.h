/* Memory that will be needed soon is asked for. */
#pragma once
#include <stddef.h>

/* (Always inline: gcc takes a function that only fetches for one that does nothing, and leaves its calls out.) */
static inline __attribute__((always_inline)) void lines_fetch(const void *p, size_t n)
{
	for (size_t at = 0; at < n; at += 64)
		__builtin_prefetch((const char *)p + at, 1);
	__builtin_prefetch((const char *)p + n - 1, 1);
}
