/* What must be back from the last run before the switch says that it is ready: registrations, the values of `db`. Who
 * begins to read holds readiness by a name and lets it go when all has come, or cannot come. main hears of the moment
 * in which nothing is held any more. */
#include "core/registry/ready.h"
#include "base/check.h"
#include "base/log.h"
#include "loop/loop.h"
#include <string.h>

enum { HOLDS_MAX = 16 };

static const char *holds[HOLDS_MAX];
static size_t hold_count;
static void (*ready_fn)(void *arg);
static void *ready_arg;
static struct ldefer ready_defer;

static void ready_tell(void *arg)
{
	void (*fn)(void *) = ready_fn;
	role_assert_ctl();
	if (hold_count || !fn)
		return;
	ready_fn = NULL;
	fn(ready_arg);
}

void core_ready_hold(const char *what)
{
	CHECK(hold_count < HOLDS_MAX);
	holds[hold_count++] = what;
}

void core_ready_release(const char *what)
{
	for (size_t i = 0; i < hold_count; i++) {
		if (strcmp(holds[i], what) != 0)
			continue;
		memmove(&holds[i], &holds[i + 1], (hold_count - i - 1) * sizeof(holds[0]));
		hold_count--;
		break;
	}
	if (!hold_count && ready_fn)
		loop_defer(&ready_defer, "core ready", ready_tell, NULL);
}

const char *core_ready_held(void)
{
	return hold_count ? holds[0] : NULL;
}

void core_on_ready(void (*fn)(void *arg), void *arg)
{
	ready_fn = fn, ready_arg = arg;
	if (fn && !hold_count)
		loop_defer(&ready_defer, "core ready", ready_tell, NULL);
	else if (!fn)
		loop_defer_cancel(&ready_defer);
}
