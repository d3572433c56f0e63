/* A deck of 200,000 rates of 20 carriers: how long to make, how long to find a number's rates. */
#include "base/clock.h"
#include "routing/deck.h"

#include <stdio.h>
#include <stdlib.h>

enum { RATES = 200000, CARRIERS = 20, ASKED = 1000000 };

int main(void)
{
	struct deck *d;
	const struct deck_rate *found[500];
	uint8_t lengths[500];
	char text[24], id[8];
	size_t total = 0;
	if (deck_new(&d))
		return 1;
	for (int i = 0; i < CARRIERS; i++) {
		snprintf(id, sizeof(id), "%d", i);
		if (deck_carrier_add(d, sv_of(id), sv_of(id)))
			return 1;
	}
	srand(1);
	int64_t since = clock_mono_us();
	for (int i = 0; i < RATES; i++) {
		struct deck_rate r = {.rate = rand() % 1000 / 1000.0, .end_s = INT64_MAX};
		snprintf(text, sizeof(text), "%d", 10 + rand() % (i % 5 ? 9999 : 99999999));
		snprintf(id, sizeof(id), "%d", i % CARRIERS);
		if (deck_rate_add(d, sv_of(text), sv_of(id), SV_NONE, SV_NONE, SV_NONE, r))
			return 1;
	}
	int64_t made = clock_mono_us();
	for (int i = 0; i < ASKED; i++) {
		snprintf(text, sizeof(text), "%d%07d", 10 + i % 89, i % 9999999);
		total += deck_find(d, text, found, lengths, 500);
	}
	int64_t asked = clock_mono_us();
	printf("{\"rates\": %d, \"carriers\": %d, \"made_ms\": %lld, \"look_up_us\": %.3f, \"found\": %.1f}\n", RATES,
	    CARRIERS, (long long)(made - since) / 1000, (double)(asked - made) / ASKED, (double)total / ASKED);
	deck_free(d);
	return 0;
}
