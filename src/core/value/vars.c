/* Named values in insertion order, as FreeSWITCH has them: a value that is set again moves to the end, as in its event
 * headers; "ARRAY::a|:b" is an array; a value knows which of its bytes came from outside (text/mark.h). vars_parse
 * reads the inside of {} [] <>. Where entries lie and how they are found: vars_i.h, vars_slot.c. */
#include "base/fmt.h"
#include "base/mem.h"
#include "base/status.h"
#include "core/value/vars_i.h"
#include "text/mark.h"
#include "text/words.h"
#include <string.h>
#include <strings.h>

enum { PARSE_MAX = 256, INDEX_MAX = 4000 };
#define ARRAY_MARK "ARRAY::"

static inline int set_plain(struct vars *v, struct sv name, struct sv value, unsigned origin)
{
	return vars_slot_set(v, &(struct var_new){.name = name, .value = value, .flags = origin});
}

/* A value ends at a zero byte, which somebody outside may have sent; where a text lies behind it, it must end there
 * too. */
static int set_marked(struct vars *v, struct sv name, struct sv text, bool is_array)
{
	char few[256], *plain = few;
	struct var_new e = {.name = name, .value = text, .flags = is_array ? VARS_ARRAY : 0};
	unsigned origin = ORIGIN_OUTSIDE;
	size_t n;
	int st;

	if (!mark_has(text))
		return vars_slot_set(v, &e);
	if (text.n > sizeof(few) && !(plain = mem_alloc(text.n)))
		return ST_NOMEM;
	n = (size_t)(mark_strip_to(plain, text) - plain);
	e.value = (struct sv){plain, n};
	if (n && !mark_is_whole(text)) {
		e.value.n = strnlen(plain, n);
		e.text = e.value.n < n ? mark_sub(text, 0, e.value.n) : text;
		origin = ORIGIN_MIXED;
	}
	e.flags |= origin;
	st = vars_slot_set(v, &e);
	if (plain != few)
		mem_free(plain);
	return st;
}

/* "ARRAY::a|:b" is an array; one of a single element reads as that element. */
static int set_sv(struct vars *v, struct sv name, struct sv text)
{
	bool is_array = sv_starts(text, SV(ARRAY_MARK));

	if (is_array && text.p && !memmem(text.p, text.n, "|:", 2))
		text = sv_sub(text, sizeof(ARRAY_MARK) - 1, text.n);
	return set_marked(v, name, text, is_array);
}

/* Cuts the first element off the text of an array. */
static struct sv element_take(struct sv *rest)
{
	const char *sep = rest->n ? memmem(rest->p, rest->n, "|:", 2) : NULL;
	struct sv one = sep ? sv_sub(*rest, 0, (size_t)(sep - rest->p)) : *rest;

	*rest = sep ? sv_sub(*rest, one.n + 2, rest->n) : SV_NONE;
	return one;
}

static struct sv elements_of(const char *text)
{
	struct sv all = sv_of(text);
	return sv_starts(all, SV(ARRAY_MARK)) ? sv_sub(all, sizeof(ARRAY_MARK) - 1, all.n) : all;
}

/* "name[index]": the element is replaced, those before it that are missing are empty; what is no array is begun anew.
 */
static int element_set(struct vars *v, struct sv name, long index, const char *text)
{
	struct buf b, scratch;
	struct sv rest = SV_NONE;
	bool is_more = false;
	int st;

	if (index < 0 || index > INDEX_MAX || !name.n)
		return ST_OK;
	char *base = sv_dup(name);
	if (!base)
		return ST_NOMEM;
	buf_init(&b);
	buf_init(&scratch);
	if (vars_is_array(v, base)) {
		rest = elements_of(vars_text(v, base, &scratch));
		is_more = true;
	}
	for (long i = 0; i <= index || is_more; i++) {
		bool was_last = is_more && !memmem(rest.n ? rest.p : "", rest.n, "|:", 2);
		struct sv one = element_take(&rest);
		buf_adds(&b, i ? "|:" : ARRAY_MARK);
		buf_addv(&b, i == index ? sv_of(text) : one);
		is_more = is_more && !was_last;
	}
	st = b.failed || scratch.failed ? ST_NOMEM : set_sv(v, name, buf_sv(&b));
	buf_fini(&scratch);
	buf_fini(&b);
	mem_free(base);
	return st;
}

int vars_set(struct vars *v, const char *name, const char *text)
{
	const char *bracket = strchr(name, '[');

	if (bracket && bracket[1])
		return text && *text ? element_set(v, (struct sv){name, (size_t)(bracket - name)},
		                           str_number(bracket + 1, -1, INDEX_MAX + 1), text)
		                     : ST_OK;
	return set_sv(v, sv_of(name), sv_of(text));
}

