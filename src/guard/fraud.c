/* A number's rule is that of its longest prefix. A row is what one account began and talked under one rule in the last
 * hour, in six slices of ten minutes of the wall clock, since rows outlive a restart; the account "" is all of them
 * together. Bounded: a row with no running call and an empty hour gives way to a new one. */
#include "base/hash.h"
#include "base/mem.h"
#include "guard/fraud_i.h"
#include "text/xml.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What is expensive nearly everywhere: calls abroad, and services that bill by the minute. */
static const struct {
	const char *name, *prefixes;
	unsigned calls, minutes, all_calls, all_minutes;
} standard[] = {
    {"international", "+,00,011", 30, 120, 120, 480},
    {"premium", "0900,0901,0906,1900,+1900,001900,0190,0137,0118,+979,00979,+878,00878", 3, 10, 10, 30},
    {"satellite", "+870,00870,011870,+881,00881,011881,+882,00882,011882,+883,00883,011883", 2, 5, 5, 10},
};

struct fraud_table {
	struct hash *rows;
};

/* ---- rules ---- */

static void prefixes_add(struct fraud_conf *c, struct sv list, int rule, fraud_report_fn report, void *arg)
{
	struct sv one;
	while (list.n) {
		sv_split(list, ',', &one, &list);
		one = sv_trim(one);
		if (!one.n)
			continue;
		struct fraud_prefix p = {.rule = rule};
		if (one.n >= sizeof(p.text) || c->prefix_count >= FRAUD_PREFIXES_MAX) {
			report(one.n >= sizeof(p.text) ? "a prefix has over 23 digits" : "more than 512 prefixes", arg);
			continue;
		}
		memcpy(p.text, one.p, one.n);
		c->prefixes[c->prefix_count++] = p;
	}
}

static unsigned number_of(const struct xml_node *n, const char *name, fraud_report_fn report, void *arg)
{
	uint32_t v = 0;
	const char *text = xml_attr(n, name);
	if (text && *text && sv_u32(sv_of(text), &v)) {
		char line[160];
		snprintf(line, sizeof(line), "%s:%u: %s=\"%.40s\" is no number", n->file ? n->file : "fraud.conf",
		    n->line, name, text);
		report(line, arg);
	}
	return v;
}

static void rule_add(struct fraud_conf *c, const struct xml_node *n, fraud_report_fn report, void *arg)
{
	if (c->rule_count >= FRAUD_RULES_MAX) {
		report("more than 64 rules", arg);
		return;
	}
	struct fraud_rule *r = &c->rules[c->rule_count];
	*r = (struct fraud_rule){.calls = number_of(n, "calls", report, arg),
	    .minutes = number_of(n, "minutes", report, arg),
	    .all_calls = number_of(n, "all-calls", report, arg),
	    .all_minutes = number_of(n, "all-minutes", report, arg)};
	snprintf(r->name, sizeof(r->name), "%s", xml_attr_or(n, "name", "rule"));
	prefixes_add(c, sv_of(xml_attr(n, "prefixes")), c->rule_count, report, arg);
	prefixes_add(c, sv_of(xml_attr(n, "except")), -1, report, arg);
	c->rule_count++;
}

static void standard_add(struct fraud_conf *c, fraud_report_fn report, void *arg)
{
	for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++) {
		struct fraud_rule *r = &c->rules[c->rule_count];
		*r = (struct fraud_rule){.calls = standard[i].calls,
		    .minutes = standard[i].minutes,
		    .all_calls = standard[i].all_calls,
		    .all_minutes = standard[i].all_minutes};
		snprintf(r->name, sizeof(r->name), "%s", standard[i].name);
		prefixes_add(c, sv_of(standard[i].prefixes), c->rule_count++, report, arg);
	}
}

/* "22:00-06:00" */
static bool night_read(struct fraud_conf *c, const char *text)
{
	unsigned h1, m1, h2, m2;
	char rest;
	if (!*text)
		return true;
	if (sscanf(text, "%2u:%2u-%2u:%2u%c", &h1, &m1, &h2, &m2, &rest) != 4 || h1 > 23 || h2 > 23 || m1 > 59 ||
	    m2 > 59)
		return false;
	c->night_from_min = (int)(h1 * 60 + m1);
	c->night_to_min = (int)(h2 * 60 + m2);
	return true;
}

