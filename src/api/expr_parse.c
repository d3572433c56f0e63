/* An expression's text as a tree: statements parted by ';' or '|', of which the last one's value counts; "name =
 * value";
 * + and -, * and /, ^ (each from left to right), signs; parentheses; calls; numbers of digits and a point; names. A
 * name that nobody set is 0. From '#' to the line's end is a comment. */
#include "api/expr_i.h"
#include "base/check.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int parse_sum(struct expr *x);

static const struct expr_var constants[] = {{SV("M_E"), M_E, true}, {SV("M_LOG2E"), M_LOG2E, true},
    {SV("M_LOG10E"), M_LOG10E, true}, {SV("M_LN2"), M_LN2, true}, {SV("M_LN10"), M_LN10, true},
    {SV("M_PI"), M_PI, true}, {SV("M_PI_2"), M_PI_2, true}, {SV("M_PI_4"), M_PI_4, true}, {SV("M_1_PI"), M_1_PI, true},
    {SV("M_2_PI"), M_2_PI, true}, {SV("M_1_SQRTPI"), M_2_SQRTPI / 2, true}, {SV("M_2_SQRTPI"), M_2_SQRTPI, true},
    {SV("M_SQRT2"), M_SQRT2, true}, {SV("M_1_SQRT2"), M_SQRT1_2, true}};

static int fail(struct expr *x)
{
	x->has_failed = true;
	return 0;
}

static void skip(struct expr *x)
{
	for (;; x->p++) {
		if (*x->p == '#')
			x->p += strcspn(x->p, "\r\n");
		if (!isspace((unsigned char)*x->p))
			return;
	}
}

static bool take(struct expr *x, char c)
{
	skip(x);
	if (*x->p != c)
		return false;
	x->p++;
	return true;
}

static int node_add(struct expr *x, struct expr_node node)
{
	if (x->node_count == EXPR_NODES_MAX)
		return fail(x);
	x->nodes[x->node_count] = node;
	return x->node_count++;
}

static struct sv take_name(struct expr *x)
{
	struct sv name = {x->p, 0};
	if (!isalpha((unsigned char)*x->p) && *x->p != '_')
		return name;
	while (isalnum((unsigned char)*x->p) || *x->p == '_')
		x->p++, name.n++;
	return name;
}

/* The variable of that name, made when it is not there. */
static int var_of(struct expr *x, struct sv name)
{
	for (int i = 0; i < x->var_count; i++)
		if (sv_eq(x->vars[i].name, name))
			return i;
	if (x->var_count == EXPR_VARS_MAX || name.n > 255)
		return fail(x);
	x->vars[x->var_count] = (struct expr_var){.name = name};
	return x->var_count++;
}

/* "&name" */
static int take_reference(struct expr *x)
{
	skip(x);
	struct sv name = take_name(x);
	int var = name.n ? var_of(x, name) : fail(x);
	if (x->vars[var].is_constant)
		return fail(x);
	return var;
}

static int parse_call(struct expr *x, struct sv name)
{
	const struct expr_function *f = expr_function_find(name);
	struct expr_node call = {.kind = EXPR_CALL, .function = f};
	int arg[EXPR_ARGS_MAX], refs = 0;

	if (!f)
		return fail(x);
	if (!take(x, ')')) {
		do {
			if (take(x, '&'))
				call.var = take_reference(x), refs++;
			else if (call.arg_count == EXPR_ARGS_MAX)
				return fail(x);
			else
				arg[call.arg_count++] = parse_sum(x);
		} while (!x->has_failed && take(x, ','));
		if (x->has_failed || !take(x, ')'))
			return fail(x);
	}
	if (call.arg_count < f->args_min || call.arg_count > f->args_max || refs != (f->kind >= EXPR_RAND) ||
	    x->arg_count + call.arg_count > EXPR_NODES_MAX)
		return fail(x);
	call.first_arg = x->arg_count;
	for (int i = 0; i < call.arg_count; i++)
		x->args[x->arg_count++] = arg[i];
	return node_add(x, call);
}

