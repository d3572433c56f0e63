/* Memory: counted objects with a destructor named at birth, and plain blocks; all counted per room and type
 * so that tests see leaks and `show memory` sees growth. Counts are plain, not atomic: an object belongs to one
 * thread at a time; objects of mem_new_atomic may be held by several. */
#pragma once
#include <stdatomic.h>
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

/* Plain blocks, aligned to 8 bytes (what needs more is an object). mem_free(NULL) is fine. */
void *mem_alloc(size_t bytes); /* uninitialised */
void *mem_zalloc(size_t bytes);
void *mem_realloc(void *p, size_t bytes);
void mem_free(void *p);
char *mem_strdup(const char *s); /* NULL gives NULL */
char *mem_strndup(const char *s, size_t n);

/* Accounting: live counted objects and plain blocks. */
size_t mem_live_objects(void);
size_t mem_live_blocks(void);
/* Calls fn once per type that has live objects, and once as "blocks". */
void mem_each_type(void (*fn)(const char *type, size_t live, size_t bytes, void *arg), void *arg);
/* Calls fn once per room (the folder under src/ of the file that allocated) that holds something: counted objects and
 * plain blocks together, without the allocator's own overhead. What helpers allocate (buf, hash) is theirs. */
void mem_each_room(void (*fn)(const char *room, size_t live, size_t bytes, void *arg), void *arg);
/* Tests only: fail the n-th allocation from now (0 = never). */
void mem_fail_after(long n);
/* Tests only: allocations to go until the one that fails; 0 when it has happened or none is set. */
long mem_fail_left(void);

/* Which room a file's allocations are counted for; found once per file. The functions above, called by name, say it. */
struct mem_site {
	const char *file;
	_Atomic unsigned room; /* 0 = not found yet */
};
static struct mem_site mem_site_here __attribute__((unused)) = {__BASE_FILE__, 0};
void *mem_new_at(struct mem_site *site, size_t bytes, mem_free_fn dtor, const char *type);
void *mem_new_atomic_at(struct mem_site *site, size_t bytes, mem_free_fn dtor, const char *type);
void *mem_alloc_at(struct mem_site *site, size_t bytes);
void *mem_zalloc_at(struct mem_site *site, size_t bytes);
void *mem_realloc_at(struct mem_site *site, void *p, size_t bytes);
char *mem_strdup_at(struct mem_site *site, const char *s);
char *mem_strndup_at(struct mem_site *site, const char *s, size_t n);
#define mem_new(bytes, dtor, type) mem_new_at(&mem_site_here, (bytes), (dtor), (type))
#define mem_new_atomic(bytes, dtor, type) mem_new_atomic_at(&mem_site_here, (bytes), (dtor), (type))
#define mem_alloc(bytes) mem_alloc_at(&mem_site_here, (bytes))
#define mem_zalloc(bytes) mem_zalloc_at(&mem_site_here, (bytes))
#define mem_realloc(p, bytes) mem_realloc_at(&mem_site_here, (p), (bytes))
#define mem_strdup(s) mem_strdup_at(&mem_site_here, (s))
#define mem_strndup(s, n) mem_strndup_at(&mem_site_here, (s), (n))
