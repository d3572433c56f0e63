/* Rates: the longest prefix with a rate at that moment, against a plain search; costs that never fall; money; CSV. */
#include "base/check.h"
#include "base/status.h"
#include "billing/rate.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rate plain = {.per_minute = 60, .increment_s = 1, .days = 127, .end_min = 1440};

static int test_cost(void)
{
	struct rate r = plain;
	EXPECT_INT(rate_cost(&r, 0), 0);
	EXPECT_INT(rate_cost(&r, 1), 1);
	EXPECT_INT(rate_cost(&r, 61), 61);
	r.minimum_s = 30, r.increment_s = 6, r.connect = 100;
	EXPECT_INT(rate_cost(&r, 1), 130);
	EXPECT_INT(rate_cost(&r, 31), 136);
	r.free_s = 30;
	EXPECT_INT(rate_cost(&r, 20), 100);
	EXPECT_INT(rate_cost(&r, 31), 106);
	r.tax_ppm = 190000;
	EXPECT_INT(rate_cost(&r, 31), 106 + 21);
	r.per_minute = 1, r.connect = 0, r.free_s = 0, r.tax_ppm = 0;
	EXPECT_INT(rate_cost(&r, 1), 1); /* rounded up */
	for (int i = 0; i < 2000; i++) {
		r = (struct rate){.per_minute = rand() % 100000,
		    .connect = rand() % 1000,
		    .minimum_s = (uint32_t)rand() % 90,
		    .increment_s = 1 + (uint32_t)rand() % 60,
		    .free_s = (uint32_t)rand() % 90,
		    .tax_ppm = (uint32_t)rand() % 300000};
		int64_t s = rand() % 10000, amount = rand() % 10000000;
		EXPECT(rate_cost(&r, s) <= rate_cost(&r, s + 1));
		int64_t most = rate_seconds(&r, amount);
		EXPECT(rate_cost(&r, most) <= amount || !most);
		EXPECT(most == RATE_SECONDS_MAX || rate_cost(&r, most + 1) > amount);
	}
	r = (struct rate){
	    .per_minute = RATE_MONEY_MAX, .connect = RATE_MONEY_MAX, .increment_s = 1, .tax_ppm = 10000000};
	EXPECT(rate_cost(&r, INT64_MAX) > 0);
	return 0;
}

static int test_bands_and_versions(void)
{
	struct rates *r;
	struct rate_found f;
	struct rate x = plain;
	EXPECT_INT(billing_rates_new(&r), ST_OK);
	EXPECT_INT(billing_rates_add(r, SV("a"), SV("49"), &x), ST_OK);
	x.per_minute = 30, x.begin_min = 22 * 60, x.end_min = 6 * 60, x.days = 1; /* the night of Monday */
	EXPECT_INT(billing_rates_add(r, SV("a"), SV("49"), &x), ST_OK);
	x = plain, x.per_minute = 90, x.from_s = 1000;
	EXPECT_INT(billing_rates_add(r, SV("a"), SV("49"), &x), ST_OK);
	x.per_minute = 5, x.from_s = 0, x.to_s = 10;
	EXPECT_INT(billing_rates_add(r, SV("a"), SV("4930"), &x), ST_OK);
	struct {
		struct rate_moment at;
		int64_t rate;
	} t[] = {{{1, 0, 60}, 5}, {{20, 0, 60}, 60}, {{20, 0, 1380}, 30}, {{20, 1, 60}, 30}, {{20, 1, 360}, 60},
	    {{20, 1, 1380}, 60}, {{2000, 0, 1380}, 90}};
	for (size_t i = 0; i < ARRAY_COUNT(t); i++) {
		EXPECT_INT(billing_rates_find(r, SV("a"), "49301", t[i].at, &f), ST_OK);
		EXPECT_INT(f.rate.per_minute, t[i].rate);
	}
	EXPECT_STR(f.prefix, "49");
	EXPECT_INT(billing_rates_find(r, SV("b"), "49301", t[0].at, &f), ST_NOTFOUND);
	EXPECT_INT(billing_rates_find(r, SV("a"), "+49", t[0].at, &f), ST_NOTFOUND);
	EXPECT_INT(billing_rates_find(r, SV("a"), "", t[0].at, &f), ST_NOTFOUND);
	EXPECT_INT(billing_rates_add(r, SV("a"), SV("4x"), &plain), ST_INVAL);
	x = plain, x.increment_s = 0;
	EXPECT_INT(billing_rates_add(r, SV("a"), SV("4"), &x), ST_INVAL);
	billing_rates_free(r);
	return 0;
}

