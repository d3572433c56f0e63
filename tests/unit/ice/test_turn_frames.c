/* Messages of a stream come out whole however it is cut; what is too long is passed over; what is no TURN is told. */
#include "harness.h"
#include "ice/turn_frames.h"
#include <string.h>

static struct turn_frames f;
static uint8_t stream[8192];
static size_t stream_n;

static void add(unsigned first, size_t len, uint8_t fill)
{
	uint8_t *p = stream + stream_n;
	size_t head = first >> 14 ? 4 : 20, whole = head + ((len + 3) & ~(size_t)3);
	memset(p, 0, whole);
	p[0] = (uint8_t)(first >> 8), p[1] = (uint8_t)first, p[2] = (uint8_t)(len >> 8), p[3] = (uint8_t)len;
	memset(p + head, fill, len);
	stream_n += whole;
}

static bool is_next(size_t n, uint8_t fill)
{
	struct sv m;
	return turn_frames_next(&f, &m) == ST_OK && m.n == n && (uint8_t)m.p[n - 1] == fill;
}

static int test_cuts(void)
{
	stream_n = 0;
	add(0x0103, 8, 1), add(0x4000, 5, 2), add(0x4001, 160, 3), add(0x0017, 1200, 4), add(0x4000, 2044, 5);
	add(0x4000, 3000, 6), add(0x4000, 3, 7);
	static const size_t sizes[] = {28, 9, 164, 1220, 2048, 7};
	static const uint8_t fills[] = {1, 2, 3, 4, 5, 7};
	for (size_t step = 1; step < 1500; step += step < 20 ? 1 : 97) {
		size_t got = 0, at = 0;
		memset(&f, 0, sizeof(f));
		while (at < stream_n) {
			struct sv m;
			size_t room, n = step < stream_n - at ? step : stream_n - at;
			uint8_t *p = turn_frames_room(&f, &room);
			EXPECT(room > 0);
			n = n < room ? n : room;
			memcpy(p, stream + at, n);
			turn_frames_put(&f, n);
			at += n;
			int st;
			while (!(st = turn_frames_next(&f, &m))) {
				EXPECT(got < 6 && m.n == sizes[got] && (uint8_t)m.p[m.n - 1] == fills[got]);
				got++;
			}
			EXPECT_INT(st, ST_AGAIN);
		}
		EXPECT(got == 6 && f.too_long == 1);
	}
	return 0;
}

static int test_nonsense(void)
{
	static const char *const texts[] = {
	    "SSH-2.0-x\r\n", "\x80\x01\x00\x04zzzz", "\x00\x01\x00\x05zzzz", "\xff\xff\xff\xffzzzz"};
	for (size_t i = 0; i < 4; i++) {
		struct sv m;
		size_t room;
		memset(&f, 0, sizeof(f));
		memcpy(turn_frames_room(&f, &room), texts[i], 8);
		turn_frames_put(&f, 3);
		EXPECT_INT(turn_frames_next(&f, &m), ST_AGAIN);
		turn_frames_put(&f, 5);
		EXPECT_INT(turn_frames_next(&f, &m), ST_PARSE);
		EXPECT_INT(turn_frames_next(&f, &m), ST_PARSE);
	}
	memset(&f, 0, sizeof(f));
	stream_n = 0;
	add(0x4000, 1, 9);
	size_t room;
	memcpy(turn_frames_room(&f, &room), stream, 8);
	turn_frames_put(&f, 8);
	EXPECT(is_next(5, 9));
	return 0;
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {{"cuts", test_cuts}, {"nonsense", test_nonsense}};
	return test_main(argc, argv, cases, sizeof(cases) / sizeof(cases[0]));
}
