/* Valet parking: lots and their slots (valet_lot.c), for the application and the command (valet.c). They live as long
 * as the program runs. */
#pragma once
#include "core/leg/leg.h"
#include "core/registry/module.h"
#include "loop/loop.h"

struct lot;
struct slot {
	struct lot *lot;
	char *ext;
	char uuid[UUID_CHARS + 1]; /* of the leg that waits, or of the one that reserved it */
	bool is_reserved;          /* until the leg that was announced comes, 5 s */
	struct ltimer reserve_timer;
	int64_t since_us; /* monotonic */
};

ON_CTL int valet_lots_load(void);
ON_CTL void valet_lots_unload(void);
ON_CTL int valet_lot_get(const char *name, struct lot **out); /* made when new */
ON_CTL const char *valet_lot_name(const struct lot *lot);
/* NULL: nobody is there. A slot whose leg has gone is no slot. */
ON_CTL struct slot *valet_slot_find(struct lot *lot, const char *ext);
/* Takes ext for the leg of that uuid, from whomever has it; NULL out of memory. */
ON_CTL struct slot *valet_slot_take(struct lot *lot, const char *ext, const char *uuid);
ON_CTL void valet_slot_reserve(struct slot *s);
/* Frees the slot unless somebody else has it by now. */
ON_CTL void valet_slot_free(struct lot *lot, const char *ext, const char *uuid);
/* The lowest free number from min to max (0 = no bound); false: the lot is full. */
ON_CTL bool valet_lot_next_free(struct lot *lot, unsigned min, unsigned max, char ext[16]);
/* Who waits longest between them; NULL: nobody. */
ON_CTL struct slot *valet_lot_longest(struct lot *lot, unsigned min, unsigned max);
/* PRESENCE_IN for the lot and for one of its extensions. */
ON_CTL void valet_presence(struct lot *lot, const char *ext, bool is_taken);

int api_valet_info(struct api_call *c);
