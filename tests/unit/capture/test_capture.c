/* pcapng's bytes, and the ring that copies of packets go through. */
#include "base/mem.h"
#include "capture/capture_i.h"
#include "harness.h"
#include "media/rt/rt.h"

#include <string.h>

static uint32_t u32_at(const struct buf *b, size_t at)
{
	const uint8_t *p = (const uint8_t *)b->p + at;
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int test_pcapng(void)
{
	static const char *const hosts[][2] = {{"10.0.0.1", "10.0.0.2"}, {"2001:db8::1", "2001:db8::2"}};
	static char big[70000];
	for (size_t k = 0; k < 2; k++)
		for (size_t n = 0; n < 9; n++) {
			struct pcap_packet p = {.wall_us = 1790000000123456,
			    .payload = {n == 8 ? big : "abcdefgh", n == 8 ? sizeof(big) : n}};
			struct buf b;
			buf_init(&b);
			EXPECT_INT(addr_parse(&p.src, sv_of(hosts[k][0]), 5060), 0);
			EXPECT_INT(addr_parse(&p.dst, sv_of(hosts[k][1]), 5061), 0);
			pcapng_begin(&b);
			EXPECT_INT(b.n, 48);
			pcapng_packet(&b, &p);
			uint32_t size = u32_at(&b, 52);
			EXPECT_INT(48 + size, b.n);
			EXPECT_INT(size % 4, 0);
			EXPECT_INT(u32_at(&b, b.n - 4), size);
			size_t head = k ? 48 : 28;
			EXPECT(u32_at(&b, 68) == head + n || n == 8);
			EXPECT(u32_at(&b, 68) <= 65535);
			buf_fini(&b);
		}
	return 0;
}

static int test_ring(void)
{
	struct rt_capture *c = NULL;
	struct rt_captured k = {.is_outgoing = true, .wall_us = 5}, got;
	uint8_t data[300], out[200];
	unsigned put = 0, taken = 0;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	EXPECT_INT(rt_capture_new(&c, 4096), 0);
	EXPECT(!rt_capture_take(c, &got, out, sizeof(out)));
	for (unsigned round = 0; round < 500; round++) {
		k.p = data, k.n = round % 299;
		rt_capture_put(c, &k);
		put++;
		if (round % 3 == 0)
			while (rt_capture_take(c, &got, out, sizeof(out))) {
				EXPECT(got.is_outgoing && got.wall_us == 5 && !memcmp(got.p, data, got.n));
				EXPECT_INT(got.n, taken % 299 < 200 ? taken % 299 : 200);
				taken++;
			}
	}
	EXPECT_INT(atomic_load(&c->dropped), 0);
	while (rt_capture_take(c, &got, out, sizeof(out)))
		taken++;
	EXPECT_INT(put, taken);
	k.n = 299;
	for (int i = 0; i < 100; i++)
		rt_capture_put(c, &k);
	EXPECT(atomic_load(&c->dropped) > 80);
	mem_unref(c);
	return 0;
}

TEST_MAIN({"pcapng", test_pcapng, 0}, {"ring", test_ring, 0})