static const char *param(const struct xml_node *settings, const char *name, const char *otherwise)
{
	const char *found = otherwise;
	xml_each(settings, "param", p) if (!strcasecmp(xml_attr_or(p, "name", ""), name)) found =
	    xml_attr_or(p, "value", "");
	return found;
}

static unsigned param_u(
    const struct xml_node *settings, const char *name, unsigned otherwise, fraud_report_fn report, void *arg)
{
	uint32_t v;
	const char *text = param(settings, name, NULL);
	char line[120];
	if (!text)
		return otherwise;
	if (!sv_u32(sv_of(text), &v))
		return v;
	snprintf(line, sizeof(line), "fraud.conf: %s: \"%.40s\" is no number", name, text);
	report(line, arg);
	return otherwise;
}

void fraud_conf_read(struct fraud_conf *out, const struct xml_node *conf, fraud_report_fn report, void *arg)
{
	const struct xml_node *s = xml_child(conf, "settings");
	const char *action = param(s, "action", "block"), *night = param(s, "night", "22:00-06:00");
	struct fraud_conf *c = out;
	*c = (struct fraud_conf){.is_on = str_is_true(param(s, "enabled", "false")),
	    .cuts_calls = str_is_true(param(s, "cut-calls", "false")),
	    .block_s = param_u(s, "block-time", 0, report, arg),
	    .night_percent = param_u(s, "night-percent", 50, report, arg)};
	c->action = !strcasecmp(action, "tell")     ? FRAUD_TELL
	            : !strcasecmp(action, "refuse") ? FRAUD_REFUSE
	                                            : FRAUD_BLOCK;
	if (c->action == FRAUD_BLOCK && strcasecmp(action, "block"))
		report("fraud.conf: action is none of tell, refuse, block; it is block now", arg);
	if (!night_read(c, night))
		report("fraud.conf: night is no \"22:00-06:00\"; there is none now", arg);
	xml_each(xml_child(conf, "rules"), "rule", r) rule_add(c, r, report, arg);
	if (!c->rule_count)
		standard_add(c, report, arg);
	prefixes_add(c, sv_of(param(s, "except", "")), -1, report, arg);
}

/* The digits and the plus of a number as people and phones write it. */
static size_t digits_of(struct sv number, char *out, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < number.n && n < cap; i++) {
		char ch = number.p[i];
		if (strchr(" -.()/", ch) && ch)
			continue;
		out[n++] = ch;
	}
	return n;
}

int fraud_rule_of(const struct fraud_conf *c, struct sv number)
{
	char digits[32];
	size_t n = digits_of(number, digits, sizeof(digits)), best = 0;
	int rule = -1;
	for (int i = 0; i < c->prefix_count; i++) {
		size_t k = strlen(c->prefixes[i].text);
		if (k > n || k < best || memcmp(digits, c->prefixes[i].text, k) != 0)
			continue;
		if (k == best && rule >= 0 && c->prefixes[i].rule >= 0)
			continue; /* the first of equal ones; an exception wins */
		best = k;
		rule = c->prefixes[i].rule;
	}
	return rule;
}

bool fraud_is_night(const struct fraud_conf *c, int minute)
{
	int from = c->night_from_min, to = c->night_to_min;
	return from < to ? minute >= from && minute < to : from > to && (minute >= from || minute < to);
}

/* ---- rows ---- */

static void row_free(void *p)
{
	mem_free(p);
}

int fraud_table_new(struct fraud_table **out)
{
	struct fraud_table *t = mem_zalloc(sizeof(*t));
	if (!t || hash_new(&t->rows, 0, row_free)) {
		mem_free(t);
		return ST_NOMEM;
	}
	*out = t;
	return ST_OK;
}

void fraud_table_free(struct fraud_table *t)
{
	if (!t)
		return;
	hash_free(t->rows);
	mem_free(t);
}

