/* AMR's packets in both framings (RFC 4867): written, read back, cut and damaged; which mode is sent by configuration,
 * mode-set and request. */
#include "codec/codec_i.h"
#include "harness.h"
#include <string.h>

static int test_write_and_parse(void)
{
	const struct amr_kind *const kinds[] = {&amr_nb, &amr_wb};
	for (int k = 0; k < 2; k++)
		for (int aligned = 0; aligned < 2; aligned++)
			for (unsigned count = 1; count <= AMR_FRAMES_MAX; count++) {
				struct amr_packet p = {.cmr = 3, .count = count}, q;
				uint8_t x[1000];
				for (unsigned i = 0; i < count; i++) {
					struct amr_frame *f = &p.frames[i];
					f->type = (uint8_t)(i % kinds[k]->mode_count);
					f->is_good = i != 1;
					unsigned bits = kinds[k]->bits[f->type];
					f->bytes[0] = (uint8_t)(f->type << 3 | (f->is_good ? 4 : 0));
					for (unsigned b = 0; b < bits; b++)
						if ((b * 7 + i * 3) % 5 < 2)
							f->bytes[1 + b / 8] |= (uint8_t)(0x80 >> b % 8);
				}
				int n = amr_packet_write(kinds[k], aligned, &p, x, sizeof(x));
				EXPECT(n > 0);
				EXPECT_INT(amr_packet_write(kinds[k], aligned, &p, x, (size_t)n - 1), ST_FULL);
				EXPECT_INT(amr_packet_write(kinds[k], aligned, &p, x, sizeof(x)), n);
				EXPECT_INT(amr_packet_parse(kinds[k], aligned, x, (size_t)n, &q), ST_OK);
				EXPECT(q.cmr == 3 && q.count == count);
				for (unsigned i = 0; i < count; i++)
					EXPECT(!memcmp(p.frames[i].bytes, q.frames[i].bytes, AMR_FRAME_BYTES_MAX) &&
					       p.frames[i].type == q.frames[i].type &&
					       p.frames[i].is_good == q.frames[i].is_good);
				for (int cut = 0; cut < n; cut++)
					EXPECT_INT(amr_packet_parse(kinds[k], aligned, x, (size_t)cut, &q), ST_PARSE);
			}
	return 0;
}
/* RFC 4867's drawings: section 4.3.5.1 (one frame of 6.7 kbit/s... here 12.2) and 4.4.5.1. */
static int test_known(void)
{
	struct amr_packet p;
	uint8_t efficient[32] = {0xf3, 0xc0}, aligned[33] = {0xf0, 0x3c, 0xff};
	/* CMR 15; F=0 FT=7 Q=1; then 244 bits: 4 + 6 + 244 = 254, 32 bytes */
	EXPECT_INT(amr_packet_parse(&amr_nb, false, efficient, 32, &p), ST_OK);
	EXPECT(p.cmr == 15 && p.count == 1 && p.frames[0].type == 7 && p.frames[0].is_good &&
	       p.frames[0].bytes[0] == 0x3c);
	EXPECT_INT(amr_packet_parse(&amr_nb, true, aligned, 33, &p), ST_OK);
	EXPECT(p.count == 1 && p.frames[0].type == 7 && p.frames[0].bytes[1] == 0xff);
	EXPECT_INT(amr_packet_parse(&amr_nb, true, (const uint8_t *)"\xf0\x7c", 2, &p), ST_OK); /* no data */
	EXPECT(p.frames[0].type == AMR_FT_NO_DATA);
	EXPECT_INT(
	    amr_packet_parse(&amr_nb, true, (const uint8_t *)"\xf0\x4c\0\0\0\0\0\0", 8, &p), ST_PARSE); /* type 9 */
	EXPECT_INT(amr_packet_parse(&amr_nb, true,
	               (const uint8_t *)"\xf0\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc\xfc", 15, &p),
	    ST_PARSE);
	return 0;
}
/* The mode of what is encoded, as the packet says. */
static int mode_of(struct codec_enc *e, bool is_aligned)
{
	int16_t in[640] = {0};
	uint8_t x[200];
	struct amr_packet p;
	const struct amr_kind *k = e->ops->rate_hz == 8000 ? &amr_nb : &amr_wb;
	int n = codec_encode(e, in, 2u * k->frame_samples, x, sizeof(x)); /* two frames a packet */
	if (n < 0 || amr_packet_parse(k, is_aligned, x, (size_t)n, &p) || p.count != 2 || p.cmr != AMR_CMR_NONE)
		return -1;
	return p.frames[1].type;
}
static NO_ROLE_CHECK int test_modes(void)
{
	const struct codec_ops *nb = codec_find("AMR", 8000, 1), *wb = codec_find("AMR-WB", 16000, 1);
	struct codec_enc e = {0};
	struct codec_dec d = {0};
	int16_t out[1000];

	EXPECT(!codec_enc_open(&e, nb, NULL));
	EXPECT_INT(mode_of(&e, false), 7);
	EXPECT(!codec_dec_open(&d, nb, NULL));
	/* what the far side asks for with a packet reaches the encoder, once */
	EXPECT_INT(codec_decode(&d, (const uint8_t *)"\x27\xc0", 2, out, 1000), 160); /* CMR 2, no data */
	codec_heed(&e, &d);
	EXPECT_INT(mode_of(&e, false), 2);
	EXPECT_INT(codec_decode(&d, (const uint8_t *)"\xf7\xc0", 2, out, 1000), 160); /* no request: it stays */
	codec_heed(&e, &d);
	EXPECT_INT(mode_of(&e, false), 2);
	EXPECT_INT(codec_decode(&d, (const uint8_t *)"\x97\xc0", 2, out, 1000), 160); /* mode 9 does not exist */
	codec_heed(&e, &d);
	EXPECT_INT(mode_of(&e, false), 2);
	codec_enc_close(&e);
	codec_dec_close(&d);

	EXPECT(!codec_enc_open(&e, nb, "octet-align=1; mode-set=0,2,4; mode-change-neighbor=1; mode-change-period=2"));
	EXPECT_INT(mode_of(&e, true), 4);
	e.ops->heed(e.state, 0);
	EXPECT_INT(mode_of(&e, true), 2); /* step by step */
	EXPECT_INT(mode_of(&e, true), 0);
	e.ops->heed(e.state, 3); /* not of the set: the next below */
	EXPECT_INT(mode_of(&e, true), 2);
	codec_enc_close(&e);

	codec_amr_configure(true, &(struct codec_amr_conf){.default_mode = 2});
	EXPECT(!codec_enc_open(&e, wb, "octet-align=0"));
	EXPECT_INT(mode_of(&e, false), 2);
	codec_enc_close(&e);
	codec_amr_configure(true, &(struct codec_amr_conf){.default_mode = 8});
	EXPECT_INT(codec_enc_open(&e, nb, "octet-align=1; crc=1"), ST_UNSUPPORTED);
	EXPECT_INT(codec_enc_open(&e, nb, "mode-set=9"), ST_UNSUPPORTED);
	EXPECT_INT(codec_enc_open(&e, nb, "mode-set=a"), ST_UNSUPPORTED);
	EXPECT(nb->variant("octet-align=1") == 1 && nb->variant("mode-set=7") == 0 && nb->variant(NULL) == 0);
	return 0;
}
static int test_fmtp(void)
{
	struct sv v;
	EXPECT(codec_fmtp_get("a=1; B = two ;flag", "b", &v) && sv_is(v, "two"));
	EXPECT(codec_fmtp_get("a=1;flag", "flag", &v) && !v.n);
	EXPECT(!codec_fmtp_get("aa=1", "a", &v) && !codec_fmtp_get(NULL, "a", &v));
	EXPECT_INT(codec_fmtp_u32("x=17", "x", 3), 17);
	EXPECT_INT(codec_fmtp_u32("x=17k", "x", 3), 3);
	EXPECT_INT(codec_fmtp_u32("x=99999999999", "x", 3), 3);
	return 0;
}

TEST_MAIN({"written and parsed", test_write_and_parse}, {"known packets", test_known}, {"modes", test_modes},
    {"fmtp", test_fmtp})
