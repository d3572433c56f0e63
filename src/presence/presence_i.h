/* What this room's files share. */
#pragma once
#include "core/registry/module.h"
#include "presence/presence.h"

ON_CTL int presence_table_start(void);
ON_CTL void presence_table_stop(void);
ON_CTL struct presence_entity *presence_entity_get(struct sv kind, struct sv user, struct sv host); /* made when new */
ON_CTL struct presence_entity *presence_entity_find(struct sv kind, struct sv user, struct sv host);
ON_CTL void presence_entity_release(struct presence_entity *e); /* goes when nothing holds it */
ON_CTL void presence_changed(struct presence_entity *e);
/* Enters or changes; PRESENCE_ENDED takes it out. */
ON_CTL void presence_dialog_set(struct presence_entity *e, struct presence_dialog *d, enum presence_state state);
/* Of the id that an event or a lamp gave. */
ON_CTL void presence_foreign_set(struct presence_entity *e, struct sv id, enum presence_state state, bool is_initiator,
    struct sv status, const char *kind);

ON_CTL int presence_hear_start(void);
ON_CTL void presence_hear_stop(void);
extern struct leg_part presence_part; /* calls.c */
