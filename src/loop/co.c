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
enum { DEEP_STACK_BYTES = 1024 * 1024, IDLE_STACKS_MAX = 256, IDLE_DEEP_STACKS_MAX = 32 };

struct stack {
	struct lnode link;
	char *low; /* lowest usable byte; the guard page is below */
	size_t bytes;
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
	struct context context; /* of the stack it is on */
	struct stack *stack;
	struct deep_call *deep; /* the innermost, while it is on a deep stack */
	struct co *resumer;     /* NULL: the main context */
	struct lnode link;      /* in live_cos */
	const char *name;
	co_fn fn;
	void *arg;
	struct ldefer wake;
	int result;
	bool is_running, is_done;
	unsigned depth; /* of loop_enter at the last resume */
};

struct deep_call {
	struct deep_call *outer;
	struct context shallow; /* where the call goes back to */
	co_fn fn;
	void *arg;
};

static struct context main_context;
static struct co *current;
static struct list live_cos = {{&live_cos.head, &live_cos.head}}; /* tools/gdb-co.py walks it */
static size_t live_count, high_water_bytes, page_bytes;
static struct pool {
	struct list idle;
	size_t idle_count, idle_max, bytes;
} stacks = {{{&stacks.idle.head, &stacks.idle.head}}, 0, IDLE_STACKS_MAX, STACK_BYTES},
  deep_stacks = {{{&deep_stacks.idle.head, &deep_stacks.idle.head}}, 0, IDLE_DEEP_STACKS_MAX, DEEP_STACK_BYTES};

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

