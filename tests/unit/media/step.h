/* A codec that remembers: each value is the difference to a guess from the sample before, in 16 bits. What is wrong
 * once is forgotten within a packet; an encoder or decoder that misses or doubles a packet is heard at once. */
#pragma once
#include "codec/codec.h"
#include <stdatomic.h>

extern const struct codec_ops step; /* "STEP", 8 kHz; fmtp "start=N" or none */
extern atomic_int step_live_count;  /* coders that are open */
