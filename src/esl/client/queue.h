/* What waits to be sent to one event-socket client: references to rendered events and log lines, shared by all clients
 * that want them, bounded in bytes. When full, new ones are dropped and counted; the next that fits is preceded by a
 * gap mark. */
#pragma once
#include "base/role.h"
#include "base/str.h"

struct esl_queue_item {
	void *ref; /* counted (mem_ref): what body points into */
	struct sv body;
	const char *ctype; /* content type of the frame; NULL: body is a whole frame */
};
struct esl_queue {
	struct esl_queue_item *items; /* circular */
	size_t head, count, cap;
	size_t bytes, max_bytes;
	uint64_t dropped_now, dropped_count; /* since the last gap mark; ever */
	uint64_t sent_count;                 /* handed on to the connection */
};
ON_CTL void esl_queue_init(struct esl_queue *q, size_t max_bytes);
ON_CTL void esl_queue_fini(struct esl_queue *q);
ON_CTL void esl_queue_clear(struct esl_queue *q); /* forgets what waits and what was dropped */
/* Takes a reference of its own. False when it was dropped: full, or out of memory. */
ON_CTL bool esl_queue_push(struct esl_queue *q, void *ref, struct sv body, const char *ctype);
/* True when something was dropped and there is room again: the caller pushes a gap mark and calls esl_queue_gap_done.
 */
ON_CTL bool esl_queue_needs_gap(const struct esl_queue *q, size_t next_bytes);
ON_CTL void esl_queue_gap_done(struct esl_queue *q);
/* True (and counted) when whatever came next would be dropped: it need not be rendered first. */
ON_CTL bool esl_queue_drops(struct esl_queue *q);
/* Moves whole frames to out until it holds about max_bytes; returns how many. */
ON_CTL size_t esl_queue_render(struct esl_queue *q, struct buf *out, size_t max_bytes);
