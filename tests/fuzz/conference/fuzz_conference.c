/* Keys against any caller-controls, and the application's data. Input: keys, a line feed, digits of controls one a
 * line; the whole of it as the application's data, too. Parsers: conference/words.c, core/keys/machine.c as controls.c
 * binds */
#include "base/check.h"
#include "conference/conf_i.h"
#include "core/keys/machine.h"
#include "text/mark.h"

#include <string.h>

static void words_try(struct sv text)
{
	struct conf_words w;
	if (conf_words_parse(text, &w))
		return;
	CHECK(w.name.n && w.name.p >= text.p && w.name.p + w.name.n <= text.p + text.n);
	CHECK(!w.is_bridge || w.bridge.n);
}

static void marked_try(struct sv text)
{
	struct conf_words w;
	struct buf b;
	buf_init(&b);
	if (!mark_put(&b, text) && !conf_words_parse(buf_sv(&b), &w))
		CHECK(!w.profile.n && !w.pin.n && !w.flags.n && !w.is_bridge); /* nobody outside parts it */
	buf_fini(&b);
}

static void keys_try(struct sv keys, struct sv controls)
{
	struct digit_machine *m;
	struct digit_found found;
	char digits[128];
	static int data;
	if (digit_machine_new(&m, NULL))
		return;
	for (int n = 0; controls.n && n < 64; n++) {
		struct sv one;
		sv_split(controls, '\n', &one, &controls);
		if (!one.n || one.n >= sizeof(digits) || memchr(one.p, 0, one.n))
			continue;
		memcpy(digits, one.p, one.n);
		digits[one.n] = 0;
		digit_machine_bind(m, "conf", digits, &data);
	}
	for (size_t i = 0; i < keys.n && digit_machine_has_realm(m); i++) {
		enum digit_verdict v =
		    keys.p[i] == ' ' ? digit_machine_timeout(m, &found) : digit_machine_feed(m, keys.p[i], &found);
		CHECK(v != DIGITS_MATCH || found.data == &data);
		CHECK(v == DIGITS_WAIT || strlen(found.digits) <= DIGITS_BOUND_MAX);
	}
	digit_machine_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sv all = {(const char *)data, n}, keys, controls;
	if (n > 4096 || (n && memchr(data, 0, n)))
		return 0;
	words_try(all);
	marked_try(all);
	sv_split(all, '\n', &keys, &controls);
	keys_try(keys, controls);
	conf_member_flags_parse(all, NULL, NULL);
	conf_room_flags_parse(all, NULL, NULL);
	return 0;
}
