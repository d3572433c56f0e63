/* The drivers by scheme, and what a DSN means. The table below begins with those built in, its first is the one that
 * plain names mean; modules from files add theirs behind. How many stores of a driver live is counted, so that none
 * goes while its code is needed. */
#include "store/driver.h"
#include "base/check.h"
#include "store/driver_i.h"
#include "store/sqlite_i.h"

#include <string.h>
#include <strings.h>

enum { DRIVERS_MAX = 16 };
static struct {
	const struct store_driver *driver;
	size_t store_count;
} drivers[DRIVERS_MAX] = {
    {&store_sqlite, 0},
#ifdef STORE_HAS_PGSQL
    {&store_pgsql, 0},
    {&store_postgresql, 0},
    {&store_postgres, 0},
#endif
#ifdef STORE_HAS_MARIADB
    {&store_mariadb, 0},
#endif
#ifdef STORE_HAS_ODBC
    {&store_odbc, 0},
#endif
};

static ON_CTL int driver_find(struct sv scheme)
{
	for (int i = 0; i < DRIVERS_MAX; i++)
		if (drivers[i].driver && sv_isi(scheme, drivers[i].driver->scheme))
			return i;
	return -1;
}

int store_driver_add(const struct store_driver *d)
{
	if (driver_find(sv_of(d->scheme)) >= 0)
		return ST_EXISTS;
	for (size_t i = 0; i < DRIVERS_MAX; i++)
		if (!drivers[i].driver) {
			drivers[i].driver = d;
			return ST_OK;
		}
	return ST_FULL;
}

int store_driver_del(const struct store_driver *d)
{
	int i = driver_find(sv_of(d->scheme));
	if (i < 0 || drivers[i].driver != d)
		return ST_NOTFOUND;
	if (drivers[i].store_count)
		return ST_BUSY;
	drivers[i].driver = NULL;
	return ST_OK;
}

void driver_hold(const struct store_driver *d)
{
	int i = driver_find(sv_of(d->scheme));
	CHECK(i >= 0);
	drivers[i].store_count++;
}

void driver_release(const struct store_driver *d)
{
	int i = driver_find(sv_of(d->scheme));
	CHECK(i >= 0 && drivers[i].store_count);
	drivers[i].store_count--;
}

static bool is_scheme(struct sv s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._", s.p[i]))
			return false;
	return s.n > 0;
}

int store_dsn_parse(const char *dsn, const struct store_driver **driver, const char **rest, struct buf *error)
{
	const char *colon = strchr(dsn, ':'), *after = dsn;
	struct sv scheme = sv_of(drivers[0].driver->scheme), before = {dsn, colon ? (size_t)(colon - dsn) : 0};
	int i;

	if (colon && !strncmp(colon, "://", 3) && is_scheme(before))
		scheme = before, after = colon + 3;
	else if (sv_isi(before, "core"))
		after = colon + 1;
	else if (colon && *dsn != '/')
		scheme = SV("odbc");
	i = driver_find(scheme);
	if (i >= 0) {
		*driver = drivers[i].driver, *rest = after;
		return ST_OK;
	}
	buf_printf(error, "there is no database driver '%.*s' (there are:", SVF(scheme));
	for (i = 0; i < DRIVERS_MAX; i++)
		if (drivers[i].driver)
			buf_printf(error, " %s", drivers[i].driver->scheme);
	buf_adds(error, ")");
	return ST_UNSUPPORTED;
}
