/* Graded assertions. CHECK stays in every build and aborts with file, line and the expression; DCHECK is compiled out
 * of release builds; both are for our own bugs, never for what comes from outside. */
#pragma once

_Noreturn void check_fail(const char *file, int line, const char *func, const char *expr);
#define CHECK(e) ((e) ? (void)0 : check_fail(__FILE__, __LINE__, __func__, #e))
#ifdef NDEBUG
#define DCHECK(e) ((void)0)
#else
#define DCHECK(e) CHECK(e)
#endif
#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
