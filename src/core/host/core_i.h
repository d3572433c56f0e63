/* Between core.c and the tables it starts and stops. */
#pragma once
#include "base/role.h"

struct media_stats;
ON_CTL void registrations_clear(void);
ON_CTL void heartbeat_start(unsigned interval_s);
ON_CTL void heartbeat_stop(void);
ON_CTL int endpoint_user_register(void);
/* Metrics of core itself. */
ON_CTL int metrics_start(void);
ON_CTL void metrics_stop(void);
ON_CTL void metrics_stream_ended(const struct media_stats *s);
ON_CTL int endpoint_pickup_register(void);
ON_CTL int originate_register(void);
ON_CTL int core_vars_register(void);
