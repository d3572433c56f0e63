/* Named values in insertion order. One block per entry ("name\0value\0") and an array of name hashes in front of it, so
 * that a leg's hundred variables cost little memory and a lookup compares integers; most of what is asked for is not
 * there, and a filter says so without looking. A value that is set again moves to
 * the end, as in FreeSWITCH's event headers. vars_parse reads the inside of {} [] <>. */
#include "core/vars.h"
#include "base/mem.h"
#include "base/status.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct var_slot {
	uint32_t hash;
	uint32_t name_len;
	char *block;
};
enum { SEEN_BITS = 1024 };
struct vars {
	struct var_slot *slots;
	uint32_t count, cap;
	uint64_t seen[SEEN_BITS / 64]; /* a bit for each hash that was ever put in: a clear one means absent */
};
enum { VARS_MAX = 4096, VALUE_MAX = 1 << 20, PARSE_MAX = 256 };

static uint32_t name_hash(const char *name, size_t n)
{
	uint32_t h = 2166136261u;
	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint32_t)((unsigned char)name[i] | 0x20)) * 16777619u;
	return h;
}

int vars_new(struct vars **out)
{
	struct vars *v = mem_zalloc(sizeof(*v));
	if (!v)
		return ST_NOMEM;
	*out = v;
	return ST_OK;
}

void vars_free(struct vars *v)
{
	if (!v)
		return;
	for (uint32_t i = 0; i < v->count; i++)
		mem_free(v->slots[i].block);
	mem_free(v->slots);
	mem_free(v);
}

static uint64_t *seen_word(struct vars *v, uint32_t hash)
{
	return &v->seen[hash % SEEN_BITS / 64];
}
static bool was_seen(const struct vars *v, uint32_t hash)
{
	return v->seen[hash % SEEN_BITS / 64] >> hash % 64 & 1;
}

static long slot_find(const struct vars *v, const char *name, size_t n, uint32_t hash)
{
	if (!was_seen(v, hash))
		return -1;
	for (uint32_t i = 0; i < v->count; i++)
		if (v->slots[i].hash == hash && v->slots[i].name_len == n && !strncasecmp(v->slots[i].block, name, n))
			return (long)i;
	return -1;
}

static void slot_remove(struct vars *v, uint32_t i)
{
	mem_free(v->slots[i].block);
	v->count--;
	memmove(&v->slots[i], &v->slots[i + 1], (v->count - i) * sizeof(v->slots[0]));
}

static int slots_grow(struct vars *v)
{
	uint32_t cap = v->cap ? v->cap + v->cap / 2 : 16;
	struct var_slot *slots = mem_realloc(v->slots, cap * sizeof(slots[0]));
	if (!slots)
		return ST_NOMEM;
	v->slots = slots, v->cap = cap;
	return ST_OK;
}

static int set_sv(struct vars *v, struct sv name, struct sv value)
{
	uint32_t hash = name_hash(name.p, name.n);
	long at;
	char *block;

	if (!name.n || value.n > VALUE_MAX)
		return ST_INVAL;
	at = slot_find(v, name.p, name.n, hash);
	if (!value.n) {
		if (at >= 0)
			slot_remove(v, (uint32_t)at);
		return ST_OK;
	}
	if (at < 0 && v->count >= VARS_MAX)
		return ST_LIMIT;
	if (at < 0 && v->count == v->cap && slots_grow(v))
		return ST_NOMEM;
	block = mem_alloc(name.n + value.n + 2);
	if (!block)
		return ST_NOMEM;
	memcpy(block, name.p, name.n);
	block[name.n] = 0;
	memcpy(block + name.n + 1, value.p, value.n);
	block[name.n + 1 + value.n] = 0;
	if (at >= 0)
		slot_remove(v, (uint32_t)at);
	*seen_word(v, hash) |= UINT64_C(1) << hash % 64;
	v->slots[v->count++] = (struct var_slot){hash, (uint32_t)name.n, block};
	return ST_OK;
}

