/* A jitter buffer over the packets of one source: puts them in order, waits for those that are late, tells which are
 * lost, and how fast what comes out is to be played so that the delay stays no longer than it must be. Knows nothing of
 * codecs and clocks: its owner takes one frame's worth at a time, at the pace in which it plays. ANY; one owner. */
#pragma once
#include "base/role.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { JBUF_LEN_MIN_MS = 10, JBUF_MAX_MS = 10000, JBUF_SLOTS_MAX = 1024 };

struct jbuf_conf {
	uint32_t clock_hz;  /* of timestamps */
	unsigned frame_ms;  /* what a packet is usually worth, 1..120 */
	unsigned len_ms;    /* the delay at first, and the least */
	unsigned max_ms;    /* the most; at least len_ms */
	unsigned drift_ms;  /* so far over what is needed it may grow before it is shortened; 0 = a frame */
	size_t payload_max; /* bytes; longer ones are not taken */
};
struct jbuf_packet {
	const uint8_t *payload; /* out of jbuf_get: valid until the next call */
	size_t n;
	uint32_t ts, ssrc;
	uint16_t seq;
	bool has_marker;
};
struct jbuf_stats {
	uint64_t taken, late, twice, lost, dropped; /* packets; lost: concealed ones; dropped: over max_ms, too long */
	uint64_t waits;                             /* frames inserted because nothing had come */
	uint64_t slower, faster;                    /* frames inserted, packets shortened, to mend the delay */
	uint64_t resets;                            /* another source, or a jump of its timestamps */
	uint32_t depth_ms, depth_max_ms;            /* what lay in it at the last get; the most */
};
struct jbuf;
/* Takes all its memory now. ST_INVAL: conf out of range; ST_NOMEM. */
ANY int jbuf_new(struct jbuf **out, const struct jbuf_conf *conf);
ANY void jbuf_free(struct jbuf *j);
ANY void jbuf_reset(struct jbuf *j); /* forgets what lies in it; statistics stay */

enum jbuf_put { JBUF_TAKEN, JBUF_LATE, JBUF_TWICE, JBUF_REFUSED };
/* Copies the payload. now_us: monotonic. */
ANY enum jbuf_put jbuf_put(struct jbuf *j, const struct jbuf_packet *p, int64_t now_us);

enum jbuf_get {
	JBUF_NONE,   /* it fills, or nobody talks: no sound */
	JBUF_PACKET, /* out */
	JBUF_LOST, /* a frame that will not come: make it up; out, when has_next, is the packet right after it (FEC) */
	JBUF_WAIT  /* a frame more than the source made: make it up; what is due comes later */
};
struct jbuf_out {
	struct jbuf_packet packet;
	bool has_next;
	bool is_faster; /* of a packet: play less of it, where that can be done */
};
/* The next frame. */
ANY enum jbuf_get jbuf_get(struct jbuf *j, int64_t now_us, struct jbuf_out *out);
/* What the packet just got was really worth, in clock ticks, where that is known. */
ANY void jbuf_worth(struct jbuf *j, uint32_t ticks);
ANY void jbuf_stats_get(const struct jbuf *j, struct jbuf_stats *out);
