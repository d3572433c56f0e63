/* Regular expressions over PCRE2's JIT. Every thread has one match context (with its own JIT stack: the JIT would take
 * 32 KiB of the caller's, more than a coroutine can spare) and one match block; limits on matching stop a pattern that
 * explodes. Expressions made at run time go through a small cache per thread; what a thread keeps for its life is not
 * counted by base/mem. */
#include "text/re.h"
#include "base/check.h"
#include "base/mem.h"
#include "text/mark.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define RE_MATCH_LIMIT 300000u /* a few milliseconds at worst; ordinary patterns need tens of steps */
#define RE_DEPTH_LIMIT 2000u
#define RE_HEAP_LIMIT_KIB 4096u
#define RE_NEST_LIMIT 60u /* the compiler recurses once per parenthesis, on the caller's stack */
#define RE_JIT_STACK_BYTES (512u << 10)
#define RE_CACHE_SLOTS 32

struct re {
	pcre2_code *code;
	unsigned captures;
};

struct re_thread {
	pcre2_match_context *match;
	pcre2_jit_stack *stack;
	pcre2_match_data *data;
	pcre2_compile_context *compile;
	struct {
		char *expression;
		size_t n;
		struct re re;
	} cache[RE_CACHE_SLOTS];
	unsigned cache_next;
};

static _Thread_local struct re_thread *own_thread;
static pthread_key_t thread_key;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void re_thread_end(void *arg)
{
	struct re_thread *t = arg;
	for (int i = 0; i < RE_CACHE_SLOTS; i++) {
		free(t->cache[i].expression);
		pcre2_code_free(t->cache[i].re.code);
	}
	pcre2_match_data_free(t->data);
	pcre2_match_context_free(t->match);
	pcre2_jit_stack_free(t->stack);
	pcre2_compile_context_free(t->compile);
	free(t);
}

static void re_prepare(void)
{
	CHECK(pthread_key_create(&thread_key, re_thread_end) == 0);
}

static struct re_thread *re_thread(void)
{
	struct re_thread *t = own_thread;
	if (t)
		return t;
	pthread_once(&once, re_prepare);
	t = calloc(1, sizeof *t);
	CHECK(t != NULL);
	t->match = pcre2_match_context_create(NULL);
	t->stack = pcre2_jit_stack_create(32u << 10, RE_JIT_STACK_BYTES, NULL);
	t->data = pcre2_match_data_create(RE_MAX_CAPTURES, NULL);
	t->compile = pcre2_compile_context_create(NULL);
	CHECK(t->match && t->data && t->compile);
	pcre2_jit_stack_assign(t->match, NULL, t->stack);
	pcre2_set_match_limit(t->match, RE_MATCH_LIMIT);
	pcre2_set_depth_limit(t->match, RE_DEPTH_LIMIT);
	pcre2_set_heap_limit(t->match, RE_HEAP_LIMIT_KIB);
	pcre2_set_parens_nest_limit(t->compile, RE_NEST_LIMIT);
	pcre2_set_max_pattern_length(t->compile, RE_MAX_PATTERN_BYTES);
	pthread_setspecific(thread_key, t);
	own_thread = t;
	return t;
}

static void re_free(void *obj)
{
	struct re *re = obj;
	pcre2_code_free(re->code);
}

static const struct {
	unsigned flag;
	char letter;
	uint32_t option;
} options[] = {
    {RE_CASELESS, 'i', PCRE2_CASELESS},
    {RE_MULTILINE, 'm', PCRE2_MULTILINE},
    {RE_DOTALL, 's', PCRE2_DOTALL},
    {RE_EXTENDED, 'x', PCRE2_EXTENDED},
    {RE_UNGREEDY, 'U', PCRE2_UNGREEDY},
    {0, 'A', PCRE2_ANCHORED},
    {0, 'D', PCRE2_DOLLAR_ENDONLY},
    {0, 'f', PCRE2_FIRSTLINE},
    {0, 'u', PCRE2_UTF},
    {0, '8', PCRE2_UTF},
};

