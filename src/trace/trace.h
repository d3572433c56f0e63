/* What was said, for people who look for a fault: every SIP message goes through here, whoever sent or received it, and
 * on to whoever wants it:
 *
 *   stack's trace -> endpoint/sip/profile/trace.c -> trace_message -> ring.c: kept in memory -> ladder.c: `sofia
 * ladder`
 *                                                                  -> collector.c: HEP, to a capture server
 *                                                                  -> watchers: one call's capture file
 *
 * The ring is one block of memory that is written round and round: a message costs a copy, and a search is a walk. All
 * of it is bounded; nothing waits. Control thread. */
#pragma once
#include "base/list.h"
#include "base/role.h"
#include "base/status.h"
#include "base/str.h"
#include "net/addr.h"
#include "sip/msg/msg.h"
#include <stdbool.h>
#include <stdint.h>

struct trace_msg {
	bool is_outgoing, is_captured /* the collector gets it, too */;
	enum sip_transport transport;
	struct addr local, remote;
	struct sv data;
	int64_t wall_us;
};
ON_CTL void trace_message(const struct trace_msg *m);
/* Somebody wants more than what each profile says: its stack is to tell of messages. */
ON_CTL bool trace_wants_messages(void);
/* The Call-ID of a message as it is on the wire; empty: it has none. */
ANY struct sv trace_call_id(struct sv data);

/* A leg has a dialog of that Call-ID; other: the leg it was called for, or NULL. */
ON_CTL void trace_call_note(struct sv call_id, const char *uuid, const char *other);

/* Told of every message of a dialog that is noted for its leg or its leg's other; by Call-ID, too. */
struct trace_watch {
	struct lnode link;
	void (*on_message)(const struct trace_msg *m, void *arg);
	void (*on_note)(struct sv call_id, const char *uuid, const char *other, void *arg);
	void *arg;
};
ON_CTL void trace_watch_add(struct trace_watch *w); /* embedded by its owner */
ON_CTL void trace_watch_del(struct trace_watch *w);

/* ---- a call as its legs and dialogs are made (calls.c): for who watches ---- */
enum { TRACE_CALLS_MAX = 8, TRACE_CALL_ID_CHARS = 128 };
struct trace_calls {
	char uuids[TRACE_CALLS_MAX][40], call_ids[TRACE_CALLS_MAX][TRACE_CALL_ID_CHARS];
	size_t uuid_count, call_id_count;
};
ANY void trace_calls_uuid_add(struct trace_calls *c, const char *uuid); /* NULL and "" are fine */
ANY void trace_calls_id_add(struct trace_calls *c, struct sv call_id);
ANY bool trace_calls_has_uuid(const struct trace_calls *c, const char *uuid);
/* A note: true when it is of this call, whose legs and dialogs it is then among. */
ANY bool trace_calls_note(struct trace_calls *c, struct sv call_id, const char *uuid, const char *other);
ANY bool trace_calls_fit(const struct trace_calls *c, struct sv message);

/* ---- the ring (ring.c) ---- */
enum { TRACE_KEYS_MAX = 16, TRACE_CALL_MAX_BYTES = 256 << 10 /* of one call */, TRACE_MESSAGE_MAX_BYTES = 16 << 10 };
ON_CTL int trace_ring_set(size_t bytes); /* what was kept is forgotten; 0: none */
struct trace_counts {
	size_t ring_bytes, ring_used_bytes;
	uint64_t kept, refused /* a call's share was full */, hep_sent, hep_dropped;
};
ON_CTL void trace_counts_get(struct trace_counts *out);

/* ---- one call (ladder.c) ---- */
/* Keys are uuids of legs and Call-IDs, any of a call: its other legs' dialogs are found by what was noted. ST_NOTFOUND:
 * nothing of it is kept (any more). */
ON_CTL int trace_ladder_text(struct buf *out, const struct sv *keys, size_t count);
/* hides_secrets: credentials, media keys and bodies other than SDP are left out of the messages' texts. */
ON_CTL int trace_ladder_json(struct buf *out, const struct sv *keys, size_t count, bool hides_secrets);
/* Each message that is kept of it, and what of its legs is known: into calls. */
ON_CTL int trace_ladder_each(struct trace_calls *calls, const struct sv *keys, size_t count,
    void (*fn)(const struct trace_msg *m, void *arg), void *arg);
ANY void trace_masked_put(struct buf *out, struct sv message);

/* ---- the capture server (collector.c) ---- */
/* "udp:HOST:PORT;hep=3;capture_id=N;capture_password=TEXT;node=TEXT" or tcp:, as FreeSWITCH's capture-server; NULL or
 * "": none. ST_PARSE: *why says what is wrong. */
ON_CTL int trace_collector_set(const char *text, const char *node, const char **why);
ON_CTL bool trace_collector_is_set(void);
/* Called when trace_wants_messages or the collector changes. One listener. */
ON_CTL void trace_on_change(void (*fn)(void));
/* Told at once whether there is one, and when that changes. One listener; NULL: none. */
ON_CTL void trace_on_collector(void (*fn)(bool is_set));
struct trace_rtcp { /* one RTCP report, as HEP's JSON tells it */
	bool is_outgoing, has_sr, has_block;
	struct addr local, remote;
	uint32_t ssrc, sr_ts, sr_packets, sr_octets;
	uint64_t sr_ntp;
	struct {
		uint32_t ssrc, seq_ext, jitter, lsr, dlsr;
		int32_t lost;
		uint8_t fraction_lost;
	} block;
	struct sv call_id;
};
ON_CTL void trace_rtcp_send(const struct trace_rtcp *r);
