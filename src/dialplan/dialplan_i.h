/* The compiled form of the XML dialplan. Strings are the XML document's. */
#pragma once
#include "base/hash.h"
#include "dialplan/dialplan.h"
#include "text/re.h"
#include "text/xml.h"

#define DP_MAX_NESTING 20

enum dp_break { DP_ON_FALSE, DP_ON_TRUE, DP_ALWAYS, DP_NEVER };
enum dp_rule { DP_SINGLE, DP_ANY, DP_ALL, DP_XOR };

struct dp_test {                 /* field =~ expression, or time, or nothing at all */
	const char *field;       /* NULL = none */
	const char *expression;  /* never NULL */
	bool field_expands;      /* contains $ */
	bool expression_expands; /* contains ${: compiled when used */
	bool has_time;
	struct dp_time time;
	struct re *re; /* NULL: expands, or does not compile */
	const struct xml_node *node;
};
struct dp_step {
	const char *app, *data;
	bool is_inline;
	int loops;
	const struct xml_node *node;
};
struct dp_cond {
	enum dp_rule rule;
	enum dp_break brk;
	const char *break_text;
	bool requires_nested;
	struct dp_test test;
	struct dp_test *regexes; /* children <regex> */
	size_t regex_count;
	struct dp_step *actions, *antis;
	size_t action_count, anti_count;
	struct dp_cond *nested;
	size_t nested_count;
};
struct dp_ext {
	const char *name;
	const struct xml_node *node;
	bool is_continue;
	struct dp_cond *conds;
	size_t cond_count;
};
struct dp_context {
	const char *name;
	struct dp_ext *exts;
	size_t ext_count;
};
struct dialplan {
	struct dp_context *contexts;
	size_t context_count;
	struct hash *by_name; /* first of a name wins */
};

/* ---- lint.c: what a condition and its actions most likely do not mean ---- */
typedef void (*dp_lint_fn)(const struct xml_node *node, const char *what, void *arg);
ANY void dp_lint_condition(const struct xml_node *node, dp_lint_fn fn, void *arg);
/* ---- time.c ---- */
ANY const char *const *dp_time_names(void); /* the time attributes; NULL ends */
/* The first time attribute of node of which a part can never be (value gets that part), or NULL. */
ANY const char *dp_time_impossible(const struct xml_node *node, char value[60]);
