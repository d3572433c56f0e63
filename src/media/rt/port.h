/* A port: a stream's sound for another thread, both ways, as samples in two rings. The media thread writes what the
 * stream hears into one and says what stands in the other; whoever has the port (a thread that talks to a program
 * outside, a recogniser on a worker) reads and writes at his own pace and is never waited for. Nobody is woken: he
 * looks as often as he needs to.
 *
 *     phone -> lanes -> rate, mix ----> out ring -----> another thread ----> program
 *     phone <- write side <- rate <---- in ring <------ another thread <---- program
 */
#pragma once
#include "base/role.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rt_ring;
struct media_port_conf {
	uint32_t rate_hz;       /* of both rings, 8000 to 64000 */
	bool hears_read;        /* what comes from the phone */
	bool hears_write;       /* what goes to it; with the other: mixed, or */
	bool is_stereo;         /* left and right */
	bool speaks;            /* what stands in the in ring goes to the phone, mixed with what goes there anyway */
	uint32_t out_ms, in_ms; /* the rings' least length */
};
struct media_port { /* counted, atomically (mem_ref, mem_unref) */
	struct media_port_conf conf;
	struct rt_ring *out;      /* int16, one or two channels: written by the media thread */
	struct rt_ring *in;       /* int16, mono: read by it; NULL when it does not speak */
	atomic_bool is_paused;    /* nothing is written to out */
	_Atomic uint64_t dropped; /* samples (of one channel) for which out had no room */
	_Atomic uint64_t skip_to; /* what stands before this position of in (bytes) is not said any more */
	_Atomic uint64_t said;    /* samples of in that went to the phone */
};
/* ST_INVAL: a rate, or nothing to hear and nothing to say. */
ANY int media_port_new(struct media_port **out, const struct media_port_conf *conf);
