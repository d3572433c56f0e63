/* A value that stands whole is looked for as it is, and all its places once it was found. For what was cut, the text's
 * windows (MARK_FIND_WINDOW bytes with a sign among them) are sorted once; each window of each value is looked up in
 * them, behind a filter of bits that turns nearly all of them away. So the work is that of reading the values once,
 * whatever they hold. */
#include "text/mark_find.h"
#include "base/mem.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MIN_BYTES = 2 };

struct mark_find_window {
	uint64_t key;  /* its bytes, letters in lower case */
	uint32_t at;   /* where it begins in the text */
	bool is_found; /* and so are those of its key behind it */
};

static bool is_sign(char c)
{
	return c && strchr("${}\\[]<>,|^'`%", c);
}

/* A blank parts words of many languages ("1000 XML default"). It is in names, too, and so counts with the whole value
 * only, not as a sign by which a part of one is known. */
bool mark_means_something(struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		if (is_sign(text.p[i]) || text.p[i] == ' ' || text.p[i] == '\t')
			return true;
	return false;
}

/* ---- windows ---- */

struct window_it {
	struct sv text;
	size_t at;   /* of the next byte */
	size_t sign; /* behind the last sign; 0: there was none */
	uint64_t key;
};

static bool window_next(struct window_it *it, struct mark_find_window *out)
{
	while (it->at < it->text.n) {
		unsigned char c = (unsigned char)it->text.p[it->at++];
		it->key = (it->key << 8 | (unsigned char)tolower(c)) & ((UINT64_C(1) << 8 * MARK_FIND_WINDOW) - 1);
		if (is_sign((char)c))
			it->sign = it->at;
		if (it->at >= MARK_FIND_WINDOW && it->sign > it->at - MARK_FIND_WINDOW) {
			*out = (struct mark_find_window){.key = it->key, .at = (uint32_t)(it->at - MARK_FIND_WINDOW)};
			return true;
		}
	}
	return false;
}

static unsigned filter_bit(uint64_t key)
{
	return (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - MARK_FIND_FILTER_LOG));
}

static int window_order(const void *a, const void *b)
{
	const struct mark_find_window *x = a, *y = b;
	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->at > y->at) - (x->at < y->at);
}

static void windows_of_text(struct mark_find *f)
{
	struct window_it it = {.text = f->text};
	struct mark_find_window w;

	f->windows = mem_alloc((f->text.n + 1) * sizeof(*f->windows));
	if (!f->windows) {
		f->has_failed = true;
		return;
	}
	while (window_next(&it, &w)) {
		f->windows[f->window_count++] = w;
		f->filter[filter_bit(w.key) / 64] |= UINT64_C(1) << (filter_bit(w.key) % 64);
	}
	qsort(f->windows, f->window_count, sizeof(*f->windows), window_order);
}

static void found(struct mark_find *f, size_t at, size_t n)
{
	if (!f->is_outside && !(f->is_outside = mem_zalloc(f->text.n)))
		f->has_failed = true;
	else
		memset(f->is_outside + at, true, n);
}

static void window_found(struct mark_find *f, uint64_t key)
{
	size_t low = 0, high = f->window_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (f->windows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == f->window_count || f->windows[low].is_found)
		return;
	f->windows[low].is_found = true;
	for (; low < f->window_count && f->windows[low].key == key; low++)
		for (size_t at = f->windows[low].at; at < f->windows[low].at + MARK_FIND_WINDOW && !f->has_failed; at++)
			if (is_sign(f->text.p[at]))
				found(f, at, 1);
}

/* ---- a text ---- */

void mark_find_begin(struct mark_find *f, struct sv text)
{
	*f = (struct mark_find){.text = text, .has_failed = text.n > MARK_FIND_MAX_BYTES};
	if (!f->has_failed)
		windows_of_text(f);
}

/* Every place at which value stands, from the first on, those that overlap included, in one pass (Knuth, Morris and
 * Pratt): a value may be what repeats itself worst. */
static void found_from(struct mark_find *f, struct sv value, size_t first)
{
	uint32_t *border =
	    mem_alloc(value.n * sizeof(*border)); /* of what has matched: its end that is its beginning */
	size_t done = first;

	if (!border) {
		f->has_failed = true;
		return;
	}
	border[0] = 0;
	for (size_t i = 1, k = 0; i < value.n; border[i++] = (uint32_t)k) {
		while (k && value.p[i] != value.p[k])
			k = border[k - 1];
		k += value.p[i] == value.p[k];
	}
	for (size_t i = first, k = 0; i < f->text.n && !f->has_failed; i++) {
		while (k && (k == value.n || f->text.p[i] != value.p[k]))
			k = border[k - 1];
		k += f->text.p[i] == value.p[k];
		if (k < value.n)
			continue;
		size_t at = i + 1 - value.n > done ? i + 1 - value.n : done;
		found(f, at, i + 1 - at);
		done = i + 1;
	}
	mem_free(border);
}

void mark_find_whole(struct mark_find *f, struct sv value)
{
	const char *first;

	if (f->has_failed || value.n < VALUE_MIN_BYTES || !mark_means_something(value) || !f->text.n)
		return;
	first = memmem(f->text.p, f->text.n, value.p, value.n);
	if (first)
		found_from(f, value, (size_t)(first - f->text.p));
}

void mark_find_value(struct mark_find *f, struct sv value)
{
	struct window_it it = {.text = value};
	struct mark_find_window w;

	mark_find_whole(f, value);
	while (!f->has_failed && window_next(&it, &w))
		if (f->filter[filter_bit(w.key) / 64] >> (filter_bit(w.key) % 64) & 1)
			window_found(f, w.key);
}

char *mark_find_end(struct mark_find *f)
{
	struct buf out;
	char *text = NULL;

	mem_free(f->windows);
	if (f->has_failed || f->is_outside) {
		buf_init(&out);
		if (f->has_failed)
			mark_put_whole(&out, f->text);
		for (size_t i = 0; !f->has_failed && i < f->text.n; i++) {
			if (f->is_outside[i])
				mark_put(&out, sv_sub(f->text, i, 1));
			else
				buf_addc(&out, f->text.p[i]);
		}
		if (out.failed)
			buf_clear(&out);
		text = buf_take(&out);
	}
	mem_free(f->is_outside);
	return text;
}
