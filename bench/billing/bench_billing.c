/* A deck of 200,000 rates: how long to make, how long to rate one call (find, price, the seconds that an amount lasts).
 */
#include "base/clock.h"
#include "billing/rate.h"

#include <stdio.h>
#include <stdlib.h>

enum { RATES = 200000, ASKED = 1000000 };

int main(void)
{
	struct rates *d;
	struct rate_found found;
	char text[24];
	int64_t total = 0;
	if (billing_rates_new(&d))
		return 1;
	srand(1);
	int64_t since = clock_mono_us();
	for (int i = 0; i < RATES; i++) {
		struct rate r = {
		    .per_minute = rand() % 100000, .increment_s = 6, .minimum_s = 30, .days = 127, .end_min = 1440};
		snprintf(text, sizeof(text), "%d", 10 + rand() % (i % 5 ? 99999 : 99999999));
		if (billing_rates_add(d, SV("retail"), sv_of(text), &r))
			return 1;
	}
	int64_t made = clock_mono_us();
	for (int i = 0; i < ASKED; i++) {
		snprintf(text, sizeof(text), "%d%07d", 10 + i % 89, i % 9999999);
		if (!billing_rates_find(d, SV("retail"), text, (struct rate_moment){1, 0, 600}, &found))
			total += rate_cost(&found.rate, i % 3600) + rate_seconds(&found.rate, 10000000);
	}
	int64_t asked = clock_mono_us();
	printf("{\"rates\": %d, \"made_ms\": %lld, \"rating_us\": %.3f, \"sum\": %lld}\n", RATES,
	    (long long)(made - since) / 1000, (double)(asked - made) / ASKED, (long long)total);
	billing_rates_free(d);
	return 0;
}
