/* The table of bans: who is banned after what, for how long, and who is not. */
#include "base/clock.h"
#include "guard/ban_i.h"
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct ban_conf conf = {.is_on = true,
    .window_s = 100,
    .user_failures = 3,
    .user_ban_s = 10,
    .address_failures = 6,
    .address_users = 3,
    .address_ban_s = 60,
    .max_ban_s = 100,
    .known_factor = 4};

static struct addr host(const char *text)
{
	struct addr a;
	if (addr_parse(&a, sv_of(text), 0))
		abort();
	return a;
}

static int64_t s(int n)
{
	return clock_us_of_s(n);
}

static int test_users(void)
{
	struct ban_table *t;
	struct addr a = host("192.0.2.1"), b = host("192.0.2.2");
	const struct ban *ban;
	EXPECT_INT(ban_table_new(&t), 0);
	EXPECT(!ban_failed(t, &conf, &a, SV("Bob"), s(1)));
	EXPECT(!ban_failed(t, &conf, &b, SV("bob"), s(1))); /* another address counts by itself */
	EXPECT(!ban_failed(t, &conf, &a, SV("bob"), s(2)));
	ban = ban_failed(t, &conf, &a, SV("BOB"), s(3));
	EXPECT(ban && !strcmp(ban->address, "192.0.2.1") && !strcmp(ban->user, "BOB"));
	EXPECT(ban_of(t, &a, SV("bob"), s(12)));
	EXPECT(!ban_of(t, &a, SV("bob"), s(13)));
	EXPECT(!ban_of(t, &a, SV("eve"), s(4)) && !ban_of(t, &a, SV_NONE, s(4)) && !ban_of(t, &b, SV("bob"), s(4)));
	/* the second one lasts twice as long */
	for (int i = 0; i < 3; i++)
		ban = ban_failed(t, &conf, &a, SV("bob"), s(20));
	EXPECT(ban && ban->until_us == s(40));
	/* failures that are too far apart are none */
	for (int i = 0; i < 10; i++)
		EXPECT(!ban_failed(t, &conf, &b, SV("slow"), s(1000 + i * 101)));
	ban_table_free(t);
	return 0;
}

static int test_addresses(void)
{
	struct ban_table *t;
	struct addr a = host("2001:db8:1:2::1"), same = host("2001:db8:1:2:ffff::9"), next = host("2001:db8:1:3::1");
	struct addr office = host("192.0.2.9"), mapped = host("::ffff:192.0.2.9"), one = host("192.0.2.77");
	const struct ban *ban = NULL;
	char user[16];
	EXPECT_INT(ban_table_new(&t), 0);
	for (int i = 0; i < 6; i++) {
		EXPECT(!ban);
		snprintf(user, sizeof(user), "u%d", i);
		ban = ban_failed(t, &conf, i % 2 ? &a : &same, sv_of(user), s(1));
	}
	EXPECT(ban && !*ban->user);
	EXPECT_STR(ban->address, "2001:db8:1:2::/64");
	EXPECT(ban_of(t, &same, SV_NONE, s(2)) && !ban_of(t, &next, SV_NONE, s(2)));
	/* where users log in, many more are needed */
	ban_succeeded(t, &office, s(1));
	for (int i = 0; i < 23; i++) {
		snprintf(user, sizeof(user), "v%d", i);
		EXPECT(!ban_failed(t, &conf, &office, sv_of(user), s(2)));
	}
	ban = ban_failed(t, &conf, &office, SV("last"), s(2));
	EXPECT(ban && ban_of(t, &mapped, SV_NONE, s(3)));
	/* a phone with a wrong password is no scanner */
	for (int i = 0; i < 29; i++) {
		ban = ban_failed(t, &conf, &one, SV("phone"), s(3));
		EXPECT(!ban || *ban->user);
	}
	ban = ban_failed(t, &conf, &one, SV("phone"), s(3));
	EXPECT(ban && !*ban->user); /* five times as many are something else */
	EXPECT(ban_remove(t, &one, SV_NONE) && !ban_of(t, &one, SV_NONE, s(4)));
	ban_table_free(t);
	return 0;
}

/* A flood of names and addresses takes bounded memory, and no ban away. */
static int test_bounds(void)
{
	struct ban_table *t;
	struct addr a = host("192.0.2.1"), b = host("198.18.0.0");
	char user[16];
	EXPECT_INT(ban_table_new(&t), 0);
	EXPECT_INT(ban_put(t, &a, SV_NONE, "x", 0, s(1000), NULL), 0);
	for (int i = 0; i < 3 * BAN_ROWS_MAX; i++) {
		snprintf(user, sizeof(user), "u%d", i);
		b.in4.sin_addr.s_addr = (uint32_t)i * 2654435761u;
		ban_failed(t, &conf, &b, sv_of(user), s(1));
	}
	EXPECT(ban_watched_count(t) <= BAN_ROWS_MAX);
	EXPECT(ban_of(t, &a, SV_NONE, s(2)));
	int st = 0;
	for (int i = 0; i < BAN_ROWS_MAX + 2 && !st; i++) {
		b.in4.sin_addr.s_addr = (uint32_t)i * 2654435761u;
		st = ban_put(t, &b, SV_NONE, "x", 0, s(1000), NULL);
	}
	EXPECT_INT(st, ST_FULL);
	EXPECT_INT(ban_put(t, &a, SV_NONE, "again", 0, s(1000), NULL), 0);
	ban_table_free(t);
	return 0;
}

static int test_specs(void)
{
	static const struct {
		const char *text, *address, *user;
	} rows[] = {{"192.0.2.1", "192.0.2.1", ""}, {" 192.0.2.1 ", "192.0.2.1", ""},
	    {"bob@192.0.2.1", "192.0.2.1", "bob"}, {"a@b@192.0.2.1", "192.0.2.1", "a@b"},
	    {"2001:db8::1", "2001:db8::/64", ""}, {"bob@2001:db8::/64", "2001:db8::/64", "bob"},
	    {"::ffff:192.0.2.1", "192.0.2.1", ""}, {"", NULL, NULL}, {"host.example", NULL, NULL},
	    {"192.0.2.0/24", NULL, NULL}, {"b b@192.0.2.1", NULL, NULL}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a;
		struct sv user;
		char text[GUARD_ADDRESS_MAX];
		int st = ban_spec_parse(sv_of(rows[i].text), &a, &user);
		EXPECT_INT(st == 0, rows[i].address != NULL);
		if (st)
			continue;
		EXPECT_STR(guard_address_text(&a, text), rows[i].address);
		EXPECT(sv_is(user, rows[i].user));
	}
	return 0;
}

TEST_MAIN({"users", test_users}, {"addresses", test_addresses}, {"bounds", test_bounds}, {"specs", test_specs})
