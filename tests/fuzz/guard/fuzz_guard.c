/* What people and the store write of bans ("USER@ADDRESS"), names of users as attackers write them, and called numbers.
 * The first byte chooses. Parser: guard/ban.c, guard/fraud.c */
#include "base/check.h"
#include "base/mem.h"
#include "guard/ban_i.h"
#include "guard/fraud_i.h"
#include "text/xml.h"

#include <stdint.h>

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
	ban_of(t, &a, user, 1);
	ban_each(t, all, NULL);
	CHECK(!ban_count(t));
	ban_table_free(t);
}

static void report(const char *problem, void *arg) {}

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
	fraud_clear(t, text);
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
	mem_unref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	struct sv text = {(const char *)data + 1, size - 1};
	if (data[0] == 'b')
		ban(text);
	else if (data[0] == 'x')
		fraud_file(text);
	else
		fraud(text);
	return 0;
}
