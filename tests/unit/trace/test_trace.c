/* The ring: round and round, each call its share, calls found from any end; what is masked; HEP's bytes. */
#include "base/mem.h"
#include "harness.h"
#include "trace/trace_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void say(const char *call_id, bool is_out, const char *first, size_t body_bytes)
{
	struct trace_msg m = {.is_outgoing = is_out, .transport = SIP_UDP, .wall_us = 1790000000123456};
	struct buf b;
	role_assert_ctl();
	buf_init(&b);
	buf_printf(&b, "%s\r\nVia: x\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\n\r\n", first, call_id);
	for (size_t i = 0; i < body_bytes; i++)
		buf_addc(&b, 'x');
	addr_parse(&m.local, SV("10.0.0.1"), 5060);
	addr_parse(&m.remote, SV("10.0.0.2"), 5080);
	m.data = buf_sv(&b);
	trace_message(&m);
	buf_fini(&b);
}

NO_ROLE_CHECK static int ladder(const char *key, struct buf *out)
{
	struct sv keys[1] = {sv_of(key)};
	buf_clear(out);
	return trace_ladder_text(out, keys, 1);
}

NO_ROLE_CHECK static int test_ring(void)
{
	struct buf b;
	struct trace_counts n;
	char id[32];
	buf_init(&b);
	EXPECT_INT(trace_ring_set(65536), ST_OK);
	EXPECT_INT(ladder("a", &b), ST_NOTFOUND);
	trace_call_note(SV("call-a"), "uuid-a", NULL);
	trace_call_note(SV("call-b"), "uuid-b", "uuid-a");
	say("call-a", false, "INVITE sip:1 SIP/2.0", 0);
	say("call-b", true, "INVITE sip:2 SIP/2.0", 0);
	say("other", true, "OPTIONS sip:3 SIP/2.0", 0);
	static const char *const keys[] = {"uuid-a", "uuid-b", "call-a", "call-b"};
	for (size_t i = 0; i < 4; i++) {
		EXPECT_INT(ladder(keys[i], &b), ST_OK);
		EXPECT(strstr(b.p, "Call-ID: call-a\n") && strstr(b.p, "Call-ID: call-b\n") && !strstr(b.p, "OPTIONS"));
		EXPECT(strstr(b.p, ">INVITE") == NULL && strstr(b.p, "INVITE"));
	}
	EXPECT_INT(ladder("other", &b), ST_OK);
	/* a body that names another's call is not of that call */
	struct trace_msg forged = {.transport = SIP_UDP,
	    .data = SV("FORGED sip:3 SIP/2.0\r\ni: forged\r\nCSeq: 1 FORGED\r\n\r\na\nCall-ID: call-a\r\n")};
	addr_parse(&forged.remote, SV("10.0.0.3"), 5080);
	forged.local = forged.remote;
	trace_message(&forged);
	EXPECT_INT(ladder("call-a", &b), ST_OK);
	EXPECT(!strstr(b.p, "FORGED"));
	EXPECT_INT(ladder("forged", &b), ST_OK);
	for (unsigned i = 0; i < 3000; i++) { /* of all sizes: around it goes */
		snprintf(id, sizeof(id), "c%u", i);
		say(id, i & 1, "BYE sip:x SIP/2.0", (i * 37) % 900);
		trace_counts_get(&n);
		EXPECT(n.ring_used_bytes <= n.ring_bytes);
	}
	EXPECT_INT(ladder("uuid-a", &b), ST_NOTFOUND);
	EXPECT_INT(ladder("c2999", &b), ST_OK);
	EXPECT_INT(ladder("c2980", &b), ST_OK);
	say("long", true, "MESSAGE sip:x SIP/2.0", 100000); /* is cut */
	EXPECT_INT(ladder("long", &b), ST_OK);
	trace_ring_set(0);
	buf_fini(&b);
	return 0;
}

/* What a kept message costs is told, not judged. */
NO_ROLE_CHECK static int test_cost(void)
{
	static char text[900];
	struct trace_msg m = {.transport = SIP_UDP, .data = {text, sizeof(text)}};
	memset(text, 'x', sizeof(text));
	memcpy(text + 300, "\r\nCall-ID: 0123456789abcdef\r\n", 29);
	EXPECT_INT(trace_ring_set(8 << 20), ST_OK);
	clock_t start = clock();
	for (int i = 0; i < 100000; i++) {
		text[315] = (char)('0' + i % 64);
		text[316] = (char)('0' + i / 64 % 64);
		text[317] = (char)('0' + i / 4096 % 64);
		trace_message(&m);
	}
	printf("# a message of 900 bytes costs %.0f ns\n", (double)(clock() - start) * (1e9 / CLOCKS_PER_SEC) / 100000);
	trace_ring_set(0);
	return 0;
}

