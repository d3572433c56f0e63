/* Opening hours and holidays of a queue. Pure.
 *
 *   hours     mon-fri 08:00-12:00,13:00-18:00; sat 09:00-12:00; sun 22:00-02:00   (the last until Monday's second hour)
 *   holidays  12-25; 2026-05-01; 12-24 08:00-12:00       (a day of each year, or of one; open only so long, or not)
 *
 * Days: mon tue wed thu fri sat sun, several as mon-fri or sat,sun, all of them as daily. No hours: always open. */
#pragma once
#include "base/role.h"
#include "base/str.h"
#include <stdbool.h>
#include <time.h>

/* A bad part is where ST_PARSE is; "" is fine. */
ANY int cc_hours_check(struct sv hours);
ANY int cc_holidays_check(struct sv holidays);
/* now: local time; bad texts count as none. */
ANY bool cc_hours_are_open(struct sv hours, struct sv holidays, const struct tm *now);
