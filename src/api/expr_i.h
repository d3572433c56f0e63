/* Private to the command `expr`: the tree of an expression (expr_parse.c), worked out by expr.c. Everything is bounded.
 */
#pragma once
#include "base/role.h"
#include "base/str.h"

enum { EXPR_ARGS_MAX = 16, EXPR_NODES_MAX = 512, EXPR_VARS_MAX = 64, EXPR_STATEMENTS_MAX = 64, EXPR_DEPTH_MAX = 32 };
enum expr_kind {
	EXPR_VALUE,
	EXPR_VAR,
	EXPR_SET,
	EXPR_NEGATE,
	EXPR_ADD,
	EXPR_SUBTRACT,
	EXPR_MULTIPLY,
	EXPR_DIVIDE,
	EXPR_POWER,
	EXPR_CALL
};
enum expr_special { EXPR_ORDINARY, EXPR_IF, EXPR_SELECT, EXPR_FOR, EXPR_MANY, EXPR_RAND, EXPR_RANDOM, EXPR_RANDOMIZE };
struct expr_function {
	const char *name;
	int args_min, args_max;
	double (*fn)(const double *a, int n); /* NULL: kind says how */
	enum expr_special kind;               /* from EXPR_RAND on it takes a reference, "&name", beside its values */
};
struct expr_node {
	enum expr_kind kind;
	int left, right, var, first_arg, arg_count;
	double value;
	const struct expr_function *function;
};
struct expr_var {
	struct sv name;
	double value;
	bool is_constant;
};
struct expr {
	const char *p;
	int depth, node_count, arg_count, var_count, statement_count;
	unsigned steps;
	bool has_failed;
	struct expr_node nodes[EXPR_NODES_MAX];
	int args[EXPR_NODES_MAX], statements[EXPR_STATEMENTS_MAX];
	struct expr_var vars[EXPR_VARS_MAX];
};
/* Fills x anew from text, which it borrows; has_failed: it is no expression. */
ANY void expr_parse(struct expr *x, const char *text);
ANY const struct expr_function *expr_function_find(struct sv name); /* NULL: none */
