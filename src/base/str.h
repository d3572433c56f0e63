/* String views, and a growing byte buffer. A view borrows; it is valid as long as what it points into. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sv {
	const char *p; /* not NUL-terminated; may be NULL when n is 0 */
	size_t n;
};
#define SV(literal) ((struct sv){(literal), sizeof(literal) - 1})
#define SV_NONE ((struct sv){NULL, 0})
#define SVF(v) (int)(v).n, (v).p /* for "%.*s" */

/* NULL gives the empty view. */
static inline struct sv sv_of(const char *cstr)
{
	return cstr ? (struct sv){cstr, strlen(cstr)} : SV_NONE;
}
bool sv_eq(struct sv a, struct sv b);
bool sv_eqi(struct sv a, struct sv b); /* ASCII case-insensitive */
/* Most comparisons end at the length, which a literal's is known beforehand. */
static inline bool sv_is(struct sv a, const char *cstr)
{
	size_t n = cstr ? strlen(cstr) : 0;
	return a.n == n && (!n || !memcmp(a.p, cstr, n));
}
static inline bool sv_isi(struct sv a, const char *cstr)
{
	if (a.n && cstr && (a.p[0] ^ cstr[0]) & 0xdf) /* as in most lists that are walked */
		return false;
	size_t n = cstr ? strlen(cstr) : 0;
	return a.n == n && sv_eqi(a, (struct sv){cstr, n});
}
bool sv_starts(struct sv a, struct sv prefix);
bool sv_startsi(struct sv a, struct sv prefix);
struct sv sv_trim(struct sv a); /* spaces, tabs, CR, LF */
/* n bytes from the given one on, clamped. */
static inline struct sv sv_sub(struct sv a, size_t from, size_t n)
{
	if (!a.p)
		return SV_NONE;
	from = from < a.n ? from : a.n;
	return (struct sv){a.p + from, n < a.n - from ? n : a.n - from};
}
/* Index of the first byte, or a.n. */
size_t sv_find(struct sv a, char c);
/* Splits at the first sep: head gets what is before, *rest what is after; false when sep is absent (head = all, rest
 * empty). */
bool sv_split(struct sv a, char sep, struct sv *head, struct sv *rest);
/* Is word one of a list that is parted by sep? Without blanks around each, capitals like small letters. */
bool sv_list_has(struct sv list, char sep, struct sv word);
/* Decimal, whole view, no sign for u; ST_PARSE on anything else or overflow. */
int sv_u32(struct sv a, uint32_t *out);
int sv_u64(struct sv a, uint64_t *out);
int sv_i64(struct sv a, int64_t *out);
/* The whole number a text begins with, as strtoll reads it, kept within bounds; NULL and no number: 0. */
int64_t str_number(const char *s, int64_t low, int64_t high);
char *sv_dup(struct sv a); /* NUL-terminated mem_alloc copy */
/* A text that several hold and nobody changes. One thread; each holder ends its own hold, the last frees it. NULL
 * passes through. What the second takes must come from the first (or from itself). */
char *sv_share(struct sv a); /* NULL when a.p is NULL */
char *str_share_again(char *shared);
void str_share_end(char *shared);
bool str_is_true(
    const char *s); /* FreeSWITCH's truth: true yes on 1 enabled active allow, or a non-zero number; NULL is false */

struct buf {
	char *p; /* NUL-terminated when not NULL */
	size_t n, cap;
	size_t max; /* 0 = 1 GiB; adding beyond fails and sets failed */
	bool failed;
};
void buf_init(struct buf *b); /* no allocation yet */
void buf_fini(struct buf *b);
void buf_clear(struct buf *b);         /* keeps the memory */
int buf_grow(struct buf *b, size_t n); /* room for n more bytes and the zero byte */
/* What is added most of the time fits: that much is done where it is called. */
static inline int buf_add(struct buf *b, const void *p, size_t n)
{
	int rc;
	if (__builtin_expect(b->max || n >= b->cap - b->n, 0) && (rc = buf_grow(b, n)))
		return rc;
	if (!b->p) /* there is room: so there is memory */
		__builtin_unreachable();
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
	return 0;
}
static inline int buf_adds(struct buf *b, const char *cstr)
{
	return buf_add(b, cstr, cstr ? strlen(cstr) : 0);
}
static inline int buf_addv(struct buf *b, struct sv v)
{
	return buf_add(b, v.p, v.n);
}
static inline int buf_addc(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}
/* Where at least n bytes may be written, for who renders in place and then tells the end; NULL: no room. */
static inline char *buf_room(struct buf *b, size_t n)
{
	if (__builtin_expect(b->max || n >= b->cap - b->n, 0) && buf_grow(b, n))
		return NULL;
	return b->p + b->n;
}
static inline void buf_end(struct buf *b, const char *end)
{
	b->n = (size_t)(end - b->p);
	b->p[b->n] = 0;
}
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_drop(struct buf *b, size_t n); /* removes n bytes from the front */
struct sv buf_sv(const struct buf *b);
char *buf_take(struct buf *b); /* moves the text out (mem_free it); "" when empty */
