/* Numbers with some left out and some added, across the wrap, against a list of all that ever were. */
#include "harness.h"
#include "rtp/renumber.h"
#include "rtp/rtp.h"
#include <string.h>

static int test_by_hand(void)
{
	static struct renumber r;

	renumber_start(&r, 65534, 10);
	EXPECT_INT(renumber_back(&r, 10), -1); /* none came yet */
	EXPECT_INT(renumber_take(&r, 65534), 10);
	EXPECT_INT(renumber_take(&r, 65533), -1); /* before the first */
	renumber_leave_out(&r, 65535);
	EXPECT_INT(renumber_take(&r, 0), 11);
	EXPECT_INT(renumber_take(&r, 65535), -1);
	EXPECT_INT(renumber_take(&r, 3), 14); /* 1 and 2 may come yet */
	renumber_leave_out(&r, 2);            /* too late: its number is a hole */
	EXPECT_INT(renumber_take(&r, 2), 13);
	EXPECT_INT(renumber_take(&r, 1), 12);
	EXPECT_INT(renumber_add(&r), 15);
	EXPECT_INT(renumber_take(&r, 4), 16);
	EXPECT_INT(renumber_back(&r, 16), 4);
	EXPECT_INT(renumber_back(&r, 15), -1);
	EXPECT_INT(renumber_back(&r, 12), 1);
	EXPECT_INT(renumber_back(&r, 11), 0);
	EXPECT_INT(renumber_back(&r, 10), 65534);
	EXPECT_INT(renumber_back(&r, 9), -1);
	EXPECT_INT(renumber_back(&r, 17), -1);
	renumber_leave_out(&r, 7); /* behind a hole */
	EXPECT_INT(renumber_take(&r, 8), 19);
	EXPECT_INT(renumber_take(&r, 6), 18);
	return 0;
}

static int test_long(void)
{
	static struct renumber r;
	static int to_of[200000];
	static int from_of[300000];
	uint32_t state = 7;
	int to = 500, from;

	memset(from_of, -1, sizeof(from_of));
	renumber_start(&r, 0, 500);
	for (from = 0; from < 200000; from++) {
		state = state * 1664525u + 1013904223u;
		to_of[from] = -1;
		if (state >> 28 == 0 && from) {
			renumber_leave_out(&r, (uint16_t)from);
		} else {
			to_of[from] = to, from_of[to] = from;
			EXPECT_INT(renumber_take(&r, (uint16_t)from), (uint16_t)to);
			to++;
		}
		if (state >> 28 == 1) {
			EXPECT_INT(renumber_add(&r), (uint16_t)to);
			to++;
		}
		int old = from - (int)(state >> 8 & 1023);
		if (old >= 0)
			EXPECT_INT(renumber_take(&r, (uint16_t)old), to_of[old] < 0 ? -1 : (uint16_t)to_of[old]);
		old = to - 1 - (int)(state >> 4 & 511);
		if (old >= 500)
			EXPECT_INT(renumber_back(&r, (uint16_t)old), from_of[old] < 0 ? -1 : (uint16_t)from_of[old]);
	}
	EXPECT_INT(renumber_take(&r, (uint16_t)(from - 1 - RENUMBER_SPAN)), -1);
	EXPECT_INT(renumber_back(&r, (uint16_t)(to - 1 - RENUMBER_SPAN)), -1);
	return 0;
}

TEST_MAIN({"by hand", test_by_hand}, {"long", test_long})
