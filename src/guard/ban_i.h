/* The table of failures and bans. Pure: times are given, nothing is fired or stored here. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "guard/guard.h"

enum { BAN_ROWS_MAX = 8192, BAN_USER_MAX = 64, BAN_REASON_MAX = 80, BAN_KEY_MAX = 8 + BAN_USER_MAX };

struct ban_conf {
	bool is_on;
	unsigned window_s;                        /* how long a failure counts */
	unsigned user_failures, user_ban_s;       /* of one user at one address */
	unsigned address_failures, address_users; /* of an address, and of how many users at least */
	unsigned address_ban_s, max_ban_s;
	unsigned known_factor; /* so many times the failures where right passwords come from, too */
};
struct ban {
	char address[GUARD_ADDRESS_MAX], user[BAN_USER_MAX + 1],
	    reason[BAN_REASON_MAX]; /* user "": all of the address */
	int64_t since_us, until_us; /* of the clock that calls give; until_us INT64_MAX: until it is removed */
	uint64_t dropped;           /* what came from there since */
};
struct ban_table;
ANY int ban_table_new(struct ban_table **out);
ANY void ban_table_free(struct ban_table *t);
/* One failure more. Returns the ban that begins by it, or NULL. */
ANY const struct ban *ban_failed(
    struct ban_table *t, const struct ban_conf *c, const struct addr *src, struct sv user, int64_t now_us);
ANY void ban_succeeded(struct ban_table *t, const struct addr *src, int64_t now_us);
/* user empty: of all of the address. NULL: none (any more). */
ANY struct ban *ban_of(struct ban_table *t, const struct addr *src, struct sv user, int64_t now_us);
/* Adds or replaces one. ST_FULL, ST_NOMEM. */
ANY int ban_put(struct ban_table *t, const struct addr *src, struct sv user, const char *reason, int64_t since_us,
    int64_t until_us, const struct ban **out);
ANY bool ban_remove(struct ban_table *t, const struct addr *src, struct sv user);
/* Calls fn for each, oldest first; fn true: it is removed. */
ANY void ban_each(struct ban_table *t, bool (*fn)(const struct ban *b, void *arg), void *arg);
ANY size_t ban_count(const struct ban_table *t);
ANY size_t ban_watched_count(const struct ban_table *t);
/* "ADDRESS" or "USER@ADDRESS", the address with or without "/64". ST_PARSE, ST_LIMIT (user too long). */
ANY int ban_spec_parse(struct sv text, struct addr *src, struct sv *user);
