/* A bridge, for bridge.c and bridge_app.c. */
#pragma once
#include "core/bridge/bridge_core.h"
#include "core/leg/hold.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "loop/loop.h"

struct leg_bridged {           /* what a leg knows of it */
	struct bridge *bridge; /* NULL when not bridged */
	struct bridge *aside;  /* its bridge while one side of it talks to somebody else */
	uint32_t hold_play_id; /* music that plays to it while its peer is held */
	struct leg_hold hold;  /* while there is one of the two */
};
static inline struct leg_bridged *bridged_of(const struct leg *leg)
{
	return leg_part_of(leg, &bridge_part);
}

struct bridge {
	struct leg *a, *b; /* references */
	bridge_done_fn done;
	void *arg;
	bool is_ending;
	bool is_consultation; /* its end hangs nobody up: done decides */
	unsigned
	    suspended_by; /* BRIDGE_A, BRIDGE_B: an application runs on that side, the two do not hear each other */
	/* while set aside (aside.c) */
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
ON_CTL void bridge_aside_leave(struct leg *leg); /* it leaves a bridge that is set aside, if it is in one */

/* The legs of br have it, or have it no longer; peers and holds follow. */
ON_CTL void bridge_put(struct bridge *br);
ON_CTL void bridge_take(struct bridge *br);
ON_CTL void bridge_put_aside(struct bridge *br);
ON_CTL void bridge_take_aside(struct leg *leg);
ON_CTL void bridge_hold_music(struct leg *leg, bool is_held); /* leg is held: its peer hears music */
