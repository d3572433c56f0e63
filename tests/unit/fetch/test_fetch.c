/* fetch: what comes back, the bounds, where it may not go, giving up. The server is net/http_server on the loopback;
 * TLS is judged end to end (tests/e2e/test_stir.py). */
#include "base/mem.h"
#include "fetch/fetch.h"
#include "harness.h"
#include "loop/loop.h"
#include "net/dns.h"
#include "net/http_server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct http_server *server;
static struct fetch_result got;
static char got_body[256];
static int got_count;
static char url[200];

static void on_request(struct http_exchange *x, void *arg)
{
	struct buf b;
	role_assert_ctl();
	const struct http_request *q = http_exchange_request(x);
	buf_init(&b);
	if (sv_is(q->path, "/long")) {
		for (int i = 0; i < 3000; i++)
			buf_adds(&b, "0123456789");
		http_exchange_reply(x, 200, "text/plain", buf_sv(&b));
	} else if (sv_is(q->path, "/moved")) {
		http_exchange_header(x, "Location", "/ok");
		http_exchange_reply(x, 302, NULL, SV_NONE);
	} else if (sv_is(q->path, "/token")) {
		buf_printf(&b, "%zu", http_header_get(q, "X-Token").n);
		http_exchange_reply(x, 200, "text/plain", buf_sv(&b));
	} else if (sv_is(q->path, "/put")) {
		unsigned sum = 0;
		for (size_t i = 0; i < q->body.n; i++)
			sum = sum * 31 + (unsigned char)q->body.p[i];
		buf_printf(&b, "%.*s %zu %u", SVF(q->method), q->body.n, sum);
		http_exchange_reply(x, 201, "text/plain", buf_sv(&b));
	} else if (!sv_is(q->path, "/silent")) {
		http_exchange_header(x, "Cache-Control", "public, max-age=77");
		buf_printf(&b, "%.*s %.*s %.*s", SVF(q->method), SVF(q->path), SVF(q->body));
		http_exchange_reply(x, 200, "text/plain", buf_sv(&b));
	}
	buf_fini(&b);
}

static void on_error(struct http_exchange *x, int status, const char *why, void *arg)
{
	role_assert_ctl();
	http_exchange_reply(x, status, "text/plain", sv_of(why));
}

static const struct http_handlers handlers = {.on_request = on_request, .on_error = on_error};

NO_ROLE_CHECK static int serve(void)
{
	struct http_server_conf c = {.max_conns = 10,
	    .max_conns_per_host = 10,
	    .max_body_bytes = 1 << 20,
	    .head_timeout_us = 5000000,
	    .body_timeout_us = 5000000,
	    .idle_timeout_us = 5000000,
	    .write_timeout_us = 5000000};
	struct addr a;
	char text[ADDR_TEXT_MAX];
	if (dns_start() || addr_parse(&c.bind, SV("127.0.0.1"), 0) || http_server_open(&server, &c, &handlers, NULL))
		return -1;
	http_server_local(server, &a);
	snprintf(url, sizeof(url), "http://%s", addr_text(&a, text));
	return 0;
}

NO_ROLE_CHECK static void unserve(void)
{
	struct http_server_counts n;
	fetch_stop();
	for (http_server_counts(server, &n); n.conns; http_server_counts(server, &n))
		loop_run_once(); /* it sees that its clients have gone */
	http_server_close(server);
	dns_stop();
}

static void on_done(const struct fetch_result *r, void *arg)
{
	role_assert_ctl();
	got = *r;
	got_count++;
	snprintf(got_body, sizeof(got_body), "%.*s", SVF(r->body));
	loop_stop();
}

NO_ROLE_CHECK static int get(const char *path, struct fetch_params p)
{
	char whole[300];
	snprintf(whole, sizeof(whole), "%s%s", url, path);
	p.url = whole;
	int st = fetch_start(NULL, &p, on_done, NULL);
	if (!st)
		loop_run();
	return st;
}

NO_ROLE_CHECK static int test_answers(void)
{
	struct fetch_params p = {.allows_http = true, .allows_inside = true};
	EXPECT_INT(serve(), 0);
	EXPECT_INT(get("/a?b", p), ST_OK);
	EXPECT_INT(got.status, ST_OK);
	EXPECT_INT(got.code, 200);
	EXPECT_INT(got.max_age_s, 77);
	EXPECT_STR(got_body, "GET /a ");
	p.body = SV("some"), p.ctype = "text/plain";
	EXPECT_INT(get("/b", p), ST_OK);
	EXPECT_STR(got_body, "POST /b some");
	EXPECT_INT(get("/moved", p), ST_OK); /* not followed */
	EXPECT_INT(got.code, 302);
	char token[2048 + 16] = "X-Token: "; /* collectors want tokens of some kilobytes */
	memset(token + 9, 'a', 2000);
	p.headers = token;
	EXPECT_INT(get("/token", p), ST_OK);
	EXPECT_STR(got_body, "2000");
	unserve();
	return 0;
}

