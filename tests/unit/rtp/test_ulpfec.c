/* Parity by RFC 5109: packets made by hand after its drawings, and at random, protected by an implementation of the
 * test's own that works bit string by bit string (section 8); each one that is lost comes back byte for byte. */
#include "harness.h"
#include "rtp/rtp.h"
#include "rtp/ulpfec.h"
#include <stdlib.h>
#include <string.h>

enum { PACKET_MAX = 400, STRING_MAX = 10 + PACKET_MAX };

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t n;
};

static uint32_t rand_state = 12345;
static uint32_t rand_next(void)
{
	rand_state = rand_state * 1664525u + 1013904223u;
	return rand_state >> 8;
}

/* Section 8.2: the first 64 bits of the head, 16 bits of length, then what is behind the 12 bytes. */
static size_t string_of(const struct packet *k, uint8_t out[STRING_MAX])
{
	memset(out, 0, STRING_MAX);
	memcpy(out, k->bytes, 8);
	out[8] = (uint8_t)((k->n - 12) >> 8), out[9] = (uint8_t)(k->n - 12);
	memcpy(out + 10, k->bytes + 12, k->n - 12);
	return 10 + k->n - 12;
}

struct guard { /* of one level */
	uint64_t mask;
	size_t n;
};

static size_t protect(
    const struct packet *all, uint16_t base, const struct guard *levels, size_t count, bool is_long, uint8_t *out)
{
	uint8_t sum[STRING_MAX] = {0}, one[STRING_MAX];
	size_t at = 10, from = 0, bits = is_long ? 48 : 16;

	for (unsigned i = 0; i < 48; i++) {
		if (!(levels[0].mask >> i & 1))
			continue;
		string_of(&all[i], one);
		for (size_t k = 0; k < 10; k++)
			sum[k] ^= one[k];
	}
	out[0] = (uint8_t)((sum[0] & 0x3f) | (is_long ? 0x40 : 0));
	out[1] = sum[1];
	out[2] = (uint8_t)(base >> 8), out[3] = (uint8_t)base;
	memcpy(out + 4, sum + 4, 6);
	for (size_t l = 0; l < count; l++) {
		out[at] = (uint8_t)(levels[l].n >> 8), out[at + 1] = (uint8_t)levels[l].n;
		for (size_t k = 0; k < bits / 8; k++) {
			out[at + 2 + k] = 0;
			for (unsigned b = 0; b < 8; b++)
				out[at + 2 + k] |= (uint8_t)((levels[l].mask >> (8 * k + b) & 1) << (7 - b));
		}
		at += 2 + bits / 8;
		memset(out + at, 0, levels[l].n);
		for (unsigned i = 0; i < 48; i++) {
			if (!(levels[l].mask >> i & 1))
				continue;
			string_of(&all[i], one);
			for (size_t k = 0; k < levels[l].n && 10 + from + k < STRING_MAX; k++)
				out[at + k] ^= one[10 + from + k];
		}
		at += levels[l].n, from += levels[l].n;
	}
	return at;
}

static void packet_make(struct packet *k, uint16_t seq, size_t payload)
{
	size_t at = 12;
	memset(k, 0, sizeof(*k));
	rtp_write_header(k->bytes, rand_next() & 1, 96, seq, 3000u * (rand_next() & 7), 0x1234);
	if (rand_next() % 4 == 0) { /* a CSRC */
		k->bytes[0] |= 1;
		at += 4;
	}
	if (rand_next() % 3 == 0) { /* an extension of one word */
		k->bytes[0] |= 0x10;
		memcpy(k->bytes + at, (uint8_t[]){0xbe, 0xde, 0, 1, 0x22, 1, 2, 3}, 8);
		at += 8;
	}
	for (size_t i = 0; i < payload; i++)
		k->bytes[at + i] = (uint8_t)rand_next();
	k->n = at + payload;
	if (rand_next() % 5 == 0 && payload > 3) { /* padding */
		k->bytes[0] |= 0x20;
		k->bytes[k->n - 1] = 3;
	}
}

/* Recovers number `lost` of those the first level protects: the status, what came of it. */
static int recover(
    const uint8_t *p, size_t n, const struct packet *all, uint64_t there, uint8_t *out, size_t cap, unsigned *which)
{
	struct ulpfec_media media[ULPFEC_PACKETS_MAX] = {{0}};
	struct ulpfec_packet f;
	int st = ulpfec_parse(p, n, &f);

	for (unsigned i = 0; i < 48; i++)
		if (there >> i & 1)
			media[i] = (struct ulpfec_media){all[i].bytes, all[i].n};
	return st ? st : ulpfec_recover(&f, media, 0x1234, out, cap, which);
}

