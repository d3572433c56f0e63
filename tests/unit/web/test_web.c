/* The event ring (what is recorded, kept, lost and told to who comes back) and the token file. */
#include "base/clock.h"
#include "base/mem.h"
#include "core/event/event.h"
#include "harness.h"
#include "loop/loop.h"
#include "web/web_i.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int wakes;

static void woken(void)
{
	wakes++;
}

NO_ROLE_CHECK static int ring_open(size_t count, size_t bytes, const char *always)
{
	web_conf = (struct web_conf){.ring_max_count = count,
	    .ring_max_bytes = bytes,
	    .ring_linger_us = 60 * 1000000LL,
	    .ring_always = (char *)always};
	return web_ring_start(woken);
}

/* NULL id: a CUSTOM event of that subclass. */
NO_ROLE_CHECK static uint64_t fire(enum event_id id, const char *subclass, const char *uuid)
{
	struct event *e = event_new(id, subclass);
	if (!e)
		return 0;
	event_add(e, "Unique-ID", uuid);
	event_fire(e);
	return event_sequence();
}

NO_ROLE_CHECK static struct web_filter filter_of(const char *names, const char *uuid)
{
	struct web_filter f = {.subclass_count = 0};
	struct sv wrong;
	web_filter_parse(&f, sv_of(names), &wrong);
	snprintf(f.uuid, sizeof(f.uuid), "%s", uuid);
	return f;
}

static int test_words(void)
{
	static const struct {
		const char *header, *value;
	} cookies[] = {{"tandem_session_1=x", "x"}, {"a=b; tandem_session_1=y; c=d", "y"}, {"tandem_session_11=x", ""},
	    {"atandem_session_1=x", ""}, {"tandem_session_1", ""}, {"", ""}, {";;=;tandem_session_1=", ""}};
	static const struct {
		const char *text;
		bool is_part;
		size_t from, to;
	} ranges[] = {{"bytes=0-9", true, 0, 9}, {"bytes=5-", true, 5, 99}, {"bytes=90-1000", true, 90, 99},
	    {"bytes=100-", false, 0, 0}, {"bytes=9-5", false, 0, 0}, {"bytes=-5", false, 0, 0},
	    {"lines=0-1", false, 0, 0}, {"bytes=0-1,4-5", false, 0, 0}, {"", false, 0, 0}};
	static const struct {
		const char *line, *cells;
	} lines[] = {{"\"a\",\"b\",c", "[\"a\",\"b\",\"c\"]"},
	    {"\"a,b\",\"say \"\"x\"\"\"", "[\"a,b\",\"say \\\"x\\\"\"]"}, {"a,,", "[\"a\",\"\",\"\"]"}, {"", "[\"\"]"},
	    {"\"cut", "[\"cut\"]"}};
	for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++)
		EXPECT(sv_is(web_cookie_find(sv_of(cookies[i].header), "tandem_session_1"), cookies[i].value));
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		size_t from = 0, to = 0;
		EXPECT_INT(web_range_parse(sv_of(ranges[i].text), 100, &from, &to), ranges[i].is_part);
		if (ranges[i].is_part)
			EXPECT(from == ranges[i].from && to == ranges[i].to);
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct json_writer w;
		struct buf b;
		buf_init(&b);
		jw_init(&w, &b, false);
		web_cells_put(&w, sv_of(lines[i].line));
		EXPECT(sv_is(buf_sv(&b), lines[i].cells));
		buf_fini(&b);
	}
	return 0;
}

NO_ROLE_CHECK static int test_filters(void)
{
	struct web_filter f = {.subclass_count = 0};
	struct sv wrong;
	struct web_event answer = {.id = EVENT_CHANNEL_ANSWER, .uuid = (char *)"u1"},
	                 custom = {.id = EVENT_CUSTOM, .subclass = (char *)"a::b"};
	EXPECT_INT(web_filter_parse(&f, SV("CHANNEL_ANSWER, nosuch"), &wrong), ST_NOTFOUND);
	EXPECT(sv_is(wrong, "nosuch"));
	f = filter_of("", "");
	EXPECT(web_filter_passes(&f, &answer) && web_filter_passes(&f, &custom));
	f = filter_of("channel_answer", "");
	EXPECT(web_filter_passes(&f, &answer) && !web_filter_passes(&f, &custom));
	f = filter_of("CUSTOM", "");
	EXPECT(web_filter_passes(&f, &custom));
	f = filter_of("a::c,a::b", "");
	EXPECT(web_filter_passes(&f, &custom) && !web_filter_passes(&f, &answer));
	f = filter_of("a::c", "");
	EXPECT(!web_filter_passes(&f, &custom));
	f = filter_of("", "u1");
	EXPECT(web_filter_passes(&f, &answer) && !web_filter_passes(&f, &custom));
	f = filter_of("", "u2");
	EXPECT(!web_filter_passes(&f, &answer));
	return 0;
}

