/* Coroutines: a pool of mapped stacks with guard pages, a chain of resumers (main context <- coroutine <- coroutine it
 * spawned ...), and waiting. co_wait parks the running coroutine and goes back to its resumer; co_signal or the
 * deadline takes the coroutine out of the wait at once, so exactly one result is delivered, and resumes it from the
 * loop. The sanitizers' fiber calls and root regions are here and nowhere else. */
#include "loop/co.h"
#include "base/check.h"
#include "base/mem.h"
#include "loop/co_i.h"
#include "loop/loop_i.h"
#include "loop/work.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if !CO_OWN_SWITCH
#include <ucontext.h>
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CO_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define CO_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CO_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define CO_TSAN 1
#endif
#ifdef CO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define NO_ASAN __attribute__((no_sanitize("address")))
#else
#define NO_ASAN
#endif
#ifdef CO_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#if defined(CO_ASAN) || defined(CO_TSAN)
enum { STACK_BYTES = 256 * 1024 };
#else
enum { STACK_BYTES = 64 * 1024 };
#endif
enum { IDLE_STACKS_MAX = 256 };

struct stack {
	struct lnode link;
	char *low;   /* lowest usable byte; the guard page is below */
	size_t used; /* deepest use found so far */
#ifdef CO_TSAN
	void *tsan_fiber;
#endif
};

struct context {
#if CO_OWN_SWITCH
	void *sp;
#else
	ucontext_t uc;
#endif
#ifdef CO_ASAN
	void *fake_stack;
	const void *bottom;
	size_t bytes;
#endif
#ifdef CO_TSAN
	void *tsan_fiber;
#endif
};

struct co {
	struct context context;
	struct stack *stack;
	struct co *resumer; /* NULL: the main context */
	struct lnode link;  /* in live_cos */
	const char *name;
	co_fn fn;
	void *arg;
	struct ldefer wake;
	int result;
	bool is_running, is_done;
	unsigned depth; /* of loop_enter at the last resume */
};

static struct context main_context;
static struct co *current;
static struct list live_cos = {{&live_cos.head, &live_cos.head}}; /* tools/gdb-co.py walks it */
static size_t live_count, high_water_bytes, idle_count, page_bytes;
static struct list idle_stacks = {{&idle_stacks.head, &idle_stacks.head}};

/* ---- stacks ---- */

/* From Linux 6.13 a guard costs no mapping of its own, so that neighbouring stacks share one; before, each stack takes
 * two of the kernel's 65,530. */
static int guard_page(char *page)
{
	enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL, in no libc header yet */
	static bool is_refused;
	if (!is_refused && madvise(page, page_bytes, GUARD_INSTALL) == 0)
		return 0;
	is_refused = true;
	return mprotect(page, page_bytes, PROT_NONE);
}

