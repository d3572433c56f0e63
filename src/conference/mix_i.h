/* What room.c tells the mixer beyond conf_i.h, and the leg's part by which reports come. */
#pragma once
#include "conference/conf_i.h"

extern struct leg_part conf_part;
ON_CTL void conf_mix_joined(struct conf_member *m);
ON_CTL void conf_mix_layout(struct conf_room *room); /* who waits for the moderator, or no longer, has changed */
