/* string.find, match, gmatch and gsub with Lua's own patterns (manual, section 6.4.1) and errors. Lua's matcher may
 * backtrack for hours within one call, where the count of instructions does not reach; this one counts its steps as
 * instructions, so it gives way and is stopped like any other code of a script. */
#include "lua/lua_i.h"
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { CAPTURES_MAX = 32, DEPTH_MAX = 200, CHARGE_STEPS = 10000 };
enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 }; /* in place of a length */

struct capture {
	const char *from;
	ptrdiff_t n;
};
struct matcher {
	lua_State *L;
	const char *text, *text_end, *pattern_end;
	unsigned depth, steps;
	int count;
	struct capture captures[CAPTURES_MAX];
};

static const char *match(struct matcher *m, const char *s, const char *p);

static void step(struct matcher *m)
{
	if (++m->steps < CHARGE_STEPS)
		return;
	m->steps = 0;
	script_charge(m->L, CHARGE_STEPS);
}

/* ---- one character ---- */

static bool is_in_class(int c, int class)
{
	bool is_in;

	switch (tolower(class)) {
	case 'a':
		is_in = isalpha(c);
		break;
	case 'c':
		is_in = iscntrl(c);
		break;
	case 'd':
		is_in = isdigit(c);
		break;
	case 'g':
		is_in = isgraph(c);
		break;
	case 'l':
		is_in = islower(c);
		break;
	case 'p':
		is_in = ispunct(c);
		break;
	case 's':
		is_in = isspace(c);
		break;
	case 'u':
		is_in = isupper(c);
		break;
	case 'w':
		is_in = isalnum(c);
		break;
	case 'x':
		is_in = isxdigit(c);
		break;
	case 'z': /* of older versions */
		is_in = c == 0;
		break;
	default:
		return class == c;
	}
	return isupper(class) ? !is_in : is_in;
}

/* What follows the single-character item at p. */
static const char *item_end(struct matcher *m, const char *p)
{
	if (*p == '%') {
		if (p + 1 >= m->pattern_end)
			luaL_error(m->L, "malformed pattern (ends with '%%')");
		return p + 2;
	}
	if (*p++ != '[')
		return p;
	if (p < m->pattern_end && *p == '^')
		p++;
	do { /* a ']' in the first place stands for itself */
		if (p >= m->pattern_end)
			luaL_error(m->L, "malformed pattern (missing ']')");
		if (*p++ == '%')
			p++;
	} while (p >= m->pattern_end || *p != ']');
	return p + 1;
}

/* p is at the '[', last at its ']'. */
static bool is_in_set(int c, const char *p, const char *last)
{
	bool is_in = true;

	if (p[1] == '^')
		is_in = false, p++;
	while (++p < last) {
		if (*p == '%') {
			p++;
			if (is_in_class(c, (unsigned char)*p))
				return is_in;
		} else if (p[1] == '-' && p + 2 < last) {
			p += 2;
			if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
				return is_in;
		} else if ((unsigned char)*p == c) {
			return is_in;
		}
	}
	return !is_in;
}

static bool fits(const struct matcher *m, const char *s, const char *p, const char *end)
{
	int c;

	if (s >= m->text_end)
		return false;
	c = (unsigned char)*s;
	switch (*p) {
	case '.':
		return true;
	case '%':
		return is_in_class(c, (unsigned char)p[1]);
	case '[':
		return is_in_set(c, p, end - 1);
	default:
		return (unsigned char)*p == c;
	}
}

/* ---- items ---- */

/* p: after "%b". */
static const char *match_balance(struct matcher *m, const char *s, const char *p)
{
	int open = 1;

	if (p + 1 >= m->pattern_end)
		luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
	if (s >= m->text_end || *s != p[0])
		return NULL;
	while (++s < m->text_end) {
		step(m);
		if (*s == p[1]) {
			if (!--open)
				return s + 1;
		} else if (*s == p[0]) {
			open++;
		}
	}
	return NULL;
}

static const char *match_longest(struct matcher *m, const char *s, const char *p, const char *end)
{
	ptrdiff_t n = 0;

	for (; fits(m, s + n, p, end); n++)
		step(m);
	for (; n >= 0; n--) {
		const char *e = match(m, s + n, end + 1);
		if (e)
			return e;
	}
	return NULL;
}

