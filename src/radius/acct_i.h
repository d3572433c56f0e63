/* Between a leg's life (acct.c) and what its records say (record.c). */
#pragma once
#include "core/leg/part.h"
#include "radius/radius_i.h"

enum { STATUS_START = 1, STATUS_STOP = 2, STATUS_INTERIM = 3, STATUS_ON = 7, STATUS_OFF = 8 };
enum {
	TERMINATE_USER = 1,
	TERMINATE_LOST = 2,
	TERMINATE_TIME = 5,
	TERMINATE_ADMIN = 6,
	TERMINATE_REBOOT = 7,
	TERMINATE_NAS = 9,
	TERMINATE_UNAVAILABLE = 15
};

struct rad_of_leg {
	struct co_wait *asking; /* rad_auth waits there */
	struct ltimer limit, interim;
	uint32_t limit_s, interim_s; /* 0: none */
	bool is_started, is_stopped;
	uint32_t ended_by; /* TERMINATE_, when it was us */
	char *user;
	struct buf classes; /* whole attributes */
};

static inline struct rad_of_leg *rad_of(const struct leg *leg)
{
	return leg_part_of(leg, &rad_part);
}

/* A record of a leg, as it is now, into the spool. */
ON_CTL void rad_record_put(struct leg *leg, uint32_t status);
