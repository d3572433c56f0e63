/* Phones with their tones in one room, and what it told. */
#pragma once
#include "ear.h"
#include "media/ctl/room.h"

#define A (&peers[0])
#define B (&peers[1])
#define C (&peers[2])
#define D (&peers[3])
extern const struct mroom_member plain;
extern struct mroom *room;

/* As many phones, each in the room with its tone; member i + 1 is peers[i]. */
ON_CTL int gather(unsigned threads, size_t count, const struct mroom_conf *conf);
/* The room alone, of phones that room_start made. */
ON_CTL int meet(size_t count, const struct mroom_conf *conf);
ON_CTL int scatter(void);
/* Until it was told of id. */
ON_CTL int wait_told(enum mroom_report_kind kind, uint32_t id, bool is_on);