/* Two packets of parity's own example shape (section 10.1): four packets of 200, 140, 100 and 340 bytes of payload,
 * numbers 8 to 11, marker on 10; every byte of the head by hand. */
static int test_by_hand(void)
{
	static const size_t lengths[] = {200, 140, 100, 340};
	static const uint32_t ts[] = {3, 5, 7, 9};
	static struct packet all[48];
	static uint8_t fec[600], out[600];
	unsigned which = 99;

	for (unsigned i = 0; i < 4; i++) {
		rtp_write_header(all[i].bytes, i == 2, (uint8_t)(i == 1 ? 18 : 11), (uint16_t)(8 + i), ts[i], 0x1234);
		memset(all[i].bytes + 12, 'a' + (int)i, lengths[i]);
		all[i].n = 12 + lengths[i];
	}
	const uint8_t head[] = {0, 0x80 | (11 ^ 18 ^ 11 ^ 11), 0, 8, 0, 0, 0, 3 ^ 5 ^ 7 ^ 9, 1,
	    0x74 /* 200 ^ 140 ^ 100 ^ 340 */, 1, 0x54, 0xf0, 0};
	memcpy(fec, head, sizeof(head));
	for (size_t i = 0; i < 340; i++)
		fec[sizeof(head) + i] =
		    (uint8_t)((i < 200 ? 'a' : 0) ^ (i < 140 ? 'b' : 0) ^ (i < 100 ? 'c' : 0) ^ 'd');
	for (unsigned lost = 0; lost < 4; lost++) {
		int n = recover(fec, sizeof(head) + 340, all, 15u & ~(1u << lost), out, sizeof(out), &which);
		EXPECT_INT(n, all[lost].n);
		EXPECT(which == lost && !memcmp(out, all[lost].bytes, all[lost].n));
	}
	EXPECT_INT(recover(fec, sizeof(head) + 340, all, 15, out, sizeof(out), &which), ST_NOTFOUND);
	EXPECT_INT(recover(fec, sizeof(head) + 340, all, 5, out, sizeof(out), &which), ST_AGAIN);
	EXPECT_INT(recover(fec, sizeof(head) + 340, all, 7, out, 351, &which), ST_FULL);
	EXPECT_INT(recover(fec, sizeof(head) + 340, all, 7, out, 352, &which), 352);
	/* cut off anywhere: refused */
	for (size_t n = 0; n < sizeof(head) + 340; n++)
		EXPECT_INT(recover(fec, n, all, 7, out, sizeof(out), &which), ST_PARSE);
	return 0;
}

static int test_refused(void)
{
	struct ulpfec_packet f;
	uint8_t p[64] = {0, 0, 0, 8, 0, 0, 0, 0, 0, 4, 0, 4, 0xf0, 0, 1, 2, 3, 4};

	EXPECT_INT(ulpfec_parse(p, 18, &f), ST_OK);
	EXPECT(f.level_count == 1 && f.levels[0].mask == 15 && f.levels[0].n == 4 && f.seq_base == 8);
	p[0] = 0x80; /* an extended head */
	EXPECT_INT(ulpfec_parse(p, 18, &f), ST_PARSE);
	p[0] = 0x40; /* the long mask does not fit */
	EXPECT_INT(ulpfec_parse(p, 18, &f), ST_PARSE);
	p[0] = 0, p[12] = 0; /* protects nobody */
	EXPECT_INT(ulpfec_parse(p, 18, &f), ST_PARSE);
	p[12] = 0xf0, p[11] = 0; /* protects nothing */
	EXPECT_INT(ulpfec_parse(p, 14, &f), ST_PARSE);
	p[11] = 4;
	memcpy(p + 18, (uint8_t[]){0, 2, 0x0f, 0, 9, 9},
	    6); /* the second level: of packets that the first does not have */
	EXPECT_INT(ulpfec_parse(p, 24, &f), ST_PARSE);
	p[20] = 0xc0;
	EXPECT_INT(ulpfec_parse(p, 24, &f), ST_OK);
	EXPECT(f.level_count == 2 && f.levels[1].at == 4 && f.levels[1].mask == 3);
	for (size_t at = 24; at < 24 + 3 * 6; at += 6)
		memcpy(p + at, (uint8_t[]){0, 2, 0xc0, 0, 9, 9}, 6);
	EXPECT_INT(ulpfec_parse(p, 36, &f), ST_OK);
	EXPECT_INT(ulpfec_parse(p, 42, &f), ST_PARSE); /* five levels */
	return 0;
}

