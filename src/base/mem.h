/* Memory: counted objects with a destructor named at birth, and plain blocks; all counted per room and type
 * so that tests see leaks and `show memory` sees growth. Counts are plain, not atomic: an object belongs to one
 * thread at a time; objects of mem_new_atomic may be held by several. */
#pragma once
#include <stddef.h>

typedef void (*mem_free_fn)(void *obj);

/* A zeroed counted object of one reference. type is a string literal such as "core.leg"; dtor may be NULL.
 * Aborts when memory is exhausted in release builds, returns NULL only inside an out-of-memory test ladder. */
void *mem_new(size_t bytes, mem_free_fn dtor, const char *type);
/* As mem_new, with an atomic count: for objects shared across threads (prompts, configuration snapshots). */
void *mem_new_atomic(size_t bytes, mem_free_fn dtor, const char *type);
void *mem_ref(void *obj);   /* NULL passes through; returns obj */
void *mem_unref(void *obj); /* NULL passes through; always returns NULL */
unsigned mem_refs(const void *obj);

/* Plain blocks. mem_free(NULL) is fine. */
void *mem_alloc(size_t bytes); /* uninitialised */
void *mem_zalloc(size_t bytes);
void *mem_realloc(void *p, size_t bytes);
void mem_free(void *p);
char *mem_strdup(const char *s); /* NULL gives NULL */
char *mem_strndup(const char *s, size_t n);

/* Accounting: live counted objects and plain blocks. */
size_t mem_live_objects(void);
size_t mem_live_blocks(void);
/* Calls fn once per type that has live objects. */
void mem_each_type(void (*fn)(const char *type, size_t live, size_t bytes, void *arg), void *arg);
/* Tests only: fail the n-th allocation from now (0 = never). */
void mem_fail_after(long n);
/* Tests only: allocations to go until the one that fails; 0 when it has happened or none is set. */
long mem_fail_left(void);
