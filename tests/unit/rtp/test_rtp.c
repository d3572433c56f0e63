/* RTP and RTCP packets by tables, sequence and jitter bookkeeping, telephone events. */
#include "base/check.h"
#include "harness.h"
#include "rtp/rtcp.h"
#include "rtp/telev.h"
#include <string.h>

#define HEAD "\x00\x07\x00\x00\x00\xa0\xde\xad\xbe\xef" /* seq 7, ts 160, ssrc */

static int test_parse(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		int status;
		size_t payload, padding, ext;
		unsigned csrc;
	} rows[] = {
	    {"\x80\x00" HEAD "abcd", 16, ST_OK, 4, 0, 0, 0}, {"\x80\x00" HEAD, 12, ST_OK, 0, 0, 0, 0},
	    {"\x80\x00" HEAD, 11, ST_PARSE}, {"", 0, ST_PARSE}, {"\x40\x00" HEAD, 12, ST_PARSE}, /* version 1 */
	    {"\xc0\x00" HEAD, 12, ST_PARSE},                                                     /* version 3 */
	    {"\x82\x00" HEAD "aaaabbbbxy", 22, ST_OK, 2, 0, 0, 2}, {"\x82\x00" HEAD "aaaabbb", 19, ST_PARSE},
	    {"\x8f\x00" HEAD "aaaa", 16, ST_PARSE},
	    {"\x90\x00" HEAD "\xbe\xde\x00\x01"
	     "EEEEpp",
	        22, ST_OK, 2, 0, 4, 0},
	    {"\x90\x00" HEAD "\xbe\xde\x00\x00"
	     "pp",
	        18, ST_OK, 2, 0, 0, 0},
	    {"\x90\x00" HEAD "\xbe\xde\x00\x02"
	     "EEEEpp",
	        22, ST_PARSE},
	    {"\x90\x00" HEAD "\xbe\xde\xff\xff"
	     "EEEEpp",
	        22, ST_PARSE},
	    {"\x90\x00" HEAD "\xbe\xde\x00", 15, ST_PARSE}, {"\xa0\x00" HEAD "ab\x00\x02", 16, ST_OK, 2, 2, 0, 0},
	    {"\xa0\x00" HEAD "ab\x00\x04", 16, ST_OK, 0, 4, 0, 0}, {"\xa0\x00" HEAD "ab\x00\x05", 16, ST_PARSE},
	    {"\xa0\x00" HEAD "ab\x00\x00", 16, ST_PARSE}, {"\xa0\x00" HEAD, 12, ST_PARSE}, /* padding of nothing */
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct rtp_packet k;
		int st = rtp_parse((const uint8_t *)rows[i].bytes, rows[i].n, &k);
		if (st != rows[i].status) {
			test_fail(__FILE__, __LINE__, "row %zu: status %d", i, st);
			return -1;
		}
		if (st)
			continue;
		EXPECT_INT(k.payload_bytes, rows[i].payload);
		EXPECT_INT(k.padding_bytes, rows[i].padding);
		EXPECT_INT(k.ext_bytes, rows[i].ext);
		EXPECT_INT(k.csrc_count, rows[i].csrc);
		EXPECT_INT(k.seq, 7);
		EXPECT_INT(k.ts, 160);
		EXPECT_INT(k.ssrc, 0xdeadbeef);
	}
	return 0;
}
static int test_write(void)
{
	struct rtp_packet k = {.is_marked = true,
	    .pt = 101,
	    .seq = 65535,
	    .ts = 0xfffffff0,
	    .ssrc = 1,
	    .ext_profile = 0xbede,
	    .ext = (const uint8_t *)"1234",
	    .ext_bytes = 4,
	    .payload = (const uint8_t *)"hello",
	    .payload_bytes = 5,
	    .padding_bytes = 3};
	struct rtp_packet back;
	uint8_t b[64];
	int n = rtp_write(b, sizeof(b), &k);

	EXPECT_INT(n, 12 + 8 + 5 + 3);
	EXPECT_INT(rtp_parse(b, (size_t)n, &back), ST_OK);
	EXPECT(back.is_marked && back.pt == 101 && back.seq == 65535 && back.ts == 0xfffffff0 && back.ssrc == 1);
	EXPECT(back.payload_bytes == 5 && !memcmp(back.payload, "hello", 5) && !memcmp(back.ext, "1234", 4));
	EXPECT_INT(rtp_write(b, (size_t)n - 1, &k), ST_FULL);
	k.pt = 128;
	EXPECT_INT(rtp_write(b, sizeof(b), &k), ST_INVAL);
	rtp_patch(b, 8, 9, 10, 11);
	EXPECT_INT(rtp_parse(b, (size_t)n, &back), ST_OK);
	EXPECT(back.is_marked && back.pt == 8 && back.seq == 9 && back.ts == 10 && back.ssrc == 11);
	return 0;
}
static int test_classify(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum rtp_kind kind;
	} rows[] = {{"", 0, RTP_KIND_NONE}, {"\x80\x00" HEAD, 12, RTP_KIND_RTP}, {"\x80\xc8" HEAD, 12, RTP_KIND_RTCP},
	    {"\x80\xc9" HEAD, 8, RTP_KIND_RTCP}, {"\x80\x00" HEAD, 8, RTP_KIND_NONE},
	    {"\x00\x01\x00\x00\x21\x12\xa4\x42xxxxxxxxxxxx", 20, RTP_KIND_STUN}, {"\x16\xfe\xfd", 3, RTP_KIND_DTLS},
	    {"\x10\x00", 2, RTP_KIND_ZRTP}, {"\x40\x00", 2, RTP_KIND_TURN}, {"\x50\x00", 2, RTP_KIND_NONE},
	    {"SIP", 3, RTP_KIND_NONE}, {"\x80\xe0" HEAD, 12, RTP_KIND_RTP}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		EXPECT_INT(rtp_classify((const uint8_t *)rows[i].bytes, rows[i].n), rows[i].kind);
	return 0;
}
static int test_source(void)
{
	struct rtp_source s;

	rtp_source_init(&s, 5, 8000);
	for (int i = 0; i < 1000; i++) /* over the wrap, every tenth lost */
		if (i % 10 != 5)
			EXPECT_INT(
			    rtp_source_update(&s, (uint16_t)(65000 + i), (uint32_t)i * 160, i * 20000), RTP_SEQ_OK);
	EXPECT_INT(rtp_source_seq_ext(&s), 65000 + 999);
	EXPECT_INT(rtp_source_lost(&s), 100);
	EXPECT_INT(rtp_source_jitter_us(&s), 0);
	EXPECT_INT(rtp_source_update(&s, (uint16_t)(65000 + 998), 998 * 160, 20000000), RTP_SEQ_LATE);
	EXPECT_INT(rtp_source_update(&s, 30000, 1, 20000000), RTP_SEQ_BAD);
	EXPECT_INT(rtp_source_update(&s, 30001, 161, 20020000), RTP_SEQ_RESTART);
	EXPECT_INT(rtp_source_seq_ext(&s), 30001);
	EXPECT_INT(s.restarts, 1);
	EXPECT_INT(rtp_source_lost(&s), 99); /* what was lost before it began anew, less the late one */
	EXPECT_INT(rtp_source_update(&s, 30003, 481, 20060000), RTP_SEQ_OK);
	EXPECT_INT(rtp_source_lost(&s), 100);
	return 0;
}
/* The same source by another codec: what was measured stays what it was in time, and nothing is made of the change. */
static int test_another_clock(void)
{
	struct rtp_source s;

	rtp_source_init(&s, 5, 8000);
	for (int i = 0; i < 200; i++)
		(void)rtp_source_update(&s, (uint16_t)i, (uint32_t)i * 160, i * 20000 + i % 2 * 10000);
	uint32_t was_us = rtp_source_jitter_us(&s);
	EXPECT(was_us > 9000);
	rtp_source_clock(&s, 48000);
	EXPECT(rtp_source_jitter_us(&s) <= was_us && rtp_source_jitter_us(&s) + 100 > was_us);
	for (int i = 200; i < 400; i++)
		(void)rtp_source_update(&s, (uint16_t)i, 7000 + (uint32_t)i * 960, i * 20000);
	EXPECT(rtp_source_jitter_us(&s) < 100);
	EXPECT(rtp_source_jitter_max_us(&s) < was_us + 1000);
	return 0;
}
/* Arrivals that alternate 0 and 10 ms late: every difference is 10 ms, to which the estimate converges. */
static int test_jitter(void)
{
	struct rtp_source s;
	rtp_source_init(&s, 5, 8000);
	for (int i = 0; i < 500; i++)
		rtp_source_update(&s, (uint16_t)i, (uint32_t)i * 160, i * 20000 + i % 2 * 10000);
	EXPECT(rtp_source_jitter_us(&s) > 9000 && rtp_source_jitter_us(&s) < 10500);
	EXPECT(rtp_source_jitter_max_us(&s) >= rtp_source_jitter_us(&s));
	return 0;
}
static int test_extend(void)
{
	EXPECT_INT(rtp_seq_extend(65534, 1), 65537);
	EXPECT_INT(rtp_seq_extend(65537, 65535), 65535);
	EXPECT_INT(rtp_seq_extend(0, 65535), 65535); /* nothing lies before the first turn */
	EXPECT_INT(rtp_seq_extend(100000, (uint16_t)100001), 100001);
	EXPECT_INT(rtp_seq_diff(1, 65535), 2);
	EXPECT_INT(rtp_ts_diff(5, 0xfffffffb), 10);
	return 0;
}
static int test_rtcp_report(void)
{
	struct rtp_source s;
	struct rtcp_block b, got;
	struct rtcp_sr sr = {77, rtcp_ntp(1000000), 160, 3, 480};
	struct rtcp_report r = {.ssrc = 77,
	    .sr = &sr,
	    .blocks = &b,
	    .block_count = 1,
	    .cname = "a@b",
	    .is_bye = true,
	    .bye_reason = "over"};
	struct rtcp_item it;
	uint8_t p[256];
	size_t off = 0;
	int n;

	rtp_source_init(&s, 5, 8000);
	for (int i = 0; i < 100; i++)
		if (i % 4)
			rtp_source_update(&s, (uint16_t)i, (uint32_t)i * 160, i * 20000);
	rtcp_block_make(&s, 0x12345678, 500000, &b);
	EXPECT_INT(b.lost, 24); /* of 1..99, the 24 multiples of 4 */
	EXPECT_INT(b.fraction_lost, 24 * 256 / 99);
	EXPECT_INT(b.dlsr, 32768);
	rtcp_block_make(&s, 0x12345678, UINT64_C(4300000000), &got);
	EXPECT(!got.lsr && !got.dlsr); /* so long ago that nothing can be measured by it */
	rtcp_block_make(&s, 0, 500000, &got);
	EXPECT(!got.lsr && !got.dlsr);
	rtcp_block_make(&s, 0x12345678, UINT64_C(3000000000), &got);
	EXPECT(got.lsr == 0x12345678 && got.dlsr == UINT32_C(3000) * 65536);
	n = rtcp_write(p, sizeof(p), &r);
	EXPECT(n > 0 && n % 4 == 0);
	EXPECT_INT(rtcp_write(p, (size_t)n - 1, &r), ST_FULL);
	EXPECT_INT(rtcp_check(p, (size_t)n), ST_OK);
	EXPECT_INT(rtcp_next(p, (size_t)n, &off, &it), ST_OK);
	EXPECT_INT(it.type, RTCP_SR);
	EXPECT(it.sr.ssrc == 77 && it.sr.ntp == sr.ntp && it.sr.ts == 160 && it.sr.packets == 3 && it.sr.octets == 480);
	EXPECT(rtcp_block_get(&it, 0, &got));
	EXPECT(got.ssrc == b.ssrc && got.fraction_lost == b.fraction_lost && got.lost == b.lost);
	EXPECT(got.seq_ext == b.seq_ext && got.jitter == b.jitter && got.lsr == b.lsr && got.dlsr == b.dlsr);
	EXPECT(!rtcp_block_get(&it, 1, &got));
	EXPECT_INT(rtcp_next(p, (size_t)n, &off, &it), ST_OK);
	EXPECT(it.type == RTCP_SDES && it.text_bytes == 3 && !memcmp(it.text, "a@b", 3));
	EXPECT_INT(rtcp_next(p, (size_t)n, &off, &it), ST_OK);
	EXPECT(it.type == RTCP_BYE && it.ssrc == 77 && it.text_bytes == 4 && !memcmp(it.text, "over", 4));
	EXPECT_INT(rtcp_next(p, (size_t)n, &off, &it), ST_NOTFOUND);
	/* negative cumulative loss: more came than was expected */
	b.lost = -3;
	rtcp_write(p, sizeof(p), &r);
	off = 0;
	rtcp_next(p, sizeof(p), &off, &it);
	EXPECT(rtcp_block_get(&it, 0, &got) && got.lost == -3);
	return 0;
}
static int test_rtcp_bad(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		int check, next;
	} rows[] = {
	    {"", 0, ST_PARSE, ST_NOTFOUND},
	    {"\x80\xc9\x00\x01"
	     "ssrc",
	        8, ST_OK, ST_OK},
	    {"\x80\xc9\x00\x02"
	     "ssrc",
	        8, ST_PARSE, ST_PARSE}, /* longer than the datagram */
	    {"\x81\xc9\x00\x01"
	     "ssrc",
	        8, ST_OK, ST_PARSE}, /* a block that is not there */
	    {"\x80\xc8\x00\x01"
	     "ssrc",
	        8, ST_OK, ST_PARSE}, /* SR without its body */
	    {"\x80\x7f\x00\x01"
	     "ssrc",
	        8, ST_PARSE, ST_PARSE},
	    {"\x40\xc9\x00\x01"
	     "ssrc",
	        8, ST_PARSE, ST_PARSE},
	    {"\xa0\xc9\x00\x01"
	     "ss\x00\x04",
	        8, ST_OK, ST_PARSE}, /* padding eats the ssrc of an RR */
	    {"\xa0\xc9\x00\x01"
	     "ss\x00\x09",
	        8, ST_OK, ST_PARSE},
	    {"\x9f\xcb\x00\x01"
	     "ssrc",
	        8, ST_OK, ST_PARSE}, /* BYE of 31 sources */
	    {"\x81\xcb\x00\x02"
	     "ssrc\xff"
	     "abc",
	        12, ST_OK, ST_OK}, /* reason over the end: none */
	    {"\x81\xca\x00\x02"
	     "ssrc\x01\xff"
	     "ab",
	        12, ST_OK, ST_OK},
	    {"\x80\xc9\x00\x01"
	     "ssrc\x80",
	        9, ST_PARSE, ST_OK},
	};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct rtcp_item it;
		size_t off = 0;
		int c = rtcp_check((const uint8_t *)rows[i].bytes, rows[i].n),
		    x = rtcp_next((const uint8_t *)rows[i].bytes, rows[i].n, &off, &it);
		if (c != rows[i].check || x != rows[i].next || (!x && it.text_bytes)) {
			test_fail(__FILE__, __LINE__, "row %zu: %d, %d", i, c, x);
			return -1;
		}
	}
	return 0;
}
static int test_rtcp_time(void)
{
	struct rtcp_block b = {.lsr = rtcp_ntp_mid(rtcp_ntp(10000000)), .dlsr = 65536 / 2};
	/* sent at 10 s, held half a second by the peer, back at 10.6 s: 100 ms on the way */
	EXPECT(rtcp_round_trip_us(&b, rtcp_ntp_mid(rtcp_ntp(10600000))) / 1000 == 99 ||
	       rtcp_round_trip_us(&b, rtcp_ntp_mid(rtcp_ntp(10600000))) / 1000 == 100);
	b.lsr = 0;
	EXPECT_INT(rtcp_round_trip_us(&b, 5), 0);
	EXPECT_INT(rtcp_ntp(0) >> 32, 2208988800u);
	EXPECT_INT(rtcp_ntp(500000) & 0xffffffff, 0x80000000u);
	return 0;
}

