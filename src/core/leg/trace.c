/* What a program composes of a leg's values, and of those of whom it talks to (its events tell both): a script or a
 * client of the event socket asks for a header, builds a dial string of it and has it run. In the program's hands the
 * value was plain text. Here it is found again, and marked, in what the program gives back:
 *
 *  - wherever a value from outside that could mean something to a language stands whole;
 *  - a sign of a language alone, wherever it stands among the same bytes as in such a value, WINDOW_BYTES of them,
 *    whatever the case of their letters: values are cut to what a display shows, and put into lower case.
 *
 * Values of letters and digits mean nothing and are not looked for. What a program decoded, or took single bytes out
 * of, is not found.
 *
 * That the text has marks tells nothing of the rest: the pairs may be what a caller wrote. So values are looked for in
 * the text as it is, byte for byte; pairs outside of them stay what they are, from outside. */
#include "base/mem.h"
#include "core/leg/leg.h"
#include "core/leg/leg_i.h"
#include "core/value/vars.h"
#include "text/mark.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX_BYTES = 64 << 10, VALUE_MIN_BYTES = 2, WINDOW_BYTES = 6, FILTER_LOG = 12 };

/* WINDOW_BYTES of a text, a sign of a language among them. */
struct window {
	uint64_t key;  /* the bytes, letters in lower case */
	uint32_t at;   /* where it begins in the text */
	bool is_found; /* this one and those of its key behind it */
};

struct trace {
	struct sv text;
	bool *is_outside;       /* for each byte of text; NULL until something was found */
	struct window *windows; /* of the text, by their keys */
	size_t window_count;
	uint64_t filter[(1 << FILTER_LOG) / 64]; /* which keys there may be: most are not */
	bool has_failed;
};

static bool is_sign(char c)
{
	return c && strchr("${}\\[]<>,|^'`%", c);
}

static bool means_something(struct sv value)
{
	for (size_t i = 0; i < value.n; i++)
		if (is_sign(value.p[i]))
			return true;
	return false;
}

/* ---- parts of values ---- */

/* Goes through the windows of a text. */
struct window_it {
	struct sv text;
	size_t at;   /* of the next byte */
	size_t sign; /* where the last sign was, and one more; 0: nowhere */
	uint64_t key;
};

static bool window_next(struct window_it *it, struct window *out)
{
	while (it->at < it->text.n) {
		unsigned char c = (unsigned char)it->text.p[it->at++];
		it->key = (it->key << 8 | (unsigned char)tolower(c)) & ((UINT64_C(1) << 8 * WINDOW_BYTES) - 1);
		if (is_sign((char)c))
			it->sign = it->at;
		if (it->at >= WINDOW_BYTES && it->sign > it->at - WINDOW_BYTES) {
			*out = (struct window){.key = it->key, .at = (uint32_t)(it->at - WINDOW_BYTES)};
			return true;
		}
	}
	return false;
}

static unsigned filter_bit(uint64_t key)
{
	return (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - FILTER_LOG));
}

static int window_order(const void *a, const void *b)
{
	const struct window *x = a, *y = b;
	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->at > y->at) - (x->at < y->at);
}

static void windows_of_text(struct trace *t)
{
	struct window_it it = {.text = t->text};
	struct window w;

	t->windows = mem_alloc((t->text.n + 1) * sizeof(*t->windows));
	if (!t->windows) {
		t->has_failed = true;
		return;
	}
	while (window_next(&it, &w)) {
		t->windows[t->window_count++] = w;
		t->filter[filter_bit(w.key) / 64] |= UINT64_C(1) << (filter_bit(w.key) % 64);
	}
	qsort(t->windows, t->window_count, sizeof(*t->windows), window_order);
}

static void found(struct trace *t, size_t at, size_t n)
{
	if (!t->is_outside && !(t->is_outside = mem_zalloc(t->text.n))) {
		t->has_failed = true;
		return;
	}
	memset(t->is_outside + at, true, n);
}

static void window_found(struct trace *t, uint64_t key)
{
	size_t low = 0, high = t->window_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (t->windows[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == t->window_count || t->windows[low].is_found)
		return;
	t->windows[low].is_found = true;
	for (; low < t->window_count && t->windows[low].key == key; low++)
		for (size_t at = t->windows[low].at; at < t->windows[low].at + WINDOW_BYTES; at++)
			if (is_sign(t->text.p[at]))
				found(t, at, 1);
}

static void look_for_parts(struct trace *t, struct sv value)
{
	struct window_it it = {.text = value};
	struct window w;

	while (!t->has_failed && window_next(&it, &w))
		if (t->filter[filter_bit(w.key) / 64] >> (filter_bit(w.key) % 64) & 1)
			window_found(t, w.key);
}

static void look_for(struct sv value, void *arg)
{
	struct trace *t = arg;
	const char *at = t->text.p, *end = t->text.p + t->text.n;

	if (value.n < VALUE_MIN_BYTES || !means_something(value))
		return;
	while (!t->has_failed && at < end && (at = memmem(at, (size_t)(end - at), value.p, value.n))) {
		found(t, (size_t)(at - t->text.p), value.n);
		at += value.n < WINDOW_BYTES ? 1 : value.n; /* signs of what overlaps are found by parts */
	}
	look_for_parts(t, value);
}

/* It was dialled before, by an operator or a dialplan. */
static bool is_rdnis_own(const struct leg_profile *p)
{
	const struct leg_profile *older = p->older;

	return p->rdnis && older && older->destination_text && older->destination_number &&
	       !strcmp(p->rdnis, older->destination_number);
}

static ON_CTL void look_in_profile(struct trace *t, const struct leg_profile *p)
{
	const char *const fields[] = {p->caller_id_name, p->caller_id_number, p->ani, is_rdnis_own(p) ? NULL : p->rdnis,
	    p->username, p->destination_text ? NULL : p->destination_number, p->callee_id_name, p->callee_id_number};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		look_for(sv_of(fields[i]), t);
}

static ON_CTL void look_in_leg(struct trace *t, const struct leg *leg)
{
	vars_each_outside(leg->vars, look_for, t);
	if (leg->profile)
		look_in_profile(t, leg->profile);
}

char *leg_text_traced(struct leg *leg, const char *text)
{
	struct trace t = {.text = sv_of(text)};
	struct buf out;
	char *marked;

	if (!means_something(t.text))
		return NULL;
	buf_init(&out);
	if (t.text.n > TEXT_MAX_BYTES) {
		mark_put_whole(&out, t.text); /* nobody composes that much: data */
		return buf_take(&out);
	}
	windows_of_text(&t);
	look_in_leg(&t, leg);
	if (leg->peer)
		look_in_leg(&t, leg->peer);
	if (leg->other)
		look_in_profile(&t, leg->other);
	mem_free(t.windows);
	if (t.has_failed) {
		mark_put_whole(&out, t.text);
		mem_free(t.is_outside);
		return buf_take(&out);
	}
	for (size_t i = 0; t.is_outside && i < t.text.n; i++) {
		if (t.is_outside[i])
			mark_put(&out, sv_sub(t.text, i, 1));
		else
			buf_addc(&out, t.text.p[i]);
	}
	marked = t.is_outside ? buf_take(&out) : NULL;
	buf_fini(&out);
	mem_free(t.is_outside);
	return marked;
}
