/* A bridge, for bridge.c and bridge_app.c. */
#pragma once
#include "core/leg_i.h"

struct bridge {
	struct leg *a, *b; /* references */
	bridge_done_fn done;
	void *arg;
	bool is_ending;
};
