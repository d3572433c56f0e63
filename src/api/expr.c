/* mod_expr: the command `expr`, arithmetic on decimal numbers. The text becomes a tree first (expr_parse.c), so that a
 * mistake anywhere is one, then the tree is worked out here. What is not understood, leaves a function's range, divides
 * by zero, or takes too many steps (`for`) answers "!err!". */
#include "api/api_i.h"
#include "api/expr_i.h"
#include "base/check.h"
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { STEPS_MAX = 20000 };

/* ---- functions of one, two or any number of values ----------------------------------------------------------------
 */
static double two_arg(double (*fn)(double, double), const double *a)
{
	return fn(a[0], a[1]);
}
static double fn_abs(const double *a, int n)
{
	return fabs(a[0]);
}
static double fn_mod(const double *a, int n)
{
	return two_arg(fmod, a);
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
	return two_arg(pow, a);
}
static double fn_pow10(const double *a, int n)
{
	return pow(10, a[0]);
}
static double fn_logn(const double *a, int n)
{
	double base = log(a[1]);
	if (base == 0)
		errno = EDOM;
	return log(a[0]) / base;
}
static double fn_deg(const double *a, int n)
{
	return a[0] * 180 / M_PI;
}
static double fn_rad(const double *a, int n)
{
	return a[0] * M_PI / 180;
}
static double fn_recttopolr(const double *a, int n)
{
	return sqrt(a[0] * a[0] + a[1] * a[1]);
}
static double fn_recttopola(const double *a, int n)
{
	double angle = atan2(a[1], a[0]);
	return angle < 0 ? 2 * M_PI : angle; /* as there, whatever the angle */
}
static double fn_poltorectx(const double *a, int n)
{
	return a[0] * cos(a[1]);
}
static double fn_poltorecty(const double *a, int n)
{
	return a[0] * sin(a[1]);
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
static unsigned as_unsigned(double v)
{
	return (unsigned)(v <= -9e18 || v >= 9e18 || isnan(v) ? 0 : (int64_t)v);
}
static double fn_land(const double *a, int n)
{
	return as_unsigned(a[0]) & as_unsigned(a[1]);
}
static double fn_lor(const double *a, int n)
{
	return as_unsigned(a[0]) | as_unsigned(a[1]);
}
/* Both bounds are the second value, as there. */
static double fn_clip(const double *a, int n)
{
	return a[1];
}
static double fn_clamp(const double *a, int n)
{
	double rest = fmod(a[0] - a[1], a[2] - a[1]);
	return rest < 0 ? rest + a[2] : rest + a[1];
}
static double fn_pntchange(const double *a, int n)
{
	double range = a[1] - a[0];
	return range == 0 ? a[0] : a[2] + (a[4] - a[0]) / range * (a[3] - a[2]);
}
static double fn_poly(const double *a, int n)
{
	double sum = 0;
	for (int i = 1; i < n; i++)
		sum += a[i] * pow(a[0], n - 1 - i);
	return sum;
}
#define OF_ONE(name) \
	static double fn_##name(const double *a, int n) \
	{ \
		return name(a[0]); \
	}
OF_ONE(sqrt)
OF_ONE(sin)
OF_ONE(sinh)
OF_ONE(asin)
OF_ONE(cos)
OF_ONE(cosh)
OF_ONE(acos)
OF_ONE(tan)
OF_ONE(tanh) OF_ONE(atan) OF_ONE(exp) OF_ONE(ceil) OF_ONE(floor) static double fn_atan2(const double *a, int n)
{
	return two_arg(atan2, a);
}
static double fn_log(const double *a, int n)
{
	return log10(a[0]);
}
static double fn_ln(const double *a, int n)
{
	return log(a[0]);
}

static const struct expr_function functions[] = {
    {"abs", 1, 1, fn_abs},
    {"mod", 2, 2, fn_mod},
    {"ipart", 1, 1, fn_ipart},
    {"fpart", 1, 1, fn_fpart},
    {"min", 1, EXPR_ARGS_MAX, fn_min},
    {"max", 1, EXPR_ARGS_MAX, fn_max},
    {"pow", 2, 2, fn_pow},
    {"sqrt", 1, 1, fn_sqrt},
    {"sin", 1, 1, fn_sin},
    {"sinh", 1, 1, fn_sinh},
    {"asin", 1, 1, fn_asin},
    {"cos", 1, 1, fn_cos},
    {"cosh", 1, 1, fn_cosh},
    {"acos", 1, 1, fn_acos},
    {"tan", 1, 1, fn_tan},
    {"tanh", 1, 1, fn_tanh},
    {"atan", 1, 1, fn_atan},
    {"atan2", 2, 2, fn_atan2},
    {"log", 1, 1, fn_log},
    {"pow10", 1, 1, fn_pow10},
    {"ln", 1, 1, fn_ln},
    {"exp", 1, 1, fn_exp},
    {"logn", 2, 2, fn_logn},
    {"ceil", 1, 1, fn_ceil},
    {"floor", 1, 1, fn_floor},
    {"deg", 1, 1, fn_deg},
    {"rad", 1, 1, fn_rad},
    {"recttopolr", 2, 2, fn_recttopolr},
    {"recttopola", 2, 2, fn_recttopola},
    {"poltorectx", 2, 2, fn_poltorectx},
    {"poltorecty", 2, 2, fn_poltorecty},
    {"equal", 2, 2, fn_equal},
    {"above", 2, 2, fn_above},
    {"below", 2, 2, fn_below},
    {"avg", 1, EXPR_ARGS_MAX, fn_avg},
    {"clip", 3, 3, fn_clip},
    {"clamp", 3, 3, fn_clamp},
    {"pntchange", 5, 5, fn_pntchange},
    {"poly", 2, EXPR_ARGS_MAX, fn_poly},
    {"and", 2, 2, fn_and},
    {"or", 2, 2, fn_or},
    {"not", 1, 1, fn_not},
    {"land", 2, 2, fn_land},
    {"lor", 2, 2, fn_lor},
    /* those that choose what is worked out, or change a variable */
    {"if", 3, 3, NULL, EXPR_IF},
    {"select", 3, 4, NULL, EXPR_SELECT},
    {"for", 4, EXPR_ARGS_MAX, NULL, EXPR_FOR},
    {"many", 1, EXPR_ARGS_MAX, NULL, EXPR_MANY},
    {"rand", 0, 0, NULL, EXPR_RAND},
    {"random", 2, 2, NULL, EXPR_RANDOM},
    {"randomize", 0, 0, NULL, EXPR_RANDOMIZE},
};

const struct expr_function *expr_function_find(struct sv name)
{
	for (size_t i = 0; i < ARRAY_COUNT(functions); i++)
		if (sv_eq(name, sv_of(functions[i].name)))
			return &functions[i];
	return NULL;
}

/* ---- the tree worked out ------------------------------------------------------------------------------------------
 */
static double value_of(struct expr *x, int at);

static double fail(struct expr *x)
{
	x->has_failed = true;
	return 0;
}

static double arg(struct expr *x, const struct expr_node *k, int i)
{
	return value_of(x, x->args[k->first_arg + i]);
}

static double choose(struct expr *x, const struct expr_node *k)
{
	double v = arg(x, k, 0);
	if (k->function->kind == EXPR_IF)
		return arg(x, k, v != 0 ? 1 : 2);
	return arg(x, k, v < 0 ? 1 : v == 0 || k->arg_count == 3 ? 2 : 3);
}

/* for(first, while not 0, after each, body...) */
static double loop(struct expr *x, const struct expr_node *k)
{
	double v = 0;
	arg(x, k, 0);
	while (!x->has_failed && arg(x, k, 1) != 0 && !x->has_failed) {
		for (int i = 3; i < k->arg_count; i++)
			v = arg(x, k, i);
		arg(x, k, 2);
	}
	return v;
}

/* One of 32,768 steps from 0 on, of the series that the variable keeps. */
static double draw(struct expr *x, const struct expr_node *k, double steps)
{
	double *seed = &x->vars[k->var].value;
	int64_t next = (int64_t)(as_unsigned(*seed) * UINT64_C(214013) + 2531011);
	*seed = (double)next;
	return (double)(next >> 16 & 0x7fff) / steps;
}

static double call_special(struct expr *x, const struct expr_node *k)
{
	double v = 0, from;
	switch (k->function->kind) {
	case EXPR_IF:
	case EXPR_SELECT:
		return choose(x, k);
	case EXPR_FOR:
		return loop(x, k);
	case EXPR_MANY:
		for (int i = 0; i < k->arg_count; i++)
			v = arg(x, k, i);
		return v;
	case EXPR_RAND:
		return draw(x, k, 32768);
	case EXPR_RANDOM:
		from = arg(x, k, 0);
		v = arg(x, k, 1) - from;
		return from + draw(x, k, 32767) * v;
	case EXPR_RANDOMIZE:
		x->vars[k->var].value = (double)(clock_mono_us() & 0x7fffffff);
		return 0;
	default:
		return fail(x);
	}
}

static double call(struct expr *x, const struct expr_node *k)
{
	double v[EXPR_ARGS_MAX];
	if (!k->function->fn)
		return call_special(x, k);
	for (int i = 0; i < k->arg_count; i++)
		v[i] = arg(x, k, i);
	errno = 0;
	double result = x->has_failed ? 0 : k->function->fn(v, k->arg_count);
	return errno ? fail(x) : result;
}

static double value_of(struct expr *x, int at)
{
	const struct expr_node *k = &x->nodes[at];
	double a, b;

	if (x->has_failed || ++x->steps > STEPS_MAX)
		return fail(x);
	switch (k->kind) {
	case EXPR_VALUE:
		return k->value;
	case EXPR_VAR:
		return x->vars[k->var].value;
	case EXPR_SET:
		a = value_of(x, k->left);
		return x->vars[k->var].value = a;
	case EXPR_NEGATE:
		return -value_of(x, k->left);
	case EXPR_CALL:
		return call(x, k);
	default:
		break;
	}
	a = value_of(x, k->left);
	b = value_of(x, k->right);
	errno = 0;
	a = k->kind == EXPR_ADD        ? a + b
	    : k->kind == EXPR_SUBTRACT ? a - b
	    : k->kind == EXPR_MULTIPLY ? a * b
	    : k->kind == EXPR_DIVIDE   ? (b == 0 ? fail(x) : a / b)
	                               : pow(a, b);
	return errno ? fail(x) : a;
}

static int api_expr(struct api_call *c)
{
	static struct expr x; /* the control thread does not wait here */
	char text[400];
	double v = 0;
	role_assert_ctl();
	expr_parse(&x, c->args);
	for (int i = 0; i < x.statement_count; i++)
		v = value_of(&x, x.statements[i]);
	if (x.has_failed || !isfinite(v))
		return api_text(c, "!err!");
	size_t n = (size_t)snprintf(text, sizeof(text), "%0.10f", v);
	while (n && text[n - 1] == '0')
		text[--n] = 0;
	if (n && text[n - 1] == '.')
		text[--n] = 0;
	return api_text(c, text);
}

static const struct api_desc apis[] = {{"expr", "Eval an expression", "<expr>", API_OWN_REPLY, api_expr, NULL}, {0}};
const struct module mod_expr = {.abi = MODULE_ABI, .name = "mod_expr", .apis = apis};
