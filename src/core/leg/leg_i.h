/* The inside of a leg, for the files of this room. */
#pragma once
#include "core/leg/leg_core.h"

ON_CTL void leg_table_remove(struct leg *leg);
ON_CTL void leg_heartbeat_answered(struct leg *leg); /* enable_heartbeat_events */
ON_CTL void leg_vars_cdr_set(struct leg *leg);