enum { RATES = 20000, ASKED = 2000 };
static int test_against_a_plain_search(void)
{
	static char prefixes[RATES][10];
	struct rates *r;
	struct rate_found f;
	EXPECT_INT(billing_rates_new(&r), ST_OK);
	for (int i = 0; i < RATES; i++) {
		struct rate x = plain;
		x.per_minute = i, x.from_s = i; /* the youngest of one prefix */
		snprintf(prefixes[i], sizeof(prefixes[i]), "%d", rand() % 3 ? rand() % 1000000 : rand() % 1000);
		EXPECT_INT(billing_rates_add(r, SV("d"), sv_of(prefixes[i]), &x), ST_OK);
	}
	for (int a = 0; a < ASKED; a++) {
		char number[16];
		int best = -1;
		snprintf(number, sizeof(number), "%d", rand() % 100000000);
		for (int i = 0; i < RATES; i++) {
			size_t n = strlen(prefixes[i]);
			if (!strncmp(number, prefixes[i], n) && (best < 0 || n >= strlen(prefixes[best])))
				best = i;
		}
		int st = billing_rates_find(r, SV("d"), number, (struct rate_moment){RATES, 0, 0}, &f);
		EXPECT_INT(st, best < 0 ? ST_NOTFOUND : ST_OK);
		if (!st)
			EXPECT_INT(f.rate.per_minute, best);
	}
	billing_rates_free(r);
	return 0;
}

static int test_money(void)
{
	int64_t v = 7;
	EXPECT_INT(rate_money_parse(SV("1.25"), &v), ST_OK);
	EXPECT_INT(v, 12500);
	EXPECT_INT(rate_money_parse(SV("-3"), &v), ST_OK);
	EXPECT_INT(v, -30000);
	EXPECT_INT(rate_money_parse(SV("0.00001"), &v), ST_PARSE);
	EXPECT_INT(rate_money_parse(SV(""), &v), ST_PARSE);
	EXPECT_INT(rate_money_parse(SV("."), &v), ST_PARSE);
	EXPECT_INT(rate_money_parse(SV("1e3"), &v), ST_PARSE);
	EXPECT_INT(rate_money_parse(SV("99999999999999999999"), &v), ST_LIMIT);
	struct buf b;
	buf_init(&b);
	rate_money_put(&b, -12500);
	EXPECT_STR(b.p, "-1.2500");
	buf_fini(&b);
	return 0;
}

struct seen {
	unsigned ok, bad, bad_line;
	struct rate last;
};
static void on_ok(unsigned line, struct sv prefix, const struct rate *rate, void *arg)
{
	struct seen *s = arg;
	s->ok++, s->last = *rate;
}
static void on_bad(unsigned line, const char *why, void *arg)
{
	struct seen *s = arg;
	s->bad++, s->bad_line = line;
}

static int test_csv(void)
{
	struct seen s = {0};
	struct rate_csv to = {on_ok, on_bad, &s};
	EXPECT_INT(rate_csv_read(SV("prefix,rate,connect,days,begin,end,tax\n49,1.5,2,1-5,08:00,18:00,19\n\n"
	                            "49x,1\n33,\"2\"\n44,-1\n1,2,3,4,5,6,7,8\n"),
	               &to),
	    ST_OK);
	EXPECT_INT(s.ok, 2);
	EXPECT_INT(s.bad, 3);
	EXPECT_INT(s.bad_line, 7);
	EXPECT_INT(
	    rate_csv_read(SV("prefix,rate,connect,days,begin,end,tax\n49,1.5,2,1-5,08:00,18:00,19"), &to), ST_OK);
	EXPECT(s.last.per_minute == 15000 && s.last.connect == 20000 && s.last.days == 31 && s.last.begin_min == 480 &&
	       s.last.end_min == 1080 && s.last.tax_ppm == 190000);
	EXPECT_INT(rate_csv_read(SV("prefix,price\n"), &to), ST_PARSE);
	EXPECT_INT(rate_csv_read(SV("prefix,rate,rate\n"), &to), ST_PARSE);
	EXPECT_INT(rate_csv_read(SV(""), &to), ST_PARSE);
	return 0;
}
TEST_MAIN({"cost", test_cost, 0}, {"bands_and_versions", test_bands_and_versions, 0},
    {"against_a_plain_search", test_against_a_plain_search, 0}, {"money", test_money, 0}, {"csv", test_csv, 0})
