/* mod_expr: the command `expr`, arithmetic on decimal numbers. A recursive descent over the text, bounded in depth;
 * what is not understood, or gives no finite number, answers "!err!". Operators: + - * / ^ and signs; parentheses; the
 * functions of the table; pi and e. Variables and several statements, which FreeSWITCH's library has, are not known. */
#include "api/api_i.h"
#include "base/check.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 32, ARGS_MAX = 16 };
struct parser {
	const char *p;
	unsigned depth;
	bool has_failed;
};
static double parse_sum(struct parser *x);

static void skip(struct parser *x)
{
	while (isspace((unsigned char)*x->p))
		x->p++;
}

static bool take(struct parser *x, char c)
{
	skip(x);
	if (*x->p != c)
		return false;
	x->p++;
	return true;
}

static double fail(struct parser *x)
{
	x->has_failed = true;
	return 0;
}

/* ---- functions ----------------------------------------------------------------------------------------------- */
static double fn_abs(const double *a, int n)
{
	return fabs(a[0]);
}
static double fn_mod(const double *a, int n)
{
	return fmod(a[0], a[1]);
}
static double fn_ipart(const double *a, int n)
{
	return trunc(a[0]);
}
static double fn_fpart(const double *a, int n)
{
	return a[0] - trunc(a[0]);
}
static double fn_min(const double *a, int n)
{
	double m = a[0];
	for (int i = 1; i < n; i++)
		m = a[i] < m ? a[i] : m;
	return m;
}
static double fn_max(const double *a, int n)
{
	double m = a[0];
	for (int i = 1; i < n; i++)
		m = a[i] > m ? a[i] : m;
	return m;
}
static double fn_avg(const double *a, int n)
{
	double sum = 0;
	for (int i = 0; i < n; i++)
		sum += a[i];
	return sum / n;
}
static double fn_pow(const double *a, int n)
{
	return pow(a[0], a[1]);
}
static double fn_sqrt(const double *a, int n)
{
	return sqrt(a[0]);
}
static double fn_sin(const double *a, int n)
{
	return sin(a[0]);
}
static double fn_cos(const double *a, int n)
{
	return cos(a[0]);
}
static double fn_tan(const double *a, int n)
{
	return tan(a[0]);
}
static double fn_atan(const double *a, int n)
{
	return atan(a[0]);
}
static double fn_log(const double *a, int n)
{
	return log10(a[0]);
}
static double fn_ln(const double *a, int n)
{
	return log(a[0]);
}
static double fn_exp(const double *a, int n)
{
	return exp(a[0]);
}
static double fn_ceil(const double *a, int n)
{
	return ceil(a[0]);
}
static double fn_floor(const double *a, int n)
{
	return floor(a[0]);
}
static double fn_above(const double *a, int n)
{
	return a[0] > a[1];
}
static double fn_below(const double *a, int n)
{
	return a[0] < a[1];
}
static double fn_equal(const double *a, int n)
{
	return a[0] == a[1];
}
static double fn_if(const double *a, int n)
{
	return a[0] != 0 ? a[1] : a[2];
}
static double fn_and(const double *a, int n)
{
	return a[0] != 0 && a[1] != 0;
}
static double fn_or(const double *a, int n)
{
	return a[0] != 0 || a[1] != 0;
}
static double fn_not(const double *a, int n)
{
	return a[0] == 0;
}

