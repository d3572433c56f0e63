/* Bans as the doors see them: who failed is counted in ban.c's table, a ban that begins is an event, a line and a row
 * of the store, and at the start the store's rows come back. Times in the table are monotonic; rows have wall time, as
 * the machine may have been off meanwhile. Who is never banned (ban.conf's allow, gateways) is asked for when a ban
 * begins, and again when one would bite, so that a new allow list frees at once. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/acl.h"
#include "core/conf/config.h"
#include "core/event/event.h"
#include "guard/guard_i.h"
#include "loop/loop.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SWEEP_US = 1000000 };

static struct {
	struct ban_table *table;
	struct ban_conf conf;
	char *allow; /* NULL: nobody */
	struct store *store;
	struct ltimer sweep;
	bool (*exempt)(const struct addr *src);
	struct bans_counts counts;
} bans;

static const char *const columns[] = {"address", "user", "reason", "since_s", "until_s", NULL};
static const struct store_table table = {"guard_bans", columns, 2, "until_s"};

const struct ban_conf *bans_conf(void)
{
	return &bans.conf;
}

struct ban_table *bans_table(void)
{
	return bans.table;
}

const char *bans_allow(void)
{
	return bans.allow ? bans.allow : "";
}

const struct bans_counts *bans_counts(void)
{
	return &bans.counts;
}

int64_t bans_wall_us(int64_t mono_us)
{
	return clock_wall_us() + (mono_us - clock_mono_us());
}

void guard_exempt_set(bool (*fn)(const struct addr *src))
{
	bans.exempt = fn;
}

static ON_CTL bool is_exempt(const struct addr *src)
{
	return (*bans_allow() && acl_allows(sv_of(bans_allow()), src, NULL, NULL)) || (bans.exempt && bans.exempt(src));
}

/* ---- what others are told ---- */

static ON_CTL void row_write(const struct ban *b)
{
	char since[24], until[24] = "0";
	snprintf(since, sizeof(since), "%" PRId64, bans_wall_us(b->since_us) / 1000000);
	if (b->until_us != INT64_MAX)
		snprintf(until, sizeof(until), "%" PRId64, bans_wall_us(b->until_us) / 1000000 + 1);
	const struct sv row[] = {sv_of(b->address), sv_of(b->user), sv_of(b->reason), sv_of(since), sv_of(until)};
	if (bans.store && store_put(bans.store, &table, row))
		log_error("ban of %s: it is not kept over a restart", b->address);
}

static ON_CTL void row_delete(const struct ban *b)
{
	const struct sv keys[] = {sv_of(b->address), sv_of(b->user)};
	if (bans.store)
		(void)store_del(bans.store, &table, keys);
}

static ON_CTL void tell(const struct ban *b, const char *action, const char *door)
{
	struct event *e;
	if (!event_is_wanted(EVENT_CUSTOM, "tandem::ban") || !(e = event_new(EVENT_CUSTOM, "tandem::ban")))
		return;
	event_add(e, "Action", action);
	event_add(e, "Address", b->address);
	if (*b->user)
		event_add(e, "User", b->user);
	event_add(e, "Reason", b->reason);
	if (door)
		event_add(e, "Door", door);
	if (b->until_us != INT64_MAX)
		event_addf(e, "Seconds", "%" PRId64, (b->until_us - b->since_us) / 1000000);
	event_fire(e);
}

static ON_CTL void begun(const struct ban *b, const char *door)
{
	bans.counts.begun++;
	log_warning("ban: %s%s%s is banned for %" PRId64 " s (%s): %s", b->user, *b->user ? " at " : "", b->address,
	    b->until_us == INT64_MAX ? 0 : (b->until_us - b->since_us) / 1000000, door, b->reason);
	row_write(b);
	tell(b, "add", door);
}

/* ---- what doors say and ask ---- */

void guard_failed(const struct guard_failure *f)
{
	bans.counts.failed++;
	bans.counts.unproved += !f->is_proved;
	if (!bans.table || !bans.conf.is_on || !f->is_proved || is_exempt(f->src))
		return;
	const struct ban *b = ban_failed(bans.table, &bans.conf, f->src, f->user, clock_mono_us());
	if (b)
		begun(b, f->door);
}

void guard_succeeded(const struct addr *src)
{
	if (bans.table && bans.conf.is_on && !is_exempt(src))
		ban_succeeded(bans.table, src, clock_mono_us());
}

static ON_CTL struct ban *biting(const struct addr *src, struct sv user)
{
	struct ban *b = bans.table && ban_count(bans.table) ? ban_of(bans.table, src, user, clock_mono_us()) : NULL;
	if (!b || is_exempt(src))
		return NULL;
	b->dropped++;
	return b;
}

