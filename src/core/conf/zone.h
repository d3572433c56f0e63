/* Time zones by name, as variables and commands give them. */
#pragma once
#include "base/role.h"
#include "text/tz.h"

/* timezones.conf's rule for the name, else the system's database. ST_NOTFOUND, ST_PARSE (a rule that is none). */
CO int zone_find(const char *name, struct tz *out);
