/* Which kind of thread the caller is: one thread-local word, set at the thread's start, and whether a coroutine is
 * running on it (kept by loop/co.c). The clang capabilities exist at compile time only. */
#include "base/role.h"

#include <stdio.h>
#include <stdlib.h>

struct role role_ctl, role_media, role_work, role_co;

static _Thread_local enum role_kind my_kind;
static _Thread_local bool is_in_co_now;

static const char *const role_names[] = {"no role", "control", "media", "worker"};

void role_set(enum role_kind kind)
{
	my_kind = kind;
}

enum role_kind role_get(void)
{
	return my_kind;
}

static void role_expect(enum role_kind want)
{
	if (my_kind == want)
		return;
	dprintf(2, "wrong thread: this is for the %s thread, called on a thread of role: %s\n", role_names[want],
	    role_names[my_kind]);
	abort();
}

void role_assert_ctl(void)
{
	role_expect(ROLE_CTL);
}

void role_assert_media(void)
{
	role_expect(ROLE_MEDIA);
}

void role_assert_work(void)
{
	role_expect(ROLE_WORK);
}

void role_assert_co(void)
{
	role_expect(ROLE_CTL);
	if (is_in_co_now)
		return;
	dprintf(2, "a function that may wait was called outside a coroutine\n");
	abort();
}

void role_set_in_co(bool is_in_co)
{
	is_in_co_now = is_in_co;
}
