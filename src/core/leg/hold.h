/* What holds a leg: a bridge, dialling, being dialled, and whatever else has it for longer than an application runs.
 * Who takes a leg hangs a hold on it and takes it off again; what runs on the leg then knows no bridge and no dialling,
 * only that something holds it, and by these operations how to leave it, step aside for an application, and come back.
 */
#pragma once
#include "core/leg/leg.h"

struct leg_hold_ops {
	const char *name;
	/* The leg goes elsewhere: ends what it is held for, now or soon. True: it lets the list of applications go on
	 * itself (leg_exec_resume); the hold may be gone afterwards. NULL: it stays. */
	bool (*leave)(struct leg *leg);
	/* An application asked for from outside runs on the leg and waits: whom it is with hears nothing meanwhile, or
	 * music. May be NULL. */
	void (*suspend)(struct leg *leg, bool plays_music);
	void (*resume)(struct leg *leg, bool played_music);
	void (*wake)(struct leg *leg); /* digits or requests came; may be NULL */
	bool is_exclusive;             /* nobody else may take the leg meanwhile (leg_exec_adopt) */
};
struct leg_hold { /* in a part of the leg, as it must live as long; linked while ops is not NULL */
	struct leg_hold *below;
	const struct leg_hold_ops *ops;
};
ON_CTL void leg_hold_add(struct leg *leg, struct leg_hold *h, const struct leg_hold_ops *ops); /* fine when it is */
ON_CTL void leg_hold_del(struct leg *leg, struct leg_hold *h);                                 /* fine when it is not */
ON_CTL bool leg_is_held_by_some(const struct leg *leg);
ON_CTL bool leg_is_held_alone(const struct leg *leg); /* one of them is exclusive */
/* The operations of all holds, the newest first. */
ON_CTL bool leg_holds_leave(struct leg *leg); /* true: one of them lets the list go on */
ON_CTL void leg_holds_suspend(struct leg *leg, bool plays_music);
ON_CTL void leg_holds_resume(struct leg *leg, bool played_music);
ON_CTL void leg_holds_wake(struct leg *leg);