/* ---- telephone events ---- */

static bool feed(
    struct telev_rx *rx, char digit, uint32_t ts, uint16_t duration, bool is_end, int64_t ms, struct telev_report *r)
{
	struct telev_event e = {(uint8_t)telev_of_digit(digit), 10, is_end, duration};
	uint8_t p[TELEV_PAYLOAD_BYTES];
	telev_write(p, &e);
	return telev_rx_packet(rx, p, sizeof(p), ts, ms * 1000, r);
}
/* A key held for longer than a duration can say: segments of 0xffff, each with a time of its own, no end between. */
static int test_held_key(void)
{
	struct telev_rx rx = {0};
	struct telev_report r;

	for (uint32_t ms = 0; ms < 8180; ms += 20)
		EXPECT(!feed(&rx, '5', 1000, (uint16_t)(160 + ms * 8), false, ms, &r));
	EXPECT(!feed(&rx, '5', 1000, 65535, false, 8200, &r));
	for (uint32_t ms = 8220; ms < 9000; ms += 20)
		EXPECT(!feed(&rx, '5', 1000 + 65535, (uint16_t)((ms - 8200) * 8), false, ms, &r));
	EXPECT(feed(&rx, '5', 1000 + 65535, 6560, true, 9020, &r));
	EXPECT(r.digit == '5' && r.duration == 65535);
	EXPECT(!feed(&rx, '5', 1000 + 65535, 6560, true, 9020, &r)); /* the end again */
	EXPECT(!feed(&rx, '5', 200000, 160, false, 20000, &r));
	EXPECT(feed(&rx, '5', 200000, 800, true, 20100, &r)); /* pressed again */
	return 0;
}

