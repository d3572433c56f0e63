/* The reader of stanzas: a table of streams and what they hold, each cut at every byte; and what it refuses. */
#include "base/mem.h"
#include "harness.h"
#include "text/stanza.h"

#include <stdio.h>
#include <string.h>

struct row {
	const char *in, *out; /* out: requests as "command{name=value;}body|" */
};
static const struct row rows[] = {
    {"auth ClueCon\n\n", "auth ClueCon{}|"},
    {"auth ClueCon\r\n\r\n", "auth ClueCon{}|"},
    {"\n\n\r\n\nexit\n\n", "exit{}|"},
    {"api status\nJob-UUID: x\n\nexit\n\n", "api status{Job-UUID=x;}|exit{}|"},
    {"bgapi originate a &park()\nJob-UUID:  7 \n\n", "bgapi originate a &park(){Job-UUID=7;}|"},
    {"sendmsg u\ncall-command: execute\nContent-Length: 10\n\nINFO helloexit\n\n",
        "sendmsg u{call-command=execute;Content-Length=10;}INFO hello|exit{}|"},
    {"sendmsg u\nContent-Length: 4\n\n\n\n\n\nexit\n\n", "sendmsg u{Content-Length=4;}\n\n\n\n|exit{}|"},
    {"x\nno colon here\n: no name\na:b:c\n\n", "x{a=b:c;}|"},
    {"sendevent X\ncontent-length: 0\n\nexit\n\n", "sendevent X{content-length=0;}|exit{}|"},
    {"  spaced  \n\n", "spaced{}|"},
    {"unfinished\n", ""},
    {"unfinished\nContent-Length: 3\n\nab", ""},
};

static int drain(struct stanza_reader *r, struct buf *out)
{
	struct stanza q;
	int st;
	while (!(st = stanza_reader_next(r, &q))) {
		buf_printf(out, "%s{", q.command);
		for (size_t i = 0; i < q.header_count; i++)
			buf_printf(out, "%s=%s;", q.headers[i].name, q.headers[i].value);
		buf_printf(out, "}%.*s|", SVF(q.body));
		stanza_fini(&q);
	}
	return st;
}

static int test_rows_at_every_byte(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = strlen(rows[i].in);
		for (size_t cut = 0; cut <= n; cut++) {
			struct stanza_reader r;
			struct buf out;
			buf_init(&out);
			stanza_reader_init(&r, STANZA_COMMAND);
			stanza_reader_trust(&r);
			EXPECT_INT(stanza_reader_feed(&r, rows[i].in, cut), ST_OK);
			EXPECT_INT(drain(&r, &out), ST_AGAIN);
			EXPECT_INT(stanza_reader_feed(&r, rows[i].in + cut, n - cut), ST_OK);
			EXPECT_INT(drain(&r, &out), ST_AGAIN);
			EXPECT_STR(out.p ? out.p : "", rows[i].out);
			buf_fini(&out);
			stanza_reader_fini(&r);
		}
	}
	return 0;
}

static int refused(const char *in, size_t n, bool is_trusted)
{
	struct stanza_reader r;
	struct stanza q;
	stanza_reader_init(&r, STANZA_COMMAND);
	if (is_trusted)
		stanza_reader_trust(&r);
	int st = stanza_reader_feed(&r, in, n);
	if (!st)
		st = stanza_reader_next(&r, &q);
	EXPECT_INT(st, ST_PARSE);
	EXPECT_INT(stanza_reader_next(&r, &q), ST_PARSE);
	EXPECT(stanza_reader_feed(&r, "exit\n\n", 6) != ST_OK);
	stanza_reader_fini(&r);
	return 0;
}

static int test_refusals(void)
{
	static const char *const bad[] = {"x\nContent-Length: 16777217\n\n", "x\nContent-Length: -1\n\n",
	    "x\nContent-Length: 1 2\n\n", "x\nContent-Length: 18446744073709551617\n\n", "x\nContent-Length: \n\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_INT(refused(bad[i], strlen(bad[i]), true), 0);
	EXPECT_INT(refused("auth\0x\n\n", 8, true), 0);
	/* before login: no body, and a short block */
	EXPECT_INT(refused("auth x\nContent-Length: 1\n\n", 26, false), 0);
	char *big = mem_zalloc(STANZA_BLOCK_MAX_BYTES + 10);
	memset(big, 'a', STANZA_BLOCK_MAX_BYTES + 9);
	EXPECT_INT(refused(big, STANZA_UNTRUSTED_BLOCK_MAX_BYTES + 1, false), 0);
	EXPECT_INT(refused(big, STANZA_BLOCK_MAX_BYTES + 1, true), 0);
	mem_free(big);
	/* too many headers */
	struct buf b;
	buf_init(&b);
	buf_adds(&b, "x\n");
	for (int i = 0; i <= STANZA_HEADER_MAX_COUNT; i++)
		buf_printf(&b, "h%d: v\n", i);
	buf_adds(&b, "\n");
	EXPECT_INT(refused(b.p, b.n, true), 0);
	buf_fini(&b);
	return 0;
}

static int test_biggest_body(void)
{
	struct stanza_reader r;
	struct stanza q;
	char head[64], *chunk = mem_zalloc(65536);
	stanza_reader_init(&r, STANZA_COMMAND);
	stanza_reader_trust(&r);
	snprintf(head, sizeof(head), "sendevent X\nContent-Length: %d\n\n", STANZA_BODY_MAX_BYTES);
	EXPECT_INT(stanza_reader_feed(&r, head, strlen(head)), ST_OK);
	for (int i = 0; i < STANZA_BODY_MAX_BYTES / 65536; i++) {
		EXPECT_INT(stanza_reader_next(&r, &q), ST_AGAIN);
		EXPECT_INT(stanza_reader_feed(&r, chunk, 65536), ST_OK);
	}
	EXPECT_INT(stanza_reader_next(&r, &q), ST_OK);
	EXPECT_INT(q.body.n, STANZA_BODY_MAX_BYTES);
	stanza_fini(&q);
	mem_free(chunk);
	stanza_reader_fini(&r);
	return 0;
}

static int test_out_of_memory(void)
{
	struct stanza_reader r;
	struct buf out;
	buf_init(&out);
	stanza_reader_init(&r, STANZA_COMMAND);
	stanza_reader_trust(&r);
	if (!stanza_reader_feed(&r, rows[5].in, strlen(rows[5].in)))
		drain(&r, &out);
	EXPECT_STR(out.p ? out.p : "", rows[5].out);
	buf_fini(&out);
	stanza_reader_fini(&r);
	return 0;
}

TEST_MAIN({"rows at every byte", test_rows_at_every_byte, 0}, {"refusals", test_refusals, 0},
    {"biggest body", test_biggest_body, 0}, {"out of memory", test_out_of_memory, TEST_OOM})