NO_ROLE_CHECK static int test_share(void)
{
	struct trace_counts n;
	struct buf b;
	buf_init(&b);
	EXPECT_INT(trace_ring_set(2 << 20), ST_OK);
	say("quiet", false, "INVITE sip:1 SIP/2.0", 0);
	for (int i = 0; i < 5000; i++)
		say("loud", false, "INFO sip:1 SIP/2.0", 900);
	trace_counts_get(&n);
	EXPECT(n.ring_used_bytes < TRACE_CALL_MAX_BYTES + 2000);
	EXPECT(n.refused > 4000);
	EXPECT_INT(ladder("quiet", &b), ST_OK);
	trace_ring_set(0);
	buf_fini(&b);
	return 0;
}

static int test_call_id(void)
{
	EXPECT(sv_is(trace_call_id(SV("A\r\nCall-ID: x@y\r\n\r\n")), "x@y"));
	EXPECT(sv_is(trace_call_id(SV("A\r\ncALL-id  :  x \r\n\r\n")), "x"));
	EXPECT(sv_is(trace_call_id(SV("A\ni: short\n\n")), "short"));
	EXPECT_INT(trace_call_id(SV("A\r\nVia: i: no\r\n\r\ni: body\r\n")).n, 0);
	EXPECT_INT(trace_call_id(SV("")).n, 0);
	EXPECT_INT(trace_call_id(SV_NONE).n, 0);
	return 0;
}

static int test_masked(void)
{
	struct buf b;
	buf_init(&b);
	trace_masked_put(
	    &b, SV("REGISTER sip:x SIP/2.0\r\nAuthorization: Digest response=\"secret\",\r\n nc=\"secret\"\r\n"
	           "X: 1\r\nContent-Type: application/sdp\r\n\r\nv=0\r\na=crypto:1 inline:secret\r\na=sendrecv\r\n"));
	EXPECT(!strstr(b.p, "secret") && strstr(b.p, "X: 1\r\n") && strstr(b.p, "a=sendrecv"));
	EXPECT(strstr(b.p, "Authorization: (left out)\r\n"));
	buf_clear(&b);
	trace_masked_put(&b, SV("MESSAGE sip:x SIP/2.0\r\nc: text/plain\r\n\r\nsecret"));
	EXPECT(!strstr(b.p, "secret") && strstr(b.p, "(left out)"));
	buf_fini(&b);
	return 0;
}

static int test_hep(void)
{
	struct hep_packet p = {.wall_us = 0x0102030400000000 / 1000000 * 1000000 + 5,
	    .type = HEP_SIP,
	    .capture_id = 0x11223344,
	    .password = SV("pw"),
	    .payload = SV("hello")};
	struct buf b;
	buf_init(&b);
	addr_parse(&p.src, SV("1.2.3.4"), 0x1234);
	addr_parse(&p.dst, SV("5.6.7.8"), 0x5678);
	EXPECT_INT(hep_put(&b, &p), ST_OK);
	static const uint8_t head[] = {'H', 'E', 'P', '3'};
	static const uint8_t src[] = {0, 0, 0, 3, 0, 10, 1, 2, 3, 4};
	static const uint8_t tail[] = {0, 0, 0, 15, 0, 11, 'h', 'e', 'l', 'l', 'o'};
	EXPECT(!memcmp(b.p, head, 4) && memmem(b.p, b.n, src, sizeof(src)));
	EXPECT_INT((uint8_t)b.p[4] << 8 | (uint8_t)b.p[5], b.n);
	EXPECT(!memcmp(b.p + b.n - sizeof(tail), tail, sizeof(tail)));
	/* what is too long is cut, and the lengths stay true */
	char *big = malloc(100000);
	memset(big, 'x', 100000);
	buf_clear(&b);
	p.payload = (struct sv){big, 100000};
	EXPECT_INT(hep_put(&b, &p), ST_OK);
	EXPECT_INT(b.n, 65535);
	free(big);
	buf_fini(&b);
	return 0;
}

NO_ROLE_CHECK static int test_collector_text(void)
{
	static const char *const bad[] = {"x", "udp:", "udp:host", "udp:host:0", "udp:host:99999", "udp::5060",
	    "sctp:h:1", "udp:127.0.0.1:1;hep=2", "udp:127.0.0.1:1;capture_id=x", "udp:127.0.0.1:1;what=1"};
	const char *why;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		EXPECT_INT(trace_collector_set(bad[i], "node", &why), ST_PARSE);
		EXPECT(why && *why && !trace_collector_is_set());
	}
	EXPECT_INT(trace_collector_set("udp:127.0.0.1:9;hep=3;capture_id=7", "node", &why), ST_OK);
	EXPECT(trace_collector_is_set());
	EXPECT_INT(trace_collector_set(NULL, NULL, &why), ST_OK);
	EXPECT(!trace_collector_is_set());
	return 0;
}

TEST_MAIN({"ring", test_ring, TEST_LOOP}, {"cost", test_cost, 0}, {"a call's share", test_share, TEST_LOOP},
    {"Call-ID", test_call_id, 0}, {"masked", test_masked, 0}, {"HEP", test_hep, 0},
    {"collector's text", test_collector_text, TEST_LOOP})
