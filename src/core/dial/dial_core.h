/* Dialling as the rooms of core see it. */
#pragma once
#include "core/leg/leg.h"

ON_CTL void originate_leg_changed(struct leg *leg);   /* rings, early, answered or hung up while dialled */
ON_CTL void originate_cancel(struct leg *originator); /* it hung up or was sent elsewhere */
ON_CTL void originate_wake(struct leg *originator);   /* digits or requests came while it dials */