static void slide(struct fraud_row *r, int64_t slice)
{
	if (slice <= r->slice) /* also when the wall clock went back */
		return;
	for (int64_t i = slice - r->slice > FRAUD_SLICES ? slice - FRAUD_SLICES + 1 : r->slice + 1; i <= slice; i++)
		r->begun[i % FRAUD_SLICES] = r->seconds[i % FRAUD_SLICES] = 0;
	r->slice = slice;
}

static bool is_empty(const struct fraud_row *r)
{
	unsigned calls, seconds;
	fraud_row_sums(r, &calls, &seconds);
	return !r->call_count && !calls && !seconds;
}

/* Drops what is empty, and else the oldest account without a running call; what all use together is never forgotten. */
static bool room_make(struct fraud_table *t, int64_t slice)
{
	struct hash_it it = {0};
	struct sv oldest = SV_NONE;
	bool has_room = false;
	while (hash_next(t->rows, &it)) {
		struct fraud_row *r = it.value;
		slide(r, slice);
		if (is_empty(r)) {
			hash_del(t->rows, it.key);
			has_room = true;
		} else if (!oldest.n && !r->call_count && *r->account) {
			oldest = it.key;
		}
	}
	return has_room || (oldest.n && hash_del(t->rows, oldest));
}

struct fraud_row *fraud_row_get(struct fraud_table *t, int rule, struct sv account, int64_t wall_s)
{
	char key[4 + FRAUD_ACCOUNT_MAX];
	int64_t slice = wall_s / FRAUD_SLICE_S;
	if (account.n > FRAUD_ACCOUNT_MAX)
		account.n = FRAUD_ACCOUNT_MAX;
	size_t n = (size_t)snprintf(key, 4, "%02d:", rule);
	if (account.n)
		memcpy(key + n, account.p, account.n);
	struct sv k = {key, n + account.n};
	struct fraud_row *r = hash_get(t->rows, k);
	if (!r) {
		if (hash_count(t->rows) >= FRAUD_ROWS_MAX && !room_make(t, slice))
			return NULL;
		if (!(r = mem_zalloc(sizeof(*r))))
			return NULL;
		list_init(&r->calls);
		r->rule = rule;
		r->slice = slice;
		if (account.n)
			memcpy(r->account, account.p, account.n);
		if (hash_set(t->rows, k, r)) {
			mem_free(r);
			return NULL;
		}
	}
	slide(r, slice);
	return r;
}

void fraud_row_sums(const struct fraud_row *r, unsigned *calls, unsigned *seconds)
{
	*calls = *seconds = 0;
	for (int i = 0; i < FRAUD_SLICES; i++)
		*calls += r->begun[i], *seconds += r->seconds[i];
}

static unsigned part(unsigned bound, unsigned percent)
{
	uint64_t n = (uint64_t)bound * percent / 100;
	return n ? (unsigned)n : 1;
}

const char *fraud_row_over(const struct fraud_rule *rule, const struct fraud_row *r, unsigned percent)
{
	unsigned calls, seconds;
	bool is_all = !*r->account;
	unsigned max_calls = is_all ? rule->all_calls : rule->calls;
	unsigned max_minutes = is_all ? rule->all_minutes : rule->minutes;
	fraud_row_sums(r, &calls, &seconds);
	if (max_calls && calls >= part(max_calls, percent))
		return is_all ? "calls of all accounts in an hour" : "calls in an hour";
	if (max_minutes && seconds / 60 >= part(max_minutes, percent))
		return is_all ? "minutes of all accounts in an hour" : "minutes in an hour";
	return NULL;
}

void fraud_each(struct fraud_table *t, void (*fn)(struct fraud_row *r, void *arg), void *arg)
{
	struct hash_it it = {0};
	while (hash_next(t->rows, &it))
		fn(it.value, arg);
}

size_t fraud_count(const struct fraud_table *t)
{
	return hash_count(t->rows);
}

void fraud_clear(struct fraud_table *t, struct sv account)
{
	struct hash_it it = {0};
	while (hash_next(t->rows, &it)) {
		struct fraud_row *r = it.value;
		if (account.n && !sv_is(account, r->account))
			continue;
		memset(r->begun, 0, sizeof(r->begun));
		memset(r->seconds, 0, sizeof(r->seconds));
		r->is_told = false;
	}
}