int vars_set(struct vars *v, const char *name, const char *value)
{
	return set_sv(v, sv_of(name), sv_of(value));
}

int vars_setf(struct vars *v, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n, st;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return ST_INVAL;
	if ((size_t)n < sizeof(text))
		return set_sv(v, sv_of(name), (struct sv){text, (size_t)n});
	struct buf b;
	buf_init(&b);
	va_start(ap, fmt);
	st = buf_vprintf(&b, fmt, ap);
	va_end(ap);
	if (!st)
		st = set_sv(v, sv_of(name), buf_sv(&b));
	buf_fini(&b);
	return st;
}

int vars_push(struct vars *v, const char *name, const char *value)
{
	const char *old = vars_get(v, name);
	struct buf b;
	int st;

	if (!old || !value || !*value)
		return vars_set(v, name, value);
	buf_init(&b);
	buf_printf(&b, "%s%s|:%s", strncmp(old, "ARRAY::", 7) ? "ARRAY::" : "", old, value);
	st = b.failed ? ST_NOMEM : set_sv(v, sv_of(name), buf_sv(&b));
	buf_fini(&b);
	return st;
}

const char *vars_get(const struct vars *v, const char *name)
{
	size_t n = strlen(name);
	long at = slot_find(v, name, n, name_hash(name, n));
	return at < 0 ? NULL : v->slots[at].block + n + 1;
}

size_t vars_count(const struct vars *v)
{
	return v ? v->count : 0;
}

void vars_at(const struct vars *v, size_t i, const char **name, const char **value)
{
	*name = v->slots[i].block;
	*value = v->slots[i].block + v->slots[i].name_len + 1;
}

int vars_copy(struct vars *to, const struct vars *from)
{
	int st = ST_OK;
	for (uint32_t i = 0; from && i < from->count && !st; i++) {
		const char *name, *value;
		vars_at(from, i, &name, &value);
		st = vars_set(to, name, value);
	}
	return st;
}

/* One "name=value" whose value may be in quotes and may escape the separator with a backslash. */
static int parse_pair(struct vars *v, struct sv item, char sep)
{
	struct sv name, value;
	struct buf b;
	int st;

	sv_split(item, '=', &name, &value);
	name = sv_trim(name);
	if (!name.n)
		return ST_OK;
	value = sv_trim(value);
	if (value.n >= 2 && value.p[0] == '\'' && value.p[value.n - 1] == '\'')
		value = sv_sub(value, 1, value.n - 2);
	buf_init(&b);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\\' && i + 1 < value.n && (value.p[i + 1] == sep || value.p[i + 1] == '\''))
			i++;
		buf_addc(&b, value.p[i]);
	}
	st = b.failed ? ST_NOMEM : set_sv(v, name, buf_sv(&b));
	buf_fini(&b);
	return st;
}

/* Where the item that starts at from ends: the next separator outside of quotes and not escaped. */
static size_t item_end(struct sv text, size_t from, char sep)
{
	bool is_quoted = false;
	for (size_t i = from; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n)
			i++;
		else if (text.p[i] == '\'')
			is_quoted = !is_quoted;
		else if (text.p[i] == sep && !is_quoted)
			return i;
	}
	return text.n;
}

int vars_parse(struct vars *v, struct sv text)
{
	char sep = ',';
	struct vars *fresh = NULL;
	int st = ST_OK, count = 0;

	if (sv_starts(text, SV("^^")) && text.n >= 3) {
		sep = text.p[2];
		text = sv_sub(text, 3, text.n);
	}
	if (vars_new(&fresh))
		return ST_NOMEM;
	for (size_t at = 0; at < text.n && !st;) {
		size_t end = item_end(text, at, sep);
		if (++count > PARSE_MAX)
			st = ST_PARSE;
		else
			st = parse_pair(fresh, sv_sub(text, at, end - at), sep);
		at = end + 1;
	}
	if (!st)
		st = vars_copy(v, fresh);
	else if (st != ST_NOMEM)
		st = ST_PARSE;
	vars_free(fresh);
	return st;
}