static const char *match_shortest(struct matcher *m, const char *s, const char *p, const char *end)
{
	for (;; s++) {
		const char *e = match(m, s, end + 1);
		if (e)
			return e;
		if (!fits(m, s, p, end))
			return NULL;
	}
}

static const char *begin_capture(struct matcher *m, const char *s, const char *p, ptrdiff_t n)
{
	const char *e;

	if (m->count >= CAPTURES_MAX)
		luaL_error(m->L, "too many captures");
	m->captures[m->count++] = (struct capture){s, n};
	e = match(m, s, p);
	if (!e)
		m->count--;
	return e;
}

static const char *end_capture(struct matcher *m, const char *s, const char *p)
{
	int i = m->count;
	const char *e;

	while (i > 0 && m->captures[i - 1].n != CAPTURE_OPEN)
		i--;
	if (!i)
		luaL_error(m->L, "invalid pattern capture");
	m->captures[i - 1].n = s - m->captures[i - 1].from;
	e = match(m, s, p);
	if (!e)
		m->captures[i - 1].n = CAPTURE_OPEN;
	return e;
}

/* What %1 to %9 of the pattern captured, once more. */
static const char *match_again(struct matcher *m, const char *s, int digit)
{
	int i = digit - '1';
	size_t n;

	if (i < 0 || i >= m->count || m->captures[i].n == CAPTURE_OPEN)
		luaL_error(m->L, "invalid capture index %%%d", i + 1);
	if (m->captures[i].n < 0) /* a position has no text */
		return NULL;
	n = (size_t)m->captures[i].n;
	if ((size_t)(m->text_end - s) < n || memcmp(m->captures[i].from, s, n) != 0)
		return NULL;
	return s + n;
}

/* p: after "%f". Whether s stands where the set begins to hold. */
static const char *match_frontier(struct matcher *m, const char *s, const char **p)
{
	const char *end;
	int before, after;

	if (*p >= m->pattern_end || **p != '[')
		luaL_error(m->L, "missing '[' after '%%f' in pattern");
	end = item_end(m, *p);
	before = s == m->text ? 0 : (unsigned char)s[-1];
	after = s < m->text_end ? (unsigned char)*s : 0;
	if (is_in_set(before, *p, end - 1) || !is_in_set(after, *p, end - 1))
		return NULL;
	*p = end;
	return s;
}

/* An item that is no class: *p moves behind it. is_done: s or NULL is the result of the whole. */
static const char *match_special(struct matcher *m, const char *s, const char **p, bool *is_done)
{
	const char *at = *p;

	*is_done = true;
	if (*at == '(')
		return at + 1 < m->pattern_end && at[1] == ')' ? begin_capture(m, s, at + 2, CAPTURE_POSITION)
		                                               : begin_capture(m, s, at + 1, CAPTURE_OPEN);
	if (*at == ')')
		return end_capture(m, s, at + 1);
	if (*at == '$' && at + 1 == m->pattern_end)
		return s == m->text_end ? s : NULL;
	*is_done = false;
	if (*at != '%' || at + 1 >= m->pattern_end)
		return NULL;
	if (at[1] == 'b') {
		*p = at + 4;
		s = match_balance(m, s, at + 2);
	} else if (at[1] == 'f') {
		*p = at + 2;
		s = match_frontier(m, s, p);
	} else if (isdigit((unsigned char)at[1])) {
		*p = at + 2;
		s = match_again(m, s, at[1]);
	} else {
		return NULL;
	}
	*is_done = !s;
	return s;
}

static const char *match_items(struct matcher *m, const char *s, const char *p)
{
	while (p < m->pattern_end) {
		const char *was = p, *end, *e;
		bool is_done, is_fit;

		step(m);
		e = match_special(m, s, &p, &is_done);
		if (is_done)
			return e;
		if (p != was) {
			s = e;
			continue;
		}
		end = item_end(m, p);
		switch (end < m->pattern_end ? *end : 0) {
		case '*':
			return match_longest(m, s, p, end);
		case '+':
			return fits(m, s, p, end) ? match_longest(m, s + 1, p, end) : NULL;
		case '-':
			return match_shortest(m, s, p, end);
		case '?':
			is_fit = fits(m, s, p, end);
			if (is_fit && (e = match(m, s + 1, end + 1)))
				return e;
			p = end + 1;
			break;
		default:
			if (!fits(m, s, p, end))
				return NULL;
			s++, p = end;
		}
	}
	return s;
}