static int test_at_random(void)
{
	static struct packet all[48];
	static uint8_t fec[4000], out[PACKET_MAX];

	for (int round = 0; round < 2000; round++) {
		bool is_long = round & 1;
		unsigned span = is_long ? 48 : 16, which = 99;
		uint16_t base = (uint16_t)(round % 3 ? 65530 : rand_next());
		struct guard g = {.n = 0};
		for (unsigned i = 0; i < span; i++) {
			packet_make(&all[i], (uint16_t)(base + i), rand_next() % 300);
			if (rand_next() & 1 || i == 0)
				g.mask |= UINT64_C(1) << i;
			if (g.mask >> i & 1 && all[i].n - 12 > g.n)
				g.n = all[i].n - 12;
		}
		if (!g.n)
			continue;
		size_t n = protect(all, base, &g, 1, is_long, fec);
		unsigned lost;
		do
			lost = rand_next() % span;
		while (!(g.mask >> lost & 1));
		int got = recover(fec, n, all, ~(UINT64_C(1) << lost), out, sizeof(out), &which);
		EXPECT_INT(got, all[lost].n);
		EXPECT(which == lost && !memcmp(out, all[lost].bytes, all[lost].n));
		/* what we make ourselves is the same, byte for byte */
		struct ulpfec_maker m = {0};
		static uint8_t made[4000];
		for (unsigned i = 0; i < span; i++)
			if (g.mask >> i & 1)
				EXPECT_INT(ulpfec_add(&m, all[i].bytes, all[i].n), ST_OK);
		bool is_far = g.mask >> 16;
		int made_n = ulpfec_take(&m, made, sizeof(made));
		if (is_far == is_long)
			EXPECT(made_n == (int)n && !memcmp(made, fec, n));
		EXPECT(!m.count && !m.mask && !m.longest);
	}
	return 0;
}

/* Unequal protection: all is given back only of those that every level has as far as they reach. */
static int test_levels(void)
{
	static struct packet all[48];
	static uint8_t fec[4000], out[PACKET_MAX];
	int whole = 0, part = 0;

	for (int round = 0; round < 1000; round++) {
		struct guard g[3] = {{0xff, 40}, {0x3c, 60}, {0x18, 300}};
		unsigned lost = rand_next() % 8, which = 99;
		for (unsigned i = 0; i < 8; i++)
			packet_make(&all[i], (uint16_t)(500 + i), rand_next() % 300);
		size_t n = protect(all, 500, g, 3, false, fec), len = all[lost].n - 12;
		bool is_whole = len <= 40 || (g[1].mask >> lost & 1 && (len <= 100 || g[2].mask >> lost & 1));
		int got = recover(fec, n, all, 0xff & ~(1u << lost), out, sizeof(out), &which);
		if (is_whole) {
			EXPECT_INT(got, all[lost].n);
			EXPECT(which == lost && !memcmp(out, all[lost].bytes, all[lost].n));
			whole++;
		} else {
			EXPECT_INT(got, ST_PARSE);
			part++;
		}
	}
	EXPECT(whole > 100 && part > 100);
	return 0;
}

static int test_maker_bounds(void)
{
	static uint8_t big[12 + ULPFEC_BYTES_MAX + 1], out[2000];
	struct ulpfec_maker m = {0};
	struct ulpfec_packet f;

	EXPECT_INT(ulpfec_take(&m, out, sizeof(out)), ST_NOTFOUND);
	rtp_write_header(big, false, 96, 65535, 0, 1);
	EXPECT_INT(ulpfec_add(&m, big, sizeof(big)), ST_FULL);
	EXPECT_INT(ulpfec_add(&m, big, sizeof(big) - 1), ST_OK);
	EXPECT_INT(ulpfec_add(&m, big, 20), ST_FULL); /* twice */
	rtp_write_header(big, false, 96, 65534, 0, 1);
	EXPECT_INT(ulpfec_add(&m, big, 20), ST_FULL); /* before the first */
	rtp_write_header(big, false, 96, 46, 0, 1);
	EXPECT_INT(ulpfec_add(&m, big, 20), ST_OK);
	rtp_write_header(big, false, 96, 47, 0, 1);
	EXPECT_INT(ulpfec_add(&m, big, 20), ST_FULL); /* too far */
	EXPECT_INT(ulpfec_take(&m, out, 1000), ST_FULL);
	int n = ulpfec_take(&m, out, sizeof(out));
	EXPECT_INT(n, 10 + 8 + ULPFEC_BYTES_MAX);
	EXPECT_INT(ulpfec_parse(out, (size_t)n, &f), ST_OK);
	EXPECT(f.levels[0].mask == ((UINT64_C(1) << 47) | 1) && f.seq_base == 65535);
	return 0;
}

TEST_MAIN({"by hand", test_by_hand}, {"refused", test_refused}, {"at random", test_at_random}, {"levels", test_levels},
    {"maker", test_maker_bounds})