bool guard_is_barred(const struct addr *src)
{
	const struct ban *b = biting(src, SV_NONE);
	bans.counts.dropped += b != NULL;
	return b != NULL;
}

bool guard_is_user_barred(const struct addr *src, struct sv user)
{
	const struct ban *b = user.n ? biting(src, user) : NULL;
	bans.counts.refused += b != NULL;
	return b != NULL;
}

/* ---- operators ---- */

int bans_add(const struct addr *src, struct sv user, const char *reason, uint32_t seconds)
{
	const struct ban *b;
	int64_t now_us = clock_mono_us();
	if (is_exempt(src))
		return ST_DENIED;
	int st =
	    ban_put(bans.table, src, user, reason, now_us, seconds ? now_us + clock_us_of_s(seconds) : INT64_MAX, &b);
	if (!st)
		begun(b, "command");
	return st;
}

bool bans_remove(const struct addr *src, struct sv user)
{
	const struct ban *b = ban_of(bans.table, src, user, INT64_MIN);
	if (!b)
		return false;
	row_delete(b);
	tell(b, "remove", "command");
	return ban_remove(bans.table, src, user);
}

static bool flush_one(const struct ban *b, void *arg)
{
	role_assert_ctl();
	row_delete(b);
	tell(b, "remove", "command");
	++*(size_t *)arg;
	return true;
}

size_t bans_flush(void)
{
	size_t n = 0;
	ban_each(bans.table, flush_one, &n);
	return n;
}

/* ---- life ---- */

static bool sweep_one(const struct ban *b, void *arg)
{
	role_assert_ctl();
	if (b->until_us > *(const int64_t *)arg)
		return false;
	row_delete(b);
	tell(b, "expire", NULL);
	return true;
}

static void sweep(void *arg)
{
	int64_t now_us = clock_mono_us();
	role_assert_ctl();
	ban_each(bans.table, sweep_one, &now_us);
	loop_timer_set(&bans.sweep, SWEEP_US, "ban sweep", sweep, NULL);
}

static void on_row(const struct sv *v, size_t n, void *arg)
{
	struct addr src;
	struct sv user;
	int64_t since_s, until_s, now_us = clock_mono_us(), wall_us = clock_wall_us();
	char *reason = sv_dup(v[2]);
	role_assert_ctl();
	if (bans.table && !ban_spec_parse(v[0], &src, &user) && !user.n && v[1].n <= BAN_USER_MAX &&
	    !sv_i64(v[3], &since_s) && !sv_i64(v[4], &until_s) && !ban_of(bans.table, &src, v[1], now_us)) {
		int64_t left_us = clock_us_of_s(until_s) - wall_us;
		if (!until_s || left_us > 0)
			(void)ban_put(bans.table, &src, v[1], reason, now_us - (wall_us - clock_us_of_s(since_s)),
			    until_s ? now_us + left_us : INT64_MAX, NULL);
	}
	mem_free(reason);
}

static void on_rows(int status, void *arg)
{
	role_assert_ctl();
	if (status < 0 && status != ST_CANCELLED)
		log_error("ban: the bans of the last run cannot be read");
}

void bans_conf_read(void)
{
	const struct xml_node *s = xml_child(config_conf("ban.conf"), "settings");
	static const char file[] = "ban.conf";
	mem_free(bans.allow);
	bans.allow = mem_strdup(config_param(s, "allow", "loopback.auto"));
	bans.conf = (struct ban_conf){.is_on = str_is_true(config_param(s, "enabled", "true")),
	    .window_s = guard_number(s, file, "window", 600),
	    .user_failures = guard_number(s, file, "user-failures", 5),
	    .user_ban_s = guard_number(s, file, "user-ban-time", 300),
	    .address_failures = guard_number(s, file, "address-failures", 20),
	    .address_users = guard_number(s, file, "address-users", 3),
	    .address_ban_s = guard_number(s, file, "address-ban-time", 3600),
	    .max_ban_s = guard_number(s, file, "max-ban-time", 86400),
	    .known_factor = guard_number(s, file, "known-factor", 10)};
}

int bans_start(struct store *s)
{
	int st = ban_table_new(&bans.table);
	if (st)
		return st;
	bans.store = s;
	bans_conf_read();
	if (s)
		(void)store_each(s, &table, NULL, 0, on_row, on_rows, NULL);
	loop_timer_set(&bans.sweep, SWEEP_US, "ban sweep", sweep, NULL);
	return ST_OK;
}

void bans_stop(void)
{
	loop_timer_cancel(&bans.sweep);
	ban_table_free(bans.table);
	mem_free(bans.allow);
	bans.allow = NULL;
	bans.table = NULL;
	bans.store = NULL;
}