/* The end of what p matches at s, or NULL. */
static const char *match(struct matcher *m, const char *s, const char *p)
{
	const char *e;

	if (++m->depth > DEPTH_MAX)
		luaL_error(m->L, "pattern too complex");
	e = match_items(m, s, p);
	m->depth--;
	return e;
}

static void matcher_init(struct matcher *m, lua_State *L, const char *text, size_t n, const char *pattern, size_t pn)
{
	m->L = L;
	m->text = text, m->text_end = text + n, m->pattern_end = pattern + pn;
	m->steps = 0;
}

/* A match that begins at s. */
static const char *match_at(struct matcher *m, const char *s, const char *p)
{
	m->count = 0, m->depth = 0;
	step(m);
	return match(m, s, p);
}

/* ---- results ---- */

/* Capture i of the match from s to e; the whole match where there are no captures. */
static void push_capture(struct matcher *m, int i, const char *s, const char *e)
{
	if (i >= m->count) {
		if (i)
			luaL_error(m->L, "invalid capture index %%%d", i + 1);
		lua_pushlstring(m->L, s, (size_t)(e - s));
		return;
	}
	if (m->captures[i].n == CAPTURE_OPEN)
		luaL_error(m->L, "unfinished capture");
	if (m->captures[i].n == CAPTURE_POSITION)
		lua_pushinteger(m->L, m->captures[i].from - m->text + 1);
	else
		lua_pushlstring(m->L, m->captures[i].from, (size_t)m->captures[i].n);
}

static int push_captures(struct matcher *m, const char *s, const char *e, bool has_whole)
{
	int n = m->count || !has_whole ? m->count : 1;

	luaL_checkstack(m->L, n, "too many captures");
	for (int i = 0; i < n; i++)
		push_capture(m, i, s, e);
	return n;
}

/* Where to begin, from 0; over the length when it is beyond the end. */
static size_t init_arg(lua_State *L, int index, size_t n)
{
	lua_Integer at = luaL_optinteger(L, index, 1);

	if (at > 0)
		return (size_t)at - 1;
	return at == 0 || at < -(lua_Integer)n ? 0 : n - (size_t)-at;
}

static bool is_plain(const char *pattern, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pattern[i] && strchr("^$*+?.([%-", pattern[i]))
			return false;
	return true;
}

static int find_plain(lua_State *L, const char *text, size_t n, const char *pattern, size_t pn, size_t init)
{
	const char *at = pn ? memmem(text + init, n - init, pattern, pn) : text + init;

	if (!at) {
		luaL_pushfail(L);
		return 1;
	}
	lua_pushinteger(L, at - text + 1);
	lua_pushinteger(L, at - text + (lua_Integer)pn);
	return 2;
}

static int find_or_match(lua_State *L, bool is_find)
{
	size_t n, pn, init;
	const char *text = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &pn), *e;
	struct matcher m;
	bool is_anchored;

	init = init_arg(L, 3, n);
	if (init > n) {
		luaL_pushfail(L);
		return 1;
	}
	if (is_find && (lua_toboolean(L, 4) || is_plain(p, pn)))
		return find_plain(L, text, n, p, pn, init);
	is_anchored = pn && *p == '^';
	matcher_init(&m, L, text, n, p, pn);
	p += is_anchored;
	for (const char *s = text + init; s <= m.text_end; s++) {
		e = match_at(&m, s, p);
		if (e && is_find) {
			lua_pushinteger(L, s - text + 1);
			lua_pushinteger(L, e - text);
			return push_captures(&m, s, e, false) + 2;
		}
		if (e)
			return push_captures(&m, s, e, true);
		if (is_anchored)
			break;
	}
	luaL_pushfail(L);
	return 1;
}

static int l_find(lua_State *L)
{
	return find_or_match(L, true);
}

static int l_match(lua_State *L)
{
	return find_or_match(L, false);
}

