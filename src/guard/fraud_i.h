/* Limits of calls to expensive destinations: rules by prefix, and what each account used of them in the last hour.
 * Pure: times are given; nothing is fired, stored or cut here. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"

struct xml_node;
enum {
	FRAUD_RULES_MAX = 64,
	FRAUD_PREFIXES_MAX = 512,
	FRAUD_ROWS_MAX = 8192,
	FRAUD_NAME_MAX = 40,
	FRAUD_ACCOUNT_MAX = 128,
	FRAUD_SLICE_S = 600,
	FRAUD_SLICES = 6
};
enum fraud_action { FRAUD_TELL, FRAUD_REFUSE, FRAUD_BLOCK };
struct fraud_rule {
	char name[FRAUD_NAME_MAX + 1];
	unsigned calls, minutes;         /* of one account in an hour; 0 = any number */
	unsigned all_calls, all_minutes; /* of all accounts together */
};
struct fraud_prefix {
	char text[24];
	int rule; /* -1: an exception, no rule */
};
struct fraud_conf {
	bool is_on, cuts_calls;
	enum fraud_action action;
	unsigned block_s, night_percent;
	int night_from_min, night_to_min; /* of the day; equal: no night */
	struct fraud_rule rules[FRAUD_RULES_MAX];
	int rule_count;
	struct fraud_prefix prefixes[FRAUD_PREFIXES_MAX];
	int prefix_count;
};
typedef void (*fraud_report_fn)(const char *problem, void *arg);
/* conf NULL: off. What is wrong is reported and left out. */
ANY void fraud_conf_read(struct fraud_conf *out, const struct xml_node *conf, fraud_report_fn report, void *arg);
/* The rule of the longest prefix; -1: none. Signs that people write between digits do not count. */
ANY int fraud_rule_of(const struct fraud_conf *c, struct sv number);
ANY bool fraud_is_night(const struct fraud_conf *c, int minute_of_day);

struct fraud_row {         /* one account and rule; account "" = all together */
	struct list calls; /* running, answered or not */
	unsigned call_count;
	unsigned begun[FRAUD_SLICES], seconds[FRAUD_SLICES];
	int64_t slice; /* the number of the newest */
	int rule;
	bool is_told; /* over a limit, and somebody was told */
	char account[FRAUD_ACCOUNT_MAX + 1];
};
struct fraud_table;
ANY int fraud_table_new(struct fraud_table **out);
ANY void fraud_table_free(struct fraud_table *t);
/* Made when there is none; NULL: no room. wall_s moves its hour on. */
ANY struct fraud_row *fraud_row_get(struct fraud_table *t, int rule, struct sv account, int64_t wall_s);
ANY void fraud_row_sums(const struct fraud_row *r, unsigned *calls, unsigned *seconds);
/* Which bound one call more would break: a static text, or NULL. percent: of the bounds that count now. */
ANY const char *fraud_row_over(const struct fraud_rule *rule, const struct fraud_row *r, unsigned percent);
ANY void fraud_each(struct fraud_table *t, void (*fn)(struct fraud_row *r, void *arg), void *arg);
ANY size_t fraud_count(const struct fraud_table *t);
ANY void fraud_clear(struct fraud_table *t, struct sv account); /* its use of the hour; empty: everybody's */
