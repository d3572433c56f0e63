/* Which database a room uses. */
#pragma once
#include "base/role.h"

/* What its own parameter names (NULL, "": nothing), else core-db-dsn of switch.conf, else the file in the database
 * directory. Borrowed: a name of the configuration until the next reload. */
ON_CTL const char *config_dsn(const char *own, const char *file);
