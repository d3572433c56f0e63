/* Sound made shorter without a change of pitch. ANY; pure. */
#pragma once
#include "base/role.h"
#include <stddef.h>
#include <stdint.h>

/* Takes one period (2.5 to 10 ms) out of n samples, joined by a cross-fade; how many are left. Silence and noise lose
 * as much as fits. Less than 10 ms stays as it is. */
ANY size_t stretch_cut(int16_t *pcm, size_t n, uint32_t rate_hz);
/* The same of n frames of two channels, interleaved: one period for both, that they stay together. */
ANY size_t stretch_cut_two(int16_t *two, size_t n, uint32_t rate_hz);
