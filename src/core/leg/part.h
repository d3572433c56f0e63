/* What a leg is made of. Each room above keeps what it knows of a leg in a part: a block of the leg's own memory that
 * only this room reads, and what it does when something happens to the leg. The leg calls its parts by the table and
 * knows none of them, so that a feature adds a part, never a field, a call or an arrow upwards.
 *
 *     host/parts.c:  run   sound   keys   bridge   dial   ...          (bottom to top, as the rooms stand; those of
 *                                                                       rooms above core by their modules' descriptors)
 *     beginnings     ----------------------------------->              on_start on_ring on_early on_answer on_hold ...
 *     endings        <-----------------------------------              on_hangup on_leave on_close ... fini
 *
 * Every function may be NULL and runs on the control thread. */
#pragma once
#include "core/leg/leg.h"

struct media_report;

enum leg_wait {          /* what the end of a leg waits for, in this order */
	LEG_WAIT_RUNS,   /* 3: something of the leg that runs; for ever */
	LEG_WAIT_HOOK,   /* 4: what the call asked to be run at its end; 5 s */
	LEG_WAIT_REPORT, /* 5: a last report; 200 ms */
	LEG_WAIT_COUNT
};

struct leg_part {
	const char *name;
	size_t bytes;                      /* of its block, zeroed; 0: none */
	int (*init)(struct leg *leg);      /* with leg_new; a failure fails that */
	void (*on_start)(struct leg *leg); /* an inbound leg begins: CS_ROUTING */
	void (*on_ring)(struct leg *leg);  /* 180 from the far side, or to it */
	void (*on_early)(struct leg *leg); /* early media */
	void (*on_answer)(struct leg *leg);
	void (*on_hold)(struct leg *leg, bool is_held); /* by the far side */
	/* It is told to whoever watches id ("user@domain"), as PRESENCE_IN tells it: rpid "unknown" is the leg's own
	 * state, anything else the words of `presence`. */
	void (*on_presence)(struct leg *leg, const char *rpid, const char *status, const char *id);
	void (*on_stream)(struct leg *leg); /* its sound begins anew: what the stream is to be told */
	bool (*on_report)(struct leg *leg, const struct media_report *r); /* true: it was for this part */
	void (*on_digit)(struct leg *leg, char digit); /* a key of its phone that counts, before anybody takes it */
	/* An application is about to run that needs sound (or not): it may wait until that is here. */
	void (*before_app)(struct leg *leg, unsigned app_flags);
	void (*on_break)(struct leg *leg); /* what plays for the application is broken off */
	void (*on_idle)(struct leg *leg);  /* the leg leaves what it did: its sound has nobody any more */
	/* The end, in the steps of teardown.c. */
	void (*on_hangup)(struct leg *leg); /* 1: nothing may begin any more; waits are woken */
	void (*on_leave)(struct leg *leg);  /* 2: leaves whom it is with; the far side is told afterwards */
	void (*on_close)(struct leg *leg);  /* 2: closes what it has open */
	/* 3 to 5: true while the teardown has to wait for it; it calls leg_end_go when that is over. */
	bool (*is_waited_for[LEG_WAIT_COUNT])(struct leg *leg);
	void (*on_report_due)(struct leg *leg); /* 6: what would change records must be over */
	void (*on_destroy)(struct leg *leg);    /* 7: CS_DESTROY, before the endpoint lets go */
	void (*fini)(struct leg *leg);          /* with the last reference */
	size_t at;                              /* of the block in a leg: set by leg_parts_set */
};

/* The parts of all legs from now on, NULL at the end; they stay. Only while there is no leg. */
ON_CTL void leg_parts_set(struct leg_part *const *parts);
/* One more, on top: of a room above core, by its module's descriptor (core/registry/module.h). Fine when it is there.
 * ST_BUSY while there are legs, ST_FULL. */
ON_CTL int leg_parts_add(struct leg_part *part);
/* The block of a part in a leg; valid as long as the leg. For the room whose part it is. */
static inline void *leg_part_of(const struct leg *leg, const struct leg_part *part)
{
	return (char *)(uintptr_t)leg + part->at;
}
