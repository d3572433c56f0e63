/* Between core.c and the tables it starts and stops. */
#pragma once
#include "base/role.h"

ON_CTL void registrations_clear(void);
ON_CTL void heartbeat_start(unsigned interval_s);
ON_CTL void heartbeat_stop(void);
ON_CTL int endpoint_user_register(void);
