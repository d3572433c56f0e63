/* Taking a call over. */
#pragma once
#include "core/leg/leg.h"

/* leg takes target over: both are answered, whom target talked to is hung up with PICKED_OFF (so are the legs it was
 * still dialling), and the two are bridged as by bridge_two. An unanswered leg that is being dialled stands for its
 * caller. From leg's own application; ST_NOTFOUND when there is nobody to take, ST_HANGUP. */
ON_CTL int bridge_intercept(struct leg *leg, struct leg *target);
