/* Rate decks: the longest prefix first, others of it in order; against a plain search over random numbers. */
#include "base/status.h"
#include "harness.h"
#include "routing/deck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct deck_rate price(double rate)
{
	return (struct deck_rate){.rate = rate, .end_s = INT64_MAX};
}

static int test_order(void)
{
	struct deck *d;
	const struct deck_rate *found[8];
	uint8_t digits[8];
	EXPECT_INT(deck_new(&d), ST_OK);
	EXPECT_INT(deck_carrier_add(d, SV("7"), SV("east")), ST_OK);
	EXPECT_INT(deck_carrier_add(d, SV("7"), SV("again")), ST_EXISTS);
	EXPECT_INT(deck_carrier_add(d, SV("x"), SV("west")), ST_OK);
	EXPECT_INT(deck_gateway_add(d, SV("7"), SV("sofia/gateway/a/"), SV_NONE, SV_NONE, 1, 0), ST_OK);
	EXPECT_INT(deck_gateway_add(d, SV("7"), SV("sofia/gateway/b/"), SV_NONE, SV("PCMA"), 3, 20), ST_OK);
	EXPECT_INT(deck_gateway_add(d, SV("9"), SV_NONE, SV_NONE, SV_NONE, 1, 0), ST_NOTFOUND);
	EXPECT_INT(deck_rate_add(d, SV("49"), SV("7"), SV("00"), SV("#"), SV("/x/y/"), price(3)), ST_OK);
	EXPECT_INT(deck_rate_add(d, SV("4930"), SV("x"), SV_NONE, SV_NONE, SV_NONE, price(2)), ST_OK);
	EXPECT_INT(deck_rate_add(d, SV("4930"), SV("7"), SV_NONE, SV_NONE, SV_NONE, price(1)), ST_OK);
	EXPECT_INT(deck_rate_add(d, SV("0"), SV("7"), SV_NONE, SV_NONE, SV_NONE, price(9)), ST_OK);
	EXPECT_INT(deck_rate_add(d, SV("49a"), SV("7"), SV_NONE, SV_NONE, SV_NONE, price(1)), ST_INVAL);
	EXPECT_INT(deck_rate_add(d, SV(""), SV("7"), SV_NONE, SV_NONE, SV_NONE, price(1)), ST_INVAL);
	EXPECT_INT(deck_rate_add(d, SV("1234567890123456789"), SV("7"), SV_NONE, SV_NONE, SV_NONE, price(1)), ST_INVAL);
	EXPECT_INT(deck_rate_add(d, SV("4"), SV("9"), SV_NONE, SV_NONE, SV_NONE, price(1)), ST_NOTFOUND);
	EXPECT_INT(deck_find(d, "4930123", found, digits, 8), 3);
	EXPECT(found[0]->rate == 2 && digits[0] == 4 && found[1]->rate == 1 && found[2]->rate == 3 && digits[2] == 2);
	EXPECT_STR(deck_text(d, found[2], 0), "00");
	EXPECT_STR(deck_text(d, found[2], 1), "#");
	EXPECT_STR(deck_text(d, found[2], 2), "/x/y/");
	EXPECT_STR(deck_text(d, found[0], 2), "");
	const struct deck_gateway *g = deck_gateway_at(d, deck_carrier_at(d, found[1]->carrier)->first_gateway);
	EXPECT_STR(g->prefix, "sofia/gateway/a/");
	g = deck_gateway_at(d, g->next);
	EXPECT(g && g->share == 3 && g->max_calls == 20 && !deck_gateway_at(d, g->next));
	EXPECT(!deck_gateway_at(d, deck_carrier_at(d, found[0]->carrier)->first_gateway));
	EXPECT_INT(deck_find(d, "4930123", found, digits, 2), 2);
	EXPECT_INT(deck_find(d, "493", found, digits, 8), 1);
	EXPECT_INT(deck_find(d, "04", found, digits, 8), 1); /* a zero in front is a digit */
	EXPECT_INT(deck_find(d, "5", found, digits, 8), 0);
	EXPECT_INT(deck_find(d, "", found, digits, 8), 0);
	deck_free(d);
	return 0;
}

enum { RATES = 20000, ASKED = 2000 };

static int test_against_a_plain_search(void)
{
	static char prefixes[RATES][10];
	struct deck *d;
	EXPECT_INT(deck_new(&d), ST_OK);
	EXPECT_INT(deck_carrier_add(d, SV("1"), SV("one")), ST_OK);
	srand(7);
	for (int i = 0; i < RATES; i++) {
		snprintf(prefixes[i], sizeof(prefixes[i]), "%d", rand() % (i % 2 ? 1000 : 1000000));
		EXPECT_INT(deck_rate_add(d, sv_of(prefixes[i]), SV("1"), SV_NONE, SV_NONE, SV_NONE, price(i)), ST_OK);
	}
	EXPECT_INT(deck_rate_count(d), RATES);
	for (int k = 0; k < ASKED; k++) {
		const struct deck_rate *found[500];
		uint8_t digits[500];
		char number[16];
		size_t count = 0;
		snprintf(number, sizeof(number), "%d%05d", rand() % 1000000, rand() % 100000);
		size_t n = deck_find(d, number, found, digits, 500);
		for (size_t length = 9; length; length--) {
			for (int i = 0; i < RATES; i++) {
				if (strlen(prefixes[i]) != length || strncmp(number, prefixes[i], length) != 0)
					continue;
				EXPECT(count < n && digits[count] == length && (int)found[count]->rate == i);
				count++;
			}
		}
		EXPECT_INT(n, count);
	}
	deck_free(d);
	return 0;
}

TEST_MAIN({"order", test_order, 0}, {"against_a_plain_search", test_against_a_plain_search, 0})