NO_ROLE_CHECK static int test_ring_keeps_and_loses(void)
{
	struct web_gap gap;
	struct web_filter f = filter_of("CHANNEL_ANSWER", "");
	EXPECT_INT(ring_open(4, 1 << 20, NULL), 0);
	EXPECT(!event_is_wanted(EVENT_CHANNEL_ANSWER, NULL));
	uint64_t before = event_sequence();
	web_ring_want(&f, true);
	EXPECT(event_is_wanted(EVENT_CHANNEL_ANSWER, NULL) && !event_is_wanted(EVENT_HEARTBEAT, NULL));
	uint64_t first = fire(EVENT_CHANNEL_ANSWER, NULL, "u"), seq = first;
	for (int i = 0; i < 6; i++)
		seq = fire(EVENT_CHANNEL_ANSWER, NULL, "u");
	EXPECT_INT(web_ring_end() - web_ring_begin(), 4);
	EXPECT_INT(web_ring_lost_seq(), seq - 4);
	loop_run_nowait();
	EXPECT_INT(wakes, 1);
	/* all kept; some lost; all seen; a number that is to come */
	EXPECT_INT(web_ring_seek(&f, SV_NONE, seq - 4, &gap), web_ring_begin());
	EXPECT(!gap.reason);
	EXPECT_INT(web_ring_seek(&f, SV_NONE, first, &gap), web_ring_begin());
	EXPECT(gap.from == first + 1 && gap.to == seq - 4 && !strcmp(gap.reason, "too old"));
	EXPECT_INT(web_ring_seek(&f, SV_NONE, seq, &gap), web_ring_end());
	EXPECT(!gap.reason);
	web_ring_seek(&f, SV_NONE, seq + 1, &gap);
	EXPECT_STR(gap.reason, "restarted");
	web_ring_seek(&f, SV("00000000"), seq, &gap);
	EXPECT_STR(gap.reason, "restarted");
	EXPECT_INT(web_ring_seek(&f, sv_of(web_ring_epoch()), seq - 1, &gap), web_ring_end() - 1);
	/* before it was recorded */
	struct web_filter other = filter_of("HEARTBEAT", "");
	web_ring_seek(&other, SV_NONE, before, &gap);
	EXPECT(gap.from == before + 1 && gap.to == seq && !strcmp(gap.reason, "not recorded"));
	web_ring_want(&f, false);
	web_ring_stop();
	return 0;
}

/* The frame is a server-sent event of one line of JSON whatever the values hold; bytes are bounded, too. */
NO_ROLE_CHECK static int test_ring_bytes(void)
{
	struct web_filter f = filter_of("", "");
	EXPECT_INT(ring_open(1000, 8192, NULL), 0);
	web_ring_want(&f, true);
	fire(EVENT_CUSTOM, "x::\ny", "a\nb\r\n\r\ndata: c");
	const struct web_event *e = web_ring_at(web_ring_begin());
	EXPECT(e && e->frame);
	EXPECT_INT(strlen(e->frame), e->frame_bytes);
	EXPECT(!strncmp(e->frame, "id: ", 4) && strstr(e->frame, "\nevent: x::?y\ndata: {\""));
	EXPECT(strstr(e->frame, "\n\n") == e->frame + e->frame_bytes - 2 && !strchr(e->frame, '\r'));
	for (int i = 0; i < 100; i++)
		fire(EVENT_HEARTBEAT, NULL, NULL);
	EXPECT(web_ring_bytes() <= 8192 && web_ring_end() - web_ring_begin() > 2);
	web_ring_want(&f, false);
	web_ring_stop();
	return 0;
}

NO_ROLE_CHECK static int test_ring_lingers(void)
{
	struct web_filter f = filter_of("CHANNEL_ANSWER", "");
	clock_fake_start(1700000000000000);
	EXPECT_INT(ring_open(10, 1 << 20, "HEARTBEAT"), 0);
	EXPECT(event_is_wanted(EVENT_HEARTBEAT, NULL));
	web_ring_want(&f, true);
	web_ring_want(&f, true);
	web_ring_want(&f, false);
	for (int s = 0; s < 100; s++) {
		clock_fake_advance(1000000);
		loop_run_nowait();
	}
	EXPECT(event_is_wanted(EVENT_CHANNEL_ANSWER, NULL)); /* one is left */
	web_ring_want(&f, false);
	for (int s = 0; s < 40; s++) {
		clock_fake_advance(1000000);
		loop_run_nowait();
	}
	EXPECT(event_is_wanted(EVENT_CHANNEL_ANSWER, NULL));
	for (int s = 0; s < 60; s++) {
		clock_fake_advance(1000000);
		loop_run_nowait();
	}
	EXPECT(!event_is_wanted(EVENT_CHANNEL_ANSWER, NULL) && event_is_wanted(EVENT_HEARTBEAT, NULL));
	web_ring_stop();
	clock_fake_stop();
	return 0;
}

