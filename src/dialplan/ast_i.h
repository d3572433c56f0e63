/* extensions.conf as it is kept: the lines of each context, in order. */
#pragma once
#include "base/hash.h"
#include "dialplan/dialplan.h"
#include "text/re.h"

enum { AST_MAX_LINES = 100000, AST_MAX_NESTING = 10 };

struct ast_line {
	char *field;   /* what is matched: NULL = the number dialled; a field's name; text with ${} */
	char *cid;     /* the caller's number must be this; NULL = any */
	char *pattern; /* as written */
	struct re *re; /* NULL: the pattern is compared as it is */
	bool captures, is_broken;
	char *app, *data;
	unsigned line;
};
struct ast_include {
	char *name;
	unsigned line;
};
struct ast_context {
	char *name;
	struct ast_line *lines;
	size_t line_count, line_cap;
	struct ast_include *includes;
	size_t include_count, include_cap;
};
struct dp_ast {
	char *file;
	struct hash *contexts; /* name -> struct ast_context, without case */
	struct ast_context **in_order;
	size_t context_count, context_cap, total;
};
