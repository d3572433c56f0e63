/* The XML dialplan: compiled once per configuration snapshot, hunted by interfaces so that it needs no leg to be
 * tested. Grammar and semantics are FreeSWITCH's (mod_dialplan_xml). */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "core/conf/config.h"
#include <time.h>

struct dp_trace;
struct re_match;
struct xml_node;
struct dialplan; /* immutable; borrows the XML it was made of */

/* Compiles the contexts below section (a <section name="dialplan"> or any element with <context> children). Expressions
 * that do not compile are reported (report may be NULL: logged) as "file:line:column: reason" and never match. */
ANY int dialplan_new(struct dialplan **out, const struct xml_node *section, config_report_fn report, void *arg);
ANY void dialplan_free(struct dialplan *dp); /* NULL is fine */
ANY bool dialplan_has_context(const struct dialplan *dp, const char *context);
/* Calls fn for every application name used, with its place: the check for unknown ones. */
ANY void dialplan_each_app(const struct dialplan *dp,
    void (*fn)(const char *app, const char *data, const struct xml_node *where, void *arg), void *arg);

/* What a hunt needs to know of the call, and what it does to it. arg is passed to all. expand and run_inline may
 * suspend; the dialplan must stay alive across them. */
struct dp_env {
	void *arg;
	/* A caller-profile field, marked (text/mark.h); scratch may hold it. NULL = "" */
	const char *(*field)(void *arg, const char *name, struct buf *scratch);
	const char *(*var)(void *arg, const char *name);                 /* channel variable; NULL = unset */
	int (*expand)(void *arg, const char *text, struct buf *out);     /* ${...}; out is marked */
	void (*set_var)(void *arg, const char *name, const char *text);  /* marked; NULL removes */
	void (*push_var)(void *arg, const char *name, const char *text); /* appends to an array variable */
	int (*run_inline)(void *arg, const char *app, const char *data);
	/* Local time in zone (NULL = the system's), ST_NOTFOUND when unknown. */
	int (*local_time)(void *arg, const char *zone, int64_t wall_us, struct tm *out);
	int64_t wall_us;
	void (*trace)(void *arg, const struct dp_trace *t); /* each step as it is taken; NULL = silent */
	/* Of a dialplan that a program wrote for this call: its text with what is the call's from outside marked, to be
	 * freed; NULL: as it is. NULL: the dialplan is the configuration's. */
	char *(*mark)(void *arg, const char *text);
};
/* dp_env's local_time, for any arg; a zone may also be POSIX TZ text. */
CO int dp_local_time(void *arg, const char *zone, int64_t wall_us, struct tm *out);
/* One step of a hunt. What it points at lives as long as the call. */
enum dp_trace_kind {
	DP_TRACE_EXTENSION, /* is tried: is_continue */
	DP_TRACE_TIME,      /* a condition's (or <regex>'s) time attributes: is_pass */
	DP_TRACE_FIELD,     /* a field against an expression: is_pass, field, value, expression, match */
	DP_TRACE_ALWAYS,    /* a condition with neither */
	DP_TRACE_NESTED,    /* goes into nested conditions: is_required */
	DP_TRACE_ACTION     /* taken: app, data; is_anti, is_inline (run now, all others later) */
};
struct dp_trace {
	enum dp_trace_kind kind;
	unsigned level;        /* of nesting */
	const char *context;   /* of DP_TRACE_EXTENSION */
	const char *extension; /* as FreeSWITCH's log calls it: nested ones end in _recur_N */
	const char *file;      /* where it stands, NULL when unknown */
	unsigned line;
	bool is_continue, is_pass, is_required, is_anti, is_inline;
	bool is_rule;    /* a <regex> of a condition with regex="any|all|xor" */
	const char *brk; /* break's value; of a <regex> the rule */
	const char *field, *value, *expression;
	const struct re_match *match; /* NULL, or the groups */
	const char *app, *data;
};
/* Appends FreeSWITCH's log line of a step. */
ANY int dp_trace_line(const struct dp_trace *t, const char *channel_name, struct buf *out);
struct dp_action {
	char *app, *data;
};
#define DP_MAX_ACTIONS 10000
struct dp_actions {
	struct dp_action *list;
	size_t count, cap;
	char *extension; /* the first extension that gave an action; NULL = nothing matched */
};
ANY void dp_actions_fini(struct dp_actions *a);
ANY int dp_actions_add(struct dp_actions *a, struct sv app, struct sv data); /* copies; ST_LIMIT */
/* The next item of a list: up to delim outside single quotes, which go, as does a backslash before a quote or delim.
 * The result is in item, trimmed. */