static int parse_number(struct expr *x)
{
	char digits[256];
	size_t n = strspn(x->p, "0123456789");
	n += x->p[n] == '.';
	n += strspn(x->p + n, x->p[n - 1] == '.' || memchr(x->p, '.', n) ? "0123456789" : "");
	if (n >= sizeof(digits))
		return fail(x);
	memcpy(digits, x->p, n);
	digits[n] = 0;
	x->p += n;
	return node_add(x, (struct expr_node){.kind = EXPR_VALUE, .value = atof(digits)});
}

static int parse_atom(struct expr *x)
{
	int at;
	skip(x);
	if (take(x, '(')) {
		at = parse_sum(x);
		return take(x, ')') ? at : fail(x);
	}
	if (isdigit((unsigned char)*x->p) || *x->p == '.')
		return parse_number(x);
	struct sv name = take_name(x);
	if (!name.n)
		return fail(x);
	if (take(x, '('))
		return parse_call(x, name);
	return node_add(x, (struct expr_node){.kind = EXPR_VAR, .var = var_of(x, name)});
}

static int parse_sign(struct expr *x)
{
	int at = 0;
	if (x->has_failed || ++x->depth > EXPR_DEPTH_MAX)
		return fail(x);
	if (take(x, '-'))
		at = node_add(x, (struct expr_node){.kind = EXPR_NEGATE, .left = parse_sign(x)});
	else if (take(x, '+'))
		at = parse_sign(x);
	else
		at = parse_atom(x);
	x->depth--;
	return at;
}

/* Operators of one rank, from left to right. */
static int parse_row(struct expr *x, const char *signs, const enum expr_kind *kinds, int (*parse)(struct expr *x))
{
	int at = parse(x);
	while (!x->has_failed) {
		skip(x);
		const char *sign = *x->p ? strchr(signs, *x->p) : NULL;
		if (!sign)
			break;
		x->p++;
		int right = parse(x);
		at = node_add(x, (struct expr_node){.kind = kinds[sign - signs], .left = at, .right = right});
	}
	return at;
}

static int parse_power(struct expr *x)
{
	static const enum expr_kind kinds[] = {EXPR_POWER};
	return parse_row(x, "^", kinds, parse_sign);
}

static int parse_product(struct expr *x)
{
	static const enum expr_kind kinds[] = {EXPR_MULTIPLY, EXPR_DIVIDE};
	return parse_row(x, "*/", kinds, parse_power);
}

/* "name = ...", or a sum. */
static int parse_sum(struct expr *x)
{
	static const enum expr_kind kinds[] = {EXPR_ADD, EXPR_SUBTRACT};
	const char *begin;

	if (x->has_failed || ++x->depth > EXPR_DEPTH_MAX)
		return fail(x);
	skip(x);
	begin = x->p;
	struct sv name = take_name(x);
	int at;
	if (name.n && take(x, '=')) {
		int var = var_of(x, name);
		if (x->vars[var].is_constant)
			return fail(x);
		at = node_add(x, (struct expr_node){.kind = EXPR_SET, .var = var, .left = parse_sum(x)});
	} else {
		x->p = begin;
		at = parse_row(x, "+-", kinds, parse_product);
	}
	x->depth--;
	return at;
}

void expr_parse(struct expr *x, const char *text)
{
	memset(x, 0, offsetof(struct expr, nodes));
	x->p = text;
	for (size_t i = 0; i < ARRAY_COUNT(constants); i++)
		x->vars[x->var_count++] = constants[i];
	bool is_ended;
	do {
		if (x->statement_count == EXPR_STATEMENTS_MAX) {
			fail(x);
			return;
		}
		int at = parse_sum(x);
		x->statements[x->statement_count++] = at;
		is_ended = take(x, ';') || take(x, '|');
		skip(x);
	} while (!x->has_failed && is_ended && *x->p);
	if (*x->p)
		fail(x);
}
