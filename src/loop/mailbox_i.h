/* Between the ring and its attachment to the control loop. */
#pragma once
#include "loop/mailbox.h"

struct mailbox_ctl;
/* Where the attachment is kept; NULL inside while there is none. */
ANY struct mailbox_ctl **mailbox_ctl_slot(struct mailbox *m);
/* The consumer stops before it found the ring empty and wants its descriptor readable. */
ANY void mailbox_kick(struct mailbox *m);
