/* For `-check-config` and `config check`. */
#pragma once
#include "base/role.h"

/* Adds the configuration stage that looks SIP profiles and gateways over, once. */
ON_CTL int sofia_stage_init(void);
