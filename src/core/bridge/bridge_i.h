/* A bridge, for bridge.c and bridge_app.c. */
#pragma once
#include "core/leg/leg_i.h"

struct bridge {
	struct leg *a, *b; /* references */
	bridge_done_fn done;
	void *arg;
	bool is_ending;
	bool is_consultation; /* its end hangs nobody up: done decides */
	unsigned
	    suspended_by; /* BRIDGE_A, BRIDGE_B: an application runs on that side, the two do not hear each other */
	/* while set aside (bridge_aside.c) */
	struct leg *holder;         /* the side that talks to somebody else; NULL = ordinary */
	bool is_left;               /* the other side went meanwhile */
	struct ltimer answer_timer; /* bridge_answer_timeout */
};
enum { BRIDGE_A = 1, BRIDGE_B = 2 };

ON_CTL void bridge_fire_pair(struct leg *a, struct leg *b, enum event_id id);
ON_CTL void bridge_pair_vars(struct leg *a, struct leg *b);
/* Starts or ends the hold music of one leg that another hears. */
ON_CTL void bridge_music(struct leg *of, struct leg *to, bool is_on);
ON_CTL void bridge_end_vars(struct leg *leg, struct leg *peer);
/* A bridge in early media ends (A is hung up, or goes on with continue_on_answer_timeout) unless A is answered by then.
 */
ON_CTL void bridge_answer_within(struct leg *a, int seconds);
/* ext[:dialplan[:context]] in the variable, which is taken away; true: A was transferred. */
ON_CTL bool bridge_transfer_after(struct leg *a, const char *var_name);
