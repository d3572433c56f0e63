/* RED by RFC 2198's drawing; what is cut off is refused. */
#include "harness.h"
#include "rtp/red.h"
#include <string.h>

static int test_red(void)
{
	/* RFC 2198 section 4: a block of 3 bytes of type 5, 100 units earlier, then the primary of type 7 */
	const uint8_t p[] = {0x80 | 5, 100 >> 6, (100 & 63) << 2, 3, 7, 'o', 'l', 'd', 'n', 'e', 'w', '!'};
	uint8_t many[9 * 4 + 1] = {0};
	struct red_packet r;

	EXPECT_INT(red_parse(p, sizeof(p), &r), ST_OK);
	EXPECT(r.count == 2 && r.blocks[0].pt == 5 && r.blocks[0].ts_offset == 100 && r.blocks[0].n == 3);
	EXPECT(!memcmp(r.blocks[0].p, "old", 3) && r.blocks[1].pt == 7 && r.blocks[1].n == 4);
	EXPECT(!memcmp(r.blocks[1].p, "new!", 4) && !r.blocks[1].ts_offset);
	for (size_t cut = 0; cut < 8; cut++)
		EXPECT_INT(red_parse(p, cut, &r), ST_PARSE);
	EXPECT_INT(red_parse(p, 8, &r), ST_OK); /* an empty primary */
	memset(many, 0x80, 9 * 4);
	EXPECT_INT(red_parse(many, sizeof(many), &r), ST_PARSE);
	return 0;
}

/* What is written is the drawing, and is read as it was. */
static int test_write(void)
{
	const uint8_t drawn[] = {0x80 | 5, 100 >> 6, (100 & 63) << 2, 3, 7, 'o', 'l', 'd', 'n', 'e', 'w', '!'};
	static uint8_t last[RED_BLOCK_BYTES_MAX], out[RED_HEADS_BYTES + sizeof(last) + 4];
	struct red_block old = {.pt = 5, .ts_offset = 100, .p = (const uint8_t *)"old", .n = 3};
	struct red_packet r;

	EXPECT_INT(red_write(out, &old, 7, (const uint8_t *)"new!", 4), sizeof(drawn));
	EXPECT(!memcmp(out, drawn, sizeof(drawn)));
	EXPECT_INT(red_write(out, NULL, 7, (const uint8_t *)"new!", 4), 5);
	EXPECT(!memcmp(out, "\7new!", 5));
	memset(last, 'x', sizeof(last));
	old = (struct red_block){.pt = 127, .ts_offset = RED_OFFSET_MAX, .p = last, .n = sizeof(last)};
	EXPECT_INT(red_write(out, &old, 96, (const uint8_t *)"new!", 4), sizeof(out));
	EXPECT_INT(red_parse(out, sizeof(out), &r), ST_OK);
	EXPECT(r.count == 2 && r.blocks[0].pt == 127 && r.blocks[0].ts_offset == RED_OFFSET_MAX);
	EXPECT(r.blocks[0].n == sizeof(last) && !memcmp(r.blocks[0].p, last, sizeof(last)));
	EXPECT(r.blocks[1].pt == 96 && r.blocks[1].n == 4 && !memcmp(r.blocks[1].p, "new!", 4));
	return 0;
}

TEST_MAIN({"red", test_red}, {"write", test_write})