NO_ROLE_CHECK static int test_bounds(void)
{
	struct fetch_params p = {.allows_http = true, .allows_inside = true, .max_bytes = 29999, .timeout_ms = 20000};
	struct fetch *f;
	EXPECT_INT(serve(), 0);
	EXPECT_INT(get("/long", p), ST_OK);
	EXPECT_INT(got.status, ST_LIMIT);
	p.max_bytes = 30000;
	EXPECT_INT(get("/long", p), ST_OK);
	EXPECT_INT(got.status, ST_OK);
	EXPECT_INT(got.body.n, 30000);
	p.timeout_ms = 50;
	EXPECT_INT(get("/silent", p), ST_OK);
	EXPECT_INT(got.status, ST_TIMEOUT);
	got_count = 0;
	p.timeout_ms = 20000;
	char whole[300];
	snprintf(whole, sizeof(whole), "%s/silent", url);
	p.url = whole;
	EXPECT_INT(fetch_start(&f, &p, on_done, NULL), ST_OK);
	fetch_cancel(f);
	loop_run_once();
	EXPECT_INT(fetch_start(NULL, &p, on_done, NULL), ST_OK); /* ends with the program */
	fetch_stop();
	EXPECT_INT(got_count, 1);
	EXPECT_INT(got.status, ST_CANCELLED);
	unserve();
	return 0;
}

NO_ROLE_CHECK static int test_refusals(void)
{
	struct fetch_params p = {.allows_http = true};
	EXPECT_INT(serve(), 0);
	EXPECT_INT(get("/", p), ST_DENIED); /* the loopback is inside */
	p.allows_inside = true, p.allows_http = false;
	EXPECT_INT(get("/", p), ST_DENIED);
	p.allows_http = true;
	static const char *const bad[] = {"", "x", "file:///etc/passwd", "gopher://127.0.0.1/", "http://u@127.0.0.1/",
	    "http:///", "http://127.0.0.1:99999/", "ftp://127.0.0.1/"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		p.url = bad[i];
		EXPECT(fetch_start(NULL, &p, on_done, NULL) < 0);
	}
	p.url = "http://localhost:1/", p.allows_inside = false;
	int st = fetch_start(NULL, &p, on_done, NULL);
	if (!st)
		loop_run();
	EXPECT_INT(st ? st : got.status, ST_DENIED); /* by the address that the name has */
	unserve();
	return 0;
}

/* A body from a file, in pieces; one that ends too early; one that is given up. */
NO_ROLE_CHECK static int test_file_body(void)
{
	enum { BYTES = 700001 };
	struct fetch_params p = {.allows_http = true, .allows_inside = true, .timeout_ms = 20000};
	char want[100], whole[300];
	unsigned sum = 0;
	FILE *file = tmpfile();
	EXPECT(file);
	for (unsigned i = 0; i < BYTES; i++) {
		sum = sum * 31 + (i * 7 >> 3 & 255);
		fputc((int)(i * 7 >> 3 & 255), file);
	}
	fflush(file);
	snprintf(want, sizeof(want), "PUT %d %u", BYTES, sum);
	EXPECT_INT(serve(), 0);
	for (int i = 0; i < 2; i++) { /* also on a connection that is there */
		p.body_fd = dup(fileno(file)), p.body_fd_bytes = BYTES;
		EXPECT_INT(get("/put", p), ST_OK);
		EXPECT_INT(got.status, ST_OK);
		EXPECT_INT(got.code, 201);
		EXPECT_STR(got_body, want);
	}
	p.body_fd = dup(fileno(file)), p.body_fd_bytes = BYTES + 1;
	EXPECT_INT(get("/put", p), ST_OK);
	EXPECT_INT(got.status, ST_IO);
	p.body_fd = dup(fileno(file)), p.body_fd_bytes = BYTES;
	struct fetch *given_up;
	snprintf(whole, sizeof(whole), "%s/put", url);
	p.url = whole;
	EXPECT_INT(fetch_start(&given_up, &p, on_done, NULL), ST_OK);
	fetch_cancel(given_up);
	p.body_fd = fileno(file), p.url = "ftp://x/y"; /* refused: it stays ours */
	EXPECT_INT(fetch_start(NULL, &p, on_done, NULL), ST_DENIED);
	EXPECT(fcntl(fileno(file), F_GETFD) >= 0);
	fclose(file);
	unserve();
	return 0;
}

static int test_public(void)
{
	static const char *const inside[] = {"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
	    "0.0.0.0", "100.64.0.1", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1",
	    "fd00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "2002:a00:1::1",
	    "2001:db8::1"};
	static const char *const outside[] = {"8.8.8.8", "1.1.1.1", "2606:4700::1111", "198.17.0.1", "223.1.1.1"};
	struct addr a;
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		EXPECT_INT(addr_parse(&a, sv_of(inside[i]), 0), 0);
		if (fetch_addr_is_public(&a))
			printf("# %s\n", inside[i]);
		EXPECT(!fetch_addr_is_public(&a));
	}
	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		EXPECT_INT(addr_parse(&a, sv_of(outside[i]), 0), 0);
		EXPECT(fetch_addr_is_public(&a));
	}
	return 0;
}

TEST_MAIN({"answers", test_answers, TEST_LOOP}, {"bounds", test_bounds, TEST_LOOP},
    {"a body from a file", test_file_body, TEST_LOOP}, {"refusals", test_refusals, TEST_LOOP},
    {"public addresses", test_public, 0})
