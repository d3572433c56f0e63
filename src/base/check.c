/* Failed assertions: one line on stderr, then abort. Not through the log ring: the process is about to end, and the
 * ring's writer may be what is broken. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_fail(const char *file, int line, const char *func, const char *expr)
{
	dprintf(2, "%s:%d: %s: CHECK failed: %s\n", file, line, func, expr);
	abort();
}
