/* RTCP feedback as it is said on the other side of a relay: SSRCs and numbers mapped, nothing of other sources. */
#include "harness.h"
#include "rtp/feedback.h"
#include <string.h>

enum { NEAR = 0x11111111, FAR = 0x22222222, SENDER = 0x33333333 };
static const struct rtcp_fb_way way = {.sender = SENDER, .near = NEAR, .far = FAR, .seq_offset = 1000};

static int read_one(const uint8_t *p, size_t n, struct rtcp_item *it)
{
	size_t off = 0;
	EXPECT_INT(rtcp_check(p, n), ST_OK);
	EXPECT_INT(rtcp_next(p, n, &off, it), ST_OK);
	EXPECT(off == n);
	return 0;
}
static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int test_nack(void)
{
	const uint8_t p[] = {0x81, 205, 0, 3, 9, 9, 9, 9, 0x11, 0x11, 0x11, 0x11, 0x01, 0xf4, 0xab, 0xcd};
	uint8_t out[64];
	struct rtcp_item it, got;

	EXPECT(!read_one(p, sizeof(p), &it));
	EXPECT(rtcp_fb_kind(&it) == RTCP_FB_NACK && rtcp_fb_is_about(&it, NEAR) && !rtcp_fb_is_about(&it, FAR));
	EXPECT_INT(rtcp_fb_pass(&it, &way, out, sizeof(out)), 16);
	EXPECT(!read_one(out, 16, &got));
	EXPECT(got.ssrc == SENDER && get32(got.body + 4) == FAR);
	EXPECT(got.body[8] == 0xfe && got.body[9] == 0x0c && got.body[10] == 0xab); /* 500 - 1000 on the circle */
	EXPECT_INT(rtcp_fb_pass(&it, &way, out, 15), ST_FULL);
	EXPECT_INT(rtcp_fb_pass(&it, &(struct rtcp_fb_way){.near = FAR}, out, sizeof(out)), ST_PARSE);
	return 0;
}

/* Every third number is not asked for; the others are twice theirs less 1000. */
static bool number_of(uint16_t seq, uint16_t *out, void *arg)
{
	++*(int *)arg;
	*out = (uint16_t)(2 * seq - 1000);
	return seq % 3;
}

/* Number by number, where there is no one offset. */
static int test_nack_numbers(void)
{
	/* 500, 501, 503, 504, 506, 508, 509, 511, 513, 515; then 600 alone, which is not asked for */
	const uint8_t p[] = {
	    0x81, 205, 0, 4, 9, 9, 9, 9, 0x11, 0x11, 0x11, 0x11, 0x01, 0xf4, 0x55, 0xad, 0x02, 0x58, 0, 0};
	uint8_t out[64];
	int asked = 0;
	struct rtcp_item it, got;
	struct rtcp_fb_way w = way;

	w.number = number_of, w.arg = &asked;
	EXPECT(!read_one(p, sizeof(p), &it));
	/* 500 -> 0; 503 6; 506 12; 508 16; 509 18; 511 22; 515 30 */
	EXPECT_INT(rtcp_fb_pass(&it, &w, out, sizeof(out)), 20);
	EXPECT_INT(asked, 11);
	EXPECT(!read_one(out, 20, &got));
	EXPECT(get32(got.body + 4) == FAR);
	EXPECT(got.body[8] == 0 && got.body[9] == 0 && got.body[10] == 0x88 && got.body[11] == 0x20);    /* 6, 12, 16 */
	EXPECT(got.body[12] == 0 && got.body[13] == 18 && got.body[14] == 0x08 && got.body[15] == 0x08); /* 22, 30 */
	const uint8_t none[] = {0x81, 205, 0, 3, 9, 9, 9, 9, 0x11, 0x11, 0x11, 0x11, 0x02, 0x58, 0, 0};
	EXPECT(!read_one(none, sizeof(none), &it));
	EXPECT_INT(rtcp_fb_pass(&it, &w, out, sizeof(out)), ST_PARSE);
	return 0;
}

static int test_remb(void)
{
	const uint8_t p[] = {0x8f, 206, 0, 6, 9, 9, 9, 9, 0, 0, 0, 0, 'R', 'E', 'M', 'B', 2, 1, 2, 3, 0x11, 0x11, 0x11,
	    0x11, 7, 7, 7, 7};
	uint8_t bad[sizeof(p)], out[64];
	struct rtcp_item it, got;

	EXPECT(!read_one(p, sizeof(p), &it));
	EXPECT(rtcp_fb_kind(&it) == RTCP_FB_REMB && rtcp_fb_is_about(&it, NEAR) && rtcp_fb_is_about(&it, 0x07070707));
	EXPECT_INT(rtcp_fb_pass(&it, &way, out, sizeof(out)), 24);
	EXPECT(!read_one(out, 24, &got));
	EXPECT(got.body[12] == 1 && get32(got.body + 16) == FAR && got.body[15] == 3);
	memcpy(bad, p, sizeof(p));
	bad[16] = 200; /* more sources than there are */
	EXPECT(!read_one(bad, sizeof(bad), &it));
	EXPECT(rtcp_fb_kind(&it) == RTCP_FB_NONE);
	return 0;
}

static int test_pictures(void)
{
	uint8_t out[64];
	struct rtcp_item it;

	EXPECT_INT(rtcp_fb_pli(out, sizeof(out), SENDER, FAR), 12);
	EXPECT(!read_one(out, 12, &it));
	EXPECT(rtcp_fb_kind(&it) == RTCP_FB_PLI && rtcp_fb_is_about(&it, FAR));
	EXPECT_INT(rtcp_fb_fir(out, sizeof(out), SENDER, FAR, 7), 20);
	EXPECT(!read_one(out, 20, &it));
	EXPECT(rtcp_fb_kind(&it) == RTCP_FB_FIR && rtcp_fb_is_about(&it, FAR) && it.body[12] == 7);
	EXPECT_INT(rtcp_fb_fir(out, 19, SENDER, FAR, 7), ST_FULL);
	EXPECT_INT(rtcp_fb_pass(&it, &(struct rtcp_fb_way){.near = FAR}, out, sizeof(out)), ST_PARSE);
	return 0;
}

TEST_MAIN({"nack", test_nack}, {"nack numbers", test_nack_numbers}, {"remb", test_remb}, {"pictures", test_pictures})
