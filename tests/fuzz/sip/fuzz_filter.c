/* Patterns of a profile's lists against messages: the first line is the deny list, the second the allow list, the rest
 * the message. What is taken out leaves a message that reads the same again, and its needed headers stay. Parser:
 * sip/filter.c */
#include "base/check.h"
#include "base/mem.h"
#include "sip/filter.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv rest = {(const char *)data, size}, deny, allow;
	struct buf once, twice;
	sv_split(rest, '\n', &deny, &rest);
	sv_split(rest, '\n', &allow, &rest);
	char *deny_text = sv_dup(deny), *allow_text = sv_dup(allow);
	struct sip_filter_lists f = {.allow_headers = allow_text, .deny_headers = deny_text, .deny_methods = deny_text};
	buf_init(&once);
	buf_init(&twice);
	CHECK(sip_filter_takes_method(&f, SV("BYE")) && sip_filter_takes_header(&f, SV("v")));
	sip_filter_takes_method(&f, rest);
	if (sip_filter_strip(&f, rest.p, rest.n, &once)) {
		CHECK(once.n < rest.n);
		CHECK(!sip_filter_strip(&f, once.p, once.n, &twice)); /* nothing is left to take out */
	}
	buf_fini(&once);
	buf_fini(&twice);
	mem_free(deny_text);
	mem_free(allow_text);
	return 0;
}
