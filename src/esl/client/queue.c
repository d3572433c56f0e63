/* The bounded queue of one client. An item costs its body's bytes plus a fixed share for the frame's header, whoever
 * else refers to the same text. Rendering puts the frame's header in front: Content-Length first, as FreeSWITCH writes
 * it. */
#include "esl/client/queue.h"
#include "base/mem.h"

enum { ITEM_OVERHEAD_BYTES = 128, FIRST_CAP = 64 };

void esl_queue_init(struct esl_queue *q, size_t max_bytes)
{
	*q = (struct esl_queue){.max_bytes = max_bytes};
}

void esl_queue_clear(struct esl_queue *q)
{
	for (size_t i = 0; i < q->count; i++)
		mem_unref(q->items[(q->head + i) & (q->cap - 1)].ref);
	q->head = q->count = q->bytes = 0;
	q->dropped_now = 0;
}

void esl_queue_fini(struct esl_queue *q)
{
	esl_queue_clear(q);
	mem_free(q->items);
	*q = (struct esl_queue){0};
}

static bool grow(struct esl_queue *q)
{
	size_t cap = q->cap ? q->cap * 2 : FIRST_CAP;
	struct esl_queue_item *items = mem_alloc(cap * sizeof(*items));
	if (!items)
		return false;
	for (size_t i = 0; i < q->count; i++)
		items[i] = q->items[(q->head + i) & (q->cap - 1)];
	mem_free(q->items);
	q->items = items;
	q->cap = cap;
	q->head = 0;
	return true;
}

bool esl_queue_push(struct esl_queue *q, void *ref, struct sv body, const char *ctype)
{
	size_t cost = body.n + ITEM_OVERHEAD_BYTES;
	/* once something is lost, everything is until the gap mark: order stays true */
	if (q->dropped_now || q->bytes + cost > q->max_bytes || (q->count == q->cap && !grow(q))) {
		q->dropped_now++;
		q->dropped_count++;
		return false;
	}
	q->items[(q->head + q->count++) & (q->cap - 1)] = (struct esl_queue_item){mem_ref(ref), body, ctype};
	q->bytes += cost;
	return true;
}

bool esl_queue_needs_gap(const struct esl_queue *q, size_t next_bytes)
{
	return q->dropped_now && q->bytes + next_bytes + 4096 <= q->max_bytes / 2;
}

bool esl_queue_drops(struct esl_queue *q)
{
	if (!q->dropped_now || esl_queue_needs_gap(q, 0))
		return false;
	q->dropped_now++;
	q->dropped_count++;
	return true;
}

void esl_queue_gap_done(struct esl_queue *q)
{
	q->dropped_now = 0;
}

size_t esl_queue_render(struct esl_queue *q, struct buf *out, size_t max_bytes)
{
	size_t frames = 0;
	while (q->count && out->n < max_bytes) {
		struct esl_queue_item *it = &q->items[q->head];
		if (it->ctype)
			buf_printf(out, "Content-Length: %zu\nContent-Type: %s\n\n", it->body.n, it->ctype);
		buf_addv(out, it->body);
		q->head = (q->head + 1) & (q->cap - 1);
		q->count--;
		q->bytes -= it->body.n + ITEM_OVERHEAD_BYTES;
		mem_unref(it->ref);
		frames++;
	}
	q->sent_count += frames;
	return frames;
}