static int re_compile(struct re *re, struct sv pattern, uint32_t opts, char error[RE_ERROR_CHARS])
{
	struct re_thread *t = re_thread();
	PCRE2_SIZE offset = 0;
	int code = 0;
	uint32_t captures = 0;
	PCRE2_UCHAR reason[120];

	re->code = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n, opts | PCRE2_NEVER_BACKSLASH_C,
	    &code, &offset, t->compile);
	if (!re->code) {
		pcre2_get_error_message(code, reason, sizeof reason);
		if (error)
			snprintf(error, RE_ERROR_CHARS, "%s at offset %zu", (const char *)reason, (size_t)offset);
		return ST_PARSE;
	}
	pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE); /* without a JIT the interpreter serves */
	pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &captures);
	re->captures = captures;
	return ST_OK;
}

/* Takes an expression apart as FreeSWITCH does; scratch holds a converted Asterisk pattern. */
static int re_compile_expression(struct re *re, struct sv expression, char error[RE_ERROR_CHARS])
{
	struct buf scratch;
	uint32_t opts = 0;
	int st = ST_OK;

	buf_init(&scratch);
	if (expression.n && expression.p[0] == '_') {
		st = re_asterisk(&scratch, expression);
		expression = buf_sv(&scratch);
		if (st && error)
			snprintf(error, RE_ERROR_CHARS, "unclosed set in an Asterisk pattern");
	} else if (expression.n && expression.p[0] == '/') {
		size_t end = expression.n - 1;
		while (end > 0 && expression.p[end] != '/')
			end--;
		for (size_t i = end + 1; i < expression.n; i++)
			for (size_t k = 0; k < ARRAY_COUNT(options); k++)
				if (options[k].letter == expression.p[i])
					opts |= options[k].option;
		if (end == 0) {
			st = ST_PARSE;
			if (error)
				snprintf(error, RE_ERROR_CHARS, "a leading / wants a closing one");
		} else {
			expression = sv_sub(expression, 1, end - 1);
		}
	}
	if (!st)
		st = re_compile(re, expression, opts, error);
	buf_fini(&scratch);
	return st;
}

static int re_wrap(struct re **out, struct re made)
{
	struct re *re = mem_new_atomic(sizeof *re, re_free, "text.re");
	if (!re) {
		pcre2_code_free(made.code);
		return ST_NOMEM;
	}
	*re = made;
	*out = re;
	return ST_OK;
}

int re_new(struct re **out, struct sv pattern, unsigned flags, char error[RE_ERROR_CHARS])
{
	struct re made = {0};
	uint32_t opts = 0;
	int st;

	for (size_t k = 0; k < ARRAY_COUNT(options); k++)
		if (options[k].flag & flags)
			opts |= options[k].option;
	st = re_compile(&made, pattern, opts, error);
	return st ? st : re_wrap(out, made);
}

int re_new_expression(struct re **out, struct sv expression, char error[RE_ERROR_CHARS])
{
	struct re made = {0};
	int st = re_compile_expression(&made, expression, error);
	return st ? st : re_wrap(out, made);
}

static bool is_set_member(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '*' ||
	       c == '#';
}

int re_asterisk(struct buf *out, struct sv pattern)
{
	size_t i = pattern.n && pattern.p[0] == '_' ? 1 : 0;

	buf_addc(out, '^');
	for (; i < pattern.n; i++) {
		char c = pattern.p[i];
		if (c == 'N' || c == 'n') {
			buf_adds(out, "[2-9]");
		} else if (c == 'X' || c == 'x') {
			buf_adds(out, "[0-9]");
		} else if (c == 'Z' || c == 'z') {
			buf_adds(out, "[1-9]");
		} else if (c == '.') {
			buf_adds(out, ".+");
		} else if (c == '!') {
			buf_adds(out, ".*");
		} else if (c == '[') {
			buf_addc(out, '[');
			while (++i < pattern.n && pattern.p[i] != ']')
				if (is_set_member(pattern.p[i]))
					buf_addc(out, pattern.p[i]);
			if (i >= pattern.n)
				return ST_PARSE;
			buf_addc(out, ']');
		} else if (c != '-' && c != ' ') { /* both only make numbers readable */
			if (strchr("\\^$|?*+(){}]/", c))
				buf_addc(out, '\\');
			buf_addc(out, c);
		}
	}
	return buf_addc(out, '$');
}