ANY struct sv dp_item_take(struct sv *rest, char delim, struct buf *item);

/* Finds the actions for destination in context. ST_OK: out->extension is set (the list may be empty when all actions
 * were inline); ST_NOTFOUND: no route (no such context and no "global" one either, or nothing gave an action). out must
 * be zeroed; the caller finishes it in any case. */
ANY int dialplan_xml_hunt(const struct dialplan *dp, const struct dp_env *env, const char *context,
    const char *destination, struct dp_actions *out);

/* The inline dialplan: "app:arg,app:arg", "m:^:app:arg^app:arg"; quotes as in FreeSWITCH. */
ANY int dialplan_inline_parse(struct sv text, struct dp_actions *out);

/* ---- extensions.conf ----
 * Asterisk's file as FreeSWITCH's mod_dialplan_asterisk reads it: every line of the context whose pattern matches gives
 * its application, in the file's order; priorities and labels are read and mean nothing. Beyond it: `same =>`, and
 * `include => context`, looked into when nothing of the context itself matched. */
struct dp_ast;
/* What cannot be read is reported as "file:line:1: reason" (report may be NULL: logged) and left out. file is copied.
 */
ANY int dp_ast_parse(struct dp_ast **out, struct sv text, const char *file, config_report_fn report, void *arg);
ANY void dp_ast_free(struct dp_ast *ast);
ANY bool dp_ast_has_context(const struct dp_ast *ast, const char *context);
/* As dialplan_xml_hunt; sets the variable EXTEN when something matches. */
ANY int dp_ast_hunt(const struct dp_ast *ast, const struct dp_env *env, const char *context, const char *destination,
    struct dp_actions *out);
/* Calls fn for every application named, with its line. */
ANY void dp_ast_each_app(
    const struct dp_ast *ast, void (*fn)(const char *app, const char *file, unsigned line, void *arg), void *arg);

/* ---- time conditions ---- */
enum dp_time_attr {
	DPT_TZ_OFFSET,
	DPT_DST,
	DPT_DATE_TIME,
	DPT_YEAR,
	DPT_YDAY,
	DPT_MON,
	DPT_MDAY,
	DPT_WEEK,
	DPT_MWEEK,
	DPT_WDAY,
	DPT_HOUR,
	DPT_MINUTE,
	DPT_MINUTE_OF_DAY,
	DPT_TIME_OF_DAY,
	DPT_COUNT
};
struct dp_time {
	const char *attr[DPT_COUNT]; /* NULL = not given */
};
/* Reads the time attributes of a condition; false when it has none. */
ANY bool dp_time_read(struct dp_time *t, const struct xml_node *condition);
/* Whether now (with tm_gmtoff and tm_isdst) is within all of them. */
ANY bool dp_time_match(const struct dp_time *t, const struct tm *now);

/* What the program links: registers the configuration stage and the module (mod_dialplan_xml, "XML" and "inline"). */
struct module;
extern const struct module mod_dialplan_xml;
extern const struct module mod_dialplan_asterisk;
extern const struct module inline_in_dptools; /* the dialplan "inline" */
/* The running configuration's extensions.conf; NULL: there is none, or the module is not loaded. */
ON_CTL const struct dp_ast *dp_ast_current(void);
/* Adds the configuration stage (compiling, checking) once; the module does it when it loads, `-check-config` without
 * modules. */
ON_CTL int dialplan_stage_init(void);
