/* What the files of events share. */
#pragma once
#include "core/event/event.h"

struct event_header {
	const char *name, *value;
};
struct event_chunk {
	struct event_chunk *next;
	size_t used, cap;
	char bytes[];
};
/* An event on its way:
 *
 *     is anybody there?  event_is_wanted   (a table by id and subclass: mostly no, and nothing is built)
 *     event_new          base headers in FreeSWITCH's order
 *     event_add ...      text into chunks that never move
 *     event_fire         Event-Sequence; then, by sub.c, each subscriber in turn:
 *       filter           his ids, subclasses, header filters
 *       event_render     once per format (plain, JSON, XML), shared by all who want that format
 *       his queue        bounded; full: dropped for him alone, and counted
 */
struct event {
	enum event_id id;
	const char *subclass; /* in the chunks, or NULL */
	struct event_header *headers;
	uint32_t count, cap;
	struct event_chunk *chunks;
	char *body;
	size_t body_len;
	int sequence_at;   /* index of Event-Sequence, -1 without base headers */
	char *rendered[4]; /* by format; NULL = not yet */
	size_t rendered_len[4];
};
ON_CTL void event_forget_rendered(struct event *e);
ON_CTL void event_deliver(struct event *e);
extern struct event_counts event_counts[EVENT_ID_COUNT];
