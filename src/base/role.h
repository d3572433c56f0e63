/* Thread roles. Under clang they are thread-safety capabilities: calling an ON_CTL function from a
 * function that is not ON_CTL fails at compile time. Callbacks, which the analysis cannot see through,
 * start with role_assert_ctl() (or _media, _work), which also tells the analysis. gcc sees nothing. */
#pragma once
#include <stdbool.h>

#if defined(__clang__)
#define ROLE_ATTR(x) __attribute__((x))
#else
#define ROLE_ATTR(x)
#endif

struct ROLE_ATTR(capability("role")) role {
	int unused;
};
extern struct role role_ctl, role_media, role_work, role_co;

#define ON_CTL ROLE_ATTR(requires_capability(role_ctl))      /* control thread only */
#define ON_MEDIA ROLE_ATTR(requires_capability(role_media))  /* a media thread only */
#define ON_WORK ROLE_ATTR(requires_capability(role_work))    /* a worker thread only */
#define ANY                                                  /* any thread */
#define CO ROLE_ATTR(requires_capability(role_ctl, role_co)) /* control thread, inside a coroutine; may suspend */
#define NO_ROLE_CHECK ROLE_ATTR(no_thread_safety_analysis)   /* thread entry points and tests */

enum role_kind { ROLE_NONE, ROLE_CTL, ROLE_MEDIA, ROLE_WORK };

/* Declares what the calling thread is, once, at its start. */
ANY void role_set(enum role_kind kind);
ANY enum role_kind role_get(void);
/* Abort with a message when the calling thread has another role. */
ANY void role_assert_ctl(void) ROLE_ATTR(assert_capability(role_ctl));
ANY void role_assert_media(void) ROLE_ATTR(assert_capability(role_media));
ANY void role_assert_work(void) ROLE_ATTR(assert_capability(role_work));
/* Abort unless a coroutine is running on this thread (the flag is kept by loop/co.c). */
ANY void role_assert_co(void) ROLE_ATTR(assert_capability(role_ctl, role_co));
ANY void role_set_in_co(bool is_in_co);
