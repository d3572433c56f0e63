/* Names of files, URLs with passwords, documents; forms with files. */
#include "base/mem.h"
#include "harness.h"
#include "httapi/httapi_i.h"
#include "text/multipart.h"

#include <string.h>

static int test_names(void)
{
	static const struct {
		const char *file, *want;
	} cases[] = {{"lab.wav", "lab.wav"}, {"../../etc/passwd", "______etc_passwd.wav"}, {"a/b.c.mp3", "a_b_c.mp3"},
	    {"x.", "x.wav"}, {"x.w/v", "x_w_v.wav"}, {"x.123456789", "x.wav"}, {"", "_.wav"}, {".bav", "_.bav"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		buf_init(&out);
		ha_file_name(cases[i].file, &out);
		EXPECT_STR(out.p, cases[i].want);
		buf_fini(&out);
	}
	return 0;
}

static int test_urls(void)
{
	struct buf plain, user, password, origin;
	buf_init(&plain), buf_init(&user), buf_init(&password), buf_init(&origin);
	EXPECT_INT(ha_url_split("http://u%40x:p:q@Host:1/a@b?c", &plain, &user, &password), ST_OK);
	EXPECT_STR(plain.p, "http://Host:1/a@b?c");
	EXPECT_STR(user.p, "u@x");
	EXPECT_STR(password.p, "p:q");
	ha_origin(plain.p, &origin);
	EXPECT_STR(origin.p, "http://host:1");
	EXPECT_INT(ha_url_split("file:///etc/passwd", &plain, &user, &password), ST_INVAL);
	buf_fini(&plain), buf_fini(&user), buf_fini(&password), buf_fini(&origin);
	return 0;
}

static int count_of(const char *text)
{
	struct xml_doc *doc = NULL;
	if (xml_parse(&doc, text, strlen(text), "page", NULL, 0, NULL))
		return -2;
	int n = ha_document_count(doc);
	mem_unref(doc);
	return n;
}

static int test_documents(void)
{
	EXPECT_INT(count_of("<document><work><playback/><break/><nosuch/></work></document>"), 2);
	EXPECT_INT(count_of("<document><work/></document>"), -1);
	EXPECT_INT(count_of("<document/>"), -1);
	return 0;
}

static int test_form(void)
{
	struct buf out;
	buf_init(&out);
	multipart_field(&out, "B", SV("a\"\r\nX: y"), SV("1"));
	multipart_file(&out, "B", SV("f"), SV("n\".wav"));
	multipart_file_end(&out);
	multipart_end(&out, "B");
	EXPECT_STR(out.p,
	    "--B\r\nContent-Disposition: form-data; name=\"a___X: y\"\r\n\r\n1\r\n--B\r\nContent-Disposition: "
	    "form-data; "
	    "name=\"f\"; filename=\"n_.wav\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n");
	EXPECT_INT(multipart_read(&out, "/nonexistent/x", 10), ST_NOTFOUND);
	EXPECT_INT(multipart_read(&out, "/", 10), ST_IO);
	buf_fini(&out);
	return 0;
}

TEST_MAIN({"names", test_names, 0}, {"urls", test_urls, 0}, {"documents", test_documents, 0}, {"form", test_form, 0})