/* Whatever allocation fails: nothing leaks, and what is recorded can be read. */
NO_ROLE_CHECK static int test_ring_memory(void)
{
	struct web_filter f = filter_of("", "");
	if (ring_open(4, 1 << 20, NULL)) {
		web_ring_stop();
		return 0;
	}
	web_ring_want(&f, true);
	for (int i = 0; i < 3; i++)
		fire(EVENT_CHANNEL_ANSWER, NULL, "u");
	EXPECT_INT(web_ring_end() - web_ring_begin(), 3);
	web_ring_want(&f, false);
	web_ring_stop();
	return 0;
}

static int test_ids(void)
{
	static const struct {
		const char *text, *epoch;
		uint64_t seq;
		int st;
	} rows[] = {
	    {"5", "", 5, ST_OK},
	    {" 0a1b2c3d.77 ", "0a1b2c3d", 77, ST_OK},
	    {"18446744073709551615", "", UINT64_MAX, ST_OK},
	    {"18446744073709551616", "", 0, ST_PARSE},
	    {"", "", 0, ST_PARSE},
	    {"x.", "x", 0, ST_PARSE},
	    {"a.b", "a", 0, ST_PARSE},
	    {"-1", "", 0, ST_PARSE},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sv epoch;
		uint64_t seq = 0;
		EXPECT_INT(web_event_id_parse(sv_of(rows[i].text), &epoch, &seq), rows[i].st);
		EXPECT(rows[i].st || (seq == rows[i].seq && sv_is(epoch, rows[i].epoch)));
	}
	return 0;
}

/* ---- tokens ---- */
static int file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	if (!f)
		return -1;
	fputs(text, f);
	return fclose(f);
}

NO_ROLE_CHECK static int test_tokens(void)
{
	char dir[] = "/tmp/tandem-web-XXXXXX", path[64], plain[64], token[64] = "";
	const char *name;
	struct stat info;
	EXPECT(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http_tokens.json", dir);
	snprintf(plain, sizeof(plain), "%s/http_admin_token", dir);
	EXPECT_INT(web_tokens_load(path), 0);
	EXPECT(!stat(path, &info) && (info.st_mode & 0777) == 0600);
	EXPECT(!stat(plain, &info) && (info.st_mode & 0777) == 0600);
	FILE *f = fopen(plain, "r");
	EXPECT(f && fscanf(f, "%63s", token) == 1 && strlen(token) == 40);
	fclose(f);
	for (int again = 0; again < 2; again++) {
		EXPECT_INT(web_token_check(sv_of(token), &name), WEB_ADMIN);
		EXPECT_STR(name, "admin");
		EXPECT_INT(web_token_check(SV(""), &name), WEB_NOBODY);
		EXPECT_INT(web_token_check(sv_sub(sv_of(token), 0, 39), &name), WEB_NOBODY);
		EXPECT_STR(name, "");
		web_tokens_fini();
		EXPECT_INT(web_token_check(sv_of(token), &name), WEB_NOBODY);
		EXPECT_INT(web_tokens_load(path), 0); /* the same after a restart */
	}
	static const char *const wrong[] = {"", "{", "[]", "{\"tokens\":5}", "{\"tokens\":[{}]}",
	    "{\"tokens\":[{\"name\":\"a\",\"role\":\"god\",\"sha256\":\"00\"}]}",
	    "{\"tokens\":[{\"name\":\"a\",\"role\":\"admin\",\"sha256\":\"zz\"}]}"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		EXPECT(!file_write(path, wrong[i]));
		EXPECT_INT(web_tokens_load(path), ST_PARSE);
		EXPECT_INT(web_token_check(sv_of(token), &name), WEB_NOBODY); /* a broken file lets nobody in */
	}
	web_tokens_fini();
	unlink(path);
	unlink(plain);
	rmdir(dir);
	return 0;
}

TEST_MAIN({"filters", test_filters, TEST_LOOP}, {"ring_keeps_and_loses", test_ring_keeps_and_loses, TEST_LOOP},
    {"ring_bytes", test_ring_bytes, TEST_LOOP}, {"ring_lingers", test_ring_lingers, TEST_LOOP},
    {"ring_memory", test_ring_memory, TEST_LOOP | TEST_OOM}, {"ids", test_ids}, {"words", test_words},
    {"tokens", test_tokens, TEST_LOOP})
