/* String views and the growing byte buffer. Views never copy; the buffer doubles up to its bound and then refuses. */
#include "base/str.h"
#include "base/check.h"
#include "base/fmt.h"
#include "base/mem.h"
#include "base/status.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool sv_eq(struct sv a, struct sv b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

static inline unsigned char low(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool sv_eqi(struct sv a, struct sv b)
{
	if (a.n != b.n)
		return false;
	if (!a.n || !memcmp(a.p, b.p, a.n)) /* mostly they are just the same */
		return true;
	for (size_t i = 0; i < a.n; i++) {
		if (low(a.p[i]) != low(b.p[i]))
			return false;
	}
	return true;
}

bool sv_starts(struct sv a, struct sv prefix)
{
	return a.n >= prefix.n && sv_eq(sv_sub(a, 0, prefix.n), prefix);
}

bool sv_startsi(struct sv a, struct sv prefix)
{
	return a.n >= prefix.n && sv_eqi(sv_sub(a, 0, prefix.n), prefix);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct sv sv_trim(struct sv a)
{
	while (a.n && is_space(a.p[0]))
		a.p++, a.n--;
	while (a.n && is_space(a.p[a.n - 1]))
		a.n--;
	return a;
}

size_t sv_find(struct sv a, char c)
{
	const char *at = a.n ? memchr(a.p, c, a.n) : NULL;
	return at ? (size_t)(at - a.p) : a.n;
}

bool sv_split(struct sv a, char sep, struct sv *head, struct sv *rest)
{
	size_t at = sv_find(a, sep);
	bool is_found = at < a.n;
	*head = sv_sub(a, 0, at);
	*rest = is_found ? sv_sub(a, at + 1, a.n) : SV_NONE;
	return is_found;
}

bool sv_list_has(struct sv list, char sep, struct sv word)
{
	struct sv one;
	while (list.n) {
		sv_split(list, sep, &one, &list);
		if (sv_eqi(sv_trim(one), word))
			return true;
	}
	return false;
}

int sv_u64(struct sv a, uint64_t *out)
{
	uint64_t v = 0;
	if (!a.n)
		return ST_PARSE;
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] < '0' || a.p[i] > '9' || __builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(a.p[i] - '0'), &v))
			return ST_PARSE;
	}
	*out = v;
	return ST_OK;
}

int sv_u32(struct sv a, uint32_t *out)
{
	uint64_t v;
	if (sv_u64(a, &v) || v > UINT32_MAX)
		return ST_PARSE;
	*out = (uint32_t)v;
	return ST_OK;
}

int sv_i64(struct sv a, int64_t *out)
{
	bool is_negative = a.n && a.p[0] == '-';
	uint64_t v;
	if (a.n && (is_negative || a.p[0] == '+'))
		a = sv_sub(a, 1, a.n);
	if (sv_u64(a, &v) || v > (uint64_t)INT64_MAX + is_negative)
		return ST_PARSE;
	*out = (int64_t)(is_negative ? 0 - v : v);
	return ST_OK;
}

char *sv_dup(struct sv a)
{
	return mem_strndup(a.p, a.n);
}

struct shared {
	unsigned holds;
	char text[];
};

static struct shared *shared_of(char *text)
{
	return (struct shared *)(void *)(text - offsetof(struct shared, text));
}

char *sv_share(struct sv a)
{
	struct shared *one = a.p ? mem_alloc(sizeof(*one) + a.n + 1) : NULL;

	if (!one)
		return NULL;
	one->holds = 1;
	memcpy(one->text, a.p, a.n);
	one->text[a.n] = 0;
	return one->text;
}

char *str_share_again(char *shared)
{
	if (shared)
		shared_of(shared)->holds++;
	return shared;
}

void str_share_end(char *shared)
{
	if (shared && !--shared_of(shared)->holds)
		mem_free(shared_of(shared));
}

int64_t str_number(const char *s, int64_t low, int64_t high)
{
	long long n = s ? strtoll(s, NULL, 10) : 0;
	return n < low ? low : n > high ? high : n;
}

bool str_is_true(const char *s)
{
	static const char *const words[] = {"true", "yes", "on", "t", "enabled", "active", "allow"};
	if (!s || !*s)
		return false;
	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if (!strcasecmp(s, words[i]))
			return true;
	}
	const char *digits = s + (*s == '-' || *s == '+');
	return *digits && strspn(digits, "0123456789.") == strlen(digits) && strtol(s, NULL, 10) != 0;
}

enum { BUF_MAX_DEFAULT = 1 << 30, BUF_FIRST = 64 };

void buf_init(struct buf *b)
{
	*b = (struct buf){0};
}

void buf_fini(struct buf *b)
{
	mem_free(b->p);
	*b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
	b->n = 0, b->failed = false;
	if (b->p)
		b->p[0] = 0;
}

int buf_grow(struct buf *b, size_t n)
{
	size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
	if (n > max || b->n > max - n)
		goto fail;
	if (b->n + n + 1 <= b->cap)
		return ST_OK;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	while (cap < b->n + n + 1)
		cap *= 2;
	char *p = mem_realloc(b->p, cap);
	if (!p)
		goto fail;
	b->p = p, b->cap = cap;
	return ST_OK;
fail:
	b->failed = true;
	return ST_NOMEM;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char first[512]; /* a buffer that has no memory yet gets as much as it needs */
	va_list again;
	va_copy(again, ap);
	int rc = ST_OK;
	size_t room = b->p ? b->cap - b->n : 0;
	int n = b->p ? fmt_vprint(b->p + b->n, room, fmt, ap) : fmt_vprint(first, sizeof(first), fmt, ap);
	size_t max = b->max ? b->max : BUF_MAX_DEFAULT;
	if (n < 0) {
		b->failed = true;
		rc = ST_INVAL;
	} else if ((size_t)n < room && b->n + (size_t)n <= max) {
		b->n += (size_t)n;
	} else if (!b->p && (size_t)n < sizeof(first)) {
		rc = buf_add(b, first, (size_t)n);
	} else {
		if (b->p)
			b->p[b->n] = 0;
		rc = buf_grow(b, (size_t)n);
		if (!rc) {
			fmt_vprint(b->p + b->n, (size_t)n + 1, fmt, again);
			b->n += (size_t)n;
		}
	}
	va_end(again);
	return rc;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int rc = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return rc;
}

void buf_drop(struct buf *b, size_t n)
{
	if (!b->p || !n)
		return;
	if (n > b->n)
		n = b->n;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = 0;
}

struct sv buf_sv(const struct buf *b)
{
	return (struct sv){b->p, b->n};
}

char *buf_take(struct buf *b)
{
	char *p = b->p ? b->p : mem_strndup("", 0);
	size_t max = b->max;
	*b = (struct buf){.max = max};
	return p;
}
