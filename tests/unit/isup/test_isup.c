/* ISUP messages: from bytes to fields, back to bytes, and what is refused. */
#include "base/check.h"
#include "harness.h"
#include "isup/isup.h"
#include <string.h>

/* An IAM to +441234567890 from +33123456789, redirected by 33999 on busy, with a generic parameter that is not read. */
static const uint8_t iam[] = {0x01, 0x00, 0x20, 0x01, 0x0a, 0x00, 0x02, 0x0a, /* fixed, pointers */
    0x08, 0x04, 0x10, 0x44, 0x21, 0x43, 0x65, 0x87, 0x09,                     /* called */
    0x0a, 0x08, 0x84, 0x13, 0x33, 0x21, 0x43, 0x65, 0x87, 0x09,               /* calling */
    0x0b, 0x05, 0x84, 0x14, 0x33, 0x99, 0x09,                                 /* redirecting, restricted */
    0x13, 0x02, 0x13, 0x11,                                                   /* user busy, once */
    0x39, 0x03, 0x3d, 0xc0, 0x31,                                             /* parameter compatibility */
    0x00};

static int test_iam(void)
{
	struct isup_msg m;
	char text[ISUP_DIGITS_MAX + 2];
	EXPECT_INT(isup_parse(&m, iam, sizeof(iam)), ST_OK);
	EXPECT_INT(m.type, ISUP_IAM);
	EXPECT_INT(m.category, ISUP_CATEGORY_ORDINARY);
	EXPECT_INT(m.forward, 0x2001);
	EXPECT_STR(m.called.digits, "441234567890");
	isup_number_text(&m.called, text);
	EXPECT_STR(text, "+441234567890");
	EXPECT_STR(m.calling.digits, "33123456789");
	EXPECT_INT(m.calling.screening, 3);
	EXPECT_STR(m.redirecting.digits, "33999");
	EXPECT_INT(m.redirecting.presentation, 1);
	EXPECT_INT(isup_redirect_reason(&m), 1);
	EXPECT_INT(m.other_count, 1);
	EXPECT_INT(m.others[0].code, 0x39);
	return 0;
}

/* What is written of what was read is the same, byte by byte. */
static int test_back(void)
{
	static const struct {
		const char *bytes;
		size_t n;
	} rows[] = {{"\x06\x16\x04\x00", 4}, {"\x09\x00", 2}, {"\x07\x12\x04\x00", 4}, {"\x2c\x01\x00", 3},
	    {"\x10\x00", 2}, {"\x0c\x02\x00\x02\x80\x91", 6}, {"\x0c\x02\x00\x04\x82\x81\x41\x42", 8},
	    {"\x06\x16\x04\x01\x12\x02\x84\x9f\x00", 9}, {"\x2c\x02\x01\x11\x02\x14\x04\x00", 8}};
	struct isup_msg m;
	uint8_t out[ISUP_BYTES_MAX];
	size_t n;
	EXPECT_INT(isup_parse(&m, iam, sizeof(iam)), ST_OK);
	EXPECT_INT(isup_write(&m, out, sizeof(out), &n), ST_OK);
	EXPECT(n == sizeof(iam) && !memcmp(out, iam, n));
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		EXPECT_INT(isup_parse(&m, (const uint8_t *)rows[i].bytes, rows[i].n), ST_OK);
		EXPECT_INT(isup_write(&m, out, sizeof(out), &n), ST_OK);
		if (n != rows[i].n || memcmp(out, rows[i].bytes, n) != 0) {
			test_fail(__FILE__, __LINE__, "row %zu: other bytes", i);
			return -1;
		}
	}
	return 0;
}

static int test_causes(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		int cause, location;
	} rows[] = {{"\x0c\x02\x00\x02\x80\x90", 6, 16, 0}, {"\x0c\x02\x00\x02\x8a\x91", 6, 17, 10},
	    {"\x0c\x02\x00\x03\x02\x80\x9f", 7, 31, 2}, /* with octet 1a */
	    {"\x0c\x02\x00\x04\x84\xaf\x01\x02", 8, 47, 4}};
	struct isup_msg m;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		EXPECT_INT(isup_parse(&m, (const uint8_t *)rows[i].bytes, rows[i].n), ST_OK);
		EXPECT_INT(m.cause, rows[i].cause);
		EXPECT_INT(m.location, rows[i].location);
	}
	return 0;
}

