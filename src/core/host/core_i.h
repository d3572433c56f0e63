/* Between core.c and the tables it starts and stops. */
#pragma once
#include "base/role.h"

ON_CTL void heartbeat_start(unsigned interval_s);
ON_CTL void heartbeat_stop(void);
/* Metrics of the process, the loop and the rooms that have none of their own. */
ON_CTL int metrics_start(void);
ON_CTL void metrics_stop(void);