static struct stack *stack_map(size_t bytes)
{
	if (!page_bytes)
		page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	struct stack *s = mem_new(sizeof(*s), NULL, "loop.stack");
	if (!s)
		return NULL;
	s->bytes = bytes;
	loop_mark("stack map");
	char *map = mmap(NULL, bytes + page_bytes, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (map == MAP_FAILED)
		goto fail;
	if (guard_page(map)) {
		munmap(map, bytes + page_bytes);
		goto fail;
	}
	s->low = map + page_bytes;
	loop_mark("stack mapped");
#ifdef CO_ASAN
	__lsan_register_root_region(s->low, bytes);
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
	__lsan_unregister_root_region(s->low, s->bytes);
	__asan_unpoison_memory_region(s->low, s->bytes);
#endif
#ifdef CO_TSAN
	__tsan_destroy_fiber(s->tsan_fiber);
#endif
	loop_mark("stack unmap");
	munmap(s->low - page_bytes, s->bytes + page_bytes);
	loop_mark("stack unmapped");
	mem_unref(s);
}

static struct stack *stack_get(struct pool *pool)
{
	struct lnode *node = list_first(&pool->idle);
	if (!node)
		return stack_map(pool->bytes);
	list_remove(node);
	pool->idle_count--;
	return list_entry(node, struct stack, link);
}

/* Looks from the deepest page known to be used downward, page by page, until one was never written. Pages that were
 * never touched read as zeros. A function that skips a whole page without writing to it is not seen. */
static NO_ASAN void stack_measure(struct stack *s)
{
	const char *page = s->low + s->bytes - s->used / page_bytes * page_bytes;
	while (page > s->low) {
		const uint64_t *word = (const uint64_t *)(page - page_bytes), *end = (const uint64_t *)page;
		while (word < end && !*word)
			word++;
		if (word == end)
			break;
		s->used = (size_t)(s->low + s->bytes - (const char *)word);
		page -= page_bytes;
	}
	if (s->bytes == STACK_BYTES && s->used > high_water_bytes)
		high_water_bytes = s->used;
}

static void stack_put(struct pool *pool, struct stack *s)
{
	stack_measure(s);
	if (pool->idle_count >= pool->idle_max) {
		stack_unmap(s);
		return;
	}
#ifdef CO_ASAN
	__asan_unpoison_memory_region(s->low, s->bytes);
#endif
	list_unshift(&pool->idle, &s->link);
	pool->idle_count++;
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

static void context_make(struct context *x, struct stack *s, void (*entry)(void))
{
#if CO_OWN_SWITCH
	x->sp = co_stack_prepare(s->low + s->bytes, entry);
#else
	getcontext(&x->uc);
	x->uc.uc_stack.ss_sp = s->low;
	x->uc.uc_stack.ss_size = s->bytes;
	x->uc.uc_link = NULL;
	makecontext(&x->uc, entry, 0);
#endif
#ifdef CO_ASAN
	x->bottom = s->low, x->bytes = s->bytes;
#endif
#ifdef CO_TSAN
	x->tsan_fiber = s->tsan_fiber;
#endif
}

static void deep_entry(void)
{
#ifdef CO_ASAN
	__sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
	struct co *c = current;
	c->deep->fn(c->deep->arg);
	context_switch(&c->context, &c->deep->shallow, true);
	__builtin_unreachable();
}

/* The coroutine's context becomes that of the deep stack, so waits inside find it there. */
int co_call_deep(co_fn fn, void *arg)
{
	struct co *c = current;
	struct deep_call call = {.fn = fn, .arg = arg};
	struct stack *s;
	CHECK(c);
	s = stack_get(&deep_stacks);
	if (!s)
		return ST_NOMEM;
	call.outer = c->deep;
	call.shallow = c->context;
	context_make(&c->context, s, deep_entry);
	c->deep = &call;
	context_switch(&call.shallow, &c->context, false);
	c->deep = call.outer;
	c->context = call.shallow;
	stack_put(&deep_stacks, s);
	return ST_OK;
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
	stack_put(&stacks, c->stack);
	live_count--;
	list_remove(&c->link);
	mem_unref(c);
}

int co_spawn(const char *name, co_fn fn, void *arg, struct co **out)
{
	struct co *c = mem_new(sizeof(*c), NULL, "loop.co");
	if (!c)
		return ST_NOMEM;
	c->stack = stack_get(&stacks);
	if (!c->stack) {
		mem_unref(c);
		return ST_NOMEM;
	}
	c->name = name, c->fn = fn, c->arg = arg;
	context_make(&c->context, c->stack, co_entry);
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
	struct co_wait *wait;
	struct lnode link;
};
static struct list sleepers = {{&sleepers.head, &sleepers.head}};
static bool is_sleep_over;

static CO int wait_as_sleeper(struct co_wait *w, int64_t timeout_us)
{
	struct sleeper s = {.wait = w};
	int rc;
	list_push(&sleepers, &s.link);
	rc = wait_for(w, is_sleep_over ? 0 : timeout_us);
	list_remove(&s.link);
	return is_sleep_over ? ST_CANCELLED : rc;
}

int co_sleep(int64_t us)
{
	struct co_wait w = {0};
	int rc = wait_as_sleeper(&w, us > 0 ? us : 0);
	return rc == ST_TIMEOUT ? ST_OK : rc;
}

int co_wait_or_stop(struct co_wait *w, int64_t timeout_us)
{
	if (w->is_signalled || (timeout_us == 0 && !is_sleep_over))
		return co_wait(w, timeout_us);
	return wait_as_sleeper(w, timeout_us);
}

void co_sleepers_wake(void)
{
	struct lnode *it, *tmp;
	is_sleep_over = true;
	list_each (&sleepers, it, tmp) {
		struct sleeper *s = list_entry(it, struct sleeper, link);
		if (s->wait->waiter)
			co_signal(s->wait, ST_CANCELLED);
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

int co_work(enum work_kind kind, const char *name, void (*fn)(void *arg), void *arg)
{
	struct co_job j = {.fn = fn, .arg = arg};
	int rc = work_submit(kind, name, co_job_run, co_job_done, &j);
	return rc ? rc : co_wait(&j.wait, -1);
}

static void pool_drain(struct pool *pool)
{
	struct lnode *node;
	while ((node = list_first(&pool->idle))) {
		list_remove(node);
		pool->idle_count--;
		stack_unmap(list_entry(node, struct stack, link));
	}
}

void co_fini(void)
{
	is_sleep_over = false;
	pool_drain(&stacks);
	pool_drain(&deep_stacks);
}
