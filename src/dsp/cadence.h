/* Tones that are known by their rhythm as well: busy, ringing, a series of three. A tone is a row of elements, each of
 * one or two frequencies or of silence, of a length between two bounds. spandsp's supervisory tone detector at 8 kHz
 * behind our own struct. ANY; one owner; feeding allocates nothing. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { CADENCE_RATE_HZ = 8000, CADENCE_ELEMENTS_MAX = 96, CADENCE_TONES_MAX = 32, CADENCE_FREQS_MAX = 60 };
struct cadence_element {
	unsigned tone;   /* whose: from 0, in order, each tone's elements together; below CADENCE_TONES_MAX */
	unsigned hz[2];  /* 200 to 3900; 0: none. Both 0: silence */
	unsigned min_ms; /* up to a minute */
	unsigned max_ms; /* 0: any longer one */
};
struct cadence; /* counted: mem_unref */
/* ST_INVAL: no elements, too many, or a value out of its range; frequencies of all elements: CADENCE_FREQS_MAX. */
ANY int cadence_new(struct cadence **out, const struct cadence_element *elements, size_t count);
/* The tone that was recognised within these samples, or -1. It is told once, until it has ended. */
ANY int cadence_feed(struct cadence *c, const int16_t *pcm, size_t n);
