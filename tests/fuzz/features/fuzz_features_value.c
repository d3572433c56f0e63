/* A feature's name and value, and when a wake-up of it is due: "name=value".
 * Parser: features/kind.c */
#include "base/status.h"
#include "features/features_i.h"
#include "text/tz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv name, value, key;
	char out[FEATURE_VALUE_MAX], again[FEATURE_VALUE_MAX];
	struct tz zone;
	sv_split((struct sv){(const char *)data, size}, '=', &name, &value);
	const struct feature_kind *k = feature_kind_of(name, &key);
	if (!k || feature_value_check(k, value, out))
		return 0;
	if (feature_value_check(k, sv_of(out), again) || strcmp(out, again) != 0)
		abort(); /* what is kept is a value, spelled as it is kept */
	if (k->type == FEATURE_WAKE && !tz_parse(&zone, SV("CET-1CEST,M3.5.0,M10.5.0/3"))) {
		int64_t due = feature_wake_next(sv_of(out), 1790000000, &zone);
		if (due && due <= 1790000000)
			abort();
	}
	return 0;
}
