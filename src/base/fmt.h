/* Formatting without stdio, for what the switch writes all day: a third of a call's instructions were vsnprintf's. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

/* As snprintf and vsnprintf, to the byte and in what they return (the length wanted, negative: the format is broken).
 * The conversions d i u x X c s f (of up to six decimals) and %, with their lengths, widths, precisions and the flags 0
 * and -, are done here; a format with any other is left to the C library as a whole. */
int fmt_print(char *out, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int fmt_vprint(char *out, size_t cap, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));

/* A number in decimals, without a zero byte; returns how many (at most 20). */
size_t fmt_u64(char *out, unsigned long long v);
