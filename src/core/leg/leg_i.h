/* The inside of a leg, for the files of this room. */
#pragma once
#include "core/leg/hold.h"
#include "core/leg/leg_core.h"
#include "core/leg/part.h"
#include "loop/loop.h"

enum { DIGITS_MAX = 64 };

/* Steps of the teardown, in order (teardown.c). */
enum leg_end_step { END_NONE, END_DEFERRED, END_APPS, END_HOOK, END_MEDIA, END_REPORTED, END_DONE };

struct leg_digit {
	char digit;
	uint8_t source;
	uint16_t duration;
};
enum { HELD_MAX = 256 };
struct leg_held {
	int64_t on_us, off_us; /* wall clock; off 0: it is still held */
	char peer[UUID_CHARS + 1];
};
struct leg_full { /* the blocks of the parts follow */
	struct leg leg;
	struct leg_hold *holds; /* the newest */
	enum leg_end_step end_step;
	struct ldefer end_defer;
	struct ltimer end_timer;
	bool is_started, is_cid_flipped, is_codec_told;
	bool is_read_linear; /* tones play to it: FreeSWITCH reads it as L16 meanwhile, and says so */
	unsigned presence_count;
	char *initial_cid_name, *initial_cid_number; /* before they were exchanged */
	struct ltimer beat_timer;
	int beat_s;
	unsigned keepalive_count;
	bool keeps_alive;
	struct leg_digit *digits; /* DIGITS_MAX of them; NULL: none came yet */
	uint8_t digit_count;
	struct buf digits_dialed;
	struct leg_held *held; /* each time it was held by its far side */
	unsigned held_count;
};
static inline struct leg_full *leg_i(const struct leg *leg)
{
	return (struct leg_full *)(uintptr_t)leg;
}

/* ---- part.c ---- */
ANY size_t leg_full_bytes(void); /* with the blocks of all parts */
ANY unsigned leg_part_count(void);
ANY const struct leg_part *leg_part_at(unsigned i);
/* Calls fn of each part that has it: LEG_PARTS upwards (beginnings), LEG_PARTS_DOWN downwards (endings). */
#define LEG_PARTS(fn, ...) \
	for (unsigned part_i = 0; part_i < leg_part_count(); part_i++) \
		if (leg_part_at(part_i)->fn) \
	leg_part_at(part_i)->fn(__VA_ARGS__)
#define LEG_PARTS_DOWN(fn, ...) \
	for (unsigned part_i = leg_part_count(); part_i > 0; part_i--) \
		if (leg_part_at(part_i - 1)->fn) \
	leg_part_at(part_i - 1)->fn(__VA_ARGS__)

ON_CTL void leg_table_remove(struct leg *leg);
ON_CTL void leg_unhold_at_end(struct leg *leg);      /* it is hung up while it is held */
ON_CTL void leg_heartbeat_answered(struct leg *leg); /* enable_heartbeat_events */
ON_CTL void leg_vars_cdr_set(struct leg *leg);
/* ---- held.c ---- */
ON_CTL void leg_held_begin(struct leg *leg);
ON_CTL void leg_held_end(struct leg *leg);
ON_CTL void leg_held_last(struct leg *leg);   /* the variable hold_events */
ON_CTL void leg_digits_last(struct leg *leg); /* the variable digits_dialed */
