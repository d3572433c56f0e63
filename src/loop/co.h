/* Stackful coroutines on the control loop, for applications and commands that read as plain sequential C.
 * Rules: a waiting function returns a status; after any wait, what you hold no reference to may be gone; nothing is
 * locked and no iterator is open across a wait; nobody kills a coroutine: it is told ST_CANCELLED or ST_HANGUP and
 * returns. 64 KiB stacks with a guard page, pooled (co_call_deep for what needs more). Own switch on x86-64 and
 * aarch64, ucontext elsewhere and on demand; sanitizer fiber calls and LeakSanitizer root regions sit in co.c only. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "loop/loop.h"
#include "loop/work.h"

struct co;
typedef void (*co_fn)(void *arg); /* begins with role_assert_co() */

/* Starts fn now; control returns to the caller when fn first waits or ends. Out may be NULL; it gets NULL when fn has
 * ended already, else a borrowed pointer valid until fn ends. Callable from the loop or
 * from another coroutine. */
ON_CTL int co_spawn(const char *name, co_fn fn, void *arg, struct co **out);
ON_CTL struct co *co_self(void); /* NULL outside */
ON_CTL const char *co_name(const struct co *c);
ON_CTL size_t co_live_count(void);
ON_CTL size_t co_stack_high_water_bytes(void); /* the deepest stack seen so far */

/* One place to wait at, embedded in whoever will be signalled. Zero-initialised is valid. At most one coroutine waits
 * at it. */
struct co_wait {
	struct co *waiter;
	struct ltimer timer;
	int result;
	bool is_signalled;
};
/* Waits until co_signal or the deadline. timeout_us < 0: no deadline. A signal that came before the wait is taken at
 * once. Returns the signalled status or ST_TIMEOUT. The co_wait may be freed by others once it returned. */
CO int co_wait(struct co_wait *w, int64_t timeout_us);
/* Wakes the waiter (it runs from a deferred call, not inside this one) with result; remembered when nobody waits: the
 * first of several. w may be freed right after. */
ON_CTL void co_signal(struct co_wait *w, int result);
ON_CTL void co_wait_reset(struct co_wait *w); /* forgets a remembered signal */
/* ST_OK after us, or ST_CANCELLED. */
CO int co_sleep(int64_t us);
/* For the end of the program: every co_sleep, running or begun later, ends at the loop's next turn with ST_CANCELLED.
 */
ON_CTL void co_sleepers_wake(void);
/* As co_wait, and the end of the program ends it too: for who waits without a leg, for as long as it takes.
 * ST_CANCELLED then. w lives until it returns. */
CO int co_wait_or_stop(struct co_wait *w, int64_t timeout_us);
/* Calls fn on a stack of 1 MiB and returns when it has: for libraries that recurse. It is the same coroutine, so fn may
 * wait; within it each further such call takes a stack of its own. ST_NOMEM: fn was not called. */
CO int co_call_deep(co_fn fn, void *arg);
/* Runs fn on a worker and waits for it. */
CO int co_work(enum work_kind kind, const char *name, void (*fn)(void *arg), void *arg);