int vars_set_outside(struct vars *v, const char *name, const char *value)
{
	return set_plain(v, sv_of(name), sv_of(value), ORIGIN_OUTSIDE);
}

int vars_put_outside(struct vars *v, struct sv name, struct sv value)
{
	return set_plain(v, name, value, ORIGIN_OUTSIDE);
}

int vars_set_received(struct vars *v, const char *name, const char *value)
{
	return set_plain(v, sv_of(name), sv_of(value), ORIGIN_RECEIVED);
}

int vars_share(struct vars *v, const char *name, char *shared)
{
	return vars_slot_set(v,
	    &(struct var_new){.name = sv_of(name), .value = sv_of(shared), .shared = shared, .flags = ORIGIN_OUTSIDE});
}

bool vars_is_received(const struct vars *v, const char *name)
{
	long at = vars_slot_find(v, sv_of(name));
	return at >= 0 && vars_slot_entry(v, at).origin == ORIGIN_RECEIVED;
}

int vars_setf(struct vars *v, const char *name, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n, st;

	va_start(ap, fmt);
	n = fmt_vprint(text, sizeof(text), fmt, ap);
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

int vars_push(struct vars *v, const char *name, const char *text)
{
	struct buf b, scratch;
	const char *old;
	int st;

	if (!text || !*text)
		return vars_set(v, name, text);
	buf_init(&b);
	buf_init(&scratch);
	old = vars_text(v, name, &scratch);
	buf_adds(&b, ARRAY_MARK);
	if (old) {
		buf_addv(&b, vars_is_array(v, name) ? elements_of(old) : sv_of(old));
		buf_adds(&b, "|:");
	}
	buf_adds(&b, text);
	st = b.failed || scratch.failed ? ST_NOMEM : set_sv(v, sv_of(name), buf_sv(&b));
	buf_fini(&scratch);
	buf_fini(&b);
	return st;
}

int vars_unshift(struct vars *v, const char *name, const char *text)
{
	struct buf b, scratch;
	const char *old = NULL;
	int st;

	buf_init(&b);
	buf_init(&scratch);
	if (text && *text)
		old = vars_text(v, name, &scratch);
	if (!old) {
		st = vars_push(v, name, text);
	} else {
		buf_printf(&b, ARRAY_MARK "%s|:", text);
		buf_addv(&b, vars_is_array(v, name) ? elements_of(old) : sv_of(old));
		st = b.failed || scratch.failed ? ST_NOMEM : set_sv(v, sv_of(name), buf_sv(&b));
	}
	buf_fini(&scratch);
	buf_fini(&b);
	return st;
}

const char *vars_get_sv(const struct vars *v, struct sv name)
{
	long at = vars_slot_find(v, name);
	return at < 0 ? NULL : vars_block_value(vars_block(v, v->slots[at]));
}

static const char *entry_text(const struct var_entry *e, struct buf *scratch)
{
	if (e->origin == ORIGIN_CONFIG)
		return e->value;
	if (e->origin == ORIGIN_MIXED)
		return e->text;
	buf_clear(scratch);
	mark_put(scratch, sv_of(e->value));
	return scratch->failed ? "" : scratch->p;
}

const char *vars_text(const struct vars *v, const char *name, struct buf *scratch)
{
	long at = vars_slot_find(v, sv_of(name));
	struct var_entry e;

	if (at < 0)
		return NULL;
	e = vars_slot_entry(v, at);
	return entry_text(&e, scratch);
}

bool vars_is_array(const struct vars *v, const char *name)
{
	long at = vars_slot_find(v, sv_of(name));
	return at >= 0 && vars_slot_entry(v, at).is_array;
}

bool vars_element_of(struct sv array, size_t index, struct sv *out)
{
	struct sv rest = array;

	if (sv_starts(rest, SV(ARRAY_MARK)))
		rest = sv_sub(rest, sizeof(ARRAY_MARK) - 1, rest.n);
	for (size_t i = 0; i < index; i++)
		if (!(element_take(&rest), rest.p))
			return false;
	*out = element_take(&rest);
	return true;
}

const char *vars_element(const struct vars *v, const char *name, size_t index, struct buf *scratch)
{
	struct sv one = SV_NONE;
	struct buf whole;

	if (!vars_is_array(v, name))
		return NULL;
	buf_init(&whole);
	bool is_there = vars_element_of(sv_of(vars_text(v, name, &whole)), index, &one);
	buf_clear(scratch);
	if (is_there)
		buf_addv(scratch, one);
	buf_fini(&whole);
	return !is_there ? NULL : scratch->p ? scratch->p : "";
}

static void each_run(struct sv text, struct buf *run, void (*fn)(struct sv run, void *arg), void *arg)
{
	struct mark_it it = {.rest = text};

	buf_clear(run);
	while (mark_next(&it)) {
		if (it.is_outside) {
			buf_addc(run, it.byte);
		} else if (run->n) {
			fn(buf_sv(run), arg);
			buf_clear(run);
		}
	}
	if (run->n)
		fn(buf_sv(run), arg);
}

void vars_each_outside(const struct vars *v, void (*fn)(struct sv run, void *arg), void *arg)
{
	struct buf run;

	buf_init(&run);
	for (uint32_t i = 0; i < v->count; i++) {
		struct var_entry e = vars_slot_entry(v, i);
		if (e.origin == ORIGIN_OUTSIDE || e.origin == ORIGIN_RECEIVED)
			fn(sv_of(e.value), arg);
		else if (e.origin == ORIGIN_MIXED)
			each_run(sv_of(e.text), &run, fn, arg);
	}
	buf_fini(&run);
}

static int entry_copy(struct vars *to, struct sv to_name, const struct vars *from, long at)
{
	struct var_entry e = vars_slot_entry(from, at);
	unsigned origin = e.origin == ORIGIN_RECEIVED ? ORIGIN_OUTSIDE : e.origin;
	return vars_slot_set(to, &(struct var_new){.name = to_name,
	                             .value = sv_of(e.value),
	                             .text = sv_of(e.text),
	                             .flags = origin | (e.is_array ? VARS_ARRAY : 0)});
}

int vars_copy_one(struct vars *to, const char *to_name, const struct vars *from, const char *name)
{
	long at = vars_slot_find(from, sv_of(name));
	return at < 0 ? ST_OK : entry_copy(to, sv_of(to_name), from, at);
}

size_t vars_count(const struct vars *v)
{
	return v ? v->count : 0;
}

void vars_at(const struct vars *v, size_t i, const char **name, const char **value)
{
	char *block = vars_block(v, v->slots[i]);

	if ((block[0] & (VARS_NUMBERED | VARS_SHARED)) == VARS_NUMBERED) { /* as most are */
		*name = vars_names[(unsigned char)block[1]].p;
		*value = block + VARS_HEAD_BYTES;
		return;
	}
	*name = vars_block_name(block).p;
	*value = vars_block_value(block);
}

bool vars_next_named(const struct vars *v, struct sv prefix, size_t *at, const char **name, const char **value)
{
	uint64_t begins = vars_name_begins(prefix.p, prefix.n);
	bool may_be_numbered = vars_names_begin(prefix, begins);

	if (!may_be_numbered && begins != UINT64_MAX && !(v->begins & begins))
		return false;
	for (; *at < v->count; ++*at) {
		if (v->slots[*at].is_numbered && !may_be_numbered)
			continue;
		struct sv own = vars_block_name(vars_block(v, v->slots[*at]));
		if (((own.p[0] ^ prefix.p[0]) & 0xdf) || own.n <= prefix.n ||
		    strncasecmp(own.p, prefix.p, prefix.n) != 0)
			continue;
		vars_at(v, (*at)++, name, value);
		return true;
	}
	return false;
}

int vars_copy(struct vars *to, const struct vars *from)
{
	int st = ST_OK;
	for (uint32_t i = 0; from && i < from->count && !st; i++)
		st = entry_copy(to, vars_slot_entry(from, i).name, from, i);
	return st;
}

/* "name=value", in place; a name without a value changes nothing. */
static int parse_pair(struct vars *v, char *pair)
{
	char *word[2];
	struct sv name;

	if (words_split(pair, '=', word, 2) < 2 || !*word[0] || !*word[1])
		return ST_OK;
	name = sv_of(word[0]);
	if (mark_has(sv_sub(name, 0, 2))) /* a name from outside could be any */
		return ST_DENIED;
	mark_strip_in_place(word[0]);
	return vars_set(v, word[0], word[1]);
}

int vars_parse_at(struct vars *v, struct sv text, char sep)
{
	char *pair[PARSE_MAX], *copy = sv_dup(text);
	struct vars *fresh = NULL;
	int st = copy ? vars_new(&fresh) : ST_NOMEM, n;

	n = st ? 0 : words_split(copy, sep, pair, PARSE_MAX);
	if (n == PARSE_MAX)
		st = ST_PARSE;
	for (int i = 0; i < n && !st; i++)
		st = parse_pair(fresh, pair[i]);
	if (!st)
		st = vars_copy(v, fresh);
	else if (st != ST_NOMEM)
		st = ST_PARSE;
	vars_free(fresh);
	mem_free(copy);
	return st;
}

int vars_parse(struct vars *v, struct sv text)
{
	return vars_parse_at(v, text, ',');
}
