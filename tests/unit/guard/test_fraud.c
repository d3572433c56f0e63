/* Rules of expensive destinations: which one a number falls under, what an hour holds, night, what is wrong in the
 * file. */
#include "base/mem.h"
#include "guard/fraud_i.h"
#include "harness.h"
#include "text/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int problems;

static void report(const char *problem, void *arg)
{
	problems++;
}

static struct fraud_conf *conf_of(const char *text)
{
	static struct fraud_conf c;
	struct xml_doc *doc = NULL;
	char error[XML_ERROR_CHARS];
	problems = 0;
	if (text && xml_parse(&doc, text, strlen(text), "fraud.conf", NULL, 0, error))
		abort();
	fraud_conf_read(&c, text ? xml_root(doc) : NULL, report, NULL);
	mem_unref(doc);
	return &c;
}

static const char *rule_of(const struct fraud_conf *c, const char *number)
{
	int i = fraud_rule_of(c, sv_of(number));
	return i < 0 ? "" : c->rules[i].name;
}

static int test_rules(void)
{
	const struct fraud_conf *c = conf_of(NULL);
	EXPECT(!c->is_on && c->action == FRAUD_BLOCK && !problems);
	EXPECT_STR(rule_of(c, "0044123"), "international");
	EXPECT_STR(rule_of(c, "+44 (123)"), "international");
	EXPECT_STR(rule_of(c, "0900123"), "premium");
	EXPECT_STR(rule_of(c, "+1900555"), "premium");
	EXPECT_STR(rule_of(c, "00881612"), "satellite");
	EXPECT_STR(rule_of(c, "1000"), "");
	EXPECT_STR(rule_of(c, ""), "");
	c = conf_of(
	    "<configuration><settings><param name='enabled' value='true'/><param name='except' value='+49,0049'/>"
	    "<param name='action' value='refuse'/><param name='night' value='23:30-05:00'/></settings><rules>"
	    "<rule name='abroad' prefixes='00,+' calls='3' minutes='10' all-calls='5'/>"
	    "<rule name='far' prefixes='0088' except='00881' calls='1'/></rules></configuration>");
	EXPECT(c->is_on && c->action == FRAUD_REFUSE && !problems);
	EXPECT_STR(rule_of(c, "0044"), "abroad");
	EXPECT_STR(rule_of(c, "004930"), "");
	EXPECT_STR(rule_of(c, "00882"), "far");
	EXPECT_STR(rule_of(c, "008811"), "");
	EXPECT(fraud_is_night(c, 23 * 60 + 30) && fraud_is_night(c, 0) && !fraud_is_night(c, 5 * 60) &&
	       !fraud_is_night(c, 12 * 60));
	conf_of("<configuration><settings><param name='action' value='shout'/><param name='night' value='late'/>"
	        "<param name='block-time' value='x'/></settings><rules><rule calls='many' prefixes='"
	        "123456789012345678901234567890'/></rules></configuration>");
	EXPECT_INT(problems, 5);
	return 0;
}

static int test_hour(void)
{
	struct fraud_table *t;
	struct fraud_rule rule = {.calls = 3, .minutes = 10, .all_calls = 100};
	unsigned calls, seconds;
	EXPECT_INT(fraud_table_new(&t), 0);
	struct fraud_row *r = fraud_row_get(t, 0, SV("a"), 6000);
	r->begun[r->slice % FRAUD_SLICES] += 2;
	EXPECT(fraud_row_get(t, 0, SV("a"), 6000) == r && fraud_row_get(t, 1, SV("a"), 6000) != r);
	EXPECT(!fraud_row_over(&rule, r, 100));
	EXPECT_STR(fraud_row_over(&rule, r, 50), "calls in an hour");
	fraud_row_get(t, 0, SV("a"), 9000);
	r->begun[r->slice % FRAUD_SLICES] += 1;
	EXPECT_STR(fraud_row_over(&rule, r, 100), "calls in an hour");
	fraud_row_get(t, 0, SV("a"), 9600); /* the first two are an hour old */
	EXPECT(!fraud_row_over(&rule, r, 100));
	r->seconds[r->slice % FRAUD_SLICES] += 600;
	EXPECT_STR(fraud_row_over(&rule, r, 100), "minutes in an hour");
	fraud_row_get(t, 0, SV("a"), 1000); /* a clock that was set back changes nothing */
	fraud_row_sums(r, &calls, &seconds);
	EXPECT(calls == 1 && seconds == 600);
	fraud_row_get(t, 0, SV("a"), 1000000);
	fraud_row_sums(r, &calls, &seconds);
	EXPECT(!calls && !seconds);
	/* bounded: what runs stays, empty ones go */
	r->call_count = 1;
	for (int i = 0; i < FRAUD_ROWS_MAX + 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%d", i);
		EXPECT(fraud_row_get(t, 0, sv_of(name), 1000000));
	}
	EXPECT(fraud_count(t) <= FRAUD_ROWS_MAX && fraud_row_get(t, 0, SV("a"), 1000000) == r);
	fraud_table_free(t);
	return 0;
}

/* However many accounts there are: what they use together counts on. */
static int test_many_accounts(void)
{
	struct fraud_table *t;
	unsigned calls, seconds;
	EXPECT_INT(fraud_table_new(&t), 0);
	struct fraud_row *all = fraud_row_get(t, 0, SV_NONE, 6000);
	all->begun[all->slice % FRAUD_SLICES] = 50;
	for (int i = 0; i < FRAUD_ROWS_MAX + 100; i++) {
		char name[16];
		snprintf(name, sizeof(name), "n%d", i);
		struct fraud_row *r = fraud_row_get(t, 0, sv_of(name), 6000);
		EXPECT(r);
		r->begun[r->slice % FRAUD_SLICES] = 1;
	}
	EXPECT(fraud_count(t) <= FRAUD_ROWS_MAX);
	fraud_row_sums(fraud_row_get(t, 0, SV_NONE, 6000), &calls, &seconds);
	EXPECT_INT(calls, 50);
	fraud_table_free(t);
	return 0;
}

TEST_MAIN({"rules", test_rules}, {"hour", test_hour}, {"many accounts", test_many_accounts})
