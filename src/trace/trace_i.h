/* Private to the room: records of the ring, HEP packets. */
#pragma once
#include "trace/trace.h"

/* ---- ring.c ---- */
enum trace_kind { TRACE_SKIP, TRACE_MESSAGE, TRACE_NOTE };
struct trace_rec {     /* its data follow: the message, or "call-id\0uuid\0other\0" */
	uint32_t size; /* with header and padding */
	uint32_t n;
	uint32_t key; /* of the Call-ID */
	uint16_t share;
	uint8_t kind, transport;
	bool is_outgoing, is_cut;
	int64_t wall_us;
	struct addr local, remote;
};
static inline struct sv trace_rec_data(const struct trace_rec *r)
{
	return (struct sv){(const char *)(r + 1), r->n};
}
ANY uint32_t trace_key(struct sv call_id);
ON_CTL void ring_put(enum trace_kind kind, const struct trace_msg *m, struct sv call_id, struct sv data);
/* The next record after r (NULL: the oldest); NULL at the end. */
ON_CTL const struct trace_rec *ring_next(const struct trace_rec *r);
ON_CTL bool ring_is_on(void);
ON_CTL void ring_counts(struct trace_counts *out);

/* ---- hep.c: packets, pure ---- */
enum { HEP_SIP = 1, HEP_RTCP_JSON = 5 };
struct hep_packet {
	struct addr src, dst;
	bool is_tcp;
	int64_t wall_us;
	uint8_t type;
	uint32_t capture_id;
	struct sv password, node, correlation, payload; /* empty: left out (but the payload) */
};
ANY int hep_put(struct buf *out, const struct hep_packet *p);
ANY void hep_rtcp_json(struct buf *out, const struct trace_rtcp *r);

/* ---- collector.c ---- */
ON_CTL void collector_message(const struct trace_msg *m);
ON_CTL void collector_counts(struct trace_counts *out);
