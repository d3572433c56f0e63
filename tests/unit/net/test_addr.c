/* net/addr: parsing, printing, ranges. */
#include "base/status.h"
#include "harness.h"
#include "net/addr.h"

#include <string.h>

static int test_parse(void)
{
	static const struct {
		const char *in, *out; /* NULL: does not parse */
	} cases[] = {
	    {"1.2.3.4", "1.2.3.4:7"},
	    {"1.2.3.4:5060", "1.2.3.4:5060"},
	    {"1.2.3.4:0", "1.2.3.4:0"},
	    {"1.2.3.4:65535", "1.2.3.4:65535"},
	    {"1.2.3.4:65536", NULL},
	    {"1.2.3.4:", NULL},
	    {"1.2.3.4:5x", NULL},
	    {"1.2.3.4:000005", NULL},
	    {"1.2.3", NULL},
	    {"1.2.3.256", NULL},
	    {"", NULL},
	    {":5060", NULL},
	    {"::1", "[::1]:7"},
	    {"[::1]", "[::1]:7"},
	    {"[::1]:5060", "[::1]:5060"},
	    {"[::1", NULL},
	    {"[]", NULL},
	    {"[::1]5060", NULL},
	    {"[::1]:", NULL},
	    {"[1.2.3.4]", NULL},
	    {"2001:db8::a:b", "[2001:db8::a:b]:7"},
	    {"::ffff:10.0.0.1", "[::ffff:10.0.0.1]:7"},
	    {"localhost", NULL},
	    {" 1.2.3.4", NULL},
	    {"fe80::1%lo", NULL},
	    {"0:0:0:0:0:0:0:0:0", NULL},
	    {"1111:2222:3333:4444:5555:6666:123.123.123.1234567890", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a;
		char text[ADDR_TEXT_MAX];
		memset(&a, 0, sizeof(a));
		int rc = addr_parse_hostport(&a, sv_of(cases[i].in), 7);
		if (!cases[i].out) {
			EXPECT_INT(rc, ST_PARSE);
			EXPECT(!addr_is_set(&a));
			continue;
		}
		EXPECT_INT(rc, 0);
		EXPECT_STR(addr_text(&a, text), cases[i].out);
	}
	struct addr a;
	EXPECT_INT(addr_parse(&a, (struct sv){"1.2.3.4\0x", 9}, 1), ST_PARSE);
	return 0;
}

static int test_ranges(void)
{
	static const struct {
		const char *addr;
		bool is_private, is_loopback, is_any;
	} cases[] = {
	    {"10.255.0.1", 1, 0, 0},
	    {"11.0.0.1", 0, 0, 0},
	    {"172.15.0.1", 0, 0, 0},
	    {"172.16.0.1", 1, 0, 0},
	    {"172.31.255.255", 1, 0, 0},
	    {"172.32.0.0", 0, 0, 0},
	    {"192.168.9.9", 1, 0, 0},
	    {"192.169.0.1", 0, 0, 0},
	    {"100.64.0.1", 1, 0, 0},
	    {"100.128.0.1", 0, 0, 0},
	    {"169.254.1.1", 1, 0, 0},
	    {"127.0.0.1", 0, 1, 0},
	    {"127.9.9.9", 0, 1, 0},
	    {"0.0.0.0", 0, 0, 1},
	    {"::", 0, 0, 1},
	    {"::1", 0, 1, 0},
	    {"fd00::1", 1, 0, 0},
	    {"fe80::1", 1, 0, 0},
	    {"fec0::1", 0, 0, 0},
	    {"2001:db8::1", 0, 0, 0},
	    {"::ffff:10.1.1.1", 1, 0, 0},
	    {"::ffff:127.0.0.1", 0, 1, 0},
	    {"8.8.8.8", 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a;
		EXPECT_INT(addr_parse(&a, sv_of(cases[i].addr), 0), 0);
		if (addr_is_private(&a) != cases[i].is_private || addr_is_loopback(&a) != cases[i].is_loopback ||
		    addr_is_any(&a) != cases[i].is_any) {
			test_fail(__FILE__, __LINE__, "%s", cases[i].addr);
			return -1;
		}
	}
	return 0;
}

static int test_cidr(void)
{
	static const struct {
		const char *addr, *cidr;
		int want;
	} cases[] = {
	    {"10.1.2.3", "10.0.0.0/8", 1},
	    {"11.1.2.3", "10.0.0.0/8", 0},
	    {"1.2.3.4", "0.0.0.0/0", 1},
	    {"1.2.3.4", "1.2.3.4/32", 1},
	    {"1.2.3.5", "1.2.3.4/32", 0},
	    {"1.2.3.5", "1.2.3.4/31", 1 - 0},
	    {"1.2.3.4", "1.2.3.4", 1},
	    {"192.168.1.129", "192.168.1.128/25", 1},
	    {"192.168.1.127", "192.168.1.128/25", 0},
	    {"1.2.3.4", "1.2.3.4/33", ST_PARSE},
	    {"1.2.3.4", "1.2.3.4/", ST_PARSE},
	    {"1.2.3.4", "x/8", ST_PARSE},
	    {"1.2.3.4", "1.2.3.4/-1", ST_PARSE},
	    {"1.2.3.4", "", ST_PARSE},
	    {"2001:db8::1", "2001:db8::/32", 1},
	    {"2001:db9::1", "2001:db8::/32", 0},
	    {"2001:db8::1", "::/0", 1},
	    {"1.2.3.4", "::/0", 0},
	    {"::1", "0.0.0.0/0", 0},
	    {"::ffff:10.0.0.1", "10.0.0.0/8", 1},
	    {"::1", "::1/129", ST_PARSE},
	    {"::ffff:10.0.0.1", "::ffff:0:0/96", 1},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a;
		EXPECT_INT(addr_parse(&a, sv_of(cases[i].addr), 0), 0);
		int got = addr_in_cidr(&a, sv_of(cases[i].cidr));
		if (got != cases[i].want) {
			test_fail(__FILE__, __LINE__, "%s in %s: %d", cases[i].addr, cases[i].cidr, got);
			return -1;
		}
	}
	return 0;
}

static int test_compare(void)
{
	struct addr a, b, none;
	char text[ADDR_TEXT_MAX];
	memset(&none, 0, sizeof(none));
	EXPECT(!addr_parse(&a, SV("1.2.3.4"), 5) && !addr_parse(&b, SV("1.2.3.4"), 6));
	EXPECT(addr_eq_host(&a, &b) && !addr_eq(&a, &b));
	addr_set_port(&b, 5);
	EXPECT(addr_eq(&a, &b) && addr_port(&b) == 5);
	EXPECT(!addr_parse(&b, SV("::1"), 5) && !addr_eq_host(&a, &b));
	EXPECT(!addr_is_set(&none) && addr_port(&none) == 0 && !addr_is_any(&none) && !addr_is_private(&none));
	EXPECT_STR(addr_text(&none, text), "");
	EXPECT_INT(addr_len(&b), sizeof(struct sockaddr_in6));
	return 0;
}

TEST_MAIN({"parse", test_parse}, {"ranges", test_ranges}, {"cidr", test_cidr}, {"compare", test_compare})
