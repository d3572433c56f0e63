/* RED by RFC 2198's drawing and back; what is cut off is refused. ULPFEC's head by RFC 5109. */
#include "harness.h"
#include "rtp/red.h"
#include <string.h>

static int test_red(void)
{
	/* RFC 2198 section 4: a block of 3 bytes of type 5, 100 units earlier, then the primary of type 7 */
	const uint8_t p[] = {0x80 | 5, 100 >> 6, (100 & 63) << 2, 3, 7, 'o', 'l', 'd', 'n', 'e', 'w', '!'};
	struct red_packet r;
	uint8_t out[64];

	EXPECT_INT(red_parse(p, sizeof(p), &r), ST_OK);
	EXPECT_INT(r.count, 2);
	EXPECT(r.blocks[0].pt == 5 && r.blocks[0].ts_offset == 100 && r.blocks[0].n == 3 &&
	       !memcmp(r.blocks[0].p, "old", 3));
	EXPECT(r.blocks[1].pt == 7 && r.blocks[1].ts_offset == 0 && r.blocks[1].n == 4 &&
	       !memcmp(r.blocks[1].p, "new!", 4));
	EXPECT_INT(red_write(&r, out, sizeof(out)), sizeof(p));
	EXPECT(!memcmp(out, p, sizeof(p)));
	for (size_t cut = 0; cut < 8; cut++)
		EXPECT_INT(red_parse(p, cut, &r), ST_PARSE);
	EXPECT_INT(red_parse(p, 8, &r), ST_OK); /* an empty primary */
	EXPECT_INT(r.blocks[1].n, 0);
	EXPECT_INT(red_write(&r, out, 7), ST_FULL);
	r.blocks[0].ts_offset = RED_OFFSET_MAX + 1;
	EXPECT_INT(red_write(&r, out, 64), ST_INVAL);
	r.blocks[0].ts_offset = 1, r.blocks[0].n = 1024;
	EXPECT_INT(red_write(&r, out, 64), ST_INVAL);
	uint8_t many[64];
	memset(many, 0x80, sizeof(many));
	EXPECT_INT(red_parse(many, sizeof(many), &r), ST_PARSE);
	return 0;
}
static int test_ulpfec(void)
{
	const uint8_t p[] = {0, 0x60, 0xff, 0xfe, 1, 2, 3, 4, 0, 9, 0, 2, 0xa0, 0x01, 'x', 'y'};
	struct ulpfec f;

	EXPECT_INT(ulpfec_parse(p, sizeof(p), &f), ST_OK);
	EXPECT(f.seq_base == 0xfffe && f.ts_recovery == 0x01020304 && f.length_recovery == 9 && f.payload_bytes == 2);
	EXPECT(ulpfec_protects(&f, 0xfffe) && !ulpfec_protects(&f, 0xffff) && ulpfec_protects(&f, 0));
	EXPECT(ulpfec_protects(&f, 13) && !ulpfec_protects(&f, 14) && !ulpfec_protects(&f, 0xfffd));
	for (size_t cut = 0; cut < sizeof(p); cut++)
		EXPECT_INT(ulpfec_parse(p, cut, &f), ST_PARSE);
	return 0;
}

TEST_MAIN({"red", test_red}, {"ulpfec", test_ulpfec})
