/* Any bytes as Replaces, Join, Target-Dialog, Refer-To, and the body of an INFO. What is read is part of what was
 * given, and what may go into a header is fit for it.
 * Parser: endpoint/sip/uri/names.c */
#include "base/check.h"
#include "base/mem.h"
#include "endpoint/sip/uri/uri.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_within(struct sv part, struct sv all)
{
	return !part.n || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static void check_dialog(bool is_good, const struct dialog_name *d, struct sv all)
{
	CHECK(is_within(d->call_id, all) && is_within(d->to_tag, all) && is_within(d->from_tag, all));
	CHECK(!is_good || (d->call_id.n && d->to_tag.n && d->from_tag.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = mem_alloc(size + 1);
	struct sv all = {copy, size}, type, body;
	struct dialog_name d;
	struct refer_to r;
	unsigned duration = 100;
	char digit;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	check_dialog(dialog_name_parse(&d, all), &d, all);
	check_dialog(dialog_target_parse(&d, all), &d, all);
	if (refer_to_parse(&r, all)) {
		CHECK(r.exten && sip_is_value(sv_of(r.exten)) && is_within(r.host, all));
		CHECK(!r.replaces || sip_is_value(sv_of(r.replaces)));
		if (r.replaces)
			check_dialog(dialog_name_parse(&d, sv_of(r.replaces)), &d, sv_of(r.replaces));
	}
	refer_to_fini(&r);
	sv_split(all, '\n', &type, &body);
	if (info_digit_parse(type, body, &digit, &duration))
		CHECK(strchr("0123456789*#ABCDabcd", digit));
	CHECK(duration <= 80000);
	mem_free(copy);
	return 0;
}
