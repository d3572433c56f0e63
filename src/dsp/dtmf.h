/* DTMF in the audio band (ITU-T Q.23, Q.24): generator and detector. ANY; one owner. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The pair of a digit 0-9 * # A-D (a-d too), in Hz; false for anything else. */
ANY bool dtmf_pair(char digit, unsigned *low_hz, unsigned *high_hz);

struct dtmf_gen {
	uint32_t left, pause_left; /* samples */
	double c[2], y1[2], y2[2];
};
/* Starts a digit of duration_ms followed by pause_ms of silence; low tone -9 dBm0, high tone -7 dBm0. ST_INVAL. */
ANY int dtmf_gen_start(struct dtmf_gen *g, uint32_t rate_hz, char digit, unsigned duration_ms, unsigned pause_ms);
/* Overwrites up to n samples; fewer at the end; 0 = done. */
ANY size_t dtmf_gen_read(struct dtmf_gen *g, int16_t *out, size_t n);

struct dtmf_det; /* counted: mem_unref */
ANY int dtmf_det_new(struct dtmf_det **out);
/* Takes samples at 8 kHz; digits found (each once, at its start) are appended to out, at most cap - 1, NUL-terminated.
 * Their count comes back. */
ANY size_t dtmf_det_feed(struct dtmf_det *d, const int16_t *in, size_t n, char *out, size_t cap);
/* n samples were lost: neither sound nor silence, so that a digit with a hole in it stays one. */
ANY void dtmf_det_miss(struct dtmf_det *d, size_t n);
