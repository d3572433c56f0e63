/* What a page of httapi is taken for: any XML as a document, its words as file names, its URLs split. Input: a word, a
 * line feed, the document. A file's name never has a way in it; a URL that is taken has no password left. */
#include "base/check.h"
#include "base/mem.h"
#include "httapi/httapi_i.h"

#include <string.h>

static void words_try(const char *word)
{
	struct buf name, plain, user, password, origin;
	buf_init(&name), buf_init(&plain), buf_init(&user), buf_init(&password), buf_init(&origin);
	ha_file_name(word, &name);
	CHECK(name.n && !strchr(name.p, '/') && name.p[0] != '.' && name.n < 100);
	if (!ha_url_split(word, &plain, &user, &password)) {
		const char *host = strstr(plain.p, "://") + 3;
		CHECK(!memchr(host, '@', strcspn(host, "/?#")));
		ha_origin(plain.p, &origin);
		CHECK(origin.n <= plain.n);
	}
	buf_fini(&name), buf_fini(&plain), buf_fini(&user), buf_fini(&password), buf_fini(&origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char word[600] = "";
	const uint8_t *end = memchr(data, '\n', n);
	size_t len = end ? (size_t)(end - data) : 0;
	struct xml_doc *doc;

	if (!end || len >= sizeof(word) || memchr(data, 0, len))
		return 0;
	memcpy(word, data, len);
	words_try(word);
	if (xml_parse_lenient(&doc, (const char *)end + 1, n - len - 1, "page", NULL, 0, NULL, NULL, NULL))
		return 0;
	int count = ha_document_count(doc);
	CHECK(count == -1 || count > 0);
	mem_unref(doc);
	return 0;
}