static int test_refused(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		int status;
	} rows[] = {{"", 0, ST_PARSE}, {"\x99\x00", 2, ST_UNSUPPORTED}, {"\x01", 1, ST_PARSE},
	    {"\x06\x16", 2, ST_PARSE}, {"\x0c", 1, ST_PARSE}, {"\x0c\x00\x00", 3, ST_PARSE},
	    {"\x0c\x09\x00\x02\x80\x90", 6, ST_PARSE}, {"\x0c\x02\x00\x09\x80\x90", 6, ST_PARSE},
	    {"\x0c\x02\x00\x01\x80", 5, ST_PARSE},
	    {"\x0c\x02\x00\x02\x00\x10", 6, ST_PARSE},                      /* octet 1a promised, cause missing */
	    {"\x09\x01\x12\x02\x80\x90", 6, ST_PARSE},                      /* no end */
	    {"\x09\x01\x12\x02\x80\x90\x12\x02\x80\x90\x00", 11, ST_PARSE}, /* twice */
	    {"\x09\x7f\x00", 3, ST_PARSE}, {"\x09\x01\x2d\xff\x01\x00", 6, ST_PARSE},
	    {"\x01\x00\x20\x01\x0a\x00\x02\x00\x01\x04", 10, ST_PARSE} /* a number of one octet */};
	struct isup_msg m;
	uint8_t long_number[64] = {0x01, 0x00, 0x20, 0x01, 0x0a, 0x00, 0x02, 0x00, 0x13, 0x04, 0x10};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		int st = isup_parse(&m, (const uint8_t *)rows[i].bytes, rows[i].n);
		if (st != rows[i].status) {
			test_fail(__FILE__, __LINE__, "row %zu: %d, not %d", i, st, rows[i].status);
			return -1;
		}
	}
	EXPECT_INT(isup_parse(&m, long_number, 8 + 1 + 0x13), ST_PARSE); /* 34 digits */
	for (size_t n = 0; n < sizeof(iam); n++)
		EXPECT_INT(isup_parse(&m, iam, n), ST_PARSE);
	return 0;
}

static int test_made(void)
{
	struct isup_msg m = {.type = ISUP_IAM, .forward = 0x2001, .category = ISUP_CATEGORY_PAYPHONE}, back;
	uint8_t out[ISUP_BYTES_MAX];
	size_t n;
	EXPECT(isup_number_of(&m.called, "+15551234"));
	EXPECT(isup_number_of(&m.calling, "0301234567"));
	EXPECT(isup_number_of(&m.redirecting, "+4930"));
	EXPECT(!isup_number_of(&m.original_called, "alice") && !isup_number_of(&m.original_called, "+") &&
	       !isup_number_of(&m.original_called, "") &&
	       !isup_number_of(&m.original_called, "123456789012345678901234567890123"));
	isup_redirect_set(&m, 2, 1);
	EXPECT_INT(isup_write(&m, out, sizeof(out), &n), ST_OK);
	EXPECT_INT(isup_parse(&back, out, n), ST_OK);
	EXPECT_STR(back.called.digits, "15551234");
	EXPECT_INT(back.called.nature, ISUP_NATURE_INTERNATIONAL);
	EXPECT_INT(back.calling.nature, ISUP_NATURE_NATIONAL);
	EXPECT_STR(back.redirecting.digits, "4930");
	EXPECT_INT(isup_redirect_reason(&back), 2);
	EXPECT_INT(back.category, ISUP_CATEGORY_PAYPHONE);
	EXPECT_INT(isup_write(&m, out, 10, &n), ST_FULL);
	m.called.is_set = false;
	EXPECT_INT(isup_write(&m, out, sizeof(out), &n), ST_INVAL);
	m.called.is_set = true, memcpy(m.called.digits, "12x", 4);
	EXPECT_INT(isup_write(&m, out, sizeof(out), &n), ST_INVAL);
	EXPECT_INT(isup_write(&(struct isup_msg){.type = ISUP_REL}, out, sizeof(out), &n), ST_INVAL);
	EXPECT_STR(isup_type_name(ISUP_CPG), "CPG");
	EXPECT_STR(isup_type_name(0x99), "");
	return 0;
}

TEST_MAIN({"iam", test_iam, 0}, {"back", test_back, 0}, {"causes", test_causes, 0}, {"refused", test_refused, 0},
    {"made", test_made, 0})