static int test_digits(void)
{
	static const char all[] = "0123456789*#ABCD";
	for (int i = 0; i < 16; i++) {
		EXPECT_INT(telev_of_digit(all[i]), i);
		EXPECT_INT(telev_to_digit((uint8_t)i), all[i]);
	}
	EXPECT_INT(telev_of_digit('a'), 12);
	EXPECT_INT(telev_of_digit('F'), 16);
	EXPECT_INT(telev_of_digit('x'), -1);
	EXPECT_INT(telev_of_digit(0), -1);
	EXPECT_INT(telev_to_digit(17), 0);
	EXPECT_INT(telev_to_digit(255), 0);
	return 0;
}
static int test_rx_ordinary(void)
{
	struct telev_rx rx = {0};
	struct telev_report r;

	for (int i = 1; i <= 5; i++)
		EXPECT(!feed(&rx, '5', 1000, (uint16_t)(i * 160), false, i * 20, &r));
	EXPECT(feed(&rx, '5', 1000, 960, true, 120, &r));
	EXPECT(r.digit == '5' && r.duration == 960 && !r.is_end_lost);
	EXPECT(!feed(&rx, '5', 1000, 960, true, 140, &r)); /* the repeats */
	EXPECT(!feed(&rx, '5', 1000, 960, true, 160, &r));
	EXPECT(!feed(&rx, '5', 1000, 480, false, 165, &r)); /* one that came late */
	EXPECT(!telev_rx_tick(&rx, 10000000, 0, &r));
	/* the same digit again is another event by its timestamp */
	EXPECT(!feed(&rx, '5', 3000, 160, false, 400, &r));
	EXPECT(feed(&rx, '5', 3000, 320, true, 420, &r));
	EXPECT_INT(r.duration, 320);
	return 0;
}
static int test_rx_losses(void)
{
	struct telev_rx rx = {0};
	struct telev_report r;

	EXPECT(feed(&rx, '1', 1000, 800, true, 0, &r)); /* only an end packet came through */
	EXPECT_INT(r.digit, '1');
	EXPECT(!feed(&rx, '2', 5000, 160, false, 500, &r));
	EXPECT(!feed(&rx, '2', 5000, 320, false, 520, &r));
	EXPECT(!telev_rx_tick(&rx, 600000, 0, &r));
	EXPECT(telev_rx_tick(&rx, 720000, 0, &r)); /* its end never came */
	EXPECT(r.digit == '2' && r.duration == 320 && r.is_end_lost);
	EXPECT(!telev_rx_tick(&rx, 920000, 0, &r));
	EXPECT(!feed(&rx, '2', 5000, 480, true, 930, &r)); /* the end comes after all */
	EXPECT(!feed(&rx, '3', 9000, 160, false, 1000, &r));
	EXPECT(feed(&rx, '4', 12000, 160, false, 1050, &r)); /* the next one closes it */
	EXPECT(r.digit == '3' && r.is_end_lost);
	EXPECT(feed(&rx, '4', 12000, 320, true, 1070, &r));
	EXPECT_INT(r.digit, '4');
	return 0;
}
static int test_rx_odd(void)
{
	struct telev_rx rx = {0};
	struct telev_report r;
	const uint8_t junk[4] = {200, 0x80, 0, 1};

	EXPECT(!telev_rx_packet(&rx, junk, 4, 1, 0, &r)); /* an event that is no digit */
	EXPECT(!telev_rx_packet(&rx, junk, 3, 1, 0, &r));
	EXPECT(feed(&rx, '9', 0xfffffff0, 160, true, 0, &r));
	EXPECT(feed(&rx, '8', 0x00000100, 160, true, 50, &r)); /* over the wrap of the clock */
	EXPECT_INT(r.digit, '8');
	EXPECT(!feed(&rx, '9', 0xfffffff0, 160, true, 60, &r));
	return 0;
}
static int test_tx(void)
{
	struct telev_tx tx = {0};
	struct telev_rx rx = {0};
	struct telev_event e;
	struct telev_report r = {0};
	uint8_t p[TELEV_PAYLOAD_BYTES];
	bool is_marked;
	int packets = 0, ends = 0, marks = 0, reports = 0;

	EXPECT_INT(telev_tx_start(&tx, 'x', 0, 100), ST_INVAL);
	EXPECT_INT(telev_tx_start(&tx, '#', 4711, 800), ST_OK);
	EXPECT_INT(telev_tx_start(&tx, '1', 0, 100), ST_BUSY);
	while (telev_tx_next(&tx, 160, p, &is_marked)) {
		EXPECT_INT(telev_parse(p, sizeof(p), &e), ST_OK);
		packets++;
		marks += is_marked;
		EXPECT(is_marked == (packets == 1));
		EXPECT_INT(e.duration, packets <= 5 ? packets * 160 : 800);
		EXPECT(e.is_end == (packets >= 5));
		ends += e.is_end;
		EXPECT_INT(tx.ts, 4711);
		reports += telev_rx_packet(&rx, p, sizeof(p), tx.ts, packets * 20000, &r);
	}
	EXPECT_INT(packets, 7);
	EXPECT_INT(ends, TELEV_END_COUNT);
	EXPECT_INT(marks, 1);
	EXPECT_INT(reports, 1);
	EXPECT(r.digit == '#' && r.duration == 800);
	EXPECT_INT(telev_tx_start(&tx, '1', 0, 1000000), ST_OK);
	EXPECT_INT(tx.duration, 65535);
	return 0;
}

TEST_MAIN({"parse", test_parse}, {"write", test_write}, {"classify", test_classify}, {"source", test_source},
    {"another-clock", test_another_clock}, {"held-key", test_held_key}, {"jitter", test_jitter},
    {"extend", test_extend}, {"rtcp report", test_rtcp_report}, {"rtcp bad", test_rtcp_bad},
    {"rtcp time", test_rtcp_time}, {"digits", test_digits}, {"rx ordinary", test_rx_ordinary},
    {"rx losses", test_rx_losses}, {"rx odd", test_rx_odd}, {"tx", test_tx})
