/* The ring: records one behind the other, each whole; where the next would not fit before the end, a skip leads to the
 * beginning. What is written over was the oldest. A call that talks without end takes its own share only: how much of
 * the ring each Call-ID holds is counted in a table of small counters by its hash. */
#include "base/hash.h"
#include "base/mem.h"
#include "trace/trace_i.h"

#include <string.h>

enum { SHARES = 1 << 14, ALIGN = 8 };
static struct {
	char *p;
	size_t cap, head, tail, used;
	uint32_t *shares; /* bytes in the ring by Call-ID's hash */
	uint64_t kept, refused;
} ring;

bool ring_is_on(void)
{
	return ring.cap != 0;
}

int trace_ring_set(size_t bytes)
{
	mem_free(ring.p);
	mem_free(ring.shares);
	memset(&ring, 0, sizeof(ring));
	if (!bytes)
		return ST_OK;
	bytes = bytes < 65536 ? 65536 : bytes & ~(size_t)(ALIGN - 1);
	ring.p = mem_zalloc(bytes); /* touched now, so that memory stays what it is */
	ring.shares = mem_zalloc(SHARES * sizeof(*ring.shares));
	if (!ring.p || !ring.shares) {
		mem_free(ring.p);
		mem_free(ring.shares);
		memset(&ring, 0, sizeof(ring));
		return ST_NOMEM;
	}
	memset(ring.p, 1, bytes);
	ring.cap = bytes;
	return ST_OK;
}

uint32_t trace_key(struct sv call_id)
{
	return (uint32_t)hash_bytes(call_id.p, call_id.n);
}

static struct trace_rec *rec_at(size_t at)
{
	return (struct trace_rec *)(void *)(ring.p + at);
}

static void oldest_drop(void)
{
	const struct trace_rec *r = rec_at(ring.tail);
	ring.shares[r->share] -= r->kind == TRACE_MESSAGE ? r->size : 0;
	ring.used -= r->size;
	ring.tail += r->size;
	if (ring.tail >= ring.cap)
		ring.tail = 0;
}

/* Room for size bytes in one piece at head. A rest before the end that holds no header belongs to the record before it.
 */
static struct trace_rec *room_make(size_t size)
{
	if (ring.cap - ring.head < size) {
		size_t rest = ring.cap - ring.head;
		while (ring.cap - ring.used < rest)
			oldest_drop();
		if (rest) {
			struct trace_rec *skip = rec_at(ring.head);
			skip->size = (uint32_t)rest, skip->kind = TRACE_SKIP, skip->share = 0;
			ring.used += rest;
		}
		ring.head = 0;
	}
	while (ring.cap - ring.used < size)
		oldest_drop();
	return rec_at(ring.head);
}

void ring_put(enum trace_kind kind, const struct trace_msg *m, struct sv call_id, struct sv data)
{
	bool is_cut = data.n > TRACE_MESSAGE_MAX_BYTES;
	uint32_t key = trace_key(call_id);
	uint16_t share = (uint16_t)(key & (SHARES - 1));
	if (is_cut)
		data.n = TRACE_MESSAGE_MAX_BYTES;
	size_t size = (sizeof(struct trace_rec) + data.n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (kind == TRACE_MESSAGE && ring.shares[share] + size > TRACE_CALL_MAX_BYTES) {
		ring.refused++;
		return;
	}
	/* no rest too short for a skip's header is ever left before the end */
	if (ring.cap - ring.head >= size && ring.cap - ring.head - size < sizeof(struct trace_rec))
		size = ring.cap - ring.head;
	struct trace_rec *r = room_make(size);
	*r = (struct trace_rec){.size = (uint32_t)size,
	    .n = (uint32_t)data.n,
	    .key = key,
	    .share = share,
	    .kind = (uint8_t)kind,
	    .is_cut = is_cut};
	if (m) {
		r->transport = (uint8_t)m->transport, r->is_outgoing = m->is_outgoing;
		r->wall_us = m->wall_us, r->local = m->local, r->remote = m->remote;
	}
	memcpy(r + 1, data.p, data.n);
	ring.shares[share] += kind == TRACE_MESSAGE ? (uint32_t)size : 0;
	ring.used += size;
	ring.head += size;
	if (ring.head >= ring.cap)
		ring.head = 0;
	ring.kept++;
}

const struct trace_rec *ring_next(const struct trace_rec *r)
{
	size_t at = r ? (size_t)((const char *)r - ring.p) + r->size : ring.tail;
	if (at >= ring.cap)
		at = 0;
	if (!ring.used || (r && at == ring.head))
		return NULL;
	return rec_at(at);
}

void ring_counts(struct trace_counts *out)
{
	out->ring_bytes = ring.cap;
	out->ring_used_bytes = ring.used;
	out->kept = ring.kept;
	out->refused = ring.refused;
}