static struct stack *stack_map(void)
{
	if (!page_bytes)
		page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct stack *s = mem_new(sizeof(*s), NULL, "loop.stack");
	if (!s)
		return NULL;
	char *map = mmap(NULL, STACK_BYTES + page_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		goto fail;
	if (guard_page(map)) {
		munmap(map, STACK_BYTES + page_bytes);
		goto fail;
	}
	s->low = map + page_bytes;
#ifdef CO_ASAN
	__lsan_register_root_region(s->low, STACK_BYTES);
#endif
#ifdef CO_TSAN
	s->tsan_fiber = __tsan_create_fiber(0);
#endif
	return s;
fail:
	mem_unref(s);
	return NULL;
}

static void stack_unmap(struct stack *s)
{
#ifdef CO_ASAN
	__lsan_unregister_root_region(s->low, STACK_BYTES);
	__asan_unpoison_memory_region(s->low, STACK_BYTES);
#endif
#ifdef CO_TSAN
	__tsan_destroy_fiber(s->tsan_fiber);
#endif
	munmap(s->low - page_bytes, STACK_BYTES + page_bytes);
	mem_unref(s);
}

static struct stack *stack_get(void)
{
	struct lnode *node = list_first(&idle_stacks);
	if (!node)
		return stack_map();
	list_remove(node);
	idle_count--;
	return list_entry(node, struct stack, link);
}

/* Looks from the deepest page known to be used downward, page by page, until one was never written. Pages that were
 * never touched read as zeros. A function that skips a whole page without writing to it is not seen. */
static NO_ASAN void stack_measure(struct stack *s)
{
	const char *page = s->low + STACK_BYTES - s->used / page_bytes * page_bytes;
	while (page > s->low) {
		const uint64_t *word = (const uint64_t *)(page - page_bytes), *end = (const uint64_t *)page;
		while (word < end && !*word)
			word++;
		if (word == end)
			break;
		s->used = (size_t)(s->low + STACK_BYTES - (const char *)word);
		page -= page_bytes;
	}
	if (s->used > high_water_bytes)
		high_water_bytes = s->used;
}

static void stack_put(struct stack *s)
{
	stack_measure(s);
	if (idle_count >= IDLE_STACKS_MAX) {
		stack_unmap(s);
		return;
	}
#ifdef CO_ASAN
	__asan_unpoison_memory_region(s->low, STACK_BYTES);
#endif
	list_unshift(&idle_stacks, &s->link);
	idle_count++;
}

/* ---- switching ---- */

static void context_switch(struct context *from, struct context *to, bool is_from_ending)
{
#ifdef CO_ASAN
	__sanitizer_start_switch_fiber(is_from_ending ? NULL : &from->fake_stack, to->bottom, to->bytes);
#endif
#ifdef CO_TSAN
	__tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
#if CO_OWN_SWITCH
	co_switch_asm(&from->sp, to->sp);
#else
	swapcontext(&from->uc, &to->uc);
#endif
#ifdef CO_ASAN
	__sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#endif
}

static struct context *context_of(struct co *c)
{
	return c ? &c->context : &main_context;
}

static void co_entry(void)
{
#ifdef CO_ASAN
	const void *bottom;
	size_t bytes;
	__sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
	/* The first coroutine of all is how the main stack's bounds are learnt. */
	if (!current->resumer)
		main_context.bottom = bottom, main_context.bytes = bytes;
#endif
	struct co *c = current;
	c->fn(c->arg);
	c->is_done = true;
	context_switch(&c->context, context_of(c->resumer), true);
	__builtin_unreachable();
}

static void context_make(struct co *c)
{
	char *top = c->stack->low + STACK_BYTES;
#if CO_OWN_SWITCH
	c->context.sp = co_stack_prepare(top, co_entry);
#else
	(void)top;
	getcontext(&c->context.uc);
	c->context.uc.uc_stack.ss_sp = c->stack->low;
	c->context.uc.uc_stack.ss_size = STACK_BYTES;
	c->context.uc.uc_link = NULL;
	makecontext(&c->context.uc, co_entry, 0);
#endif
#ifdef CO_ASAN
	c->context.bottom = c->stack->low, c->context.bytes = STACK_BYTES;
#endif
#ifdef CO_TSAN
	c->context.tsan_fiber = c->stack->tsan_fiber;
#endif
}

/* Runs c until it waits or ends. */
static void resume(struct co *c)
{
	struct co *me = current;
	CHECK(!c->is_running && !c->is_done);
#ifdef CO_TSAN
	if (!me)
		main_context.tsan_fiber = __tsan_get_current_fiber();
#endif
	loop_enter(c->name);
	c->resumer = me;
	c->is_running = true;
	c->depth = loop_depth();
	current = c;
	role_set_in_co(true);
	context_switch(context_of(me), &c->context, false);
	c->is_running = false;
	current = me;
	role_set_in_co(me != NULL);
	loop_leave();
	if (!c->is_done)
		return;
	stack_put(c->stack);
	live_count--;
	list_remove(&c->link);
	mem_unref(c);
}

int co_spawn(const char *name, co_fn fn, void *arg, struct co **out)
{
	struct co *c = mem_new(sizeof(*c), NULL, "loop.co");
	if (!c)
		return ST_NOMEM;
	c->stack = stack_get();
	if (!c->stack) {
		mem_unref(c);
		return ST_NOMEM;
	}
	c->name = name, c->fn = fn, c->arg = arg;
	context_make(c);
	live_count++;
	list_push(&live_cos, &c->link);
	mem_ref(c);
	resume(c);
	if (out)
		*out = c->is_done ? NULL : c;
	mem_unref(c);
	return ST_OK;
}

struct co *co_self(void)
{
	return current;
}

const char *co_name(const struct co *c)
{
	return c->name;
}

size_t co_live_count(void)
{
	return live_count;
}

size_t co_stack_high_water_bytes(void)
{
	return high_water_bytes;
}

/* ---- waiting ---- */

static void co_wake(void *arg)
{
	resume(arg);
}

/* Ends the wait: from here on nothing of w is touched, and the next signal counts for the next wait. */
static ON_CTL struct co *wait_end(struct co_wait *w, int result)
{
	struct co *c = w->waiter;
	w->waiter = NULL;
	loop_timer_cancel(&w->timer);
	c->result = result;
	return c;
}

static void wait_timed_out(void *arg)
{
	struct co_wait *w = arg;
	role_assert_ctl();
	resume(wait_end(w, ST_TIMEOUT));
}

/* timeout_us < 0: none. */
static CO int wait_for(struct co_wait *w, int64_t timeout_us)
{
	struct co *c = current;
	CHECK(c && !w->waiter);
	DCHECK(loop_depth() == c->depth); /* no loop_enter may be open across a wait */
	w->waiter = c;
	if (timeout_us >= 0)
		loop_timer_set(&w->timer, timeout_us, c->name, wait_timed_out, w);
	context_switch(&c->context, context_of(c->resumer), false);
	return c->result;
}

int co_wait(struct co_wait *w, int64_t timeout_us)
{
	if (w->is_signalled) {
		w->is_signalled = false;
		return w->result;
	}
	return timeout_us == 0 ? ST_TIMEOUT : wait_for(w, timeout_us);
}

void co_signal(struct co_wait *w, int result)
{
	if (!w->waiter) {
		if (!w->is_signalled)
			w->result = result, w->is_signalled = true;
		return;
	}
	struct co *c = wait_end(w, result);
	loop_defer(&c->wake, c->name, co_wake, c);
}

void co_wait_reset(struct co_wait *w)
{
	w->is_signalled = false;
}

struct sleeper {
	struct co_wait wait;
	struct lnode link;
};
static struct list sleepers = {{&sleepers.head, &sleepers.head}};
static bool is_sleep_over;

int co_sleep(int64_t us)
{
	struct sleeper s = {0};
	list_push(&sleepers, &s.link);
	int rc = wait_for(&s.wait, us > 0 && !is_sleep_over ? us : 0);
	list_remove(&s.link);
	return rc == ST_CANCELLED || is_sleep_over ? ST_CANCELLED : ST_OK;
}

void co_sleepers_wake(void)
{
	struct lnode *it, *tmp;
	is_sleep_over = true;
	list_each (&sleepers, it, tmp) {
		struct sleeper *s = list_entry(it, struct sleeper, link);
		if (s->wait.waiter)
			co_signal(&s->wait, ST_CANCELLED);
	}
}

struct co_job {
	struct co_wait wait;
	work_fn fn;
	void *arg;
};

static void co_job_run(void *arg)
{
	struct co_job *j = arg;
	j->fn(j->arg);
}

static void co_job_done(int status, void *arg)
{
	struct co_job *j = arg;
	role_assert_ctl();
	co_signal(&j->wait, status);
}

int co_work(const char *name, void (*fn)(void *arg), void *arg)
{
	struct co_job j = {.fn = fn, .arg = arg};
	int rc = work_submit(name, co_job_run, co_job_done, &j);
	return rc ? rc : co_wait(&j.wait, -1);
}

void co_fini(void)
{
	struct lnode *node;
	is_sleep_over = false;
	while ((node = list_first(&idle_stacks))) {
		list_remove(node);
		idle_count--;
		stack_unmap(list_entry(node, struct stack, link));
	}
}