static const struct function {
	const char *name;
	int args_min, args_max;
	double (*fn)(const double *a, int n);
} functions[] = {
    {"abs", 1, 1, fn_abs},
    {"above", 2, 2, fn_above},
    {"and", 2, 2, fn_and},
    {"atan", 1, 1, fn_atan},
    {"avg", 1, ARGS_MAX, fn_avg},
    {"below", 2, 2, fn_below},
    {"ceil", 1, 1, fn_ceil},
    {"cos", 1, 1, fn_cos},
    {"equal", 2, 2, fn_equal},
    {"exp", 1, 1, fn_exp},
    {"floor", 1, 1, fn_floor},
    {"fpart", 1, 1, fn_fpart},
    {"if", 3, 3, fn_if},
    {"ipart", 1, 1, fn_ipart},
    {"ln", 1, 1, fn_ln},
    {"log", 1, 1, fn_log},
    {"max", 1, ARGS_MAX, fn_max},
    {"min", 1, ARGS_MAX, fn_min},
    {"mod", 2, 2, fn_mod},
    {"not", 1, 1, fn_not},
    {"or", 2, 2, fn_or},
    {"pow", 2, 2, fn_pow},
    {"sin", 1, 1, fn_sin},
    {"sqrt", 1, 1, fn_sqrt},
    {"tan", 1, 1, fn_tan},
};

/* ---- grammar ------------------------------------------------------------------------------------------------- */
static double parse_call(struct parser *x, struct sv name)
{
	double args[ARGS_MAX];
	int n = 0;
	do {
		if (n == ARGS_MAX)
			return fail(x);
		args[n++] = parse_sum(x);
	} while (!x->has_failed && take(x, ','));
	if (x->has_failed || !take(x, ')'))
		return fail(x);
	for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
		const struct function *f = &functions[i];
		if (sv_eq(name, sv_of(f->name)) && n >= f->args_min && n <= f->args_max)
			return f->fn(args, n);
	}
	return fail(x);
}

static double parse_name(struct parser *x)
{
	struct sv name = {x->p, 0};
	while (isalnum((unsigned char)*x->p) || *x->p == '_')
		x->p++, name.n++;
	if (take(x, '('))
		return parse_call(x, name);
	if (sv_is(name, "pi"))
		return M_PI;
	return sv_is(name, "e") ? M_E : fail(x);
}

static double parse_atom(struct parser *x)
{
	char *end;
	double v;
	skip(x);
	if (take(x, '(')) {
		v = parse_sum(x);
		return take(x, ')') ? v : fail(x);
	}
	if (isalpha((unsigned char)*x->p))
		return parse_name(x);
	if (!isdigit((unsigned char)*x->p) && *x->p != '.')
		return fail(x);
	v = strtod(x->p, &end);
	if (end == x->p)
		return fail(x);
	x->p = end;
	return v;
}

static double parse_power(struct parser *x)
{
	double v = 0;
	if (x->has_failed || ++x->depth > DEPTH_MAX)
		return fail(x);
	if (take(x, '-')) {
		v = -parse_power(x);
	} else if (take(x, '+')) {
		v = parse_power(x);
	} else {
		v = parse_atom(x);
		if (take(x, '^'))
			v = pow(v, parse_power(x));
	}
	x->depth--;
	return v;
}

static double parse_product(struct parser *x)
{
	double v = parse_power(x);
	while (!x->has_failed) {
		if (take(x, '*'))
			v *= parse_power(x);
		else if (take(x, '/'))
			v /= parse_power(x);
		else
			break;
	}
	return v;
}

static double parse_sum(struct parser *x)
{
	double v = parse_product(x);
	while (!x->has_failed) {
		if (take(x, '+'))
			v += parse_product(x);
		else if (take(x, '-'))
			v -= parse_product(x);
		else
			break;
	}
	return v;
}

static int api_expr(struct api_call *c)
{
	struct parser x = {.p = c->args};
	double v = parse_sum(&x);
	char text[400];
	role_assert_ctl();
	skip(&x);
	if (x.has_failed || *x.p || !isfinite(v))
		return api_text(c, "!err!");
	size_t n = (size_t)snprintf(text, sizeof(text), "%0.10f", v);
	while (n && text[n - 1] == '0')
		text[--n] = 0;
	if (n && text[n - 1] == '.')
		text[--n] = 0;
	return api_text(c, strcmp(text, "-0") ? text : "0");
}

static const struct api_desc apis[] = {{"expr", "Eval an expression", "<expr>", 0, api_expr, NULL}, {0}};
const struct module mod_expr = {.abi = MODULE_ABI, .name = "mod_expr", .apis = apis};
