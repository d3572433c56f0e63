/* A URL with ${fields} of a question: whatever a user calls himself, the host stays the configuration's, and his bytes
 * end no part of the URL. And LDAP's escapes, which are of the same kind. Input: the URL, a line feed, the user. */
#include "base/check.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "ldapdir/ldapdir_i.h"
#include "xmlcurl/xmlcurl_i.h"

#include <string.h>

static void ldap_try(const char *user)
{
	struct buf b;
	buf_init(&b);
	CHECK(!ld_filter_put(&b, "(uid=%s)", sv_of(user)));
	CHECK(!b.p || strchr(b.p + 1, '(') == NULL);
	CHECK(strchr(b.p, ')') == b.p + b.n - 1 && !strchr(b.p, '*'));
	buf_fini(&b);
	buf_init(&b);
	CHECK(!ld_name_put(&b, "ou=%s,o=x", sv_of(user)));
	CHECK(strchr(b.p, ',') == b.p + b.n - 4);
	buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) NO_ROLE_CHECK
{
	char url[300] = "", user[300] = "";
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : 0, rest = end ? n - len - 1 : 0;
	struct buf out;

	if (!end || len >= sizeof(url) || rest >= sizeof(user) || memchr(data, 0, n))
		return 0;
	role_set(ROLE_CTL);
	memcpy(url, data, len);
	memcpy(user, end + 1, rest);
	ldap_try(user);
	struct event *params = event_new_plain(EVENT_REQUEST_PARAMS);
	if (!params)
		return 0;
	event_add(params, "user", user);
	struct source_question q = {.section = "directory", .params = params};
	buf_init(&out);
	if (xc_url_is_sound(url) && !xc_url(&out, url, &q) && !strcmp(url, "http://h/${user}"))
		CHECK(!memcmp(out.p, "http://h/", 9) && !strpbrk(out.p + 9, "?#@:"));
	buf_clear(&out);
	xc_form(&out, &q, NULL);
	CHECK(strstr(out.p, "&user=") != NULL && !strchr(strstr(out.p, "&user=") + 1, '&'));
	buf_fini(&out);
	mem_unref(params);
	return 0;
}
