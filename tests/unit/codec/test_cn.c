/* Comfort noise: levels and coefficients to bytes and back; noise is as loud as it says, and coloured as it was
 * measured. */
#include "codec/cn.h"
#include "harness.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double level_of(const int16_t *x, size_t n)
{
	double s = 0;
	for (size_t i = 0; i < n; i++)
		s += (double)x[i] * x[i];
	return -20 * log10(sqrt(s / (double)n) / 32768);
}
static int test_bytes(void)
{
	struct cn_params c, d;
	uint8_t out[16];

	EXPECT_INT(cn_parse(NULL, 0, &c), ST_PARSE);
	EXPECT_INT(cn_parse((const uint8_t *)"\x28", 1, &c), ST_OK);
	EXPECT(c.level == 40 && !c.order);
	EXPECT_INT(cn_parse((const uint8_t *)"\xff\x7f\xbf\x00", 4, &c), ST_OK);
	EXPECT(c.level == 127 && c.order == 3 && c.k[0] == 0 && fabsf(c.k[1] - 0.5f) < 0.001f && c.k[2] > -1);
	EXPECT_INT(cn_write(&c, out, sizeof(out)), 4);
	EXPECT(out[0] == 127 && out[1] == 127 && out[2] == 191);
	EXPECT_INT(cn_write(&c, out, 3), ST_FULL);
	EXPECT_INT(cn_parse((const uint8_t *)"0123456789abcdefghij", 20, &d), ST_OK);
	EXPECT_INT(d.order, CN_ORDER_MAX);
	return 0;
}
static int test_noise(void)
{
	static int16_t x[16000], y[16000];
	for (unsigned level = 20; level <= 70; level += 10) {
		struct cn_params p = {.level = (uint8_t)level, .order = 2, .k = {-0.7f, 0.3f}}, q;
		struct cn_noise a = {0}, b = {0};
		cn_noise_set(&a, &p);
		cn_noise_make(&a, x, 16000);
		printf("# asked for -%u dBov, made -%.1f\n", level, level_of(x, 16000));
		EXPECT(fabs(level_of(x, 16000) - level) < 1);
		cn_measure(x, 16000, 2, &q); /* what is heard is what was asked for */
		EXPECT(abs((int)q.level - (int)level) <= 1);
		if (level < 60)
			EXPECT(fabsf(q.k[0] - p.k[0]) < 0.08f && fabsf(q.k[1] - p.k[1]) < 0.08f);
		cn_noise_set(&b, &q);
		cn_noise_make(&b, y, 16000);
		EXPECT(fabs(level_of(y, 16000) - level) < 1.5);
	}
	return 0;
}

TEST_MAIN({"bytes", test_bytes}, {"noise", test_noise})