/* Upvalues: text, pattern, where to go on, where the last match ended (-1: none). */
static int gmatch_next(lua_State *L)
{
	size_t n, pn;
	const char *text = lua_tolstring(L, lua_upvalueindex(1), &n), *p = lua_tolstring(L, lua_upvalueindex(2), &pn),
	           *e;
	lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
	struct matcher m;

	matcher_init(&m, L, text, n, p, pn);
	for (const char *s = text + lua_tointeger(L, lua_upvalueindex(3)); s <= m.text_end; s++) {
		e = match_at(&m, s, p);
		if (!e || e - text == last)
			continue;
		lua_pushinteger(L, e - text);
		lua_pushvalue(L, -1);
		lua_replace(L, lua_upvalueindex(3));
		lua_replace(L, lua_upvalueindex(4));
		return push_captures(&m, s, e, true);
	}
	return 0;
}

static int l_gmatch(lua_State *L)
{
	size_t n, init;

	luaL_checklstring(L, 1, &n);
	luaL_checkstring(L, 2);
	init = init_arg(L, 3, n);
	lua_settop(L, 2);
	lua_pushinteger(L, (lua_Integer)(init > n ? n + 1 : init));
	lua_pushinteger(L, -1);
	lua_pushcclosure(L, gmatch_next, 4);
	return 1;
}

/* ---- gsub ---- */

/* The replacement string at stack index 3, its %0 to %9 filled in. */
static void add_string(struct matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
	size_t n;
	const char *r = lua_tolstring(m->L, 3, &n), *end = r + n;

	for (; r < end; r++) {
		const char *percent = memchr(r, '%', (size_t)(end - r));
		luaL_addlstring(b, r, (size_t)((percent ? percent : end) - r));
		if (!percent)
			return;
		r = percent + 1;
		if (r < end && *r == '%') {
			luaL_addchar(b, '%');
		} else if (r < end && *r == '0') {
			luaL_addlstring(b, s, (size_t)(e - s));
		} else if (r < end && isdigit((unsigned char)*r)) {
			push_capture(m, *r - '1', s, e);
			luaL_tolstring(m->L, -1, NULL); /* a position is a number */
			lua_remove(m->L, -2);
			luaL_addvalue(b);
		} else {
			luaL_error(m->L, "invalid use of '%%' in replacement string");
		}
	}
}

/* Adds what stands for the match; false: the match itself, which stays as it was. */
static bool add_value(struct matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
	lua_State *L = m->L;
	int type = lua_type(L, 3);

	if (type == LUA_TSTRING || type == LUA_TNUMBER) {
		add_string(m, b, s, e);
		return true;
	}
	if (type == LUA_TTABLE) {
		push_capture(m, 0, s, e);
		lua_gettable(L, 3);
	} else {
		lua_pushvalue(L, 3);
		lua_call(L, push_captures(m, s, e, true), 1);
	}
	if (!lua_toboolean(L, -1)) {
		lua_pop(L, 1);
		luaL_addlstring(b, s, (size_t)(e - s));
		return false;
	}
	if (!lua_isstring(L, -1))
		luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
	luaL_addvalue(b);
	return true;
}

static int l_gsub(lua_State *L)
{
	size_t n, pn;
	const char *s = luaL_checklstring(L, 1, &n), *p = luaL_checklstring(L, 2, &pn), *last = NULL;
	int type = lua_type(L, 3);
	lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)n + 1), count = 0;
	bool is_anchored = pn && *p == '^', is_changed = false;
	struct matcher m;
	luaL_Buffer b;

	luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE,
	    3, "string/function/table");
	if (type == LUA_TNUMBER)
		lua_tostring(L, 3);
	matcher_init(&m, L, s, n, p, pn);
	p += is_anchored;
	luaL_buffinit(L, &b);
	while (count < max) {
		const char *e = match_at(&m, s, p);
		if (e && e != last) {
			count++;
			is_changed = add_value(&m, &b, s, e) || is_changed;
			s = last = e;
		} else if (s < m.text_end) {
			luaL_addlstring(&b, s++, 1);
		} else {
			break;
		}
		if (is_anchored)
			break;
	}
	if (is_changed) {
		luaL_addlstring(&b, s, (size_t)(m.text_end - s));
		luaL_pushresult(&b);
	} else {
		lua_pushvalue(L, 1);
	}
	lua_pushinteger(L, count);
	return 2;
}

const luaL_Reg pattern_functions[] = {
    {"find", l_find}, {"match", l_match}, {"gmatch", l_gmatch}, {"gsub", l_gsub}, {NULL, NULL}};
