/* A rate deck as CSV: whatever it holds, each rate that is handed out is one that a deck takes and prices.
 * Parser: billing/rate_csv.c */
#include "base/status.h"
#include "billing/rate.h"

#include <stdlib.h>

static void on_ok(unsigned line, struct sv prefix, const struct rate *rate, void *arg)
{
	if (billing_rates_add(arg, SV("d"), prefix, rate) || rate_cost(rate, 100) < 0 ||
	    rate_cost(rate, 100) > rate_cost(rate, 200))
		abort();
}

static void on_bad(unsigned line, const char *why, void *arg) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rates *r;
	if (billing_rates_new(&r))
		return 0;
	struct rate_csv to = {on_ok, on_bad, r};
	(void)rate_csv_read((struct sv){(const char *)data, size}, &to);
	billing_rates_free(r);
	return 0;
}
