/* The bytes of a page's packets. */
#include "harness.h"
#include "page/page_i.h"

#include <arpa/inet.h>
#include <string.h>

static int test_control(void)
{
	static const uint8_t start[] = {0, 0, 0x12, 0x34, 0, 0, 0, 6, 224, 168, 168, 168, 0, 0, 0x87, 0x07};
	uint8_t out[PAGE_PACKET_MAX];
	struct in_addr group;
	EXPECT_INT(inet_pton(AF_INET, "224.168.168.168", &group), 1);
	EXPECT_INT(page_control_put(out, PAGE_CONTROL_START, 0x1234, group, 34567), 16);
	EXPECT(!memcmp(out, start, sizeof(start)));
	EXPECT_INT(page_control_put(out, PAGE_CONTROL_STOP, 0x1234, group, 34567), 8);
	EXPECT_INT(out[7], 7);
	return 0;
}

static int test_rtp(void)
{
	static const uint8_t head[] = {0x80, 9, 0xff, 0xff, 0, 0, 0, 1, 1, 2, 3, 4};
	uint8_t out[PAGE_PACKET_MAX], sound[PAGE_SOUND_BYTES];
	struct page_rtp r = {9, 0xffff, 1, 0x01020304};
	memset(sound, 0x55, sizeof(sound));
	EXPECT_INT(page_rtp_put(out, &r, sound), 172);
	EXPECT(!memcmp(out, head, sizeof(head)) && out[12] == 0x55 && out[171] == 0x55);
	EXPECT_INT(r.seq, 0);
	EXPECT_INT(r.ts, 161);
	return 0;
}

static int test_polycom(void)
{
	static const uint8_t head[] = {0x0f, 26, 0, 0, 0, 7, 13, 'A', 'n', 'n'};
	uint8_t out[PAGE_PACKET_MAX], sound[PAGE_SOUND_BYTES];
	struct page_polycom p = {.channel = 26, .id = 7, .caller = "Ann"};
	EXPECT_INT(page_polycom_put(out, &p, PAGE_POLYCOM_ALERT, NULL), 20);
	EXPECT(!memcmp(out, head, sizeof(head)) && !out[10] && !out[19]);
	memset(sound, 1, sizeof(sound));
	EXPECT_INT(page_polycom_put(out, &p, PAGE_POLYCOM_SOUND, sound), 186);
	EXPECT(out[0] == 0x10 && out[25] == 160 && out[26] == 1);
	memset(sound, 2, sizeof(sound));
	EXPECT_INT(page_polycom_put(out, &p, PAGE_POLYCOM_SOUND, sound), 346);
	EXPECT(out[26] == 1 && out[185] == 1 && out[186] == 2 && out[345] == 2);
	EXPECT_INT(page_polycom_put(out, &p, PAGE_POLYCOM_END, NULL), 20);
	EXPECT_INT(out[0], 0xff);
	return 0;
}

TEST_MAIN({"control", test_control}, {"rtp", test_rtp}, {"polycom", test_polycom})
