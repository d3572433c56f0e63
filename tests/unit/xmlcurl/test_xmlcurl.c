/* The cache's bounds and times, URLs that take fields of a question, LDAP's escapes. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "harness.h"
#include "ldapdir/ldapdir_i.h"
#include "xmlcurl/xmlcurl_i.h"

#include <stdio.h>
#include <string.h>

static int test_cache(void) NO_ROLE_CHECK
{
	struct xc_cache c;
	struct xml_doc *doc = NULL;
	char key[16];
	role_set(ROLE_CTL);
	clock_fake_start(1000000);
	EXPECT_INT(xc_cache_init(&c, 8, 1 << 20), ST_OK);
	EXPECT_INT(xml_parse(&doc, "<a/>", 4, "x", NULL, 0, NULL), ST_OK);
	xc_cache_keep(&c, "found", doc, 1000, 5000);
	xc_cache_keep(&c, "missing", NULL, 1000, 0);
	EXPECT(xc_cache_find(&c, "found", false)->doc == doc && !xc_cache_find(&c, "missing", false)->doc);
	clock_fake_advance(1000);
	EXPECT(!xc_cache_find(&c, "found", false) && xc_cache_find(&c, "found", true) &&
	       !xc_cache_find(&c, "missing", true));
	clock_fake_advance(5000);
	EXPECT(!xc_cache_find(&c, "found", true));
	/* made-up names push nobody out who exists */
	xc_cache_keep(&c, "real", doc, 1000000, 0);
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "none%d", i);
		xc_cache_keep(&c, key, NULL, 1000000, 0);
	}
	EXPECT(xc_cache_find(&c, "real", false) && xc_cache_find(&c, "none99", false) &&
	       !xc_cache_find(&c, "none0", false));
	EXPECT_INT(xc_cache_count(&c), 2 + 3);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "some%d", i);
		xc_cache_keep(&c, key, doc, 1000000, 0);
	}
	EXPECT(!xc_cache_find(&c, "real", false) && xc_cache_find(&c, "some19", false) &&
	       !xc_cache_find(&c, "some11", false));
	/* one that comes to be is missing no more */
	xc_cache_keep(&c, "none99", doc, 1000000, 0);
	EXPECT(xc_cache_find(&c, "none99", false)->doc == doc);
	EXPECT(xc_cache_clear(&c) > 8 && !xc_cache_count(&c));
	xc_cache_fini(&c);
	mem_unref(doc);
	clock_fake_stop();
	return 0;
}

static int test_url(void) NO_ROLE_CHECK
{
	static const struct {
		const char *url, *want;
	} cases[] = {
	    {"http://h/x", "http://h/x"},
	    {"http://h/${section}/${user}?d=${domain}&n=${none}", "http://h/directory/a%40b%2F..?d=x%26y&n="},
	    {"http://h/a/${up}/b", "http://h/a/%2E%2E/b"},
	    {"http://h/${user", "http://h/${user"},
	    {"http://${domain}/x", NULL},
	    {"http://h:${user}/x", NULL},
	};
	role_set(ROLE_CTL);
	struct event *e = event_new_plain(EVENT_REQUEST_PARAMS);
	event_add(e, "user", "a@b/..");
	event_add(e, "domain", "x&y");
	event_add(e, "up", "..");
	struct source_question q = {.section = "directory", .params = e};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;
		buf_init(&out);
		EXPECT_INT(xc_url(&out, cases[i].url, &q), cases[i].want ? ST_OK : ST_INVAL);
		if (cases[i].want)
			EXPECT_STR(out.p, cases[i].want);
		buf_fini(&out);
	}
	mem_unref(e);
	return 0;
}

static int test_ldap(void)
{
	struct buf b;
	struct ld_tran t = {0};
	buf_init(&b);
	EXPECT_INT(ld_filter_put(&b, "(&(a=b)(uid=%s))", SV("x*)(y")), ST_OK);
	EXPECT_STR(b.p, "(&(a=b)(uid=x\\2a\\29\\28y))");
	buf_clear(&b);
	EXPECT_INT(ld_name_put(&b, "ou=%s,o=%x", SV("a,b.c")), ST_OK);
	EXPECT_STR(b.p, "ou=a\\2cb.c,o=%x");
	buf_fini(&b);
	EXPECT_INT(ld_tran_read(&t, "user_context", "x", NULL), ST_OK);
	EXPECT_INT(t.kind, LD_VARIABLE);
	mem_free(t.name), mem_free(t.from);
	EXPECT_INT(ld_tran_read(&t, "vm-password", "x", NULL), ST_OK);
	EXPECT_INT(t.kind, LD_PARAM);
	mem_free(t.name), mem_free(t.from);
	EXPECT_INT(ld_tran_read(&t, "a\" b=\"", "x", NULL), ST_INVAL);
	return 0;
}

TEST_MAIN({"cache", test_cache, 0}, {"url", test_url, 0}, {"ldap", test_ldap, 0})
