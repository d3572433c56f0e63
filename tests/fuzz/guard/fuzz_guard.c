/* What people and the store write of bans ("USER@ADDRESS"), names of users as attackers write them, and called numbers.
 * The first byte chooses. Parser: guard/ban.c, guard/fraud.c */
#include "base/check.h"
#include "base/mem.h"
#include "guard/ban_i.h"
#include "guard/fraud_i.h"
#include "text/xml.h"

#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ban_conf conf = {.is_on = true,
    .window_s = 600,
    .user_failures = 2,
    .user_ban_s = 10,
    .address_failures = 4,
    .address_users = 2,
    .address_ban_s = 60,
    .max_ban_s = 100,
    .known_factor = 2};

static bool all(const struct ban *b, void *arg)
{
	struct addr a;
	struct sv user;
	CHECK(!ban_spec_parse(sv_of(b->address), &a, &user) && !user.n);
	return true;
}

static void ban(struct sv text)
{
	struct addr a;
	struct sv user;
	struct ban_table *t;
	if (ban_spec_parse(text, &a, &user))
		return;
	CHECK(user.n <= BAN_USER_MAX && !ban_table_new(&t));
	for (int i = 0; i < 8; i++)
		ban_failed(t, &conf, &a, i % 3 ? user : text, i);
	const struct ban *put;
	ban_of(t, &a, user, 1);
	ban_succeeded(t, &a, 10);
	CHECK(!ban_put(t, &a, user, "by hand", 5, 100, &put) && put->until_us == 100);
	CHECK(ban_of(t, &a, user, 99) && !ban_of(t, &a, user, 101));
	CHECK(!ban_put(t, &a, user, "by hand", 5, INT64_MAX, NULL) && ban_remove(t, &a, user));
	CHECK(!ban_remove(t, &a, user) && ban_watched_count(t) > 0);
	for (int i = 0; i < 8; i++)
		ban_failed(t, &conf, &a, i % 2 ? user : text, 1000000LL * 50 * i);
	ban_each(t, all, NULL);
	CHECK(!ban_count(t));
	ban_table_free(t);
}

static void report(const char *problem, void *arg) {}

static void row_use(struct fraud_row *r, void *arg)
{
	static const struct fraud_rule rule = {.name = "r", .calls = 3, .minutes = 2, .all_calls = 3, .all_minutes = 2};
	unsigned calls, seconds, *rows = arg;
	for (unsigned i = 0; i < 4; i++) {
		bool is_over = fraud_row_over(&rule, r, 100);
		fraud_row_sums(r, &calls, &seconds);
		CHECK(is_over == (calls >= 3 || seconds >= 120) && (!is_over || fraud_row_over(&rule, r, 50)));
		r->begun[0] += i % 2, r->seconds[0] += 50;
	}
	++*rows;
}

static void row_is_clear(struct fraud_row *r, void *arg)
{
	unsigned calls, seconds;
	fraud_row_sums(r, &calls, &seconds);
	CHECK(!calls && !seconds);
}

static void fraud(struct sv text)
{
	static struct fraud_conf c;
	fraud_conf_read(&c, NULL, report, NULL);
	int rule = fraud_rule_of(&c, text);
	CHECK(rule >= -1 && rule < c.rule_count);
	struct fraud_table *t;
	CHECK(!fraud_table_new(&t));
	struct fraud_row *r = fraud_row_get(t, 0, text, (int64_t)text.n * 77777);
	CHECK(r && fraud_row_get(t, 0, text, INT64_MAX / 2) == r);
	unsigned rows = 0;
	CHECK(fraud_row_get(t, 1, SV_NONE, 7));
	fraud_each(t, row_use, &rows);
	CHECK(rows == 2 && fraud_count(t) == 2);
	for (int minute = 0; minute < 24 * 60; minute += 59)
		fraud_is_night(&c, minute);
	fraud_clear(t, text);
	fraud_table_free(t);
}

/* More accounts than there are rows: the oldest without a call makes room, an empty one at any time. */
static void fraud_many(struct sv text)
{
	struct fraud_table *t;
	char account[FRAUD_ACCOUNT_MAX + 40];
	CHECK(!fraud_table_new(&t));
	for (int i = 0; i < FRAUD_ROWS_MAX + 10; i++) {
		int n = snprintf(account, sizeof(account), "%d%.*s", i,
		    (int)(text.n < FRAUD_ACCOUNT_MAX ? text.n : FRAUD_ACCOUNT_MAX), text.p);
		struct fraud_row *r = fraud_row_get(t, 0, (struct sv){account, (size_t)n}, 1000);
		CHECK(r && fraud_count(t) <= FRAUD_ROWS_MAX);
		r->begun[0] = i % 3 ? 1 : 0;
	}
	fraud_clear(t, SV_NONE);
	fraud_each(t, row_is_clear, NULL);
	fraud_table_free(t);
}

static void fraud_file(struct sv text)
{
	static struct fraud_conf c;
	struct xml_doc *doc;
	char error[XML_ERROR_CHARS];
	if (xml_parse(&doc, text.p, text.n, "fraud.conf", NULL, 0, error))
		return;
	fraud_conf_read(&c, xml_root(doc), report, NULL);
	CHECK(c.rule_count > 0 && c.rule_count <= FRAUD_RULES_MAX && c.prefix_count <= FRAUD_PREFIXES_MAX);
	CHECK(!fraud_is_night(&c, c.night_to_min));
	mem_unref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct sv text = {(const char *)data + 1, size - 1};
	if (data[0] == 'b')
		ban(text);
	else if (data[0] == 'm')
		fraud_many(text);
	else if (data[0] == 'x')
		fraud_file(text);
	else
		fraud(text);
	return 0;
}
