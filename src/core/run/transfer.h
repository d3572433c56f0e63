/* A blind transfer whose outcome somebody waits for: the leg that was transferred names him in its variable
 * blind_transfer_uuid, and his endpoint tells his phone (endpoint_ops.transfer_told). Control thread. */
#pragma once
#include "core/leg/leg.h"

/* Says how it went, once; true: somebody waited for it. After a failure the two may be joined again by whoever told the
 * phone: the leg is then rerouted (exec_is_rerouted) and must not be hung up. */
ON_CTL bool leg_transfer_told(struct leg *leg, bool is_good);
