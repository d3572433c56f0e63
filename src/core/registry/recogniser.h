/* Recognisers of speech that take whole utterances on a worker thread: modules from files bring them (host/), the room
 * asr uses them by name (detect:NAME). */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

enum { RECOGNISER_TEXT_MAX = 4096 };
struct recogniser {
	const char *name;
	uint32_t rate_hz; /* of the samples it takes: 8000 or 16000 */
	/* One utterance, mono; blocks as long as it computes; one call at a time for all recognisers. grammar:
	 * printable ASCII as the dialplan names it, never NULL. text (of capacity, ended by a zero byte): what was
	 * said, UTF-8; empty: nothing that it knows. confidence: 0 to 1. Not ST_OK: it failed. */
	int (*recognise)(
	    const char *grammar, const int16_t *samples, size_t count, char *text, size_t capacity, double *confidence);
};
/* For as long as the program runs; in place. ST_EXISTS, ST_FULL. */
ON_CTL int recogniser_add(const struct recogniser *r);
ON_CTL const struct recogniser *recogniser_find(const char *name); /* regardless of case; NULL: there is none */