unsigned re_capture_count(const struct re *re)
{
	return re->captures;
}

int re_match(const struct re *re, struct sv subject, struct re_match *m)
{
	struct re_thread *t = re_thread();
	int count = pcre2_match(re->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, 0, 0, t->data, t->match);
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(t->data);

	if (count < 0) {
		if (m)
			m->count = 0;
		return count == PCRE2_ERROR_MATCHLIMIT || count == PCRE2_ERROR_DEPTHLIMIT ||
		               count == PCRE2_ERROR_HEAPLIMIT || count == PCRE2_ERROR_JIT_STACKLIMIT
		           ? ST_LIMIT
		           : 0;
	}
	if (!m)
		return 1;
	if (count == 0) /* more groups than we keep */
		count = RE_MAX_CAPTURES;
	m->count = (unsigned)count;
	for (int i = 0; i < count; i++) {
		bool is_set = at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1]; /* \K can turn them round */
		m->group[i] = is_set ? sv_sub(subject, at[2 * i], at[2 * i + 1] - at[2 * i]) : SV_NONE;
	}
	return 1;
}

int re_match_once(struct sv expression, struct sv subject, struct re_match *m)
{
	struct re_thread *t = re_thread();
	struct re made = {0};
	char *copy;
	int st;

	for (unsigned i = 0; i < RE_CACHE_SLOTS; i++)
		if (t->cache[i].expression && sv_eq((struct sv){t->cache[i].expression, t->cache[i].n}, expression))
			return re_match(&t->cache[i].re, subject, m);
	st = re_compile_expression(&made, expression, NULL);
	if (st) {
		if (m)
			m->count = 0;
		return st;
	}
	st = re_match(&made, subject, m);
	copy = malloc(expression.n + 1);
	if (!copy) {
		pcre2_code_free(made.code);
		return st;
	}
	if (expression.n)
		memcpy(copy, expression.p, expression.n);
	unsigned slot = t->cache_next++ % RE_CACHE_SLOTS;
	free(t->cache[slot].expression);
	pcre2_code_free(t->cache[slot].re.code);
	t->cache[slot].expression = copy, t->cache[slot].n = expression.n, t->cache[slot].re = made;
	return st;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void re_match_mark(struct re_match *m, struct sv subject, struct sv text)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->group[i].n)
			m->group[i] = mark_sub(text, (size_t)(m->group[i].p - subject.p), m->group[i].n);
}

int re_substitute(struct buf *out, struct sv text, char mark, const struct re_match *m)
{
	int st = ST_OK;

	for (size_t i = 0; i < text.n && !st;) {
		bool has_brace = text.p[i] == mark && i + 1 < text.n && text.p[i + 1] == '{';
		size_t from = i + 1 + has_brace, end = from;
		unsigned number = 0;
		while (text.p[i] == mark && end < text.n && is_digit(text.p[end]))
			number = number < RE_MAX_CAPTURES ? number * 10 + (unsigned)(text.p[end++] - '0')
			                                  : (end++, RE_MAX_CAPTURES);
		if (end == from || (has_brace && (end == text.n || text.p[end] != '}'))) {
			st = buf_addc(out, text.p[i++]);
			continue;
		}
		i = end + has_brace;
		if (m && number < m->count)
			st = buf_addv(out, m->group[number]);
	}
	return st;
}
