/* Packet loss concealment: the last pitch period repeated, fading to silence within 60 ms, joined to the next real
 * frame by a short cross-fade. ANY; one owner; any rate up to 48 kHz. */
#pragma once
#include "base/role.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLC_HISTORY_MAX = 1536 /* 32 ms at 48 kHz */ };
struct plc {
	uint32_t rate_hz;
	size_t history_count, period, at;
	size_t lost; /* samples concealed since the last real frame */
	int16_t history[PLC_HISTORY_MAX];
};
ANY void plc_init(struct plc *p, uint32_t rate_hz);
/* A good frame goes through here (changed only at its head, after a loss). */
ANY void plc_good(struct plc *p, int16_t *s, size_t n);
/* Makes up n samples. */
ANY void plc_lost(struct plc *p, int16_t *out, size_t n);
