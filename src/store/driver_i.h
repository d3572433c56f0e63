/* Inside the store room: stores of a driver are counted from open until their last batch has ended. */
#pragma once
#include "store/driver.h"

/* those built in, sqlite apart; each is there when its library was at the build */
extern const struct store_driver store_pgsql, store_postgresql, store_postgres, store_mariadb, store_odbc;

ON_CTL void driver_hold(const struct store_driver *d);
ON_CTL void driver_release(const struct store_driver *d);
